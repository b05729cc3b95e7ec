-- Time that passes at once: what the library would sleep, its clock and the fake's world move on by.
local host = require "cloud66.runtime.host"

local clock = {}

---Calls fn with such a clock; gives what it gives. `world` may be nil; on_sleep(seconds) is told of each sleep. `longest`: how
---many seconds may pass at once (1), for waits of hours.
function clock.run(world, fn, on_sleep, longest)
  local pass, now, usual_longest = host.pass, host.now, host.LONGEST_WAIT
  host.LONGEST_WAIT = longest or usual_longest
  local ahead = 0
  host.pass = function(seconds)
    ahead = ahead + seconds
    if world then
      world:advance(seconds)
    end
    if on_sleep then
      on_sleep(seconds)
    end
  end
  host.now = function()
    return now() + ahead
  end
  local results = { pcall(fn) }
  host.pass, host.now, host.LONGEST_WAIT = pass, now, usual_longest
  if not results[1] then
    error(results[2], 0)
  end
  return results[2], results[3], results[4]
end

---An on_sleep for clock.run(): moments[seconds] is called once so many seconds have passed.
function clock.at(moments)
  local passed = 0
  return function(seconds)
    passed = passed + seconds
    for when, act in pairs(moments) do
      if passed >= when then
        moments[when] = nil
        act()
      end
    end
  end
end

return clock
