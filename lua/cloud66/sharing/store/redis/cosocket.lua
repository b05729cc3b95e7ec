-- cosocket.lua: Redis by lua-resty-redis and nginx's own sockets, which let the worker's other requests go on. Connections
-- come from the worker's pool, and go back to it when all is well.

local core = require "cloud66.core"
local guard = require "cloud66.sharing.store.redis.guard"
local host = require "cloud66.runtime.host"
local random = require "cloud66.base.random"

local cosocket = {}

local ngx = package.loaded.ngx or rawget(_G, "ngx")

local IDLE = 60000 -- ms that a connection stays in the pool

-- OpenResty and LuaRocks call it resty.redis, Debian nginx.redis.
local function library(level)
  local problems = {}
  for _, name in ipairs { "resty.redis", "nginx.redis" } do
    local ok, found = pcall(require, name)
    if ok and type(found) == "table" and type(found.new) == "function" then
      return found
    end
    problems[#problems + 1] = tostring(found)
  end
  error("a store in Redis needs lua-resty-redis inside nginx (Debian: lua-nginx-redis; LuaRocks: lua-resty-redis):\n"
    .. table.concat(problems, "\n"), level + 1)
end

local function set_limit(socket, seconds)
  socket:settimeout(math.max(1, math.floor(seconds * 1000)))
end

-- Connections are shared by all stores that would log in alike; the name tells nobody the password.
local function pool_of(settings)
  local parts = { settings.place, settings.username or "", settings.password or "", ("%d"):format(settings.database) }
  return "cloud66:" .. random.hex(core.hmac("pool", table.concat(parts, "\0")))
end

local function ask_client(client, command, ...)
  local answer, text = client[command](client, ...)
  if answer == nil then
    return nil, tostring(text)
  elseif answer == false then
    return nil, tostring(text), true
  elseif answer == ngx.null then
    return false
  end
  return answer
end

---@param settings table  of redis.lua
---@param level integer   as in args.lua
---@return function       ask(command, ...)
function cosocket.new(settings, level)
  local redis = library(level + 1)
  local address = settings.host:find(":", 1, true) and "[" .. settings.host .. "]" or settings.host
  local pool = { pool = pool_of(settings), pool_size = settings.pool }

  local function open()
    local client, problem = redis:new()
    if not client then
      return nil, tostring(problem)
    end
    local socket = rawget(client, "_sock")
    if socket == nil then
      return nil, "this version of lua-resty-redis has no _sock, whose limits are to be kept"
    end
    local guarded = guard.new(socket, set_limit)
    guarded.deadline = core.monotonic() + settings.timeout
    client._sock = guarded
    local ok
    if settings.path then
      ok, problem = client:connect("unix:" .. settings.path, pool)
    else
      ok, problem = client:connect(address, settings.port, pool)
    end
    if not ok then
      return nil, tostring(problem)
    end
    if client:get_reused_times() == 0 then
      ok, problem = settings.greet(function(...)
        return ask_client(client, ...)
      end)
      if not ok then
        client:close()
        return nil, problem
      end
    end
    return client
  end

  return function(...)
    local problem = host.is_starting() and "nginx has no connections before its workers start" or host.problem()
    if problem then
      return nil, problem
    end
    local client
    client, problem = open()
    if not client then
      return nil, problem
    end
    local answer, text, replied = ask_client(client, ...)
    if answer == nil then
      client:close()
      return nil, text, replied
    end
    client:set_keepalive(IDLE, settings.pool)
    return answer
  end
end

return cosocket
