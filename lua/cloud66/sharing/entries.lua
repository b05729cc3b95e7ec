-- entries.lua: answers in a store, as they were received, and which of them may still be given out.
--
-- Each carries the mark that its user had before it was asked for. What changes something makes the mark another, and
-- with it all that was kept before is none. There always is one: where a store has lost it, a new one is made.

local core = require "cloud66.core"
local keys = require "cloud66.sharing.keys"
local host = require "cloud66.runtime.host"

local entries = {}

local methods = {}
local entries_mt = { __name = "cloud66.entries", __index = methods }

entries.LARGEST = 1000000 -- bytes: what is longer is not kept
entries.LONGEST = 86400 -- seconds that anything is kept
local FAILURE = 1 -- seconds that a failure is kept, so that a crowd does not ask again at once
local AHEAD = 10 -- seconds that another host's clock may be ahead of this one's
local GONE = 0.001 -- seconds: how to remove something

-- --- the form they are kept in: "1 TIME MARK STATUS KIND\n" and the body ---

local KINDS = { fresh = true, settled = true }

local function pack(answer)
  return ("1 %.3f %s %d %s\n%s"):format(answer.time, answer.mark, answer.status, answer.is_settled and "settled" or "fresh",
    answer.body)
end

-- nil where it is no such text: anybody may have written into the store.
local function unpack_answer(text)
  local time, mark, status, kind, at = text:match "^1 (%d+%.%d+) ([%w-]+) (%d%d%d) (%l+)\n()"
  if not time or #time > 20 or not KINDS[kind] then
    return nil
  end
  return { time = tonumber(time), mark = mark, status = tonumber(status), is_settled = kind == "settled", body = text:sub(at) }
end

-- --- the store, or this process alone while it fails ---

local function get(self, key)
  local value = self.store:get(key)
  if not value and self.store:is_failing() then
    value = self.store:fallback():get(key)
  end
  return value
end

local function set(self, key, value, ttl)
  if not self.store:set(key, value, ttl) or self.store:is_failing() then
    self.store:fallback():set(key, value, ttl)
  end
end

---A lock, if this caller now holds it.
---@param seconds number  until it is free again by itself
---@return table|nil
function methods:lock(key, seconds)
  local lock = { key = key, ends = host.now() + seconds }
  local mine = self.store:add(key, "1", seconds)
  if mine == nil then
    mine = self.store:fallback():add(key, "1", seconds)
  end
  return mine and lock or nil
end

---One that has ended is another's by now, and is left alone.
---@param lock table       of lock()
---@param seconds? number  for how long it stays locked; at once free without
function methods:unlock(lock, seconds)
  if host.now() < lock.ends then
    set(self, lock.key, "1", seconds or GONE)
  end
end

-- --- marks ---

-- Tells the others a mark that they could not be told before. Another light thread may have a later one meanwhile.
local function tell(self, user, mark)
  local owed = self.store.state.owed
  if self.store:set(keys.mark(user), mark, entries.LONGEST) and owed[user] == mark then
    owed[user] = nil
  end
  return owed[user] or mark
end

-- The mark that holds for a user.
local function mark_of(self, user)
  local owed, key = self.store.state.owed[user], keys.mark(user)
  if owed then
    return tell(self, user, owed)
  end
  local mark = self.store:get(key)
  if mark == false then
    mark = core.uuid()
    local made = self.store:add(key, mark, entries.LONGEST)
    if not made then -- another one was quicker
      mark = made == false and self.store:get(key)
    end
  end
  return mark or self.store:lone_mark()
end

---The mark for an answer that is about to be asked for.
---@param user string  of keys.user()
---@return string
function methods:mark(user)
  return mark_of(self, user)
end

---Something was or is being changed: nothing that was kept for this user is given out any more.
---@param seconds? number  and once more so much later, unless change() is called again before: of what is being changed, by
---one who may not live to say that it was
function methods:change(user, seconds)
  local mark = core.uuid()
  local told = self.store:set(keys.mark(user), mark, math.min(seconds or entries.LONGEST, entries.LONGEST))
  self.store.state.owed[user] = not told and mark or nil
end

-- --- answers ---

-- Seconds since; where another host's clock is a little ahead, 0.
local function age_of(answer)
  return math.max(0, core.time() - answer.time)
end

-- How old it is cannot be told: a clock was put back, or another's is wrong.
local function is_of_the_future(answer)
  return answer.time - core.time() > AHEAD
end

---Whether an answer may be given out, and whether without asking anew; with its age in seconds.
---@param answer table      of get() or new()
---@param user string       of keys.user()
---@param settings table    option `cache`
---@param newer_than number  Unix seconds: an older one will not do
---@return boolean usable, boolean fresh
function methods:fits(answer, user, settings, newer_than)
  local age = age_of(answer)
  answer.age = age
  if answer.time < newer_than or is_of_the_future(answer) or answer.mark ~= mark_of(self, user) then
    return false, false
  elseif answer.status < 200 or answer.status > 299 then
    return age < FAILURE, age < FAILURE
  elseif answer.is_settled then
    return age < settings.settled, age < settings.settled
  end
  return age < settings.stale, age < settings.fresh
end

---@param key string  of keys.answer()
---@return table|nil answer
function methods:get(key)
  local text = get(self, key)
  return text and unpack_answer(text) or nil
end

---@param answer table  {time, mark, status, is_settled, body}
function methods:put(key, answer, settings)
  local text = pack(answer)
  if #text > entries.LARGEST then
    return
  end
  local seconds = FAILURE
  if answer.status >= 200 and answer.status <= 299 then
    seconds = (answer.is_settled and settings.settled or settings.stale) - age_of(answer)
  end
  if seconds > 0 then
    set(self, key, text, seconds)
  end
end

function methods:drop(key)
  set(self, key, "", GONE)
end

---@param store table  of failover.of()
function entries.new(store)
  return setmetatable({ store = store }, entries_mt)
end

return entries
