-- cancel.lua: cancels a deployment that runs; one that has ended by then needs no cancelling.
--
-- https://developers.cloud66.com/#cancel-a-deployment

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local deploy_options = require "cloud66.deploy.options"
local host = require "cloud66.runtime.host"
local outcome = require "cloud66.deploy.outcome"
local poll_loop = require "cloud66.resource.poll_loop"
local undone = require "cloud66.http.undone"
local value = require "cloud66.base.value"
local wait = require "cloud66.deploy.wait"

local cancel = {}

-- The wait is for its end alone, which is not to be live.
local OPTIONS = args.union(deploy_options.WAIT, { wait = args.boolean })
OPTIONS.require_live = nil

---@param what any      a deployment or its id
---@param given table?  the caller's
---@return table target, boolean? waits, table? wait_options  # target: see options.target()
function cancel.check_options(what, given)
  if type(what) == "table" then
    caller.blame "cancel() needs a deployment or its id; wait() for what redeploy() returned, or find it in stack:deployments()"
  end
  local target = core.is_deployment(what) and deploy_options.target(what) or { digits = args.id(what) }
  local checked = args.options(given, OPTIONS)
  local waits = checked.wait or false
  checked.wait = nil
  if not waits and next(checked) ~= nil then
    caller.blame("option '%s' goes with wait = true", (next(checked)))
  end
  return target, waits, checked
end

local PAUSES = { 1, 2, 4, 8, 15 } -- seconds before a 404 for a deployment that was seen is believed: outcome.PATIENCE in all

-- Whether it has ended: true, "finished", deployment; false; or nil, message, err.
local function has_finished(endpoint, target, loop)
  local deployment, message, err = endpoint:deployment(target.digits)
  for _, seconds in ipairs(target.was_seen and PAUSES or {}) do
    if deployment or not errors.is_absent(err) or host.now() + seconds >= endpoint.deadline then
      break
    end
    local reason = loop:pause(seconds)
    if reason then
      return errors.fail("aborted", wait.EARLY[reason], { cause = err })
    end
    deployment, message, err = endpoint:deployment(target.digits)
  end
  if not deployment then
    return nil, message, err
  elseif outcome.has_ended(deployment) then
    return true, "finished", deployment
  end
  return false
end

-- Whether the response says that it is being cancelled: true; false and the API's words; nil, message, err.
local function read_response(got)
  local sent, message, err = got:value()
  if not sent then
    return nil, message, err
  elseif value.truth(sent.ok) then
    return true
  end
  return false, type(sent.message) == "string" and got.show(sent.message) or "without a reason"
end

-- Sends the request, once: true; nil, message, err.
local function send(endpoint, digits)
  local got, message, err = endpoint:cancel(digits, deploy_options.change_deadline(endpoint.deadline))
  if not got then
    return nil, message, err
  end
  local ok
  ok, message, err = read_response(got)
  if ok == false then
    return errors.fail("refused", ("the API does not cancel deployment %s: %s"):format(digits, message))
  elseif not ok then
    undone.note(err)
  end
  return ok, message, err
end

-- --- a response that was lost ---

-- What became of a request that failed. One that ended without success after it was cancelled by it, where it may have been
-- carried out.
local function settle(endpoint, target, waits, loop, message, err)
  local may_be_done = not undone.is(err)
  for _, seconds in ipairs(may_be_done and waits and { 0, 1, 2, 4, 8 } or { 0 }) do
    if host.now() + seconds >= endpoint.deadline or loop:pause(seconds) then
      break
    end
    local finished, state, found_or_err = has_finished(endpoint, target, loop)
    if finished then
      return true, may_be_done and not found_or_err.is_success and "cancelled" or state, found_or_err
    elseif finished == nil and errors.is_absent(found_or_err) then
      break -- that was waited out
    end
  end
  return nil, message, err
end

-- --- all of it ---

-- How a wait ends for a deployment that has ended without success.
local ENDED_OTHERWISE = { cancelled = true, deploy_failed = true, unknown_outcome = true }

---@param endpoint table  of endpoint.new()
---@param target table    of cancel.check_options(), and what follows
---@return true|nil ok, string state_or_message, cloud66.Deployment|cloud66.Error|nil  # see stack:cancel()
function cancel.run(endpoint, target, waits, options)
  if not target.digits then
    return errors.fail("decode", "the API sent this deployment without an 'id' that can be read: it cannot be cancelled")
  end
  if waits then
    endpoint = endpoint:by(host.now() + (options.timeout or deploy_options.TIMEOUT))
  end
  local loop = poll_loop.new(endpoint.api, endpoint.deadline, options.stop)
  local finished, state, deployment = has_finished(endpoint, target, loop)
  if finished ~= false then
    return finished, state, deployment
  end
  local ok, message, err = send(endpoint, target.digits)
  if not ok then
    return settle(endpoint, target, waits, loop, message, err)
  elseif not waits then
    return true, "cancelling"
  end
  local ended
  ended, message, err = wait.run(endpoint, { digits = target.digits, was_seen = true }, options)
  if ended then
    return true, "finished", ended -- it was faster
  elseif ENDED_OTHERWISE[err.kind] then
    return true, "cancelled", err.last
  end
  return nil, message, err
end

return cancel
