-- wait.lua: waits for the end of a deployment, or of what redeploy() started: through the queue, the action, the
-- deployment it makes, to the action's own word on how it ended.

local core = require "cloud66.core"
local action = require "cloud66.action"
local check = require "cloud66.check"
local errors = require "cloud66.error"
local match = require "cloud66.match"
local patience = require "cloud66.patience"
local scheduler = require "cloud66.scheduler"
local usual = require "cloud66.usual"

local wait = {}

local MOST_MISSES = 3 -- looks at the list after the action has ended: the list may be behind
local QUEUE, QUEUE_INTERVAL, SHORTEST = 120, 15, 1 -- seconds
local ACTION_EVERY = 4 -- looks at a deployment that runs: its action may have failed without it

---How long to wait at the most, seconds, where nothing else is asked for.
wait.TIMEOUT = 7200

---Options of stack:wait().
wait.OPTIONS = { timeout = true, interval = true, require_live = true, on_change = true, on_poll = true, stop = true }

local functions = { "on_change", "on_poll", "stop" }

---@param options? table
---@param level integer  as in check.lua
---@return table  checked, a copy
function wait.check_options(options, level)
  level = level + 1
  options = check.options(options, wait.OPTIONS, "option", level)
  if options.timeout ~= nil then
    check.positive(options.timeout, "option 'timeout'", level)
  end
  if options.interval ~= nil then
    check.positive(options.interval, "option 'interval'", level)
  end
  if options.require_live ~= nil and type(options.require_live) ~= "boolean" then
    error("option 'require_live' must be true or false", level)
  end
  for _, name in ipairs(functions) do
    if options[name] ~= nil and type(options[name]) ~= "function" then
      error(("option '%s' must be a function, got %s"):format(name, type(options[name])), level)
    end
  end
  return options
end

---What is waited for: { digits = of a deployment } or { action_id, user_reference, accepted_time, git_ref }.
---@param what any    a deployment, an id, an action, or what redeploy() gave
---@param uid string  of the stack
---@param level integer  as in check.lua
---@return table
function wait.target_of(what, uid, level)
  level = level + 1
  if core.is_deployment(what) then
    return { digits = what.id ~= nil and check.id(what.id, level) or false }
  elseif type(what) == "number" or type(what) == "string" then
    return { digits = check.id(what, level) }
  elseif action.is(what) then
    return { action_id = what.id, user_reference = what.user_reference, accepted_time = what.started_time }
  elseif type(what) == "table" and (what.async_action_id ~= nil or what.user_reference ~= nil) then
    if what.stack_uid ~= nil and what.stack_uid ~= uid then
      error(("that redeploy is of stack %s, and this is %s"):format(tostring(what.stack_uid), uid), level)
    end
    if what.async_action_id ~= nil then
      check.id(what.async_action_id, level)
    end
    if what.user_reference ~= nil then
      check.text(what.user_reference, "user_reference", level)
    end
    for name, kind in pairs { accepted_time = "number", git_ref = "string", git_hash = "string" } do
      if what[name] ~= nil and type(what[name]) ~= kind then
        error(("'%s' of what is waited for must be a %s, got %s"):format(name, kind, type(what[name])), level)
      end
    end
    return { action_id = what.async_action_id, user_reference = what.user_reference, accepted_time = what.accepted_time,
      git_ref = what.git_ref, git_hash = what.git_hash }
  end
  error(("wait() needs a deployment, its id, or what redeploy() gave, got %s%s"):format(type(what),
    what == nil and ": see what the call that should have given it returned beside nil" or ""), level)
end

-- --- one look: reads what is new; true, or nil, message, err ---

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
  self.digits, self.deployment, self.match = nil, nil, nil
end

local function look_at_action(self)
  local found, message, err
  if self.action_id ~= nil then
    found, message, err = self.endpoint:action(check.id(self.action_id), self.deadline)
  elseif self.user_reference then
    local list
    list, message, err = self.endpoint:actions_with(self.user_reference, self.deadline)
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
    return match.lonely(possible, sought), "likely"
  elseif #possible == 0 then
    return nil
  end
  local others, complete, err = self.endpoint:actions_since(sought.started - SLACK, self.deadline)
  if not others then
    return false, complete, err
  end
  local rivals = match.rivals(sought, others)
  local exact = complete and match.exact(possible, sought, rivals)
  if exact then
    return exact, "exact"
  end
  return sought.finished and match.likely(possible, sought, rivals) or nil, "likely"
end

