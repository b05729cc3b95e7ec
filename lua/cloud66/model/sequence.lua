-- sequence.lua: lazy, single-pass sequences.
--
-- Inside, a sequence is one function pull() -> item, of: the item and, in a sequence over several sources, the one it is
-- of (the stack of a deployment); or nil at the end, or nil, message, err when it fails.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local criteria = require "cloud66.model.criteria"
local errors = require "cloud66.base.error"

local sequence = {}

local methods = {}
local sequence_mt = { __name = "cloud66.sequence" }

function sequence_mt.__tostring()
  return "sequence"
end

-- A sequence is a userdata: no list operation takes it for an empty table, on Lua 5.1 neither.
-- What each knows: `pull`; `schema`, what criteria may ask of the items, or false after map(); `spent`, why it is no
-- longer the caller's to use; and `failed`, the list of sources that failed, or false where there is but one source. None
-- of it refers to the sequence.
local states = setmetatable({}, { __mode = "k" })

-- A sequence mistaken for a list would look empty: say so instead.
function sequence_mt.__index(self, name)
  local method = methods[name]
  if method == nil and name == "failed" and states[self].failed then
    return states[self].failed
  elseif method == nil then
    error(("a sequence has no '%s': go through it with for or each(), or collect() it into a list"):format(
      tostring(name)), 2)
  end
  return method
end

function sequence_mt.__len()
  error("the length of a sequence is not known: count() it, or collect() it into a list", 2)
end

function sequence_mt.__ipairs()
  error("a sequence is no list: go through it with for or each(), or collect() it into a list", 2)
end

function sequence_mt.__pairs()
  error("a sequence is no table: go through it with for or each(), or collect() it into a list", 2)
end

local function new(pull, schema, failed)
  local self = core.object(sequence_mt)
  states[self] = { pull = pull, schema = schema or false, spent = false, failed = failed or false }
  return self
end

-- The state of a sequence that can still be used.
local function check_open(self, level)
  local state = self ~= nil and states[self]
  if not state then
    error("call it as sequence:method(...)", level + 1)
  elseif state.spent then
    error(("this sequence was %s: it can be gone through once (make a new one, or collect() it)"):format(
      state.spent), level + 1)
  end
  return state
end

-- Takes the items over for a derived sequence or a closing call.
local function take_over(self, spent)
  local state = check_open(self, 3)
  state.spent = spent
  return state.pull, state.schema, state.failed
end

-- `for item, of in seq do`: a loop cannot return an error, so it is raised.
function sequence_mt.__call(self)
  local state = check_open(self, 2)
  local item, of, err = state.pull()
  if item == nil then
    state.spent = of and "ended by an error" or "used up"
    if of then
      error(err, 0)
    end
  end
  return item, of
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

---@param wanted table|fun(item): boolean  criteria (see the README), or a function
---@return cloud66.Sequence
function methods:where(wanted, ...)
  args.no_more("where()", 1, select("#", ...) + 1)
  local matches = criteria.compile(check_open(self, 2).schema, wanted)
  return sequence.filter(self, matches)
end

---@param fn fun(item, stack?): any  never nil
---@return cloud66.Sequence
function methods:map(fn, ...)
  args.no_more("map()", 1, select("#", ...) + 1)
  if type(fn) ~= "function" then
    error("map() needs a function", 2)
  end
  local pull, _, failed = take_over(self, "taken over by map()")
  return new(function()
    local item, of, err = pull()
    if item == nil then
      return nil, of, err
    end
    local value = fn(item, of)
    if value == nil then
      error("the function given to map() returned nil (use where() to leave items out)", 0)
    end
    return value, of
  end, false, failed)
end

---@param n integer  at most so many items; the one after them is not fetched
---@return cloud66.Sequence
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

---@param fn fun(item, stack?): boolean  the first item it is false of ends the sequence
---@return cloud66.Sequence
function methods:take_while(fn, ...)
  args.no_more("take_while()", 1, select("#", ...) + 1)
  if type(fn) ~= "function" then
    error("take_while() needs a function", 2)
  end
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

-- Goes through all items; fn(item, of) returning true ends it. true, or nil, message, err.
local function run(pull, fn)
  while true do
    local item, of, err = pull()
    if item == nil then
      if of then
        return nil, of, err
      end
      return true
    elseif fn(item, of) then
      return true
    end
  end
end

---@return any|nil item, any message_or_stack, cloud66.Error? err  # kind `none` when there is no item
function methods:first(...)
  args.no_more("first()", 0, select("#", ...))
  local pull = take_over(self, "closed by first()")
  local item, of, err = pull()
  if item == nil and not of then
    return errors.fail("none", "no item matches")
  end
  return item, of, err
