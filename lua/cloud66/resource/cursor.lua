-- cursor.lua: what a poll remembers of a stack's deployments for the next one.
--
-- A cursor is { version, horizon, entries = { entry, ... }, untold = { id, ... } }, plain values that survive JSON. Whatever
-- started up to `horizon` (Unix seconds; false: nothing) and has no entry is old, but for the ids in `untold`, which were not
-- reported yet. Where there is something to say, also:
--   missed   id -> in how many polls its own response was "not found"; absent: id -> in how many lists it should have been, and
--            was not. With MOST of either it is taken for removed: its entry stays, so that it does not begin again.
--   reread   { since, polls }: for so many polls more the list is read down to that start (Unix seconds), as two replicas may
--            have given its pages, and what stood between them was not seen
--
-- An entry is { id, finished, values }: what was reported of a deployment. Where there is something to say, also:
--   pending  it has changes that were not reported yet
--   ended    it was seen finished, which was not reported yet
--   former   field -> the value before the last change that was reported of it
--   doubt    the latest response took fields back to such a value: an older response, unless the next one says so too

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"

local cursor = {}

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local VERSION = 1
local MOST = 10
local MOST_ENTRIES = 100 -- besides those that run or are live

-- In the order in which an entry has their values; false stands for nil.
local FIELDS, place = {}, {}
for _, name in ipairs(core.fields) do
  if name ~= "id" then
    FIELDS[#FIELDS + 1] = name
    place[name] = #FIELDS
  end
end
local STARTED, LIVE = place.started_at, place.is_live

cursor.VERSION, cursor.FIELDS, cursor.REREADS = VERSION, FIELDS, MOST

-- --- what a caller gives ---

local function is_id(value)
  return type(value) == "string" and value:find "^%-?%d+$" ~= nil
end

local function is_value(value)
  return type(value) == "string" or type(value) == "boolean"
end

local function is_flag(value)
  return value == nil or type(value) == "boolean"
end

local function all(list, test)
  for _, item in ipairs(list) do
    if not test(item) then
      return false
    end
  end
  return true
end

-- A map that may be left out.
local function is_map(map, is_key, test)
  if map == nil then
    return true
  elseif type(map) ~= "table" then
    return false
  end
  for key, value in pairs(map) do
    if not is_key(key) or not test(value) then
      return false
    end
  end
  return true
end

local function is_field(name)
  return place[name] ~= nil
end

local function is_number(value)
  return type(value) == "number"
end

local function is_entry(entry)
  return type(entry) == "table" and is_id(entry.id) and type(entry.values) == "table" and #entry.values == #FIELDS
    and all(entry.values, is_value) and is_map(entry.former, is_field, is_value)
    and is_flag(entry.pending) and is_flag(entry.ended) and is_flag(entry.doubt)
end

local function is_reread(reread)
  return reread == nil or (type(reread) == "table" and is_number(reread.since) and is_number(reread.polls))
end

local function is_cursor(value)
  return type(value) == "table" and value.version == VERSION and type(value.entries) == "table" and type(value.untold) == "table"
    and (not value.horizon or is_number(value.horizon)) and all(value.entries, is_entry) and all(value.untold, is_id)
    and is_map(value.missed, is_id, is_number) and is_map(value.absent, is_id, is_number) and is_reread(value.reread)
end

---@param value any  the caller's
function cursor.check(value)
  if value ~= nil and not is_cursor(value) then
    caller.blame "this is no cursor of stack:poll() (of this version): leave it out to begin anew"
  end
  return value
end

-- --- entries ---

local function copy_map(map)
  local copy
  for key, value in pairs(map or {}) do
    copy = copy or {}
    copy[key] = value
  end
  return copy
end

function cursor.copy_entry(entry)
  return {
    id = entry.id, finished = entry.finished, values = { unpack(entry.values) },
    pending = entry.pending, ended = entry.ended, former = copy_map(entry.former), doubt = entry.doubt,
  }
end

---@param deployment cloud66.Deployment
function cursor.entry_of(deployment)
  local values = {}
  for i, name in ipairs(FIELDS) do
    values[i] = deployment[name] or false
  end
  return { id = args.id(deployment.id), finished = deployment.is_finished, values = values }
end

---Unix seconds, or nil.
function cursor.started_of(entry)
  return entry.values[STARTED] and core.timestamp(entry.values[STARTED]) or nil
end

---Whether there may be something to report of it, on whatever page it stands.
function cursor.may_change(entry)
  return not entry.finished or entry.values[LIVE] or entry.pending or entry.doubt or false
end

-- --- cursors ---

---id -> entry
function cursor.by_id(self)
  local known = {}
  for _, entry in ipairs(self and self.entries or {}) do
    known[entry.id] = entry
  end
  return known
end

function cursor.is_untold(self, id)
  for _, untold in ipairs(self.untold) do
    if untold == id then
      return true
    end
  end
  return false
end

---Whether a deployment is taken for removed, by its own responses, or by lists alone.
---@param of "missed"|"absent"
function cursor.is_gone(self, id, of)
  local count = self[of] and self[of][id]
  return count ~= nil and count >= MOST
end

---One of these counts, taken on: one more for those that were missed once more, none for those that were seen.
---@param counts table|nil   id -> number
---@param more table, seen table  id -> true
---@param remembered table         id -> true: nothing is counted of others
---@return table|nil counts  not an empty one
function cursor.count(counts, more, seen, remembered)
  local taken_on
  for id in pairs(remembered) do
    local count = (not seen[id] and counts and counts[id] or 0) + (more[id] and 1 or 0)
    if count > 0 then
      taken_on = taken_on or {}
      taken_on[id] = math.min(count, MOST)
    end
  end
  return taken_on
end

-- The latest start first, wherever the responses had them: an old response has the newest ones nowhere.
local function sort(entries)
  local starts, places = {}, {}
  for i, entry in ipairs(entries) do
    starts[entry], places[entry] = cursor.started_of(entry) or math.huge, i
  end
  table.sort(entries, function(a, b)
    if starts[a] ~= starts[b] then
      return starts[a] > starts[b]
    end
    return places[a] < places[b]
  end)
  return starts
end

---The entries to go on with, newest first, and the horizon: what is left out is old from then on.
---@param entries table[]  sorted in place
---@param horizon number|false
---@param is_removed fun(id: string): boolean
function cursor.prune(entries, horizon, is_removed)
  local starts, remaining = sort(entries), {}
  for i, entry in ipairs(entries) do
    if i <= MOST_ENTRIES or (cursor.may_change(entry) and not is_removed(entry.id)) then
      remaining[#remaining + 1] = entry
    elseif starts[entry] < math.huge then
      horizon = math.max(horizon or starts[entry], starts[entry])
    end
  end
  return remaining, horizon
end

---The cursor to go on from where some events of a poll have not been returned yet.
---@param self table       that this poll returned
---@param events table[]   those that were not returned, in order
---@return table
function cursor.between(self, events)
  local before = {} -- id -> what was reported of it, or false
  for i = #events, 1, -1 do
    before[events[i].id] = events[i].before
  end
  local entries, untold = {}, { unpack(self.untold) }
  for _, entry in ipairs(self.entries) do
    if before[entry.id] == nil then
      entries[#entries + 1] = cursor.copy_entry(entry)
    end
  end
  for id, earlier in pairs(before) do
    if earlier then
      entries[#entries + 1] = cursor.copy_entry(earlier)
      entries[#entries].pending = true
    else
      untold[#untold + 1] = id
    end
  end
  return {
    version = self.version, horizon = self.horizon, entries = entries, untold = untold,
    missed = copy_map(self.missed), absent = copy_map(self.absent), reread = copy_map(self.reread),
  }
end

return cursor
