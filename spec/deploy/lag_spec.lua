-- redeploy, wait, ensure and cancel, where the API's views are behind.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local failure = expect.failure
local begin, again = in_world.begin, in_world.again
local at = clock.at

local LAGS = { "lag_deployments", "lag_deployment", "lag_actions", "lag_action" }

describe("what is not there yet", function()
  it("is waited for: each view behind, and all of them, in turns too", function()
    for bits = 1, 2 ^ #LAGS - 1 do
      local scenario = { lag_turns = bits % 2 == 0 and "yes" or nil, takes = 30, ends = bits % 3 == 0 and "failed" or nil }
      for i, name in ipairs(LAGS) do
        scenario[name] = math.floor(bits / 2 ^ (i - 1)) % 2 == 1 and 6 or nil
      end
      local stack, world = begin(scenario)
      local found, message, err = clock.run(world, function()
        return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 4 })
      end)
      if scenario.ends then
        failure("deploy_failed", found, message, err)
      else
        assert.is_userdata(found, ("views %d: %s"):format(bits, tostring(message)))
        assert.equal("exact", message.match)
      end
    end
  end)

  it("is not found once 30 seconds have passed: an action", function()
    local stack, world = begin { lag_action = 1000 }
    local value, message, err = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 2 })
    end)
    failure("not_found", value, message, err)
    assert.is_true(world.settings.offset >= 29 and world.settings.offset < 34, world.settings.offset)
  end)

  it("also where other failures come between", function()
    local count, now = 0, fake.world():now()
    local stack = expect.connect(nil, { retries = false, transport = function()
      count = count + 1
      return { status = count % 2 == 0 and 500 or 404, headers = {}, body = '{"error":"not_found"}' }
    end }):stack "a-uid"
    local value, message, err = clock.run(nil, function()
      return stack:wait({ async_action_id = 1, accepted_time = now }, { interval = 2, timeout = 600 })
    end)
    failure("not_found", value, message, err)
    assert.is_true(count < 25, count)
  end)

  it("and a deployment that a list has shown", function()
    local stack, world = begin { lag_deployment = 1000 }
    local other = world:add_deployment("staging")
    for _, what in ipairs { assert(stack:latest()), other.id } do
      local before = world.settings.offset
      local value, message, err = clock.run(world, function()
        return stack:wait(what, { interval = 2 })
      end)
      failure("not_found", value, message, err)
      local waited = world.settings.offset - before
      assert.is_true(what == other.id and waited == 0 or waited >= 29 and waited < 34, waited) -- a number alone may be mistyped
    end
  end)

  it("is told of, while it is waited for", function()
    local stack, world = begin { lag_action = 8 }
    local errs = {}
    assert.is_userdata((clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 2, on_poll = function(info)
        errs[#errs + 1] = info.err and info.err.kind
      end })
    end)))
    assert.matches("^not_found not_found not_found not_found[ notfud_]*$", table.concat(errs, " "))
  end)

  it("is no reason to go on where the API is asked for another stack", function()
    local stack, world = begin { error = "not_found", on = "deployments" }
    local value, message, err = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }))
    end)
    failure("not_found", value, message, err)
    assert.equal(0, world.settings.offset)
  end)

  it("is cancelled all the same: a deployment that a list has shown", function()
    local stack, world = begin { lag_deployment = 5 }
    world:add_deployment("staging")
    local ok, state, err = clock.run(world, function()
      return stack:cancel(assert(stack:latest()))
    end)
    assert.same({ true, "cancelling" }, { ok, state }, err)
  end)
end)

describe("another's action that one reading of the pages passes over", function()
  it("is known by the other one, so that its deployment is not taken for ours", function()
    for passed_over = 1, 2 do
      local world, readings, seen = fake.world(), 0, {}
      world:add_deployment("staging", { triggered_via = "api", triggered_by = "ci@awesome.example" })
      world:add_action("staging", {})
      for _ = 1, 3 do
        world:add_action("staging", { user = "somebody@awesome.example" })
      end
      local actions = world.settings.actions.staging
      local whole, part = { unpack(actions) }, { unpack(actions, 2) }
      local stack = expect.connect({ world = world.name, page_size = 2, queue = 300 }, { on = { request = function(info)
        if info.method == "GET" and info.url:find "/actions" and not info.url:find "page=[34]" then
          local is_second = info.url:find "page=2" ~= nil
          readings = readings + (is_second and 1 or 0)
          world.settings.actions.staging = is_second and readings == passed_over and part or whole
          world:change { started_time = world:now() } -- writes them
        end
      end } }):stack(fake.stacks.staging)
      clock.run(world, function()
        return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 12, timeout = 100, on_change = function(deployment)
          seen[#seen + 1] = deployment
        end })
      end)
      assert.is_true(readings >= 2)
      assert.same({}, seen)
    end
  end)
