-- estimate.lua: how long a stack's deployments usually take, from its own history, and when one is expected to end.

local errors = require "cloud66.base.error"
local number = require "cloud66.base.number"

local estimate = {}

local FEWEST = 3 -- successes of a type: fewer are no base for an estimate

---The durations of the successes in a list of deployments, seconds: type -> { p50 =, p90 =, count = }, and `any` for all
---of them together.
---@param deployments table|userdata  anything with # and [i]
---@return table
function estimate.durations(deployments)
  local lists = { any = {} }
  for i = 1, #deployments do
    local deployment = deployments[i]
    local duration, kind = deployment.duration, deployment.deploy_type
    if deployment.is_success and duration then
      table.insert(lists.any, duration)
      if kind then
        lists[kind] = lists[kind] or {}
        table.insert(lists[kind], duration)
      end
    end
  end
  local durations = {}
  for kind, list in pairs(lists) do
    if #list >= FEWEST then
      table.sort(list)
      durations[kind] = { p50 = number.percentile(list, 50), p90 = number.percentile(list, 90), count = #list }
    end
  end
  return durations
end

local SHORTEST, LONGEST, UNKNOWN = 5, 60, 15 -- seconds

---How often to poll a deployment: ten times in its usual duration.
---@param durations? table  of estimate.durations()
---@return number seconds
function estimate.interval(durations)
  local any = durations and durations.any
  return any and math.max(SHORTEST, math.min(LONGEST, any.p50 / 10)) or UNKNOWN
end

---When a deployment should end, and whether it takes longer than nine in ten of its type did.
---@param deployment cloud66.Deployment
---@param durations table   of estimate.durations()
---@param now number        Unix seconds
---@param show fun(text: string): string  the redactor of the response that they are from
---@return number|nil expected_end, boolean|string overdue_or_message, cloud66.Error? err  # Unix seconds
function estimate.eta(deployment, durations, now, show)
  if deployment.is_finished and deployment.finished_time then
    return deployment.finished_time, false
  elseif not deployment.started_time then
    return errors.fail("none", show(("%s has no start to count from"):format(tostring(deployment))))
  end
  local own = deployment.deploy_type and durations[deployment.deploy_type]
  if not own then
    return errors.fail("none", show(("fewer than %d of the newest deployments are successes of type %s: no usual duration")
      :format(FEWEST, tostring(deployment.deploy_type))))
  end
  return deployment.started_time + own.p50, now > deployment.started_time + own.p90
end

return estimate
