-- cloud66.curl and the transport on top of it, against the fake API and against a peer that says exactly what it is told.
local curl = require "cloud66.curl"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local wait = require "cloud66.runtime.wait"
local transport = require "cloud66.transport.curl"

local engine = curl.engine()
local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local function ping(options, scheme)
  return fake.url(options, scheme) .. "/ping"
end

local function await(transfer)
  wait.await(engine, transfer)
  return transfer:result()
end

-- A peer for one connection, in the one language besides sh that every Debian has: reads a request, writes `reply`,
-- and closes, or with `hold` waits until the client does; `silent` does not read, `reset` closes with an RST.
local peer_program = [[
use IO::Socket::INET; use Socket;
$| = 1; alarm 20;
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or exit 1;
print $listener->sockport, "\n";
my $client = $listener->accept;
my ($seen, $piece) = ("", "");
if (!$ENV{PEER_SILENT}) { while ($seen !~ /\r\n\r\n/ && sysread($client, $piece, 4096)) { $seen .= $piece } }
open(my $reply, "<", $ENV{PEER_REPLY}); binmode $reply; local $/; syswrite $client, <$reply>;
if ($ENV{PEER_HOLD}) { 1 while sysread($client, $piece, 4096) }
if ($ENV{PEER_RESET}) { $client->sockopt(SO_LINGER, pack("ii", 1, 0)) }
]]

local has_perl = host.succeeds "perl -MIO::Socket::INET -e 1 2>/dev/null"

-- Calls fn with the peer's host:port, and returns what it returns. options: reply, hold, silent, reset.
local function with_peer(options, fn)
  if not has_perl then pending "perl is missing" end -- raises
  local path = host.file(options.reply or "")
  local settings = "PEER_REPLY='" .. path .. "'"
  for _, name in ipairs { "hold", "silent", "reset" } do
    settings = settings .. (options[name] and (" PEER_" .. name:upper() .. "=1") or "")
  end
  local program = assert(io.popen(settings .. " perl -e '" .. peer_program .. "'"))
  local results = { pcall(fn, "127.0.0.1:" .. program:read "*l") }
  program:close()
  os.remove(path)
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, 5)
end

-- What the engine makes of a reply that is these bytes.
local function receive(reply, request)
  return with_peer({ reply = reply }, function(address)
    request = request or {}
    request.url = "http://" .. address .. "/"
    return await(assert(engine:start(request)))
  end)
end

describe("the curl module", function()
  it("tells its version, libcurl's, and what libcurl can do", function()
    assert.matches("^%d+%.%d+%.%d+$", curl._VERSION)
    assert.matches("^%d+%.%d+%.%d+", curl.version)
    assert.is_true(curl.features.ssl)
    assert.is_boolean(curl.features.http2)
  end)

  it("has one engine per Lua state", function()
    assert.equal(engine, curl.engine())
  end)

  it("keeps its sockets from the programs that are started", function()
    local function sockets()
      return tonumber(host.output "ls -l /proc/self/fd 2>/dev/null | grep -c socket:")
    end
    local before = sockets()
    local transfers = {}
    for i = 1, 5 do
      transfers[i] = engine:start { url = ping { delay = "0.1" } }
    end
    for i = 1, 5 do
      assert.equal(200, (await(transfers[i])))
    end
    assert.equal(before, sockets())
  end)

  it("hides its metatables", function()
    assert.is_false(getmetatable(engine))
    assert.is_false(getmetatable(engine:start { url = ping() }))
  end)

  it("gives a forked child an engine of its own, and leaves the parent's alone", function()
    local ok, ffi = pcall(require, "ffi")
    if not ok then pending "only LuaJIT can fork without help" end
    ffi.cdef "int fork(void); void _exit(int); int waitpid(int, int *, int);"
    local half = engine:start { url = ping { delay = "0.2" } }
    engine:step()
    local child = ffi.C.fork()
    if child == 0 then
      local fine = pcall(function()
        assert(not pcall(engine.step, engine))
        assert(not pcall(engine.start, engine, { url = ping() }))
        half:cancel()
        local own = curl.engine()
        assert(own ~= engine)
        local transfer = own:start { url = ping() }
        wait.await(own, transfer)
        assert(transfer:result() == 200)
      end)
      ffi.C._exit(fine and 0 or 1)
    end
    local status = ffi.new "int[1]"
    ffi.C.waitpid(child, status, 0)
    assert.equal(0, status[0])
    assert.equal(200, (await(half)))
  end)
end)

