-- Waiting for a condition, not for a time: in a script, and inside nginx.
local core = require "cloud66.core"
local pass = require("cloud66.runtime.host").pass -- as it is before a spec puts a clock of its own there

---Waits until fn() gives something, at most so many seconds (20); gives what fn() gave last. It looks every `pause` seconds.
return function(fn, seconds, pause)
  local latest = core.monotonic() + (seconds or 20)
  while true do
    local value = fn()
    if value or core.monotonic() > latest then
      return value
    end
    pass(pause or 0.02)
  end
end
