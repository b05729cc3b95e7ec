-- attempts.lua: a call's attempts within its time, and the wait for a throttled account outside of it.

local backoff = require "cloud66.http.backoff"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local host = require "cloud66.runtime.host"
local random = require "cloud66.base.random"
local tasks = require "cloud66.runtime.tasks"
local wait = require "cloud66.runtime.wait"

local attempts = {}

local SLICE = 1 -- seconds: how long the end of the client or of the process may go unseen

-- Whether it slept so long: neither a closed client nor an nginx worker that is to end waits for another attempt.
local function sleep(api, seconds)
  local wake = host.now() + seconds
  while not api.closed and not wait.is_exiting() do
    local left = wake - host.now()
    if left <= 0 then
      return true
    end
    wait.sleep(math.min(left, SLICE), api)
  end
  return api.closed -- which the loops below report
end

local function report(api, name, call, err, pause)
  hooks.call(api.settings.on, name, {
    method = call.method, url = call.address, request_id = err.request_id, attempt = call.attempts, err = err,
    retry_after = err.retry_after, retry_after_estimated = err.retry_after_estimated, pause = pause,
  })
end

-- Refused on this side, so that nothing was sent: it is not tried again within the call's time.
local function is_refused(err)
  return err.kind == "throttled" and err.unsent
end

-- The failure that a call ends with, after so many attempts. The last may have had next to no time: what the one before met
-- tells more.
local function failure_of(call, err, before)
  err.attempts = call.attempts
  if call.attempts > 1 and err.kind == "timeout" and before and before.kind ~= "timeout" then
    err.cause = before
    errors.append(err, (" [%d attempts; the one before: %s]"):format(call.attempts, before.message))
  elseif call.attempts > 1 then
    errors.append(err, (" [%d attempts]"):format(call.attempts))
  end
  return err.message, err
end

-- The pause before the next attempt, which is reported to the hooks; nil where there is none.
local function next_pause(api, call, err)
  if is_refused(err) then
    report(api, "throttle", call, err)
    return nil
  end
  local retries, pause = api.settings.retries, nil
  call.failures = call.failures + 1
  if call.failures < retries.attempts then
    pause = backoff.backoff(call.failures, retries, random.uniform)
    if err.retry_after and not err.retry_after_estimated then
      pause = math.max(pause, err.retry_after)
    end
    pause = host.now() + pause < call.deadline and pause or nil
  end
  if err.kind == "throttled" then
    report(api, "throttle", call, err, pause)
  end
  if pause then
    report(api, "retry", call, err, pause)
  end
  return pause
end

---call -> response; or nil, message, err, and the last response where its status was an error. Tries again what may pass
---by itself, but for the throttling that throttle() waits for.
---@param api table  of api.new()
---@param send function  the layer below
function attempts.retry(api, send)
  local total = api.settings.timeout.total
  return function(call)
    call.deadline = math.min(call.started + total, tasks.deadline(), call.latest)
    while not api.closed do
      call.attempts = call.attempts + 1
      local got, message, err, failed = send(call)
      local before = call.before
      if got then
        return got
      elseif before and err.kind == "timeout" and err.unsent then -- no time was left for another: the last one tells more
        call.attempts = call.attempts - 1
        message, err = failure_of(call, before)
        return nil, message, err
      elseif is_refused(err) then
        call.attempts = call.attempts - 1
      end
      err.attempts, call.before = call.attempts, err
      local may_pass = backoff.is_passing(call.method, err)
      if may_pass and call.waits and err.kind == "throttled" then
        return nil, message, err, failed -- to throttle()
      end
      local pause = may_pass and next_pause(api, call, err)
      if not (pause and sleep(api, pause)) then
        message, err = failure_of(call, err, before)
        return nil, message, err, failed
      end
    end
    return api.aborted()
  end
end

-- The pause before a throttled call is sent again; nil where it would be too long.
local function throttle_pause(settings, call, err, throttled, waited)
  local left, pause = settings.throttle_wait - waited, err.retry_after
  if err.retry_after_estimated then
    pause = math.min(left, backoff.throttle_pause(throttled, pause, random.uniform))
  end
  if left <= 0 or pause > left or host.now() + pause >= math.min(tasks.deadline(), call.latest) then
    return nil
  end
  return pause
end

---call -> response; or nil, message, err. Waits until a throttled account is served again: that time is not the call's,
---but it is its caller's.
---@param api table  of api.new()
---@param send function  the layer below
function attempts.throttle(api, send)
  local settings = api.settings
  if settings.on_throttle ~= "wait" then
    return send
  end
  return function(call)
    local throttled, waited, waited_for = 0, 0, nil
    while not api.closed do
      call.waits = true
      local got, message, err = send(call)
      -- One that was waited for comes again where no time was left to send another.
      if got or err == waited_for or err.kind ~= "throttled" or not backoff.is_passing(call.method, err) then
        return got, message, err
      end
      throttled, waited_for = throttled + 1, err
      local pause = throttle_pause(settings, call, err, throttled, waited)
      report(api, "throttle", call, err, pause)
      if not (pause and sleep(api, pause)) then
        message, err = failure_of(call, err)
        return nil, message, err
      end
      waited, call.started = waited + pause, call.started + pause
    end
    return api.aborted()
  end
end

return attempts
