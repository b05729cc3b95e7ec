-- layers.lua: the layers that a store adds to http/api.lua: reads are served from a cache, changes invalidate what was stored
-- before, each request is counted in a budget, and a redeploy that was claimed is sent by one process alone.
--
-- What a call is for is its `purpose`: { reads = whether a stored response will do, order = a table that the calls share of
-- which none may get less than the one before knew, is_settled = function response -> whether it stays as it is, for_change =
-- whether something cannot be changed without it, claim = of claims.new() }.

local budgets = require "cloud66.sharing.budget"
local caches = require "cloud66.sharing.cache"
local credentials = require "cloud66.http.credentials"
local entries = require "cloud66.sharing.entries"
local errors = require "cloud66.base.error"
local failover = require "cloud66.sharing.failover"
local host = require "cloud66.runtime.host"
local keys = require "cloud66.sharing.keys"
local tasks = require "cloud66.runtime.tasks"

local layers = {}

local IN_DOUBT = 5 -- seconds after the last moment of a call that a change may still happen

local function user_of(self, token)
  return keys.user(token, self.settings.base_url)
end

-- Has the call's next request sent with the token that this returns; or nil, message, err.
local function choose_token(self, call)
  local token, message, err = credentials.token(self.settings)
  call.token = token or false
  return token, message, err
end

-- --- [requests] ---

-- The store took some of a call's time. That is not a change's own, though it is its caller's: its deadline moves. nil, message,
-- err where no time is left.
local function give_time_back(call, sent, taken)
  if call.method ~= "GET" then
    call.deadline = math.min(call.deadline + taken, tasks.deadline(), call.latest)
  end
  if host.now() >= call.deadline then
    return errors.fail("timeout", "the store took all the time there was", { request_id = sent.id, unsent = true })
  end
  return true
end

-- Counts a request that is about to be sent: true; or nil, message, err.
local function take(self, user, call, sent)
  local before, purpose = host.now(), call.purpose
  local for_change = call.method ~= "GET" or purpose and purpose.for_change or false
  local ok, message, err = self.budget:take(user, for_change, os.time())
  if not ok then
    return nil, message, err
  end
  return give_time_back(call, sent, host.now() - before)
end

-- Learns whether a request that was counted was served.
local function learn(self, user, got)
  if got:is_success() then
    self.budget:served(user, got.response.headers, os.time())
    return
  end
  local _, _, err = got:failure()
  if err.kind == "throttled" and not err.intermediary then
    self.budget:refused(user, err, os.time())
  end
end

-- Sends it, if it is not claimed, or ours to send: call, sent -> response; or nil, message, err.
local function send_claimed(transmit, call, sent)
  local claim, before = call.purpose and call.purpose.claim, host.now()
  if not claim then
    return transmit(call, sent)
  elseif not claim:begin() then
    return errors.fail("aborted", "another process sends it", { request_id = sent.id, unsent = true })
  end
  local ok, message, err = give_time_back(call, sent, host.now() - before)
  if not ok then
    return nil, message, err
  end
  return transmit(call, sent)
end

-- call, sent -> response; or nil, message, err.
local function count(self, transmit, call, sent)
  self.last_token[call] = sent.token
  if not self.budget then
    return transmit(call, sent)
  end
  local user = user_of(self, sent.token)
  self.last_user = user
  local ok, message, err = take(self, user, call, sent)
  if not ok then
    return nil, message, err
  end
  function sent.read(headers)
    self.budget:read(user, headers, os.time())
  end
  local got
  got, message, err = transmit(call, sent)
  if not got then
    return nil, message, err
  end
  learn(self, user, got)
  return got
end

-- --- [changes] ---

-- Invalidates before it is sent, as that may be the last thing that this process does, and after, as others may have read
-- meanwhile.
local function send_change(self, send, call)
  local token, message, err = choose_token(self, call)
  if not token then
    return nil, message, err
  end
  local user, before = user_of(self, token), host.now()
  self.entries:invalidate(user, self.settings.timeout.total + IN_DOUBT)
  call.started = call.started + host.now() - before
  local got, failed
  got, message, err, failed = send(call)
  self.entries:invalidate(user)
  local last = self.last_token[call]
  if last and last ~= token then -- a renewed one
    self.entries:invalidate(user_of(self, last))
  end
  return got, message, err, failed
end

-- --- [reads] ---

local function read(self, api, send, call)
  local token, message, err = choose_token(self, call)
  if not token then
    return nil, message, err
  end
  return self.cache:serve(caches.wanted(api, call, token, user_of(self, token)), function()
    local got, text, problem, failed = send(call)
    return got, text, problem, failed, self.last_token[call] == token
  end)
end

-- --- all of them ---

-- It stands in closures alone, since it leads to tokens.
local function new_state(settings, options, store)
  return {
    settings = settings,
    budget = options.budget ~= false and budgets.new(store, options.budget or false),
    cache = options.cache and caches.new(store, options.cache),
    entries = entries.new(store),
    last_user = false, -- whose requests were counted last, where each may be another's
    last_token = setmetatable({}, { __mode = "k" }), -- call -> the token that it was sent with last
  }
end

---@param settings table  of http/settings.lua
---@param options table   of options.of(), with a store
---@return { reads: function, changes: function, requests: function, report: function, claim: function }  see http/api.lua; claim:
---false where the store is this client's own
function layers.new(settings, options)
  local store = failover.of(options.store, settings.on)
  local self = new_state(settings, options, store)
  local made = {}

  function made.requests(transmit)
    local function send(call, sent)
      return send_claimed(transmit, call, sent)
    end
    return function(call, sent)
      return count(self, send, call, sent)
    end
  end

  function made.changes(_, send)
    return function(call)
      if call.method == "GET" then
        return send(call)
      end
      return send_change(self, send, call)
    end
  end

  function made.reads(api, send)
    if not self.cache then
      return send
    end
    return function(call)
      if call.method ~= "GET" or not (call.purpose and call.purpose.reads) then
        return send(call)
      end
      return read(self, api, send, call)
    end
  end

  ---@param claim cloud66.ClaimOptions
  function made.claim(claim)
    return options.is_shared and require("cloud66.sharing.claims").new(store, settings.base_url, claim)
  end

  function made.report(report, now)
    local token = self.budget and not settings.token_renewable and credentials.token(settings)
    local user = token and user_of(self, token) or self.last_user
    return user and self.budget:report(user, report, now) or report
  end

  return made
end

return layers
