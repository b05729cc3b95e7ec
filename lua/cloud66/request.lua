-- request.lua: one account's way to the API: a call is one deadline, and as many requests as it takes within it.

local budgets = require "cloud66.budget"
local caches = require "cloud66.cache"
local config = require "cloud66.config"
local core = require "cloud66.core"
local errors = require "cloud66.error"
local hooks = require "cloud66.hooks"
local kept = require "cloud66.kept"
local names = require "cloud66.names"
local reply = require "cloud66.reply"
local retry = require "cloud66.retry"
local scheduler = require "cloud66.scheduler"
local shared = require "cloud66.shared"
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

local function closed()
  return errors.fail("aborted", "this client was closed", { unsent = true })
end

-- --- one request ---

-- What the hooks are told of a request.
local function facts(call, sent, more)
  local info = { method = call.method, url = sent.url, request_id = sent.id, attempt = call.attempts }
  for name, value in pairs(more or {}) do
    info[name] = value
  end
  return info
end

-- The error of a transport that gave no response. What it says may hold anything.
local function transport_failure(self, call, sent, kind, text)
  if not errors.KINDS[kind] then
    kind, text = "network", text or kind
  end
  local _, message, err = errors.fail(kind, errors.redact(tostring(text or "no reason given"), sent.token),
    { request_id = sent.id, unsent = kind == "phase" or nil })
  hooks.call(self.settings.on, "response", facts(call, sent, {
    kind = kind, message = message, elapsed = scheduler.now() - sent.at,
  }))
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

-- What the answer tells besides its body.
local function take_note(self, call, sent, response)
  local on = self.settings.on
  self.limits:read(response.headers, os.time())
  if self.budget then
    self.budget:read(sent.user, response.headers, os.time())
  end
  if on.response then
    hooks.call(on, "response", facts(call, sent, {
      status = response.status, elapsed = scheduler.now() - sent.at, bytes = #response.body,
      http_version = response.http_version,
    }))
  end
  local warning = response.headers["x-cloud66-warning"]
  if on.warning and type(warning) == "string" and warning ~= "" then
    hooks.call(on, "warning", facts(call, sent, { text = errors.clean(errors.redact(warning, sent.token)) }))
  end
end

-- Counts a request that is about to be sent. nil, message, err where none is left.
local function take(self, call, sent)
  local now = os.time()
  if self.budget then
    self.last_user = sent.user
    local ok, message, err = self.budget:take(sent.user, call.for_change, now)
    if not ok then
      return nil, message, err
    end
  end
  self.limits:count(now)
  return true
end

-- What is left of a call's time when its request was counted. A change does not suffer from what a store takes.
local function time_after_store(call, sent, left)
  local taken = scheduler.now() - sent.at
  sent.at = sent.at + taken
  if call.method ~= "GET" then
    call.deadline = call.deadline + taken
  elseif taken >= 0.01 then
    left = left - taken
  end
  return left > 0 and left or nil
end

-- Sends one request: the response and what was sent {url, token, user, id, at}, or nil, message, err.
local function exchange(self, call, address)
  local settings = self.settings
  local token, message, err = call.token_at_hand
  call.token_at_hand = false
  if not token then
    token, message, err = current_token(settings)
    if not token then
      return nil, message, err
    end
  end
  call.token = token
  local sent = { url = address, token = token, user = self.store and names.user(token, settings.base_url), id = core.uuid() }
  if settings.on.request then
    hooks.call(settings.on, "request", facts(call, sent))
  end
  if self.closed then -- by the token's function or by a hook
    return closed()
  end
  sent.at = scheduler.now()
  local left = call.deadline - sent.at
  if left <= 0 then
    return errors.fail("timeout", "no time was left to send the request", { request_id = sent.id, unsent = true })
  end
  left = math.ceil(left * 100) / 100 -- whole centiseconds: what was asked for, while nothing of it is gone
  local ok
  ok, message, err = take(self, call, sent)
  if not ok then
    return nil, message, err
  end
  left = time_after_store(call, sent, left)
  if not left then
    return errors.fail("timeout", "the store took all the time there was", { request_id = sent.id, unsent = true })
  end
  local response, kind, text = self.transport {
    method = call.method,
    url = address,
    headers = headers_of(settings, sent, call.body),
    body = call.body,
    timeout = { connect = math.min(settings.timeout.connect, left), total = left },
    max_body = settings.max_body,
    is_closed = self.is_closed,
  }
  if not response then
    return transport_failure(self, call, sent, kind, text)
  end
  check_response(response)
  response.request_id = sent.id
  take_note(self, call, sent, response)
  if #response.body > settings.max_body then -- a transport of the user's own may not have looked
    return errors.fail("too_large", ("the response is larger than max_body, %d bytes"):format(settings.max_body),
      { request_id = sent.id })
  end
  return response, sent
