-- cancel.lua: cancels a deployment that runs; one that has ended by then needs no cancelling.
--
-- https://developers.cloud66.com/#cancel-a-deployment

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local errors = require "cloud66.base.error"
local deploy_options = require "cloud66.deploy.options"
local host = require "cloud66.runtime.host"
local outcome = require "cloud66.deploy.outcome"
local wait = require "cloud66.deploy.wait"

local cancel = {}

-- What the wait for its end may be told besides.
local OPTIONS = { wait = true, timeout = true, interval = true, on_change = true, on_poll = true, stop = true }

---@param what any        a deployment or its id
---@param options table?  the caller's
---@return string|false digits, boolean? waits, table? wait_options  # false: the API sent no id that can be read
function cancel.check_options(what, options, level)
  level = level + 1
  local id = what
  if core.is_deployment(what) and what.id == nil then
    return false
  elseif core.is_deployment(what) then
    id = what.id
  elseif type(what) == "table" then
    error("cancel() needs a deployment or its id; wait() for what redeploy() gave, or find it in stack:deployments()", level)
  end
  local digits = args.id(id, level)
  options = args.options(options, OPTIONS)
  if options.wait ~= nil and type(options.wait) ~= "boolean" then
    error("option 'wait' must be true or false", level)
  end
  local waits = options.wait == true
  options.wait = nil
  if not waits and next(options) ~= nil then
    error(("option '%s' goes with wait = true"):format(tostring(next(options))), level)
  end
  return digits, waits, deploy_options.wait(options, level)
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

-- Whether the answer says that it is being cancelled: true; false and its words; nil, message, err.
local function read_answer(got)
  local value, message, err = got:value()
  if not value then
    return nil, message, err
  elseif value.ok == true or value.ok == "true" then
    return true
  end
  return false, type(value.message) == "string" and got.show(value.message) or "without a reason"
end

-- Asks for it: true; nil, message, err.
local function ask(endpoint, digits)
  local got, message, err = endpoint:cancel(digits)
  if not got then
    return nil, message, err
  end
  local ok
  ok, message, err = read_answer(got)
  if ok then
    return true
  elseif ok == nil then
    return nil, message, err
  end
  return errors.fail("refused", ("the API does not cancel deployment %s: %s"):format(digits, message))
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
  if finished == nil or finished then
    return finished, state, deployment
  end
  local ok, message, err = ask(endpoint, digits)
  if not ok then
    finished, state, deployment = has_finished(endpoint, digits) -- it may have ended meanwhile, or only the answer is lost
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
