-- tracker.lua: follows what is waited for, poll by poll: first search.lua, then the deployment and its action. outcome.lua judges
-- what was read.

local estimate = require "cloud66.resource.estimate"
local correlate = require "cloud66.deploy.correlate"
local host = require "cloud66.runtime.host"
local known = require "cloud66.deploy.known"
local outcome = require "cloud66.deploy.outcome"
local own_action = require "cloud66.deploy.own_action"
local search = require "cloud66.deploy.search"

local tracker = {}

local methods = {}
local tracker_mt = { __name = "cloud66.tracker", __index = methods }

local ACTION_EVERY = 4 -- polls of a deployment that takes longer than usual: its action may have failed without it

-- --- a deployment that is known ---

-- Whether a deployment that is known may still change.
local function deployment_is_due(self)
  return not known.has_ended(self) or self.require_live
end

-- The usual durations, once. They are for the interval alone: where they cannot be read, the poll is none the worse for it.
local function read_durations(self)
  if not self.durations and deployment_is_due(self) then
    local page = self.endpoint:newest_page(self.deadline)
    self.durations = page and estimate.durations(page)
  end
end

local function poll_deployment(self)
  local found, message, show_or_err = self.endpoint:deployment(self.digits, self.deadline)
  if self.of_action or self.was_seen then
    known.note_absence(self, "deployment", not found and show_or_err or nil)
  end
  if not found then
    return nil, message, show_or_err
  end
  known.note_dates(self, { found })
  if self.of_action and not correlate.still_fits(found, known.query(self)) then
    self.refused[self.digits] = true
    known.forget(self)
    return true
  elseif not known.has_ended(self) or outcome.has_ended(found, self.action) then
    self.deployment, self.show, self.was_seen = found, show_or_err, true
  end
  read_durations(self)
  return true
end

local function usual(self)
  return self.durations and self.durations.any and self.durations.any.p50
end

-- Seconds since a deployment began.
local function elapsed(self, deployment)
  return deployment.started_time and known.server_now(self) - deployment.started_time
end

-- Whether the action is polled instead of its deployment, which runs longer than usual.
local function is_turn_of_action(self)
  return self.of_action and self.deployment ~= nil and not known.has_ended(self) and not known.action_is_over(self)
    and self.polls % ACTION_EVERY == 0 and (elapsed(self, self.deployment) or 0) > (usual(self) or 0)
end

local function poll_both(self)
  local ok, message, err = own_action.poll(self)
  if ok and known.action_is_over(self) and self.digits then
    return poll_deployment(self)
  end
  return ok, message, err
end

-- What is known already: its deployment; the action once that has ended.
local function follow(self, is_last)
  if not is_last and is_turn_of_action(self) then
    return poll_both(self)
  end
  local ok, message, err = true, nil, nil
  if deployment_is_due(self) then
    ok, message, err = poll_deployment(self)
  end
  if ok and self.of_action and not known.action_is_over(self) and (known.has_ended(self) or not self.digits) then
    ok, message, err = own_action.poll(self)
  end
  if ok and self.named and self.digits and self.digits ~= self.named and known.has_ended(self) then
    ok, message, err = own_action.check_named(self)
  end
  return ok, message, err
end

-- --- all of it ---

-- Seconds since one of the deployment and the action was first seen to have ended.
local function note_end(self)
  local one_has_ended = known.action_is_over(self) or known.has_ended(self)
  self.settling_since = one_has_ended and (self.settling_since or host.now()) or nil
  self.settling = one_has_ended and host.now() - self.settling_since or nil
end

-- The deployment of a joined action may be of another ref than the one that is asked for now.
local function note_conflict(self)
  local ref, deployment = self.git_ref, self.deployment
  if self.joined and ref and deployment and correlate.is_of_ref(deployment, ref) == false then
    local reference = self.user_reference
    self.conflict = ("%s came with another git_ref before ('%s', now '%s'), and what it started is %s: use another user_reference to "
      .. "deploy"):format(reference and ("the user_reference '%s'"):format(reference) or "the redeploy that was joined",
      tostring(deployment.git_ref), ref, tostring(deployment))
  end
end

---Reads what is new.
---@param is_last? boolean  there is to be no other poll
---@return true|nil ok, string? message, cloud66.Error? err
function methods:poll(is_last)
  self.is_awaited = false
  local ok, message, err = true, nil, nil
  if self.digits then
    ok, message, err = follow(self, is_last)
  end
  if ok and not self.digits then
    ok, message, err = search.poll(self, is_last)
    if ok and is_last and self.digits then
      ok, message, err = follow(self, is_last) -- it may have been found in a list that was read before
    end
  end
  note_end(self)
  note_conflict(self)
  self.has_no_action = known.has_no_action(self)
  self.is_undecided = not self.digits and search.telling_in(self) ~= nil
  self.is_failing = not ok
  self.polls = self.polls + 1
  return ok, message, err
end

---@return cloud66.Phase
function methods:phase()
  return outcome.phase(self)
end

---See outcome.verdict(). After a poll that succeeded, or the last one.
---@param is_last? boolean  there is to be no other poll
---@return boolean over, string? kind, string? text, table? fields
function methods:verdict(is_last)
  return outcome.verdict(self, is_last)
end

---What pace.interval() goes by.
---@return cloud66.Pace
function methods:pace()
  local newest = self.deployment or search.plausible(self)
  return {
    phase = self:phase(), usual = usual(self), elapsed = newest and elapsed(self, newest),
    unchanged = host.now() - self.changed_at, settling = self.settling,
    telling_in = not self.digits and not self.is_failing and search.telling_in(self) or nil, -- no poll a second while it fails
  }
end

---@param endpoint table    of endpoint.new()
---@param target table      of options.target()
---@param deadline number   by host.now(): nothing is read after it
---@param require_live? boolean  it is not over before it is live
function tracker.new(endpoint, target, deadline, require_live)
  return setmetatable(known.new(endpoint, target, deadline, require_live), tracker_mt)
end

return tracker
