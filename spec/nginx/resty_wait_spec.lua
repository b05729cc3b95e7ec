-- cloud66.transport.resty while it waits: in time, in light threads, timers and maps, and in phases of nginx that cannot wait.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C module is the one of the Lua that runs this
end

local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local nginx_code = require "spec.support.nginx_code"
local over_sockets = require "spec.support.over_sockets"

local check_failure, check_quiet_log, get, run = over_sockets.check_failure, over_sockets.check_quiet_log, over_sockets.get, over_sockets.run

describe("cloud66.transport.resty", function()
  setup(over_sockets.start)
  before_each(over_sockets.mark_log)
  teardown(over_sockets.stop)

  local function timed(url, options)
    local start_time = core.monotonic()
    local got = get(url, options)
    return got, core.monotonic() - start_time
  end

  it("ends whatever the server does, and leaves nothing behind", function()
    run "return true" -- over a connection that stays
    local before = over_sockets.sockets()
    for _, scenario in ipairs { { wire = "slow_body" }, { wire = "slow_head" }, { delay = "5" } } do
      local got, elapsed = timed(fake.url(scenario), { timeout = 0.4 })
      check_failure("timeout", "no complete response within 0%.4 s", got)
      assert.is_true(elapsed >= 0.39 and elapsed < 3, elapsed)
    end
    assert.is_true(over_sockets.sockets(before) <= before)
    check_quiet_log()
  end)

  it("says when it was the connection that took too long", function()
    local got = run [[
      return over({ connect = function() ngx.sleep(0.2); return nil, "timeout" end }, {}, { timeout = { connect = 0.2, total = 3 } })
    ]]
    assert.same({ kind = "timeout", message = "http://x.example:80: no connection within 0.2 s" }, got)
  end)

  it("does not wait for the rest of its time when it was answered", function()
    local got, elapsed = timed(fake.url {}, { timeout = 20 })
    assert.is_true(got.ok)
    assert.is_true(elapsed < 5, elapsed)
  end)

  it("does not let the worker stand still", function()
    local slow = over_sockets.begin("return told(connect(arg.url):stacks():collect())", { url = fake.url { delay = "3" } })
    local start_time = core.monotonic()
    assert.is_true(get(fake.url {}).ok)
    assert.is_true(core.monotonic() - start_time < 2.5)
    assert.is_true(nginx_code.finish(over_sockets.server, slow).ok)
  end)

  it("ends also where the caller's light thread was killed", function()
    run "return true" -- over a connection that stays
    local before, start_time = over_sockets.sockets(), core.monotonic()
    run([[
      local thread = ngx.thread.spawn(function() connect(arg.url, { timeout = 0.6 }):stacks():collect() end)
      ngx.sleep(0.1)
      ngx.thread.kill(thread)
      return true
    ]], { url = fake.url { wire = "slow_body" } })
    assert.is_true(core.monotonic() - start_time < 5)
    assert.is_true(over_sockets.sockets(before) <= before)
  end)

  it("has several requests in flight inside map", function()
    local took = run([[
      local client = connect(arg.url, { concurrency = 6 })
      ngx.update_time()
      local start = ngx.now()
      local results = client:map({ 1, 2, 3, 4, 5, 6 }, function() return client:stacks():collect() end)
      ngx.update_time()
      return results.failed == 0 and ngx.now() - start
    ]], { url = fake.url { delay = "1" } })
    assert.is_true(took < 5, took)
  end)

  it("survives that a light thread is killed in the middle of a map", function()
    local worker = over_sockets.server:workers()[1]
    assert.is_true(run([[
      local client = connect(arg.url)
      for i = 1, 20 do
        local thread = ngx.thread.spawn(function()
          client:map({ 1, 2, 3 }, function() return client:stacks():collect() end)
        end)
        ngx.sleep(0.005 + i * 0.005)
        ngx.thread.kill(thread)
        collectgarbage()
      end
      ngx.sleep(0.2)
      return client:stacks():first() ~= nil
    ]], { url = fake.url { delay = "0.05" } }))
    assert.equal(worker, over_sockets.server:workers()[1])
    check_quiet_log()
  end)

  it("ends the request whose light thread is killed while the answers to its map come in", function()
    local killed = 0
    for i = 1, 16 do
      local got = run([[
        local client = connect(arg.url)
        local thread = ngx.thread.spawn(function()
          client:map({ 1, 2, 3 }, function() return client:stacks():collect() end)
        end)
        ngx.sleep(arg.seconds)
        return ngx.thread.kill(thread) or "too late"
      ]], { url = fake.url { delay = "0.05" }, seconds = 0.046 + i * 0.001 })
      killed = killed + (got == 1 and 1 or 0)
    end
    assert.is_true(killed > 0)
    check_quiet_log()
  end)

  it("works in a timer, in a light thread and in a map", function()
    local got = run([[
      local client, count = connect(arg.url), 0
      ngx.timer.at(0, function()
        if client:stacks():collect() then count = count + 1 end
      end)
      ngx.thread.wait(ngx.thread.spawn(function()
        if client:stacks():collect() then count = count + 1 end
      end))
      local results = assert(client:map({ 1, 2, 3 }, function() return client:stacks():collect() end))
      for _ = 1, 100 do
        if count == 2 then break end
        ngx.sleep(0.05)
      end
      return { count, results.failed }
    ]], { url = fake.url {} })
    assert.same({ 2, 0 }, got)
    check_quiet_log()
  end)
end)

