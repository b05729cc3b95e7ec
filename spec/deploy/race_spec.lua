-- stack:wait: whose deployment it was, where others deploy at the same time.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"
local merged = require "spec.support.merged"
local thorough = require "spec.support.thorough"

local failure = expect.failure
local begin = in_world.begin
local at = clock.at

local OURS, OTHERS = "ci@awesome.example", "somebody@awesome.example"

-- Another job: its deployment, through the API, and its action.
local function add_job(world, fields, action_fields)
  local deployment = world:add_deployment("staging", merged({ triggered_by = OURS, triggered_via = "api", deploy_type = "redeploy" }, fields))
  return deployment, world:add_action("staging", merged({ user = deployment.triggered_by, started_time = deployment.started_time },
    action_fields))
end

local function finish(world, deployment, action, outcome)
  action.finished_time, action.finished_success = world:now(), outcome == "success"
  world:change(deployment, { finished_time = world:now(), outcome = outcome })
end

describe("another job of the same user", function()
  it("that ends between two requests of ours, whichever they are, is not taken for ours", function()
    for number = 1, 14, thorough and 1 or 5 do
      local outcome = number % 2 == 0 and "success" or "failed"
      local world = fake.world()
      local deployment, action = add_job(world, { blocks = true })
      local requests = 0
      local stack = expect.connect({ world = world.name, takes = 30 }, {
        on = { request = function()
          requests = requests + 1
          if requests == number then
            finish(world, deployment, action, outcome)
          end
        end },
      }):stack(fake.stacks.staging)
      local found, info = clock.run(world, function()
        return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5 })
      end)
      assert.is_userdata(found, ("request %d: %s"):format(number, tostring(info)))
      assert.are_not.equal(deployment.id, found.id)
      assert.is_true(info.match == "exact" or outcome == "failed") -- a failed action may have a deployment that goes on
    end
  end)

  it("whose action is not in the list yet is not taken for ours", function()
    local stack, world = begin { queue = 60, lag_actions = 8 }
    local theirs
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 3 })
    end, at {
      [10] = function() theirs = { add_job(world, {}) } end,
      [40] = function() finish(world, theirs[1], theirs[2], "success") end,
    })
    assert.is_userdata(found, info)
    assert.are_not.equal(theirs[1].id, found.id)
  end)

  it("whose action is not in the list yet is not taken for ours beside a deployment of years ahead", function()
    local stack, world = begin { queue = 60, lag_actions = 8 }
    local years = world:now() + 1e8
    world:add_deployment("staging", { triggered_via = "web", started_time = years, finished_time = years + 60, outcome = "success" })
    local theirs
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 3 })
    end, at {
      [10] = function() theirs = { add_job(world, {}) } end,
      [40] = function() finish(world, theirs[1], theirs[2], "success") end,
    })
    assert.is_userdata(found, info)
    assert.are_not.equal(theirs[1].id, found.id)
  end)

  it("that waited in the queue, behind one in the list of actions that is over, is not taken for ours", function()
    local stack, world = begin { takes = 30 }
    local waiting = world:add_action("staging", { user = OURS, started_time = world:now() - 90 })
    world:add_action("staging", { user = OURS, started_time = world:now() - 80, finished_time = world:now() - 40, finished_success = true })
    local theirs = world:add_deployment("staging", { triggered_by = OURS, triggered_via = "api", blocks = true, started_time = world:now() + 1 })
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5 })
    end, at { [60] = function() finish(world, theirs, waiting, "success") end })
    assert.is_userdata(found, info)
    assert.are_not.equal(theirs.id, found.id)
  end)

  it("whose action ended a second before its deployment is not taken for ours", function()
    local stack, world = begin { queue = 60 }
    local theirs, action = add_job(world, { started_time = world:now() + 1 })
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5 })
    end, at { [20] = function()
      action.finished_time, action.finished_success = world:now(), true
      world:change(theirs, { finished_time = world:now() + 1, outcome = "success" })
    end })
    assert.is_userdata(found, info)
    assert.are_not.equal(theirs.id, found.id)
  end)

  it("whose deployment is not seen to have ended yet is not taken for ours", function()
    local stack, world = begin { queue = 60, lag_deployments = 8 }
    local theirs, action = add_job(world, { started_time = world:now() + 1 })
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 2 })
    end, at { [30] = function() finish(world, theirs, action, "success") end })
    assert.is_userdata(found, info)
    assert.are_not.equal(theirs.id, found.id)
  end)

  it("that ends within seconds of ours is not told apart by the end", function()
    local stack, world = begin()
    local theirs, their_action = add_job(world, { started_time = world:now() + 1 })
    local ours, action = add_job(world, { started_time = world:now() + 2 })
    local value, message, err = clock.run(world, function()
      return stack:wait({ async_action_id = action.id, git_ref = "main", stack_uid = stack.uid }, { interval = 5 })
    end, at { [40] = function()
      action.finished_time, action.finished_success = world:now() + 1, true
      their_action.finished_time, their_action.finished_success = world:now() + 3, true
      world:change(theirs, { finished_time = world:now(), outcome = "success" })
      world:change(ours, { finished_time = world:now() + 2, outcome = "success" })
    end })
    err = failure("unmatched", value, message, err)
    assert.equal(2, #err.candidates)
  end)

  it("whose action is behind ten pages of others is not taken for ours", function()
    local stack, world = begin { queue = 300, page_size = 1 }
    add_job(world, { started_time = world:now() + 1 })
    for _ = 1, 12 do
      world:add_action("staging", { user = OTHERS, started_time = world:now() + 2 })
    end
    local seen = {}
    clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5, timeout = 60, on_change = function(deployment)
        seen[#seen + 1] = deployment
      end })
    end)
    assert.same({}, seen)
  end)

  it("that runs beside ours is told apart by the end, where ours and theirs are both in view", function()
    local stack, world = begin { queue = 3, takes = 40 }
    local theirs
    local found, info = clock.run(world, function()
      theirs = { add_job(world, { started_time = world:now() + 1 }) }
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5 })
    end, at { [100] = function() finish(world, theirs[1], theirs[2], "failed") end })
    assert.is_userdata(found, info)
    assert.are_not.equal(theirs[1].id, found.id)
    assert.equal("likely", info.match)
    assert.is_true(info.elapsed < 43 + 20)
  end)

  it("whose action ended with a failure may still have a deployment that goes on", function()
    local stack, world = begin { queue = 300 }
    local theirs, action = add_job(world, { started_time = world:now() + 1 })
    local seen = {}
    clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5, timeout = 200, on_change = function(deployment)
        seen[#seen + 1] = deployment
      end })
    end, at { [5] = function() action.finished_time, action.finished_success = world:now(), false; world:change(theirs) end })
    assert.same({}, seen)
  end)
