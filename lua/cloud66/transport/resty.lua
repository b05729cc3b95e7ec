-- resty.lua: the transport over nginx's own sockets: request table -> response table. It is documented in types/transport.lua.
--
-- lua-resty-http connects, through proxies and with TLS, and writes the request, on a socket with a deadline (resty/socket.lua);
-- resty/response.lua reads what comes.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local failure = require "cloud66.transport.resty.failure"
local host = require "cloud66.runtime.host"
local light_thread = require "cloud66.runtime.light_thread"
local proxies = require "cloud66.base.proxy"
local response = require "cloud66.transport.resty.response"
local socket = require "cloud66.transport.resty.socket"
local url = require "cloud66.base.url"

local transport = {}

local blame = caller.blame

local OPTIONS = { keepalive_timeout = args.count, keepalive_pool = args.count }
local DEFAULTS = { keepalive_timeout = 60000, keepalive_pool = 32 } -- milliseconds; connections for each server

-- What may go over a connection that another request left behind, and that may be dead by now.
local REPEATABLE = { GET = true, HEAD = true }

local LONGEST = 2000000 -- seconds: in milliseconds it must fit 31 bits

local EXPECTED = "lua-resty-http, require('resty.http'), 0.16 or later"

local METHODS = { "connect", "send_request", "set_keepalive", "close" }

-- --- what the programmer hands in ---

-- Why an object of new() is none of lua-resty-http's.
local function problem_of(client)
  if type(client) ~= "table" then
    return "a " .. type(client)
  end
  for _, name in ipairs(METHODS) do
    if type(client[name]) ~= "function" then
      return "an object without " .. name .. "()"
    end
  end
  local own = client.sock
  if type(own) ~= "table" or type(own.settimeouts) ~= "function" then
    return "an object without 'sock', which is needed to limit its time"
  end
  return type(own.receiveany) ~= "function" and "over nginx's Lua module before 0.10.14, whose sockets have no receiveany()" or nil
end

-- Before 0.16, connect() knows neither proxies nor TLS.
local function is_too_old(http)
  local minor = type(http._VERSION) == "string" and http._VERSION:match "^0%.(%d+)"
  return minor and tonumber(minor) < 16
end

local function check_http(http)
  if type(http) ~= "table" or type(http.new) ~= "function" then
    blame("cloud66.transport.resty needs %s; got a %s%s", EXPECTED, type(http),
      type(http) == "table" and " without new()" or "")
  elseif is_too_old(http) then
    blame("cloud66.transport.resty needs %s, and this is %s", EXPECTED, http._VERSION)
  end
  local ok, client = pcall(http.new) -- while nginx starts it cannot give one: then the first request fails
  local problem = ok and client ~= nil and problem_of(client)
  if problem then
    blame("cloud66.transport.resty needs %s; what new() gave is %s", EXPECTED, problem)
  end
end

local function check_options(options)
  return args.union(DEFAULTS, args.options(options, OPTIONS))
end

local function phase_problem()
  local problem = host.problem()
  if not problem and host.is_starting() then
    problem = "nginx has no sockets for Lua in its phase 'init': do it in ngx.timer.at(0, function() ... end) of "
      .. "init_worker_by_lua, or there without the option 'transport'"
  end
  return problem
end

-- --- what goes over the wire ---

-- What would end a line early, and begin what the caller never meant to send.
local function check_text(what, text)
  if tostring(text):find "[%c]" then
    error(("cloud66: the %s of a request holds a line break or another control character"):format(what), 0)
  end
  return text
end

-- lua-resty-http hands compressed bodies on as they came.
local function headers_of(request)
  local headers = { ["Accept-Encoding"] = "identity" }
  for name, value in pairs(request.headers or {}) do
    headers[check_text("header " .. name, name)] = check_text("header " .. name, value)
  end
  return headers
end

-- What is sent, and where to; nil for no absolute URL.
local function parts_of(request)
  local address = check_text("URL", request.url)
  local scheme, name, port = (url.origin(address) or ""):match "^(https?)://(.+):(%d+)$"
  if not scheme then
    return nil
  end
  local path = address:match "^%a+://[^/?#]*([^#]*)"
  return {
    scheme = scheme, host = name, port = tonumber(port),
    path = path:find "^/" and path or "/" .. path,
    method = check_text("method", request.method or "GET"), headers = headers_of(request), body = request.body,
  }
end

local sent_alone = 0

-- Of lua-resty-http's connect(). Alone: where no connection can be waiting.
local function place_of(parts, is_alone)
  if is_alone then
    sent_alone = sent_alone + 1
  end
  return {
    scheme = parts.scheme, host = parts.host, port = parts.port,
    ssl_verify = true,
    ssl_server_name = parts.scheme == "https" and parts.host or nil, -- 0.16.0 would verify no name without it
    pool = is_alone and "alone " .. sent_alone or nil,
  }
end

-- --- proxies ---

local AUTHORIZATION = "lua-resty-http takes the user and the password of a proxy in http_proxy_authorization or "
  .. "https_proxy_authorization, and not in %s"

