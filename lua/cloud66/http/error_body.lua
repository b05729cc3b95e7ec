-- error_body.lua: what the body of an error says, and whether the API can have sent it. Nothing here is fit to be shown: it goes
-- through the redactor of its response.

local args = require "cloud66.base.args"
local core = require "cloud66.core"
local number = require "cloud66.base.number"
local values = require "cloud66.base.value"

local error_body = {}

local LONGEST = 1000 -- bytes, and one text: of more, no message shows anything
local DEEPEST = 5

-- All texts in a value, up to that: "name: text, name: text" of an object, "text; text" of a list.
local function words(value, depth)
  if type(value) ~= "table" then
    return value == core.null and "" or number.text(value)
  elseif depth > DEEPEST then
    return "..."
  end
  local parts, size, is_list = {}, 0, value[1] ~= nil
  for _, name in ipairs(is_list and value or args.names(value)) do
    local text = words(is_list and name or value[name], depth + 1)
    if text ~= "" then
      parts[#parts + 1] = is_list and text or name .. ": " .. text
      size = size + #text
    end
    if size > LONGEST then
      break
    end
  end
  return table.concat(parts, is_list and "; " or ", ")
end

-- Where a reason may stand, the one that tells most first.
local REASONS = { "details", "error_description", "message", "errors" }

-- Under one of these; under "error", where that is no text; or in all there is, where nothing has a known name.
local function reason_of(value)
  for _, name in ipairs(REASONS) do
    local text = value[name] ~= nil and values.text(words(value[name], 1))
    if text then
      return text
    end
  end
  if type(value.error) == "string" then
    return nil
  end
  return values.text(words(value.error or value, 1))
end

---Whether it is a page for browsers, which the API does not send.
---@param body string
---@return boolean
function error_body.is_html(body)
  return body:find "^[%s\239\187\191]*<" ~= nil
end

-- Without white space at its ends. "^%s*(.-)%s*$" takes time by the square of what white space is inside.
local function trim(text)
  local first = text:find "%S"
  return first and text:match("^.*%S", first) or ""
end

---@param body string
---@return string|nil code, string|nil reason, boolean is_json  # code: the API's id of the error
function error_body.read(body)
  local value = core.json(body)
  if type(value) == "table" then
    return values.text(value.error), reason_of(value), true
  elseif value ~= nil then
    return nil, values.text(words(value, 1)), true
  elseif error_body.is_html(body) or core.utf8_problem(body) then
    return nil, nil, false
  end
  return nil, trim(body), false
end

---What an object says that was sent in place of something else: its reason and, where it has one, its id.
---@param value table
---@return string
function error_body.summary(value)
  local code, reason = values.text(value.error), reason_of(value)
  return (code or "") .. (code and reason and ": " or "") .. (reason or "")
end

return error_body
