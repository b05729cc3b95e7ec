-- What a server sends without being asked, on a connection that waits for the next request: no request gets it, and none
-- fails by it. The bytes are in spec/support/strays.lua.
local cjson = require "cjson"
local cloud66 = require "cloud66"
local curl = require "cloud66.curl"
local fake = require "spec.support.fake"
local strays = require "spec.support.strays"
local transport = require "cloud66.transport.curl"
local wait = require "cloud66.runtime.wait"

local engine = curl.engine()
local send = transport.new { ca_file = fake.ca }

local schemes = {
  http = { origin = "http://127.0.0.1:", options = {} },
  https = { origin = "https://localhost:", options = { certificates = fake.ca:match "^(.*)/" } },
}

local function needs_callback()
  local major, minor = curl.version:match "^(%d+)%.(%d+)"
  if tonumber(major) < 8 and tonumber(minor) < 80 then
    pending "libcurl before 7.80 looks by itself, or does not" -- raises
  end
end

-- Calls fn(origin, send_later) beside a peer.
local function with_peer(scheme, scenario, fn)
  strays.with(scenario, schemes[scheme].options, function(port, send_later)
    fn(schemes[scheme].origin .. port, send_later)
  end)
end

local function client_of(origin)
  return assert(cloud66.new { base_url = origin, token = "x", ca_file = fake.ca, retries = false, timeout = 10 })
end

-- The first request of a connection, which gets what it should.
local function first(origin, scenario)
  local response, kind, message = send { url = origin .. "/first", method = scenario.method, timeout = { total = 10 } }
  assert.is_table(response, message or kind)
  assert.equal(scenario.status or 200, response.status)
  assert.equal((scenario.method or scenario.status) and "" or strays.OWN_BODY, response.body)
end

-- What the peer says of itself when it is asked for this path; it must be the response to that.
local function proper(client, path)
  local value, message = client:request("GET", path)
  assert.is_table(value, message)
  assert.equal("/api/3" .. path, value.response.path)
  return value.response
end

for scheme in pairs(schemes) do
  describe("over " .. scheme, function()
    for _, scenario in ipairs(strays.scenarios) do
      it("no request gets " .. scenario.name, function()
        needs_callback()
        with_peer(scheme, scenario, function(origin, send_later)
          local client = client_of(origin)
          first(origin, scenario)
          send_later()
          -- The peer has seen each request once.
          local second, third = proper(client, "/second"), proper(client, "/third")
          assert.same({ 2, 3 }, { second.requests, third.requests })
          if not scenario.drops then assert.equal(2, third.connections) end
        end)
      end)
    end

    it("a connection that nothing was sent on is used again", function()
      with_peer(scheme, { first = { strays.OWN } }, function(origin, send_later)
        local client = client_of(origin)
        first(origin, {})
        send_later()
        for i = 2, 20 do
          assert.equal(1, proper(client, "/" .. i).connections)
        end
      end)
    end)

    it("a connection that was closed is replaced, whatever was sent before", function()
      needs_callback()
      for _, bytes in ipairs { "", strays.STRAY } do
        with_peer(scheme, { first = { strays.OWN }, later = { bytes }, closes = true }, function(origin, send_later)
          first(origin, {})
          send_later()
          assert.equal(2, proper(client_of(origin), "/second").connections)
        end)
      end
    end)
  end)
end

describe("several connections that wait", function()
  local function at_once(origin, paths)
    local transfers, bodies = {}, {}
    for i, path in ipairs(paths) do
      transfers[i] = engine:start { url = origin .. path }
    end
    for i in ipairs(paths) do
      wait.await(engine, transfers[i])
      local status, headers, body = transfers[i]:result()
      assert.equal(200, status, status == nil and headers)
      bodies[i] = body
    end
    return bodies
  end

  it("are each looked at", function()
    needs_callback()
    strays.with({ first = { strays.OWN }, later = { strays.STRAY } }, { soiled = 3 }, function(port, send_later)
      local origin = "http://127.0.0.1:" .. port
      at_once(origin, { "/1", "/2", "/3" })
      send_later()
      for round = 1, 3 do
        local paths = { "/a" .. round, "/b" .. round, "/c" .. round }
        for i, body in ipairs(at_once(origin, paths)) do
          assert.equal(paths[i], cjson.decode(body).response.path)
        end
      end
      assert.equal(6, proper(client_of(origin), "/last").connections)
    end)
  end)

  it("are each looked at where one request after another takes them", function()
    needs_callback()
    strays.with({ first = { strays.OWN }, later = { strays.STRAY } }, { soiled = 3 }, function(port, send_later)
      local origin = "http://127.0.0.1:" .. port
      at_once(origin, { "/1", "/2", "/3" })
      send_later()
      local client = client_of(origin)
      for i = 1, 9 do
        proper(client, "/" .. i)
      end
    end)
  end)
end)
