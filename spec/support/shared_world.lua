-- A world made by chance in which processes that share a store redeploy the same, one after another or one while another stands still.
-- They are killed anywhere, responses are lost, lists are behind, the store fails. All in one process, in which time passes at once.
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local host = require "cloud66.runtime.host"
local merged = require "spec.support.merged"
local random_from = require "spec.support.random_from"

local shared_world = {}

local REFERENCE = "job-1"

---The commit that ensure() is to make live.
shared_world.HASH = ("abc1234"):rep(6):sub(1, 40)

-- What may happen to a POST; undone: nothing is carried out, and the response says so.
local FATES = {
  {}, {}, {}, {}, { redeploy = "queued" }, { redeploy = "old" }, { redeploy = "only_queued" }, { redeploy = "scheduled_action" },
  { cut = "head", on = "redeploy" }, { cut = "body", on = "redeploy" }, { body = "html", on = "redeploy" },
  { cut = "head", late = 15, on = "redeploy" }, { cut = "head", late = 200, on = "redeploy" },
  { error = "server", on = "redeploy" }, { error = "server", accepted = "yes", on = "redeploy" }, { status = "524", accepted = "yes", on = "redeploy" },
  { error = "forbidden", on = "redeploy", undone = true }, { error = "throttled", on = "redeploy", undone = true },
  { redeploy = "refused", undone = true },
}

