-- response.lua: what came back for a request: its body as a page or plain values; failure.lua makes an error of its status.

local core = require "cloud66.core"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"

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

---The value of a header, if it was sent, fit to be shown.
---@return string|nil
function methods:header(name)
  local value = self.response.headers[name]
  return type(value) == "string" and self.show(value) or nil
end

-- --- status ---

-- The parts for what is no success: a script whose calls succeed does without.
local function failure_part()
  return require "cloud66.http.failure"
end
if host.is_starting() then
  failure_part()
end

function methods:is_success()
  return self.response.status >= 200 and self.response.status <= 299
end

---The error that a status outside of 200 to 299 stands for: one for each response.
---@return nil, string message, cloud66.Error err
function methods:failure()
  self.err = self.err or failure_part().of(self)
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
    server_request_id = self:header "x-request-id",
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
---@param array_mt? table  metatable for its empty lists
---@return any|nil value, string? message, cloud66.Error? err
function methods:json(array_mt)
  if self.decoded == nil then
    local value, _, text, offset = core.json(self.response.body, nil, array_mt)
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
    return self:undecodable("the response is an error body: " .. self.show(failure_part().summary(value)))
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
