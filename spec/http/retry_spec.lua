-- What is sent again, when, and what is told of it: a client with retries against the fake API.
local child = require("spec.support.child").run
local canned = require "spec.support.canned"
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"
local backoff = require "cloud66.http.backoff"
local date = require "cloud66.base.date"

local failure, each_raises = expect.failure, expect.each_raises

local QUICK = { attempts = 4, base = 0.01, cap = 0.02 }

-- Asks once: the results, how many requests the fake saw, and the seconds it took.
local function ask(scenario, options, method)
  scenario.tag = fake.fresh_tag()
  local client = expect.connect(scenario, options)
  local start = core.monotonic()
  local value, message, err = client:request(method or "GET", "/ping/auth")
  return { value, message, err }, #fake.requests(scenario.tag), core.monotonic() - start
end

local function fails(kind, results)
  return failure(kind, results[1], results[2], results[3])
end

describe("a GET", function()
  it("is sent again while the API fails for now", function()
    local errors = { "time_out", "too_many", "server", "bad_gateway", "throttled", "gateway_timeout" }
    for _, id in ipairs(errors) do
      local results, count = ask({ error = id, times = 2 }, { retries = QUICK })
      assert.is_true(results[1] and results[1].ok, id)
      assert.equal(3, count, id)
    end
    for _, form in ipairs { "html", "empty", "only_error" } do
      local results, count = ask({ error = "bad_gateway", error_body = form, times = 1 }, { retries = QUICK })
      assert.is_true(results[1] and results[1].ok, form)
      assert.equal(2, count)
    end
  end)

  it("is sent again after Cloudflare's statuses for an origin that does not answer", function()
    for status = 520, 530 do
      local results, count = ask({ status = tostring(status), times = 2 }, { retries = QUICK })
      assert.is_true(results[1] and results[1].ok, status)
      assert.equal(3, count, status)
      local err = fails("server", (ask { status = tostring(status) }))
      assert.equal(status, err.status)
    end
    for _, status in ipairs { 501, 505, 519, 531, 599 } do
      local client = canned.client({ status = status }, { body = "{}" })
      failure("server", client:with({ retries = QUICK }):request("GET", "/x"))
    end
  end)

  it("is sent again after a cut and after a 503 that says nothing", function()
    for _, scenario in ipairs { { cut = "body" }, { error = "throttled", error_body = "empty" } } do
      scenario.times = 2
      local results, count = ask(scenario, { retries = QUICK })
      assert.is_true(results[1] and results[1].ok)
      assert.equal(3, count)
    end
  end)

  it("is sent so often and no more, and the error tells", function()
    local results, count = ask({ error = "server" }, { retries = { attempts = 3, base = 0.01 } })
    local err = fails("server", results)
    assert.equal(3, err.attempts)
    assert.equal(3, count)
    assert.matches("%[3 attempts%]$", results[2])
    results, count = ask({ error = "server" }, { retries = false })
    assert.equal(1, fails("server", results).attempts)
    assert.equal(1, count)
    assert.not_matches("attempts", results[2])
  end)

  it("is tried again where nobody listens", function()
    local client = assert(cloud66.new { base_url = fake.closed_url(), token = "x", retries = QUICK })
    assert.equal(4, failure("connect", client:request("GET", "/ping")).attempts)
  end)

  it("is not sent again where that cannot help", function()
    local errors = { "bad_request", "unauthenticated", "trial_expired", "forbidden", "not_found", "conflict", "not_implemented" }
    for _, id in ipairs(errors) do
      local _, count = ask({ error = id }, { retries = QUICK })
      assert.equal(1, count, id)
    end
    for _, scenario in ipairs { { gzip = "bad" }, { body = "html" }, { status = "204" } } do
      local _, count = ask(scenario, { retries = QUICK })
      assert.equal(1, count)
    end
  end)

  it("is never sent after its deadline", function()
    local results, count, seconds = ask({ error = "server" }, { retries = { attempts = 1000, base = 0.2, cap = 0.2 }, timeout = 2 })
    local err = results[3]
    if err.kind == "timeout" then -- the last one had next to no time: it may not even have come to the fake's log
      fails("timeout", results)
      assert.matches("%[%d+ attempts; the one before: server: ", err.message)
    else
      fails("server", results)
    end
    assert.is_true(count == err.attempts or err.kind == "timeout" and count == err.attempts - 1, count)
    assert.is_true(count > 1 and count < 100, count)
    assert.is_true(seconds < 5, seconds)
  end)

  it("has one deadline for all its attempts", function()
    local results, _, seconds = ask({ delay = "1", error = "server", error_body = "token" }, { retries = QUICK, timeout = 1.9 })
    local err = fails("timeout", results)
    assert.equal(2, err.attempts)
    assert.matches("%[2 attempts; the one before: server: ", err.message)
    assert.is_nil(err.message:find(fake.token, 1, true))
    assert.is_nil(err.message:find "%c")
    assert.equal("server", err.cause.kind)
    assert.equal(500, err.cause.status)
    assert.is_true(seconds < 4, seconds)
  end)

  it("waits as long as the server says", function()
    local results, count, seconds = ask({ error = "too_many", retry_after = "1", times = 1 }, { retries = QUICK })
    assert.is_true(results[1] and results[1].ok)
    assert.equal(2, count)
    assert.is_true(seconds >= 1, seconds)
  end)

  it("is given up at once where the server names a later time than the deadline", function()
    for text, after in pairs { ["60"] = 60, ["Fri, 31 Dec 2100 23:59:59 GMT"] = false } do
      local results, count = ask({ error = "server", retry_after = text }, { retries = QUICK, timeout = 5 })
      local err = fails("server", results)
      assert.equal(1, count)
      assert.is_true(after and err.retry_after == after or not after and err.retry_after > 1e6)
    end
  end)
end)

