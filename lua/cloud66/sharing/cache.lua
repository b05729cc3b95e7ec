-- cache.lua: a GET that many want at once is sent once.
--
-- What is kept and fresh is given out; what is stale is given out too, while one of all asks anew; where there is none, one
-- asks and the others wait for it. Who that is: in a process, who began its `flight`; of the processes, who holds the lock in
-- the store. Who has waited half of its time takes the second lock: nobody fails because the holder of the first has died,
-- and no crowd asks instead of it.

local core = require "cloud66.core"
local credentials = require "cloud66.http.credentials"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local entries = require "cloud66.sharing.entries"
local keys = require "cloud66.sharing.keys"
local responses = require "cloud66.http.response"
local host = require "cloud66.runtime.host"
local tasks = require "cloud66.runtime.tasks"
local wait = require "cloud66.runtime.wait"

local cache = {}

local methods = {}
local cache_mt = { __name = "cloud66.cache", __index = methods }

local LOCK = 5 -- seconds that a lock lasts: one who died holds nobody up for longer
local AGAIN = 1 -- seconds until a failed refresh is tried again
local FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05 -- seconds between two looks for another's answer
local MOST_FAILURES = 100

-- What goes wrong on the way will go wrong for all in this process who asked at the same time; not what has to do with how
-- long one of them would wait, nor with a budget of one's own.
local TOLD = { connect = true, tls = true, network = true, protocol = true, too_large = true, decode = true, throttled = true }

local function tell(want, state, age)
  local api, call = want.api, want.call
  if api.settings.on.cache then
    hooks.call(api.settings.on, "cache", { method = call.method, url = call.address, state = state, age = age })
  end
end

-- The response that a stored one makes for this caller.
local function given(want, answer, state)
  tell(want, state, answer.age)
  want.order.time = math.max(want.order.time, answer.time)
  local api = want.api
  local got = responses.new({ status = answer.status, headers = {}, body = answer.body, age = answer.age },
    api.show_of(want.token), credentials.source_name(api.settings), want.call.hint)
  if not got:is_success() then
    return got:failure()
  end
  return got
end

-- --- asking the API ---

-- Whether others may be given what the API said. Not what was said to another token than the one that was looked for; no
-- token is kept; and of throttling the budget tells.
local function is_keepable(want, response, err, is_same_token)
  return is_same_token and response.status ~= 401 and not (err and err.kind == "throttled")
    and not want.api.holds_token(response.body)
end

-- Sends the request. Also what the API said, where others may be given it: {time, mark, is_settled, status, body}.
local function ask(self, want, fetch)
  local answer = { time = core.time(), mark = self.entries:mark(want.user), is_settled = false }
  local got, message, err, failed, is_same_token = fetch()
  local response = (got or failed or {}).response
  if got then
    local value
    value, message, err = want.call.read(got)
    if value == nil then
      return nil, message, err
    end
    local is_settled = want.call.purpose.is_settled
    answer.is_settled = is_settled ~= nil and is_settled(got)
  else
    answer.time = core.time() -- told for a moment from now, however long it took
  end
  if not response or not is_keepable(want, response, err, is_same_token) then
    return got, message, err
  end
  answer.status, answer.body = response.status, response.body
  return got, message, err, answer
end

-- --- failures on the way: told to those of this process for a moment ---

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

local function remembered_failure(self, key)
  local failure = self.state.failures[key]
  if failure and failure.ends > host.now() then
    local err = errors.copy(failure.err)
    return true, nil, err.message, err
  end
  return false
end

-- --- where there is none ---

-- What may be given out of what is kept: the answer, and whether it is fresh.
local function look(self, want)
  local answer = self.entries:get(want.key)
  if not answer then
    return nil
  end
  local usable, fresh = self.entries:fits(answer, want.user, self.settings, want.order.time)
  return usable and answer or nil, fresh
end

-- Waits for the lock, or for what another process keeps meanwhile: the lock; or nil and the answer.
local function lock_or_answer(self, want)
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
    local answer = look(self, want)
    if answer then
      return nil, answer
    end
    lock = self.entries:lock(want.key .. ":lock", LOCK)
  end
  local answer = look(self, want) -- kept between our look and our lock
  if answer then
    self.entries:unlock(lock)
    return nil, answer
  end
  return lock
end

-- Why there is neither lock nor answer.
local function held_up(want)
  local problem = host.problem()
  if want.api.closed then
    return want.api.aborted()
  elseif problem then
    return errors.fail("phase", problem, { unsent = true })
  end
  return errors.fail("timeout", "another process asks the API for the same, and its answer did not come in time",
    { unsent = true })
end

