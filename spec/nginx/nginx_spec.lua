-- The library inside nginx: in its phases, beside other requests, through kills, reloads and ends. These specs run outside,
-- and send Lua code to an nginx that has the library in its workers.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local cjson = require "cjson"
local core = require "cloud66.core"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"

local eventually = nginx.eventually

local INIT = [[
  cjson, cloud66 = require "cjson", require "cloud66"
  function connect(url, options)
    local given = { base_url = url, token = "]] .. fake.token .. [[", retries = false }
    for name, value in pairs(options or {}) do given[name] = value end
    return assert(cloud66.new(given))
  end
  function in_flight()
    return (require "cloud66.curl".engine():step())
  end
]]

-- Runs the code that a request brings, which gets what the request's Arg holds; its value becomes the answer.
local RUN = [[ content_by_lua_block {
  ngx.req.read_body()
  local ok, value = pcall(assert(loadstring(ngx.req.get_body_data(), "=code")), cjson.decode(ngx.var.http_arg))
  if not ok then value = tostring(value) end
  ngx.print(cjson.encode { ok = ok, value = value })
} ]]

local server

local function start(options)
  options = options or {}
  options.http = "init_by_lua_block { " .. INIT .. (options.init or "") .. " }\n" .. (options.http or "")
  options.server = "location /run { " .. RUN .. " }\nlocation /neighbour { return 200; }\n" .. (options.server or "")
  server = nginx.start(options)
end

local function stop()
  local log = server:log():gsub("%[alert%][^\n]*lua_code_cache is off", "") -- said of each such nginx
  server:stop()
  assert.is_nil(log:find(fake.token, 1, true))
  for _, level in ipairs { "alert", "crit", "emerg" } do
    assert.is_nil(log:find("[" .. level .. "]", 1, true), log)
  end
end

-- A request that runs code; finish() gives what it comes to.
local function begin(code, arg)
  return server:start { url = "/run", method = "POST", body = code, headers = { "Arg: " .. cjson.encode(arg or {}) } }
end

local function finish(transfer)
  local status, text = server:finish(transfer)
  assert.equal(200, status, text)
  local got = cjson.decode(text)
  assert.is_true(got.ok, got.value)
  return got.value
end

local function run(code, arg)
  return finish(begin(code, arg))
end

local function seconds_of(fn)
  local start_at = core.monotonic()
  fn()
  return core.monotonic() - start_at
end

local ASK = [[
  local arg = ...
  local deployment, message, err = connect(arg.url, arg.options):stack(arg.stack):latest()
  return { id = deployment and deployment.id, message = message, kind = err and err.kind }
]]

local function latest(scenario, options)
  return { url = fake.url(scenario), stack = fake.stacks.staging, options = options }
end

local newest = fake.data.deployments("staging")[1].id

