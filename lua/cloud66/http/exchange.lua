-- exchange.lua: one request: the token, headers, hooks, the transport, and the rate limit that its response reports.
--
-- What is sent is a table { url, token, id, show, at, read }: id is the Request-Id, show the redactor of its response, at when it was sent;
-- and read, a function of a layer between the two below: what else is to read the headers of the response.

local core = require "cloud66.core"
local credentials = require "cloud66.http.credentials"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local host = require "cloud66.runtime.host"
local responses = require "cloud66.http.response"

local exchange = {}

-- A transport may be anybody's: hold it to its contract.
local function check_response(response)
  local status = type(response) == "table" and response.status
  if type(status) ~= "number" or status % 1 ~= 0 or status < 100 or status > 999 or type(response.body) ~= "string"
    or type(response.headers) ~= "table" then
    error("the transport must return {status = number, headers = table, body = string}, or nil, kind, message", 0)
  end
end

-- What hooks get to know of a request.
local function facts(call, sent, more)
  local info = { method = call.method, url = sent.url, request_id = sent.id, attempt = call.attempts }
  for name, value in pairs(more or {}) do
    info[name] = value
  end
  return info
end

-- The error of a transport that gave no response. Its text may hold anything; a status is that of a proxy.
local function transport_failure(on, call, sent, kind, text, status)
  if not errors.KINDS[kind] then
    kind, text = "network", text or kind
  end
  local _, message, err = errors.fail(kind, sent.show(tostring(text or "no reason given")),
    { status = type(status) == "number" and status or nil, request_id = sent.id, unsent = kind == "phase" or nil })
  hooks.call(on, "response", facts(call, sent, { kind = kind, message = message, elapsed = host.now() - sent.at }))
  return nil, message, err
end

local function headers_of(settings, sent, body)
  return {
    ["Authorization"] = "Bearer " .. sent.token,
    ["Accept"] = "application/json",
    ["User-Agent"] = settings.user_agent,
    ["X-Account"] = settings.account,
    ["Request-Id"] = sent.id,
    ["Content-Type"] = body and "application/json" or nil,
  }
end

local function report(on, call, sent, response)
  if on.response then
    hooks.call(on, "response", facts(call, sent, {
      status = response.status, elapsed = host.now() - sent.at, bytes = #response.body,
      http_version = response.http_version,
    }))
  end
  local warning = response.headers["x-cloud66-warning"]
  if on.warning and type(warning) == "string" and warning ~= "" then
    hooks.call(on, "warning", facts(call, sent, { text = sent.show(warning) }))
  end
end

---The lowest layer: call, sent -> response of response.lua; or nil, message, err.
---@param api table  of api.new()
---@param transport fun(request: table): table|nil, string?, string?
function exchange.transmit(api, transport)
  local settings, on = api.settings, api.settings.on
  local source = credentials.source_name(settings)
  return function(call, sent)
    sent.at = host.now()
    -- In whole centiseconds: exactly the option, while nothing of it is gone; and never 0, which would be no limit.
    local left = math.max(1, math.ceil((call.deadline - sent.at) * 100)) / 100
    api.limits:count(os.time())
    local response, kind, text, status = transport {
      method = call.method,
      url = sent.url,
      headers = headers_of(settings, sent, call.body),
      body = call.body,
      timeout = { connect = math.min(settings.timeout.connect, left), total = left },
      max_body = settings.max_body,
      is_closed = api.is_closed,
    }
    if not response then
      return transport_failure(on, call, sent, kind, text, status)
    end
    check_response(response)
    response.request_id = sent.id
    api.limits:read(response.headers, os.time())
    if sent.read then
      sent.read(response.headers)
    end
    report(on, call, sent, response)
    if #response.body > settings.max_body then -- a transport of the user's own may not have looked
      return errors.fail("too_large", ("the response is larger than max_body, %d bytes"):format(settings.max_body),
        { request_id = sent.id })
    end
    return responses.new(response, sent.show, source, call.hint)
  end
end

---One request to an address: call, address -> response; or nil, message, err.
---@param api table  of api.new()
---@param transmit function  the layer below
function exchange.new(api, transmit)
  local settings = api.settings
  return function(call, address)
    local token = call.token
    call.token = false
    if not token then
      local message, err
      token, message, err = credentials.token(settings)
      if not token then
        return nil, message, err
      end
    end
    local sent = { url = address, token = token, id = core.uuid(), show = api.show_of(token), at = 0, read = false }
    if settings.on.request then
      hooks.call(settings.on, "request", facts(call, sent))
    end
    if api.closed then -- by the token's function or by a hook
      return api.aborted()
    elseif host.now() >= call.deadline then
      return errors.fail("timeout", "no time was left to send the request", { request_id = sent.id, unsent = true })
    end
    return transmit(call, sent)
  end
end

return exchange
