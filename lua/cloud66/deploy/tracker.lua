-- tracker.lua: what is known of that which is waited for: its action, the deployment that the action made, how they stand.
-- look() reads what is new.

local actions = require "cloud66.resource.actions"
local args = require "cloud66.base.args"
local correlate = require "cloud66.deploy.correlate"
local estimate = require "cloud66.resource.estimate"
local outcome = require "cloud66.deploy.outcome"

local tracker = {}

local methods = {}
local tracker_mt = { __name = "cloud66.tracker", __index = methods }

local MOST_MISSES = 3 -- looks at the list after the action has ended: the list may be behind
local ACTION_EVERY = 4 -- looks at a deployment that runs: its action may have failed without it

local SLACK = 2 -- seconds: the dates of an answer and of its action, each rounded

-- Of the actions with our reference the one that began last, and not before our request was accepted: a reference may be
-- used again.
local function newest_of(self, list)
  local best
  for _, candidate in ipairs(list) do
    local started = candidate.started_time or 0
    if started >= (self.accepted_time or 0) - SLACK and (not best or started > (best.started_time or 0)) then
      best = candidate
    end
  end
  return best
end

local function forget_deployment(self)
  self.digits, self.deployment, self.show, self.match = nil, nil, nil, nil
end

local function look_at_action(self)
  local found, message, err
  if self.action_id ~= nil then
    found, message, err = actions.get(self.endpoint, args.id(self.action_id), self.deadline)
  elseif self.user_reference then
    local list
    list, message, err = actions.with(self.endpoint, self.user_reference, self.deadline)
    found = list and newest_of(self, list)
    if list and not found then
      return true -- not there yet, or an API without references
    end
  else
    return true
  end
  if not found then
    return nil, message, err
  end
  if not self.action and self.digits then
    forget_deployment(self) -- it was taken without knowing whose it is
  end
  self.action, self.action_id = found, found.id
  return true
end

local function sought_of(self)
  local made = self.action
  return {
    action_id = self.action_id,
    started = made and made.started_time or self.accepted_time,
    finished = made and made.finished_time,
    user = made and made.user,
    git_ref = self.git_ref,
    git_hash = self.git_hash,
  }
end

-- Which of those that may be of the action is: deployment, "exact" or "likely"; nil where that cannot be told (yet); or
-- false, message, err.
local function choose(self, sought, possible)
  if not self.action then
    return correlate.lonely(possible, sought), "likely"
  elseif #possible == 0 then
    return nil
  end
  local others, complete, err = actions.since(self.endpoint, sought.started - SLACK, self.deadline)
  if not others then
    return false, complete, err
  end
  local rivals = correlate.rivals(sought, others)
  local exact = complete and correlate.exact(possible, sought, rivals)
  if exact then
    return exact, "exact"
  end
  return sought.finished and correlate.likely(possible, sought, rivals) or nil, "likely"
end

local function look_for_deployment(self)
  local sought = sought_of(self)
  local list, first, show = self.endpoint:deployments_since(sought.started or math.huge, self.deadline)
  if not list then
    return nil, first, show
  end
  self.durations = estimate.durations(first)
  -- Without a start neither the action nor the server's clock is known (yet).
  local possible = sought.started and correlate.possible(sought, list) or {}
  local found, how, err = choose(self, sought, possible)
  if found == false then
    return nil, how, err
  elseif found then
    self.deployment, self.show, self.match, self.digits = found, show, how, args.id(found.id)
  elseif self.action and self.action.is_finished then
    self.misses, self.candidates = self.misses + 1, #possible
  end
  return true
end

-- Whether the deployment, which is known, has ended.
local function has_ended(self)
  return outcome.has_ended(self.deployment, self.action or nil)
end

local function look_at_deployment(self)
  local found, message, show = self.endpoint:deployment(self.digits, self.deadline)
  if not found then
    return nil, message, show
  elseif self.of_action and not correlate.still_fits(found, sought_of(self)) then
    forget_deployment(self)
    return true
  end
  self.deployment, self.show = found, show
  if not self.durations then -- once: for the interval
    local page, err
    page, message, err = self.endpoint:page(1, self.deadline)
    if not page then
      return nil, message, err
    end
    self.durations = estimate.durations(page)
  end
  return true
end

-- Whether the action is worth a look now.
local function action_is_due(self)
  if not self.of_action or (self.action and self.action.is_finished) then
    return false
  end
  return not self.digits or has_ended(self) or self.looks % ACTION_EVERY == ACTION_EVERY - 1
end

---Reads what is new.
---@return true|nil ok, string? message, cloud66.Error? err
function methods:look()
  local ok, message, err = true, nil, nil
  if self.digits and not (self.deployment and has_ended(self) and not self.require_live) then
    ok, message, err = look_at_deployment(self)
  end
  if ok and action_is_due(self) then
    ok, message, err = look_at_action(self)
  end
  if ok and not self.digits then
    ok, message, err = look_for_deployment(self)
  elseif ok and self.action and self.action.is_finished and not has_ended(self) then
    self.misses = self.misses + 1
  end
  self.looks = self.looks + 1
  if not ok then
    return nil, message, err
  end
  return true
end

---How far it has come.
---@return "queued"|"deploying"|"finishing"|"finished"
function methods:phase()
  if not self.deployment then
    return "queued"
  elseif not has_ended(self) then
    return "deploying"
  end
  return self.of_action and not (self.action and self.action.is_finished) and self.action_id ~= nil and "finishing" or "finished"
end

---Whether it has ended without there being more to come: deployment, which has succeeded; or kind and text of a failure.
---@return boolean over, cloud66.Deployment|false|nil deployment, string? kind, string? text
function methods:verdict()
  local made, is_missing = self.action, self.misses >= MOST_MISSES
  if not self.digits then
    if made and made.is_finished and is_missing then
      return true, false, "unmatched", outcome.unmatched(made, self.candidates)
    end
    return false
  elseif not has_ended(self) then
    if made and made.finished_success == false and is_missing then
      return true, false, "deploy_failed", outcome.never_ended(self.deployment, made)
    end
    return false
  elseif self:phase() ~= "finished" then
    return false
  end
  local kind, text = outcome.of(self.deployment, made)
  if kind then
    return true, false, kind, text
  elseif self.require_live and not self.deployment.is_live then
    return false
  end
  return true, self.deployment
end

---@param endpoint table    of endpoint.new()
---@param target table      of options.target()
---@param deadline number   by host.now(): nothing is read after it
---@param require_live? boolean  it has not ended before it is live
function tracker.new(endpoint, target, deadline, require_live)
  return setmetatable({
    endpoint = endpoint, deadline = deadline, require_live = require_live or false,
    -- what is waited for: a deployment, or what an action makes
    of_action = target.digits == nil,
    digits = target.digits, action_id = target.action_id, user_reference = target.user_reference,
    accepted_time = target.accepted_time, git_ref = target.git_ref, git_hash = target.git_hash,
    -- what was read: the action; the deployment, the redactor of its response, and how surely it is the action's
    action = nil, deployment = nil, show = nil, match = target.digits and "exact" or nil,
    durations = nil, -- of estimate.durations()
    looks = 0,
    misses = 0, -- looks at the list after the action has ended
    candidates = 0, -- deployments that may be of the action
  }, tracker_mt)
end

return tracker
