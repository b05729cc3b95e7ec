-- order.lua: the pages of a list newest first, whichever way the API lists it.
--
-- No document promises an order, so it is seen from what comes. A list that is newest first is handed on as it is; what is
-- done with others is in reorder.lua.

local pages = require "cloud66.model.pages"
local trend = require "cloud66.model.trend"

local order = {}

local MOST_UNKNOWN = 100 -- pages that do not tell their order

local function reorder()
  return require "cloud66.model.reorder"
end

-- The pages of a source; and in one page, sorted, all from the first one on that is not in order.
local function in_order(self, source)
  local seen, count, is_over = trend.new(), 0, false
  return function()
    if is_over then
      return nil
    end
    local page, message, show = source()
    if not page then
      return nil, message, show
    end
    local newest_left = seen.last.started_time
    trend.see(seen, page)
    local direction = trend.direction(seen)
    if direction == "newest" or direction == "unknown" then
      count = count + 1
      return page, nil, show
    end
    is_over = true
    return reorder().rest(self, source, { page = page, show = show }, newest_left, self.most - count)
  end
end

-- The pages that were read, and then the others.
local function replay(read, next_page)
  local at = 0
  return function()
    at = at + 1
    if read[at] then
      return read[at].page, nil, read[at].show
    end
    return next_page()
  end
end

-- Pages from a number on until they tell their order: what was read, its trend, and a function for the next page; or nil,
-- message, err.
local function read_start(self, number)
  local read, seen, next_page = {}, trend.new(), pages.turner(self.fetch, { first = number })
  local ok, message, err = pages.gather(next_page, read, function(page)
    trend.see(seen, page)
    return trend.direction(seen) ~= "unknown" or #read == MOST_UNKNOWN
  end)
  if not ok then
    return nil, message, err
  end
  return read, seen, next_page
end

-- A function for the next page, newest first, of a list that is oldest first; false where it turns out not to be; or nil,
-- message, err.
local function turned(self, source, message, err)
  return source and reorder().cut(in_order(self, source), self), message, err
end

-- A function for the next page, newest first; or nil, message, err.
local function begin(self)
  if self.memory.last then
    local turn, message, err = turned(self, reorder().as_before(self))
    if turn ~= false then
      return turn, message, err
    end
  end
  local read, seen, next_page = read_start(self, self.first)
  if not read then
    return nil, seen, next_page
  elseif self.first > 1 and trend.direction(seen) ~= "newest" and next(seen.last) ~= nil then
    read, seen, next_page = read_start(self, 1)
    if not read then
      return nil, seen, next_page
    elseif trend.direction(seen) == "newest" then
      return in_order(self, pages.turner(self.fetch, { first = self.first }))
    end
  end
  local direction = trend.direction(seen)
  if direction == "newest" or (direction == "unknown" and self.first == 1) then
    return in_order(self, replay(read, next_page))
  elseif direction == "oldest" then
    local turn, message, err = turned(self, reorder().backward(self, read, seen, next_page))
    if turn ~= false then
      return turn, message, err
    end
  end
  self.size = reorder().size_of(read)
  return turned(self, replay(read, next_page))
end

---Like pages.turner(), and newest first.
---@param what string  for messages: "deployments"
---@param fetch fun(number: integer): table|userdata|nil, string?, any  as there; a page has # and [i], rows() and .next
---@param options { first?: integer, most?: integer, enough?: fun(page): boolean }  counted from the newest
---@param memory? table  of this list, from one call to the next: empty at first; see reorder.lua
function order.turner(what, fetch, options, memory)
  local self = {
    what = what, fetch = false, first = options.first or 1, most = options.most or math.huge, memory = memory or {},
    size = 0, -- items of a page, where pages are put together anew
  }
  local last_read
  function self.fetch(wanted)
    local page, message, show_or_err = fetch(wanted)
    last_read = page or last_read
    return page, message, show_or_err
  end
  local turn, count = nil, 0
  local function next_page()
    local message, err
    if not turn then
      turn, message, err = begin(self)
    end
    if not turn then
      return nil, message, err
    end
    return turn()
  end
  return function()
    if count == self.most then
      return nil
    end
    local page, message, show_or_err = next_page()
    if page and type(page) == "table" then
      require("cloud66.model.page_list").number(page, self.first + count, last_read)
    end
    count = count + 1
    if page and options.enough and options.enough(page) then
      count = self.most
    end
    return page, message, show_or_err
  end
end

return order
