-- endpoint.lua: one stack's part of the API: its paths, what a 404 means there, its answers decoded.
--
-- Everything here may be given a deadline, by scheduler.now(), as an argument or once for all by by(): no request nor pause
-- goes beyond it.
--
-- Answers come from the API, never from the cache, but for reading().

local action = require "cloud66.action"
local check = require "cloud66.check"
local encode = require "cloud66.encode"
local errors = require "cloud66.error"
local sequence = require "cloud66.sequence"
local url = require "cloud66.url"

local endpoint = {}

local methods = {}
local endpoint_mt = { __name = "cloud66.endpoint", __index = methods }

---The uid as messages show it.
function methods:name()
  return self.uid:sub(1, 60)
end

-- A uid that cannot be one is refused here rather than put into a path.
local function path_of(self, rest)
  local uid = self.uid
  if #uid > 255 or uid:find("[%c/\\?#]") or uid:find("^%.+$") then
    return errors.fail("bad_request", ("'%s' cannot be a stack's uid: it is on the stack's information page, "
      .. "and in client:stacks()"):format(self:name()))
  end
  return "/stacks/" .. url.encode(uid) .. (rest or "")
end

-- Sends what is asked for before the earlier of both deadlines.
local function options_of(self, options, deadline)
  options.deadline = math.min(deadline or math.huge, self.deadline)
  options.order, options.reads = self.order, self.order ~= nil
  options.for_change = self.for_change
  return options
end

local function no_such_stack(self)
  return ("no stack has the uid '%s', or this account does not see it; if that is a name, use client:find_stack{name=...}")
    :format(self:name())
end

---The stack's own fields.
---@return table|nil fields, string? message, cloud66.Error? err
function methods:fields()
  local path, message, err = path_of(self)
  if not path then
    return nil, message, err
  end
  local fields, pagination
  fields, pagination, err = self.api:get_value(path, options_of(self, { hint = no_such_stack(self) }))
  if not fields then
    return nil, pagination, err
  elseif type(fields.uid) ~= "string" then
    return errors.fail("decode", "the answer is no stack: it has no uid")
  elseif fields.uid ~= self.uid then
    return errors.fail("protocol", ("stack '%s' was asked for, the answer is '%s'"):format(self.uid, fields.uid))
  end
  return fields
end

-- --- deployments ---

---One page of the stack's deployments.
---@param number integer
---@param deadline? number
---@return cloud66.Page|nil page, string? message, cloud66.Error? err
function methods:page(number, deadline)
  local path, message, err = path_of(self, "/deployments")
  if not path then
    return nil, message, err
  end
  return self.api:get_page(path, options_of(self, { query = { page = number }, hint = no_such_stack(self) }, deadline))
end

---The same, and every deployment on it has an id that can be read: for those who tell deployments apart by it.
---@return cloud66.Page|nil page, string? message, cloud66.Error? err
function methods:page_with_ids(number, deadline)
  local page, message, err = self:page(number, deadline)
  if not page then
    return nil, message, err
  end
  for i, id in page:rows "id" do
    if id == nil then
      return errors.fail("decode", ("number %d of the deployments has an 'id' that is none"):format(i))
    end
  end
  return page
end

local function no_such_deployment(self, digits)
  return ("stack '%s' has no deployment %s, or there is no such stack"):format(self:name(), digits)
end

local function is_deployment(found, digits)
  return found ~= nil and found.id ~= nil and check.id(found.id) == digits
end

-- Whether an answer is the deployment that was asked for, and one that stays as it is.
local function is_settled(got, digits)
  local page = got:page()
  local found = page[1]
  return #page == 1 and is_deployment(found, digits) and found.is_finished and found.is_live == false and found.is_head == false
end

