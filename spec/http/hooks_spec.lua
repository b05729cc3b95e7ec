-- The functions of option `on`, the id of each request, and the limits: what a client tells of its requests.
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local hour = require "spec.support.hour"

local each_raises, failure = expect.each_raises, expect.failure

-- A client that writes down what its hooks are told: { {name, info}, ... }
local function listening(scenario, options)
  local told = {}
  options = options or {}
  options.on = {}
  for _, name in ipairs { "request", "response", "retry", "throttle", "warning" } do
    options.on[name] = function(info)
      told[#told + 1] = { name, info }
    end
  end
  return expect.connect(scenario, options), told
end

local function names_of(told)
  local names = {}
  for i, each in ipairs(told) do
    names[i] = each[1]
  end
  return table.concat(names, " ")
end

describe("a hook", function()
  it("is told of each request and of each answer", function()
    local client, told = listening { delay = "0.01" }
    client:request("GET", "/ping/auth")
    assert.equal("request response", names_of(told))
    local request, response = told[1][2], told[2][2]
    assert.same({ "GET", 1 }, { request.method, request.attempt })
    assert.matches("/api/3/ping/auth$", request.url)
    assert.equal(request.request_id, response.request_id)
    assert.same({ 200, "1.1" }, { response.status, response.http_version })
    assert.is_true(response.bytes > 10)
    assert.is_true(response.elapsed >= 0.01 and response.elapsed < 30)
  end)

  it("is told of an answer that did not come", function()
    local client, told = listening({ cut = "body" }, { retries = { attempts = 2, base = 0.01 } })
    client:request("GET", "/ping/auth")
    assert.equal("request response retry request response", names_of(told))
    assert.equal("network", told[2][2].kind)
    assert.matches("^network: ", told[2][2].message)
    assert.equal(2, told[5][2].attempt)
  end)

  it("is told what the API warns of, fit to be printed", function()
    local client, told = listening { warning = "this key is old" }
    client:request("GET", "/ping/auth")
    assert.equal("request response warning", names_of(told))
    assert.equal("this key is old", told[3][2].text)
    assert.matches("/ping/auth$", told[3][2].url)
    client, told = listening(nil, { transport = function()
      return { status = 200, headers = { ["x-cloud66-warning"] = "\27[31m " .. fake.token .. "\r\n" }, body = "{}" }
    end })
    client:request("GET", "/ping/auth")
    assert.equal(" [31m [token] ", told[3][2].text)
  end)

  it("never sees a token", function()
    for _, scenario in ipairs { {}, { error = "server", error_body = "token" }, { error = "throttled", error_body = "token" } } do
      local client, told = listening(scenario, { retries = { attempts = 2, base = 0.01 } })
      client:request("GET", "/ping/auth")
      for _, each in ipairs(told) do
        for _, value in pairs(each[2]) do
          assert.not_matches(fake.token, tostring(value), 1, true)
        end
      end
    end
  end)

  it("breaks nothing when it raises, and the warning hook hears of it", function()
    local warnings = {}
    local function raise()
      error "a bug in a hook"
    end
    local client = expect.connect({ error = "server", times = 1, tag = fake.fresh_tag() }, {
      retries = { attempts = 2, base = 0.01 },
      on = { request = raise, response = raise, retry = raise, throttle = raise, warning = function(info)
        warnings[#warnings + 1] = info.text
        error "here too"
      end },
    })
    assert.is_true(client:request("GET", "/ping/auth").ok)
    assert.equal(5, #warnings)
    assert.matches("hook 'request' raised: .*a bug in a hook", warnings[1])
  end)

  it("does not keep an interrupt to itself", function()
    local client = expect.connect(nil, { on = { request = function()
      error("x.lua:1: interrupted!", 0)
    end } })
    local ok, problem = pcall(client.request, client, "GET", "/ping/auth")
    assert.is_false(ok)
    assert.equal("x.lua:1: interrupted!", problem)
  end)

  it("may close the client", function()
    local client
    client = expect.connect(nil, { on = { request = function()
      client:close()
    end } })
    failure("aborted", client:request("GET", "/ping/auth"))
  end)

  it("has one of five names, and is a function", function()
    each_raises("hook", { { requests = print }, { request = 5 }, { retry = "x" }, { print } }, function(on)
      return cloud66.new { token = "x", on = on }
    end)
  end)

  it("is kept by a view, and replaced by its own", function()
    local count, other = 0, 0
    local client = expect.connect(nil, { on = { request = function() count = count + 1 end } })
    client:with({ timeout = 5 }):request("GET", "/ping/auth")
    client:with({ on = { request = function() other = other + 1 end } }):request("GET", "/ping/auth")
    assert.same({ 1, 1 }, { count, other })
  end)
end)

describe("a request's id", function()
  it("is a new random UUID each time, in the request, the response and the error", function()
    local tag = fake.fresh_tag()
    local client = expect.connect { tag = tag }
    local _, response = client:request("GET", "/ping/auth")
    local err = failure("not_found", client:request("GET", "/nothing"))
    local sent = fake.requests(tag)
    assert.equal(sent[1].headers["request-id"], response.request_id)
    assert.equal(sent[2].headers["request-id"], err.request_id)
    assert.matches("^fake%-", err.server_request_id)
    assert.not_equal(response.request_id, err.request_id)
    assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", response.request_id)
  end)

  it("is told where no answer came, and where it cannot be decoded", function()
    local tag = fake.fresh_tag()
    local err = failure("network", expect.connect({ cut = "body", tag = tag }):request("GET", "/ping/auth"))
    assert.equal(fake.requests(tag)[1].headers["request-id"], err.request_id)
    tag = fake.fresh_tag()
    err = failure("decode", expect.connect({ body = "html", tag = tag }):request("GET", "/ping/auth"))
    assert.equal(fake.requests(tag)[1].headers["request-id"], err.request_id)
  end)
end)

describe("client:limits()", function()
  before_each(function()
    hour.leave(5)
  end)

  it("is what the server last said", function()
    local client = expect.connect()
    local _, response = client:request("GET", "/ping/auth")
    local limits = client:limits()
    assert.equal(3600, limits.limit)
    assert.equal(tonumber(response.headers["x-ratelimit-remaining"]), limits.remaining)
    assert.equal(3600 - limits.remaining, limits.used)
    assert.is_false(limits.counted)
    assert.is_true(limits.reset_at > os.time() - 1 and limits.reset_at <= os.time() + 3600)
  end)

  it("is counted where the server says nothing", function()
    local client = expect.connect { ratelimit = "no" }
    assert.same({ 3000, 3000, 0, true }, { client:limits().limit, client:limits().remaining, client:limits().used, client:limits().counted })
    client:request("GET", "/ping/auth")
    client:with({ timeout = 5 }):request("GET", "/ping/auth")
    client:stack(fake.stacks.api):page(1)
    local limits = client:limits()
    assert.same({ 3000, 2997, 3, true }, { limits.limit, limits.remaining, limits.used, limits.counted })
  end)

  it("counts what gets no answer, and each attempt", function()
    local client = expect.connect({ cut = "body", ratelimit = "no" }, { retries = { attempts = 3, base = 0.01 } })
    client:request("GET", "/ping/auth")
    assert.equal(3, client:limits().used)
  end)

  it("is another user's where the token is another", function()
    local client = expect.connect { ratelimit = "no" }
    client:request("GET", "/ping/auth")
    assert.equal(0, client:with({ token = "another" }):limits().used)
  end)

  it("takes X-RateLimit-Reset in seconds and as a time, and passes over what is no number", function()
    for text, expected in pairs { ["30"] = "soon", ["4102444800"] = 4102444800, ["never"] = "hour" } do
      local client = expect.connect(nil, { transport = function()
        return { status = 200, headers = { ["x-ratelimit-reset"] = text, ["x-ratelimit-limit"] = "x" }, body = "{}" }
      end })
      client:request("GET", "/ping")
      local at = client:limits().reset_at
      if expected == "soon" then
        assert.is_true(math.abs(at - os.time() - 30) < 5)
      elseif expected == "hour" then
        assert.equal(0, at % 3600)
      else
        assert.equal(expected, at)
      end
    end
  end)
end)