local function one_of(random, list)
  return list[random(#list) + 1]
end

-- --- what happens to a process ---

-- A point in its life: a hook of its POST or of its n-th GET, its n-th command to the store, so many seconds of sleep.
local function random_point(random)
  local kind = one_of(random, { "request POST", "response POST", "response POST", "GET", "before", "after", "sleep",
    "before add sent", "before add sent", "after add sent", "after add claim", "before set sent", "after set sent" })
  if kind == "GET" then
    return one_of(random, { "request GET", "response GET" }) .. " " .. 1 + random(6)
  elseif kind == "before" or kind == "after" then
    return kind .. " " .. 1 + random(random(2) == 0 and 10 or 30)
  end
  return kind == "sleep" and kind .. " " .. random(150) or kind
end

local function random_lags(random)
  local lags = {}
  for _, name in ipairs { "lag_deployments", "lag_deployment", "lag_actions", "lag_action" } do
    if random(2) == 0 then
      lags[name] = one_of(random, { 2, 10, 40, 400 })
    end
  end
  lags.lag_turns = next(lags) and random(3) == 0 and "yes" or nil
  return lags
end

-- All that is to come for a process; points: where it is killed, or another one has its turn.
local function random_process(random, world)
  local fate = one_of(random, FATES)
  local process = {
    fate = fate, points = {}, commands = 0, gets = 0, slept = 0, others = 0, undone = fate.undone, tag = fake.fresh_tag(),
    scenario = merged(random(2) == 0 and random_lags(random), fate),
    timeout = random(4) == 0 and one_of(random, { 3, 10, 50, 200 }) or nil, ref = random(12) == 0 and "other" or "main",
    skew = random(5) == 0 and random(100) - 50 or 0,
  }
  process.scenario.undone = nil
  if random(5) == 0 and not (fate.on or fate.redeploy) then
    process.scenario = merged(process.scenario, { error = "server", on = "actions", times = 1 + random(3) }) -- of its looks
  end
  if random(2) == 0 then
    process.points[random_point(random)] = "die"
  end
  if random(2) == 0 then
    process.points[random_point(random)] = "stand"
  end
  if world.may_fail and random(2) == 0 then
    local first = 1 + random(12)
    process.fails = { first = first, last = first + random(4), how = one_of(random, { "raise", "give", "late" }) }
  end
  return process
end

-- --- a world ---

local run_process

local function pass_point(world, process, point)
  local act = process.points[point]
  process.points[point] = nil
  if act == "die" then
    process.died = true
    error("interrupted!", 0)
  elseif act == "stand" then
    run_process(world, world.depth < 3)
  end
end

-- The store of one process.
local function store_of(world, process)
  return setmetatable({}, { __index = function(_, command)
    return function(_, key, ...)
      local real, fails = world.store, process.fails
      process.commands = process.commands + 1
      local n = process.commands
      local name = command .. " " .. key:match "^%l*"
      pass_point(world, process, "before " .. n)
      pass_point(world, process, "before " .. name)
      local is_failure = fails and n >= fails.first and n <= fails.last
      world.is_void = world.is_void or is_failure
      if is_failure and fails.how ~= "late" then
        return fails.how == "raise" and error "gone" or nil, "gone"
      end
      process.marked = process.marked or key:find "^sent" and (command == "add" or command == "set")
      local value, message = real[command](real, key, ...)
      if is_failure then
        error "gone"
      end
      pass_point(world, process, "after " .. n)
      pass_point(world, process, "after " .. name)
      return value, message
    end
  end })
end

local function hook_of(world, process, hook)
  return function(info)
    local point = hook .. " " .. info.method
    if info.method == "GET" then
      process.gets = process.gets + (hook == "request" and 1 or 0)
      point = point .. " " .. process.gets
    elseif hook == "response" then
      process.sent = world.now
    end
    pass_point(world, process, point)
  end
end

local function call(world, process, stack)
  if world.is_ensured then
    return stack:ensure(shared_world.HASH, {
      interval = 5, claim = world.claim, timeout = process.timeout or 3000, user_reference = world.is_own and REFERENCE or nil,
    })
  end
  return stack:redeploy { git_ref = process.ref, user_reference = REFERENCE, claim = world.claim, timeout = process.timeout }
end

-- Runs the next process; others may have had their turn in it.
function run_process(world, may_begin)
  local process = may_begin and table.remove(world.waiting, 1)
  if not process then
    return
  end
  local before = world.current
  world.current, world.depth = process, world.depth + 1
  world.all[#world.all + 1] = process
  process.began = world.now
  local client = expect.connect(merged(world.job, merged(process.scenario, { world = world.fake.name, tag = process.tag })),
    { store = store_of(world, process), budget = false,
      on = { request = hook_of(world, process, "request"), response = hook_of(world, process, "response") } })
  local ok, problem = pcall(function()
    process.result, process.message, process.err = call(world, process, client:stack(fake.stacks.staging))
  end)
  client:close()
  process.ended = world.now
  process.crash = not ok and not (process.died and tostring(problem):find "interrupted!$") and tostring(problem) or nil
  world.current, world.depth = before, world.depth - 1
  if before then
    before.others = before.others + world.now - process.began
  end
end

---Of a seed: { claim, job = how a deployment ends, is_ensured = ensure() instead of redeploy(), ... }.
function shared_world.new(seed)
  local random = random_from(seed * 7919)
  random(2)
  local world = {
    random = random, fake = fake.world(), store = cloud66.store.memory(), now = 0, depth = 0, all = {}, waiting = {},
    claim = one_of(random, { 5, 20, 60, 120 }), is_ensured = random(3) == 0, is_own = random(3) == 0, may_fail = random(4) == 0,
    job = { queue = one_of(random, { 0, 5, 60 }), takes = one_of(random, { 5, 60, 200 }), ends = one_of(random, { "success", "success", "failed" }) },
  }
  world.wipe_at = random(8) == 0 and 1 + random(3) or nil
  for i = 1, 2 + random(4) do
    world.waiting[i] = random_process(random, world)
  end
  return world
end

-- The one that comes last, when all is over but for what the store still holds.
local function last_process()
  return { scenario = {}, fate = {}, points = {}, commands = 0, gets = 0, slept = 0, others = 0, skew = 0, ref = "main", tag = fake.fresh_tag() }
end

local function wait_for_results(world)
  local stack = expect.connect({ world = world.fake.name, link = "yes" }):stack(fake.stacks.staging)
  for _, process in ipairs(world.all) do
    if process.result and not world.is_ensured then
      process.deployment, process.message, process.wait_err = stack:wait(process.result, { timeout = 3000, interval = 20 })
    end
  end
end

local function play(world)
  local random = world.random
  while #world.waiting > 0 do
    if #world.all + 1 == world.wipe_at then
      world.store, world.is_void = cloud66.store.memory(), true
    end
    run_process(world, true)
    host.pass(one_of(random, { 0.01, 1, 7, 30, 130 }))
  end
  if random(2) == 0 then
    host.pass(200)
  end
  world.waiting[1] = last_process()
  run_process(world, true)
  wait_for_results(world)
  host.pass(400)
  local stack = expect.connect({ world = world.fake.name, link = "yes" }):stack(fake.stacks.staging)
  for _ = 1, 6 do
    host.pass(400)
    assert(stack:page(1))
  end
  world.actions = assert(stack:actions({}):collect())
end

---Lets all happen. Then it has { all = its processes, in the order in which they began, actions = what there is at last, began = Unix
---seconds, is_void = whether the store has failed or was lost }. A process: { tag, scenario, fate, timeout, began, ended, others =
---seconds in which others ran while it stood still, sent = when its POST was, died, crash, marked = whether it wrote that it sends,
---result, message, err of its call, wait_err of a wait for its result }.
function shared_world.run(world)
  local time, began = os.time, world.fake:now()
  rawset(os, "time", function(date)
    return date and time(date) or time() + math.floor(world.now) + (world.current and world.current.skew or 0)
  end)
  local ok, problem = pcall(clock.run, world.fake, function()
    play(world)
  end, function(seconds)
    world.now = world.now + seconds
    local process = world.current
    if process then
      for second = math.floor(process.slept) + 1, math.floor(process.slept + seconds) do
        pass_point(world, process, "sleep " .. second)
      end
      process.slept = process.slept + seconds
    end
  end, 2)
  rawset(os, "time", time)
  world.began = began
  assert(ok, problem)
end

return shared_world
