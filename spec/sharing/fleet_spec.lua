-- Several processes, one budget and one cache in Redis: what they share, and what becomes of them when Redis does not answer.
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local hour = require "spec.support.hour"
local merged = require "spec.support.merged"
local redis = require "spec.support.redis"

if not redis.is_installed() or not redis.has_library() then
  describe("a fleet", function()
    pending "redis-server or this Lua's library for it is not installed"
  end)
  return
end

local PATIENT = 20 -- seconds: of calls that are to succeed on a machine that has much to do

local server

-- Runs a program in so many processes at once; gives what each wrote. The programs' `client` has a Redis store.
local function run(processes, options, program)
  local path = host.file(redis.PREAMBLE .. ([[

    local cloud66 = require "cloud66"
    local store = cloud66.store.redis { port = %d, timeout = %d }
    local client = assert(cloud66.new { base_url = %q, token = %q, retries = false, store = store, %s })
  ]]):format(server.port, PATIENT, options.url, fake.token, options.settings or "") .. program)
  local command, parts = ("'%s' '%s'"):format(os.getenv "C66_LUA", path), {}
  for i = 1, processes do
    parts[i] = ("%s >%s.%d 2>&1 &"):format(command, path, i)
  end
  os.execute(table.concat(parts, " ") .. " wait")
  local written = {}
  for i = 1, processes do
    written[i] = assert(host.read(path .. "." .. i))
    os.remove(path .. "." .. i)
  end
  os.remove(path)
  return written
end

local function sum(written)
  local total = 0
  for _, text in ipairs(written) do
    total = total + (tonumber(text:match "^(%d+)%s*$") or error(text, 0))
  end
  return total
end

describe("a fleet", function()
  local tag, scenario, warnings

  setup(function()
    server = redis.start()
  end)

  teardown(function()
    server:remove()
  end)

  before_each(function()
    server:cli "flushall"
    tag, warnings = fake.fresh_tag(), 0
    scenario = { tag = tag, ratelimit = "no", world = tag }
  end)

  local function connect(options)
    local all = merged({ store = cloud66.store.redis { port = server.port, timeout = PATIENT }, on = { warning = function()
      warnings = warnings + 1
    end } }, options)
    return expect.connect(scenario, all)
  end

  local function hasty(seconds)
    return cloud66.store.redis { port = server.port, timeout = seconds or 0.2 }
  end

  it("of eight processes keeps to one budget", function()
    hour.leave(15)
    local options = { url = fake.url(scenario), settings = "budget = 200" }
    local count_them = [[
      local count, refused = 0, 0
      while refused < 5 do -- one alone may come of another's, whose request is not counted in the end
        local got, message, err = %s
        if got then
          count, refused = count + 1, 0
        else
          assert(err.budget, message)
          refused = refused + 1
          require("cloud66.core").sleep(0.05)
        end
      end
      print(count)
    ]]
    local gets = run(8, options, count_them:format [[client:request("GET", "/ping")]])
    assert.equal(180, sum(gets))
    assert.equal(180, #fake.requests(tag))
    local writes = run(8, options, count_them:format(
      ("client:stack(%q):redeploy { git_ref = 'main' }"):format(fake.stacks.staging)))
    assert.equal(20, sum(writes))
    assert.equal(200, #fake.requests(tag))
  end)

  it("of eight processes asks once for what all want", function()
    scenario.delay = 1
    run(8, { url = fake.url(scenario), settings = "cache = { fresh = 60 }" }, ([[
      assert(client:stack(%q):live())
    ]]):format(fake.stacks.staging))
    assert.equal(1, #fake.requests(tag))
  end)

  it("goes on while Redis is away, with one warning, and shares again when it is back", function()
    hour.leave(20)
    local client = connect { budget = 100, store = hasty(2) }
    assert(client:request("GET", "/ping"))
    server:stop()
    for _ = 1, 5 do
      assert(client:request("GET", "/ping"))
    end
    assert.equal(1, warnings)
    assert.is_false(client:limits().shared)
    server:start_again()
    assert.is_true(eventually(function()
      assert(client:request("GET", "/ping"))
      return client:limits().shared
    end, 20, 0.1))
    assert.equal(1, warnings)
    local other = connect { budget = 100 }
    assert.equal(#fake.requests(tag), other:limits().used) -- what was counted meanwhile is there, too
  end)

  it("keeps to its deadlines while Redis stands still", function()
    local client = connect { budget = 100, cache = {}, store = hasty(0.2), timeout = 20 }
    assert(client:stack(fake.stacks.staging):live())
    server:pause()
    local before = core.monotonic()
    local got, message = client:stack(fake.stacks.api):live()
    local elapsed = core.monotonic() - before
    server:resume()
    assert(got, message)
    assert.is_true(elapsed < 15)
    assert.equal(1, warnings)
  end)

  it("goes on where Redis is full", function()
    local client = connect { budget = 100, cache = {} }
    server:cli "config set maxmemory 1"
    for _ = 1, 3 do
      assert(client:stack(fake.stacks.staging):live())
    end
    server:cli "config set maxmemory 0"
    assert.equal(1, #fake.requests(tag))
    assert.equal(1, warnings)
  end)

  it("goes on where others have written into its keys", function()
    local client = connect { budget = 100, cache = { fresh = 60 } }
    assert(client:stack(fake.stacks.staging):live())
    for key in server:cli("--raw keys '*'"):gmatch "%S+" do
      server:cli("del '" .. key .. "'")
      server:cli("lpush '" .. key .. "' nonsense")
    end
    for _ = 1, 3 do
      assert(client:stack(fake.stacks.staging):live())
    end
    assert.is_true(#fake.requests(tag) <= 4)
    assert.equal(1, warnings)
  end)

  it("is not held up by one that was killed while it asked", function()
    scenario.delay, scenario.times = 60, 1
    local program = host.file(redis.PREAMBLE .. ([[

      local cloud66 = require "cloud66"
      assert(cloud66.new { base_url = %q, token = %q, retries = false, timeout = 100, cache = { fresh = 60 },
        store = cloud66.store.redis { port = %d, timeout = %d } }):stack(%q):live()
    ]]):format(fake.url(scenario), fake.token, server.port, PATIENT, fake.stacks.staging))
    local pid = host.output(("'%s' '%s' >/dev/null 2>&1 & echo $!"):format(os.getenv "C66_LUA", program)):match "%d+"
    eventually(function()
      return #fake.requests(tag) == 1
    end)
    os.execute("kill -9 " .. pid)
    os.remove(program)
    local client = connect { cache = { fresh = 60 }, timeout = 30 }
    local before = core.monotonic()
    assert(client:stack(fake.stacks.staging):live())
    assert.is_true(core.monotonic() - before < 20) -- the lock lasts for 5 seconds
    assert.equal(2, #fake.requests(tag))
  end)
end)
