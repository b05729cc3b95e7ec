-- examples/deploy.lua, which the rock installs as cloud66-deploy: what it does, says and ends with.
local cjson = require "cjson"
local child = require "spec.support.child"
local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local example = require "spec.support.example"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local merged = require "spec.support.merged"

-- Runs it in a world; gives its standard output, its standard error, its exit status.
local function deploy(scenario, arguments, prefix)
  return example.run(scenario, "deploy", arguments, prefix)
end

local function posts(tag)
  return #fake.requests(tag, "POST")
end

-- A world in which a deployment begins and ends at once, so that no spec has to wait.
local function quick(scenario)
  return merged({ world = fake.world().name, tag = fake.fresh_tag(), queue = 0, takes = 0 }, scenario)
end

local UID = fake.stacks.staging

describe("cloud66-deploy", function()
  it("asks for what is missing, and sends nothing", function()
    local tag = fake.fresh_tag()
    for _, case in ipairs {
      { "", "no STACK: an unset variable" },
      { "''", "an unset variable" },
      { UID, "what to deploy" },
      { UID .. " --ref ''", "%-%-ref needs a value: an unset variable" },
      { UID .. " --ref --timeout 5", "%-%-ref needs a value" },
      { UID .. " --ref main --reference ''", "%-%-reference needs a value" },
      { UID .. " --ref", "%-%-ref needs a value" },
      { UID .. " --ref main --ref other", "twice" },
      { UID .. " --ref main other", "one stack at a time" },
      { UID .. " --ref main --current", "goes with neither" },
      { UID .. " --ensure abcdef1 --ref main", "goes with none" },
      { UID .. " --ref main --timeout soon", "number of seconds" },
      { UID .. " --reff main", "unknown option" },
    } do
      local output, said, status = deploy({ tag = tag }, case[1])
      assert.equal(64, status, case[1])
      assert.matches(case[2], said)
      assert.equal("", output)
    end
    for _, arguments in ipairs { UID .. " --ensure main", UID .. " --service web:" } do
      local _, said, status = deploy({}, arguments)
      assert.equal(64, status, said)
    end
    assert.same({}, fake.requests(tag))
  end)

  it("deploys, waits and says so", function()
    local scenario = quick()
    local output, said, status = deploy(scenario, UID .. " --ref main")
    assert.equal(0, status, said)
    assert.equal("", output)
    assert.matches("reference lua%-cloud66%-%x+", said)
    assert.matches("has succeeded", said)
    assert.is_nil(said:find("\27", 1, true)) -- nobody watches
    assert.equal(1, posts(scenario.tag))
  end)

  it("does not deploy twice for the same reference: killed, and run again", function()
    local scenario = quick { takes = 3 }
    local _, said, status = deploy(scenario, UID .. " --ref main --reference job-17 --timeout 0.3")
    assert.equal(2, status, said)
    assert.matches("to wait on, run it again with %-%-reference job%-17", said)
    deploy(scenario, "awesome-app-staging --ref main --reference job-17", "timeout -s KILL 1")
    os.execute "sleep 4"
    _, said, status = deploy(scenario, "awesome-app-staging --ref main --reference job-17")
    assert.equal(0, status, said)
    assert.matches("joined action", said)
    assert.equal(1, posts(scenario.tag))
  end)

  it("says what the action says when it fails", function()
    local _, said, status = deploy(quick { ends = "failed", action_message = "Migration 42 failed" }, UID .. " --current")
    assert.equal(1, status)
    assert.matches("deploy_failed: .*Migration 42 failed", said)
  end)

  it("has an exit status for each end", function()
    local cases, parts = {
      { 3, { ends = "cancelled" } }, { 4, { error = "forbidden" } }, { 1, { redeploy = "refused" } },
      { 5, { error = "bad_gateway", on = "redeploy" }, "--timeout 5" }, { 6, { error = "forbidden", on = "action" } },
    }, {}
    for i, case in ipairs(cases) do -- all at once
      case.path = host.file ""
      local command = example.asking(quick(case[2]), "deploy", ("%s --ref main --reference job-1 %s"):format(UID, case[3] or ""))
      parts[i] = ("{ %s; echo \"status $?\"; } >%s 2>&1 &"):format(command, case.path)
    end
    os.execute(table.concat(parts, " ") .. " wait")
    for _, case in ipairs(cases) do
      local said = host.read(case.path)
      os.remove(case.path)
      assert.equal(case[1], tonumber(said:match "status (%d+)\n$"), said)
      assert.equal(case[1] > 4, said:find("to wait on, run it again with --reference job-1", 1, true) ~= nil, said)
    end
    local _, said, status = deploy({}, "no-such-stack --ref main")
    assert.equal(4, status)
    assert.matches("no stack is called no%-such%-stack; there are", said)
  end)

  it("says that the network is gone", function()
    local _, said, status = deploy(quick { cut = "head", on = "stacks" }, UID .. " --ref main")
    assert.equal(4, status)
    assert.matches("^network", said)
  end)

  it("prints the result as JSON", function()
    local output, said, status = deploy(quick(), UID .. " --service web:v2 --service api:v1 --reference r1 --json")
    assert.equal(0, status, said)
    local result = cjson.decode(output)
    assert.is_true(result.ok)
    assert.equal("r1", result.user_reference)
    assert.equal("exact", result.match)
    assert.equal("api", result.deployment.triggered_via.meaning)
    output, said, status = deploy(quick { ends = "failed" }, UID .. " --ref main --json")
    assert.equal(1, status, said)
    result = cjson.decode(output)
    assert.is_false(result.ok)
    assert.equal("deploy_failed", result.kind)
    assert.matches("^%d+$", result.action_id)
  end)

  it("says that the result could not be written", function()
    local full = io.open("/dev/full", "w")
    if not full then
      return
    end
    full:close()
    local _, said, status = deploy(quick(), UID .. " --ref main --json >/dev/full")
    assert.equal(0, status, said)
    assert.matches("the result could not be written: No space left", said)
  end)

  it("makes a commit live, and does nothing when it is", function()
    local scenario = quick()
    local hash = ("0123abc"):rep(6):sub(1, 40)
    local _, said, status = deploy(scenario, UID .. " --ensure " .. hash)
    assert.equal(0, status, said)
    _, said, status = deploy(scenario, UID .. " --ensure " .. hash:sub(1, 10))
    assert.equal(0, status, said)
    assert.matches("is live already", said)
    assert.equal(1, posts(scenario.tag))
  end)

  it("is interrupted without cancelling anything, and says how to wait on", function()
    if not child.is_interruptible then
      return
    end
    local scenario = quick { ends = "never" }
    local _, said, status = deploy(scenario, UID .. " --ref main --reference job-9",
      "timeout --foreground --preserve-status -s INT 2")
    assert.equal(130, status, said)
    assert.matches("interrupted: what may have been started goes on; to wait on, run it again with %-%-reference job%-9", said)
    assert.equal(0, posts(scenario.tag)) -- it looked for the second time
    for _, request in ipairs(fake.requests(scenario.tag)) do
      assert.are_not.equal("DELETE", request.method)
    end
  end)

  -- Starts it, and ends it by SIGTERM once is_time(); gives what it said, and its exit status.
  local function terminate(scenario, is_time)
    local output, pid = host.file "", host.file ""
    local script = host.file(("echo $$ >%s\nexec env %s"):format(pid, example.asking(scenario, "deploy", UID .. " --ref main --reference job-9")))
    os.execute(("{ sh %s; echo \"status $?\"; } >%s 2>&1 &"):format(script, output))
    assert.is_truthy(eventually(is_time, 60))
    local began, status = core.monotonic(), nil
    os.execute("kill -TERM " .. host.read(pid))
    local said = eventually(function()
      local text = host.read(output)
      status = tonumber(text:match "status (%d+)\n$")
      return status and text
    end, 60)
    assert.is_true(core.monotonic() - began < 5)
    for _, path in ipairs { output, pid, script } do
      os.remove(path)
    end
    return said, status
  end

  it("is terminated in the same way, as a CI job that is cancelled", function()
    local scenario = quick { ends = "never" }
    local said, status = terminate(scenario, function()
      return posts(scenario.tag) == 1
    end)
    assert.equal(143, status, said)
    assert.matches("terminated: what may have been started goes on; to wait on, run it again with %-%-reference job%-9", said)
    assert.equal(0, #fake.requests(scenario.tag, "DELETE"))
  end)

  it("is terminated before it has sent anything, and says so", function()
    local scenario = quick { delay = 30, on = "stacks" }
    local said, status = terminate(scenario, function()
      return #fake.requests(scenario.tag) > 0
    end)
    assert.equal(143, status, said)
    assert.matches("terminated: nothing was sent", said)
  end)

  it("has the time that it was given, whatever it waits for", function()
    local began = core.monotonic()
    local _, said, status = deploy(quick { error = "throttled", on = "actions" }, UID .. " --ref main --reference job-9 --timeout 1")
    assert.equal(4, status, said)
    assert.is_true(core.monotonic() - began < 4)
  end)

  it("shows no byte of other people's as a command to the terminal", function()
    local _, said = deploy(quick { hostile = true }, UID .. " --ref main --timeout 12")
    assert.is_nil(said:find("\27", 1, true))
  end)
end)
