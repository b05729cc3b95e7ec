-- What a wait costs, when it sees the end, and its last poll.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local host = require "cloud66.runtime.host"
local in_world = require "spec.support.in_world"
local merged = require "spec.support.merged"
local thorough = require "spec.support.thorough"

local failure = expect.failure
local begin = in_world.begin

-- Successes before now: the usual duration of the stack.
local function add_history(world, usual, count)
  for i = 1, count or 5 do
    local started = world:now() - 90000 - i * 3600
    world:add_deployment("brand_new", { started_time = started, finished_time = started + usual, outcome = "success" })
  end
end

-- Redeploys in a world with a usual duration, and waits; gives what wait() gives, the seconds that it took, the requests.
local function deploy(usual, scenario, options, prepare)
  local stack, world = begin(scenario, nil, "brand_new")
  add_history(world, usual)
  if prepare then
    prepare(world)
  end
  local result = assert(stack:redeploy { git_ref = "main" })
  local tag = fake.fresh_tag()
  local began, value, info, err = world.settings.offset, nil, nil, nil
  clock.run(world, function()
    value, info, err = expect.connect(merged(scenario, { world = world.name, tag = tag })):stack(stack.uid):wait(result, options)
  end, nil, 60)
  return value, info, err, world.settings.offset - began, #fake.requests(tag)
end

describe("a wait for two hours in the queue", function()
  it("sends 150 requests an hour at the most", function()
    for _, usual in ipairs(thorough and { 5, 50, 600 } or { 50 }) do
      local value, message, err, _, requests = deploy(usual, {}, { timeout = 7200 }, function(world)
        world:add_deployment("brand_new", { blocks = true })
      end)
      failure("timeout", value, message, err)
      assert.is_true(requests <= fake.by_order(300, 330), requests)
    end
  end)

  it("behind a job of the same user, too, and with other forms of the response", function()
    for _, form in ipairs(thorough and { "new", "old", "scheduled", "scheduled_other" } or { "scheduled" }) do
      local value, message, err, _, requests = deploy(50, { redeploy = form }, { timeout = 7200 }, function(world)
        world:add_deployment("brand_new", { blocks = true, triggered_via = "api", triggered_by = "ci@awesome.example" })
        world:add_action("brand_new", {})
      end)
      failure("timeout", value, message, err)
      assert.is_true(requests <= 310, form .. " " .. requests)
    end
  end)
end)

