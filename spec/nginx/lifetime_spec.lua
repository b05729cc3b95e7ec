-- The library in an nginx that is reloaded or ends, and in requests whose clients go away. These specs run outside, and send Lua
-- code to an nginx that has the library in its workers.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local inside = require "spec.support.inside_nginx"
local seconds_of = require "spec.support.seconds_of"

local start, stop, begin, finish, run, ends = inside.start, inside.stop, inside.begin, inside.finish, inside.run, inside.ends
local ASK, latest, newest = inside.ASK, inside.latest, inside.newest

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

describe("an nginx that is reloaded", function()
  it("answers what is in flight, and its old workers end", function()
    start { workers = 2 }
    local old = inside.server:workers()
    local waiting = {}
    for i = 1, 10 do
      waiting[i] = begin(ASK, latest { delay = "1" })
    end
    core.sleep(0.2)
    inside.server:signal "HUP"
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
    local old = inside.server:workers()[1]
    inside.server:signal "HUP"
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
    local old = inside.server:workers()[1]
    inside.server:signal "HUP"
    assert.is_true(ends(old, 5))
    assert.matches("^aborted: .*worker", run "return ngx.shared.jobs:get 'end' or ''")
    stop()
  end)

  it("gives up pauses that are longer than a reload should take", function()
    start()
    local waiting = begin(ASK, latest({ error = "throttled", retry_after = "600" }, { on_throttle = "wait" }))
    core.sleep(0.3)
    local old = inside.server:workers()[1]
    inside.server:signal "HUP"
    assert.equal("throttled", finish(waiting).kind)
    assert.is_true(ends(old, 5))
    stop()
  end)
end)

describe("an nginx that is told to quit", function()
  it("answers what is in flight, and ends", function()
    start()
    local master, waiting = inside.server:pid(), begin(ASK, latest { delay = "1" })
    core.sleep(0.2)
    inside.server:signal "QUIT"
    assert.equal(newest, finish(waiting).id)
    assert.is_true(ends(master, 5))
    stop()
  end)

  it("ends at once by TERM, whatever is in flight", function()
    start()
    local master, waiting = inside.server:pid(), begin(ASK, latest { delay = "8" })
    core.sleep(0.2)
    inside.server:signal "TERM"
    assert.is_true(ends(master, 6))
    assert.is_nil((inside.server:finish(waiting)))
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
        inside.server:get "/neighbour"
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
    local worker = inside.server:workers()[1]
    inside.server:signal "QUIT"
    assert.is_true(ends(worker, 10))
    stop()
  end)
end)
