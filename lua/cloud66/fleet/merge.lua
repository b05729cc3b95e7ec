-- merge.lua: the deployments of many stacks as one sequence, newest first.
--
-- Each stack has a stream: the page it is in, and the deployment of it that comes next. The newest of those is returned next.
-- Pages are fetched when a stream has nothing left, for all such streams at once; and, since there is a wait then anyway,
-- ahead for those that will soon have nothing left. So a stack has one page in memory, and for a while half of another.

local args = require "cloud66.base.args"
local criteria = require "cloud66.model.criteria"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local host = require "cloud66.runtime.host"
local tasks = require "cloud66.runtime.tasks"
local pages = require "cloud66.model.pages"
local sequence = require "cloud66.model.sequence"
local stacks = require "cloud66.stack"

local merge = {}

local blame = caller.blame

-- --- which stacks ---

local EXPECTED = "a list of uids or stacks, a sequence of stacks, or criteria such as {environment = \"production\"}"

-- Uids and stacks of the caller's list as a list of stacks: copied, and checked before any request.
local function checked_list(api, list)
  local count = 0
  for place in pairs(list) do
    if type(place) ~= "number" then
      blame("deployments() needs %s, not both in one table", EXPECTED)
    end
    count = count + 1
  end
  local found = {}
  for place = 1, count do
    local item = list[place]
    if type(item) == "string" and item ~= "" then
      found[place] = stacks.new(api, args.utf8(item, ("number %d of the list"):format(place)))
    elseif stacks.is(item) then
      found[place] = item
    else
      blame("number %d of the list is %s, not a uid or a stack: an unset variable?",
        place, item == nil and "nil" or item == "" and "''" or "a " .. type(item))
    end
  end
  return found
end

-- pull() of the stacks that match. That there is none is an error: a name may be misspelt.
local function found_stacks(listed, nobody)
  local any = false
  return function()
    local found, message, err = listed()
    if found == nil and not message and not any then
      return errors.fail("none", nobody)
    end
    any = true
    return found, message, err
  end
end

---What the caller names as pull() of stacks.
---@param source any          see client:deployments()
---@param list fun(wanted?: table|function): cloud66.Sequence  the stacks of the client, by criteria
---@return fun(): cloud66.Stack|nil, string?, table?
function merge.stacks(api, source, list)
  local pull = sequence.pull_of(source, "taken over by client:deployments()")
  if pull then
    return found_stacks(pull, "the sequence of stacks gave none")
  elseif stacks.is(source) then
    blame "deployments() needs several stacks: use stack:deployments() for one, or give {stack}"
  elseif source == nil then
    return found_stacks(sequence.pull_of(list(), "taken over"), "this token sees no stacks")
  elseif type(source) == "function" or (type(source) == "table" and type(next(source)) == "string") then
    if type(source) == "table" and (source.since ~= nil or source.before ~= nil) then
      blame "since and before go into the second argument: deployments(stacks, {since = ...})"
    end
    local matches = criteria.compile(stacks.schema, source)
    local wanted = sequence.filter(list(), matches)
    return found_stacks(sequence.pull_of(wanted, "taken over"), "no stack matches the criteria")
  elseif type(source) ~= "table" then
    blame("deployments() needs %s, got %s", EXPECTED, type(source))
  elseif next(source) == nil then
    blame "the list of stacks is empty (leave it out, or give nil, for all stacks)"
  end
  local items, i = checked_list(api, source), 0
  return function()
    i = i + 1
    return items[i]
  end
end

-- --- streams ---

local function deployment_page(stream)
  local got = stream.ahead or { stream.turn() }
  stream.ahead = false
  stream.size = got[1] and #got[1] or 0
  stream.left = stream.size
  return got[1], got[2], got[3]
end

local function new_stream(stack, range)
  local stream = {
    stack = stack,
    turn = stacks.page_turner(stack, { since = range.since }),
    ahead = false,    -- what turn() gave, before it was needed
    head = nil,       -- the deployment that comes next
    key = math.huge,  -- when it started
    size = 0,         -- of the page
    left = 0,         -- deployments of the page that nobody has looked at yet
    over = false,
    failure = false,
  }
  local found = pages.items(function()
    return deployment_page(stream)
  end, criteria.deployment, function(deployment)
    stream.left = stream.left - 1
    return deployment.id
  end)
  if range.since or range.before then
    found = sequence.filter(found, criteria.compile(criteria.deployment, { since = range.since, before = range.before }))
  end
  stream.pull = sequence.pull_of(found, "merged", 2)
  return stream
end

-- A deployment without a start keeps its place in its own stack's list: it comes right after the one before it, or at the
-- very beginning.
local function advance(stream)
  local deployment, message, err = stream.pull()
  if deployment == nil then
    stream.over = true
    stream.failure = message and { stack = stream.stack, message = message, err = err } or false
  else
    stream.key = deployment.started_time or stream.key
  end
  stream.head = deployment
