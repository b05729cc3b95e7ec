-- backoff.lua: whether to try again, and after how long. Pure functions: the clock and the random numbers are handed in.

local date = require "cloud66.base.date"

local backoff = {}

-- What may pass by itself: no connection, too slow, cut, and what the API sends when it cannot serve for now. The kind of
-- a 503 is "not_implemented" where its body has that id.
local PASSING = { connect = true, timeout = true, network = true, throttled = true }
local PASSING_STATUS = { [500] = true, [502] = true, [503] = true, [504] = true }
-- Cloudflare's own, for an origin that does not answer it as it should.
for status = 520, 530 do
  PASSING_STATUS[status] = true
end

---Whether a failed request may succeed when it is sent again.
---@param method string
---@param err cloud66.Error
---@return boolean
function backoff.is_passing(method, err)
  if method ~= "GET" or (err.kind == "connect" and err.status and not PASSING_STATUS[err.status]) then
    return false -- a proxy refused it, and would again
  end
  return PASSING[err.kind] or (err.kind == "server" and PASSING_STATUS[err.status]) or false
end

---Full jitter: anything from 0 to a bound that doubles with each attempt, so that clients that failed together do
---not come back together.
---@param attempt integer  the one that failed, from 1
---@param settings { base: number, cap: number }  seconds
---@param random fun(): number  from 0 to below 1
---@return number seconds
function backoff.backoff(attempt, settings, random)
  return random() * math.min(settings.cap, settings.base * 2 ^ math.min(attempt - 1, 60))
end

---Retry-After in either of its forms. A date is counted from the server's own clock where it sent one.
---@param headers table  lower-case names
---@param now number     Unix seconds
---@return number|nil seconds  from 0
function backoff.after(headers, now)
  local text = headers["retry-after"]
  local digits = type(text) == "string" and text:match "^%s*(%d+)%s*$" or type(text) == "number" and ("%d"):format(text)
  if digits then
    return #digits < 9 and tonumber(digits) or nil
  end
  local at = date.http(text)
  return at and math.max(0, at - (date.http(headers.date) or now)) or nil
end

-- Seconds before a throttled account is polled again: the hour's end is a guess.
local FIRST_PAUSE, LONGEST_PAUSE = 15, 300

---How long to wait before a throttled request is sent again, when the server names no time: ever longer, but no longer
---than until the next hour; and up to a tenth more, so that a fleet does not come back at once.
---@param attempt integer    how many times it was throttled, from 1
---@param estimate number    seconds until the hour ends
---@param random fun(): number
---@return number seconds
function backoff.throttle_pause(attempt, estimate, random)
  local pause = math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ^ math.min(attempt - 1, 60))
  return math.min(pause, estimate + 1) * (1 + random() / 10)
end

return backoff
