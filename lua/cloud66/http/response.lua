-- response.lua: what came back for a request: its status as an error, its body as a page or plain values.

local core = require "cloud66.core"
local backoff = require "cloud66.http.backoff"
local date = require "cloud66.base.date"
local error_body = require "cloud66.http.error_body"
local errors = require "cloud66.base.error"

local responses = {}

local methods = {}
local response_mt = { __name = "cloud66.response", __index = methods }

---@param response table  {status, headers, body, request_id}
---@param show fun(text: string): string  the redactor of this response
---@param source string   where the token of its request came from
---@param hint? string    what a 404 means for this request
function responses.new(response, show, source, hint)
  return setmetatable({
    response = response, show = show, source = source, hint = hint,
    decoded = nil, -- once decoded, a page or plain values
    err = nil, -- of failure()
  }, response_mt)
end

-- The value of a header, if it was sent, fit to be shown.
local function shown_header(self, name)
  local value = self.response.headers[name]
  return type(value) == "string" and self.show(value) or nil
end

-- --- status -> error ---

local KINDS = {
  [401] = "auth", [402] = "trial_expired", [403] = "forbidden", [404] = "not_found", [407] = "connect", [408] = "timeout",
  [409] = "conflict", [410] = "not_found", [429] = "throttled",
}

-- What a status says that its kind does not.
local STATUS_ADVICE = {
  [410] = "it was there once, and is no longer",
  [422] = "the API understands the request, and does not accept the values in it",
  [426] = "the API no longer serves requests made this way (an old version of HTTP, TLS or the API): upgrade this library",
}

local ADVICE = {
  auth = "the API does not accept the token",
  trial_expired = "the account's trial has expired",
  forbidden = "the token lacks the scope or the permission for this",
  not_found = "there is no such thing, or this account does not see it",
  timeout = "the API gave up: try again",
  conflict = "the API is busy with something that excludes this",
  throttled = "too many requests (3,000 an hour for each user): wait for the next hour",
  not_implemented = "the API does not offer this",
  bad_request = "the API does not understand the request",
  server = "the API or something in front of it failed: try again later",
  protocol = "the response is a redirect that is not followed: check base_url",
}

-- The kind of error a status stands for. Throttling and not_implemented share 503: the id tells them apart.
local function kind_of(status, code)
  if KINDS[status] then
    return KINDS[status]
  elseif status == 503 and (code == "throttled" or code == "not_implemented") then
    return code
  elseif status >= 500 then
    return "server"
  elseif status >= 400 then
    return "bad_request"
  end
  return "protocol"
end

-- Of a kind whose advice holds whoever has answered.
local INTERMEDIARY_ADVICE = {
  connect = "check its user and its password, with what is special in them percent-encoded, as %40 for @",
  timeout = "try again", throttled = "wait before you try again", server = "try again later",
}

local NOT_FROM_API = "the response is HTML from something in between (a firewall, a proxy, a login page), not from the API"
local PERHAPS_NOT = "the response is no JSON: perhaps something in between (a firewall, a proxy) has sent it, and not the API"

-- Who sent the body of an error, in words; nil where it was the API, which sends JSON, or nothing. Redirects have HTML from it, too.
local function intermediary_of(status, body, is_json)
  if status < 400 or is_json or body:find "^%s*$" then
    return nil
  end
  return error_body.is_html(body) and NOT_FROM_API or PERHAPS_NOT
end

local function advice_of(self, kind, intermediary)
  local status = self.response.status
  if status == 407 then
    local proxy = self.response.proxy
    return ("%s wants a user and a password, or others: %s"):format(
      type(proxy) == "string" and "the proxy " .. proxy or "a proxy on the way to the API", INTERMEDIARY_ADVICE.connect)
  elseif intermediary then
    local more = INTERMEDIARY_ADVICE[kind]
    return intermediary .. (more and ": " .. more or "")
  elseif kind == "auth" then
    return ("%s from %s"):format(ADVICE.auth, self.source)
  end
  return STATUS_ADVICE[status] or kind == "not_found" and self.hint or ADVICE[kind]
end

function methods:is_success()
  return self.response.status >= 200 and self.response.status <= 299