describe("a request", function()
  local function refuses(pattern, request)
    local ok, message = pcall(engine.start, engine, request)
    assert.is_false(ok)
    assert.matches(pattern, message)
    assert.not_matches("secret", message)
  end

  it("is never sent with a line break or NUL in a header", function()
    for _, text in ipairs { "X-A: secret\r\nX-B: 1", "X-A: secret\n", "X-A: secret\rx", "X-A: secret\0", "X\n-A: secret" } do
      refuses("'headers' %(number 1%)", { url = ping(), headers = { text } })
    end
  end)

  it("needs headers with a name and a colon, in a list", function()
    for _, text in ipairs { "secret", ": secret", "X A: secret", "" } do
      refuses("not of the form", { url = ping(), headers = { text } })
    end
    refuses("list of strings", { url = ping(), headers = { Authorization = "secret" } })
    refuses("list of strings", { url = ping(), headers = { 1 } })
    refuses("list of strings", { url = ping(), headers = "X: secret" })
  end)

  it("needs an http or https URL", function()
    refuses("'url' is missing", {})
    refuses("'url' must be a string", { url = 5 })
    for _, url in ipairs { "", "ftp://secret/", "file:///etc/passwd", "secret" } do
      refuses("'url' must start with", { url = url })
    end
    for _, url in ipairs { "http://secret/ x", "http://secret/\r\nX: 1", "http://secret/\0" } do
      refuses("'url' holds", { url = url })
    end
    refuses("'url' is not a valid URL", { url = "http://secret:99999999/" })
  end)

  it("refuses other mistakes", function()
    refuses("'method'", { url = ping(), method = "GET /secret HTTP/1.1\r\n" })
    refuses("'method'", { url = ping(), method = "" })
    refuses("'proxy'", { url = ping(), proxy = "http://secret\n" })
    refuses("'ca_file'", { url = ping(), ca_file = "/secret\0" })
    refuses("'body'", { url = ping(), body = {} })
    refuses("'fresh_connection'", { url = ping(), fresh_connection = "no" })
    refuses("'timeotu' is unknown", { url = ping(), timeotu = 5 })
    for _, field in ipairs { "connect_timeout", "timeout", "stall_timeout", "max_body", "max_header" } do
      for _, value in ipairs { -1, 0 / 0, 1 / 0, "5", true } do
        refuses("'" .. field .. "'", { url = ping(), [field] = value })
      end
    end
    assert.has_error(function()
      engine:start()
    end)
    assert.has_error(function()
      engine.start({}, { url = ping() })
    end)
    assert.has_error(function()
      engine.start(io.stdout, { url = ping() })
    end)
    assert.has_error(function()
      engine:wait(-1)
    end)
  end)

  it("is not changed", function()
    local request = { url = ping(), headers = { "X-A: 1" } }
    await(engine:start(request))
    assert.same({ url = ping(), headers = { "X-A: 1" } }, request)
  end)
end)

