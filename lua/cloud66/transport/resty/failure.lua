-- failure.lua: why a request over nginx's sockets has failed: a kind and a sentence that says what to do, by the words that
-- nginx and lua-resty-http have for it.

local errors = require "cloud66.base.error"
local url = require "cloud66.base.url"

local failure = {}

local UNVERIFIED = "the certificate could not be verified: nginx needs the file of CAs in its directive "
  .. "'lua_ssl_trusted_certificate', and 'lua_ssl_verify_depth' above 1 where one CA vouches for another"
local NO_NAME = "the host name cannot be resolved: check it, and nginx's directive 'resolver'"

-- For a connection that never stood, so that nothing was sent: patterns in lower case; the first one counts.
local WORDS = {
  { "tunnel through a proxy: 407", "connect", "the proxy wants a user and a password, or other ones" },
  { "tunnel through a proxy", "connect", "the proxy refused the tunnel" },
  { "connect to proxy: ", "connect", "the proxy gave no response that could be read" },
  { "no resolver defined", "connect", "the host name cannot be resolved: nginx needs its directive 'resolver'" },
  { "could not be resolved", "connect", NO_NAME },
  { "host not found", "connect", NO_NAME },
  { "failed to parse host", "connect", "the host name cannot be resolved: check it" },
  { "certificate host mismatch", "tls", "the certificate is for another host name: check the URL" },
  { "^%d+: ", "tls", UNVERIFIED },
  { "certificate", "tls", UNVERIFIED },
  { "handshake", "tls", "the TLS handshake failed" },
}

-- Of a certificate that it refuses without having had to wait for it, lua-resty-core makes an assertion that fails. It has
-- no other assertions there.
local REFUSED_AT_ONCE = "resty/core/socket%.lua:%d+: assertion failed"

-- The token: without the name of its scheme, since it might be repeated without.
local function secret_of(request)
  for name, value in pairs(request.headers or {}) do
    if name:lower() == "authorization" then
      return tostring(value):match "%S+%s*$"
    end
  end
end

---@param request cloud66.TransportRequest
---@param kind string
---@param what string
---@param detail? any  words of others
---@return nil, string kind, string message
function failure.new(request, kind, what, detail)
  local text = ("%s: %s"):format(url.origin(request.url) or "no absolute URL", what)
  if detail ~= nil then
    text = ("%s (%s)"):format(text, tostring(detail))
  end
  return nil, kind, errors.clean(errors.redact(text, secret_of(request)))
end

---@param job table           {connect =, total =}: its limits in seconds
---@param is_connected? boolean
function failure.late(request, job, is_connected)
  if not is_connected and job.connect < job.total then
    return failure.new(request, "timeout", ("no connection within %g s"):format(job.connect))
  end
  return failure.new(request, "timeout", ("no complete response within %g s"):format(job.total))
end

---Why there is no connection, by the words that lua-resty-http gave.
---@return nil, string kind, string message, integer? status  # of a proxy that refused a tunnel
function failure.unconnected(request, words)
  local text = tostring(words):lower()
  for _, row in ipairs(WORDS) do
    if text:find(row[1]) then
      local _, kind, message = failure.new(request, row[2], row[3], words)
      return nil, kind, message, tonumber(text:match "tunnel through a proxy: (%d%d%d)$")
    end
  end
  return failure.new(request, "connect", "no connection", words)
end

---Why there is no connection, by what lua-resty-http raised.
function failure.raised(request, raised)
  if type(raised) == "string" and raised:find(REFUSED_AT_ONCE) then
    return failure.new(request, "tls", UNVERIFIED, raised)
  end
  return failure.new(request, "connect", "lua-resty-http raised an error", raised)
end

return failure