local function look_for_deployment(self)
  local sought = sought_of(self)
  local list, first, err = self.endpoint:deployments_since(sought.started or math.huge, self.deadline)
  if not list then
    return nil, first, err
  end
  self.durations = usual.durations(first)
  -- Without a start neither the action nor the server's clock is known (yet).
  local possible = sought.started and match.possible(sought, list) or {}
  local found, how
  found, how, err = choose(self, sought, possible)
  if found == false then
    return nil, how, err
  elseif found then
    self.deployment, self.match, self.digits = found, how, check.id(found.id)
  elseif self.action and self.action.is_finished then
    self.misses, self.candidates = self.misses + 1, #possible
  end
  return true
end

local function sounds_cancelled(text)
  return type(text) == "string" and text:lower():find("cancel", 1, true) ~= nil
end

---Whether a deployment has come to an end that can be told. One that says "pending" beside its end is behind; one whose
---outcome is a word nobody documented may have no date of its end.
---@param deployment cloud66.Deployment
---@param made? cloud66.Action  of it
---@return boolean
function wait.has_ended(deployment, made)
  local over = deployment.is_finished or (deployment.is_deploying == false
    and (sounds_cancelled(deployment.outcome) or (deployment.outcome ~= nil and made ~= nil and made.is_finished)))
  return over and not deployment.is_pending
end

local function has_ended(self)
  return wait.has_ended(self.deployment, self.action or nil)
end

local function look_at_deployment(self)
  local found, message, err = self.endpoint:deployment(self.digits, self.deadline)
  if not found then
    return nil, message, err
  elseif self.of_action and not match.still_fits(found, sought_of(self)) then
    forget_deployment(self)
    return true
  end
  self.deployment = found
  if not self.durations then -- once: for the interval
    local page
    page, message, err = self.endpoint:page(1, self.deadline)
    if not page then
      return nil, message, err
    end
    self.durations = usual.durations(page)
  end
  return true
end

-- Whether the action is worth a look now.
local function action_is_due(self)
  if not self.of_action or (self.action and self.action.is_finished) then
    return false
  end
  return not self.digits or has_ended(self) or self.polls % ACTION_EVERY == ACTION_EVERY - 1
end

local function look(self)
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
  if not ok then
    return nil, message, err
  end
  return true
end

-- --- what it has come to ---

local function phase_of(self)
  if not self.deployment then
    return "queued"
  elseif not has_ended(self) then
    return "deploying"
  end
  return self.of_action and not (self.action and self.action.is_finished) and self.action_id ~= nil and "finishing" or "finished"
end

local function info_of(self)
  return {
    match = self.match, action = self.action, user_reference = self.user_reference, polls = self.polls,
    elapsed = scheduler.now() - self.started, phase = phase_of(self),
  }
end

local function fail(self, kind, text, fields)
  fields = fields or {}
  fields.last, fields.action, fields.match = self.deployment, self.action, self.match
  fields.user_reference = self.user_reference
  return errors.fail(kind, self.endpoint.api.show(text), fields)
end

-- What the action says in its own words, for a message.
local function words_of(made)
  local text = made and made.finished_message
  return type(text) == "string" and text ~= "" and ": " .. text or ""
end

local function unmatched(self)
  local success = self.action.finished_success
  local how = success and "succeeded" or success == false and "failed" or "ended"
  if self.candidates > 0 then
    return fail(self, "unmatched", ("%s %s%s, but which of %d deployments it made cannot be told: see stack:deployments()")
      :format("action " .. tostring(self.action.id), how, words_of(self.action), self.candidates))
  end
  return fail(self, "unmatched", ("action %s %s%s, and there is no deployment of it"):format(
    tostring(self.action.id), how, words_of(self.action)))
end

local KNOWN = { pending = true, success = true, failed = true }

-- The end of a deployment and of its action, if it has one. Only if both say so is it a success.
local function verdict(self)
  local deployment, made = self.deployment, self.action
  local said = made and made.finished_success
  local shown = tostring(deployment)
  if made and made.finished_success == nil then
    return fail(self, "unknown_outcome", ("%s; its action %s has ended without a word on success%s"):format(
      shown, tostring(made.id), words_of(made)))
  elseif sounds_cancelled(deployment.outcome) or (not deployment.is_success and made and sounds_cancelled(made.finished_message)) then
    return fail(self, "cancelled", shown .. " was cancelled" .. words_of(made))
  elseif not KNOWN[deployment.outcome] then
    return fail(self, "unknown_outcome", ("%s has ended with outcome '%s', which this library does not know%s"):format(
      shown, tostring(deployment.outcome), words_of(made)))
  elseif deployment.is_failed then
    return fail(self, "deploy_failed", ("%s has failed%s%s"):format(shown,
      said and ", though its action says it has succeeded" or "", words_of(made)))
  elseif said == false then
    return fail(self, "deploy_failed", ("%s says success, but its action %s has failed%s"):format(
      shown, tostring(made.id), words_of(made)))
  end
  return deployment