end)

describe("an end that was seen", function()
  it("stays one where a later response is older", function()
    for _, require_live in ipairs { true, false } do
      local stack, world = begin { takes = 20, lag_deployment = 15, lag_action = 15, lag_turns = "yes", lag_live = 30 }
      local ended = false
      local found = clock.run(world, function()
        return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 2, require_live = require_live,
          on_change = function(deployment)
            assert.is_false(ended and deployment.is_running)
            ended = ended or (deployment ~= nil and deployment.is_success)
          end })
      end)
      assert.is_true(found.is_success)
    end
  end)
end)

describe("a deployment that was taken for ours before our action was in view", function()
  it("is not ours where the actions say so", function()
    local stack, world = begin { redeploy = "only_queued", queue = 100, takes = 30, lag_actions = 25 }
    local theirs = world:add_deployment("staging", { triggered_via = "api", started_time = world:now() + 1 })
    local action = world:add_action("staging", { user = theirs.triggered_by })
    local seen = {}
    local found, info = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 3, on_change = function(deployment)
        seen[#seen + 1] = deployment and deployment.id
      end })
    end, clock.at { [60] = function()
      action.finished_time, action.finished_success = world:now(), true
      world:change(theirs, { finished_time = world:now(), outcome = "success" })
    end })
    assert.is_userdata(found, info)
    assert.equal(theirs.id, seen[1])
    assert.are_not.equal(theirs.id, found.id)
  end)
end)

describe("a deployment that ended beside ours", function()
  it("is not taken for ours where the list is from before the end of ours", function()
    for _, before in ipairs { 7, 11 } do -- seconds between our end and the poll that sees it
      local stack, world = begin { lag_deployments = 9 }
      local fields = { triggered_via = "api", triggered_by = "ci@awesome.example" }
      local theirs, ours = world:add_deployment("staging", fields), world:add_deployment("staging", fields)
      local action = world:add_action("staging", {})
      world:add_action("staging", {}) -- theirs, which goes on
      local function finish(model)
        world:change(model, { finished_time = world:now(), finished_success = true, outcome = "success" })
      end
      local ends_at
      local value, message, err = clock.run(world, function()
        return stack:wait({ async_action_id = action.id, git_ref = "main", stack_uid = stack.uid }, { interval = 20, on_poll = function(info)
          if info.polls == 2 then
            finish(theirs)
          elseif info.polls == 3 then -- the next one reads the actions
            ends_at = world.settings.offset + info.next_poll - before
          end
        end })
      end, function()
        if ends_at and world.settings.offset >= ends_at then
          ends_at = nil
          finish(ours)
          finish(action)
        end
      end)
      err = failure("unmatched", value, message, err)
      assert.equal(2, #err.candidates)
    end
  end)
end)

describe("our action", function()
  it("is found by its number where it is not there at once, and the API knows no references", function()
    local stack, world = begin { redeploy = "scheduled_action", metadata = "no", lag_action = 8, ends = "none", action_ends = "failed",
      takes = 30 }
    local value, message, err = clock.run(world, function()
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = 3, timeout = 200 })
    end)
    failure("deploy_failed", value, message, err)
  end)

  it("is not an earlier one of the same reference that still runs", function()
    local stack, world = begin { redeploy = "only_queued", lag_actions = 8, queue = 20, takes = 20 }
    local earlier = world:add_action("staging", { user_reference = "job-9", started_time = world:now() - 100 })
    world:add_deployment("staging", { triggered_via = "api" })
    local found, info = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main", user_reference = "job-9", reuse = false })
      return stack:wait(result, { interval = 3, timeout = 200, on_poll = function(seen)
        assert.is_false(seen.action ~= nil and seen.action.id == earlier.id)
      end })
    end)
    assert.is_userdata(found, info)
  end)
end)

describe("an action that was seen to have ended", function()
  it("stays so where the list of actions is older", function()
    for interval = 2, 5 do
      local stack, world = begin { ends = "none", takes = 20, lag_actions = 15, lag_turns = "yes" }
      local has_ended = false
      local value, message, err = clock.run(world, function()
        return stack:wait(assert(stack:redeploy { git_ref = "main" }), { interval = interval, on_poll = function(info)
          local is_over = info.action ~= nil and info.action.is_finished
          assert.is_false(has_ended and not is_over)
          has_ended = is_over
        end })
      end, clock.at { [14] = function()
        for _ = 1, 2 do
          world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api" })
        end
      end })
      failure("unmatched", value, message, err)
    end
  end)
end)

