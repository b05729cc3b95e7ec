-- reorder.lua: lists that are not newest first. One that is oldest first is read from its last page on. One that is in neither
-- order is read whole, and sorted; where it cannot be read whole, nothing tells which item is the newest.
--
-- What is remembered of a list that is oldest first, so that it is found again by one request: last = the number of its last
-- page; newest = the start and the id of the last item; size = items of a page. Of one that was in neither order: is_mixed, so
-- that a later page of it, which may look newest first by itself, is not taken for one.

local errors = require "cloud66.base.error"
local page_list = require "cloud66.model.page_list"
local pages = require "cloud66.model.pages"
local trend = require "cloud66.model.trend"

local reorder = {}

local MOST_PAGES = 100 -- of a list that has to be read whole, or does not tell its order

-- Adds pages and their redactors to a list until enough(page), or until there are no more: true; or nil, message, err.
local function gather(next_page, list, enough)
  return pages.each(next_page, function(page, show)
    list[#list + 1] = { page = page, show = show }
    return enough(page)
  end)
end

local function has_more(page)
  return page.next or (page.pages and page.current and page.pages > page.current)
end

-- --- in neither order ---

local function no_order(self, count)
  return errors.fail("protocol", ("the API lists the %s neither newest nor oldest first, and has more of them than the %d "
    .. "pages that may be read: which is the newest is not known (stack:%s() without max_pages reads %d pages)"):format(
    self.what, count, self.what, MOST_PAGES))
end

---All that is left in one page, sorted, where what was read before is in order, and what comes is not; or nil, message, err.
---@param self table           of order.turner()
---@param source function      of the pages that follow
---@param first table          { page, show }: the first page that is not in order
---@param newest_left? number  when the last item before it started: nothing that is left may be newer
---@param most number          pages that may be read
---@return table|nil page, string? message, function|cloud66.Error|nil show_or_err
function reorder.rest(self, source, first, newest_left, most)
  local page, show = first.page, first.show
  local list, shown, count = page_list.new(), nil, 0
  self.memory.is_mixed = true
  while page do
    page_list.append(list, page, 1, #page)
    shown, count = pages.both(shown, show), count + 1
    if has_more(page) and (count >= math.min(most, MOST_PAGES) or not page.next) then
      return no_order(self, count)
    end
    local message
    page, message, show = source()
    if message then
      return nil, message, show
    end
  end
  local sorted, newest = page_list.sorted(list)
  if newest_left and newest > newest_left then
    return errors.fail("protocol", ("the API's list of %s begins newest first, and there is a newer one further down: it is in "
      .. "no order, or more than a page of them have started since its first page was read; read it anew"):format(self.what))
  end
  return sorted, nil, shown
end

-- --- oldest first ---

-- How many items a page has.
local function size_of(read)
  local size = 1
  for _, one in ipairs(read) do
    size = math.max(size, #one.page)
  end
  return size
end

---The pages of a source cut as if the list had been newest first, from the first one that is wanted on.
---@param source function
---@param self table  of order.turner()
---@return function
function reorder.cut(source, self)
  return page_list.cut(source, self.size, (self.first - 1) * self.size)
end

-- A source of pages turned round: from the last one that was read down to page 1. The first that was read is page `number`.
local function from_last(self, read, number)
  return function()
    local one = table.remove(read)
    local page, message, show
    if one then
      page, show = one.page, one.show
    elseif number > 1 then
      number = number - 1
      page, message, show = self.fetch(number)
    end
    if not page then
      return nil, message, show
    end
    return page_list.reversed(page, #read > 0 or number > 1), nil, show
  end
end

-- The same, and remembers where the list ends. An empty page at the end is no part of it.
local function remember(self, read, number, size, last)
  local memory = self.memory
  while #read > 1 and #read[#read].page == 0 do
    table.remove(read)
  end
  memory.last, memory.newest, memory.size = number + #read - 1, last, size
  self.size = size
  return from_last(self, read, number)
end

-- The list goes on after a page, and there is no way on.
local function no_end(self, page)
  local why = page.next and ("it goes on after %d pages"):format(MOST_PAGES)
    or ("page %d of %d names no next one"):format(page.current, page.pages)
  return errors.fail("protocol", ("the API's list of %s is oldest first, and %s: the newest cannot be read"):format(self.what, why))
end

-- Whether an error may say that there is no page of that number.
local function is_beyond(err)
  return err.kind == "not_found" or err.kind == "bad_request"
end

-- The pages from a number to the end, and their trend; or nil, message, err.
local function read_end(self, number)
  local read, seen = {}, trend.new()
  local ok, message, err = gather(pages.turner(self.fetch, { first = number, most = MOST_PAGES }), read, function(page)
    trend.see(seen, page)
  end)
  if not ok then
    return nil, message, err
  end
  return read, seen
end

---A source of the pages from the last one down, of a list that is as it is remembered; false where it is not; or nil, message,
---err.
---@param self table  of order.turner()
function reorder.as_before(self)
  local memory = self.memory
  local last = memory.last
  memory.last = nil -- a page that is no more may fail in any way: the next call is to begin at the first one
  local read, seen, err = read_end(self, last)
  if not read and is_beyond(err) then
    return false
  elseif not read then
    return nil, seen, err
  end
  local direction = trend.direction(seen)
  if (direction ~= "oldest" and direction ~= "unknown") or has_more(read[#read].page) or not trend.reaches(seen, memory.newest) then
    return false
  end
  return remember(self, read, last, math.max(memory.size, size_of(read)), seen.last)
end

-- The same by the number of the last page; "none" where there is nothing on it: the list is shorter than it said.
local function jump(self, read, seen, last)
  local tail, tail_seen, err = read_end(self, last)
  if not tail then
    return is_beyond(err) and "none" or nil, tail_seen, err
  elseif next(tail_seen.last) == nil then
    return "none"
  elseif has_more(tail[#tail].page) then
    return no_end(self, tail[#tail].page)
  end
  for _, one in ipairs(tail) do
    trend.see(seen, one.page)
  end
  return trend.direction(seen) == "oldest" and remember(self, tail, last, size_of(read), tail_seen.last)
end

-- A source of the pages from the last one down, of a list whose first pages are oldest first: those that were read, to which
-- others are added. false where the others are not; or nil, message, err.
local function backward(self, read, seen, next_page)
  local page = read[#read].page
  local last = page.pages
  if has_more(page) and not page.next then
    return no_end(self, page)
  elseif page.next and last and last > #read and last <= pages.MOST_PAGES then
    local source, jump_message, jump_err = jump(self, read, seen, last)
    if source ~= "none" then
      return source, jump_message, jump_err
    end
    read, seen, next_page = {}, trend.new(), pages.turner(self.fetch, { first = 1 }) -- anew: it has moved up, perhaps
  end
  local ok, message, err = gather(next_page, read, function(following)
    trend.see(seen, following)
    return #read == MOST_PAGES
  end)
  if not ok then
    return nil, message, err
  elseif read[#read].page.next then
    return no_end(self, read[#read].page)
  end
  return trend.direction(seen) == "oldest" and remember(self, read, 1, size_of(read), seen.last)
end

-- --- which of them ---

-- Reads on until the pages tell their order: true; or nil, message, err.
local function read_on(read, seen, next_page)
  if trend.direction(seen) ~= "unknown" then
    return true
  end
  return gather(next_page, read, function(page)
    trend.see(seen, page)
    return trend.direction(seen) ~= "unknown" or #read == MOST_PAGES
  end)
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

---A source of the pages of a list that does not begin newest first, or does not tell by its first page; or nil, message, err.
---Where it is in another order, self.size is set: its pages are to be cut.
---@param self table          of order.turner()
---@param read table[]        what was read, of gather(), from page self.first on; others are added
---@param seen cloud66.Trend  of it
---@param next_page function  for the page after it
function reorder.source(self, read, seen, next_page)
  local ok, message, err = read_on(read, seen, next_page)
  if not ok then
    return nil, message, err
  end
  local start, start_seen, start_next = read, seen, next_page
  if self.first > 1 and (self.memory.is_mixed or trend.direction(seen) ~= "newest") and next(seen.last) ~= nil then
    start, start_seen, start_next = {}, trend.new(), pages.turner(self.fetch, { first = 1 })
    ok, message, err = read_on(start, start_seen, start_next)
    if not ok then
      return nil, message, err
    end
  end
  local direction = trend.direction(start_seen)
  if direction == "newest" or direction == "unknown" then
    return replay(read, next_page)
  elseif direction == "oldest" then
    local source
    source, message, err = backward(self, start, start_seen, start_next)
    if source ~= false then
      return source, message, err
    end
  end
  self.size = size_of(start)
  return replay(start, start_next)
end

return reorder