-- How messages name the proxy of lua-resty-http's set_proxy_options(), as proxy.of() does. A user in its address would be taken
-- for the host.
local function proxy_of(client, address)
  local given = client.proxy_opts
  if type(given) ~= "table" then
    return nil
  end
  local source
  local name, problem = proxies.of(address, nil, function(variable)
    local text = given[variable]
    if type(text) == "string" then
      source = source or variable
      return text
    end
  end)
  if name and given[source]:find("@", 1, true) then
    return false, AUTHORIZATION:format(source)
  end
  return name, problem
end

-- --- one request ---

-- The client that goes with a request, over a socket of ours; or nil, kind, message.
local function new_client(http, request)
  local ok, client, reason = pcall(http.new)
  if not ok or client == nil then
    return failure.new(request, "network", "no socket", ok and reason or client)
  end
  local problem = problem_of(client)
  if problem then
    blame("cloud66.transport.resty needs %s; what new() gave is %s", EXPECTED, problem)
  end
  client.sock = socket.new(client.sock)
  return client
end

-- After a failure. A socket lives as long as the request or timer that made it.
local function drop(client)
  pcall(client.close, client)
end

-- True; or nil, kind, message, the status of a proxy that refused.
local function connect(job, client, is_alone)
  client.sock.deadline, client.sock.is_tls = job.start + job.connect, job.parts.scheme == "https"
  local ok, connected, words = pcall(client.connect, client, place_of(job.parts, is_alone))
  client.sock.deadline = job.start + job.total
  if ok and connected then
    return true
  elseif not ok then
    return failure.raised(job.request, connected)
  elseif tostring(words):find "timeout$" then
    return failure.late(job.request, job)
  end
  return failure.unconnected(job.request, words)
end

-- The response; or nil, what went wrong: {kind, what, detail}.
local function exchange(job, client)
  local parts = job.parts
  client.sock:begin()
  local ok, words = client:send_request { method = parts.method, path = parts.path, headers = parts.headers, body = parts.body }
  if ok then
    return response.read(client.sock, parts.method, job.request.max_body)
  elseif words == "timeout" then
    return nil, { kind = "timeout" }
  end
  return nil, { kind = "network", what = "the connection broke while sending", detail = words }
end

-- Whether it broke as a connection does that its server has closed while it was idle.
local function was_dead(job, client, problem, reused)
  return problem.kind == "network" and reused > 0 and not client.sock.has_come and REPEATABLE[job.parts.method]
end

local function leave(job, client, is_alone, may_stay)
  if is_alone or not may_stay or not client:set_keepalive(job.options.keepalive_timeout, job.options.keepalive_pool) then
    drop(client)
  end
end

-- The response; or as connect().
local function send_over(job, client, is_alone)
  local ok, kind, message, status = connect(job, client, is_alone)
  if not ok then
    drop(client)
    return nil, kind, message, status
  end
  local reused = client.sock:getreusedtimes()
  local got, problem = exchange(job, client)
  if got then
    leave(job, client, is_alone, got.may_stay)
    return got
  end
  drop(client)
  if was_dead(job, client, problem, reused or 0) then
    return send_over(job, client, true)
  elseif problem.kind == "timeout" then
    return failure.late(job.request, job, true)
  end
  return failure.new(job.request, problem.kind, problem.what, problem.detail)
end

local function check_encoding(request, got)
  local encoding = got.headers["content-encoding"] or ""
  if got.body ~= "" and encoding ~= "" and encoding:lower() ~= "identity" then
    return failure.new(request, "protocol", "the body is compressed, though nothing but 'identity' was accepted", encoding)
  end
  return got
end

local function send(http, options, request)
  local client, kind, message = new_client(http, request)
  if not client then
    return nil, kind, message
  end
  local parts = parts_of(request)
  if not parts then
    return failure.new(request, "connect", "it needs a URL such as https://app.cloud66.com")
  end
  local proxy_name, unreadable = proxy_of(client, request.url)
  if unreadable then
    return failure.new(request, "connect", unreadable)
  end
  local timeout = request.timeout or {}
  local total = timeout.total or LONGEST
  local job = {
    request = request, parts = parts, options = options,
    start = host.now(), total = total, connect = math.min(timeout.connect or total, total),
  }
  local is_over, got, status
  is_over, got, kind, message, status = light_thread.call(total, send_over, job, client, not REPEATABLE[parts.method])
  if not is_over then
    got, kind, message = failure.late(request, job, true) -- nginx waits for a name, which only its resolver_timeout ends
  elseif got then
    got, kind, message = check_encoding(request, got)
  end
  if got then
    return { status = got.status, headers = got.headers, body = got.body, http_version = got.http_version, proxy = proxy_name }
  elseif proxy_name then
    message = ("%s; the proxy is %s"):format(message, proxy_name)
  end
  return nil, kind, message, status
end

function transport.new(http, options)
  if not host.is_nginx then
    blame("cloud66.transport.resty needs nginx's sockets, and this is not nginx: leave out the option 'transport', or give "
      .. "require('cloud66.transport.curl').new()")
  end
  check_http(http)
  options = check_options(options)

  return function(request)
    local problem = phase_problem()
    if problem then return nil, "phase", problem end
    return send(http, options, request)
  end
end

return transport
