-- Light threads of nginx that share a cache: one is killed, one must wait for throttling, one runs where nothing can wait.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local nginx = require "spec.support.nginx"

describe("light threads that share a store", function()
  local server, tag

  before_each(function()
    tag = fake.fresh_tag()
  end)

  after_each(function()
    local log = server:log()
    server:stop()
    assert.is_nil(log:find("[error]", 1, true), log)
  end)

  local function start(scenario, settings, locations)
    scenario.tag, scenario.ratelimit = tag, "no"
    server = nginx.start { http = ([[
      lua_shared_dict seen 1m;
      init_by_lua_block {
        cjson, cloud66 = require "cjson", require "cloud66"
        uid, warnings = "%s", 0
        function connect(options)
          options.base_url, options.token, options.retries = "%s", "%s", false
          options.on = { warning = function() warnings = warnings + 1 end }
          return assert(cloud66.new(options))
        end
        client = connect { %s }
      }
    ]]):format(fake.stacks.staging, fake.url(scenario), fake.token, settings), server = locations .. [[
      location = /seen { content_by_lua_block { ngx.print(ngx.shared.seen:get "seen" or "") } }
    ]] }
  end

  local function ask(path)
    local status, body = server:get(path)
    assert.equal(200, status)
    return cjson.decode(body)
  end

  it("are held up by one that was killed no longer than by a lock", function()
    start({ delay = 60, times = 1, on = "deployments" }, "cache = { fresh = 60 }, timeout = 100", [[
      location = / { content_by_lua_block {
        local function live()
          return client:stack(uid):live()
        end
        local started = ngx.now()
        local asking = ngx.thread.spawn(live)
        local joined = ngx.thread.spawn(live)
        ngx.sleep(0.5)
        ngx.thread.kill(asking)
        local ok, got, message = ngx.thread.wait(joined)
        ngx.update_time()
        ngx.print(cjson.encode { ok = ok and got ~= nil, message = tostring(message), seconds = ngx.now() - started })
      } }
    ]])
    local answer = ask "/"
    assert.is_true(answer.ok, answer.message)
    assert.is_true(answer.seconds < 30, answer.seconds) -- half of its time are 50
  end)

  it("leave nobody behind who waits for throttling in the background", function()
    start({}, "cache = { fresh = 0.05, stale = 1000 }, on_throttle = 'wait', budget = 10", [[
      location = / { content_by_lua_block {
        assert(client:stack(uid):live())
        local plain = client:with { cache = false, on_throttle = "fail" }
        while plain:request("GET", "/ping") do end
        ngx.sleep(0.1)
        assert(client:stack(uid):live())
        ngx.print(cjson.encode { ok = true })
      } }
      location = /timers { content_by_lua_block {
        ngx.print(cjson.encode { running = ngx.timer.running_count() + ngx.timer.pending_count() })
      } }
    ]])
    assert.is_true(ask("/").ok)
    assert.is_true(eventually(function()
      return ask("/timers").running == 0
    end, 12)) -- who waits would look again after 15 seconds at the earliest
  end)

  it("are told that nothing can wait in a phase, and the store is not blamed", function()
    start({}, "cache = {}", [[
      location = / {
        content_by_lua_block { ngx.print(cjson.encode { ok = true }) }
        log_by_lua_block {
          local memory = cloud66.store.memory()
          local locked = { get = memory.get, set = memory.set, incr = memory.incr, add = function() return false end }
          local waiting = { get = function() ngx.sleep(0.001) return false end, set = memory.set, add = memory.add,
            incr = memory.incr }
          local kinds = {}
          for i, store in ipairs { locked, waiting } do
            local ok, got, message, err = pcall(function()
              return connect({ cache = {}, budget = 100, store = store }):stack(uid):live()
            end)
            kinds[i] = ok and err and err.kind or tostring(got)
          end
          ngx.shared.seen:set("seen", cjson.encode { kinds = kinds, warnings = warnings })
        }
      }
    ]])
    assert.is_true(ask("/").ok)
    local seen = eventually(function()
      local _, body = server:get "/seen"
      return body ~= "" and cjson.decode(body)
    end, 20)
    assert.same({ kinds = { "phase", "phase" }, warnings = 0 }, seen)
  end)
end)
