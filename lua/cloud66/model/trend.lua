-- trend.lua: in which order the items of a list come, by their start or by their ids. Either may have gaps, and what waited in
-- the queue starts after what came later: the first of the two that is in order decides.

local trend = {}

local KEYS = { "started_time", "id" }

-- Numbers, or digits that no number holds exactly. Below 0, 0 or above it.
local function compare(a, b)
  if type(a) ~= "number" or type(b) ~= "number" then
    a, b = tostring(a), tostring(b)
    if #a ~= #b then
      return #a - #b
    end
  end
  return a < b and -1 or a > b and 1 or 0
end

---@class cloud66.Trend
---@field last table   key -> its last value
---@field rises table  key -> whether a value was above the one before it
---@field falls table
---@field ids table    of the last page: id -> true

---@return cloud66.Trend
function trend.new()
  return { last = {}, rises = { started_time = false, id = false }, falls = { started_time = false, id = false }, ids = {} }
end

local function step(self, key, value)
  local last = self.last[key]
  if value == nil then
    return
  elseif last ~= nil then
    local difference = compare(value, last)
    self.rises[key] = self.rises[key] or difference > 0
    self.falls[key] = self.falls[key] or difference < 0
  end
  self.last[key] = value
end

---Goes through the page that comes next. What the page before it had too has moved down meanwhile.
---@param self cloud66.Trend
function trend.see(self, page)
  local ids, before = {}, self.ids
  for _, started, id in page:rows("started_time", "id") do
    if id == nil or not before[id] then
      step(self, "started_time", started)
      step(self, "id", id)
    end
    if id ~= nil then
      ids[id] = true
    end
  end
  self.ids = ids
end

---@param self cloud66.Trend
---@return "newest"|"oldest"|"neither"|"unknown"  which comes first; unknown: there is nothing to compare
function trend.direction(self)
  local is_unknown = true
  for _, key in ipairs(KEYS) do
    local rises, falls = self.rises[key], self.falls[key]
    if rises ~= falls then
      return falls and "newest" or "oldest"
    end
    is_unknown = is_unknown and not rises
  end
  return is_unknown and "unknown" or "neither"
end

---Whether a list still goes as far as it did: its last item is not older than the last one of another time.
---@param self cloud66.Trend
---@param last table  of that time
---@return boolean
function trend.reaches(self, last)
  for _, key in ipairs(KEYS) do
    if self.last[key] ~= nil and last[key] ~= nil then
      return compare(self.last[key], last[key]) >= 0
    end
  end
  return false
end

return trend
