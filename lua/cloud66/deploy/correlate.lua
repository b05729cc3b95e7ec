-- correlate.lua: which deployment an action made. Pure: what was read from the API is handed in.
--
-- An action that has ended may name the session of its deployment: that decides. Where it does not, the API names no action
-- in a deployment. Both are dated by the server's clock, in whole seconds, and both name a user.
--
-- https://developers.cloud66.com/v3/models/async-action

local action_model = require "cloud66.model.action"
local git = require "cloud66.base.git"
local value = require "cloud66.base.value"

local correlate = {}

-- What is known of an action, and of the redeploy that started it.
---@class cloud66.Query
---@field action_id? integer|string
---@field latest number      Unix seconds: what began later has not begun
---@field started? number    Unix seconds: of the action, or when the redeploy was accepted; the server's clock
---@field finished? number   of the action
---@field user? string
---@field git_ref? string    the requested one
---@field git_hash? string   the requested one, where it is certainly a commit
---@field deploy_session? string  of the deployment, by the action
---@field deployed_hash? string   of the deployment, by the action

local SLACK = 2
---Seconds: two dates of one moment may be so far apart, each rounded, perhaps by two machines.
correlate.SLACK = SLACK

-- What a POST to the API does not make. A word nobody documented may be anything.
local OTHER_TYPES = { scale = true, revert = true }

---Whether the deployment can be of the requested ref: true or false; nil where it does not say.
---@param deployment cloud66.Deployment
---@param ref? string
---@return boolean|nil
function correlate.is_of_ref(deployment, ref)
  local may_be_hash = ref and git.may_be_hash(ref)
  if not ref then
    return true
  elseif may_be_hash and deployment.git_hash and git.same(deployment.git_hash, ref) then
    return true
  elseif deployment.git_ref and not (may_be_hash and not deployment.git_hash) then
    return git.same_ref(deployment.git_ref, ref)
  end
  return nil
end
local ref_fits = correlate.is_of_ref

