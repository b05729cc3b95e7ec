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
---@field started? number    Unix seconds: of the action, or when the redeploy was accepted; the server's clock
---@field finished? number   of the action
---@field user? string
---@field git_ref? string    the requested one
---@field git_hash? string   the requested one, where it is certainly a commit
---@field deploy_session? string  of the deployment, by the action
---@field deployed_hash? string   of the deployment, by the action

local SLACK = 2 -- seconds: two dates of one moment, each rounded, perhaps by two machines

-- What a POST to the API does not make. A word nobody documented may be anything.
local OTHER_TYPES = { scale = true, revert = true }

-- Whether the deployment can be of the requested ref: true or false; nil where it does not say.
local function ref_fits(deployment, ref)
  if not ref then
    return true
  elseif git.may_be_hash(ref) and deployment.git_hash and git.same(deployment.git_hash, ref) then
    return true
  elseif deployment.git_ref then
    return git.same_ref(deployment.git_ref, ref)
  end
  return nil
end

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
  return started ~= nil and query.started ~= nil and started >= query.started - SLACK
    and (not query.finished or started <= query.finished + SLACK)
    and (deployment.triggered_via == nil or deployment.triggered_via == "api")
    and not OTHER_TYPES[deployment.deploy_type] and not is_another_commit(deployment, query)
end

local function same_person(a, b)
  return type(a) == "string" and type(b) == "string" and a:lower() == b:lower()
end

-- Everything that can be compared is the same.
local function is_confirmed(deployment, query)
  return same_person(deployment.triggered_by, query.user) and deployment.triggered_via == "api"
    and ref_fits(deployment, query.git_ref) or false
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

---The one that may have come of a redeploy of which no action is known: nothing tells its user, nor that it has ended, so
---only what is of the requested ref, and of the API alone, counts.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@return cloud66.Deployment|nil
function correlate.unattributed(possible, query)
  local found = #possible == 1 and possible[1]
  return found and found.triggered_via == "api" and query.git_ref and ref_fits(found, query.git_ref) and found or nil
end

---Whether what was taken for the action's deployment still can be, now that more of it is known.
---@param deployment cloud66.Deployment
---@param query cloud66.Query
---@return boolean
function correlate.still_fits(deployment, query)
  return is_of_session(deployment, query.deploy_session)
    or (is_possible(deployment, query) and ref_fits(deployment, query.git_ref) ~= false)
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

---The competing actions: others that ran at the same time, and may have made one of the deployments.
---@param query cloud66.Query
---@param actions cloud66.Action[]
---@return cloud66.Action[]
function correlate.competing(query, actions)
  local found = {}
  for _, action in ipairs(actions) do
    local over = action.is_finished and action.finished_time and action.finished_time < query.started - SLACK
    local later = query.finished and action.started_time and action.started_time > query.finished + SLACK
    if tostring(action.id) ~= tostring(query.action_id) and not over and not later then
      found[#found + 1] = action
    end
  end
  return found
end

-- Whether another action can have made a deployment that is confirmed to be of our user: it began before it, and did not
-- end before it.
local function may_be_of(other, deployment, query)
  local linked = is_of_session(deployment, (action_model.made(other)))
  if linked ~= nil then
    return linked
  elseif type(other.user) == "string" and type(query.user) == "string" and not same_person(other.user, query.user) then
    return false
  elseif other.started_time and deployment.started_time and other.started_time > deployment.started_time + SLACK then
    return false
  end
  local ended = other.is_finished and other.finished_time
  return not ended or (deployment.finished_time ~= nil and deployment.finished_time <= ended + SLACK)
end

local function is_claimed(deployment, query, competing)
  for _, other in ipairs(competing) do
    if may_be_of(other, deployment, query) then
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

---The one deployment that the action names by its session; or nil.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@return cloud66.Deployment|nil
function correlate.linked(possible, query)
  return only(possible, function(deployment)
    return is_of_session(deployment, query.deploy_session)
  end)
end

---The one deployment that nothing else than the action can have made, perhaps while both still run; or nil.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@param competing cloud66.Action[]
---@return cloud66.Deployment|nil
function correlate.exact(possible, query, competing)
  return only(possible, function(deployment)
    return is_confirmed(deployment, query) and not is_claimed(deployment, query, competing)
  end)
end

-- Seconds between the end of a deployment and that of an action.
local function distance(deployment, finished)
  return deployment.finished_time and finished and math.abs(finished - deployment.finished_time) or math.huge
end

local CLOSE = 60 -- seconds: what an action may do after its deployment has ended

-- Whether another action explains the deployment better: it ended nearer to it, or is of its user.
local function is_of_another_action(deployment, query, competing)
  local own = distance(deployment, query.finished)
  for _, other in ipairs(competing) do
    local linked = is_of_session(deployment, (action_model.made(other)))
    local nearer = distance(deployment, other.finished_time)
    local of_other, of_us = same_person(deployment.triggered_by, other.user), same_person(deployment.triggered_by, query.user)
    if linked or (linked == nil and ((of_other and not of_us) or (of_other == of_us and nearer <= own))) then
      return true
    end
  end
  return false
end

---The one deployment that the action, which has ended, is likely to have made; nil where there is none, or several.
---@param possible cloud66.Deployment[]
---@param query cloud66.Query
---@param competing cloud66.Action[]
---@return cloud66.Deployment|nil
function correlate.likely(possible, query, competing)
  return only(possible, function(deployment)
    return distance(deployment, query.finished) <= CLOSE and ref_fits(deployment, query.git_ref) ~= false
      and not is_another_person(deployment.triggered_by, query.user) and not is_of_another_action(deployment, query, competing)
  end)
end

return correlate
