-- client.lua: what a script starts from: any request, the stacks, other settings. Here alone settings, transport and what
-- is shared with others come together.
--
-- The public methods are documented in types/client.lua.

local core = require "cloud66.core"
local api = require "cloud66.http.api"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local criteria = require "cloud66.model.criteria"
local errors = require "cloud66.base.error"
local pages = require "cloud66.model.pages"
local rate_limit = require "cloud66.http.rate_limit"
local sequence = require "cloud66.model.sequence"
local settings = require "cloud66.http.settings"
local stacks = require "cloud66.stack"
local url = require "cloud66.base.url"

local client = {}

local methods = {}
local client_mt = { __name = "cloud66.client" }

-- What a client knows ({api, options, shared, token_source}) stands under this key alone.
local STATE = {}

local function state_of(self)
  local state = type(self) == "table" and rawget(self, STATE)
  if not state then
    caller.blame "call it as client:method(...)"
  end
  return state
end

function client_mt.__index(self, name)
  if name == "token_source" then
    return rawget(self, STATE).token_source
  end
  local method = methods[name]
  if method == nil then
    caller.blame("a client has no method '%s'%s", tostring(name), args.hint(name, methods))
  end
  return method
end

function client_mt.__newindex()
  caller.blame "a client's settings are given to cloud66.new() or client:with(), and do not change"
end

function client_mt.__tostring(self)
  return "client of " .. rawget(self, STATE).api.settings.base_url
end

-- --- any request ---

local function check_query(query, name)
  if type(query) ~= "table" then
    caller.blame("%s must be a table of names and values", name)
  end
  for key, value in pairs(query) do
    local finite = type(value) == "number" and value - value == 0
    if type(key) ~= "string" or not (finite or type(value) == "string" or type(value) == "boolean") then
      caller.blame("%s must hold names with a string, number or boolean each, not %s = %s", name, tostring(key), tostring(value))
    end
    args.utf8(key, "a name in " .. name)
    args.utf8(tostring(value), ("'%s' of %s"):format(key, name))
  end
  return query
end

local function encoded(body, name)
  return require("cloud66.base.json").encode(body, name)
end

local REQUEST_OPTIONS = { query = check_query, body = encoded }
local METHODS = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }

-- Below base_url, with a slash in front, and leading nowhere else.
local function checked_path(path)
  args.text(path, "path")
  path = path:find "^/" and path or "/" .. path
  local plain = path:gsub("%%2[eE]", ".") .. "/"
  if path:find "[^\33-\126]" or path:find "[?#\\]" or plain:find "/%.%.?/" then
    caller.blame "path must be encoded and without '..'; a query goes into option 'query'"
  end
  args.utf8(url.decode(path), "path, decoded,")
  return path
end

-- What request() gives for a response: an empty one has a value, too. Who writes it as JSON again finds its empty lists marked.
local function read_any(got)
  if got.response.body == "" then
    return core.null
  end
  return got:json(require("cloud66.base.json").array_mt)
end

function methods:request(method, path, options)
  if not METHODS[method] then
    caller.blame("unknown method '%s': GET, POST, PUT, PATCH or DELETE", tostring(method))
  end
  path = checked_path(path)
  options = args.options(options, REQUEST_OPTIONS)
  local got, message, err = state_of(self).api:send(method, path,
    { query = options.query, body = options.body, read = read_any, purpose = { reads = true } })
  if not got then
    return nil, message, err
  end
  local value
  value, message, err = read_any(got)
  if value == nil and method ~= "GET" then
    err.exit_code = errors.EXIT_CODES.ambiguous
  end
  if value == nil then
    return nil, message, err
  end
  return value, got.response
end

-- --- stacks ---

function methods:stack(uid)
  if type(uid) ~= "string" or uid == "" then
    caller.blame("a stack's uid must be a string that is not empty, got %s: an unset variable?", uid == "" and "''" or type(uid))
  end
  return stacks.new(state_of(self).api, args.utf8(uid, "a stack's uid"))
end

function methods:stacks(wanted)
  local matches = wanted ~= nil and criteria.compile(stacks.schema, wanted)
  local found = pages.items(stacks.list_turner(state_of(self).api), stacks.schema, stacks.uid_of)
  return matches and sequence.filter(found, matches) or found
end

local HISTORY_OPTIONS = { since = args.time, before = args.time }

