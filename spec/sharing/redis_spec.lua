-- The store in Redis, over a real redis-server, and over peers that are none: in scripts by redis-lua, and the same specs
-- inside nginx by lua-resty-redis.
local child = require "spec.support.child"
local cloud66 = require "cloud66"
local contract = require "spec.support.store_contract"
local eventually = require "spec.support.eventually"
local expect = require "spec.support.expect"
local host = require "spec.support.host"
local merged = require "spec.support.merged"
local process = require "cloud66.runtime.host"
local redis = require "spec.support.redis"
local seconds_of = require "spec.support.seconds_of"

if not redis.is_installed() or not redis.has_library() then
  describe("a store in Redis", function()
    pending "redis-server or this Lua's library for it is not installed"
  end)
  return
end

local LONG = 1000
local PATIENT = 20 -- seconds: of calls that are to succeed on a machine that has much to do

local server

local function connect(options)
  local given = merged({ port = server.port, timeout = PATIENT }, options)
  if given.path then
    given.port = nil
  end
  return cloud66.store.redis(given)
end

local function pass(seconds)
  process.pass(seconds)
end

local function fails(pattern, value, message)
  assert.is_nil(value)
  assert.is_string(message)
  assert.matches(pattern, message)
  return message
end

describe("a store in Redis", function()
  setup(function()
    server = redis.start()
  end)
  teardown(function()
    server:remove()
  end)

  describe("holds the contract:", function()
    local store
    setup(function()
      store = connect()
    end)
    for _, name in ipairs(contract.names()) do
      it(name, function()
        contract.check(name, store, pass)
      end)
    end
  end)

  it("is reached over a Unix socket, too", function()
    local store = connect { path = server.path }
    assert.is_true(store:set("over unix", "value", LONG))
    assert.equal("value", connect():get "over unix")
  end)

  it("is reached over IPv6, too", function()
    if not host.output("cat /proc/net/if_inet6 2>/dev/null"):find(("0"):rep(31) .. "1") then
      pending "this machine has no ::1"
      return
    end
    assert.is_true(connect({ host = "::1" }):set("over six", "value", LONG))
    assert.equal("value", connect({ host = "[::1]" }):get "over six")
  end)

  it("can be asked inside client:map, beside requests to the API", function()
    local client, store, list = expect.connect({ delay = "0.02" }), connect(), {}
    for i = 1, 30 do
      list[i] = i
    end
    local results = assert(client:map(list, function(i)
      local before = assert(store:incr("map " .. i, i, LONG))
      assert(client:request("GET", "/ping/auth"))
      assert.equal(before, tonumber(store:get("map " .. i)))
      return store:incr("map", i, LONG)
    end))
    assert.equal(0, results.failed)
    assert.equal("465", store:get "map")
    for i = 1, 30 do
      assert.equal(tostring(i), store:get("map " .. i))
    end
  end)

  it("puts its prefix before each key, and gives each a time to live", function()
    assert.is_true(connect():set("named", "value", LONG))
    assert.is_true(connect({ prefix = "other:" }):add("named", "another", LONG))
    assert.equal(1, connect({ prefix = "" }):incr("bare", 1, LONG))
    assert.equal("value", server:cli "get cloud66:named")
    assert.equal("another", server:cli "get other:named")
    for _, key in ipairs { "cloud66:named", "other:named", "bare" } do
      local ttl = tonumber(server:cli("ttl " .. key))
      assert.is_true(ttl > LONG - 100 and ttl <= LONG, ttl)
    end
  end)

  it("keeps to its database", function()
    assert.is_true(connect({ database = 3 }):set("in three", "value", LONG))
    assert.is_false((connect():get "in three"))
    assert.equal("value", server:cli "-n 3 get cloud66:in\\ three" ~= "" and connect({ database = 3 }):get "in three")
    fails("database was refused %(ERR%)", connect({ database = 100 }):get "key")
  end)

  it("uses one connection for all calls", function()
    local store = connect()
    local before = tonumber(server:cli("info stats"):match "total_connections_received:(%d+)")
    for i = 1, 100 do
      assert.equal(i, store:incr("connections", 1, LONG))
    end
    local after = tonumber(server:cli("info stats"):match "total_connections_received:(%d+)")
    assert.is_true(after - before <= 2, after - before) -- redis-cli's own, and ours
  end)

  it("tells that there is a value of another type", function()
    server:cli "lpush cloud66:list one"
    local store = connect()
    fails("WRONGTYPE", store:get "list")
    fails("WRONGTYPE", store:incr("list", 1, LONG))
    assert.is_false((store:add("list", "value", LONG)))
    assert.is_true(store:set("list", "value", LONG))
    assert.equal("value", store:get "list")
  end)

  it("tells that a count is out of the range that it can give exactly, and leaves it", function()
    local store = connect()
    for _, digits in ipairs { "9007199254740992", "9223372036854775807", "-9223372036854775807" } do
      server:cli("set cloud66:large " .. digits)
      fails("no whole number", store:incr("large", 0, LONG))
    end
    assert.equal("-9223372036854775807", server:cli "get cloud66:large")
  end)

  it("gives a count without an end one", function()
    server:cli "set cloud66:endless 5"
    assert.equal(6, connect():incr("endless", 1, LONG))
    assert.is_true(tonumber(server:cli "ttl cloud66:endless") > 0)
  end)

  it("is full: says so, and goes on to read", function()
    local store = connect()
    assert.is_true(store:set("before", "value", LONG))
    server:cli "config set maxmemory-policy noeviction"
    server:cli "config set maxmemory 1"
    fails("OOM", store:set("key", "value", LONG))
    fails("OOM", store:add("key", "value", LONG))
    fails("OOM", store:incr("count", 1, LONG))
    assert.equal("value", store:get "before")
    server:cli "config set maxmemory 0"
    assert.is_true(store:set("key", "value", LONG))
  end)

  it("is a replica: says so", function()
    local store = connect()
    server:cli "replicaof 127.0.0.1 1"
    fails("READONLY", store:set("key", "value", LONG))
    server:cli "replicaof no one"
    assert.is_true(store:set("key", "value", LONG))
  end)

  it("counts exactly what several processes count at once, and one of them adds", function()
    local program = ([[
      %s
      local store = require "cloud66".store.redis { port = %d, timeout = 20 }
      while store:get "go" == false do require "cloud66.core".sleep(0.005) end

      for i = 1, 200 do
        assert(store:incr("sum", i, 1000))

      end
      local first = store:add("winner", tostring(require "cloud66.core".pid()), 1000)
      assert(first ~= nil)
      if first then assert(store:incr("winners", 1, 1000)) end
      assert(store:incr("done", 1, 1000))
    ]]):format(redis.PREAMBLE, server.port)
    if process.is_nginx then
      pending "the processes are scripts" -- and have been seen outside of nginx
      return
    end
    local path = host.file(program)
    local pipes = {}
    for i = 1, 4 do
      pipes[i] = assert(io.popen(("'%s' %s 2>&1"):format(os.getenv "C66_LUA", path)))
    end
    local store = connect()
    assert.is_true(store:set("go", "go", LONG))
    for _, pipe in ipairs(pipes) do
      assert.equal("", pipe:read "*a")
      pipe:close()
    end
    os.remove(path)
    assert.equal("4", store:get "done")
    assert.equal(tostring(4 * 200 * 201 / 2):match "^%d+", store:get "sum")
    assert.equal("1", store:get "winners")
  end)

  it("is not shared with a forked process", function()
    if not package.loaded.jit or process.is_nginx then
      pending "only LuaJIT can fork without help"
      return
    end
    local output, problem = child.run(([[
      %s
      local ffi = require "ffi"
      ffi.cdef "int fork(void); void _exit(int); int waitpid(int, int *, int);"
      io.stdout:setvbuf "no"
      local store = require "cloud66".store.redis { port = %d, timeout = 3 }
      assert(store:set("whose", "parent", 1000))
      local pid = ffi.C.fork()
      if pid == 0 then
        local ok = true
        for i = 1, 200 do
          ok = ok and store:set("child", "c" .. i, 1000) and store:get "child" == "c" .. i
        end
        ffi.C._exit(ok and 0 or 1)
      end
      for i = 1, 200 do
        assert(store:set("parent", "p" .. i, 1000))
        assert(store:get "parent" == "p" .. i)
      end
      local status = ffi.new "int[1]"
      ffi.C.waitpid(pid, status, 0)
      print(status[0], store:get "whose")
      -- One that ends in order, and closes all that it has, changes nothing for its parent.
      pid = ffi.C.fork()
      if pid == 0 then
        store:get "whose"
        store = nil
        collectgarbage() collectgarbage()
        os.exit(0)
      end
      ffi.C.waitpid(pid, status, 0)
      print(status[0], store:get "whose")
      os.execute "kill -STOP $(cat %s/pid)"
      print(store:get "whose")
      os.execute "kill -CONT $(cat %s/pid)"
    ]]):format(redis.PREAMBLE, server.port, server.directory, server.directory))
    assert.equal(("0\tparent\n0\tparent\nnil\tredis 127.0.0.1:%d: timeout\n"):format(server.port), output, problem)
  end)

  it("is paused: a call ends in time, the next one after that is right again", function()
    local store = connect { timeout = 0.3 }
    local patient = connect()
    assert.is_true(patient:set("a", "one", LONG))
    assert.is_true(patient:set("b", "two", LONG))
    eventually(function()
      return store:get "a" == "one"
    end)
    server:pause()
    for _ = 1, 3 do
      local took = seconds_of(function()
        fails("timeout", store:get "a")
      end)
      assert.is_true(took >= 0.25 and took < 5, took)
    end
    server:resume()
    assert.is_truthy(eventually(function()
      local value, message = store:get "b"
      assert.is_true(value == "two" or value == nil and message:find "timeout" ~= nil, tostring(value))
      return value
    end))
  end)

  it("stops and comes back: fails meanwhile, and then does not", function()
    local store = connect()
    assert.is_true(store:set("key", "value", LONG))
    server:stop()
    local took = seconds_of(function()
      fails(process.is_nginx and "closed" or "refused", store:get "key") -- nginx has not had a turn to see it
      fails("refused", store:incr("count", 1, LONG))
    end)
    assert.is_true(took < 10, took)
    server:start_again()
    assert.is_false((store:get "key"))
    assert.is_true(store:set("key", "again", LONG))
    server:start_again() -- without a call in between
    pass(0.1)
    assert.is_false((store:get "key"))
  end)
end)

