-- watch.lua: what happens to a stack's deployments: poll() compares the list with what a cursor remembers of it; watch()
-- does so again and again.
--
-- A cursor is { version, horizon, entries = { { id, finished, values }, ... } }, plain values that survive JSON: what was
-- told of each deployment, newest first. Whatever started up to `horizon` (Unix seconds; false: nothing) and has no entry
-- is old.

local core = require "cloud66.core"
local check = require "cloud66.check"
local errors = require "cloud66.error"
local patience = require "cloud66.patience"
local scheduler = require "cloud66.scheduler"
local sequence = require "cloud66.sequence"
local usual = require "cloud66.usual"

local watch = {}

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local VERSION = 1
local MOST_ENTRIES = 100 -- besides those that run or are live
local MOST_LOST = 20 -- deployments that left the newest pages and are asked for one by one

-- In the order in which an entry has their values; false stands for nil.
local FIELDS = {
  "triggered_by", "triggered_via", "started_at", "finished_at", "outcome", "git_hash", "git_ref", "deploy_session",
  "deploy_type", "is_head", "is_live", "reverted", "reverted_by", "reverted_at", "is_deploying", "commit_url",
  "snapshot_uuid",
}
local STARTED, LIVE = 3, 11

-- --- cursors ---

local function bad_cursor(level)
  error("this is no cursor of stack:poll() (of this version): leave it out to begin anew", level + 1)
end

---@param cursor any  the caller's
function watch.check_cursor(cursor, level)
  level = level + 1
  if cursor == nil then
    return nil
  elseif type(cursor) ~= "table" or cursor.version ~= VERSION or type(cursor.entries) ~= "table" then
    bad_cursor(level)
  end
  for _, entry in ipairs(cursor.entries) do
    if type(entry) ~= "table" or type(entry.id) ~= "string" or type(entry.values) ~= "table"
      or #entry.values ~= #FIELDS then
      bad_cursor(level)
    end
  end
  return cursor
end

local function copy_entry(entry)
  return { id = entry.id, finished = entry.finished, values = { unpack(entry.values) } }
end

local function entry_of(deployment)
  local values = {}
  for i, name in ipairs(FIELDS) do
    values[i] = deployment[name] or false
  end
  return { id = check.id(deployment.id), finished = deployment.is_finished, values = values }
end

local function started_of(entry)
  return entry.values[STARTED] and core.timestamp(entry.values[STARTED]) or nil
end

local function by_id(cursor)
  local known = {}
  for _, entry in ipairs(cursor and cursor.entries or {}) do
    known[entry.id] = entry
  end
  return known
end

-- --- one poll ---

