-- stack.lua: one stack: its own fields, its deployments and actions, and what is done with it. What not every script needs
-- is loaded by the method that needs it.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
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
    error("call it as stack:method(...)", 3)
  end
  return state
end

-- --- fields ---

---What criteria may ask of a stack.
stack.schema = stack_fields.schema

local function unknown_field(name)
  error(("a stack has no field or method '%s'%s (stack:raw(name) gives undocumented keys)"):format(
    tostring(name), args.hint(name, stack.schema.names, methods)), 3)
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
    error(("stack %s is not loaded, so its '%s' is not known: call stack:load() first"):format(
      errors.clean(state.uid), name), 2)
  elseif stack_fields.derived[name] then
    return stack_fields.derived[name](fields)
  end
  return fields[name]
end

function stack_mt.__newindex()
  error("stacks are read-only", 2)
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
    return pages.of(list, pagination, show_or_err, "stacks", make)
  end, {})
end

-- --- requests ---

---Reads the stack's own fields, and keeps them.
---@return cloud66.Stack|nil stack, string? message, cloud66.Error? err
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

---The value of any key the API sent, for those that are not documented. nil for null and for an absent key.
---@param name string
---@return any
function methods:raw(name)
  args.text(name, "name")
  local fields = state_of(self).fields
  if not fields then
    error("the stack is not loaded: call stack:load() first", 2)
  end
  return fields[name]
end

---One page of the stack's deployments.
---@param number? integer  from 1, the default
---@return cloud66.Page|nil page, string? message, cloud66.Error? err
function methods:page(number)
  if number == nil then
    number = 1
  end
  args.count(number, "a page number")
  local page, message, show_or_err = state_of(self).endpoint:reading():page(number)
  if not page then
    return nil, message, show_or_err
  end
  return page
end

---@param id integer|string
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:deployment(id)
  local digits = args.id(id)
  local found, message, show_or_err = state_of(self).endpoint:reading():deployment(digits)
  if not found then
    return nil, message, show_or_err
  end
  return found
end

-- --- sequences ---

---The stack's pages of deployments: see endpoint:turner().
---@param self cloud66.Stack
function stack.page_turner(self, options)
  return state_of(self).endpoint:reading():turner(options)
end

local DEPLOYMENTS_OPTIONS = { page = true, since = true, before = true, max_pages = true }

---The stack's deployments, newest first as the API gives them.
---@param options? { page?: integer, since?: string|number, before?: string|number, max_pages?: integer }
---page: where to begin. since, before: as in criteria; since also stops turning pages.
---@return cloud66.Sequence
function methods:deployments(options, ...)
  args.no_more("deployments()", 1, select("#", ...) + 1)
  options = args.options(options, DEPLOYMENTS_OPTIONS)
  local first = options.page ~= nil and args.count(options.page, "option 'page'") or 1
  local most = options.max_pages ~= nil and args.count(options.max_pages, "option 'max_pages'") or nil
  local since = options.since ~= nil and args.time(options.since, "option 'since'") or nil
  local before = options.before ~= nil and args.time(options.before, "option 'before'") or nil
  args.range(since, before)
  local next_page = state_of(self).endpoint:reading():turner { first = first, most = most, since = since }
  local found = pages.items(next_page, criteria.deployment)
  if not since and not before then
    return found
  end
  return sequence.filter(found, criteria.compile(criteria.deployment, { since = since, before = before }))
end

-- --- which one is live: each reads at most 5 pages, and has timeout.total for them ---

-- Looks for one of the newest deployments by a function of resource/find.lua.
local function find(state, how, ...)
  local from = state.endpoint:reading():within_timeout()
  local found, message, show_or_err = require("cloud66.resource.find")[how](from, ...)
  if found == nil then
    return nil, message, show_or_err
  end
  return found
end

---The newest deployment that is live: what runs on the servers now.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:live(...)
  args.no_more("live()", 0, select("#", ...))
  return find(state_of(self), "current")
end

