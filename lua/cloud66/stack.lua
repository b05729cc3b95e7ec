-- stack.lua: one stack: its own fields, its deployments and actions, and what is done with it. What not every script needs
-- is loaded by the method that needs it.
--
-- The public methods are documented in types/stack.lua and types/operations.lua.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local criteria = require "cloud66.model.criteria"
local endpoint = require "cloud66.resource.endpoint"
local errors = require "cloud66.base.error"
local stack_fields = require "cloud66.model.stack_fields"
local pages = require "cloud66.model.pages"
local sequence = require "cloud66.model.sequence"

local stack = {}

local methods = {}
local stack_mt = { __name = "cloud66.stack" }

-- What a stack knows ({endpoint, uid, fields}) stands under this key alone, so that every other is read through
-- __index and refused by __newindex.
local STATE = {}

local function state_of(self)
  local state = type(self) == "table" and rawget(self, STATE)
  if not state then
    caller.blame "call it as stack:method(...)"
  end
  return state
end

-- --- fields ---

---What criteria may name of a stack.
stack.schema = stack_fields.schema

local function unknown_field(name)
  caller.blame("a stack has no field or method '%s'%s (stack:raw(name) gives undocumented keys)",
    tostring(name), args.hint(name, stack.schema.names, methods))
end

function stack_mt.__index(self, name)
  local method = methods[name]
  if method ~= nil then
    return method
  end
  local state = rawget(self, STATE)
  local fields = state.fields
  if name == "uid" then
    return state.uid
  elseif not stack_fields.schema.names[name] then
    unknown_field(name)
  elseif not fields then
    caller.blame("stack %s is not loaded, so its '%s' is not known: call stack:load() first", errors.clean(state.uid), name)
  elseif stack_fields.derived[name] then
    return stack_fields.derived[name](fields)
  end
  return fields[name]
end

function stack_mt.__newindex()
  caller.blame "stacks are read-only"
end

function stack_mt.__tostring(self)
  local state = rawget(self, STATE)
  local fields, text = state.fields, "stack " .. state.uid
  if fields then
    text = ("%s %s (%s)"):format(text, tostring(fields.name), tostring(fields.environment))
  end
  return state.show(text)
end

---@param api table      of api.new()
---@param uid string
---@param fields? table  as the API sent them
---@param show? fun(text: string): string  the redactor of the response that they are from
---@return cloud66.Stack
function stack.new(api, uid, fields, show)
  return setmetatable({ [STATE] = {
    endpoint = endpoint.new(api, uid), uid = uid, fields = fields or false, show = show or errors.clean,
  } }, stack_mt)
end

---A text with what is known of a stack, fit for a message.
---@return string
function stack.shown(self, text)
  return rawget(self, STATE).show(text)
end

---@return string
function stack.uid_of(self)
  return self.uid
end

---@return boolean
function stack.is(value)
  return type(value) == "table" and rawget(value, STATE) ~= nil
end

---The stacks that a token sees, one page after another: see pages.turner().
---@param api table  of api.new()
---@return function
function stack.list_turner(api)
  local page_list = require "cloud66.model.page_list"
  local purpose = { reads = true, order = { time = 0 } } -- one for all pages
  local function make(fields, show)
    if type(fields) ~= "table" or type(fields.uid) ~= "string" then
      return nil, "no stack: it has no uid"
    end
    return stack.new(api, fields.uid, fields, show)
  end
  return pages.turner(function(number)
    local list, pagination, show_or_err = api:get_list(("/stacks?page=%d"):format(number), { purpose = purpose })
    if not list then
      return nil, pagination, show_or_err
    end
    return page_list.of(list, pagination, show_or_err, "stacks", make)
  end, {})
end

-- --- requests ---

-- What an endpoint or a search returned, without the redactor that a success has third.
local function public(value, message, show_or_err)
  if value == nil then
    return nil, message, show_or_err
  end
  return value
end

function methods:load(...)
  args.no_more("load()", 0, select("#", ...))
  local state = state_of(self)
  local fields, message, show_or_err = state.endpoint:reading():fields()
  if not fields then
    return nil, message, show_or_err
  end
  state.fields, state.show = fields, show_or_err
  return self
end

function methods:raw(name)
  args.text(name, "name")
  local fields = state_of(self).fields
  if not fields then
    caller.blame "the stack is not loaded: call stack:load() first"
  end
  return fields[name]
end

function methods:page(number)
  if number == nil then
    number = 1
  end
  args.count(number, "a page number")
  return public(state_of(self).endpoint:reading():turner { first = number } ())
end

function methods:deployment(id)
  return public(state_of(self).endpoint:reading():deployment(args.id(id)))
end

-- --- sequences ---

---The stack's pages of deployments: see endpoint:turner().
---@param self cloud66.Stack
function stack.page_turner(self, options)
  return state_of(self).endpoint:reading():turner(options)
end

