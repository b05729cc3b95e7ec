-- cloud66.transport.resty: requests over nginx's own sockets. It runs inside an nginx, which these specs send Lua code to.
local cjson = require "cjson"
local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
local nginx = require "spec.support.nginx"
local nginx_code = require "spec.support.nginx_code"

describe("cloud66.transport.resty outside nginx", function()
  it("names the transport to use there", function()
    expect.raises("resty_spec%.lua:%d+: .*cloud66%.transport%.curl", function()
      require("cloud66.transport.resty").new({ new = print })
    end)
  end)
end)

if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C module is the one of the Lua that runs this
end

local MODULES = { "spec.support.resty_http", "resty.http" }

-- What stands before the code of each spec. `told` gives what a call came to, fit for JSON.
local PRELUDE = [[
  local cjson, cloud66, resty = require "cjson", require "cloud66", require "cloud66.transport.resty"
  local arg = cjson.decode(%q)
  local http = require(arg.module)
  local function connect(url, options, module, settings)
    local given = { base_url = url, token = arg.token, retries = false, transport = resty.new(module or http, settings) }
    for name, value in pairs(options or {}) do given[name] = value end
    return assert(cloud66.new(given))
  end
  local function told(value, message, err)
    return { ok = value ~= nil, message = message, kind = err and err.kind }
  end
  local function request(extra)
    local given = { method = "GET", url = (arg.url or "http://x.example") .. "/stacks.json", headers = { Authorization = "Bearer " .. arg.token },
      timeout = { connect = 2, total = 5 }, max_body = 1e6 }
    for name, value in pairs(extra or {}) do given[name] = value end
    return given
  end
  -- A lua-resty-http whose clients have these methods, and whose socket gives these pieces, or fails with a text among them.
  local function stub(methods, pieces)
    local count = 0
    local function give()
      count = count + 1
      local piece = pieces and pieces[count]
      if piece then return piece end
      return nil, "closed"
    end
    return { new = function()
      local function good() return true end
      local client = { connect = good, send_request = good, set_keepalive = good, close = good,
        sock = { settimeouts = good, receiveany = give, getreusedtimes = function() return 0 end } }
      for name, value in pairs(methods) do client[name] = value end
      return client
    end }
  end
  -- The kind and the message of what a request comes to over a stub.
  local function over(methods, pieces, extra)
    local response, kind, message = resty.new(stub(methods, pieces))(request(extra))
    return { response = response, kind = kind, message = message }
  end
]]

local server
local logged = 0 -- bytes of its log that are from before this spec

local function start(options)
  logged = 0
  options = options or {}
  options.level = "info"
  options.server = ([[
    client_body_buffer_size 1m;
    lua_socket_log_errors off;
    location /run { lua_ssl_trusted_certificate %s; %s }
    location /wrong_ca { lua_ssl_trusted_certificate %s/expired.pem; %s }
    %s
  ]]):format(fake.ca, nginx_code.LOCATION, os.getenv "C66_FAKE_DIR", nginx_code.LOCATION, options.server or "")
  server = nginx.start(options)
end

-- Runs code inside nginx; what it returns.
local function run(code, values, location)
  local arg = merged({ token = fake.token, module = MODULES[1] }, values)
  return nginx_code.run(server, PRELUDE:format(cjson.encode(arg)) .. code, nil, location)
end

-- What GETting the stacks comes to; options for cloud66.new() as JSON has them.
local function get(url, options, location)
  return run("return told(connect(arg.url, arg.options):stacks():collect())", { url = url, options = options }, location)
end

local function check_failure(kind, pattern, got)
  assert.equal(kind, got.kind, got.message)
  assert.matches(pattern, got.message)
end

local function posts(tag)
  return #fake.requests(tag, "POST")
end

-- How many sockets the worker has, once that is no more than so many, or after a while.
local function sockets(wanted)
  local count
  eventually(function()
    count = server:sockets(server:workers()[1])
    return wanted and count <= wanted
  end, wanted and 3 or 0)
  return count
end

local function mark_log()
  logged = #server:log()
end

