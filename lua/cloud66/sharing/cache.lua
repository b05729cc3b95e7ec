-- cache.lua: a GET that many want at once is sent once (single flight).
--
-- A stored response that is fresh is reused; one that is stale is reused, too, while one of all sends the request anew; where there
-- is none, one leads: sends the request, and the others follow: wait for its response. In a process the leader is who came first,
-- in state.leaders; among processes it is who holds the lock in the store. Who has waited half of its time takes the second
-- lock: nobody fails because the holder of the first has died, and no crowd sends the request instead of it.
--
-- Stored responses are those of entries.lua: { time, generation, status, is_settled, body, age }.

local core = require "cloud66.core"
local credentials = require "cloud66.http.credentials"
local entries = require "cloud66.sharing.entries"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local host = require "cloud66.runtime.host"
local keys = require "cloud66.sharing.keys"
local responses = require "cloud66.http.response"
local tasks = require "cloud66.runtime.tasks"
local wait = require "cloud66.runtime.wait"

local cache = {}

local methods = {}
local cache_mt = { __name = "cloud66.cache", __index = methods }

-- Seconds.
local LOCK = 5 -- that a lock lasts: one who died holds nobody up for longer
local AGAIN = 1 -- until a failed refresh is tried again
local FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05 -- until a follower checks again for the leader's response

local MOST_FAILURES = 100

-- What goes wrong on the way will go wrong for all in this process who wanted the same at the same time; not what has to do with
-- how long one of them would wait, nor with a budget of one's own.
local SHARED_FAILURES = {
  connect = true, tls = true, network = true, protocol = true, too_large = true, decode = true, throttled = true,
}

local function notify(want, state, age)
  local api, call = want.api, want.call
  if api.settings.on.cache then
    hooks.call(api.settings.on, "cache", { method = call.method, url = call.address, state = state, age = age })
  end
end

-- The response that a stored one makes for this caller.
local function reuse(want, stored, state)
  notify(want, state, stored.age)
  want.order.time = math.max(want.order.time, stored.time)
  local api = want.api
  local got = responses.new({ status = stored.status, headers = {}, body = stored.body, age = stored.age },
    api.show_of(want.token), credentials.source_name(api.settings), want.call.hint)
  if not got:is_success() then
    return got:failure()
  end
  return got
end

-- Whether this caller may reuse a stored response, and whether it is fresh.
local function may_reuse(self, want, stored)
  return self.entries:may_reuse(stored, want.user, self.settings, want.order.time)
end

-- A stored response that may be reused, and whether it is fresh; or nil.
local function find(self, want)
  local stored = self.entries:get(want.key)
  if not stored then
    return nil
  end
  local usable, fresh = may_reuse(self, want, stored)
  return usable and stored or nil, fresh
end

-- --- sending the request ---

-- Whether others may get this response. Not what was sent to another token than the one of the key; no token is
-- stored; throttling is the budget's to share; and a 407 is about the way of this process.
local function is_storable(want, response, err, is_same_token)
  return is_same_token and response.status ~= 401 and response.status ~= 407 and not (err and err.kind == "throttled")
    and not want.api.holds_token(response.body)
end

-- Sends the request: response; or nil, message, err; and as the fourth what is to be stored, where others may get it.
local function send(self, want, fetch)
  local stored = { time = core.time(), generation = self.entries:generation(want.user), is_settled = false }
  local got, message, err, failed, is_same_token = fetch()
  local response = (got or failed or {}).response
  if got then
    local value
    value, message, err = want.call.read(got)
    if value == nil then
      return nil, message, err
    end
    local is_settled = want.call.purpose.is_settled
    stored.is_settled = is_settled ~= nil and is_settled(got)
  else
    stored.time = core.time() -- reused for a moment from now, however long it took
  end
  if not response or not is_storable(want, response, err, is_same_token) then
    return got, message, err
  end
  stored.status, stored.body = response.status, response.body
  return got, message, err, stored