describe("a Redis with a password", function()
  setup(function()
    server = redis.start("--requirepass correct-horse --user reader on '>battery-staple' '~*' '+@all' "
      .. "--user unscripted on '>no-eval' '~*' '+@all' '-@scripting'")
  end)
  teardown(function()
    server:remove()
  end)

  it("takes the right one, with and without a name", function()
    assert.is_true(connect({ password = "correct-horse" }):set("key", "value", LONG))
    assert.equal("value", connect({ username = "reader", password = "battery-staple" }):get "key")
    assert.equal("value", connect({ path = server.path, password = "correct-horse", database = 0 }):get "key")
  end)

  it("allows no scripts: get, set and add work, and incr says so", function()
    local store = connect { username = "unscripted", password = "no-eval" }
    assert.is_true(store:set("plain", "value", LONG))
    assert.is_false((store:add("plain", "other", LONG)))
    assert.equal("value", store:get "plain")
    fails("NOPERM", store:incr("count", 1, LONG))
    assert.equal("value", store:get "plain")
  end)

  it("refuses others, which are never shown", function()
    local message = fails("password was refused %(WRONGPASS%)", connect({ password = "not-the-one" }):get "key")
    assert.is_nil(message:find("not-the-one", 1, true))
    fails("NOAUTH", connect():get "key")
    fails("WRONGPASS", connect({ username = "nobody", password = "correct-horse" }):get "key")
  end)
end)

