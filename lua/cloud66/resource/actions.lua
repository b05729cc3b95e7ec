-- actions.lua: a stack's actions: one page of them, one of them, those that carry a reference, those since a time.
--
-- https://developers.cloud66.com/#stack-actions

local action = require "cloud66.model.action"
local args = require "cloud66.base.args"
local errors = require "cloud66.base.error"
local order = require "cloud66.model.order"
local page_list = require "cloud66.model.page_list"
local pages = require "cloud66.model.pages"

local actions = {}

---One page of the stack's actions.
---@param endpoint table     of endpoint.new(), here and below
---@param number integer
---@param reference? string  only those that carry it, where the API knows of references
---@param deadline? number   by host.now()
---@return table|nil page, string? message, function|cloud66.Error|nil show_or_err  # a list with .next
function actions.page(endpoint, number, reference, deadline)
  local list, pagination, show_or_err = endpoint:get_list("/actions",
    { query = { page = number, user_reference = reference } }, deadline)
  if not list then
    return nil, pagination, show_or_err
  end
  return page_list.of(list, pagination, show_or_err, "actions", action.of)
end

---The same, page after page, newest first: see order.turner().
---@param options { first?: integer, most?: integer }
function actions.turner(endpoint, reference, deadline, options)
  return order.turner("actions", function(number)
    return actions.page(endpoint, number, reference, deadline)
  end, options, not reference and endpoint:memory "actions" or nil)
end

---@param digits string  of args.id()
---@param deadline? number
---@return cloud66.Action|nil action, string? message, cloud66.Error? err
function actions.get(endpoint, digits, deadline)
  local fields, pagination, show_or_err = endpoint:get_value("/actions/" .. digits, {
    hint = ("stack '%s' has no action %s, or there is no such stack"):format(endpoint:name(), digits),
  }, deadline)
  if not fields then
    return nil, pagination, show_or_err
  end
  local found, reason = action.of(fields, show_or_err)
  if not found then
    return errors.fail("decode", "the response is " .. reason)
  elseif args.id(found.id) ~= digits then
    return errors.fail("protocol", ("action %s was requested, the response is action %s"):format(
      digits, show_or_err(tostring(found.id))))
  end
  return found
end

local MOST_PAGES = 10 -- looking for those that began long ago

-- Goes through the pages of actions; visit(action) returning true ends it with that page. Whether it came to the end of the list,
-- or was ended, and how many pages there were; or nil, message, err.
local function each_action(endpoint, reference, deadline, visit)
  local last, is_ended, count = nil, false, 0
  local next_page = actions.turner(endpoint, reference, deadline, { most = MOST_PAGES })
  local ok, message, err = pages.each(next_page, function(page)
    last, count = page, count + 1
    for _, candidate in ipairs(page) do
      is_ended = visit(candidate) or is_ended
    end
    return is_ended
  end)
  if not ok then
    return nil, message, err
  end
  return is_ended or not (last and last.next), count
end

---The actions that carry a reference, newest first.
---@param reference string
---@param deadline? number
---@return cloud66.Action[]|nil found, string? message, cloud66.Error? err
function actions.with(endpoint, reference, deadline)
  local found = {}
  local complete, message, err = each_action(endpoint, reference, deadline, function(candidate)
    if candidate.user_reference == reference then
      found[#found + 1] = candidate
    end
  end)
  if complete == nil then
    return nil, message, err
  elseif not complete and #found == 0 then
    return errors.fail("protocol", ("the API does not look for references, and none of the newest actions (%d pages) has "
      .. "this one: whether there is one is not known"):format(MOST_PAGES))
  end
  return found
end

---The actions that began at a time or after it, and what else stands on their pages: of those that began earlier one may still
---run behind another that is over.
---@param since number  Unix seconds
---@param deadline? number
---@return cloud66.Action[]|nil found, boolean|string complete_or_message, integer|cloud66.Error pages_or_err
function actions.since(endpoint, since, deadline)
  local found = {}
  local complete, pages_or_message, err = each_action(endpoint, nil, deadline, function(candidate)
    found[#found + 1] = candidate
    return candidate.is_finished and candidate.started_time and candidate.started_time < since
      and candidate.finished_time < since
  end)
  if complete == nil then
    return nil, pages_or_message, err
  end
  return found, complete, pages_or_message
end

---Of a list of actions the one that began last.
---@param list cloud66.Action[]
---@param since? number  Unix seconds: none that began earlier
---@return cloud66.Action|nil
function actions.newest(list, since)
  local newest, latest
  for _, candidate in ipairs(list) do
    local started = candidate.started_time or 0
    if (not since or started >= since) and (not newest or started > latest) then
      newest, latest = candidate, started
    end
  end
  return newest
end

return actions
