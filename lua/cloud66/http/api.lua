-- api.lua: an account's way to the API. send() makes a call, and hands it down a stack of layers, each of which knows only
-- the next one:
--
--   throttle    waits until a throttled account is served again     attempts.lua
--   [reads]     serves a GET without sending it
--   slot        no more at once than client:map allows              runtime/tasks.lua
--   [changes]   makes known what is about to change something
--   retry       attempts within the call's time                     attempts.lua
--   follow      redirects, a renewed token                          follow.lua
--   exchange    one request: token, headers, hooks                  exchange.lua
--   [requests]  counts what is sent
--   transmit    hands it to the transport                           exchange.lua
--
-- Those in brackets are there only where a client shares something with others: they are handed in, see sharing/layers.lua.
-- A layer is a function call -> response, or nil, message, err. What it has to remember for longer than one way down stands in
-- the call, with the file that it belongs to.

local attempts = require "cloud66.http.attempts"
local errors = require "cloud66.base.error"
local exchange = require "cloud66.http.exchange"
local follow = require "cloud66.http.follow"
local host = require "cloud66.runtime.host"
local redactor = require "cloud66.http.redactor"
local responses = require "cloud66.http.response"
local tasks = require "cloud66.runtime.tasks"
local url = require "cloud66.base.url"

local api = {}

local methods = {}
local api_mt = { __name = "cloud66.api", __index = methods }

---The failure of every call once the client is closed.
---@return nil, string message, cloud66.Error err
function methods.aborted()
  return errors.fail("aborted", "this client was closed", { unsent = true })
end

---Sends a request, again where that may help, and checks its status.
---@param method string
---@param path string    below base_url, encoded, beginning with a slash
---@param options { query?: table, body?: string, hint?: string, read?: function, deadline?: number, purpose?: table }
---hint: what a 404 means here; read(response), for a GET -> its value, or nil, message, err; deadline: by host.now(); purpose:
---see sharing/layers.lua, which alone reads it
---@return table|nil response, string? message, cloud66.Error? err
function methods:send(method, path, options)
  if self.closed then
    return self.aborted()
  end
  local got, message, err = self.perform {
    method = method,
    address = self.settings.base_url .. path .. (options.query and url.query(options.query) or ""),
    body = options.body,
    hint = options.hint,
    read = options.read,
    purpose = options.purpose,
    -- moments by host.now(): when it began, later by what others took of its time; beyond which nothing goes on; and when its
    -- own time is over, of attempts.lua
    started = host.now(), latest = options.deadline or math.huge, deadline = 0,
    -- attempts.lua: how many there were, how many of these `retries` counts, what the one before met, whether throttle() waits
    attempts = 0, failures = 0, before = nil, waits = false,
    renewed = false, -- follow.lua: the token, after a 401
    token = false, -- of the next request, where a layer above exchange.lua has fetched it already
  }
  if not got and method ~= "GET" then
    require("cloud66.http.undone").note(err)
  end
  return got, message, err
end

---@return cloud66.Limits
function methods:report()
  local now = os.time()
  local report = self.limits:report(now)
  return self.sharing and self.sharing.report(report, now) or report
end

---A claim on what others may send as well; false where nothing is shared.
---@param options table  see sharing/claims.lua
function methods:claim(options)
  return self.sharing and self.sharing.claim(options)
end

---Aborts what is in flight.
function methods:close()
  self.closed = true
  tasks.cancel(self)
end

-- The value of a GET, what else read() gave, and the response's redactor; or nil, message, err.
local function get(self, path, options)
  local got, message, err = self:send("GET", path, options)
  if not got then
    return nil, message, err
  end
  local value, more
  value, more, err = options.read(got)
  return value, more, value and got.show or err
end

---GETs deployments.
---@param options table  of send(), without `read`; taken over
---@return userdata|nil page, string? message, function|cloud66.Error|nil show_or_err
---show: the redactor of the response, for what of the page goes into messages
function methods:get_page(path, options)
  options.read = responses.page
  return get(self, path, options)
end

---GETs an object, wrapped in `response` or bare.
---@return table|nil value, table|string|nil pagination_or_message, function|cloud66.Error|nil show_or_err
function methods:get_value(path, options)
  options.read = responses.value
  return get(self, path, options)
end

---GETs a list, wrapped in `response` or bare.
---@return table[]|nil list, table|string|nil pagination_or_message, function|cloud66.Error|nil show_or_err
function methods:get_list(path, options)
  options.read = responses.list
  return get(self, path, options)
end

---@param settings table  of settings.of()
---@param transport fun(request: table): table|nil, string?, string?
---@param limits table    of rate_limit.new()
---@param sharing? { reads: function, changes: function, requests: function, report: function, claim: function }  of sharing/layers.lua
function api.new(settings, transport, limits, sharing)
  local self = setmetatable({
    settings = settings, limits = limits, closed = false, sharing = sharing or false, perform = false,
  }, api_mt)
  self.show_of, self.holds_token = redactor.new()
  function self.is_closed()
    return self.closed
  end
  local transmit = exchange.transmit(self, transport)
  if sharing then
    transmit = sharing.requests(transmit)
  end
  local send = attempts.retry(self, follow.new(self, exchange.new(self, transmit)))
  if sharing then
    send = sharing.changes(self, send)
  end
  local function slot(call)
    return tasks.call(self, send, call)
  end
  self.perform = attempts.throttle(self, sharing and sharing.reads(self, slot) or slot)
  return self
end

return api