describe("cloud66.transport.resty in a phase that cannot wait", function()
  setup(function()
    over_sockets.start {
      http = ([[
        init_by_lua_block {
          local resty = require "cloud66.transport.resty"
          client = assert(require "cloud66".new { base_url = "%s", token = "%s", retries = false,
            transport = resty.new(require "spec.support.resty_http") })
          local _, message, err = client:stacks():collect()
          started = err.kind .. " " .. message
        }
      ]]):format(fake.url {}, fake.token),
      server = [[
        location /filtered {
          return 200 "x";
          header_filter_by_lua_block {
            local _, message, err = client:stacks():collect()
            ngx.header["X-Kind"], ngx.header["X-Message"] = err.kind, message
          }
        }
        location /started { content_by_lua_block { ngx.print(started) } }
        location /later { content_by_lua_block { ngx.print(#assert(client:stacks():collect())) } }
      ]],
    }
  end)
  teardown(over_sockets.stop)

  it("says so, and works where it can wait", function()
    local _, _, headers = over_sockets.server:get "/filtered"
    assert.equal("phase", headers["x-kind"])
    assert.matches("header_filter.*ngx%.timer", headers["x-message"])
    local _, started = over_sockets.server:get "/started"
    assert.matches("^phase phase: .*'init'", started)
    local status, count = over_sockets.server:get "/later"
    assert.equal(200, status)
    assert.is_true(tonumber(count) >= 4, count)
    check_quiet_log()
  end)
end)

describe("cloud66.transport.resty where libcurl cannot be loaded", function()
  setup(function()
    over_sockets.start { http = [[ init_by_lua_block { package.preload["cloud66.curl"] = function() error "libcurl.so.4: no such file" end } ]] }
  end)
  teardown(over_sockets.stop)

  it("works, and is named where another transport is asked for", function()
    assert.is_true(get(fake.url {}).ok)
    local problem = run [[ return select(2, pcall(cloud66.new, { token = "some-token" })) ]]
    assert.matches("cloud66%.transport%.resty.*no such file", problem)
    check_quiet_log()
  end)
end)

describe("an nginx that used cloud66.transport.resty", function()
  setup(over_sockets.start)
  teardown(over_sockets.stop)

  it("ends, with no socket left open", function()
    get(fake.url {})
    get(fake.url { wire = "slow_body" }, { timeout = 0.2 })
    get(fake.url({}, "https"))
    local worker = over_sockets.server:workers()[1]
    over_sockets.server:signal "QUIT"
    assert.is_true(eventually(function()
      return over_sockets.server:log():find("worker process " .. worker .. " exited with code 0", 1, true) ~= nil
    end))
    check_quiet_log()
  end)
end)