end

-- --- failures on the way: shared in this process for a moment ---

local function remember_failure(self, key, err)
  local failures = self.state.failures
  local count, now = 0, host.now()
  for other, failure in pairs(failures) do
    count = count + 1
    if failure.ends <= now then
      failures[other] = nil
    end
  end
  if count < MOST_FAILURES then
    failures[key] = { err = err, ends = now + AGAIN }
  end
end

-- Whether there is one, and then nil, message, err.
local function remembered_failure(self, key)
  local failure = self.state.failures[key]
  if failure and failure.ends > host.now() then
    local err = errors.copy(failure.err)
    return true, nil, err.message, err
  end
  return false
end

-- --- where there is none: a leader ---

-- Waits for the lock, or for what another process stores meanwhile: the lock; or nil and the stored response.
local function lock_or_stored(self, want)
  local pause = FIRST_PAUSE
  local lock = self.entries:lock(want.key .. ":lock", LOCK)
  while not lock do
    if host.now() >= want.half then
      lock = self.entries:lock(want.key .. ":lock2", LOCK)
      if lock then
        break
      end
    end
    if want.api.closed or host.now() + pause >= want.ends or host.problem() then
      return nil
    end
    wait.sleep(pause)
    pause = math.min(LONGEST_PAUSE, pause * 1.5)
    local stored = find(self, want)
    if stored then
      return nil, stored
    end
    lock = self.entries:lock(want.key .. ":lock", LOCK)
  end
  local stored = find(self, want) -- since the last time, before the lock was ours
  if stored then
    self.entries:unlock(lock)
    return nil, stored
  end
  return lock
end

-- Why there is neither a lock nor a response.
local function held_up(want)
  local problem = host.problem()
  if want.api.closed then
    return want.api.aborted()
  elseif problem then
    return errors.fail("phase", problem, { unsent = true })
  end
  return errors.fail("timeout", "another process sends the same request to the API, and its response did not come in time",
    { unsent = true })
end

-- Sends the request, or waits for another process that does, for all of this process.
local function lead(self, want, fetch, leader)
  local lock, found = lock_or_stored(self, want)
  if found then
    leader.stored = found
    return reuse(want, found, "joined")
  elseif not lock then
    return held_up(want)
  end
  notify(want, "miss")
  local got, message, err, stored = send(self, want, fetch)
  leader.stored = stored or false
  if stored then
    self.entries:put(want.key, stored, self.settings)
  elseif err and SHARED_FAILURES[err.kind] and not err.budget then
    remember_failure(self, want.key, err)
  end
  self.entries:unlock(lock)
  if stored then
    want.order.time = math.max(want.order.time, stored.time)
  end
  return got, message, err
end

-- --- where another caller of this process leads: followers ---

-- Whether it may be waited for. As long as a lock lasts: its light thread may have been killed.
local function may_follow(want, leader)
  local now = host.now()
  return leader and not leader.ended and now < leader.until_when and now < want.half and not want.api.closed
end

-- Waits for the leader: its response, if it may be reused; or false.
local function follow(self, want, leader)
  local pause = FIRST_PAUSE
  while not leader.ended do
    if not may_follow(want, leader) then
      return false
    end
    wait.sleep(pause)
    pause = math.min(LONGEST_PAUSE, pause * 1.5)
  end
  return leader.stored and may_reuse(self, want, leader.stored) and leader.stored
end

-- Where the leader could not go on while this caller waits: in a coroutine of the user's own inside map, say.
local function send_without_following(self, want, fetch)
  if host.problem() then
    return held_up(want)
  end
  notify(want, "miss")
  local got, message, err, stored = send(self, want, fetch)
  if stored then
    self.entries:put(want.key, stored, self.settings)
  end
  return got, message, err
end

