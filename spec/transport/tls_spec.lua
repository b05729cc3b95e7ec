-- What TLS and HTTP/2 can do wrong, as a client sees it: bad certificates and handshakes, streams and connections that end
-- before their answer.
local at_once = require "spec.support.at_once"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local lists = require "spec.support.lists"

local ping = expect.ping

local function connect(base_url, options)
  local settings = { base_url = base_url, token = fake.token, ca_file = fake.ca, retries = false, timeout = 10 }
  for name, value in pairs(options or {}) do
    settings[name] = value or nil -- false: without it
  end
  settings.retries = settings.retries or false
  return assert(cloud66.new(settings))
end

-- A ping that must fail, long before the client's deadline; returns its message.
local function fails(kind, client)
  local started = os.time()
  local err = expect.failure(kind, ping(client))
  assert.is_true(os.time() - started <= 5, "it took too long")
  return err.message
end

local function works(client)
  return assert(ping(client)).response
end

local python = "/usr/bin/python3" -- the one that distributions' packages extend
local has_h2 = host.succeeds(python .. " -c 'import h2' 2>/dev/null")
local directory = fake.ca:match "^(.*)/"

-- Calls fn with the base URL of a peer that fails in this mode, at the nth request; see h2_peer.py. The peer ends with the
-- pipe to it, so what it prints comes another way.
local function with_peer(mode, nth, fn)
  if not has_h2 then pending(python .. " has no module h2") end -- raises
  local path = os.tmpname()
  os.remove(path)
  assert(host.succeeds("mkfifo -m 600 '" .. path .. "'"))
  local peer = assert(io.popen(
    ("exec %s -W ignore spec/support/h2_peer.py %s '%s' %d >'%s'"):format(python, mode, directory, nth, path), "w"))
  local pipe = assert(io.open(path))
  local port = pipe:read "*l"
  pipe:close()
  os.remove(path)
  local ok, problem = pcall(fn, "https://localhost:" .. tostring(port) .. "/api/3", port)
  peer:close()
  if not ok then error(problem, 0) end
end

describe("a TLS handshake", function()
  -- Another client on the same engine.
  local function others_work()
    works(connect(fake.url({}, "https")))
  end

  it("refuses an expired certificate", function()
    assert.matches("expired", fails("tls", connect(fake.url({}, "expired"))))
    others_work()
  end)

  it("refuses a certificate for another name", function()
    assert.matches("another host name: check the URL", fails("tls", connect(fake.url({}, "misnamed"))))
    others_work()
  end)

  it("refuses a certificate of an unknown CA, also right after a client that knows it", function()
    others_work()
    assert.matches("could not be verified: .*ca_file", fails("tls", connect(fake.url({}, "https"), { ca_file = false })))
    others_work()
  end)

  it("refuses a server that knows nothing newer than TLS 1.1", function()
    with_peer("tls1.1", 1, function(url, port)
      if port == "cannot" then pending "this OpenSSL cannot speak TLS 1.1" end
      assert.matches("the TLS handshake failed", fails("tls", connect(url)))
    end)
    others_work()
  end)

  for _, mode in ipairs { "handshake-close", "handshake-reset" } do
    it("that the server cuts is no connection, and the next one may work: " .. mode, function()
      with_peer(mode, 1, function(url)
        local client = connect(url)
        assert.matches("cut during the TLS handshake", fails("connect", client))
        assert.equal(2, works(client).connections)
      end)
    end)

    it("that the server cuts is tried again: " .. mode, function()
      with_peer(mode, 1, function(url)
        assert.equal(2, works(connect(url, { retries = { attempts = 2, base = 0.01 } })).connections)
      end)
    end)
  end
end)