end

-- Those that are half through their page, the nearest to its end first.
local function soon_empty(streams)
  local found = {}
  for place, stream in ipairs(streams) do
    if stream.head and not stream.ahead and stream.left * 2 <= stream.size then
      found[#found + 1] = { stream = stream, place = place }
    end
  end
  table.sort(found, function(a, b)
    if a.stream.left ~= b.stream.left then
      return a.stream.left < b.stream.left
    end
    return a.place < b.place
  end)
  return found
end

local function work_on(stream)
  if stream.head then
    stream.ahead = { stream.turn() }
  else
    advance(stream)
  end
end

-- Gives each stream that is not over a head.
local function fill(streams, limit)
  local waiting = {}
  for _, stream in ipairs(streams) do
    if not stream.head and not stream.over then
      if stream.left > 0 or stream.ahead then
        advance(stream)
      else
        waiting[#waiting + 1] = stream
      end
    end
  end
  if #waiting == 0 then
    return
  end
  limit = tasks.overlaps and limit or 1
  if #waiting < limit then
    for _, entry in ipairs(soon_empty(streams)) do
      waiting[#waiting + 1] = entry.stream
      if #waiting == limit then
        break
      end
    end
  end
  local i = 0
  tasks.each(function()
    i = i + 1
    return waiting[i]
  end, function(_, stream)
    work_on(stream)
  end, limit, math.huge)
end

local function newest(streams)
  local best
  for _, stream in ipairs(streams) do
    if stream.head and (not best or stream.key > best.key) then
      best = stream
    end
  end
  return best
end

-- --- failures ---

-- Our own call has ended, not a stack.
local WHOLE = { aborted = true, phase = true }

local function none_is_left(failed)
  local first = failed[1].err
  if #failed == 1 then
    return nil, first.message, first
  end
  local fields = {}
  for name, value in pairs(first) do
    fields[name] = value
  end
  fields.failed = failed
  return errors.fail(first.kind, ("none of the %d stacks could be read to the end; of %s: %s"):format(
    #failed, tostring(failed[1].stack), first.message), fields)
end

-- Takes out the streams that are over. An error of the whole, or nil.
local function settle(merged)
  local streams, remaining, failures = merged.streams, {}, {}
  for _, stream in ipairs(streams) do
    if not stream.over then
      remaining[#remaining + 1] = stream
    elseif stream.failure then
      failures[#failures + 1] = stream.failure
    end
  end
  merged.streams = remaining
  for _, failure in ipairs(failures) do
    if WHOLE[failure.err.kind] then
      return failure.err
    end
    merged.failed[#merged.failed + 1] = failure
    merged.failures = merged.failures + 1
  end
  if merged.failures == merged.count then
    return nil -- reported as the sequence's own failure
  end
  for _, failure in ipairs(failures) do
    hooks.call(merged.on, "warning", {
      text = ("the deployments of %s cannot be read: %s"):format(tostring(failure.stack), failure.message),
      stack = failure.stack, err = failure.err,
    })
  end
end

-- --- the whole ---

local function read_stacks(merged, range)
  local streams, seen = {}, {}
  while true do
    local stack, message, err = merged.stacks()
    if stack == nil then
      if message then
        return nil, message, err
      end
      merged.streams, merged.count = streams, #streams
      return true
    elseif not stacks.is(stack) then
      blame("the sequence given to deployments() holds a %s where a stack is due", type(stack))
    elseif not seen[stack.uid] then
      seen[stack.uid] = true
      streams[#streams + 1] = new_stream(stack, range)
    end
  end
end

---@param api table  of the client: settings.concurrency, settings.on
---@param pull_stacks fun(): cloud66.Stack|nil, string?, table?  of merge.stacks()
---@param range { since?: number, before?: number }  Unix seconds
---@return cloud66.Sequence
function merge.deployments(api, pull_stacks, range)
  local settings = api.settings
  local merged = { stacks = pull_stacks, streams = false, count = 0, failed = {}, failures = 0, on = settings.on }
  return sequence.from(function()
    local problem = host.problem()
    if problem then
      return errors.fail("phase", problem)
    end
    if not merged.streams then
      local ok, message, err = read_stacks(merged, range)
      if not ok then
        return nil, message, err
      end
    end
    fill(merged.streams, settings.concurrency)
    local err = settle(merged)
    if err then
      return nil, err.message, err
    end
    local stream = newest(merged.streams)
    if stream then
      local deployment = stream.head
      stream.head = nil
      return deployment, stream.stack
    elseif merged.failures > 0 and merged.failures == merged.count then
      return none_is_left(merged.failed)
    end
    return nil
  end, criteria.deployment, merged.failed)
end

return merge
