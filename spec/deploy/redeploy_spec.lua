-- stack:redeploy: what is sent, that it is sent once, and what becomes of a lost answer.
local cjson = require "cjson"
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"
local lists = require "spec.support.lists"
local looks = require "spec.support.looks"
local merged = require "spec.support.merged"

local failure, raises, each_raises = expect.failure, expect.raises, expect.each_raises
local begin, again = in_world.begin, in_world.again

local function posts(tag)
  return fake.requests(tag, "POST")
end

-- The body of the only POST.
local function sent_by(options)
  local stack, _, tag = begin()
  assert(stack:redeploy(options))
  local list = posts(tag)
  assert.equal(1, #list)
  assert.equal("application/json", list[1].headers["content-type"])
  return cjson.decode(list[1].body)
end

describe("redeploy", function()
  it("says what was accepted", function()
    local stack, world = begin()
    local result = assert(stack:redeploy { git_ref = "main" })
    assert.equal("Stack queued for redeployment", result.message)
    assert.is_false(result.queued)
    assert.is_number(result.async_action_id)
    assert.matches("^lua%-cloud66%-%x+$", result.user_reference)
    assert.equal(12 + 32, #result.user_reference)
    assert.is_true(math.abs(result.accepted_time - world:now()) <= 2)
    assert.equal(result.user_reference, stack:action(result.async_action_id).user_reference)
  end)

  it("sends every parameter under the API's name", function()
    local body = sent_by {
      git_ref = "release/2.5", deployment_profile = "quick", deploy_strategy = "rolling", rollout_strategy = "canary",
      canary_percentage = 20, user_reference = "job-1",
    }
    assert.same({
      git_ref = "release/2.5", deployment_profile = "quick", deploy_strategy = "rolling", rollout_strategy = "canary",
      canary_percentage = 20, user_reference = "job-1",
    }, body)
  end)

  it("sends services as a list, in whatever form they come", function()
    for _, services in ipairs {
      { "api:v2", "web:v1" }, { web = "v1", api = "v2" }, "api:v2, web:v1", "api:v2,web:v1",
    } do
      local list = sent_by({ services = services }).services
      table.sort(list)
      assert.same({ "api:v2", "web:v1" }, list)
    end
    assert.same({ "web" }, sent_by({ services = { web = true } }).services)
    assert.same({ "web" }, sent_by({ services = "web" }).services)
    assert.same({ "registry.example:5000/web:v1" }, sent_by({ services = { "registry.example:5000/web:v1" } }).services)
  end)

  it("deploys what is there again only when told so", function()
    local body = sent_by { current = true, user_reference = "again" }
    assert.same({ user_reference = "again" }, body)
  end)

  it("does not change the caller's table", function()
    local stack = begin()
    local services = { web = "v1" }
    local options = { services = services, user_reference = "mine" }
    assert(stack:redeploy(options))
    assert.same({ services = { web = "v1" }, user_reference = "mine" }, options)
    assert.equal(services, options.services)
  end)

  it("refuses what cannot be meant before anything is sent", function()
    local stack, _, tag = begin()
    local function try(options)
      return stack:redeploy(options)
    end
    raises("needs git_ref, services or current", function() stack:redeploy() end)
    each_raises("redeploy", { {} }, try)
    each_raises("empty", { { git_ref = "" }, { services = {} }, { services = "" }, { git_ref = "x", user_reference = "" } }, try)
    each_raises("lacks its", { { services = "web:" }, { services = { ":v1" } }, { services = { web = "" } } }, try)
    each_raises("must be a string", { { git_ref = 1 }, { git_ref = "x", deploy_strategy = true } }, try)
    each_raises("service", {
      { services = 1 }, { services = { 1 } }, { services = { "web:v1", "web:v2" } }, { services = { "web", api = "v1" } },
      { services = { web = false } }, { services = { "a b" } }, { services = { ["a:b"] = "v1" } },
    }, try)
    each_raises("current", { { current = false }, { current = true, git_ref = "x" }, { current = 1 } }, try)
    each_raises("0 to 100", {
      { git_ref = "x", canary_percentage = 101 }, { git_ref = "x", canary_percentage = 1.5 },
      { git_ref = "x", canary_percentage = "20" }, { git_ref = "x", canary_percentage = 0 / 0 },
    }, try)
    each_raises("255 characters", { { git_ref = "x", user_reference = ("x"):rep(256) } }, try)
    each_raises("did you mean 'git_ref'", { { gitref = "x" } }, try)
    each_raises("reuse", { { git_ref = "x", reuse = 1 }, { git_ref = "x", reuse = true } }, try)
    each_raises("control character", { { git_ref = "main\n" } }, try)
    assert.same({}, fake.requests(tag))
  end)

  it("takes 255 characters, whatever their length in bytes", function()
    local reference = ("\195\164"):rep(255)
    assert.equal(reference, sent_by({ git_ref = "x", user_reference = reference }).user_reference)
  end)

  it("blames the caller's line", function()
    local stack = begin()
    local ok, problem = pcall(function() stack:redeploy { git_ref = "" } end)
    assert.is_false(ok)
    assert.matches("redeploy_spec%.lua:%d+: option 'git_ref' is empty", problem)
  end)

  it("reads each form of the answer", function()
    for form, want in pairs {
      new = { queued = false, id = true }, queued = { queued = true, id = true }, bare = { queued = false, id = true },
      text_ok = { queued = false, id = true }, old = {}, approval = {},
    } do
      local stack = begin { redeploy = form }
      local result = assert(stack:redeploy { git_ref = "main" })
      assert.equal(want.queued, result.queued, form)
      assert.equal(want.id or false, result.async_action_id ~= nil, form)
    end
  end)

  it("says no when the API does", function()
    local stack, _, tag = begin { redeploy = "refused" }
    local err = failure("refused", stack:redeploy { git_ref = "main" })
    assert.matches("not in a state to be deployed", err.message)
    assert.equal(1, err.exit_code)
    assert.equal(1, #posts(tag))
  end)

  it("makes a reference that can be kept before it deploys", function()
    local reference = cloud66.reference()
    assert.matches("^lua%-cloud66%-%x+$", reference)
    assert.are_not.equal(reference, cloud66.reference())
  end)
end)

describe("redeploy, at most once,", function()
  -- Deploys with a fault on the POST, time passing at once; gives the results, and checks that there was one POST.
  local function deploy(scenario, options, client_options)
    scenario.on = scenario.on or "redeploy"
    local stack, world, tag = begin(scenario, client_options)
    local result, message, err = clock.run(world, function()
      return stack:redeploy(options or { git_ref = "main" })
    end)
    assert.equal(1, #posts(tag))
    return result, message, err, world, tag
  end

  local function actions_of(world)
    return assert(again(world):actions():collect())
  end

  it("finds it again when the answer is lost after it was accepted", function()
    for _, cut in ipairs { "head", "body", "reset" } do
      local result, _, _, world = deploy { cut = cut }
      assert.is_true(result.recovered, cut)
      local actions = actions_of(world)
      assert.equal(1, #actions)
      assert.equal(actions[1].id, result.async_action_id)
    end
  end)

  it("is ambiguous when it cannot be found, and names the reference to look for", function()
    local result, message, err, world = deploy { cut = "head", error = "server" } -- lost before it was accepted
    err = failure("ambiguous", result, message, err)
    assert.matches(err.user_reference, err.message, 1, true)
    assert.equal("network", err.cause.kind)
    assert.equal(5, err.exit_code)
    assert.same({}, actions_of(world))
    assert(again(world):redeploy { git_ref = "main", user_reference = err.user_reference })
    assert.equal(1, #actions_of(world))
  end)

  it("finds it when it is accepted after the time was up", function()
    local result, _, _, world = deploy({ delay = 3, late = 5 }, nil, { timeout = 1 })
    assert.is_true(result.recovered)
    assert.equal(1, #actions_of(world))
  end)

  it("is ambiguous when it is accepted later still, and joins it then", function()
    local result, message, err, world = deploy({ delay = 3, late = 120 }, nil, { timeout = 1 })
    err = failure("ambiguous", result, message, err)
    world:advance(120)
    local joined = assert(again(world):redeploy { git_ref = "main", user_reference = err.user_reference })
    assert.is_table(joined.joined)
    assert.equal(1, #actions_of(world))
  end)

  it("finds it behind a 502 that a proxy gave", function()
    for _, id in ipairs { "bad_gateway", "gateway_timeout", "server", "time_out" } do
      local result = deploy { error = id, accepted = true, error_body = "html" }
      assert.is_true(result.recovered, id)
    end
  end)

  it("finds it behind an answer that makes no sense", function()
    for _, body in ipairs { "truncated", "html", "empty", "text", "null" } do
      local result = deploy { body = body }
      assert.is_true(result.recovered, body)
    end
  end)

  it("says what the API says when nothing was carried out", function()
    for id, kind in pairs {
      throttled = "throttled", too_many = "throttled", unauthenticated = "auth", forbidden = "forbidden",
      not_found = "not_found", conflict = "conflict", bad_request = "bad_request", not_implemented = "not_implemented",
      trial_expired = "trial_expired",
    } do
      local result, message, err, world, tag = deploy { error = id }
      failure(kind, result, message, err)
      assert.same({}, actions_of(world))
      assert.equal(1, #fake.requests(tag), id) -- not even looked for
    end
  end)

  it("follows no redirect", function()
    local result, message, err, world = deploy { redirect = "same" }
    failure("protocol", result, message, err)
    assert.same({}, actions_of(world))
  end)

  it("says that nobody listens", function()
    local client = assert(cloud66.new { base_url = fake.closed_url(), token = fake.token })
    failure("connect", client:stack("x"):redeploy { git_ref = "main" })
  end)

  it("does not look where no request was sent", function()
    local tag = fake.fresh_tag()
    local client = expect.connect { tag = tag }
    client:close()
    failure("aborted", client:stack(fake.stacks.staging):redeploy { git_ref = "main" })
    assert.same({}, fake.requests(tag))
  end)

  it("sends nothing again on a kept connection that dies before the first byte", function()
    local stack, world, tag = begin { cut = "head", on = "redeploy" }
    assert(stack:page(1)) -- opens the connection
    local result = clock.run(world, function()
      return stack:redeploy { git_ref = "main" }
    end)
    assert.is_true(result.recovered)
    assert.equal(1, #posts(tag))
    assert.equal(1, #actions_of(world))
  end)

  it("is ambiguous where the API knows no references", function()
    local result, message, err = deploy { cut = "head", metadata = "no" }
    failure("ambiguous", result, message, err)
  end)

  it("finds it where the API does not look for references itself", function()
    local result = deploy { cut = "head", unfiltered = true, page_size = 1 }
    assert.is_true(result.recovered)
  end)

  it("says so when looking for it fails too", function()
    local stack, world, tag = begin({ error = "bad_gateway" }, { timeout = 2 })
    local result, message, err = clock.run(world, function()
      return stack:redeploy { git_ref = "main" }
    end)
    err = failure("ambiguous", result, message, err)
    assert.matches("The last poll failed: server", err.message)
    assert.equal(1, #posts(tag))
  end)

  it("looks for it for 30 seconds, or as long as it is told to", function()
    for _, case in ipairs { { 30, {} }, { 90, { settle = 90 } }, { 3, { settle = 3 } }, { 4, { settle = 90, timeout = 4 } } } do
      local stack, world, tag = begin({ error = "bad_gateway", on = "redeploy" }, { timeout = 4 })
      local passed = 0
      local result, message, err = clock.run(world, function()
        return stack:redeploy(merged({ git_ref = "main" }, case[2]))
      end, function(seconds)
        passed = passed + seconds
      end)
      failure("ambiguous", result, message, err)
      assert.is_true(passed <= case[1] and passed >= case[1] * 0.85 - 1, ("%g: %g"):format(case[1], passed))
      assert.equal(1, #posts(tag))
    end
  end)

  it("ends at its time, whatever it waits for", function()
    for _, on in ipairs { "actions", "redeploy" } do
      local stack, world, tag = begin({ error = "throttled", on = on }, { on_throttle = "wait" })
      local passed = 0
      local result, message, err = clock.run(world, function()
        return stack:redeploy { git_ref = "main", user_reference = "job-1", timeout = 60 }
      end, function(seconds)
        passed = passed + seconds
      end)
      err = failure("throttled", result, message, err)
      assert.equal(4, err.exit_code)
      assert.is_true(passed <= 60, passed)
      assert.equal(on == "redeploy" and 1 or 0, #posts(tag))
    end
  end)

  it("says that nothing was sent, or that it may have been, by its exit code", function()
    for exit_code, scenario in pairs { [4] = { error = "forbidden" }, [5] = { error = "server" }, [1] = { redeploy = "refused" } } do
      local _, _, err = deploy(scenario)
      assert.equal(exit_code, err.exit_code)
    end
    assert.equal(4, select(3, expect.connect({ error = "server" }):stack(fake.stacks.staging):redeploy {
      git_ref = "main", user_reference = "job-1" }).exit_code)
  end)

  describe("with a reference of the caller's own,", function()
    local LAG = { lag_actions = 3 }

    it("looks twice, some seconds apart: who has just sent it may not be listed", function()
      local stack, world, tag = begin(LAG)
      looks.apart(function()
        assert(clock.run(world, function()
          return stack:redeploy { git_ref = "main", user_reference = "job-1" }
        end))
        assert.same({ "GET", "GET", "POST" }, lists.column(fake.requests(tag), "method"))
        local joined = clock.run(world, function()
          return again(world, LAG):redeploy { git_ref = "main", user_reference = "job-1" }
        end)
        assert.is_table(joined.joined)
      end)
      assert.equal(1, #posts(tag))
    end)

    it("looks once for one that it has just made", function()
      local stack, world, tag = begin()
      local reference, passed = cloud66.reference(), 0
      looks.apart(function()
        for _, want in ipairs { 2, 3 } do -- the second joins
          clock.run(world, function()
            return assert(stack:redeploy { git_ref = "main", user_reference = reference })
          end, function(seconds)
            passed = passed + seconds
          end)
          assert.equal(want, #fake.requests(tag))
        end
        assert.equal(0, passed)
        clock.run(world, function()
          return assert(stack:redeploy { git_ref = "main", user_reference = reference .. "x" })
        end)
      end)
      assert.equal(6, #fake.requests(tag))
    end)

    it("gives the second look a quarter of its time at the most", function()
      local stack, world = begin()
      looks.apart(function()
        local passed = 0
        clock.run(world, function()
          return assert(stack:redeploy { git_ref = "main", user_reference = "job-1", timeout = 4 })
        end, function(seconds)
          passed = passed + seconds
        end)
        assert.is_true(passed > 0.8 and passed <= 1)
      end)
    end)

    it("reports the failure of the first each time, and how to deploy again", function()
      local stack, world, tag = begin { ends = "failed", action_message = "No space" }
      local waiting = { interval = 5 }
      for i = 1, 3 do
        local deployment, message, err = clock.run(world, function()
          local client = i == 1 and stack or again(world)
          local result = assert(client:redeploy { git_ref = "main", user_reference = "job-1" })
          assert.equal(i > 1, result.joined ~= nil)
          return client:wait(result, waiting)
        end)
        err = failure("deploy_failed", deployment, message, err)
        assert.equal(1, err.exit_code)
        assert.equal(i > 1, message:find("'job-1' was used before, so that nothing was sent: to deploy again, use another one, or stack:ensure()",
          1, true) ~= nil, message)
      end
      assert.equal(1, #posts(tag))
    end)

    it("joins the action that carries it: a CI job that runs again", function()
      local stack, world, tag = begin()
      local first = assert(stack:redeploy { git_ref = "main", user_reference = "job-17" })
      for _ = 1, 2 do
        local second = assert(again(world):redeploy { git_ref = "main", user_reference = "job-17" })
        assert.is_false(second.joined.is_finished)
        assert.equal(first.async_action_id, second.async_action_id)
      end
      world:advance(600)
      local third = assert(again(world):redeploy { git_ref = "main", user_reference = "job-17" })
      assert.equal(first.async_action_id, third.async_action_id)
      assert.is_false(third.queued)
      assert.equal(1, #posts(tag))
      assert.equal(1, #actions_of(world))
    end)

    it("joins where the API looks for no references itself, some pages back", function()
      local stack, world = begin { unfiltered = true, page_size = 2 }
      local first = assert(stack:redeploy { git_ref = "main", user_reference = "job-17" })
      for i = 1, 5 do
        assert(stack:redeploy { git_ref = "main", user_reference = "other-" .. i })
      end
      local second = assert(again(world, { unfiltered = true, page_size = 2 }):redeploy {
        git_ref = "main", user_reference = "job-17",
      })
      assert.equal(first.async_action_id, second.async_action_id)
    end)

    it("sends nothing where the list of actions does not end: it may be further down", function()
      local stack, world, tag = begin { metadata = "no", page_size = 1 }
      for _ = 1, 12 do
        world:add_action("staging", { started_time = world:now() - 1000, finished_time = world:now() - 900 })
      end
      failure("protocol", stack:redeploy { git_ref = "main", user_reference = "job-17" })
      assert.equal(0, #posts(tag))
      assert(stack:redeploy { git_ref = "main", user_reference = "job-17", reuse = false })
    end)

    it("does not take one that only begins with it", function()
      local stack, world = begin { unfiltered = true }
      assert(stack:redeploy { git_ref = "main", user_reference = "job-17" })
      local second = assert(stack:redeploy { git_ref = "main", user_reference = "job-1" })
      assert.is_nil(second.joined)
      assert.equal(2, #actions_of(world))
    end)

    it("sends nothing when it cannot look first", function()
      local stack, _, tag = begin { error = "server", on = "actions" }
      local err = failure("server", stack:redeploy { git_ref = "main", user_reference = "job-17" })
      assert.equal("job-17", err.user_reference)
      assert.equal(0, #posts(tag))
    end)

    it("deploys again with reuse = false, and takes no older action for its own", function()
      local stack, world = begin()
      local first = assert(stack:redeploy { git_ref = "main", user_reference = "job-17" })
      local second = assert(stack:redeploy { git_ref = "main", user_reference = "job-17", reuse = false })
      assert.are_not.equal(first.async_action_id, second.async_action_id)
      local third = again(world, { on = "redeploy", cut = "head", error = "server" })
      local result, message, err = clock.run(world, function()
        return third:redeploy { git_ref = "main", user_reference = "job-17", reuse = false }
      end)
      failure("ambiguous", result, message, err) -- the two that are there are not this one
      assert.equal(2, #actions_of(world))
    end)

    it("finds a lost answer beside an older action with the same reference", function()
      local stack, world = begin()
      local first = assert(stack:redeploy { git_ref = "main", user_reference = "job-17" })
      local result = clock.run(world, function()
        return again(world, { on = "redeploy", cut = "head" }):redeploy {
          git_ref = "main", user_reference = "job-17", reuse = false,
        }
      end)
      assert.is_true(result.recovered)
      assert.are_not.equal(first.async_action_id, result.async_action_id)
    end)
  end)
end)

describe("actions", function()
  it("are given newest first, and found by id and by reference", function()
    local stack, world = begin { page_size = 2 }
    for i = 1, 5 do
      assert(stack:redeploy { git_ref = "main", user_reference = "ref-" .. i })
      world:advance(1)
    end
    local seen = {}
    for action in stack:actions() do
      seen[#seen + 1] = action.user_reference
    end
    assert.same({ "ref-5", "ref-4", "ref-3", "ref-2", "ref-1" }, seen)
    local found = assert(stack:actions({ user_reference = "ref-2" }):first())
    assert.equal("ref-2", stack:action(found.id).user_reference)
    assert.equal("application_deployment", found.action)
    failure("not_found", stack:action(12345))
  end)

  it("read both forms of finished_success, wrapped and bare", function()
    for _, form in ipairs { "boolean", "text" } do
      for _, wrap in ipairs { "yes", "no" } do
        for ends, want in pairs { success = true, failed = false } do
          local stack, world = begin { success_as = form, wrap = wrap, ends = ends }
          local id = assert(stack:redeploy { git_ref = "main" }).async_action_id
          local running = assert(stack:action(id))
          assert.is_nil(running.finished_success)
          assert.is_false(running.is_finished)
          assert.matches("^action %d+ application_deployment running$", tostring(running))
          for _ = 1, 2 do
            world:advance(100)
            stack:action(id) -- the fake computes as it is asked
          end
          local action = assert(stack:action(id))
          assert.equal(want, action.finished_success)
          assert.is_true(action.is_finished)
          assert.is_number(action.finished_time)
        end
      end
    end
  end)

  it("raise for a field that does not exist", function()
    local stack = begin()
    local id = assert(stack:redeploy { git_ref = "main" }).async_action_id
    local action = assert(stack:action(id))
    raises("did you mean 'finished_success'", function() return action.finished_sucess end)
    raises("user_reference", function() stack:actions { user_reference = "" } end)
  end)
end)