local function check_quiet_log()
  local log = server:log():sub(logged + 1)
  for _, level in ipairs { "error", "alert", "crit", "emerg" } do
    assert.is_nil(log:find("[" .. level .. "]", 1, true), log)
  end
end

local function stop()
  local log = server:log()
  server:stop()
  assert.is_nil(log:find(fake.token, 1, true))
  assert.is_nil(log:find("[alert]", 1, true), log)
end

local function is_found(module)
  return run("return (pcall(require, arg.wanted))", { wanted = module })
end

describe("cloud66.transport.resty", function()
  setup(start)
  before_each(mark_log)
  teardown(stop)

  for i, module in ipairs(MODULES) do
    local function with(more)
      more.module = module
      return more
    end

    it("reads deployments, over pages, with " .. module, function()
      if not is_found(module) then
        return -- lua-resty-http itself need not be there
      end
      local ids = run([[
        local ids = {}
        for d in connect(arg.url):stack(arg.stack):deployments() do ids[#ids + 1] = d.id end
        return ids
      ]], with { url = fake.url {}, stack = fake.stacks.awesome_app })
      assert.equal(137, #ids)
      assert.equal(fake.data.deployments("awesome_app")[1].id, ids[1])
      check_quiet_log()
    end)

    it("reads chunks, and sends a body, with " .. module, function()
      if not is_found(module) then
        return
      end
      local world, tag = fake.world(), fake.fresh_tag()
      local got = run([[
        local stack = connect(arg.url):stack(arg.stack)
        local result = assert(stack:redeploy { git_ref = "main" })
        return { message = result.message, ref = assert(stack:action(result.async_action_id)).user_reference, mine = result.user_reference }
      ]], with { url = fake.url { content = "chunked", world = world.name, tag = tag }, stack = fake.stacks.staging })
      assert.equal("Stack queued for redeployment", got.message)
      assert.equal(got.mine, got.ref)
      assert.equal(1, posts(tag))
      check_quiet_log()
    end)

    it("ends in time, and says what went wrong, with " .. module, function()
      if i == 1 or not is_found(module) then
        return -- the first one's failures have specs of their own
      end
      local url = fake.url { wire = "slow_body" }
      check_failure("timeout", "0%.5 s", run("return told(connect(arg.url, { timeout = 0.5 }):stacks():collect())", with { url = url }))
      check_failure("connect", "refused", run("return told(connect(arg.url):stacks():collect())", with { url = fake.closed_url() }))
    end)
  end

  it("gives what its contract says", function()
    local got = run([[ return { resty.new(http)(request()) } ]], { url = fake.url { warning = "a" } })[1]
    assert.equal(200, got.status)
    assert.equal("1.1", got.http_version)
    assert.equal("application/json", got.headers["content-type"]:match "^[^;]+")
    assert.equal("a", got.headers["x-cloud66-warning"])
    assert.is_table(cjson.decode(got.body))
    for name in pairs(got.headers) do
      assert.equal(name:lower(), name)
    end
  end)

  it("joins repeated headers, and takes any status for an answer", function()
    local got = run [[
      return over({}, { "HTTP/1.1 302 Found\r\nVary: a\r\nX-A: 1\r\nVary: b\r\n", "Location: /x\r\nContent-Length: 0\r\n\r\n" }).response
    ]]
    assert.same({ status = 302, http_version = "1.1", body = "",
      headers = { vary = "a, b", ["x-a"] = "1", location = "/x", ["content-length"] = "0" } }, got)
    assert.is_true(get(fake.url { redirect = "same" }).ok)
    check_quiet_log()
  end)

  it("reads a response whatever the pieces are that it comes in", function()
    local got = run [[
      local bytes = "HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n"
        .. "3;x=y\r\nabc\r\n10\r\n" .. ("d"):rep(16) .. "\r\n0\r\nTrailer: 1\r\n\r\n"
      for size = 1, #bytes do
        local pieces = {}
        for i = 1, #bytes, size do pieces[#pieces + 1] = bytes:sub(i, i + size - 1) end
        local got = over({}, pieces)
        assert(got.response, got.message)
        assert(got.response.status == 200 and got.response.body == "abc" .. ("d"):rep(16) and got.response.headers["x-a"] == "1"
          and not got.response.headers.a and not got.response.headers.trailer)
        for stop = 1, #pieces - 1, 7 do
          local cut = { unpack(pieces, 1, stop) }
          assert(over({}, cut).kind == "network")
        end
      end
      return true
    ]]
    assert.is_true(got)
  end)

  it("asks for nothing compressed, and takes nothing compressed", function()
    assert.is_true(get(fake.url { gzip = true }).ok)
    check_failure("protocol", "compressed.*gzip", get(fake.url { gzip = "bad" }))
  end)

  it("does not give what is longer than max_body", function()
    check_failure("too_large", "'max_body'", get(fake.url { big = 20000 }, { max_body = 10000 }))
    assert.is_true(get(fake.url { big = 20000 }, { max_body = 100000 }).ok)
    check_failure("too_large", "'max_body'", run([[
      local response, kind, message = resty.new(http)(request { max_body = 10 })
      return { kind = kind, message = message, response = response }
    ]], { url = fake.url {} }))
  end)

  it("reads a HEAD's answer and a 204", function()
    local got = run([[
      local send = resty.new(http)
      return { send(request { method = "HEAD" }).status, send(request { url = arg.empty .. "/stacks.json" }).status }
    ]], { url = fake.url {}, empty = fake.url { status = "204" } })
    assert.is_number(got[1])
    assert.equal(204, got[2])
  end)

  describe("over TLS", function()
    it("accepts a certificate that a CA of nginx's vouches for", function()
      assert.is_true(get(fake.url({}, "https")).ok)
      check_quiet_log()
    end)

    it("accepts no other", function()
      for _, case in ipairs {
        { "https", "/wrong_ca", "lua_ssl_trusted_certificate.*lua_ssl_verify_depth.*first certificate" },
        { "expired", "/run", "lua_ssl_trusted_certificate.*expired" },
        { "misnamed", "/run", "another host name" },
      } do
        local got = run([[
          local _, kind, message = resty.new(http)(request { method = "POST" }) -- on a connection of its own
          return { kind = kind, message = message }
        ]], { url = fake.url({}, case[1]) }, case[2])
        local is_at_once = got.message:find "assertion failed" -- a handshake that did not have to wait: see transport/resty.lua
        check_failure("tls", is_at_once and "lua_ssl_trusted_certificate" or case[3], got)
      end
    end)

    it("cannot be told not to verify, and names the host", function()
      local params = run [[
        local seen
        over({ connect = function(_, params) seen = params; return nil, "x" end }, {}, { url = "https://Host.example/", ssl_verify = false })
        return seen
      ]]
      assert.is_true(params.ssl_verify)
      assert.equal("host.example", params.ssl_server_name)
      assert.matches("unknown option 'ssl_verify'", run [[ return select(2, pcall(resty.new, http, { ssl_verify = false })) ]])
    end)

    it("says when the server does not speak TLS", function()
      local url = fake.url({}):gsub("^http://127.0.0.1", "https://localhost")
      check_failure("tls", "handshake", get(url))
    end)
  end)

  it("says when there is no connection", function()
    check_failure("connect", "http://127%.0%.0%.1:1: no connection .*refused", get(fake.closed_url()))
    check_failure("connect", "'resolver'", get("https://nowhere.example/api/3"))
  end)

  it("says what a broken answer is", function()
    for wire, kind in pairs {
      garbage = "protocol", bad_chunk = "protocol", no_last_chunk = "network", cut_chunk = "network", short_body = "network",
    } do
      check_failure(kind, "127", get(fake.url { wire = wire }))
    end
    for _, cut in ipairs { "head", "body", "reset" } do
      check_failure("network", "the connection was cut", get(fake.url { cut = cut }))
    end
  end)

  it("tells each kind by nginx's words", function()
    local got = run [[
      local words, kinds = {
        "foo could not be resolved (3: Host not found)", "foo could not be resolved (110: Operation timed out)",
        "no resolver defined to resolve \"foo\"", "connection refused", "20: unable to get local issuer certificate",
        "certificate host mismatch", "handshake failed", "closed", "connection reset by peer", "no route to host", "timeout", "what" }, {}
      for i, text in ipairs(words) do
        local got = over({ connect = function() return nil, text end }, {}, { url = "https://x.example/" })
        kinds[i] = got.kind
        assert(got.message:find(text, 1, true) or got.kind == "timeout", got.message)
      end
      return kinds
    ]]
    assert.same({ "connect", "connect", "connect", "connect", "tls", "tls", "tls", "connect", "connect", "connect", "timeout", "connect" }, got)
  end)

  -- What a request comes to over a client with these proxies, which gives these words; or the response with this status.
  local function through(proxies, words, status, url)
    return run([[
      local module = stub({ proxy_opts = arg.proxies, connect = function()
        return arg.status ~= nil, arg.words
      end }, { ("HTTP/1.1 %s Refused\r\nContent-Length: 0\r\n\r\n"):format(arg.status) })
      local client = connect(arg.url, {}, module)
      local value, message, err = client:request("GET", "/ping")
      return { kind = err.kind, message = message, status = err.status }
    ]], { proxies = proxies, words = words, status = status, url = url or "https://x.example" })
  end

  it("names a proxy of lua-resty-http's that refuses, and is not asked again where that is for good", function()
    local both = { http_proxy = "http://127.0.0.1:1", https_proxy = "http://proxy.example:3128" }
    local got = through(both, "failed to establish a tunnel through a proxy: 407")
    check_failure("connect", "the proxy wants a user and a password", got)
    assert.matches("; the proxy is proxy.example:3128 (https_proxy)", got.message, 1, true)
    assert.equal(407, got.status)
    got = through(both, "failed to establish a tunnel through a proxy: 403")
    check_failure("connect", "the proxy refused the tunnel", got)
    assert.equal(403, got.status)
    for _, words in ipairs { "failed to issue CONNECT to proxy: timeout", "failed to connect to: proxy.example:3128: timeout" } do
      check_failure("timeout", "; the proxy is proxy.example:3128", through(both, words))
    end
    check_failure("connect", "; the proxy is proxy.example:3128", through(both, "failed to connect to: proxy.example:3128: connection refused"))
    got = through(both, nil, 407, "http://127.0.0.1:9/api/3")
    check_failure("connect", "the proxy 127.0.0.1:1 %(http_proxy%) wants a user and a password", got)
    assert.equal(407, got.status)
    both.no_proxy = "x.example"
    assert.not_matches("; the proxy", through(both, "connection refused").message)
    assert.not_matches("; the proxy", through(nil, "connection refused").message)
  end)

  it("sends nothing to a proxy whose address holds a user, and does not show it", function()
    for _, address in ipairs { "http://me:secret@proxy.example:3128", "http://me:se@cret/secret@proxy.example", "me:secret" } do
      local got = through({ https_proxy = address }, "bad uri: " .. address)
      check_failure("connect", "https_proxy", got)
      assert.not_matches("cret", got.message)
    end
  end)

  describe("in time", function()
    local function timed(url, options)
      local start_time = core.monotonic()
      local got = get(url, options)
      return got, core.monotonic() - start_time
    end

    it("ends whatever the server does, and leaves nothing behind", function()
      local before = sockets()
      for _, scenario in ipairs { { wire = "slow_body" }, { wire = "slow_head" }, { delay = "5" } } do
        local got, elapsed = timed(fake.url(scenario), { timeout = 0.4 })
        check_failure("timeout", "no complete response within 0%.4 s", got)
        assert.is_true(elapsed >= 0.39 and elapsed < 3, elapsed)
      end
      assert.is_true(sockets(before) <= before)
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
      local slow = server:start { url = "/run", method = "POST", body = PRELUDE:format(cjson.encode {
        token = fake.token, module = MODULES[1], url = fake.url { delay = "3" },
      }) .. "return told(connect(arg.url):stacks():collect())" }
      local start_time = core.monotonic()
      assert.is_true(get(fake.url {}).ok)
      assert.is_true(core.monotonic() - start_time < 2.5)
      local status, text = server:finish(slow)
      assert.equal(200, status)
      assert.is_true(cjson.decode(text).value.ok)
    end)

    it("ends also where the caller's light thread was killed", function()
      run "return true" -- over a connection that stays
      local before, start_time = sockets(), core.monotonic()
      run([[
        local thread = ngx.thread.spawn(function() connect(arg.url, { timeout = 0.6 }):stacks():collect() end)
        ngx.sleep(0.1)
        ngx.thread.kill(thread)
        return true
      ]], { url = fake.url { wire = "slow_body" } })
      assert.is_true(core.monotonic() - start_time < 5)
      assert.is_true(sockets(before) <= before)
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
      local worker = server:workers()[1]
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
      assert.equal(worker, server:workers()[1])
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

  describe("anything but GET and HEAD", function()
    it("goes over a connection of its own", function()
      local got = run([[
        local clients, reused = {}, {}
        local module = { new = function()
          local client = http.new()
          clients[#clients + 1] = client
          return client
        end }
        local send = resty.new(module, { keepalive_timeout = 5000, keepalive_pool = 2 })
        table.remove(clients)
        for _, method in ipairs { "GET", "GET", "POST", "POST", "GET" } do
          assert(send(request { method = method }))
        end
        for i, client in ipairs(clients) do reused[i] = client.reused end
        return reused
      ]], { url = (fake.url({}):gsub("127.0.0.1", "localhost")) }) -- a name whose pool is empty
      assert.same({ 0, 1, 0, 0, 2 }, got)
    end)

    it("is sent once, where a GET is sent again when its connection turns out to be dead", function()
      for method, times in pairs { GET = 2, HEAD = 2, POST = 1, DELETE = 1 } do
        local tag = fake.fresh_tag()
        local got = run([[
          local send = resty.new(http)
          assert(send(request { url = arg.good .. "/ping" }))
          local response, kind = send(request { method = arg.method, url = arg.url .. "/ping" })
          return response and response.status or kind
        ]], { method = method, good = fake.url {}, url = fake.url { cut = "head", times = 1, tag = tag } })
        if times == 2 then
          assert.is_number(got)
        else
          assert.equal("network", got)
        end
        assert.equal(times, #fake.requests(tag), method)
      end
    end)

    it("is sent once, though its answer is lost", function()
      for _, fault in ipairs { { cut = "head" }, { cut = "reset" }, { cut = "body" }, { delay = "3" } } do
        local world, tag = fake.world(), fake.fresh_tag()
        fault.on, fault.world, fault.tag = "redeploy", world.name, tag
        local got = run([[
          local client = connect(arg.url, { timeout = 1, retries = { attempts = 3, base = 0.05 } })
          local result, message = client:stack(arg.stack):redeploy { git_ref = "main" }
          return { recovered = result and result.recovered, message = message }
        ]], { url = fake.url(fault), stack = fake.stacks.staging })
        assert.is_true(got.recovered, got.message)
        assert.equal(1, posts(tag))
      end
    end)
  end)

  it("takes what is raised for a failure to connect, and shows no token", function()
    local got = run [[
      local token = "Bearer " .. arg.token
      return {
        over { connect = function() error("a bug " .. token) end },
        over { connect = function() ngx.sleep(0.01); error { token } end },
        over { connect = function() return nil, "sent " .. token .. "\27[2J" end },
        over({ send_request = function() return nil, "sent " .. token end }),
        over({}, { "HTTP/1.1 " .. token .. "\27[2J\r\n" }),
        over({}, { "HTTP/1.1 200\r\nTransfer-Encoding: " .. arg.token .. "\r\n\r\n" }),
      }
    ]]
    for i, kind in ipairs { "connect", "connect", "connect", "network", "protocol", "protocol" } do
      local failure = got[i]
      check_failure(kind, "^http://x%.example:80: ", failure)
      assert.is_nil(failure.message:find(fake.token, 1, true))
      assert.is_nil(failure.message:find "%c")
    end
    assert.matches("a bug Bearer %[token%]", got[1].message)
    check_failure("tls", "lua_ssl_trusted_certificate", run [[
      return over { connect = function() error("/x/resty/core/socket.lua:244: assertion failed!", 0) end }
    ]])
    check_failure("network", "no socket .*none left", run [[
      local made = 0
      local _, kind, message = resty.new { new = function()
        made = made + 1
        return made == 1 and http.new() or nil, "none left"
      end }(request())
      return { kind = kind, message = message }
    ]])
  end)

  it("sends nothing that would end a line early", function()
    local got = run [[
      local messages = {}
      for i, extra in ipairs {
        { headers = { Name = "a\r\nb: c" } }, { headers = { ["Na\nme"] = "a" } }, { method = "GET /x HTTP/1.1\r\nA: b\r\n\r\nGET" },
        { url = "http://x.example/\r\nA: b" },
      } do
        messages[i] = select(2, pcall(over, {}, { "" }, extra))
      end
      return messages
    ]]
    for i, what in ipairs { "header Name", "header Na", "method", "URL" } do
      assert.matches(what .. ".* of a request holds a line break", got[i])
    end
  end)

  it("closes the connection of what failed", function()
    local closed = run [[
      local closed = 0
      local function close() closed = closed + 1 end
      for _, methods in ipairs {
        { connect = function() return nil, "x" end }, { connect = function() error "x" end }, { send_request = function() return nil, "x" end },
        {},
      } do
        methods.close = close
        assert(not over(methods).response)
      end
      return closed
    ]]
    assert.equal(4, closed)
  end)

  it("raises for what is not lua-resty-http, and for options there are not", function()
    local got = run [[
      local messages = {}
      for i, call in ipairs {
        function() resty.new() end,
        function() resty.new {} end,
        function() resty.new { new = function() return {} end } end,
        function() resty.new { _VERSION = "0.15", new = http.new } end,
        function() resty.new(stub { sock = false }) end,
        function() resty.new(stub { sock = { settimeouts = print } }) end,
        function() resty.new(http, { keepalive = 1 }) end,
        function() resty.new(http, { keepalive_pool = 0 }) end,
        function() resty.new(http, 5) end,
      } do
        messages[i] = select(2, pcall(call))
      end
      return messages
    ]]
    local wanted = { "got a nil", "without new%(%)", "without connect", "0%.16 or later.*0%.15", "without 'sock'", "0%.10%.14", "unknown option 'keepalive'", "keepalive_pool", "expected a table" }
    for i, pattern in ipairs(wanted) do
      assert.matches("^code:%d+: .*" .. pattern, got[i])
    end
  end)
end)

describe("cloud66.transport.resty in a phase that cannot wait", function()
  setup(function()
    start {
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
  teardown(stop)

  it("says so, and works where it can wait", function()
    local _, _, headers = server:get "/filtered"
    assert.equal("phase", headers["x-kind"])
    assert.matches("header_filter.*ngx%.timer", headers["x-message"])
    local _, started = server:get "/started"
    assert.matches("^phase phase: .*'init'", started)
    local status, count = server:get "/later"
    assert.equal(200, status)
    assert.is_true(tonumber(count) >= 4, count)
    check_quiet_log()
  end)
end)

describe("cloud66.transport.resty where libcurl cannot be loaded", function()
  setup(function()
    start { http = [[ init_by_lua_block { package.preload["cloud66.curl"] = function() error "libcurl.so.4: no such file" end } ]] }
  end)
  teardown(stop)

  it("works, and is named where another transport is asked for", function()
    assert.is_true(get(fake.url {}).ok)
    local problem = run [[ return select(2, pcall(cloud66.new, { token = "some-token" })) ]]
    assert.matches("cloud66%.transport%.resty.*no such file", problem)
    check_quiet_log()
  end)
end)

describe("an nginx that used cloud66.transport.resty", function()
  setup(start)
  teardown(stop)

  it("ends, with no socket left open", function()
    get(fake.url {})
    get(fake.url { wire = "slow_body" }, { timeout = 0.2 })
    get(fake.url({}, "https"))
    local worker = server:workers()[1]
    server:signal "QUIT"
    assert.is_true(eventually(function()
      return server:log():find("worker process " .. worker .. " exited with code 0", 1, true) ~= nil
    end))
    check_quiet_log()
  end)
end)
