-- How long something takes.
local core = require "cloud66.core"

local function since(began, ...)
  return core.monotonic() - began, ...
end

---Calls fn: the seconds that it took, and what it gave.
return function(fn)
  return since(core.monotonic(), fn())
end
