-- contract.lua: what holds for each store that comes with the library: what its methods may be given, and what a count is. The
-- programmer's mistakes raise.

local caller = require "cloud66.base.caller"

local contract = {}

local MOST_KEY = 250 -- bytes: the least of what common stores take
local LONGEST_TTL = 30 * 86400 -- seconds
local MOST_COUNT = 2 ^ 53 - 1 -- from 2^53 on not every whole number is a double

---Bytes of the longest value.
contract.MOST_VALUE = 1024 * 1024

-- --- counts: whole numbers, exact as doubles ---

-- Not by math.abs(): the lowest integer has none.
local function is_count(number)
  return type(number) == "number" and number % 1 == 0 and number <= MOST_COUNT and number >= -MOST_COUNT
end

local tointeger = rawget(math, "tointeger") or function(number)
  return number
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

---A ttl in whole milliseconds: rounded up, since 0 would be for ever.
---@return number
function contract.milliseconds(ttl)
  return math.max(1, math.ceil(ttl * 1000))
end

-- --- arguments ---

local function check_key(key)
  if type(key) ~= "string" then
    caller.blame("a key must be a string, got %s (methods of a store are called with a colon)", type(key))
  elseif key == "" or #key > MOST_KEY then
    caller.blame("a key has 1 to %d bytes, got %d", MOST_KEY, #key)
  end
end

local function check_ttl(ttl)
  if type(ttl) ~= "number" or not (ttl > 0) then
    caller.blame("ttl must be a number of seconds above zero, got %s", tostring(ttl))
  elseif ttl > LONGEST_TTL then
    caller.blame("ttl is at most %d seconds, 30 days, got %s", LONGEST_TTL, tostring(ttl))
  end
end

-- What set() and add() are given. A value that is too long is what the world gave, not a mistake of the programmer's: nil,
-- message.
local function check_entry(key, value, ttl)
  check_key(key)
  check_ttl(ttl)
  if type(value) ~= "string" then
    caller.blame("a value must be a string, got %s", type(value))
  elseif #value > contract.MOST_VALUE then
    return nil, ("the value has %d bytes, and a store takes %d at most"):format(#value, contract.MOST_VALUE)
  end
  return true
end

local function check_count(key, amount, ttl)
  check_key(key)
  check_ttl(ttl)
  if not is_count(amount) then
    caller.blame("an amount to count by must be a whole number below 2^53, got %s", tostring(amount))
  end
end

-- --- the methods ---

---The store whose methods are these commands, with checked arguments. Each command is called with the state in front, which
---may hold a password: it cannot be reached through the store.
---@param commands { get: function, set: function, add: function, incr: function }
---@param state table
---@param store_mt table  with its __name
---@return cloud66.Store
function contract.store(commands, state, store_mt)
  local store = {}

  local function writer(command)
    return function(_, key, value, ttl)
      local fits, message = check_entry(key, value, ttl)
      if not fits then
        return nil, message
      end
      return command(state, key, value, ttl)
    end
  end

  store.set, store.add = writer(commands.set), writer(commands.add)

  function store.get(_, key)
    check_key(key)
    return commands.get(state, key)
  end

  function store.incr(_, key, amount, ttl)
    check_count(key, amount, ttl)
    return commands.incr(state, key, tointeger(amount), ttl)
  end

  return setmetatable(store, store_mt)
end

return contract
