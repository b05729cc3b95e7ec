-- cloud66.transport.resty where requests end otherwise than they should: the user's request in nginx ends all the same, in time,
-- and leaves no socket behind.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C module is the one of the Lua that runs this
end

local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local nginx_code = require "spec.support.nginx_code"

local LIMIT = 0.3 -- seconds for a request

-- What is wrong with a response, and the kind of error that it comes to.
local FAULTS = {
  { { delay = "5" }, "timeout" }, { { wire = "slow_head" }, "timeout" }, { { wire = "slow_body" }, "timeout" },
  { { wire = "stalled_body" }, "timeout" }, { { wire = "stalled_chunk" }, "timeout" },
  { { wire = "short_body" }, "network" }, { { wire = "cut_chunk" }, "network" }, { { cut = "reset" }, "network" },
  { { wire = "bad_chunk" }, "protocol" }, { { wire = "endless" }, "too_large" },
}

local PRELUDE = ([[
  local arg = ...
  local cloud66, resty = require "cloud66", require "cloud66.transport.resty"
  local function connect(url)
    return assert(cloud66.new { base_url = url, token = %q, retries = false, timeout = arg.limit, max_body = 1e6,
      transport = resty.new(require(arg.module)) })
  end
  local function kind_of(_, _, err) return err and err.kind or "none" end
  local function ask(url) return kind_of(connect(url):request("GET", "/ping")) end
]]):format(fake.token)

local server

local function run(code, arg)
  arg.limit = arg.limit or LIMIT
  return nginx_code.run(server, PRELUDE .. code, arg)
end

local function sockets()
  return server:sockets(server:workers()[1])
end

local function check_sockets(before)
  local now
  eventually(function()
    now = sockets()
    return now <= before
  end, 3)
  assert.is_true(now <= before, ("%d sockets, and %d before"):format(now, before))
end

-- Runs fn for each library that is there, once a first request has opened what stays open.
local function for_each_library(name, fn)
  for _, module in ipairs { "spec.support.resty_http", "resty.http" } do
    it(name .. ", with " .. module, function()
      if not nginx_code.run(server, "return (pcall(require, ...))", module) then
        return -- lua-resty-http itself need not be there
      end
      local urls = {}
      for i = 1, 5 do
        urls[i] = fake.url {}
      end
      run("connect(arg.urls[1]):map(arg.urls, ask)", { module = module, urls = urls, limit = 5 })
      fn(module, sockets())
    end)
  end
end

