-- What cloud66.new() makes of its options.
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local holds = require("spec.support.harmless").holds
local merged = require "spec.support.merged"

local raises, each_raises = expect.raises, expect.each_raises

-- A transport that answers anything, and where it keeps the last request.
local function recording()
  local seen = {}
  return function(request)
    seen.request = request
    return { status = 200, headers = {}, body = "{}" }
  end, seen
end

-- The request a client of these options sends.
local function request_of(options)
  local transport, seen = recording()
  local client, message = cloud66.new(merged({ token = "a-token", base_url = "https://example.com", transport = transport }, options))
  if not client then
    error(message, 0)
  end
  client:request("GET", "/ping")
  return seen.request
end

local function address(base_url, options)
  return request_of(merged({ base_url = base_url }, options)).url
end

describe("option `token`", function()
  local secret = "s3cr3t-of-the-user"

  local function secretive(options)
    options = options or {}
    options.token = secret
    options.base_url = options.base_url or fake.url()
    local client = cloud66.new(options)
    return client
  end

  it("is nowhere in the client, nor in a view of it", function()
    local client = secretive { account = "7", timeout = 5 }
    for _, each in ipairs { client, client:with { timeout = 3 }, client:with { token = secret } } do
      assert.is_false(holds(each, secret))
      assert.not_matches(secret, tostring(each), 1, true)
    end
    client:request("GET", "/ping/auth")
    assert.is_false(holds(client, secret))
  end)

  it("is nowhere in what the client gives", function()
    local client = secretive { base_url = fake.url { auth = "none" } }
    local stack = client:stack(fake.stacks.api)
    assert.is_false(holds(stack, secret))
    assert.is_false(holds(stack:load(), secret))
    assert.is_false(holds(stack:deployments(), secret))
    local _, response = client:request("GET", "/ping/auth")
    assert.is_false(holds(response, secret))
  end)

  it("is nowhere in an error", function()
    for _, base_url in ipairs { fake.url { error_body = "token" }, fake.url { auth = "empty401" }, fake.closed_url() } do
      local client = secretive { base_url = base_url }
      local value, message, err = client:request("GET", "/ping/auth")
      assert.is_nil(value)
      assert.is_false(holds(message, secret))
      assert.is_false(holds(tostring(err), secret))
      assert.is_false(holds(err, secret))
    end
  end)

  it("raises where it cannot be a token, without showing it", function()
    local wrong = { "", " ", "bad s3cr3t", "s3cr3t\n", "s3cr3t\r\nX: y", "s3cr3t\195\188", 5, true, false, {} }
    each_raises("token", wrong, function(token)
      local ok, problem = pcall(cloud66.new, { token = token, base_url = fake.url() })
      if not ok then
        error(problem:find "s3cr3t" and "the secret is shown" or problem, 0)
      end
    end)
  end)

  it("is named as the source", function()
    assert.is_string(secretive().token_source)
    assert.not_matches(secret, secretive().token_source, 1, true)
  end)
end)

