-- budget.lua: how many requests may still be sent this hour, by all who share a store.
--
-- A budget of one's own is exact: each request is counted in the store before it is sent. How many the server allows is an
-- estimate, from what its headers last reported to any of them, or from its documents: it holds back what only reads, but for
-- one probe a minute, and never what changes something.
--
-- In the store, for each user and hour, under the keys of keys.hour():
--
--   count     how many requests, as digits
--   reported  "LIMIT REMAINING COUNT": what the server reported, and what the count was then
--   probe     there while no other request is to find out whether the server still refuses
--   reset     there while one process makes up for a store that has forgotten the count

local errors = require "cloud66.base.error"
local keys = require "cloud66.sharing.keys"
local rate_limit = require "cloud66.http.rate_limit"

local budget = {}

local methods = {}
local budget_mt = { __name = "cloud66.budget", __index = methods }

local HOUR = 3600 -- seconds
local COUNT_TTL = 2 * HOUR -- seconds: clocks may differ
local PROBE = 60 -- seconds from one GET to the next where the server is taken to refuse
local RESET = 5 -- seconds in which one alone makes up for a store that has forgotten
local REMOVED = 0.001 -- seconds: a ttl that removes

-- A tenth of what there is, for what changes something.
local function reserve(limit)
  return math.floor(limit / 10)
end

-- A count as a store gives it: anybody may have written there.
local function number_of(text)
  return type(text) == "string" and #text <= 15 and tonumber(text:match "^%d+$") or nil
end

-- What this process knows of a user's hour: { keys, left = seconds until it is over, remote = the count in the store,
-- last_exact = the same when a request of ours was the last that was counted, unflushed = counted here alone, reported = {limit,
-- remaining, count} or false, probed = when, in Unix seconds }
local function usage_of(self, user, now)
  local users, hour = self.store.state.users, math.floor(now / HOUR)
  if users.hour ~= hour then
    for name in pairs(users) do
      users[name] = nil
    end
    users.hour = hour
  end
  local usage = users[user]
  if not usage then
    usage = { keys = keys.hour(user, hour), remote = 0, last_exact = 0, unflushed = 0, reported = false, probed = -math.huge }
    users[user] = usage
  end
  usage.left = (hour + 1) * HOUR - now
  return usage
end

-- How many requests a store has forgotten: it was emptied, and others may have counted anew since. What is beyond a budget
-- is taken off the count again, so that a count may go down, by as much as is reserved for changes. Known: what this process
-- knew when it read the count. What it has learned since, in other light threads, may well be more than the count.
local function forgotten(self, known, count)
  if not count then
    return known.remote
  end
  return count + reserve(self.own or 0) < known.last_exact and known.last_exact - count or 0
end

-- Learns the count of all. In a store that was emptied, what this process knew is counted once more.
local function read_count(self, usage)
  local known = { remote = usage.remote, last_exact = usage.last_exact }
  local text = self.store:get(usage.keys.count)
  local count = number_of(text)
  if not count and text ~= false then -- it cannot be read
    return usage.remote + usage.unflushed
  end
  local missing = forgotten(self, known, count)
  if missing == 0 then
    usage.remote = count or 0
  elseif self.store:add(usage.keys.reset, "1", RESET) then
    usage.unflushed, usage.remote, usage.last_exact = usage.unflushed + missing, count or 0, 0
  end
  return usage.remote + usage.unflushed
end

local function read_reported(self, usage)
  local text = self.store:get(usage.keys.reported)
  if text == false then
    usage.reported = false
  elseif text then
    local limit, remaining, count = text:match "^(%d+) (%d+) (%d+)$"
    limit, remaining, count = number_of(limit), number_of(remaining), number_of(count)
    usage.reported = limit and remaining and count and { limit = limit, remaining = remaining, count = count } or false
  end
  return usage.reported
end

-- How many requests the server should still serve, and how many it serves an hour. Where it reports nothing, a budget of
-- one's own is believed rather than the documents.
local function estimate(self, reported, count)
  if not reported then
    local limit = self.own or rate_limit.DOCUMENTED
    return limit - count, limit
  end
  return reported.remaining - math.max(0, count - reported.count), reported.limit
end

-- Whether this is the request that finds out whether the server refuses: one a minute.
local function may_probe(self, usage, now)
  local first = self.store:add(usage.keys.probe, "1", PROBE)
  if first == nil then
    first = now - usage.probed >= PROBE
  end
  if first then
    usage.probed = now
  end
  return first
end

-- --- before a request ---

local function refuse(text, seconds, estimated)
  return errors.fail("throttled", text, {
    budget = true, unsent = true, retry_after = seconds, retry_after_estimated = estimated,
  })
end

