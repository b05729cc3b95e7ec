-- changes.lua: what has happened to a stack's deployments: responses compared with what a cursor remembers: see cursor.lua.
--
-- Replicas may give them, of which one is behind: a response may be older than the one before it, and nothing in it says so.

local args = require "cloud66.base.args"
local cursors = require "cloud66.resource.cursor"
local errors = require "cloud66.base.error"
local random = require "cloud66.base.random"
local estimate = require "cloud66.resource.estimate"

local changes = {}

local MOST_MISSING = 20 -- deployments that left the newest pages and are read one by one
local STUCK = 2 * 86400 -- seconds: what still runs then is not looked for by a first poll
local MOST_PAGES = 10 -- of a first poll

-- --- reading ---

-- A function page -> whether a first poll needs none after it.
local function reaches_back()
  local since, count = os.time() - STUCK, 0
  return function(page)
    count = count + 1
    for _, started in page:rows "started_time" do
      if started and started < since then
        return true
      end
    end
    return count == MOST_PAGES
  end
end

-- A function page -> whether it has one that is old, or known.
local function reaches_known(known, cursor)
  local reread, horizon = cursor.reread, cursor.horizon
  return function(page)
    for deployment in page:each() do
      local started = deployment.started_time
      if horizon and started and started <= horizon then
        return true
      elseif known[args.id(deployment.id)] and not (reread and started and started > reread.since) then
        return true
      end
    end
    return false
  end
end

-- The newest deployments, down to the first page that holds one the cursor knows; without a cursor, down to those that are too
-- old to run. Gives { list, first and last page, pages = how many }; or nil, message, err.
local function read_list(endpoint, known, cursor, deadline)
  local read = { pages = 0 }
  local reaches = cursor and reaches_known(known, cursor) or reaches_back()
  local message, err
  read.list, message, err = endpoint:deployments_until(function(page)
    read.first, read.last, read.pages = read.first or page, page, read.pages + 1
    return reaches(page)
  end, deadline)
  if not read.list then
    return nil, message, err
  end
  return read
end

local function ids_of(list)
  local ids = {}
  for _, deployment in ipairs(list) do
    ids[args.id(deployment.id)] = true
  end
  return ids
end