describe("a transfer", function()
  it("is pending until it is done", function()
    local transfer = engine:start { url = ping { delay = "0.1" } }
    assert.is_false(transfer:done())
    assert.same({ nil, "pending" }, { select(1, transfer:result()), (select(2, transfer:result())) })
    assert.equal(200, (await(transfer)))
    assert.is_true(transfer:done())
  end)

  it("hands its result over once", function()
    local transfer = engine:start { url = ping() }
    assert.equal(200, (await(transfer)))
    assert.has_error(function()
      transfer:result()
    end, "result was taken")
    transfer:cancel()
    assert.has_error(function()
      transfer:result()
    end, "result was taken")
  end)

  it("reports a failure as often as it is asked", function()
    local transfer = engine:start { url = ping { cut = "head" } }
    local first = { await(transfer) }
    assert.equal("network", first[2])
    assert.same(first, { transfer:result() })
  end)

  it("can be cancelled at any time, more than once", function()
    local unstepped = engine:start { url = ping() }
    local running = engine:start { url = ping { delay = "5" } }
    local ended = engine:start { url = ping() }
    wait.await(engine, ended)
    for _, transfer in ipairs { unstepped, running, ended } do
      transfer:cancel()
      transfer:cancel()
      assert.is_true(transfer:done())
      local status, kind, message = transfer:result()
      assert.same({ nil, "aborted" }, { status, kind })
      assert.matches("cancelled", message)
    end
    assert.equal(0, (engine:step()))
  end)

  it("may be collected at any stage", function()
    for steps = 0, 12 do
      for _, options in ipairs { {}, { delay = "5" }, { drip = "yes" }, { cut = "body" } } do
        engine:start { url = ping(options), method = "POST", body = "x", headers = { "X-A: 1" } }
        for _ = 1, steps do
          engine:wait(2)
        end
      end
      collectgarbage()
      collectgarbage()
      assert.equal(0, (engine:step()))
    end
  end)

  it("survives a collection at each step", function()
    local transfers = {}
    for i = 1, 5 do
      transfers[i] = engine:start { url = ping { drip = "yes" }, headers = { "X-A: " .. i } }
    end
    repeat
      collectgarbage()
      local running = engine:wait(50)
    until running == 0
    for i = 1, 5 do
      assert.equal(200, (transfers[i]:result()))
    end
  end)

  it("is one of many in flight", function()
    local transfers, ended = {}, 0
    for i = 1, 200 do
      transfers[i] = engine:start { url = ping { delay = "0.1" } .. "?n=" .. i, timeout = 20000 }
    end
    repeat
      local running, now = engine:wait(1000)
      ended = ended + now
    until running == 0
    assert.equal(200, ended)
    for i = 1, 200 do
      local status, headers, body = transfers[i]:result()
      assert.equal(200, status, headers)
      assert.is_string(body)
    end
  end)

  it("reuses a connection, unless asked not to", function()
    local function connects(fresh)
      local info = select(4, await(engine:start { url = ping(), fresh_connection = fresh }))
      return info.connects
    end
    connects()
    assert.equal(0, connects(false))
    assert.equal(1, connects(true))
    assert.equal(0, connects(nil))
  end)

  it("closes with its variable", function()
    if _VERSION ~= "Lua 5.4" then pending "to-be-closed variables came with 5.4" end
    local transfer = engine:start { url = ping { delay = "5" } }
    load "local t <close> = ..."(transfer)
    assert.equal("aborted", (select(2, transfer:result())))
  end)

  it("is cancelled when the wait for it is interrupted", function()
    local transfer = engine:start { url = ping { delay = "5" } }
    local interrupted = {
      wait = function()
        error "interrupted!"
      end,
    }
    assert.has_error(function()
      wait.await(interrupted, transfer)
    end)
    assert.equal("aborted", (select(2, transfer:result())))
  end)
end)

describe("headers", function()
  it("are those of the final response, in lower case, repeated ones joined", function()
    local status, headers, body = receive(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Early: 1\r\n\r\n"
        .. "HTTP/1.1 200 OK\r\nX-One: a\r\nx-one:  b \r\nX-EMPTY:\r\nX-Colon: a:b\r\n"
        .. "Transfer-Encoding: chunked\r\nTrailer: X-One\r\n\r\n2\r\nok\r\n0\r\nX-One: trailer\r\nX-Late: 1\r\n\r\n"
    )
    assert.equal(200, status)
    assert.equal("ok", body)
    assert.same({
      ["x-one"] = "a, b",
      ["x-empty"] = "",
      ["x-colon"] = "a:b",
      ["transfer-encoding"] = "chunked",
      trailer = "X-One",
    }, headers)
  end)

  it("may be folded the old way", function()
    local _, headers = receive "HTTP/1.1 200 OK\r\nX-One: a\r\n\t b\r\nX-Two: c\r\nContent-Length: 0\r\n\r\n"
    assert.same({ ["x-one"] = "a b", ["x-two"] = "c", ["content-length"] = "0" }, headers)
  end)

  it("have a limit, interim responses included", function()
    local long = "HTTP/1.1 200 OK\r\nX-Long: " .. ("x"):rep(2000) .. "\r\nContent-Length: 0\r\n\r\n"
    assert.equal(200, (receive(long, { max_header = 2100 })))
    local _, kind, message = receive(long, { max_header = 2000 })
    assert.equal("protocol", kind)
    assert.matches("longer than 2000 bytes", message)
    _, kind = receive(("HTTP/1.1 103 Hints\r\nX: 1\r\n\r\n"):rep(5000) .. long)
    assert.equal("protocol", kind)
  end)

  it("may not hold a line longer than libcurl takes", function()
    local _, kind = receive("HTTP/1.1 200 OK\r\nX-Long: " .. ("x"):rep(200000) .. "\r\n\r\n", { max_header = 1e6 })
    assert.equal("protocol", kind)
  end)

  it("are sent as they are, empty ones too, and no Expect", function()
    local tag = fake.fresh_tag()
    await(engine:start {
      url = ping { tag = tag },
      method = "POST",
      body = ("x"):rep(2000),
      headers = { "X-Plain: a b", "X-Empty:", "X-Blank:  " },
    })
    local headers = fake.requests(tag)[1].headers
    assert.equal("a b", headers["x-plain"])
    assert.equal("", headers["x-empty"])
    assert.equal("", headers["x-blank"])
    assert.is_nil(headers.expect)
    assert.is_nil(headers["content-type"])
    assert.equal("2000", headers["content-length"])
  end)
end)

