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

---@param query table  name -> text or number
---@return string      "?name=value&...", in the order of the names, or ""
function url.query(query)
  local names, parts = {}, {}
  for name in pairs(query) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    parts[i] = url.encode(name) .. "=" .. url.encode(tostring(query[name]))
  end
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

return url
