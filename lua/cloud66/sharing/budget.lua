-- budget.lua: how many requests may still be sent this hour, by all who share a store.
--
-- A budget of one's own is exact: each request is counted in the store before it is sent. How many the server allows is
-- an estimate, from what its headers last said to any of them, or from its documents: it holds back what only reads, but
-- for one request a minute that finds out, and never what changes something.
--
-- In the store, for each user and hour: the count; `:said`, "limit remaining count": what the server said, and how many had
-- been counted then; `:look` and `:lost`, who looks and who counts for a store that has forgotten.

local errors = require "cloud66.base.error"
local rate_limit = require "cloud66.http.rate_limit"
local keys = require "cloud66.sharing.keys"

local budget = {}

local methods = {}
local budget_mt = { __name = "cloud66.budget", __index = methods }

local HOUR = 3600 -- seconds
local KEPT = 2 * HOUR -- seconds that a store keeps a count: clocks may differ
local LOOK = 60 -- seconds from one GET to the next where the server is taken to refuse
local LOST = 5 -- seconds in which one alone makes up for a store that has forgotten

-- A tenth of what there is, for what changes something.
local function reserve(limit)
  return math.floor(limit / 10)
end

-- A count as a store gives it: anybody may have written there.
local function number_of(text)
  return type(text) == "string" and #text <= 15 and tonumber(text:match "^%d+$") or nil
end

-- What this process knows of a user's hour: { key, left = seconds, remote = as counted in the store, sure = the same when a
-- request of ours was the last that was counted, owed = counted here alone, said = {limit, remaining, count} or false }
local function hour_of(self, user, now)
  local users, hour = self.store.state.users, math.floor(now / HOUR)
  if users.hour ~= hour then
    for name in pairs(users) do
      users[name] = nil
    end
    users.hour = hour
  end
  local spent = users[user]
  if not spent then
    spent = { key = keys.count(user, hour), remote = 0, sure = 0, owed = 0, said = false }
    users[user] = spent
  end
  spent.left = (hour + 1) * HOUR - now
  return spent
end

-- How many requests a store has forgotten: it was emptied, and others may have counted anew since. What is beyond a budget
-- is given back, so that a count may go down, by as much as is kept for changes. Known: what this process knew when it asked.
-- What it has learned since, in other light threads, may well be more than the answer.
local function forgotten(self, known, count)
  if not count then
    return known.remote
  end
  return count + reserve(self.own or 0) < known.sure and known.sure - count or 0
end

-- Learns the count of all. A store that was emptied is told what this process knew.
local function read_count(self, spent)
  local known = { remote = spent.remote, sure = spent.sure }
  local text = self.store:get(spent.key)
  local count = number_of(text)
  if not count and text ~= false then -- it cannot be told
    return spent.remote + spent.owed
  end
  local lost = forgotten(self, known, count)
  if lost == 0 then
    spent.remote = count or 0
  elseif self.store:add(spent.key .. ":lost", "1", LOST) then
    spent.owed, spent.remote, spent.sure = spent.owed + lost, count or 0, 0
  end
  return spent.remote + spent.owed
end

local function read_said(self, spent)
  local text = self.store:get(spent.key .. ":said")
  if text == false then
    spent.said = false
  elseif text then
    local limit, remaining, count = text:match "^(%d+) (%d+) (%d+)$"
    limit, remaining, count = number_of(limit), number_of(remaining), number_of(count)
    spent.said = limit and remaining and count and { limit = limit, remaining = remaining, count = count } or false
  end
  return spent.said
end

-- How many requests the server should still answer, and how many it answers an hour. Where it says nothing, a budget of
-- one's own is believed rather than the documents.
local function estimate(self, said, count)
  if not said then
    local limit = self.own or rate_limit.DOCUMENTED
    return limit - count, limit
  end
  return said.remaining - math.max(0, count - said.count), said.limit
end

-- Whether this is the request that finds out whether the server refuses: one a minute.
local function may_look(self, spent, now)
  local first = self.store:add(spent.key .. ":look", "1", LOOK)
  if first == nil then
    first = now - (spent.looked or -LOOK) >= LOOK
  end
  if first then
    spent.looked = now
  end
  return first
