-- redeploy and ensure of several processes that share a store: one of them sends.
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local looks = require "spec.support.looks"
local merged = require "spec.support.merged"
local table_store = require "spec.support.table_store"
local thorough = require "spec.support.thorough"
local wait = require "cloud66.runtime.wait"

local failure, raises = expect.failure, expect.raises

-- In the thorough lane alone: processes that are there at the same time wait for the end of a deployment in real time.
local in_real_time = thorough and it or function() end

local HASH = ("abc1234"):rep(6):sub(1, 40)

describe("processes that share a store", function()
  local world, tag, store

  before_each(function()
    world, tag, store = fake.world(), fake.fresh_tag(), cloud66.store.memory()
  end)

  -- The stack as a process of its own sees it.
  local function process(scenario, options)
    return expect.connect(merged({ world = world.name, tag = tag }, scenario), merged({ store = store }, options)):stack(fake.stacks.staging)
  end

  -- One that dies at a hook of its POST: "request", right before it is sent; "response", right after.
  local function dying(hook, scenario)
    return process(scenario, { on = { [hook] = function(info)
      if info.method == "POST" then
        error("interrupted!", 0) -- as Ctrl-C raises
      end
    end } })
  end

  local function posts()
    return #fake.requests(tag, "POST")
  end

  local function in_time(fn)
    local passed = 0
    local value, message, err = clock.run(world, fn, function(seconds)
      passed = passed + seconds
    end)
    return value, message, err, passed
  end

  local function redeploy(stack, options)
    return stack:redeploy(merged({ git_ref = "main", user_reference = "job-1" }, options))
  end

  -- The same with time passing at once; also how many seconds passed.
  local function redeploy_in_time(stack, options)
    return in_time(function()
      return redeploy(stack, options)
    end)
  end

  local function dies(stack, options)
    assert.matches("interrupted!$", expect.raised(redeploy_in_time, stack, options))
  end

  it("send once, and the others join, however late the action is listed", function()
    assert(redeploy(process { lag_actions = 30, lag_action = 30 }))
    local first = assert(redeploy(process { lag_actions = 30, lag_action = 30 }))
    assert.same({ false, "main" }, { first.joined.is_finished, first.joined.git_ref })
    assert.equal(1, posts())
    local deployment, info = in_time(function()
      return process():wait(first, { interval = 5 })
    end)
    assert.is_userdata(deployment, info)
    local second = assert(redeploy(process()))
    assert.is_true(second.joined.is_finished)
    assert.equal(tostring(first.async_action_id), tostring(second.async_action_id))
    assert.equal(1, posts())
  end)

  it("wait for who was faster, and join what it has sent", function()
    local first, second = process { delay = 1, on = "redeploy" }, process { lag_actions = 30, lag_action = 30 }
    local results = assert(expect.connect({}):map({ first, second }, function(stack)
      return redeploy(stack)
    end))
    assert.equal(tostring(results[1].value.async_action_id), tostring(results[2].value.async_action_id))
    assert.is_nil(results[1].value.joined)
    assert.is_table(results[2].value.joined)
    assert.equal(1, posts())
  end)

  it("take over from who died before it sent, after the claim's time", function()
    for seconds, options in pairs { [120] = {}, [20] = { claim = 20 } } do
      world, tag, store = fake.world(), fake.fresh_tag(), cloud66.store.memory()
      dies(dying "request", options)
      assert.equal(0, posts())
      local result, message, _, passed = redeploy_in_time(process(), options)
      assert.is_table(result, message)
      assert.is_nil(result.joined)
      assert.is_true(passed > seconds - 2 and passed < seconds + 10, passed)
      local requests = fake.requests(tag)
      assert.equal("POST", requests[#requests].method)
      assert.equal("GET", requests[#requests - 1].method)
      assert.equal(1, posts())
    end
  end)

  it("join what was sent by who died after it", function()
    dies(dying "response")
    local result, message = redeploy_in_time(process { lag_actions = 60 })
    assert.is_table(result and result.joined, message)
    assert.equal(1, posts())
  end)

  it("do not send what was sent and is listed later than the claim's time: it is ambiguous", function()
    dies(dying "response", { claim = 20 })
    for _ = 1, 2 do
      local value, message, err = redeploy_in_time(process { lag_actions = 300 }, { claim = 20 })
      err = failure("ambiguous", value, message, err)
      assert.same({ "job-1", 5 }, { err.user_reference, err.exit_code })
      assert.matches("sends nothing else for a day", message)
    end
    assert.equal(1, posts())
    assert.is_table(assert(redeploy(process())).joined)
    assert(redeploy(process(), { user_reference = "job-2" }))
    assert.equal(2, posts())
  end)

  it("are told that another one is at it, where their time is up first", function()
    dies(dying "request")
    local value, message, err, passed = redeploy_in_time(process(), { timeout = 10 })
    err = failure("timeout", value, message, err)
    assert.same({ true, 4, "job-1" }, { err.unsent, err.exit_code, err.user_reference })
    assert.is_true(passed <= 10)
    dies(dying "response", { user_reference = "job-2" })
    value, message, err = redeploy_in_time(process { lag_actions = 300 }, { user_reference = "job-2", timeout = 10 })
    failure("ambiguous", value, message, err)
    assert.equal(1, posts())
  end)

  it("say that it goes on where what was accepted cannot be read", function()
    assert(redeploy(process()))
    local err = failure("forbidden", redeploy(process({ lag_actions = 30, error = "forbidden", on = "action" })))
    assert.equal(6, err.exit_code)
  end)

  it("hear of other parameters before the action is listed", function()
    assert(redeploy(process()))
    local err = failure("conflict", redeploy(process { lag_actions = 30, lag_action = 30 }, { git_ref = "other" }))
    assert.matches("'job%-1' was used before to deploy git_ref 'main', and now comes to deploy git_ref 'other'", err.message)
    assert.equal(4, err.exit_code)
    assert.equal(1, posts())
  end)

  it("send it again where nothing was carried out, at once", function()
    for _, fault in ipairs { { error = "forbidden", on = "redeploy" }, { redeploy = "refused" }, { error = "throttled", on = "redeploy" } } do
      local value, _, err = redeploy(process(fault))
      assert.is_nil(value)
      assert.is_true(err.kind == "refused" or err.exit_code == 4, err.kind .. err.exit_code)
    end
    local result, _, _, passed = redeploy_in_time(process())
    assert.is_nil(assert(result).joined)
    assert.is_true(passed < 6)
  end)

  it("keep what another one has sent where nothing of their own was carried out", function()
    local real = store
    local broken = setmetatable({}, { __index = function(_, name)
      return name ~= "add" and real[name] or function()
        error "gone"
      end
    end })
    for _, options in ipairs { { reuse = false }, { store = broken } } do
      world, tag, store = fake.world(), fake.fresh_tag(), cloud66.store.memory()
      real = store
      local lags = { lag_actions = 30, lag_action = 30 }
      assert(redeploy(process()))
      local refused = process(merged({ error = "forbidden", on = "redeploy", tag = fake.fresh_tag() }, lags), { store = options.store })
      failure("forbidden", redeploy(refused, { reuse = options.reuse }))
      assert.is_table(assert(redeploy(process(lags))).joined)
      assert.equal(1, posts())
    end
  end)

  it("leave a reference to the others where they cannot look", function()
    failure("server", redeploy(process { error = "server", on = "actions" }))
    local result, _, _, passed = redeploy_in_time(process())
    assert.is_nil(assert(result).joined)
    assert.is_true(passed < 6)
  end)

  it("send what is to be sent all the same, and join the newest then", function()
    local first = assert(redeploy(process()))
    local second = assert(redeploy(process(), { reuse = false, git_ref = "other" }))
    assert.are_not.equal(first.async_action_id, second.async_action_id)
    local third = assert(redeploy(process { lag_actions = 30, lag_action = 30 }, { git_ref = "other" }))
    assert.equal(tostring(second.async_action_id), tostring(third.async_action_id))
    assert.equal(2, posts())
  end)

  it("may have different tokens, or renew them", function()
    local tokens, at = { "no-such-token", fake.token }, 0
    local renewing = process(nil, { token = function()
      at = math.min(at + 1, 2)
      return tokens[at]
    end })
    assert(redeploy(renewing))
    assert.is_table(assert(redeploy(process { lag_actions = 30, lag_action = 30 })).joined)
  end)

  it("keep every digit of an id", function()
    assert(redeploy(process { ids = "big" }))
    local joined = assert(redeploy(process { ids = "big", lag_actions = 30, lag_action = 30 }))
    local listed = assert(process({ ids = "big" }):actions():first())
    assert.equal(tostring(listed.id), tostring(joined.async_action_id))
  end)

  it("look twice where the store is new, and once where it has been there", function()
    looks.apart(function()
      local _, _, _, passed = redeploy_in_time(process())
      assert.is_true(passed > 4.5)
      store:set("since:1:claims", ("%d"):format(os.time() - 110), 1000)
      _, _, _, passed = redeploy_in_time(process(), { user_reference = "job-2" })
      assert.is_true(passed > 4.5)
      store:set("since:1:claims", ("%d"):format(os.time() - 130), 1000)
      _, _, _, passed = redeploy_in_time(process(), { user_reference = "job-3" })
      assert.equal(0, passed)
    end)
  end)

  it("do not stumble over what others have written into the store", function()
    for _, text in ipairs { "", "x", "[]", "{}", "7", '{"time":"x","seconds":-1,"owner":{}}', '{"time":1e300,"seconds":1e300}',
      '{"accepted":{"async_action_id":"../x"}}', '{"reference":"\\u001b[31m","accepted":{"accepted_time":-1e308}}', '{"reference":"","accepted":{}}',
      '{"accepted":{"async_action_id":{},"id":[],"queued":7,"accepted_time":"x"}}', '{"body":{"git_ref":7,"services":[[{}]],"canary_percentage":1.5}}',
      '{"accepted":7,"body":7,"reference":7}' } do
      world, tag, store = fake.world(), fake.fresh_tag(), table_store.new()
      assert(redeploy(process()))
      local entries = 0
      for key in pairs(store.values) do
        if key:find "^sent" then
          store.values[key], entries = text, entries + 1
        end
      end
      assert.equal(1, entries)
      local stack = process { lag_actions = 600, lag_action = 600 }
      local result, message = redeploy_in_time(stack, { claim = 5 })
      if result then
        in_time(function()
          return stack:wait(result, { timeout = 60 })
        end)
      end
      assert.is_true(result ~= nil and result.joined ~= nil or message ~= nil and message:find "^ambiguous" ~= nil or message:find "^conflict" ~= nil, message or text)
      assert.equal(1, posts(), text)
    end
  end)

  it("go on as without a store where it fails, with one warning", function()
    local warnings = {}
    store = table_store.new()
    store.fail.all = "raise"
    local stack = process(nil, { budget = false, on = { warning = function(info)
      warnings[#warnings + 1] = info.text
    end } })
    looks.apart(function()
      local result, message, _, passed = redeploy_in_time(stack)
      assert.is_table(result, message)
      assert.is_true(passed > 4.5)
    end)
    assert.is_table(assert(redeploy(stack)).joined)
    assert.equal(1, #warnings)
    assert.matches("no claims", warnings[1])
  end)

  it("send nothing where the store fails after it told of a redeploy that was sent", function()
    dies(dying "response", { claim = 20 })
    local real, reads = store, 0
    store = setmetatable({}, { __index = function(_, name)
      return function(_, ...)
        reads = reads + (name == "get" and 1 or 0)
        if reads > 3 then
          error "gone"
        end
        return real[name](real, ...)
      end
    end })
    local value, message, err = redeploy_in_time(process { lag_actions = 300 }, { claim = 20 })
    failure("ambiguous", value, message, err)
    assert.equal(1, posts())
  end)

  it("do not send what another one has taken over and sent, while they stood still right before", function()
    local taken = false
    local slow = process({ lag_actions = 60 }, { on = { request = function(info)
      if info.method == "POST" and not taken then
        taken = redeploy(process(), { claim = 5 })
      end
    end } })
    local result, message = redeploy_in_time(slow, { claim = 5 })
    assert.is_nil(assert(taken).joined)
    assert.is_table(result and result.joined, message)
    assert.equal(tostring(taken.async_action_id), tostring(result.async_action_id))
    assert.equal(1, posts())
  end)

  it("wait for a claim until its end, and no longer, where the store fails meanwhile", function()
    dies(dying "request", { claim = 20 })
    local real, reads = store, 0
    store = setmetatable({}, { __index = function(_, name)
      return function(_, ...)
        reads = reads + (name == "get" and 1 or 0)
        if reads > 12 then
          error "gone"
        end
        return real[name](real, ...)
      end
    end })
    local result, message, _, passed = redeploy_in_time(process(nil, { budget = false }), { claim = 20, timeout = 200 })
    assert.is_nil(assert(result, message).joined)
    assert.is_true(passed > 18 and passed < 32, passed)
    assert.equal(1, posts())
  end)

  it("look again where their claim has ended and the store fails", function()
    local real = store
    local broken = setmetatable({}, { __index = function(_, name)
      return function(_, key, ...)
        if name == "add" and key:find "^sent" then
          error "gone"
        end
        return real[name](real, key, ...)
      end
    end })
    local paused = process(nil, { store = broken, on = { request = function(info)
      if info.method == "POST" then
        wait.sleep(5)
      end
    end } })
    local results = assert(expect.connect({}):map({ paused, process() }, function(stack)
      return redeploy(stack, { claim = 2 })
    end))
    assert.equal(tostring(results[1].value.async_action_id), tostring(results[2].value.async_action_id))
    assert.equal(1, posts())
  end)

  it("are not asked for a claim without a store", function()
    local stack = expect.connect({ world = world.name }, { cache = {} }):stack(fake.stacks.staging)
    raises("'claim' needs a store", function() redeploy(stack, { claim = 20 }) end)
    raises("at most 86400", function() redeploy(stack, { claim = 86401 }) end)
    raises("'claim' needs a store", function() stack:ensure(HASH, { claim = 20 }) end)
  end)

  describe("and have a commit to be live", function()
    local function ensure(stack, options)
      return in_time(function()
        return stack:ensure(HASH, merged({ interval = 5 }, options))
      end)
    end

    in_real_time("deploy it once", function()
      local first, second = process { delay = 1, on = "redeploy", queue = 0, takes = 2 }, process { lag_actions = 5, lag_deployments = 5 }
      local results = assert(expect.connect({}):map({ first, second }, function(stack)
        return (select(2, assert(stack:ensure(HASH, { interval = 1 }))))
      end))
      assert.equal("deployed", results[1].value.ensured)
      assert.are_not.equal("deployed", results[2].value.ensured) -- joined, or live by then
      assert.equal(1, posts())
    end)

    in_real_time("give what was sent late in a claim its own time to be listed", function()
      local lags = { lag_actions = 3, lag_action = 3, lag_deployments = 3, lag_live = 3, queue = 0, takes = 4 }
      local first, second = process(lags, { on = { request = function(info)
        if info.method == "POST" then
          wait.sleep(4.5)
        end
      end } }), process(lags)
      assert(expect.connect({}):map({ first, second }, function(stack)
        return assert(stack:ensure(HASH, { interval = 1, claim = 5 }))
      end))
      assert.equal(1, posts())
    end)

    it("join what another one has sent that died", function()
      assert.matches("interrupted!$", expect.raised(ensure, dying "response"))
      local deployment, info = ensure(process { lag_actions = 40, lag_deployments = 40, queue = 90 })
      assert.is_userdata(deployment, info)
      assert.equal("joined", info.ensured)
      assert.equal(1, posts())
    end)

    it("join what was accepted without a queue, and becomes live later than it ends", function()
      local stack = process { redeploy = "starting", queue = 0 }
      failure("timeout", ensure(stack, { timeout = 1 }))
      local deployment, info = ensure(process { lag_actions = 20, lag_action = 20, lag_deployments = 20, lag_live = 60 })
      assert.is_userdata(deployment, info)
      assert.equal("joined", info.ensured)
      assert.equal(1, posts())
    end)

    it("take over from who died before it sent", function()
      assert.matches("interrupted!$", expect.raised(ensure, dying "request"))
      local deployment, info, _, passed = ensure(process())
      assert.is_userdata(deployment, info)
      assert.equal("deployed", info.ensured)
      assert.is_true(passed > 118)
      assert.equal(1, posts())
    end)

    it("do not send what was sent and is listed later than the claim's time", function()
      assert.matches("interrupted!$", expect.raised(ensure, dying "response", { claim = 20 }))
      local value, message, err = ensure(process { lag_actions = 600, lag_deployments = 600, lag_live = 600 }, { claim = 20 })
      failure("ambiguous", value, message, err)
      assert.equal(1, posts())
    end)

    it("look ever more rarely for what another one may have sent", function()
      assert.matches("interrupted!$", expect.raised(ensure, dying "response"))
      local before = #fake.requests(tag)
      local value, message, err, passed = ensure(process { lag_actions = 600, lag_deployments = 600, lag_live = 600 })
      failure("ambiguous", value, message, err)
      assert.is_true(passed > 118)
      local looks_made = #fake.requests(tag) - before
      assert.is_true(looks_made < 70, looks_made)
    end)

    it("are late where the store forgets nothing that is over", function()
      failure("deploy_failed", ensure(process { ends = "failed" }))
      local real, before = store, #fake.requests(tag)
      store = setmetatable({}, { __index = function(_, name)
        return name ~= "set" and real[name] or function()
          error "gone"
        end
      end })
      local value, message, err = ensure(process(), { timeout = 600 })
      failure("timeout", value, message, err)
      assert.matches("another process is about to send it", message)
      assert.is_true(#fake.requests(tag) - before < 250)
    end)

    it("do not send what was accepted and is listed later than the claim's time", function()
      failure("timeout", ensure(process(), { claim = 1, timeout = 0.5 }))
      core.sleep(2.1) -- the entry has the machine's time
      local value, message, err = ensure(process { lag_actions = 600, lag_action = 600, lag_deployments = 600, lag_live = 600 }, { claim = 1 })
      failure("ambiguous", value, message, err)
      assert.equal(1, posts())
    end)

    it("deploy it again after a failure of which no action tells", function()
      local unknown = { redeploy = "old", metadata = "no" }
      failure("deploy_failed", ensure(process(merged({ ends = "failed" }, unknown)), { claim = 1 }))
      core.sleep(2.1)
      local deployment, info = ensure(process(unknown), { claim = 1 })
      assert.is_userdata(deployment, info)
      assert.equal(2, posts())
    end)

    it("do not send again what was accepted, however far the lists are behind", function()
      local _, deployed = ensure(process { queue = 0, takes = 2 }, { claim = 5 })
      assert.equal("deployed", deployed.ensured)
      world:advance(30)
      for _, scenario in ipairs { { lag_actions = 600, lag_deployments = 600 }, { lag_actions = 600, lag_deployments = 600, lag_action = 600 },
        { lag_deployments = 600 } } do
        ensure(process(scenario), { claim = 5, timeout = 600 })
        assert.equal(1, posts())
      end
    end)

    it("deploy it again once, where one stands still as it is about to", function()
      failure("deploy_failed", ensure(process { ends = "failed" }))
      local real, others = store, 0
      local slow = setmetatable({}, { __index = function(_, name)
        return function(_, key, value, ttl)
          if name == "set" and key:find "^sent" and others == 0 then
            others = 1
            process({ queue = 90 }):ensure(HASH, { interval = 5, timeout = 200 })
          end
          return real[name](real, key, value, ttl)
        end
      end })
      ensure(process({ lag_actions = 100, lag_deployments = 100 }, { store = slow, budget = false }), { timeout = 900 })
      assert.same({ 1, 2 }, { others, posts() })
    end)

    in_real_time("deploy it again after a failure, and once", function()
      local value, message, err = ensure(process { ends = "failed" })
      failure("deploy_failed", value, message, err)
      local first, second = process { queue = 0, takes = 1 }, process { queue = 0, takes = 1 }
      local results = assert(expect.connect({}):map({ first, second }, function(stack)
        return (select(2, assert(stack:ensure(HASH, { interval = 1 }))))
      end))
      assert.is_true(results[1].value.ensured ~= results[2].value.ensured)
      assert.equal(2, posts())
    end)

    it("do not deploy it again where it has just succeeded, and is shown late", function()
      assert(ensure(process { takes = 5 }))
      local deployment, info = ensure(process { lag_deployments = 25, lag_live = 25 })
      assert.is_userdata(deployment, info)
      assert.is_true(info.ensured == "live" or info.ensured == "joined")
      assert.equal(1, posts())
    end)

    it("deploy it again where another commit became live", function()
      assert(ensure(process()))
      in_time(function()
        return assert(process():ensure(("fed9876"):rep(6):sub(1, 40)))
      end)
      local _, info = ensure(process())
      assert.equal("deployed", info.ensured)
      assert.equal(3, posts())
    end)
  end)
end)
