-- criteria.lua: where{...} -> a function item -> boolean. Everything that can be checked is checked when it is
-- made, so that a misspelt word raises instead of matching nothing.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local git = require "cloud66.base.git"

local criteria = {}

local null = core.null

local blame = caller.blame

-- What a readable name is decides what it may be compared with: a check as in args.lua, which is given the words too.
local accept = { text = args.text, date = args.text }

function accept.integer(value)
  return args.id(value)
end

function accept.seconds(value, name)
  if type(value) ~= "number" then
    blame("%s is in seconds and is compared with a number or a function, not with a %s", name, type(value))
  end
  return value
end

function accept.boolean(value, name)
  if type(value) ~= "boolean" then
    blame("%s is true or false, not a %s", name, type(value))
  end
  return value
end
accept.predicate = accept.boolean

function accept.code(value, name)
  return type(value) == "number" and value or args.text(value, name)
end

function accept.any(value, name)
  return type(value) == "boolean" and value or accept.code(value, name)
end

function accept.word(value, name, words)
  local known = {}
  for _, word in ipairs(words) do
    known[word] = true
  end
  if not known[value] then
    blame("%s is one of %s, not '%s'%s (use a function for a word the API does not document)", name,
      table.concat(words, ", "), tostring(value), args.nearest(value, known))
  end
  return value
end

-- What was sent under a name but cannot be read is neither there nor not there: the item cannot be judged by it.
local function unreadable(item, name)
  local got = core.is_deployment(item) and core.drifted(item, name)
  if not got then
    return nil
  end
  return errors.fail("decode", ("the API sends what '%s' is read from as %s, which this library does not know (in deployment "
    .. "%s): use a function, or see page.drift"):format(name, got, tostring(item.id or "without an id")))
end

-- How to compare, where == does not do.
local function same_id(wanted, id)
  return id ~= nil and args.id(id) == wanted
end

local function same_hash(wanted, hash)
  return type(hash) == "string" and hash:sub(1, #wanted):lower() == wanted
end

local function same_ref(wanted, ref)
  return type(ref) == "string" and git.same_ref(wanted, ref)
end

local function same(wanted, value)
  return value == wanted
end

local function is_nil(_, value)
  return value == nil
end

local function is_false(_, value)
  return not value
end

-- By name or kind of the field.
local HOW = { git_ref = same_ref, integer = same_id }

---@return function matches, any wanted  # matches(wanted, value) -> boolean
local function comparison(schema, name, value)
  if value == null then
    return is_nil
  elseif value == false then
    return is_false
  elseif name == "git_hash" then
    return same_hash, args.git_hash(value)
  end
  local kind = schema.names[name]
  return HOW[name] or HOW[kind] or same, accept[kind](value, name, schema.words[name])
end

-- A list of values: any of them.
local function any_of(schema, name, list)
  local tests, count = {}, 0
  for _ in pairs(list) do
    count = count + 1
  end
  if count == 0 or count ~= #list then
    blame("%s = {...} must be a list of at least one value, without gaps", name)
  end
  for i, value in ipairs(list) do
    tests[i] = { comparison(schema, name, value) }
  end
  return function(_, value)
    for i = 1, #tests do
      if tests[i][1](tests[i][2], value) then
        return true
      end
    end
    return false
  end
end

-- One criterion -> a function item -> boolean; or nil, message, err.
local function test_of(schema, name, wanted)
  if type(wanted) == "function" then
    return function(item)
      return wanted(item[name]) and true or false
    end
  end
  local matches
  if type(wanted) == "table" then
    matches, wanted = any_of(schema, name, wanted), nil
  else
    matches, wanted = comparison(schema, name, wanted)
  end
  return function(item)
    local value = item[name]
    if not value then
      local _, message, err = unreadable(item, name)
      if message then
        return nil, message, err
      end
    end
    return matches(wanted, value)
  end
end

-- since (inclusive) and before (exclusive) look at started_time; without one, a deployment is in no range.
local range = {}

local function started_within(within)
  return function(item)
    local started = item.started_time
    if started == nil then
      local _, message, err = unreadable(item, "started_time")
      if message then
        return nil, message, err
      end
      return false
    end
    return within(started)
  end
end

function range.since(from)
  return started_within(function(started)
    return started >= from
  end)
end

function range.before(to)
  return started_within(function(started)
    return started < to
  end)
end

-- The borders a set of criteria names, as Unix seconds.
local function borders(schema, wanted)
  local times = {}
  for name in pairs(schema.range or {}) do
    if wanted[name] ~= nil then
      times[name] = args.time(wanted[name], name)
    end
  end
  args.range(times.since, times.before)
  return times
end

---What criteria may name of a deployment.
criteria.deployment = { item = "deployment", names = {}, words = core.words, range = range }
for name, kind in pairs(core.names) do
  criteria.deployment.names[name] = kind
end
criteria.deployment.names.since = "range"
criteria.deployment.names.before = "range"

---@param schema table        what items these are: criteria.deployment, or a table of the same form
---@param wanted table|function  criteria, or a function item, stack -> boolean
---@return function           item -> boolean; or nil, message, err where that is not known
function criteria.compile(schema, wanted)
  if type(wanted) == "function" then
    return function(item, of)
      return wanted(item, of) and true or false
    end
  elseif type(wanted) ~= "table" then
    blame("expected criteria (a table) or a function, got %s", type(wanted))
  elseif not schema then
    blame "after map() the items are your own values: filter them with a function"
  elseif next(wanted) == nil then
    blame "the criteria are empty: an unset variable? (leave where{} out to take everything)"
  end
  local tests, times = {}, borders(schema, wanted)
  for name, value in pairs(wanted) do
    if schema.names[name] == nil then
      blame("a %s has no field or predicate '%s'%s", schema.item, tostring(name), args.hint(name, schema.names))
    end
    tests[#tests + 1] = times[name] and schema.range[name](times[name]) or test_of(schema, name, value)
  end
  return function(item)
    for i = 1, #tests do
      local matches, message, err = tests[i](item)
      if not matches then
        return matches, message, err
      end
    end
    return true
  end
end

return criteria
