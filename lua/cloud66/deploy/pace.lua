-- pace.lua: how long to wait between two polls of a deployment on its way. Pure: what is known is handed in.
--
-- The hourly limit of requests is shared by all who deploy: while nothing changes the intervals grow, to a minute. They stay
-- so short that the end is seen within a tenth of the usual duration, or 5 seconds.

local pace = {}

local SHORTEST, LONGEST = 5, 60 -- seconds
local LEAST_CEILING = 29 -- seconds, in the queue: 150 requests an hour, with those of its beginning
local SETTLING = 1 -- seconds: the first interval where an end is to be expected at once
local UNKNOWN = 15 -- seconds: where no usual duration is known

---What is known of it.
---@class cloud66.Pace
---@field phase cloud66.Phase
---@field usual? number      seconds that deployments of this stack usually take
---@field elapsed? number    seconds since the deployment began; in the queue: one that may be of the action
---@field unchanged number   seconds since anything last changed
---@field settling? number   seconds since the deployment or the action was first seen to have ended without the other
---@field telling_in? number seconds until it can be told whose a deployment is

local function between(low, seconds, high)
  return math.max(low, math.min(seconds, high))
end

-- Often enough to see the end of a deployment in time; ever more rarely once it takes longer than usual. `share` of the
-- polls see it.
local function while_running(known, share)
  local elapsed = known.elapsed or 0
  if not known.usual then
    return between(UNKNOWN, elapsed / 8, LONGEST)
  end
  local base = between(SHORTEST, known.usual / 10, LONGEST) * share
  return between(base, (elapsed - known.usual) / 4, LONGEST)
end

-- The polls of the queue read the deployments and the action in turn: a deployment is seen within two of them, and before it
-- has usually ended.
local function in_queue(known)
  local ceiling = known.usual and between(LEAST_CEILING, 0.55 * known.usual, LONGEST) or LONGEST
  local seconds = between(SHORTEST, known.unchanged / 5, ceiling)
  if known.elapsed then
    seconds = math.min(while_running(known, 0.5), ceiling)
  end
  return known.telling_in and between(SETTLING, known.telling_in, seconds) or seconds
end

---Seconds until the next poll.
---@param known cloud66.Pace
---@return number
function pace.interval(known)
  if known.settling then
    return between(SETTLING, math.min(known.settling / 3, known.telling_in or LONGEST), LONGEST)
  elseif known.phase == "queued" then
    return in_queue(known)
  elseif known.phase == "finished" then -- not live yet
    return between(SETTLING, known.unchanged / 5, LONGEST)
  end
  return while_running(known, 1)
end

return pace
