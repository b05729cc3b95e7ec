-- What the API names: the forms of the response to a redeploy, an id in it, and the session in an action's result.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"
local merged = require "spec.support.merged"

local failure, raises = expect.failure, expect.raises
local begin, again = in_world.begin, in_world.again
local at = clock.at

local function count(tag, method)
  return #fake.requests(tag, method)
end

-- Redeploys, and waits for it with time passing at once.
local function deploy(scenario, options)
  local stack, world, tag = begin(scenario)
  local result = assert(stack:redeploy { git_ref = "main", user_reference = "job-1" })
  local deployment, info, err = clock.run(world, function()
    return stack:wait(result, options or { interval = 5 })
  end)
  return result, deployment, info, err, tag
end

describe("each form of the response to a redeploy", function()
  local forms = {
    new = { queued = false, async_action_id = true }, old = {}, starting = { queued = false },
    scheduled = { queued = true, id = true }, scheduled_action = { queued = true, id = true },
    scheduled_other = { queued = true, id = true }, only_queued = { queued = true },
  }

  it("is accepted at once: one POST, no search for it", function()
    for form, want in pairs(forms) do
      local stack, _, tag = begin { redeploy = form }
      local result = assert(stack:redeploy { git_ref = "main" })
      assert.equal(1, count(tag), form)
      assert.equal(want.queued, result.queued)
      assert.equal(want.async_action_id ~= nil, result.async_action_id ~= nil)
      assert.equal(want.id ~= nil, result.id ~= nil)
      assert.is_nil(result.recovered)
    end
  end)

  it("leads to the right deployment", function()
    for form in pairs(forms) do
      for _, metadata in ipairs { "yes", "no" } do -- whether the API knows of references
        local result, deployment, info = deploy { redeploy = form, metadata = metadata }
        assert.is_userdata(deployment, ("%s, metadata %s: %s"):format(form, metadata, tostring(info)))
        assert.is_true(deployment.is_success)
        assert.equal("ci@awesome.example", deployment.triggered_by)
        if form == "scheduled" then
          assert.equal(result.id, deployment.id)
          assert.equal("exact", info.match)
        elseif form == "scheduled_action" then
          assert.equal(result.id, info.action.id)
        end
      end
    end
  end)

  it("joins with the same reference again, and sends nothing", function()
    for form in pairs(forms) do
      local stack, world, tag = begin { redeploy = form }
      assert(stack:redeploy { git_ref = "main", user_reference = "job-1" })
      world:advance(3)
      local second = assert(stack:redeploy { git_ref = "main", user_reference = "job-1" })
      assert.is_table(second.joined)
      assert.equal(1, count(tag, "POST"), form)
    end
  end)

  it("is refused by ok = false alone, also beside an id", function()
    local stack = expect.connect(nil, {
      transport = function()
        return { status = 200, headers = {}, body = '{"response":{"id":108,"ok":false,"message":"No","queued":true}}' }
      end,
    }):stack "a-uid"
    failure("refused", stack:redeploy { git_ref = "main" })
  end)
end)