end

-- --- redirects: the token is shown to no other origin than base_url's ---

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
local MOST_REDIRECTS = 5

-- Where a redirect leads; nil and why it is not followed.
local function redirect_target(self, response, address, hops)
  local location = response.headers.location
  local target = type(location) == "string" and url.resolve(address, location)
  if not target then
    return nil, "the answer is a redirect that leads nowhere"
  elseif url.origin(target) ~= url.origin(self.settings.base_url) then
    return nil, ("the answer is a redirect to another origin, %s, which is not shown the token: check base_url"):format(
      url.origin(target))
  elseif hops >= MOST_REDIRECTS then
    return nil, ("the answer is one redirect after another, more than %d"):format(MOST_REDIRECTS)
  end
  return target
end

-- Sends a request and follows where its answers lead.
local function exchange_and_follow(self, call)
  local address = call.address
  for hops = 0, MOST_REDIRECTS do
    local response, sent, err = exchange(self, call, address)
    if not response then
      return nil, sent, err
    elseif call.method ~= "GET" or not REDIRECTS[response.status] then
      return response, sent
    end
    local target, reason = redirect_target(self, response, address, hops)
    if not target then
      return errors.fail("protocol", errors.redact(reason, sent.token),
        { status = response.status, request_id = sent.id })
    end
    address = target
  end
end

-- --- one call ---

local function attempt(self, call)
  call.attempts, call.failed = call.attempts + 1, false
  local response, sent, err = exchange_and_follow(self, call)
  if response and response.status == 401 and self.settings.token_renewable and not call.renewed then
    call.renewed = true
    response, sent, err = exchange_and_follow(self, call) -- a 401 did nothing
  end
  if not response then
    if err.budget then -- nothing was sent
      call.attempts = call.attempts - 1
    end
    return nil, sent, err
  end
  local got = reply.new(response, sent.token, source_name(self.settings), call.hint)
  self.show = got.show
  if got:is_success() then
    if self.budget then
      self.budget:served(sent.user, response.headers, os.time())
    end
    return got
  end
  local _, message
  _, message, err = got:failure()
  call.failed = response
  if self.budget and err.kind == "throttled" then
    self.budget:refused(sent.user, err, os.time())
  end
  return nil, message, err
end

-- The pause before a throttled call is tried again, outside of its own time; nil where it would be too long.
local function throttle_pause(self, call, err)
  local left = self.settings.throttle_wait - call.throttle_waited
  local pause = err.retry_after
  if err.retry_after_estimated then
    pause = math.min(left, retry.throttle_pause(call.throttled, pause, retry.dice))
  end
  if left <= 0 or pause > left or scheduler.now() + pause >= math.min(scheduler.deadline(), call.latest) then
    return nil
  end
  return pause
end

local SLICE = 1 -- seconds: how long the end of the client or of the process may go unseen

-- The pause before the next attempt; nil when there is none.
local function retry_pause(self, call, err)
  local settings = self.settings.retries
  if call.failures >= settings.attempts then
    return nil
  end
  local pause = retry.backoff(call.failures, settings, retry.dice)
  if err.retry_after and not err.retry_after_estimated then
    pause = math.max(pause, err.retry_after)
  end
  return scheduler.now() + pause < call.deadline and pause or nil
end

-- Whether it slept so long: neither a closed client nor an nginx worker that is to end waits for another attempt.
local function sleep(self, seconds)
  local wake = scheduler.now() + seconds
  while not self.closed and not scheduler.is_exiting() do
    local left = wake - scheduler.now()
    if left <= 0 then
      return true
    end
    scheduler.sleep(math.min(left, SLICE))
  end
  return self.closed -- which perform() tells