end

-- Whether this is the end; then deployment, or nil, message, err.
local function is_over(self)
  local made = self.action
  if not self.digits then
    if made and made.is_finished and self.misses >= MOST_MISSES then
      return true, unmatched(self)
    end
    return false
  elseif not has_ended(self) then
    if made and made.finished_success == false and self.misses >= MOST_MISSES then
      return true, fail(self, "deploy_failed", ("action %s has failed, though its deployment never ended (%s)%s"):format(
        tostring(made.id), tostring(self.deployment), words_of(made)))
    end
    return false
  elseif phase_of(self) ~= "finished" then
    return false
  end
  local deployment, message, err = verdict(self)
  if deployment and self.require_live and not deployment.is_live then
    return false
  end
  return true, deployment, message, err
end

-- --- between looks ---

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
  local text = ("after %.0f seconds %s%s; it goes on: wait() again with the same argument"):format(
    scheduler.now() - self.started, STILL[phase_of(self)], self.deployment and (" (%s)"):format(tostring(self.deployment)) or "")
  if err then
    text = text .. ". The last look failed: " .. err.message
  end
  return fail(self, "timeout", text, { exit_code = 2, cause = err })
end

local function report(self, err, seconds)
  local phase = phase_of(self)
  local before = self.told
  if self.on_change and not err
    and (not before or before.phase ~= phase or before.deployment ~= self.deployment) then
    self.told = { phase = phase, deployment = self.deployment }
    self.on_change(self.deployment, phase)
  end
  if self.on_poll then
    local info = info_of(self)
    info.deployment, info.next_poll, info.err = self.deployment, seconds, err
    if self.deployment and not err and self.durations then
      local expected, overdue = usual.eta(self.deployment, self.durations, os.time())
      info.expected_end, info.overdue = expected, expected and overdue or nil
    end
    self.on_poll(info)
  end
end

-- Seconds until the next look. A queue is short as a rule, and an action ends soon after its deployment: both are looked
-- at more often to begin with.
local function interval_of(self)
  if self.interval then
    return self.interval
  end
  local seconds, now = usual.interval(self.durations), scheduler.now()
  local phase = phase_of(self)
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
  while true do
    local ok, message, err = look(self)
    self.polls, self.last_error = self.polls + 1, err
    if ok then
      self.patience:reset()
      local over, deployment
      over, deployment, message, err = is_over(self)
      if over then
        report(self, nil, nil)
        if not deployment then
          return nil, message, err
        end
        return deployment, info_of(self)
      end
    elseif scheduler.now() < self.deadline and self.patience:is_fatal(err) then
      err.last, err.action, err.user_reference = self.deployment, self.action, self.user_reference
      return nil, message, err
    end
    local seconds = self.patience:length(interval_of(self), err)
    report(self, err, seconds)
    local reason = self.patience:pause(seconds)
    if reason == "late" then
      return timed_out(self, self.last_error)
    elseif reason then
      return fail(self, "aborted", EARLY[reason])
    end
  end
end

---Waits for the end of a deployment, or of what redeploy() started.
---@param endpoint table  of endpoint.new()
---@param target table    of wait.target_of(); taken over
---@param options table   of wait.check_options()
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, cloud66.Error? err
function wait.run(endpoint, target, options)
  local self = target
  if self.digits == false then
    return errors.fail("decode", "the API sent this deployment without an 'id' that can be read: it cannot be asked for")
  end
  self.of_action = self.digits == nil
  self.match = not self.of_action and "exact" or nil
  self.endpoint = endpoint
  self.started = scheduler.now()
  self.deadline = math.min(self.started + (options.timeout or wait.TIMEOUT), scheduler.deadline(), endpoint.deadline)
  self.patience = patience.new(endpoint.api, self.deadline, options.stop)
  self.interval, self.require_live = options.interval, options.require_live
  self.on_change, self.on_poll = options.on_change, options.on_poll
  self.polls, self.misses, self.candidates = 0, 0, 0
  return run(self)
end

return wait
