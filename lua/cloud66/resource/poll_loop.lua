-- poll_loop.lua: between two polls of the API: how long to pause, what ends it early, which failures pass by themselves.

local backoff = require "cloud66.http.backoff"
local random = require "cloud66.base.random"
local host = require "cloud66.runtime.host"
local wait = require "cloud66.runtime.wait"

local poll_loop = {}

local methods = {}
local poll_loop_mt = { __name = "cloud66.poll_loop", __index = methods }

local SLICE = 1 -- seconds: how long stop() and client:close() may go unseen
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

---A poll has succeeded.
function methods:reset()
  self.odd, self.throttled = 0, 0
end

---Seconds until the next poll: up to a tenth more or less than the interval, so that a fleet does not poll at once.
---@param interval number
---@param err? cloud66.Error  of the last poll
---@return number
function methods:length(interval, err)
  local seconds = interval * (0.9 + 0.2 * random.uniform())
  if err and err.retry_after_estimated then
    self.throttled = self.throttled + 1
    return math.max(seconds, backoff.throttle_pause(self.throttled, err.retry_after, random.uniform))
  elseif err and err.retry_after then
    return math.max(seconds, err.retry_after)
  end
  return seconds
end

---Sleeps, but wakes for stop(), for a client that was closed, for an nginx worker's end, and at the deadline.
---@param seconds number
---@return string|nil reason  "stopped", "closed", "exiting" or "late": what ended it early
function methods:pause(seconds)
  local late = host.now() + seconds >= self.deadline
  local wake = math.min(host.now() + seconds, self.deadline)
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
      return late and "late" or nil
    end
    wait.sleep(math.min(left, SLICE))
  end
end

---@param api table         of api.new()
---@param deadline number   by host.now()
---@param stop? fun(): any  whether to end
function poll_loop.new(api, deadline, stop)
  return setmetatable({ api = api, deadline = deadline, stop = stop or false, odd = 0, throttled = 0 }, poll_loop_mt)
end

return poll_loop
