-- blocking.lua: Redis by redis-lua and LuaSocket, for scripts. One connection per store and process. Coroutines can share
-- it: nothing in here yields, so a call is over before another one begins.

local caller = require "cloud66.base.caller"
local core = require "cloud66.core"
local guard = require "cloud66.sharing.store.redis.guard"

local blocking = {}

-- --- a socket ---

local function set_limit(socket, seconds)
  socket:settimeout(seconds, "t")
end

-- A socket that is not connected yet; or nil, problem.
local function socket_of(self)
  if self.settings.path then
    local unix = self.unix
    return (type(unix) == "table" and unix.stream or unix)()
  end
  return self.socket.tcp()
end

-- A guarded socket that is connected; or nil, problem.
local function connect(self, deadline)
  local settings = self.settings
  local raw, problem = socket_of(self)
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

-- Whether nothing has come since the last response, and the other side has not closed.
local function is_idle(guarded)
  set_limit(guarded.socket, 0)
  local byte, problem = guarded.socket:receive(1)
  return byte == nil and problem == "timeout"
end

-- --- redis-lua's client ---

-- What it raises as its own failures; whatever else is raised is a bug or an interrupt.
local failure_mt = {}

local function fail(text)
  local sent = text:match "^redis error: (.*)"
  error(setmetatable({ text = sent or text:gsub("^connection error: ", ""), refused = sent ~= nil }, failure_mt), 0)
end

local function send_by(client, command, ...)
  local ok, response = pcall(client[command], client, ...)
  if not ok then
    if getmetatable(response) ~= failure_mt then
      error(response, 0)
    end
    return nil, response.text, response.refused
  elseif response == true then
    return "OK"
  end
  return response or false
end

-- --- the connection ---

local function drop(self)
  if self.guarded then
    self.guarded.socket:close()
  end
  self.client, self.guarded = false, false
end

-- True, or nil, problem.
local function open(self, deadline)
  local guarded, problem = connect(self, deadline)
  if not guarded then
    return nil, problem
  end
  self.guarded, self.owner = guarded, core.pid()
  local client = self.redis.connect { socket = guarded }
  client.error = fail
  local ok
  ok, problem = self.settings.greet(function(...)
    return send_by(client, ...)
  end)
  if not ok then
    drop(self)
    return nil, problem
  end
  self.client = client
  return true
end

-- Leaves alone what cannot be used any more.
local function check_connection(self)
  if not self.guarded then
    return
  elseif self.owner ~= core.pid() then
    self.foreign[#self.foreign + 1] = self.guarded
    self.client, self.guarded = false, false
  elseif not (self.client and is_idle(self.guarded)) then
    drop(self)
  end
end

local function send(self, ...)
  local deadline = core.monotonic() + self.settings.timeout
  check_connection(self)
  if not self.guarded then
    local ok, problem = open(self, deadline)
    if not ok then
      return nil, problem
    end
  end
  self.guarded.deadline = deadline
  local client = self.client
  self.client = false -- if this is left by an interrupt, the connection is not used again
  local response, text, refused = send_by(client, ...)
  if response == nil then
    drop(self)
    return nil, text, refused
  end
  self.client = client
  return response
end

-- --- a new one ---

local function library(name, what)
  local ok, found = pcall(require, name)
  if not ok then
    caller.blame("a store in Redis needs %s:\n%s", what, tostring(found))
  end
  return found
end

---@param settings table  of redis.lua
---@return function       send(command, ...)
function blocking.new(settings)
  local redis = library("redis", "redis-lua (Debian: lua-redis; LuaRocks: redis-lua)")
  if type(redis) ~= "table" or type(redis.connect) ~= "function" then
    caller.blame "a store in Redis needs redis-lua, and the module 'redis' that is installed is another"
  end
  local self = {
    settings = settings, redis = redis,
    socket = library("socket", "LuaSocket (Debian: lua-socket; LuaRocks: luasocket)"),
    unix = settings.path and library("socket.unix", "a LuaSocket that can do Unix sockets"),
    client = false, guarded = false, owner = false,
    foreign = {}, -- sockets of the process that this one was forked from: never closed here, nor collected
  }
  return function(...)
    return send(self, ...)
  end
end

return blocking
