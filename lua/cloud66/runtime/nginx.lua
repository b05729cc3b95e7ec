-- nginx.lua: the way to wait inside nginx (OpenResty, or nginx with its Lua module): no worker ever stands still.
--
-- All transfers of a worker are in one engine. Whoever waits for one lets the engine work once per turn of nginx's event
-- loop, and sleeps in between, for a fiftieth of the time it has waited by then: that is how late a response may be seen.
-- Only at first, while even the quickest of the last responses would not be there, it sleeps for longer, 20 ms at most.
-- (A single one who lets it work, and wakes the others through ngx.semaphore, was tried: 1 % faster, not simpler.)

local core = require "cloud66.core"

local nginx = {}

local ngx = package.loaded.ngx or rawget(_G, "ngx")

-- Seconds. nginx's timers count whole milliseconds, and its sleep(0) comes back at once, again and again.
local SHORTEST, LONGEST = 0.001, 0.02
local SHARE = 0.02 -- of the time it has waited
local HEAD = 0.9 -- of the time that the quickest of the last responses took

local quickest = 0 -- seconds that it took
local FADING = 0.05 -- how fast that is forgotten: the part of the difference to each slower response

-- The phases in which Lua code may wait.
local YIELDING = {}
for phase in ([[rewrite server_rewrite access precontent content timer preread ssl_cert ssl_session_fetch ssl_client_hello
  proxy_ssl_cert proxy_ssl_verify]]):gmatch("%S+") do
  YIELDING[phase] = true
end

-- What can be done where a phase cannot wait. The last one makes no timers any more, but those made before have had their turn.
local TIMER = "do it in ngx.timer.at(0, function() ... end)"
local EARLIER = "do it in a timer made before, which is called early, with 'premature', when the worker is to end"

---Whether this is code that nginx runs before there are workers. It may block, as a script does.
---@return boolean
function nginx.is_starting()
  return ngx.get_phase() == "init"
end

---Why it is impossible to wait here; nil where it is possible.
---@return string|nil
function nginx.problem()
  local phase = ngx.get_phase()
  if phase == "init" then
    return nil
  elseif not YIELDING[phase] then
    return ("nginx cannot wait for anything in its phase '%s': %s"):format(phase, phase == "exit_worker" and EARLIER or TIMER)
  elseif core.is_yieldable() == false then
    return "nginx cannot wait below require(), table.sort(), string.gsub() or another function written in C: do it outside of them"
  end
  return nil
end

---Whether this worker is to end: nginx was reloaded, or is stopping.
---@return boolean
function nginx.is_exiting()
  return ngx.worker ~= nil and ngx.worker.exiting()
end

-- nginx's own clock, which moves once per turn of its event loop; in seconds.
nginx.clock = ngx.now

-- The phases in which making a timer raises.
local WITHOUT_TIMERS = { init = true, exit_worker = true }

---Runs fn in a light thread of its own, outside of the request. False where nginx has no room for another timer, or is to end.
---@param fn fun()
---@return boolean
function nginx.background(fn)
  if WITHOUT_TIMERS[ngx.get_phase()] then
    return false
  end
  local made = ngx.timer.at(0, function(premature)
    if not premature then
      fn()
    end
  end)
  return made and true or false
end

---@param seconds number
function nginx.sleep(seconds)
  local problem = nginx.problem()
  if problem then -- ngx.sleep would raise too, but leave a timer behind
    error("cloud66: " .. problem, 0)
  end
  ngx.sleep(math.max(SHORTEST, seconds))
end

local stepped = false -- the turn of the event loop that the engine worked in last, by clock()

---Lets the engine work, unless it has in this turn of the event loop.
---@return boolean  whether it did
function nginx.step(engine)
  local now = ngx.now()
  if now == stepped then
    return false
  end
  stepped = now
  engine:step()
  return true
end

---How long to pause before a condition is checked again that has been false since then.
---@param since number  by clock()
---@return number seconds
function nginx.pause(since)
  return math.min(LONGEST, math.max(SHORTEST, (ngx.now() - since) * SHARE))
end

---Lets the engine work, or else some time pass. The caller checks whether something has ended, and comes back.
---@param engine userdata     of cloud66.curl
---@param seconds number      no longer than that
---@param since number        by clock(): since when nothing has ended
---@param transfer? userdata  what is waited for, if that is one alone
function nginx.turn(engine, seconds, since, transfer)
  if nginx.step(engine) then
    return
  end
  local waited = ngx.now() - since
  if transfer and waited < quickest * HEAD and transfer:is_sent() then
    ngx.sleep(math.max(SHORTEST, math.min(LONGEST, quickest * HEAD - waited, seconds)))
  else
    ngx.sleep(math.max(SHORTEST, math.min(nginx.pause(since), seconds)))
  end
end

---Learns how long a response took.
---@param seconds number
function nginx.learn(seconds)
  quickest = seconds < quickest and seconds or quickest + (seconds - quickest) * FADING
end

return nginx