describe("a request of nginx's that asks over its own sockets", function()
  setup(function()
    server = nginx.start {
      http = "resolver_timeout 2s;",
      server = ([[
        lua_socket_log_errors off; client_body_buffer_size 1m; resolver 127.0.0.1:%d;
        location /run { %s }
      ]]):format(nginx.random_port(), nginx_code.LOCATION), -- where no DNS server answers
    }
  end)
  teardown(function()
    local log = server:log()
    server:stop()
    assert.is_nil(log:find(fake.token, 1, true))
    for _, level in ipairs { "alert", "crit", "emerg" } do
      assert.is_nil(log:find("[" .. level .. "]", 1, true), log)
    end
  end)

  for_each_library("ends whatever a server does", function(module, before)
    for _, fault in ipairs(FAULTS) do
      local start_time = core.monotonic()
      assert.equal(fault[2], run("return ask(arg.url)", { module = module, url = fake.url(fault[1]) }))
      assert.is_true(core.monotonic() - start_time < LIMIT + 1.5)
    end
    check_sockets(before)
  end)

  for_each_library("ends whatever a server does in the middle of a map, and after more work", function(module, before)
    for _, fault in ipairs(FAULTS) do
      local got = run([[
        local client = connect(arg.good)
        local results = assert(client:map({ arg.good, arg.url, arg.good, arg.url, arg.good }, ask))
        local kinds = {}
        for i = 1, 5 do kinds[i] = results[i].value end
        ngx.sleep(0.01)
        kinds[6] = ask(arg.good)
        return kinds
      ]], { module = module, url = fake.url(fault[1]), good = fake.url {} })
      assert.same({ "none", fault[2], "none", fault[2], "none", "none" }, got)
    end
    check_sockets(before)
  end)

  for_each_library("ends when its light threads are killed at any moment", function(module, before)
    for _, fault in ipairs(FAULTS) do
      run([[
        for i = 1, 4 do
          local threads = {}
          threads[1] = ngx.thread.spawn(ask, arg.url)
          threads[2] = ngx.thread.spawn(function()
            connect(arg.good):map({ arg.good, arg.url, arg.good }, ask)
          end)
          ngx.sleep(0.003 * i * i)
          for _, thread in ipairs(threads) do ngx.thread.kill(thread) end
        end
        return ask(arg.good)
      ]], { module = module, url = fake.url(fault[1]), good = fake.url {} })
    end
    check_sockets(before)
  end)

  for_each_library("ends when its client goes away", function(module, before)
    local port = server.port
    for _, fault in ipairs(FAULTS) do
      local body = PRELUDE:gsub("local arg = %.%.%.", ("local arg = { module = %q, url = %q, limit = %g }"):format(
        module, fake.url(fault[1]), LIMIT)) .. "return ask(arg.url)"
      local path = host.file(("POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
      host.output(("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d; cat %s >&3; sleep 0.05'"):format(port, host.quote(path)))
      os.remove(path)
    end
    check_sockets(before)
  end)

  for_each_library("is in time though a name is looked up in vain", function(module, before)
    for _, code in ipairs {
      "kinds = ask(arg.url)",
      "local results = connect(arg.url):map({ arg.url, arg.url }, ask); kinds = results[1].value .. results[2].value",
    } do
      local got = run("local start, kinds = ngx.now(); " .. code .. "; return { kinds, ngx.now() - start }",
        { module = module, url = "https://api.example", limit = 0.4 })
      assert.is_true(got[1] == "timeout" or got[1] == "timeouttimeout", got[1])
      assert.is_true(got[2] > 0.35 and got[2] < 1, got[2])
      local start_time = core.monotonic() -- the request itself ends with the look-up, or by ngx.exit()
      assert.is_false((pcall(run, code .. "; return ngx.exit(503)", { module = module, url = "https://api.example", limit = 0.4 })))
      assert.is_true(core.monotonic() - start_time < 1.5)
    end
    check_sockets(before + 1) -- the resolver's
  end)

  for_each_library("holds no light thread of a look-up that is over, while its parent goes on asking", function(module)
    local held = run([[
      local function memory() collectgarbage() collectgarbage() return collectgarbage "count" end
      ask(arg.url:format(0))
      local before = memory()
      for i = 1, 60 do ask(arg.url:format(i)) end
      local during = memory()
      ngx.sleep(2.5)
      ask(arg.url:format(61))
      return { during - before, memory() - before }
    ]], { module = module, url = "https://api%d.example", limit = 0.01 })
    assert.is_true(held[2] < held[1] / 3, ("%.0f KiB, then %.0f"):format(held[1], held[2]))
  end)

  for_each_library("leaves no memory behind", function(module)
    local function used()
      return run([[
        for _ = 1, arg.rounds do
          for _, url in ipairs(arg.urls) do ask(url) end
          connect(arg.urls[1]):map(arg.urls, ask)
        end
        collectgarbage() collectgarbage()
        return collectgarbage "count"
      ]], { module = module, rounds = 12, limit = 0.02, urls = {
        fake.url { wire = "stalled_body" }, fake.url { wire = "short_body" }, fake.url { wire = "bad_chunk" }, fake.url {},
      } })
    end
    used()
    local before = used()
    local after = used()
    assert.is_true(after - before < 64, ("%.0f KiB more"):format(after - before))
  end)
end)