describe("Cloudflare's 520, 524 and 530", function()
  it("are waited out in the middle of a list", function()
    for _, status in ipairs { "520", "524", "530" } do
      local tag = fake.fresh_tag()
      local client = expect.connect({ status = status, on = "page2", times = 2, tag = tag }, { retries = QUICK })
      assert.equal(137, (client:stack(fake.stacks.awesome_app):deployments():count()))
      failure("server", expect.connect({ status = status, on = "page2" }):stack(fake.stacks.awesome_app):deployments():count())
    end
  end)

  it("are waited out in the middle of a wait, within its deadline", function()
    for _, status in ipairs { "520", "524", "530" } do
      local stack, world = in_world.begin({ queue = 2, takes = 20 })
      local result = assert(stack:redeploy { git_ref = "main" })
      local failing = in_world.again(world, { status = status, times = 3, tag = fake.fresh_tag(), queue = 2, takes = 20 }, { retries = false })
      local failed = 0
      local deployment = clock.run(world, function()
        return assert(failing:wait(result, { interval = 5, on_poll = function(info)
          failed = failed + (info.err and info.err.status == tonumber(status) and 1 or 0)
        end }))
      end)
      assert.is_true(deployment.is_success)
      assert.equal(3, failed)
      local err = failure("timeout", clock.run(world, function()
        return in_world.again(world, { status = status }):wait(result, { interval = 5, timeout = 30 })
      end))
      assert.equal(tonumber(status), err.cause.status)
    end
  end)
end)

describe("what changes something", function()
  it("is sent once, whatever happens", function()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      for _, scenario in ipairs { { error = "server" }, { error = "throttled" }, { error = "time_out" }, { cut = "head" }, { cut = "body" } } do
        local results, count = ask(scenario, { retries = QUICK, on_throttle = "wait" }, method)
        assert.equal(1, results[3].attempts)
        assert.equal(1, count, method)
      end
    end
  end)
end)

