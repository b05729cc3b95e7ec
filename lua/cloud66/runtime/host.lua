-- host.lua: the process that this code runs in: its clock, how time passes in it, where nothing can be waited for.
--
-- A way to let time pass is a table: runtime/nginx.lua, or the blocking one of a plain script.

local core = require "cloud66.core"

local host = {}

local ngx = package.loaded.ngx or rawget(_G, "ngx")

---Whether this is nginx.
host.is_nginx = type(ngx) == "table" and type(ngx.get_phase) == "function" and type(ngx.sleep) == "function"
  and type(ngx.now) == "function"

local nginx = host.is_nginx and require "cloud66.runtime.nginx" or nil

---Seconds: how long a wait may last before control is back in Lua, where an interrupt is seen.
host.LONGEST_WAIT = 1

---Seconds on a clock that never goes back.
host.now = core.monotonic

-- As in nginx.lua, where the process may stand still.
local blocking = { clock = core.monotonic, sleep = core.sleep }

function blocking.step(engine)
  engine:step()
end

function blocking.turn(engine, seconds)
  engine:wait(seconds * 1000)
end

-- Seconds to pause before a condition is checked again that has been false since then.
function blocking.pause(since)
  return math.max(0.001, math.min(host.LONGEST_WAIT, (core.monotonic() - since) * 0.02))
end

---How time passes here: in the way of nginx.lua, or blocking.
function host.way()
  return nginx and not nginx.is_starting() and nginx or blocking
end

---Whether this is code that nginx runs before there are workers.
---@return boolean
function host.is_starting()
  return nginx ~= nil and nginx.is_starting()
end

---Why nothing can be waited for here, which is so in some phases of nginx; nil where it is possible.
---@return string|nil
function host.problem()
  return nginx and nginx.problem() or nil
end

local function pass(seconds)
  host.way().sleep(seconds)
end

---Lets time pass, without looking at anything.
---@type fun(seconds: number)
host.pass = nginx and pass or core.sleep

---Runs fn once the caller goes on, where the host can do so.
---@param fn fun()
---@return boolean  whether it will run; in a script it will not
function host.background(fn)
  return nginx ~= nil and nginx.background(fn)
end

return host
