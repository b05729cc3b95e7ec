-- watch.lua: polls again and again, and returns one event after another. Its methods are documented in types/operations.lua.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local poll_loop = require "cloud66.resource.poll_loop"
local changes = require "cloud66.resource.changes"
local cursors = require "cloud66.resource.cursor"
local host = require "cloud66.runtime.host"
local tasks = require "cloud66.runtime.tasks"
local estimate = require "cloud66.resource.estimate"

local watch = {}

local methods = {}
local watch_mt = { __name = "cloud66.watch" }

local STATE = {}

function watch_mt.__index(_, name)
  local method = methods[name]
  if method == nil then
    caller.blame("a watch has no '%s': go through it with for, and store watch:cursor()", tostring(name))
  end
  return method
end

function watch_mt.__newindex()
  caller.blame "a watch is read-only"
end

local function public(event)
  return { type = event.type, deployment = event.deployment, changed = event.changed }
end

-- What ended a pause, and the watch with it, unasked.
local EARLY = {
  closed = "this client was closed",
  exiting = "this nginx worker is to end (a reload?): watch again, with watch:cursor() as the cursor",
}

-- Another poll: true, or nil when the watch is over. A failure that does not pass is raised, as a loop cannot return it.
local function poll_again(state)
  if state.polled then
    local interval = state.interval or estimate.interval(state.durations)
    local reason = state.loop:pause(state.loop:plan(interval, state.failure))
    if EARLY[reason] then
      error(errors.new("aborted", EARLY[reason]), 0)
    elseif reason then
      return nil
    end
  end
  state.polled = true
  state.loop:begin()
  local events, cursor, more = changes.run(state.endpoint, state.cursor or nil, state.deadline)
  if events then
    state.loop:reset()
    state.events, state.at, state.cursor, state.durations, state.failure = events, 1, cursor, more, nil
  elseif host.now() < state.deadline and state.loop:is_fatal(more) then
    error(more, 0)
  else
    state.failure = more
  end
  return true
end

function watch_mt.__call(self)
  local state = rawget(self, STATE)
  while not state.events[state.at] do
    if not poll_again(state) then
      return nil
    end
  end
  state.at = state.at + 1
  return public(state.events[state.at - 1])
end

function methods:cursor()
  local state = rawget(self, STATE)
  local cursor = state.cursor
  if not cursor then
    return nil
  end
  local untold = {}
  for i = state.at, #state.events do
    untold[#untold + 1] = state.events[i]
  end
  return cursors.between(cursor, untold)
end

local OPTIONS = { interval = args.positive, timeout = args.positive, stop = args.callable, cursor = cursors.check }

---@param endpoint table  of endpoint.new()
---@param options table?  the caller's
function watch.new(endpoint, options)
  options = args.options(options, OPTIONS, nil, "interval")
  local deadline = math.min(options.timeout and host.now() + options.timeout or math.huge, tasks.deadline())
  return setmetatable({ [STATE] = {
    endpoint = endpoint, cursor = options.cursor or false, deadline = deadline, interval = options.interval or false,
    loop = poll_loop.new(endpoint.api, deadline, options.stop), events = {}, at = 1, polled = false,
    durations = false, failure = nil, -- the err of the last poll
  } }, watch_mt)
end

return watch
