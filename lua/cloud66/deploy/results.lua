-- results.lua: what redeploy() returns: from the API's response, from an action, from what another process has sent.

local args = require "cloud66.base.args"
local date = require "cloud66.base.date"
local parameters = require "cloud66.deploy.parameters"
local value = require "cloud66.base.value"

local results = {}

---The result of a response: false and the API's words for a refusal; nil, message, err where it tells neither. Of its documented
---forms one has no `ok`, and an id of which it does not say what it is of.
---@param call table  of redeploy.run(), here and below
---@param got table   a response of response.lua
---@return cloud66.RedeployResult|false|nil result, string? message, cloud66.Error? err
function results.read(call, got)
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

---The result for the action that a lost response was of.
---@return cloud66.RedeployResult
function results.recovered(call, action)
  local result = result_of(call.endpoint, action, call.body.git_ref, "the response was lost; found " .. tostring(action))
  result.recovered = true
  return result
end

---The result for an action that was there already.
---@param endpoint table  of endpoint.new()
---@param action cloud66.Action
---@param git_ref? string  the requested one
---@return cloud66.RedeployResult
function results.joined(endpoint, action, git_ref)
  local result = result_of(endpoint, action, git_ref, "joined " .. tostring(action))
  result.joined = {
    is_finished = action.is_finished, finished_success = action.finished_success, finished_message = action.finished_message,
    started_time = action.started_time, git_ref = parameters.git_ref_of(action),
  }
  return result
end

---The result for what another process has sent, and the API does not show yet.
---@param endpoint table  of endpoint.new()
---@param entry cloud66.ClaimEntry  that was accepted
---@param git_ref? string  the requested one
---@return cloud66.RedeployResult
function results.joined_entry(endpoint, entry, git_ref)
  local accepted = entry.accepted
  return {
    message = "joined what another process has sent",
    queued = accepted.queued,
    async_action_id = accepted.async_action_id,
    id = accepted.id,
    user_reference = entry.reference,
    accepted_time = accepted.accepted_time,
    git_ref = git_ref,
    stack_uid = endpoint.uid,
    joined = { is_finished = false, started_time = accepted.accepted_time, git_ref = entry.body and value.text(entry.body.git_ref) },
  }
end

---What of a result others are told: see claims.lua.
---@param result cloud66.RedeployResult
---@return table accepted
function results.accepted(result)
  return {
    async_action_id = result.async_action_id and args.id(result.async_action_id), id = result.id and args.id(result.id),
    queued = result.queued, accepted_time = result.accepted_time,
  }
end

return results
