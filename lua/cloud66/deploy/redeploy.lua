-- redeploy.lua: starts a deployment at most once, and finds out what became of a request whose response was lost.
--
-- https://developers.cloud66.com/#redeploy-a-stack

local actions = require "cloud66.resource.actions"
local args = require "cloud66.base.args"
local date = require "cloud66.base.date"
local deploy_options = require "cloud66.deploy.options"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local json = require "cloud66.base.json"
local outcome = require "cloud66.deploy.outcome"
local parameters = require "cloud66.deploy.parameters"
local random = require "cloud66.base.random"
local tasks = require "cloud66.runtime.tasks"
local value = require "cloud66.base.value"
local wait = require "cloud66.runtime.wait"

local redeploy = {}

-- --- results ---

-- The result for an action that carries the reference.
local function result_of(endpoint, action, git_ref, message)
  return {
    message = message,
    queued = not action.is_finished,
    async_action_id = action.id,
    user_reference = action.user_reference,
    accepted_time = action.started_time,
    git_ref = git_ref,
    stack_uid = endpoint.uid,
  }
end

---The result for an action that was there already.
---@param endpoint table  of endpoint.new()
---@param action cloud66.Action
---@param git_ref? string  the requested one
---@return cloud66.RedeployResult
function redeploy.joined(endpoint, action, git_ref)
  local result = result_of(endpoint, action, git_ref, "joined " .. tostring(action))
  result.joined = {
    is_finished = action.is_finished, finished_success = action.finished_success, finished_message = action.finished_message,
    started_time = action.started_time, git_ref = parameters.git_ref_of(action),
  }
  return result
end

-- Reads the response: the result; false and the API's words for a refusal; nil, message, err where it tells neither. Of its
-- documented forms one has no `ok`, and an id of which it does not say what it is of.
local function read_response(call, got)
  local sent, message, err = got:value()
  if not sent then
    return nil, message, err
  end
  local text = type(sent.message) == "string" and got.show(sent.message) or nil
  local ok, queued = value.truth(sent.ok), value.truth(sent.queued)
  local action_id, id = value.id(sent.async_action_id), value.id(sent.id)
  if ok == false then
    return false, text or "without a reason"
  elseif ok == nil and queued == nil and not action_id and not id then
    return got:undecodable("the response to a redeploy does not say whether it was accepted")
  end
  return {
    message = text,
    queued = queued,
    async_action_id = action_id,
    id = id,
    user_reference = call.reference,
    accepted_time = date.http(got.response.headers.date),
    git_ref = call.body.git_ref,
    stack_uid = call.endpoint.uid,
  }
end

-- --- before and after the request ---

-- Finds an action that carries the caller's own reference already: its result, to be returned instead of sending
-- anything; false when none is to be joined; or nil, message, err. One that was for something else is a conflict.
local function find_earlier(call, reuse)
  local found, message, err = actions.with(call.endpoint, call.reference)
  if not found and (reuse or err.kind ~= "protocol") then
    return nil, message, err
  end
  found = found or {} -- none of the newest, and the older ones are no matter
  local action = reuse and actions.newest(found)
  if action then
    local was, is = parameters.conflict(call.endpoint.api, call.endpoint.uid, call.reference, call.body, action)
    if was then
      return errors.fail("conflict", ("user_reference '%s' was used before to deploy %s, and now comes to deploy %s: use another one, "
        .. "or reuse = false"):format(call.reference, was, is), { user_reference = call.reference, action = action })
    end
    return redeploy.joined(call.endpoint, action, call.body.git_ref)
  end
  for _, earlier in ipairs(found) do
    call.earlier[tostring(earlier.id)] = true
  end
  return false
end

-- The action that the request made; nil where there is none, with an err where that is not certain.
local function find_made(call, deadline)
  local found, _, err = actions.with(call.endpoint, call.reference, deadline)
  local made = {}
  for _, action in ipairs(found or {}) do
    if not call.earlier[tostring(action.id)] then
      made[#made + 1] = action
    end
  end
  return actions.newest(made), err
end

local PAUSES = { 0, 1, 2, 4, 8, 15 } -- seconds before each poll for the action of a lost response
local SETTLE = 45 -- seconds for all of them
local LAST = 2 -- seconds before the deadline, where that comes first, for the last poll

-- What became of a request after which `cause` came instead of a response: the result; or nil, message, err when no action
-- of it can be found, though it may come to be.
local function settle(call, cause)
  local last = cause
  local deadline = math.min(tasks.deadline(), call.endpoint.deadline, host.now() + SETTLE)
  for _, seconds in ipairs(PAUSES) do
    local left = deadline - host.now()
    local is_last = seconds >= left -- so that its response is in before the deadline
    if left <= 0 or call.endpoint.api.closed then
      break
    end
    wait.sleep(is_last and left - math.min(LAST, left / 2) or seconds)
    local action, err = find_made(call, deadline)
    if action then
      local result = result_of(call.endpoint, action, call.body.git_ref, "the response was lost; found " .. tostring(action))
      result.recovered = true
      return result
    end
    last = err or last
    if is_last then
      break
    end
  end
  local text = ("the redeploy may have been accepted, and no action with user_reference %s is to be found (%s). "
    .. "Before you deploy again, look for it: stack:actions{user_reference = ...}; redeploy{user_reference = ...} with the "
    .. "same one joins it if it is there"):format(call.reference, cause.message)
  if last ~= cause then
    text = text .. ". The last poll failed: " .. last.message
  end
  return errors.fail("ambiguous", text, { user_reference = call.reference, cause = cause, status = cause.status })
end

-- Sends it, once: the result; or nil, message, err.
local function send(call)
  local body = args.union(call.body, { user_reference = call.reference })
  local forget = parameters.remember(call.endpoint.api, call.endpoint.uid, call.reference, call.body)
  local deadline = deploy_options.change_deadline(math.min(tasks.deadline(), call.endpoint.deadline))
  local got, message, err = call.endpoint:redeploy(json.encode(body), deadline)
  if not got and outcome.is_undone(err) then
    forget()
    err = errors.copy(err)
    err.user_reference = call.reference
    return nil, message, err
  elseif not got then
    return settle(call, err)
  end
  local result, text
  result, text, err = read_response(call, got)
  if result == false then
    forget()
    return errors.fail("refused", "the API does not redeploy this stack: " .. text, { user_reference = call.reference })
  elseif not result then
    return settle(call, err)
  end
  return result
end

---@param endpoint table  of endpoint.new()
---@param options table, body table  of options.redeploy()
---@return cloud66.RedeployResult|nil result, string? message, cloud66.Error? err
function redeploy.run(endpoint, options, body)
  local call = {
    endpoint = endpoint, body = body,
    reference = options.user_reference or random.reference("lua-cloud66-"),
    earlier = {}, -- ids of the actions that carried the reference before: id as text -> true
  }
  if options.user_reference then
    local result, message, err = find_earlier(call, options.reuse ~= false)
    if result ~= false then
      return result, message, err
    end
  end
  return send(call)
end

return redeploy
