-- correlate.lua: which deployment an action made. Pure: what was read from the API is handed in.
--
-- The API names no deployment in its answer to a redeploy, nor an action in a deployment. Both are dated by the server's
-- clock, in whole seconds, and both name who asked.

local git = require "cloud66.base.git"

local correlate = {}

local SLACK = 2 -- seconds: two dates of one moment, each rounded, perhaps by two machines

-- What a POST to the API does not make. A word nobody documented may be anything.
local OTHER_TYPES = { scale = true, revert = true }

-- Whether the deployment can be of the ref that was asked for: true or false; nil where it does not say.
local function ref_fits(deployment, ref)
  if not ref then
    return true
  elseif git.looks_like_hash(ref) and deployment.git_hash and git.same(deployment.git_hash, ref) then
    return true
  elseif deployment.git_ref then
    local name = deployment.git_ref:gsub("^refs/%a+/", "")
    return name == ref:gsub("^refs/%a+/", "")
  end
  return nil
end

-- A commit that was asked for, and another that was deployed.
local function is_another_commit(deployment, sought)
  local ref = sought.git_ref
  local hash = sought.git_hash or (ref and #ref == 40 and git.looks_like_hash(ref) and ref)
  return hash and deployment.git_hash ~= nil and not git.same(deployment.git_hash, hash)
end

-- An e-mail address is nobody else's; other names may be written in two ways.
local function is_another_person(a, b)
  return type(a) == "string" and type(b) == "string" and a:find("@", 1, true) and b:find("@", 1, true)
    and a:lower() ~= b:lower()
end

local function is_possible(deployment, sought)
  local started = deployment.started_time
  return started ~= nil and started >= sought.started - SLACK
    and (not sought.finished or started <= sought.finished + SLACK)
    and (deployment.triggered_via == nil or deployment.triggered_via == "api")
    and not OTHER_TYPES[deployment.deploy_type] and not is_another_commit(deployment, sought)
end

local function same_person(a, b)
  return type(a) == "string" and type(b) == "string" and a:lower() == b:lower()
end

-- Everything that can be compared is the same.
local function is_confirmed(deployment, sought)
  return same_person(deployment.triggered_by, sought.user) and deployment.triggered_via == "api"
    and ref_fits(deployment, sought.git_ref) or false
end

---Those that may be of the action at all.
---@param sought cloud66.Sought
---@param deployments table|userdata  anything with # and [i]
---@return cloud66.Deployment[]
function correlate.possible(sought, deployments)
  local found = {}
  for i = 1, #deployments do
    if is_possible(deployments[i], sought) then
      found[#found + 1] = deployments[i]
    end
  end
  return found
end

---The one that may have come of a redeploy of which no action is known: nobody says who asked, nor that it has ended, so
---only what is of the ref that was asked for, and of the API alone, counts.
---@param possible cloud66.Deployment[]
---@param sought cloud66.Sought
---@return cloud66.Deployment|nil
function correlate.lonely(possible, sought)
  local found = #possible == 1 and possible[1]
  return found and found.triggered_via == "api" and sought.git_ref and ref_fits(found, sought.git_ref) and found or nil
end

---Whether what was taken for the action's deployment still can be, now that more of it is known.
---@param deployment cloud66.Deployment
---@param sought cloud66.Sought
---@return boolean
function correlate.still_fits(deployment, sought)
  return is_possible(deployment, sought) and ref_fits(deployment, sought.git_ref) ~= false
end

---Other actions that ran at the same time: what may have made one of the deployments.
---@param sought cloud66.Sought
---@param actions cloud66.Action[]
---@return cloud66.Action[]
function correlate.rivals(sought, actions)
  local found = {}
  for _, action in ipairs(actions) do
    local over = action.is_finished and action.finished_time and action.finished_time < sought.started - SLACK
    local later = sought.finished and action.started_time and action.started_time > sought.finished + SLACK
    if tostring(action.id) ~= tostring(sought.action_id) and not over and not later then
      found[#found + 1] = action
    end
  end
  return found
end

---@class cloud66.Sought
---@field action_id? integer
---@field started number     Unix seconds: of the action, or when the redeploy was accepted; the server's clock
---@field finished? number   of the action
---@field user? string
---@field git_ref? string    as asked for
---@field git_hash? string   as asked for, where it is certainly a commit

-- Whether another action can have made a deployment that is confirmed to be of our user: it began before it, and did not
-- end before it.
local function may_be_of(rival, deployment, sought)
  if type(rival.user) == "string" and type(sought.user) == "string" and not same_person(rival.user, sought.user) then
    return false
  elseif rival.started_time and rival.started_time > deployment.started_time + SLACK then
    return false
  end
  local ended = rival.is_finished and rival.finished_time
  return not ended or (deployment.finished_time ~= nil and deployment.finished_time <= ended + SLACK)
end

local function is_claimed(deployment, sought, rivals)
  for _, rival in ipairs(rivals) do
    if may_be_of(rival, deployment, sought) then
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

---The one deployment that nothing else than the action can have made, perhaps while both still run; or nil.
---@param possible cloud66.Deployment[]
---@param sought cloud66.Sought
---@param rivals cloud66.Action[]
---@return cloud66.Deployment|nil
function correlate.exact(possible, sought, rivals)
  return only(possible, function(deployment)
    return is_confirmed(deployment, sought) and not is_claimed(deployment, sought, rivals)
  end)
end

-- Seconds between the end of a deployment and that of an action.
local function distance(deployment, finished)
  return deployment.finished_time and finished and math.abs(finished - deployment.finished_time) or math.huge
end

local CLOSE = 60 -- seconds: what an action may do after its deployment has ended

-- Whether another action explains the deployment better: it ended nearer to it, or is of the one who asked for it.
local function is_of_a_rival(deployment, sought, rivals)
  local own = distance(deployment, sought.finished)
  for _, rival in ipairs(rivals) do
    local nearer = distance(deployment, rival.finished_time)
    local of_rival, of_us = same_person(deployment.triggered_by, rival.user), same_person(deployment.triggered_by, sought.user)
    if (of_rival and not of_us) or (of_rival == of_us and nearer <= own) then
      return true
    end
  end
  return false
end

---The one deployment that the action, which has ended, is likely to have made; nil where there is none, or several.
---@param possible cloud66.Deployment[]
---@param sought cloud66.Sought
---@param rivals cloud66.Action[]
---@return cloud66.Deployment|nil
function correlate.likely(possible, sought, rivals)
  return only(possible, function(deployment)
    return distance(deployment, sought.finished) <= CLOSE and ref_fits(deployment, sought.git_ref) ~= false
      and not is_another_person(deployment.triggered_by, sought.user) and not is_of_a_rival(deployment, sought, rivals)
  end)
end

return correlate
