-- rate_limit.lua: how many requests this hour allows and how many are left: what the server last reported, or what was counted here.

local rate_limit = {}

local methods = {}
local rate_limit_mt = { __name = "cloud66.rate_limit", __index = methods }

---Requests by one user in one hour, as the API's documents have it.
rate_limit.DOCUMENTED = 3000

local HOUR = 3600 -- seconds

-- Counting begins anew with each full hour: the documents only say "the next hourly interval".
local function begin_hour(self, now)
  local hour = math.floor(now / HOUR)
  if hour ~= self.hour then
    self.hour, self.counted, self.remaining, self.reset_at = hour, 0, false, false
  end
end

---One request goes out.
---@param now number  Unix seconds
function methods:count(now)
  begin_hour(self, now)
  self.counted = self.counted + 1
  if self.remaining then
    self.remaining = math.max(0, self.remaining - 1)
  end
end

local MOST_DIGITS = 10 -- more are no count of requests, and no time

local function number_of(text)
  local digits = type(text) == "string" and text:match "^%s*(%d+)%s*$"
  return digits and #digits <= MOST_DIGITS and tonumber(digits) or nil
end

---What the headers of a response report. A limit of 0 is none: it was served.
---@param headers table  lower-case names
---@return number|nil limit, number|nil remaining
function rate_limit.reported(headers)
  local limit, remaining = number_of(headers["x-ratelimit-limit"]), number_of(headers["x-ratelimit-remaining"])
  if limit == 0 then
    return nil, nil
  end
  return limit, remaining
end

---What the headers of a response report. X-RateLimit-Reset is in no document: it is taken for Unix seconds, or for seconds
---from now where it is too small for that.
---@param headers table  lower-case names
---@param now number     Unix seconds
function methods:read(headers, now)
  begin_hour(self, now)
  local limit, remaining = rate_limit.reported(headers)
  local reset = number_of(headers["x-ratelimit-reset"])
  self.limit = limit or self.limit
  self.remaining = remaining or self.remaining
  if reset then
    self.reset_at = reset > 1e9 and reset or now + reset
  end
end

---What client:limits() returns: see types/client.lua.
---@param now number  Unix seconds
---@return cloud66.Limits
function methods:report(now)
  begin_hour(self, now)
  local limit = self.limit or rate_limit.DOCUMENTED
  local remaining = self.remaining or math.max(0, limit - self.counted)
  return {
    limit = limit,
    remaining = remaining,
    used = self.remaining and math.max(0, limit - remaining) or self.counted,
    reset_at = self.reset_at or (self.hour + 1) * HOUR,
    counted = not self.remaining,
  }
end

function rate_limit.new()
  return setmetatable({ hour = false, counted = 0, limit = false, remaining = false, reset_at = false }, rate_limit_mt)
end

return rate_limit
