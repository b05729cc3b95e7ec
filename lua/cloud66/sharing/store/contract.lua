-- contract.lua: what may be given to the methods of a store, the same in all of them. The programmer's mistakes raise.
-- `level` is as in args.lua: 2 is the caller of the function that calls the check.

local contract = {}

local MOST_KEY = 250 -- bytes: the least of what common stores take
local LONGEST_TTL = 30 * 86400 -- seconds
local MOST_COUNT = 2 ^ 53 - 1 -- from 2^53 on not every whole number is a double

---Bytes of the longest value.
contract.MOST_VALUE = 1024 * 1024

-- Not by math.abs(): the lowest integer has none.
local function is_count(number)
  return type(number) == "number" and number % 1 == 0 and number <= MOST_COUNT and number >= -MOST_COUNT
end

local tointeger = rawget(math, "tointeger") or function(number)
  return number
end

---@return string key
function contract.key(key, level)
  if type(key) ~= "string" then
    error(("a key must be a string, got %s (methods of a store are called with a colon)"):format(type(key)), (level or 2) + 1)
  elseif key == "" or #key > MOST_KEY then
    error(("a key has 1 to %d bytes, got %d"):format(MOST_KEY, #key), (level or 2) + 1)
  end
  return key
end

---@return number ttl  seconds
function contract.ttl(ttl, level)
  if type(ttl) ~= "number" or not (ttl > 0) then
    error(("ttl must be a number of seconds above zero, got %s"):format(tostring(ttl)), (level or 2) + 1)
  elseif ttl > LONGEST_TTL then
    error(("ttl is at most %d seconds, 30 days, got %s"):format(LONGEST_TTL, tostring(ttl)), (level or 2) + 1)
  end
  return ttl
end

---A ttl in whole milliseconds: rounded up, since 0 would be for ever.
---@return number
function contract.milliseconds(ttl)
  return math.max(1, math.ceil(ttl * 1000))
end

---Whether a value fits. One that does not is what the world gave, not a mistake of the programmer's.
---@return boolean|nil, string? message
function contract.value(value, level)
  if type(value) ~= "string" then
    error(("a value must be a string, got %s"):format(type(value)), (level or 2) + 1)
  elseif #value > contract.MOST_VALUE then
    return nil, ("the value has %d bytes, and a store takes %d at most"):format(#value, contract.MOST_VALUE)
  end
  return true
end

---What set() and add() are given, together.
---@return boolean|nil, string? message
function contract.entry(key, value, ttl, level)
  level = (level or 2) + 1
  contract.key(key, level)
  contract.ttl(ttl, level)
  local fits, message = contract.value(value, level) -- no tail call: Lua 5.1 would count one level more
  return fits, message
end

---@return number amount  whole, an integer where this Lua has integers
function contract.amount(amount, level)
  if not is_count(amount) then
    error(("an amount to count by must be a whole number below 2^53, got %s"):format(tostring(amount)), (level or 2) + 1)
  end
  return tointeger(amount)
end

---The count that a text is: digits as Redis writes and takes them, no others.
---@return number|nil  whole
function contract.count_of(text)
  if text ~= "0" and not (#text <= 17 and text:find "^%-?[1-9]%d*$") then
    return nil
  end
  local count = tonumber(text)
  return is_count(count) and count or nil
end

---The digits of a count.
---@return string
function contract.digits(count)
  return ("%.0f"):format(count)
end

---A count that a store gave, or why it is none.
---@return number|nil, string? message
function contract.counted(count)
  if not is_count(count) then
    return nil, "what is there is no whole number below 2^53"
  end
  return tointeger(count)
end

return contract