---@param digits string  of check.id()
---@param deadline? number
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:deployment(digits, deadline)
  local path, message, err = path_of(self, "/deployments/" .. digits)
  if not path then
    return nil, message, err
  end
  local page
  page, message, err = self.api:get_page(path, options_of(self, {
    hint = no_such_deployment(self, digits),
    is_settled = function(got)
      return is_settled(got, digits)
    end,
  }, deadline))
  if not page then
    return nil, message, err
  end
  local found = page[1]
  if #page ~= 1 or not is_deployment(found, digits) then
    return errors.fail("protocol", ("deployment %s was asked for, the answer holds %s"):format(
      digits, #page == 1 and tostring(found) or #page .. " deployments"))
  end
  return found
end

---Asks for a deployment. Sent once, whatever happens.
---@param body table
---@return table|nil reply, string? message, cloud66.Error? err
function methods:redeploy(body)
  local path, message, err = path_of(self, "/deployments")
  if not path then
    return nil, message, err
  end
  return self.api:send("POST", path, options_of(self, { body = encode.json(body), hint = no_such_stack(self) }))
end

---Cancels a deployment that runs. Sent once, whatever happens.
---@param digits string
---@return table|nil reply, string? message, cloud66.Error? err
function methods:cancel(digits)
  local path, message, err = path_of(self, "/deployments/" .. digits)
  if not path then
    return nil, message, err
  end
  return self.api:send("DELETE", path, options_of(self, { hint = no_such_deployment(self, digits) }))
end

-- --- actions ---

---One page of the stack's actions.
---@param number integer
---@param reference? string  only those that carry it, where the API knows of references
---@param deadline? number
---@return table|nil page, string? message, cloud66.Error? err  # a list with .next
function methods:actions(number, reference, deadline)
  local path, message, err = path_of(self, "/actions")
  if not path then
    return nil, message, err
  end
  local list, pagination, show
  list, pagination, show = self.api:get_value(path, options_of(self, {
    query = { page = number, user_reference = reference }, list = true, hint = no_such_stack(self),
  }, deadline))
  if not list then
    return nil, pagination, show
  end
  local page = { next = url.page_number(pagination and pagination.next) }
  if page.next == false then
    return errors.fail("decode", "the 'pagination.next' of the actions is not a page number")
  end
  for i, fields in ipairs(list) do
    local reason
    page[i], reason = action.of(fields, show)
    if not page[i] then
      return errors.fail("decode", ("number %d of the actions is %s"):format(i, reason))
    end
  end
  return page
end

---@param digits string
---@param deadline? number
---@return cloud66.Action|nil action, string? message, cloud66.Error? err
function methods:action(digits, deadline)
  local path, message, err = path_of(self, "/actions/" .. digits)
  if not path then
    return nil, message, err
  end
  local fields, pagination, show
  fields, pagination, show = self.api:get_value(path, options_of(self, {
    hint = ("stack '%s' has no action %s, or there is no such stack"):format(self:name(), digits),
  }, deadline))
  if not fields then
    return nil, pagination, show
  end
  local found, reason = action.of(fields, show)
  if not found then
    return errors.fail("decode", "the answer is " .. reason)
  elseif check.id(found.id) ~= digits then
    return errors.fail("protocol", ("action %s was asked for, the answer is action %s"):format(digits, tostring(found.id)))
  end
  return found
end

local MOST_PAGES = 10 -- of actions, and of deployments, looking for one that began long ago

-- Goes through the pages of actions; visit(action) returning true ends it. Whether it came to the end of the list, or was
-- ended; or nil, message, err.
local function each_action(self, reference, deadline, visit)
  local last
  local next_page = sequence.page_turner(function(number)
    return self:actions(number, reference, deadline)
  end, { most = MOST_PAGES })
  while true do
    local page, message, err = next_page()
    if not page then
      if message then
        return nil, message, err
      end
      return not (last and last.next)
    end
    last = page
    for _, candidate in ipairs(page) do
      if visit(candidate) then
        return true
      end
    end
  end
end

---The actions that carry a reference, newest first as the API gives them.
---@param reference string
---@param deadline? number
---@return cloud66.Action[]|nil found, string? message, cloud66.Error? err
function methods:actions_with(reference, deadline)
  local found = {}
  local complete, message, err = each_action(self, reference, deadline, function(candidate)
    if candidate.user_reference == reference then
      found[#found + 1] = candidate
    end
  end)
  if complete == nil then
    return nil, message, err
  elseif not complete and #found == 0 then
    return errors.fail("protocol", ("the API does not look for references, and none of the newest actions (%d pages) has "
      .. "this one: whether there is one cannot be told"):format(MOST_PAGES))
  end
  return found
end

---The actions that began at a time or after it, and those before them that have not ended.
---@param since number  Unix seconds
---@param deadline? number
---@return cloud66.Action[]|nil found, boolean|string complete_or_message, cloud66.Error? err
function methods:actions_since(since, deadline)
  local found = {}
  local complete, message, err = each_action(self, nil, deadline, function(candidate)
    found[#found + 1] = candidate
    return candidate.is_finished and candidate.started_time and candidate.started_time < since
      and candidate.finished_time < since
  end)
  if complete == nil then
    return nil, message, err
  end
  return found, complete
end

---The stack's deployments, newest first, down to a page that is enough; each of them once, as it was read last: a list that
---shifts meanwhile has one of them twice.
---@param enough fun(page): boolean
---@param deadline? number
---@return cloud66.Deployment[]|nil list, cloud66.Page|string first_or_message, cloud66.Error? err  # first: the first page
function methods:deployments_until(enough, deadline)
  local list, places, first = {}, {}, nil
  local next_page = sequence.page_turner(function(number)
    return self:page_with_ids(number, deadline)
  end, { enough = enough })
  while true do
    local page, message, err = next_page()
    if not page then
      if message then
        return nil, message, err
      end
      return list, first
    end
    first = first or page
    for deployment in page:each() do
      local place = places[deployment.id] or #list + 1
      places[deployment.id], list[place] = place, deployment
    end
  end
end

---The same down to the page that holds one which started before a time, or so many pages.
---@param since number  Unix seconds
---@param deadline? number
---@return cloud66.Deployment[]|nil list, cloud66.Page|string first_or_message, cloud66.Error? err
function methods:deployments_since(since, deadline)
  local pages = 0
  local list, first, err = self:deployments_until(function(page)
    pages = pages + 1
    for _, started in page:rows "started_time" do
      if started and started < since then
        return true
      end
    end
    return pages == MOST_PAGES
  end, deadline)
  return list, first, err
end

-- A view of an endpoint with something else about it.
local function view(self, changed)
  local made = { api = self.api, uid = self.uid, deadline = self.deadline, order = self.order, for_change = self.for_change }
  for name, value in pairs(changed) do
    made[name] = value
  end
  return setmetatable(made, endpoint_mt)
end

---The same endpoint, with a deadline for everything that is asked of it.
---@param deadline number  by scheduler.now()
function methods:by(deadline)
  return view(self, { deadline = math.min(self.deadline, deadline) })
end

---The same for what is only to be read: the cache may answer. What is asked one after another never goes back in time: a
---page older than the one before it would hide what has moved down meanwhile.
function methods:reading()
  return view(self, { order = { time = 0 } })
end

---The same for what is needed to change something: it may use what the budget keeps for that.
function methods:changing()
  return view(self, { for_change = true })
end

---@param api table   of request.new()
---@param uid string
function endpoint.new(api, uid)
  return setmetatable({ api = api, uid = uid, deadline = math.huge, order = nil, for_change = false }, endpoint_mt)
end

return endpoint
