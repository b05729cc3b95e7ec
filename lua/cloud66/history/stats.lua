-- stats.lua: figures from a deployment history, in one pass, whatever order it comes in. At most two numbers of a deployment
-- stay in memory, for the medians; neither it nor its page. cloud66.stats() is documented in
-- types/cloud66.lua, and what each figure means in types/stats.lua.

local core = require "cloud66.core"
local calendar = require "cloud66.history.calendar"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local number = require "cloud66.base.number"
local recovery = require "cloud66.history.recovery"
local sequence = require "cloud66.model.sequence"

local stats = {}

local blame = caller.blame

local DAY = 86400 -- seconds
local MOST_INTERVALS = 10000 -- in a series: 27 years of days

local OUTCOMES = { pending = true, success = true, failed = true }

-- The fields that page.drift lists. What is read from a word is sent as part of it.
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
local function check_deployment(item, place)
  if not core.is_deployment(item) then
    blame("stats() needs deployments: %s is a %s (after map(), the items are your own values)",
      place, type(item))
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

local function check_list(list)
  local numbered = 0
  for key in pairs(list) do
    numbered = numbered + (type(key) == "number" and 1 or 0)
  end
  if #list ~= numbered then
    blame "stats() needs a list without gaps"
  elseif numbered == 0 and next(list) ~= nil then
    blame "stats() needs a sequence, a page or a list of deployments, got a table without items 1 to n"
  end
  for i = 1, #list do
    check_deployment(list[i], "number " .. i)
  end
end

-- A failure handed on as nil must not read as an empty history.
local function check_source(source)
  if type(source) == "table" then
    check_list(source)
  elseif source == nil then
    blame "stats() needs a sequence, a page or a list of deployments, got nil: did what was to give it fail?"
  elseif not sequence.is(source) and not (type(source) == "userdata" and getmetatable(source) == "cloud66.page") then
    blame("stats() needs a sequence, a page or a list of deployments, got a %s",
      core.is_deployment(source) and "single deployment" or type(source))
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

-- {count=, median=, p90=, max=} of a list of numbers, which it sorts.
local function spread(list)
  local count = #list
  if count == 0 then
    return { count = 0 }
  end
  table.sort(list)
  return { count = count, median = median_of(list), p90 = number.percentile(list, 90), max = list[count] }
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

local OPTIONS = { from = args.time, to = args.time, by = args.one_of("day", "week", "month") }

-- A series over the range, empty as yet. `to` is the first moment that is no longer in it.
local function new_series(by, range)
  local unit = calendar.units[by]
  local series = { by = by, unit = unit, intervals = {} }
  series.first = range.from and unit.index(range.from)
  series.last = range.to and unit.index(math.ceil(range.to) - 1)
  if series.first and series.last and series.last - series.first >= MOST_INTERVALS then
    blame("from and to are %d %ss apart, more than the %d a series may have",
      series.last - series.first + 1, by, MOST_INTERVALS)
  end
  return series
end

local function new_state(options)
  options = args.options(options, OPTIONS, nil, "by")
  local range = { from = options.from, to = options.to }
  if range.from and range.to and range.from >= range.to then
    blame "from must be earlier than to"
  end
  local figures = new_tally()
  figures.reverts, figures.undated, figures.drift = 0, 0, 0
  figures.by_user, figures.by_trigger, figures.by_type, figures.by_ref = {}, {}, {}, {}
  return {
    figures = figures,
    range = range,
    is_ranged = range.from ~= nil or range.to ~= nil,
    durations = {},
    recovery = recovery.new(),
    series = options.by and new_series(options.by, range) or nil,
  }
end

-- The uid tells stacks apart; a sequence of one stack, a page and a list name none.
local function uid_of(stack)
  local uid = type(stack) == "table" and stack.uid or stack
  return type(uid) == "string" and uid or ""
end

function stats.of(deployments, options)
  check_source(deployments)
  local state = new_state(options)
  local pull = sequence.pull_of(deployments, "taken over by stats()") or items_of(deployments)
  while true do
    local item, stack_or_message, err = pull()
    if item == nil then
      if stack_or_message then
        return nil, stack_or_message, err
      end
      break
    end
    check_deployment(item, "an item")
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
