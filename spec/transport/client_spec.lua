-- What a client sees of its way to the API: connections, and transports of the user's own.
local cloud66 = require "cloud66"
local cjson = require "cjson"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local harmless = require "spec.support.harmless"

local connect, raises, failure = expect.connect, expect.raises, expect.failure
local texts, is_harmless = harmless.texts, harmless.check

describe("a connection", function()
  it("that nobody accepts is kind connect", function()
    local client = cloud66.new { base_url = fake.closed_url(), token = fake.token }
    local value, message, err = client:request("GET", "/ping")
    failure("connect", value, message, err)
    is_harmless(err, message)
    failure("connect", client:stacks():collect())
    failure("connect", client:find_stack { name = "api" })
  end)

  it("over TLS works with the option ca_file", function()
    local client = cloud66.new { base_url = fake.url(nil, "https"), token = fake.token, ca_file = fake.ca }
    assert.is_true(client:request("GET", "/ping/auth").ok)
    assert.is_true(client:with({ timeout = 10 }):request("GET", "/ping/auth").ok)
  end)

  it("over TLS to a certificate nobody vouches for is kind tls", function()
    local tag = fake.fresh_tag()
    local client = cloud66.new { base_url = fake.url({ tag = tag }, "https"), token = fake.token }
    failure("tls", client:request("GET", "/ping/auth"))
    assert.same({}, fake.requests(tag))
  end)

  it("over TLS without the CA's file is kind tls", function()
    failure("tls", cloud66.new({
      base_url = fake.url(nil, "https"),
      token = fake.token,
      ca_file = "/nonexistent/ca.pem",
    }):request("GET", "/ping/auth"))
  end)

  it("goes through the proxy of the options", function()
    local tag = fake.fresh_tag()
    failure("connect", connect({ tag = tag }, { proxy = "http://127.0.0.1:1" }):request("GET", "/ping"))
    assert.same({}, fake.requests(tag))
  end)

  it("that is cut is kind network", function()
    for _, scenario in ipairs { { cut = "head" }, { cut = "body" }, { cut = "body", content = "chunked" } } do
      failure("network", connect(scenario):request("GET", "/stacks"))
    end
  end)

  it("with a wrong encoding is kind protocol", function()
    failure("protocol", connect({ gzip = "bad" }):request("GET", "/stacks"))
  end)

  it("that redirects within the origin is followed", function()
    local tag = fake.fresh_tag()
    local value, response = connect({ redirect = "same", tag = tag }):request("GET", "/ping/auth", { query = { a = "b c" } })
    assert.is_true(value.ok)
    assert.equal(200, response.status)
    local sent = fake.requests(tag)
    assert.equal(2, #sent)
    assert.same({ "b c", "Bearer valid" }, { sent[2].query.a, sent[2].headers.authorization })
  end)

  it("that redirects to another origin is kind protocol, and the token goes nowhere", function()
    local tag = fake.fresh_tag()
    local value, message, err = connect({ redirect = "other", tag = tag }):request("GET", "/ping/auth")
    failure("protocol", value, message, err)
    assert.equal(302, err.status)
    assert.matches("another origin, http://localhost:%d+", message)
    assert.equal(1, #fake.requests(tag))
  end)

  it("that redirects for ever is kind protocol after 5 of them", function()
    local tag = fake.fresh_tag()
    failure("protocol", connect({ redirect = "loop", tag = tag }):request("GET", "/ping/auth"))
    assert.equal(6, #fake.requests(tag))
  end)

  it("that redirects what is no GET is kind protocol, and nothing follows", function()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      local tag = fake.fresh_tag()
      local err = failure("protocol", connect({ redirect = "same", tag = tag }):request(method, "/ping/auth"))
      assert.equal(302, err.status)
      assert.equal(1, #fake.requests(tag))
    end
  end)

  -- Where a client at https://example.com/api/3 goes for a Location, asked for /stacks/a?page=1.
  local function goes_to(location)
    local seen = {}
    local client = connect(nil, {
      base_url = "https://example.com",
      transport = function(request)
        seen[#seen + 1] = request.url
        return { status = #seen == 1 and 302 or 200, headers = { location = location }, body = "{}" }
      end,
    })
    local value, message, err = client:request("GET", "/stacks/a", { query = { page = 1 } })
    if #seen == 1 then
      failure("protocol", value, message, err)
    end
    return seen[2]
  end

  it("may redirect in every form of the same origin", function()
    local forms = {
      ["https://example.com/api/3/x"] = "https://example.com/api/3/x", ["https://EXAMPLE.com:443/y"] = "https://example.com:443/y",
      ["//example.com/z"] = "https://example.com/z", ["/w?q=1#part"] = "https://example.com/w?q=1",
      ["b"] = "https://example.com/api/3/stacks/b", ["?page=2"] = "https://example.com/api/3/stacks/a?page=2",
    }
    for location, target in pairs(forms) do
      local got = goes_to(location)
      assert.equal(target:lower(), got and got:lower(), location)
    end
  end)

  it("does not redirect to what only looks like the same origin", function()
    local forms = {
      "http://example.com/", "https://example.com.evil.org/", "https://example.com@evil.org/", "https://evil.org#example.com",
      "//evil.org/", "https://example.com:444/", "https:/\\evil.org", "\\\\evil.org", "https://evil.org\\@example.com/", "javascript:x",
      "https://[::1]/", "/a b", "/\r\nX: y", "https://", "file:///etc/passwd",
    }
    for _, location in ipairs(forms) do
      assert.is_nil(goes_to(location), location)
    end
    assert.is_nil(goes_to(nil))
  end)

  it("that is slow is kind timeout", function()
    failure("timeout", connect({ delay = "2" }, { timeout = 0.15 }):request("GET", "/ping/auth"))
    failure("timeout", connect({ drip = true }, { timeout = { total = 0.15 } }):request("GET", "/ping/auth"))
  end)

  it("that is slow is waited for within the timeout", function()
    assert.is_true(connect({ delay = "0.1" }, { timeout = 5 }):request("GET", "/ping/auth").ok)
  end)

  it("that brings too much is kind too_large", function()
    local tag = fake.fresh_tag()
    failure("too_large", connect({ big = 200000, tag = tag }, { max_body = 100000 }):request("GET", "/ping/auth"))
    assert.equal(1, #fake.requests(tag))
  end)
end)

describe("option `transport`", function()
  local function with_transport(transport, options)
    options = options or {}
    options.transport = transport
    return connect(nil, options)
  end

  it("is given method, address, headers, body, timeout and max_body", function()
    local seen
    local client = with_transport(function(request)
      seen = request
      return { status = 200, headers = {}, body = "[]" }
    end, { timeout = 7, max_body = 1000, base_url = "https://example.com", account = 5 })
    client:request("POST", "/stacks", { query = { b = 2, a = "1 2" }, body = { c = 3 } })
    assert.equal("POST", seen.method)
    assert.is_true(seen.url == "https://example.com/api/3/stacks?a=1%202&b=2" or seen.url == "https://example.com/api/3/stacks?b=2&a=1%202")
    assert.equal("Bearer " .. fake.token, seen.headers.Authorization)
    assert.equal("5", seen.headers["X-Account"])
    assert.equal('{"c":3}', seen.body)
    assert.equal(7, seen.timeout.total)
    assert.equal(1000, seen.max_body)
  end)

  it("fails with a kind and a message, which are made harmless", function()
    local client = with_transport(function(request)
      return nil, "connect", "no route\27[31m\r\n for " .. request.headers.Authorization
    end)
    local value, message, err = client:request("GET", "/ping")
    failure("connect", value, message, err)
    is_harmless(err, message)
    assert.matches("no route", message)
  end)

  it("is not believed about the size", function()
    local client = with_transport(function()
      return { status = 200, headers = {}, body = ("x"):rep(101) }
    end, { max_body = 100 })
    failure("too_large", client:request("GET", "/ping"))
  end)

  it("raises where it answers with something else", function()
    local answers = {
      "ok", 5, true, {}, { status = 200 }, { status = "200", headers = {}, body = "" }, { status = 200, body = "" },
      { status = 200, headers = {} },
    }
    for _, answer in ipairs(answers) do
      raises("transport", function()
        with_transport(function()
          return answer
        end):request("GET", "/ping")
      end)
    end
  end)

  local hostile = fake.token .. "\27[31m\r\n\0\127\194\155end http://hooks.cloud66.com/stacks/redeploy/abc123/def456"

  it("cannot bring the token, a hook or control characters into an error reply", function()
    for _, status in ipairs { 302, 400, 401, 404, 500, 503 } do
      local client = with_transport(function()
        return {
          status = status,
          headers = { ["x-request-id"] = hostile, ["retry-after"] = hostile, ["content-type"] = hostile },
          body = cjson.encode { error = hostile, error_description = hostile, details = hostile, [hostile] = hostile },
        }
      end)
      local value, message, err = client:request("GET", "/ping")
      assert.is_nil(value)
      is_harmless(err, message)
      assert.not_matches("def456", texts(err) .. message)
    end
  end)

  it("cannot bring the token, a hook or control characters into a decode error", function()
    for _, body in ipairs { cjson.encode { error = hostile }, hostile, "<" .. hostile, '"' .. hostile .. '"', '{"error":{}}' } do
      local client = with_transport(function()
        return { status = 200, headers = { ["x-request-id"] = hostile }, body = body }
      end)
      local stack = client:stack "a"
      for _, call in ipairs { "load", "page", "live", "latest" } do
        local value, message, err = stack[call](stack)
        assert.is_nil(value)
        is_harmless(err, message)
        assert.not_matches("def456", texts(err) .. message)
      end
      local value, message, err = client:stacks():collect()
      assert.is_nil(value)
      is_harmless(err, message)
    end
  end)

  it("cannot fill a message", function()
    local client = with_transport(function()
      return { status = 400, headers = {}, body = cjson.encode { error = ("e"):rep(1e5), details = ("d"):rep(1e6) } }
    end)
    local _, message, err = client:request("GET", "/ping")
    assert.is_true(#message < 10000)
    assert.is_true(#err.code < 10000)
  end)

  it("gives the id of a failed request", function()
    local client = with_transport(function()
      return { status = 500, headers = { ["x-request-id"] = "abc-123" }, body = "" }
    end)
    local err = failure("server", client:request("GET", "/ping"))
    assert.equal("abc-123", err.server_request_id)
    assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", err.request_id)
  end)

  it("answers with any status", function()
    local kinds = {
      [100] = "protocol", [300] = "protocol", [304] = "protocol", [418] = "bad_request", [422] = "bad_request", [599] = "server",
    }
    for status, kind in pairs(kinds) do
      local client = with_transport(function()
        return { status = status, headers = {}, body = "" }
      end)
      assert.equal(status, failure(kind, client:request("GET", "/ping")).status)
    end
  end)
end)

describe("a transport of the user's own", function()
  local function failing(...)
    local values = { ... }
    return connect(nil, {
      transport = function()
        return nil, values[1], values[2]
      end,
    }):request("GET", "/x")
  end

  it("may fail with a message alone, which is cleaned and holds no token", function()
    local err = failure("network", failing("bad \27[31m thing with Bearer " .. fake.token))
    is_harmless(err, err.message)
    assert.matches("bad", err.message)
  end)

  it("may fail with a kind of its own, which is none of ours", function()
    assert.matches("went wrong", failure("network", failing("my_kind", "went wrong")).message)
    failure("network", failing({}, "went wrong"))
    failure("network", failing())
    failure("tls", failing("tls", "went wrong"))
  end)

  it("must give a whole status", function()
    for _, status in ipairs { 200.5, "200", 0, -1, 1e9 } do
      local client = connect(nil, {
        transport = function()
          return { status = status, headers = {}, body = "{}" }
        end,
      })
      raises("transport", function()
        client:request("GET", "/x")
      end)
    end
  end)
end)