describe("inside nginx", function()
  setup(start)
  teardown(stop)

  it("a request is answered", function()
    assert.equal(newest, run(ASK, latest()).id)
  end)

  it("a request does not hold up the others", function()
    local waiting = {}
    local took = seconds_of(function()
      for i = 1, 20 do
        waiting[i] = begin(ASK, latest { delay = "1.5" })
      end
      core.sleep(0.1)
      assert.is_true(seconds_of(function()
        assert.equal(200, (server:get "/neighbour"))
      end) < 1.2)
      for i = 1, 20 do
        assert.equal(newest, finish(waiting[i]).id)
      end
    end)
    assert.is_true(took < 15, took)
  end)

  it("each request gets its own answer, whatever becomes of others", function()
    local deployments = fake.data.deployments "awesome_app"
    local waiting, lost = {}, {}
    local code = [[
      local arg = ...
      local deployment = assert(connect(arg.url):stack(arg.stack):deployment(arg.id))
      return deployment.id
    ]]
    local killed = [[
      local arg = ...
      local stack = connect(arg.url):stack(arg.stack)
      local thread = ngx.thread.spawn(function() stack:deployment(arg.id) end)
      ngx.sleep(arg.after)
      ngx.thread.kill(thread)
      thread = nil
      return true
    ]]
    for i = 1, 60 do
      local arg = { url = fake.url { delay = ("%.2f"):format(i % 7 / 50) }, stack = fake.stacks.awesome_app, id = deployments[i].id }
      waiting[i] = begin(code, arg)
      arg.id, arg.after = deployments[61 + i].id, i % 5 / 100
      lost[i] = begin(killed, arg)
      if i % 10 == 0 then
        run "collectgarbage() return true"
      end
    end
    for i = 1, 60 do
      assert.equal(deployments[i].id, finish(waiting[i]))
      assert.is_true(finish(lost[i]))
    end
  end)

  it("map has several requests in flight, and shares the worker", function()
    local code = [[
      local arg = ...
      local client = connect(arg.url, { concurrency = 8 })
      local results = client:map(arg.ids, function(id) return client:stack(arg.stack):deployment(id) end)
      local ids = {}
      for i, result in ipairs(results) do ids[i] = result.ok and result.value.id or result.message end
      return ids
    ]]
    local deployments = fake.data.deployments "awesome_app"
    local ids = {}
    for i = 1, 16 do
      ids[i] = deployments[i].id
    end
    local arg = { url = fake.url { delay = "1.5" }, stack = fake.stacks.awesome_app, ids = ids }
    local took = seconds_of(function()
      local one, two = begin(code, arg), begin(code, arg)
      assert.is_true(seconds_of(function()
        server:get "/neighbour"
      end) < 1.2)
      assert.same(ids, finish(one))
      assert.same(ids, finish(two))
    end)
    assert.is_true(took < 15, took)
  end)

  it("map goes on while its function waits for something of nginx's own", function()
    assert.same({ 2, 4, 6 }, run([[
      local arg = ...
      local client = connect(arg.url)
      local results = client:map({ 1, 2, 3 }, function(n)
        ngx.sleep(0.01)
        assert(client:request("GET", "/ping/auth"))
        ngx.sleep(0.01)
        return n * 2
      end)
      local values = {}
      for i, result in ipairs(results) do values[i] = result.value or result.message end
      return values
    ]], { url = fake.url() }))
  end)

  it("map goes on with generators of the user's own inside its function, and inside those with another map", function()
    assert.same({ "1 2 6", "2 4 6" }, run([[
      local arg = ...
      local client = connect(arg.url)
      local function ask(n) assert(client:request("GET", "/ping/auth")) return n end
      local results = client:map({ 1, 2 }, function(n)
        local values = coroutine.wrap(function()
          coroutine.yield(ask(n))
          coroutine.yield(ask(2 * n))
          local sum = 0
          for _, result in ipairs(client:map({ 1, 2, 3 }, ask)) do sum = sum + result.value end
          coroutine.yield(sum)
        end)
        return values() .. " " .. values() .. " " .. values()
      end)
      local values = {}
      for i, result in ipairs(results) do values[i] = result.value or result.message end
      return values
    ]], { url = fake.url { delay = "0.02" } }))
  end)

  it("map keeps its deadline, also beside another one that has none", function()
    local code = [[
      local arg = ...
      local client = connect(arg.url)
      local results = client:map({ 1, 2, 3, 4 }, function() return client:request("GET", "/ping/auth") end,
        { timeout = arg.timeout })
      return results.failed .. " " .. tostring(results[4].err and results[4].err.kind)
    ]]
    local short = begin(code, { url = fake.url { delay = "0.6" }, timeout = 0.3 })
    local long = begin(code, { url = fake.url { delay = "0.6" } })
    assert.equal("4 timeout", finish(short))
    assert.equal("0 nil", finish(long))
  end)

  it("a map whose function waits for something else leaves other requests alone", function()
    local map = begin([[
      local arg = ...
      local results = connect(arg.url):map({ 1, 2 }, function(n) ngx.sleep(0.8) return n end, { timeout = 0.3 })
      return #results
    ]], { url = fake.url() })
    core.sleep(0.1)
    assert.equal(newest, run(ASK, latest { delay = "0.4" }).id)
    assert.equal(2, finish(map))
  end)

  it("a pause before another attempt holds up nobody", function()
    local tag = fake.fresh_tag()
    local waiting = begin(ASK, latest({ error = "bad_gateway", times = 1, retry_after = "4", tag = tag },
      { retries = { attempts = 3 } }))
    assert.is_true(eventually(function()
      return #fake.requests(tag) == 1
    end))
    core.sleep(0.2) -- until it has read the answer, and pauses
    assert.is_true(seconds_of(function()
      server:get "/neighbour"
    end) < 2)
    assert.equal(newest, finish(waiting).id)
  end)

  it("close() in one request ends another one's", function()
    local waiting = begin([[
      local arg = ...
      shared = connect(arg.url)
      local value, message, err = shared:request("GET", "/ping/auth")
      return err and err.kind or "answered"
    ]], { url = fake.url { delay = "5" } })
    assert.is_true(seconds_of(function()
      assert.is_true(eventually(function()
        return run "return shared ~= nil and in_flight() > 0"
      end))
      run "shared:close() return true"
      assert.equal("aborted", finish(waiting))
    end) < 3)
  end)

  it("a light thread that is killed leaves nothing behind", function()
    assert.equal(0, run([[
      local arg = ...
      local client = connect(arg.url)
      for i = 1, 10 do
        local thread = ngx.thread.spawn(function()
          if i % 2 == 0 then return client:request("GET", "/ping/auth") end
          return client:map({ 1, 2, 3 }, function() return client:request("GET", "/ping/auth") end)
        end)
        ngx.sleep(0.005)
        ngx.thread.kill(thread)
      end
      collectgarbage() collectgarbage()
      return in_flight()
    ]], { url = fake.url { delay = "5" } }))
  end)

  it("tells that it cannot wait below a function written in C", function()
    local got = run([[
      local arg = ...
      local client = connect(arg.url)
      local message
      local changed = ("x"):gsub("x", function() message = select(2, client:request("GET", "/ping/auth")) end)
      local ok = client:request("GET", "/ping/auth")
      return { message = message, after = ok ~= nil }
    ]], { url = fake.url() })
    assert.matches("^phase: .*string%.gsub", got.message)
    assert.is_true(got.after)
  end)

  it("names nginx's env directive where there is no token", function()
    local got = run [[
      local client, message, err = cloud66.new()
      return { message = message, kind = err.kind, home = os.getenv "HOME" }
    ]]
    assert.equal("auth", got.kind)
    assert.matches("env CLOUD66_TOKEN;", got.message, 1, true)
    assert.is_nil(got.home)
  end)

  it("keeps as many connections as were used at once, and no more, after hundreds of requests", function()
    local function ask_all()
      local waiting = {}
      for i = 1, 10 do
        waiting[i] = begin(ASK, latest())
      end
      for i = 1, 10 do
        assert.equal(newest, finish(waiting[i]).id)
      end
    end
    for _ = 1, 5 do
      ask_all()
    end
    local before = server:sockets(server:workers()[1])
    for _ = 1, 30 do
      ask_all()
    end
    assert.is_true(server:sockets(server:workers()[1]) <= before + 10)
    assert.equal(0, run "return in_flight()")
  end)
end)

