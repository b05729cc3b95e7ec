-- What goes wrong between here and the API, on real sockets: each fault ends in the right kind of error within its
-- deadline, and the same client works right afterwards.
local child = require("spec.support.child").run
local is_interruptible = require("spec.support.child").is_interruptible
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local program = require "spec.support.program"

local failure = expect.failure

-- Asks a client that will be answered once with the fault, then as usual. The message, and the seconds it took.
local function suffer(kind, scenario, options)
  scenario.tag, scenario.times = fake.fresh_tag(), 1
  local client = expect.connect(scenario, options)
  local start = core.monotonic()
  local value, message, err = client:request("GET", "/ping/auth")
  local seconds = core.monotonic() - start
  failure(kind, value, message, err)
  local after
  after, message = client:request("GET", "/ping/auth")
  assert.is_true(after and after.ok, message)
  return err.message, seconds
end

describe("an answer", function()
  it("that is no HTTP is kind protocol", function()
    assert.matches("not HTTP", (suffer("protocol", { wire = "garbage" })))
  end)

  it("with a header line of 200 kB, or with as much in many, is kind protocol", function()
    assert.matches("header is too long", (suffer("protocol", { wire = "huge_header" })))
    assert.matches("headers are longer than 65536 bytes", (suffer("protocol", { wire = "many_headers" })))
  end)

  it("that is shorter than it said is kind network", function()
    for _, fault in ipairs { "short_body", "cut_chunk", "no_last_chunk" } do
      assert.matches("cut before the response was complete", (suffer("network", { wire = fault })))
    end
    suffer("network", { cut = "body" })
    suffer("network", { cut = "body", content = "chunked" })
  end)

  it("that does not come at all is kind network", function()
    -- Always: libcurl itself sends a GET again when a kept connection dies before the first byte.
    local value, message, err = expect.connect({ cut = "head" }):request("GET", "/ping/auth")
    failure("network", value, message, err)
    assert.matches("the connection", message)
    assert.is_true(expect.connect():request("GET", "/ping/auth").ok)
  end)

  it("that is reset on its way is kind network", function()
    assert.matches("broke while receiving", (suffer("network", { cut = "reset" })))
  end)

  it("in chunks that are none is kind protocol", function()
    assert.matches("not in chunks", (suffer("protocol", { wire = "bad_chunk" })))
  end)

  it("that is not compressed as it says is kind protocol", function()
    assert.matches("not compressed as its header says", (suffer("protocol", { gzip = "bad" })))
  end)

  it("whose headers or body never end is kind timeout", function()
    for _, fault in ipairs { "slow_head", "slow_body" } do
      local message, seconds = suffer("timeout", { wire = fault }, { timeout = 0.3 })
      assert.matches("within 0.3 s", message)
      assert.is_true(seconds >= 0.29 and seconds < 3, seconds)
    end
    local _, seconds = suffer("timeout", { delay = "5" }, { timeout = 0.3 })
    assert.is_true(seconds < 3, seconds)
  end)

  it("of endless bytes is kind too_large as soon as it is", function()
    assert.matches("longer than 1000000 bytes", (suffer("too_large", { wire = "endless" }, { max_body = 1000000 })))
    local _, seconds = suffer("timeout", { wire = "endless" }, { max_body = 2 ^ 40, timeout = 0.3 })
    assert.is_true(seconds < 5, seconds)
  end)

  it("that swells when it is decompressed is kind too_large before it fills the memory", function()
    local message, seconds = suffer("too_large", { big = 500000000, gzip = "yes" }, { timeout = 20 })
    assert.matches("longer than 16777216 bytes", message)
    assert.is_true(seconds < 15, seconds)
  end)

  it("without a body is one", function()
    local value, response = expect.connect({ status = "204" }):request("GET", "/ping/auth")
    assert.is_truthy(value, response)
    assert.equal(cloud66.null, value)
    assert.equal(204, response.status)
  end)
end)