describe("a wait that cannot read the actions", function()
  it("does not ask for them every second, though they could tell whose a deployment is", function()
    local stack, world = begin()
    local result = assert(stack:redeploy { git_ref = "main" })
    world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api", blocks = true })
    local tag = fake.fresh_tag()
    local failing = in_world.again(world, { error = "server", on = "actions", tag = tag }, { retries = false })
    local value, message, err = clock.run(world, function()
      return failing:wait(result, { timeout = 3600 })
    end, nil, 60)
    failure("timeout", value, message, err)
    assert.is_true(#fake.requests(tag) <= 320, #fake.requests(tag))
  end)
end)

describe("a deployment of ten minutes", function()
  it("takes 40 requests at the most, whatever is usual", function()
    for _, usual in ipairs { 50, 600 } do
      for _, model in ipairs(thorough and { "full", "short" } or { "full" }) do
        local found, info, _, _, requests = deploy(usual, { takes = 600, model = model })
        assert.is_userdata(found, info)
        assert.is_true(requests <= 40, ("usual %d, %s: %d"):format(usual, model, requests))
      end
    end
  end)
end)

describe("the end", function()
  it("is seen within a tenth of the usual duration, or 5 seconds", function()
    for _, usual in ipairs(thorough and { 20, 50, 300, 600 } or { 50 }) do
      for _, share in ipairs(thorough and { 0.5, 0.9, 1 } or { 0.9 }) do
        local takes = math.floor(usual * share)
        local found, info, _, seconds = deploy(usual, { takes = takes })
        assert.is_userdata(found, info)
        local late = seconds - (5 + takes + 1)
        assert.is_true(late <= math.max(5, usual / 10) + 1.5, ("usual %d, takes %d: %.1f s late"):format(usual, takes, late))
      end
    end
  end)

  it("is seen where the list of deployments, which tells what is usual, cannot be read", function()
    local world = fake.world()
    local other = world:add_deployment("staging")
    local failing = in_world.again(world, { error = "server", on = "deployments" }, { retries = false })
    local found, info = clock.run(world, function()
      return failing:wait(other.id, { require_live = true, timeout = 300 })
    end, clock.at { [40] = function() world:change(other, { finished_time = world:now(), outcome = "success", is_live = true }) end })
    assert.is_userdata(found, info)
  end)

  it("of a deployment that began after an hour in the queue, too", function()
    for _, usual in ipairs(thorough and { 60, 600 } or { 600 }) do
      local found, info, _, seconds = deploy(usual, { queue = 3600, takes = usual })
      assert.is_userdata(found, info)
      local late = seconds - (3600 + usual + 1)
      assert.is_true(late <= math.max(5, usual / 10) + 1.5, ("usual %d: %.1f s late"):format(usual, late))
    end
  end)
end)

describe("the start", function()
  it("is known as soon as it can be told whose it is, whatever is usual", function()
    local told
    deploy(600, { takes = 100 }, { on_poll = function(info)
      told = told or (info.deployment and info.elapsed)
    end })
    assert.is_true(told <= 5 + 10 + 5, told)
  end)
end)

describe("the last poll", function()
  it("sees an end that came before the deadline, though the next poll was due after it", function()
    for _, takes in ipairs { 3, 20 } do
      local found, info, _, seconds = deploy(600, { queue = 0, takes = takes }, { timeout = 30, interval = 600 })
      assert.is_userdata(found, tostring(info))
      assert.is_true(seconds < 30)
    end
  end)

  it("is there for a watch as well", function()
    local stack, world = begin()
    local other = world:add_deployment("staging")
    local types = {}
    clock.run(world, function()
      for event in stack:watch { interval = 600, timeout = 30 } do
        if event.deployment.id == other.id then
          types[#types + 1] = event.type
        end
        world:change(other, { finished_time = world:now() + 20, outcome = "success" })
      end
    end)
    assert.same({ "started", "finished" }, types)
    assert.is_true(world.settings.offset < 30)
  end)

  it("and for the search for a redeploy whose response was lost", function()
    local stack, world = begin { cut = "head", on = "redeploy", late = 11 }
    local hash = ("abc1234"):rep(6):sub(1, 40)
    local value, message, err = clock.run(world, function()
      return stack:ensure(hash, { timeout = 14 })
    end)
    err = failure("timeout", value, message, err)
    assert.is_not_nil(err.action) -- it was found
  end)

  it("may fail where an action has succeeded before it: its success is told", function()
    local stack, world = begin { ends = "none", takes = 10 }
    local result = assert(stack:redeploy { git_ref = "main" })
    local failing = in_world.again(world, { error = "server", on = "deployments" }, { retries = false })
    local value, message, err = clock.run(world, function()
      return failing:wait(result, { timeout = 60, interval = 5 })
    end)
    err = failure("unmatched", value, message, err)
    assert.is_true(err.action_succeeded)
    assert.equal(0, err.exit_code)
  end)

  it("leaves time for it, where the response to a change does not come", function()
    local world = fake.world()
    local other = world:add_deployment("staging")
    local stack = expect.connect({ world = world.name, delay = 5, on = "cancel" }):stack(fake.stacks.staging)
    local ok, state = stack:cancel(other.id, { wait = true, timeout = 4 })
    assert.same({ true, "cancelled" }, { ok, state })
  end)

  it("reads the action as well, whichever was due", function()
    local value, message, err = deploy(600, { ends = "none", action_ends = "failed", takes = 15 }, { timeout = 30, interval = 16 })
    failure("deploy_failed", value, message, err)
  end)

  it("begins ten seconds before the deadline at the earliest", function()
    local stack, world = begin({ queue = 600 }, { on = { response = function() host.pass(4) end } })
    local polls = {}
    clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { timeout = 100, interval = 1000, on_poll = function(info)
        polls[#polls + 1] = info.elapsed
      end })
    end)
    assert.is_true(polls[1] >= 8 and polls[2] >= 94, polls[2])
  end)

  it("is there after a redeploy whose response does not come, too", function()
    local stack = expect.connect({ world = fake.world().name, delay = 3, on = "redeploy" }):stack(fake.stacks.staging)
    local value, message, err = stack:ensure(("abc1234"):rep(6):sub(1, 40), { timeout = 2 })
    err = failure("timeout", value, message, err)
    assert.is_not_nil(err.action)
  end)

  it("comes after others, though a second is all the time", function()
    local polls = 0
    deploy(600, { queue = 600 }, { timeout = 0.8, interval = 0.2, on_poll = function() polls = polls + 1 end })
    assert.is_true(polls >= 3, polls)
  end)

  it("is not the last where it was faster than could be known", function()
    local polls = {}
    local began
    deploy(600, { delay = 0.05, ends = "never" }, { timeout = 100, interval = 1000, on_poll = function(info)
      began = began or info.elapsed
      polls[#polls + 1] = info.elapsed
    end })
    assert.is_true(#polls >= 2)
    assert.is_true(polls[#polls] >= 98.5 and polls[#polls] <= 100, polls[#polls])
  end)
end)
