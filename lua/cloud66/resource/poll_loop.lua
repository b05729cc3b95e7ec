-- poll_loop.lua: between two polls of the API: how long to pause, what ends it early, which failures pass by themselves.

local backoff = require "cloud66.http.backoff"
local random = require "cloud66.base.random"
local host = require "cloud66.runtime.host"
local wait = require "cloud66.runtime.wait"

local poll_loop = {}

local methods = {}
local poll_loop_mt = { __name = "cloud66.poll_loop", __index = methods }

local LEAST_MARGIN, MOST_MARGIN = 1, 10 -- seconds that the last poll has before the deadline, where there are so many
local MOST_ODD = 5 -- responses in a row that make no sense: a proxy's page passes, another API does not

local ODD = { decode = true, protocol = true, too_large = true }

---Whether a failed poll ends the waiting.
---@param err cloud66.Error
function methods:is_fatal(err)
  if ODD[err.kind] then
    self.odd = self.odd + 1
    return self.odd >= MOST_ODD
  end
  return not backoff.is_passing("GET", err)
end

---A poll begins.
function methods:begin()
  self.began = host.now()
end

---A poll has succeeded.
function methods:reset()
  self.odd, self.throttled = 0, 0
  self.took = host.now() - self.began
end

-- When the last poll has to begin for its response to be in before the deadline. It may need more requests than the one
-- before it: it may be the one that sees the end.
local function last_moment(self)
  local left = self.deadline - host.now()
  local margin = math.min(math.max(LEAST_MARGIN, 3 * self.took), MOST_MARGIN, left / 2)
  return self.deadline - margin
end

-- Up to a tenth less than the interval, so that a fleet does not poll at once.
local function length(self, interval, err)
  local seconds = interval * (0.9 + 0.1 * random.uniform())
  if err and err.retry_after_estimated then
    self.throttled = self.throttled + 1
    return math.max(seconds, backoff.throttle_pause(self.throttled, err.retry_after, random.uniform))
  elseif err and err.retry_after then
    return math.max(seconds, err.retry_after)
  end
  return seconds
end

---Seconds until the next poll; nil where there is to be none. Before the deadline there is a last one, and others after it
---where it was faster than could be known.
---@param interval number
---@param err? cloud66.Error  of the last poll
---@return number|nil
function methods:plan(interval, err)
  local left = last_moment(self) - host.now()
  if left < (self.is_last and LEAST_MARGIN or 0) then
    return nil
  end
  local seconds = length(self, interval, err)
  self.is_last = seconds >= left
  return math.min(seconds, left)
end

---Sleeps, but wakes for stop(), for a client that was closed and for an nginx worker's end.
---@param seconds? number  of plan()
---@return string|nil reason  "stopped", "closed" or "exiting": what ended it early; "late": there is no other poll
function methods:pause(seconds)
  local wake = host.now() + (seconds or 0)
  while true do
    if self.stop and self.stop() then
      return "stopped"
    elseif self.api.closed then
      return "closed"
    elseif wait.is_exiting() then
      return "exiting"
    end
    local left = wake - host.now()
    if left <= 0 then
      return not seconds and "late" or nil
    end
    wait.sleep(math.min(left, host.LONGEST_WAIT)) -- stop() and client:close() are to be seen soon
  end
end

---@param api table         of api.new()
---@param deadline number   by host.now()
---@param stop? fun(): any  whether to end
function poll_loop.new(api, deadline, stop)
  return setmetatable({
    api = api, deadline = deadline, stop = stop or false, odd = 0, throttled = 0,
    is_last = false, -- the next poll is the last one before the deadline
    began = host.now(), took = 0, -- the poll: when it began, by host.now(), and seconds that the last good one took
  }, poll_loop_mt)
end

return poll_loop
