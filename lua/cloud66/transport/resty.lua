-- resty.lua: the transport over nginx's own sockets, by lua-resty-http: request table -> response table. It is documented in
-- types/transport.lua.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local proxies = require "cloud66.base.proxy"
local wait = require "cloud66.runtime.wait"
local url = require "cloud66.base.url"

local transport = {}

local blame = caller.blame

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local OPTIONS = { keepalive_timeout = args.count, keepalive_pool = args.count }
local DEFAULTS = { keepalive_timeout = 60000, keepalive_pool = 32 } -- milliseconds; connections for each server

-- What may go over a connection that another request left behind, and that may be dead by now.
local REPEATABLE = { GET = true, HEAD = true }

local LONGEST = 2000000 -- seconds: in milliseconds it must fit 31 bits
local EARLY = 0.01 -- seconds: nginx's clock moves once per turn of its event loop

local EXPECTED = "lua-resty-http, require('resty.http'), or a table whose new() gives objects with "
  .. "request_uri(self, url, params)"

-- --- what the programmer hands in ---

local function has_request_uri(client)
  local ok, method = pcall(function()
    return client.request_uri
  end)
  return ok and type(method) == "function"
end

-- Before 0.16, request_uri() takes no pool: a POST might go over a connection that is dead.
local function is_too_old(http)
  local minor = type(http._VERSION) == "string" and http._VERSION:match "^0%.(%d+)"
  return minor and tonumber(minor) < 16
end

local function check_http(http)
  if type(http) ~= "table" or type(http.new) ~= "function" then
    blame("cloud66.transport.resty needs %s; got a %s%s", EXPECTED, type(http),
      type(http) == "table" and " without new()" or "")
  elseif is_too_old(http) then
    blame("cloud66.transport.resty needs lua-resty-http 0.16 or later, and this is %s", http._VERSION)
  end
  local ok, client = pcall(http.new) -- while nginx starts it cannot give one: then the first request fails
  if ok and client ~= nil and not has_request_uri(client) then
    blame("cloud66.transport.resty needs %s; what new() gave has no request_uri", EXPECTED)
  end
end

local function check_options(options)
  return args.union(DEFAULTS, args.options(options, OPTIONS))
end

-- --- what cannot be done, and what went wrong ---

local function phase_problem()
  local problem = host.problem()
  if not problem and host.is_starting() then
    problem = "nginx has no sockets for Lua in its phase 'init': do it in ngx.timer.at(0, function() ... end) of "
      .. "init_worker_by_lua, or there without the option 'transport'"
  end
  return problem
end

-- The token: without the name of its scheme, since it might be repeated without.
local function secret_of(request)
  for name, value in pairs(request.headers or {}) do
    if name:lower() == "authorization" then
      return tostring(value):match "%S+%s*$"
    end
  end
end

-- nil, kind, message
local function fail(request, kind, what, detail)
  local text = ("%s: %s"):format(url.origin(request.url) or "no absolute URL", what)
  if detail ~= nil then
    text = ("%s (%s)"):format(text, tostring(detail))
  end
  return nil, kind, errors.clean(errors.redact(text, secret_of(request)))
end

local UNVERIFIED = "the certificate could not be verified: nginx needs the file of CAs in its directive "
  .. "'lua_ssl_trusted_certificate', and 'lua_ssl_verify_depth' above 1 where one CA vouches for another"

