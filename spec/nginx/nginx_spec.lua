-- The library inside nginx: in its phases, beside other requests, through kills. These specs run outside, and send Lua code to
-- an nginx that has the library in its workers.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local inside = require "spec.support.inside_nginx"
local seconds_of = require "spec.support.seconds_of"
local tree = require "spec.support.tree"

local start, stop, begin, finish, run = inside.start, inside.stop, inside.begin, inside.finish, inside.run
local ASK, latest, newest = inside.ASK, inside.latest, inside.newest

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
        assert.equal(200, (inside.server:get "/neighbour"))
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
        inside.server:get "/neighbour"
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
      inside.server:get "/neighbour"
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
    local before = inside.server:sockets(inside.server:workers()[1])
    for _ = 1, 30 do
      ask_all()
    end
    assert.is_true(inside.server:sockets(inside.server:workers()[1]) <= before + 10)
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

  -- Also does what the error advises.
  local function say_and_follow(name)
    return say(([[ assert(ngx.timer.at(0, function() %s ngx.log(ngx.NOTICE, "after %s said ", said, " end") end)) ]]):format(say(), name))
  end

  local function logged(name)
    return eventually(function()
      return inside.server:log():match(name .. " said (.-) end")
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
        location /balancer { proxy_pass http://chosen; }
      ]]):format(say(), say(), say(), say_and_follow "set", say_and_follow "header_filter", say_and_follow "body_filter",
        say_and_follow "log"),
      more = function(port)
        return ([[
        upstream chosen { server 127.0.0.1:1; balancer_by_lua_block { %s ngx.log(ngx.NOTICE, "balancer said ", said, " end") } }
        server {
          listen 127.0.0.1:%d ssl; ssl_certificate %s/server.pem; ssl_certificate_key %s/server.key;
          ssl_certificate_by_lua_block { %s ngx.log(ngx.NOTICE, "ssl said ", said, " end") }
          location / { return 200; }
        } ]]):format(say_and_follow "balancer", port + 1, os.getenv "C66_FAKE_DIR", os.getenv "C66_FAKE_DIR", say())
      end,
    }
  end)
  teardown(stop)

  for _, path in ipairs { "/rewrite", "/access", "/content" } do
    it("that can wait: " .. path:sub(2), function()
      local status, body = inside.server:get(path)
      assert.equal(200, status)
      assert.equal(tostring(newest), body)
    end)
  end

  it("that can wait: timer, from init_worker too", function()
    assert.equal(tostring(newest), logged "timer")
  end)

  it("that can wait: ssl_certificate", function()
    assert.equal("200", host.output(("curl -sk -o /dev/null -w '%%{http_code}' https://127.0.0.1:%d/"):format(inside.server.port + 1)))
    assert.equal(tostring(newest), logged "ssl")
  end)

  it("that may block: init", function()
    local _, body = inside.server:get "/init"
    assert.equal(tostring(newest), body)
  end)

  it("that cannot wait gives an error of kind phase, which says what to do", function()
    local _, set = inside.server:get "/set"
    local _, _, headers = inside.server:get "/header"
    local _, body = inside.server:get "/body"
    inside.server:get "/log"
    inside.server:get "/balancer"
    for name, text in pairs { set = set, header_filter = headers.said, body_filter = body, log = logged "log",
      balancer = logged "balancer", init_worker = logged "init_worker" } do
      assert.equal("phase phase: ", text:sub(1, 13), text)
      assert.is_truthy(text:find("'" .. name .. "'", 1, true), text)
      assert.is_truthy(text:find("ngx.timer.at(0", 1, true), text)
      assert.equal(tostring(newest), logged(name == "init_worker" and "timer" or "after " .. name))
    end
  end)
end)

describe("exit_worker, a worker's last phase,", function()
  local function say(name)
    return ([[
      local deployment, message, err = client:stack("%s"):latest()
      ngx.log(ngx.NOTICE, "%s said ", deployment and deployment.id or err.kind .. " " .. message, " end")
    ]]):format(fake.stacks.staging, name)
  end

  local function begin_in_worker(tag, options, http)
    start {
      init = ([[ client = connect("%s", %s) ]]):format(fake.url { tag = tag }, options),
      http = ("lua_shared_dict shared 1m; exit_worker_by_lua_block { %s }\n%s"):format(say "exit_worker", http),
    }
  end

  -- By HUP or QUIT; what exit_worker said, and all of the log.
  local function end_worker(signal)
    local worker = inside.server:workers()[1]
    inside.server:signal(signal)
    assert.is_true(inside.ends(worker, 10))
    local log = inside.server:log()
    assert.is_nil(log:find("[error]", 1, true), log)
    return log:match "exit_worker said (.-) end", log
  end

  it("is told of a timer that comes early, not of one that could not be made any more; and that one can wait", function()
    begin_in_worker(fake.fresh_tag(), "{}", ([[
      init_worker_by_lua_block { assert(ngx.timer.at(3600, function(premature) assert(premature) %s end)) }
    ]]):format(say "timer"))
    local said, log = end_worker "QUIT"
    stop()
    assert.matches("^phase phase: .*'exit_worker'", said)
    assert.is_nil(said:find("ngx.timer.at(0", 1, true), said)
    assert.is_truthy(said:find("premature", 1, true), said)
    assert.equal(tostring(newest), log:match "timer said (.-) end")
  end)

  it("gets from a cache what is stale, and leaves nobody waiting for what it cannot renew", function()
    local tag = fake.fresh_tag()
    begin_in_worker(tag, '{ store = cloud66.store.shared_dict "shared", cache = { fresh = 0.001, stale = 300 } }', "")
    local ask = ([[ return assert(client:stack("%s"):latest()).id ]]):format(fake.stacks.staging)
    assert.equal(newest, run(ask))
    core.sleep(0.05)
    assert.equal(tostring(newest), (end_worker "HUP"))
    assert.equal(1, #fake.requests(tag))
    assert.is_true(eventually(function()
      return run(ask) == newest and #fake.requests(tag) > 1
    end, 2)) -- a lock would last for 5
    stop()
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
        names[#names + 1] = name:match "^cloud66.*"
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
    local loaded, missing = {}, {}
    for _, name in ipairs(before) do
      loaded[name] = true
    end
    for _, path in ipairs(tree.files("lua", ".lua")) do
      local name = tree.module_of(path)
      local is_optional = name:find "^cloud66%.sharing%.store%.redis" or name:find "^cloud66%.transport%.resty"
        or name == "cloud66.runtime.light_thread" -- of these alone
      if not loaded[name] and not is_optional then
        missing[#missing + 1] = name .. ": require it in lua/cloud66.lua where nginx starts"
      end
    end
    assert.same({}, missing)
    assert.same(before, after)
  end)
end)

describe("lua_code_cache off", function()
  it("makes an engine per request, and leaves none behind", function()
    start { http = "lua_code_cache off;" }
    for _ = 1, 5 do
      assert.equal(newest, run(ASK, latest()).id)
    end
    local before = inside.server:sockets(inside.server:workers()[1])
    for _ = 1, 20 do
      assert.equal(newest, run(ASK, latest()).id)
    end
    assert.is_true(inside.server:sockets(inside.server:workers()[1]) <= before + 2)
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
