-- json.lua: a request body to JSON, by lua-cjson, which must be kept from rounding.

local cjson = require "cjson"

local json = {}

-- A private instance: its settings are nobody else's, and nobody's are ours.
local writer = cjson.new()

local DEEPEST = 100

-- lua-cjson writes numbers with 14 digits: what has more would reach the API as another number, or as 1e+14.
local function is_written_exactly(number)
  return tonumber(("%.14g"):format(number)) == number and (number % 1 ~= 0 or (number > -1e14 and number < 1e14))
end

local function check_value(value, level, depth)
  if type(value) == "number" and not is_written_exactly(value) then
    error("the body holds a number that JSON would round or cannot hold: give it as a string", level + 1)
  elseif type(value) == "table" then
    if depth > DEEPEST then
      error("the body is nested too deeply, or within itself", level + 1)
    end
    for key, inner in pairs(value) do
      check_value(key, level + 1, depth + 1)
      check_value(inner, level + 1, depth + 1)
    end
  end
end

---@param body table       the caller's; not changed
---@param level? integer   as in args.lua
---@return string JSON
function json.encode(body, level)
  level = (level or 2) + 1
  if type(body) ~= "table" then
    error(("option 'body' must be a table, got %s"):format(type(body)), level)
  end
  check_value(body, level, 1)
  local ok, text = pcall(writer.encode, body)
  if not ok then
    error("the body cannot be written as JSON: " .. tostring(text), level)
  end
  return text
end

return json
