-- A store as a user would write one, in plain Lua, from nothing but what the README says of stores.
local plain_store = {}

local methods = {}
local store_mt = { __index = methods }

function plain_store.new(now)
  return setmetatable({ values = {}, ends = {}, now = now }, store_mt)
end

function methods:get(key)
  if self.values[key] and self.ends[key] <= self.now() then
    self.values[key] = nil
  end
  return self.values[key] or false
end

function methods:set(key, value, ttl)
  if #value > 1024 * 1024 then
    return nil, "too large"
  end
  self.values[key], self.ends[key] = value, self.now() + ttl
  return true
end

function methods:add(key, value, ttl)
  if self:get(key) then
    return false
  end
  return self:set(key, value, ttl)
end

function methods:incr(key, amount, ttl)
  local value = self:get(key)
  local count = tonumber(value or 0)
  if value and (#value > 17 or not value:find "^%-?%d+$" or value:find "^%-?0." or math.abs(count + amount) >= 2 ^ 53) then
    return nil, "no count"
  end
  local digits = ("%.0f"):format(count + amount)
  if value then
    self.values[key] = digits
  else
    self:set(key, digits, ttl)
  end
  return tonumber(digits)
end

return plain_store
