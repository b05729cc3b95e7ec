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

-- What is left of the time of a call that the store took some of: a deadline; or nil, message, err. That time is not a
-- change's, though it is its caller's; a read may have none left.
local function deadline_after_store(call, deadline, sent, taken)
  if call.method ~= "GET" then
    return math.min(deadline + taken, tasks.deadline(), call.latest)
  elseif host.now() >= deadline then
    return errors.fail("timeout", "the store took all the time there was", { request_id = sent.id, unsent = true })
  end
  return deadline
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

  -- Learns what became of a request that was counted.
  local function learn(user, got)
    local headers = got.response.headers
    budget:read(user, headers, os.time())
    if got:is_success() then
      budget:served(user, headers, os.time())
      return
    end
    local _, _, err = got:failure()
    if err.kind == "throttled" then
      budget:refused(user, err, os.time())
    end
  end

  ---Over transmit: call, deadline, sent -> response; or nil, message, err.
  function made.requests(transmit)
    return function(call, deadline, sent)
      last_token[call] = sent.token
      if not budget then
        return transmit(call, deadline, sent)
      end
      local user, before = user_of(sent.token), host.now()
      last_user = user
      local purpose = call.purpose
      local for_change = call.method ~= "GET" or purpose and purpose.for_change or false
      local ok, message, err = budget:take(user, for_change, os.time())
      if not ok then
        return nil, message, err
      end
      deadline, message, err = deadline_after_store(call, deadline, sent, host.now() - before)
      if not deadline then
        return nil, message, err
      end
      local got
      got, message, err = transmit(call, deadline, sent)
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

  ---Over retry: what changes something makes what was stored before invalid.
  function made.changes(_, send)
    return function(call)
      if call.method == "GET" then
        return send(call)
      end
      local token, message, err = credentials.token(settings)
      if not token then
        return nil, message, err
      end
      call.token = token
      return change(send, call, token)
    end
  end

  ---Over the slot: a GET that only reads may be answered with what is stored.
  function made.reads(api, send)
    if not cache then
      return send
    end
    return function(call)
      if call.method ~= "GET" or not (call.purpose and call.purpose.reads) then
        return send(call)
      end
      local token, message, err = credentials.token(settings)
      if not token then
        return nil, message, err
      end
      call.token = token
      return cache:serve(caches.wanted(api, call, token, user_of(token)), function()
        local got, said, failure, failed = send(call)
        return got, said, failure, failed, last_token[call] == token
      end)
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
