-- proxy.lua: which proxy a request goes through, and how messages name it: by host and port, and where its setting is from.
--
-- libcurl chooses the proxy; here its rules are followed to tell which one that was. Its text is read more strictly than
-- libcurl does: what stands before the last "@" is a user and a password, and where these hold what ends them for libcurl, a
-- part of the password would be taken for the host, looked up in the DNS, and shown.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local core = require "cloud66.core"

local proxy = {}

local DEFAULT_PORT = "1080"
local PORTS = { https = "443" }
for _, scheme in ipairs { "http", "socks", "socks4", "socks4a", "socks5", "socks5h" } do
  PORTS[scheme] = DEFAULT_PORT
end

local UNREADABLE = "%s is not the address of a proxy, such as http://proxy.example:3128. In its user and password, if it "
  .. "has them, write @ as %%40, / as %%2F, # as %%23, ? as %%3F, and a space as %%20"

-- The text without its scheme, and the port of those that name none; nil for a scheme that is none.
local function without_scheme(text)
  local scheme, rest = text:match "^(.-)://(.*)$"
  if not scheme or scheme:find "[@/]" then
    return text, DEFAULT_PORT
  end
  return rest, PORTS[scheme:lower()]
end

---The host and the port of a proxy, fit to be shown.
---@param text string  as libcurl takes it: [scheme://][user[:password]@]host[:port]
---@return string|nil  nil where they cannot be told from a user or a password
function proxy.name(text)
  local rest, default_port = without_scheme(text)
  local user, address = rest:match "^(.*)@(.*)$"
  if not default_port or text:find "[%s%c]" or (user and user:find "[@/?#]") then
    return nil
  end
  address = (address or rest):gsub("/$", "")
  local host, port = address:match "^(.-):(%d+)$"
  if not host or (address:find "^%[" and address:find "%]$") then
    host, port = address, default_port
  end
  local is_host = host:find "^[%w%._\128-\255-]+$" or host:find "^%[[%x:.]+%]$"
  return is_host and not core.utf8_problem(host) and tonumber(port) <= 65535 and host .. ":" .. port or nil
end

---A check, as in args.lua, of an option. Its value is in no message.
---@return string
function proxy.check(value, name)
  if not proxy.name(args.bytes(value, name)) then
    caller.blame(UNREADABLE, name)
  end
  return value
end

-- --- libcurl's choice ---

-- The first that is set and not empty. Of HTTP_PROXY a CGI program would get what a client sent as the header "Proxy".
local VARIABLES = {
  http = { "http_proxy", "all_proxy", "ALL_PROXY" },
  https = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" },
}
local EXEMPTING = { "no_proxy", "NO_PROXY" }

local function first_of(names, getenv)
  for _, name in ipairs(names) do
    local text = getenv(name)
    if text and text ~= "" then
      return text, name
    end
  end
end

-- An IPv4 address as a number.
local function number_of(address)
  local a, b, c, d = address:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$"
  return a and ((a * 256 + b) * 256 + c) * 256 + d
end

-- Whether one entry of no_proxy is for the host.
local function exempts(entry, host)
  entry = entry:lower():gsub("^%.", ""):gsub("%.$", "")
  local network, bits = entry:match "^([%d.]+)/(%d+)$"
  local own, base = number_of(host), number_of(network or "")
  if own and base and tonumber(bits) <= 32 then
    local size = 2 ^ (32 - bits)
    return math.floor(own / size) == math.floor(base / size)
  end
  return entry ~= "" and (host == entry or not own and host:sub(-#entry - 1) == "." .. entry)
end

local function is_exempt(host, list)
  if list == "*" then
    return true
  end
  for entry in (list or ""):gmatch "[^%s,]+" do
    if exempts(entry, host) then
      return true
    end
  end
  return false
end

---The proxy for a request, and where its setting is from: "127.0.0.1:3128 (https_proxy)"; nil where there is none; false, and what
---is wrong, where its text cannot be read, so that nothing is to be sent.
---@param address string  absolute, of the request
---@param option? string  of the transport; "": none
---@param getenv fun(name: string): string|nil
---@return string|nil|false name, string? problem
function proxy.of(address, option, getenv)
  local scheme, authority = address:match "^(%a+)://([^/?#]*)"
  local text, source = option, "option 'proxy'"
  if text == nil then
    text, source = first_of(VARIABLES[(scheme or ""):lower()] or {}, getenv)
  end
  if text == nil or text == "" then
    return nil
  end
  local host = (authority or ""):lower():gsub("^.*@", ""):gsub(":%d*$", ""):gsub("^%[(.*)%]$", "%1"):gsub("%.$", "")
  if is_exempt(host, (first_of(EXEMPTING, getenv))) then
    return nil
  end
  local name = proxy.name(text)
  if not name then
    return false, UNREADABLE:format(source)
  end
  return ("%s (%s)"):format(name, source)
end

return proxy
