-- Dates without the operating system: os.time and os.date know the local zone, and the fake must look the same anywhere.
local calendar = {}

local floor = math.floor

-- Days since 1970-01-01, counting years from March so that a leap day comes last.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local leaps = floor(year / 4) - floor(year / 100) + floor(year / 400)
  return 365 * year + leaps + floor((153 * (month - 3) + 2) / 5) + day - 1 - 719468
end

---Unix seconds of a moment in UTC.
function calendar.seconds(year, month, day, hour, minute, second)
  return days(year, month, day) * 86400 + (hour or 0) * 3600 + (minute or 0) * 60 + (second or 0)
end

local function civil(day_number)
  local z = day_number + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - floor((153 * mp + 2) / 5) + 1
end

---"2024-02-15T14:30:00Z"
function calendar.text(seconds)
  local year, month, day = civil(floor(seconds / 86400))
  local rest = seconds % 86400
  return ("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(year, month, day, floor(rest / 3600), floor(rest / 60) % 60, rest % 60)
end

---Unix seconds of what text() gives.
function calendar.moment(text)
  local year, month, day, hour, minute, second = text:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$"
  return calendar.seconds(tonumber(year), tonumber(month), tonumber(day), tonumber(hour), tonumber(minute), tonumber(second))
end

---1 is Monday, 7 is Sunday.
function calendar.weekday(seconds)
  return (floor(seconds / 86400) + 3) % 7 + 1
end

function calendar.hour(seconds)
  return floor(seconds / 3600) % 24
end

return calendar
