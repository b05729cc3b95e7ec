-- failure.lua: the error that a response's status stands for.

local backoff = require "cloud66.http.backoff"
local date = require "cloud66.base.date"
local error_body = require "cloud66.http.error_body"
local errors = require "cloud66.base.error"

local failure = {}

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

-- What to do, whoever has answered: of these kinds, and of all others.
local INTERMEDIARY_ADVICE = {
  connect = "check its user and its password, with what is special in them percent-encoded, as %40 for @",
  timeout = "try again", throttled = "wait before you try again", server = "try again later",
}
local CHECK_WAY = "check base_url, and what filters requests on the way to it"

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
    return ("%s wants a user and a password, or other ones: %s"):format(
      type(proxy) == "string" and "the proxy " .. proxy or "a proxy on the way to the API", INTERMEDIARY_ADVICE.connect)
  elseif intermediary then
    return intermediary .. ": " .. (INTERMEDIARY_ADVICE[kind] or CHECK_WAY)
  elseif kind == "auth" then
    return ("%s from %s"):format(ADVICE.auth, self.source)
  end
  return STATUS_ADVICE[status] or kind == "not_found" and self.hint or ADVICE[kind]
end

---@param self table  a response of responses.new(), whose status is none from 200 to 299
---@return cloud66.Error
function failure.of(self)
  local status = self.response.status
  local body = self.response.body
  local code, text, is_json = error_body.read(body)
  code = code and self.show(code)
  local kind, intermediary = kind_of(status, code), intermediary_of(status, body, is_json)
  local reported = ("HTTP %d"):format(status) .. (code and ", " .. code or "")
  if text and text ~= "" and status ~= 407 then -- a proxy may repeat the password that it refuses
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
    server_request_id = self:header "x-request-id",
    retry_after = wait,
    retry_after_estimated = estimated,
  })
end

---What an object says that is an error body in place of what was requested; not fit to be shown.
failure.summary = error_body.summary

return failure
