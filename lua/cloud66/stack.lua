-- stack.lua: one stack: its own fields, its deployments, which of them is live.

local core = require "cloud66.core"
local cancel = require "cloud66.cancel"
local check = require "cloud66.check"
local criteria = require "cloud66.criteria"
local endpoint = require "cloud66.endpoint"
local ensure = require "cloud66.ensure"
local errors = require "cloud66.error"
local live = require "cloud66.live"
local poll = require "cloud66.poll"
local redeploy = require "cloud66.redeploy"
local scheduler = require "cloud66.scheduler"
local sequence = require "cloud66.sequence"
local url = require "cloud66.url"
local usual = require "cloud66.usual"
local wait = require "cloud66.wait"
local watch = require "cloud66.watch"

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

-- The keys the API documents, old and new; others are reached by stack:raw(name).
local FIELDS = {}
for name in ([[uid name git git_branch environment cloud fqdn language framework status health last_activity
  last_activity_iso maintenance_mode has_loadbalancer created_at updated_at created_at_iso updated_at_iso
  deploy_directory cloud_status redeploy_hook account_id account_name backend version revision is_busy is_cluster
  is_inside_cluster cluster_name application_address configstore_namespace namespaces considerations]]):gmatch("%S+") do
  FIELDS[name] = true
end

-- In the order of the API's numbers, from 0 on.
local STATUS = { "queued", "success", "failed", "analysing", "analysed", "queued_for_deploying", "deploying",
  "terminal_failure" }
local HEALTH = { "unknown", "building", "partial", "ok", "broken" }

-- A number the API does not document passes through as its digits.
local function word(words, number)
  if number == nil then
    return nil
  end
  return type(number) == "number" and words[number + 1] or tostring(number)
end

local derived = {}

function derived.status_name(fields)
  return word(STATUS, fields.status)
end

function derived.health_name(fields)
  return word(HEALTH, fields.health)
end

---What criteria may ask of a stack.
stack.schema = { item = "stack", names = {}, words = { status_name = STATUS, health_name = HEALTH } }
for name in pairs(FIELDS) do
  stack.schema.names[name] = "any"
end
for name in pairs(derived) do
  stack.schema.names[name] = "word"
end

local function unknown_field(name)
  error(("a stack has no field or method '%s'%s (stack:raw(name) gives undocumented keys)"):format(
    tostring(name), check.hint(name, stack.schema.names, methods)), 3)
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
  elseif not FIELDS[name] and not derived[name] then
    unknown_field(name)
  elseif not fields then
    error(("stack %s is not loaded, so its '%s' is not known: call stack:load() first"):format(
      errors.clean(state.uid), name), 2)
  elseif derived[name] then
    return derived[name](fields)
  end
  return fields[name]
end

function stack_mt.__newindex()
  error("stacks are read-only", 2)
end

function stack_mt.__tostring(self)
  local fields = rawget(self, STATE).fields
  local text = "stack " .. self.uid
  if fields then
    text = ("%s %s (%s)"):format(text, tostring(fields.name), tostring(fields.environment))
  end
  return errors.clean(text)
end

---@return cloud66.Stack
function stack.new(api, uid, fields)
  return setmetatable({ [STATE] = { endpoint = endpoint.new(api, uid), uid = uid, fields = fields or false } }, stack_mt)
end

---@return string
function stack.uid_of(self)
  return self.uid
end

---@return boolean
function stack.is(value)
  return type(value) == "table" and rawget(value, STATE) ~= nil
end

---One page of the stacks a token sees.
---@return table|nil page, string? message, cloud66.Error? err  # a list with .next
---@param api table    of request.new()
---@param number integer
---@param order table  see send() of request.lua: the same for all pages
function stack.fetch_list(api, number, order)
  local list, pagination, err = api:get_value("/stacks", { query = { page = number }, list = true, reads = true, order = order })
  if not list then
    return nil, pagination, err
  end
  local page = { next = url.page_number(pagination and pagination.next) }
  if page.next == false then
    return errors.fail("decode", "the 'pagination.next' of the stacks is not a page number")
  end
  for i, fields in ipairs(list) do
    if type(fields) ~= "table" or type(fields.uid) ~= "string" then
      return errors.fail("decode", ("number %d of the list is no stack: it has no uid"):format(i))
    end
    page[i] = stack.new(api, fields.uid, fields)
  end
  return page
end

-- --- requests ---

---Reads the stack's own fields, and keeps them.
---@return cloud66.Stack|nil stack, string? message, cloud66.Error? err
function methods:load(...)
  check.no_more("load()", 0, select("#", ...))
  local state = state_of(self)
  local fields, message, err = state.endpoint:reading():fields()
  if not fields then
    return nil, message, err
  end
  state.fields = fields
  return self
end

---The value of any key the API sent, for those that are not documented. nil for null and for an absent key.
---@param name string
---@return any
function methods:raw(name)
  check.text(name, "name")
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
  check.count(number, "a page number")
  return state_of(self).endpoint:reading():page(number)
end

---@param id integer|string
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:deployment(id)
  local digits = check.id(id)
  return state_of(self).endpoint:reading():deployment(digits)
end

-- --- sequences ---

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

---A function that fetches the stack's pages of deployments: see sequence.page_turner.
---@param self cloud66.Stack
---@param options { first?: integer, most?: integer, since?: number }  since: no page after the first that is older
function stack.page_turner(self, options)
  local from, since = state_of(self).endpoint:reading(), options.since
  return sequence.page_turner(function(number)
    return from:page(number)
  end, { first = options.first, most = options.most, enough = since and all_older(since) })
end

local function id_of(deployment)
  return deployment.id
end

local DEPLOYMENTS_OPTIONS = { page = true, since = true, before = true, max_pages = true }

