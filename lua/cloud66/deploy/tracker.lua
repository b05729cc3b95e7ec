-- tracker.lua: what is known of that which is waited for: its action, the deployment that the action made, how they stand.
-- poll() reads what is new; outcome.lua judges it.

local action_model = require "cloud66.model.action"
local actions = require "cloud66.resource.actions"
local args = require "cloud66.base.args"
local correlate = require "cloud66.deploy.correlate"
local errors = require "cloud66.base.error"
local estimate = require "cloud66.resource.estimate"
local outcome = require "cloud66.deploy.outcome"

local tracker = {}

local methods = {}
local tracker_mt = { __name = "cloud66.tracker", __index = methods }

local ACTION_EVERY = 4 -- polls of a deployment that runs: its action may have failed without it

local SLACK = 2 -- seconds: the dates of a response and of its action, each rounded

-- What there is to find the action's deployment by.
---@return cloud66.Query
local function query_of(self)
  local action = self.action
  local deploy_session, deployed_hash
  if action then
    deploy_session, deployed_hash = action_model.made(action)
  end
  return {
    action_id = self.action_id,
    started = action and action.started_time or self.accepted_time,
    finished = action and action.finished_time,
    user = action and action.user,
    git_ref = self.git_ref,
    git_hash = self.git_hash,
    deploy_session = deploy_session,
    deployed_hash = deployed_hash,
  }
end

local function has_ended(self)
  return outcome.has_ended(self.deployment, self.action)
end

local function forget_deployment(self)
  self.digits, self.deployment, self.show, self.match = nil, nil, nil, nil
end

-- --- the action ---

-- The deployment that the response may have named, if it is, nil, and the redactor of its response: false where it is not (yet);
-- or nil, message, err.
local function read_named_deployment(self)
  if not self.named then
    return false
  end
  local found, message, show_or_err = self.endpoint:deployment(self.named, self.deadline)
  if not found and not errors.is_absent(show_or_err) then
    return nil, message, show_or_err
  end
  self.is_early = found ~= nil and correlate.may_be_named(found)
  return found and correlate.is_named(found, query_of(self)) and found or false, nil, show_or_err
end

-- The same of the action. Where a deployment of that number may be it as well, and the action does not carry our reference,
-- the number tells nothing from then on.
local function read_named_action(self)
  if not self.named then
    return false
  end
  local action, message, err = actions.get(self.endpoint, self.named, self.deadline)
  if not action and not errors.is_absent(err) then
    return nil, message, err
  elseif not action or not correlate.is_named_action(action, query_of(self), self.user_reference) then
    return false
  elseif action.user_reference then
    return action
  end
  local deployment, deployment_message, deployment_err = read_named_deployment(self)
  if deployment == nil then
    return nil, deployment_message, deployment_err
  elseif deployment then
    self.named = nil
  end
  return not deployment and action
end

-- The action by its id; by its reference: the newest that carries it, and none that began before our request was
-- accepted, as a reference may be used again; or by what the response named. false where there is none (yet), or the API
-- knows no references; or nil, message, err.
local function read_action(self)
  if self.action_id ~= nil then
    return actions.get(self.endpoint, args.id(self.action_id), self.deadline)
  elseif not self.user_reference then
    return read_named_action(self)
  end
  local list, message, err = actions.with(self.endpoint, self.user_reference, self.deadline)
  if not list and not (self.named and err.kind == "protocol") then
    return nil, message, err
  end
  local action = actions.newest(list or {}, (self.accepted_time or 0) - SLACK)
  if action then
    return action
  end
  return read_named_action(self)
end

-- Whether the deployment that was found is still the action's, now that more is known of it.
local function check_deployment(self)
  local query = query_of(self)
  if self.deployment and not correlate.still_fits(self.deployment, query) then
    forget_deployment(self)
  elseif self.deployment and correlate.linked({ self.deployment }, query) then
    self.match = "exact"
  end
end

local function poll_action(self)
  local action, message, err = read_action(self)
  if action == nil then
    return nil, message, err
  elseif action then
    if not self.action and self.digits then
      forget_deployment(self) -- it was taken without knowing whose it is
    end
    self.action, self.action_id = action, action.id
    if args.id(action.id) == self.named then
      self.named = nil
    end
    check_deployment(self)
  end
  return true
end

-- Whether the action is worth a poll now.
local function action_is_due(self)
  if not self.of_action or (self.action and self.action.is_finished) then
    return false
  end
  return not self.digits or has_ended(self) or self.polls % ACTION_EVERY == ACTION_EVERY - 1
end

-- --- the deployment ---

