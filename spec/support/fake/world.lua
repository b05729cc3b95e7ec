-- What writing changes. A world is a name: deployments that were asked for by POST, the actions these made, what a spec
-- has put there besides, and a clock. Nothing happens by itself: each request computes what has come of it by then.
-- luacheck: globals ngx
local calendar = require "spec.support.fake.calendar"
local data = require "spec.support.data"
local lag = require "spec.support.fake.lag"
local random = require "spec.support.fake.random"

local world = {}

local USER = "ci@awesome.example"
local CANCEL_TAKES, ACTION_AFTER = 2, 1 -- seconds

local worlds = {}
local last_id, dice = 900000, random.new(66)

local function next_id()
  last_id = last_id + 1
  return last_id
end

-- What the spec says of it now, and how far its clock is ahead: see fake.world() in ../fake.lua.
local function settings_of(name)
  if name == "" then
    return {}, 0
  end
  local path = ngx.config.prefix() .. "world-" .. name
  local chunk, file = loadfile(path .. ".lua"), io.open(path .. ".offset")
  local offset = file and tonumber((file:read "*l")) or 0
  if file then
    file:close()
  end
  return chunk and chunk() or {}, offset
end

---The world of a request. Sets x.world {now, offset, settings, jobs and cancelled (both by stack), turns, lag_live}.
function world.enter(x)
  local name = x.values.world or ""
  worlds[name] = worlds[name] or { jobs = {}, cancelled = {}, turns = {} }
  local settings, offset = settings_of(name)
  x.world = {
    jobs = worlds[name].jobs,
    cancelled = worlds[name].cancelled,
    turns = worlds[name].turns,
    lag_live = x.values.lag_live or 0,
    settings = settings,
    offset = offset,
    now = math.floor(ngx.time() + offset),
  }
end

local function copy(model)
  local made = {}
  for key, value in pairs(model) do
    made[key] = value
  end
  return made
end

-- When the deployment ends that was cancelled, and how: {at, as}.
local function cancellation(w, stack, id)
  return (w.cancelled[stack] or {})[id]
end

-- A copy of a deployment that no POST made, as cancelling had left it at that moment.
local function as_cancelled(w, stack, model, at)
  local made, stop = copy(model), cancellation(w, stack, model.id)
  if stop and stop.at <= at and not made.finished_time then
    made.world, made.is_deploying, made.outcome = true, false, stop.as or "failed"
    made.finished_time, made.finished_at = stop.at, calendar.text(stop.at)
  end
  return made
end