function methods:deployments(wanted, options, ...)
  local own_api = state_of(self).api
  args.no_more("deployments()", 2, select("#", ...) + 2)
  local range = args.options(options, HISTORY_OPTIONS, nil, "since")
  args.range(range.since, range.before)
  local merge = require "cloud66.fleet.merge"
  local pull = merge.stacks(own_api, wanted, function()
    return self:stacks()
  end)
  return merge.deployments(own_api, pull, range)
end

-- Whether a field is the text, given in lower case, whatever its own case.
local function equals(value, text)
  return type(value) == "string" and value:lower() == text
end

local MOST_DESCRIBED = 10

local function describe(list)
  local lines = {}
  for i, stack in ipairs(list) do
    if i > MOST_DESCRIBED then
      lines[i] = ("and %d more"):format(#list - MOST_DESCRIBED)
      break
    end
    lines[i] = stacks.shown(stack, ("%s (%s, %s)"):format(tostring(stack.name), tostring(stack.environment), stack.uid))
  end
  return #lines > 0 and table.concat(lines, "; ") or "none at all"
end

local FIND_CRITERIA = { name = args.text, environment = args.text }

function methods:find_stack(wanted)
  wanted = args.options(wanted, FIND_CRITERIA, "criterion '%s'", "name")
  local name = args.text(wanted.name, "criterion 'name'"):lower()
  local environment = wanted.environment and wanted.environment:lower()
  local all, message, err = self:stacks():collect()
  if not all then
    return nil, message, err
  end
  local found = {}
  for _, stack in ipairs(all) do
    if equals(stack.name, name) and (not environment or equals(stack.environment, environment)) then
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

-- --- many at once ---

local MAP_OPTIONS = { timeout = args.positive }

function methods:map(source, fn, options, ...)
  local concurrency = state_of(self).api.settings.concurrency
  args.no_more("map()", 3, select("#", ...) + 3)
  options = args.options(options, MAP_OPTIONS)
  return require("cloud66.fleet.map").run(source, fn, concurrency, options.timeout)
end

-- --- the client itself ---

function methods:limits(...)
  args.no_more("limits()", 0, select("#", ...))
  return state_of(self).api:report()
end

function methods:close()
  state_of(self).api:close()
end

-- Options of the parts that are there only where a client shares something with others: sharing/options.lua checks them.
local SHARING = { store = true, budget = true, cache = true }
local SHARING_HOOKS = { cache = true }

local OPTIONS = args.union(settings.OPTIONS, SHARING)

local function checked_options(options)
  return args.options(options, OPTIONS, nil, "token")
end

-- The options for with(): the token and the times are taken over from the settings.
local function inheritable(options)
  local copy = args.union(options)
  copy.token, copy.timeout = nil, nil
  return copy
end

-- What is shared with others, of sharing/options.lua; false for a client that shares nothing.
local function shared_of(options, inherited)
  local is_asked_for = inherited
  for name in pairs(SHARING) do
    is_asked_for = is_asked_for or options[name] ~= nil
  end
  if not is_asked_for then
    return false
  end
  local shared = require("cloud66.sharing.options").of(options, inherited or nil)
  return shared.store and shared
end

-- A client of checked options; `from` as for new().
local function make(options, from)
  local inherited = from and from.inherited
  local shared = shared_of(options, inherited and inherited.shared)
  local made, message, err = settings.of(options, {
    inherited = inherited and inherited.api.settings, environment = from and from.environment, hooks = SHARING_HOOKS,
  })
  if not made then
    return nil, message, err
  end
  local transport = made.transport
    or require("cloud66.transport.curl").new { ca_file = made.ca_file, proxy = made.proxy }
  local state = {
    api = api.new(made, transport, rate_limit.new(), shared and require("cloud66.sharing.layers").new(made, shared)),
    options = inheritable(options),
    shared = shared,
    token_source = made.token_source,
  }
  return setmetatable({ [STATE] = state }, client_mt)
end

function methods:with(options)
  local state = state_of(self)
  local changed = checked_options(options)
  local made, message, err = make(args.union(state.options, changed), { inherited = state })
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

---@param options? table  the caller's; not kept
---@param from? table     { inherited = another client's state } to go on from, or { environment = as credentials.environment }
---@return cloud66.Client|nil client, string? message, cloud66.Error? err
function client.new(options, from)
  return make(checked_options(options), from)
end

return client