-- nginx's words for failures of its sockets, as patterns in lower case; the first one counts. After connect and tls nothing was sent,
-- so these are for connections that never stood.
local FAILURES = {
  { "tunnel through a proxy: 407", "connect", "the proxy wants a user and a password, or other ones" },
  { "tunnel through a proxy", "connect", "the proxy refused the tunnel" },
  { "^failed to connect to: .*: timeout$", "timeout", "the proxy did not answer in time" },
  { "connect to proxy: timeout$", "timeout", "the proxy did not answer in time" },
  { "no resolver defined", "connect", "the host name cannot be resolved: nginx needs its directive 'resolver'" },
  { "could not be resolved", "connect", "the host name cannot be resolved: check it, and nginx's directive 'resolver'" },
  { "host not found", "connect", "the host name cannot be resolved: check it, and nginx's directive 'resolver'" },
  { "failed to parse host", "connect", "the host name cannot be resolved: check it" },
  { "connection refused", "connect", "no connection" },
  { "certificate host mismatch", "tls", "the certificate is for another host name: check the URL" },
  { "^%d+: ", "tls", UNVERIFIED },
  { "certificate", "tls", UNVERIFIED },
  { "handshake", "tls", "the TLS handshake failed" },
  { "unable to read chunksize", "protocol", "the body is not in chunks as its header says" },
  { "closed", "network", "the connection was cut before the response was complete" },
  { "reset by peer", "network", "the connection was cut before the response was complete" },
  { "broken pipe", "network", "the connection broke while sending" },
}

local function fail_by_time(request, elapsed, connect, total)
  if elapsed < total - EARLY and elapsed >= connect - EARLY then
    return fail(request, "timeout", ("no connection within %g s"):format(connect))
  end
  return fail(request, "timeout", ("no complete response within %g s"):format(total))
end

-- By what request_uri() gave beside nil: nothing, for a status line that is none.
local function fail_by_words(request, words)
  if words == nil then
    return fail(request, "protocol", "the response is not HTTP as it should be")
  end
  local text = tostring(words):lower()
  for _, row in ipairs(FAILURES) do
    if text:find(row[1]) then
      local _, kind, message = fail(request, row[2], row[3], words)
      return nil, kind, message, tonumber(text:match "tunnel through a proxy: (%d%d%d)$")
    end
  end
  return fail(request, "network", "the exchange failed", words)
end

-- Of a certificate that it refuses without having had to wait for it, lua-resty-core makes an assertion that fails. It has
-- no other assertions there.
local REFUSED_AT_ONCE = "resty/core/socket%.lua:%d+: assertion failed"

local function fail_by_raised(request, raised)
  if type(raised) == "string" and raised:find(REFUSED_AT_ONCE) then
    return fail(request, "tls", UNVERIFIED, raised)
  end
  return fail(request, "network", "lua-resty-http raised an error", raised)
end

-- --- one request ---

local function milliseconds(seconds)
  return math.max(1, math.floor(seconds * 1000 + 0.5))
end

-- lua-resty-http hands compressed bodies on as they came.
local function headers_of(request)
  local headers = { ["Accept-Encoding"] = "identity" }
  for name, value in pairs(request.headers or {}) do
    headers[name] = value
  end
  return headers
end

local sent_alone = 0

local function params_of(request, options)
  local origin = url.origin(request.url)
  local params = {
    method = request.method or "GET",
    headers = headers_of(request),
    body = request.body,
    ssl_verify = true,
    ssl_server_name = origin and origin:match "^https://(.*):%d*$", -- 0.16.0 would verify no name without it
  }
  if REPEATABLE[params.method] then
    params.keepalive_timeout, params.keepalive_pool = options.keepalive_timeout, options.keepalive_pool
  else
    sent_alone = sent_alone + 1
    params.keepalive, params.pool = false, "cloud66.transport.resty#" .. sent_alone -- where no connection can be waiting
  end
  return params
end

local function request_once(client, address, params, connect, total)
  if client.set_timeouts then
    client:set_timeouts(milliseconds(connect), milliseconds(total), milliseconds(total))
  end
  return client:request_uri(address, params)
end

-- Calls fn in a light thread of its own, no longer than that. Only a light thread's parent can end it.
local function run_for(seconds, fn)
  local work = ngx.thread.spawn(fn)
  local clock = ngx.thread.spawn(function()
    ngx.sleep(seconds)
  end)
  ngx.thread.wait(work, clock)
  ngx.thread.kill(work)
  ngx.thread.kill(clock)
end

local POLL_PAUSE = 0.1 -- seconds from one check of the parent to the next
local LONGEST_POLLING = 60 -- seconds: longer than any parent should take to notice

