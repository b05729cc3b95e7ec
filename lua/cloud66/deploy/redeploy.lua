-- redeploy.lua: starts a deployment at most once, and finds out what became of a request whose answer was lost.
--
-- https://developers.cloud66.com/#redeploy-a-stack

local action = require "cloud66.model.action"
local actions = require "cloud66.resource.actions"
local date = require "cloud66.base.date"
local errors = require "cloud66.base.error"
local json = require "cloud66.base.json"
local host = require "cloud66.runtime.host"
local random = require "cloud66.base.random"
local tasks = require "cloud66.runtime.tasks"
local wait = require "cloud66.runtime.wait"

local redeploy = {}

local function newest(list)
  local best
  for _, candidate in ipairs(list) do
    if not best or (candidate.started_time or 0) > (best.started_time or 0) then
      best = candidate
    end
  end
  return best
end

-- The result for an action that is known.
local function result_of(call, found, message)
  return {
    message = message,
    queued = not found.is_finished,
    async_action_id = found.id,
    user_reference = call.reference,
    accepted_time = found.started_time,
    git_ref = call.body.git_ref,
    stack_uid = call.endpoint.uid,
  }
end

---The result of redeploy() for an action that carries the same reference, which is so joined.
function redeploy.joined(call, found)
  local result = result_of(call, found, "joined " .. tostring(found))
  result.joined = true
  return result
end

-- Both forms are known of other booleans of this API.
local TRUTH = { [true] = true, [false] = false, ["true"] = true, ["false"] = false }

-- Reads the answer: the result; false and its text for a refusal; nil, message, err for one that does not say.
local function read_answer(call, got)
  local value, message, err = got:value()
  if not value then
    return nil, message, err
  end
  local text = type(value.message) == "string" and got.show(value.message) or nil
  local ok = TRUTH[value.ok]
  if ok == false then
    return false, text or "without a reason"
  elseif ok == nil and not action.id_of(value.async_action_id) then
    return got:undecodable("the answer to a redeploy does not say whether it was accepted")
  end
  return {
    message = text,
    queued = TRUTH[value.queued],
    async_action_id = action.id_of(value.async_action_id),
    user_reference = call.reference,
    accepted_time = date.http(got.response.headers.date),
    git_ref = call.body.git_ref,
    stack_uid = call.endpoint.uid,
  }
end

-- Kinds after which nothing can have been accepted: it was never sent, or refused before it was carried out.
local NOTHING_DONE = {
  auth = true, trial_expired = true, forbidden = true, not_found = true, conflict = true, bad_request = true,
  throttled = true, not_implemented = true, connect = true, tls = true, phase = true,
}

local function is_undone(err)
  return err.unsent or NOTHING_DONE[err.kind] or (err.status ~= nil and err.status >= 300 and err.status < 400)
end

local LOOKS = { 0, 1, 2, 4, 8, 15 } -- seconds before each look for the action of a lost answer
local SETTLE = 45 -- seconds for all of them

-- Looks for the action of a request whose answer was lost: those in `known` were there before. nil, message, err when
-- it cannot be found, though it may come to be.
local function settle(call, lost)
  local problem = lost
  local latest = math.min(tasks.deadline(), call.endpoint.deadline, host.now() + SETTLE)
  for _, seconds in ipairs(LOOKS) do
    if host.now() + seconds >= latest or call.endpoint.api.closed then
      break
    end
    wait.sleep(seconds)
    local found, _, err = actions.with(call.endpoint, call.reference, latest)
    local fresh = {}
    for _, candidate in ipairs(found or {}) do
      if not call.known[tostring(candidate.id)] then
        fresh[#fresh + 1] = candidate
      end
    end
    local made = newest(fresh)
    if made then
      local result = result_of(call, made, "the answer was lost; found " .. tostring(made))
      result.recovered = true
      return result
    end
    problem = err or problem
  end
  local text = ("the redeploy may have been accepted, and no action with user_reference %s is to be found (%s). "
    .. "Before you deploy again, look for it: stack:actions{user_reference = ...}; redeploy{user_reference = ...} with the "
    .. "same one joins it if it is there"):format(call.reference, lost.message)
  if problem ~= lost then
    text = text .. ". The last look failed: " .. problem.message
  end
  return errors.fail("ambiguous", text, { user_reference = call.reference, cause = lost, status = lost.status })
end

-- The actions that carry the caller's own reference already: true, or a result to return instead of a request.
local function look_before(call, reuse)
  local found, message, err = actions.with(call.endpoint, call.reference)
  if not found and (reuse or err.kind ~= "protocol") then
    return nil, message, err
  end
  found = found or {} -- none of the newest, and the older ones are no matter
  local made = newest(found)
  if made and reuse then
    return redeploy.joined(call, made)
  end
  for _, candidate in ipairs(found) do
    call.known[tostring(candidate.id)] = true
  end
  return true
end

---@param endpoint table  of endpoint.new()
---@param options table, body table  of options.redeploy()
---@return table|nil result, string? message, cloud66.Error? err
function redeploy.run(endpoint, options, body)
  local call = { endpoint = endpoint, body = body, known = {}, reference = options.user_reference }
  if call.reference then
    local before, message, err = look_before(call, options.reuse ~= false)
    if before ~= true then
      return before, message, err
    end
  else
    call.reference = random.reference("lua-cloud66-")
  end
  body.user_reference = call.reference
  local got, message, err = endpoint:redeploy(json.encode(body))
  if not got then
    if is_undone(err) then
      err.user_reference = call.reference
      return nil, message, err
    end
    return settle(call, err)
  end
  local result, text
  result, text, err = read_answer(call, got)
  if result then
    return result
  elseif result == false then
    return errors.fail("refused", "the API does not redeploy this stack: " .. text, { user_reference = call.reference })
  end
  return settle(call, err)
end

return redeploy
