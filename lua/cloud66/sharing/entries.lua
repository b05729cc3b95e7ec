-- entries.lua: stored responses, as they were received, and which of them may still be reused.
--
-- A response is stored as "TIME GENERATION STATUS KIND\n" and the body. TIME, in Unix seconds, is when it was requested, of a
-- failure when it came; KIND is `settled` where it stays as it is, else `fresh`. GENERATION is the one that its user had when
-- it was requested.
--
-- A generation is a text that nobody else makes, an entry of its own for each user. What changes something begins a new one,
-- which invalidates all that was stored before. There always is one: where a store has forgotten it, a new one begins.

local core = require "cloud66.core"
local host = require "cloud66.runtime.host"
local keys = require "cloud66.sharing.keys"

local entries = {}

local methods = {}
local entries_mt = { __name = "cloud66.entries", __index = methods }

---Bytes: what is longer is not stored.
entries.LARGEST = 1000000
---Seconds that anything is stored.
entries.LONGEST = 86400

local FAILURE = 1 -- seconds that a failure is stored, so that a crowd does not send the same again at once
local AHEAD = 10 -- seconds that another host's clock may be ahead of this one's
local REMOVED = 0.001 -- seconds: a ttl that removes

-- --- a stored response { time, generation, status, is_settled, body } as text ---

local KINDS = { fresh = true, settled = true }

local function pack(stored)
  return ("%.3f %s %d %s\n%s"):format(stored.time, stored.generation, stored.status, stored.is_settled and "settled" or "fresh",
    stored.body)
end

-- nil where it is no such text: anybody may have written into the store.
local function unpack_stored(text)
  local time, generation, status, kind, at = text:match "^(%d+%.%d+) ([%w-]+) (%d%d%d) (%l+)\n()"
  if not time or #time > 20 or not KINDS[kind] then
    return nil
  end
  return { time = tonumber(time), generation = generation, status = tonumber(status), is_settled = kind == "settled",
    body = text:sub(at) }
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
    set(self, lock.key, "1", seconds or REMOVED)
  end
end

-- --- generations ---

-- Stores a generation that could not be stored when it began. Another light thread may have begun a later one meanwhile.
local function store_late(self, user, generation)
  local unstored = self.store.state.unstored
  if self.store:set(keys.generation(user), generation, entries.LONGEST) and unstored[user] == generation then
    unstored[user] = nil
  end
  return unstored[user] or generation
end

---The generation of a response that is about to be requested.
---@param user string  of keys.user()
---@return string
function methods:generation(user)
  local unstored, key = self.store.state.unstored[user], keys.generation(user)
  if unstored then
    return store_late(self, user, unstored)
  end
  local generation = self.store:get(key)
  if generation == false then
    generation = core.uuid()
    local made = self.store:add(key, generation, entries.LONGEST)
    if not made then -- another one was quicker
      generation = made == false and self.store:get(key)
    end
  end
  return generation or self.store:local_generation()
end

---Something was or is being changed: nothing that was stored for this user is reused any more.
---@param seconds? number  and once more so much later, unless invalidate() is called again before: of what is being changed, by
---one who may not live to call it afterwards
function methods:invalidate(user, seconds)
  local generation = core.uuid()
  local is_stored = self.store:set(keys.generation(user), generation, math.min(seconds or entries.LONGEST, entries.LONGEST))
  self.store.state.unstored[user] = not is_stored and generation or nil
end

-- --- responses ---

-- Seconds since; where another host's clock is a little ahead, 0.
local function age_of(stored)
  return math.max(0, core.time() - stored.time)
end

-- How old it is cannot be known: a clock was put back, or another's is wrong.
local function is_of_the_future(stored)
  return stored.time - core.time() > AHEAD
end

---Whether a stored response may be reused, and whether without a new request. Its age, in seconds, is set.
---@param stored table      of get(), or as for put()
---@param user string       of keys.user()
---@param settings table    option `cache`
---@param newer_than number  Unix seconds: an older one will not do
---@return boolean usable, boolean fresh
function methods:may_reuse(stored, user, settings, newer_than)
  local age = age_of(stored)
  stored.age = age
  if stored.time < newer_than or is_of_the_future(stored) or stored.generation ~= self:generation(user) then
    return false, false
  elseif stored.status < 200 or stored.status > 299 then
    return age < FAILURE, age < FAILURE
  elseif stored.is_settled then
    return age < settings.settled, age < settings.settled
  end
  return age < settings.stale, age < settings.fresh
end

---@param key string  of keys.response()
---@return table|nil stored
function methods:get(key)
  local text = get(self, key)
  return text and unpack_stored(text) or nil
end

---@param stored table  {time, generation, status, is_settled, body}
function methods:put(key, stored, settings)
  local text = pack(stored)
  if #text > entries.LARGEST then
    return
  end
  local seconds = FAILURE
  if stored.status >= 200 and stored.status <= 299 then
    seconds = (stored.is_settled and settings.settled or settings.stale) - age_of(stored)
  end
  if seconds > 0 then
    set(self, key, text, seconds)
  end
end

function methods:drop(key)
  set(self, key, "", REMOVED)
end

---@param store table  of failover.of()
function entries.new(store)
  return setmetatable({ store = store }, entries_mt)
end

return entries