end

local function refuse(text, seconds, estimated)
  return errors.fail("throttled", text, {
    budget = true, unsent = true, retry_after = seconds, retry_after_estimated = estimated,
  })
end

local function refuse_own(self, spent, for_change)
  return refuse(("the budget of %d requests an hour is spent%s: wait for the next hour, or raise option 'budget'"):format(
    self.own, for_change and "" or ", but for what is kept for changes"), spent.left)
end

---Counts a request that is about to be sent. nil, message, err (`throttled`, with err.budget) where it must not be.
---@param user string         of keys.user()
---@param for_change boolean  whether it changes something, or is needed for it
---@param now number          Unix seconds
---@return true|nil ok, string? message, cloud66.Error? err
function methods:take(user, for_change, now)
  local spent = hour_of(self, user, now)
  local count, most = read_count(self, spent), math.huge
  if self.own then
    most = for_change and self.own or self.own - reserve(self.own)
    if count >= most then
      return refuse_own(self, spent, for_change)
    end
  end
  local left, limit = estimate(self, read_said(self, spent), count)
  if not for_change and left <= reserve(limit) and not may_look(self, spent, now) then
    return refuse(("of %d requests an hour the API should have no more than %d left, which are kept for changes: "
      .. "wait for the next hour"):format(limit, math.max(0, left)), spent.left, true)
  end
  local owed = 1 + spent.owed
  spent.owed = 0 -- no other light thread may count it too meanwhile
  local counted = self.store:incr(spent.key, owed, KEPT)
  if counted then
    spent.remote = math.max(0, counted)
  else
    spent.owed = spent.owed + owed
  end
  if spent.remote + spent.owed <= most then
    spent.sure = counted and spent.remote or spent.sure
    return true
  elseif counted then -- another one was quicker
    spent.remote = self.store:incr(spent.key, -1, KEPT) or spent.remote
  else
    spent.owed = spent.owed - 1
  end
  return refuse_own(self, spent, for_change)
end

local function say(self, spent, said, seconds)
  spent.said = said
  self.store:set(spent.key .. ":said", ("%d %d %d"):format(said.limit, said.remaining, said.count), math.max(0.001, seconds))
end

---What the headers of an answer say: told to the others where they would not expect it.
---@param headers table  lower-case names
---@param now number     Unix seconds
function methods:read(user, headers, now)
  local limit, remaining = rate_limit.said(headers)
  if not (limit and remaining) then
    return
  end
  local spent = hour_of(self, user, now)
  local count = spent.remote + spent.owed
  local left, known = estimate(self, spent.said, count)
  if not spent.said or known ~= limit or math.abs(left - remaining) > math.max(1, limit / 100) then
    say(self, spent, { limit = limit, remaining = remaining, count = count }, spent.left)
  end
end

---The server has refused.
---@param err cloud66.Error
---@param now number  Unix seconds
function methods:refused(user, err, now)
  local spent = hour_of(self, user, now)
  local limit = spent.said and spent.said.limit or rate_limit.DOCUMENTED
  local seconds = spent.left
  if err.retry_after and not err.retry_after_estimated then
    seconds = math.min(seconds, err.retry_after)
  end
  say(self, spent, { limit = limit, remaining = 0, count = spent.remote + spent.owed }, seconds)
  self.store:set(spent.key .. ":look", "1", math.min(LOOK, math.max(0.001, seconds)))
end

---The server has answered after all, whatever was taken to be left.
function methods:served(user, headers, now)
  local spent = hour_of(self, user, now)
  if spent.said and spent.said.remaining == 0 and not rate_limit.said(headers) then
    spent.said = false
    self.store:set(spent.key .. ":said", "", 0.001)
  end
end

---What client:limits() gives: see http/rate_limit.lua.
---@param user string
---@param report cloud66.Limits  of the server alone; filled in
---@param now number             Unix seconds
---@return cloud66.Limits
function methods:report(user, report, now)
  local spent = hour_of(self, user, now)
  local count = read_count(self, spent)
  local left, limit = estimate(self, read_said(self, spent), count)
  report.counted = not spent.said
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