end

-- Waits for the next attempt, if there is to be one. Whether there is.
local function wait_for_next(self, call, err)
  if not retry.is_passing(call.method, err) then
    return false
  end
  local on = self.settings.on
  local told = { method = call.method, url = call.address, request_id = err.request_id, attempt = call.attempts,
    err = err, retry_after = err.retry_after, retry_after_estimated = err.retry_after_estimated }
  local pause
  if err.kind == "throttled" and self.settings.on_throttle == "wait" and not call.in_background then
    call.throttled = call.throttled + 1
    pause = throttle_pause(self, call, err)
    told.pause = pause
    hooks.call(on, "throttle", told)
    if pause then
      call.throttle_waited, call.deadline = call.throttle_waited + pause, call.deadline + pause
      call.started = call.started + pause
    end
  elseif err.budget then -- until there is one again: no longer than a retry would wait
    hooks.call(on, "throttle", told)
  else
    call.failures = call.failures + 1
    pause = retry_pause(self, call, err)
    told.pause = pause
    if err.kind == "throttled" then
      hooks.call(on, "throttle", told)
    end
    if pause then
      hooks.call(on, "retry", told)
    end
  end
  return pause ~= nil and sleep(self, pause)
end

-- Whether read() waits for what others must not wait for with it: they would, for as long as this call is the one that asks.
local function is_left_to_reader(self, call, err)
  return call.is_read and not call.in_background and err.kind == "throttled" and self.settings.on_throttle == "wait"
end

-- The failure of a call, after so many attempts. The last may have had next to no time: what the one before met says more.
local function failure_of(call, err, before)
  err.attempts = call.attempts
  if call.attempts > 1 and err.kind == "timeout" and before and before.kind ~= "timeout" then
    err.cause = before
    errors.append(err, (" [%d attempts; the one before: %s]"):format(call.attempts, before.message))
  elseif call.attempts > 1 then
    errors.append(err, (" [%d attempts]"):format(call.attempts))
  end
  return nil, err.message, err
end

local function perform(self, call)
  call.deadline = math.min(call.started + self.settings.timeout.total, scheduler.deadline(), call.latest)
  local before
  while not self.closed do
    local got, _, err = attempt(self, call)
    if got then
      return got
    elseif before and err.kind == "timeout" and err.unsent then -- no time was left for another: the last one says more
      call.attempts = call.attempts - 1
      return failure_of(call, before)
    end
    err.attempts = call.attempts
    if is_left_to_reader(self, call, err) or not wait_for_next(self, call, err) then
      return failure_of(call, err, before)
    end
    before = err
  end
  return closed()
end

-- Sends a GET unless what is kept will do.
local function read_once(self, call)
  local token, message, err = current_token(self.settings)
  if not token then
    return nil, message, err
  end
  call.token, call.token_at_hand, call.source = token, token, source_name(self.settings)
  call.user = names.user(token, self.settings.base_url)
  return self.cache:serve(self, call, function()
    return scheduler.call(self, perform, self, call)
  end)
end

-- The same again after throttling, if that is to be waited for: by then another one may have asked.
local function read(self, call)
  call.is_read = true
  while not self.closed do
    local got, message, err = read_once(self, call)
    if got or not is_left_to_reader(self, call, err) or not wait_for_next(self, call, err) then
      return got, message, err
    end
  end
  return closed()
end

local IN_DOUBT = 5 -- seconds after the last moment of a call that a change may still happen

-- Sends what changes something, of which those who keep answers must know: before, as it may be the last thing that this
-- process does, and after, as others may have asked meanwhile. The time that the store takes is not the call's.
local function change_and_tell(self, call, user)
  local marks, before = kept.new(self.store), scheduler.now()
  marks:change(user, self.settings.timeout.total + IN_DOUBT)
  call.started = call.started + scheduler.now() - before
  local got, message, err = perform(self, call)
  marks:change(user)
  if call.token and call.token ~= call.asked_token then -- a renewed one
    marks:change(names.user(call.token, self.settings.base_url))
  end
  return got, message, err
end

