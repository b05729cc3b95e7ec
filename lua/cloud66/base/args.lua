-- args.lua: what a caller hands in. The programmer's mistakes raise here, blaming the line that made them.
--
-- `level` is what the function that calls the check would give to error() itself: 2, the default, is its caller.
-- No check is called in a tail call, which would take a level away.

local core = require "cloud66.core"
local number = require "cloud66.base.number"

local args = {}

local function shown(value)
  return type(value) == "string" and ("'%s'"):format(value) or tostring(value)
end

---The keys of a table that are names, in order.
---@return string[]
function args.names(of)
  local names = {}
  for name in pairs(of) do
    if type(name) == "string" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

---@param ... table  tables whose keys are the names that exist
---@return string    ": did you mean 'x'?"; or what there is, where nothing is near
function args.hint(name, ...)
  local near = type(name) == "string" and core.nearest(name, ...)
  if near then
    return (": did you mean '%s'?"):format(near)
  elseif type(name) == "number" then
    return ": write name = value"
  end
  return (": there are %s"):format(table.concat(args.names((...)), ", "))
end

---The names of two tables.
---@return table<string, true>
function args.union(first, second)
  local names = {}
  for name in pairs(first) do
    names[name] = true
  end
  for name in pairs(second) do
    names[name] = true
  end
  return names
end

---Raises for arguments that would be passed over: criteria given to the wrong call would otherwise take everything.
---@param call string  for the message: "count()"
---@param most integer how many arguments the call takes
---@param count integer how many it was given, without self
function args.no_more(call, most, count, level)
  if count > most then
    error(("%s takes %s (criteria go into where{...})"):format(
      call, most == 0 and "no arguments" or most == 1 and "one argument" or "no more arguments"), (level or 2) + 1)
  end
end

---@param options table?   the caller's table
---@param allowed table    name -> anything
---@param what string      for the message: "option", "criterion"
---@return table           a shallow copy, so that later changes by the caller change nothing
function args.options(options, allowed, what, level, example)
  level = (level or 2) + 1
  if options == nil then
    return {}
  end
  if type(options) ~= "table" then
    error(("expected a table such as {%s = ...}, got %s"):format(
      example or args.names(allowed)[1], type(options)), level)
  end
  local copy = {}
  for name, value in pairs(options) do
    if allowed[name] == nil then
      error(("unknown %s '%s'%s"):format(what, tostring(name), args.hint(name, allowed)), level)
    end
    copy[name] = value
  end
  return copy
end

---@return string  not empty, free of control characters
function args.text(value, name, level)
  level = (level or 2) + 1
  if type(value) ~= "string" then
    error(("%s must be a string, got %s"):format(name, type(value)), level)
  end
  if value == "" then
    error(("%s is empty: an unset variable?"):format(name), level)
  end
  if value:find("%c") then
    error(("%s holds a control character, such as a line break"):format(name), level)
  end
  return value
end

---@return number  above zero
function args.positive(value, name, level)
  if type(value) ~= "number" or not (value > 0) or value == math.huge then
    error(("%s must be a number above zero, got %s"):format(name, tostring(value)), (level or 2) + 1)
  end
  return value
end

---@return integer  from 1 on
function args.count(value, name, level)
  if type(value) ~= "number" or value < 1 or value % 1 ~= 0 or value > 2 ^ 53 then
    error(("%s must be a whole number from 1 on, got %s"):format(name, shown(value)), (level or 2) + 1)
  end
  return value
end

---An id, given as an integer, a whole float or digits.
---@return string  its digits
function args.id(value, level)
  level = (level or 2) + 1
  local digits = type(value) == "string" and value:match("^%-?%d+$") or number.digits(value)
  if digits then
    return (digits:gsub("^(%-?)0+(%d)", "%1%2"))
  elseif type(value) == "number" and value % 1 == 0 then
    error("a deployment id this large is exact only as a string of digits", level)
  end
  error(("a deployment id is an integer or a string of digits, got %s%s"):format(
    shown(value), value == nil and ": an unset variable?" or ""), level)
end

---A commit hash or the beginning of one: 7 to 64 hex digits.
---@return string  in lower case
function args.git_hash(value, level)
  level = (level or 2) + 1
  if type(value) ~= "string" then
    error(("git_hash must be a string, got %s: an unset variable?"):format(type(value)), level)
  end
  if #value < 7 or #value > 64 or value:find("%X") then
    error(("git_hash must be 7 to 64 hex digits, got '%s'"):format(value:sub(1, 80)), level)
  end
  return value:lower()
end

local LATEST = 253402300800 -- the year 10000

---A range that holds no time would read as "there is none".
function args.range(since, before, level)
  if since and before and since >= before then
    error("since must be earlier than before", (level or 2) + 1)
  end
end

local UNITS = { m = 60, h = 3600, d = 86400, w = 7 * 86400 }

---A point in time: a date text (UTC where it names no zone), an age such as "24h" or "7d", or Unix seconds.
---@return number  Unix seconds
function args.time(value, name, level)
  level = (level or 2) + 1
  if type(value) == "number" and value == value then
    if value >= 1 and value <= 9999 then
      error(("%s = %s would be in January 1970: write a date as \"2025-01-31\", an age as \"7d\""):format(
        name, tostring(value)), level)
    elseif value > LATEST or value < -LATEST then
      error(("%s = %s is no time in Unix seconds (milliseconds?)"):format(name, tostring(value)), level)
    end
    return value
  end
  if type(value) ~= "string" then
    error(("%s must be a date, an age such as \"24h\" or Unix seconds, got %s"):format(name, type(value)), level)
  end
  local seconds = core.timestamp(value)
  if seconds then
    return seconds
  end
  local amount, unit = value:match("^(%d+)([mhdw])$")
  if not amount then
    error(("%s = '%s' is no date (2024-01-31, 2024-01-31T12:00:00Z) and no age (90m, 24h, 7d, 2w)"):format(
      name, value), level)
  end
  return os.time() - tonumber(amount) * UNITS[unit]
end

return args
