-- What becomes of each response: replies that are errors, and those that say 200.
local cloud66 = require "cloud66"
local canned = require "spec.support.canned"
local error_body = require "cloud66.http.error_body"
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
    gone = { 410, "not_found" },
    unprocessable = { 422, "bad_request" },
    upgrade_required = { 426, "bad_request" },
    too_many = { 429, "throttled" },
    server = { 500, "server" },
    system = { 500, "server" },
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
  local status_advice = { [410] = "no longer", [422] = "does not accept the values", [426] = "upgrade this library" }

  local WITHOUT_ID = { html = true, text = true, empty = true, object = true, list = true, errors = true, message = true, other = true }

  local function each_reply(form, fn, is_strange)
    for id, reply in pairs(replies) do
      local client = connect { error = id, error_body = form }
      local kind = reply[2]
      if reply[1] == 503 and WITHOUT_ID[form] then
        kind = "server" -- nothing tells a throttled client from a broken server
      end
      local value, message, err = client:request("GET", "/ping/auth")
      failure(kind, value, message, err)
      assert.equal(reply[1], err.status)
      if not is_strange then
        assert.matches(status_advice[reply[1]] or advice[kind] or "", message)
      end
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

  it("has its kind from the status where the body is empty", function()
    each_reply("empty", function(err, message)
      assert.is_nil(err.code)
      assert.is_nil(err.intermediary)
      assert.matches("%(HTTP %d+%)$", message)
    end)
  end)

  -- What may be said of a kind, whoever has answered.
  local FOREIGN = { timeout = ": try again (", throttled = ": wait before you try again (", server = ": try again later (" }
  local WAY = ": check base_url, and what filters requests on the way to it ("

  it("whose body is HTML has its kind from the status, and no advice that rests on the API's word", function()
    each_reply("html", function(err, message)
      assert.is_nil(err.code)
      assert.is_true(err.intermediary)
      assert.equal(("%s: the response is HTML from something in between (a firewall, a proxy, a login page), not from the API%sHTTP %d)")
        :format(err.kind, FOREIGN[err.kind] or WAY, err.status), message)
    end, true)
    local before = "\239\187\191\r\n <!DOCTYPE html><html>"
    assert.matches("is HTML from", select(2, answering({ status = 403, body = before }):request("GET", "/x")))
  end)

  it("whose body is other text may be from something in between, and says so with that text", function()
    each_reply("text", function(err, message)
      assert.is_nil(err.code)
      assert.is_nil(err.intermediary)
      assert.matches("the response is no JSON: perhaps something in between", message, 1, true)
      assert.matches((FOREIGN[err.kind] or WAY) .. "HTTP " .. err.status .. ": ", message, 1, true)
      assert.not_matches("scope or|trial has|does not see", message)
    end, true)
    local _, message = connect({ error = "forbidden", error_body = "text" }):request("GET", "/ping")
    assert.matches(": the access token does not have the scope this needs%)$", message)
    _, message = answering({ status = 403, body = "\255" }):request("GET", "/x")
    assert.matches("%(HTTP 403%)$", message)
    _, message = answering({ status = 403, body = '{"error":"forb' }):request("GET", "/x")
    assert.matches('%(HTTP 403: {"error":"forb%)$', message)
  end)

  it("that was recorded has its id and its text", function()
    for _, form in ipairs { false, "two_keys" } do
      local err = failure("server", connect({ error = "system", error_body = form or nil }):request("GET", "/ping"))
      assert.equal("system", err.code)
      assert.equal(500, err.status)
      assert.matches("(HTTP 500, system: An unknown error has occurred.)", err.message, 1, true)
    end
  end)

  it("keeps its reason in whatever form it comes", function()
    local reasons = {
      object = "(HTTP 422: code: unprocessable, message: the settings are not valid)",
      list = "(HTTP 422: the settings are not valid; and more)",
      errors = "(HTTP 422: the settings are not valid; name: is taken)",
      message = "(HTTP 422: the settings are not valid)",
      other = "(HTTP 422: reason: the settings are not valid)",
    }
    for form, reason in pairs(reasons) do
      each_reply(form, function(err)
        assert.is_nil(err.code)
      end)
      local err = failure("bad_request", connect({ error = "unprocessable", error_body = form }):request("GET", "/ping"))
      assert.equal("bad_request: the API understands the request, and does not accept the values in it " .. reason, err.message)
    end
    for body, reason in pairs {
      ['{"error":"a","message":"b"}'] = ", a: b", ['{"error":"a","errors":["b","c"]}'] = ", a: b; c", ['{"error":"a","status":4}'] = ", a",
      ['{"error":"a","details":{"x":["b"],"y":1}}'] = ", a: x: b, y: 1", ['{"error":"","details":"","error_description":"b"}'] = ": b",
      ['{"details":[],"message":"b"}'] = ": b", ['"a text"'] = ": a text", ["[null,{}]"] = "", ["{}"] = "", ["null"] = "", ["7"] = ": 7",
      ['{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}'] = ": a: a: a: a: a: ...", ['{"error":false}'] = ": error: false",
    } do
      local _, message = answering({ status = 400, body = body }):request("GET", "/x")
      assert.equal(("bad_request: the API does not understand the request (HTTP 400%s)"):format(reason), message, body)
    end
  end)

  it("shows no token in its reason, wherever it stands, and not all of a long one", function()
    local token, long = fake.token, ("x"):rep(990)
    for _, body in ipairs {
      '{"error":{"m":"%s"}}', '{"error":["%s"]}', '{"errors":{"%s":"x"}}', '{"message":"%s"}', '{"x":"%s"}', '"%s"', "%s",
      '["' .. long .. '","%s"]', '{"a":"' .. long .. '","b":"%s"}',
    } do
      local _, message, err = answering({ status = 403, body = body:format(token) }):request("GET", "/x")
      is_harmless(err, message)
      assert.not_matches(token:sub(1, 10), message, 1, true)
      assert.is_true(#message < 1200)
    end
    local many = {}
    for i = 1, 100000 do
      many[i] = '"word"'
    end
    local body = "[" .. table.concat(many, ",") .. "]"
    local _, message = answering({ status = 403, body = body }):request("GET", "/x")
    assert.is_true(#message < 1200)
    assert.is_true(#select(2, error_body.read(body)) < 2000) -- it is not gathered to be thrown away
  end)

  it("costs no more time for the white space that is in its text", function()
    local start = os.clock()
    local _, reason = error_body.read(" a" .. (" "):rep(60000) .. "b\n")
    assert.equal(60002, #reason)
    assert.equal("", select(2, error_body.read((" "):rep(60000))))
    assert.is_true(os.clock() - start < 1, os.clock() - start)
  end)

  it("of a redirect has its own advice, though its page is HTML", function()
    local err = failure("protocol", answering({ status = 302, body = "<html>" }):request("POST", "/x"))
    assert.matches("a redirect that is not followed", err.message, 1, true)
    assert.is_nil(err.intermediary)
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

  it("and an error body in any form is a decode error with its reason", function()
    for body, reason in pairs {
      ['{"error":"a"}'] = "a", ['{"error":"a","details":"b"}'] = "a: b", ['{"error":{"b":1}}'] = "b: 1", ['{"error":["b"]}'] = "b",
    } do
      local err = failure("decode", answering({ body = body }):stack("x"):load())
      assert.equal("decode: the response is an error body: " .. reason, err.message)
    end
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
