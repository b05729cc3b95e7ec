-- examples/nginx/board: what it tells of the API, when the API is away too, and what it never tells. Under LuaJIT alone.
if not package.loaded.jit then
  return
end

local board = require "spec.support.board"
local cjson = require "cjson"
local core = require "cloud66.core"
local curl = require "cloud66.curl"
local fake = require "spec.support.fake"
local happens = require "spec.support.eventually"
local hour = require "spec.support.hour"

local UID = fake.stacks.staging
local count, eventually = board.count, board.eventually

local server

local function start(...)
  server = board.start(...)
end

after_each(board.stop)

-- The body of a path that is answered with 200, and the headers.
local function get(path)
  local status, body, headers = server:get(path)
  assert.equal(200, status, body)
  return body, headers
end

-- Waits until the page has a text, or, with `gone`, has it no more.
local function page_with(text, gone)
  local body, headers
  local found = happens(function()
    local status
    status, body, headers = server:get "/"
    return (status == 200 or status == 503) and (body:find(text, 1, true) ~= nil) ~= (gone == true)
  end, board.PATIENCE)
  assert.is_truthy(found, ("%s %s in %s"):format(text, gone and "stays" or "is not", body:gsub('<ol class="strip".-</ol>', "")))
  return body, headers
end

local function deployments(uid)
  return board.deployments(server, uid)
end

local function asked_for(tag, uid)
  return #board.requests(tag, uid)
end