end

---@return integer|nil count, string? message, cloud66.Error? err
function methods:count(...)
  args.no_more("count()", 0, select("#", ...))
  local pull = take_over(self, "closed by count()")
  local count = 0
  local ok, message, err = run(pull, function()
    count = count + 1
  end)
  if not ok then
    return nil, message, err
  end
  return count
end

---@param limit? integer  at most so many items
---@return any[]|nil items, string? message, cloud66.Error? err
function methods:collect(limit, ...)
  args.no_more("collect()", 1, select("#", ...) + 1)
  if limit ~= nil then
    args.count(limit, "collect(limit)")
  end
  local pull = take_over(self, "closed by collect()")
  local items = {}
  local ok, message, err = run(pull, function(item)
    items[#items + 1] = item
    return #items == limit
  end)
  if not ok then
    return nil, message, err
  end
  return items
end

---The same as a `for` loop, but failures are returned: the way to go inside nginx and on Lua 5.1.
---@param fn fun(item, stack?)
---@return integer|nil count, string? message, cloud66.Error? err
function methods:each(fn, ...)
  args.no_more("each()", 1, select("#", ...) + 1)
  if type(fn) ~= "function" then
    error("each() needs a function", 2)
  end
  local pull = take_over(self, "closed by each()")
  local count = 0
  local ok, message, err = run(pull, function(item, of)
    fn(item, of)
    count = count + 1
  end)
  if not ok then
    return nil, message, err
  end
  return count
end

---@param by string|fun(item, stack?): any  a field, or a function; items it gives nil for stand under cloud66.null
---@return table<any, any[]>|nil groups, string? message, cloud66.Error? err
function methods:group_by(by, ...)
  args.no_more("group_by()", 1, select("#", ...) + 1)
  local schema = check_open(self, 2).schema
  local key_of = by
  if type(by) == "string" then
    local kind = schema and schema.names[by]
    if schema and (kind == nil or kind == "range") then
      error(("a %s has no field '%s'%s"):format(schema.item, by, args.hint(by, schema.names)), 2)
    end
    key_of = function(item)
      return item[by]
    end
  elseif type(by) ~= "function" then
    error("group_by() needs the name of a field or a function", 2)
  end
  local pull = take_over(self, "closed by group_by()")
  local groups = {}
  local ok, message, err = run(pull, function(item, of)
    local key = key_of(item, of)
    if key == nil then
      key = core.null
    end
    local group = groups[key]
    if not group then
      group = {}
      groups[key] = group
    end
    group[#group + 1] = item
  end)
  if not ok then
    return nil, message, err
  end
  return groups
end

---@param fn fun(accumulated, item, stack?): any
---@param init any  what to begin with, and the result when there are no items; not nil
---@return any|nil accumulated, string? message, cloud66.Error? err
function methods:reduce(fn, init, ...)
  args.no_more("reduce()", 2, select("#", ...) + 2)
  if type(fn) ~= "function" then
    error("reduce() needs a function", 2)
  elseif init == nil then
    error("reduce() needs a value to begin with", 2)
  end
  local pull = take_over(self, "closed by reduce()")
  local ok, message, err = run(pull, function(item, of)
    init = fn(init, item, of)
    if init == nil then
      error("the function given to reduce() returned nil", 0)
    end
  end)
  if not ok then
    return nil, message, err
  end
  return init
end

-- --- sources ---

local OVER = { dead = true, zombie = true } -- zombie: nginx's word

-- A pull() that waits for the API, for one coroutine at a time: two that wait for the same page would each take what the
-- other is to give out. One that has ended while it waited holds up nobody.
local function one_at_a_time(pull)
  local busy = false
  return function()
    local me = coroutine.running() or "main" -- Lua 5.1 says nil for the main one
    if busy and busy ~= me and (busy == "main" or not OVER[coroutine.status(busy)]) then
      error("this sequence is being read by another coroutine: each needs its own, or client:map(sequence, fn) shares it out", 0)
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
---@param schema? table    what criteria may ask of the items
---@param failed? table[]  the sources that failed: {stack=, message=, err=}; filled while the sequence is gone through
---@return cloud66.Sequence
function sequence.from(pull, schema, failed)
  return new(one_at_a_time(pull), schema, failed)
end

---The items of a sequence as a function, for what goes through it in its own way; nil where it is no sequence.
---@param spent string  what using the sequence again is told
---@param level integer as in args.lua
---@return (fun(): any, string?, table?)|nil
function sequence.pull_of(self, spent, level)
  local state = type(self) == "userdata" and states[self]
  if not state then
    return nil
  end
  state = check_open(self, level + 1)
  state.spent = spent
  return state.pull
end

return sequence