-- Whether one commit was requested, or deployed by the action, and this is another.
local function is_another_commit(deployment, query)
  local ref, deployed = query.git_ref, deployment.git_hash
  local hash = query.git_hash or (ref and #ref == 40 and git.may_be_hash(ref) and ref)
  return deployed ~= nil and ((hash and not git.same(deployed, hash))
    or (query.deployed_hash and git.may_be_hash(query.deployed_hash) and not git.same(deployed, query.deployed_hash)))
end

-- Whether a deployment is of a session; nil where either is not known.
local function is_of_session(deployment, session)
  local own = value.text(deployment.deploy_session)
  if session == nil or own == nil then
    return nil
  end
  return own == session
end

-- An e-mail address is nobody else's; other names may be written in two ways.
local function is_another_person(a, b)
  return type(a) == "string" and type(b) == "string" and a:find("@", 1, true) and b:find("@", 1, true)
    and a:lower() ~= b:lower()
end

-- Without a start, neither the action nor the server's clock is known (yet).
local function is_possible(deployment, query)
  local started, linked = deployment.started_time, is_of_session(deployment, query.deploy_session)
  if linked ~= nil then
    return linked
  end
  return started ~= nil and query.started ~= nil and started >= query.started - SLACK and started <= query.latest + SLACK
    and (not query.finished or started <= query.finished + SLACK)
    and (deployment.triggered_via == nil or deployment.triggered_via == "api")
    and not OTHER_TYPES[deployment.deploy_type] and not is_another_commit(deployment, query)
    and ref_fits(deployment, query.git_ref) ~= false
end

local function same_person(a, b)
  return type(a) == "string" and type(b) == "string" and a:lower() == b:lower()
end

---Those that may be of the action at all.
---@param query cloud66.Query
---@param deployments table|userdata  anything with # and [i]
---@return cloud66.Deployment[]
function correlate.possible(query, deployments)
  local found = {}
  for i = 1, #deployments do
    if is_possible(deployments[i], query) then
      found[#found + 1] = deployments[i]
    end
  end
  return found
end

---Whether what was taken for the action's deployment still can be, now that more of it is known.
---@param deployment cloud66.Deployment
---@param query cloud66.Query
---@return boolean
function correlate.still_fits(deployment, query)
  return is_possible(deployment, query)
end

---Whether a deployment that may be named by the response to the redeploy is of it, by its time, trigger and user.
---@param deployment cloud66.Deployment
---@param query cloud66.Query
---@return boolean
function correlate.is_named(deployment, query)
  return deployment.triggered_via == "api" and not is_another_person(deployment.triggered_by, query.user)
    and correlate.still_fits(deployment, query)
end

---Whether a deployment that may be named by the response to the redeploy waits in the queue, so that it is too early to tell.
---@param deployment cloud66.Deployment
---@return boolean
function correlate.may_be_named(deployment)
  return deployment.triggered_via == "api" and deployment.started_time == nil and not deployment.is_finished
end

---Whether an action that may be named by the response to the redeploy is of it, by its time and trigger.
---@param action cloud66.Action
---@param query cloud66.Query
---@param user_reference? string  that it was sent with
---@return boolean
function correlate.is_named_action(action, query, user_reference)
  local started = action.started_time
  return started ~= nil and query.started ~= nil and started >= query.started - SLACK
    and (action.started_via == nil or action.started_via == "api")
    and (action.user_reference == nil or action.user_reference == user_reference)
end

-- --- evidence: what the actions that others started tell ---

-- What was read of a stack's actions, and when. Moments are Unix seconds of the server's clock, none of them too late.
---@class cloud66.Evidence
---@field actions cloud66.Action[]  those that began since our own, or had not ended by then
---@field complete boolean          they are all there
---@field actions_read number       when they were read
---@field list_read number          when the deployments were read

---Seconds: how far the API's views of a stack may be behind. What one of them does not show is no evidence before.
correlate.LAG = 10

---The latest date of a list of deployments or actions: they were read then, or later.
---@param list table|userdata  anything with # and [i]
---@param most number          Unix seconds: what is later has not happened
---@return number time  Unix seconds; -math.huge where there is none
function correlate.latest(list, most)
  local latest = -math.huge
  for i = 1, #list do
    for _, time in ipairs { list[i].started_time or latest, list[i].finished_time or latest } do
      latest = time <= most and math.max(latest, time) or latest
    end
  end
  return latest
end

---When it can be told whose a deployment is: a competing action would be seen by then.
---@param deployment cloud66.Deployment
---@return number time  Unix seconds
function correlate.telling_time(deployment)
  return (deployment.started_time or 0) + correlate.LAG
end

-- Whether an action was over as the deployment began, or must have been seen to be outlived by it: an action that succeeds goes
-- on until its deployment has ended.
local function is_outlived(action, deployment, list_read)
  local ended, began = action.is_finished and action.finished_time, deployment.started_time
  if not ended then
    return false
  elseif began and ended < began then
    return true
  elseif action.finished_success == false then
    return false -- its deployment may go on
  elseif deployment.finished_time then
    return deployment.finished_time > ended + SLACK
  end
  return list_read >= ended + SLACK + correlate.LAG
end

-- What starts an action, and makes no deployment that is triggered via the API.
local OTHER_MEANS = { web = true, hook = true, webhook = true, git = true }

-- Whether another action may have made the deployment. `is_ours`: the deployment names our own user.
local function may_be_of(action, deployment, is_ours, list_read)
  local linked = is_of_session(deployment, (action_model.made(action)))
  if linked ~= nil then
    return linked
  elseif deployment.triggered_via == "api" and OTHER_MEANS[action.started_via] then
    return false
  elseif action.started_time and deployment.started_time and action.started_time > deployment.started_time + SLACK then
    return false
  elseif is_ours and type(action.user) == "string" and not same_person(action.user, deployment.triggered_by) then
    return false
  end
  return not is_outlived(action, deployment, list_read)
end

-- Whether any action but our own may have made the deployment, or may be hidden yet.
local function is_claimed(deployment, query, evidence, is_competing)
  if not evidence.complete or evidence.actions_read < correlate.telling_time(deployment) then
    return true
  end
  local is_ours = same_person(deployment.triggered_by, query.user)
  for _, action in ipairs(evidence.actions) do
    if is_competing(action) and may_be_of(action, deployment, is_ours, evidence.list_read) then
      return true
    end
  end
  return false
end

-- The one of a list that a test takes; nil where there is none, or several.
local function only(list, test)
  local found
  for _, item in ipairs(list) do
    if test(item) then
      if found then
        return nil
      end
      found = item
    end
  end
  return found
end

-- --- the deployment of an action ---

---The one deployment that the action names by its session; or nil.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@return cloud66.Deployment|nil
function correlate.linked(possible, query)
  return only(possible, function(deployment)
    return is_of_session(deployment, query.deploy_session)
  end)
end

-- Whether an action is not our own.
local function is_other(query)
  return function(action)
    return tostring(action.id) ~= tostring(query.action_id)
  end
end

-- The one deployment that nothing else than the action can have made, perhaps while both still run; "exact" where everything
-- that can be compared is the same.
local function by_elimination(possible, query, evidence)
  local found = only(possible, function(deployment)
    return deployment.triggered_via == "api" and not is_another_person(deployment.triggered_by, query.user)
      and not is_claimed(deployment, query, evidence, is_other(query))
  end)
  local is_exact = found and same_person(found.triggered_by, query.user) and ref_fits(found, query.git_ref)
  return found, is_exact and "exact" or "likely"
end

-- Seconds between the end of a deployment and that of an action.
local function distance(deployment, finished)
  return deployment.finished_time and finished and math.abs(finished - deployment.finished_time) or math.huge
end

local CLOSE = 60 -- seconds: what an action may do after its deployment has ended
local NEARER = 5 -- seconds: by how much another action has to be further from the deployment's end than our own

-- Whether another action explains the deployment as well: it did not end clearly further from its end, or is of its user.
local function is_of_another_action(deployment, query, evidence)
  local own, other_than_ours = distance(deployment, query.finished), is_other(query)
  local of_us = same_person(deployment.triggered_by, query.user)
  for _, action in ipairs(evidence.actions) do
    if other_than_ours(action) and may_be_of(action, deployment, of_us, evidence.list_read) then
      local its_own = distance(deployment, action.finished_time or evidence.actions_read)
      if is_of_session(deployment, (action_model.made(action))) or its_own <= own + NEARER
        or (not of_us and same_person(deployment.triggered_by, action.user)) then
        return true
      end
    end
  end
  return false
end

-- The one deployment that the action, which has ended, is likely to have made. One that names another person's address may be
-- it only where there is no other, and no other action can have made it. Where others can have, all of it must be in view.
local function by_its_end(possible, query, evidence)
  local in_view = evidence.complete and math.min(evidence.list_read, evidence.actions_read) >= query.finished + correlate.LAG
  return only(possible, function(deployment)
    if distance(deployment, query.finished) > CLOSE then
      return false
    end
    local claimed = is_claimed(deployment, query, evidence, is_other(query))
    if is_another_person(deployment.triggered_by, query.user) then
      return #possible == 1 and not claimed
    end
    return not claimed or (in_view and not is_of_another_action(deployment, query, evidence))
  end)
end

---Of those that may be of the action the newest that no other action explains: one of the person that the deployment names.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@param evidence? cloud66.Evidence
---@return cloud66.Deployment|nil
function correlate.plausible(possible, query, evidence)
  for _, deployment in ipairs(possible) do
    local is_explained = false
    for _, action in ipairs(evidence and is_another_person(deployment.triggered_by, query.user) and evidence.actions or {}) do
      is_explained = is_explained or (same_person(action.user, deployment.triggered_by)
        and may_be_of(action, deployment, false, evidence.list_read))
    end
    if not is_explained then
      return deployment
    end
  end
  return nil
end

---Which deployment the action has made, as far as can be told now.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@param evidence cloud66.Evidence
---@return cloud66.Deployment|nil deployment, "exact"|"likely"|nil match
function correlate.made_by(possible, query, evidence)
  local found, match = by_elimination(possible, query, evidence)
  if found then
    return found, match
  end
  return query.finished and by_its_end(possible, query, evidence) or nil, "likely"
end

-- --- where no action is known ---

-- Whether the API knows of references, as far as a list of actions shows.
local function knows_references(actions)
  for _, action in ipairs(actions) do
    if action.metadata ~= nil then
      return true
    end
  end
  return false
end

-- Where the API knows no references: the action that began as the redeploy was accepted.
local function own_by_time(actions, query)
  if knows_references(actions) then
    return nil
  end
  for _, action in ipairs(actions) do
    local after = action.started_time and action.started_time - query.started -- what is dated by the response began within it
    if after and after >= -1 and after <= SLACK then
      return action
    end
  end
  return nil
end

---The one deployment that may have come of a redeploy of which no action is known: nothing tells its user, nor that it has
---ended, so only what is of the requested ref, and of the API alone, counts; and no action that is certainly not ours may have
---made it. Where the API knows of references, ours would carry it; where it does not, the one that began as the redeploy
---was accepted may be ours.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@param evidence cloud66.Evidence
---@return cloud66.Deployment|nil
function correlate.unattributed(possible, query, evidence)
  local found = #possible == 1 and possible[1]
  if not (found and found.triggered_via == "api" and query.git_ref and ref_fits(found, query.git_ref)) then
    return nil
  end
  local ours = own_by_time(evidence.actions, query)
  local function is_competing(action)
    return action ~= ours and not is_another_person(action.user, found.triggered_by)
  end
  return not is_claimed(found, query, evidence, is_competing) and found or nil
end

return correlate