local function miss(self, want, fetch)
  local leaders = self.state.leaders
  while may_follow(want, leaders[want.key]) do
    if not wait.lets_others_go() then
      return send_without_following(self, want, fetch)
    end
    local stored = follow(self, want, leaders[want.key])
    if stored then
      return reuse(want, stored, "joined")
    end
    local failed, _, message, err = remembered_failure(self, want.key)
    if failed then
      return nil, message, err
    end
  end
  local leader = { ended = false, stored = false, until_when = host.now() + LOCK }
  leaders[want.key] = leader
  local ok, got, message, err = pcall(lead, self, want, fetch, leader)
  leader.ended = true
  if leaders[want.key] == leader then
    leaders[want.key] = nil
  end
  if not ok then
    error(got, 0)
  end
  return got, message, err
end

-- --- where what there is is stale ---

-- What the API sends about the thing itself ends what was known of it; what hinders the request does not.
local LASTING = { auth = true, trial_expired = true, forbidden = true, not_found = true }

local function is_lasting(err)
  return LASTING[err.kind] and not err.intermediary
end

-- Sends the request anew, holding the lock.
local function refresh(self, want, fetch, lock)
  local got, message, err, stored = send(self, want, fetch)
  if stored and (got or is_lasting(err)) then
    self.entries:put(want.key, stored, self.settings)
  elseif err and is_lasting(err) then
    self.entries:drop(want.key)
  end
  self.entries:unlock(lock, not got and AGAIN or nil)
  return got, message, err
end

local function serve_stale(self, want, stored, fetch)
  local lock = self.entries:lock(want.key .. ":lock", LOCK)
  if not lock then
    return reuse(want, stored, "stale")
  end
  local newer, fresh = find(self, want)
  if newer and fresh then -- stored before the lock was ours
    self.entries:unlock(lock)
    return reuse(want, newer, "fresh")
  end
  local started = host.background(function()
    want.call.started, want.call.waits = host.now(), false -- nobody does
    refresh(self, want, fetch, lock)
  end)
  if started then
    return reuse(want, stored, "stale")
  end
  notify(want, "miss")
  local got, message, err = refresh(self, want, fetch, lock)
  if got or is_lasting(err) or err.kind == "aborted" then
    return got, message, err
  elseif may_reuse(self, want, stored) then
    return reuse(want, stored, "stale")
  end
  return got, message, err
end

-- --- a cache ---

---What a caller wants: { api, call, token, user, key = of the store, order, ends, half = by host.now(): when its time is
---over, and half of it }.
---@param api table     of api.new()
---@param call table    of http/api.lua
---@param token string
---@param user string   of keys.user()
---@return table
function cache.wanted(api, call, token, user)
  local ends = math.min(call.started + api.settings.timeout.total, tasks.deadline(), call.latest)
  return {
    api = api, call = call, token = token, user = user,
    key = keys.response(token, api.settings.account, call.address),
    order = call.purpose.order or { time = 0 }, ends = ends, half = (call.started + ends) / 2,
  }
end

---The response to a GET, a stored one or of a request.
---@param want table  of wanted()
---@param fetch function  sends it: response; or nil, message, err, failed response; and as the fifth whether the token was
---the wanted one
---@return table|nil response, string? message, cloud66.Error? err
function methods:serve(want, fetch)
  local stored, fresh = find(self, want)
  if stored and #stored.body > want.api.settings.max_body then
    return fetch() -- whose error names the limit
  elseif stored and fresh then
    return reuse(want, stored, stored.is_settled and "settled" or "fresh")
  elseif stored then
    return serve_stale(self, want, stored, fetch)
  end
  local failed, _, message, err = remembered_failure(self, want.key)
  if failed then
    return nil, message, err
  end
  return miss(self, want, fetch)
end

---@param store table     of failover.of()
---@param settings table  {fresh, stale, settled}, seconds
function cache.new(store, settings)
  return setmetatable({ entries = entries.new(store), settings = settings, state = store.state }, cache_mt)
end

return cache