-- The ids of those that may still change, or have something to report yet, and that stand further down than was read.
local function missing_of(listed, cursor)
  local missing = {}
  for _, entry in ipairs(cursor.entries) do
    if not listed[entry.id] and cursors.may_change(entry) and not cursors.is_gone(cursor, entry.id, "missed") then
      missing[#missing + 1] = entry.id
    end
  end
  for _, id in ipairs(cursor.untold) do
    if not listed[id] then
      missing[#missing + 1] = id
    end
  end
  return missing
end

-- Reads these one by one, each when its turn comes. Gives the deployments, and the ids that are not found; or nil, message, err.
local function read_singles(endpoint, missing, deadline)
  local found, missed = {}, {}
  local first = #missing > MOST_MISSING and math.floor(random.uniform() * #missing) + 1 or 1
  for i = 1, math.min(#missing, MOST_MISSING) do
    local id = missing[(first + i - 2) % #missing + 1]
    local deployment, message, err = endpoint:deployment(id, deadline)
    if deployment then
      found[#found + 1] = deployment
    elseif errors.is_absent(err) then
      missed[id] = true
    else
      return nil, message, err
    end
  end
  return found, missed
end

-- --- which list is an old one ---

-- Whether a response shows less of a deployment than an earlier one did.
local function is_older(entry, is_finished)
  return (entry.finished or entry.ended) and not is_finished
end

-- The ids of those that should be on a list which goes back to that start, and are not.
local function absent_of(listed, cursor, oldest)
  local absent = {}
  for _, entry in ipairs(cursor.entries) do
    local started = cursors.started_of(entry)
    if not listed[entry.id] and started and (not oldest or started > oldest) then
      absent[entry.id] = true
    end
  end
  return absent
end

local function oldest_of(list)
  local oldest
  for _, deployment in ipairs(list) do
    local started = deployment.started_time
    oldest = started and math.min(oldest or started, started) or oldest
  end
  return oldest
end

-- Whether a list is older than an earlier one: what was there has gone, but for what was removed; or what was over runs.
local function is_stale(list, known, cursor, absent)
  for id in pairs(absent) do
    if not cursors.is_gone(cursor, id, "absent") and not cursors.is_gone(cursor, id, "missed") then
      return true
    end
  end
  for _, deployment in ipairs(list) do
    local entry = known[args.id(deployment.id)]
    if entry and is_older(entry, deployment.is_finished) then
      return true
    end
  end
  return false
end

-- --- comparing ---

local AT_THE_END = { finished_at = true, outcome = true, is_deploying = true }

-- Whether a field has changed back.
local function is_back(before, i, name, value)
  return before.former ~= nil and before.former[name] == value and before.values[i] ~= value
end

-- Whether a list takes something back, and is the first one that does. An older list does so as well, and what else of it has
-- changed is in doubt, too.
local function takes_back(list, known)
  for _, deployment in ipairs(list) do
    local before = known[args.id(deployment.id)]
    if before and before.former and not before.doubt then
      local values = cursors.entry_of(deployment).values
      for i, name in ipairs(cursors.FIELDS) do
        if is_back(before, i, name, values[i]) then
          return true
        end
      end
    end
  end
  return false
end

-- Whether pages of different age make up a list: of two that are live one was so earlier.
local function is_mixed(list)
  local live, heads = 0, 0
  for _, deployment in ipairs(list) do
    live, heads = live + (deployment.is_live and 1 or 0), heads + (deployment.is_head and 1 or 0)
  end
  return live > 1 or heads > 1
end

-- Whether a field may only look changed. No text goes away.
local function is_doubtful(before, i, name, value)
  return is_back(before, i, name, value) or (type(before.values[i]) == "string" and value == false)
end

-- The names of the fields that have changed. Those in doubt keep their value in `after` until the next response has it again.
-- Nothing becomes live or head again where another one is, too, nor far down, where deployments are read one by one.
local function settle(before, after, list)
  local is_confirming = before.doubt and not list.is_old
  local ends, names, former = after.finished and not before.finished, {}, {}
  for i, name in ipairs(cursors.FIELDS) do
    local value, earlier = after.values[i], before.values[i]
    former[name] = before.former and before.former[name]
    if value ~= earlier and ends and AT_THE_END[name] then
      names[#names + 1] = name -- `finished` is told once, whatever comes: nothing former
    elseif value == true and list.is_mixed and is_back(before, i, name, value) then
      after.values[i] = earlier
    elseif value ~= earlier and not is_confirming and (list.in_doubt or is_doubtful(before, i, name, value)) then
      after.values[i], after.doubt = earlier, true
    elseif value ~= earlier then
      names[#names + 1] = name
      former[name] = earlier
    end
  end
  after.former = next(former) ~= nil and former or nil
  return names
end

-- One that is known: the entry to go on with, and its event, if any.
local function compare_known(events, deployment, before, after, list)
  if is_older(before, after.finished) then
    return cursors.copy_entry(before)
  end
  local ends = after.finished and not before.finished
  local names = settle(before, after, list)
  if list.is_old and not ends then
    local same = cursors.copy_entry(before)
    same.pending = same.pending or #names > 0 or nil
    return same
  end
  if ends or #names > 0 then
    events[#events + 1] = {
      type = ends and "finished" or "changed", deployment = deployment, changed = names, id = after.id, before = before,
    }
  end
  return after
end

local function is_new(deployment, cursor)
  if not cursor then
    return deployment.is_running -- what was over before the first poll is history
  end
  local started = deployment.started_time
  return not cursor.horizon or not started or started > cursor.horizon or cursors.is_untold(cursor, args.id(deployment.id))
end

-- One that is not: each event has its entry in the cursor before, for cursors in between.
local function compare_new(events, deployment, after)
  events[#events + 1] = { type = "started", deployment = deployment, id = after.id, before = false }
  if after.finished then
    local running = cursors.copy_entry(after)
    running.finished, running.ended = false, true
    events[#events + 1] = { type = "finished", deployment = deployment, changed = {}, id = after.id, before = running }
  end
end

-- Adds the events of a list, the oldest first, and the entries to go on with: id -> entry.
local function compare(events, entries, list, known, cursor)
  for i = #list, 1, -1 do
    local deployment = list[i]
    local after = cursors.entry_of(deployment)
    local before = known[after.id]
    if before then
      entries[after.id] = compare_known(events, deployment, before, after, list)
    elseif is_new(deployment, cursor) then
      compare_new(events, deployment, after)
      entries[after.id] = after
    elseif not cursor then
      entries[after.id] = after
    end
  end
end

-- --- the next cursor ---

local function has_known(page, known)
  for _, id in page:rows "id" do
    if known[args.id(id)] then
      return true
    end
  end
  return false
end

-- How deep the list has to be read again. Where no page but the last had one that is known, what stood between two pages may
-- have been passed over.
local function next_reread(read, known, cursor)
  local reread, newest = cursor.reread, cursor.horizon or 0
  if read.pages < 2 or has_known(read.first, known) then
    local polls = reread and reread.polls - 1 or 0
    return polls > 0 and { since = reread.since, polls = polls } or nil
  end
  for _, entry in pairs(known) do
    newest = math.max(newest, cursors.started_of(entry) or newest)
  end
  return { since = reread and reread.since or newest, polls = cursors.REREADS }
end

-- What was not reported yet and was not read now, but for what is taken for removed.
local function next_untold(cursor, seen, missed)
  local untold = {}
  for _, id in ipairs(cursor.untold) do
    if not seen[id] and not (missed and cursors.is_gone({ missed = missed }, id, "missed")) then
      untold[#untold + 1] = id
    end
  end
  return untold
end

local function first_cursor(read, entries)
  local list = {}
  for _, entry in pairs(entries) do
    list[#list + 1] = entry
  end
  local horizon = read.last and read.last.next and oldest_of(read.list) or false -- other pages hold nothing younger
  local remaining
  remaining, horizon = cursors.prune(list, horizon, function()
    return false
  end)
  return { version = cursors.VERSION, horizon = horizon, entries = remaining, untold = {} }
end

-- now: { entries, listed, seen, absent, missed }, all by id.
local function next_cursor(read, known, cursor, now)
  local list, remembered = {}, {}
  for _, entry in ipairs(cursor.entries) do
    list[#list + 1] = now.entries[entry.id] or cursors.copy_entry(entry)
  end
  for id, entry in pairs(now.entries) do
    list[#list + 1] = not known[id] and entry or nil
  end
  for _, entry in ipairs(list) do
    remembered[entry.id] = true
  end
  for _, id in ipairs(cursor.untold) do
    remembered[id] = true
  end
  local following = {
    version = cursors.VERSION, reread = next_reread(read, known, cursor),
    missed = cursors.count(cursor.missed, now.missed, now.seen, remembered),
    absent = cursors.count(cursor.absent, now.absent, now.listed, remembered),
  }
  following.untold = next_untold(cursor, now.seen, following.missed)
  following.entries, following.horizon = cursors.prune(list, cursor.horizon or false, function(id)
    return cursors.is_gone(following, id, "missed")
  end)
  return following
end

---What has happened since the cursor was made.
---@param endpoint table     of endpoint.new()
---@param cursor table|nil   of an earlier poll; not changed
---@param deadline? number
---@return table[]|nil events, table|string cursor_or_message, cloud66.Error? err
function changes.run(endpoint, cursor, deadline)
  local known = cursors.by_id(cursor)
  local read, message, err = read_list(endpoint, known, cursor, deadline)
  if not read then
    return nil, message, err
  end
  local events, entries = {}, {}
  local durations = estimate.durations(read.first or {}) -- for those who poll again
  if not cursor then
    compare(events, entries, read.list, known)
    return events, first_cursor(read, entries), durations
  end
  local listed = ids_of(read.list)
  local singles, missed
  singles, missed, err = read_singles(endpoint, missing_of(listed, cursor), deadline)
  if not singles then
    return nil, missed, err
  end
  local absent = absent_of(listed, cursor, oldest_of(read.list))
  singles.is_mixed, read.list.is_mixed = true, is_mixed(read.list)
  read.list.is_old, read.list.in_doubt = is_stale(read.list, known, cursor, absent), takes_back(read.list, known)
  compare(events, entries, singles, known, cursor)
  compare(events, entries, read.list, known, cursor)
  local seen = ids_of(singles)
  for id in pairs(listed) do
    seen[id] = true
  end
  return events, next_cursor(read, known, cursor,
    { entries = entries, listed = listed, seen = seen, absent = absent, missed = missed }), durations
end

return changes
