-- value.lua: values of decoded JSON as what they should be; nil where they are something else. Anything may be sent.

local core = require "cloud66.core"
local number = require "cloud66.base.number"

local value = {}

---A text that is not empty.
---@return string|nil
function value.text(sent)
  return type(sent) == "string" and sent ~= "" and sent or nil
end

---A date.
---@return number|nil  Unix seconds
function value.time(sent)
  return type(sent) == "string" and core.timestamp(sent) or nil
end

-- The API documents both forms of a boolean.
local TRUTH = { [true] = true, [false] = false, ["true"] = true, ["false"] = false }

---@return boolean|nil
function value.truth(sent)
  return TRUTH[sent]
end

---An id: digits, or a whole number that is exact.
---@return integer|string|nil  as it was sent
function value.id(sent)
  local is_id = type(sent) == "string" and sent:find "^%d+$" or number.digits(sent)
  return is_id and sent or nil
end

return value