describe("an id in the response to a redeploy", function()
  it("is not believed where it is another deployment's", function()
    local stack, world = begin { redeploy = "scheduled_other", queue = 20 }
    local rival = world:add_deployment("staging", { triggered_via = "api", git_ref = "main", started_time = world:now() - 300 })
    local result = assert(stack:redeploy { git_ref = "main" })
    assert.equal(rival.id, result.id)
    local deployment = clock.run(world, function()
      return stack:wait(result, { interval = 5 })
    end, at { [100] = function()
      world:change(rival, { finished_time = world:now(), outcome = "success" })
    end })
    assert.is_userdata(deployment)
    assert.are_not.equal(rival.id, deployment.id)
  end)

  it("is not believed where the deployment was made by other means", function()
    for _, fields in ipairs { { triggered_via = "web" }, { triggered_via = "hook" }, { deploy_type = "revert" }, { git_ref = "other" } } do
      local stack, world = begin()
      fields.triggered_via = fields.triggered_via or "api"
      fields.started_time = world:now() + 1
      local other = world:add_deployment("staging", fields)
      world:change(other, { finished_time = world:now() + 5, outcome = "success" })
      local named = { id = other.id, user_reference = "nobody", accepted_time = world:now(), git_ref = "main", stack_uid = stack.uid }
      local deployment, message, err = clock.run(world, function()
        return stack:wait(named, { interval = 5, timeout = 60 })
      end)
      failure("timeout", deployment, message, err)
      assert.is_nil(err.last)
    end
  end)

  it("is not believed where it is another action's", function()
    for _, fields in ipairs { { started_via = "web" }, { user_reference = "another" }, { started_time = -600 } } do
      local stack, world = begin { metadata = "yes" }
      fields.started_time = world:now() + (fields.started_time or 1)
      local other = world:add_action("staging", fields)
      local named = { id = other.id, user_reference = "nobody", accepted_time = world:now(), git_ref = "main", stack_uid = stack.uid }
      local deployment, message, err = clock.run(world, function()
        return stack:wait(named, { interval = 5, timeout = 60 })
      end)
      failure("timeout", deployment, message, err)
      assert.is_nil(err.action)
    end
  end)

  -- A world without references, in which the response to a redeploy has named a number; wait for it, at some moments.
  local function wait_for_named(stack, world, number, reference, moments)
    return clock.run(world, function()
      return stack:wait({ id = number, user_reference = reference or "nobody", accepted_time = world:now(), git_ref = "main",
        stack_uid = stack.uid }, { interval = 5, timeout = 300 })
    end, moments and at(moments))
  end

  local function ended(world, fields)
    for name, value in pairs { triggered_via = "api", started_time = world:now() + 1, finished_time = world:now() + 5, outcome = "success" } do
      fields[name] = fields[name] or value
    end
    return world:add_deployment("staging", fields)
  end

  it("is not believed where the deployment is of another user than the action", function()
    local stack, world = begin { metadata = "yes" }
    local other = ended(world, { triggered_by = "other@awesome.example" })
    world:add_action("staging", { user = "other@awesome.example", finished_time = world:now() + 6, finished_success = true })
    local action = world:add_action("staging", { user_reference = "job-1", finished_time = world:now() + 6, finished_success = true })
    local deployment, message, err = wait_for_named(stack, world, other.id, "job-1")
    failure("unmatched", deployment, message, err)
    assert.equal(action.id, err.action.id)
    assert.is_nil(err.last)
  end)

  it("is the deployment's, or nobody's, where another's action has the same number", function()
    local stack, world = begin { metadata = "no" }
    local ours = ended(world, { triggered_by = "ci@awesome.example" })
    world:add_action("staging", { id = ours.id, user = "other@awesome.example", started_time = world:now() + 1 })
    local theirs = ended(world, { triggered_by = "other@awesome.example", started_time = world:now() + 2 })
    world:add_action("staging", { user = "other@awesome.example", finished_time = world:now() + 300, finished_success = true })
    local deployment, message, err = wait_for_named(stack, world, ours.id)
    failure("timeout", deployment, message, err)
    assert.are_not.equal(theirs.id, err.last and err.last.id)
    assert.is_nil(err.action)
  end)

  it("is waited for while it is in the queue, and another's deployment is not taken meanwhile", function()
    local stack, world = begin { metadata = "no" }
    local ours = world:add_deployment("staging", { triggered_via = "api", started_time = world:now() })
    ours.started_at = nil
    local theirs = ended(world, {})
    local deployment, info = wait_for_named(stack, world, ours.id, nil, {
      [60] = function() world:change(ours, { started_time = world:now() }) end,
      [90] = function() world:change(ours, { finished_time = world:now(), outcome = "success" }) end,
    })
    assert.is_userdata(deployment, info)
    assert.are_not.equal(theirs.id, deployment.id)
    assert.equal("exact", info.match)
  end)

  it("is not waited for where it is in the queue of other means, or over without a start", function()
    for _, fields in ipairs { { triggered_via = "web" }, { finished_time = 1 } } do
      local stack, world = begin { metadata = "no" }
      fields.triggered_via = fields.triggered_via or "api"
      fields.started_time = world:now()
      local other = world:add_deployment("staging", fields)
      other.started_at = nil
      local theirs = ended(world, {})
      local deployment, info = wait_for_named(stack, world, other.id)
      assert.is_userdata(deployment, info)
      assert.same({ theirs.id, "likely" }, { deployment.id, info.match })
    end
  end)

  it("goes before a deployment that was there before it", function()
    local stack, world = begin { metadata = "no" }
    local theirs = world:add_deployment("staging", { triggered_via = "api", started_time = world:now() + 1 })
    local number, ours = 700001, nil
    local deployment, info = wait_for_named(stack, world, number, nil, { [30] = function()
      ours = ended(world, { id = number, finished_time = world:now() })
      world:change(theirs, { finished_time = world:now(), outcome = "success" })
    end })
    assert.is_userdata(deployment, info)
    assert.equal(ours.id, deployment.id)
    assert.equal("exact", info.match)
  end)

  it("must be one, and not alone", function()
    local stack = begin()
    raises("table without user_reference and async_action_id", function()
      stack:wait { id = 108 }
    end)
    raises("id", function()
      stack:wait { user_reference = "x", id = "12x" }
    end)
  end)
end)

