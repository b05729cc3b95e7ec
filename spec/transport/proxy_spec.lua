-- Proxies: how one that fails is named, and that its user and password are never shown, whatever they look like.
local child = require "spec.support.child"
local cloud66 = require "cloud66"
local curl = require "cloud66.curl"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local harmless = require "spec.support.harmless"
local host = require "spec.support.host"
local proxies = require "spec.support.proxy"
local proxy = require "cloud66.base.proxy"
local transport = require "cloud66.transport.curl"
local wait = require "cloud66.runtime.wait"

local failure = expect.failure

local PLAIN, TLS = fake.url(), "https://api.invalid/api/3"

-- A client of an address, through a proxy; what hooks are told goes into `told`.
local function client_of(address, given, told)
  local function hook(info)
    told[#told + 1] = info
  end
  return cloud66.new {
    base_url = address, token = fake.token, retries = { attempts = 2, base = 0.001 }, proxy = given, timeout = 5,
    on = { request = hook, response = hook, retry = hook, warning = hook },
  }
end

local function fails(kind, address, given)
  local told = {}
  local value, message, err = client_of(address, given, told):request("GET", "/ping")
  failure(kind, value, message, err)
  harmless.check(err, message)
  return message, err, told
end

describe("a proxy that wants a user and a password", function()
  it("is named for a plain request, is asked once, and shows neither", function()
    proxies.with("407", function(peer)
      for _, user in ipairs { "", "me:secret@", "socks%40x:secret@" } do
        local message, err, told = fails("connect", PLAIN, "http://" .. user .. peer)
        assert.matches(("the proxy %s (option 'proxy') wants a user and a password"):format(peer), message, 1, true)
        assert.same({ 407, 1, true }, { err.status, err.attempts, err.intermediary })
        assert.is_false(harmless.holds({ told, err }, "secret"))
      end
    end)
  end)

  it("is named for a tunnel, and is asked once", function()
    proxies.with("407", function(peer)
      for _, user in ipairs { "", "me:secret@" } do
        local message, err, told = fails("connect", TLS, "http://" .. user .. peer .. "/")
        assert.matches("the proxy wants a user and a password, or other ones (HTTP status 407)", message, 1, true)
        assert.matches(("; the proxy is %s (option 'proxy')"):format(peer), message, 1, true)
        assert.same({ 407, 1 }, { err.status, err.attempts })
        assert.is_false(harmless.holds({ told, err }, "secret"))
      end
    end)
  end)

  it("is one on the way where the transport does not know it", function()
    local client = expect.connect(nil, { transport = function()
      return { status = 407, headers = {}, body = "refused: Proxy-Authorization: Basic bWU6c2VjcmV0 (me:secret)" }
    end })
    local _, message, err = client:request("GET", "/ping")
    assert.equal("connect", err.kind)
    assert.is_true(err.intermediary)
    assert.matches("a proxy on the way to the API wants a user", message, 1, true)
    assert.not_matches("secret", message)
    assert.not_matches("bWU6c2VjcmV0", message)
  end)
end)

describe("a proxy that refuses a tunnel", function()
  it("is asked again where that may pass", function()
    for status, attempts in pairs { ["403"] = 1, ["502"] = 2, ["503"] = 2 } do
      proxies.with(status, function(peer)
        local message, err = fails("connect", TLS, peer)
        assert.matches(("the proxy refused the tunnel (HTTP status %s); the proxy is %s (option 'proxy')"):format(status, peer),
          message, 1, true)
        assert.same({ tonumber(status), attempts }, { err.status, err.attempts })
      end)
    end
  end)
end)

describe("a proxy that cannot be reached", function()
  it("is named", function()
    for given, name in pairs {
      ["http://me:secret@127.0.0.1:1"] = "127.0.0.1:1", ["me:secret@127.0.0.1:1/"] = "127.0.0.1:1",
      ["socks5h://me:s%40cret@127.0.0.1:1"] = "127.0.0.1:1", ["http://me:secret@[::1]:1"] = "[::1]:1",
      ["http:me:secret@127.0.0.1:1"] = "127.0.0.1:1",
      ["http://me:secret@proxy.invalid:3128"] = "proxy.invalid:3128", ["me:secret@proxy.invalid"] = "proxy.invalid:1080",
      ["socks4a://secret@proxy.invalid"] = "proxy.invalid:1080",
    } do
      for _, address in ipairs { PLAIN, TLS } do
        local message, err, told = fails("connect", address, given)
        assert.matches(("; the proxy is %s (option 'proxy')"):format(name), message, 1, true)
        assert.equal(2, err.attempts)
        assert.is_false(harmless.holds({ told, err, message }, "secret"))
        assert.is_false(harmless.holds({ told, err, message }, "cret"))
      end
    end
  end)

  it("is named where it says nothing", function()
    proxies.with("silent", function(peer)
      local send = transport.new { proxy = "http://" .. peer }
      for _, address in ipairs { PLAIN, TLS } do
        local _, kind, message = send { url = address, timeout = { total = 0.3 } }
        assert.equal("timeout", kind)
        assert.matches("; the proxy is " .. peer, message, 1, true)
      end
    end)
  end)
end)

-- A part of a password would be taken for the host, or libcurl would quote all of it.
local UNREADABLE = {
  "http://me:secr@cret/secret@127.0.0.1:1", "http://me:se/secret@127.0.0.1:1", "http://me:1#secret@127.0.0.1:1",
  "http://me:1?secret@127.0.0.1:1", "http://me:secret@secret@127.0.0.1:1", "me:secret", "http://me:secret", "http://me:secret@",
  "me:secret@:1", "secret@", "://me:secret@127.0.0.1:1", "http:/me:secret@127.0.0.1:1", "//me:secret@127.0.0.1:1",
  "http://me:secret@127.0.0.1:secret", "http://me:secret@127.0.0.1:99999", "http://me secret@127.0.0.1:1", "http://me:1 secret@127.0.0.1:1",
  "socks9://me:secret@127.0.0.1:1", "socks5h://me:1/secret@127.0.0.1:1", "me:1/secret", "http://me:1/secret", "http://sec[ret]:1",
  "secret://127.0.0.1:1", "http://me:12\\@secret/@127.0.0.1:1", "me:a://secret@127.0.0.1:1",
  "http://me:secret@caf\233.example:1",
}

describe("a proxy whose address cannot be read", function()
  it("is the caller's mistake where it is an option", function()
    expect.each_raises("proxy_spec%.lua:%d+: option 'proxy' is not the address of a proxy, such as ", UNREADABLE, function(given)
      local ok, problem = pcall(cloud66.new, { token = "x", proxy = given })
      assert(not ok and not problem:find "secret" and not problem:find "cret", problem)
      cloud66.new { token = "x", proxy = given }
    end)
  end)

  it("is not sent anything where it is a transport's", function()
    for _, given in ipairs(UNREADABLE) do
      local _, kind, message = transport.new { proxy = given } { url = PLAIN }
      assert.equal("connect", kind)
      assert.equal("option 'proxy' is not the address of a proxy", message:sub(1, 44))
      assert.not_matches("cret", message)
    end
  end)

  it("is in no message of the engine itself", function()
    local engine = curl.engine()
    for _, given in ipairs(UNREADABLE) do
      local ok, transfer, kind, message = pcall(engine.start, engine, { url = PLAIN, proxy = given, timeout = 2000 })
      if ok and transfer then
        wait.await(engine, transfer)
        _, kind, message = transfer:result()
      end
      for _, text in ipairs { ok and "" or transfer, kind or "", message or "" } do
        assert.not_matches("cret", tostring(text), given)
      end
    end
  end)
end)

describe("a proxy of the environment", function()
  -- What GETting both addresses comes to with these variables.
  local function with(variables, address)
    local cleared = "env -u http_proxy -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY -u no_proxy -u NO_PROXY -u HTTP_PROXY "
    for name, value in pairs(variables) do
      cleared = cleared .. name .. "=" .. host.quote(value) .. " "
    end
    local output, problems = child.run(([[
      local client = require("cloud66").new { base_url = %q, token = "a-token", retries = false, timeout = 5 }
      local value, message, err = client:request("GET", "/ping")
      print(value and "served" or message, err and err.status)
    ]]):format(address), cleared)
    assert.equal("", problems)
    assert.not_matches("cret", output)
    return output
  end

  local function named(name, variables, address)
    assert.matches(("the proxy is 127.0.0.1:1 (%s)"):format(name), with(variables, address), 1, true)
  end

  local AT, OTHER = "http://me:secret@127.0.0.1:1", "http://me:secret@127.0.0.1:2"

  it("is named with its variable", function()
    named("http_proxy", { http_proxy = AT, all_proxy = OTHER, https_proxy = OTHER }, PLAIN)
    named("all_proxy", { all_proxy = AT, ALL_PROXY = OTHER, https_proxy = OTHER, HTTP_PROXY = OTHER }, PLAIN)
    named("ALL_PROXY", { all_proxy = "", ALL_PROXY = AT }, PLAIN)
    named("https_proxy", { https_proxy = AT, HTTPS_PROXY = OTHER, all_proxy = OTHER, http_proxy = OTHER }, TLS)
    named("HTTPS_PROXY", { HTTPS_PROXY = AT, all_proxy = OTHER, no_proxy = "127.0.0.1" }, TLS)
    named("all_proxy", { https_proxy = "", all_proxy = AT }, TLS)
    named("ALL_PROXY", { ALL_PROXY = AT }, TLS)
  end)

  it("is named where it wants a user and a password", function()
    proxies.with("407", function(peer)
      local output = with({ http_proxy = "me:secret@" .. peer }, PLAIN)
      assert.matches(("the proxy %s (http_proxy) wants a user"):format(peer), output, 1, true)
      assert.matches("\t407\n$", output)
      output = with({ HTTPS_PROXY = peer }, TLS)
      assert.matches(("(HTTP status 407); the proxy is %s (HTTPS_PROXY)"):format(peer), output, 1, true)
      assert.matches("\t407\n$", output)
    end)
  end)

  it("whose address cannot be read is not sent anything", function()
    for _, given in ipairs { UNREADABLE[1], "me:secret", "http://me sec ret@127.0.0.1:1" } do
      assert.matches("connect: https_proxy is not the address of a proxy", with({ https_proxy = given }, TLS), 1, true)
    end
    assert.matches("^served", (with({ http_proxy = UNREADABLE[1], no_proxy = "127.0.0.1" }, PLAIN)))
  end)

  it("is not named where nothing goes through it", function()
    for name, variables in pairs {
      http_proxy = { http_proxy = AT, no_proxy = "127.0.0.1" }, HTTP_PROXY = { HTTP_PROXY = AT, HTTPS_PROXY = AT },
      NO_PROXY = { http_proxy = AT, NO_PROXY = "*" },
    } do
      assert.matches("^served", with(variables, PLAIN), name)
    end
    for _, name in ipairs { "no_proxy", "NO_PROXY" } do
      assert.not_matches("proxy", with({ http_proxy = AT, [name] = "127.0.0.1" }, "http://127.0.0.1:1/api/3"))
    end
  end)
end)

describe("what no_proxy exempts", function()
  local function is_exempt(list, address)
    return proxy.of(address, "127.0.0.1:1", function(name)
      return name == "no_proxy" and list or nil
    end) == nil
  end

  it("is as libcurl has it", function()
    for list, addresses in pairs {
      ["*"] = "https://a.example", ["a.example"] = "https://a.example https://A.Example:8443/x?y http://b.a.example https://a.example.",
      [".a.example"] = "https://a.example https://b.a.example", ["x, a.example."] = "https://a.example", ["x a.example"] = "https://a.example",
      ["10.0.0.0/8"] = "https://10.9.8.7", ["10.1.2.3"] = "https://10.1.2.3:1", ["::1"] = "https://[::1]:1",
    } do
      for address in addresses:gmatch "%S+" do
        assert.is_true(is_exempt(list, address), list .. " and " .. address)
      end
    end
    for list, addresses in pairs {
      [""] = "https://a.example", ["a.example"] = "https://ba.example https://example https://a.example.org",
      ["10.0.0.0/8"] = "https://11.0.0.1 https://10.example", ["2.3"] = "https://10.1.2.3", ["*.example"] = "https://a.example",
      ["."] = "https://a.example", ["10.0.0.0/33"] = "https://10.0.0.0",
    } do
      for address in addresses:gmatch "%S+" do
        assert.is_false(is_exempt(list, address), list .. " and " .. address)
      end
    end
  end)
end)
