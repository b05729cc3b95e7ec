-- sequence.lua: lazy, single-pass sequences. The public methods are documented in types/sequence.lua.
--
-- Inside, a sequence is one function pull() -> item, of: the item and, in a sequence over several sources, the one it is
-- of (the stack of a deployment); or nil at the end, or nil, message, err when it fails.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local criteria = require "cloud66.model.criteria"
local errors = require "cloud66.base.error"

local sequence = {}

local blame = caller.blame

local methods = {}
local sequence_mt = { __name = "cloud66.sequence" }

function sequence_mt.__tostring()
  return "sequence"
end

-- A sequence is a userdata: no list operation takes it for an empty table, on Lua 5.1 neither.
-- What each knows: `pull`; `schema`, what criteria may name of the items, or false after map(); `spent`, why it is no
-- longer the caller's to use; and `failed`, the list of sources that failed, or false where there is but one source. None
-- of it refers to the sequence.
local states = setmetatable({}, { __mode = "k" })

-- A sequence mistaken for a list would look empty: say so instead.
function sequence_mt.__index(self, name)
  local method = methods[name]
  if method == nil and name == "failed" and states[self].failed then
    return states[self].failed
  elseif method == nil then
    blame("a sequence has no '%s': go through it with for or each(), or collect() it into a list", tostring(name))
  end
  return method
end

function sequence_mt.__len()
  blame "the length of a sequence is not known: count() it, or collect() it into a list"
end

function sequence_mt.__ipairs()
  blame "a sequence is no list: go through it with for or each(), or collect() it into a list"
end

function sequence_mt.__pairs()
  blame "a sequence is no table: go through it with for or each(), or collect() it into a list"
end

local function new(pull, schema, failed)
  local self = core.object(sequence_mt)
  states[self] = { pull = pull, schema = schema or false, spent = false, failed = failed or false }
  return self
end

-- The state of a sequence that can still be used.
local function open_state(self)
  local state = self ~= nil and states[self]
  if not state then
    blame "call it as sequence:method(...)"
  elseif state.spent then
    blame("this sequence was %s: it can be gone through once (make a new one, or collect() it)", state.spent)
  end
  return state
end

-- Takes the items over for a derived sequence or a closing call.
local function take_over(self, spent)
  local state = open_state(self)
  state.spent = spent
  return state.pull, state.schema, state.failed
end

-- `for item, of in seq do`: a loop cannot return an error, so it is raised.
function sequence_mt.__call(self)
  local state = open_state(self)
  local item, of, err = state.pull()
  if item == nil then
    state.spent = of and "ended by an error" or "used up"
    if of then
      error(err, 0)
    end
  end
  return item, of
end

local function check_function(fn, call)
  if type(fn) ~= "function" then
    blame("%s needs a function, got %s", call, type(fn))
  end
end

-- --- deriving ---

---The items that a compiled test takes.
---@param matches function  of criteria.compile(): item -> boolean, or nil, message, err
---@return cloud66.Sequence
function sequence.filter(self, matches)
  local pull, schema, failed = take_over(self, "taken over by where()")
  return new(function()
    while true do
      local item, of, err = pull()
      if item == nil then
        return nil, of, err
      end
      local ok, message
      ok, message, err = matches(item, of)
      if ok then
        return item, of
      elseif message then
        return nil, message, err
      end
    end
  end, schema, failed)
end

function methods:where(wanted, ...)
  args.no_more("where()", 1, select("#", ...) + 1)
  return sequence.filter(self, criteria.compile(open_state(self).schema, wanted))
end

function methods:map(fn, ...)
  args.no_more("map()", 1, select("#", ...) + 1)
  check_function(fn, "map()")
  local pull, _, failed = take_over(self, "taken over by map()")
  return new(function()
    local item, of, err = pull()
    if item == nil then
      return nil, of, err
    end
    local value = fn(item, of)
    if value == nil then
      blame "the function given to map() returned nil (use where() to leave items out)"
    end
    return value, of
  end, false, failed)
end

function methods:take(n, ...)
  args.no_more("take()", 1, select("#", ...) + 1)
  args.count(n, "take(n)")
  local pull, schema, failed = take_over(self, "taken over by take()")
  return new(function()
    if n == 0 then
      return nil
    end
    n = n - 1
    return pull()
  end, schema, failed)
end

function methods:take_while(fn, ...)
  args.no_more("take_while()", 1, select("#", ...) + 1)
  check_function(fn, "take_while()")
  local pull, schema, failed = take_over(self, "taken over by take_while()")
  local over = false
  return new(function()
    if over then
      return nil
    end
    local item, of, err = pull()
    if item == nil then
      return nil, of, err
    elseif not fn(item, of) then
      over = true
      return nil
    end
    return item, of
  end, schema, failed)