end

local function error_of(self)
  local status = self.response.status
  local body = self.response.body
  local code, text, is_json = error_body.read(body)
  code = code and self.show(code)
  local kind, intermediary = kind_of(status, code), intermediary_of(status, body, is_json)
  local reported = ("HTTP %d"):format(status) .. (code and ", " .. code or "")
  if text and text ~= "" then
    reported = reported .. ": " .. self.show(text)
  end
  local wait, estimated = backoff.after(self.response.headers, os.time()), nil
  if kind == "throttled" and not wait then
    wait, estimated = date.until_next_hour(date.http(self.response.headers.date) or os.time()), true
  end
  return errors.new(kind, ("%s (%s)"):format(advice_of(self, kind, intermediary), reported), {
    status = status,
    intermediary = intermediary == NOT_FROM_API or status == 407 or nil,
    code = code,
    request_id = self.response.request_id,
    server_request_id = shown_header(self, "x-request-id"),
    retry_after = wait,
    retry_after_estimated = estimated,
  })
end

---The error that a status outside of 200 to 299 stands for: one for each response.
---@return nil, string message, cloud66.Error err
function methods:failure()
  self.err = self.err or error_of(self)
  return nil, self.err.message, self.err
end

-- --- body ---

---The error of a successful response that does not hold what was requested.
---@param text string      what is wrong, fit to be shown
---@param offset? integer  bytes, from 0
---@return nil, string message, cloud66.Error err
function methods:undecodable(text, offset)
  local body = self.response.body
  if body == "" then
    text = ("the response is empty (HTTP %d)"):format(self.response.status)
  elseif body:find("^%s*<") then
    text = "the response is HTML, not JSON: check base_url, and for a proxy or a login page in between"
  elseif offset then
    text = ("%s, at byte %s of %d"):format(text, tostring(offset), #body)
  end
  return errors.fail("decode", text, {
    status = self.response.status,
    offset = offset,
    request_id = self.response.request_id,
    server_request_id = shown_header(self, "x-request-id"),
  })
end

---The body as deployments.
---@return userdata|nil page, string? message, cloud66.Error? err
function methods:page()
  if self.decoded == nil then
    local page, _, text, offset = core.decode(self.response.body)
    if not page then
      return self:undecodable(text, offset)
    end
    self.decoded = page
  end
  return self.decoded
end

---The body as plain values; cloud66.null where it is null.
---@return any|nil value, string? message, cloud66.Error? err
function methods:json()
  if self.decoded == nil then
    local value, _, text, offset = core.json(self.response.body)
    if value == nil then
      return self:undecodable(text, offset)
    end
    self.decoded = value
  end
  return self.decoded
end

-- What stands in the envelope, or the value itself where there is none, and the pagination beside it.
local function unwrap(value)
  if type(value) == "table" and value.response ~= nil then
    return value.response, value.pagination
  end
  return value, nil
end

-- The object or list that the body holds, and the pagination beside it; or nil, message, err.
local function content_of(self, is_list)
  local decoded, message, err = self:json()
  if decoded == nil then
    return nil, message, err
  end
  local value, pagination = unwrap(decoded)
  if type(value) ~= "table" then
    return self:undecodable("the response is neither an object nor a list")
  elseif value.error ~= nil and value.uid == nil and value.id == nil then
    return self:undecodable("the response is an error body: " .. self.show(error_body.summary(value)))
  elseif is_list and not core.holds_list(self.response.body) then
    return self:undecodable("the response is an object, not a list")
  elseif pagination ~= nil and type(pagination) ~= "table" then
    return self:undecodable("'pagination' is not an object")
  end
  return value, pagination
end

---The object that the body holds, in its envelope or bare.
---@return table|nil value, table|string|nil pagination_or_message, cloud66.Error? err
function methods:value()
  return content_of(self, false)
end

---The list that the body holds, in its envelope or bare.
---@return table|nil list, table|string|nil pagination_or_message, cloud66.Error? err
function methods:list()
  return content_of(self, true)
end

-- The ways to read a body, by the kind of request.
responses.page, responses.value, responses.list = methods.page, methods.value, methods.list

return responses
