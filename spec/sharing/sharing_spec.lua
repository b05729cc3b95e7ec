-- What goes wrong among those who share a store: one dies, is slow, forgets, or asks at a bad moment.
local cloud66 = require "cloud66"
local clock = require "spec.support.clock"
local core = require "cloud66.core"
local curl = require "cloud66.transport.curl"
local eventually = require "spec.support.eventually"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local entries = require "cloud66.sharing.entries"
local host = require "cloud66.runtime.host"
local hour = require "spec.support.hour"
local lists = require "spec.support.lists"
local merged = require "spec.support.merged"
local tasks = require "cloud66.runtime.tasks"
local wait = require "cloud66.runtime.wait"
local failover = require "cloud66.sharing.failover"
local table_store = require "spec.support.table_store"

local connect, failure = expect.connect, expect.failure
local real = curl.new {}

describe("those who share a store", function()
  local tag, scenario, store, warnings

  before_each(function()
    tag, warnings = fake.fresh_tag(), {}
    scenario = { tag = tag, ratelimit = "no", world = tag }
    store = table_store.new()
  end)

  -- The same store as another process sees it.
  local function twin()
    local made = table_store.new()
    made.values = store.values
    return made
  end

  local function cached(settings, options)
    local all = merged({ store = store, cache = settings or { fresh = 60 }, timeout = 60, on = { warning = function(info)
      warnings[#warnings + 1] = info.text
    end } }, options)
    return connect(scenario, all)
  end

  local function staging(client)
    return client:stack(fake.stacks.staging)
  end

  local function asked(method)
    return #fake.requests(tag, method)
  end

  local function key_of(pattern)
    for key in pairs(store.values) do
      if key:find(pattern) then
        return key
      end
    end
    error("nothing is kept under " .. pattern)
  end

  describe("after a change", function()
    before_each(function()
      assert(staging(cached()):live())
      assert(staging(connect(scenario, { store = twin() })):redeploy { git_ref = "main" })
    end)

    it("get no older answer where the generation of the change is lost", function()
      store.values[key_of "^generation:"] = nil
      assert(staging(cached()):live())
      assert.equal(2, asked "GET")
    end)

    it("get no older answer where the generation of the change cannot be read", function()
      store.fail.get = function(key)
        if key:find "^generation:" then
          return nil, "it takes too long"
        end
        return store.values[key] or false
      end
      assert(staging(cached()):live())
      assert.equal(2, asked "GET")
    end)
  end)

  it("forget what a renewed token's user has changed", function()
    local client, tokens = cached(), { "expired-token" }
    assert(staging(client):live())
    assert(staging(connect(scenario, { store = store, token = function()
      return table.remove(tokens) or fake.token
    end })):redeploy { git_ref = "main" })
    assert(staging(client):live())
    assert.equal(2, asked "GET")
  end)

  it("forget what was kept while somebody changed something and died", function()
    store = cloud66.store.memory()
    local dying = cached(nil, { timeout = 10, transport = function(request)
      if request.method == "POST" then
        error "the light thread is killed"
      end
      return real(request)
    end })
    assert.is_false((pcall(function()
      staging(dying):redeploy { git_ref = "main" }
    end)))
    local client = cached()
    assert(staging(client):live())
    clock.run(nil, function()
      host.pass(20)
      assert(staging(client):live())
    end)
    assert.equal(2, asked "GET")
  end)

  it("take no answer whose age cannot be told, as a clock was put back", function()
    local client = cached()
    assert(staging(client):live())
    local key = key_of "^response:"
    store.values[key] = store.values[key]:gsub("^%d+", ("%.0f"):format(core.time() + 3600))
    assert(staging(client):live())
    assert.equal(2, asked())
  end)

  it("do not take another deployment for one that stays as it is", function()
    local list = assert(connect(scenario):stack(fake.stacks.awesome_app):page(1))
    local mine, other = list[10], list[11]
    local mistaken = true
    local client = cached({ fresh = 0.02, settled = 1000 }, { transport = function(request)
      if mistaken then
        request.url = request.url:gsub(("/%s$"):format(mine.id), "/" .. other.id)
      end
      return real(request)
    end })
    local stack = client:stack(fake.stacks.awesome_app)
    failure("protocol", stack:deployment(mine.id))
    mistaken = false
    host.pass(0.03)
    assert.equal(mine, eventually(function() -- inside nginx what is stale is asked anew in the background
      return stack:deployment(mine.id)
    end))
  end)

  it("are told what the API fails with, also by 503", function()
    scenario.error = "not_implemented"
    local client = cached()
    for _ = 1, 20 do
      failure("not_implemented", staging(client):live())
    end
    assert.is_true(asked() <= 10, asked() .. " requests")
  end)

  it("leave a lock alone that is another's by now", function()
    local locks = entries.new(failover.of(store, {}))
    clock.run(nil, function()
      local lock = assert(locks:lock("a lock", 5))
      host.pass(6)
      store.values["a lock"] = "another's"
      locks:unlock(lock)
      assert.equal("another's", store.values["a lock"])
      store.values["a lock"] = nil
      locks:unlock(assert(locks:lock("a lock", 5)))
      assert.is_nil(store.values["a lock"])
    end)
  end)

  if tasks.overlaps then
    it("are told of a failure that took long", function()
      scenario.error, scenario.delay = "server", 1.2
      local client = cached(nil, { concurrency = 12 })
      local results = assert(client:map(lists.numbers(12), function()
        return staging(client):live()
      end))
      assert.equal(12, results.failed)
      assert.is_true(asked() <= 6, asked() .. " requests")
    end)

    it("all wait where throttling is waited for, and one asks then", function()
      scenario.error, scenario.times, scenario.retry_after = "too_many", 1, "40"
      store = cloud66.store.memory()
      local client = cached(nil, { concurrency = 6, timeout = 10, on_throttle = "wait" })
      local results = clock.run(nil, function()
        return assert(client:map(lists.numbers(6), function()
          return staging(client):live()
        end))
      end)
      for _, result in ipairs(results) do
        assert.is_true(result.ok, result.message)
      end
      assert.is_true(asked() <= 3, asked() .. " requests")
    end)
  end

  if not require("cloud66.runtime.host").is_nginx then -- there, the coroutine's sleep is the light thread's, and it takes a lock's time
    if tasks.overlaps then
      it("do not wait for one that cannot go on meanwhile", function()
        scenario.delay = 0.5
        local client = cached(nil, { concurrency = 2 })
        local before = core.monotonic()
        local results = assert(client:map({ "plain", "in a coroutine" }, function(how)
          if how == "plain" then
            return staging(client):live()
          end
          local got
          coroutine.wrap(function()
            got = assert(staging(client):live())
          end)()
          return got
        end))
        assert.equal(0, results.failed)
        assert.is_true(core.monotonic() - before < 20)
      end)
    end

    -- Inside nginx it is asked anew in the background.
    it("get what is stale at once where throttling is waited for", function()
      store = cloud66.store.memory()
      local client = cached({ fresh = 0.02, stale = 1000 }, { budget = 10, on_throttle = "wait" })
      local live = assert(staging(client):live())
      for _ = 1, 8 do
        assert(client:with { cache = false }:request("GET", "/ping"))
      end
      host.pass(0.05)
      local slept = 0
      local got = clock.run(nil, function()
        return assert(staging(client):live())
      end, function(seconds)
        slept = slept + seconds
      end)
      assert.equal(live, got)
      assert.is_true(slept < 10)
    end)
  end

  describe("with a store that is slow", function()
    local function slow(...)
      for _, command in ipairs { ... } do
        store.fail[command] = function(key, value)
          core.sleep(2.1)
          if command == "get" then
            return store.values[key] or false
          elseif command == "incr" then
            store.values[key] = ("%d"):format((store.values[key] or 0) + value)
            return tonumber(store.values[key])
          end
          return true
        end
      end
    end

    it("leave it alone, though it answers", function()
      slow "get"
      assert(staging(cached()):live())
      assert.is_true(store.calls.get <= 2, store.calls.get .. " calls")
      assert.equal(1, #warnings)
      assert.matches("took 2", warnings[1])
    end)

    it("deploy all the same", function()
      slow("get", "set", "add", "incr")
      assert(staging(cached(nil, { timeout = 2 })):redeploy { git_ref = "main" })
      assert.equal(1, asked "POST")
    end)
  end)

  describe("with a budget", function()
    before_each(function()
      hour.leave(15)
    end)

    local function ping(client)
      return client:request("GET", "/ping")
    end

    it("make up for a store that was emptied, also where others have counted since", function()
      local first = connect(scenario, { store = store, budget = 40 })
      for _ = 1, 20 do
        assert(ping(first))
      end
      for key in pairs(store.values) do
        store.values[key] = nil
      end
      local second = connect(scenario, { store = twin(), budget = 40 })
      assert(ping(second))
      for _, client in ipairs { first, second } do
        for _ = 1, 50 do
          if not ping(client) then
            break
          end
        end
      end
      assert.is_true(asked() <= 40, asked() .. " requests")
      assert.is_true(asked() >= 36, asked() .. " requests")
    end)

    it("count what was spent alone once, whoever tells it", function()
      local client = connect(scenario, { store = store, budget = 200, concurrency = 5 })
      store.fail.all = "refuse"
      for _ = 1, 10 do
        assert(ping(client))
      end
      store.fail.all = nil
      store.fail.incr = function(key, amount)
        wait.sleep(0.05)
        store.values[key] = ("%d"):format((store.values[key] or 0) + amount)
        return tonumber(store.values[key])
      end
      clock.run(nil, function()
        host.pass(3)
        local results = assert(client:map({ 1, 2, 3, 4, 5 }, function()
          return ping(client)
        end))
        assert.equal(0, results.failed)
      end)
      assert.equal("15", store.values[key_of "^count:1:%x+:%d+$"])
      assert.equal(15, asked())
    end)
  end)

  it("survive a store that raises what is no text, or has lost its methods", function()
    local client = cached(nil, { budget = 100 })
    assert(staging(client):live())
    store.fail.all = function()
      error(setmetatable({}, { __tostring = function()
        error "no text"
      end }))
    end
    assert(staging(client):redeploy { git_ref = "main" })
    assert.equal(1, #warnings)
    store.fail.all = nil
    store.get, store.set, store.add, store.incr = nil, nil, nil, nil
    setmetatable(store, { __index = function()
      error "closed"
    end })
    clock.run(nil, function()
      host.pass(3)
      assert(staging(client):redeploy { git_ref = "main" })
      assert(staging(client):live())
    end)
    assert.equal(2, asked "POST")
  end)
end)
