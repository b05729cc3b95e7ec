local at_once = require "spec.support.at_once"
local cloud66 = require "cloud66"
local clock = require "spec.support.clock"
local curl = require "cloud66.transport.curl"
local eventually = require "spec.support.eventually"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
local table_store = require "spec.support.table_store"

local connect, failure, raises = expect.connect, expect.failure, expect.raises

describe("the cache", function()
  local tag, scenario, told, down, store

  before_each(function()
    tag, told, down = fake.fresh_tag(), {}, false
    scenario = { tag = tag, ratelimit = "no", world = tag }
    store = cloud66.store.memory()
  end)

  local real = curl.new {}

  -- A client whose way to the API can be cut: down = "connect".
  local function cached(settings, options)
    local all = merged({ store = store, cache = settings or {}, on = { cache = function(info)
      told[#told + 1] = info.state
    end }, transport = function(request)
      if down then
        return nil, down, "cut"
      end
      return real(request)
    end }, options)
    return connect(scenario, all)
  end

  local function asked(method)
    return #fake.requests(tag, method)
  end

  local function staging(client)
    return client:stack(fake.stacks.staging)
  end

  local function pause(seconds)
    require("cloud66.runtime.host").pass(seconds)
  end

  it("sends a GET once, for all clients of the store, and says how old an answer is", function()
    local first, second = cached(), cached()
    local live = assert(staging(first):live())
    assert.equal(live, assert(staging(second):live()))
    assert.equal(live, assert(staging(second):deployments():where { is_live = true }:first()))
    assert.equal(1, asked())
    assert.same({ "miss", "fresh", "fresh" }, told)
    local path = "/stacks/" .. fake.stacks.staging .. "/deployments"
    local value, response = assert(first:request("GET", path, { query = { page = 1 } }))
    assert.equal(1, asked())
    assert.is_number(response.age)
    assert.is_true(response.age >= 0 and response.age < 5)
    assert.equal(30, #value.response)
    value.response = nil -- the caller's own
    assert.equal(30, #assert(second:request("GET", path, { query = { page = 1 } })).response)
    assert.is_nil(select(2, assert(first:request("GET", "/ping"))).age)
  end)

  it("is off unless asked for", function()
    local client = connect(scenario, { store = store })
    assert(staging(client):live())
    assert(staging(client):live())
    assert(staging(cached():with { cache = false }):live())
    assert.equal(3, asked())
  end)

  it("serves what it is meant for: stacks, their fields, deployments, actions", function()
    local client = cached()
    for _ = 1, 2 do
      assert(client:find_stack { name = "awesome-app-staging" })
      local stack = assert(staging(client):load())
      assert.equal(61, assert(stack:deployments():count()))
      local newest = assert(stack:latest())
      assert(stack:deployment(newest.id))
      assert(stack:actions():count())
      assert(stack:page(2))
    end
    assert.equal(1 + 1 + 3 + 1 + 1, asked())
  end)

  it("asks anew when an answer is no longer fresh", function()
    local client = cached { fresh = 0.02 }
    assert(staging(client):live())
    pause(0.05)
    assert(staging(client):live())
    assert.is_true(eventually(function()
      return asked() == 2
    end))
  end)

  it("gives what is stale while the API cannot be reached, and nothing older", function()
    local client = cached({ fresh = 0.02, stale = 0.8 }, { timeout = 5 })
    local live = assert(staging(client):live())
    down = "connect"
    pause(0.05)
    local started = os.time()
    local got, message, err
    repeat
      got, message, err = staging(client):live()
      if got then
        assert.equal(live, got)
      end
      pause(0.02)
    until not got or os.time() > started + 20
    failure("connect", got, message, err)
    assert.equal(1, asked())
    local found = false
    for _, state in ipairs(told) do
      found = found or state == "stale"
    end
    assert.is_true(found)
    down = false
    clock.run(nil, function()
      require("cloud66.runtime.host").pass(2) -- failures are told for a second
      assert.equal(live, assert(staging(client):live()))
    end)
  end)

  it("ends what the API says there is no more of", function()
    local client = cached { fresh = 0.02 }
    assert(staging(client):live())
    pause(0.05)
    scenario.error = "not_found"
    local changed = scenario
    local url = fake.url(changed)
    local original = fake.url { tag = tag, ratelimit = "no", world = tag }
    local other = cached({ fresh = 0.02 }, { base_url = original, transport = function(request)
      request.url = url .. request.url:sub(#original + 1)
      return real(request)
    end })
    assert.is_table(eventually(function()
      local got, message, err = staging(other):live()
      return not got and failure("not_found", got, message, err)
    end))
    down = "connect"
    assert.is_nil((staging(client):live()))
  end)

  -- A client whose way leads to a scenario of failures once `is_failing` is true.
  local function failing_client(faults)
    local original, failing = fake.url(scenario), fake.url(merged(scenario, faults))
    local way = { is_failing = false }
    way.client = cached({ fresh = 0.02 }, { base_url = original, transport = function(request)
      request.url = (way.is_failing and failing or original) .. request.url:sub(#original + 1)
      return real(request)
    end })
    return way
  end

  it("gives what is stale while a firewall answers in the API's place", function()
    for _, id in ipairs { "forbidden", "not_found", "unauthenticated", "gone", "too_many" } do
      store = cloud66.store.memory()
      local way = failing_client { error = id, error_body = "html" }
      local live = assert(staging(way.client):live())
      way.is_failing = true
      pause(0.05)
      for _ = 1, 3 do
        assert.equal(live, assert(staging(way.client):live()), id)
        pause(0.05)
      end
    end
  end)

  it("does not tell others of a proxy that refuses this process", function()
    store = table_store.new()
    local status
    local client = cached(nil, { transport = function()
      return { status = status, headers = {}, body = "" }
    end })
    local function stored_after(answer, kind, uid)
      status = answer
      failure(kind, client:stack(uid):live())
      for _, value in pairs(store.values) do
        if tostring(value):find(" " .. answer .. " ", 1, true) then
          return true
        end
      end
      return false
    end
    assert.is_true(stored_after(404, "not_found", "one"))
    assert.is_false(stored_after(407, "connect", "other"))
  end)

  it("gives what is stale while the API fails", function()
    local way = failing_client { error = "server", on = "deployments" }
    local client = way.client
    local live = assert(staging(client):live())
    way.is_failing = true
    pause(0.05)
    for _ = 1, 3 do
      assert.equal(live, assert(staging(client):live()))
    end
    assert.is_true(eventually(function()
      return asked() >= 2
    end))
    local before = asked()
    for _ = 1, 20 do
      assert.equal(live, assert(staging(client):live()))
    end
    assert.is_true(asked() <= before + 1) -- once a second, not at once
  end)

  it("keeps a deployment that stays as it is for longer", function()
    local client = cached { fresh = 0.02, settled = 100 }
    local list = assert(client:stack(fake.stacks.awesome_app):page(1))
    local old = list[10]
    assert.is_false(old.is_live)
    assert.equal(old, assert(client:stack(fake.stacks.awesome_app):deployment(old.id)))
    pause(0.05)
    assert.equal(old, assert(client:stack(fake.stacks.awesome_app):deployment(old.id)))
    assert.equal(2, asked())
    for i = 1, 3 do -- runs, failed as head no more, is live
      if not list[i].is_finished or list[i].is_live then
        for _ = 1, 2 do
          assert(client:stack(fake.stacks.awesome_app):deployment(list[i].id))
          pause(0.05)
        end
      end
    end
    assert.is_true(eventually(function()
      return asked() == 6
    end))
  end)

  it("forgets all when something is changed, through clients without a cache too", function()
    local client, plain = cached(), connect(scenario, { store = store })
    local function look()
      assert(staging(client):live())
      return asked "GET"
    end
    assert.equal(1, look())
    assert.equal(1, look())
    assert(staging(client):redeploy { git_ref = "main" })
    assert.equal(2, look())
    assert(staging(plain):redeploy { git_ref = "main" })
    assert.equal(3, look())
    plain:request("DELETE", "/nothing/here")
    assert.equal(4, look())
    assert.equal(4, look())
  end)

  it("has no part in what decides whether to deploy, nor in waiting", function()
    local client = cached()
    local stack = staging(client)
    assert(stack:deployments():collect())
    assert(stack:actions():collect())
    local before = asked()
    local _, cursor = assert(stack:poll())
    assert.is_true(asked() > before)
    before = asked()
    assert(stack:poll(cursor))
    assert.is_true(asked() > before)
    local live = assert(stack:live())
    before = asked()
    local _, info = assert(stack:ensure(live.git_hash))
    assert.equal("live", info.ensured)
    assert.is_true(asked() > before)
    before = asked()
    assert(stack:wait(live))
    assert.is_true(asked() > before)
    told = {}
    assert(stack:redeploy { git_ref = "main", user_reference = "job-1" })
    assert.same({}, told)
  end)

  it("never goes back in time from one page to the next", function()
    local client = cached { fresh = 0.5 }
    local stack = staging(client)
    assert(stack:page(2))
    pause(0.6)
    assert(stack:page(1))
    assert.equal(2, asked())
    assert.equal(61, assert(stack:deployments():count())) -- page 1 from before, 2 and 3 asked for
    assert.equal(4, asked())
  end)

  it("keeps users and accounts apart, and no token", function()
    store = table_store.new()
    local client = cached()
    assert(client:stacks():count())
    assert(client:stacks():count())
    assert.equal(1, asked())
    assert(client:with { account = 7 }:stacks():count())
    assert.equal(2, asked())
    failure("auth", cached(nil, { token = "another-token" }):stacks():count())
    assert.equal(3, asked())
    for key, value in pairs(store.values) do
      assert.is_nil((key .. value):find(fake.token, 1, true))
      assert.is_nil((key .. value):find("another-token", 1, true))
    end
    for _, key in ipairs(store.seen) do
      assert.is_nil(key:find(fake.token, 1, true))
      assert.matches("^%l+:%x+", key)
    end
  end)

  it("keeps nothing that holds the token", function()
    store = table_store.new()
    scenario.error, scenario.error_body = "server", "token"
    failure("server", cached():stacks():count())
    scenario.error = nil
    for key, value in pairs(store.values) do
      assert.is_nil((key .. value):find(fake.token, 1, true))
    end
  end)

  it("asks for each token that a function gives, once", function()
    local calls, token = 0, fake.token
    local client = cached(nil, { token = function()
      calls = calls + 1
      return token
    end })
    assert(client:stacks():count())
    assert.equal(1, calls)
    assert(client:stacks():count())
    assert.equal(2, calls)
    assert.equal(1, asked())
    token = "unknown-token"
    local first = true
    local renewing = cached(nil, { token = function()
      if first then
        first = false
        return "expired-token"
      end
      return fake.token
    end })
    assert(renewing:stacks():count()) -- what came belongs to the second one
    failure("auth", cached(nil, { token = "expired-token" }):stacks():count())
    failure("auth", client:stacks():count())
  end)

  it("keeps nothing that is not what was asked for", function()
    scenario.body, scenario.times, scenario.on = "html", 1, "deployments"
    local client = cached()
    failure("decode", staging(client):live())
    clock.run(nil, function()
      require("cloud66.runtime.host").pass(2)
      assert(staging(client):live())
    end)
    assert.equal(2, asked())
  end)

  it("tells a failure to those who ask at once", function()
    local client = cached()
    for _ = 1, 3 do
      failure("not_found", client:stack("nowhere"):live())
    end
    assert.equal(1, asked())
    down = "connect"
    failure("connect", staging(client):live())
    down = false
    local err = failure("connect", staging(client):live())
    assert.is_nil(err.message:find(fake.token, 1, true))
    assert.equal(1, asked())
    local other = cached(nil, { store = cloud66.store.memory() }) -- nothing is said beyond those who share
    assert(staging(other):live())
  end)

  if at_once then
    it("sends one request for a crowd", function()
      scenario.delay = 0.2
      local client = cached(nil, { concurrency = 30 })
      local list = {}
      for i = 1, 30 do
        list[i] = i
      end
      local results = assert(client:map(list, function()
        return staging(client):live()
      end))
      assert.equal(0, results.failed)
      assert.equal(1, asked())
    end)

    it("lets those whose time is longer ask, where one fails for lack of it", function()
      scenario.delay = 0.5
      local client = cached(nil, { concurrency = 4, timeout = 20 })
      local hasty = client:with { timeout = 0.2 }
      local results = assert(client:map({ hasty, client, client }, function(each)
        return staging(each):live()
      end))
      assert.is_false(results[1].ok)
      assert.is_true(results[2].ok, results[2].message)
      assert.is_true(results[3].ok, results[3].message)
    end)
  end

  it("is not held up by a lock whose holder has died", function()
    store = table_store.new()
    store.fail.add = function(key)
      return not key:find ":lock$"
    end
    local client = cached(nil, { timeout = 4 })
    local before = os.time()
    assert(staging(client):live())
    assert.is_true(os.time() - before <= 4)
  end)

  it("gives up in time where another asks and never ends", function()
    store = table_store.new()
    store.fail.add = function(key)
      return not key:find ":lock"
    end
    local err = failure("timeout", staging(cached(nil, { timeout = 1 })):live())
    assert.is_true(err.unsent)
    assert.equal(0, asked())
  end)

  it("takes nothing from a store that somebody has written nonsense into", function()
    store = table_store.new()
    local client = cached()
    assert(staging(client):live())
    local nonsense = { "", "1", "1 - 200 fresh\n", "99999999999999999999.000 - 200 fresh\n{}", "nan - 200 fresh\n{}",
      "1 1.000 - 200 fresh\n{}", ("x"):rep(100000), "1.000 - 200 odd\n{}", "\0" }
    for _, text in ipairs(nonsense) do
      for key in pairs(store.values) do
        if key:find "^response:2:%x+$" then
          store.values[key] = text
        end
      end
      assert(staging(client):live())
    end
    assert.equal(1 + #nonsense, asked())
  end)

  for _, how in ipairs { "raise", "refuse" } do
    it("goes on by itself where the store fails, with one warning: " .. how, function()
      store = table_store.new()
      local warnings = 0
      local client = cached(nil, { on = { warning = function()
        warnings = warnings + 1
      end } })
      store.fail.all = how
      for _ = 1, 5 do
        assert(staging(client):live())
      end
      assert.equal(1, asked())
      assert(staging(client):redeploy { git_ref = "main" })
      assert(staging(client):live())
      assert.equal(2, asked "GET")
      assert.equal(1, warnings)
      store.fail.all = nil
      clock.run(nil, function()
        require("cloud66.runtime.host").pass(3)
        assert(staging(client):live()) -- the change is told to the others now
        assert(staging(client):live())
      end)
      assert.is_true(asked "GET" <= 3)
      local generations = 0
      for key in pairs(store.values) do
        generations = generations + (key:find "^generation:" and 1 or 0)
      end
      assert.equal(1, generations)
    end)
  end

  it("does not give a change's old answers back after an outage", function()
    store = table_store.new()
    local client, other = cached(), cached()
    assert(staging(client):live())
    store.fail.set = "refuse"
    assert(staging(client):redeploy { git_ref = "main" })
    store.fail.set = nil
    clock.run(nil, function()
      require("cloud66.runtime.host").pass(3)
      assert(staging(client):live())
      assert(staging(other):live())
    end)
    assert.equal(2, asked "GET")
  end)

  it("keeps to max_body", function()
    local client = cached()
    assert(staging(client):live())
    failure("too_large", staging(client:with { max_body = 100 }):live())
  end)

  it("is not for a client that was closed", function()
    local client = cached()
    assert(staging(client):live())
    client:close()
    failure("aborted", staging(client):live())
  end)

  it("names what is wrong with the options", function()
    for _, case in ipairs {
      { true, "must be false or a table" }, { 5, "must be false or a table" }, { { frehs = 1 }, "did you mean 'fresh'" },
      { { fresh = 0 }, "cache.fresh' must be a number above zero" }, { { stale = "x" }, "cache.stale' must be a number" },
      { { fresh = 10, stale = 5 }, "must not be shorter" }, { { settled = 1e9 }, "at most 86400" },
    } do
      raises(case[2], function()
        cloud66.new { token = "x", cache = case[1] }
      end)
    end
  end)
end)
