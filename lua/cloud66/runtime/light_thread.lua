-- light_thread.lua: code that waits for nginx's own sockets, in a light thread beside the caller's. So the caller is back in
-- time whatever the code waits for, and may be killed, or be inside map, while it does.
--
-- No light thread is killed here: nginx never ends the request of one that is killed while a coroutine inside it waits.

local host = require "cloud66.runtime.host"
local wait = require "cloud66.runtime.wait"

local light_thread = {}

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local GRACE = 0.02 -- seconds: the code has the same limit, and can say more of what it waited for
local PAUSE = 0.1 -- seconds from one check of the parent to the next
local LONGEST = 60 -- seconds: longer than any parent should take to notice

local new_semaphore

-- Ends when the parent has released it, or is dead itself. To end first would be a trap: were the parent killed then, nginx
-- would count the two of them for ever, and the request would stay open.
local function stay_for(parent, released)
  local latest = host.now() + LONGEST
  while not released:wait(PAUSE) and coroutine.status(parent) ~= "dead" and host.now() < latest do end
end

-- Parent -> what it had no time to wait for. nginx gives a coroutine that is over to another request: it cannot wait for these then.
local abandoned = setmetatable({}, { __mode = "k" })

-- Ends what was abandoned and is over by now: until its parent waits for it, or ends, nginx holds a light thread.
local function reap_abandoned(parent)
  local left = {}
  for _, work in ipairs(abandoned[parent] or {}) do
    if not work.outcome then
      left[#left + 1] = work
    else
      work.released:post()
      pcall(ngx.thread.wait, work.thread)
    end
  end
  abandoned[parent] = #left > 0 and left or nil
end

local function spawn(work, fn, given)
  local parent = coroutine.running()
  if abandoned[parent] then
    reap_abandoned(parent)
  end
  work.thread = ngx.thread.spawn(function()
    work.outcome = { pcall(fn, unpack(given, 1, given.n)) }
    work.done:post()
    stay_for(parent, work.released)
  end)
end

-- Not at once where the time was over first: it stays.
local function reap(work)
  if work.outcome then
    work.released:post()
    ngx.thread.wait(work.thread)
    return
  end
  local parent = coroutine.running()
  abandoned[parent] = abandoned[parent] or {}
  table.insert(abandoned[parent], work)
end

---Calls fn(...), which waits for nothing but nginx's sockets, and gives it `seconds`.
---@param seconds number
---@param fn function
---@return boolean is_over  # false where the time was over first: fn goes on then, until its sockets end it
---@return any ...          # what fn gave
function light_thread.call(seconds, fn, ...)
  new_semaphore = new_semaphore or require("ngx.semaphore").new
  local work = { done = new_semaphore(), released = new_semaphore() }
  local latest = host.now() + seconds + GRACE
  local given = { n = select("#", ...), ... }
  local function has_ended()
    return work.outcome or coroutine.status(work.thread) == "dead" or host.now() >= latest
  end
  local function start()
    spawn(work, fn, given)
  end
  if not wait.in_map(has_ended, start, function() reap(work) end) then
    start()
    work.done:wait(seconds + GRACE)
    reap(work)
  end
  if not work.outcome then
    return false
  elseif not work.outcome[1] then
    error(work.outcome[2], 0)
  end
  return unpack(work.outcome, 1, 8)
end

return light_thread
