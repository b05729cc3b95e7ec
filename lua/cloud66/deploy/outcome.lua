-- outcome.lua: how far a deployment has come, whether it is over, and what its end and that of its action come to. Pure: what
-- was read from the API is handed in.

local outcome = {}

local function sounds_cancelled(text)
  return type(text) == "string" and text:lower():find("cancel", 1, true) ~= nil
end

---Whether a deployment has come to a certain end. One that says "pending" beside its end is behind; one whose
---outcome is a word nobody documented may have no date of its end.
---@param deployment cloud66.Deployment
---@param action? cloud66.Action  of it
---@return boolean
function outcome.has_ended(deployment, action)
  local over = deployment.is_finished or (deployment.is_deploying == false
    and (sounds_cancelled(deployment.outcome) or (deployment.outcome ~= nil and action ~= nil and action.is_finished)))
  return over and not deployment.is_pending
end

-- --- how it has ended ---

-- The action's own message, to be added to one of ours.
local function words_of(action)
  local text = action and action.finished_message
  return type(text) == "string" and text ~= "" and ": " .. text or ""
end

local KNOWN = { pending = true, success = true, failed = true }

-- The end of a deployment and of its action, if it has one, which both have ended. Only if both say so is it a success: nil;
-- otherwise the kind and the text of the failure.
local function failure_of(deployment, action)
  local action_success = action and action.finished_success
  local shown = tostring(deployment)
  if action and action_success == nil then
    return "unknown_outcome", ("%s; its action %s has ended without a word on success%s"):format(
      shown, tostring(action.id), words_of(action))
  elseif sounds_cancelled(deployment.outcome)
    or (not deployment.is_success and action and sounds_cancelled(action.finished_message)) then
    return "cancelled", shown .. " was cancelled" .. words_of(action)
  elseif not KNOWN[deployment.outcome] then
    return "unknown_outcome", ("%s has ended with outcome '%s', which this library does not know%s"):format(
      shown, tostring(deployment.outcome), words_of(action))
  elseif deployment.is_failed then
    return "deploy_failed", ("%s has failed%s%s"):format(shown,
      action_success and ", though its action says it has succeeded" or "", words_of(action))
  elseif action_success == false then
    return "deploy_failed", ("%s says success, but its action %s has failed%s"):format(
      shown, tostring(action.id), words_of(action))
  end
  return nil
end

-- How an action has ended whose deployment was not found: kind, text, fields of the err. A success is one, though it is not known
-- of which deployment.
local function without_deployment(action, candidates)
  local success, count = action.finished_success, #candidates
  local id, words = tostring(action.id), words_of(action)
  local fields = { candidates = candidates }
  if success == false then
    return sounds_cancelled(action.finished_message) and "cancelled" or "deploy_failed",
      ("action %s has failed%s"):format(id, words), count > 0 and fields or nil
  end
  local which = count == 0 and "there is no deployment of it"
    or count == 1 and "whether it made the one that may be its deployment is not known: see err.candidates"
    or ("which of %d deployments it made is not known: see err.candidates"):format(count)
  if success then
    fields.action_succeeded, fields.exit_code = true, 0
  end
  return "unmatched", ("action %s has %s%s, but %s"):format(id, success and "succeeded" or "ended without a word on success",
    words, which), fields
end

-- The text for an action that has failed, and whose deployment goes on.
local function never_ended(deployment, action)
  return ("action %s has failed, though its deployment never ended (%s)%s"):format(
    tostring(action.id), tostring(deployment), words_of(action))
end

-- --- what is waited for ---

-- What was read so far of what is waited for.
---@class cloud66.Facts
---@field deployment? cloud66.Deployment
---@field action? cloud66.Action
---@field has_no_action boolean none is known, and there is none to be found
---@field of_action boolean     what an action makes is waited for, not a deployment alone
---@field require_live boolean  it is not over before it is live
---@field settling? number      seconds since one of the deployment and the action was first seen to have ended
---@field candidates cloud66.Deployment[]  those that may be of the action
---@field is_undecided boolean  more may be told of them soon
---@field conflict? string      of which other ref the deployment of a joined action is: the text

---Seconds: how long what has to be there may be missing, or a 404, before that is believed: the API's views may be behind.
outcome.PATIENCE = 30

---@param facts cloud66.Facts
---@return cloud66.Phase
function outcome.phase(facts)
  local action = facts.action
  if not facts.deployment then
    return "queued"
  elseif not outcome.has_ended(facts.deployment, action) then
    return "deploying"
  elseif facts.of_action and not facts.has_no_action and not (action and action.is_finished) then
    return "finishing"
  end
  return "finished"
end

---Whether it is over, and how: without a kind the deployment has succeeded.
---@param facts cloud66.Facts
---@param is_last? boolean  there is to be no other poll
---@return boolean over, string? kind, string? text, table? fields  # of the failure
function outcome.verdict(facts, is_last)
  local deployment, action, phase = facts.deployment, facts.action, outcome.phase(facts)
  if facts.conflict then
    return true, "conflict", facts.conflict
  end
  local action_is_over = action ~= nil and action.is_finished
  local is_missing = action_is_over and (is_last or facts.settling >= outcome.PATIENCE)
  local has_failed = action_is_over and action.finished_success == false
  if phase == "queued" and (is_missing or (has_failed and not facts.is_undecided)) then
    return true, without_deployment(action, facts.candidates)
  elseif phase == "deploying" and is_missing and has_failed then
    return true, "deploy_failed", never_ended(deployment, action)
  elseif phase ~= "finished" then
    return false
  end
  local kind, text = failure_of(deployment, action)
  if not kind and facts.require_live and not deployment.is_live then
    return false
  end
  return true, kind, text
end

return outcome
