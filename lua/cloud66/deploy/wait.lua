-- wait.lua: waits for the end of a deployment, or of what redeploy() started: through the queue, the action, the
-- deployment it makes, to the action's own word on how it ended.

local errors = require "cloud66.base.error"
local estimate = require "cloud66.resource.estimate"
local host = require "cloud66.runtime.host"
local options = require "cloud66.deploy.options"
local poll_loop = require "cloud66.resource.poll_loop"
local tasks = require "cloud66.runtime.tasks"
local trackers = require "cloud66.deploy.tracker"

local wait = {}

-- --- what is told ---

local function info_of(self)
  local tracker = self.tracker
  return {
    match = tracker.match, action = tracker.action, user_reference = tracker.user_reference, polls = tracker.looks,
    elapsed = host.now() - self.started, phase = tracker:phase(),
  }
end

-- Fills in what is known, for who catches the error.
local function add_facts(tracker, fields)
  fields.last, fields.action, fields.user_reference = tracker.deployment, tracker.action, tracker.user_reference
  return fields
end

local function fail(self, kind, text, fields)
  local tracker = self.tracker
  fields = add_facts(tracker, fields or {})
  fields.match = tracker.match
  return errors.fail(kind, tracker.show and tracker.show(text) or text, fields)
end

local EARLY = {
  stopped = "stop() said so; what was waited for goes on",
  exiting = "this nginx worker is to end (a reload?); what was waited for goes on: wait() again with the same argument",
  closed = "this client was closed; what was waited for goes on",
}

local STILL = {
  queued = "nothing is known to have started: it may wait in the queue, or for an approval",
  deploying = "it is still running",
  finishing = "the deployment has ended, and its action still runs",
  finished = "it has succeeded, but is not live",
}

local function timed_out(self, err)
  local tracker = self.tracker
  local text = ("after %.0f seconds %s%s; it goes on: wait() again with the same argument"):format(host.now() - self.started,
    STILL[tracker:phase()], tracker.deployment and (" (%s)"):format(tostring(tracker.deployment)) or "")
  if err then
    text = text .. ". The last look failed: " .. err.message
  end
  return fail(self, "timeout", text, { exit_code = 2, cause = err })
end

local function report(self, err, seconds)
  local tracker, on_change, on_poll = self.tracker, self.options.on_change, self.options.on_poll
  local deployment = tracker.deployment
  if on_change and not err then
    local phase = tracker:phase()
    if self.told_phase ~= phase or self.told_deployment ~= deployment then
      self.told_phase, self.told_deployment = phase, deployment
      on_change(deployment, phase)
    end
  end
  if on_poll then
    local info = info_of(self)
    info.deployment, info.next_poll, info.err = deployment, seconds, err
    if deployment and not err and tracker.durations then
      local expected, overdue = estimate.eta(deployment, tracker.durations, os.time(), tracker.show)
      info.expected_end, info.overdue = expected, expected and overdue or nil
    end
    on_poll(info)
  end
end

-- --- between looks ---

local QUEUE, QUEUE_INTERVAL, SHORTEST = 120, 15, 1 -- seconds

-- Seconds until the next look. A queue is short as a rule, and an action ends soon after its deployment: both are looked
-- at more often to begin with.
local function interval_of(self)
  if self.options.interval then
    return self.options.interval
  end
  local seconds, now = estimate.interval(self.tracker.durations), host.now()
  local phase = self.tracker:phase()
  if phase == "queued" and now - self.started < QUEUE then
    return math.min(seconds, QUEUE_INTERVAL)
  elseif phase == "finishing" then
    self.ended = self.ended or now
    return math.min(seconds, math.max(SHORTEST, now - self.ended))
  end
  return seconds
end

-- Looks, and pauses, until it is over.
local function run(self)
  local tracker, loop = self.tracker, self.loop
  while true do
    local ok, message, err = tracker:look()
    if ok then
      loop:reset()
      local over, deployment, kind, text = tracker:verdict()
      if over then
        report(self, nil, nil)
        if not deployment then
          return fail(self, kind, text)
        end
        return deployment, info_of(self), tracker.show
      end
    elseif host.now() < tracker.deadline and loop:is_fatal(err) then
      add_facts(tracker, err)
      return nil, message, err
    end
    local seconds = loop:length(interval_of(self), err)
    report(self, err, seconds)
    local reason = loop:pause(seconds)
    if reason == "late" then
      return timed_out(self, err)
    elseif reason then
      return fail(self, "aborted", EARLY[reason])
    end
  end
end

---Waits for the end of a deployment, or of what redeploy() started.
---@param endpoint table  of endpoint.new()
---@param target table    of options.target(), perhaps with the git_hash that it is to be of
---@param how table       of options.wait()
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, function|cloud66.Error|nil show_or_err
---show: the redactor of the response that the deployment is of
function wait.run(endpoint, target, how)
  if target.digits == false then
    return errors.fail("decode", "the API sent this deployment without an 'id' that can be read: it cannot be asked for")
  end
  local started = host.now()
  local deadline = math.min(started + (how.timeout or options.TIMEOUT), tasks.deadline(), endpoint.deadline)
  return run {
    options = how, started = started,
    tracker = trackers.new(endpoint, target, deadline, how.require_live),
    loop = poll_loop.new(endpoint.api, deadline, how.stop),
    told_phase = false, told_deployment = nil, -- what on_change was told last
    ended = false, -- when the deployment was seen to have ended before its action
  }
end

return wait
