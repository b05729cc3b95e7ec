-- trend.lua: in which order the items of a list come, by their start or by their ids. Either may have gaps, and what waited in
-- the queue starts after what came later: the first of the two that is in order decides.

local core = require "cloud66.core"

local trend = {}

local KEYS = { "started_time", "id" }

-- Numbers, or digits that no number holds exactly. Below 0, 0 or above it.
local function compare(a, b)
  if type(a) == "number" and type(b) == "number" then
    return a - b
  end
  a, b = tostring(a), tostring(b)
  if #a ~= #b then
    return #a - #b
  end
  return a < b and -1 or a > b and 1 or 0
end

---@class cloud66.Trend
---@field last table   key -> its last value
---@field rises table  key -> whether a value was above the one before it
---@field falls table
---@field page table|userdata|false  the last one that was seen

---@return cloud66.Trend
function trend.new()
  return { last = {}, rises = { started_time = false, id = false }, falls = { started_time = false, id = false }, page = false }
end

-- The ids of a page: id -> true.
local function ids_of(page)
  local ids = {}
  for _, id in page:rows "id" do
    ids[id or false] = true
  end
  return ids
end

-- Goes through a column of the page that comes next, but for the rows of `passed_over`.
local function see_column(self, key, page, passed_over)
  local last, rises, falls = self.last[key], self.rises[key], self.falls[key]
  for i, value in page:rows(key) do
    if value ~= nil and not passed_over[i] then
      local difference = last ~= nil and compare(value, last) or 0
      rises, falls, last = rises or difference > 0, falls or difference < 0, value
    end
  end
  self.last[key], self.rises[key], self.falls[key] = last, rises, falls
end

-- By the rows of the page.
local function see_rows(self, page)
  local passed_over = {}
  if self.page then
    local ids = ids_of(self.page)
    for i, id in page:rows "id" do
      passed_over[i] = id ~= nil and ids[id]
    end
  end
  for _, key in ipairs(KEYS) do
    see_column(self, key, page, passed_over)
  end
end

-- The same without them, which is faster: false where they are needed.
local function see_whole(self, page)
  if type(page) ~= "userdata" then
    return false
  end
  local last, rises, falls = self.last, self.rises, self.falls
  local start_rises, start_falls, start, id_rises, id_falls, id = core.trend(page, last.started_time, last.id)
  if start_rises == nil then
    return false
  end
  start_rises, start_falls = start_rises or rises.started_time, start_falls or falls.started_time
  id_rises, id_falls = id_rises or rises.id, id_falls or falls.id
  if (start_rises and start_falls) or (id_rises and id_falls) then
    return false -- perhaps only by what has moved down
  end
  last.started_time, rises.started_time, falls.started_time = start, start_rises, start_falls
  last.id, rises.id, falls.id = id, id_rises, id_falls
  return true
end

---Goes through the page that comes next. What the page before it had too has moved down meanwhile.
---@param self cloud66.Trend
function trend.see(self, page)
  if not see_whole(self, page) then
    see_rows(self, page)
  end
  self.page = page
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
