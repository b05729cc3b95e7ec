-- What becomes of each response: replies that are errors, and those that say 200.
local cloud66 = require "cloud66"
local canned = require "spec.support.canned"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local harmless = require "spec.support.harmless"

local connect, failure = expect.connect, expect.failure
local answering, is_harmless = canned.client, harmless.check

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