end)

describe("a deployment that cannot be ours", function()
  it("by its own page, though the list shows it otherwise, is not taken again and again", function()
    local stack, world, tag = begin { queue = 100, takes = 20 }
    local theirs = add_job(world, { started_time = world:now() + 1, git_ref = nil }, { started_time = world:now() - 60,
      finished_time = world:now() - 50, finished_success = true })
    local seen = {}
    local found, info = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      return expect.connect({ world = world.name, tag = tag }, { on = { request = function(asked)
        local is_single = asked.url:find("/deployments/" .. theirs.id, 1, true) ~= nil
        world:change(theirs, { git_ref = is_single and "other" or "main" })
      end } }):stack(stack.uid):wait(result, { interval = 5, on_change = function(deployment)
        seen[#seen + 1] = deployment and deployment.id == theirs.id and "theirs" or nil
      end })
    end)
    assert.is_userdata(found, info)
    assert.are_not.equal(theirs.id, found.id)
    assert.is_true(#seen <= 1)
  end)

  it("because it is to begin years from now, is not shown", function()
    local stack, world = begin { queue = 60 }
    local theirs = add_job(world, { started_time = world:now() + 1e8 }, { started_time = world:now() - 60 })
    local seen = {}
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5, on_change = function(deployment)
        seen[#seen + 1] = deployment and deployment.id == theirs.id and "theirs" or nil
      end })
    end)
    assert.is_userdata(found, info)
    assert.same({}, seen)
  end)
