-- Stores inside nginx: the contract over a shared dict and over Redis, several workers at once, phases, dicts that are full.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local cloud66 = require "cloud66"
local contract = require "spec.support.store_contract"
local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local expect = require "spec.support.expect"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local nginx_code = require "spec.support.nginx_code"
local redis = require "spec.support.redis"

local INIT = [[
  cjson, cloud66, contract = require "cjson", require "cloud66", require "spec.support.store_contract"
  dict = cloud66.store.shared_dict "state"
  at_start = { dict:set("from init", "value", 1000) }
]]

local server, database

local function start(init, http, more)
  server = nginx.start {
    workers = 2,
    http = ("lua_shared_dict state 20m; lua_shared_dict small 64k; %s\ninit_by_lua_block { %s %s }"):format(http or "", INIT, init or ""),
    server = "location /run { " .. nginx_code.LOCATION .. " }\nlocation /neighbour { return 200; }\n" .. (more or ""),
  }
end

local function stop()
  server:stop()
end

local function run(code)
  return nginx_code.run(server, code)
end

-- What each of so many requests at once gives.
local function run_all(count, code)
  local waiting, values = {}, {}
  for i = 1, count do
    waiting[i] = nginx_code.begin(server, code)
  end
  for i = 1, count do
    values[i] = nginx_code.finish(server, waiting[i])
  end
  return values
end

local function count_of(values, wanted)
  local count = 0
  for _, value in ipairs(values) do
    count = count + (value == wanted and 1 or 0)
  end
  return count
end

-- The same of both stores, by the name that each has in the workers.
local function works(store)
  for _, name in ipairs(contract.names()) do
    it("holds the contract: " .. name, function()
      assert.is_true(run(("contract.check(%q, %s, ngx.sleep) return true"):format(name, store)))
    end)
  end

  it("counts exactly, whichever worker does", function()
    local pids = {}
    for _, pid in ipairs(run_all(40, ([[
      for i = 1, 50 do assert(%s:incr("sum", i, 1000)) if i %% 10 == 0 then ngx.sleep(0.001) end end
      return ngx.worker.pid()
    ]]):format(store))) do
      pids[pid] = true
    end
    assert.equal(40 * 50 * 51 / 2, run(("return %s:incr('sum', 0, 1000)"):format(store)))
    assert.is_truthy(next(pids, (next(pids))), "one worker had all requests")
  end)

  it("lets one of many add", function()
    for round = 1, 5 do
      local values = run_all(20, ("return %s:add('winner %d', 'value', 1000)"):format(store, round))
      assert.equal(1, count_of(values, true))
      assert.equal(19, count_of(values, false))
    end
  end)

  it("counts from 0 once where a count ends all the time", function()
    local values = run_all(20, ([[
      for _ = 1, 100 do assert(%s:incr("short", 1, 0.001)) end
      return true
    ]]):format(store))
    assert.equal(20, count_of(values, true))
  end)
end

describe("a store in a shared dict", function()
  setup(function()
    start()
  end)
  teardown(stop)

  works "dict"

  it("is there while nginx starts, and in phases that cannot wait", function()
    assert.equal("value", run "return dict:get 'from init'")
  end)

  it("outlives a reload", function()
    run "return dict:set('kept', 'value', 1000)"
    local old = server:workers()
    server:signal "HUP"
    assert.is_true(eventually(function()
      for _, pid in ipairs(old) do
        if host.succeeds(("kill -0 %d 2>/dev/null"):format(pid)) then
          return false
        end
      end
      return true
    end, 30))
    assert.equal("value", run "return dict:get 'kept'")
  end)

  it("is full: says so, drops nothing that is alive, and has room again for what has ended", function()
    local got = run [[
      local small = cloud66.store.shared_dict "small"
      local set, message = 0, nil
      for i = 1, 10000 do
        local ok, problem = small:set("key " .. i, ("x"):rep(500), 1000)
        if not ok then message = problem break end
        set = i
      end
      local added, adding = small:add("another", ("x"):rep(500), 1000)
      local alive = 0
      for i = 1, set do alive = alive + (small:get("key " .. i) and 1 or 0) end
      -- Then half of it ends.
      for i = 1, set, 2 do assert(small:set("key " .. i, ("x"):rep(500), 0.001)) end
      ngx.sleep(0.01)
      local again = 0
      for i = 1, math.floor(set / 4) do again = again + (small:set("new " .. i, ("x"):rep(500), 1000) and 1 or 0) end
      local still = 0
      for i = 2, set, 2 do still = still + (small:get("key " .. i) and 1 or 0) end
      local count, counting
      for i = 1, 10000 do
        count, counting = small:incr("count " .. i, 1, 1000)
        if not count then break end
      end
      return { set = set, message = message, added = tostring(added), adding = adding, alive = alive, again = again, still = still,
        counting = counting }
    ]]
    assert.is_true(got.set > 20)
    for _, message in ipairs { got.message, got.adding, got.counting } do
      assert.equal("lua_shared_dict 'small' is full: give it more room in nginx.conf", message)
    end
    assert.equal("nil", got.added)
    assert.equal(got.set, got.alive)
    assert.equal(math.floor(got.set / 4), got.again)
    assert.equal(math.floor(got.set / 2), got.still)
  end)

  it("reads what others put there, and counts no list", function()
    local got = run [[
      local raw = ngx.shared.state
      raw:set("number", 5) raw:set("half", 1.5) raw:set("yes", true) raw:lpush("list", "one")
      local texts = { dict:get "number", dict:get "yes" }
      local none, message = dict:get "list"
      local count, counting = dict:incr("list", 1, 1000)
      local half, halving = dict:incr("half", 1, 1000)
      return { texts = texts, none = tostring(none), message = message, count = tostring(count), counting = counting,
        half = tostring(half), halving = halving, was = raw:get "half", next = dict:incr("number", 1, 1000) }
    ]]
    assert.same({ "5", "true" }, got.texts)
    assert.equal("nil", got.none)
    assert.matches("lua_shared_dict 'state'", got.message)
    assert.equal("nil", got.count)
    assert.is_string(got.counting)
    assert.equal("nil", got.half)
    assert.matches("no whole number", got.halving)
    assert.equal(1.5, got.was)
    assert.equal(6, got.next)
  end)

  it("says what to write into nginx.conf", function()
    local problem = run "return select(2, pcall(cloud66.store.shared_dict, 'missing'))"
    assert.matches("write 'lua_shared_dict missing 10m;' into the http block", problem, 1, true)
  end)
end)

