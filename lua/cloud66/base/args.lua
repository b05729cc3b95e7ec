-- args.lua: what a caller hands in. The programmer's mistakes raise here, blaming the caller's line.
--
-- A check is a function value, name -> the value to go on with; name is what messages call it: "option 'timeout'".
-- A schema is a table name of an option -> its check, or true where it is checked elsewhere.

local caller = require "cloud66.base.caller"
local core = require "cloud66.core"
local number = require "cloud66.base.number"

local args = {}

local blame = caller.blame

local function shown(value)
  return type(value) == "string" and ("'%s'"):format(value) or tostring(value)
end

-- What an unset variable gives: nil, or in a shell an empty text.
local function unset(value)
  return (value == nil or value == "") and ": an unset variable?" or ""
end

-- --- names ---

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
---@return string    ": did you mean 'x'?"; or "" where nothing is near
function args.nearest(name, ...)
  local near = type(name) == "string" and core.nearest(name, ...)
  return near and (": did you mean '%s'?"):format(near) or ""
end

---@param ... table  tables whose keys are the names that exist
---@return string    ": did you mean 'x'?"; or what there is, where nothing is near
function args.hint(name, ...)
  local nearest = args.nearest(name, ...)
  if nearest ~= "" then
    return nearest
  elseif type(name) == "number" then
    return ": write name = value"
  end
  return (": there are %s"):format(table.concat(args.names((...)), ", "))
end

---All rows of several schemas.
---@param ... table
---@return table
function args.union(...)
  local all = {}
  for _, schema in ipairs { ... } do
    for name, check in pairs(schema) do
      all[name] = check
    end
  end
  return all
end

-- --- whole calls ---

---Raises for arguments that would be passed over: criteria given to the wrong call would otherwise take everything.
---@param call string  for the message: "count()"
---@param most integer how many arguments the call takes
---@param count integer how many it was given, without self
function args.no_more(call, most, count)
  if count > most then
    blame("%s takes %s (criteria go into where{...})", call,
      most == 0 and "no arguments" or most == 1 and "one argument" or "no more arguments")
  end
end

---@param options table?   the caller's table
---@param schema table     what there is
---@param what? string     what messages call an option: "option '%s'", the default, "hook '%s'"
---@param example? string  a name for the message of what is no table
---@return table           checked values: a copy, so that later changes by the caller change nothing
function args.options(options, schema, what, example)
  what = what or "option '%s'"
  if options == nil then
    return {}
  elseif type(options) ~= "table" then
    blame("expected a table such as {%s = ...}, got %s", example or args.names(schema)[1], type(options))
  end
  local checked = {}
  for name, value in pairs(options) do
    local check = schema[name]
    if check == nil then
      blame("unknown %s%s", what:format(tostring(name)), args.hint(name, schema))
    elseif check ~= true then
      value = check(value, what:format(name))
    end
    checked[name] = value
  end
  return checked
end

---A check of a table of settings within an option, each of which has a default.
---@param schema table
---@param defaults table  name -> value; not changed
---@param alternative string  for the message: what else the option may be
---@return function check
function args.settings(schema, defaults, alternative)
  local example = ("{%s =}"):format(table.concat(args.names(schema), " =, "))
  return function(value, name)
    if type(value) ~= "table" then
      blame("%s must be %s or a table %s, got %s", name, alternative, example, type(value))
    end
    local what = name:gsub("'$", ".%%s'") -- "option 'retries.%s'"
    return args.union(defaults, args.options(value, schema, what))
  end
end

-- --- checks ---

