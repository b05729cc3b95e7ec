-- curl.lua: the transport over libcurl: request table -> response table. It is documented in types/transport.lua.

local core = require "cloud66.core"
local host = require "cloud66.runtime.host"
local wait = require "cloud66.runtime.wait"

local transport = {}

local function load_curl()
  local ok, curl = pcall(require, "cloud66.curl")
  if ok and curl._VERSION ~= core._VERSION then
    error(("cloud66 %s found a C module cloud66.curl of version %s: an older installation lies in package.cpath"):format(
      core._VERSION, tostring(curl._VERSION)), 0)
  elseif ok then
    return curl
  end
  error(("cloud66 cannot load its HTTP module: is libcurl installed, and cloud66 built for this Lua? Or set option "
    .. "'transport' to a function%s.\n%s"):format(
    host.is_nginx and ", such as require('cloud66.transport.resty').new(require 'resty.http')" or "", tostring(curl)), 0)
end

-- libcurl repeats a request on its own when a kept-alive connection turns out to be dead, even a POST.
local repeatable = { GET = true, HEAD = true }

local function milliseconds(seconds)
  return seconds and seconds * 1000
end

local function header_lines(headers)
  local lines = {}
  for name, value in pairs(headers or {}) do
    lines[#lines + 1] = name .. ": " .. value
  end
  return lines
end

local VARIABLES = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" } -- that libcurl reads

-- The proxy of a request, as proxy.of() gives it.
local function proxy_of(address, option)
  local is_set = option ~= nil
  for _, name in ipairs(VARIABLES) do
    is_set = is_set or os.getenv(name) ~= nil
  end
  if is_set then
    return require("cloud66.base.proxy").of(address, option, os.getenv)
  end
end

-- nil, kind, message, and the status by which a proxy refused a tunnel.
local function fail(proxy_name, kind, message, status)
  if proxy_name then
    message = ("%s; the proxy is %s"):format(message, proxy_name)
  end
  return nil, kind, message, status
end

function transport.new(options)
  local ca_file = options and options.ca_file
  local proxy = options and options.proxy -- it may hold a password
  local curl = load_curl()

  return function(request)
    local problem = host.problem()
    if problem then return nil, "phase", problem end
    local engine, kind, message = curl.engine()
    if not engine then return nil, kind, message end

    local proxy_name, unreadable = proxy_of(request.url, proxy)
    if unreadable then return nil, "connect", unreadable end

    local timeout = request.timeout or {}
    local transfer
    transfer, kind, message = engine:start {
      method = request.method,
      url = request.url,
      headers = header_lines(request.headers),
      body = request.body,
      connect_timeout = milliseconds(timeout.connect),
      timeout = milliseconds(timeout.total),
      max_body = request.max_body,
      ca_file = ca_file,
      proxy = proxy,
      fresh_connection = not repeatable[request.method or "GET"],
    }
    if not transfer then return fail(proxy_name, kind, message) end

    wait.await(engine, transfer, request.is_closed)
    local status, headers, body, info = transfer:result()
    if not status then return fail(proxy_name, headers, body, info) end
    return { status = status, headers = headers, body = body, http_version = info.http_version, proxy = proxy_name }
  end
end

return transport
