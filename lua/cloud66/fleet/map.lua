-- map.lua: one function for many items, several requests in flight, each item's outcome beside it.

local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local tasks = require "cloud66.runtime.tasks"
local sequence = require "cloud66.model.sequence"

local map = {}

local blame = caller.blame

-- pull() for a list; what is none, or would look empty or end early, raises.
local function pull_of_list(source)
  if type(source) ~= "table" or (#source == 0 and next(source) ~= nil) then
    blame("map() needs a list or a sequence, got %s",
      type(source) == "table" and "a table without items 1 to n" or type(source))
  end
  local items, count, i = {}, #source, 0
  for place = 1, count do
    items[place] = source[place]
    if items[place] == nil then
      blame("number %d of the list is nil", place)
    end
  end
  return function()
    i = i + 1
    return items[i]
  end
end

local function too_late()
  return errors.new("timeout", "the time for the whole map was over before this item had its turn")
end

-- What became of one item. Only an err object is the item's own failure: any other raise is a bug.
local function outcome_of(item, of, fn)
  if host.now() >= tasks.deadline() then
    local err = too_late()
    return { item = item, ok = false, message = err.message, err = err }
  end
  local ok, value, message, err = pcall(fn, item, of)
  if not ok and errors.is(value) then
    return { item = item, ok = false, message = value.message, err = value }
  elseif not ok then
    error(value, 0)
  elseif value == nil and message ~= nil then
    return { item = item, ok = false, message = tostring(message), err = err }
  end
  return { item = item, ok = true, value = value }
end

---@param source table|cloud66.Sequence
---@param fn fun(item, stack?): any, string?, table?
---@param limit integer    requests in flight
---@param seconds? number  for the whole
---@return table|nil results, string? message, cloud66.Error? err  # when the sequence fails: err.results has those so far
function map.run(source, fn, limit, seconds)
  if type(fn) ~= "function" then
    blame("map() needs a function, got %s", type(fn))
  end
  local pull = not sequence.is(source) and pull_of_list(source)
  local problem = host.problem()
  if problem then
    return errors.fail("phase", problem)
  end
  pull = pull or sequence.pull_of(source, "taken over by client:map()")
  local results = { failed = 0 }
  local ok, message, err = tasks.each(pull, function(index, item, of)
    local outcome = outcome_of(item, of, fn)
    results[index] = outcome
    if not outcome.ok then
      results.failed = results.failed + 1
    end
  end, limit, seconds and host.now() + seconds or math.huge)
  if not ok then
    if err then
      err.results = results
    end
    return nil, message, err
  end
  return results
end

return map