-- The newest deployments, down to the first page that holds one the cursor knows; the first page alone without a cursor.
local function read_list(endpoint, known, cursor, deadline)
  local list, first = {}, nil
  local next_page = sequence.page_turner(function(number)
    return endpoint:page_with_ids(number, deadline)
  end, {
    most = not cursor and 1 or nil,
    enough = cursor and function(page)
      for deployment in page:each() do
        local started = deployment.started_time
        if known[check.id(deployment.id)] or (cursor.horizon and started and started <= cursor.horizon) then
          return true
        end
      end
      return false
    end or nil,
  })
  while true do
    local page, message, err = next_page()
    if not page then
      if message then
        return nil, message, err
      end
      return list, first
    end
    first = first or page
    for deployment in page:each() do
      list[#list + 1] = deployment
    end
  end
end

-- Those that may still change and stand further down than was read. One that is not found any more has left the list.
local function read_lost(endpoint, list, cursor, deadline)
  local seen, asked = {}, 0
  for _, deployment in ipairs(list) do
    seen[check.id(deployment.id)] = true
  end
  for _, entry in ipairs(cursor and cursor.entries or {}) do
    if not seen[entry.id] and (not entry.finished or entry.values[LIVE]) and asked < MOST_LOST then
      asked = asked + 1
      local deployment, message, err = endpoint:deployment(entry.id, deadline)
      if deployment then
        list[#list + 1] = deployment
      elseif err.kind ~= "not_found" then
        return nil, message, err
      else
        seen[entry.id] = "gone"
      end
    end
  end
  return true, seen
end

local function changes(before, after)
  local names = {}
  for i, name in ipairs(FIELDS) do
    if before.values[i] ~= after.values[i] then
      names[#names + 1] = name
    end
  end
  return names
end

local function is_new(deployment, cursor)
  if not cursor then
    return deployment.is_running -- what was over before the first poll is history
  end
  local started = deployment.started_time
  return not cursor.horizon or not started or started > cursor.horizon
end

-- Adds the events of one deployment: each with what the cursor said of it before, for cursors in between.
local function compare(events, deployment, before, after, cursor)
  if not before then
    if not is_new(deployment, cursor) then
      return
    end
    events[#events + 1] = { type = "started", deployment = deployment, id = after.id, before = false }
    if after.finished then
      local running = copy_entry(after)
      running.finished = false
      events[#events + 1] = { type = "finished", deployment = deployment, changed = {}, id = after.id, before = running }
    end
    return
  end
  local names = changes(before, after)
  if after.finished and not before.finished then
    events[#events + 1] = { type = "finished", deployment = deployment, changed = names, id = after.id, before = before }
  elseif #names > 0 then
    events[#events + 1] = { type = "changed", deployment = deployment, changed = names, id = after.id, before = before }
  end
end

-- The entries to go on with, and the horizon: what is left out is old from then on.
local function prune(entries, horizon)
  local kept = {}
  for i, entry in ipairs(entries) do
    if i <= MOST_ENTRIES or not entry.finished or entry.values[LIVE] then
      kept[#kept + 1] = entry
    else
      local started = started_of(entry)
      horizon = started and math.max(horizon or started, started) or horizon
    end
  end
  return kept, horizon
end

-- What the first page, when there are more, says of the others: they are no younger than its oldest.
local function first_horizon(page)
  local oldest = false
  for _, started in page:rows "started_time" do
    oldest = started and math.min(oldest or started, started) or oldest
  end
  return page.next and oldest
end

local function next_cursor(list, cursor, known, gone, page)
  local entries, seen = {}, {}
  for _, deployment in ipairs(list) do
    local entry = entry_of(deployment)
    if not seen[entry.id] and (known[entry.id] or not cursor or is_new(deployment, cursor)) then
      seen[entry.id] = true
      entries[#entries + 1] = entry
    end
  end
  for _, entry in ipairs(cursor and cursor.entries or {}) do
    if not seen[entry.id] and gone[entry.id] ~= "gone" then
      entries[#entries + 1] = copy_entry(entry)
    end
  end
  local horizon = cursor and cursor.horizon
  if not cursor then
    horizon = first_horizon(page)
  end
  local kept
  kept, horizon = prune(entries, horizon)
  return { version = VERSION, horizon = horizon or false, entries = kept }
end

---What has happened since the cursor was made.
---@param endpoint table     of endpoint.new()
---@param cursor table|nil   of an earlier poll; not changed
---@param deadline? number
---@return table[]|nil events, table|string cursor_or_message, cloud66.Error? err
function watch.poll(endpoint, cursor, deadline)
  local known = by_id(cursor)
  local list, page, err = read_list(endpoint, known, cursor, deadline)
  if not list then
    return nil, page, err
  end
  local ok, gone
  ok, gone, err = read_lost(endpoint, list, cursor, deadline)
  if not ok then
    return nil, gone, err
  end
  local events, told = {}, {}
  for i = #list, 1, -1 do -- oldest first
    local after = entry_of(list[i])
    if not told[after.id] then
      told[after.id] = true
      compare(events, list[i], known[after.id], after, cursor)
    end
  end
  return events, next_cursor(list, cursor, known, gone, page), usual.durations(page) -- the last for watch()
end

-- --- again and again ---

local methods = {}
local watch_mt = { __name = "cloud66.watch" }

local STATE = {}

function watch_mt.__index(_, name)
  local method = methods[name]
  if method == nil then
    error(("a watch has no '%s': go through it with for, and store watch:cursor()"):format(tostring(name)), 2)
  end
  return method
end

function watch_mt.__newindex()
  error("a watch is read-only", 2)
end

local function shown(event)
  return { type = event.type, deployment = event.deployment, changed = event.changed }
end

-- Another poll: true, or nil when the watch is over. What does not pass is raised, as a loop cannot return it.
local function poll_again(state)
  if state.polled then
    local reason = state.patience:pause(state.pause)
    if reason == "closed" then
      error(errors.new("aborted", "this client was closed"), 0)
    elseif reason then
      return nil
    end
  end
  state.polled = true
  local events, cursor, more = watch.poll(state.endpoint, state.cursor or nil, state.deadline)
  local err
  if events then
    state.patience:reset()
    state.events, state.at, state.cursor, state.durations = events, 1, cursor, more
  else
    err = more
    if scheduler.now() < state.deadline and state.patience:is_fatal(err) then
      error(err, 0)
    end
  end
  state.pause = state.patience:length(state.interval or usual.interval(state.durations), err)
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
  return shown(state.events[state.at - 1])
end

---Where the watch stands: a plain table to be stored, as JSON for instance. With it, another watch or poll begins after
---the last event that was given out.
---@return table|nil  nil before the first event
function methods:cursor()
  local state = rawget(self, STATE)
  local cursor = state.cursor
  if not cursor then
    return nil
  end
  local before = {}
  for i = #state.events, state.at, -1 do -- not given out yet
    before[state.events[i].id] = state.events[i].before
  end
  local entries = {}
  for _, entry in ipairs(cursor.entries) do
    local earlier = before[entry.id]
    if earlier ~= false then
      entries[#entries + 1] = copy_entry(earlier or entry)
    end
  end
  return { version = cursor.version, horizon = cursor.horizon, entries = entries }
end

local OPTIONS = { interval = true, timeout = true, stop = true, cursor = true }

---@param endpoint table  of endpoint.new()
---@param options table?  the caller's
---@param level integer   as in check.lua
function watch.new(endpoint, options, level)
  level = level + 1
  options = check.options(options, OPTIONS, "option", level)
  for _, name in ipairs { "interval", "timeout" } do
    if options[name] ~= nil then
      check.positive(options[name], "option '" .. name .. "'", level)
    end
  end
  if options.stop ~= nil and type(options.stop) ~= "function" then
    error(("option 'stop' must be a function, got %s"):format(type(options.stop)), level)
  end
  local cursor = watch.check_cursor(options.cursor, level)
  local deadline = math.min(options.timeout and scheduler.now() + options.timeout or math.huge, scheduler.deadline())
  return setmetatable({ [STATE] = {
    endpoint = endpoint, cursor = cursor or false, deadline = deadline, interval = options.interval or false,
    patience = patience.new(endpoint.api, deadline, options.stop), events = {}, at = 1, polled = false, pause = 0,
    durations = false,
  } }, watch_mt)
end

return watch
