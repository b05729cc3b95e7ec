-- Whoever is given a time has no request that may last beyond it: not in an attempt more, and not after having waited for a
-- throttled account, which takes time of the call's caller, though none of the call's own.
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
local process = require "cloud66.runtime.host"

local SECONDS = 30
local SLACK = 0.05 -- a request's time is rounded up to hundredths, and the clock goes on while it is sent

-- Calls operation(client, stack, world) while time passes at once. Each request is sent for real; how long beyond the end of
-- SECONDS it might have lasted is told.
local function overrun(scenario, options, operation)
  local world = fake.world()
  local send = require("cloud66.transport.curl").new()
  local started, latest, requests = nil, 0, 0
  local url = fake.url(merged({ world = world.name, tag = fake.fresh_tag() }, scenario))
  local client = assert(cloud66.new(merged({ token = fake.token, base_url = url, transport = function(request)
    requests = requests + 1
    latest = math.max(latest, process.now() + request.timeout.total)
    return send(request)
  end }, options)))
  clock.run(world, function()
    started = process.now()
    operation(client, client:stack(fake.stacks.staging), world)
  end)
  return latest - started - SECONDS, requests
end

-- The account is throttled for a while, and then served again: the last request comes shortly before the end.
local THROTTLED = { error = "throttled", times = 3, retry_after = "9" }
local FAILING = { error = "server" }

local operations = {
  wait = function(_, stack, world)
    stack:wait(world:add_deployment("staging").id, { timeout = SECONDS, interval = 2 })
  end,
  watch = function(_, stack, world)
    world:add_deployment "staging"
    pcall(function()
      for _ in stack:watch { timeout = SECONDS, interval = 2 } do
        world:advance(1)
      end
    end)
  end,
  ensure = function(_, stack)
    stack:ensure(("a1"):rep(20), { timeout = SECONDS, interval = 2 })
  end,
  cancel = function(_, stack, world)
    stack:cancel(world:add_deployment("staging").id, { wait = true, timeout = SECONDS, interval = 2 })
  end,
  map = function(client, stack)
    client:map({ 1, 2 }, function()
      for _ = 1, 20 do
        stack:page(1)
      end
    end, { timeout = SECONDS })
  end,
}

describe("no request has more time than is left of that given to", function()
  for name, operation in pairs(operations) do
    it(name .. ", after a throttled account was waited for", function()
      for _, total in ipairs { 5, 20, 60 } do
        local beyond, requests = overrun(THROTTLED, { on_throttle = "wait", timeout = { total = total } }, operation)
        assert.is_true(requests > 3, requests)
        assert.is_true(beyond <= SLACK, ("%d s a call: %.2f s beyond"):format(total, beyond))
      end
    end)

    it(name .. ", after attempts that failed", function()
      for _, total in ipairs { 5, 60 } do
        local beyond, requests = overrun(FAILING,
          { timeout = { total = total }, retries = { attempts = 20, base = 4, cap = 4 } }, operation)
        assert.is_true(requests > 1, requests)
        assert.is_true(beyond <= SLACK, ("%d s a call: %.2f s beyond"):format(total, beyond))
      end
    end)
  end
end)
