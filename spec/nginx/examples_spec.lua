-- examples/nginx/*.conf: what each answers, and what it never writes down. Under LuaJIT alone, which is nginx's Lua.
if not package.loaded.jit then
  return
end

local core = require "cloud66.core"
local documented = require "spec.support.documented_webhooks"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local merged = require "spec.support.merged"
local nginx = require "spec.support.nginx"

local UID = fake.stacks.staging
local SECRET = "0123456789abcdef-SECRET"
local live = fake.data.deployments "staging"[1].git_hash

local server

local function start(name, scenario, environment, change)
  local all = merged({
    CLOUD66_URL = type(scenario) == "string" and scenario or fake.url(scenario),
    CLOUD66_TOKEN = fake.token, CLOUD66_ACCESS_TOKEN = false, CLOUD66_WEBHOOK_SECRET = SECRET, CLOUD66_WEBHOOK_MAX_AGE = false,
  }, environment)
  server = nginx.start { file = "examples/nginx/" .. name .. ".conf", environment = all, change = change }
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

  local delivered = 0

  -- Of a redeploy that ended, as it is documented. No two have the same time, which would make them one; age in seconds.
  local function body_of(uid, age)
    delivered = delivered + 1
    return documented.changed("application/redeploy-ok", { uid = uid, timestamp = os.time() - (age or 100000 - delivered) })
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

  -- Whatever came before has been asked for, once this has.
  local function wait_for_all(tag)
    assert.equal(202, (post(SECRET, body_of(fake.stacks.brand_new, 0))))
    assert.is_truthy(eventually(function()
      local requests = fake.requests(tag)
      return #requests > 0 and requests[#requests].path:find(fake.stacks.brand_new, 1, true)
    end))
    return #fake.requests(tag) - 1
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

  it("takes every documented webhook, and asks for no stack that is none", function()
    local tag = fake.fresh_tag()
    start("webhook", { tag = tag })
    for i, page in ipairs(documented.pages) do
      local status, answer = post(SECRET, documented.changed(page, { uid = UID, timestamp = 1757011079 + i }))
      assert.equal(202, status, page .. ": " .. answer)
    end
    assert.is_true(wait_for_all(tag) >= 1)
    for _, request in ipairs(fake.requests(tag)) do
      assert.is_truthy(request.path:find(UID, 1, true) or request.path:find(fake.stacks.brand_new, 1, true), request.path)
    end
    assert.is_nil(server:log():find("[warn]", 1, true), server:log())
  end)

  it("asks for nothing where an event is of no stack", function()
    local tag = fake.fresh_tag()
    start("webhook", { tag = tag })
    for _, page in ipairs { "server/stopped", "server/backon", "job/fail", "container/down", "guide/test", "ssl/install-ok", "disk/space-alert" } do
      assert.equal(202, (post(SECRET, documented.body[page])), page)
    end
    for _, body in ipairs {
      '{"event_type":"new.event","uid":"x"}', '{"event_type":"stack.created"}', '{"event_type":"stack.created","stack":{"uid":5}}',
    } do
      assert.equal(202, (post(SECRET, body)), body)
    end
    assert.equal(0, wait_for_all(tag))
  end)

  it("asks once for what comes twice", function()
    local tag = fake.fresh_tag()
    start("webhook", { tag = tag })
    local first, second, untimed = body_of(UID), body_of(UID), ('{"event_type":"stack.redeploy.ok","uid":"%s"}'):format(UID)
    local other_stack = first:gsub(UID, fake.stacks.api)
    local count = 0
    for _, body in ipairs { first, second, untimed, other_stack, (first:gsub("redeploy%.ok", "redeploy.fail")) } do
      for _ = 1, 3 do
        assert.equal(202, (post(SECRET, body)))
        if body == first then core.sleep(0.1) end
      end
      count = count + 1
      wait_for_requests(tag, count)
      assert.equal(202, (post(SECRET, body)))
    end
    core.sleep(1.2)
    assert.equal(count, #fake.requests(tag))
  end)

  it("refuses what is too old, where that is set", function()
    local tag = fake.fresh_tag()
    start("webhook", { tag = tag }, { CLOUD66_WEBHOOK_MAX_AGE = "300" })
    for _, case in ipairs {
      { "older", body_of(UID, 302) }, { "future", body_of(UID, -70) }, { "timestamp", ('{"event_type":"stack.created","uid":"%s"}'):format(UID) },
      { "older", documented.body["guide/test"] }, { "timestamp", ('{"event_type":"a\\n\\u001b","timestamp":"%d"}'):format(os.time()) },
    } do
      local status, text = post(SECRET, case[2])
      assert.equal(403, status, text)
      assert.matches(case[1], text)
    end
    assert.equal(202, (post(SECRET, documented.changed("guide/test", { timestamp = os.time() }))))
    assert.equal(0, wait_for_all(tag))
    for _, age in ipairs { 290, 0, -50 } do
      assert.equal(202, (post(SECRET, body_of(UID, age))))
    end
    wait_for_requests(tag, 2)
    wait_for_log(("webhook stack.redeploy.ok of stack %s: refused, older than CLOUD66_WEBHOOK_MAX_AGE"):format(UID))
    wait_for_log "webhook a?? of stack (none): refused, without a timestamp"
    assert.equal("", server:holding(SECRET))
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
    for _, none in ipairs { "", "x", "{}", "[]", '{"uid":"x"}', '{"event_type":5,"uid":"x"}', (" "):rep(65536) } do
      local status, body = post(SECRET, none)
      assert.equal(400, status)
      assert.matches("webhook", body)
    end
    assert.same({}, fake.requests(tag))
    local body = body_of(UID)
    assert.equal(202, (post(SECRET, body .. (" "):rep(65536 - #body))))
    wait_for_log(("stack %s: "):format(UID))
    assert.equal("", server:holding(SECRET:sub(1, 16)))
    assert.matches("http {\n  access_log off;", host.read "examples/nginx/webhook.conf") -- nginx's own is elsewhere, perhaps out of reach
    assert.equal("", server:holding(fake.token))
  end)

  it("is not harmed by an event that is forged", function()
    start "webhook"
    for _, uid in ipairs { "../../accounts", "a\\nb", ("a"):rep(60000), "\\u001b[2J", " " } do
      local status, text = post(SECRET, body_of(uid))
      assert.equal(400, status)
      assert.matches("no webhook of Cloud 66", text)
    end
    assert.equal(202, (post(SECRET, body_of "nobody")))
    wait_for_log "stack nobody: not_found: "
    assert.equal(202, (post(SECRET)))
    wait_for_log(("stack %s: deployment"):format(UID))
    assert.is_nil(server:log():find("[\27]"))
    assert.is_nil(server:log():find("error]", 1, true), server:log())
  end)

  it("says which one it has no room for", function()
    start("webhook", fake.closed_url(), nil, function(text)
      return (text:gsub("pending 1m", "pending 20k"):gsub("timer%.every%(1, work%)", "timer.every(3, work)"))
    end)
    local counts, lost = {}, nil
    for i = 1, 100 do
      local uid = ("uid-%d-%s"):format(i, ("a"):rep(80))
      local body = body_of(uid)
      local status = post(SECRET, body)
      counts[status] = (counts[status] or 0) + 1
      if status == 503 then lost = lost or { uid = uid, body = body } end
    end
    assert.equal(100, (counts[202] or 0) + (counts[503] or 0))
    assert.is_table(lost)
    wait_for_log(("webhook stack.redeploy.ok of stack %s: lost, make lua_shared_dict pending larger"):format(lost.uid))
    assert.is_truthy(eventually(function() return post(SECRET, lost.body) == 202 end)) -- by hand, once some were asked for
    wait_for_log(("stack %s: connect: "):format(lost.uid))
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

  it("does not start with an age that is none", function()
    for _, age in ipairs { "", "0", "-5", "5m", "300.5", "100000", "0x10" } do
      assert.matches("CLOUD66_WEBHOOK_MAX_AGE must be seconds", refusal("webhook", { CLOUD66_WEBHOOK_MAX_AGE = age }))
    end
  end)
end)