end)

describe("a deployment that is no redeploy", function()
  it("is not taken for ours, though it is of our user and by the API", function()
    for _, kind in ipairs { "scale", "revert" } do
      local stack, world = begin { queue = 300 }
      world:add_deployment("staging", { triggered_by = OURS, triggered_via = "api", deploy_type = kind })
      local value, message, err = clock.run(world, function()
        return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5, timeout = 60 })
      end)
      err = failure("timeout", value, message, err)
      assert.is_nil(err.last)
    end
  end)
end)

describe("another action that cannot have made our deployment", function()
  -- Ours begins after 3 seconds and takes 60. The other one comes after some seconds.
  local function assert_exact(fields, after, ends_after, has_succeeded, scenario)
    local stack, world = begin(merged({ queue = 3, takes = 60 }, scenario))
    local phases, action = {}, nil
    local function add()
      action = world:add_action("staging", merged({ user = OURS, started_time = world:now() }, fields))
    end
    if not after then
      add()
    end
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 3, on_change = function(_, phase)
        phases[#phases + 1] = phase
      end })
    end, at {
      [after or 1000] = add,
      [ends_after or 1000] = function()
        finish(world, { started_time = world:now() }, action, has_succeeded and "success" or "failed")
      end,
    })
    assert.is_userdata(found, info)
    assert.same({ "exact", "queued", "deploying" }, { info.match, phases[1], phases[2] })
  end

  it("leaves ours exact while it runs: it failed before ours began", function()
    assert_exact({}, nil, 1, false)
  end)

  it("was started by other means", function()
    for _, means in ipairs { "web", "hook", "webhook", "git" } do
      assert_exact { started_via = means }
    end
  end)

  it("began later", function()
    assert_exact({}, 8)
  end)

  it("is of another user than the deployment", function()
    assert_exact { user = OTHERS }
    assert_exact({ user = OTHERS }, nil, nil, nil, { page_size = 1 })
  end)

  it("has succeeded, and ours goes on", function()
    assert_exact({}, nil, 10, true)
  end)
end)

describe("without an action of ours in view", function()
  -- Waits for what nobody knows an action of: the request was sent for approval.
  local function wait_for_nothing(scenario, prepare)
    local stack, world = begin(merged({ redeploy = "approval" }, scenario))
    return clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      prepare(world)
      return stack:wait(result, { interval = 5, timeout = 200 })
    end)
  end

  it("a deployment that another action in the list may have made is not taken for ours", function()
    for _, user in ipairs { OURS, OTHERS } do
      local value, message, err = wait_for_nothing({}, function(world)
        local deployment, action = add_job(world, { triggered_by = user })
        finish(world, deployment, action, "success")
      end)
      err = failure("timeout", value, message, err)
      assert.is_nil(err.last)
    end
  end)

  it("nor where the API knows no references, and the action began at another time", function()
    local value, message, err = wait_for_nothing({ metadata = "no" }, function(world)
      local deployment, action = add_job(world, {}, { started_time = world:now() - 30 })
      finish(world, deployment, action, "success")
    end)
    failure("timeout", value, message, err)
  end)

  it("nor one of several, nor one that nothing says the ref of, nor where none was asked for", function()
    local function add(world)
      world:add_deployment("staging", { triggered_via = "api", outcome = "success", finished_time = world:now() + 20 })
    end
    failure("timeout", wait_for_nothing({}, function(world)
      add(world)
      add(world)
    end))
    failure("timeout", wait_for_nothing({ model = "short" }, add))
    local stack, world = begin()
    add(world)
    failure("timeout", clock.run(world, function()
      return stack:wait({ user_reference = "nobody", accepted_time = world:now(), stack_uid = stack.uid }, { interval = 5, timeout = 60 })
    end))
  end)

  it("nor where it began long after ours was accepted, or two began then, of which one alone can be ours", function()
    for _, starts in ipairs { { 10 }, { 0, 1 } } do
      local value, message, err = wait_for_nothing({ metadata = "no" }, function(world)
        local now = world:now()
        for i, start in ipairs(starts) do
          local action = world:add_action("staging", { user = OURS, started_time = now + start })
          if i == #starts then
            action.finished_time, action.finished_success = now + 60, true
            world:add_deployment("staging", { triggered_by = OURS, triggered_via = "api", started_time = now + start + 1,
              finished_time = now + 60, outcome = "success" })
          end
        end
      end)
      err = failure("timeout", value, message, err)
      assert.is_nil(err.last)
    end
  end)

  it("a deployment that no action of another can have made is likely to be ours", function()
    local found, info = wait_for_nothing({}, function(world)
      world:add_deployment("staging", { triggered_via = "api", outcome = "success", finished_time = world:now() + 20 })
      world:add_action("staging", { user = OTHERS, started_time = world:now() - 100, finished_time = world:now() - 50, finished_success = true })
    end)
    assert.is_userdata(found, info)
    assert.equal("likely", info.match)
    assert.is_userdata((wait_for_nothing({}, function(world)
      world:add_deployment("staging", { triggered_via = "api", triggered_by = OURS, outcome = "success", finished_time = world:now() + 20 })
      world:add_action("staging", { user = OTHERS })
    end)))
  end)