-- Which of those that may be of the action is: deployment, "exact" or "likely"; nil where that is not known (yet); or
-- false, message, err.
local function choose(self, query, possible)
  local linked = correlate.linked(possible, query)
  if linked then
    return linked, "exact"
  elseif not self.action then
    return not self.is_early and correlate.unattributed(possible, query) or nil, "likely"
  elseif #possible == 0 or not query.started then
    return nil
  end
  local others, complete, err = actions.since(self.endpoint, query.started - SLACK, self.deadline)
  if not others then
    return false, complete, err
  end
  local competing = correlate.competing(query, others)
  local exact = complete and correlate.exact(possible, query, competing)
  if exact then
    return exact, "exact"
  end
  return query.finished and correlate.likely(possible, query, competing) or nil, "likely"
end

local function take(self, deployment, show, match)
  self.deployment, self.show, self.match, self.digits = deployment, show, match, args.id(deployment.id)
end

-- Takes the deployment that the response named, if it is; also instead of one that was there before it, and has ended.
local function check_named(self)
  local named, message, show_or_err = read_named_deployment(self)
  if named == nil then
    return nil, message, show_or_err
  elseif named then
    take(self, named, show_or_err, "exact")
  end
  return true
end

local function find_deployment(self)
  local ok, named_message, named_err = check_named(self)
  if not ok or self.digits then
    return ok, named_message, named_err
  end
  local query = query_of(self)
  local list, first, show = self.endpoint:deployments_since(query.started or math.huge, self.deadline)
  if not list then
    return nil, first, show
  end
  self.durations = estimate.durations(first)
  local possible = correlate.possible(query, list)
  local found, match, err = choose(self, query, possible)
  if found == false then
    return nil, match, err
  elseif found then
    take(self, found, show, match)
  elseif self.action and self.action.is_finished then
    self.misses, self.candidates = self.misses + 1, #possible
  end
  return true
end

local function poll_deployment(self)
  local found, message, show = self.endpoint:deployment(self.digits, self.deadline)
  if not found then
    return nil, message, show
  elseif self.of_action and not correlate.still_fits(found, query_of(self)) then
    forget_deployment(self)
    return true
  end
  self.deployment, self.show = found, show
  if not self.durations then -- once: for the interval
    local page, err
    page, message, err = self.endpoint:newest_page(self.deadline)
    if not page then
      return nil, message, err
    end
    self.durations = estimate.durations(page)
  end
  return true
end

-- Whether a deployment that is known may still change.
local function deployment_is_due(self)
  return not self.deployment or not has_ended(self) or self.require_live
end

-- --- both ---

---Reads what is new.
---@return true|nil ok, string? message, cloud66.Error? err
function methods:poll()
  local ok, message, err = true, nil, nil
  if self.digits and deployment_is_due(self) then
    ok, message, err = poll_deployment(self)
  end
  if ok and action_is_due(self) then
    ok, message, err = poll_action(self)
  end
  if ok and self.named and self.digits and self.digits ~= self.named and has_ended(self) then
    ok, message, err = check_named(self)
  end
  if ok and not self.digits then
    ok, message, err = find_deployment(self)
  elseif ok and self.action and self.action.is_finished and not has_ended(self) then
    self.misses = self.misses + 1
  end
  self.polls = self.polls + 1
  return ok, message, err
end

---@return cloud66.Phase
function methods:phase()
  return outcome.phase(self)
end

---See outcome.verdict(). After a poll that succeeded.
---@return boolean over, string? kind, string? text
function methods:verdict()
  return outcome.verdict(self)
end

---@param endpoint table    of endpoint.new()
---@param target table      of options.target()
---@param deadline number   by host.now(): nothing is read after it
---@param require_live? boolean  it is not over before it is live
function tracker.new(endpoint, target, deadline, require_live)
  return setmetatable({
    endpoint = endpoint, deadline = deadline,
    -- what is waited for
    of_action = target.digits == nil, require_live = require_live or false,
    user_reference = target.user_reference, accepted_time = target.accepted_time,
    named = target.id ~= nil and args.id(target.id) or nil, -- the deployment or the action, by the response to the redeploy
    is_early = false, -- that deployment is in the queue, so that it is too early to tell whether it is ours
    git_ref = target.git_ref, git_hash = target.git_hash,
    -- what was read: the action; the deployment, the redactor of its response, and whether it is the action's
    action_id = target.action_id, action = nil,
    digits = target.digits, deployment = nil, show = nil, match = target.digits and "exact" or nil,
    durations = nil, -- of estimate.durations()
    polls = 0, misses = 0, candidates = 0, -- see cloud66.Facts
  }, tracker_mt)
end

return tracker
