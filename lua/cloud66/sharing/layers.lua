-- layers.lua: the layers that a store adds to http/api.lua: reads are answered from a cache, changes make what was stored
-- before invalid, and each request is counted in a budget.
--
-- What a call is for is its `purpose`: { reads = whether it may be answered with a stored response, order = a table that the
-- calls share of which none may be answered with less than the one before knew, is_settled = function response -> whether
-- it stays as it is, for_change = whether something cannot be changed without it }.

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

---@param settings table  of http/settings.lua
---@param options table   of options.of(), with a store
---@return { reads: function, changes: function, requests: function, report: function }  see http/api.lua
function layers.new(settings, options)
  local store = failover.of(options.store, settings.on)
  local budget = options.budget ~= false and budgets.new(store, options.budget or false)
  local cache = options.cache and caches.new(store, options.cache)
  local marks = entries.new(store)
  local last_user = false -- whose requests were counted last, where each may be another's
  local last_token = setmetatable({}, { __mode = "k" }) -- call -> the token that it was sent with last
  local made = {}

  local function user_of(token)
    return keys.user(token, settings.base_url)
  end

  -- Learns whether a request that was counted was served.
  local function learn(user, got)
    if got:is_success() then
      budget:served(user, got.response.headers, os.time())
      return
    end
    local _, _, err = got:failure()
    if err.kind == "throttled" then
      budget:refused(user, err, os.time())
    end
  end

  ---Over transmit: call, sent -> response; or nil, message, err.
  function made.requests(transmit)
    return function(call, sent)
      last_token[call] = sent.token
      if not budget then
        return transmit(call, sent)
      end
      local user, before = user_of(sent.token), host.now()
      last_user = user
      local purpose = call.purpose
      local for_change = call.method ~= "GET" or purpose and purpose.for_change or false
      local ok, message, err = budget:take(user, for_change, os.time())
      if not ok then
        return nil, message, err
      end
      ok, message, err = give_time_back(call, sent, host.now() - before)
      if not ok then
        return nil, message, err
      end
      function sent.read(headers)
        budget:read(user, headers, os.time())
      end
      local got
      got, message, err = transmit(call, sent)
      if not got then
        return nil, message, err
      end
      learn(user, got)
      return got
    end
  end

  -- Before it is sent, as that may be the last thing that this process does, and after, as others may have asked meanwhile.
  local function change(send, call, token)
    local user, before = user_of(token), host.now()
    marks:change(user, settings.timeout.total + IN_DOUBT)
    call.started = call.started + host.now() - before
    local got, message, err, failed = send(call)
    marks:change(user)
    local last = last_token[call]
    if last and last ~= token then -- a renewed one
      marks:change(user_of(last))
    end
    return got, message, err, failed
  end

  -- Calls fn(call, token) with the token that the call's next request is sent with; or nil, message, err.
  local function with_token(call, fn)
    local token, message, err = credentials.token(settings)
    if not token then
      return nil, message, err
    end
    call.token = token
    return fn(call, token)
  end

  ---Over retry: what changes something makes what was stored before invalid.
  function made.changes(_, send)
    local function tell(call, token)
      return change(send, call, token)
    end
    return function(call)
      if call.method == "GET" then
        return send(call)
      end
      return with_token(call, tell)
    end
  end

  ---Over the slot: a GET that only reads may be answered with what is stored.
  function made.reads(api, send)
    if not cache then
      return send
    end
    local function serve(call, token)
      return cache:serve(caches.wanted(api, call, token, user_of(token)), function()
        local got, message, err, failed = send(call)
        return got, message, err, failed, last_token[call] == token
      end)
    end
    return function(call)
      if call.method ~= "GET" or not (call.purpose and call.purpose.reads) then
        return send(call)
      end
      return with_token(call, serve)
    end
  end

  ---What client:limits() gives.
  function made.report(report, now)
    local token = budget and not settings.token_renewable and credentials.token(settings)
    local user = token and user_of(token) or last_user
    return user and budget:report(user, report, now) or report
  end

  return made
end

return layers
