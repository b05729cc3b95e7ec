-- cache.lua: a GET that many want at once is sent once.
--
-- What is kept and fresh is given out; what is stale is given out too, while one of all asks anew; where there is none, one
-- asks and the others wait for it. Who that is: in a process, who began its `flight`; of the processes, who holds the lock in
-- the store. Who has waited half of its time takes the second lock: nobody fails because the holder of the first has died,
-- and no crowd asks instead of it.

local core = require "cloud66.core"
local errors = require "cloud66.error"
local hooks = require "cloud66.hooks"
local kept = require "cloud66.kept"
local names = require "cloud66.names"
local reply = require "cloud66.reply"
local scheduler = require "cloud66.scheduler"

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

local function tell(api, call, state, age)
  if api.settings.on.cache then
    hooks.call(api.settings.on, "cache", { method = call.method, url = call.address, state = state, age = age })
  end
end

-- The reply that an answer makes for this caller.
local function given(api, call, answer, state)
  tell(api, call, state, answer.age)
  call.order.time = math.max(call.order.time, answer.time)
  local got = reply.new({ status = answer.status, headers = {}, body = answer.body, age = answer.age }, call.token,
    call.source, call.hint)
  if not got:is_success() then
    return got:failure()
  end
  return got
end

-- --- asking the API ---

-- Whether others may be given what the API said. Not what was said to another token than the one that was looked for; no
-- token is kept; and of throttling the budget tells.
local function is_keepable(call, response, err)
  return call.token == call.asked_token and response.status ~= 401 and not (err and err.kind == "throttled")
    and not response.body:find(call.token, 1, true)
end

-- Sends the request. Also what the API said, where others may be given it: {time, mark, is_settled, status, body}.
local function ask(self, call, fetch)
  local answer = { time = core.time(), mark = self.kept:mark(call.user), is_settled = false }
  local got, message, err = fetch()
  local response = got and got.response or call.failed
  if got then
    local value
    value, message, err = call.accepts(got)
    if value == nil then
      return nil, message, err
    end
    answer.is_settled = call.is_settled ~= nil and call.is_settled(got)
  else
    answer.time = core.time() -- told for a moment from now, however long it took
  end
  if not response or not is_keepable(call, response, err) then
    return got, message, err
  end
  answer.status, answer.body = response.status, response.body
  return got, message, err, answer
end

-- --- failures on the way: told to those of this process for a moment ---

local function remember_failure(self, key, err)
  local failures = self.state.failures
  local count, now = 0, scheduler.now()
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
  if failure and failure.ends > scheduler.now() then
    local err = errors.copy(failure.err)
    return true, nil, err.message, err
  end
  return false
end

-- --- where there is none ---

-- What may be given out of what is kept: the answer, and whether it is fresh.
local function look(self, call, key)
  local answer = self.kept:get(key)
  if not answer then
    return nil
  end
  local usable, fresh = self.kept:fits(answer, call.user, self.settings, call.order.time)
  return usable and answer or nil, fresh
end

-- Waits for the lock, or for what another process keeps meanwhile: the lock; or nil and the answer.
local function lock_or_answer(self, api, call, key)
  local pause = FIRST_PAUSE
  local lock = self.kept:lock(key .. ":lock", LOCK)
  while not lock do
    if scheduler.now() >= call.half then
      lock = self.kept:lock(key .. ":lock2", LOCK)
      if lock then
        break
      end
    end
    if api.closed or scheduler.now() + pause >= call.ends or scheduler.problem() then
      return nil
    end
    scheduler.sleep(pause)
    pause = math.min(LONGEST_PAUSE, pause * 1.5)
    local answer = look(self, call, key)
    if answer then
      return nil, answer
    end
    lock = self.kept:lock(key .. ":lock", LOCK)
  end
  local answer = look(self, call, key) -- kept between our look and our lock
  if answer then
    self.kept:unlock(lock)
    return nil, answer
  end
  return lock
end

-- Why there is neither lock nor answer.
local function held_up(api)
  local problem = scheduler.problem()
  if api.closed then
    return errors.fail("aborted", "this client was closed", { unsent = true })
  elseif problem then
    return errors.fail("phase", problem, { unsent = true })
  end
  return errors.fail("timeout", "another process asks the API for the same, and its answer did not come in time",
    { unsent = true })
end

-- Asks, or waits for another process that does, for all of this process.
local function fly(self, api, call, key, fetch, flight)
  local lock, found = lock_or_answer(self, api, call, key)
  if found then
    flight.answer = found
    return given(api, call, found, "joined")
  elseif not lock then
    return held_up(api)
  end
  tell(api, call, "miss")
  local got, message, err, answer = ask(self, call, fetch)
  flight.answer = answer or false
  if answer then
    self.kept:put(key, answer, self.settings)
  elseif err and TOLD[err.kind] and not err.budget then
    remember_failure(self, key, err)
  end
  self.kept:unlock(lock)
  if answer then
    call.order.time = math.max(call.order.time, answer.time)
  end
  return got, message, err
