-- Makes up the deployment history of a stack: a team that works on weekdays, pushes more than it clicks, breaks things
-- on Friday afternoons and now and then goes back.
local calendar = require "spec.support.fake.calendar"
local fields = require "spec.support.fields"
local random = require "spec.support.fake.random"

local history = {}

local people = { "maria@awesome.example", "tom@awesome.example", "li.wei@awesome.example", "oluwaseun@awesome.example" }
local machines = { hook = { "github", "gitlab-mirror" }, api = { "ci@awesome.example", "release-bot" } }
local minutes = { build = { 6, 25 }, redeploy = { 3, 15 }, scale = { 2, 5 }, first_build = { 22, 25 }, revert = { 2, 6 } }
local shortest_gap = 45 * 60 -- longer than any deployment, so that none overlap

local function working_moment(rnd, from, to)
  while true do
    local day = (math.floor(from / 86400) + rnd.below(math.floor((to - from) / 86400))) * 86400
    local weekend = calendar.weekday(day) >= 6
    local moment = day + rnd.between(8, 17) * 3600 + rnd.below(3600)
    if rnd.chance(5) then
      moment = day + rnd.between(18, 22) * 3600 + rnd.below(3600)
    end
    if moment > from and moment < to - 4 * shortest_gap and (not weekend or rnd.chance(12)) then
      return moment
    end
  end
end

-- Oldest first; the first and the last moment are the plan's own.
local function moments(rnd, plan)
  local list = { plan.from }
  for i = 2, plan.count - 1 do
    list[i] = working_moment(rnd, plan.from, plan.to)
  end
  list[plan.count] = plan.to
  table.sort(list)
  for i = 2, plan.count do
    list[i] = math.max(list[i], list[i - 1] + shortest_gap)
    if plan.script[i] and plan.script[i].deploy_type == "revert" then
      list[i] = list[i - 1] + shortest_gap + rnd.below(600) -- somebody noticed within the hour
    end
  end
  return list
end

local function usual_type(rnd)
  local dice = rnd.below(100)
  return dice < 74 and "build" or dice < 92 and "redeploy" or "scale"
end

local function usual_trigger(rnd, deploy_type)
  local dice = rnd.below(100)
  if deploy_type == "build" then
    return dice < 68 and "hook" or dice < 86 and "web" or "api"
  end
  return dice < 60 and "web" or "api"
end

local function usual_outcome(rnd, start, deploy_type)
  local friday_afternoon = calendar.weekday(start) == 5 and calendar.hour(start) >= 14
  local risk = friday_afternoon and 55 or deploy_type == "scale" and 4 or 13
  return rnd.chance(risk) and "failed" or "success"
end

local function author(rnd, via)
  if via == "web" then
    return rnd.pick(people)
  end
  return rnd.pick(machines[via])
end

-- The newest success before `index` whose commit is not `other_than`.
local function last_success(list, index, other_than)
  for i = index - 1, 1, -1 do
    local d = list[i]
    if d.outcome == "success" and not d.reverted and d.git_hash ~= other_than then
      return i, d
    end
  end
end

-- What is on the servers again after a redeploy or scale, or the commit a revert goes back to.
local function source_commit(list, index, deploy_type)
  local _, on_servers = last_success(list, index)
  if deploy_type == "revert" then
    return last_success(list, index, on_servers.git_hash)
  end
  return nil, on_servers
end

local function mark_reverted(list, from, to)
  local revert = list[to]
  for i = from, to - 1 do
    local d = list[i]
    if d.outcome == "success" and not d.reverted then
      d.reverted, d.reverted_by, d.reverted_at = true, revert.triggered_by, revert.finished_at
    end
  end
end

local function add(rnd, plan, list, index, start)
  local fixed = plan.script[index] or {}
  local deploy_type = fixed.deploy_type or usual_type(rnd)
  local via = fixed.triggered_via or usual_trigger(rnd, deploy_type)
  local d = {
    id = (index == 1 and plan.first_id or list[index - 1].id) + rnd.between(1, 29),
    triggered_by = author(rnd, via),
    triggered_via = via,
    started_at = calendar.text(start),
    started_time = start,
    outcome = fixed.outcome or usual_outcome(rnd, start, deploy_type),
    git_hash = rnd.hex(40),
    git_ref = fixed.git_ref or rnd.pick(plan.branches),
    deploy_session = rnd.alphanumeric(10),
    deploy_type = deploy_type,
    is_head = false,
    is_live = false,
    reverted = false,
    is_deploying = false,
    snapshot_uuid = rnd.uuid(),
  }
  list[index] = d
  local range = minutes[deploy_type]
  local duration = rnd.between(range[1] * 60, range[2] * 60 - 1)
  if d.outcome == "pending" then
    d.is_deploying = true
  else
    d.duration, d.finished_time = duration, start + duration
    d.finished_at = calendar.text(d.finished_time)
  end
  if deploy_type ~= "build" and deploy_type ~= "first_build" then
    local back, source = source_commit(list, index, deploy_type)
    d.git_hash, d.git_ref = source.git_hash, source.git_ref
    if back then
      mark_reverted(list, back + 1, index)
    end
  end
  d.commit_url = plan.repository .. "/commit/" .. d.git_hash
  for _, row in ipairs(fields.rows) do
    if d[row[1]] == nil and row.sample ~= nil then
      d[row[1]] = row.sample
      if row.seconds then
        d[fields.seconds_name(row[1])] = row.seconds
      end
    end
  end
end

---Deployments as plain tables, newest first. The plan has seed, count, first_id, from, to (Unix seconds of the first and
---the last start), repository, branches, and script: position counted from the oldest -> the fields that are not left to
---chance.
function history.generate(plan)
  local rnd = random.new(plan.seed)
  local list = {}
  for index, start in ipairs(moments(rnd, plan)) do
    add(rnd, plan, list, index, start)
  end
  if plan.count > 0 then
    local _, live = last_success(list, plan.count + 1)
    live.is_live = true
    list[plan.count].is_head = true
  end
  local newest_first = {}
  for i = plan.count, 1, -1 do
    newest_first[#newest_first + 1] = list[i]
  end
  return newest_first
end

return history
