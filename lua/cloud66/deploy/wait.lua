-- wait.lua: waits for the end of a deployment, or of what redeploy() started: through the queue, the action, the
-- deployment it makes, to the action's own word on how it ended. Here is the loop: tracker.lua reads, outcome.lua judges.

local errors = require "cloud66.base.error"
local estimate = require "cloud66.resource.estimate"
local host = require "cloud66.runtime.host"
local options = require "cloud66.deploy.options"
local pace = require "cloud66.deploy.pace"
local poll_loop = require "cloud66.resource.poll_loop"
local tasks = require "cloud66.runtime.tasks"
local trackers = require "cloud66.deploy.tracker"

local wait = {}

-- How to deploy again what was joined, and has failed.
local AGAIN = "; user_reference '%s' was used before, so that nothing was sent: to deploy again, use another one, or stack:ensure() "
  .. "with the commit"

-- The state of one wait; `how` as for wait.run().
local function new_state(endpoint, target, how)
  local started = host.now()
  local deadline = math.min(started + (how.timeout or options.TIMEOUT), tasks.deadline(), endpoint.deadline)
  return {
    options = how, started = started, deadline = deadline,
    tracker = trackers.new(endpoint, target, deadline, how.require_live),
    loop = poll_loop.new(endpoint.api, deadline, how.stop),
    again = target.joined and (target.again or AGAIN:format(tostring(target.user_reference))),
    reported_phase = false, reported_deployment = nil, -- by on_change, the last time
  }
end

-- --- what is reported ---

-- Fills in what is known of the action.
local function add_action(tracker, fields)
  local action = tracker.action
  fields.action, fields.user_reference = action, tracker.user_reference
  fields.finished_message, fields.finished_result = action and action.finished_message, action and action.finished_result
  return fields
end

local function info_of(self)
  local tracker = self.tracker
  return add_action(tracker, {
    match = tracker.match, polls = tracker.polls, elapsed = host.now() - self.started, phase = tracker:phase(),
  })
end

local function report_change(self, on_change)
  local deployment, phase = self.tracker.deployment, self.tracker:phase()
  if self.reported_phase ~= phase or self.reported_deployment ~= deployment then
    self.reported_phase, self.reported_deployment = phase, deployment
    on_change(deployment, phase)
  end
end

local function report_poll(self, on_poll, err, seconds)
  local tracker, info = self.tracker, info_of(self)
  local deployment = tracker.deployment
  info.deployment, info.next_poll, info.err = deployment, seconds, err
  if deployment and not err and tracker.durations then
    local expected, overdue = estimate.eta(deployment, tracker.durations, os.time(), tracker.show)
    info.expected_end, info.overdue = expected, expected and overdue or nil
  end
  on_poll(info)
end

-- After a poll: the err of one that failed, seconds until the next one, if there is one.
local function report(self, err, seconds)
  local on_change, on_poll = self.options.on_change, self.options.on_poll
  if on_change and not err then
    report_change(self, on_change)
  end
  if on_poll then
    report_poll(self, on_poll, err, seconds)
  end
end

-- --- failures ---

-- Fills in what is known, for who catches the error.
local function add_facts(tracker, fields)
  fields.last = tracker.deployment
  return add_action(tracker, fields)
end

local function fail(self, kind, text, fields)
  local tracker = self.tracker
  fields = add_facts(tracker, fields or {})
  fields.match = tracker.match
  return errors.fail(kind, tracker.show and tracker.show(text) or text, fields)
end

---The failure of what goes on, as far as is known: its end is not seen.
---@param err cloud66.Error  taken over
---@return nil, string message, cloud66.Error err
function wait.unobserved(err)
  if err.exit_code == errors.EXIT_CODES.unsent then
    err.exit_code = errors.EXIT_CODES.unobserved
  end
  return nil, err.message, err
end

-- The same where it was started, or seen: not for a number that may be mistyped.
local function ended(self, message, err)
  local tracker = self.tracker
  if tracker.of_action or tracker.was_seen then
    return wait.unobserved(err)
  end
  return nil, message, err
end

---What ended a wait early -> the text.
wait.EARLY = {
  stopped = "stop() ended it; what was waited for goes on",
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
    text = text .. ". The last poll failed: " .. err.message
  end
  return fail(self, "timeout", text, { exit_code = errors.EXIT_CODES.late, cause = err })
end

-- --- the loop ---

-- The last poll has shown that it is over.
local function finish(self, kind, text, fields)
  report(self, nil, nil)
  if kind then
    local has_failed = self.again and kind ~= "conflict" and not (fields and fields.action_succeeded)
    return fail(self, kind, has_failed and text .. self.again or text, fields)
  end
  return self.tracker.deployment, info_of(self), self.tracker.show
end

-- There is no other poll, and the last one may have failed: what was known before it may do.
local function conclude(self, err)
  local over, kind, text, fields = self.tracker:verdict(true)
  if over then
    return finish(self, kind, text, fields)
  end
  return timed_out(self, err)
end

-- Polls, and pauses, until it is over.
local function run(self)
  local tracker, loop = self.tracker, self.loop
  while true do
    local ok, message, err = tracker:poll(loop.is_last)
    if ok then
      loop:reset()
      local over, kind, text, fields = tracker:verdict(loop.is_last)
      if over then
        return finish(self, kind, text, fields)
      end
    elseif host.now() < self.deadline and not tracker.is_awaited and loop:is_fatal(err) then
      return ended(self, message, add_facts(tracker, errors.copy(err)))
    end
    local seconds = loop:plan(self.options.interval or pace.interval(tracker:pace()), err)
    report(self, err, seconds)
    local reason = loop:pause(seconds)
    if reason == "late" then
      return conclude(self, err)
    elseif reason then
      return ended(self, select(2, fail(self, "aborted", wait.EARLY[reason])))
    end
    loop:begin()
  end
end

---@param endpoint table  of endpoint.new()
---@param target table    of options.target(), perhaps with the git_hash that it is to be of
---@param how table       of options.wait()
---@return cloud66.Deployment|nil deployment, cloud66.WaitInfo|string info_or_message, function|cloud66.Error show_or_err
---show: the redactor of the response that the deployment is of
function wait.run(endpoint, target, how)
  if target.digits == false then
    return wait.unobserved(errors.new("decode", "the API sent this deployment without an 'id' that can be read: it cannot be waited for"))
  end
  return run(new_state(endpoint, target, how))
end

return wait