local function refuse_own(self, usage, for_change)
  return refuse(("the budget of %d requests an hour is spent%s: wait for the next hour, or raise option 'budget'"):format(
    self.own, for_change and "" or ", but for what is reserved for changes"), usage.left)
end

-- Counts a request, and what was counted here alone, if all of it is no more than `most`: whether it is.
local function count_one(self, usage, most)
  local amount = 1 + usage.unflushed
  usage.unflushed = 0 -- no other light thread may count it too meanwhile
  local counted = self.store:incr(usage.keys.count, amount, COUNT_TTL)
  if counted then
    usage.remote = math.max(0, counted)
  else
    usage.unflushed = usage.unflushed + amount
  end
  if usage.remote + usage.unflushed <= most then
    usage.last_exact = counted and usage.remote or usage.last_exact
    return true
  elseif counted then -- another one was quicker
    usage.remote = self.store:incr(usage.keys.count, -1, COUNT_TTL) or usage.remote
  else
    usage.unflushed = usage.unflushed - 1
  end
  return false
end

---Counts a request that is about to be sent. nil, message, err (`throttled`, with err.budget) where it must not be.
---@param user string         of keys.user()
---@param for_change boolean  whether it changes something, or is needed for it
---@param now number          Unix seconds
---@return true|nil ok, string? message, cloud66.Error? err
function methods:take(user, for_change, now)
  local usage = usage_of(self, user, now)
  local count, most = read_count(self, usage), math.huge
  if self.own then
    most = for_change and self.own or self.own - reserve(self.own)
    if count >= most then
      return refuse_own(self, usage, for_change)
    end
  end
  local left, limit = estimate(self, read_reported(self, usage), count)
  if not for_change and left <= reserve(limit) and not may_probe(self, usage, now) then
    return refuse(("of %d requests an hour the API should have no more than %d left, which are reserved for changes: "
      .. "wait for the next hour"):format(limit, math.max(0, left)), usage.left, true)
  end
  if count_one(self, usage, most) then
    return true
  end
  return refuse_own(self, usage, for_change)
end

-- --- after it ---

local function share(self, usage, reported, seconds)
  usage.reported = reported
  self.store:set(usage.keys.reported, ("%d %d %d"):format(reported.limit, reported.remaining, reported.count),
    math.max(REMOVED, seconds))
end

---What the headers of a response report: shared where the others would not expect it.
---@param headers table  lower-case names
---@param now number     Unix seconds
function methods:read(user, headers, now)
  local limit, remaining = rate_limit.reported(headers)
  if not (limit and remaining) then
    return
  end
  local usage = usage_of(self, user, now)
  local count = usage.remote + usage.unflushed
  local left, known = estimate(self, usage.reported, count)
  if not usage.reported or known ~= limit or math.abs(left - remaining) > math.max(1, limit / 100) then
    share(self, usage, { limit = limit, remaining = remaining, count = count }, usage.left)
  end
end

---The server has refused.
---@param err cloud66.Error
---@param now number  Unix seconds
function methods:refused(user, err, now)
  local usage = usage_of(self, user, now)
  local limit = usage.reported and usage.reported.limit or rate_limit.DOCUMENTED
  local seconds = usage.left
  if err.retry_after and not err.retry_after_estimated then
    seconds = math.min(seconds, err.retry_after)
  end
  share(self, usage, { limit = limit, remaining = 0, count = usage.remote + usage.unflushed }, seconds)
  self.store:set(usage.keys.probe, "1", math.min(PROBE, math.max(REMOVED, seconds)))
end

---The server has served after all, whatever was taken to be left, and its headers report nothing.
function methods:served(user, headers, now)
  local usage = usage_of(self, user, now)
  if usage.reported and usage.reported.remaining == 0 and not rate_limit.reported(headers) then
    usage.reported = false
    self.store:set(usage.keys.reported, "", REMOVED)
  end
end

---What client:limits() gives: see http/rate_limit.lua.
---@param user string
---@param report cloud66.Limits  of the server alone; filled in
---@param now number             Unix seconds
---@return cloud66.Limits
function methods:report(user, report, now)
  local usage = usage_of(self, user, now)
  local count = read_count(self, usage)
  local left, limit = estimate(self, read_reported(self, usage), count)
  report.counted = not usage.reported
  report.limit, report.remaining = limit, math.max(0, left)
  report.used = math.max(0, limit - report.remaining)
  if self.own and self.own - count < left then
    report.limit, report.remaining, report.used = self.own, math.max(0, self.own - count), count
  end
  report.kept = reserve(report.limit)
  report.shared = not self.store:is_failing()
  return report
end

---@param store table       of failover.of()
---@param own integer|false  requests an hour
function budget.new(store, own)
  return setmetatable({ store = store, own = own }, budget_mt)
end

return budget
