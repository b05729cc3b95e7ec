-- stores.lua: the places where several processes, or several clients of one, store what they share: each is loaded on first
-- use, since each needs something else. A store is whatever has the four METHODS; a user may bring another.
--
-- They and the public functions below are documented in types/store.lua.

local caller = require "cloud66.base.caller"

local stores = {}

local METHODS = { "get", "set", "add", "incr" }

local function method_of(value, name)
  return value[name]
end

function stores.check(value, name)
  name = name or "a store"
  if type(value) ~= "table" and type(value) ~= "userdata" then
    caller.blame("%s must be a table with the methods %s, got %s", name, table.concat(METHODS, ", "),
      value == nil and "nil: an unset variable?" or type(value))
  end
  local missing = {}
  for _, method in ipairs(METHODS) do
    local ok, found = pcall(method_of, value, method)
    if not ok or type(found) ~= "function" then
      missing[#missing + 1] = method
    end
  end
  if #missing > 0 then
    local is_module = type(value) == "table" and type(value.new) == "function"
    caller.blame("%s must have the methods %s: this one has no %s%s", name, table.concat(METHODS, ", "),
      table.concat(missing, ", "), is_module and " (a module instead of what its new() returns?)" or "")
  end
  return value
end

function stores.memory(options)
  return require("cloud66.sharing.store.memory").new(options)
end

function stores.shared_dict(name)
  return require("cloud66.sharing.store.shared_dict").new(name)
end

function stores.redis(options)
  return require("cloud66.sharing.store.redis").new(options)
end

return stores