---The newest deployment that is the HEAD one.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:head(...)
  args.no_more("head()", 0, select("#", ...))
  return find(state_of(self), "head")
end

---The newest deployment, however far it has come.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:latest(...)
  args.no_more("latest()", 0, select("#", ...))
  return find(state_of(self), "latest")
end

---What to roll back to: the newest successful build of another commit that started before the live one and was not
---itself reverted.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:previous_live(...)
  args.no_more("previous_live()", 0, select("#", ...))
  return find(state_of(self), "previous")
end

---Whether a commit is what runs on the servers now.
---@param git_hash string  7 or more hex digits
---@return boolean|nil live, string? message, cloud66.Error? err  # nil when it cannot be told
function methods:is_live(git_hash)
  local wanted = args.git_hash(git_hash)
  return find(state_of(self), "is", wanted)
end

-- --- actions ---

local ACTIONS_OPTIONS = { user_reference = true, page = true, max_pages = true }

---The stack's actions, newest first as the API gives them.
---@param options? { user_reference?: string, page?: integer, max_pages?: integer }  user_reference: only those with it
---@return cloud66.Sequence  # of cloud66.Action
function methods:actions(options, ...)
  args.no_more("actions()", 1, select("#", ...) + 1)
  options = args.options(options, ACTIONS_OPTIONS)
  local reference = require("cloud66.model.action").check_reference(options.user_reference, 2)
  local first = options.page ~= nil and args.count(options.page, "option 'page'") or 1
  local most = options.max_pages ~= nil and args.count(options.max_pages, "option 'max_pages'") or nil
  local from = state_of(self).endpoint:reading()
  local turner = require("cloud66.resource.actions").turner
  local found = pages.items(turner(from, reference, nil, { first = first, most = most }))
  if not reference then
    return found
  end
  return sequence.filter(found, function(candidate)
    return candidate.user_reference == reference -- the API may not know of references
  end)
end

---@param id integer|string
---@return cloud66.Action|nil action, string? message, cloud66.Error? err
function methods:action(id)
  local digits = args.id(id)
  return require("cloud66.resource.actions").get(state_of(self).endpoint:reading(), digits)
end

-- --- operations ---

---Asks for a deployment, at most once. One of git_ref, services, current = true must be given.
---
---With a user_reference of the caller's own, an action that carries it already is joined instead (reuse = false: not).
---@param options { git_ref?: string, services?: table|string, current?: true, deployment_profile?: string,
---deploy_strategy?: string, rollout_strategy?: string, canary_percentage?: integer, user_reference?: string, reuse?: boolean }
---services: a list of "name:tag", a table name -> tag, or text with commas; user_reference: at most 255 characters
---@return table|nil result, string? message, cloud66.Error? err
---# {message, queued, async_action_id, user_reference, joined, recovered, ...}: accepted. `refused`: the API said no;
---# `ambiguous`: it may have been accepted, look for err.user_reference. https://developers.cloud66.com/#redeploy-a-stack
function methods:redeploy(options, ...)
  args.no_more("redeploy()", 1, select("#", ...) + 1)
  local body
  options, body = require("cloud66.deploy.options").redeploy(options, 2)
  local redeploy = require "cloud66.deploy.redeploy"
  local result, message, err = redeploy.run(state_of(self).endpoint:changing(), options, body)
  return result, message, err
end

---Waits for the end of a deployment, or of what redeploy() started.
---@param what cloud66.Deployment|integer|string|table  a deployment, its id, an action, or what redeploy() gave
---@param options? { timeout?: number, interval?: number, require_live?: boolean, on_change?: function,
---on_poll?: function, stop?: function }  seconds; on_change(deployment, phase), on_poll(info), stop() -> whether to end
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, cloud66.Error? err
---# only if it succeeded; info: {match, action, elapsed, polls}. Kinds deploy_failed, cancelled, unknown_outcome, unmatched,
---# timeout, aborted, with err.last
function methods:wait(what, options)
  local state = state_of(self)
  local deploy_options = require "cloud66.deploy.options"
  local target = deploy_options.target(what, state.uid, 2)
  options = deploy_options.wait(options, 2)
  local deployment, info, show_or_err = require("cloud66.deploy.wait").run(state.endpoint, target, options)
  if not deployment then
    return nil, info, show_or_err
  end
  return deployment, info
