-- url.lua: percent-encoding, for what becomes part of a URL.

local url = {}

local function percent(character)
  return ("%%%02X"):format(character:byte())
end

---Encodes everything but RFC 3986's unreserved characters.
---@param text string
---@return string
function url.encode(text)
  return (text:gsub("[^%w%-%._~]", percent))
end

local math_type = rawget(math, "type") -- Lua 5.3 and later

---The digits of a whole number that is exact.
---@return string|nil
function url.digits(value)
  if type(value) ~= "number" then
    return nil
  elseif math_type and math_type(value) == "integer" then
    return ("%d"):format(value)
  elseif value % 1 == 0 and value > -2 ^ 53 and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  end
  return nil
end

---A value as it stands in a URL; whole numbers without a point or an exponent.
---@param value string|number|boolean
---@return string
function url.text(value)
  return url.digits(value) or type(value) == "number" and ("%.14g"):format(value) or tostring(value)
end

---@param query table  name -> text or number
---@return string      "?name=value&...", in the order of the names, or ""
function url.query(query)
  local names, parts = {}, {}
  for name in pairs(query) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    parts[i] = url.encode(name) .. "=" .. url.encode(url.text(query[name]))
  end
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

return url