describe("a store in what is not Redis", function()
  -- What comes, and how, and the answer to get: nil where it is a failure.
  for name, case in pairs {
    ["an answer of HTTP"] = { "HTTP/1.1 400 Bad Request\r\n\r\n" },
    ["an empty line"] = { "\r\n" },
    ["a line that never ends"] = { "+xxxxxxxxx", "endless" },
    ["numbers without end"] = { ":1111111111", "endless" },
    ["an array in an array, and so on"] = { "*1\r\n", "endless" },
    ["a negative length"] = { "$-5\r\n" },
    ["a length that is none"] = { "$abc\r\n" },
    ["a length of gigabytes"] = { "$9999999999\r\n" },
    ["a length that overflows"] = { "$99999999999999999999999999\r\n" },
    ["a value of another length"] = { "$2\r\nabcd\r\n" },
    ["half of a value"] = { "$10\r\nabc" },
    ["half of a value, then the end"] = { "$10\r\nabc", "close" },
    ["the end"] = { "", "close" },
    ["a number for a value"] = { ":5\r\n" },
    ["a line without CR"] = { "+OK\n" },
    ["an array"] = { "*2\r\n$1\r\na\r\n$1\r\nb\r\n" },
    ["a null array"] = { "*-1\r\n" },
    ["a push of RESP3"] = { ">2\r\n+invalidate\r\n*0\r\n" },
    ["a Redis that starts"] = { "-LOADING Redis is loading the dataset in memory\r\n" },
    ["an error with control characters"] = { "-ERR \27[31mred\0\r\n" },
    ["a byte now and then"] = { "$90\r\n" .. ("x"):rep(90) .. "\r\n", "drip" },
  } do
    it("fails in time: " .. name, function()
      local port, stop = redis.peer(case[1], case[2])
      local store = cloud66.store.redis { port = port, timeout = 0.2 }
      for _, call in ipairs { { "get", "key" }, { "set", "key", "value", LONG }, { "add", "key", "value", LONG }, { "incr", "key", 1, LONG },
        { "get", "key" } } do
        local took = seconds_of(function()
          local value, message = store[call[1]](store, call[2], call[3], call[4])
          if not (name == "a number for a value" and call[1] == "incr") then
            fails("^redis 127%.0%.0%.1:%d+: ", value, message)
            assert.is_nil(message:find "%c")
          end
        end)
        assert.is_true(took < 5, took)
      end
      stop()
    end)
  end

  it("never takes a late answer for the answer to what was asked next", function()
    local port, stop = redis.peer("$1\r\n#\r\n", "late")
    local hasty = cloud66.store.redis { port = port, timeout = 0.1 }
    fails("timeout", hasty:get "first")
    pass(0.6) -- the answer to it has come by now
    fails("timeout", hasty:get "second")
    local patient = cloud66.store.redis { port = port, timeout = PATIENT }
    local third = assert(patient:get "third")
    assert.equal(("%d"):format(third + 1), patient:get "fourth")
    stop()
  end)

  it("drops a connection on which something came unasked", function()
    local port, stop = redis.peer("+one\r\n+two\r\n", "all")
    local store = cloud66.store.redis { port = port, timeout = PATIENT }
    for _ = 1, 3 do
      assert.equal("one", store:get "key")
      pass(0.05)
    end
    stop()
  end)

  it("shows no password that comes back", function()
    for _, reply in ipairs { "-ERR unknown command 'AUTH', with args beginning with: 'top-secret'\r\n", "+OK\r\n-ERR top-secret\r\n" } do
      local port, stop = redis.peer(reply)
      local _, message = cloud66.store.redis({ port = port, password = "top-secret", timeout = PATIENT }):get "key"
      assert.is_string(message)
      assert.is_nil(message:find("top-secret", 1, true), message)
      stop()
    end
  end)

  it("is nobody at all", function()
    local took = seconds_of(function()
      fails("^redis 127%.0%.0%.1:1: .*refused", cloud66.store.redis({ port = 1 }):get "key")
      fails("^redis %[::1%]:1: ", cloud66.store.redis({ host = "[::1]", port = 1 }):get "key")
      if not process.is_nginx then -- whose log would call it critical
        fails("^redis unix:/nowhere: ", cloud66.store.redis({ path = "/nowhere" }):get "key")
      end
    end)
    assert.is_true(took < 10, took)
  end)
end)

