-- client.lua: what a script starts from: any request, the stacks, other settings. Here alone settings, transport and what
-- is shared with others come together.

local core = require "cloud66.core"
local api = require "cloud66.http.api"
local args = require "cloud66.base.args"
local criteria = require "cloud66.model.criteria"
local errors = require "cloud66.base.error"
local pages = require "cloud66.model.pages"
local rate_limit = require "cloud66.http.rate_limit"
local sequence = require "cloud66.model.sequence"
local settings = require "cloud66.http.settings"
local stacks = require "cloud66.stack"

local client = {}

local methods = {}
local client_mt = { __name = "cloud66.client" }

-- What a client knows ({api, options, shared, token_source}) stands under this key alone.
local STATE = {}

local function state_of(self)
  local state = type(self) == "table" and rawget(self, STATE)
  if not state then
    error("call it as client:method(...)", 3)
  end
  return state
end

function client_mt.__index(self, name)
  if name == "token_source" then
    return rawget(self, STATE).token_source
  end
  local method = methods[name]
  if method == nil then
    error(("a client has no method '%s'%s"):format(tostring(name), args.hint(name, methods)), 2)
  end
  return method
end

function client_mt.__newindex()
  error("a client's settings are given to cloud66.new() or client:with(), and do not change", 2)
end

function client_mt.__tostring(self)
  return "client of " .. rawget(self, STATE).api.settings.base_url
end

local function check_query(query, level)
  if type(query) ~= "table" then
    error("option 'query' must be a table of names and values", level + 1)
  end
  for name, value in pairs(query) do
    local finite = type(value) == "number" and value - value == 0
    if type(name) ~= "string" or not (finite or type(value) == "string" or type(value) == "boolean") then
      error(("option 'query' must hold names with a string, number or boolean each, not %s = %s"):format(
        tostring(name), tostring(value)), level + 1)
    end
  end
end

-- Below base_url, with a slash in front, and leading nowhere else.
local function check_path(path, level)
  level = level + 1
  args.text(path, "path", level)
  path = path:find("^/") and path or "/" .. path
  local plain = path:gsub("%%2[eE]", ".") .. "/"
  if path:find("[^\33-\126]") or path:find("[?#\\]") or plain:find("/%.%.?/") then
    error("path must be encoded and without '..'; a query goes into option 'query'", level)
  end
  return path
end

-- What request() gives for a response: an empty one has a value, too.
local function read_any(got)
  if got.response.body == "" then
    return core.null
  end
  return got:json()
end

local METHODS = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }
local REQUEST_OPTIONS = { query = true, body = true }

---Any other request to the API, for what this library does not cover. Nothing but GET is ever sent twice.
---@param method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@param path string  below base_url, such as "/stacks/UID/snapshots"; what needs encoding must be encoded
---@param options? { query?: table, body?: table }  the body is sent as JSON
---@return any value, table|string response, cloud66.Error? err
---# the decoded answer (cloud66.null for an empty one) and {status, headers, body}; or nil, message, err
function methods:request(method, path, options)
  if not METHODS[method] then
    error(("unknown method '%s': GET, POST, PUT, PATCH or DELETE"):format(tostring(method)), 2)
  end
  path = check_path(path, 2)
  options = args.options(options, REQUEST_OPTIONS, "option")
  if options.query ~= nil then
    check_query(options.query, 2)
  end
  local body = options.body ~= nil and require("cloud66.base.json").encode(options.body) or nil
  local got, message, err = state_of(self).api:send(method, path,
    { query = options.query, body = body, read = read_any, purpose = { reads = true } })
  if not got then
    return nil, message, err
  end
  local value
  value, message, err = read_any(got)
  if value == nil then
    return nil, message, err
  end
  return value, got.response
end

---A stack by its uid. No I/O: whether there is one shows when it is used.
---@param uid string
---@return cloud66.Stack
function methods:stack(uid)
  if type(uid) ~= "string" or uid == "" then
    error(("a stack's uid must be a string that is not empty, got %s: an unset variable?"):format(
      uid == "" and "''" or type(uid)), 2)
  end
  return stacks.new(state_of(self).api, uid)
