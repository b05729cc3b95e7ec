-- pages.lua: lists that the API gives page by page: the only loop that turns pages, and the items of all of them.

local errors = require "cloud66.base.error"
local sequence = require "cloud66.model.sequence"

local pages = {}

---The page number in a `next`: also as text, as for deployments.
---@param following any
---@return integer|nil|false  nil at the end, false for anything else
function pages.number(following)
  if following == nil then
    return nil
  elseif type(following) == "string" and following:find("^%d+$") then
    following = tonumber(following)
  end
  return type(following) == "number" and following % 1 == 0 and following
end

---No stack has 300,000 deployments: a server that never stops is wrong.
pages.MOST_PAGES = 10000

-- Says why the API's word for the next page cannot be followed, or nil.
local function bad_next(number, following)
  if following <= number then
    return ("page %d says that page %d comes next"):format(number, following)
  elseif following > pages.MOST_PAGES then
    return ("the list goes on beyond page %d"):format(pages.MOST_PAGES)
  end
  return nil
end

---A function that fetches page after page by `pagination.next`: a page, nil, and what fetch() gave third (the redactor of
---its response, as a rule); nil at the end; or nil, message, err.
---@param fetch fun(number: integer): table|userdata|nil, string?, any  a page with .next; or nil, message, err
---@param options { first?: integer, most?: integer, enough?: fun(page): boolean }  enough: no page after this one
function pages.turner(fetch, options)
  local number, following = nil, options.first or 1
  local fetched = 0
  return function()
    if not following or fetched == options.most then
      return nil
    end
    local wrong = number and bad_next(number, following)
    if wrong then
      return errors.fail("protocol", wrong .. ": the list cannot be read further")
    end
    local page, message, show_or_err = fetch(following)
    if not page then
      return nil, message, show_or_err
    end
    number, following, fetched = following, pages.number(page.next), fetched + 1
    if following == false then
      return errors.fail("decode", ("the 'next' of page %d is not a page number"):format(number))
    end
    if options.enough and options.enough(page) then
      following = nil
    end
    return page, nil, show_or_err
  end
end

---Goes through pages; visit() returning true ends it.
---@param next_page function  of turner()
---@param visit fun(page, show): boolean|nil
---@return true|nil ok, string? message, table? err
function pages.each(next_page, visit)
  while true do
    local page, message, show_or_err = next_page()
    if not page then
      if message then
        return nil, message, show_or_err
      end
      return true
    elseif visit(page, show_or_err) then
      return true
    end
  end
end

---The redactor of what comes from two responses.
---@param first function|nil, second function
function pages.both(first, second)
  if not first or first == second then
    return second
  end
  return function(text)
    return second(first(text))
  end
end

local function id_of(item)
  return item.id
end

---Goes through the items of all pages. An item whose id was returned before is passed over: while a script
---walks the list, one that starts on top shifts the others down, and the last of a page comes again.
---@param next_page function  of turner(); a page has # and [i]
---@param schema? table  what criteria may name of the items
---@param key_of? fun(item): any  what identifies an item, instead of its id; nil: it is new
---@return cloud66.Sequence
function pages.items(next_page, schema, key_of)
  key_of = key_of or id_of
  local seen = {}
  local page
  local i = 0

  -- The next item of this page that is new, or nil.
  local function next_item()
    while page and i < #page do
      i = i + 1
      local item = page[i]
      local key = key_of(item)
      if key == nil or not seen[key] then
        if key ~= nil then
          seen[key] = true
        end
        return item
      end
    end
    return nil
  end

  return sequence.from(function()
    while true do
      local item = next_item()
      if item ~= nil then
        return item
      end
      local message, err
      page, message, err = next_page()
      if not page then
        return nil, message, err
      end
      i = 0
    end
  end, schema)
end

return pages
