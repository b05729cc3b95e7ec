-- Enough of the hour: the library counts requests from 0 again with each full hour of Unix time, in nginx's workers and in
-- other processes too, to whom no spec can hand a clock. A spec that counts requests must not have a full hour in its middle.
local process = require "cloud66.runtime.host"

local hour = {}

local HOUR = 3600 -- seconds
local MOST = 20 -- seconds that a spec may be held up
local STEP = 0.1 -- seconds from one look at the clock to the next

-- os.time, as the library counts by it: another clock may be in the next hour already.
local machine = { now = os.time, sleep = process.pass }

function machine.say(text)
  io.stderr:write(text, "\n")
end

---Waits for the next hour where fewer than `seconds` are left of this one, and says so on standard error.
---@param seconds number  what the spec takes on a loaded machine: 20 at most
---@param clock? table    { now = function, Unix seconds; sleep = function(seconds); say = function(text) }; the machine's without
function hour.leave(seconds, clock)
  assert(seconds <= MOST, "a spec is not held up for so long")
  clock = clock or machine
  local now = clock.now()
  local ends = (math.floor(now / HOUR) + 1) * HOUR
  if ends - now >= seconds then
    return
  end
  clock.say(("the hour ends in %d s, this spec needs %d s of it: it waits for the next hour"):format(math.ceil(ends - now), seconds))
  while clock.now() < ends do
    clock.sleep(STEP)
  end
end

return hour
