-- Several Lua states in one worker: nginx's blocks `http` and `stream` have one each, and with lua_code_cache off each request has.
-- They share the process, and with it what libcurl has of a process; an engine, clients and connections are each state's own.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local hour = require "spec.support.hour"
local inside = require "spec.support.inside_nginx"
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"

local begin, finish, run = inside.begin, inside.finish, inside.run
local latest, newest = inside.latest, inside.newest

-- What stands in the log above notice, but for what nginx says of each such nginx.
local function complaints(log)
  local lines = {}
  for line in log:gmatch "[^\n]+" do
    if line:find "%[%a+%]" and not line:find("[notice]", 1, true) and not line:find("lua_code_cache is off", 1, true) then
      lines[#lines + 1] = line
    end
  end
  return lines
end

-- Ends it by QUIT, once what is waited for has come, and looks at what there is to be seen of that.
local function quit(wait)
  local master = inside.server:pid()
  inside.server:signal "QUIT"
  if wait then wait() end
  assert.is_true(inside.ends(master, 10))
  local log = inside.server:log()
  inside.stop()
  assert.same({}, complaints(log))
  assert.is_nil(log:find("exited on signal", 1, true), log)
end

local function reload()
  local old = inside.server:workers()[1]
  inside.server:signal "HUP"
  return old
end

describe("a Lua state for each request", function()
  it("ends with its client, whatever the others have in flight", function()
    inside.start { http = "lua_code_cache off;" }
    local code = [[
      local arg = ...
      local client = connect(arg.url)
      local stack = client:stack(arg.stack)
      if arg.closes then
        local thread = ngx.thread.spawn(function() return select(3, stack:latest()) end)
        ngx.sleep(arg.after)
        client:close()
        local _, err = ngx.thread.wait(thread)
        client, stack = nil, nil
        collectgarbage() collectgarbage()
        return err and err.kind
      end
      return assert(stack:latest()).id
    ]]
    local function round()
      local waiting = {}
      for i = 1, 24 do
        local arg = latest { delay = ("%.2f"):format(i % 6 / 5) }
        arg.closes, arg.after = i % 3 == 0, (i % 5 + 1) / 20
        if arg.closes then
          arg.url = fake.url { delay = "5" }
        end
        waiting[i] = { transfer = begin(code, arg), wanted = arg.closes and "aborted" or newest }
      end
      return waiting
    end
    for _ = 1, 3 do
      for i, each in ipairs(round()) do
        assert.equal(each.wanted, finish(each.transfer), i)
      end
    end
    local waiting = round()
    core.sleep(0.1)
    local old = reload()
    for i, each in ipairs(waiting) do
      assert.equal(each.wanted, finish(each.transfer), i)
    end
    assert.is_true(inside.ends(old, 10))
    quit()
  end)
end)

describe("the Lua states of http and stream", function()
  local STREAM = [[
    stream {
      %s
      lua_shared_dict stream_cloud66 1m;
      init_by_lua_block {
        %s
      }
      server {
        listen 127.0.0.1:%d;
        content_by_lua_block {
          local sock = assert(ngx.req.socket())
          local sent = cjson.decode(assert(sock:receive "*l"))
          local ok, value = pcall(assert(loadstring(sent.code, "=stream")), sent.arg)
          if not ok then value = tostring(value) end
          ngx.print(cjson.encode { ok = ok, value = value })
        }
      }
    }
  ]]

  -- Runs code in stream, from http.
  local PASS = [[
    local arg = ...
    local sock = ngx.socket.tcp()
    sock:settimeout(60000)
    assert(sock:connect("127.0.0.1", %d))
    assert(sock:send(cjson.encode { code = arg.code, arg = arg.arg } .. "\n"))
    local got = cjson.decode(assert(sock:receive "*a"))
    sock:close()
    assert(got.ok, got.value)
    return got.value
  ]]

  local function start()
    local modules = nginx.stream_lua()
    if not modules then
      pending "this nginx has no Lua for its block stream"
      return false
    end
    inside.start {
      main = modules, http = "lua_shared_dict cloud66 1m;", beside = function(port, paths)
        return STREAM:format(paths, inside.INIT, port + 1)
      end,
    }
    return true
  end

  local function begin_in_stream(code, arg)
    return begin(PASS:format(inside.server.port + 1), { code = code, arg = arg or {} })
  end

  local function run_in_stream(code, arg)
    return finish(begin_in_stream(code, arg))
  end

  -- So many requests of both.
  local function requests(n, scenario)
    local waiting = {}
    for i = 1, n do
      waiting[2 * i - 1] = begin(inside.ASK, latest(scenario))
      waiting[2 * i] = begin_in_stream(inside.ASK, latest(scenario))
    end
    return waiting
  end

  -- Waits until so many are on their way in each.
  local function are_sent(n)
    assert.is_true(eventually(function()
      return run "return in_flight()" == n and run_in_stream "return in_flight()" == n
    end))
  end

  local function are_served(waiting)
    for i, transfer in ipairs(waiting) do
      local got = finish(transfer)
      assert.equal(newest, got.id, ("%d: %s"):format(i, tostring(got.message)))
    end
  end

  it("send requests at the same time, each over an engine and connections of its own, through a reload", function()
    if not start() then return end
    are_served(requests(10, { delay = "0.5" }))
    assert.same({ 0, 0 }, { run "return in_flight()", run_in_stream "return in_flight()" })
    local engine = "return tostring(require 'cloud66.curl'.engine())"
    assert.are_not.equal(run(engine), run_in_stream(engine))
    local waiting = requests(10, { delay = "2" })
    are_sent(10)
    local old = reload()
    are_served(waiting)
    assert.is_true(inside.ends(old, 10))
    are_served(requests(2))
    quit()
  end)

  it("may close and forget a client while the other one's requests are in flight", function()
    if not start() then return end
    local leave = [[
      local arg = ...
      local client = connect(arg.url)
      local kinds = {}
      local threads = {}
      for i = 1, 5 do
        threads[i] = ngx.thread.spawn(function() return select(3, client:request("GET", "/ping/auth")) end)
      end
      ngx.sleep(0.1)
      client:close()
      for i = 1, 5 do
        local _, err = ngx.thread.wait(threads[i])
        kinds[i] = err and err.kind or "served"
      end
      ngx.thread.kill(ngx.thread.spawn(function() connect(arg.url):request("GET", "/ping/auth") end))
      client, threads = nil, nil
      collectgarbage() collectgarbage()
      return { kinds = kinds, in_flight = in_flight() }
    ]]
    local want = { kinds = { "aborted", "aborted", "aborted", "aborted", "aborted" }, in_flight = 0 }
    local arg = { url = fake.url { delay = "8" } }
    local in_http, in_stream = begin(inside.ASK, latest { delay = "3" }), begin_in_stream(inside.ASK, latest { delay = "3" })
    are_sent(1)
    want.in_flight = 1 -- the one that goes on
    assert.same(want, run_in_stream(leave, arg))
    assert.same(want, run(leave, arg))
    are_served { in_http, in_stream }
    are_sent(0)
    are_served(requests(2))
    quit()
  end)

  it("end together when the worker is told to quit", function()
    if not start() then return end
    local waiting = requests(3, { delay = "2" })
    are_sent(3)
    quit(function()
      are_served(waiting)
    end)
  end)

  -- How many requests a budget of 20 allows, of which a tenth is kept for changes.
  local SPEND = [[
    local arg = ...
    local store = cloud66.store[arg.kind](arg.of)
    local client = connect(arg.url, { store = store, budget = 20 })
    local sent = 0
    while client:request("GET", "/ping/auth") do sent = sent + 1 end
    return sent
  ]]

  it("have a store in memory and shared dicts of their own, in which a budget is counted once more", function()
    if not start() then return end
    local arg = { url = fake.url { ratelimit = "no", tag = fake.fresh_tag() }, kind = "shared_dict", of = "cloud66" }
    hour.leave(20)
    assert.equal(18, run(SPEND, arg))
    arg.of = "stream_cloud66"
    assert.equal(18, run_in_stream(SPEND, arg))
    arg.kind, arg.of = "memory", {}
    assert.equal(18, run(SPEND, arg))
    assert.equal(18, run_in_stream(SPEND, arg))
    quit()
  end)

  it("share a budget over Redis", function()
    if not redis.is_installed() then
      pending "redis-server is not installed"
    elseif start() then
      local database = redis.start()
      local arg = { url = fake.url { ratelimit = "no", tag = fake.fresh_tag() }, kind = "redis", of = { port = database.port, timeout = 20 } }
      hour.leave(20)
      local spent, rest = run(SPEND, arg), run_in_stream(SPEND, arg)
      quit()
      database:remove()
      assert.same({ 18, 0 }, { spent, rest })
    end
  end)
end)