-- --- phases ---

describe("a phase of nginx", function()
  local SAY = [[
    local deployment, message, err = connect("%s"):stack("%s"):latest()
    local said = deployment and tostring(deployment.id) or err.kind .. " " .. message
  ]]

  local function say(more)
    return SAY:format(fake.url(), fake.stacks.staging) .. (more or "")
  end

  local function logged(name)
    return eventually(function()
      return server:log():match(name .. " said (.-) end")
    end)
  end

  setup(function()
    start {
      init = say 'at_start = said',
      http = ([[
        lua_shared_dict said 100k;
        init_worker_by_lua_block {
          %s
          ngx.log(ngx.NOTICE, "init_worker said ", said, " end")
          assert(ngx.timer.at(0, function() %s ngx.log(ngx.NOTICE, "timer said ", said, " end") end))
        }
      ]]):format(say(), say()),
      server = ([[
        location /init { content_by_lua_block { ngx.print(at_start) } }
        location /rewrite { rewrite_by_lua_block { %s ngx.print(said) ngx.exit(200) } }
        location /access { access_by_lua_block { %s ngx.print(said) ngx.exit(200) } }
        location /content { content_by_lua_block { %s ngx.print(said) } }
        location /set { set_by_lua_block $said { %s return said } content_by_lua_block { ngx.print(ngx.var.said) } }
        location /header { header_filter_by_lua_block { %s ngx.header.said = said } content_by_lua_block { ngx.print "" } }
        location /body { body_filter_by_lua_block { if not ngx.ctx.done then %s ngx.ctx.done = true ngx.arg[1] = said end }
          content_by_lua_block { ngx.print "x" } }
        location /log { log_by_lua_block { %s ngx.log(ngx.NOTICE, "log said ", said, " end") } return 200; }
      ]]):format(say(), say(), say(), say(), say(), say(), say()),
      more = function(port)
        return ([[ server {
          listen 127.0.0.1:%d ssl; ssl_certificate %s/server.pem; ssl_certificate_key %s/server.key;
          ssl_certificate_by_lua_block { %s ngx.log(ngx.NOTICE, "ssl said ", said, " end") }
          location / { return 200; }
        } ]]):format(port + 1, os.getenv "C66_FAKE_DIR", os.getenv "C66_FAKE_DIR", say())
      end,
    }
  end)
  teardown(stop)

  for _, path in ipairs { "/rewrite", "/access", "/content" } do
    it("that can wait: " .. path:sub(2), function()
      local status, body = server:get(path)
      assert.equal(200, status)
      assert.equal(tostring(newest), body)
    end)
  end

  it("that can wait: timer, from init_worker too", function()
    assert.equal(tostring(newest), logged "timer")
  end)

  it("that can wait: ssl_certificate", function()
    assert.equal("200", host.output(("curl -sk -o /dev/null -w '%%{http_code}' https://127.0.0.1:%d/"):format(server.port + 1)))
    assert.equal(tostring(newest), logged "ssl")
  end)

  it("that may block: init", function()
    local _, body = server:get "/init"
    assert.equal(tostring(newest), body)
  end)

  it("that cannot wait gives an error of kind phase, which says what to do", function()
    local _, set = server:get "/set"
    local _, _, headers = server:get "/header"
    local _, body = server:get "/body"
    server:get "/log"
    for name, text in pairs { set = set, header_filter = headers.said, body_filter = body, log = logged "log",
      init_worker = logged "init_worker" } do
      assert.equal("phase phase: ", text:sub(1, 13), text)
      assert.is_truthy(text:find("'" .. name .. "'", 1, true), text)
      assert.is_truthy(text:find("ngx.timer.at(0", 1, true), text)
    end
  end)
end)