local function change(self, call)
  local token, message, err = current_token(self.settings)
  if not token then
    return nil, message, err
  end
  call.token_at_hand, call.asked_token = token, token
  return scheduler.call(self, change_and_tell, self, call, names.user(token, self.settings.base_url))
end

---Sends a request, again where that may help, and checks its status.
---@param method string
---@param path string    below base_url, encoded, beginning with a slash
---@param options? { query?: table, body?: string, hint?: string, deadline?: number, for_change?: boolean,
---accepts?: function, is_settled?: function, order?: table }
---hint: what a 404 means here; deadline: by scheduler.now(); for_change: a GET that what changes something cannot do without.
---A GET with `accepts` may be answered from the cache: accepts(reply) -> nil, message, err where the answer is not what was
---asked for; is_settled(reply): whether it stays as it is; order: a table that the calls share of which none may be
---answered with less than the one before knew
---@return table|nil reply, string? message, cloud66.Error? err
function methods:send(method, path, options)
  options = options or {}
  if self.closed then
    return closed()
  end
  local call = {
    method = method,
    address = self.settings.base_url .. path .. url.query(options.query or {}),
    body = options.body,
    hint = options.hint,
    for_change = options.for_change or method ~= "GET",
    accepts = options.accepts,
    is_settled = options.is_settled,
    order = options.order or { time = 0 },
    started = scheduler.now(),
    latest = options.deadline or math.huge, -- by scheduler.now(), as the next
    deadline = 0,
    token = false, -- the last that was sent
    token_at_hand = false, -- for the first request
    failed = false, -- the last response, if its status was an error
    attempts = 0, -- requests sent, but for redirects and a renewed token
    failures = 0, -- of these, the ones that `retries` counts
    throttled = 0, -- and the ones that `on_throttle` waits for
    throttle_waited = 0, -- seconds
    renewed = false,
    is_read = false, -- by read()
    in_background = false, -- nobody waits for it
  }
  if method ~= "GET" and self.store then
    return change(self, call)
  elseif self.cache and options.accepts then
    return read(self, call)
  end
  return scheduler.call(self, perform, self, call)
end

---@return cloud66.Limits
function methods:report()
  local now = os.time()
  local report = self.limits:report(now)
  local token = self.budget and not self.settings.token_renewable and current_token(self.settings)
  local user = token and names.user(token, self.settings.base_url) or self.last_user
  return user and self.budget:report(user, report, now) or report
end

---Aborts what is in flight.
function methods:close()
  self.closed = true
  scheduler.cancel(self)
end

---GETs a path that answers with deployments. options.reads: it may be answered from the cache.
---@return userdata|nil page, string? message, cloud66.Error? err
function methods:get_page(path, options)
  if options.reads then
    options.accepts = function(answer)
      return answer:page()
    end
  end
  local got, message, err = self:send("GET", path, options)
  if not got then
    return nil, message, err
  end
  return got:page()
end

---GETs a path that answers with an object, or with a list (`options.list`), wrapped in `response` or bare.
---@return table|nil value, table|string|nil pagination_or_message, function|cloud66.Error|nil show_or_err
---show: of reply.new(), for texts of the value that go into messages
function methods:get_value(path, options)
  if options.reads then
    options.accepts = function(answer)
      return answer:value(options.list)
    end
  end
  local got, message, err = self:send("GET", path, options)
  if not got then
    return nil, message, err
  end
  local value, more
  value, more, err = got:value(options.list)
  if not value then
    return nil, more, err
  end
  return value, more, got.show
end

-- api.show makes a text of the last answer fit for a message: see reply.new().

---@param settings table  of config.settings()
---@param transport fun(request: table): table|nil, string?, string?
---@param spent table     of limits.new()
function request.new(settings, transport, spent)
  local self = setmetatable({
    settings = settings, transport = transport, limits = spent, closed = false, show = errors.clean,
    store = settings.store and shared.of(settings.store, settings.on) or false,
    budget = false,
    cache = false,
    last_user = false, -- whose requests were counted last, where each may be another's
  }, request_mt)
  if self.store and settings.budget ~= false then
    self.budget = budgets.new(self.store, settings.budget or false)
  end
  if self.store and settings.cache then
    self.cache = caches.new(self.store, settings.cache)
  end
  function self.is_closed()
    return self.closed
  end
  return self
end

return request
