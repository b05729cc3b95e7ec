-- stack:wait: the right deployment, and the truth about its end.
local at_once = require "spec.support.at_once"
local cjson = require "cjson"
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"

local failure, raises, each_raises = expect.failure, expect.raises, expect.each_raises
local begin, with = in_world.begin, in_world.again
local at = clock.at

-- Redeploys and waits, time passing at once.
local function deploy(scenario, options, asked)
  local stack, world, tag = begin(scenario)
  local deployment, info, err = clock.run(world, function()
    return stack:wait(assert(stack:redeploy(asked or { git_ref = "main" })), options)
  end)
  return deployment, info, err, world, tag
end

describe("wait", function()
  it("waits for what redeploy() started, to its end", function()
    local phases = {}
    local deployment, info, _, _, tag = deploy({}, {
      interval = 5,
      on_change = function(d, phase)
        if phase ~= "finishing" then -- the action's last second: seen or not
          phases[#phases + 1] = phase .. " " .. (d and d.outcome or "nothing")
        end
      end,
    })
    assert.is_true(deployment.is_success)
    assert.equal("exact", info.match)
    assert.is_true(info.action.finished_success)
    assert.is_true(info.polls > 5)
    assert.is_true(info.elapsed > 60 and info.elapsed < 90)
    assert.same({ "queued nothing", "deploying pending", "finished success" }, phases)
    local count = 0
    for _, request in ipairs(fake.requests(tag)) do
      count = count + (request.method == "POST" and 1 or 0)
    end
    assert.equal(1, count)
  end)

  it("tells a failure, in the action's words", function()
    local value, message, err = deploy { ends = "failed", action_message = "Migration 42 failed" }
    err = failure("deploy_failed", value, message, err)
    assert.matches("Migration 42 failed", message)
    assert.is_true(err.last.is_failed)
    assert.is_false(err.action.finished_success)
    assert.equal(1, err.exit_code)
  end)

  it("believes neither the action nor the deployment alone", function()
    failure("deploy_failed", deploy { ends = "success", action_ends = "failed" })
    failure("deploy_failed", deploy { ends = "failed", action_ends = "success" })
    failure("unknown_outcome", deploy { ends = "success", action_ends = "missing" })
  end)

  it("takes an outcome nobody documented for no success", function()
    local value, message, err = deploy { ends = "cancelled", action_ends = "success" }
    err = failure("cancelled", value, message, err)
    assert.equal(3, err.exit_code)
    local stack, world = begin()
    local odd = world:add_deployment("staging", { outcome = "skipped", finished_time = world:now() })
    failure("unknown_outcome", stack:wait(odd.id))
  end)

  it("takes a word nobody documented for an end only where the rest says so", function()
    local stack, world = begin()
    local odd = world:add_deployment("staging", { outcome = "cancelled", is_deploying = false }) -- no date
    failure("cancelled", stack:wait(odd.id, { timeout = 5 }))
    odd = world:add_deployment("staging", { outcome = "skipped", is_deploying = false }) -- may not have begun
    failure("timeout", stack:wait(odd.id, { timeout = 0.2, interval = 0.05 }))
  end)

  it("sees the end where is_deploying is behind", function()
    local deployment = deploy { stale = true }
    assert.is_true(deployment.is_success)
    assert.is_true(deployment.is_deploying)
  end)

  it("does not take an end beside 'pending' for one", function()
    local stack, world = begin()
    local behind = world:add_deployment("staging", { finished_time = world:now() })
    local value, message, err = clock.run(world, function()
      return stack:wait(behind.id, { timeout = 60, interval = 5 })
    end)
    failure("timeout", value, message, err)
  end)

  it("reads both forms of finished_success", function()
    assert.is_true(deploy({ success_as = "text" }).is_success)
    failure("deploy_failed", deploy { success_as = "text", action_ends = "failed" })
  end)

  it("goes by bare bodies, string codes and other dates as well", function()
    for _, scenario in ipairs { { wrap = "no" }, { codes = "string" }, { codes = "word" }, { dates = "utc" } } do
      assert.is_true(deploy(scenario).is_success)
    end
  end)

  it("waits in the queue behind another deployment", function()
    local stack, world = begin()
    local other = world:add_deployment("staging", { blocks = true })
    local phases = {}
    local deployment, info = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      assert.is_true(result.queued)
      return stack:wait(result, { interval = 10, on_change = function(_, phase) phases[#phases + 1] = phase end })
    end, at { [300] = function() world:change(other, { finished_time = world:now(), outcome = "success" }) end })
    assert.are_not.equal(other.id, deployment.id)
    assert.equal("exact", info.match)
    assert.is_true(info.elapsed > 300)
    assert.equal("queued", phases[1])
  end)

  it("does not report another person's deployment, though it started in the same second", function()
    for _, rival in ipairs {
      { triggered_via = "web" }, { triggered_via = "hook" }, { triggered_via = "api" },
      { triggered_via = "api", outcome = "failed", deploy_type = "redeploy" },
    } do
      local stack, world = begin { queue = 60 }
      local deployment, info = clock.run(world, function()
        local result = assert(stack:redeploy { git_ref = "main" })
        rival.started_time = world:now()
        if rival.outcome == "failed" then
          rival.finished_time = world:now() + 10
        end
        rival.id = world:add_deployment("staging", rival).id
        world:add_action("staging", { user = "somebody@awesome.example" })
        return stack:wait(result, { interval = 5 })
      end)
      assert.are_not.equal(rival.id, deployment.id)
      assert.equal("ci@awesome.example", deployment.triggered_by)
      assert.equal("exact", info.match)
    end
  end)

  it("tells two of the same user apart", function()
    local stack, world = begin()
    local first, second, infos = nil, nil, {}
    clock.run(world, function()
      local a = assert(stack:redeploy { git_ref = "main" })
      local b = assert(with(world, { takes = 100 }):redeploy { git_ref = "main" })
      second, infos[2] = stack:wait(b, { interval = 5 })
      first, infos[1] = stack:wait(a, { interval = 5 })
    end)
    assert.is_true(first.started_time < second.started_time)
    assert.equal(60, first.duration)
    assert.equal(100, second.duration)
    assert.equal("exact", infos[2].match)
  end)

  it("says unmatched where it cannot tell which one it was", function()
    local stack, world = begin { ends = "none" }
    local value, message, err = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      for _ = 1, 2 do
        world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api",
          outcome = "success", finished_time = world:now() + 60 })
      end
      return stack:wait(result, { interval = 5 })
    end)
    failure("unmatched", value, message, err)
    assert.matches("which of 2", message)
  end)

  it("says unmatched where an action ends without a deployment", function()
    local value, message, err = deploy { ends = "none" }
    err = failure("unmatched", value, message, err)
    assert.matches("succeeded", message)
    assert.is_nil(err.last)
    assert.same({ true, 0, 0 }, { err.action_succeeded, err.exit_code, #err.candidates })
    value, message, err = deploy { ends = "none", action_ends = "missing" }
    err = failure("unmatched", value, message, err)
    assert.same({ 1, 0 }, { err.exit_code, #err.candidates })
    assert.is_nil(err.action_succeeded)
  end)

  it("finds it on a list that shifts, some pages down", function()
    local stack, world = begin { page_size = 3 }
    local deployment = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      world:advance(30)
      for _ = 1, 7 do
        world:add_deployment("staging", { outcome = "success", finished_time = world:now() + 1 })
      end
      return stack:wait(result, { interval = 5 })
    end)
    assert.equal("ci@awesome.example", deployment.triggered_by)
  end)

  it("goes by the reference where the answer named no action", function()
    local deployment, info = deploy { redeploy = "old" }
    assert.is_true(deployment.is_success)
    assert.equal("exact", info.match)
  end)

  it("goes by the server's clock where there is no action to go by, and says so", function()
    local deployment, info = deploy { redeploy = "old", metadata = "no" }
    assert.is_true(deployment.is_success)
    assert.equal("likely", info.match)
  end)

  it("takes no older action that carries the same reference", function()
    local stack, world = begin()
    local mine, value, message, err
    value, message, err = clock.run(world, function()
      local first = assert(stack:redeploy { git_ref = "main", user_reference = "job-1" })
      assert(stack:wait(first))
      mine = with(world, { redeploy = "old", ends = "failed" })
      return mine:wait(assert(mine:redeploy { git_ref = "main", user_reference = "job-1", reuse = false }))
    end)
    failure("deploy_failed", value, message, err)
  end)

  it("takes no deployment of another ref where no action is known", function()
    local stack, world = begin { redeploy = "approval" }
    local value, message, err = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      world:add_deployment("staging", { triggered_via = "api", git_ref = "release", outcome = "success",
        finished_time = world:now() + 1 })
      return stack:wait(result, { timeout = 300 })
    end)
    failure("timeout", value, message, err)
  end)

  it("thinks again when the action shows up later", function()
    local stack, world = begin { redeploy = "old", ends = "failed", queue = 30 }
    local value, message, err = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      world:add_deployment("staging", { triggered_via = "api" }) -- somebody's, of the same ref
      return stack:wait(result, { interval = 5 })
    end)
    err = failure("deploy_failed", value, message, err)
    assert.equal("ci@awesome.example", err.last.triggered_by)
  end)

  it("takes no deployment of another person for its own where its action made none", function()
    for _, via in ipairs { "api", "schedule" } do
      local stack, world = begin { ends = "none" }
      local value, message, err = clock.run(world, function()
        local result = assert(stack:redeploy { git_ref = "main" })
        world:add_deployment("staging", { triggered_via = via, outcome = "success", finished_time = world:now() + 60 })
        world:add_action("staging", { user = "somebody@awesome.example", finished_time = world:now() + 61, finished_success = true })
        return stack:wait(result, { interval = 5 })
      end)
      failure("unmatched", value, message, err)
    end
  end)

  it("lets go of a deployment that turns out to be of something else", function()
    local stack, world = begin { ends = "none", takes = 120 }
    local value, message, err = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "v1" })
      local other = world:add_deployment("staging", { triggered_via = "api", triggered_by = "ci@awesome.example", git_ref = "v1" })
      return stack:wait(result, { interval = 5, on_change = function(deployment)
        if deployment then
          world:change(other, { git_ref = "v2", outcome = "success", finished_time = world:now() })
        end
      end })
    end)
    failure("unmatched", value, message, err)
  end)

  it("names the approval that may be missing", function()
    local value, message, err = deploy({ redeploy = "approval" }, { timeout = 300 })
    failure("timeout", value, message, err)
    assert.matches("approval", message)
  end)

  it("notices an action that fails while its deployment hangs", function()
    local stack, world = begin { ends = "never", action_ends = "early" }
    local value, message, err = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      stack = with(world, {})
      return stack:wait(result, { interval = 5, timeout = 3600 })
    end)
    failure("deploy_failed", value, message, err)
  end)

  it("goes on where the action says success long before its deployment ends", function()
    local stack, world = begin { takes = 100, action_ends = "early", action_message = "null" }
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 5 })
    end)
    assert.is_userdata(found, info)
    assert.is_true(found.is_success)
  end)

  it("ends at its time, and goes on from there", function()
    local stack, world = begin { takes = 600 }
    local result, deployment
    local value, message, err = clock.run(world, function()
      result = assert(stack:redeploy { git_ref = "main" })
      return stack:wait(result, { timeout = 100, interval = 10 })
    end)
    err = failure("timeout", value, message, err)
    assert.equal(2, err.exit_code)
    assert.is_true(err.last.is_running)
    assert.matches("wait%(%) again", message)
    result = cjson.decode(cjson.encode(result)) -- as a script would store it
    deployment = clock.run(world, function()
      return stack:wait(result)
    end)
    assert.is_true(deployment.is_success)
    assert.equal(err.last.id, deployment.id)
  end)

  it("never goes beyond its time, whatever the interval", function()
    local began = os.time()
    local stack = begin { ends = "never" }
    local value, message, err = stack:wait(assert(stack:redeploy { git_ref = "main" }), { timeout = 0.5, interval = 60 })
    failure("timeout", value, message, err)
    stack = begin { delay = 5, on = "actions" }
    failure("timeout", stack:wait({ user_reference = "x" }, { timeout = 0.5 }))
    assert.is_true(os.time() - began <= 4)
  end)

  it("waits out what passes", function()
    for _, fault in ipairs {
      { error = "bad_gateway", error_body = "html" }, { error = "time_out" }, { cut = "body" }, { body = "html" },
    } do
      local stack, world = begin()
      local heard = 0
      local deployment = clock.run(world, function()
        local result = assert(stack:redeploy { git_ref = "main" })
        fault.times, fault.tag = 3, fake.fresh_tag()
        return with(world, fault):wait(result, { interval = 5, on_poll = function(info)
          heard = heard + (info.err and 1 or 0)
        end })
      end)
      assert.is_true(deployment.is_success)
      assert.equal(3, heard)
    end
  end)

  it("waits out an hour of 503 throttled, without asking often", function()
    local stack, world = begin()
    local tag = fake.fresh_tag()
    local deployment, info = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      return with(world, { error = "throttled", times = 18, tag = tag }):wait(result, { interval = 5 })
    end)
    assert.is_true(deployment.is_success)
    assert.is_true(info.elapsed > 3600, info.elapsed)
    assert.is_true(#fake.requests(tag) < 30)
  end)

  it("ends when the token is refused in the middle, and for what is not there", function()
    for id, kind in pairs { unauthenticated = "auth", forbidden = "forbidden", not_found = "not_found" } do
      local stack, world = begin()
      local value, message, err = clock.run(world, function()
        local result = assert(stack:redeploy { git_ref = "main" })
        world:advance(10)
        return with(world, { error = id, on = "deployment" }):wait(result, { interval = 5 })
      end)
      err = failure(kind, value, message, err)
      assert.is_true(err.last.is_running)
    end
  end)

  it("ends when another API answers", function()
    local stack, world = begin { body = "html" }
    local value, message, err = clock.run(world, function()
      return stack:wait(fake.data.deployments("staging")[1].id)
    end)
    failure("decode", value, message, err)
  end)

  it("is told to stop, soon", function()
    local calls = 0
    local value, message, err, world = deploy({}, { interval = 600, stop = function()
      calls = calls + 1
      return calls > 20
    end })
    failure("aborted", value, message, err)
    assert.is_true(world.settings.offset < 25)
  end)

  it("ends with its client", function()
    local client = expect.connect { world = fake.world().name }
    local stack = client:stack(fake.stacks.staging)
    local value, message, err = stack:wait(assert(stack:redeploy { git_ref = "main" }), {
      interval = 60, on_poll = function() client:close() end,
    })
    failure("aborted", value, message, err)
  end)

  it("waits for a deployment, or its id", function()
    local stack, world = begin()
    local other = world:add_deployment("staging")
    local moments = { [60] = function() world:change(other, { finished_time = world:now(), outcome = "success" }) end }
    local deployment, info = clock.run(world, function()
      return stack:wait(stack:deployment(other.id))
    end, at(moments))
    assert.equal(other.id, deployment.id)
    assert.equal("exact", info.match)
    assert.is_nil(info.action)
    assert.equal(other.id, stack:wait(tostring(other.id)).id)
  end)

  it("waits until it is live, where asked", function()
    local stack, world = begin()
    local done = world:add_deployment("staging", { finished_time = world:now() + 5, outcome = "success" })
    local newer = world:add_deployment("staging", { finished_time = world:now() + 6, outcome = "success" })
    assert.is_true(stack:wait(newer.id, { require_live = true }).is_live)
    local value, message, err = clock.run(world, function()
      return stack:wait(done.id, { require_live = true, timeout = 60 })
    end)
    failure("timeout", value, message, err)
    assert.matches("not live", message)
  end)

  it("asks ten times in the stack's usual duration, at most once a minute", function()
    local _, info, _, _, tag = deploy { takes = 300 }
    assert.is_true(info.polls >= 5 and info.polls <= 12, info.polls)
    assert.is_true(#fake.requests(tag) <= fake.by_order(16, 20), #fake.requests(tag))
  end)

  it("has a heartbeat", function()
    local beats = {}
    deploy({ takes = 300 }, { interval = 10, on_poll = function(info) beats[#beats + 1] = info end })
    assert.equal("queued", beats[1].phase)
    assert.equal(1, beats[1].polls)
    assert.is_number(beats[1].next_poll)
    local middle = beats[math.floor(#beats / 2)]
    assert.equal("deploying", middle.phase)
    assert.is_true(middle.deployment.is_running)
    assert.is_nil(beats[#beats].next_poll)
  end)

  it("passes on what a function of the caller's raises", function()
    raises("my bug", function()
      deploy({}, { on_poll = function() error "my bug" end })
    end)
  end)

  it("refuses what cannot be meant", function()
    local stack = begin()
    raises("got nil: see what the call", function() stack:wait() end)
    raises("got nil", function() stack:wait(stack:deployment(12345)) end) -- and its message, and err
    each_raises("needs a deployment", { {}, true, print }, function(what) stack:wait(what) end)
    each_raises("deployment id", { "", "main", 1.5 }, function(what) stack:wait(what) end)
    each_raises("option", {
      { timeout = 0 }, { timeout = "5" }, { interval = -1 }, { on_poll = 1 }, { stop = true }, { require_live = 1 }, { intervall = 5 },
    }, function(options) stack:wait(1, options) end)
    raises("redeploy is of stack", function()
      stack:wait { async_action_id = 1, stack_uid = fake.stacks.api }
    end)
  end)

  it("waits for ten stacks at once with one poll each per interval", function()
    if not at_once then
      return
    end
    local world, tag = fake.world(), fake.fresh_tag()
    local client = expect.connect({ world = world.name, tag = tag }, { concurrency = 10 })
    local ids = {}
    for i = 1, 10 do
      ids[i] = world:add_deployment("staging").id
    end
    local moments = { [100] = function()
      for _, model in ipairs(world.settings.deployments.staging) do
        world:change(model, { finished_time = world:now(), outcome = "success" })
      end
    end }
    local results = clock.run(world, function()
      return client:map(ids, function(id)
        local deployment, info, err = client:stack(fake.stacks.staging):wait(id, { interval = 10 })
        if not deployment then
          return nil, info, err
        end
        return info.polls
      end)
    end, at(moments))
    assert.equal(0, results.failed)
    local polls = 0
    for _, result in ipairs(results) do
      assert.is_true(result.value >= 9 and result.value <= 13, result.value)
      polls = polls + result.value
    end
    assert.equal(polls + fake.by_order(1, 3) * 10, #fake.requests(tag)) -- and once the newest of the list each, for the usual duration
  end)
end)