describe("a token function", function()
  local function counting(...)
    local tokens, calls = { ... }, 0
    return function()
      calls = calls + 1
      return tokens[math.min(calls, #tokens)]
    end, function()
      return calls
    end
  end

  it("is called for each request, and not before", function()
    local token, calls = counting(fake.token)
    local client = cloud66.new { token = token, base_url = fake.url() }
    assert.equal(0, calls())
    for i = 1, 3 do
      assert.is_table((client:request("GET", "/ping/auth")))
      assert.equal(i, calls())
    end
  end)

  it("is called once more after a 401", function()
    local tag = fake.fresh_tag()
    local token, calls = counting("an-old-token", fake.token)
    local client = cloud66.new { token = token, base_url = fake.url { tag = tag } }
    assert.is_table((client:request("GET", "/ping/auth")))
    assert.equal(2, calls())
    local sent = fake.requests(tag)
    assert.same({ "Bearer unknown", "Bearer valid" }, { sent[1].headers.authorization, sent[2].headers.authorization })
    assert.equal(2, #sent)
  end)

  it("is called no third time", function()
    local tag = fake.fresh_tag()
    local token, calls = counting "an-old-token"
    local client = cloud66.new { token = token, base_url = fake.url { tag = tag } }
    local value, message, err = client:request("GET", "/ping/auth")
    assert.is_nil(value)
    assert.matches("^auth: ", message)
    assert.equal(401, err.status)
    assert.same({ 2, 2 }, { calls(), #fake.requests(tag) })
  end)

  it("is not called again after any other refusal", function()
    for _, id in ipairs { "forbidden", "trial_expired", "not_found" } do
      local token, calls = counting(fake.token)
      local client = cloud66.new { token = token, base_url = fake.url { error = id } }
      assert.is_nil((client:request("GET", "/ping/auth")))
      assert.equal(1, calls())
    end
  end)

  it("gives no token: kind auth, nothing is sent", function()
    for _, token in ipairs { "", "s3cr3t\n", "s3cr3t t", 5, false, {} } do
      local tag = fake.fresh_tag()
      local client = cloud66.new {
        base_url = fake.url { tag = tag },
        token = function()
          return token
        end,
      }
      local value, message, err = client:request("GET", "/ping/auth")
      assert.is_nil(value)
      assert.matches("^auth: ", message)
      assert.equal("auth", err.kind)
      assert.is_false(holds(err, "s3cr3t"))
      assert.same({}, fake.requests(tag))
    end
  end)

  it("gives nil and a reason: the reason is in the message", function()
    local client = cloud66.new {
      base_url = fake.url(),
      token = function()
        return nil, "the vault is sealed"
      end,
    }
    local value, message, err = client:request("GET", "/ping/auth")
    assert.is_nil(value)
    assert.matches("^auth: .*the vault is sealed", message)
    assert.equal("auth", err.kind)
  end)

  it("is kept by a view", function()
    local token, calls = counting(fake.token)
    local client = cloud66.new { token = token, base_url = fake.url() }
    assert.is_table((client:with({ timeout = 5 }):request("GET", "/ping/auth")))
    assert.equal(1, calls())
  end)

  it("is shown in no dump, nor what it gave", function()
    local client = cloud66.new { token = counting(fake.token), base_url = fake.url() }
    client:request("GET", "/ping/auth")
    assert.is_false(holds(client, fake.token))
  end)
end)

describe("option `base_url`", function()
  it("gets /api/3 where it is a bare site", function()
    for _, url in ipairs { "https://example.com", "https://example.com/", "https://example.com//" } do
      assert.equal("https://example.com/api/3/ping", address(url))
    end
    assert.equal("https://example.com:8443/api/3/ping", address "https://example.com:8443")
  end)

  it("is used as it is where it has a path", function()
    assert.equal("https://example.com/api/3/ping", address "https://example.com/api/3")
    assert.equal("https://example.com/api/3/ping", address "https://example.com/api/3/")
    assert.equal("https://example.com/proxy/c66/ping", address "https://example.com/proxy/c66")
  end)

  it("may be plain http to loopback", function()
    local sites = {
      "http://127.0.0.1", "http://127.0.0.1:8080", "http://127.1.2.3", "http://localhost", "http://localhost:1", "http://[::1]:81",
    }
    for _, site in ipairs(sites) do
      assert.equal(site .. "/api/3/ping", address(site))
    end
    assert.matches("^[Hh][Tt][Tt][Pp]://[Ll][Oo][Cc][Aa][Ll]host/api/3/ping$", address "HTTP://LOCALhost")
  end)

  it("must not be plain http to anywhere else", function()
    local sites = {
      "http://app.cloud66.com", "http://10.0.0.1", "http://localhost.example.com", "http://127.0.0.1.example.com",
      "http://example.com/127.0.0.1", "http://[::2]", "http://0.0.0.0", "http://notlocalhost", "HTTP://app.cloud66.com",
      "http://localhost:80.example.com", "http://127.0.0.1x",
    }
    each_raises("base_url", sites, address)
  end)

  it("may be plain http anywhere with allow_http", function()
    assert.equal("http://10.0.0.1/api/3/ping", address("http://10.0.0.1", { allow_http = true }))
    raises("base_url", function()
      address("http://10.0.0.1", { allow_http = false })
    end)
  end)

  it("must not hold a user name, nor show the password", function()
    local sites = {
      "https://user:s3cret@example.com", "https://s3cret@example.com/api/3", "http://127.0.0.1:80@s3cret.example.com",
      "https://user:s3cret@example.com/?x", "ftp://user:s3cret@example.com", "user:s3cret@example.com",
    }
    for _, site in ipairs(sites) do
      local problem = raises("base_url", function()
        address(site)
      end)
      assert.not_matches("s3cret", problem)
    end
    raises("base_url", function()
      address("http://user@example.com", { allow_http = true })
    end)
  end)

  it("must be a web address without query and fragment", function()
    local wrong = {
      "", "example.com", "ftp://example.com", "file:///etc/passwd", "https://", "https:///api/3", "https://:443", "//example.com",
      "https://example.com?x=1", "https://example.com/api/3?x=1", "https://example.com/#top", "https://example.com\\@evil",
      "https://exam ple.com", " https://example.com", "https://example.com/a b", "https://example.com\r\nX: y", 5, true, {},
    }
    each_raises("base_url", wrong, address)
  end)

  it("is not the default where it is false", function()
    each_raises("base_url", { false }, function(url)
      cloud66.new { token = "a-token", base_url = url }
    end)
  end)
end)

describe("option `timeout`", function()
  -- What a transport is given, in whole seconds: on a busy machine some of it is gone by then.
  local function timeout_of(timeout)
    local given = request_of({ timeout = timeout }).timeout
    return { connect = given.connect, total = math.ceil(given.total) }
  end

  it("is 5 seconds to connect and 30 in all by default", function()
    assert.same({ connect = 5, total = 30 }, timeout_of(nil))
  end)

  it("means the total as a number", function()
    assert.same({ connect = 5, total = 60 }, timeout_of(60))
    local short = request_of({ timeout = 0.5 }).timeout
    assert.is_true(short.total <= 0.5)
    assert.is_true(short.connect <= 5)
  end)

  it("is given in parts as a table", function()
    assert.same({ connect = 1, total = 30 }, timeout_of { connect = 1 })
    assert.same({ connect = 5, total = 50 }, timeout_of { total = 50 })
    assert.same({ connect = 2, total = 7 }, timeout_of { connect = 2, total = 7 })
  end)

  it("must be above zero", function()
    local wrong = { 0, -1, 0 / 0, math.huge, "5", true, false }
    each_raises("timeout", wrong, function(seconds)
      request_of { timeout = seconds }
    end)
    each_raises("timeout", wrong, function(seconds)
      request_of { timeout = { total = seconds } }
    end)
    each_raises("timeout", wrong, function(seconds)
      request_of { timeout = { connect = seconds } }
    end)
  end)

  it("names the nearest part for a typo", function()
    raises("'timeout%.conect'.*'connect'", function()
      request_of { timeout = { conect = 1 } }
    end)
  end)
end)

describe("the other options", function()
  it("have a default for each", function()
    local request = request_of {}
    assert.equal(16 * 1024 * 1024, request.max_body)
    assert.equal("lua-cloud66/" .. cloud66._VERSION, request.headers["User-Agent"])
    assert.is_nil(request.headers["X-Account"])
  end)

  it("reach the transport", function()
    local request = request_of { max_body = 1000, user_agent = "a script", account = "42" }
    assert.equal(1000, request.max_body)
    assert.equal("a script", request.headers["User-Agent"])
    assert.equal("42", request.headers["X-Account"])
  end)

  it("take the account as a number", function()
    assert.equal("42", request_of({ account = 42 }).headers["X-Account"])
    assert.equal("42", request_of({ account = 84 / 2 }).headers["X-Account"])
  end)

  local wrong = {
    account = { "", true, false, {}, 1.5, "1\r\nX-Injected: yes", 0 / 0 },
    max_body = { 0, -1, 1.5, "1000", false, {}, math.huge },
    ca_file = { "", 5, false, {} },
    proxy = { 5, false, {}, "http://127.0.0.1:1\r\nX: y" },
    user_agent = { "", 5, false, {}, "agent\r\nX-Injected: yes" },
    transport = { "curl", {}, false, 5 },
    allow_http = { "yes", 1, {} },
  }
  for name, values in pairs(wrong) do
    it("raise where `" .. name .. "` is of the wrong type or empty, naming it", function()
      each_raises(name, values, function(value)
        request_of { [name] = value }
      end)
    end)
  end

  it("raise where unknown, naming the nearest", function()
    local typos = {
      tokn = "token", base_ulr = "base_url", acount = "account", timout = "timeout", max_bdy = "max_body", cafile = "ca_file",
      prxy = "proxy", useragent = "user_agent", transprt = "transport", alow_http = "allow_http",
    }
    for typo, meant in pairs(typos) do
      raises("'" .. typo .. "'.*'" .. meant .. "'", function()
        cloud66.new { token = "a-token", base_url = fake.url(), [typo] = "x" }
      end)
    end
    raises("1", function()
      cloud66.new { "a-token" }
    end)
  end)

  it("must be a table", function()
    each_raises("table", { "a-token", 5, true, false }, cloud66.new)
  end)

  it("leave the caller's table as it was", function()
    local timeout = { total = 10 }
    local options = { token = fake.token, base_url = fake.url(), timeout = timeout, account = 7 }
    local client = cloud66.new(options)
    client:with({ timeout = 5 }):request("GET", "/ping/auth")
    assert.same({ token = fake.token, base_url = fake.url(), timeout = { total = 10 }, account = 7 }, options)
    assert.equal(timeout, options.timeout)
  end)

  it("are not looked at again after the client is made", function()
    local transport, seen = recording()
    local timeout = { total = 10 }
    local options = { token = "a-token", base_url = "https://example.com", timeout = timeout, account = "7", transport = transport }
    local client = cloud66.new(options)
    options.base_url, options.account, options.token, options.transport, timeout.total = "ftp://", "8", "", "x", "x"
    local function check(each)
      each:request("GET", "/ping")
      assert.equal("https://example.com/api/3/ping", seen.request.url)
      assert.equal("7", seen.request.headers["X-Account"])
      assert.equal("Bearer a-token", seen.request.headers["Authorization"])
      assert.equal(10, seen.request.timeout.total)
    end
    check(client)
    check(client:with { user_agent = "another" })
  end)
end)

describe("settings", function()
  it("do not show a secret in a base_url's query", function()
    for _, url in ipairs { "https://example.com/api?access_token=s3cret", "https://example.com/#s3cret" } do
      local ok, problem = pcall(cloud66.new, { token = "x", base_url = url })
      assert.is_false(ok)
      assert.not_matches("s3cret", problem)
    end
  end)

  it("take no time that libcurl could not count", function()
    each_raises("seconds", { 1e7, { total = 1e9 }, { connect = 1e9 } }, function(timeout)
      return cloud66.new { token = "x", timeout = timeout }
    end)
  end)

  it("do not take a token file that cannot be read for none", function()
    local settings = require "cloud66.http.settings"
    local environment = {
      getenv = function(name)
        return name == "HOME" and "/home/somebody" or nil
      end,
      read_file = function()
        return nil, "cx.json: Permission denied"
      end,
    }
    local made, message, err = settings.of({}, { environment = environment })
    assert.is_nil(made)
    assert.equal("auth", err.kind)
    assert.matches("Permission denied", message)
  end)
end)
