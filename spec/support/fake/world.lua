-- What writing changes. A world is a name: deployments that were asked for by POST, the actions these made, what a spec
-- has put there besides, and a clock. Nothing happens by itself: each request computes what has come of it by then.
-- luacheck: globals ngx
local calendar = require "spec.support.fake.calendar"
local data = require "spec.support.data"
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

-- What the spec says of it now: see fake.world() in ../fake.lua.
local function settings_of(name)
  local chunk = name ~= "" and loadfile(ngx.config.prefix() .. "world-" .. name .. ".lua")
  return chunk and chunk() or {}
end

---The world of a request. Sets x.world {name, now, jobs, settings}.
function world.enter(x)
  local name = x.values.world or ""
  worlds[name] = worlds[name] or {}
  local settings = settings_of(name)
  x.world = {
    jobs = worlds[name],
    settings = settings,
    offset = settings.offset or 0,
    now = math.floor(ngx.time() + (settings.offset or 0)),
  }
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
  for _, extra in ipairs((w.settings.deployments or {})[stack] or {}) do
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
    local start = math.max(usual, blocked_until(w, stack, job))
    if start > w.now then
      return
    end
    job.started = start
  end
  if not job.ended then
    local ended = job.ends == "never" and math.huge or job.started + job.takes
    if job.cancelled and job.cancelled + CANCEL_TAKES < ended then
      ended, job.ends = job.cancelled + CANCEL_TAKES, job.cancel_as
      job.message = "Deployment was cancelled"
    end
    if ended <= w.now then
      job.ended, job.action_ended = ended, ended + ACTION_AFTER
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

local function model_of(job)
  local ended = job.ended ~= nil
  return {
    world = true,
    id = job.id,
    triggered_by = USER,
    triggered_via = "api",
    started_at = calendar.text(job.started),
    started_time = job.started,
    finished_at = ended and calendar.text(job.ended) or nil,
    finished_time = job.ended,
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

local function copy(model)
  local made = {}
  for key, value in pairs(model) do
    made[key] = value
  end
  return made
end

local function live_of(list)
  local live
  for _, model in ipairs(list) do
    if model.world and model.outcome == "success" and model.finished_time
      and (not live or model.finished_time > live.finished_time) then
      live = model
    end
  end
  return live
end

---The deployments of a stack, newest first: plain models, as in the data.
function world.deployments(w, stack)
  local added = {}
  for _, job in ipairs(jobs_of(w, stack)) do
    if job.started and job.started <= w.now then
      added[#added + 1] = model_of(job)
    end
  end
  for _, extra in ipairs((w.settings.deployments or {})[stack] or {}) do
    local model = copy(extra)
    model.world = true
    added[#added + 1] = model
  end
  local history = data.deployments(stack)
  if #added == 0 then
    return history
  end
  table.sort(added, newer)
  for _, model in ipairs(history) do
    added[#added + 1] = copy(model)
  end
  local live = live_of(added)
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
  local jobs = jobs_of(w, stack)
  local job = jobs[#jobs]
  if not job then
    return nil
  elseif not job.started then
    return 5
  elseif not job.ended then
    return 6
  end
  return job.ends == "success" and 1 or 2
end

-- --- as actions ---

local MESSAGES = { [true] = "Completed successfully", [false] = "Deployment failed: could not build the image" }

local function action_of(w, job)
  local ended = job.action_ended and job.action_ended <= w.now and job.action_ends ~= "never"
  local success
  if ended and job.action_ends ~= "missing" then
    success = job.ends == "success" or job.ends == "none"
    if job.action_ends ~= "as_deployment" and job.action_ends ~= "early" then
      success = job.action_ends == "success"
    end
  end
  return {
    id = job.action_id,
    user = USER,
    started_time = job.accepted,
    finished_time = ended and job.action_ended or nil,
    finished_success = success,
    finished_message = ended and (job.message or MESSAGES[success]) or nil,
    user_reference = job.user_reference,
  }
end

---The actions of a stack, newest first: {id, user, started_time, finished_time, finished_success, finished_message,
---user_reference}.
function world.actions(w, stack)
  local list = {}
  for _, job in ipairs(jobs_of(w, stack)) do
    list[#list + 1] = action_of(w, job)
  end
  for _, extra in ipairs((w.settings.actions or {})[stack] or {}) do
    list[#list + 1] = copy(extra)
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

---Starts a deployment. asked: what the POST said {git_ref, user_reference}.
---@return table job, boolean waits  # whether it has to wait for another one
function world.redeploy(x, stack, asked)
  local w, values = x.world, x.values
  local job = {
    id = next_id(),
    action_id = next_id(),
    accepted = w.now + (values.late or 0),
    queue = values.queue or 5,
    takes = values.takes or 60,
    ends = values.ends or "success",
    action_ends = values.action_ends or "as_deployment",
    message = values.action_message ~= "null" and values.action_message or nil,
    cancel_as = values.cancel_as or "failed",
    git_ref = asked.git_ref or "main",
    git_hash = hash_of(asked.git_ref),
    user_reference = asked.user_reference,
  }
  w.jobs[stack] = w.jobs[stack] or {}
  table.insert(w.jobs[stack], job)
  return job, blocked_until(w, stack, job) > w.now
end

---Cancels a deployment: "running", "finished", or nil where there is none.
function world.cancel(w, stack, id)
  for _, job in ipairs(jobs_of(w, stack)) do
    if tostring(job.id) == id and job.started then
      if job.ended then
        return "finished"
      end
      job.cancelled = job.cancelled or w.now
      return "running"
    end
  end
  for _, model in ipairs(world.deployments(w, stack)) do
    if tostring(model.id) == id then
      return model.finished_at and "finished" or "running"
    end
  end
end

return world
