-- shared_dict.lua: a store in a lua_shared_dict of nginx, which all of its workers see and a reload leaves alone.
--
-- Nothing alive is ever put out: the dict's safe calls are used alone, and what does not fit is a failure. (incr with an
-- initial value puts out what was not used for longest, so a new count is added instead.) Its state: { dict, name }.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local contract = require "cloud66.sharing.store.contract"
local host = require "cloud66.runtime.host"

local shared_dict = {}

local ngx = package.loaded.ngx or rawget(_G, "ngx")

local FLUSHED = 100 -- entries that have ended, removed at once where there is no room

-- A key that ends between two calls of ours, or is added by another worker, sends incr around again; more often than so
-- that it is no race.
local ROUNDS = 20

-- Of the dict's numbers alone it counts on, so digits are stored as one.
local function stored(value)
  return contract.count_of(value) or value
end

local function read(value)
  if type(value) == "number" then
    return contract.digits(value)
  elseif type(value) == "boolean" then -- somebody else's
    return tostring(value)
  end
  return value
end

-- Calls a safe method of the dict, and once more where it makes room to remove what has ended.
local function safely(dict, method, key, value, ttl)
  local ok, problem = dict[method](dict, key, value, ttl)
  if not ok and problem == "no memory" and dict:flush_expired(FLUSHED) > 0 then
    ok, problem = dict[method](dict, key, value, ttl)
  end
  return ok, problem
end

local function failure(state, problem)
  if problem == "no memory" then
    return nil, ("lua_shared_dict '%s' is full: give it more room in nginx.conf"):format(state.name)
  end
  return nil, ("lua_shared_dict '%s': %s"):format(state.name, tostring(problem))
end

-- --- the commands of a store ---

local commands = {}

function commands.get(state, key)
  local value, problem = state.dict:get(key)
  if value ~= nil then
    return read(value)
  elseif type(problem) == "string" then
    return failure(state, problem)
  end
  return false
end

-- False where `method` adds, and something is there.
local function write(state, method, key, value, ttl)
  local ok, problem = safely(state.dict, method, key, stored(value), contract.milliseconds(ttl) / 1000)
  if ok then
    return true
  elseif problem == "exists" then
    return false
  end
  return failure(state, problem)
end

function commands.set(state, key, value, ttl)
  return write(state, "safe_set", key, value, ttl)
end

function commands.add(state, key, value, ttl)
  return write(state, "safe_add", key, value, ttl)
end

function commands.incr(state, key, amount, ttl)
  local dict = state.dict
  ttl = contract.milliseconds(ttl) / 1000
  for _ = 1, ROUNDS do
    local new, problem = dict:incr(key, amount)
    if new then
      local counted, message = contract.counted(new)
      if not counted then
        dict:incr(key, -amount)
      end
      return counted, message
    elseif problem == "not a number" then
      return contract.counted(nil)
    elseif problem ~= "not found" then
      return failure(state, problem)
    end
    local ok
    ok, problem = safely(dict, "safe_add", key, amount, ttl)
    if ok then
      return amount
    elseif problem ~= "exists" then
      return failure(state, problem)
    end
  end
  return failure(state, "the count comes and goes")
end

-- --- a new one ---

local function find(name)
  args.bytes(name, "the name of a lua_shared_dict")
  if not host.is_nginx then
    caller.blame "a store in a shared dict is for code inside nginx: elsewhere take store.memory or store.redis"
  end
  local dict = ngx.shared[name]
  if not dict then
    caller.blame("there is no lua_shared_dict '%s': write 'lua_shared_dict %s 10m;' into the http block of nginx.conf", name, name)
  end
  return dict
end

local store_mt = { __name = "cloud66.store.shared_dict" }

---@param name string
---@return cloud66.Store
function shared_dict.new(name)
  return contract.store(commands, { dict = find(name), name = name }, store_mt)
end

return shared_dict