local DEPLOYMENTS_OPTIONS = { page = args.count, since = args.time, before = args.time, max_pages = args.count }

function methods:deployments(options, ...)
  args.no_more("deployments()", 1, select("#", ...) + 1)
  options = args.options(options, DEPLOYMENTS_OPTIONS, nil, "since")
  local since, before = options.since, options.before
  args.range(since, before)
  local next_page = state_of(self).endpoint:reading():turner { first = options.page, most = options.max_pages, since = since }
  local found = pages.items(next_page, criteria.deployment)
  if not since and not before then
    return found
  end
  return sequence.filter(found, criteria.compile(criteria.deployment, { since = since, before = before }))
end

-- --- which one is live ---

-- Looks for one of the newest deployments by a function of resource/find.lua.
local function find(self, how, ...)
  local endpoint_of_call = state_of(self).endpoint:reading():within_timeout()
  return public(require("cloud66.resource.find")[how](endpoint_of_call, ...))
end

function methods:live(...)
  args.no_more("live()", 0, select("#", ...))
  return find(self, "current")
end

function methods:head(...)
  args.no_more("head()", 0, select("#", ...))
  return find(self, "head")
end

function methods:latest(...)
  args.no_more("latest()", 0, select("#", ...))
  return find(self, "latest")
end

function methods:previous_live(...)
  args.no_more("previous_live()", 0, select("#", ...))
  return find(self, "previous")
end

function methods:is_live(git_hash)
  return find(self, "is", args.git_hash(git_hash))
end

-- --- actions ---

local function check_reference(value, name)
  return require("cloud66.model.action").check_reference(value, name)
end

local ACTIONS_OPTIONS = { user_reference = check_reference, page = args.count, max_pages = args.count }

function methods:actions(options, ...)
  args.no_more("actions()", 1, select("#", ...) + 1)
  options = args.options(options, ACTIONS_OPTIONS)
  local reference = options.user_reference
  local next_page = require("cloud66.resource.actions").turner(state_of(self).endpoint:reading(), reference, nil,
    { first = options.page, most = options.max_pages })
  local found = pages.items(next_page)
  if not reference then
    return found
  end
  return sequence.filter(found, function(candidate)
    return candidate.user_reference == reference -- the API may not know of references
  end)
end

function methods:action(id)
  return require("cloud66.resource.actions").get(state_of(self).endpoint:reading(), args.id(id, "an action id"))
end

-- --- operations ---

function methods:redeploy(options, ...)
  args.no_more("redeploy()", 1, select("#", ...) + 1)
  local checked, body = require("cloud66.deploy.options").redeploy(options)
  return require("cloud66.deploy.redeploy").run(state_of(self).endpoint:changing(), checked, body)
end

function methods:wait(what, options)
  local state = state_of(self)
  local deploy_options = require "cloud66.deploy.options"
  local target = deploy_options.target(what, state.uid)
  local deployment, info, show_or_err = require("cloud66.deploy.wait").run(state.endpoint, target, deploy_options.wait(options))
  if not deployment then
    return nil, info, show_or_err
  end
  return deployment, info
end

function methods:ensure(git_hash, options, ...)
  args.no_more("ensure()", 2, select("#", ...) + 2)
  local hash = args.git_hash(git_hash)
  local ensure = require "cloud66.deploy.ensure"
  return ensure.run(state_of(self).endpoint:changing(), hash, ensure.check_options(options, hash))
end

function methods:cancel(what, options)
  local cancel = require "cloud66.deploy.cancel"
  return cancel.run(state_of(self).endpoint:changing(), cancel.check_options(what, options))
end

function methods:poll(cursor, ...)
  args.no_more("poll()", 1, select("#", ...) + 1)
  local changes = require "cloud66.resource.changes"
  require("cloud66.resource.cursor").check(cursor)
  local events, next_cursor, err = changes.run(state_of(self).endpoint, cursor)
  if not events then
    return nil, next_cursor, err
  end
  for _, event in ipairs(events) do
    event.id, event.before = nil, nil
  end
  return events, next_cursor
end

function methods:watch(options, ...)
  args.no_more("watch()", 1, select("#", ...) + 1)
  return require("cloud66.resource.watch").new(state_of(self).endpoint, options)
end

local FRESH = 600 -- seconds: how long usual durations are used again

function methods:eta(deployment)
  if not core.is_deployment(deployment) then
    caller.blame("eta() needs a deployment, got %s", type(deployment))
  end
  local estimate = require "cloud66.resource.estimate"
  local state, now = state_of(self), os.time()
  if not state.durations or now - state.durations_read > FRESH then
    local page, message, show_or_err = state.endpoint:reading():newest_page()
    if not page then
      return nil, message, show_or_err
    end
    state.durations, state.durations_read, state.durations_show = estimate.durations(page), now, show_or_err
  end
  return estimate.eta(deployment, state.durations, now, state.durations_show)
end

return stack