describe("two faults and then an answer", function()
  it("are no failure where GETs are sent again", function()
    for _, scenario in ipairs { { wire = "short_body" }, { wire = "cut_chunk" }, { cut = "reset" }, { cut = "body" }, { error = "bad_gateway" } } do
      scenario.tag, scenario.times = fake.fresh_tag(), 2
      local client = expect.connect(scenario, { retries = { attempts = 3, base = 0.01 } })
      local value, message = client:request("GET", "/ping/auth")
      assert.is_true(value and value.ok, message)
      assert.equal(3, #fake.requests(scenario.tag))
    end
  end)
end)

-- --- no connection ---

local function is_alive()
  return expect.connect():request("GET", "/ping/auth").ok
end

-- A listener that takes no connection any more: its queue is full. Prints its port, and then a point now and then, so
-- that it ends when nobody reads them.
local full_listener = [[
use IO::Socket::INET; $| = 1; alarm 20;
my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or exit 1;
my @held; for (1 .. 4) {
  push @held, IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $l->sockport, Blocking => 0);
}
print $l->sockport, "\n";
while (1) { select(undef, undef, undef, 0.05); print "." }
]]

describe("a connection", function()
  it("that is refused is kind connect", function()
    local client = assert(cloud66.new { base_url = fake.closed_url(), token = "x", retries = false })
    local value, message, err = client:request("GET", "/ping")
    failure("connect", value, message, err)
    assert.is_true(is_alive())
  end)

  it("to a name that nobody knows is kind connect", function()
    local client = assert(cloud66.new { base_url = "https://nowhere.invalid", token = "x", retries = false, timeout = 10 })
    local value, message, err = client:request("GET", "/ping")
    failure("connect", value, message, err)
    assert.matches("cannot be resolved", message)
    assert.is_true(is_alive())
  end)

  it("that nobody takes is kind timeout after timeout.connect", function()
    local pipe = io.popen("exec perl -e '" .. full_listener .. "'")
    local port = pipe:read "*l"
    if not port then pending "perl is missing" end
    local client = assert(cloud66.new {
      base_url = "http://127.0.0.1:" .. port, token = "x", retries = false, timeout = { connect = 0.3, total = 8 },
    })
    local start = core.monotonic()
    local value, message, err = client:request("GET", "/ping")
    local seconds = core.monotonic() - start
    failure("timeout", value, message, err)
    assert.matches("no connection within 0.3 s", message)
    assert.is_true(seconds >= 0.29 and seconds < 4, seconds)
    assert.is_true(is_alive())
    pipe:close()
  end)
end)

-- --- names that take long to look up ---

local build = os.getenv "C66_BUILD"
local slowdns = build and build .. "/slowdns.so"

-- Sanitizers insist on being loaded first, unless they are told not to.
local function preloading(seconds)
  return ("LD_PRELOAD='%s' C66_SLOW_DNS=%d ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\""):format(slowdns, seconds)
end

local function check_slowdns()
  local file = slowdns and io.open(slowdns)
  if not file then
    pending "spec/support/c/slowdns.c is not built here"
  end
  file:close()
end

local slow_client = ([[
  local cloud66 = require "cloud66"
  local client = cloud66.new { base_url = "https://api.slow.invalid", token = "x", timeout = %s, retries = false }
  local alive = cloud66.new { base_url = %q, token = %q, retries = false }
]]):format("%s", fake.url(), fake.token)

describe("a name that takes ten seconds to look up", function()
  it("is kind timeout within the deadline, and others are answered meanwhile", function()
    check_slowdns()
    local start = os.time()
    local output, errors, status = child(slow_client:format "0.5" .. [[
      print((select(2, client:request("GET", "/ping"))))
      print(alive:request("GET", "/ping/auth").ok)
      print((select(2, client:with({ timeout = { connect = 0.2, total = 9 } }):request("GET", "/ping"))))
      io.stdout:flush()
    ]], preloading(10))
    assert.equal("", errors)
    assert.equal(0, status)
    assert.matches("^timeout: api.slow.invalid[^\n]*\ntrue\ntimeout: [^\n]*\n$", output)
    assert.is_true(os.time() - start < 8)
  end)

  it("does not hold up the end of the program, nor an interrupt", function()
    if not is_interruptible then pending "this interpreter has no handler for it" end
    check_slowdns()
    local start = os.time()
    local _, errors, status = child(slow_client:format "9" .. [[
      os.execute "(sleep 0.3; kill -INT $PPID) &"
      client:request("GET", "/ping")
    ]], preloading(10))
    assert.matches("interrupted!", errors)
    assert.is_true(status ~= 0)
    assert.is_true(os.time() - start < 8)
  end)
end)