---The stack's deployments, newest first as the API gives them.
---@param options? { page?: integer, since?: string|number, before?: string|number, max_pages?: integer }
---page: where to begin. since, before: as in criteria; since also stops turning pages.
---@return cloud66.Sequence
function methods:deployments(options, ...)
  check.no_more("deployments()", 1, select("#", ...) + 1)
  options = check.options(options, DEPLOYMENTS_OPTIONS, "option")
  local first = options.page ~= nil and check.count(options.page, "option 'page'") or 1
  local most = options.max_pages ~= nil and check.count(options.max_pages, "option 'max_pages'") or nil
  local since = options.since ~= nil and check.time(options.since, "option 'since'") or nil
  local before = options.before ~= nil and check.time(options.before, "option 'before'") or nil
  check.range(since, before)
  local next_page = stack.page_turner(self, { first = first, most = most, since = since })
  local found = sequence.pages(next_page, id_of, criteria.deployment)
  if not since and not before then
    return found
  end
  return sequence.filter(found, criteria.compile(criteria.deployment, { since = since, before = before }))
end

-- --- which one is live: each reads at most 5 pages, and has timeout.total for them ---

local function within_timeout(self)
  local from = state_of(self).endpoint:reading()
  local settings = from.api.settings
  if settings.on_throttle == "wait" then
    return from -- asked for to take longer
  end
  return from:by(scheduler.now() + settings.timeout.total)
end

---The newest deployment that is live: what runs on the servers now.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:live(...)
  check.no_more("live()", 0, select("#", ...))
  return live.current(within_timeout(self))
end

---The newest deployment that is the HEAD one.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:head(...)
  check.no_more("head()", 0, select("#", ...))
  return live.head(within_timeout(self))
end

---The newest deployment, however far it has come.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:latest(...)
  check.no_more("latest()", 0, select("#", ...))
  return live.latest(within_timeout(self))
end

---What to roll back to: the newest successful build of another commit that started before the live one and was not
---itself reverted.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:previous_live(...)
  check.no_more("previous_live()", 0, select("#", ...))
  return live.previous(within_timeout(self))
end

---Whether a commit is what runs on the servers now.
---@param git_hash string  7 or more hex digits
---@return boolean|nil live, string? message, cloud66.Error? err  # nil when it cannot be told
function methods:is_live(git_hash)
  local wanted = check.git_hash(git_hash)
  return live.is(within_timeout(self), wanted)
end

-- --- actions ---

local ACTIONS_OPTIONS = { user_reference = true, page = true, max_pages = true }

---The stack's actions, newest first as the API gives them.
---@param options? { user_reference?: string, page?: integer, max_pages?: integer }  user_reference: only those with it
---@return cloud66.Sequence  # of cloud66.Action
function methods:actions(options, ...)
  check.no_more("actions()", 1, select("#", ...) + 1)
  options = check.options(options, ACTIONS_OPTIONS, "option")
  local reference = redeploy.check_reference(options.user_reference, 2)
  local first = options.page ~= nil and check.count(options.page, "option 'page'") or 1
  local most = options.max_pages ~= nil and check.count(options.max_pages, "option 'max_pages'") or nil
  local from = state_of(self).endpoint:reading()
  local found = sequence.pages(sequence.page_turner(function(number)
    return from:actions(number, reference)
  end, { first = first, most = most }), id_of)
  if not reference then
    return found
  end
  return sequence.filter(found, function(action)
    return action.user_reference == reference -- the API may not know of references
  end)
end

---@param id integer|string
---@return cloud66.Action|nil action, string? message, cloud66.Error? err
function methods:action(id)
  local digits = check.id(id)
  return state_of(self).endpoint:reading():action(digits)
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
  check.no_more("redeploy()", 1, select("#", ...) + 1)
  local body
  options, body = redeploy.check_options(options, 2)
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
  local target = wait.target_of(what, self.uid, 2)
  options = wait.check_options(options, 2)
  local deployment, info, err = wait.run(state_of(self).endpoint, target, options)
  return deployment, info, err
end

---Makes a commit live: nothing if it is, joins whoever deploys it already, redeploys otherwise, and waits.
---@param git_hash string  7 or more hex digits
---@param options? table   of redeploy() and wait()
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, cloud66.Error? err
---# info.ensured: "live", "joined" or "deployed"
function methods:ensure(git_hash, options, ...)
  check.no_more("ensure()", 2, select("#", ...) + 2)
  local hash = check.git_hash(git_hash)
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
  local digits, waits, waited = cancel.check_options(what, options, 2)
  local ok, state, more = cancel.run(state_of(self).endpoint:changing(), digits, waits, waited)
  return ok, state, more
end

---What has happened to the stack's deployments since a cursor was made: {type = "started" | "changed" | "finished",
---deployment =, changed = {names of fields}}, the oldest first.
---@param cursor? table  of an earlier poll, perhaps stored as JSON meanwhile. Without: what runs now has `started`
---@return table[]|nil events, table|string cursor_or_message, cloud66.Error? err
function methods:poll(cursor, ...)
  check.no_more("poll()", 1, select("#", ...) + 1)
  poll.check_cursor(cursor, 2)
  local events, next_cursor, err = poll.run(state_of(self).endpoint, cursor)
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
  check.no_more("watch()", 1, select("#", ...) + 1)
  local made = watch.new(state_of(self).endpoint, options, 2)
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
  local state = state_of(self)
  local now = os.time()
  if not state.durations or now - state.durations_read > FRESH then
    local page, message, err = state.endpoint:reading():page(1)
    if not page then
      return nil, message, err
    end
    state.durations, state.durations_read = usual.durations(page), now
  end
  return usual.eta(deployment, state.durations, now)
end

return stack
