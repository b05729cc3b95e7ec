-- changes.lua: what has happened to a stack's deployments: their list compared with what a cursor remembers of it.
--
-- A cursor is { version, horizon, entries = { { id, finished, values }, ... }, untold = { id, ... } }, plain values that
-- survive JSON: what was reported of each deployment, newest first. Whatever started up to `horizon` (Unix seconds; false:
-- nothing) and has no entry is old, but for the ids in `untold`, which were not reported yet. An entry that is `pending` has
-- changes that were not reported yet.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local random = require "cloud66.base.random"
local estimate = require "cloud66.resource.estimate"

local changes = {}

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local VERSION = 1
local MOST_ENTRIES = 100 -- besides those that run or are live
local MOST_MISSING = 20 -- deployments that left the newest pages and are read one by one

-- In the order in which an entry has their values; false stands for nil.
local FIELDS, place = {}, {}
for _, name in ipairs(core.fields) do
  if name ~= "id" then
    FIELDS[#FIELDS + 1] = name
    place[name] = #FIELDS
  end
end
local STARTED, LIVE = place.started_at, place.is_live

-- --- cursors ---

local function is_id(value)
  return type(value) == "string" and value:find "^%-?%d+$" ~= nil
end

local function is_entry(entry)
  if type(entry) ~= "table" or not is_id(entry.id) or type(entry.values) ~= "table" or #entry.values ~= #FIELDS then
    return false
  end
  for _, value in ipairs(entry.values) do
    if type(value) ~= "string" and type(value) ~= "boolean" then
      return false
    end
  end
  return true
end

local function all(list, test)
  for _, item in ipairs(list) do
    if not test(item) then
      return false
    end
  end
  return true
end

local function is_cursor(value)
  return type(value) == "table" and value.version == VERSION and type(value.entries) == "table" and type(value.untold) == "table"
    and (not value.horizon or type(value.horizon) == "number") and all(value.entries, is_entry) and all(value.untold, is_id)
end

---@param cursor any  the caller's
function changes.check_cursor(cursor)
  if cursor ~= nil and not is_cursor(cursor) then
    caller.blame "this is no cursor of stack:poll() (of this version): leave it out to begin anew"
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
  return { id = args.id(deployment.id), finished = deployment.is_finished, values = values }
end

local function started_of(entry)
  return entry.values[STARTED] and core.timestamp(entry.values[STARTED]) or nil
end

local function is_untold(id, cursor)
  for _, untold in ipairs(cursor.untold) do
    if untold == id then
      return true
    end
  end
  return false
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
  local list, first, err = endpoint:deployments_until(function(page)
    for deployment in page:each() do
      local started = deployment.started_time
      if not cursor or known[args.id(deployment.id)] or (cursor.horizon and started and started <= cursor.horizon) then
        return true
      end
    end
    return not cursor
  end, deadline)
  return list, first, err
end

-- The ids of those that may still change, or have something to report yet, and that stand further down than was read.
local function missing_of(list, cursor)
  local seen, missing = {}, {}
  for _, deployment in ipairs(list) do
    seen[args.id(deployment.id)] = true
  end
  for _, entry in ipairs(cursor.entries) do
    if not seen[entry.id] and (not entry.finished or entry.values[LIVE] or entry.pending) then
      missing[#missing + 1] = entry.id
    end
  end
  for _, id in ipairs(cursor.untold) do
    if not seen[id] then
      missing[#missing + 1] = id
    end
  end
  return missing
end

-- Adds them to the list. Gives the ids that are not found any more; or nil, message, err.
local function read_missing(endpoint, list, cursor, deadline)
  local gone, missing = {}, cursor and missing_of(list, cursor) or {}
  local first = #missing > MOST_MISSING and math.floor(random.uniform() * #missing) + 1 or 1 -- each has its turn
  for i = 1, math.min(#missing, MOST_MISSING) do
    local id = missing[(first + i - 2) % #missing + 1]
    local deployment, message, err = endpoint:deployment(id, deadline)
    if deployment then
      list[#list + 1] = deployment
    elseif not errors.is_absent(err) then
      return nil, message, err
    else
      gone[id] = true
    end
  end
  return gone
end

local function changed_fields(before, after)
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
  return not cursor.horizon or not started or started > cursor.horizon or is_untold(args.id(deployment.id), cursor)
end

-- Adds the events of one deployment: each with its entry in the cursor before, for cursors in between.
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
  local names = changed_fields(before, after)
  if after.finished and not before.finished then
    events[#events + 1] = { type = "finished", deployment = deployment, changed = names, id = after.id, before = before }
  elseif #names > 0 then
    events[#events + 1] = { type = "changed", deployment = deployment, changed = names, id = after.id, before = before }
  end
end

-- The entries to go on with, and the horizon: what is left out is old from then on.
local function prune(entries, horizon)
  local remaining = {}
  for i, entry in ipairs(entries) do
    if i <= MOST_ENTRIES or not entry.finished or entry.values[LIVE] then
      remaining[#remaining + 1] = entry
    else
      local started = started_of(entry)
      horizon = started and math.max(horizon or started, started) or horizon
    end
  end
  return remaining, horizon
end

-- Where there are more pages, the horizon that the first one gives: the others hold nothing younger than its oldest.
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
    if not seen[entry.id] and not gone[entry.id] then
      entries[#entries + 1] = copy_entry(entry)
      entries[#entries].pending = entry.pending
    end
  end
  local horizon = cursor and cursor.horizon
  if not cursor then
    horizon = first_horizon(page)
  end
  local remaining
  remaining, horizon = prune(entries, horizon)
  local untold = {}
  for _, id in ipairs(cursor and cursor.untold or {}) do
    if not seen[id] and not gone[id] then
      untold[#untold + 1] = id
    end
  end
  return { version = VERSION, horizon = horizon or false, entries = remaining, untold = untold }
end

---What has happened since the cursor was made.
---@param endpoint table     of endpoint.new()
---@param cursor table|nil   of an earlier poll; not changed
---@param deadline? number
---@return table[]|nil events, table|string cursor_or_message, cloud66.Error? err
function changes.run(endpoint, cursor, deadline)
  local known = by_id(cursor)
  local list, page, err = read_list(endpoint, known, cursor, deadline)
  if not list then
    return nil, page, err
  end
  local gone, message
  gone, message, err = read_missing(endpoint, list, cursor, deadline)
  if not gone then
    return nil, message, err
  end
  local events = {}
  for i = #list, 1, -1 do -- oldest first
    local after = entry_of(list[i])
    compare(events, list[i], known[after.id], after, cursor)
  end
  return events, next_cursor(list, cursor, known, gone, page), estimate.durations(page) -- the last for those who poll again
end

---The cursor to go on from where some events of a poll have not been returned yet.
---@param cursor table     that this poll returned
---@param events table[]   those that were not returned, in order
---@return table
function changes.between(cursor, events)
  local before = {} -- id -> what was reported of it, or false
  for i = #events, 1, -1 do
    before[events[i].id] = events[i].before
  end
  local entries, untold = {}, { unpack(cursor.untold) }
  for _, entry in ipairs(cursor.entries) do
    if before[entry.id] == nil then
      entries[#entries + 1] = copy_entry(entry)
      entries[#entries].pending = entry.pending
    end
  end
  for id, earlier in pairs(before) do
    if earlier then
      entries[#entries + 1] = copy_entry(earlier)
      entries[#entries].pending = true
    else
      untold[#untold + 1] = id
    end
  end
  return { version = cursor.version, horizon = cursor.horizon, entries = entries, untold = untold }
end

return changes
