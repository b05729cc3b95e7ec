-- page_list.lua: pages that are made here, of plain values or of what other pages hold: turned round, sorted, of another size.
-- Each is a list with the fields and methods of a page of deployments, which types/deployment.lua documents.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local pages = require "cloud66.model.pages"

local page_list = {}

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local methods = {}
local list_mt = { __name = "cloud66.page_list" } -- while it is put together
local page_mt = { __name = "cloud66.page_list" } -- once it is handed out

local FIELDS = { current = true, next = true, previous = true, pages = true, total = true, drift = true }

-- A misspelt name must not read as "no such page".
function list_mt.__index(_, name)
  if type(name) ~= "number" and not FIELDS[name] and not methods[name] then
    caller.blame("a page has no field or method '%s'%s", tostring(name), args.hint(name, FIELDS, methods))
  end
  return methods[name]
end
page_mt.__index = list_mt.__index

function page_mt.__newindex()
  caller.blame "pages are read-only"
end

function page_mt.__tostring(self)
  return ("page of %d deployments"):format(#self)
end

function methods:rows(...)
  local names, count, i = { ... }, select("#", ...), 0
  if count == 0 then
    caller.blame "rows() needs the name of at least one column"
  end
  local values = {}
  return function()
    i = i + 1
    local item = self[i]
    if item ~= nil then
      for k = 1, count do
        values[k] = item[names[k]]
      end
      return i, unpack(values, 1, count)
    end
  end
end

function methods:each()
  local i = 0
  return function()
    i = i + 1
    return self[i]
  end
end

function methods:where(wanted)
  return core.page_methods.where(self, wanted)
end

---An empty page.
---@param following any  whether there is another page, or its number
function page_list.new(following)
  return setmetatable({ next = following or nil, drift = {} }, list_mt)
end

---Says of a page that was made here which one it is, and ends the making.
---@param read table|userdata  the page of the API that was read last
function page_list.number(page, current, read)
  page.current, page.previous, page.next = current, current > 1 and current - 1 or nil, page.next and current + 1 or nil
  page.pages, page.total = page.next and read.pages or current, read.total
  setmetatable(page, page_mt)
end

---A page of a list that came as plain values: its items, and where it stands.
---@param list table[]
---@param pagination table|nil
---@param show fun(text: string): string  the redactor of the response
---@param what string  for messages: "actions"
---@param make fun(fields: any, show: function): any, string?  an item; or nil and what it is instead
---@return table|nil page, string? message, function|table|nil show_or_err
function page_list.of(list, pagination, show, what, make)
  local following = pages.number(pagination and pagination.next)
  if following == false then
    return errors.fail("decode", ("the 'pagination.next' of the %s is not a page number"):format(what))
  end
  local page = page_list.new(following)
  page.current, page.pages = pages.number(pagination and pagination.current), pages.number(pagination and pagination.pages)
  for i, fields in ipairs(list) do
    local item, reason = make(fields, show)
    if not item then
      return errors.fail("decode", ("number %d of the %s is %s"):format(i, what, reason))
    end
    page[i] = item
  end
  return page, nil, show
end

-- What a page says of the fields of its items: index -> list.
local function drifts_of(page)
  local found = {}
  for _, drift in ipairs(page.drift) do
    found[drift.index] = found[drift.index] or {}
    table.insert(found[drift.index], drift)
  end
  return found
end

local function put(list, item, drifts)
  list[#list + 1] = item
  for _, drift in ipairs(drifts or {}) do
    list.drift[#list.drift + 1] = { index = #list, field = drift.field, got = drift.got }
  end
end

---Puts the items of a page, from one place to another, at the end of a list.
function page_list.append(list, page, first, last)
  local drifts = drifts_of(page)
  for i = first, last do
    put(list, page[i], drifts[i])
  end
end

---@param following any  as for page_list.new()
function page_list.reversed(page, following)
  local list, drifts = page_list.new(following), drifts_of(page)
  for i = #page, 1, -1 do
    put(list, page[i], drifts[i])
  end
  return list
end

-- When each item started. One that has not, or does not say, keeps its place behind the one before it.
local function starts_of(list)
  local starts = {}
  for i, started in list:rows "started_time" do
    starts[i] = started or starts[i - 1] or math.huge
  end
  return starts
end

---A list sorted by start, newest first, and the start of its first item. Where starts are equal, the order stays.
function page_list.sorted(list)
  local places, starts, drifts, result = {}, starts_of(list), drifts_of(list), page_list.new()
  for i = 1, #list do
    places[i] = i
  end
  table.sort(places, function(a, b)
    if starts[a] ~= starts[b] then
      return starts[a] > starts[b]
    end
    return a < b
  end)
  for _, place in ipairs(places) do
    put(result, list[place], drifts[place])
  end
  return result, starts[places[1]]
end

local MOST_EMPTY = 100 -- pages more than the items they hold: each of them is a request

---Pages of `size` items, without the first ones, made of pages of other sizes.
---@param source function   of pages.turner()
---@param size integer
---@param without integer
---@return function         as the source
function page_list.cut(source, size, without)
  local held, shown, is_over, is_last = page_list.new(), nil, false, false
  local function fill()
    local count = 0
    while not is_over and #held < without + size do
      count = count + 1
      if #held + MOST_EMPTY < count then
        return errors.fail("protocol", ("the API's list has %d pages in a row that hold next to nothing"):format(count - 1))
      end
      local page, message, show_or_err = source()
      if message then
        return nil, message, show_or_err
      end
      is_over = not (page and page.next)
      if page then
        shown = pages.both(shown, show_or_err)
        page_list.append(held, page, 1, #page)
      end
    end
    return true
  end
  return function()
    if is_last then
      return nil
    end
    local ok, message, err = fill()
    if not ok then
      return nil, message, err
    end
    local left, count = page_list.new(), #held
    local first, last = without + 1, math.min(without + size, count)
    is_last = is_over and last >= count
    local page = page_list.new(not is_last)
    page_list.append(page, held, first, last)
    page_list.append(left, held, last + 1, count)
    held, without = left, 0
    return page, nil, shown
  end
end

return page_list