end

---The stacks this token sees.
---@param wanted? table|fun(stack): boolean  criteria, as for where()
---@return cloud66.Sequence
function methods:stacks(wanted)
  local matches = wanted ~= nil and criteria.compile(stacks.schema, wanted)
  local found = pages.items(stacks.list_turner(state_of(self).api), stacks.schema, stacks.uid_of)
  return matches and sequence.filter(found, matches) or found
end

local HISTORY_OPTIONS = { since = true, before = true }

---The deployments of many stacks, newest first over all of them, each with its stack: `for d, stack in
---client:deployments() do`. Pages are fetched with up to `concurrency` requests in flight. A deployment without a start
---comes right after the one before it in its own stack's list.
---
---A stack that fails costs itself alone: the sequence's `failed` has {stack=, message=, err=} for each so far, and the
---`warning` hook hears of it. When all of them fail the sequence fails; so it does, with `none`, when there is no stack.
---@param wanted? table|function|cloud66.Sequence  a list of uids or stacks, a sequence of stacks, or criteria as for
---stacks(); nil: all stacks. A stack that is named twice is read once
---@param options? { since?: string|number, before?: string|number }  as in criteria; since also stops turning pages
---@return cloud66.Sequence
function methods:deployments(wanted, options, ...)
  local own_api = state_of(self).api
  args.no_more("deployments()", 2, select("#", ...) + 2)
  options = args.options(options, HISTORY_OPTIONS, "option", 2, "since")
  local range = {
    since = options.since ~= nil and args.time(options.since, "option 'since'") or nil,
    before = options.before ~= nil and args.time(options.before, "option 'before'") or nil,
  }
  args.range(range.since, range.before)
  local merge = require "cloud66.fleet.merge"
  local pull = merge.stacks(own_api, wanted, function()
    return self:stacks()
  end, 2)
  return merge.deployments(own_api, pull, range)
end

-- Whether a field is the text, given in lower case, whatever its own case.
local function says(value, text)
  return type(value) == "string" and value:lower() == text
end

