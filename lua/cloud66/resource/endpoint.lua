-- endpoint.lua: one stack's part of the API: its paths, what a 404 means there, its responses decoded.
--
-- Everything here may be given a deadline, by host.now(), as an argument or once for all by by(): no request nor pause
-- goes beyond it.
--
-- Responses come from the API, never from a store, but for those of a view made by reading().

local args = require "cloud66.base.args"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local order = require "cloud66.model.order"
local pages = require "cloud66.model.pages"
local url = require "cloud66.base.url"

local endpoint = {}

local methods = {}
local endpoint_mt = { __name = "cloud66.endpoint", __index = methods }

-- What all views of an endpoint share: memories, of memory(); and, made on first use: name = the uid as messages show it;
-- path, nil where the uid cannot be one; hint = what a 404 means.
local function identity_of(self)
  local identity = self.identity
  local uid = identity.uid
  if identity.name then
    return identity
  end
  identity.name = uid:sub(1, 60)
  if #uid <= 255 and not uid:find("[%c/\\?#]") and not uid:find("^%.+$") then
    identity.path = "/stacks/" .. url.encode(uid)
  end
  identity.hint = ("no stack has the uid '%s', or this account does not see it; if that is a name, use "
    .. "client:find_stack{name=...}"):format(identity.name)
  return identity
end

---The uid as messages show it.
function methods:name()
  return identity_of(self).name
end

-- Calls a method of the api with a path below the stack's, before the earlier of both deadlines. A uid that cannot be part of
-- a path is refused here rather than put into one.
local function call(self, method, rest, options, deadline)
  local identity = identity_of(self)
  if not identity.path then
    return errors.fail("bad_request", ("'%s' cannot be a stack's uid: it is on the stack's information page, "
      .. "and in client:stacks()"):format(identity.name))
  end
  options.deadline = math.min(deadline or math.huge, self.deadline)
  options.purpose = options.purpose or self.purpose
  options.hint = options.hint or identity.hint
  return method(self.api, identity.path .. rest, options)
end

---GETs a list below the stack's path.
---@param rest string     the rest of the path
---@param options table   of api:send(); taken over
---@param deadline? number
---@return table[]|nil list, table|string|nil pagination_or_message, function|cloud66.Error|nil show_or_err
---show: the redactor of the response, for what of it goes into messages; here and below
function methods:get_list(rest, options, deadline)
  return call(self, self.api.get_list, rest, options, deadline)
end

---GETs an object below the stack's path.
---@return table|nil value, table|string|nil pagination_or_message, function|cloud66.Error|nil show_or_err
function methods:get_value(rest, options, deadline)
  return call(self, self.api.get_value, rest, options, deadline)
end

---The stack's own fields.
---@return table|nil fields, string? message, function|cloud66.Error|nil show_or_err
function methods:fields()
  local fields, pagination, show = self:get_value("", {})
  if not fields then
    return nil, pagination, show
  elseif type(fields.uid) ~= "string" then
    return errors.fail("decode", "the response is no stack: it has no uid")
  elseif fields.uid ~= self.uid then
    return errors.fail("protocol", ("stack '%s' was requested, the response is '%s'"):format(self.uid, show(fields.uid)))
  end
  return fields, nil, show
end

-- --- deployments ---

---One page of the stack's deployments.
---@param number integer
---@param deadline? number
---@return cloud66.Page|nil page, string? message, function|cloud66.Error|nil show_or_err
function methods:page(number, deadline)
  return call(self, self.api.get_page, ("/deployments?page=%d"):format(number), {}, deadline)
end

---The same, and every deployment on it has an id that can be read: for callers that tell deployments apart by it.
---@return cloud66.Page|nil page, string? message, function|cloud66.Error|nil show_or_err
function methods:page_with_ids(number, deadline)
  local page, message, show_or_err = self:page(number, deadline)
  if not page then
    return nil, message, show_or_err
  end
  for i, id in page:rows "id" do
    if id == nil then
      return errors.fail("decode", ("number %d of the deployments has an 'id' that is none"):format(i))
    end
  end
  return page, nil, show_or_err
end

-- A function page -> whether all pages from here on must be older than `since`: a whole page is, and so far
-- each deployment started no later than the one before it.
local function all_older(since)
  local last
  local newest_first = true
  return function(page)
    local older = #page > 0
    for _, started in page:rows("started_time") do
      if started == nil or started >= since then
        older = false
      end
      if started ~= nil then
        newest_first = newest_first and (last == nil or started <= last)
        last = started
      end
    end
    return older and newest_first
  end
end

---What a list of the stack was seen to be like, for order.turner().
---@param name string
---@return table memory
function methods:memory(name)
  local memories = self.identity.memories
  memories[name] = memories[name] or {}
  return memories[name]
end

---A function that fetches page after page, newest first: see order.turner().
---@param options { first?: integer, most?: integer, since?: number }  since: no page after the first that is older
function methods:turner(options)
  return order.turner("deployments", function(number)
    return self:page(number)
  end, { first = options.first, most = options.most, enough = options.since and all_older(options.since) },
    self:memory "deployments")
end

---The newest deployments, as many as a page has.
---@param deadline? number
---@return cloud66.Page|table|nil page, string? message, function|cloud66.Error|nil show_or_err
function methods:newest_page(deadline)
  return self:by(deadline or math.huge):turner {} ()
