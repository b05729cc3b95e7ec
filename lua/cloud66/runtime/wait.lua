-- wait.lua: whoever waits does it here: a plain script blocks; inside nginx the light thread sleeps; inside client:map the
-- coroutine that has to wait gives way to the others (tasks.lua, which lists what can be waited for).

local host = require "cloud66.runtime.host"
local tasks = require "cloud66.runtime.tasks"

local nginx = host.is_nginx and require "cloud66.runtime.nginx" or nil

local wait = {}

-- Lets the engine work until the transfer is done, or is not wanted any more.
local function block(engine, transfer, is_closed)
  local way = host.way()
  local since = way.clock()
  while not transfer:done() and not (is_closed and is_closed()) do
    way.turn(engine, host.LONGEST_WAIT, since, transfer)
  end
  if way.learn then
    way.learn(way.clock() - since)
  end
end

---Waits until the transfer is done. If an error (an interrupt, say) ends the wait, the transfer is cancelled.
---@param engine userdata # of `cloud66.curl`, the one that started the transfer
---@param transfer userdata
---@param is_closed? fun(): boolean  whether to cancel it: called now and then, where others may have their turn meanwhile
function wait.await(engine, transfer, is_closed)
  if tasks.loops > 0 and tasks.give_way { transfer = transfer, engine = engine } then
    return
  end
  local ok, problem = pcall(block, engine, transfer, is_closed)
  if not (ok and transfer:done()) then
    transfer:cancel()
  end
  if not ok then
    error(problem, 0)
  end
end

---@param seconds number
---@param owner? table  for tasks.cancel()
function wait.sleep(seconds, owner)
  local at = host.now() + seconds
  if tasks.loops > 0 and tasks.give_way { at = at, owner = owner } then
    return
  end
  local left = seconds
  while left > 0 do
    host.pass(math.min(left, host.LONGEST_WAIT))
    left = at - host.now()
  end
end

---Inside map, waits until ready() is true, while the others have their turns. Both attach() and detach() are called outside
---of map's coroutines, before and after. False where that is impossible: nothing was called then.
---@param ready fun(): boolean
---@param attach fun()
---@param detach fun()
---@return boolean
function wait.in_map(ready, attach, detach)
  return tasks.give_way { ready = ready, polled = true, attach = attach, detach = detach }
end

---Whether this process is to end soon: an nginx worker after a reload. A long wait checks it between pauses, and gives up.
---@return boolean
function wait.is_exiting()
  return nginx ~= nil and nginx.is_exiting()
end

---Whether others have their turn while this code sleeps: what another caller in this process does may be waited for.
---@return boolean
function wait.lets_others_go()
  if host.is_nginx and not host.is_starting() then
    return host.problem() == nil
  end
  return tasks.can_give_way()
end

return wait
