-- stores.lua: the places where several processes, or several clients of one, keep what they share: each loaded on first
-- use, since each needs something else. A store is whatever has these four methods; a user may bring another.
--
--   get(key)                value, a string; false where there is none; nil, message where the store failed
--   set(key, value, ttl)    true; nil, message. A ttl of 0.001 removes
--   add(key, value, ttl)    true where there was none; false where there is one; nil, message. Atomic
--   incr(key, amount, ttl)  the new count, from 0 where there was none; only then the ttl counts; nil, message. Atomic
--
-- Keys are strings of 1 to 250 bytes, values strings of at most 1 MiB, ttl seconds above zero, at most 30 days.

local stores = {}

local METHODS = { "get", "set", "add", "incr" }

local function method_of(value, name)
  return value[name]
end

---Raises unless a value is a store, naming what it lacks.
---@param value any       what a user gave
---@param name? string    for the message: "option 'store'"
---@param level? integer  as for error(): 1, the default, blames the line that calls check()
---@return table          the value
function stores.check(value, name, level)
  level, name = (level or 1) + 1, name or "a store"
  if type(value) ~= "table" and type(value) ~= "userdata" then
    error(("%s must be a table with the methods %s, got %s"):format(
      name, table.concat(METHODS, ", "), value == nil and "nil: an unset variable?" or type(value)), level)
  end
  local missing = {}
  for _, method in ipairs(METHODS) do
    local ok, found = pcall(method_of, value, method)
    if not ok or type(found) ~= "function" then
      missing[#missing + 1] = method
    end
  end
  if #missing > 0 then
    local hint = type(value) == "table" and type(value.new) == "function" and " (a module instead of what its new() gives?)" or ""
    error(("%s must have the methods %s: this one has no %s%s"):format(
      name, table.concat(METHODS, ", "), table.concat(missing, ", "), hint), level)
  end
  return value
end

---A store in this process's memory; inside nginx, this worker's.
---@param options? table  max_bytes (16 MiB), max_entries (as many as fit)
---@return cloud66.Store
function stores.memory(options)
  local made = require("cloud66.sharing.store.memory").new(options)
  return made
end

---A store in a shared dict of nginx, which all of its workers see. Raises outside of nginx, and where nginx.conf has no
---such lua_shared_dict.
---@param name string
---@return cloud66.Store
function stores.shared_dict(name)
  local made = require("cloud66.sharing.store.shared_dict").new(name)
  return made
end

---A store in Redis, which other machines see too. It connects when it is first asked for something.
---@param options? table  host, port, path, username, password, database, prefix, timeout (seconds), pool
---@return cloud66.Store
function stores.redis(options)
  local made = require("cloud66.sharing.store.redis").new(options)
  return made
end

return stores