end

local function no_such_deployment(self, digits)
  return ("stack '%s' has no deployment %s, or there is no such stack"):format(self:name(), digits)
end

local function is_deployment(found, digits)
  return found ~= nil and found.id ~= nil and args.id(found.id) == digits
end

-- The purpose of reading one deployment, which stays as it is once it has ended and is neither live nor head.
local function purpose_of(self, digits)
  local purpose = self.purpose
  if not (purpose and purpose.reads) then
    return purpose
  end
  return { reads = true, order = purpose.order, is_settled = function(got)
    local page = got:page()
    local found = page[1]
    return #page == 1 and is_deployment(found, digits) and found.is_finished and found.is_live == false
      and found.is_head == false
  end }
end

---@param digits string  of args.id()
---@param deadline? number
---@return cloud66.Deployment|nil deployment, string? message, function|cloud66.Error|nil show_or_err
function methods:deployment(digits, deadline)
  local page, message, show = call(self, self.api.get_page, "/deployments/" .. digits,
    { hint = no_such_deployment(self, digits), purpose = purpose_of(self, digits) }, deadline)
  if not page then
    return nil, message, show
  end
  local found = page[1]
  if #page ~= 1 or not is_deployment(found, digits) then
    return errors.fail("protocol", ("deployment %s was requested, the response holds %s"):format(
      digits, #page == 1 and show(tostring(found)) or #page .. " deployments"))
  end
  return found, nil, show
end

local function post(api, path, options)
  return api:send("POST", path, options)
end

---Starts a deployment. Sent once, whatever happens.
---@param body string  JSON
---@param deadline? number
---@param claim? table|false  of api:claim(): it is sent only while it is ours to send
---@return table|nil response, string? message, cloud66.Error? err
function methods:redeploy(body, deadline, claim)
  local purpose = claim and { for_change = true, claim = claim } or nil
  return call(self, post, "/deployments", { body = body, purpose = purpose }, deadline)
end

local function delete(api, path, options)
  return api:send("DELETE", path, options)
end

---Cancels a deployment that runs. Sent once, whatever happens.
---@param digits string
---@param deadline? number
---@return table|nil response, string? message, cloud66.Error? err
function methods:cancel(digits, deadline)
  return call(self, delete, "/deployments/" .. digits, { hint = no_such_deployment(self, digits) }, deadline)
end

local MOST_PAGES = 10 -- looking for one that began long ago

---The stack's deployments, newest first, down to a page that is enough; each of them once, as it was read last: a list that
---shifts meanwhile has one of them twice.
---@param enough fun(page): boolean
---@param deadline? number
---@return cloud66.Deployment[]|nil list, cloud66.Page|string first_or_message, function|cloud66.Error|nil show_or_err
---first: the first page; show: the redactor of all of it
function methods:deployments_until(enough, deadline)
  local list, places, first, shown = {}, {}, nil, nil
  local ok, message, err = pages.each(order.turner("deployments", function(number)
    return self:page_with_ids(number, deadline)
  end, { enough = enough }, self:memory "deployments"), function(page, show)
    first, shown = first or page, pages.both(shown, show)
    for deployment in page:each() do
      local place = places[deployment.id] or #list + 1
      places[deployment.id], list[place] = place, deployment
    end
  end)
  if not ok then
    return nil, message, err
  end
  return list, first, shown
end

---The same down to the page that holds one which started before a time, or so many pages.
---@param since number  Unix seconds
---@param deadline? number
---@return cloud66.Deployment[]|nil list, cloud66.Page|string first_or_message, function|cloud66.Error|nil show_or_err
function methods:deployments_since(since, deadline)
  local count = 0
  return self:deployments_until(function(page)
    count = count + 1
    for _, started in page:rows "started_time" do
      if started and started < since then
        return true
      end
    end
    return count == MOST_PAGES
  end, deadline)
end

-- --- views ---

local function view(self, deadline, purpose)
  return setmetatable({ api = self.api, uid = self.uid, identity = self.identity, deadline = deadline, purpose = purpose }, endpoint_mt)
end

---The same endpoint, with a deadline for everything that it sends.
---@param deadline number  by host.now()
function methods:by(deadline)
  return view(self, math.min(self.deadline, deadline), self.purpose)
end

---The same for a few requests that have the time of one; the account's throttling, where that is waited for, takes longer.
function methods:within_timeout()
  local settings = self.api.settings
  if settings.on_throttle == "wait" then
    return self
  end
  return self:by(host.now() + settings.timeout.total)
end

---The same for what is only to be read: a stored response will do. One after another, responses never go back in time: a page
---older than the one before it would hide what has moved down meanwhile.
function methods:reading()
  return view(self, self.deadline, { reads = true, order = { time = 0 } })
end

---The same for what is needed to change something: it may use what the budget reserves for that.
function methods:changing()
  return view(self, self.deadline, { for_change = true })
end

---@param api table   of api.new()
---@param uid string
function endpoint.new(api, uid)
  return setmetatable({ api = api, uid = uid, identity = { uid = uid, memories = {} }, deadline = math.huge, purpose = nil }, endpoint_mt)
end

return endpoint