describe("the retry hook", function()
  it("is told of each pause", function()
    local told = {}
    ask({ error = "server", times = 2 }, { retries = QUICK, on = { retry = function(info)
      told[#told + 1] = info
    end } })
    assert.equal(2, #told)
    for attempt, info in ipairs(told) do
      assert.equal(attempt, info.attempt)
      assert.equal("GET", info.method)
      assert.matches("/ping/auth$", info.url)
      assert.equal("server", info.err.kind)
      assert.is_true(info.pause >= 0 and info.pause <= 0.02)
    end
  end)
end)

describe("a throttled GET", function()
  it("fails with an estimate of when to come back", function()
    local told = {}
    local results = ask({ error = "throttled" }, { on = { throttle = function(info)
      told[#told + 1] = info
    end } })
    local err = fails("throttled", results)
    assert.is_true(err.retry_after > 0 and err.retry_after <= 3600)
    assert.is_true(err.retry_after_estimated)
    assert.equal(1, #told)
    assert.is_nil(told[1].pause)
    assert.is_true(told[1].retry_after_estimated)
  end)

  it("fails with the server's word where it gives one", function()
    local err = fails("throttled", (ask({ error = "throttled", retry_after = "120" }, { retries = QUICK })))
    assert.equal(120, err.retry_after)
    assert.is_nil(err.retry_after_estimated)
  end)

  it("waits outside of its own time where that was asked for", function()
    local told = {}
    local results, count, seconds = ask({ error = "throttled", retry_after = "2", times = 1 },
      { timeout = 1.8, on_throttle = "wait", on = { throttle = function(info)
        told[#told + 1] = info.pause
      end } })
    assert.is_true(results[1] and results[1].ok, results[2])
    assert.equal(2, count)
    assert.is_true(seconds >= 2, seconds)
    assert.same({ 2 }, told)
  end)

  it("waits no longer than throttle_wait", function()
    local results, count = ask({ error = "throttled", retry_after = "30" }, { on_throttle = "wait", throttle_wait = 29 })
    assert.equal(1, fails("throttled", results).attempts)
    assert.equal(1, count)
    results, count = ask({ error = "throttled" }, { on_throttle = "wait", throttle_wait = 0.2 })
    assert.equal(2, fails("throttled", results).attempts)
    assert.equal(2, count)
  end)
end)

describe("the options of retrying", function()
  it("raise where they are none", function()
    local function new(options)
      options.token = "x"
      return cloud66.new(options)
    end
    each_raises("retries", {
      { retries = true }, { retries = 3 }, { retries = { attempts = 0 } }, { retries = { attempts = 1.5 } }, { retries = { base = -1 } },
      { retries = { cap = "8" } }, { retries = { tries = 5 } },
    }, new)
    each_raises("on_throttle", { { on_throttle = "maybe" }, { on_throttle = true } }, new)
    each_raises("throttle_wait", { { throttle_wait = 0 }, { throttle_wait = "1h" } }, new)
  end)

  it("pass from a client to its view", function()
    local tag = fake.fresh_tag()
    local client = expect.connect({ error = "server", tag = tag }, { retries = { attempts = 2, base = 0.01 } })
    failure("server", client:with({ timeout = 5 }):request("GET", "/ping/auth"))
    assert.equal(2, #fake.requests(tag))
    failure("server", client:with({ retries = false }):request("GET", "/ping/auth"))
    assert.equal(3, #fake.requests(tag))
  end)
end)

describe("a pause", function()
  it("is another one in each process, where nobody seeded math.random", function()
    local function first_pause()
      return (child(([[
        local client = require("cloud66").new { base_url = %q, token = "x", retries = { base = 0.001, attempts = 2 }, on = {
          retry = function(info) print(("%%.17g"):format(info.pause)) end,
        } }
        client:request("GET", "/ping/auth")
      ]]):format(fake.closed_url())))
    end
    local one, other = first_pause(), first_pause()
    assert.matches("^%d", one)
    assert.not_equal(one, other)
  end)

  local settings = { base = 0.5, cap = 8 }

  it("is anything up to a bound that doubles, and has a cap", function()
    local bounds = {}
    for attempt = 1, 6 do
      bounds[attempt] = backoff.backoff(attempt, settings, function() return 1 end)
      assert.equal(0, backoff.backoff(attempt, settings, function() return 0 end))
    end
    assert.same({ 0.5, 1, 2, 4, 8, 8 }, bounds)
    assert.equal(8, backoff.backoff(1e6, settings, function() return 1 end))
  end)

  it("of a throttled call grows, up to the end of the hour", function()
    local function at(attempt, estimate)
      return backoff.throttle_pause(attempt, estimate, function() return 0 end)
    end
    assert.same({ 15, 30, 60, 120, 240, 300, 300 },
      { at(1, 3000), at(2, 3000), at(3, 3000), at(4, 3000), at(5, 3000), at(6, 3000), at(1e6, 3000) })
    assert.equal(8, at(5, 7))
    assert.equal(600, date.until_next_hour(3600 * 5 + 3000))
  end)

  it("is read from both forms of Retry-After", function()
    local text = "Sun, 06 Nov 1994 08:49:37 GMT"
    local now = 784111777
    assert.equal(now, date.http(text))
    assert.equal(120, backoff.after({ ["retry-after"] = " 120 " }, now))
    assert.equal(7, backoff.after({ ["retry-after"] = text }, now - 7))
    assert.equal(0, backoff.after({ ["retry-after"] = text }, now + 7))
    assert.equal(60, backoff.after({ ["retry-after"] = text, date = "Sun, 06 Nov 1994 08:48:37 GMT" }, 5))
    for _, other in ipairs { "", "soon", "-1", "1.5", "99999999999", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT" } do
      assert.is_nil(backoff.after({ ["retry-after"] = other }, now), other)
    end
    assert.is_nil(backoff.after({}, now))
  end)
end)