end

-- --- closing ---

-- Goes through all items: step(accumulated, item, of) -> what is accumulated then, and whether that ends it.
-- The last of these; or nil, message, err.
local function fold(self, call, accumulated, step)
  local pull = take_over(self, "closed by " .. call)
  local is_over = false
  while not is_over do
    local item, of, err = pull()
    if item == nil then
      if of then
        return nil, of, err
      end
      break
    end
    accumulated, is_over = step(accumulated, item, of)
  end
  return accumulated
end

function methods:first(...)
  args.no_more("first()", 0, select("#", ...))
  local pull = take_over(self, "closed by first()")
  local item, of, err = pull()
  if item == nil and not of then
    return errors.fail("none", "no item matches")
  end
  return item, of, err
end

function methods:count(...)
  args.no_more("count()", 0, select("#", ...))
  return fold(self, "count()", 0, function(count)
    return count + 1
  end)
end

function methods:collect(limit, ...)
  args.no_more("collect()", 1, select("#", ...) + 1)
  if limit ~= nil then
    args.count(limit, "collect(limit)")
  end
  return fold(self, "collect()", {}, function(items, item)
    items[#items + 1] = item
    return items, #items == limit
  end)
end

function methods:each(fn, ...)
  args.no_more("each()", 1, select("#", ...) + 1)
  check_function(fn, "each()")
  return fold(self, "each()", 0, function(count, item, of)
    fn(item, of)
    return count + 1
  end)
end

-- A function item -> the key of its group.
local function key_function(by, schema)
  if type(by) == "function" then
    return by
  elseif type(by) ~= "string" then
    blame("group_by() needs the name of a field or a function, got %s", type(by))
  end
  local kind = schema and schema.names[by]
  if schema and (kind == nil or kind == "range") then
    blame("a %s has no field '%s'%s", schema.item, by, args.hint(by, schema.names))
  end
  return function(item)
    return item[by]
  end
end

function methods:group_by(by, ...)
  args.no_more("group_by()", 1, select("#", ...) + 1)
  local key_of = key_function(by, open_state(self).schema)
  return fold(self, "group_by()", {}, function(groups, item, of)
    local key = key_of(item, of)
    if key == nil then
      key = core.null
    end
    local group = groups[key] or {}
    groups[key] = group
    group[#group + 1] = item
    return groups
  end)
end

function methods:reduce(fn, init, ...)
  args.no_more("reduce()", 2, select("#", ...) + 2)
  check_function(fn, "reduce()")
  if init == nil then
    blame "reduce() needs a value to begin with"
  end
  return fold(self, "reduce()", init, function(accumulated, item, of)
    accumulated = fn(accumulated, item, of)
    if accumulated == nil then
      blame "the function given to reduce() returned nil"
    end
    return accumulated
  end)
end

-- --- sources ---

local OVER = { dead = true, zombie = true } -- zombie: nginx's word

-- A pull() that waits for the API, for one coroutine at a time: two that wait for the same page would each take what the
-- other is to return. One that has ended while it waited holds up nobody.
local function one_at_a_time(pull)
  local busy = false
  return function()
    local me = coroutine.running() or "main" -- Lua 5.1 says nil for the main one
    if busy and busy ~= me and (busy == "main" or not OVER[coroutine.status(busy)]) then
      blame "this sequence is being read by another coroutine: each needs its own, or client:map(sequence, fn) shares it out"
    end
    busy = me
    local item, of, err = pull()
    busy = false
    return item, of, err
  end
end

---@param list table|userdata  anything with # and [i]; read while the sequence is used
---@return cloud66.Sequence
function sequence.of(list, schema)
  local i = 0
  return new(function()
    if i < #list then
      i = i + 1
      return list[i]
    end
    return nil
  end, schema)
end

---@return boolean
function sequence.is(value)
  return type(value) == "userdata" and states[value] ~= nil
end

---A sequence of what has to be waited for.
---@param pull fun(): any, any, table?  item and, where there are several sources, its source; or nil, message, err
---@param schema? table    what criteria may name of the items
---@param failed? table[]  the sources that failed: {stack=, message=, err=}; filled while the sequence is gone through
---@return cloud66.Sequence
function sequence.from(pull, schema, failed)
  return new(one_at_a_time(pull), schema, failed)
end

---The items of a sequence as a function, for what goes through it in its own way; nil where it is no sequence.
---@param spent string  what messages call its end: "taken over by map()"
---@return (fun(): any, string?, table?)|nil
function sequence.pull_of(self, spent)
  return sequence.is(self) and take_over(self, spent) or nil
end

return sequence
