-- cosocket.lua: Redis by lua-resty-redis and nginx's own sockets, which let the worker's other requests go on. Connections
-- come from the worker's pool, and go back to it when all is well.

local caller = require "cloud66.base.caller"
local core = require "cloud66.core"
local guard = require "cloud66.sharing.store.redis.guard"
local host = require "cloud66.runtime.host"
local random = require "cloud66.base.random"

local cosocket = {}

local ngx = package.loaded.ngx or rawget(_G, "ngx")

local IDLE = 60000 -- ms that a connection stays in the pool

local function set_limit(socket, seconds)
  socket:settimeout(math.max(1, math.floor(seconds * 1000)))
end

local function send_by(client, command, ...)
  local response, text = client[command](client, ...)
  if response == nil then
    return nil, tostring(text)
  elseif response == false then
    return nil, tostring(text), true
  elseif response == ngx.null then
    return false
  end
  return response
end

-- --- a connection ---

local function connect(self, client)
  local settings = self.settings
  if settings.path then
    return client:connect("unix:" .. settings.path, self.pool)
  end
  return client:connect(self.address, settings.port, self.pool)
end

-- A client that is connected and logged in; or nil, problem.
local function open(self)
  local client, problem = self.redis:new()
  if not client then
    return nil, tostring(problem)
  end
  local socket = rawget(client, "_sock")
  if socket == nil then
    return nil, "this version of lua-resty-redis has no _sock, which is needed to limit its time"
  end
  local guarded = guard.new(socket, set_limit)
  guarded.deadline = core.monotonic() + self.settings.timeout
  client._sock = guarded
  local ok
  ok, problem = connect(self, client)
  if not ok then
    return nil, tostring(problem)
  elseif client:get_reused_times() > 0 then
    return client
  end
  ok, problem = self.settings.greet(function(...)
    return send_by(client, ...)
  end)
  if not ok then
    client:close()
    return nil, problem
  end
  return client
end

local function send(self, ...)
  local problem = host.is_starting() and "nginx has no connections before its workers start" or host.problem()
  if problem then
    return nil, problem
  end
  local client
  client, problem = open(self)
  if not client then
    return nil, problem
  end
  local response, text, refused = send_by(client, ...)
  if response == nil then
    client:close()
    return nil, text, refused
  end
  client:set_keepalive(IDLE, self.settings.pool)
  return response
end

-- --- a new one ---

-- OpenResty and LuaRocks call it resty.redis, Debian nginx.redis.
local function library()
  local problems = {}
  for _, name in ipairs { "resty.redis", "nginx.redis" } do
    local ok, found = pcall(require, name)
    if ok and type(found) == "table" and type(found.new) == "function" then
      return found
    end
    problems[#problems + 1] = tostring(found)
  end
  caller.blame("a store in Redis needs lua-resty-redis inside nginx (Debian: lua-nginx-redis; LuaRocks: lua-resty-redis):\n%s",
    table.concat(problems, "\n"))
end

-- Connections are shared by all stores that would log in alike; the name shows the password to nobody.
local function pool_of(settings)
  local parts = { settings.place, settings.username or "", settings.password or "", ("%d"):format(settings.database) }
  return "cloud66:" .. random.hex(core.hmac("pool", table.concat(parts, "\0")))
end

---@param settings table  of redis.lua
---@return function       send(command, ...)
function cosocket.new(settings)
  local self = {
    settings = settings, redis = library(),
    address = settings.host:find(":", 1, true) and "[" .. settings.host .. "]" or settings.host,
    pool = { pool = pool_of(settings), pool_size = settings.pool },
  }
  return function(...)
    return send(self, ...)
  end
end

return cosocket
