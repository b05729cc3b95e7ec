-- When a started transfer is handed to libcurl: over TLS, others wait for the first connection to a place.
local core = require "cloud66.core"
local curl = require "cloud66.curl"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local merged = require "spec.support.merged"
local nginx = require "spec.support.nginx"

local engine = curl.engine()

local function start(url, options)
  return assert(engine:start(merged({ url = url, ca_file = fake.ca, timeout = 20000 }, options)))
end

-- Waits for all of them; gives the new connections that they made.
local function connections_of(transfers)
  local made = 0
  for _, transfer in ipairs(transfers) do
    while not transfer:done() do
      engine:wait(1000)
    end
    local status, _, body, info = transfer:result()
    assert.equal(200, status, body)
    made = made + info.connects
  end
  return made
end

local function many(url, count, options)
  local transfers = {}
  for i = 1, count do
    transfers[i] = start(url, options)
  end
  return transfers
end

-- Ends with what the transfer came to: kind, message, seconds since `began`.
local function failure_of(transfer, began)
  while not transfer:done() do
    engine:wait(1000)
  end
  local _, kind, message = transfer:result()
  return kind, message, core.monotonic() - began
end

-- Calls fn(address, count) beside a peer that takes every connection and says nothing; count() tells how many it took.
local function with_silent_peer(fn)
  local path = os.tmpname()
  local pipe = assert(io.popen(([[exec perl -e '
    use IO::Socket::INET; $| = 1; alarm 20;
    my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => "127.0.0.1") or exit 1;
    print "$$\n", $listener->sockport, "\n";
    my @taken;
    while (my $one = $listener->accept) { push @taken, $one; open(my $out, ">", "%s"); print $out scalar(@taken), "\n" }
  ']]):format(path)))
  local pid, port = pipe:read "*l", pipe:read "*l"
  local ok, problem = pcall(fn, "127.0.0.1:" .. port, function()
    return tonumber(host.read(path, "")) or 0
  end)
  os.execute("kill " .. pid)
  pipe:close()
  os.remove(path)
  if not ok then
    error(problem, 0)
  end
end

describe("many transfers at once to a cold place", function()
  local server

  setup(function()
    local function over_tls(port, options)
      return ("server { listen 127.0.0.1:%d %s; ssl_certificate %s/server.pem; ssl_certificate_key %s/server.key; location / { return 200; } }")
        :format(port, options, os.getenv "C66_FAKE_DIR", os.getenv "C66_FAKE_DIR")
    end
    server = nginx.start { server = "location / { return 200; }", more = function(port)
      return over_tls(port + 1, "ssl") .. over_tls(port + 2, "ssl http2")
    end }
  end)

  teardown(function()
    server:stop()
  end)

  it("share one connection over HTTP/2", function()
    assert.equal(1, connections_of(many(("https://127.0.0.1:%d/"):format(server.port + 2), 20)))
  end)

  it("make their own over HTTP/1.1, over TLS and without", function()
    for _, url in ipairs { ("https://127.0.0.1:%d/"):format(server.port + 1), ("http://127.0.0.1:%d/"):format(server.port) } do
      local made = connections_of(many(url, 20))
      assert.is_true(made >= 1 and made <= 20)
    end
  end)

  it("over plain HTTP do not wait for each other's answers", function()
    local began = core.monotonic()
    connections_of(many(fake.url { delay = "0.4" } .. "/ping", 10))
    assert.is_true(core.monotonic() - began < 2.5)
  end)
end)

describe("transfers that wait for a connection that hangs", function()
  it("keep their own time limits", function()
    with_silent_peer(function(address)
      local began = core.monotonic()
      local transfers = many("https://" .. address .. "/", 5, { timeout = 400 })
      for _, transfer in ipairs(transfers) do
        local kind, message, seconds = failure_of(transfer, began)
        assert.equal("timeout", kind)
        assert.matches("no complete response within 0.4 s", message)
        assert.is_true(seconds > 0.35 and seconds < 1.3, seconds)
      end
    end)
  end)

  it("wait for a second, and then go on their own", function()
    with_silent_peer(function(address, count)
      local began = core.monotonic()
      local transfers = many("https://" .. address .. "/", 4, { timeout = 1800 })
      while core.monotonic() < began + 0.7 do
        engine:wait(50)
      end
      assert.equal(1, count())
      for _, transfer in ipairs(transfers) do
        assert.equal("timeout", (failure_of(transfer, began)))
      end
      assert.equal(4, count())
      assert.is_true(core.monotonic() < began + 2.4)
    end)
  end)

  it("can be cancelled", function()
    with_silent_peer(function(address)
      local began = core.monotonic()
      local transfers = many("https://" .. address .. "/", 3, { timeout = 500 })
      transfers[2]:cancel()
      assert.is_true(transfers[2]:done())
      assert.equal("aborted", (select(2, transfers[2]:result())))
      assert.equal("timeout", (failure_of(transfers[1], began)))
      assert.equal("timeout", (failure_of(transfers[3], began)))
      local running = engine:step()
      assert.equal(0, running)
    end)
  end)

  it("are let go when nobody holds them any more", function()
    with_silent_peer(function(address)
      local transfers = many("https://" .. address .. "/", 3)
      assert.equal(3, (engine:step()))
      transfers[1] = nil
      for i = 1, 3 do
        transfers[i] = nil
      end
      collectgarbage()
      collectgarbage()
      assert.equal(0, (engine:step()))
    end)
  end)

  it("do not hold up those to another place, nor what must have a connection of its own", function()
    with_silent_peer(function(address, count)
      local hung = many("https://" .. address .. "/", 2, { timeout = 3000 })
      local own = start("https://" .. address .. "/", { fresh_connection = true, timeout = 3000 })
      local began = core.monotonic()
      connections_of { start(fake.url({}, "https") .. "/ping"), start(fake.url() .. "/ping") }
      assert.is_true(core.monotonic() - began < 0.95)
      assert.is_true(eventually(function()
        engine:step()
        return count() == 2
      end, 0.5))
      hung[1]:cancel()
      hung[2]:cancel()
      own:cancel()
    end)
  end)
end)

describe("two downloads that always have something to read", function()
  it("do not starve the others", function()
    local server = nginx.start { server = [[
      location / { return 200; }
      location /endless { content_by_lua_block {
        local piece = ("x"):rep(65536)
        while ngx.print(piece) and ngx.flush(true) do end
      } }
    ]] }
    local hogs = {}
    for i = 1, 2 do
      hogs[i] = start(server:url "/endless", { max_body = 150e6 })
    end
    local answered = 0
    while not hogs[1]:done() and not hogs[2]:done() do
      local small = start(server:url "/")
      while not small:done() and not hogs[1]:done() and not hogs[2]:done() do
        engine:step()
        core.sleep(0.001)
      end
      answered = answered + (small:done() and 1 or 0)
      small:cancel()
    end
    hogs[1]:cancel()
    hogs[2]:cancel()
    server:stop()
    assert.is_true(answered >= 3, "only " .. answered .. " answers beside them")
  end)
end)
