-- examples/nginx/*.conf: what each answers, and what it never writes down. Under LuaJIT alone, which is nginx's Lua.
if not package.loaded.jit then
  return
end

local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local merged = require "spec.support.merged"
local nginx = require "spec.support.nginx"

local UID = fake.stacks.staging
local SECRET = "0123456789abcdef-SECRET"
local live = fake.data.deployments "staging"[1].git_hash

local server

local function start(name, scenario, environment)
  local all = merged({
    CLOUD66_URL = type(scenario) == "string" and scenario or fake.url(scenario),
    CLOUD66_TOKEN = fake.token, CLOUD66_ACCESS_TOKEN = false, CLOUD66_WEBHOOK_SECRET = SECRET,
  }, environment)
  server = nginx.start { file = "examples/nginx/" .. name .. ".conf", environment = all }
end

-- Why it does not start.
local function refusal(name, environment)
  local ok, problem = pcall(start, name, {}, environment)
  assert.is_false(ok)
  return problem
end

local function stop()
  if server then
    server:stop()
    server = nil
  end
end

describe("examples/nginx/gate.conf", function()
  after_each(stop)

  local function gate(uid, hash, method)
    return server:get { url = ("/gate/%s/%s"):format(uid, hash), method = method }
  end

  -- One line of text, which no browser takes for anything else.
  local function answers(expected, pattern, status, body, headers)
    assert.equal(expected, status, body)
    assert.matches(pattern, body)
    assert.matches("^[^\n]+\n$", body)
    assert.equal("text/plain; charset=utf-8", headers["content-type"])
    assert.equal("nosniff", headers["x-content-type-options"])
    assert.equal("no-store", headers["cache-control"])
    return headers
  end

  it("says whether a commit is live", function()
    start "gate"
    answers(200, "is live", gate(UID, live))
    answers(200, "is live", gate(UID, live:sub(1, 7):upper()))
    answers(409, "is not live", gate(UID, "abcdef1"))
    answers(409, "is not live", gate(fake.stacks.brand_new, live))
    answers(404, "no stack has the uid", gate("nobody", live))
    local status, body = gate(UID, live, "HEAD")
    assert.equal(200, status)
    assert.equal("", body)
    assert.equal("", server:holding(fake.token))
  end)

  it("refuses what can be no question, without asking the API", function()
    local tag = fake.fresh_tag()
    start("gate", { tag = tag })
    for _, hash in ipairs { "abcdef", "main", "abcdefg", ("a"):rep(65), "", "%00" .. live, live .. "%0a", live .. "/" } do
      local status = gate(UID, hash)
      assert.equal(400, status, hash)
    end
    for _, uid in ipairs { "", "a%2Fb", "a/b", "a%0Ab", "a%3Fb", "a%5Cb", ("a"):rep(256) } do
      answers(400, ".", gate(uid, live))
    end
    answers(400, "&lt;b&gt;", gate("%26lt;b%26gt;%23", live))
    for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS" } do
      local headers = answers(405, "GET", gate(UID, live, method))
      assert.equal("GET, HEAD", headers.allow)
    end
    for _, path in ipairs { "/", "/gate", "/other" } do
      assert.equal(404, (server:get(path)))
    end
    assert.same({}, fake.requests(tag))
  end)

  it("says 503 when the API cannot be asked", function()
    for _, case in ipairs {
      { fake.closed_url(), "^connect: " },
      { { error = "unauthenticated" }, "^auth: " },
      { { error = "server" }, "^server: " },
      { { error = "bad_request" }, "^bad_request: " },
      { { body = "html" }, "^decode: " },
      { { error = "throttled", retry_after = "1700" }, "^throttled: ", "1700" },
      { { error = "forbidden", error_body = "token" }, "^forbidden: " },
    } do
      start("gate", case[1])
      local headers = answers(503, case[2], gate(UID, live))
      assert.equal(case[3], headers["retry-after"])
      assert.matches(case[2]:sub(2), server:log()) -- an operator reads it too
      assert.is_nil(server:log():find("runtime error", 1, true))
      assert.equal("", server:holding(fake.token))
      server:stop()
    end
    start("gate", { error = "throttled" })
    local seconds = tonumber(answers(503, "^throttled: ", gate(UID, live))["retry-after"])
    assert.is_true(seconds % 1 == 0 and seconds >= 0 and seconds <= 3600)
  end)

  it("gives up after five seconds, however many pages there are", function()
    start("gate", { delay = 2, page_size = 1 }) -- of awesome_app, the third is live
    local before = core.monotonic()
    answers(503, "^timeout: ", gate(fake.stacks.awesome_app, live))
    local seconds = core.monotonic() - before
    assert.is_true(seconds > 4 and seconds < 6.5, tostring(seconds))
  end)

  it("does not start without a token, and says what to do", function()
    assert.matches("no token: .*CLOUD66_TOKEN", refusal("gate", { CLOUD66_TOKEN = false }))
    assert.matches("CLOUD66_TOKEN is set but empty", refusal("gate", { CLOUD66_TOKEN = "" }))
  end)

  it("asks for many at once", function()
    start("gate", { delay = 0.5 })
    local before, transfers = core.monotonic(), {}
    for i = 1, 20 do
      transfers[i] = server:start(("/gate/%s/%s"):format(UID, live))
    end
    for _, transfer in ipairs(transfers) do
      assert.equal(200, (server:finish(transfer)))
    end
    assert.is_true(core.monotonic() - before < 4) -- one after another: 10 seconds
  end)
end)

describe("examples/nginx/webhook.conf", function()
  after_each(stop)

  local function body_of(uid)
    return ('{"event_type":"stack.redeploy.ok","uid":"%s","deploy_context":{"outcome":"success"}}'):format(uid)
  end

  local function post(secret, body)
    return server:get { url = "/webhook/" .. secret, method = "POST", body = body or body_of(UID) }
  end

  local function wait_for_log(text)
    local found = eventually(function() return server:log():find(text, 1, true) end)
    assert.is_truthy(found, server:log())
  end

  local function wait_for_requests(tag, count)
    assert.is_true(eventually(function() return #fake.requests(tag) >= count end))
  end

  it("accepts an event at once, and asks then", function()
    local tag = fake.fresh_tag()
    start("webhook", { tag = tag, delay = 3 })
    core.sleep(1.2)
    assert.same({}, fake.requests(tag))
    local before = core.monotonic()
    local status, body = post(SECRET)
    assert.equal(202, status, body)
    assert.is_true(core.monotonic() - before < 2)
    wait_for_log(("stack %s: "):format(UID))
    wait_for_log(("deployment %d"):format(fake.data.deployments "staging"[1].id))
    local requests = fake.requests(tag)
    assert.equal(1, #requests)
    assert.equal("GET", requests[1].method)
    assert.matches(UID .. "/deployments$", requests[1].path)
  end)

  it("knows no path without the secret, and never writes it down", function()
    local tag = fake.fresh_tag()
    start("webhook", { tag = tag })
    local unknown, page = server:get { url = "/unknown", method = "POST", body = body_of(UID) }
    assert.equal(404, unknown)
    for _, wrong in ipairs { "", SECRET:sub(1, -2), SECRET .. "x", SECRET .. "/", SECRET:lower(), "x", ("x"):rep(#SECRET), "%00" } do
      local status, body = post(wrong)
      assert.equal(wrong == "%00" and 400 or 404, status, wrong)
      assert.is_true(wrong == "%00" or body == page)
    end
    assert.equal(404, (server:get("/webhook/" .. SECRET)))
    assert.equal(404, (server:get("/webhok/" .. SECRET)))
    assert.equal(413, (post(SECRET, (" "):rep(65537))))
    assert.equal(413, (post("wrong", (" "):rep(65537))))
    server:get { url = "/webhook/" .. SECRET, method = "POST", body = "{}", headers = { "Odd_: 1", "Expect: nothing" } }
    for _, none in ipairs { "", "x", "{}", "[]", '{"event_type":"stack.created"}', (" "):rep(65536) } do
      local status, body = post(SECRET, none)
      assert.equal(400, status)
      assert.matches("webhook", body)
    end
    assert.same({}, fake.requests(tag))
    assert.equal(202, (post(SECRET, body_of(UID) .. (" "):rep(65536 - #body_of(UID)))))
    wait_for_log(("stack %s: "):format(UID))
    assert.equal("", server:holding(SECRET:sub(1, 16)))
    assert.matches("http {\n  access_log off;", host.read "examples/nginx/webhook.conf") -- nginx's own is elsewhere, perhaps out of reach
    assert.equal("", server:holding(fake.token))
  end)

  it("is not harmed by an event that is forged", function()
    start "webhook"
    for _, uid in ipairs { "nobody", "../../accounts", "a\\nb", ("a"):rep(60000), "\\u001b[2J", " " } do
      assert.equal(202, (post(SECRET, body_of(uid))))
    end
    wait_for_log "stack nobody: not_found: "
    wait_for_log "bad_request: "
    assert.equal(202, (post(SECRET)))
    wait_for_log(("stack %s: deployment"):format(UID))
    assert.is_nil(server:log():find("[\27]"))
    assert.is_nil(server:log():find("error]", 1, true), server:log())
  end)

  it("refuses for now what it has no room for", function()
    start("webhook", fake.closed_url())
    local counts, transfers = {}, {}
    for i = 1, 40 do
      transfers[i] = server:start { url = "/webhook/" .. SECRET, method = "POST", body = body_of(i .. ("a"):rep(60000)) }
    end
    for _, transfer in ipairs(transfers) do
      local status = server:finish(transfer)
      counts[status] = (counts[status] or 0) + 1
    end
    assert.is_true(counts[202] > 0 and counts[503] > 0 and counts[202] + counts[503] == 40)
  end)

  it("asks seldom in a burst, and again for what comes after", function()
    local tag = fake.fresh_tag()
    start("webhook", { tag = tag, delay = 1 })
    for _ = 1, 50 do
      assert.equal(202, (post(SECRET)))
    end
    wait_for_requests(tag, 1)
    local asked = #fake.requests(tag)
    assert.is_true(asked <= 2) -- two if a second began amid them
    assert.equal(202, (post(SECRET))) -- while the API has not answered
    wait_for_requests(tag, asked + 1)
    core.sleep(1.2)
    assert.is_true(#fake.requests(tag) <= 3)
  end)

  it("does not start without a token, nor without a secret that nobody guesses", function()
    assert.matches("no token: .*CLOUD66_TOKEN", refusal("webhook", { CLOUD66_TOKEN = false }))
    for _, secret in ipairs { false, "", "0123456789abcde", "0123456789abcdef/", "0123456789 abcdef" } do
      local problem = refusal("webhook", { CLOUD66_WEBHOOK_SECRET = secret })
      assert.matches("CLOUD66_WEBHOOK_SECRET must be 16 or more", problem)
      assert.is_true(not secret or secret == "" or not problem:find(secret, 1, true))
    end
  end)
end)