-- Ends when the parent does, or ends this light thread. To end first, unnoticed, would be a trap: where the parent is killed
-- then, nginx counts the two of them for ever, and the request stays open.
local function stay_for(parent)
  local latest = host.now() + LONGEST_POLLING
  while coroutine.status(parent) ~= "dead" and host.now() < latest do
    ngx.sleep(POLL_PAUSE)
  end
end

-- What request_uri() gave or raised, {pcall's results}; nil where time ran out. All of it goes on in a light thread
-- beside the caller's, so that it ends in time though the caller may be killed.
--
-- Inside map that light thread is started, and waited for, outside of map's coroutines: nginx does not survive the end of a
-- light thread while a coroutine inside it waits for something of nginx's.
local function exchange(seconds, ...)
  local given, outcome, is_over = { n = select("#", ...), ... }, nil, false
  local thread, ok, problem
  local function work()
    run_for(seconds, function()
      outcome = { pcall(request_once, unpack(given, 1, given.n)) }
    end)
    is_over = true
  end
  local function start()
    local parent = coroutine.running()
    thread = ngx.thread.spawn(function()
      work()
      stay_for(parent)
    end)
  end
  local function finish()
    ok = is_over and ngx.thread.kill(thread)
    if not ok then
      ok, problem = ngx.thread.wait(thread)
    end
  end
  local function has_ended()
    return is_over or coroutine.status(thread) == "dead" -- nginx had no memory for light threads, say
  end
  if not wait.in_map(has_ended, start, finish) then
    thread = ngx.thread.spawn(work)
    ok, problem = ngx.thread.wait(thread)
  end
  if not ok then
    return { false, problem }
  end
  return outcome
end

local function new_client(http)
  local ok, client, reason = pcall(http.new)
  if not ok or client == nil then
    return nil, tostring(ok and reason or client)
  elseif not has_request_uri(client) then
    blame("cloud66.transport.resty needs %s; what new() gave has no request_uri", EXPECTED)
  end
  return client
end

-- After a failure. A socket lives as long as the request or timer that made it.
local function drop(client)
  if client.close then
    pcall(client.close, client)
  end
end

-- --- its response ---

local function lower_case(headers)
  local lower = {}
  for name, value in pairs(headers or {}) do
    name = tostring(name):lower()
    value = type(value) == "table" and table.concat(value, ", ") or tostring(value)
    lower[name] = lower[name] and lower[name] .. ", " .. value or value
  end
  return lower
end

local function read(request, res)
  local headers, body = lower_case(res.headers), res.body or ""
  local encoding = headers["content-encoding"]
  if encoding and body ~= "" and encoding:lower() ~= "identity" and encoding ~= "" then
    return fail(request, "protocol", "the body is compressed, though nothing but 'identity' was accepted", encoding)
  elseif request.max_body and #body > request.max_body then
    return fail(request, "too_large", ("the body is longer than %.0f bytes: raise option 'max_body'"):format(request.max_body))
  end
  return { status = res.status, headers = headers, body = body, http_version = "1.1" }
end

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

local function exchange_by(client, options, request)
  local timeout = request.timeout or {}
  local total = timeout.total or LONGEST
  local connect = math.min(timeout.connect or total, total)
  local start = host.now()
  local outcome = exchange(total, client, request.url, params_of(request, options), connect, total)
  local elapsed = host.now() - start
  if outcome and outcome[1] and outcome[2] then
    return read(request, outcome[2])
  end
  drop(client)
  if not outcome then
    return fail_by_time(request, total, connect, total)
  elseif not outcome[1] then
    return fail_by_raised(request, outcome[2])
  elseif outcome[3] == "timeout" then
    return fail_by_time(request, elapsed, connect, total)
  end
  return fail_by_words(request, outcome[3])
end

local function send(http, options, request)
  local client, reason = new_client(http)
  if not client then
    return fail(request, "network", "no socket", reason)
  end
  local proxy_name, unreadable = proxy_of(client, request.url)
  if unreadable then
    return fail(request, "connect", unreadable)
  end
  local response, kind, message, status = exchange_by(client, options, request)
  if response then
    response.proxy = proxy_name
  elseif proxy_name then
    message = ("%s; the proxy is %s"):format(message, proxy_name)
  end
  return response, kind, message, status
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
