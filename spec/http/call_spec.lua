-- One call from end to end, where its layers have to agree: retries, throttling, a renewed token, a store that takes its time.
local clock = require "spec.support.clock"
local curl = require "cloud66.transport.curl"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local hour = require "spec.support.hour"
local process = require "cloud66.runtime.host"
local table_store = require "spec.support.table_store"
local wait = require "cloud66.runtime.wait"

local failure, ping = expect.failure, expect.ping

-- A way to the API whose first requests meet the faults of a list, one each: scenarios of the fake. Counts what is sent.
local function meeting(list)
  local send, sent = curl.new(), { count = 0, timeouts = {} }
  return function(request)
    sent.count = sent.count + 1
    sent.timeouts[sent.count] = request.timeout.total
    local scenario = list[sent.count]
    if scenario then
      request.url = fake.url(scenario) .. request.url:match "/api/3(.*)$"
    end
    return send(request)
  end, sent
end

local SERVER, THROTTLED = { error = "server" }, { error = "throttled", retry_after = "5" }
local QUICK = { attempts = 4, base = 0.01, cap = 0.02 }

-- Calls fn while time passes at once; gives what it gives, and the seconds that passed.
local function timed(fn)
  local start, ended
  local value, message, err = clock.run(nil, function()
    start = process.now()
    local a, b, c = fn()
    ended = process.now()
    return a, b, c
  end)
  return value, message, err, ended - start
end