-- Without a lag all are there, also those that a spec has dated in the future.
local function extras_of(w, stack, at)
  local list = {}
  for _, extra in ipairs((w.settings.deployments or {})[stack] or {}) do
    local model = as_cancelled(w, stack, extra, at)
    model.world = true
    list[#list + 1] = at < w.now and lag.deployment(model, at) or at >= w.now and model or nil
  end
  return list
end

-- --- a job: what one POST started ---

local function previous_end(jobs, job)
  local latest = 0
  for _, other in ipairs(jobs) do
    if other == job then
      return latest
    elseif other.ends ~= "none" then
      latest = math.max(latest, other.ended or math.huge)
    end
  end
end

local function blocked_until(w, stack, job)
  local latest = previous_end(w.jobs[stack], job)
  for _, extra in ipairs(extras_of(w, stack, w.now)) do
    if extra.blocks then
      latest = math.max(latest, extra.finished_time or math.huge)
    end
  end
  return latest
end

-- Brings a job up to the world's clock.
local function advance(w, stack, job)
  local usual = job.accepted + job.queue
  if job.ends == "none" then
    job.action_ended = usual + job.takes
    return
  end
  if not job.started then
    local start = math.max(usual, blocked_until(w, stack, job), job.waited_at or 0)
    if start > w.now then
      job.waited_at = w.now -- who has been told that it waits is not told later that it had started by then
      return
    end
    job.started = start
  end
  if not job.ended then
    local ended = job.ends == "never" and math.huge or job.started + job.takes
    local ends, message = job.ends, job.message
    local stop = cancellation(w, stack, job.id)
    if stop and stop.at < ended then
      ended, ends, message = stop.at, stop.as or job.cancel_as, "Deployment was cancelled"
    end
    if ended <= w.now then
      job.ended, job.action_ended = ended, ended + ACTION_AFTER
      job.ends, job.message = ends, message
    end
  end
  if job.action_ends == "early" then
    job.action_ended = job.started
  end
end

local function jobs_of(w, stack)
  local found = {}
  for _, job in ipairs(w.jobs[stack] or {}) do
    if job.accepted <= w.now then
      advance(w, stack, job)
      found[#found + 1] = job
    end
  end
  return found
end

-- --- as deployments ---

local function model_of(job, at)
  local ended = job.ended ~= nil and job.ended <= at
  return {
    world = true,
    id = job.id,
    triggered_by = job.person,
    triggered_via = "api",
    started_at = calendar.text(job.started),
    started_time = job.started,
    finished_at = ended and calendar.text(job.ended) or nil,
    finished_time = ended and job.ended or nil,
    outcome = ended and job.ends or "pending",
    git_hash = job.git_hash,
    git_ref = job.git_ref,
    deploy_session = "world" .. job.id,
    deploy_type = "redeploy",
    is_deploying = not ended,
    commit_url = "https://github.com/cloud66-samples/awesome-app/commit/" .. job.git_hash,
  }
end

local function newer(a, b)
  if a.started_time ~= b.started_time then
    return a.started_time > b.started_time
  end
  return a.id > b.id
end

-- The latest success that had been over for long enough by that moment.
local function live_of(list, at)
  local live
  for _, model in ipairs(list) do
    if model.world and model.outcome == "success" and model.finished_time and model.finished_time <= at
      and (not live or model.finished_time > live.finished_time) then
      live = model
    end
  end
  return live
end

---The deployments of a stack, newest first, as they are, or were at that moment: plain models, as in the data.
function world.deployments(w, stack, at)
  at = at or w.now
  local added = {}
  for _, job in ipairs(jobs_of(w, stack)) do
    if job.started and job.started <= at then
      added[#added + 1] = model_of(job, at)
    end
  end
  for _, extra in ipairs(extras_of(w, stack, at)) do
    added[#added + 1] = extra
  end
  local history = data.deployments(stack)
  if #added == 0 and not w.cancelled[stack] then
    return history
  end
  table.sort(added, newer)
  for _, model in ipairs(history) do -- below what is new in this world, also where the clock is behind the data
    added[#added + 1] = as_cancelled(w, stack, model, at)
  end
  local live = live_of(added, w.lag_live > 0 and at - w.lag_live or math.huge)
  for i, model in ipairs(added) do
    model.is_head = i == 1
    if live then
      model.is_live = model == live
    end
  end
  return added
end

---The stack's status once something was deployed in this world, or nil.
function world.status(w, stack)
  local status
  for _, model in ipairs(world.deployments(w, stack)) do
    if model.world and model.is_deploying then
      return 6
    elseif model.world then
      status = status or model.outcome == "success" and 1 or 2
    end
  end
  for _, job in ipairs(jobs_of(w, stack)) do
    if not job.started and (job.ends ~= "none" or job.action_ended > w.now) then
      return 5
    end
  end
  return status
end

-- --- as actions ---

local MESSAGES = { [true] = "Completed successfully", [false] = "Deployment failed: could not build the image" }

local function message_of(job, success)
  if job.message == nil then
    return MESSAGES[success]
  end
  return job.message
end

local function action_of(job, at)
  local ended = job.action_ended and job.action_ended <= at and job.action_ends ~= "never"
  local success
  if ended and job.action_ends ~= "missing" then
    success = job.ends == "success" or job.ends == "none"
    if job.action_ends ~= "as_deployment" and job.action_ends ~= "early" then
      success = job.action_ends == "success"
    end
  end
  return {
    id = job.action_id,
    user = job.user,
    started_time = job.accepted,
    finished_time = ended and job.action_ended or nil,
    finished_success = success,
    finished_message = ended and message_of(job, success) or nil,
    user_reference = job.user_reference,
    git_ref = job.git_ref,
    made = job.started and job.started <= at and { deploy_session = "world" .. job.id, git_hash = job.git_hash, servers_deployed = 1 } or nil,
  }
end

---The actions of a stack, newest first, as they are, or were at that moment: {id, user, started_time, finished_time,
---finished_success, finished_message, user_reference, finished_result, made}.
function world.actions(w, stack, at)
  at = at or w.now
  local list = {}
  for _, job in ipairs(jobs_of(w, stack)) do
    if job.accepted <= at then
      list[#list + 1] = action_of(job, at)
    end
  end
  for _, extra in ipairs((w.settings.actions or {})[stack] or {}) do
    local action = copy(extra)
    list[#list + 1] = at < w.now and lag.action(action, at) or at >= w.now and action or nil
  end
  table.sort(list, newer)
  return list
end

-- --- writing ---

local function hash_of(ref)
  if ref and #ref >= 7 and not ref:find "%X" then
    return ref:rep(6):sub(1, 40)
  end
  return dice.hex(40)
end

-- In the order in which they are accepted: what comes late is behind what came later and was accepted at once.
local function enqueue(w, stack, job)
  jobs_of(w, stack) -- else what has ended by now, unseen, would still be waited for
  local list = w.jobs[stack] or {}
  local place = #list + 1
  while place > 1 and list[place - 1].accepted > job.accepted do
    place = place - 1
  end
  table.insert(list, place, job)
  w.jobs[stack] = list
end

---Starts a deployment. asked: what the POST said {git_ref, user_reference}.
---@return table job, boolean waits  # whether it has to wait for another one
function world.redeploy(x, stack, asked)
  local w, values = x.world, x.values
  local job = {
    id = next_id(),
    action_id = next_id(),
    user = values.user or USER,
    person = values.person or values.user or USER,
    accepted = w.now + (values.late or 0),
    queue = values.queue or 5,
    takes = values.takes or 60,
    ends = values.ends or "success",
    action_ends = values.action_ends or "as_deployment",
    message = values.action_message,
    cancel_as = values.cancel_as or "failed",
    git_ref = asked.git_ref or "main",
    git_hash = hash_of(asked.git_ref),
    user_reference = asked.user_reference,
  }
  if job.message == "null" then
    job.message = false
  end
  enqueue(w, stack, job)
  return job, blocked_until(w, stack, job) > w.now
end

---Cancels a deployment, whoever made it: "running", "finished", or nil where there is none.
function world.cancel(x, stack, id)
  local w = x.world
  for _, model in ipairs(world.deployments(w, stack)) do
    if (x.id_text or tostring)(model.id) == id then
      if model.finished_at then
        return "finished"
      elseif not cancellation(w, stack, model.id) then
        w.cancelled[stack] = w.cancelled[stack] or {}
        w.cancelled[stack][model.id] = { at = w.now + CANCEL_TAKES, as = x.values.cancel_as }
      end
      return "running"
    end
  end
end

return world
