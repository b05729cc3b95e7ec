-- axis.lua: where a moment or a figure lies in a chart, and which of them are written beside it.

local calendar = require "cloud66.history.calendar"

local axis = {}

local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

local HOUR, DAY = 3600, 86400

local function month_label(index)
  local label = calendar.units.month.label(index)
  local year, month = label:match "^(%-?%d+)%-(%d+)$"
  return MONTHS[tonumber(month)] .. " " .. year
end

local function day_label(seconds)
  local _, month, day = calendar.units.day.label(calendar.units.day.index(seconds)):match "^(%-?%d+)%-(%d+)%-(%d+)$"
  return ("%d %s"):format(tonumber(day), MONTHS[tonumber(month)])
end

local function hour_label(seconds)
  return ("%02d:00"):format(math.floor(seconds / HOUR) % 24)
end

-- Moments that are multiples of a length, from a Monday on.
local MONDAY = 4 * DAY

local function each_length(from, to, length, label)
  local ticks = {}
  local at = math.ceil((from - MONDAY) / length) * length + MONDAY
  while at <= to do
    ticks[#ticks + 1] = { at = at, label = label(at) }
    at = at + length
  end
  return ticks
end

local function each_months(from, to, months)
  local month, ticks = calendar.units.month, {}
  local index = math.ceil(month.index(from) / months) * months
  while month.begins(index) <= to do
    if month.begins(index) >= from then
      ticks[#ticks + 1] = { at = month.begins(index), label = month_label(index) }
    end
    index = index + months
  end
  return ticks
end

local LENGTHS = { 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY }
local MONTH_COUNTS = { 1, 2, 3, 6, 12, 24, 60, 120, 600, 1200, 6000, 12000 }
local MOST = 9 -- labels on a wide screen
local MOST_NARROW = 3

-- The finest that has no more than that.
local function ticks_of(from, to)
  for _, length in ipairs(LENGTHS) do
    if (to - from) / length <= MOST then
      return each_length(from, to, length, length < DAY and (to - from) <= DAY and hour_label or day_label), length
    end
  end
  for _, months in ipairs(MONTH_COUNTS) do
    if (to - from) / (months * 30.4 * DAY) <= MOST then
      return each_months(from, to, months)
    end
  end
  return {}
end

---A scale of time from the left edge to the right one.
---@return { at: fun(seconds: number): number, ticks: { share: number, label?: string, is_wide: boolean }[] }
---at() and share: 0 to 1. Labels keep away from the edges, so that none is cut; those that are `is_wide` have no room on a phone
function axis.time(from, to)
  local self = { ticks = {} }
  function self.at(seconds)
    return math.max(0, math.min(1, (seconds - from) / (to - from)))
  end
  local ticks = ticks_of(from, to)
  local every, labelled = math.max(1, math.ceil(#ticks / MOST_NARROW)), 0
  for i, tick in ipairs(ticks) do
    local share = self.at(tick.at)
    local made = { share = share, is_wide = false }
    if share > 0.09 and share < 0.91 then
      made.label, made.is_wide = tick.label, labelled % every ~= 0
      labelled = labelled + 1
    end
    self.ticks[i] = made
  end
  return self
end

-- Steps of a length of time, in seconds.
local SPANS = { 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY,
  14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY }
local NUMBERS = { 1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000 }
local SHARES = { 0.02, 0.05, 0.1, 0.2, 0.25 }
local ROWS = 4

local function labelled(step)
  if step >= DAY then
    return "days", DAY
  elseif step >= HOUR then
    return "hours", HOUR
  elseif step >= 60 then
    return "minutes", 60
  end
  return "seconds", 1
end

---A scale of figures from 0 up.
---@param kind "span"|"number"|"share"
---@return { top: number, ticks: { value: number, label: string }[], unit?: string }
function axis.height(kind, most)
  local steps = kind == "span" and SPANS or kind == "share" and SHARES or NUMBERS
  local step = steps[#steps]
  for i = #steps, 1, -1 do
    if steps[i] * ROWS >= most then
      step = steps[i]
    end
  end
  local rows = math.max(1, math.ceil(most / step - 1e-9))
  if rows > ROWS * 3 then -- beyond all tables
    step = math.ceil(most / ROWS)
    rows = ROWS
  end
  local unit, size = nil, kind == "share" and 0.01 or 1
  if kind == "span" then
    unit, size = labelled(step)
  end
  local self = { top = rows * step, ticks = {}, unit = unit }
  for row = 0, rows do
    local value = row * step
    self.ticks[row + 1] = { value = value, label = ("%.14g%s"):format(
      math.floor(value / size * 100 + 0.5) / 100, kind == "share" and " %" or "") }
  end
  return self
end

return axis
