-- order.lua: the pages of a list newest first, whichever way the API lists it.
--
-- No document promises an order, so it is seen from what comes. A list that is newest first is handed on as it is; what is
-- done with others is in reorder.lua.

local pages = require "cloud66.model.pages"
local trend = require "cloud66.model.trend"

local order = {}

local function reorder()
  return require "cloud66.model.reorder"
end

-- The pages of a source, perhaps after one that was read and seen; and in one page, sorted, all from the first one on that is
-- not in order.
local function in_order(self, source, seen, page, show)
  local count, is_over = 0, false
  return function()
    if is_over then
      return nil
    elseif page then
      local first = page
      page, count = nil, 1
      return first, nil, show
    end
    local following, message, show_or_err = source()
    if not following then
      return nil, message, show_or_err
    end
    local newest_left = seen.last.started_time
    trend.see(seen, following)
    local direction = trend.direction(seen)
    if direction == "newest" or direction == "unknown" then
      count = count + 1
      return following, nil, show_or_err
    end
    is_over = true
    return reorder().rest(self, source, { page = following, show = show_or_err }, newest_left, self.most - count)
  end
end

-- A function for the next page, newest first, of a list that has to be put in order; or nil, message, err.
local function put_in_order(self, source, message, err)
  if not source then
    return source, message, err
  end
  local turn = in_order(self, source, trend.new())
  return self.size > 0 and reorder().cut(turn, self) or turn
end

-- A function for the next page, newest first; or nil, message, err.
local function begin(self)
  if self.memory.last then
    local turn, message, err = put_in_order(self, reorder().as_before(self))
    if turn ~= false then
      return turn, message, err
    end
  end
  local next_page, seen = pages.turner(self.fetch, { first = self.first }), trend.new()
  local page, message, show_or_err = next_page()
  if not page then
    return nil, message, show_or_err
  end
  trend.see(seen, page)
  local direction = trend.direction(seen)
  local is_doubtful = self.first > 1 and self.memory.is_mixed
  if (direction == "newest" and not is_doubtful) or (direction == "unknown" and self.first == 1 and not page.next) then
    return in_order(self, next_page, seen, page, show_or_err)
  end
  return put_in_order(self, reorder().source(self, { { page = page, show = show_or_err } }, seen, next_page))
end

---Like pages.turner(), and newest first.
---@param what string  for messages: "deployments"
---@param fetch fun(number: integer): table|userdata|nil, string?, any  as there; a page has # and [i], rows() and .next
---@param options { first?: integer, most?: integer, enough?: fun(page): boolean }  counted from the newest
---@param memory? table  of this list, from one call to the next: empty at first; see reorder.lua
function order.turner(what, fetch, options, memory)
  local last_read
  local self = {
    what = what, first = options.first or 1, most = options.most or math.huge, memory = memory or {},
    size = 0, -- of the pages where they are put together anew
    fetch = function(number)
      local page, message, show_or_err = fetch(number)
      last_read = page or last_read
      return page, message, show_or_err
    end,
  }
  local turn, count = nil, 0
  return function()
    if count == self.most then
      return nil
    end
    local message, err
    if not turn then
      turn, message, err = begin(self)
      if not turn then
        return nil, message, err
      end
    end
    local page, page_message, show_or_err = turn()
    if page and type(page) == "table" then
      require("cloud66.model.page_list").number(page, self.first + count, last_read)
    end
    count = count + 1
    if page and options.enough and options.enough(page) then
      count = self.most
    end
    return page, page_message, show_or_err
  end
end

return order
