-- outcome.lua: whether a deployment has ended, and what its end and that of its action come to. Pure: what was read from the
-- API is handed in.

local outcome = {}

local function sounds_cancelled(text)
  return type(text) == "string" and text:lower():find("cancel", 1, true) ~= nil
end

---Whether a deployment has come to an end that can be told. One that says "pending" beside its end is behind; one whose
---outcome is a word nobody documented may have no date of its end.
---@param deployment cloud66.Deployment
---@param made? cloud66.Action  of it
---@return boolean
function outcome.has_ended(deployment, made)
  local over = deployment.is_finished or (deployment.is_deploying == false
    and (sounds_cancelled(deployment.outcome) or (deployment.outcome ~= nil and made ~= nil and made.is_finished)))
  return over and not deployment.is_pending
end

-- What the action says in its own words, for a message.
local function words_of(made)
  local text = made and made.finished_message
  return type(text) == "string" and text ~= "" and ": " .. text or ""
end

local KNOWN = { pending = true, success = true, failed = true }

---The end of a deployment and of its action, if it has one. Only if both say so is it a success.
---@param deployment cloud66.Deployment  that has ended
---@param made? cloud66.Action           that has ended
---@return string|nil kind, string|nil text  # of the failure; nil for a success
function outcome.of(deployment, made)
  local said = made and made.finished_success
  local shown = tostring(deployment)
  if made and made.finished_success == nil then
    return "unknown_outcome", ("%s; its action %s has ended without a word on success%s"):format(
      shown, tostring(made.id), words_of(made))
  elseif sounds_cancelled(deployment.outcome) or (not deployment.is_success and made and sounds_cancelled(made.finished_message)) then
    return "cancelled", shown .. " was cancelled" .. words_of(made)
  elseif not KNOWN[deployment.outcome] then
    return "unknown_outcome", ("%s has ended with outcome '%s', which this library does not know%s"):format(
      shown, tostring(deployment.outcome), words_of(made))
  elseif deployment.is_failed then
    return "deploy_failed", ("%s has failed%s%s"):format(shown,
      said and ", though its action says it has succeeded" or "", words_of(made))
  elseif said == false then
    return "deploy_failed", ("%s says success, but its action %s has failed%s"):format(
      shown, tostring(made.id), words_of(made))
  end
  return nil
end

---What is told of an action that has ended, and whose deployment was not found.
---@param made cloud66.Action
---@param candidates integer  deployments that may be of it
---@return string
function outcome.unmatched(made, candidates)
  local success = made.finished_success
  local how = success and "succeeded" or success == false and "failed" or "ended"
  if candidates > 0 then
    return ("action %s %s%s, but which of %d deployments it made cannot be told: see stack:deployments()"):format(
      tostring(made.id), how, words_of(made), candidates)
  end
  return ("action %s %s%s, and there is no deployment of it"):format(tostring(made.id), how, words_of(made))
end

---What is told of an action that has failed, and whose deployment goes on.
---@param deployment cloud66.Deployment
---@param made cloud66.Action
---@return string
function outcome.never_ended(deployment, made)
  return ("action %s has failed, though its deployment never ended (%s)%s"):format(
    tostring(made.id), tostring(deployment), words_of(made))
end

return outcome
