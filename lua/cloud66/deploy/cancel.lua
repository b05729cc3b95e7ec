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
local value = require "cloud66.base.value"
local wait = require "cloud66.deploy.wait"

local cancel = {}

-- The wait is for its end alone, which is not to be live.
local OPTIONS = args.union(deploy_options.WAIT, { wait = args.boolean })
OPTIONS.require_live = nil

---@param what any      a deployment or its id
---@param given table?  the caller's
---@return string|false digits, boolean? waits, table? wait_options  # false: the API sent no id that can be read
function cancel.check_options(what, given)
  local id = what
  if core.is_deployment(what) then
    id = what.id
    if id == nil then
      return false
    end
  elseif type(what) == "table" then
    caller.blame "cancel() needs a deployment or its id; wait() for what redeploy() returned, or find it in stack:deployments()"
  end
  local digits = args.id(id)
  local checked = args.options(given, OPTIONS)
  local waits = checked.wait or false
  checked.wait = nil
  if not waits and next(checked) ~= nil then
    caller.blame("option '%s' goes with wait = true", (next(checked)))
  end
  return digits, waits, checked
end

-- Whether it has ended: true, "finished", deployment; false; or nil, message, err.
local function has_finished(endpoint, digits)
  local deployment, message, err = endpoint:deployment(digits)
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
  local got, message, err = endpoint:cancel(digits)
  if not got then
    return nil, message, err
  end
  local ok
  ok, message, err = read_response(got)
  if ok == false then
    return errors.fail("refused", ("the API does not cancel deployment %s: %s"):format(digits, message))
  end
  return ok, message, err
end

-- How a wait ends for a deployment that has ended without success.
local ENDED_OTHERWISE = { cancelled = true, deploy_failed = true, unknown_outcome = true }

---@param endpoint table  of endpoint.new()
---@return true|nil ok, string state_or_message, cloud66.Deployment|cloud66.Error|nil  # see stack:cancel()
function cancel.run(endpoint, digits, waits, options)
  if not digits then
    return errors.fail("decode", "the API sent this deployment without an 'id' that can be read: it cannot be cancelled")
  end
  if waits then
    endpoint = endpoint:by(host.now() + (options.timeout or deploy_options.TIMEOUT))
  end
  local finished, state, deployment = has_finished(endpoint, digits)
  if finished ~= false then
    return finished, state, deployment
  end
  local ok, message, err = send(endpoint, digits)
  if not ok then
    finished, state, deployment = has_finished(endpoint, digits) -- it may have ended meanwhile, or the response alone is lost
    if finished then
      return true, state, deployment
    end
    return nil, message, err
  elseif not waits then
    return true, "cancelling"
  end
  local ended
  ended, message, err = wait.run(endpoint, { digits = digits }, options)
  if ended then
    return true, "finished", ended -- it was faster
  elseif ENDED_OTHERWISE[err.kind] then
    return true, "cancelled", err.last
  end
  return nil, message, err
end

return cancel
