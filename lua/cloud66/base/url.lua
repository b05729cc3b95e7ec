-- url.lua: parts of a URL: percent-encoded text, queries, origins, where a Location leads.

local number = require "cloud66.base.number"

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

---@param text string  percent-encoded
---@return string
function url.decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
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
    parts[i] = url.encode(name) .. "=" .. url.encode(number.text(query[name]))
  end
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

local DEFAULT_PORTS = { http = "80", https = "443" }

-- Scheme, authority and the rest of an absolute address; nil for what is none, and for one that names a user.
local function split(address)
  local scheme, authority, rest = address:match "^(%a[%w+.-]*)://([^/?#]+)(.*)$"
  if not scheme or authority:find("[@\\]") then
    return nil
  end
  return scheme:lower(), authority:lower(), rest
end

---Scheme, host and port, in one form: what decides whether two addresses are the same server.
---@param address string
---@return string|nil
function url.origin(address)
  local scheme, authority = split(address)
  if not scheme then
    return nil
  end
  local host, port = authority:match "^(.-):(%d*)$"
  if not host or (host:find("^%[") and not host:find("%]$")) then
    host, port = authority, ""
  end
  if port == "" then
    port = DEFAULT_PORTS[scheme] or ""
  end
  return ("%s://%s:%s"):format(scheme, host, port)
end

---Where a Location leads, seen from the address that sent it (RFC 3986, section 5.2; dots are left to the server).
---@param base string       absolute
---@param reference string  absolute or relative
---@return string|nil       absolute, without a fragment; nil for what is no address
function url.resolve(base, reference)
  local scheme, authority, rest = split(base)
  reference = reference:gsub("#.*$", "")
  if not scheme or reference:find("[^\33-\126]") or reference:find("\\", 1, true) then
    return nil
  end
  local resolved
  if reference:find "^%a[%w+.-]*:" then
    resolved = reference
  elseif reference:find "^//" then
    resolved = scheme .. ":" .. reference
  else
    local path = rest:gsub("[?#].*$", "")
    if reference:find "^/" then
      path = ""
    elseif reference ~= "" and not reference:find "^%?" then
      path = path:match "^.*/" or "/"
    end
    resolved = scheme .. "://" .. authority .. path .. reference
  end
  return split(resolved) and resolved or nil
end

return url