describe("the transport over libcurl", function()
  local send = transport.new()
  local send_tls = transport.new { ca_file = fake.ca }

  it("gives status, headers and body", function()
    local response = assert(send { method = "GET", url = ping() })
    assert.equal(200, response.status)
    assert.equal("1.1", response.http_version)
    assert.matches("json", response.headers["content-type"])
    assert.matches("^{", response.body)
  end)

  it("takes any status for a response, and does not follow redirects", function()
    assert.equal(401, send({ url = fake.url() .. "/stacks" }).status)
    local response = send { url = ping { redirect = "other" } }
    assert.equal(302, response.status)
    assert.matches("^http", response.headers.location)
  end)

  it("gives an empty body with 204", function()
    local response = assert(send { url = ping { status = "204" } })
    assert.equal(204, response.status)
    assert.equal("", response.body)
  end)

  it("sends method, headers and body", function()
    local body = '{"a":"\0\255"}'
    local tag = fake.fresh_tag()
    assert(send {
      method = "POST",
      url = ping { tag = tag },
      headers = { ["Content-Type"] = "application/json", ["X-Number"] = 5 },
      body = body,
    })
    local request = fake.requests(tag)[1]
    assert.equal("POST", request.method)
    assert.equal("application/json", request.headers["content-type"])
    assert.equal("5", request.headers["x-number"])
    assert.equal("10", request.headers["content-length"])
  end)

  it("speaks HTTP/2 over TLS", function()
    local response = assert(send_tls { url = ping({}, "https") })
    assert.equal(200, response.status)
    assert.equal(curl.features.http2 and "2" or "1.1", response.http_version)
  end)

  it("reads compressed bodies", function()
    local plain = assert(send { url = ping() })
    local packed = assert(send { url = ping { gzip = "yes" } })
    assert.equal("gzip", packed.headers["content-encoding"])
    assert.equal(plain.body, packed.body)
  end)

  local function fails(kind, pattern, request, sender)
    local response, got, message = (sender or send)(request)
    assert.is_nil(response)
    assert.equal(kind, got, message)
    assert.matches(pattern, message)
    assert.not_matches("%c", message)
  end

  it("calls an unknown CA tls", function()
    fails("tls", "could not be verified: .*ca_file", { url = ping({}, "https") })
  end)

  it("calls a wrong host name tls", function()
    local url = ping({}, "https"):gsub("//[^:/]+", "//wrong.localhost", 1)
    local response, kind, message = send_tls { url = url }
    assert.is_nil(response)
    if kind == "connect" then pending "nothing resolves wrong.localhost here" end
    assert.equal("tls", kind)
    assert.matches("another host name", message)
  end)

  it("calls a CA file that is not there tls", function()
    fails("tls", "ca_file", { url = ping({}, "https") }, transport.new { ca_file = "/nonexistent/ca.pem" })
  end)

  it("calls a refused connection connect", function()
    fails("connect", "^127.0.0.1:1: ", { url = "http://127.0.0.1:1/" })
  end)

  it("calls an unknown host name connect", function()
    fails("connect", "cannot be resolved", { url = "http://nowhere.invalid/", timeout = { total = 10 } })
  end)

  it("calls a proxy that opens no tunnel connect, and never shows its password", function()
    local proxy = fake.url():match "^http://[^/]+"
    fails("connect", "proxy", { url = "https://127.0.0.1:1/" }, transport.new { proxy = proxy })
    for _, bad in ipairs { "http://me:secret@127.0.0.1:1", "socks9://me:secret@127.0.0.1", "me:secret@:0:/" } do
      local _, kind, message = transport.new { proxy = bad } { url = ping() }
      assert.equal("connect", kind, message)
      assert.not_matches("secret", message)
    end
  end)

  it("never shows a password of the URL, nor a header", function()
    local _, _, message = send { url = "http://me:secret@127.0.0.1:1/secret?secret", headers = { X = "secret" } }
    assert.not_matches("secret", message)
  end)

  it("calls an answer that takes too long timeout", function()
    fails("timeout", "within 0.3 s", { url = ping { delay = "5" }, timeout = { total = 0.3 } })
    fails("timeout", "within 0.2 s", { url = ping { drip = "yes" }, timeout = { total = 0.2 } })
  end)

  it("calls a handshake that takes too long timeout", function()
    local _, kind, message = with_peer({ silent = true, hold = true }, function(address)
      return send { url = "https://" .. address .. "/", timeout = { connect = 0.3, total = 60 } }
    end)
    assert.equal("timeout", kind)
    assert.matches("no connection within 0.3 s", message)
  end)

  it("calls an answer that stops coming timeout", function()
    local transfer = engine:start { url = ping { delay = "5" }, stall_timeout = 1 }
    local _, kind, message = await(transfer)
    assert.equal("timeout", kind)
    assert.matches("no byte came for 1 s", message)
  end)

  it("calls a cut connection network", function()
    fails("network", "the connection", { url = ping { cut = "head" } })
    fails("network", "cut before", { url = ping { cut = "body" } })
    fails("network", "cut", { url = ping({ cut = "body" }, "https") }, send_tls)
    local _, kind, message = receive ""
    assert.equal("network", kind)
    assert.matches("closed without a response", message)
  end)

  it("calls a reset connection network", function()
    local _, kind, message = with_peer({ reset = true }, function(address)
      return send { url = "http://" .. address .. "/" }
    end)
    assert.equal("network", kind)
    assert.matches("broke while receiving", message)
  end)

  it("calls what is not HTTP protocol", function()
    local _, kind = receive "SSH-2.0-OpenSSH_9.2\r\n"
    assert.equal("protocol", kind)
  end)

  it("calls a wrong content encoding protocol", function()
    fails("protocol", "not compressed as", { url = ping { gzip = "bad" } })
  end)

  it("calls a body above the limit too_large, counted after decompression", function()
    fails("too_large", "longer than 1000 bytes.*max_body", { url = ping { big = "5000" }, max_body = 1000 })
    fails("too_large", "longer than 100000 bytes", { url = ping { big = "50000000", gzip = "yes" }, max_body = 100000 })
    local response = assert(send { url = ping { big = "5000" }, max_body = 6000 })
    assert.is_true(#response.body >= 5000)
    assert.equal("", assert(send { url = ping { status = "204" }, max_body = 0 }).body)
  end)

  -- What the transport asks of the engine.
  local function ask(request)
    local asked
    package.loaded["cloud66.curl"] = {
      _VERSION = curl._VERSION,
      engine = function()
        return {
          start = function(_, it)
            asked = it
            return nil, "connect", "a stub"
          end,
        }
      end,
    }
    local ok, sender = pcall(transport.new, { ca_file = "ca.pem", proxy = "" })
    package.loaded["cloud66.curl"] = curl
    assert(ok, sender)
    assert.same({ nil, "connect", "a stub" }, { sender(request) })
    return asked
  end

  it("lets libcurl send again only what changes nothing", function()
    assert.is_false(ask({ url = "x" }).fresh_connection)
    assert.is_false(ask({ url = "x", method = "GET" }).fresh_connection)
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      assert.is_true(ask({ url = "x", method = method }).fresh_connection)
    end
  end)

  it("passes settings on, seconds as milliseconds", function()
    assert.same(
      {
        url = "x",
        headers = { "A: 1" },
        connect_timeout = 1500,
        timeout = 30000,
        max_body = 5,
        ca_file = "ca.pem",
        proxy = "",
        fresh_connection = false,
      },
      ask { url = "x", headers = { A = 1 }, timeout = { connect = 1.5, total = 30 }, max_body = 5 }
    )
  end)

  it("says what to do when libcurl cannot be loaded", function()
    package.loaded["cloud66.curl"] = nil
    package.preload["cloud66.curl"] = function()
      error "libcurl.so.4: cannot open shared object file"
    end
    local ok, message = pcall(transport.new)
    package.preload["cloud66.curl"] = nil
    package.loaded["cloud66.curl"] = curl
    assert.is_false(ok)
    assert.matches("libcurl.*option 'transport'.*libcurl.so.4", message)
  end)
end)
