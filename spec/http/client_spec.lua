-- A client against the fake API: requests, what becomes of each answer, the list of stacks.
local cloud66 = require "cloud66"
local cjson = require "cjson"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"

local connect, raises, each_raises, failure = expect.connect, expect.raises, expect.each_raises, expect.failure

-- A client whose transport gives these answers in turn, the last one again and again.
local function answering(...)
  local answers, at = { ... }, 0
  return connect(nil, {
    transport = function()
      at = math.min(at + 1, #answers)
      return { status = answers[at].status or 200, headers = answers[at].headers or {}, body = answers[at].body or "" }
    end,
  })
end

local here = "^spec/http/client_spec%.lua:%d+: "

-- Every text in a table and its metatable, one after the other.
local function texts(value, seen)
  seen = seen or {}
  if type(value) == "string" then
    return value .. "|"
  elseif type(value) ~= "table" or seen[value] then
    return ""
  end
  seen[value] = true
  local all = {}
  for key, inner in next, value do
    all[#all + 1] = texts(key, seen) .. texts(inner, seen)
  end
  return table.concat(all) .. texts(debug.getmetatable(value), seen)
end

local function is_harmless(err, message)
  local all = texts(err) .. message .. tostring(err)
  assert.is_nil(all:find(fake.token, 1, true), all)
  assert.is_nil(all:find "[%z\1-\31\127]", all)
  assert.is_nil(all:find "\194[\128-\159]", all)
end

local function names_of(stacks)
  local names = {}
  for i, stack in ipairs(stacks) do
    names[i] = stack.name
  end
  return names
end

describe("a request", function()
  it("sends the token, what it accepts and who it is", function()
    local tag = fake.fresh_tag()
    connect({ tag = tag }):request("GET", "/ping/auth")
    local headers = fake.requests(tag)[1].headers
    assert.equal("Bearer valid", headers.authorization)
    assert.equal("application/json", headers.accept)
    assert.equal("lua-cloud66/" .. cloud66._VERSION, headers["user-agent"])
    assert.is_nil(headers["x-account"])
  end)

  it("sends the account and the user agent of the options", function()
    local tag = fake.fresh_tag()
    connect({ tag = tag }, { account = "8", user_agent = "a deploy script" }):request("GET", "/ping/auth")
    local headers = fake.requests(tag)[1].headers
    assert.same({ "8", "a deploy script" }, { headers["x-account"], headers["user-agent"] })
  end)

  it("gives the decoded answer and the response", function()
    local value, response = connect():request("GET", "/stacks/" .. fake.stacks.api)
    assert.equal("api", value.response.name)
    assert.equal(200, response.status)
    assert.equal("api", cjson.decode(response.body).response.name)
    assert.equal("3600", response.headers["x-ratelimit-limit"])
  end)

  it("gives exact integers, nil for null in objects and cloud66.null in arrays", function()
    local client = answering { body = '{"response":{"a":9007199254740993,"b":null,"c":[1,null,3],"d":12,"e":1.5}}' }
    local inner = client:request("GET", "/x").response
    assert.equal(12, inner.d)
    assert.equal("12", tostring(inner.d))
    assert.equal("9007199254740993", tostring(inner.a))
    assert.is_nil(inner.b)
    assert.same({ 1, cloud66.null, 3 }, inner.c)
    assert.equal(1.5, inner.e)
  end)

  it("takes the path with and without a slash in front", function()
    for _, path in ipairs { "/ping/auth", "ping/auth" } do
      assert.is_true(connect():request("GET", path).ok)
    end
  end)

  it("encodes the query", function()
    local tag = fake.fresh_tag()
    local query = { name = "a b&c=d/e+f%41#\195\188?", ["a key&="] = "x", page = 2, flag = true, none = "" }
    connect({ tag = tag }):request("GET", "/stacks", { query = query })
    local sent = fake.requests(tag)[1]
    assert.equal("a b&c=d/e+f%41#\195\188?", sent.query.name)
    assert.equal("x", sent.query["a key&="])
    assert.equal("2", sent.query.page)
    assert.equal("true", sent.query.flag)
    assert.equal("", sent.query.none)
    assert.equal("/api/3/stacks", sent.path)
  end)

  it("writes whole numbers in a query without a point or an exponent", function()
    local tag = fake.fresh_tag()
    connect({ tag = tag, auth = "none" }):request("GET", "/ping", { query = { a = 4 / 2, b = 2 ^ 40, c = 1e15, d = -3 } })
    local query = fake.requests(tag)[1].query
    assert.same({ "2", "1099511627776", "1000000000000000", "-3" }, { query.a, query.b, query.c, query.d })
  end)

  it("raises for a query that cannot be one", function()
    local wrong = { "page=2", 5, true, { list = {} }, { fn = print }, { nan = 0 / 0 }, { inf = math.huge }, { "text" }, { [true] = 1 } }
    each_raises(here, wrong, function(query)
      connect():request("GET", "/ping", { query = query })
    end)
  end)

  it("sends a body as JSON", function()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      local tag = fake.fresh_tag()
      local body = { name = "a \"b\"\n\195\188", list = { 1, 2 }, deep = { yes = true, nothing = cloud66.null }, n = 99999999999999 }
      local value, message, err = connect({ tag = tag }):request(method, "/stacks", { body = body })
      failure("bad_request", value, message, err) -- which only reads
      local sent = fake.requests(tag)
      assert.equal(1, #sent)
      assert.equal(method, sent[1].method)
      assert.matches("^application/json", sent[1].headers["content-type"])
      local got = cjson.decode(sent[1].body)
      assert.same({ 1, 2 }, got.list)
      assert.equal(body.name, got.name)
      assert.is_true(got.deep.yes)
      assert.equal(cjson.null, got.deep.nothing)
      assert.matches('"n":99999999999999[,}]', sent[1].body)
    end
  end)

  it("has no body and no content type where none is given", function()
    local tag = fake.fresh_tag()
    connect({ tag = tag }):request("GET", "/ping/auth")
    local sent = fake.requests(tag)[1]
    assert.is_nil(sent.body)
    assert.is_nil(sent.headers["content-type"])
  end)

  it("raises for a number in the body that JSON would round", function()
    local tag = fake.fresh_tag()
    local wrong = {
      { id = 1e14 }, { id = -1e14 }, { id = 2 ^ 62 }, { 1e15 }, { deep = { { id = 123456789012345 } } }, { half = 1e14 + 0.5 },
      { [1e14] = "a key" },
    }
    each_raises(here .. ".*string", wrong, function(body)
      connect({ tag = tag }):request("POST", "/x", { body = body })
    end)
    assert.same({}, fake.requests(tag))
  end)

  it("raises for a body that JSON cannot hold", function()
    local endless = {}
    endless.endless = endless
    local wrong = { { fn = print }, { nan = 0 / 0 }, { inf = math.huge }, { low = -math.huge }, endless, { [{}] = 1 } }
    each_raises(here, wrong, function(body)
      connect():request("POST", "/x", { body = body })
    end)
  end)

  it("raises for an unknown method, naming those there are", function()
    each_raises("GET", { "get", "FETCH", "", "GET\r\nX: y", 5 }, function(method)
      connect():request(method, "/ping")
    end)
    raises("GET", function()
      connect():request(nil, "/ping")
    end)
  end)

  it("raises for a path that leads elsewhere", function()
    local tag = fake.fresh_tag()
    local client = connect { tag = tag }
    local wrong = {
      "", "/stacks?page=2", "/stacks#x", "/../../admin", "../admin", "..", ".", "./x", "/x/..", "/x/../y", "/./x", "/x/.", "/a b",
      "/stacks\r\nX-Injected: yes", "/st\195\188ck", "/x\\y", "/\0", 5, true, {},
    }
    each_raises("path", wrong, function(path)
      client:request("GET", path)
    end)
    assert.same({}, fake.requests(tag))
  end)

  it("raises for encoded dots, which a server may resolve", function()
    each_raises("path", { "/%2e%2e/admin", "/x/%2E./y", "%2e%2e", "/x/.%2e" }, function(path)
      connect():request("GET", path)
    end)
  end)

  it("raises for an unknown option, naming the nearest", function()
    raises("'qury'.*'query'", function()
      connect():request("GET", "/ping", { qury = {} })
    end)
    raises("table", function()
      connect():request("GET", "/ping", "query")
    end)
  end)

  it("gives cloud66.null and the response for a 204", function()
    local value, response = connect({ status = "204" }):request("GET", "/ping/auth")
    assert.equal(cloud66.null, value)
    assert.equal(204, response.status)
  end)

  it("changes nothing in the caller's tables", function()
    local options = { query = { page = 1 }, body = { a = { 1 } } }
    connect():request("POST", "/x", options)
    assert.same({ query = { page = 1 }, body = { a = { 1 } } }, options)
  end)

  it("reads a compressed and a chunked answer", function()
    for _, scenario in ipairs { { gzip = true }, { content = "chunked" }, { pretty = true }, { drip = true } } do
      local value, response = connect(scenario):request("GET", "/stacks")
      assert.equal(4, #value.response)
      assert.equal(200, response.status)
    end
  end)

  it("reads a body of exactly max_body bytes, decoded, and no longer one", function()
    for _, scenario in ipairs { {}, { gzip = true }, { content = "chunked" } } do
      local _, response = connect(scenario):request("GET", "/stacks")
      local length = #response.body
      assert.is_table((connect(scenario, { max_body = length }):request("GET", "/stacks")))
      failure("too_large", connect(scenario, { max_body = length - 1 }):request("GET", "/stacks"))
    end
  end)
end)

describe("an error reply", function()
  local replies = {
    bad_request = { 400, "bad_request" },
    unauthenticated = { 401, "auth" },
    trial_expired = { 402, "trial_expired" },
    forbidden = { 403, "forbidden" },
    not_found = { 404, "not_found" },
    method_not_allowed = { 405, "bad_request" },
    time_out = { 408, "timeout" },
    conflict = { 409, "conflict" },
    too_many = { 429, "throttled" },
    server = { 500, "server" },
    bad_gateway = { 502, "server" },
    not_implemented = { 503, "not_implemented" },
    throttled = { 503, "throttled" },
    gateway_timeout = { 504, "server" },
  }

  -- What a message of this kind must speak of, to tell what to do.
  local advice = {
    auth = "token", trial_expired = "trial", forbidden = "scope", not_found = "account", timeout = "again", throttled = "wait",
    server = "again",
  }

  local function each_reply(form, fn)
    for id, reply in pairs(replies) do
      local client = connect { error = id, error_body = form }
      local kind = reply[2]
      if reply[1] == 503 and (form == "html" or form == "empty") then
        kind = "server" -- nothing tells a throttled client from a broken server
      end
      local value, message, err = client:request("GET", "/ping/auth")
      failure(kind, value, message, err)
      assert.equal(reply[1], err.status)
      assert.matches(advice[kind] or "", message)
      is_harmless(err, message)
      fn(err, message, id)
    end
  end

  it("has its kind, its id and the API's details", function()
    each_reply("json", function(err, message, id)
      assert.equal(id, err.code)
      assert.matches("details: ", message, 1, true)
    end)
  end)

  it("has the description where there are no details", function()
    each_reply("description", function(err, message, id)
      assert.equal(id, err.code)
      assert.not_matches("details", message)
      if id == "conflict" then
        assert.matches("the resource is busy with another operation", message, 1, true)
      end
    end)
  end)

  it("has its kind from the id alone", function()
    each_reply("only_error", function(err, _, id)
      assert.equal(id, err.code)
    end)
  end)

  it("has its kind from the status where the body is HTML or empty", function()
    for _, form in ipairs { "html", "empty" } do
      each_reply(form, function(err, message)
        assert.is_nil(err.code)
        assert.not_matches("<", message, 1, true)
      end)
    end
  end)

  it("shows neither the token nor control characters of its body", function()
    each_reply("token", function(err, message, id)
      assert.equal(id, err.code)
      assert.matches("X%-Injected", message) -- the details are there, made harmless
    end)
  end)

  it("is the same for stacks and deployments", function()
    for id, reply in pairs(replies) do
      local client = connect { error = id }
      local stack = client:stack(fake.stacks.api)
      failure(reply[2], client:stacks():collect())
      failure(reply[2], client:find_stack { name = "api" })
      failure(reply[2], stack:load())
      failure(reply[2], stack:page(1))
      failure(reply[2], stack:deployment(1))
      failure(reply[2], stack:live())
      failure(reply[2], stack:is_live "abcdef0")
    end
  end)

  it("is auth where the API answers 401 with no body", function()
    local err = failure("auth", connect({ auth = "empty401" }):request("GET", "/ping/auth"))
    assert.equal(401, err.status)
  end)

  it("tells what is wrong with each token", function()
    failure("auth", connect(nil, { token = "nobodys" }):request("GET", "/ping/auth"))
    failure("forbidden", connect(nil, { token = fake.tokens.without_scope }):request("GET", "/ping/auth"))
    failure("trial_expired", connect(nil, { token = fake.tokens.expired_trial }):request("GET", "/ping/auth"))
  end)

  it("names the source of a refused token", function()
    local _, message = connect(nil, { token = "nobodys" }):request("GET", "/ping/auth")
    assert.matches("option", message)
    _, message = connect(nil, {
      token = function()
        return "nobodys"
      end,
    }):request("GET", "/ping/auth")
    assert.matches("function", message)
  end)

  it("has retry_after where the API says it", function()
    local err = failure("throttled", connect({ error = "throttled", retry_after = "120" }):request("GET", "/ping"))
    assert.equal(120, err.retry_after)
    for _, text in ipairs { "soon", "nan", "-5", "inf", "0x10" } do
      err = failure("throttled", connect({ error = "throttled", retry_after = text }):request("GET", "/ping"))
      assert.is_true(err.retry_after == nil or err.retry_after >= 0 and err.retry_after < 1e9, text)
    end
  end)
end)

describe("an answer with status 200", function()
  local function each_getter(scenario, fn)
    local client = connect(scenario)
    local stack = client:stack(fake.stacks.awesome_app)
    fn("page", stack:page(1))
    fn("live", stack:live())
    fn("is_live", stack:is_live "abcdef0")
    fn("deployment", stack:deployment(fake.data.deployments("awesome_app")[1].id))
    fn("first", stack:deployments():first())
    fn("count", stack:deployments():count())
    fn("load", stack:load())
    fn("stacks", client:stacks():collect())
    fn("find_stack", client:find_stack { name = "api" })
  end

  local bodies = { "truncated", "html", "empty", "null", "error_object", "text", "deep", "bad_utf8" }
  for _, body in ipairs(bodies) do
    it("and " .. body .. " is a decode error", function()
      each_getter({ body = body }, function(_, value, message, err)
        failure("decode", value, message, err)
        assert.equal(200, err.status)
        is_harmless(err, message)
      end)
    end)
  end

  it("or any other, without a body, is a decode error", function()
    each_getter({ status = "204" }, function(_, value, message, err)
      failure("decode", value, message, err)
      assert.equal(204, err.status)
    end)
  end)

  it("and a stack where a deployment is due is a decode error", function()
    local stack = connect({ body = "stack" }):stack(fake.stacks.awesome_app)
    failure("decode", stack:page(1))
    failure("decode", stack:live())
    failure("decode", stack:is_live "abcdef0")
    failure("decode", stack:deployment(fake.data.deployments("awesome_app")[1].id))
    failure("decode", stack:deployments():count())
  end)

  it("and bare arrays are read", function()
    local client = connect { body = "array" }
    assert.equal(30, #client:stack(fake.stacks.awesome_app):page(1))
    assert.equal(4, client:stacks():count())
  end)

  it("and cut-off JSON has an offset", function()
    local err = failure("decode", connect({ body = "truncated" }):stack(fake.stacks.api):page(1))
    assert.is_number(err.offset)
  end)

  it("and HTML is named, with what to look at", function()
    local _, message = connect({ body = "html" }):stack(fake.stacks.api):page(1)
    assert.matches("HTML", message)
    assert.matches("base_url", message)
  end)

  it("and cut-off JSON, HTML or nothing is a decode error for a plain request too", function()
    for _, body in ipairs { "truncated", "html", "empty", "text", "deep", "bad_utf8" } do
      local value, message, err = connect({ body = body }):request("GET", "/stacks")
      if body == "empty" then
        assert.equal(cloud66.null, value)
      else
        failure("decode", value, message, err)
      end
    end
    assert.equal(cloud66.null, (connect({ body = "null" }):request("GET", "/stacks")))
  end)

  it("and an empty object is no list of stacks", function()
    for _, body in ipairs { "{}", '{"response":null}', '{"response":{}}', '{"count":0}', '{"response":5}', "5", '"x"', "true" } do
      failure("decode", answering({ body = body }):stacks():collect())
      failure("decode", answering({ body = body }):find_stack { name = "api" })
    end
    assert.same({}, answering({ body = '{"response":[]}' }):stacks():collect())
    assert.same({}, answering({ body = "[]" }):stacks():collect())
  end)

  it("and a list of anything but stacks is a decode error", function()
    local lists = { '{"response":[5]}', '{"response":[null]}', '{"response":[{}]}', '{"response":[{"uid":5}]}', '[{"uid":"a"},[]]' }
    for _, body in ipairs(lists) do
      failure("decode", answering({ body = body }):stacks():collect())
    end
  end)
end)

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

describe("a view", function()
  it("has other settings, and leaves the client its own", function()
    local tag = fake.fresh_tag()
    local client = connect({ tag = tag }, { account = "1", user_agent = "one" })
    local view = client:with { account = "2" }
    view:request("GET", "/ping")
    client:request("GET", "/ping")
    local sent = fake.requests(tag)
    assert.same({ "2", "1" }, { sent[1].headers["x-account"], sent[2].headers["x-account"] })
    assert.same({ "one", "one" }, { sent[1].headers["user-agent"], sent[2].headers["user-agent"] })
    assert.same({ "Bearer valid", "Bearer valid" }, { sent[1].headers.authorization, sent[2].headers.authorization })
  end)

  it("keeps what it does not change, also of a view", function()
    local slow = connect({ delay = "2" }, { timeout = 0.1 })
    failure("timeout", slow:with({ account = "2" }):request("GET", "/ping"))
    failure("timeout", slow:with({ account = "2" }):with({ user_agent = "x" }):request("GET", "/ping"))
    failure("too_large", connect(nil, { max_body = 10 }):with({ timeout = 5 }):request("GET", "/stacks"))
  end)

  it("may have another token and another address", function()
    local client = connect()
    failure("forbidden", client:with({ token = fake.tokens.without_scope }):request("GET", "/ping/auth"))
    failure("conflict", client:with({ base_url = fake.url { error = "conflict" } }):request("GET", "/ping/auth"))
    assert.is_true(client:request("GET", "/ping/auth").ok)
  end)

  it("keeps the transport", function()
    assert.equal(5, answering({ body = "5" }):with({ timeout = 1 }):request("GET", "/x"))
  end)

  it("raises for an unknown or wrong option, naming it", function()
    raises("'timout'.*'timeout'", function()
      connect():with { timout = 5 }
    end)
    raises("timeout", function()
      connect():with { timeout = -1 }
    end)
    raises("table", function()
      connect():with "timeout"
    end)
  end)

  it("leaves the caller's table as it was", function()
    local options = { timeout = { total = 3 } }
    connect():with(options)
    assert.same({ timeout = { total = 3 } }, options)
  end)
end)

describe("a closed client", function()
  it("sends nothing: kind aborted", function()
    local tag = fake.fresh_tag()
    local client = connect { tag = tag }
    client:close()
    client:close()
    failure("aborted", client:request("GET", "/ping"))
    failure("aborted", client:stack(fake.stacks.api):load())
    failure("aborted", client:stacks():collect())
    assert.same({}, fake.requests(tag))
  end)

  it("leaves other clients alone, also the one it is a view of", function()
    local client, another = connect(), connect()
    client:with({ timeout = 5 }):close()
    assert.is_true(client:request("GET", "/ping").ok)
    client:close()
    assert.is_true(another:request("GET", "/ping").ok)
  end)
end)

describe("client:stacks", function()
  it("gives all stacks, loaded, in the API's order", function()
    local found = connect():stacks():collect()
    assert.same({ "Awesome App", "awesome-app-staging", "api", "brand new" }, names_of(found))
    for i, name in ipairs(fake.data.stack_names) do
      assert.equal(fake.stacks[name], found[i].uid)
      assert.equal(fake.data.stack(name).environment, found[i].environment)
    end
  end)

  it("turns pages, and only those that are needed", function()
    local tag = fake.fresh_tag()
    local client = connect { tag = tag, page_size = 1 }
    assert.equal(4, client:stacks():count())
    assert.equal(4, #fake.requests(tag))
    client:stacks():take(2):collect()
    assert.equal(6, #fake.requests(tag))
  end)

  it("asks nothing before it is used", function()
    local tag = fake.fresh_tag()
    connect({ tag = tag }):stacks { name = "api" }
    assert.same({}, fake.requests(tag))
  end)

  it("fails in the middle with the page's error", function()
    local client = connect { page_size = 2, error = "server", on = "page2" }
    failure("server", client:stacks():collect())
    failure("server", client:find_stack { name = "brand new" })
    assert.equal(2, #client:stacks():take(2):collect())
  end)

  it("does not take a `next` that is no number, or does not move forward, for the end", function()
    local function list(following)
      return { body = '{"response":[{"uid":"a"}],"pagination":{"current":1,"next":' .. following .. "}}" }
    end
    for _, following in ipairs { "1", "0", "-1", "true", "{}", '"x"', "1.5", "[]" } do
      local value, message, err = answering(list(following)):stacks():collect()
      assert.is_nil(value, following)
      assert.is_true(err.kind == "protocol" or err.kind == "decode", message)
    end
    assert.equal(1, #answering(list "null"):stacks():collect())
    for _, pagination in ipairs { '"x"', "true", "5" } do
      local client = answering { body = '{"response":[{"uid":"a"}],"pagination":' .. pagination .. "}" }
      failure("decode", client:stacks():collect())
    end
  end)

  it("takes criteria and functions", function()
    local client = connect()
    assert.same({ "api" }, names_of(client:stacks({ name = "api" }):collect()))
    assert.same({ "Awesome App", "api" }, names_of(client:stacks({ environment = "production" }):collect()))
    assert.same({ "Awesome App" }, names_of(client:stacks({ status_name = "deploying" }):collect()))
    local short = client:stacks(function(stack)
      return #stack.name < 5
    end)
    assert.same({ "api" }, names_of(short:collect()))
  end)
end)

describe("client:find_stack", function()
  it("finds a stack by its name, whatever its case, on any page", function()
    for _, name in ipairs { "api", "API", "Api" } do
      assert.equal(fake.stacks.api, connect({ page_size = 2 }):find_stack({ name = name }).uid)
    end
    assert.equal("deploying", connect():find_stack({ name = "awesome app" }).status_name)
  end)

  it("takes the environment into account, whatever its case", function()
    assert.equal(fake.stacks.api, connect():find_stack({ name = "api", environment = "PRODUCTION" }).uid)
    failure("none", connect():find_stack { name = "api", environment = "staging" })
  end)

  it("takes no part of a name for the name", function()
    failure("none", connect():find_stack { name = "awesome" })
    failure("none", connect():find_stack { name = "Awesome App " })
    failure("none", connect():find_stack { name = ".*" })
  end)

  it("lists the stacks there are where none is called that", function()
    local _, message = connect():find_stack { name = "apy" }
    assert.matches("apy", message)
    for _, name in ipairs { "Awesome App", "awesome-app-staging", "api", "brand new" } do
      assert.matches(name, message, 1, true)
    end
  end)

  it("lists those that are called that where it is several", function()
    local client = answering {
      body = [[{"response":[
        {"uid":"uid-1","name":"api","environment":"production"},
        {"uid":"uid-2","name":"API","environment":"staging"},
        {"uid":"uid-3","name":"other","environment":"production"}]}]],
    }
    local value, message, err = client:find_stack { name = "api" }
    failure("not_unique", value, message, err)
    assert.matches("production", message)
    assert.matches("staging", message)
    assert.matches("uid-1", message, 1, true)
    assert.matches("uid-2", message, 1, true)
    assert.not_matches("uid-3", message, 1, true)
    assert.equal("uid-2", client:find_stack({ name = "api", environment = "staging" }).uid)
  end)

  it("takes no missing name for a name", function()
    local client = answering { body = '{"response":[{"uid":"a","name":null},{"uid":"b","name":"x","environment":null}]}' }
    failure("none", client:find_stack { name = "nil" })
    failure("none", client:find_stack { name = "x", environment = "nil" })
    assert.equal("b", client:find_stack({ name = "x" }).uid)
  end)

  it("lists names without control characters", function()
    local _, message, err = connect({ hostile = true }):find_stack { name = "nothing" }
    assert.equal("none", err.kind)
    is_harmless(err, message)
    assert.matches("quoted", message)
  end)

  it("raises for criteria it does not know, or that are empty", function()
    local wrong = {
      { {}, "name" },
      { { name = "" }, "name.*empty" },
      { { name = 5 }, "name" },
      { { name = false }, "name" },
      { { environment = "production" }, "name" },
      { { name = "api", environment = "" }, "environment.*empty" },
      { { name = "api", environment = false }, "environment" },
      { { nam = "api" }, "'nam'.*'name'" },
      { { name = "api", enviroment = "x" }, "'enviroment'.*'environment'" },
      { "api", "table" },
    }
    for _, case in ipairs(wrong) do
      raises(case[2], function()
        connect():find_stack(case[1])
      end)
    end
    raises("name", function()
      connect():find_stack()
    end)
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

describe("a client", function()
  it("is read-only, and says so", function()
    local client = connect()
    for _, name in ipairs { "timeout", "token", "token_source", "stacks", "closed" } do
      raises("change", function()
        client[name] = 5
      end)
    end
  end)

  it("shows none of its parts", function()
    local client = connect()
    for _, name in ipairs { "send", "get_page", "settings", "options", "api", "tokn" } do
      raises("no method", function()
        return client[name]
      end)
    end
  end)

  it("keeps the time to connect where a view changes the whole", function()
    local seen
    local client = connect(nil, {
      timeout = { connect = 3, total = 20 },
      transport = function(request)
        seen = request.timeout
        return { status = 200, headers = {}, body = "{}" }
      end,
    })
    client:with({ timeout = { total = 90 } }):request("GET", "/x")
    assert.equal(3, seen.connect)
    assert.equal(90, seen.total)
    client:with({ timeout = 1 }):with({ timeout = 60 }):request("GET", "/x")
    assert.equal(3, seen.connect)
  end)

  it("stays closed in views of it", function()
    local client = connect()
    client:close()
    failure("aborted", client:with({ timeout = 5 }):request("GET", "/ping"))
  end)
end)
