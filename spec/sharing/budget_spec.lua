local cloud66 = require "cloud66"
local clock = require "spec.support.clock"
local curl = require "cloud66.transport.curl"
local eventually = require "spec.support.eventually"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local hour = require "spec.support.hour"
require "spec.support.looks"
local table_store = require "spec.support.table_store"

local connect, failure, raises = expect.connect, expect.failure, expect.raises

-- Calls until one fails: how often it did not, and the failure.
local function until_refused(call)
  for count = 0, 300 do
    local value, message, err = call()
    if value == nil then
      return count, failure("throttled", value, message, err)
    end
  end
  error "nothing was refused"
end

local function ping(client)
  return function()
    return client:request("GET", "/ping")
  end
end

local function deploy(client, more)
  return client:stack(fake.stacks.staging):redeploy(more or { git_ref = "main" })
end

describe("the budget", function()
  local tag, scenario, store

  before_each(function()
    hour.leave(10)
    tag = fake.fresh_tag()
    scenario = { tag = tag, ratelimit = "no", world = tag }
  end)

  local function requests(method)
    return #fake.requests(tag, method)
  end

  describe("of one's own", function()
    it("is shared by all clients of a store, with a tenth kept for changes", function()
      store = cloud66.store.memory()
      local first = connect(scenario, { store = store, budget = 30 })
      local second = connect(scenario, { store = store, budget = 30 })
      for _ = 1, 13 do
        assert(ping(first)())
      end
      local count, err = until_refused(ping(second))
      assert.equal(14, count)
      assert.equal(27, requests())
      assert.is_true(err.budget)
      assert.is_true(err.unsent)
      assert.equal(0, err.attempts)
      assert.is_true(err.retry_after > 0 and err.retry_after <= 3600)
      failure("throttled", ping(first)())
      for _ = 1, 3 do
        assert(deploy(first))
      end
      err = failure("throttled", deploy(second))
      assert.is_true(err.budget)
      assert.equal(30, requests())
      assert.equal(3, requests "POST")
    end)

    it("keeps the tenth for the GETs of a change too", function()
      local client = connect(scenario, { budget = 30 })
      assert.equal(27, (until_refused(ping(client))))
      assert(deploy(client, { git_ref = "main", user_reference = "job-1" })) -- looks for the reference first, twice
      assert.equal(30, requests())
    end)

    it("counts each attempt, and is what limits() tells", function()
      local client = connect({ tag = tag, ratelimit = "no", error = "bad_gateway", times = 2 },
        { budget = 100, retries = { attempts = 3, base = 0.001 } })
      assert(ping(client)())
      local limits = client:limits()
      assert.same({ 100, 97, 3, 10, true, true },
        { limits.limit, limits.remaining, limits.used, limits.kept, limits.shared, limits.counted })
      assert.equal(3, requests())
    end)

    it("may be larger than what the documents say", function()
      store = table_store.new()
      local client = connect(scenario, { store = store, budget = 10000 })
      assert(ping(client)())
      for key in pairs(store.values) do
        if key:find "^count:1:%x+:%d+$" then
          store.values[key] = "5000"
        end
      end
      assert(ping(client)())
      assert.equal(10000 - 5001, client:limits().remaining)
      assert(ping(client)())
    end)

    it("is a view's too, and without a store the client's own", function()
      local client = connect(scenario, { budget = 10 })
      assert.equal(9, (until_refused(ping(client:with { timeout = 5 }))))
      failure("throttled", ping(client)())
      assert(ping(connect(scenario, { budget = 10 }))())
    end)

    it("is of each user: another token has another", function()
      store = cloud66.store.memory()
      local token = fake.token
      local client = connect(scenario, { store = store, budget = 10, token = function()
        return token
      end })
      assert.is_nil(client:limits().kept) -- nobody has asked yet
      assert.equal(9, (until_refused(ping(client))))
      token = fake.tokens.without_scope
      assert(ping(client)())
      assert.equal(1, client:limits().used)
    end)

    it("is waited for where that is asked for", function()
      local ahead, time = 0, os.time
      local pauses = {}
      local client = connect(scenario, { budget = 10, on_throttle = "wait", on = { throttle = function(info)
        pauses[#pauses + 1] = info.pause
        assert.is_true(info.err.budget)
      end } })
      assert.equal(9, (until_refused(ping(client:with { on_throttle = "fail" }))))
      os.time = function() -- luacheck: ignore 122
        return time() + math.floor(ahead)
      end
      local ok, value, message = pcall(clock.run, nil, ping(client), function(seconds)
        ahead = ahead + seconds
      end)
      os.time = time -- luacheck: ignore 122
      assert(ok, value)
      assert(value, message)
      assert.is_true(#pauses > 0)
      assert.equal(10, requests())
    end)
  end)

  describe("of the server", function()
    local function spend(count)
      local other = connect(scenario)
      for _ = 1, count do
        assert(ping(other)())
      end
    end

    before_each(function()
      scenario = { tag = tag, limit = 50, world = tag }
    end)

    it("holds back GETs before the server does, and nothing that changes something", function()
      spend(30)
      store = cloud66.store.memory()
      local client = connect(scenario, { store = store })
      assert(ping(client)())
      assert.same({ 50, 19, 31, 5, false }, (function(l)
        return { l.limit, l.remaining, l.used, l.kept, l.counted }
      end)(client:limits()))
      local _, err = until_refused(ping(client))
      assert.is_true(err.budget)
      assert.is_true(err.retry_after_estimated)
      assert.equal(46, requests()) -- the last one is the one that looks
      assert(deploy(connect(scenario, { store = store })))
      assert.equal(47, requests())
    end)

    it("is told to the others when it has refused", function()
      scenario.error, scenario.times, scenario.on, scenario.limit = "throttled", 1, "ping", 1000
      store = cloud66.store.memory()
      local first, second = connect(scenario, { store = store }), connect(scenario, { store = store })
      local err = failure("throttled", ping(first)())
      assert.is_nil(err.budget)
      err = failure("throttled", ping(second)())
      assert.is_true(err.budget)
      assert.equal(1, requests())
      assert(deploy(second))
    end)

    it("is not used up by a 429 that something in between has sent", function()
      scenario.error, scenario.times, scenario.on, scenario.limit = "too_many", 1, "ping", 1000
      scenario.error_body = "html"
      local client = connect(scenario, { store = cloud66.store.memory() })
      local err = failure("throttled", ping(client)())
      assert.is_true(err.intermediary)
      assert(ping(client)())
      assert.equal(2, requests())
    end)

    it("is asked again when Retry-After is over", function()
      scenario.error, scenario.times, scenario.on, scenario.limit = "too_many", 1, "ping", 1000
      scenario.retry_after = "1"
      local client = connect(scenario, { store = cloud66.store.memory() })
      failure("throttled", ping(client)())
      failure("throttled", ping(client)())
      assert.equal(1, requests())
      assert(eventually(ping(client)))
      assert.equal(2, requests())
    end)

    it("counts for nothing with budget = false", function()
      spend(48)
      local client = connect(scenario, { store = cloud66.store.memory(), budget = false })
      assert(ping(client)())
      assert(ping(client)())
      assert.is_nil(failure("throttled", ping(client)()).budget)
      assert.is_nil(client:limits().kept)
    end)
  end)

  describe("on a store that fails", function()
    local warnings, client

    before_each(function()
      store, warnings = table_store.new(), {}
      client = connect(scenario, { store = store, budget = 30, on = { warning = function(info)
        warnings[#warnings + 1] = info.text
      end } })
    end)

    local function pass_rest(fn)
      return clock.run(nil, function()
        require("cloud66.runtime.host").pass(3)
        return fn()
      end)
    end

    local function count()
      for key, value in pairs(store.values) do
        if key:find "^count:1:%x+:%d+$" then
          return tonumber(value)
        end
      end
    end

    for _, how in ipairs { "raise", "refuse" } do
      it("goes on from what it knows, with one warning, and tells it later: " .. how, function()
        for _ = 1, 10 do
          assert(ping(client)())
        end
        store.fail.all = how
        assert.equal(17, (until_refused(ping(client))))
        assert.equal(1, #warnings)
        assert.matches("the store", warnings[1])
        assert.is_false(client:limits().shared)
        assert.equal(10, count())
        store.fail.all = nil
        pass_rest(function()
          return assert(deploy(client))
        end)
        assert.equal(28, count())
        assert.equal(28, requests())
        assert.is_true(client:limits().shared)
      end)
    end

    it("leaves it alone for a while", function()
      store.fail.all = "refuse"
      for _ = 1, 10 do
        assert(ping(client)())
      end
      for command, calls in pairs(store.calls) do
        assert.is_true(calls <= 1, command .. " was tried again at once")
      end
    end)

    it("warns once, where one command alone fails", function()
      store.fail.incr = "refuse"
      for _ = 1, 4 do
        pass_rest(function()
          return assert(ping(client)())
        end)
      end
      assert.equal(1, #warnings)
    end)

    it("makes up for one that was emptied", function()
      for _ = 1, 10 do
        assert(ping(client)())
      end
      store.values = {}
      assert(ping(client)())
      assert.equal(11, count())
    end)

    for before = 0, 10, 10 do
      it("is not taken for emptied when a count comes late, behind those of others, after " .. before, function()
        local wide = connect(scenario, { store = store, budget = 300 })
        for _ = 1, before do
          assert(ping(wide)())
        end
        store.fail.get = function(key)
          store.fail.get = nil
          local value = store:get(key)
          for _ = 1, 40 do -- other light threads, meanwhile
            assert(ping(wide)())
          end
          return value
        end
        assert(ping(wide)())
        assert.equal(before + 41, count())
        assert.equal(before + 41, requests())
      end)
    end

    it("survives whatever stands in it", function()
      for _, text in ipairs { "", "x", "-5", "1e400", "nan", "99999999999999999999", "1.5", "\0", ("9"):rep(500) } do
        store.fail.get = function()
          return text
        end
        assert(ping(client)())
      end
      for _, value in ipairs { 0 / 0, math.huge, -math.huge, 2 ^ 60, "5", true, {} } do
        store.fail.get, store.fail.incr = nil, function()
          return value
        end
        pass_rest(function()
          return assert(deploy(client))
        end)
        store.fail.incr = nil
        pass_rest(ping(client))
      end
    end)
  end)

  it("does not stumble over what headers say", function()
    local real = curl.new {}
    for _, said in ipairs { { "0", "0" }, { ("9"):rep(20), ("9"):rep(20) }, { "10", ("9"):rep(20) }, { "-1", "-5" }, { "1e9", "x" },
      { "100", "0" } } do
      local client = connect(scenario, { store = cloud66.store.memory(), transport = function(request)
        local response, kind, text = real(request)
        if response then
          response.headers["x-ratelimit-limit"], response.headers["x-ratelimit-remaining"] = said[1], said[2]
        end
        return response, kind, text
      end })
      assert(ping(client)())
      assert(deploy(client))
      assert(deploy(client))
      assert.is_number(client:limits().remaining)
    end
  end)

  it("names what is wrong with the options", function()
    raises("'budget' must be a whole number", function()
      cloud66.new { token = "x", budget = 0 }
    end)
    raises("'budget' must be a whole number", function()
      cloud66.new { token = "x", budget = "many" }
    end)
    raises("'store'", function()
      cloud66.new { token = "x", store = {} }
    end)
    raises("'store'", function()
      cloud66.new { token = "x", store = "redis" }
    end)
  end)
end)
