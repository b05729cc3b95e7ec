-- Eight workers of an nginx, one budget and one cache, in a shared dict and in Redis.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local cjson = require "cjson"
local core = require "cloud66.core"
local curl = require "cloud66.curl"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local hour = require "spec.support.hour"
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"

local WORKERS = 8

local stores = { { name = "a shared dict", make = function()
  return [[cloud66.store.shared_dict "cloud66"]]
end } }
local find = rawget(package, "searchpath")
local LUA_PATH = package.path .. ";./build/debian/usr/share/lua/5.1/?.lua" -- see script/bootstrap
if redis.is_installed() and (find("resty.redis", LUA_PATH) or find("nginx.redis", LUA_PATH)) then
  stores[2] = { name = "Redis", make = function(server)
    return ("cloud66.store.redis { port = %d, timeout = 20 }"):format(server.port)
  end }
end

-- GETs paths until fn(answer) says that it is enough, so many at once. Gives how many there were.
local function hammer(server, at_once, next_path, enough)
  local engine, transfers, count = assert(curl.engine()), {}, 0
  local over = false
  repeat
    for i = #transfers, 1, -1 do
      if transfers[i]:done() then
        local transfer = table.remove(transfers, i)
        count = count + 1
        over = enough(server:finish(transfer)) or over
      end
    end
    while not over and #transfers < at_once do
      transfers[#transfers + 1] = server:start(next_path())
    end
    engine:wait(100)
  until over and #transfers == 0
  return count
end

for _, kind in ipairs(stores) do
  describe("workers of nginx that share " .. kind.name, function()
    local server, redis_server, tag, scenario

    setup(function()
      redis_server = kind.name == "Redis" and redis.start()
    end)

    teardown(function()
      if redis_server then
        redis_server:remove()
      end
    end)

    before_each(function()
      tag = fake.fresh_tag()
      scenario = { tag = tag, ratelimit = "no", world = tag }
    end)

    after_each(function()
      local log = server:log()
      server:stop()
      assert.is_nil(log:find(fake.token, 1, true))
      assert.is_nil(log:find("[error]", 1, true), log)
    end)

    local function start(settings)
      if redis_server then
        redis_server:cli "flushall"
      end
      server = nginx.start { workers = WORKERS, http = ([[
        lua_shared_dict cloud66 10m;
        init_by_lua_block {
          cjson, cloud66 = require "cjson", require "cloud66"
          client = assert(cloud66.new { base_url = "%s", token = "%s", retries = false, store = %s, %s,
            on = { warning = function(info) ngx.log(ngx.ERR, info.text) end } })
        }
      ]]):format(fake.url(scenario), fake.token, kind.make(redis_server), settings), server = ([[
        location = /ping { content_by_lua_block {
          local got, message, err = client:request("GET", "/ping")
          ngx.print(cjson.encode { ok = got ~= nil, message = message, budget = err and err.budget, worker = ngx.worker.pid() })
        } }
        location = /live { content_by_lua_block {
          local started = ngx.now()
          local got, message = client:stack("%s"):live()
          ngx.update_time()
          ngx.print(cjson.encode { ok = got ~= nil, message = got and got.git_hash or message, seconds = ngx.now() - started })
        } }
        location = /pid { content_by_lua_block { ngx.print(ngx.worker.pid()) } }
        location = /deploy { content_by_lua_block {
          local got, message, err = client:stack("%s"):redeploy { git_ref = "main" }
          ngx.print(cjson.encode { ok = got ~= nil, message = message, budget = err and err.budget })
        } }
      ]]):format(fake.stacks.staging, fake.stacks.staging) }
    end

    it("keep to one budget", function()
      hour.leave(15)
      start "budget = 200"
      local ok, refused, workers = 0, 0, {}
      local function take(status, body)
        assert.equal(200, status)
        local answer = cjson.decode(body)
        if answer.ok then
          ok, refused = ok + 1, 0 -- a refusal may come of another's, whose request is not counted in the end
        else
          assert.is_true(answer.budget, answer.message)
          refused = refused + 1
        end
        workers[answer.worker or 0] = true
        return refused >= 80
      end
      hammer(server, 32, function()
        return "/ping"
      end, take)
      assert.equal(180, ok)
      assert.equal(180, #fake.requests(tag))
      local several = next(workers, (next(workers)))
      assert.is_not_nil(several)
      ok, refused = 0, 0
      hammer(server, 8, function()
        return "/deploy"
      end, take)
      assert.equal(20, ok)
      assert.equal(200, #fake.requests(tag))
    end)

    it("ask once per interval, however often they are asked", function()
      start "cache = { fresh = 1 }"
      local before, count = core.monotonic(), 0
      local asked = hammer(server, 64, function()
        return "/live"
      end, function(status, body)
        assert.equal(200, status)
        assert.is_true(cjson.decode(body).ok, body)
        count = count + 1
        return core.monotonic() - before > 4 and count >= 500
      end)
      local elapsed = core.monotonic() - before
      local upstream = #fake.requests(tag)
      assert.is_true(asked >= 500)
      assert.is_true(upstream <= elapsed + 1, ("%d requests in %.1f s"):format(upstream, elapsed))
      assert.is_true(upstream >= 2)
    end)

    it("do not all ask at once where nothing is kept and the API is slow", function()
      scenario.delay = 1
      start "cache = { fresh = 60 }"
      local count = 0
      hammer(server, 64, function()
        return "/live"
      end, function(status, body)
        assert.equal(200, status)
        assert.is_true(cjson.decode(body).ok, body)
        count = count + 1
        return count >= 64
      end)
      assert.is_true(#fake.requests(tag) <= 2)
    end)

    it("recover when the one that asked anew is killed", function()
      scenario.world, scenario.delay, scenario.on, scenario.times = nil, 30, "deployments", 1
      -- The first request is answered at once, the one that refreshes hangs: another path shares no count, so by world.
      local url = fake.url { tag = tag, ratelimit = "no" }
      local slow = fake.url(scenario)
      if redis_server then
        redis_server:cli "flushall"
      end
      server = nginx.start { workers = 2, http = ([[
        lua_shared_dict cloud66 10m;
        init_by_lua_block {
          cjson, cloud66 = require "cjson", require "cloud66"
          local real = require("cloud66.transport.curl").new {}
          local url, slow = "%s", "%s"
          hang = false
          client = assert(cloud66.new { base_url = url, token = "%s", retries = false, store = %s, timeout = 10,
            cache = { fresh = 0.05, stale = 3 }, transport = function(request)
              if hang then
                request.url = slow .. request.url:sub(#url + 1)
                ngx.shared.cloud66:set("victim", ngx.worker.pid())
              end
              return real(request)
            end })
        }
      ]]):format(url, slow, fake.token, kind.make(redis_server)), server = ([[
        location = /live { content_by_lua_block {
          hang = ngx.var.arg_hang == "yes"
          local got, message = client:stack("%s"):live()
          ngx.print(cjson.encode { ok = got ~= nil, message = message })
        } }
        location = /victim { content_by_lua_block { ngx.print(tostring(ngx.shared.cloud66:get "victim")) } }
      ]]):format(fake.stacks.staging) }
      local function live(arguments)
        local status, body = server:get("/live" .. (arguments or ""))
        assert.equal(200, status)
        return cjson.decode(body)
      end
      assert.is_true(live().ok)
      local victim = eventually(function()
        assert.is_true(live("?hang=yes").ok)
        local _, body = server:get "/victim"
        return tonumber(body)
      end, 20)
      assert.is_number(victim)
      server:signal("KILL", victim)
      local before = core.monotonic()
      local answered = eventually(function()
        local requests = #fake.requests(tag)
        local status, body = server:get "/live" -- the kill may cut this one
        return status == 200 and cjson.decode(body).ok and requests >= 3
      end, 30)
      assert.is_true(answered)
      assert.is_true(core.monotonic() - before < 20) -- a lock lasts for 5 seconds
    end)
  end)
end