end

-- Whether another caller of this process is to be waited for. As long as a lock lasts: its light thread may have been killed.
local function may_join(api, call, flight)
  local now = scheduler.now()
  return flight and not flight.ended and now < flight.until_when and now < call.half and not api.closed
end

-- Waits while another caller of this process asks. Whether there is something to give, and what.
local function join(self, api, call, flight)
  local pause = FIRST_PAUSE
  while not flight.ended do
    if not may_join(api, call, flight) then
      return false
    end
    scheduler.sleep(pause)
    pause = math.min(LONGEST_PAUSE, pause * 1.5)
  end
  local answer = flight.answer
  return answer and self.kept:fits(answer, call.user, self.settings, call.order.time) and answer
end

-- Where the one who asks could not go on while this caller waits: in a coroutine of the user's own inside map, say.
local function ask_alone(self, api, call, key, fetch)
  if scheduler.problem() then
    return held_up(api)
  end
  tell(api, call, "miss")
  local got, message, err, answer = ask(self, call, fetch)
  if answer then
    self.kept:put(key, answer, self.settings)
  end
  return got, message, err
end

local function miss(self, api, call, key, fetch)
  local flights = self.state.flights
  while may_join(api, call, flights[key]) do
    if not scheduler.lets_others_go() then
      return ask_alone(self, api, call, key, fetch)
    end
    local answer = join(self, api, call, flights[key])
    if answer then
      return given(api, call, answer, "joined")
    end
    local failed, _, message, err = remembered_failure(self, key)
    if failed then
      return nil, message, err
    end
  end
  local flight = { ended = false, answer = false, until_when = scheduler.now() + LOCK }
  flights[key] = flight
  local ok, got, message, err = pcall(fly, self, api, call, key, fetch, flight)
  flight.ended = true
  if flights[key] == flight then
    flights[key] = nil
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
local function refresh(self, call, key, fetch, lock)
  local got, message, err, answer = ask(self, call, fetch)
  if answer and (got or LASTING[err.kind]) then
    self.kept:put(key, answer, self.settings)
  elseif err and LASTING[err.kind] then
    self.kept:drop(key)
  end
  self.kept:unlock(lock, not got and AGAIN or nil)
  return got, message, err
end

local function give_stale(self, api, call, key, answer, fetch)
  local lock = self.kept:lock(key .. ":lock", LOCK)
  if not lock then
    return given(api, call, answer, "stale")
  end
  local newer, fresh = look(self, call, key)
  if newer and fresh then -- kept between our look and our lock
    self.kept:unlock(lock)
    return given(api, call, newer, "fresh")
  end
  local started = scheduler.background(function()
    call.started, call.in_background = scheduler.now(), true
    refresh(self, call, key, fetch, lock)
  end)
  if started then
    return given(api, call, answer, "stale")
  end
  tell(api, call, "miss")
  local got, message, err = refresh(self, call, key, fetch, lock)
  if got or LASTING[err.kind] or err.kind == "aborted" then
    return got, message, err
  elseif self.kept:fits(answer, call.user, self.settings, call.order.time) then
    return given(api, call, answer, "stale")
  end
  return got, message, err
end

---Answers a GET from what is kept, or by asking.
---@param api table    of request.new()
---@param call table   of request.lua
---@param fetch fun(): table|nil, string?, cloud66.Error?  sends it
---@return table|nil reply, string? message, cloud66.Error? err
function methods:serve(api, call, fetch)
  call.ends = math.min(call.started + api.settings.timeout.total, scheduler.deadline(), call.latest)
  call.half = (call.started + call.ends) / 2
  call.asked_token = call.token
  local key = names.answer(call.token, api.settings.account, call.address)
  local answer, fresh = look(self, call, key)
  if answer and #answer.body > api.settings.max_body then
    return fetch() -- whose error says so
  elseif answer and fresh then
    return given(api, call, answer, answer.is_settled and "settled" or "fresh")
  elseif answer then
    return give_stale(self, api, call, key, answer, fetch)
  end
  local failed, _, message, err = remembered_failure(self, key)
  if failed then
    return nil, message, err
  end
  return miss(self, api, call, key, fetch)
end

---@param store table     of shared.of()
---@param settings table  {fresh, stale, settled}, seconds
function cache.new(store, settings)
  return setmetatable({ kept = kept.new(store), settings = settings, state = store.state }, cache_mt)
end

return cache