describe("the options of a store in Redis", function()
  local make = cloud66.store.redis

  it("are checked", function()
    expect.raises("redis_spec.lua:.*did you mean 'password'", function() make { pasword = "x" } end)
    expect.raises("redis_spec.lua:.*either a path or a host", function() make { path = "/x", host = "y" } end)
    expect.raises("redis_spec.lua:.*'username' needs a password", function() make { username = "x" } end)
    expect.raises("redis_spec.lua:.*'port' must be a whole number", function() make { port = "6379" } end)
    expect.raises("redis_spec.lua:.*'password' is empty: an unset variable", function() make { password = "" } end)
    expect.raises("redis_spec.lua:.*'timeout' must be a number above zero", function() make { timeout = 0 } end)
    expect.raises("redis_spec.lua:.*'timeout' is in seconds", function() make { timeout = 200 } end)
    expect.raises("redis_spec.lua:.*'database' must be", function() make { database = -1 } end)
    expect.raises("redis_spec.lua:.*'prefix' must be", function() make { prefix = "a\n" } end)
    expect.raises("redis_spec.lua:.*'pool' must be", function() make { pool = 0 } end)
    expect.raises("redis_spec.lua:.*'host' must be a string", function() make { host = 127 } end)
    expect.raises("redis_spec.lua:.*expected a table", function() make "localhost" end)
  end)

  it("leave the caller's table as it was, and no password in the store", function()
    local options = { host = "[::1]", password = "top-secret" }
    local store = make(options)
    assert.same({ host = "[::1]", password = "top-secret" }, options)
    for _, value in pairs(store) do
      assert.is_function(value)
    end
  end)

  it("name what is to be installed where a library is missing", function()
    if process.is_nginx then
      pending "the other library"
      return
    end
    for name, pattern in pairs { redis = "Debian: lua%-redis; LuaRocks: redis%-lua", socket = "Debian: lua%-socket; LuaRocks: luasocket" } do
      local output = child.run(([[
        %s
        package.preload[%q], package.loaded[%q] = nil, nil
        package.preload[%q] = function() error "no such module" end
        print(pcall(require "cloud66".store.redis))
      ]]):format(redis.PREAMBLE, name, name, name))
      assert.matches("^false\t.*" .. pattern, output)
    end
  end)
end)
