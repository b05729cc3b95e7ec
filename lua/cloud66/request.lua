-- request.lua: one account's way to the API: a request with its headers and token, sent through a transport.

local config = require "cloud66.config"
local errors = require "cloud66.error"
local reply = require "cloud66.reply"
local url = require "cloud66.url"

local request = {}

local methods = {}
local request_mt = { __name = "cloud66.request", __index = methods }

-- How a message names a client.token_source.
local SOURCE_NAMES = { option = "the option 'token'", ["function"] = "the token function" }

local function source_name(settings)
  return SOURCE_NAMES[settings.token_source] or settings.token_source
end

-- The token for one request: nil, message, err when there is none to be had.
local function current_token(settings)
  local token, reason = settings.token()
  if token == nil then
    return errors.fail("auth", "the token function gave none" .. (reason and ": " .. tostring(reason) or ""))
  end
  return config.check_token(token, source_name(settings))
end

-- A transport may be anybody's: hold it to its contract.
local function check_response(response)
  local status = type(response) == "table" and response.status
  if type(status) ~= "number" or status % 1 ~= 0 or status < 100 or status > 999 or type(response.body) ~= "string"
    or type(response.headers) ~= "table" then
    error("the transport must return {status = number, headers = table, body = string}, or nil, kind, message", 0)
  end
end

-- The error of a transport that gave no response. What it says may hold anything.
local function transport_failure(kind, text, token)
  if not errors.KINDS[kind] then
    kind, text = "network", text or kind
  end
  return errors.fail(kind, errors.redact(tostring(text or "no reason given"), token))
end

-- Returns the response and the token it was asked with, or nil, message, err.
local function send_once(self, method, address, body)
  local settings = self.settings
  local token, message, err = current_token(settings)
  if not token then
    return nil, message, err
  end
  local headers = {
    ["Authorization"] = "Bearer " .. token,
    ["Accept"] = "application/json",
    ["User-Agent"] = settings.user_agent,
    ["X-Account"] = settings.account,
    ["Content-Type"] = body and "application/json" or nil,
  }
  local response, kind, text = self.transport {
    method = method,
    url = address,
    headers = headers,
    body = body,
    timeout = { connect = settings.timeout.connect, total = settings.timeout.total },
    max_body = settings.max_body,
  }
  if not response then
    return transport_failure(kind, text, token)
  end
  check_response(response)
  if #response.body > settings.max_body then -- a transport of the user's own may not have looked
    return errors.fail("too_large", ("the response is larger than max_body, %d bytes"):format(settings.max_body))
  end
  return response, token
end

---Sends a request and checks its status.
---@param method string
---@param path string    below base_url, encoded, beginning with a slash
---@param options? { query?: table, body?: string, hint?: string }  hint: what a 404 means here
---@return table|nil reply, string? message, cloud66.Error? err
function methods:send(method, path, options)
  options = options or {}
  if self.closed then
    return errors.fail("aborted", "this client was closed")
  end
  local settings = self.settings
  local address = settings.base_url .. path .. url.query(options.query or {})
  local response, token, err = send_once(self, method, address, options.body)
  if response and response.status == 401 and settings.token_renewable then
    response, token, err = send_once(self, method, address, options.body) -- a 401 did nothing
  end
  if not response then
    return nil, token, err
  end
  local got = reply.new(response, token, source_name(settings), options.hint)
  if not got:is_success() then
    return got:failure()
  end
  return got
end

---GETs a path that answers with deployments.
---@return userdata|nil page, string? message, cloud66.Error? err
function methods:get_page(path, options)
  local got, message, err = self:send("GET", path, options)
  if not got then
    return nil, message, err
  end
  return got:page()
end

---GETs a path that answers with an object, or with a list (`options.list`), wrapped in `response` or bare.
---@return table|nil value, table|string|nil pagination_or_message, cloud66.Error? err
function methods:get_value(path, options)
  local got, message, err = self:send("GET", path, options)
  if not got then
    return nil, message, err
  end
  return got:value(options.list)
end

---@param settings table  of config.settings()
---@param transport fun(request: table): table|nil, string?, string?
function request.new(settings, transport)
  return setmetatable({ settings = settings, transport = transport, closed = false }, request_mt)
end

return request