end)

describe("an own action that has ended decides:", function()
  local function wait_for(scenario, prepare)
    local stack, world = begin(scenario)
    local value, info, err = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      if prepare then
        prepare(world)
      end
      return stack:wait(result, { interval = 5 })
    end)
    return value, info, err, world
  end

  it("cancelled or failed in the queue, at once, with its words", function()
    for message, kind in pairs { ["Cancelled by user"] = "cancelled", ["Deployment was canceled"] = "cancelled",
      ["No such branch"] = "deploy_failed", ["null"] = "deploy_failed" } do
      local value, text, err, world = wait_for { ends = "none", action_ends = "failed", action_message = message, takes = 40 }
      err = failure(kind, value, text, err)
      assert.matches(message ~= "null" and message or "has failed$", text)
      assert.equal(kind == "cancelled" and 3 or 1, err.exit_code)
      assert.is_nil(err.last)
      assert.is_true(world.settings.offset < 45 + 11, world.settings.offset)
    end
  end)

  it("failed, before it can be told that the deployment which failed is its own: that is shown", function()
    local value, message, err = wait_for { ends = "failed", queue = 0, takes = 2 }
    err = failure("deploy_failed", value, message, err)
    assert.is_userdata(err.last)
  end)

  it("succeeded, and a deployment began after that: that is not its own", function()
    local stack, world = begin { ends = "none", takes = 20 }
    local value, message, err = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5 })
    end, at { [35] = function() world:add_deployment("staging", { triggered_via = "api", triggered_by = OURS }) end })
    err = failure("unmatched", value, message, err)
    assert.same({}, err.candidates)
  end)

  it("failed, while another's deployment is there that might be its own: that is not shown", function()
    local value, message, err, world = wait_for({ ends = "none", action_ends = "failed", takes = 30 }, function(world)
      add_job(world, { started_time = world:now() + 2 }, { started_time = world:now() - 20 })
    end)
    err = failure("deploy_failed", value, message, err)
    assert.is_nil(err.last)
    assert.is_true(world.settings.offset < 35 + 20, world.settings.offset)
  end)

  it("succeeded, with one possible deployment of another address: success, likely", function()
    local found, info = wait_for { person = "the.ci@other.example" }
    assert.is_userdata(found, info)
    assert.equal("the.ci@other.example", found.triggered_by)
    assert.equal("likely", info.match)
  end)

  it("a deployment that is dated two seconds before it is its own", function()
    local stack, world = begin()
    local deployment, action = add_job(world, {}, { started_time = world:now() + 2 })
    world:advance(60)
    finish(world, deployment, action, "success")
    local found, info = clock.run(world, function()
      return stack:wait({ async_action_id = action.id, git_ref = "main", stack_uid = stack.uid }, { interval = 5 })
    end)
    assert.is_userdata(found, info)
    assert.same({ deployment.id, "exact" }, { found.id, info.match })
  end)

  it("succeeded, long after the one possible deployment of another address: that is not shown", function()
    local value, message, err = wait_for({ ends = "none", takes = 150 }, function(world)
      world:add_deployment("staging", { triggered_by = "the.ci@other.example", triggered_via = "api", outcome = "success",
        finished_time = world:now() + 20 })
    end)
    err = failure("unmatched", value, message, err)
    assert.is_nil(err.last)
  end)

  it("succeeded, beside one of another address that others explain, or one of two: that is not shown", function()
    local fields = { triggered_by = "the.ci@other.example", triggered_via = "api", outcome = "success" }
    for _, add in ipairs {
      function(world) world:add_action("staging", { user = fields.triggered_by }) end,
      function(world) world:add_deployment("staging", merged(fields, { finished_time = world:now() + 5 })) end,
    } do
      local value, message, err = wait_for({ ends = "none", takes = 150 }, function(world)
        add(world)
        world:add_deployment("staging", merged(fields, { finished_time = world:now() + 150 }))
      end)
      err = failure("unmatched", value, message, err)
      assert.is_nil(err.last)
    end
  end)

  it("a deployment of which nothing says the ref is likely at the most", function()
    local found, info = wait_for { model = "short" }
    assert.is_userdata(found, info)
    assert.equal("likely", info.match)
  end)

  it("succeeded, and another action explains its one possible deployment, by its session or its user: that is not shown", function()
    for _, case in ipairs { { finished_result = { deploy_session = "hers" } }, { user = "The CI" } } do
      local stack, world = begin()
      local theirs, their_action = add_job(world, { triggered_by = "The CI", deploy_session = "hers" }, merged({ user = OURS }, case))
      local action = world:add_action("staging", { started_time = world:now() })
      world:advance(40)
      action.finished_time, action.finished_success = world:now() + 1, true
      finish(world, theirs, their_action, "success")
      their_action.finished_time = world:now() + 30
      world:change(theirs)
      world:advance(60)
      local value, message, err = clock.run(world, function()
        return stack:wait({ async_action_id = action.id, git_ref = "main", stack_uid = stack.uid }, { interval = 5 })
      end)
      err = failure("unmatched", value, message, err)
      assert.is_nil(err.last)
    end
  end)

  it("a deployment of another name is followed while it runs", function()
    local phases = {}
    local stack, world = begin { person = "The CI", takes = 100 }
    local found = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5, on_change = function(_, phase)
        phases[#phases + 1] = phase
      end })
    end)
    assert.is_userdata(found)
    assert.same({ "queued", "deploying" }, { phases[1], phases[2] })
  end)

  it("succeeded, and which deployment it made cannot be told: no success is shown, and no failure", function()
    local value, message, err = wait_for({ ends = "none" }, function(world)
      for _ = 1, 2 do
        world:add_deployment("staging", { triggered_by = OURS, triggered_via = "api", outcome = "success",
          finished_time = world:now() + 60 })
      end
    end)
    err = failure("unmatched", value, message, err)
    assert.matches("^unmatched: action %d+ has succeeded", message)
    assert.same({ true, 0, 2 }, { err.action_succeeded, err.exit_code, #err.candidates })
    assert.is_nil(err.last)
    assert.is_userdata(err.candidates[1])
  end)

  it("also where the time is over before it could be told", function()
    local stack, world = begin { ends = "none", takes = 40 }
    local value, message, err = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5, timeout = 50 })
    end)
    err = failure("unmatched", value, message, err)
    assert.equal(0, err.exit_code)
  end)

  it("a deployment has not succeeded before its action was looked for", function()
    local stack, world = begin { redeploy = "scheduled", ends = "success", action_ends = "failed", queue = 0, takes = 1 }
    local value, message, err = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5 })
    end)
    failure("deploy_failed", value, message, err)
  end)

  it("nor before it would be in a list that is behind", function()
    local stack, world = begin { redeploy = "scheduled", ends = "success", action_ends = "failed", queue = 0, takes = 1, lag_actions = 6 }
    local value, message, err = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 2 })
    end)
    failure("deploy_failed", value, message, err)
  end)
end)
