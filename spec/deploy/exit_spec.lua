-- err.exit_code: what a CI job may do after a failure. 4: nothing was sent; 5: it may have been; 6: it goes on, and was lost sight of.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local in_world = require "spec.support.in_world"

local begin, again = in_world.begin, in_world.again

local HASH = ("abc1234"):rep(6):sub(1, 40)

-- The exit code of what fn(stack, world) fails with.
local function exit_code(scenario, fn)
  local stack, world = begin(scenario)
  local value, _, err = clock.run(world, function()
    return fn(stack, world)
  end)
  assert.is_nil(value)
  return err.exit_code
end

describe("the exit code of", function()
  it("a redeploy tells whether anything was sent", function()
    for want, scenarios in pairs {
      [4] = { { error = "forbidden" }, { error = "server", on = "actions" }, { error = "throttled", on = "redeploy" }, { auth = "empty401" } },
      [5] = { { error = "server", on = "redeploy" }, { cut = "head", error = "server", on = "redeploy" } },
      [1] = { { redeploy = "refused" } },
    } do
      for _, scenario in ipairs(scenarios) do
        assert.equal(want, exit_code(scenario, function(stack)
          return stack:redeploy { git_ref = "main", user_reference = "job-1" }
        end))
      end
    end
  end)

  it("a wait tells that what was started goes on", function()
    for _, fault in ipairs { { error = "forbidden" }, { error = "unauthenticated" }, { error = "not_found" } } do
      assert.equal(6, exit_code({}, function(stack, world)
        local result = assert(stack:redeploy { git_ref = "main" })
        return again(world, fault):wait(result, { interval = 5 })
      end))
    end
    local function stop()
      return true
    end
    assert.equal(6, exit_code({}, function(stack)
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { stop = stop })
    end))
    assert.equal(6, exit_code({}, function(stack, world)
      return again(world, { error = "forbidden" }):wait(assert(stack:latest()))
    end))
    assert.equal(2, exit_code({ ends = "never" }, function(stack)
      return stack:wait(assert(stack:redeploy { git_ref = "main" }), { timeout = 60 })
    end))
  end)

  it("a wait for a number that nothing was read of tells nothing of the kind", function()
    assert.equal(4, exit_code({}, function(stack)
      return stack:wait(123)
    end))
    assert.equal(4, exit_code({ error = "forbidden" }, function(stack)
      return stack:wait(123)
    end))
  end)

  it("ensure tells before and after", function()
    local function ensure(stack)
      return stack:ensure(HASH, { interval = 5 })
    end
    assert.equal(4, exit_code({ error = "forbidden", on = "actions" }, ensure))
    assert.equal(5, exit_code({ error = "server", on = "redeploy" }, ensure))
    assert.equal(6, exit_code({ error = "forbidden", on = "action" }, ensure))
    assert.equal(1, exit_code({ ends = "failed" }, ensure))
    assert.equal(2, exit_code({ ends = "never" }, function(stack)
      return stack:ensure(HASH, { timeout = 60 })
    end))
  end)

  it("a cancel tells whether it may have been carried out", function()
    for fault, want in pairs { [{ error = "forbidden", on = "cancel" }] = 4, [{ error = "server", on = "cancel" }] = 5, [{ body = "html", on = "cancel" }] = 5 } do
      assert.equal(want, exit_code({ ends = "never" }, function(_, world)
        local running = world:add_deployment("staging", {})
        return again(world, fault):cancel(running.id)
      end))
    end
    assert.equal(6, exit_code({ ends = "never", cancel_as = "failed" }, function(stack, world)
      local running, was_polled = world:add_deployment("staging", {}), false
      return stack:cancel(running.id, { wait = true, interval = 0.5, stop = function()
        return was_polled
      end, on_poll = function()
        was_polled = true
      end })
    end))
  end)

  it("any request that changes something does", function()
    for want, error_id in pairs { [4] = "forbidden", [5] = "server" } do
      for _, method in ipairs { "POST", "DELETE" } do
        local path = method == "POST" and "/deployments" or "/deployments/1"
        local _, _, err = expect.connect { error = error_id, world = fake.world().name }:request(method, "/stacks/" .. fake.stacks.staging .. path)
        assert.equal(want, err.exit_code)
      end
      local _, _, err = expect.connect { error = error_id }:request("GET", "/stacks")
      assert.equal(4, err.exit_code)
    end
    local _, _, err = expect.connect { body = "html", on = "redeploy", world = fake.world().name }:request("POST",
      ("/stacks/%s/deployments"):format(fake.stacks.staging), { body = { git_ref = "main" } })
    assert.same({ "decode", 5 }, { err.kind, err.exit_code })
  end)

  it("each program is one of the table in docs/errors.md", function()
    local rows = {}
    for number in host.read("docs/errors.md"):gmatch "\n| (%d+) |" do
      rows[tonumber(number)] = true
    end
    for _, number in pairs(require("cloud66.base.error").EXIT_CODES) do
      assert.is_true(rows[number], number)
    end
    for _, name in ipairs { "deploy", "history", "list", "probe" } do
      for status in host.read(("examples/%s.lua"):format(name)):gmatch "os%.exit%((%d+)" do
        assert.is_true(status == "0" or rows[tonumber(status)], name .. " ends with " .. status)
      end
    end
  end)
end)
