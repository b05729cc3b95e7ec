-- redeploy and wait in worlds made by chance: races, views that are behind, responses that are lost, processes that are killed. What
-- they say is compared with what is true in the world.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
local random_from = require "spec.support.random_from"
local thorough = require "spec.support.thorough"

local FIRST, COUNT = thorough and 1 or 1000, thorough and 200 or 10

local REFERENCE = "job-1"
local KILLED = {}

local function one_of(random, list)
  return list[random(#list) + 1]
end

-- --- the world ---

local function random_lags(random)
  local lags = {}
  for _, name in ipairs { "lag_deployments", "lag_deployment", "lag_actions", "lag_action" } do
    if random(2) == 0 then
      lags[name] = 1 + random(6)
    end
  end
  lags.lag_turns = next(lags) and random(3) == 0 and "yes" or nil
  return lags
end

local function random_job(random)
  return {
    queue = one_of(random, { 0, 3, 20, 90 }), takes = one_of(random, { 2, 15, 60, 200 }),
    ends = one_of(random, { "success", "success", "success", "failed", "cancelled", "none" }),
    action_ends = one_of(random, { "as_deployment", "as_deployment", "as_deployment", "failed", "success" }),
    action_message = one_of(random, { "null", "Cancelled by user", "No such branch" }),
    user = one_of(random, { "ci@awesome.example", "ci@awesome.example", "somebody@awesome.example" }),
    person = random(4) == 0 and one_of(random, { "The CI", "ci@other.example" }) or nil,
  }
end

-- What is the same for every view of the world.
local function random_shape(random)
  return {
    redeploy = one_of(random, { "new", "new", "queued", "old", "starting", "scheduled", "only_queued" }),
    model = random(3) == 0 and "short" or nil, link = random(4) == 0 and "yes" or nil,
    page_size = random(4) == 0 and 3 or nil, unfiltered = random(4) == 0 and "yes" or nil,
  }
end

local function client_of(world, scenario)
  return expect.connect(merged(scenario, { world = world.name }))
end

-- Other people's doings, seconds after the beginning.
local function random_rivals(random, world, shape)
  local moments = {}
  for i = 1, random(3) do
    local job, ref = random_job(random), one_of(random, { "main", "main", "other" })
    moments[random(120) + i / 10] = function()
      assert(client_of(world, merged(shape, merged({ redeploy = "new" }, job))):stack(fake.stacks.staging):redeploy { git_ref = ref })
    end
  end
  if random(3) == 0 then
    moments[random(60)] = function()
      world:add_deployment("staging", { triggered_via = one_of(random, { "web", "hook" }) })
    end
  end
  return moments
end

-- --- one program ---

-- Redeploys and waits as a CI job does; what it said.
local function program(stack, options, said)
  local result, message, err = stack:redeploy { git_ref = "main", user_reference = REFERENCE }
  said.result = result
  if result then
    said.deployment, message, err = stack:wait(result, options)
  end
  said.message, said.err, said.done = message, err, true
end

-- Runs it; where it is killed its successor begins once the views have caught up.
local function run(random, world, shape, moments)
  local said, passed = { shown = {} }, 0
  local kill_at = random(4) == 0 and 2 + random(100) or nil
  local act = clock.at(moments)
  local function on_sleep(seconds)
    passed = passed + seconds
    act(seconds)
    if kill_at and passed >= kill_at then
      kill_at = nil
      error(KILLED, 0)
    end
  end
  local job = random_job(random)
  local scenario = merged(shape, merged(job, random_lags(random)))
  if random(4) == 0 then
    scenario.cut, scenario.on = "head", "redeploy"
  end
  said.scenario = scenario
  local options = { timeout = 3000, on_change = function(deployment)
    said.shown[#said.shown + 1] = deployment
  end }
  while not said.done do
    local ok, problem = pcall(clock.run, world, function()
      program(client_of(world, scenario):stack(fake.stacks.staging), options, said)
    end, on_sleep, 2)
    if not ok and problem ~= KILLED then
      error(problem, 0)
    elseif not ok then
      world:advance(10)
    end
  end
  return said
end

-- --- the truth ---

-- The action with our reference, and the id of the deployment that it made, once all is over.
local function truth_of(world)
  local stack = client_of(world, { link = "yes" }):stack(fake.stacks.staging)
  for _ = 1, 9 do -- the fake computes as it is asked
    world:advance(400)
    assert(stack:page(1))
  end
  local actions = assert(stack:actions({ user_reference = REFERENCE }):collect())
  local action = actions[1]
  local made = action and type(action.finished_result) == "table" and action.finished_result.deploy_session
  return { count = #actions, action = action, id = made and made:match "%d+" or nil }
end

local ENDS = { deploy_failed = true, cancelled = true, unknown_outcome = true }

-- What is wrong with what was said; nil: nothing.
local function problem_of(said, truth)
  local err, deployment = said.err, said.deployment
  local shown = deployment or err and err.last
  if truth.count ~= 1 then
    return ("%d deployments instead of one"):format(truth.count)
  elseif shown and tostring(shown.id) ~= truth.id then
    return ("%s is shown, ours is %s"):format(tostring(shown), tostring(truth.id))
  elseif deployment and not (deployment.is_success and truth.action.finished_success) then
    return "a success that is none"
  elseif not deployment and ENDS[err.kind] and truth.action.finished_success and said.scenario.ends == "success" then
    return "a failure that is none"
  elseif not deployment and err.kind == "unmatched" and not (err.action_succeeded and err.exit_code == 0
    and truth.action.finished_success) then
    return "unmatched, though the action has not succeeded"
  elseif not deployment and not ENDS[err.kind] and err.kind ~= "unmatched" then
    return "no end"
  end
  for _, seen in ipairs(said.shown) do
    if tostring(seen.id) ~= truth.id then
      return ("on_change showed %s, ours is %s"):format(tostring(seen), tostring(truth.id))
    end
  end
  return nil
end

local function described(seed, said, truth, problem)
  local parts = {}
  for name, value in pairs(said.scenario) do
    parts[#parts + 1] = name .. "=" .. tostring(value)
  end
  table.sort(parts)
  return ("world %d: %s\n  said: %s\n  true: %s, deployment %s\n  %s"):format(seed, problem,
    tostring(said.deployment or said.message), tostring(truth.action), tostring(truth.id), table.concat(parts, " "))
end

describe("in a world made by chance", function()
  it("one reference is one deployment, and what is said of it is true", function()
    local kinds = {}
    for seed = FIRST, FIRST + COUNT - 1 do
      local random = random_from(seed * 7919)
      random(2)
      local world, shape = fake.world(), random_shape(random)
      local said = run(random, world, shape, random_rivals(random, world, shape))
      local truth = truth_of(world)
      local problem = problem_of(said, truth)
      assert(not problem, problem and described(seed, said, truth, problem))
      local kind = said.deployment and "success" or said.err.kind
      kinds[kind] = (kinds[kind] or 0) + 1
    end
    if thorough then -- they were worlds of every kind
      for _, kind in ipairs { "success", "deploy_failed", "cancelled", "unmatched" } do
        assert.is_true((kinds[kind] or 0) >= 5, kind)
      end
    end
  end)
end)
