-- stack:cancel: what is cancelled, and what came of it.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"

local failure, raises, each_raises = expect.failure, expect.raises, expect.each_raises
local begin = in_world.begin

describe("cancel", function()
  local function running(scenario)
    local stack, world, tag = begin(scenario)
    assert(stack:redeploy { git_ref = "main" })
    world:advance(6)
    return stack, world, stack:latest(), tag
  end

  it("asks for it", function()
    local stack, _, deployment, tag = running()
    local ok, state = stack:cancel(deployment)
    assert.is_true(ok)
    assert.equal("cancelling", state)
    local list = fake.requests(tag)
    assert.equal("DELETE", list[#list].method)
  end)

  it("waits for the end, where told so", function()
    for _, outcome in ipairs { "failed", "cancelled" } do
      local stack, world, deployment = running { cancel_as = outcome }
      local ok, state, ended = clock.run(world, function()
        return stack:cancel(deployment.id, { wait = true, interval = 1 })
      end)
      assert.is_true(ok)
      assert.equal("cancelled", state)
      assert.equal(outcome, ended.outcome)
    end
  end)

  it("has a wait() for it end as cancelled", function()
    local stack, world = begin()
    local value, message, err = clock.run(world, function()
      local result = assert(stack:redeploy { git_ref = "main" })
      world:advance(10)
      assert(stack:cancel(stack:latest()))
      return stack:wait(result)
    end)
    err = failure("cancelled", value, message, err)
    assert.equal(3, err.exit_code)
  end)

  it("takes one that has ended for no error", function()
    local stack, _, tag = begin()
    local ok, state, ended = stack:cancel(stack:live())
    assert.is_true(ok)
    assert.equal("finished", state)
    assert.is_true(ended.is_finished)
    for _, request in ipairs(fake.requests(tag)) do
      assert.equal("GET", request.method)
    end
  end)

  it("takes one that says it was cancelled for ended, without a date", function()
    local stack, world = begin()
    local odd = world:add_deployment("staging", { outcome = "cancelled", is_deploying = false })
    local ok, state = stack:cancel(odd.id)
    assert.is_true(ok)
    assert.equal("finished", state)
  end)

  it("ends early where it is told to, while what was seen is not there yet", function()
    local stack, world = begin { lag_deployment = 1000 }
    world:add_deployment("staging")
    local deployment = assert(stack:latest())
    local before = world.settings.offset
    local value, message, err = clock.run(world, function()
      return stack:cancel(deployment, { wait = true, stop = function() return world.settings.offset >= before + 5 end })
    end)
    failure("aborted", value, message, err)
    assert.is_true(world.settings.offset < before + 7)
  end)

  it("does not look again and again for what is gone, where its response was lost", function()
    local deployment = assert(begin():latest())
    local count = 0
    local stack = expect.connect(nil, { retries = false, transport = function(request)
      count = count + 1
      if request.method == "DELETE" then
        return nil, "network", "the response was lost"
      elseif count == 1 then
        return { status = 200, headers = {}, body = ('{"response":{"id":%d}}'):format(deployment.id) }
      end
      return { status = 404, headers = {}, body = '{"error":"not_found"}' }
    end }):stack "a-uid"
    local value, message, err = clock.run(nil, function()
      return stack:cancel(deployment, { wait = true })
    end)
    failure("network", value, message, err)
    assert.is_true(count <= 8, count)
  end)

  it("says nothing about the end when its time is over", function()
    local stack, world = begin()
    local behind = world:add_deployment("staging", { finished_time = world:now() })
    local value, message, err = clock.run(world, function()
      return stack:cancel(behind.id, { wait = true, timeout = 60 })
    end)
    failure("timeout", value, message, err)
  end)

  it("sends it once, and tells what went wrong", function()
    for id, kind in pairs { bad_gateway = "server", throttled = "throttled", forbidden = "forbidden" } do
      local stack, _, deployment, tag = running { error = id, on = "cancel" }
      failure(kind, stack:cancel(deployment))
      local count = 0
      for _, request in ipairs(fake.requests(tag)) do
        count = count + (request.method == "DELETE" and 1 or 0)
      end
      assert.equal(1, count)
    end
    local stack, world = begin()
    failure("not_found", clock.run(world, function()
      return stack:cancel(12345)
    end))
    assert.equal(0, world.settings.offset) -- it may be mistyped
  end)

  it("refuses what cannot be meant", function()
    local stack = begin()
    each_raises("cancel%(%) needs", { {}, { async_action_id = 5 } }, function(what) stack:cancel(what) end)
    each_raises("deployment id", { "", "main" }, function(what) stack:cancel(what) end)
    raises("unset variable", function() stack:cancel() end)
    each_raises("option", { { wait = 1 }, { timeout = 5 }, { wait = true, timeout = 0 } }, function(options) stack:cancel(1, options) end)
  end)
end)
