-- Tokens: who may do what. A token's name is what may be shown of it; the token itself never is.
local access = {}

---Readable name -> token.
access.tokens = {
  valid = "fake-token-with-every-scope",
  without_scope = "fake-token-without-scope",
  expired_trial = "fake-token-expired-trial",
}

local refusals = { without_scope = "forbidden", expired_trial = "trial_expired" }

local function name_of(token)
  for name, known in pairs(access.tokens) do
    if token == known then
      return name
    end
  end
end

---The token of an Authorization header, where it is a bearer's.
function access.read(authorization)
  local scheme, token = (authorization or ""):match "^(%a+) +(%S+)$"
  return scheme and scheme:lower() == "bearer" and token or nil
end

---The Authorization header as it may be written down: "Bearer valid", with the scheme as sent.
function access.redact(authorization)
  local scheme, token = authorization:match "^(%a+) +(%S+)$"
  return scheme and scheme .. " " .. (name_of(token) or "unknown") or "malformed"
end

---The text with each known token replaced by its name, wherever a client may have put it.
function access.hide(text)
  for name, token in pairs(access.tokens) do
    local pattern = token:gsub("%-", "%%-")
    text = text:gsub(pattern, "<token " .. name .. ">")
  end
  return text
end

local function token_in_url(x)
  for name in pairs(x.query) do
    if name:lower():find("token", 1, true) then
      return true
    end
  end
  for _, token in pairs(access.tokens) do
    if x.raw_uri:find(token, 1, true) then
      return true
    end
  end
  return false
end

---nil, or the id of the error that answers this request.
function access.check(x)
  if token_in_url(x) then
    return "bad_request" -- tokens in addresses end up in logs
  elseif x.open then
    return nil
  end
  local name = name_of(x.token)
  if not name then
    return "unauthenticated"
  end
  return refusals[name]
end

return access
