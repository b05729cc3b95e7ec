-- cloud66.transport.resty: requests over nginx's own sockets. It runs inside an nginx, which these specs send Lua code to.
local cjson = require "cjson"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local over_sockets = require "spec.support.over_sockets"

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

local check_failure, check_quiet_log, get, run = over_sockets.check_failure, over_sockets.check_quiet_log, over_sockets.get, over_sockets.run

local function posts(tag)
  return #fake.requests(tag, "POST")
end

describe("cloud66.transport.resty", function()
  setup(over_sockets.start)
  before_each(over_sockets.mark_log)
  teardown(over_sockets.stop)

  for i, module in ipairs(over_sockets.MODULES) do
    local function with(more)
      more.module = module
      return more
    end

    it("reads deployments, over pages, with " .. module, function()
      if not over_sockets.is_found(module) then
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
      if not over_sockets.is_found(module) then
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
      if i == 1 or not over_sockets.is_found(module) then
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

  it("does not hold up the worker over a header of many blanks", function()
    local got = run [[
      local outcomes, blanks = {}, (" "):rep(60000)
      for i, line in ipairs { "X: a" .. blanks .. "b", "X" .. blanks .. "b: c", "X" .. blanks .. "b", "X: a\r\n b" .. blanks .. "c" } do
        local start = os.clock()
        local got = over({}, { "HTTP/1.1 200 OK\r\n" .. line .. "\r\nContent-Length: 0\r\n\r\n" })
        assert(os.clock() - start < 1, "it took " .. os.clock() - start .. " s")
        outcomes[i] = got.kind or got.response.status
      end
      return outcomes
    ]]
    assert.same({ 200, "protocol", "protocol", 200 }, got)
  end)

  it("reads max_body bytes and no more, and refuses what is odd in a chunk's size", function()
    local got = run [[
      local sized = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
      local function chunked(line) return over({}, { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. line .. "\r\nbody\r\n0\r\n\r\n" }) end
      return {
        over({}, { sized }, { max_body = 4 }), over({}, { sized }, { max_body = 3 }), chunked "4", chunked "4 junk", chunked "4junk",
        chunked("4;" .. ("x"):rep(1020)), chunked("4;" .. ("x"):rep(1021)),
      }
    ]]
    for i, kind in ipairs { false, "too_large", false, "protocol", "protocol", false, "protocol" } do
      assert.equal(kind or nil, got[i].kind, i)
      assert.equal(not kind and "body" or nil, got[i].response and got[i].response.body, i)
    end
  end)

  it("holds little more than a body that comes byte by byte", function()
    local got = run [[
      local before, most = nil, 0
      local pieces = setmetatable({}, { __index = function(_, i)
        if i == 1 then return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" end
        if i % 1000 == 2 then
          collectgarbage()
          before = before or collectgarbage "count"
          most = math.max(most, collectgarbage "count" - before)
        end
        return i < 6002 and ("1\r\nx\r\n"):rep(500) or "0\r\n\r\n"
      end })
      return { #over({}, pieces, { max_body = 1e7 }).response.body, most / 1024 }
    ]]
    assert.equal(3e6, got[1])
    assert.is_true(got[2] < 8, ("%.1f MiB for a body of 3 MB"):format(got[2])) -- a list of its bytes is 24 MB at least
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
    local wanted = {
      "got a nil", "without new%(%)", "without connect", "0%.16 or later.*0%.15", "without 'sock'", "0%.10%.14",
      "unknown option 'keepalive'", "keepalive_pool", "expected a table",
    }
    for i, pattern in ipairs(wanted) do
      assert.matches("^code:%d+: .*" .. pattern, got[i])
    end
  end)
end)