describe("a call that waits for a throttled account", function()
  it("counts retries over all of it, and tells of each thing once", function()
    local transport, sent = meeting { SERVER, THROTTLED, SERVER, THROTTLED, THROTTLED }
    local told = {}
    local client = expect.connect({}, { transport = transport, on_throttle = "wait",
      retries = { attempts = 2, base = 0.01, cap = 0.02 }, on = { throttle = function(info)
        told[#told + 1] = info.err.message
      end } })
    local value, message, err = timed(function()
      return ping(client)
    end)
    failure("server", value, message, err) -- the second one that `retries` counts
    assert.equal(3, sent.count)
    assert.equal(3, err.attempts)
    assert.matches("%[3 attempts%]$", message)
    assert.equal(1, #told)
    assert.not_matches("attempts", told[1])
  end)

  it("ends at once where none of its own time is left after the wait", function()
    local transport, sent = meeting { THROTTLED }
    local throttles, requests, slow = 0, 0, false
    local client = expect.connect({}, { transport = transport, on_throttle = "wait", timeout = 30, token = function()
      if slow then
        process.pass(40)
      end
      slow = true
      return fake.token
    end, on = {
      throttle = function() throttles = throttles + 1 end,
      request = function() requests = requests + 1 end,
    } })
    local value, message, err, seconds = timed(function()
      return ping(client)
    end)
    failure("throttled", value, message, err)
    assert.equal(1, sent.count)
    assert.equal(1, throttles)
    assert.equal(2, requests)
    assert.is_true(seconds < 60, seconds)
    assert.equal(select(2, message:gsub("attempt", "")), 0)
  end)

  it("has what it met before as the cause, where it runs out of time", function()
    local transport = meeting { THROTTLED, { delay = "3" }, { delay = "3" } }
    local client = expect.connect({}, { transport = transport, on_throttle = "wait", timeout = 0.5 })
    local value, message, err = ping(client)
    failure("timeout", value, message, err)
    assert.matches("%[2 attempts; the one before: throttled: [^%[]*%]$", message)
    assert.equal("throttled", err.cause.kind)
  end)
end)

if require("cloud66.runtime.tasks").overlaps then
  describe("a call of a map that waits for a throttled account", function()
    it("is over once its client is closed, not a moment later", function()
      local waits = false
      local client = expect.connect({ error = "throttled", retry_after = "60" }, { on_throttle = "wait", on = {
        throttle = function()
          waits = true
        end,
      } })
      local results, _, _, seconds = timed(function()
        return client:map({ 1, 2 }, function(item)
          if item == 1 then
            return ping(client)
          end
          repeat
            wait.sleep(0.01)
          until waits
          client:close()
        end)
      end)
      failure("aborted", nil, results[1].message, results[1].err)
      assert.is_true(seconds < 0.9, seconds)
    end)
  end)
end

describe("a call with a store", function()
  -- A store, of which one command takes so many seconds.
  local function slow_store(command, seconds)
    local store = table_store.new()
    local work = store[command]
    store[command] = function(...)
      process.pass(seconds)
      return work(...)
    end
    return store
  end

  local function deploy(client)
    return client:stack(fake.stacks.staging):redeploy { git_ref = "main" }
  end

  it("that changes something is not sent once its caller's time is over", function()
    local transport, sent = meeting {}
    local client = expect.connect({ world = fake.world().name },
      { transport = transport, store = slow_store("incr", 50), timeout = 30 })
    local results = timed(function()
      return client:map({ 1 }, function()
        return deploy(client)
      end, { timeout = 40 })
    end)
    assert.equal(0, sent.count)
    failure("timeout", nil, results[1].message, results[1].err)
    assert.is_true(results[1].err.unsent)
  end)

  it("that changes something has its own time after what the store took, with a renewed token too", function()
    local transport, sent = meeting {}
    local renewed = false
    local client = expect.connect({ world = fake.world().name }, {
      transport = transport, store = slow_store("incr", 40), timeout = 30, token = function()
        local token = renewed and fake.token or "no-such-token"
        renewed = true
        return token
      end,
    })
    assert(timed(function()
      return deploy(client)
    end))
    assert.equal(2, sent.count) -- a 401 did nothing
    for _, seconds in ipairs(sent.timeouts) do
      assert.is_true(seconds > 29 and seconds <= 30, seconds)
    end
  end)

  it("is not answered with what an attempt met that was not the last", function()
    local transport, sent = meeting { SERVER }
    local took = false
    local store = table_store.new()
    local function connect()
      return expect.connect({}, { transport = transport, store = store, cache = {}, timeout = 30, retries = QUICK,
        token = function()
          if sent.count == 1 and not took then
            took = true
            process.pass(40)
          end
          return fake.token
        end })
    end
    local stack = connect():stack(fake.stacks.staging)
    local value, message, err = timed(function()
      return stack:page(1)
    end)
    failure("server", value, message, err)
    local page, problem = connect():stack(fake.stacks.staging):page(1)
    assert.is_truthy(page, problem)
  end)

  it("tells its hooks of limits that know this response", function()
    hour.leave(5)
    local limits
    local client
    client = expect.connect({ limit = 50, tag = fake.fresh_tag() }, { budget = 1000, on = { response = function()
      limits = client:limits()
    end } })
    assert(ping(client))
    assert.equal(50, limits.limit)
    assert.equal(49, limits.remaining)
    assert.is_false(limits.counted)
  end)

  it("lets the budget know what a response said that is too large", function()
    hour.leave(5)
    local send = curl.new()
    local client = expect.connect({ limit = 50, tag = fake.fresh_tag() },
      { budget = 1000, max_body = 10, transport = function(request)
        request.max_body = nil
        return send(request)
      end })
    local value, message, err = client:stack(fake.stacks.staging):page(1)
    failure("too_large", value, message, err)
    assert.equal(49, client:limits().remaining)
  end)

  it("stores no response that repeats a token of before", function()
    local sent, first = 0, "the-token-of-before"
    local store = table_store.new()
    local function connect(token)
      return expect.connect({}, { store = store, cache = {}, token = token, transport = function()
        sent = sent + 1
        return { status = 200, headers = {}, body = ('{"said":"%s"}'):format(first) }
      end })
    end
    local tokens = { first, fake.token }
    local client = connect(function()
      return table.remove(tokens, 1) or fake.token
    end)
    assert(ping(client))
    assert(client:request("GET", "/ping"))
    assert(client:request("GET", "/ping"))
    assert.equal(3, sent)
    for _, value in pairs(store.values) do
      assert.is_nil(tostring(type(value) == "table" and value.value or value):find(first, 1, true))
    end
  end)
end)