local function describe(list)
  local lines = {}
  for i, stack in ipairs(list) do
    if i > 10 then
      lines[i] = ("and %d more"):format(#list - 10)
      break
    end
    lines[i] = stacks.shown(stack, ("%s (%s, %s)"):format(tostring(stack.name), tostring(stack.environment), stack.uid))
  end
  return #lines > 0 and table.concat(lines, "; ") or "none at all"
end

---The one stack of that name, whatever its case.
---@param wanted { name: string, environment?: string }
---@return cloud66.Stack|nil stack, string? message, cloud66.Error? err  # kinds none, not_unique: with a list
function methods:find_stack(wanted)
  wanted = args.options(wanted, { name = true, environment = true }, "criterion", 2, "name")
  local name = args.text(wanted.name, "name"):lower()
  local environment = wanted.environment ~= nil and args.text(wanted.environment, "environment"):lower()
  local all, message, err = self:stacks():collect()
  if not all then
    return nil, message, err
  end
  local found = {}
  for _, stack in ipairs(all) do
    if says(stack.name, name) and (not environment or says(stack.environment, environment)) then
      found[#found + 1] = stack
    end
  end
  local asked = wanted.name .. (environment and (" (%s)"):format(wanted.environment) or "")
  if #found == 0 then
    return errors.fail("none", ("no stack is called %s; there are: %s"):format(asked, describe(all)))
  elseif #found > 1 then
    return errors.fail("not_unique", ("%d stacks are called %s, name the environment too: %s"):format(
      #found, asked, describe(found)))
  end
  return found[1]
end

-- Options of the parts that are there only where a client shares something with others: sharing/options.lua checks them.
local SHARING = { store = true, budget = true, cache = true }
local SHARING_HOOKS = { cache = true }

local OPTIONS = args.union(settings.OPTIONS, SHARING)
local MAP_OPTIONS = { timeout = true }

---A view of the same client with other settings.
---@param options table  as for cloud66.new()
---@return cloud66.Client|nil client, string? message, cloud66.Error? err
function methods:with(options)
  local state = state_of(self)
  local changed = args.options(options, OPTIONS, "option")
  for name, value in pairs(state.options) do
    if changed[name] == nil then
      changed[name] = value
    end
  end
  local made, message, err = client.new(changed, { inherited = state })
  if not made then
    return nil, message, err
  end
  local own = rawget(made, STATE).api
  own.closed = state.api.closed
  if changed.token == nil then -- the limits are a user's
    own.limits = state.api.limits
  end
  return made
end

---Ends this client: its requests in flight, and what is asked of it from now on, are `aborted`. Never required.
function methods:close()
  state_of(self).api:close()
end

---Calls fn(item) for each item, with up to `concurrency` requests in flight: inside fn, code written one call after
---another gives way to the other items while it waits for the API. Everything below has to go through this library for
---that; on PUC Lua 5.1, whose coroutines cannot yield across an iterator, one item comes after another.
---
---fn returning nil, message, err, or raising an err object, is that item's failure. Whatever else it raises is a bug:
---the rest is aborted and it is raised on.
---@param source table|cloud66.Sequence  a list or a sequence
---@param fn fun(item, stack?): any, string?, table?  stack: where the sequence is over many
---@param options? { timeout?: number }  timeout: seconds for the whole map; each call has its own beside it
---@return table|nil results, string? message, cloud66.Error? err
---results: one {item=, ok=, value=, message=, err=} for each, in order, and .failed, how many. nil when the sequence
---itself fails: err.results then has what there is.
function methods:map(source, fn, options, ...)
  local concurrency = state_of(self).api.settings.concurrency
  args.no_more("map()", 3, select("#", ...) + 3)
  options = args.options(options, MAP_OPTIONS, "option")
  local seconds = options.timeout ~= nil and args.positive(options.timeout, "option 'timeout'") or nil
  local results, message, err = require("cloud66.fleet.map").run(source, fn, concurrency, seconds, 2)
  return results, message, err
end

---The hour's requests, as the server last said or, where it did not, as they were counted: by this client, or with option
---`store` by all who share it.
---@return cloud66.Limits
function methods:limits(...)
  args.no_more("limits()", 0, select("#", ...))
  return state_of(self).api:report()
end

-- The options as they were given, for with(); the token is reached through the settings alone.
local function copy_options(options)
  local copy = {}
  for name, value in pairs(options) do
    if name ~= "token" and name ~= "timeout" then
      copy[name] = value
    end
  end
  return copy
end

-- What is shared with others, of sharing/options.lua; false for a client that shares nothing.
local function shared_of(options, inherited, level)
  local is_asked_for = inherited
  for name in pairs(SHARING) do
    is_asked_for = is_asked_for or options[name] ~= nil
  end
  if not is_asked_for then
    return false
  end
  local shared = require("cloud66.sharing.options").of(options, inherited or nil, level + 1)
  return shared.store and shared
end

---@param options? table  see the README; the caller's table is not kept
---@param from? table     { inherited = another client's state } to go on from, or { environment = }
---@param level? integer  as in args.lua
---@return cloud66.Client|nil client, string? message, cloud66.Error? err
function client.new(options, from, level)
  level = (level or 2) + 1
  options = args.options(options, OPTIONS, "option", level)
  local inherited = from and from.inherited
  local shared = shared_of(options, inherited and inherited.shared, level)
  local made, message, err = settings.of(options, {
    inherited = inherited and inherited.api.settings, environment = from and from.environment,
    hooks = SHARING_HOOKS,
  }, level)
  if not made then
    return nil, message, err
  end
  local transport = made.transport
    or require("cloud66.transport.curl").new { ca_file = made.ca_file, proxy = made.proxy }
  local state = {
    api = api.new(made, transport, rate_limit.new(), shared and require("cloud66.sharing.layers").new(made, shared)),
    options = copy_options(options),
    shared = shared,
    token_source = made.token_source,
  }
  return setmetatable({ [STATE] = state }, client_mt)
end

return client
