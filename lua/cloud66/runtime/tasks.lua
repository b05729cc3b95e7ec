-- tasks.lua: many pieces of code that take turns, each in a coroutine of its own: whoever has to wait yields what it waits
-- for, and a loop resumes whoever need not wait any longer.
--
-- What is waited for is a table:
--   { transfer = and engine = : until the transfer is done,
--     at = : until this moment (of host.now()),
--     ready = : until this function returns true,
--     polled = true : which is then polled, since nothing here makes it true,
--     owner = : whose it is, for cancel(), where that is not the one of the call that the task is in,
--     attach = : called by the loop that takes the wait over, with itself,
--     detach = : called by it when the wait is over }

local caller = require "cloud66.base.caller"
local core = require "cloud66.core"
local host = require "cloud66.runtime.host"

local tasks = {}

-- A task is a coroutine that each() made: { thread, loop, group, wait, owner, holds }. All there are; one whose light thread
-- nginx has killed goes with it.
local alive = setmetatable({}, { __mode = "k" })

-- In a script: the task whose code runs now, perhaps in a coroutine of the user's own inside it.
local active = false

-- Inside nginx many light threads take turns behind our back: a task is known by its own coroutine. (Never one by a
-- coroutine of nginx's, which may run another request the next time.) Both are weak, since a task knows its thread.
local by_thread = setmetatable({}, { __mode = "kv" })

local running, create, resume, status = coroutine.running, coroutine.create, coroutine.resume, coroutine.status
local close = rawget(coroutine, "close") or function() end -- Lua 5.4: for the variables to be closed

-- PUC Lua 5.1 cannot yield across pcall, nor across an iterator.
local function can_yield()
  local thread = create(function()
    pcall(coroutine.yield)
  end)
  resume(thread)
  return status(thread) == "suspended"
end

local CAN_YIELD = host.is_nginx or can_yield() -- nginx has LuaJIT, and may load this file where it cannot yield

---Whether each() has several items in work at once.
tasks.overlaps = CAN_YIELD

---How many loops run in this process; with none, nothing can give way. (One whose light thread nginx has killed counts on.)
tasks.loops = 0

local function current()
  if host.is_nginx then
    return by_thread[running() or false] or false -- in no coroutine: while nginx starts
  end
  return active
end

-- --- waiting ---

local function is_ready(wait, now)
  if wait.cancelled then
    return true
  elseif wait.transfer then
    return wait.transfer:done()
  elseif wait.ready then
    return wait.ready()
  end
  return now >= wait.at
end

---Whether code can yield: in a task, in its own coroutine (not in a generator of the user's inside it), and not below a C
---function such as table.sort.
---@return boolean
function tasks.can_give_way()
  local task = current()
  return task and task.loop and running() == task.thread and core.is_yieldable() ~= false or false
end

---Yields where that is possible. Whether it did.
---@param wait table  what is waited for
---@return boolean
function tasks.give_way(wait)
  return tasks.can_give_way() and (pcall(coroutine.yield, wait))
end

-- --- the loop ---

local function new_task(thread, loop, group)
  local task = { thread = thread, loop = loop, group = group, wait = false, owner = false, holds = false }
  alive[task] = true
  return task
end

local function spawn(loop, group, fn)
  local task = new_task(create(fn), loop, group)
  caller.stands_for(task.thread, group.line)
  by_thread[task.thread] = task
  loop.tasks[#loop.tasks + 1] = task
end

local function release(task)
  if task.holds then
    task.holds = false
    task.loop.in_flight = task.loop.in_flight - 1
  end
end

local function stop(task)
  local wait = task.wait
  task.stopped = true
  if wait and wait.transfer then
    wait.transfer:cancel()
  end
  release(task)
  pcall(close, task.thread)
end

local function is_within(group, outer)
  while group and group ~= outer do
    group = group.parent and group.parent.group
  end
  return group == outer
end

local function is_over(task)
  return task.stopped or status(task.thread) == "dead"
end

-- Stops the tasks of a group and of those inside it; all of the loop's, without a group.
local function stop_all(loop, group)
  for _, task in ipairs(loop.tasks) do
    if not is_over(task) and (not group or is_within(task.group, group)) then
      stop(task)
    end
  end
end

local function step(task)
  local before = active
  local over = task.wait
  if over and over.detach then
    over.detach()
  end
  active = task
  local ok, wait = resume(task.thread)
  active = before
  if not ok then
    task.group.bug = { wait }
    stop_all(task.loop, task.group)
  elseif status(task.thread) == "dead" then
    task.wait = false
  elseif type(wait) == "table" and (wait.transfer or wait.at or wait.ready) then
    task.wait = wait
    if wait.attach then
      wait.attach(task.loop)
    end
  else
    task.group.bug = { "the function given to map() yielded: give it coroutines of its own to yield in" }
    stop_all(task.loop, task.group)
  end
end

-- Runs every task that need not wait any longer. Whether there was one.
local function step_all(loop)
  local list, count, stepped = loop.tasks, 0, false
  local now = host.now()
  local i = 1
  while i <= #list do -- tasks that come on the way stand at its end
    local task = list[i]
    if not is_over(task) and (not task.wait or is_ready(task.wait, now)) then
      stepped = true
      step(task)
    end
    i = i + 1
  end
  for place = 1, #list do
    local task = list[place]
    list[place] = nil
    if not is_over(task) then
      count = count + 1
      list[count] = task
    end
  end
  return stepped
end

-- Waits for whatever comes first.
local function idle(loop, time, since)
  local engine, at, polled
  for _, task in ipairs(loop.tasks) do
    local wait = task.wait
    engine, polled = engine or wait.engine, polled or wait.polled
    if wait.at and (not at or wait.at < at) then
      at = wait.at
    end
  end
  local seconds = host.LONGEST_WAIT
  if at then
    seconds = math.max(0, math.min(seconds, at - host.now()))
  end
  if engine then
    time.turn(engine, seconds, since)
  elseif polled then
    host.pass(math.min(seconds, time.pause(since)))
  elseif at then
    host.pass(seconds)
  else
    error("cloud66: a map that waits for nothing", 0)
  end
end

local function engine_of(loop)
  for _, task in ipairs(loop.tasks) do
    if task.wait and task.wait.engine then
      return task.wait.engine
    end
  end
end

local function turn(loop)
  local time = host.way()
  local since = time.clock()
  while #loop.tasks > 0 do
    if not step_all(loop) then
      idle(loop, time, since)
    else
      local engine = engine_of(loop)
      if engine then
        time.step(engine) -- those that never wait must not hold up those that do
      end
      since = time.clock()
    end
  end
end

local function run(loop)
  local before = active
  tasks.loops = tasks.loops + 1
  local ok, problem = pcall(turn, loop)
  tasks.loops, active = tasks.loops - 1, before
  if not ok then
    stop_all(loop)
    error(problem, 0)
  end
end

-- --- the task that runs ---

---When the map that this code runs in must be over, by now(); math.huge where nothing limits it.
---@return number
function tasks.deadline()
  local task = current()
  return task and task.group.deadline or math.huge
end

-- Whether a task has its turn, or is part of one that has: what a hook or a token's function starts must not wait for
-- the call that it is part of.
local function has_turn(task)
  while task do
    if task.holds then
      return true
    end
    task = task.group.parent
  end
  return false
end

---Calls fn for an exchange with the API: inside map it takes a turn, as no more than `limit` may be in flight.
---@param owner table  for cancel()
function tasks.call(owner, fn, ...)
  local task = current()
  if not task or has_turn(task) then
    return fn(...)
  end
  local loop = task.loop
  local function is_free()
    return loop.in_flight < loop.limit
  end
  if not is_free() then
    tasks.give_way { ready = is_free } -- where that is impossible, one too many is in flight
  end
  task.holds, task.owner = true, owner
  loop.in_flight = loop.in_flight + 1
  local ok, value, message, err, more = pcall(fn, ...)
  release(task)
  task.owner = false
  if not ok then
    error(value, 0)
  end
  return value, message, err, more
end

---Ends the waits of this owner's calls inside map; their transfers are cancelled. One that waits for another map goes on:
---what it waits for is ended itself.
function tasks.cancel(owner)
  for task in pairs(alive) do
    local wait = task.wait
    local is_owned = wait and (task.owner == owner or wait.owner == owner)
    if is_owned and not task.stopped and (wait.transfer or wait.at) then
      if wait.transfer then
        wait.transfer:cancel()
      end
      wait.cancelled = true
    end
  end
end

-- --- many at once ---

-- Where no coroutine can give way. The task is there for its deadline alone.
local function one_after_another(pull, work, deadline)
  local before = active
  active = new_task(false, false, { deadline = deadline })
  active.holds = true
  local function go()
    local index = 0
    while true do
      local item, of, err = pull()
      if item == nil then
        return of, err
      end
      index = index + 1
      work(index, item, of)
    end
  end
  local ok, message, err = pcall(go)
  active = before
  if not ok then
    error(message, 0)
  elseif message then
    return nil, message, err
  end
  return true
end

-- Takes items while there is room for them, and makes a task for each.
local function feed(loop, group, pull, work)
  local index = 0
  local room = { ready = function()
    return group.count < group.limit
  end }
  while true do
    if not room.ready() then
      coroutine.yield(room)
    end
    local item, of, err = pull()
    if item == nil then
      group.failure = of and { of, err }
      return
    end
    index = index + 1
    group.count = group.count + 1
    local place = index
    spawn(loop, group, function()
      work(place, item, of)
      group.count = group.count - 1
    end)
  end
end

---Calls work(index, item, of) for each item that pull() gives, up to `limit` of them at once, each in a coroutine of its
---own. Inside such a coroutine it goes on in the loop that is there. On PUC Lua 5.1 one comes after another.
---
---What work or pull raises stops the rest, and is raised on.
---@param pull fun(): any, any, table?  an item and what it is of; nil at the end; or nil, message, err
---@param work fun(index: integer, item: any, of: any)
---@param limit integer
---@param deadline number  by now(): what tasks.deadline() gives inside
---@return true|nil ok, string? message, table? err  # of pull
function tasks.each(pull, work, limit, deadline)
  deadline = math.min(deadline, tasks.deadline())
  if not CAN_YIELD then
    return one_after_another(pull, work, deadline)
  end
  local group = {
    count = 0, limit = limit, deadline = deadline, parent = current(), bug = false, failure = false, fed = false,
    line = caller.line(), -- that called the library
  }
  local function start(loop)
    spawn(loop, group, function()
      feed(loop, group, pull, work)
      group.fed = true
    end)
  end
  local function is_done()
    return group.bug or (group.fed and group.count == 0)
  end
  if not tasks.give_way { ready = is_done, attach = start } then
    local loop = { tasks = {}, in_flight = 0, limit = limit }
    start(loop)
    run(loop)
  end
  if group.bug then
    error(group.bug[1], 0)
  elseif group.failure then
    return nil, group.failure[1], group.failure[2]
  end
  return true
end

return tasks