-- --- lives ---

describe("a client made while nginx starts", function()
  it("serves all workers, each over connections of its own", function()
    start {
      workers = 2,
      init = ([[
        client = connect "%s"
        assert(client:request("GET", "/ping/auth")) -- the master has an engine, and a connection, too
      ]]):format(fake.url()),
    }
    local deployments = fake.data.deployments "awesome_app"
    local code = [[
      local arg = ...
      return { id = assert(client:stack(arg.stack):deployment(arg.id)).id, pid = ngx.worker.pid() }
    ]]
    local pids = {}
    for round = 0, 4 do
      local waiting = {}
      for i = 1, 20 do
        waiting[i] = begin(code, { stack = fake.stacks.awesome_app, id = deployments[round * 20 + i].id })
      end
      for i = 1, 20 do
        local got = finish(waiting[i])
        assert.equal(deployments[round * 20 + i].id, got.id)
        pids[got.pid] = true
      end
    end
    local count = 0
    for _ in pairs(pids) do
      count = count + 1
    end
    assert.equal(2, count, "one of the workers was never asked")
    stop()
  end)
end)

describe("the library, loaded while nginx starts,", function()
  it("is there as a whole in each worker: none reads a file of it while it serves somebody", function()
    local list = [[
      local names = {}
      for name in pairs(package.loaded) do
        names[#names + 1] = name:match "^cloud66%..*"
      end
      table.sort(names)
      return names
    ]]
    local use = [[
      local arg = ...
      local cloud66 = require "cloud66"
      local client = connect(arg.url)
      local stack = client:stack(arg.stack)
      assert(stack:wait(arg.id))
      assert(stack:poll())
      stack:watch()
      assert(stack:live())
      assert(stack:actions():collect())
      stack:redeploy { git_ref = "main", user_reference = "once" }
      stack:ensure(("ab"):rep(20), { timeout = 0.01 })
      stack:cancel(arg.id)
      assert(client:map({ 1 }, tostring))
      assert(client:deployments({ arg.stack }):take(1):count())
      assert(cloud66.stats({}))
      cloud66.webhook "{}"
      assert(client:with { budget = 100, cache = {} }:stack(arg.stack):page(1))
    ]]
    start()
    run(ASK, latest()) -- and with it the way to the network, which may be another one
    local before = run(list)
    local d = fake.data.deployments("staging")[1]
    run(use, { url = fake.url { world = fake.world().name, queue = 600 }, stack = fake.stacks.staging, id = d.id })
    local after = run(list)
    stop()
    assert.is_true(#before > 50)
    assert.same(before, after)
  end)
end)

describe("lua_code_cache off", function()
  it("makes an engine per request, and leaves none behind", function()
    start { http = "lua_code_cache off;" }
    for _ = 1, 5 do
      assert.equal(newest, run(ASK, latest()).id)
    end
    local before = server:sockets(server:workers()[1])
    for _ = 1, 20 do
      assert.equal(newest, run(ASK, latest()).id)
    end
    assert.is_true(server:sockets(server:workers()[1]) <= before + 2)
    stop()
  end)
end)

describe("a client that goes away", function()
  it("ends the light thread of its request, and nothing else", function()
    start { http = "lua_check_client_abort on;" }
    local code = [[
      local arg = ...
      assert(ngx.on_abort(function() ngx.exit(499) end))
      connect(arg.url):request("GET", "/ping/auth")
      return true
    ]]
    local other = begin(ASK, latest { delay = "1" })
    for _ = 1, 5 do
      local gone = begin(code, { url = fake.url { delay = "8" } })
      assert.is_true(eventually(function()
        return run "return in_flight() >= 2"
      end))
      gone:cancel()
      assert.is_true(eventually(function()
        return run "collectgarbage() collectgarbage() return in_flight() <= 1"
      end))
    end
    assert.equal(newest, finish(other).id)
    stop()
  end)
end)

describe("close()", function()
  it("does not hit a request that has the coroutine of one whose client went away", function()
    start { http = "lua_check_client_abort on;", init = ([[ first, second = connect "%s", connect "%s" ]]):format(
      fake.url { delay = "1" }, fake.url { delay = "1" }) }
    local gone = begin [[
      collectgarbage "stop"
      begun = true
      assert(ngx.on_abort(function() ngx.exit(499) end))
      first:request("GET", "/ping/auth")
      return true
    ]]
    assert.is_true(eventually(function()
      return run "return begun and in_flight() == 1"
    end))
    gone:cancel()
    core.sleep(0.1)
    local waiting = {}
    for i = 1, 3 do
      waiting[i] = begin [[
        local ok, message = second:request("GET", "/ping/auth")
        return message and message.status or message
      ]]
    end
    core.sleep(0.1)
    run "first:close() return true"
    for i = 1, 3 do
      assert.equal(200, finish(waiting[i]))
    end
    stop()
  end)
end)

-- Whether a process ends within so many seconds.
local function ends(pid, seconds)
  return eventually(function()
    return os.execute(("kill -0 %d 2>/dev/null"):format(pid)) ~= 0
  end, seconds)
end

describe("an nginx that is reloaded", function()
  it("answers what is in flight, and its old workers end", function()
    start { workers = 2 }
    local old = server:workers()
    local waiting = {}
    for i = 1, 10 do
      waiting[i] = begin(ASK, latest { delay = "1" })
    end
    core.sleep(0.2)
    server:signal "HUP"
    for i = 1, 10 do
      assert.equal(newest, finish(waiting[i]).id)
    end
    for _, pid in ipairs(old) do
      assert.is_true(ends(pid, 5))
    end
    assert.equal(newest, run(ASK, latest()).id)
    stop()
  end)

  it("ends a wait of 30 minutes in a timer, which another worker takes up again", function()
    local world = fake.world()
    start {
      http = "lua_shared_dict jobs 100k;",
      init = ([[
        stack = connect("%s"):stack "%s"
        function wait_for(result)
          local deployment, message, err = stack:wait(result, { interval = 1, timeout = 1800 })
          ngx.shared.jobs:set("end", deployment and deployment.outcome or err.kind .. " " .. message)
        end
      ]]):format(fake.url { world = world.name, queue = 0, takes = 1800 }, fake.stacks.staging),
    }
    local begin_to_wait = [[
      local arg = ...
      local result = arg.result or assert(stack:redeploy { git_ref = "main" })
      ngx.shared.jobs:delete "end"
      assert(ngx.timer.at(0, function() wait_for(result) end))
      return result
    ]]
    local last = "return ngx.shared.jobs:get 'end' or ''"
    local result = run(begin_to_wait)
    core.sleep(1)
    local old = server:workers()[1]
    server:signal "HUP"
    assert.is_true(ends(old, 5))
    assert.matches("^aborted .*worker", run(last))
    run(begin_to_wait, { result = result })
    world:advance(1810)
    assert.equal("success", eventually(function()
      local outcome = run(last)
      return outcome ~= "" and outcome
    end))
    stop()
  end)

  it("tells a watch that it is over", function()
    start {
      http = "lua_shared_dict jobs 100k;",
      init = ([[
        stack = connect("%s"):stack "%s"
        function look()
          local ok, err = pcall(function()
            for event in stack:watch { interval = 1 } do ngx.shared.jobs:set("event", event.type) end
          end)
          ngx.shared.jobs:set("end", ok and "it just ended" or tostring(err))
        end
      ]]):format(fake.url(), fake.stacks.staging),
    }
    run "assert(ngx.timer.at(0, look)) return true"
    core.sleep(0.5)
    local old = server:workers()[1]
    server:signal "HUP"
    assert.is_true(ends(old, 5))
    assert.matches("^aborted: .*worker", run "return ngx.shared.jobs:get 'end' or ''")
    stop()
  end)

  it("gives up pauses that are longer than a reload should take", function()
    start()
    local waiting = begin(ASK, latest({ error = "throttled", retry_after = "600" }, { on_throttle = "wait" }))
    core.sleep(0.3)
    local old = server:workers()[1]
    server:signal "HUP"
    assert.equal("throttled", finish(waiting).kind)
    assert.is_true(ends(old, 5))
    stop()
  end)
end)

describe("an nginx that is told to quit", function()
  it("answers what is in flight, and ends", function()
    start()
    local master, waiting = server:pid(), begin(ASK, latest { delay = "1" })
    core.sleep(0.2)
    server:signal "QUIT"
    assert.equal(newest, finish(waiting).id)
    assert.is_true(ends(master, 5))
    stop()
  end)

  it("ends at once by TERM, whatever is in flight", function()
    start()
    local master, waiting = server:pid(), begin(ASK, latest { delay = "8" })
    core.sleep(0.2)
    server:signal "TERM"
    assert.is_true(ends(master, 6))
    assert.is_nil((server:finish(waiting)))
    stop()
  end)
end)

describe("a name that is not to be looked up", function()
  it("holds up neither the worker nor its end", function()
    start { environment = { LD_PRELOAD = os.getenv "C66_BUILD" .. "/slowdns.so", C66_SLOW_DNS = "30" } }
    local arg = { url = "https://api.slow.invalid", stack = fake.stacks.staging, options = { timeout = 1.5 } }
    local waiting = {}
    local took = seconds_of(function()
      for i = 1, 5 do
        waiting[i] = begin(ASK, arg)
      end
      core.sleep(0.1)
      assert.is_true(seconds_of(function()
        server:get "/neighbour"
      end) < 1.2)
      for i = 1, 5 do
        assert.equal("timeout", finish(waiting[i]).kind)
      end
      run([[
        local arg = ...
        local thread = ngx.thread.spawn(function() connect(arg.url):stack(arg.stack):latest() end)
        ngx.sleep(0.05)
        ngx.thread.kill(thread)
        collectgarbage() collectgarbage()
        return true
      ]], arg)
    end)
    assert.is_true(took < 6, took)
    local worker = server:workers()[1]
    server:signal "QUIT"
    assert.is_true(ends(worker, 10))
    stop()
  end)
end)

describe("many cold connections at once", function()
  for _, scheme in ipairs { "http", "https" } do
    it("over " .. scheme, function()
      start { main = "worker_rlimit_nofile 4096;" }
      local tag = fake.fresh_tag()
      local arg = latest({ tag = tag }, { ca_file = fake.ca })
      arg.url = fake.url({ tag = tag }, scheme)
      local waiting = {}
      for i = 1, 64 do
        waiting[i] = begin(ASK, arg)
      end
      for i = 1, 64 do
        assert.equal(newest, finish(waiting[i]).id)
      end
      assert.equal(64, #fake.requests(tag))
      stop()
    end)
  end
end)
