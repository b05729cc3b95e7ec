-- calendar.lua: days, ISO 8601 weeks and months in UTC. Each unit numbers its intervals: 0 is the one that holds the
-- start of 1970. Own arithmetic, since os.date() takes other years for too far on every system.

local calendar = {}

local floor = math.floor

local DAY = 86400 -- seconds; Unix time has no leap seconds

-- Days from 1970-01-01 to a year's first of January, in the proleptic Gregorian calendar.
local function days_to_year(year)
  local before = year - 1
  return 365 * (year - 1970) + floor(before / 4) - floor(before / 100) + floor(before / 400) - 477
end

local function year_of(day)
  local year = 1970 + floor(day / 365.2425)
  if days_to_year(year) > day then
    return year - 1
  elseif days_to_year(year + 1) <= day then
    return year + 1
  end
  return year
end

local LENGTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function month_length(year, month)
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month == 2 and is_leap and 29 or LENGTHS[month]
end

---@return integer year, integer month, integer day_of_month
local function date_of(day)
  local year, month = year_of(day), 1
  local left = day - days_to_year(year)
  while left >= month_length(year, month) do
    left = left - month_length(year, month)
    month = month + 1
  end
  return year, month, left + 1
end

---Each unit: index(seconds) -> the number of the interval that holds these Unix seconds; begins(index) -> its first
---second; label(index) -> its name.
calendar.units = { day = {}, week = {}, month = {} }

local day, week, month = calendar.units.day, calendar.units.week, calendar.units.month

function day.index(seconds)
  return floor(seconds / DAY)
end

function day.begins(index)
  return index * DAY
end

function day.label(index)
  return ("%04d-%02d-%02d"):format(date_of(index))
end

-- Weeks begin on Mondays, and 1970 began on a Thursday.
local THURSDAY = 3

function week.index(seconds)
  return floor((floor(seconds / DAY) + THURSDAY) / 7)
end

function week.begins(index)
  return (index * 7 - THURSDAY) * DAY
end

-- A week belongs to the year of its Thursday.
function week.label(index)
  local thursday = index * 7
  local year = year_of(thursday)
  return ("%04d-W%02d"):format(year, floor((thursday - days_to_year(year)) / 7) + 1)
end

function month.index(seconds)
  local year, number = date_of(floor(seconds / DAY))
  return (year - 1970) * 12 + number - 1
end

function month.begins(index)
  local year = 1970 + floor(index / 12)
  local days = days_to_year(year)
  for number = 1, index % 12 do
    days = days + month_length(year, number)
  end
  return days * DAY
end

function month.label(index)
  return ("%04d-%02d"):format(1970 + floor(index / 12), index % 12 + 1)
end

return calendar
