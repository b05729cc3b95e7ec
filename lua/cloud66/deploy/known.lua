-- known.lua: what is known of that which is waited for: its action, the deployment that the action made, and when it was read. What
-- own_action.lua, search.lua and tracker.lua remember of their reading stands in it, too.
--
-- The API's views of a stack may be behind, each by another time. So what was read is dated by the server's clock, and a thing
-- that is once seen to have ended stays so.

local action_model = require "cloud66.model.action"
local args = require "cloud66.base.args"
local correlate = require "cloud66.deploy.correlate"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local outcome = require "cloud66.deploy.outcome"

local known = {}

-- What there is to find the action's deployment by. The ref with which a joined action is asked for again may not be its own.
---@return cloud66.Query
function known.query(self)
  local action = self.action
  local deploy_session, deployed_hash
  if action then
    deploy_session, deployed_hash = action_model.made(action)
  end
  return {
    action_id = self.action_id,
    started = action and action.started_time or self.accepted_time,
    latest = known.server_now(self),
    finished = action and action.finished_time,
    user = action and action.user,
    git_ref = not self.joined and self.git_ref or nil,
    git_hash = not self.joined and self.git_hash or nil,
    deploy_session = deploy_session,
    deployed_hash = deployed_hash,
  }
end

---Whether the deployment has ended.
function known.has_ended(self)
  return self.deployment ~= nil and outcome.has_ended(self.deployment, self.action)
end

function known.action_is_over(self)
  return self.action ~= nil and self.action.is_finished
end

---Whether the API shows no action of ours, though it would by now: it knows no references.
function known.has_no_action(self)
  local began = self.deployment and self.deployment.started_time
  return not self.action_id and (not self.user_reference
    or (self.missed_at ~= nil and began ~= nil and self.missed_at >= began + correlate.LAG))
end

-- --- the server's clock ---

local MOST_AHEAD = 86400 -- seconds: a date that is more ahead of this machine's clock is no moment of the server's

---It is not behind any date that it has sent.
---@param list table|userdata  of deployments or actions
---@return number latest  of these dates, Unix seconds
function known.note_dates(self, list)
  local latest = correlate.latest(list, host.now() + self.behind + MOST_AHEAD)
  self.ahead = math.max(self.ahead, latest - host.now())
  return latest
end

---What the server's clock shows, at least. Unix seconds.
function known.server_now(self)
  return host.now() + self.ahead
end

-- --- changes, and what is missing ---

function known.changed(self)
  self.changed_at = host.now()
end

-- What was accepted or seen a moment ago may not be there yet: notes since when, by host.now(), `what` is a 404.
function known.note_absence(self, what, err)
  if not err then
    self.absent[what] = nil
    return
  elseif not errors.is_absent(err) then
    return -- it tells neither
  end
  self.absent[what] = self.absent[what] or host.now()
  self.is_awaited = host.now() - self.absent[what] < outcome.PATIENCE
end

function known.forget(self)
  self.digits, self.deployment, self.show, self.match, self.conflict = nil, nil, nil, nil, nil
  known.changed(self)
end

function known.take(self, deployment, show, match)
  self.deployment, self.show, self.match, self.digits = deployment, show, match, args.id(deployment.id)
  known.changed(self)
end

-- --- the action ---

-- Whether the deployment that was found is still the action's, now that more is known of it.
local function check_deployment(self)
  local query = known.query(self)
  if self.deployment and not correlate.still_fits(self.deployment, query) then
    known.forget(self)
  elseif self.deployment and correlate.linked({ self.deployment }, query) then
    self.match = "exact"
  end
end

-- Takes over what was read of our own action; what says that it still runs after it had ended is older.
function known.take_action(self, action)
  if known.action_is_over(self) and not action.is_finished then
    return
  elseif not self.action then
    known.changed(self)
    if self.digits then
      known.forget(self) -- it was taken without knowing whose it is
    end
  end
  known.note_dates(self, { action })
  if action.is_finished and not known.action_is_over(self) then
    known.changed(self)
  end
  self.action, self.action_id = action, action.id
  if args.id(action.id) == self.named then
    self.named = nil
  end
  check_deployment(self)
end

-- --- all of it ---

---@param endpoint table    of endpoint.new()
---@param target table      of options.target()
---@param deadline number   by host.now(): nothing is read after it
---@param require_live? boolean  it is not over before it is live
function known.new(endpoint, target, deadline, require_live)
  local self = {
    endpoint = endpoint, deadline = deadline,
    -- what is waited for
    of_action = target.digits == nil, require_live = require_live or false, joined = target.joined or false,
    user_reference = target.user_reference, accepted_time = target.accepted_time,
    named = target.id ~= nil and args.id(target.id) or nil, -- the deployment or the action, by the response to the redeploy
    is_early = false, -- that deployment is in the queue, so that it is too early to tell whether it is ours
    git_ref = target.git_ref, git_hash = target.git_hash,
    -- what was read: the action; the deployment, the redactor of its response, and whether it is the action's
    action_id = target.action_id, action = nil, missed_at = nil, -- by the server's clock: when no action carried our reference
    digits = target.digits, deployment = nil, show = nil, match = target.digits and "exact" or nil,
    was_seen = target.was_seen or false, -- the deployment, by us or by the caller
    durations = nil, -- of estimate.durations()
    -- the search: the newest deployments, the redactor of their responses, when they were read; those that may be ours; what was
    -- read of the actions, and on what grounds; whose turn it is
    list = nil, list_show = nil, list_read = nil, candidates = {}, refused = {}, others = nil, turn = "list",
    by_number = true, -- whether the action is looked for by `named` now, rather than by its reference
    -- moments by host.now(): since when what is a 404; the last change; when one of deployment and action was seen to have ended
    absent = {}, changed_at = host.now(), settling_since = nil,
    is_awaited = false, -- the last poll has met a 404 of what may not be there yet
    ahead = -math.huge, -- the server's clock is so many seconds ahead of host.now(), at least
    behind = math.max(os.time(), target.accepted_time or 0) - host.now(), -- host.now() behind this machine's clock, or the response's
    is_failing = false, -- the last poll has failed
    polls = 0, settling = nil, is_undecided = false, conflict = nil, -- see cloud66.Facts
  }
  known.note_dates(self, { { started_time = target.accepted_time } })
  return self
end

return known
