-- blocking.lua: Redis by redis-lua and LuaSocket, for scripts. One connection per store and process. Coroutines can share
-- it: nothing in here yields, so a call is over before another one begins.

local core = require "cloud66.core"
local guard = require "cloud66.sharing.store.redis.guard"

local blocking = {}

local function library(name, what, level)
  local ok, found = pcall(require, name)
  if not ok then
    error(("a store in Redis needs %s:\n%s"):format(what, tostring(found)), level + 1)
  end
  return found
end

local function set_limit(socket, seconds)
  socket:settimeout(seconds, "t")
end

-- A socket that is not connected yet, and whether it may be.
local function connect(settings, socket, unix, deadline)
  local raw, problem
  if settings.path then
    raw, problem = (type(unix) == "table" and unix.stream or unix)()
  else
    raw, problem = socket.tcp()
  end
  if not raw then
    return nil, problem
  end
  local guarded = guard.new(raw, set_limit)
  guarded.deadline = deadline
  local ok
  if settings.path then
    ok, problem = guarded:connect(settings.path)
  else
    ok, problem = guarded:connect(settings.host, settings.port)
  end
  if not ok then
    raw:close()
    return nil, problem
  elseif not settings.path then
    raw:setoption("tcp-nodelay", true)
  end
  return guarded
end

-- What redis-lua's client raises as its own failures; whatever else is raised is a bug or an interrupt.
local failure_mt = {}

local function fail(text)
  local replied = text:match "^redis error: (.*)"
  error(setmetatable({ text = replied or text:gsub("^connection error: ", ""), replied = replied ~= nil }, failure_mt), 0)
end

local function ask_client(client, command, ...)
  local ok, answer = pcall(client[command], client, ...)
  if not ok then
    if getmetatable(answer) ~= failure_mt then
      error(answer, 0)
    end
    return nil, answer.text, answer.replied
  elseif answer == true then
    return "OK"
  end
  return answer or false
end

-- Whether nothing has come since the last answer, and the other side has not closed.
local function is_idle(guarded)
  set_limit(guarded.socket, 0)
  local byte, problem = guarded.socket:receive(1)
  return byte == nil and problem == "timeout"
end

---@param settings table  of redis.lua
---@param level integer   as in args.lua
---@return function       ask(command, ...)
function blocking.new(settings, level)
  level = level + 1
  local redis = library("redis", "redis-lua (Debian: lua-redis; LuaRocks: redis-lua)", level)
  local socket = library("socket", "LuaSocket (Debian: lua-socket; LuaRocks: luasocket)", level)
  local unix = settings.path and library("socket.unix", "a LuaSocket that can do Unix sockets", level)
  if type(redis) ~= "table" or type(redis.connect) ~= "function" then
    error("a store in Redis needs redis-lua, and the module 'redis' that is installed is another", level)
  end

  local client, guarded, owner
  local foreign = {} -- sockets of the process that this one was forked from: never closed here, nor collected

  local function drop()
    if guarded then
      guarded.socket:close()
    end
    client, guarded = nil, nil
  end

  local function open(deadline)
    local problem
    guarded, problem = connect(settings, socket, unix, deadline)
    if not guarded then
      return nil, problem
    end
    owner = core.pid()
    local made = redis.connect { socket = guarded }
    made.error = fail
    local ok
    ok, problem = settings.greet(function(...)
      return ask_client(made, ...)
    end)
    if not ok then
      drop()
      return nil, problem
    end
    client = made
    return true
  end

  return function(...)
    local deadline = core.monotonic() + settings.timeout
    if guarded and owner ~= core.pid() then
      foreign[#foreign + 1] = guarded
      client, guarded = nil, nil
    elseif guarded and not (client and is_idle(guarded)) then
      drop()
    end
    if not guarded then
      local ok, problem = open(deadline)
      if not ok then
        return nil, problem
      end
    end
    guarded.deadline = deadline
    local using = client
    client = nil -- if this is left by an interrupt, the connection is not used again
    local answer, text, replied = ask_client(using, ...)
    if answer == nil then
      drop()
      return nil, text, replied
    end
    client = using
    return answer
  end
end

return blocking
