-- date.lua: dates of HTTP, and the hour by which the API counts requests.

local core = require "cloud66.core"

local date = {}

local MONTHS = {}
for name in ("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"):gmatch "%a+" do
  MONTHS[#MONTHS + 1], MONTHS[name] = name, #MONTHS + 1
end

---An HTTP date in the form every server must send, "Sun, 06 Nov 1994 08:49:37 GMT".
---@param text any
---@return number|nil  Unix seconds
function date.http(text)
  if type(text) ~= "string" then
    return nil
  end
  local day, month, year, time = text:match "^%s*%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT%s*$"
  month = MONTHS[month]
  return month and core.timestamp(("%s-%02d-%sT%sZ"):format(year, month, day, time)) or nil
end

local HOUR = 3600 -- seconds: what the API counts requests by

---Seconds until the next full hour, when the API is taken to count from 0 again: the documents only say "the next
---hourly interval".
---@param now number  Unix seconds
---@return number
function date.until_next_hour(now)
  return HOUR - now % HOUR
end

return date
