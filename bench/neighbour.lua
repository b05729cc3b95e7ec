-- neighbour.lua URL SECONDS PACE: asks a URL every PACE seconds, or as soon as it is answered, and prints how long the 99th
-- percentile and the longest of its answers took, in seconds. bench/nginx.lua runs it.

local core = require "cloud66.core"
local engine = assert(require("cloud66.curl").engine())

local url, seconds, pace = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function ask()
  local transfer = assert(engine:start { url = url, timeout = 10000 })
  while not transfer:done() do
    engine:wait(1000)
  end
  assert(transfer:result() == 200, "the neighbour did not answer")
end

ask() -- and it is connected
local times = {}
local at = core.monotonic()
local latest = at + seconds
while at < latest do
  local pause = at - core.monotonic()
  if pause > 0 then
    core.sleep(pause)
  end
  ask()
  times[#times + 1] = core.monotonic() - at
  at = math.max(at + pace, core.monotonic())
end
table.sort(times)
print(("%.6f %.6f"):format(times[math.ceil(#times * 0.99)], times[#times]))