describe("the board's page", function()
  it("says of each stack what is live, what is deploying and how it went", function()
    start()
    assert(board.stacks(server))
    eventually(function() return #deployments(UID) == 50 end)
    local body = page_with 'aria-label="The last 50 deployments'
    local live = fake.data.deployments "staging"[1]
    for _, text in ipairs {
      "<bdi>Awesome App</bdi>", "<bdi>production</bdi>", "<bdi>awesome-app-staging</bdi>", "<bdi>brand new</bdi>",
      ('<a class="hash" href="%s" rel="noreferrer noopener">%s</a>'):format(live.commit_url, live.git_hash:sub(1, 7)),
      ('<bdi class="ref">%s</bdi>'):format(live.git_ref), "Nothing has been deployed yet.",
      'Deploying</span> <bdi class="ref">main</bdi>', "longer than usual", '<meta http-equiv="refresh"',
    } do
      assert.is_truthy(body:find(text, 1, true), text)
    end
    assert.is_nil(body:find("awesome.example", 1, true)) -- of addresses the local part alone
    assert.is_nil(body:find(" style=", 1, true))
    assert.is_nil(body:find("This is what was known", 1, true))
    local staging = body:match(('data%%-key="%s".-</article>'):format(UID))
    local counts = { success = 0, failed = 0 }
    for i = 1, 50 do
      local outcome = fake.data.deployments "staging"[i].outcome
      counts[outcome] = counts[outcome] + 1
    end
    assert.equal(counts.success, count(staging, '<li class="ok'))
    assert.equal(counts.failed, count(staging, '<li class="bad'))
    assert.is_truthy(staging:find(("%d%%%% <small>of 50"):format(math.floor(counts.success * 2)):gsub("%%%%", " %%"), 1, true), staging)
  end)

  it("says the same where the API lists the oldest deployments first", function()
    start { order = "oldest" }
    assert(board.stacks(server))
    for name, most in pairs { staging = 50, awesome_app = 50, api = 30 } do
      local known, want = fake.data.deployments(name), {}
      for i = 1, most do
        want[i] = tostring(known[i].id)
      end
      local got
      happens(function()
        got = {}
        for i, d in ipairs(deployments(fake.stacks[name])) do
          got[i] = tostring(d.id)
        end
        return #got == most
      end, board.PATIENCE)
      assert.same(want, got)
    end
  end)

  it("escapes what the API says", function()
    local world = fake.world()
    world:add_deployment("staging", {
      git_ref = '<script>alert("&")</script>', triggered_by = "<b>x</b>@evil.example", commit_url = "javascript:alert(1)", is_live = true,
    })
    world:add_deployment("api", { commit_url = "https://github.com/a\"onmouseover=alert(1)", git_hash = "zzzz<i>zzzz" })
    start { world = world.name }
    local body = page_with "&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;"
    assert.equal(1, count(body, "<script"))
    for _, text in ipairs { "<b>", "<i>z", "javascript:", "evil.example", "onmouseover" } do
      assert.is_nil(body:find(text, 1, true), text)
    end
    local badge = get(("/badge/%s.svg"):format(UID))
    assert.is_truthy(badge:find("&lt;script&gt;", 1, true) and not badge:find("<script", 1, true))
    server:stop()

    start { hostile = true }
    assert(board.stacks(server))
    for _, path in ipairs { "/", "/fragment", "/badge/" .. UID .. ".svg", "/api/stacks.json" } do
      assert.is_nil(get(path):find "[%z\1-\8\11-\31\127]", path)
    end
    assert.equal(fake.data.hostile.text, deployments(UID)[1].git_ref)
  end)

  it("shows the stacks that were chosen, in that order, and says which there is not", function()
    start({}, { BOARD_STACKS = ("nobody, %s %s"):format(fake.stacks.api, UID) })
    local body = page_with "The API knows no such stack."
    local keys = {}
    for key in body:gmatch 'data%-key="([^"]*)"' do keys[#keys + 1] = key end
    assert.same({ "nobody", fake.stacks.api, UID }, keys)
    local stacks = assert(board.stacks(server, function(all) return all[UID] and all[UID].known_at ~= cjson.null end))
    assert.equal("not_found", stacks.nobody.trouble)
    assert.equal(503, (server:get "/badge/nobody.svg"))
  end)

  it("does not guess at what it cannot read", function()
    start { drift = true }
    page_with "The API's answer could not be read."
  end)
end)

describe("the board's other answers", function()
  it("are JSON", function()
    start()
    local stacks = assert(board.stacks(server))
    local staging, newest = stacks[UID], fake.data.deployments "staging"[1]
    assert.equal("awesome-app-staging", staging.name)
    assert.equal(newest.git_hash, staging.live.git_hash)
    assert.equal(newest.started_at, staging.live.started_at)
    assert.equal(tostring(newest.id), staging.live.id)
    assert.equal(cjson.null, staging.deploying)
    assert.is_true(staging.success_rate > 0.5 and staging.success_rate <= 1 and staging.median_duration > 60)
    local running = stacks[fake.stacks.awesome_app].deploying
    assert.equal("main", running.git_ref)
    assert.is_true(running.is_overdue and running.usual_duration > 0)
    assert.equal(cjson.null, stacks[fake.stacks.brand_new].live)
    assert.matches('"deployments":%[%]', (get(("/api/stacks/%s/deployments.json"):format(fake.stacks.brand_new))))
    eventually(function() return #deployments(UID) == 50 end)
    for i, d in ipairs(deployments(UID)) do
      local model = fake.data.deployments "staging"[i]
      assert.same({ tostring(model.id), model.outcome, model.git_ref, model.triggered_by:match "^[^@]+" },
        { d.id, d.outcome, d.git_ref, d.triggered_by })
    end
  end)

  it("are badges", function()
    start()
    assert(board.stacks(server))
    local badge, headers = get(("/badge/%s.svg"):format(UID))
    assert.equal("image/svg+xml", headers["content-type"])
    assert.equal("cross-origin", headers["cross-origin-resource-policy"])
    assert.matches("^<svg .*awesome%-app%-staging: live develop@" .. fake.data.deployments "staging"[1].git_hash:sub(1, 7), badge)
    assert.matches("deploying main@", (get(("/badge/%s.svg"):format(fake.stacks.awesome_app))))
    assert.matches("never deployed", (get(("/badge/%s.svg"):format(fake.stacks.brand_new))))
    for _, path in ipairs { "/badge/nobody.svg", "/badge/.svg", "/badge/a%2Fb.svg", "/api/stacks/nobody/deployments.json" } do
      assert.equal(404, (server:get(path)), path)
    end
  end)

  it("are a gate", function()
    start()
    assert(board.stacks(server))
    local live = fake.data.deployments "staging"[1].git_hash
    local function gate(uid, hash)
      local status, body, headers = server:get(("/gate/%s/%s"):format(uid, hash))
      assert.matches("^[^\n]+\n$", body)
      assert.equal("no-store", status == 400 and "no-store" or status == 404 and "no-store" or headers["cache-control"])
      return status
    end
    assert.equal(200, gate(UID, live))
    assert.equal(200, gate(UID, live:sub(1, 7):upper()))
    assert.equal(409, gate(UID, "abcdef1"))
    assert.equal(409, gate(UID, live .. "00"))
    assert.equal(409, gate(fake.stacks.brand_new, live))
    assert.equal(404, gate("nobody", live))
    for _, hash in ipairs { "abcdef", "main", ("a"):rep(65), live .. "/x" } do
      assert.equal(400, gate(UID, hash), hash)
    end
    server:stop()

    start { live = "none" }
    assert(board.stacks(server))
    assert.equal(503, gate(UID, live)) -- there are older ones, of which one may be live
    assert.equal(409, gate(fake.stacks.api, live)) -- these are all
  end)

  it("are no other paths or methods, and no proxy", function()
    start()
    assert(board.stacks(server))
    local paths = { "/", "/fragment", "/board.css", "/board.js", "/icon.svg", "/api/stacks.json", "/badge/" .. UID .. ".svg" }
    for _, path in ipairs(paths) do
      local body, headers = get(path)
      assert.is_truthy(headers.etag, path)
      local status, nothing, same = server:get { url = path, method = "HEAD" }
      assert.equal(200, status, path)
      assert.equal("", nothing)
      assert.equal(headers["content-type"], same["content-type"])
      if path:find "^/board" then assert.equal(tostring(#body), same["content-length"]) end -- the others may change meanwhile
      for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS", "PATCH" } do
        local refused, _, about = server:get { url = path, method = method }
        assert.equal(405, refused, method .. path)
        assert.equal("GET, HEAD", about.allow)
      end
    end
    for _, path in ipairs { "/x", "/board.conf", "/serve.lua", "/api", "/api/stacks", "/.git/config", "/webhook" } do
      assert.equal(404, (server:get(path)), path)
    end
    local tag = fake.fresh_tag()
    local transfer = assert(curl.engine():start { url = fake.url { tag = tag } .. "/stacks.json", proxy = server:url "" })
    assert.equal(404, (server:finish(transfer)))
    assert.same({}, fake.requests(tag))
  end)

  it("are not sent again to who has them", function()
    start({}, { BOARD_INTERVAL = "600" })
    assert(board.stacks(server))
    for _, path in ipairs { "/board.css", "/api/stacks.json", "/badge/" .. UID .. ".svg" } do
      local body, headers = get(path)
      assert.equal("no-cache", headers["cache-control"])
      local etag = headers.etag:match '"[^"]+"' -- a weak one, as it came compressed
      for _, tags in ipairs { etag, "W/" .. etag, '"other", ' .. etag } do
        local status, nothing, about = server:get { url = path, headers = { "If-None-Match: " .. tags } }
        assert.equal(304, status, path)
        assert.equal("", nothing)
        assert.equal("nosniff", about["x-content-type-options"])
      end
      local status, again = server:get { url = path, headers = { 'If-None-Match: "other"' } }
      assert.equal(200, status)
      assert.equal(body, again)
    end
  end)

  it("protect their reader, and never hold the token", function()
    local token = fake.token
    start({}, { BOARD_STACKS = UID .. " " .. fake.stacks.api })
    assert(board.stacks(server))
    for _, path in ipairs { "/", "/fragment", "/board.js", "/api/stacks.json", "/nothing", "/gate/" .. UID .. "/abcdef1", "/badge/x.svg" } do
      local _, body, headers = server:get(path)
      assert.is_nil(body:find(token, 1, true))
      assert.equal("nosniff", headers["x-content-type-options"])
      assert.equal("no-referrer", headers["referrer-policy"])
      local policy = headers["content-security-policy"]
      assert.matches("default%-src 'none'", policy)
      assert.matches("frame%-ancestors 'none'", policy)
      assert.is_nil(policy:find "unsafe")
      for _, value in pairs(headers) do assert.is_nil(value:find(token, 1, true)) end
    end
    server:stop()
    start { error = "forbidden", error_body = "token" }
    page_with "The token may not see this stack."
    assert.equal("", server:holding(token))
  end)
end)

describe("the board without the API", function()
  it("shows what was known with its age, logs that once, and goes on when the API is back", function()
    local front = board.front()
    start(front.url)
    assert(board.stacks(server))
    front:stop()
    local _, headers = page_with "This is what was known"
    assert.is_true(tonumber(headers.age) >= 3)
    local body = page_with "The API cannot be reached."
    assert.is_truthy(body:find("awesome-app-staging", 1, true))
    local json, about = get "/api/stacks.json"
    assert.is_true(tonumber(about.age) >= 3)
    assert.matches('"trouble":"connect"', json)
    local later = tonumber(headers.age)
    eventually(function() return tonumber(select(2, get "/").age) >= later + 2 end)
    local warnings = count(server:log(), "%[warn%][^\n]*cannot be asked for")
    assert.is_true(warnings >= 1 and warnings <= 4, server:log()) -- one for each stack
    assert.is_nil(server:log():find("[error]", 1, true), server:log())
    server:signal "HUP"
    eventually(function() return count(server:log(), "asks the API from now on") >= 2 end, server:log())
    assert.is_truthy(get("/"):find("awesome-app-staging", 1, true)) -- a reload forgets nothing
    assert.equal(warnings, count(server:log(), "%[warn%][^\n]*cannot be asked for"))
    front:start()
    page_with("This is what was known", true)
    eventually(function() return count(server:log(), "can be asked for again") == warnings end, server:log())
    eventually(function() return tonumber(select(2, get "/").age) <= 2 end)
  end)

  it("gives nothing out that is older than the limit", function()
    local front = board.front()
    start(front.url, { BOARD_STALE = "5" })
    assert(board.stacks(server))
    front:stop()
    local badge, gate = ("/badge/%s.svg"):format(UID), ("/gate/%s/abcdef1"):format(UID)
    for _, path in ipairs { "/", "/fragment", "/api/stacks.json", badge, gate, ("/api/stacks/%s/deployments.json"):format(UID) } do
      local oldest = 0
      eventually(function()
        local status, _, headers = server:get(path)
        oldest = math.max(oldest, tonumber(headers.age or 0))
        return status == 503 and headers["retry-after"] == "1" and headers.etag == nil
      end, path)
      assert.is_true(oldest <= 5)
    end
    local status, body = server:get "/"
    assert.equal(503, status)
    assert.matches("Nothing is known%.</span> The API cannot be reached%.", body)
    assert.is_nil(body:find("develop</bdi>", 1, true))
    front:start()
    assert(board.stacks(server))
    page_with "develop</bdi>"
  end)

  it("says why there never was anything", function()
    start { error = "unauthenticated" }
    page_with "The API does not accept the token."
    assert.equal(503, (server:get "/"))
    for _, path in ipairs { "/api/stacks.json", "/badge/" .. UID .. ".svg", "/gate/" .. UID .. "/abcdef1" } do
      assert.equal(503, (server:get(path)), path)
    end
  end)

  it("waits as long as the API says when it asked too often", function()
    local tag = fake.fresh_tag()
    start { tag = tag, error = "throttled", on = "deployments", retry_after = "100" }
    page_with "The API has been asked too often."
    core.sleep(3)
    for _, name in ipairs { "staging", "api" } do
      assert.equal(1, asked_for(tag, fake.stacks[name]))
    end
  end)

  it("keeps nobody waiting who asks", function()
    start { delay = 60 }
    for _, path in ipairs { "/", "/api/stacks.json", "/gate/" .. UID .. "/abcdef1" } do
      local before = core.monotonic()
      assert.equal(503, (server:get(path)))
      assert.is_true(core.monotonic() - before < 8, path)
    end
  end)
end)

describe("the board's workers", function()
  local function holder()
    local pid
    for found in server:log():gmatch "worker (%d+) asks the API from now on" do pid = tonumber(found) end
    return pid
  end

  it("ask once per stack and interval, however many they are", function()
    local tag = fake.fresh_tag()
    local before = core.monotonic()
    start({ tag = tag }, { BOARD_INTERVAL = "2" }, 4)
    eventually(function() return asked_for(tag, UID) >= 4 end)
    local times, lists = {}, 0
    for _, request in ipairs(fake.requests(tag)) do
      local uid = request.path:match "/stacks/([^/]+)/deployments"
      lists = uid and lists or lists + 1
      times[uid or ""] = (times[uid or ""] or 0) + 1
    end
    local seconds = core.monotonic() - before
    for _, uid in pairs(fake.stacks) do
      assert.is_true(times[uid] >= 2 and times[uid] <= seconds / 2 + 1, ("%d in %.1f seconds"):format(times[uid], seconds))
    end
    assert.equal(1, lists)
    assert.equal(1, count(server:log(), "asks the API from now on"))
  end)

  it("go on when the one that asks is killed", function()
    local tag, world = fake.fresh_tag(), fake.world()
    start({ tag = tag, world = world.name }, nil, 3)
    assert(board.stacks(server))
    local killed = assert(holder())
    server:signal("KILL", killed)
    world:add_deployment("staging", { git_ref = "after-the-kill" })
    page_with "after-the-kill"
    assert.is_true(holder() ~= killed)
    eventually(function() return #server:workers() == 3 end)
  end)
end)

describe("the board's settings", function()
  it("that make no sense keep it from starting", function()
    for name, cases in pairs {
      BOARD_INTERVAL = { "", "0" }, BOARD_STALE = { "1h" }, BOARD_STACKS = { " , ", "a/b" }, CLOUD66_WEBHOOK_SECRET = { "", "short" },
      CLOUD66_WEBHOOK_MAX_AGE = { "", "0", "5m" },
      CLOUD66_TOKEN = { false },
    } do
      for _, value in ipairs(cases) do
        local ok, problem = pcall(start, {}, { [name] = value })
        assert.is_false(ok, name)
        assert.is_truthy(problem:find(name, 1, true), problem)
      end
    end
  end)

  it("keep the hour's requests below the limit", function()
    local tag = fake.fresh_tag()
    start({ tag = tag }, { BOARD_REQUESTS = "60" }) -- four stacks: each every five minutes
    assert(board.stacks(server))
    core.sleep(3)
    assert.equal(1, asked_for(tag, UID))
    for _ = 1, 3 do -- webhooks come above that, within the hour's requests
      assert.equal(202, board.wake(server, UID))
    end
    eventually(function() return asked_for(tag, UID) >= 2 end)
  end)

  it("hold for what webhooks wake, too", function()
    hour.leave(15)
    local tag = fake.fresh_tag()
    start({ tag = tag, ratelimit = "yes", limit = 10 }, { BOARD_INTERVAL = "3600" })
    assert(board.stacks(server))
    eventually(function()
      board.wake(server, UID)
      local stacks = board.stacks(server)
      return stacks and stacks[UID].trouble == "throttled"
    end)
    local asked = #fake.requests(tag)
    for _ = 1, 3 do
      assert.equal(202, board.wake(server, UID))
      core.sleep(1.2)
    end
    assert.is_true(#fake.requests(tag) <= asked + 1) -- one a minute finds out whether it still is so
  end)
end)