---A check of a text that goes into JSON or a URL. The API would store what is not UTF-8, and send lists from then on that
---nobody can decode.
---@return string
function args.utf8(value, name)
  local at = core.utf8_problem(value)
  if at then
    blame("%s is not UTF-8: byte %d of %d; convert it first", name, at, #value)
  end
  return value
end

---For what stays on this machine, such as a file's name, which may be in any encoding.
---@return string  not empty, free of control characters
function args.bytes(value, name)
  if type(value) ~= "string" then
    blame("%s must be a string, got %s%s", name, type(value), unset(value))
  elseif value == "" then
    blame("%s is empty%s", name, unset(value))
  end
  local at = value:find "%c"
  if at then
    blame("%s holds a control character, such as a line break or a NUL: byte %d of %d", name, at, #value)
  end
  return value
end

---@return string  UTF-8, not empty, free of control characters
function args.text(value, name)
  return args.utf8(args.bytes(value, name), name)
end

---@return boolean
function args.boolean(value, name)
  if type(value) ~= "boolean" then
    blame("%s must be true or false, got %s", name, shown(value))
  end
  return value
end

---@return function
function args.callable(value, name)
  if type(value) ~= "function" then
    blame("%s must be a function, got %s", name, type(value))
  end
  return value
end

---@return number  above zero
function args.positive(value, name)
  if type(value) ~= "number" or not (value > 0) or value == math.huge then
    blame("%s must be a number above zero, got %s", name, shown(value))
  end
  return value
end

---@return integer  from 1 on
function args.count(value, name)
  if type(value) ~= "number" or value < 1 or value % 1 ~= 0 or value > 2 ^ 53 then
    blame("%s must be a whole number from 1 on, got %s", name, shown(value))
  end
  return value
end

---@param least integer
---@param most integer
---@return function check  of a whole number in this range
function args.whole(least, most)
  return function(value, name)
    if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
      blame("%s must be a whole number from %d to %d, got %s", name, least, most, shown(value))
    end
    return value
  end
end

---@param most integer
---@return function check  of seconds
function args.seconds(most)
  return function(value, name)
    if args.positive(value, name) > most then
      blame("%s is in seconds, and at most %d of them", name, most)
    end
    return value
  end
end

---@param ... string
---@return function check  of one of these words
function args.one_of(...)
  local words = {}
  for _, word in ipairs { ... } do
    words[word] = true
  end
  local list = table.concat({ ... }, ", ")
  return function(value, name)
    if not (type(value) == "string" and words[value]) then
      blame("%s is one of %s, not %s%s", name, list, shown(value), args.nearest(value, words))
    end
    return value
  end
end

---An id, given as an integer, a whole float or digits.
---@param what? string  what messages call it: "a deployment id", the default
---@return string  its digits
function args.id(value, what)
  what = what or "a deployment id"
  local digits = type(value) == "string" and value:match "^%-?%d+$" or number.digits(value)
  if digits then
    return (digits:gsub("^(%-?)0+(%d)", "%1%2"))
  elseif type(value) == "number" and value % 1 == 0 then
    blame("%s this large is exact only as a string of digits", what)
  end
  blame("%s is an integer or a string of digits, got %s%s", what, shown(value), unset(value))
end

---A commit hash or the beginning of one: 7 to 64 hex digits.
---@return string  in lower case
function args.git_hash(value)
  args.text(value, "git_hash")
  if #value < 7 or #value > 64 or value:find "%X" then
    blame("git_hash must be 7 to 64 hex digits, got '%s'", value:sub(1, 80))
  end
  return value:lower()
end

-- --- times ---

local LATEST = 253402300800 -- the year 10000

---A range that holds no time would read as "there is none".
function args.range(since, before)
  if since and before and since >= before then
    blame "since must be earlier than before"
  end
end

local UNITS = { m = 60, h = 3600, d = 86400, w = 7 * 86400 }

local function check_seconds(value, name)
  if value >= 1 and value <= 9999 then
    blame('%s = %s would be in January 1970: write a date as "2025-01-31", an age as "7d"', name, tostring(value))
  elseif value > LATEST or value < -LATEST then
    blame("%s = %s is no time in Unix seconds (milliseconds?)", name, tostring(value))
  end
  return value
end

---A point in time: a date text (UTC where it names no zone), an age such as "24h" or "7d", or Unix seconds.
---@return number  Unix seconds
function args.time(value, name)
  if type(value) == "number" and value == value then
    return check_seconds(value, name)
  elseif type(value) ~= "string" then
    blame('%s must be a date, an age such as "24h" or Unix seconds, got %s', name, type(value))
  elseif value == "" then
    blame("%s is empty%s", name, unset(value))
  end
  local seconds = core.timestamp(value)
  if seconds then
    return seconds
  end
  local amount, unit = value:match "^(%d+)([mhdw])$"
  if not amount then
    blame("%s = '%s' is no date (2024-01-31, 2024-01-31T12:00:00Z) and no age (90m, 24h, 7d, 2w)", name, value)
  end
  return os.time() - tonumber(amount) * UNITS[unit]
end

return args