end

---Makes a commit live: nothing if it is, joins whoever deploys it already, redeploys otherwise, and waits.
---@param git_hash string  7 or more hex digits
---@param options? table   of redeploy() and wait()
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, cloud66.Error? err
---# info.ensured: "live", "joined" or "deployed"
function methods:ensure(git_hash, options, ...)
  args.no_more("ensure()", 2, select("#", ...) + 2)
  local hash = args.git_hash(git_hash)
  local ensure = require "cloud66.deploy.ensure"
  local asked, body, waited = ensure.check_options(options, hash, 2)
  local deployment, info, err = ensure.run(state_of(self).endpoint:changing(), hash, asked, body, waited)
  return deployment, info, err
end

---Cancels a deployment that runs.
---@param what cloud66.Deployment|integer|string  a deployment or its id
---@param options? { wait?: boolean, timeout?: number, interval?: number, on_change?: function, on_poll?: function,
---stop?: function }  wait: for its end; the rest as for wait()
---@return true|nil ok, string state_or_message, cloud66.Deployment|cloud66.Error|nil deployment_or_err
---# state: "cancelling", "cancelled" (it has ended without success) or "finished" (it had ended by itself)
function methods:cancel(what, options)
  local cancel = require "cloud66.deploy.cancel"
  local digits, waits, waited = cancel.check_options(what, options, 2)
  local ok, state, more = cancel.run(state_of(self).endpoint:changing(), digits, waits, waited)
  return ok, state, more
end

---What has happened to the stack's deployments since a cursor was made: {type = "started" | "changed" | "finished",
---deployment =, changed = {names of fields}}, the oldest first.
---@param cursor? table  of an earlier poll, perhaps stored as JSON meanwhile. Without: what runs now has `started`
---@return table[]|nil events, table|string cursor_or_message, cloud66.Error? err
function methods:poll(cursor, ...)
  args.no_more("poll()", 1, select("#", ...) + 1)
  local changes = require "cloud66.resource.changes"
  changes.check_cursor(cursor, 2)
  local events, next_cursor, err = changes.run(state_of(self).endpoint, cursor)
  if not events then
    return nil, next_cursor, err
  end
  for _, event in ipairs(events) do
    event.id, event.before = nil, nil
  end
  return events, next_cursor
end

---The same again and again: `for event in stack:watch{...} do`. Passing failures are waited out; others are raised.
---@param options? { interval?: number, timeout?: number, stop?: function, cursor?: table }
---seconds; stop(): whether to end; cursor: where to go on from. watch:cursor() is where it stands
---@return cloud66.Watch
function methods:watch(options, ...)
  args.no_more("watch()", 1, select("#", ...) + 1)
  local made = require("cloud66.resource.watch").new(state_of(self).endpoint, options, 2)
  return made
end

local FRESH = 600 -- seconds: how long usual durations are kept

---When a deployment should end: its start and the median of the stack's newest successes of the same type.
---@param deployment cloud66.Deployment
---@return number|nil expected_end, boolean|string overdue_or_message, cloud66.Error? err
---# Unix seconds; overdue: it takes longer than nine in ten of them did. Kind `none`: too few to tell
function methods:eta(deployment)
  if not core.is_deployment(deployment) then
    error(("eta() needs a deployment, got %s"):format(type(deployment)), 2)
  end
  local estimate = require "cloud66.resource.estimate"
  local state, now = state_of(self), os.time()
  if not state.durations or now - state.durations_read > FRESH then
    local page, message, show_or_err = state.endpoint:reading():page(1)
    if not page then
      return nil, message, show_or_err
    end
    state.durations, state.durations_read, state.durations_show = estimate.durations(page), now, show_or_err
  end
  return estimate.eta(deployment, state.durations, now, state.durations_show)
end

return stack
