-- json.lua: a request body to JSON, by lua-cjson, which must be kept from rounding; what lua-cjson knows a list by.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local cjson = require "cjson"
local random = require "cloud66.base.random"

local json = {}

-- A private instance: its settings are nobody else's, and nobody's are ours.
local writer = cjson.new()

---The metatable of empty lists, by which lua-cjson writes one as [] and not as {}. Where it knows none, as up to 2.1.0, this is one
---of our own, and encode() alone goes by it.
json.array_mt = cjson.array_mt or {}

local DEEPEST = 100

-- lua-cjson writes numbers with 14 digits: what has more would reach the API as another number, or as 1e+14.
local function is_written_exactly(number)
  return tonumber(("%.14g"):format(number)) == number and (number % 1 ~= 0 or (number > -1e14 and number < 1e14))
end

local function check_value(value, depth)
  if type(value) == "number" and not is_written_exactly(value) then
    caller.blame "the body holds a number that JSON would round or cannot hold: give it as a string"
  elseif type(value) == "string" then
    args.utf8(value, "a text in the body")
  elseif type(value) == "table" then
    if depth > DEEPEST then
      caller.blame "the body is nested too deeply, or within itself"
    end
    for key, inner in pairs(value) do
      check_value(key, depth + 1)
      check_value(inner, depth + 1)
    end
  end
end

-- The value with a text for each empty list, and whether there is one. What holds one is copied, as it is the caller's.
local function with_text(value, text)
  if type(value) ~= "table" then
    return value, false
  elseif getmetatable(value) == json.array_mt and next(value) == nil then
    return text, true
  end
  local copy, has = {}, false
  for key, inner in pairs(value) do
    local inner_has
    copy[key], inner_has = with_text(inner, text)
    has = has or inner_has
  end
  return has and copy or value, has
end

---@param body table  the caller's; not changed
---@param name? string  what messages call it: "option 'body'"
---@return string JSON
function json.encode(body, name)
  if type(body) ~= "table" then
    caller.blame("%s must be a table, got %s", name or "a body", type(body))
  end
  check_value(body, 1)
  local stand_in = not cjson.array_mt and random.reference "" -- which is in no body
  local ok, text = pcall(writer.encode, stand_in and with_text(body, stand_in) or body)
  if not ok then
    caller.blame("the body cannot be written as JSON: %s", tostring(text))
  end
  return stand_in and text:gsub('"' .. stand_in .. '"', "[]") or text
end

return json