describe("ensure, right after a success of the commit,", function()
  local hash = ("abc1234"):rep(6):sub(1, 40)

  -- Seconds after the success, ensures it; gives the number of POSTs and the results.
  local function ensure_after(scenario, seconds, options)
    local world = fake.world()
    local first = again(world, scenario)
    local done = clock.run(world, function()
      return first:ensure(hash)
    end)
    assert.is_userdata(done)
    world:advance(seconds)
    scenario.tag = fake.fresh_tag()
    local second = again(world, scenario)
    local deployment, info, err = clock.run(world, function()
      return second:ensure(hash, options)
    end)
    return #fake.requests(scenario.tag, "POST"), deployment, info, err
  end

  it("gives it 30 seconds to become live", function()
    for _, lag in ipairs { 10, 25 } do
      local posts, deployment, info = ensure_after({ lag_live = lag }, 1)
      assert.equal(0, posts)
      assert.is_userdata(deployment, info)
      assert.equal("live", info.ensured)
    end
  end)

  it("deploys it again after that, and never where its own time is over first", function()
    local posts, deployment = ensure_after({ lag_live = 500 }, 1)
    assert.equal(1, posts)
    assert.is_userdata(deployment)
    local value, message, err
    posts, value, message, err = ensure_after({ lag_live = 500 }, 1, { timeout = 20 })
    assert.equal(0, posts)
    err = failure("timeout", value, message, err)
    assert.equal(2, err.exit_code)
  end)

  it("joins what somebody else has begun meanwhile", function()
    local world = fake.world()
    assert.is_userdata((clock.run(world, function()
      return again(world, { lag_live = 1000 }):ensure(hash)
    end)))
    local tag = fake.fresh_tag()
    local deployment, info = clock.run(world, function()
      return again(world, { lag_live = 1000, tag = tag }):ensure(hash)
    end, at { [20] = function()
      assert(again(world, { queue = 60 }):redeploy { git_ref = hash, user_reference = ("ensure-%s-other"):format(hash) })
    end })
    assert.equal(0, #fake.requests(tag, "POST"))
    assert.is_userdata(deployment, info)
    assert.equal("joined", info.ensured)
  end)

  it("does not go by an older view of what is live", function()
    for lag = 2, 10, 4 do
      local posts, deployment, info = ensure_after({ lag_deployments = lag, lag_turns = "yes", lag_live = 3 }, 2)
      assert.equal(0, posts)
      assert.is_userdata(deployment, info)
    end
  end)

  it("stops when it is told to", function()
    local calls = 0
    local posts, value, message, err = ensure_after({ lag_live = 25 }, 1, { stop = function()
      calls = calls + 1
      return calls > 3
    end })
    failure("aborted", value, message, err)
    assert.equal(0, posts)
  end)
end)

describe("cancel, where the response is lost,", function()
  local function cancel(scenario, options, fields)
    local stack, world, tag = begin(scenario)
    local other = world:add_deployment("staging", fields)
    local ok, state, ended = clock.run(world, function()
      return stack:cancel(other.id, options)
    end)
    local deletes = #fake.requests(tag, "DELETE")
    assert.equal(1, deletes)
    return ok, state, ended, world
  end

  it("says cancelled of what ended by it, and waits for that where told so", function()
    for _, cut in ipairs { "head", "body", "reset" } do
      for _, outcome in ipairs { "failed", "cancelled" } do
        local ok, state, ended = cancel({ cut = cut, on = "cancel", cancel_as = outcome }, { wait = true })
        assert.same({ true, "cancelled" }, { ok, state })
        assert.equal(outcome, ended.outcome)
      end
    end
  end)

  it("says what went wrong where it goes on", function()
    local ok, message, err = cancel({ cut = "head", error = "server", on = "cancel" }, { wait = true })
    failure("network", ok, message, err)
  end)

  it("says so at once where it is not to wait", function()
    local ok, message, err, world = cancel { cut = "head", on = "cancel" }
    failure("network", ok, message, err)
    assert.equal(0, world.settings.offset)
  end)

  it("says finished of what had succeeded, and of what ended before a refusal", function()
    local stack, world = begin { error = "conflict", on = "cancel" }
    local other = world:add_deployment("staging")
    local requests = 0
    stack = expect.connect({ world = world.name, error = "conflict", on = "cancel" }, { on = { request = function(info)
      requests = requests + 1
      if info.method == "DELETE" then
        world:change(other, { finished_time = world:now(), outcome = "failed" })
      end
    end } }):stack(stack.uid)
    local ok, state = stack:cancel(other.id)
    assert.same({ true, "finished" }, { ok, state })
    local lost = expect.connect({ world = world.name, cut = "head", on = "cancel" }, { on = { request = function(info)
      if info.method == "DELETE" then
        world:change(other, { finished_time = world:now(), outcome = "success" })
      end
    end } }):stack(stack.uid)
    other = world:add_deployment("staging")
    ok, state = lost:cancel(other.id)
    assert.same({ true, "finished" }, { ok, state })
  end)
end)
