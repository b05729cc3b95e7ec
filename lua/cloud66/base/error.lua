-- error.lua: the error object, and the triple `nil, message, err` that every failure of the world returns as.

local err = {}

local error_mt = { __name = "cloud66.error" }

function error_mt.__tostring(self)
  return self.message
end

function error_mt.__concat(a, b)
  return tostring(a) .. tostring(b)
end

---Every kind there is.
err.KINDS = {}
for kind in ([[auth trial_expired forbidden not_found timeout conflict bad_request throttled not_implemented server
  connect tls network protocol too_large decode none not_unique refused ambiguous unmatched deploy_failed cancelled
  unknown_outcome aborted phase]]):gmatch("%S+") do
  err.KINDS[kind] = true
end

---What a program may end with: the table in docs/errors.md.
err.EXIT_CODES = { failed = 1, late = 2, cancelled = 3, unsent = 4, ambiguous = 5, unobserved = 6 }

local EXIT_CODES = {}
for kind, name in pairs {
  deploy_failed = "failed", unknown_outcome = "failed", unmatched = "failed", refused = "failed", cancelled = "cancelled",
  ambiguous = "ambiguous",
} do
  EXIT_CODES[kind] = err.EXIT_CODES[name]
end

local LONGEST = 1000 -- bytes of foreign text in a message

---Makes text from the network fit to print: no control characters (C0, DEL and C1), no redeploy hook, not long.
---@param text string
---@return string
function err.clean(text)
  text = text:gsub("(/[Rr][Ee][Dd][Ee][Pp][Ll][Oo][Yy]/)[%w%-_%.]+/?[%w%-_%.]*", "%1[hidden]")
  if #text > LONGEST then
    text = text:sub(1, LONGEST) .. "..."
  end
  return (text:gsub("[%c\127]+", " "):gsub("\194[\128-\159]", " "))
end

---Replaces a secret wherever it stands in a text.
---@param text string
---@param secret? string
---@return string
function err.redact(text, secret)
  if not secret or #secret < 4 then
    return text
  end
  local out, at = {}, 1
  while true do
    local first, last = text:find(secret, at, true)
    if not first then
      break
    end
    out[#out + 1] = text:sub(at, first - 1)
    out[#out + 1] = "[token]"
    at = last + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

---@param kind string    one of err.KINDS
---@param text string    what was wrong and what to do; cleaned here
---@param fields? table  status, code, request_id, retry_after, offset, ...
---@return cloud66.Error
function err.new(kind, text, fields)
  local self = {}
  for name, value in pairs(fields or {}) do
    self[name] = value
  end
  self.kind = kind
  self.exit_code = self.exit_code or EXIT_CODES[kind] or err.EXIT_CODES.unsent
  self.message = kind .. ": " .. err.clean(text)
  return setmetatable(self, error_mt)
end

---The same failure for another caller.
---@param self cloud66.Error
---@return cloud66.Error
function err.copy(self)
  local copy = {}
  for name, value in pairs(self) do
    copy[name] = value
  end
  return setmetatable(copy, error_mt)
end

---Whether a value is an err object.
---@return boolean
function err.is(value)
  return type(value) == "table" and getmetatable(value) == error_mt
end

---Whether the API says that there is no such thing, not something in between.
---@param self cloud66.Error
---@return boolean
function err.is_absent(self)
  return self.kind == "not_found" and not self.intermediary
end

---Adds to the message of an err object.
---@param self cloud66.Error
---@param text string  cleaned here
function err.append(self, text)
  self.message = self.message .. err.clean(text)
end

---The same as the three values a failing function returns.
---@return nil, string, cloud66.Error
function err.fail(kind, text, fields)
  local self = err.new(kind, text, fields)
  return nil, self.message, self
end

return err