-- Asks, or waits for another process that does, for all of this process.
local function fly(self, want, fetch, flight)
  local lock, found = lock_or_answer(self, want)
  if found then
    flight.answer = found
    return given(want, found, "joined")
  elseif not lock then
    return held_up(want)
  end
  tell(want, "miss")
  local got, message, err, answer = ask(self, want, fetch)
  flight.answer = answer or false
  if answer then
    self.entries:put(want.key, answer, self.settings)
  elseif err and TOLD[err.kind] and not err.budget then
    remember_failure(self, want.key, err)
  end
  self.entries:unlock(lock)
  if answer then
    want.order.time = math.max(want.order.time, answer.time)
  end
  return got, message, err
end

-- Whether another caller of this process is to be waited for. As long as a lock lasts: its light thread may have been killed.
local function may_join(want, flight)
  local now = host.now()
  return flight and not flight.ended and now < flight.until_when and now < want.half and not want.api.closed
end

-- Waits while another caller of this process asks. Whether there is something to give, and what.
local function join(self, want, flight)
  local pause = FIRST_PAUSE
  while not flight.ended do
    if not may_join(want, flight) then
      return false
    end
    wait.sleep(pause)
    pause = math.min(LONGEST_PAUSE, pause * 1.5)
  end
  local answer = flight.answer
  return answer and self.entries:fits(answer, want.user, self.settings, want.order.time) and answer
end

-- Where the one who asks could not go on while this caller waits: in a coroutine of the user's own inside map, say.
local function ask_alone(self, want, fetch)
  if host.problem() then
    return held_up(want)
  end
  tell(want, "miss")
  local got, message, err, answer = ask(self, want, fetch)
  if answer then
    self.entries:put(want.key, answer, self.settings)
  end
  return got, message, err
end

local function miss(self, want, fetch)
  local flights = self.state.flights
  while may_join(want, flights[want.key]) do
    if not wait.lets_others_go() then
      return ask_alone(self, want, fetch)
    end
    local answer = join(self, want, flights[want.key])
    if answer then
      return given(want, answer, "joined")
    end
    local failed, _, message, err = remembered_failure(self, want.key)
    if failed then
      return nil, message, err
    end
  end
  local flight = { ended = false, answer = false, until_when = host.now() + LOCK }
  flights[want.key] = flight
  local ok, got, message, err = pcall(fly, self, want, fetch, flight)
  flight.ended = true
  if flights[want.key] == flight then
    flights[want.key] = nil
  end
  if not ok then
    error(got, 0)
  end
  return got, message, err
end

-- --- where what there is is stale ---

-- What the API says of the thing itself ends what was known of it; what keeps us from asking does not.
local LASTING = { auth = true, trial_expired = true, forbidden = true, not_found = true }

-- Asks anew, holding the lock.
local function refresh(self, want, fetch, lock)
  local got, message, err, answer = ask(self, want, fetch)
  if answer and (got or LASTING[err.kind]) then
    self.entries:put(want.key, answer, self.settings)
  elseif err and LASTING[err.kind] then
    self.entries:drop(want.key)
  end
  self.entries:unlock(lock, not got and AGAIN or nil)
  return got, message, err
end

local function give_stale(self, want, answer, fetch)
  local lock = self.entries:lock(want.key .. ":lock", LOCK)
  if not lock then
    return given(want, answer, "stale")
  end
  local newer, fresh = look(self, want)
  if newer and fresh then -- kept between our look and our lock
    self.entries:unlock(lock)
    return given(want, newer, "fresh")
  end
  local started = host.background(function()
    want.call.started, want.call.waits = host.now(), false -- nobody does
    refresh(self, want, fetch, lock)
  end)
  if started then
    return given(want, answer, "stale")
  end
  tell(want, "miss")
  local got, message, err = refresh(self, want, fetch, lock)
  if got or LASTING[err.kind] or err.kind == "aborted" then
    return got, message, err
  elseif self.entries:fits(answer, want.user, self.settings, want.order.time) then
    return given(want, answer, "stale")
  end
  return got, message, err
end

---What a caller wants: { api, call, token, user, key = of the store, order, ends, half = by host.now(): when its time is
---over, and half of it }.
---@param api table     of api.new()
---@param call table    of http/api.lua
---@param token string, user string  of keys.user()
---@return table
function cache.wanted(api, call, token, user)
  local ends = math.min(call.started + api.settings.timeout.total, tasks.deadline(), call.latest)
  return {
    api = api, call = call, token = token, user = user,
    key = keys.answer(token, api.settings.account, call.address),
    order = call.purpose.order or { time = 0 }, ends = ends, half = (call.started + ends) / 2,
  }
end

---Answers a GET from what is kept, or by asking.
---@param want table  of wanted()
---@param fetch function  sends it: response; or nil, message, err, failed response; and as the fifth whether the token was
---the wanted one
---@return table|nil response, string? message, cloud66.Error? err
function methods:serve(want, fetch)
  local answer, fresh = look(self, want)
  if answer and #answer.body > want.api.settings.max_body then
    return fetch() -- whose error says so
  elseif answer and fresh then
    return given(want, answer, answer.is_settled and "settled" or "fresh")
  elseif answer then
    return give_stale(self, want, answer, fetch)
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
