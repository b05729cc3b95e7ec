-- What calls give has the fields that types/*.lua annotates: see annotations_spec.lua.
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local errors = require "cloud66.base.error"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local proxies = require "spec.support.proxy"
local types = require "spec.support.types"

local fields_of, compare_fields = types.fields_of, types.compare_fields

local client = assert(cloud66.new { token = "x", base_url = fake.closed_url() })

-- Collects the keys that values of a class have, and compares them with the annotations in the end.
local function collector(class_name)
  local seen = {}
  return function(value)
    for name in pairs(value) do
      if type(name) == "string" then
        seen[name] = true
      end
    end
  end, function()
    compare_fields(seen, class_name)
  end
end

describe("the annotated results are those", function()
  it("of limits()", function()
    local add, finish = collector "cloud66.Limits"
    add(client:limits())
    add(cloud66.new { token = "x", store = cloud66.store.memory() }:limits())
    finish()
  end)

  it("of stats()", function()
    local figures, done = collector "cloud66.Stats"
    local spread, spread_done = collector "cloud66.Spread"
    local durations, durations_done = collector "cloud66.DurationFigures"
    local recovery, recovery_done = collector "cloud66.Recovery"
    local interval, interval_done = collector "cloud66.Interval"
    local missing, missing_done = collector "cloud66.MissingStack"
    local stats = assert(cloud66.stats(expect.connect { error = "server", on = "deployments", stack = "staging" }:deployments(
      { fake.stacks.awesome_app, fake.stacks.staging }), { by = "month" }))
    figures(stats)
    durations(stats.duration)
    spread(stats.duration.by_type.build)
    recovery(stats.recovery)
    interval(stats.series[1])
    missing(stats.missing[1])
    for _, finish in ipairs { done, spread_done, durations_done, recovery_done, interval_done, missing_done } do
      finish()
    end
  end)

  it("of map() and request()", function()
    local results, done = collector "cloud66.MapResults"
    local result, result_done = collector "cloud66.MapResult"
    local mapped = assert(client:map({ 1, 2 }, function(i)
      if i == 2 then
        return client:stack("uid"):live()
      end
      return i
    end))
    results(mapped)
    result(mapped[1])
    result(mapped[2])
    done()
    result_done()
    local response, response_done = collector "cloud66.Response"
    local caching = expect.connect({}, { store = cloud66.store.memory(), cache = {} })
    for _ = 1, 2 do
      response(select(2, assert(caching:request("GET", "/stacks"))))
    end
    response_done()
  end)

  it("of a page's drift and a sequence's failures", function()
    local drift, done = collector "cloud66.Drift"
    drift(assert(cloud66.decode '{"id":1,"git_hash":5}').drift[1])
    done()
    local history = expect.connect { error = "server", on = "deployments", stack = "staging" }:deployments(
      { fake.stacks.api, fake.stacks.staging })
    assert(history:count())
    local failure, failure_done = collector "cloud66.Failure"
    failure(history.failed[1])
    failure_done()
    compare_fields({ failed = history.failed }, "cloud66.Sequence")
  end)

  it("of redeploy(), wait(), ensure() and poll()", function()
    local world, tag = fake.world(), fake.fresh_tag()
    local at = expect.connect { world = world.name, queue = 30, takes = 60, tag = tag, link = true }:stack(fake.stacks.staging)
    local result, result_done = collector "cloud66.RedeployResult"
    local joined_one, joined_done = collector "cloud66.Joined"
    local info, info_done = collector "cloud66.WaitInfo"
    local polled, polled_done = collector "cloud66.PollInfo"
    local event, event_done = collector "cloud66.Event"
    clock.run(world, function()
      local function waiting()
        return { on_poll = polled, interval = 10 }
      end
      local asked = assert(at:redeploy { git_ref = "develop", user_reference = tag })
      local joined = assert(at:redeploy { git_ref = "develop", user_reference = tag })
      local lost = expect.connect { world = world.name, tag = tag, on = "redeploy", cut = "head" }:stack(fake.stacks.api)
      result(asked)
      result(joined)
      result(assert(lost:redeploy { current = true }))
      result(assert(expect.connect { world = world.name, redeploy = "scheduled" }:stack(fake.stacks.api):redeploy { current = true }))
      local _, cursor = assert(at:poll())
      local deployment, told = assert(at:wait(asked, waiting()))
      info(told)
      for _, each in ipairs((assert(at:poll(cursor)))) do
        event(each)
      end
      local other = expect.connect { world = world.name, error = "gateway_timeout", on = "deployment", times = 1, tag = fake.fresh_tag() }
      assert(other:stack(fake.stacks.staging):wait(deployment.id, waiting()))
      info(select(2, assert(at:ensure(deployment.git_hash))))
      joined_one(joined.joined)
      local told_ref = expect.connect { world = world.name, metadata = "ref" }:stack(fake.stacks.staging)
      joined_one(assert(told_ref:redeploy { git_ref = "develop", user_reference = tag }).joined)
    end)
    result_done()
    joined_done()
    -- What only a run that takes long is told.
    polled { overdue = true, expected_end = 0, err = errors.new("server", "") }
    info { ensured = "live" }
    polled { ensured = "live" }
    info_done()
    polled_done()
    event { changed = {} }
    event_done()
  end)

  it("of the hooks", function()
    local infos = {}
    local on = {}
    for name, field in pairs(fields_of "cloud66.Hooks") do
      local class_name = field.type:match "^fun%(info: (cloud66%.%w+)%)$"
      infos[name] = { collector(class_name) }
      on[name] = function(info)
        infos[name][1](info)
      end
    end
    local function ask(scenario, options)
      options = options or {}
      options.on = on
      expect.connect(scenario, options):stack(fake.stacks.staging):page()
    end
    ask { warning = "soon" }
    ask({ error = "server", error_body = "json", times = 1, retry_after = "1", tag = fake.fresh_tag() }, { retries = { base = 0.01 } })
    local world = fake.world()
    clock.run(world, function()
      ask({ error = "bad_gateway", times = 1, tag = fake.fresh_tag() }, { retries = { base = 0.01 } })
      ask({ error = "throttled", times = 2, tag = fake.fresh_tag() }, { on_throttle = "wait" })
      ask({ error = "throttled", times = 1, tag = fake.fresh_tag(), retry_after = "1" }, { on_throttle = "wait" })
    end)
    assert(cloud66.new { token = "x", base_url = fake.closed_url(), retries = false, on = on }):stack("uid"):page()
    expect.connect({ error = "server", on = "deployments", stack = "staging" }, { on = on }):deployments(
      { fake.stacks.api, fake.stacks.staging }):count()
    local shared = cloud66.store.memory()
    local scenario = { tag = fake.fresh_tag() }
    ask(scenario, { store = shared, cache = {} })
    ask(scenario, { store = shared, cache = {} })
    infos.retry[1] { retry_after = 1, retry_after_estimated = true } -- a throttled GET that is tried again on its own
    for _, each in pairs(infos) do
      each[2]()
    end
  end)

  it("of a transport, and what it is given", function()
    local given, given_done = collector "cloud66.TransportRequest"
    local curl = require "cloud66.transport.curl".new()
    local got, got_done = collector "cloud66.TransportResponse"
    local asking = expect.connect({ world = fake.world().name }, { transport = function(request)
      given(request)
      local response, kind, message = curl(request)
      if response then
        got(response)
      end
      return response, kind, message
    end })
    assert(asking:stack(fake.stacks.staging):redeploy { current = true })
    proxies.with("407", function(peer)
      got(assert(require "cloud66.transport.curl".new { proxy = peer } { url = fake.url() }))
    end)
    given_done()
    got_done()
  end)
end)