describe("a transfer", function()
  it("can be cancelled during a look-up, and the next one goes on at once", function()
    check_slowdns()
    local start = os.time()
    local output, errors, status = child(([[
      local engine = require("cloud66.curl").engine()
      local transfer = engine:start { url = "https://api.slow.invalid/" }
      engine:step()
      assert(not transfer:done())
      transfer:cancel()
      assert(transfer:done())
      print((select(2, transfer:result())))
      transfer = engine:start { url = %q }
      while not transfer:done() do engine:wait(10) end
      print((transfer:result()))
    ]]):format(fake.url() .. "/ping"), preloading(10))
    assert.equal("", errors)
    assert.equal(0, status)
    assert.matches("^aborted\n%d%d%d\n$", output)
    assert.is_true(os.time() - start < 8)
  end)
end)

describe("a Lua state", function()
  it("can be closed during a look-up, and the process goes on", function()
    check_slowdns()
    local path = host.file [[
      local engine = require("cloud66.curl").engine()
      local transfer = engine:start { url = "https://api.slow.invalid/" }
      engine:step()
      assert(not transfer:done())
    ]]
    local output = program.output("outlive", path .. " 2", preloading(1))
    os.remove(path)
    assert.equal("outlived\n", output)
  end)
end)

-- --- a thousand of them ---

-- In a process of its own, whose memory is nobody else's: prints the open files and the resident pages after a warm-up,
-- and again after a thousand failures more.
local a_thousand = [[
  local cloud66 = require "cloud66"
  local fake = require "spec.support.fake"
  local clients = {}
  local function add(url)
    clients[#clients + 1] = cloud66.new { base_url = url, token = fake.token, retries = false }
  end
  for _, fault in ipairs { "garbage", "short_body", "bad_chunk", "many_headers" } do add(fake.url { wire = fault }) end
  for _, scenario in ipairs { { cut = "head" }, { gzip = "bad" }, { error = "server" } } do add(fake.url(scenario)) end
  add(fake.closed_url())
  add(fake.url(nil, "https"))
  local function fail(times)
    for i = 1, times do
      assert(clients[i % #clients + 1]:request("GET", "/ping/auth") == nil)
    end
    collectgarbage()
    collectgarbage()
  end
  local function report()
    local pipe = io.popen "ls /proc/$PPID/fd | wc -l"
    local file = io.open "/proc/self/statm"
    print(pipe:read "*n", file:read "*a":match "^%d+ (%d+)")
    pipe:close()
    file:close()
  end
  fail(1000)
  report()
  fail(1000)
  report()
]]

describe("a thousand failed requests", function()
  it("leave no open file and no memory behind", function()
    local file = io.open "/proc/self/statm"
    if not file then pending "there is no /proc here" end
    file:close()
    local output, errors, status = child(a_thousand)
    assert.equal(0, status, errors)
    local files_before, pages_before, files, pages = output:match "^(%d+)%s+(%d+)%s+(%d+)%s+(%d+)"
    assert.is_true(tonumber(files) <= tonumber(files_before) + 2, output)
    if not (build and build:find "[at]san") and not os.getenv "C66_SLOW" then
      assert.is_true((pages - pages_before) * 4 < 512, output) -- KiB: half of one for each
    end
  end)
end)

describe("a finalizer that outlives the engine", function()
  it("starts nothing any more, and leaks nothing", function() -- the latter is seen with the sanitizers
    local output, errors, status = child [[
      local curl = require "cloud66.curl"
      local engine
      local function finalizer()
        for _, scheme in ipairs { "http", "https" } do
          local transfer, kind = engine:start { url = scheme .. "://127.0.0.1:1/" }
          io.stdout:write(tostring(transfer), " ", tostring(kind), "\n")
        end
      end
      local newproxy = rawget(_G, "newproxy")
      if newproxy then
        outlives = newproxy(true)
        getmetatable(outlives).__gc = finalizer
      else
        outlives = setmetatable({}, { __gc = finalizer })
      end
      engine = curl.engine() -- later than the finalizer, so it is closed earlier
      for _ = 1, 200 do -- so many over TLS that the engine has no time for another one
        assert(engine:start { url = "https://127.0.0.1:1/" })
      end
    ]]
    assert.equal(0, status, errors)
    assert.equal("nil aborted\nnil aborted\n", output)
  end)
end)
