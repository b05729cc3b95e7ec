-- stats.lua: figures from a deployment history, in one pass, whatever order it comes in. What is kept of a deployment is
-- two numbers at most, for the medians; neither it nor its page.

local core = require "cloud66.core"
local calendar = require "cloud66.history.calendar"
local args = require "cloud66.base.args"
local errors = require "cloud66.base.error"
local recovery = require "cloud66.history.recovery"
local sequence = require "cloud66.model.sequence"

local stats = {}

local DAY = 86400 -- seconds
local MOST_INTERVALS = 10000 -- in a series: 27 years of days

local OUTCOMES = { pending = true, success = true, failed = true }

-- The fields that page.drift tells of. What is read from a word is sent as part of it.
local FIELDS = {}
do
  local SENT = { text = true, date = true, boolean = true, word = true, integer = true }
  for name, kind in pairs(core.names) do
    if SENT[kind] and not name:find "_meaning$" then
      FIELDS[#FIELDS + 1] = name
    end
  end
end

-- --- what is read ---

-- Raises for an item that is none: what it would read as is no history.
local function check_deployment(item, place, level)
  if not core.is_deployment(item) then
    error(("stats() needs deployments: %s is a %s (after map(), the items are your own values)"):format(
      place, type(item)), level + 1)
  end
end

-- The items of a page or list, as the pull() of a sequence.
local function items_of(list)
  local i, count = 0, #list
  return function()
    i = i + 1
    if i <= count then
      return list[i]
    end
    return nil
  end
end

local function check_list(list, level)
  level = level + 1
  local numbered = 0
  for key in pairs(list) do
    numbered = numbered + (type(key) == "number" and 1 or 0)
  end
  if #list ~= numbered then
    error("stats() needs a list without gaps", level)
  elseif numbered == 0 and next(list) ~= nil then
    error("stats() needs a sequence, a page or a list of deployments, got a table without items 1 to n", level)
  end
  for i = 1, #list do
    check_deployment(list[i], "number " .. i, level)
  end
end

-- A failure handed on as nil must not read as an empty history.
local function check_source(source, level)
  level = level + 1
  if type(source) == "table" then
    check_list(source, level)
  elseif source == nil then
    error("stats() needs a sequence, a page or a list of deployments, got nil: did what was to give it fail?", level)
  elseif not sequence.is(source) and not (type(source) == "userdata" and getmetatable(source) == "cloud66.page") then
    error(("stats() needs a sequence, a page or a list of deployments, got a %s"):format(
      core.is_deployment(source) and "single deployment" or type(source)), level)
  end
end

-- The stacks that could not be read, where a sequence goes over several.
local function missing_of(source)
  local has_some, failed = pcall(function()
    return type(source) == "userdata" and source.failed
  end)
  local missing = {}
  for i, failure in ipairs(has_some and type(failed) == "table" and failed or {}) do
    local stack = failure.stack
    missing[i] = { stack = type(stack) == "table" and stack.uid or stack, message = failure.message }
  end
  return missing
end

-- --- counting ---

local function bump(counts, key)
  counts[key] = (counts[key] or 0) + 1
end

local function new_tally()
  return { count = 0, success = 0, failed = 0, pending = 0, unknown = 0 }
end

local function tally(into, outcome)
  into.count = into.count + 1
  into[outcome] = into[outcome] + 1
end

local function drift_of(deployment)
  local drift = 0
  for i = 1, #FIELDS do
    if core.drifted(deployment, FIELDS[i]) then
      drift = drift + 1
    end
  end
  return drift
end

-- Counts a start in its interval. nil, message, err when the series gets too long.
local function add_to_series(series, started, outcome)
  local index = series.unit.index(started)
  series.first = math.min(series.first or index, index)
  series.last = math.max(series.last or index, index)
  if series.last - series.first >= MOST_INTERVALS then
    return errors.fail("too_large", ("the starts lie more than %d %ss apart: ask for a range, with from and to, or for "
      .. "longer intervals"):format(MOST_INTERVALS, series.by))
  end
  local interval = series.intervals[index]
  if not interval then
    interval = new_tally()
    series.intervals[index] = interval
  end
  tally(interval, outcome)
  return true
end

-- Whether a deployment counts. One without a start is in no range.
local function is_inside(range, started)
  if not range.from and not range.to then
    return true
  end
  return started ~= nil and started >= (range.from or started) and (not range.to or started < range.to)
end

-- seconds from start to end; nil where unknown or negative.
local function duration_of(started, finished)
  local seconds = started and finished and finished - started
  return seconds and seconds >= 0 and seconds or nil
end

local function add_duration(durations, kind, seconds)
  local list = durations[kind]
  if not list then
    list = {}
    durations[kind] = list
  end
  list[#list + 1] = seconds
end

-- true, or nil, message, err.
local function add(state, deployment, stack)
  local figures = state.figures
  local started = deployment.started_time
  local inside = is_inside(state.range, started)
  if inside or not started then
    figures.drift = figures.drift + drift_of(deployment)
    figures.undated = figures.undated + (started and 0 or 1)
  end
  if not inside then
    return true
  end
  local word = deployment.outcome
  local outcome = OUTCOMES[word] and word or "unknown"
  local kind, ref = deployment.deploy_type or "", deployment.git_ref or ""
  tally(figures, outcome)
  bump(figures.by_user, deployment.triggered_by or "")
  bump(figures.by_trigger, deployment.triggered_via or "")
  bump(figures.by_type, kind)
  bump(figures.by_ref, ref)
  figures.reverts = figures.reverts + (deployment.reverted and 1 or 0)
  if outcome == "success" or outcome == "failed" then
    local finished = deployment.finished_time
    local duration = duration_of(started, finished)
    if duration and outcome == "success" then
      add_duration(state.durations, kind, duration)
    end
    recovery.add(state.recovery, stack, ref, outcome == "success", started, finished)
  end
  if not started then
    return true
  end
  state.first = math.min(state.first or started, started)
  state.last = math.max(state.last or started, started)
  if state.series then
    return add_to_series(state.series, started, outcome)
  end
  return true
end

-- --- the figures ---

-- The mean of the middle two; a whole number where it is one.
local function median_of(sorted)
  local count = #sorted
  local sum = sorted[math.floor((count + 1) / 2)] + sorted[math.floor(count / 2) + 1]
  return sum % 2 == 0 and math.floor(sum / 2) or sum / 2
end

-- {count=, median=, p90=, max=} of a list of numbers, which it sorts. p90 is the smallest of them that nine tenths do not
-- exceed (nearest rank).
local function spread(list)
  local count = #list
  if count == 0 then
    return { count = 0 }
  end
  table.sort(list)
  return { count = count, median = median_of(list), p90 = list[math.ceil(count * 9 / 10)], max = list[count] }
end

local function duration_figures(durations)
  local all, by_type = {}, {}
  for kind, list in pairs(durations) do
    for i = 1, #list do
      all[#all + 1] = list[i]
    end
    by_type[kind] = spread(list)
  end
  local figures = spread(all)
  figures.by_type = by_type
  return figures
end

local function recovery_figures(state)
  local found = recovery.found(state)
  local times = spread(found.times)
  return { count = times.count, median = times.median, p90 = times.p90, unknown = found.unknown, open = found.open }
end

-- Deployments with a start, by the days of the range. A border that nobody asked for is that of a day: two deployments
-- within a minute are two a day, not 2,880.
local function per_day(dated, range, first, last)
  local day = calendar.units.day
  local from = range.from or first and day.begins(day.index(first))
  local to = range.to or last and day.begins(day.index(last) + 1)
  return from and to and dated / ((to - from) / DAY) or nil
end

local function series_figures(series)
  local list = {}
  if not series.first or not series.last then
    return list
  end
  local unit = series.unit
  for index = series.first, series.last do
    local interval = series.intervals[index] or new_tally()
    interval.from, interval.to, interval.label = unit.begins(index), unit.begins(index + 1), unit.label(index)
    list[#list + 1] = interval
  end
  return list
end

local function finish(state)
  local figures, range = state.figures, state.range
  local finished = figures.success + figures.failed
  figures.from, figures.to = range.from or state.first, range.to or state.last
  figures.per_day = per_day(figures.count - (state.is_ranged and 0 or figures.undated), range, state.first, state.last)
  figures.failure_rate = finished > 0 and figures.failed / finished or nil
  figures.duration = duration_figures(state.durations)
  figures.recovery = recovery_figures(state.recovery)
  figures.series = state.series and series_figures(state.series)
  return figures
end

-- --- the call ---

local OPTIONS = { from = true, to = true, by = true }

local function check_by(by, level)
  if by ~= nil and not (type(by) == "string" and calendar.units[by]) then
    error(("option 'by' is day, week or month, not '%s'%s"):format(tostring(by), args.hint(by, calendar.units)), level + 1)
  end
end

-- The range that was asked for, as Unix seconds.
local function range_of(options, level)
  level = level + 1
  local range = {}
  for _, name in ipairs { "from", "to" } do
    if options[name] ~= nil then
      range[name] = args.time(options[name], name, level)
    end
  end
  if range.from and range.to and range.from >= range.to then
    error("from must be earlier than to", level)
  end
  return range
end

-- A series over the range, empty as yet. `to` is the first moment that is no longer in it.
local function new_series(by, range, level)
  local unit = calendar.units[by]
  local series = { by = by, unit = unit, intervals = {} }
  series.first = range.from and unit.index(range.from)
  series.last = range.to and unit.index(math.ceil(range.to) - 1)
  if series.first and series.last and series.last - series.first >= MOST_INTERVALS then
    error(("from and to are %d %ss apart, more than the %d a series may have"):format(
      series.last - series.first + 1, by, MOST_INTERVALS), level + 1)
  end
  return series
end

local function new_state(options, level)
  level = level + 1
  options = args.options(options, OPTIONS, nil, "by")
  check_by(options.by, level)
  local range = range_of(options, level)
  local figures = new_tally()
  figures.reverts, figures.undated, figures.drift = 0, 0, 0
  figures.by_user, figures.by_trigger, figures.by_type, figures.by_ref = {}, {}, {}, {}
  return {
    figures = figures,
    range = range,
    is_ranged = range.from ~= nil or range.to ~= nil,
    durations = {},
    recovery = recovery.new(),
    series = options.by and new_series(options.by, range, level) or nil,
  }
end

-- Stacks are told apart by uid; a sequence of one stack, a page and a list name none.
local function uid_of(stack)
  local uid = type(stack) == "table" and stack.uid or stack
  return type(uid) == "string" and uid or ""
end

---@class cloud66.Spread
---@field count integer    how many are known; the rest is nil when none is
---@field median? number   seconds; the mean of the middle two
---@field p90? number      seconds; nearest rank: the smallest value that nine tenths do not exceed
---@field max? number      seconds

---@class cloud66.Interval
---@field from integer, to integer  Unix seconds: its begin in UTC, and that of the next one
---@field label string     "2025-03-09", "2025-W10" (ISO 8601: from Monday on), "2025-03"
---@field count integer, success integer, failed integer, pending integer, unknown integer

---@class cloud66.Stats
---@field count integer    deployments; the sum of the next four
---@field success integer, failed integer, pending integer
---@field unknown integer  those with another outcome, or none
---@field from? number     Unix seconds: what was asked for, else the first start seen; nil when there is neither
---@field to? number       likewise, else the last start seen
---@field per_day? number  how often (DORA's deployment frequency): deployments with a start by the days from `from` to
---`to`. Where no `from` was asked for, the days begin with the one (UTC) of the first start, and where no `to` was, they
---end with that of the last one. nil where a border was not asked for and there is no start to take it from
---@field failure_rate? number  failed / (success + failed), from 0 to 1; nil when that is 0 / 0. The share of deployments
---that failed: DORA's change failure rate also has those that succeeded and then broke something, which are not known here
---@field duration cloud66.Spread  from start to end, of successes where both are known and in that order; and by_type, the
---same for each type that has some
---@field recovery { count: integer, median?: number, p90?: number, unknown: integer, open: integer }
---runs of failures of one ref on one stack: seconds from the end of the first failure to the end of the next success, of any
---type; unknown: runs that are over, but one of the two ends is not known, and failures with neither start nor end; open:
---runs that no success ended. Deployments without a ref count as of one ref; outcomes other than success and failed are passed
---over; what has no known end stands where it started. No time to restore a service: outages are not known here
---@field reverts integer  deployments that were reverted
---@field by_user table<string, integer>, by_trigger table<string, integer>
---@field by_type table<string, integer>, by_ref table<string, integer>  "" for those where the API sent none
---@field series? cloud66.Interval[]  only with `by`: oldest first, without gaps; whole intervals, from the one of `from` to the
---one of `to`. What has no start is in none
---@field undated integer  deployments without a readable start. They count in all other figures but per_day and series when no
---range was asked for, and in none otherwise
---@field drift integer    fields that came in a form this library does not know, of the deployments counted and undated
---@field missing { stack: string, message: string }[]  stacks that a sequence over several could not read, or not to the end:
---their deployments are not in the figures

---Figures from a history. Each deployment given counts, one given twice, twice. A list or page names no stacks: its
---recoveries go by ref alone.
---@param deployments cloud66.Sequence|cloud66.Page|cloud66.Deployment[]  in any order; a sequence is used up
---@param options? { from?: string|number, to?: string|number, by?: "day"|"week"|"month" }  only what started from `from`
---(inclusive) to `to` (exclusive): dates, ages or Unix seconds as in criteria; by: a series, of 10,000 intervals at most
---@param level? integer   as in args.lua
---@return cloud66.Stats|nil stats, string? message, cloud66.Error? err
---# what the sequence failed with; too_large when the starts lie too far apart for a series
function stats.of(deployments, options, level)
  level = (level or 2) + 1
  check_source(deployments, level)
  local state = new_state(options, level)
  local pull = sequence.pull_of(deployments, "taken over by stats()", level) or items_of(deployments)
  while true do
    local item, stack_or_message, err = pull()
    if item == nil then
      if stack_or_message then
        return nil, stack_or_message, err
      end
      break
    end
    check_deployment(item, "an item", level)
    local ok, message, problem = add(state, item, uid_of(stack_or_message))
    if not ok then
      return nil, message, problem
    end
  end
  local figures = finish(state)
  figures.missing = missing_of(deployments)
  return figures
end

return stats