describe("over HTTP/2", function()
  if not require("cloud66.curl").features.http2 then
    pending "libcurl cannot do it"
    return
  end

  -- Error codes of RFC 9113.
  local NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM, HTTP_1_1_REQUIRED = 0, 2, 7, 8, 11, 13

  -- mode -> how many connections there are in the end: a stream that ends leaves its connection.
  local cut = {
    ["stream-" .. NO_ERROR] = 1,
    ["stream-" .. INTERNAL_ERROR] = 1,
    ["stream-" .. CANCEL] = 1,
    ["stream-" .. ENHANCE_YOUR_CALM] = 1,
    ["half-" .. NO_ERROR] = 1,
    ["half-" .. INTERNAL_ERROR] = 1,
    ["half-" .. REFUSED_STREAM] = 2,
    ["half-unsized-" .. INTERNAL_ERROR] = 1,
    ["goaway"] = 2,
    ["goaway-late"] = 2,
    ["close"] = 2,
  }
  local modes = {}
  for mode in pairs(cut) do
    modes[#modes + 1] = mode
  end
  table.sort(modes)

  for _, mode in ipairs(modes) do
    it("an answer that is cut is a failure of the network, and the client goes on: " .. mode, function()
      with_peer(mode, 1, function(url)
        local client = connect(url)
        fails("network", client)
        local seen = works(client)
        assert.equal("2", seen.http_version)
        assert.equal(2, seen.requests)
        assert.equal(cut[mode], seen.connections)
      end)
    end)
  end

  for _, mode in ipairs { "stream-" .. INTERNAL_ERROR, "half-" .. INTERNAL_ERROR, "goaway", "goaway-late", "close" } do
    it("an answer that is cut is asked for again: " .. mode, function()
      with_peer(mode, 1, function(url)
        assert.equal(2, works(connect(url, { retries = { attempts = 2, base = 0.01 } })).requests)
      end)
    end)

    -- Neither may have been kept: libcurl replaces a kept connection by itself only where not a byte came on it.
    it("a later answer that is cut is asked for again: " .. mode, function()
      with_peer(mode, 2, function(url)
        local client = connect(url, { retries = { attempts = 2, base = 0.01 } })
        works(client)
        assert.equal(3, works(client).requests)
        assert.equal(4, works(client).requests)
      end)
    end)
  end

  it("half of a body is not taken for a whole one where the server calls it well ended", function()
    with_peer("half-unsized-" .. NO_ERROR, 1, function(url)
      local client = connect(url)
      fails("decode", client)
      works(client)
    end)
  end)

  -- libcurl asks again by itself: the server has said that it did not look at the request.
  it("a refused stream is no failure", function()
    for nth = 1, 2 do
      with_peer("stream-" .. REFUSED_STREAM, nth, function(url)
        local client = connect(url)
        for _ = 1, nth do
          works(client)
        end
        assert.equal(nth + 2, works(client).requests)
      end)
    end
  end)

  it("a server that wants HTTP/1.1 gets it", function()
    with_peer("stream-" .. HTTP_1_1_REQUIRED, 1, function(url)
      assert.equal("1.1", works(connect(url)).http_version)
    end)
  end)

  it("a connection that the server bade farewell to is not used again", function()
    with_peer("goaway-after", 1, function(url)
      -- libcurl 7.88 may fail the request that finds out.
      local client = connect(url, { retries = { attempts = 2, base = 0.01 } })
      assert.equal(1, works(client).connections)
      assert.equal(2, works(client).connections)
      assert.equal(2, works(client).connections)
    end)
  end)

  it("a request joins a connection on which there is something to read", function()
    with_peer("serve", 1, function(url)
      local curl = require "cloud66.curl"
      local wait = require "cloud66.runtime.wait"
      local engine, transfers, connects = curl.engine(), {}, 0
      local function start(i)
        transfers[i] = engine:start { url = url .. "/" .. i, ca_file = fake.ca }
      end
      local function finish(i)
        wait.await(engine, transfers[i])
        local status, kind, message, info = transfers[i]:result()
        assert.equal(200, status, message or kind)
        assert.equal("2", info.http_version)
        connects = connects + info.connects
      end
      start(1)
      finish(1)
      start(2)
      host.output "sleep 0.2" -- the response is there, and nobody has read it
      start(3)
      finish(2)
      finish(3)
      assert.equal(1, connects)
    end)
  end)

  it("anything but GET is not sent again when its answer is cut", function()
    for _, mode in ipairs { "stream-" .. INTERNAL_ERROR, "half-" .. INTERNAL_ERROR, "goaway", "goaway-late", "close" } do
      with_peer(mode, 2, function(url)
        local client = connect(url, { retries = { attempts = 3, base = 0.01 } })
        works(client)
        expect.failure("network", client:request("POST", "/stacks", { body = { a = 1 } }))
        assert.equal(3, works(client).requests)
      end)
    end
  end)

  it("many requests at once share one connection, cold as it is", function()
    with_peer("gather", 1, function(url)
      local client = connect(url)
      local results = client:map(lists.numbers(16), function()
        return works(client)
      end)
      assert.equal(0, results.failed)
      local last = works(client)
      assert.equal(17, last.requests)
      assert.equal(1, last.connections)
      assert.equal(at_once and 8 or 1, last.at_once)
    end)
  end)

  it("one of many requests fails alone when its stream is reset", function()
    with_peer("stream-" .. INTERNAL_ERROR, 5, function(url)
      local client = connect(url)
      local results = client:map(lists.numbers(16), function()
        return ping(client)
      end)
      assert.equal(1, results.failed)
      assert.equal(1, works(client).connections)
    end)
  end)

  it("all of many requests arrive in the end when their connection goes", function()
    with_peer("goaway", 5, function(url)
      local client = connect(url, { retries = { attempts = 3, base = 0.01 } })
      local results = client:map(lists.numbers(16), function()
        return ping(client)
      end)
      assert.equal(0, results.failed)
    end)
  end)

  it("many requests at once to the fake API share one connection", function()
    local curl = require "cloud66.curl"
    local wait = require "cloud66.runtime.wait"
    local engine, transfers, connects = curl.engine(), {}, 0
    local url = fake.url({ delay = "0.05" }, "https") .. "/ping"
    for i = 1, 16 do
      -- A name of its own for the host: the engine may still know a connection to the usual one.
      transfers[i] = engine:start { url = url:gsub("//localhost", "//127.0.0.1"), ca_file = fake.ca }
    end
    for i = 1, 16 do
      wait.await(engine, transfers[i])
      local status, kind, message, info = transfers[i]:result()
      assert.equal(200, status, message or kind)
      assert.equal("2", info.http_version)
      connects = connects + info.connects
    end
    assert.equal(1, connects)
  end)
end)
