-- shared_dict.lua: a store in a lua_shared_dict of nginx, which all of its workers see and a reload leaves alone.
--
-- Nothing alive is ever put out: the dict's safe calls are used alone, and what does not fit is a failure. (incr with an
-- initial value puts out what was not used for longest, so a new count is added instead.)

local contract = require "cloud66.sharing.store.contract"
local args = require "cloud66.base.args"
local host = require "cloud66.runtime.host"

local shared_dict = {}

local ngx = package.loaded.ngx or rawget(_G, "ngx")

local FLUSHED = 100 -- entries that have ended, removed at once where there is no room

-- A key that ends between two calls of ours, or is added by another worker, sends incr around again; more often than so
-- that it is no race.
local ROUNDS = 20

-- Of the dict's numbers alone it counts on, so digits are kept as one.
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

local function failure(name, problem)
  if problem == "no memory" then
    return nil, ("lua_shared_dict '%s' is full: give it more room in nginx.conf"):format(name)
  end
  return nil, ("lua_shared_dict '%s': %s"):format(name, tostring(problem))
end

local function count(dict, name, key, amount, ttl)
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
      return failure(name, problem)
    end
    local ok
    ok, problem = safely(dict, "safe_add", key, amount, ttl)
    if ok then
      return amount
    elseif problem ~= "exists" then
      return failure(name, problem)
    end
  end
  return failure(name, "the count comes and goes")
end

local function find(name, level)
  level = level + 1
  if not host.is_nginx then
    error("a store in a shared dict is for code inside nginx: elsewhere take store.memory or store.redis", level)
  end
  args.text(name, "the name of a lua_shared_dict", level)
  local dict = ngx.shared[name]
  if not dict then
    error(("there is no lua_shared_dict '%s': write 'lua_shared_dict %s 10m;' into the http block of nginx.conf"):format(
      name, name), level)
  end
  return dict
end

local store_mt = { __name = "cloud66.store.shared_dict" }

---@param name string     of the dict, as in nginx.conf
---@param level? integer  as in args.lua
---@return cloud66.Store
function shared_dict.new(name, level)
  local dict = find(name, (level or 2) + 1)
  local store = {}

  function store.get(_, key)
    contract.key(key)
    local value, problem = dict:get(key)
    if value ~= nil then
      return read(value)
    elseif type(problem) == "string" then
      return failure(name, problem)
    end
    return false
  end

  -- False where `method` adds, and something is there.
  local function write(method, key, value, ttl)
    local fits, message = contract.entry(key, value, ttl, 3)
    if not fits then
      return nil, message
    end
    local ok, problem = safely(dict, method, key, stored(value), contract.milliseconds(ttl) / 1000)
    if ok then
      return true
    elseif problem == "exists" then
      return false
    end
    return failure(name, problem)
  end

  function store.set(_, key, value, ttl)
    local written, message = write("safe_set", key, value, ttl) -- no tail call: a wrong argument is told with the caller's line
    return written, message
  end

  function store.add(_, key, value, ttl)
    local added, message = write("safe_add", key, value, ttl)
    return added, message
  end

  function store.incr(_, key, amount, ttl)
    contract.key(key)
    contract.ttl(ttl)
    amount = contract.amount(amount)
    local new, message = count(dict, name, key, amount, contract.milliseconds(ttl) / 1000)
    return new, message
  end

  return setmetatable(store, store_mt)
end

return shared_dict