describe("the session in an action's result", function()
  it("decides between two overlapping deployments of one user", function()
    local stack, world = begin { link = true, takes = 100 }
    local function made_of(id, action_at, session)
      world:add_action("staging", {
        id = id, started_time = action_at, finished_time = action_at + 100, finished_success = true,
        finished_result = { deploy_session = session, git_hash = ("%040x"):format(id) },
      })
    end
    local now = world:now()
    local first = world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api", deploy_session = "one",
      started_time = now + 2, finished_time = now + 95, outcome = "success", git_hash = ("%040x"):format(71) })
    local second = world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api", deploy_session = "two",
      started_time = now + 3, finished_time = now + 96, outcome = "success", git_hash = ("%040x"):format(72) })
    made_of(71, now, "one")
    made_of(72, now + 1, "two")
    world:advance(200)
    for id, want in pairs { [71] = first, [72] = second } do
      local deployment, info = stack:wait({ async_action_id = id, accepted_time = now, git_ref = "main", stack_uid = stack.uid })
      assert.is_userdata(deployment, info)
      assert.equal(want.id, deployment.id)
      assert.equal("exact", info.match)
    end
  end)

  it("gives two waits at once their own", function()
    local stack, world = begin { link = true }
    local results, found = {}, {}
    clock.run(world, function()
      results[1] = assert(stack:redeploy { git_ref = "main" })
      results[2] = assert(again(world, { link = true, takes = 90 }):redeploy { git_ref = "main" })
      for i = 2, 1, -1 do
        local deployment, info = stack:wait(results[i], { interval = 5 })
        assert.is_userdata(deployment, info)
        assert.equal("exact", info.match)
        assert.equal(deployment.deploy_session, info.finished_result.deploy_session)
        assert.equal(results[i].async_action_id, info.action.id)
        found[i] = deployment.id
      end
    end)
    assert.are_not.equal(found[1], found[2])
  end)

  it("of a competing action tells which deployment is that one's", function()
    for user, match in pairs { ["ci@awesome.example"] = "exact", ["The CI"] = "likely" } do
      local stack, world = begin()
      local now, made = world:now(), {}
      for i, session in ipairs { "hers", "ours" } do
        made[session] = world:add_deployment("staging", { triggered_by = user, triggered_via = "api", deploy_session = session,
          started_time = now + i, finished_time = now + 30, outcome = "success", git_ref = "main" })
      end
      local ended = { started_time = now, finished_time = now + 31, finished_success = true }
      local ours = world:add_action("staging", merged(ended, { finished_result = {} }))
      world:add_action("staging", merged(ended, { finished_result = { deploy_session = "hers" } }))
      world:advance(60)
      local deployment, info = stack:wait(
        { async_action_id = ours.id, accepted_time = now, git_ref = "main", stack_uid = stack.uid })
      assert.is_userdata(deployment, info)
      assert.equal(made.ours.id, deployment.id)
      assert.equal(match, info.match)
    end
  end)

  it("takes back what was taken by time and user", function()
    local stack, world = begin()
    local now = world:now()
    local taken = world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api", deploy_session = "hers",
      started_time = now + 1, git_ref = "main" })
    local action = world:add_action("staging", { started_time = now })
    local ours, seen = nil, {}
    local deployment, info = clock.run(world, function()
      return stack:wait({ async_action_id = action.id, accepted_time = now, git_ref = "main", stack_uid = stack.uid }, {
        interval = 5, on_change = function(d) seen[#seen + 1] = d and d.id end,
      })
    end, at {
      [30] = function()
        ours = world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api",
          deploy_session = "ours", git_ref = "main" })
      end,
      [60] = function()
        world:change(ours, { finished_time = world:now(), outcome = "success" })
        action.finished_time, action.finished_success = world:now(), true
        action.finished_result = { deploy_session = "ours" }
        world:change(taken, { finished_time = world:now() + 1, outcome = "failed" })
      end,
    })
    assert.is_userdata(deployment, info)
    assert.equal(taken.id, seen[1])
    assert.equal(ours.id, deployment.id)
    assert.equal("exact", info.match)
  end)

  it("is not another's: a deployment of another session is never ours", function()
    local stack, world = begin()
    local now = world:now()
    world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api", deploy_session = "hers",
      started_time = now + 1, finished_time = now + 20, outcome = "success", git_ref = "main" })
    local action = world:add_action("staging", { started_time = now, finished_time = now + 21, finished_success = true,
      finished_result = { deploy_session = "ours" } })
    local deployment, message, err = clock.run(world, function()
      return stack:wait({ async_action_id = action.id, accepted_time = now, git_ref = "main", stack_uid = stack.uid }, { interval = 5 })
    end)
    failure("unmatched", deployment, message, err)
  end)

  it("decides nothing where it is empty", function()
    local stack, world = begin()
    local now = world:now()
    local d = world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api", deploy_session = "",
      started_time = now + 1, finished_time = now + 20, outcome = "success", git_ref = "main" })
    local action = world:add_action("staging", { started_time = now, finished_time = now + 21, finished_success = true,
      finished_result = { deploy_session = "ours" } })
    local deployment, info = clock.run(world, function()
      return stack:wait({ async_action_id = action.id, accepted_time = now, git_ref = "main", stack_uid = stack.uid }, { interval = 5 })
    end)
    assert.is_userdata(deployment, info)
    assert.equal(d.id, deployment.id)
  end)

  it("decides nothing where two deployments have it, also without their starts and the action's", function()
    local DATE = '"2026-11-28T10:00:30Z"'
    local function action(id, start)
      return ('{"id":%d,"user":"ci@awesome.example","started_at":%s,"finished_at":%s,"finished_success":true,'
        .. '"finished_result":{"deploy_session":%s}}'):format(id, start, DATE, id == 1 and '"twice"' or "null")
    end
    local function twice(id)
      return ('{"id":%d,"triggered_by":"ci@awesome.example","triggered_via":"api","started_at":null,"finished_at":%s,'
        .. '"outcome":"success","is_deploying":false,"deploy_session":"twice"}'):format(id, DATE)
    end
    for _, start in ipairs { '"2026-11-28T10:00:00Z"', "null" } do
      local stack = expect.connect(nil, {
        transport = function(request)
          local body = request.url:find "/actions/1" and action(1, start)
            or ("[%s,%s]"):format(request.url:find "/actions" and action(2, DATE) or twice(7), request.url:find "/actions"
            and action(1, start) or twice(6))
          return { status = 200, headers = {}, body = ('{"response":%s}'):format(body) }
        end,
      }):stack "a-uid"
      local deployment, message, err = clock.run(nil, function()
        return stack:wait({ async_action_id = 1 }, { interval = 5, timeout = 60 })
      end)
      failure("unmatched", deployment, message, err)
      assert.matches("2 deployments", message)
    end
  end)

  it("is passed over where it is none, and the commit goes with it", function()
    local function wait_for(finished_result)
      local stack, world = begin()
      local now = world:now()
      local d = world:add_deployment("staging", { triggered_by = "ci@awesome.example", triggered_via = "api", deploy_session = nil,
        started_time = now + 1, finished_time = now + 20, outcome = "success", git_ref = "main", git_hash = ("ab"):rep(20) })
      local action = world:add_action("staging", { started_time = now, finished_time = now + 21, finished_success = true,
        finished_result = finished_result })
      local deployment, message, err = clock.run(world, function()
        return stack:wait({ async_action_id = action.id, accepted_time = now, git_ref = "main", stack_uid = stack.uid }, { interval = 5 })
      end)
      return deployment and deployment.id == d.id or err.kind, message
    end
    assert.is_true(wait_for {})
    assert.is_true(wait_for { git_hash = "abababababab" })
    assert.equal("unmatched", wait_for { git_hash = "cdcdcdcdcdcd" })
  end)
end)

describe("a wait that fails", function()
  it("carries the action's own words and result, in err and in info", function()
    local infos = {}
    local _, deployment, message, err = deploy({ ends = "failed", link = true, action_message = "Migration 42 failed" },
      { interval = 5, on_poll = function(info) infos[#infos + 1] = info end })
    failure("deploy_failed", deployment, message, err)
    assert.equal("Migration 42 failed", err.finished_message)
    assert.equal(err.last.deploy_session, err.finished_result.deploy_session)
    assert.is_nil(infos[1].finished_message)
    assert.equal("Migration 42 failed", infos[#infos].finished_message)
    assert.equal(err.last.deploy_session, infos[#infos].finished_result.deploy_session)
  end)
end)