describe("a store in a shared dict, outside of nginx,", function()
  it("raises", function()
    expect.raises("is for code inside nginx: elsewhere", function()
      cloud66.store.shared_dict "state"
    end)
  end)
end)

describe("a store in Redis, inside nginx", function()
  local has_library
  setup(function()
    if not redis.is_installed() then
      return
    end
    database = redis.start()
    start(([[
      shared = { pcall(cloud66.store.redis, { port = %d, timeout = 20, pool = 3 }) }
      has_library = shared[1]
      if has_library then
        shared = shared[2]
        early = { shared:get "key" }
        hasty = cloud66.store.redis { port = %d, timeout = 0.5 }
        resolved = cloud66.store.redis { host = "::1", port = 1 }
      end
    ]]):format(database.port, database.port), nil, [[
      location /log { log_by_lua_block { ngx.log(ngx.NOTICE, "log said ", select(2, shared:get "key"), " end") } return 200; }
      location /filter { header_filter_by_lua_block { ngx.header.said = select(2, shared:set("key", "value", 1)) } return 200; }
    ]])
    has_library = run "return has_library"
  end)
  teardown(function()
    if database then
      stop()
      database:remove()
    end
  end)
  before_each(function()
    if not has_library then
      pending "redis-server or lua-resty-redis is not installed"
    end
  end)

  works "shared"

  it("keeps few connections, and uses them again", function()
    run_all(20, "for _ = 1, 20 do assert(shared:incr('connections', 1, 1000)) end return true")
    local clients = 0
    for _ in (database:cli "client list" .. "\n"):gmatch "addr=127[^\n]*\n" do
      clients = clients + 1
    end
    assert.is_true(clients <= 6, clients) -- 2 workers, 3 each
  end)

  it("holds up nobody else while Redis stands still", function()
    run "return shared:set('key', 'value', 1000)"
    database:pause()
    local waiting = {}
    for i = 1, 4 do
      waiting[i] = nginx_code.begin(server, "local value, message = hasty:get 'key' return { nothing = value == nil, message = message }")
    end
    local before = core.monotonic()
    local patient = nginx_code.begin(server, "return shared:get 'key'")
    for _ = 1, 10 do
      assert.equal(200, (server:get "/neighbour"))
    end
    local took = core.monotonic() - before
    for i = 1, 4 do
      local got = nginx_code.finish(server, waiting[i])
      assert.is_true(got.nothing)
      assert.matches("timeout", got.message)
    end
    database:resume()
    assert.equal("value", nginx_code.finish(server, patient))
    assert.is_true(took < 10, took)
    assert.equal("value", run "return shared:get 'key'")
  end)

  it("fails with a message in phases that cannot wait", function()
    assert.matches("before its workers start", run "return early[2]")
    server:get "/log"
    assert.matches("^redis .*phase 'log'", eventually(function()
      return server:log():match "log said (.-) end"
    end, 20))
    local _, _, headers = server:get "/filter"
    assert.matches("^redis .*phase 'header_filter'", headers.said)
  end)

  it("takes an address of IPv6", function()
    assert.matches("^redis %[::1%]:1: ", run "return select(2, resolved:get 'key')")
  end)
end)
