-- examples/nginx/board: what a webhook does to it, and what none may do. Under LuaJIT alone.
if not package.loaded.jit then
  return
end

local board = require "spec.support.board"
local cjson = require "cjson"
local core = require "cloud66.core"
local documented = require "spec.support.documented_webhooks"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"

local UID = fake.stacks.staging
local eventually = board.eventually

local server

local function start(...)
  server = board.start(...)
end

after_each(board.stop)

local function post(secret, body)
  return server:get { url = "/webhook/" .. secret, method = "POST", body = body }
end

-- Posts to the path with the secret; gives the status.
local function deliver(body)
  return (post(board.SECRET, body))
end

local function page_with(text)
  eventually(function() return select(2, server:get "/"):find(text, 1, true) end, text)
end

local function asked_for(tag, uid)
  return #board.requests(tag, uid)
end

-- A board that asks for nothing by itself any more, once it knows all.
local function start_quiet(tag, environment, change)
  start({ tag = tag }, merged({ BOARD_INTERVAL = "3600" }, environment), nil, change)
  assert(board.stacks(server))
end

describe("the board's webhook", function()
  it("of a redeploy has the stack asked for at once", function()
    local world, tag = fake.world(), fake.fresh_tag()
    start({ world = world.name, tag = tag }, { BOARD_INTERVAL = "3600" })
    assert(board.stacks(server))
    local d = world:add_deployment("staging", { git_ref = "hooked" })
    assert.equal(202, deliver(documented.changed("application/deploy-started", { uid = UID })))
    page_with "hooked"
    world:change(d, { finished_time = world:now(), outcome = "failed" })
    local asked, before = asked_for(tag, UID), core.monotonic()
    for _ = 1, 20 do assert.equal(202, board.wake(server, UID)) end
    page_with "Last one failed"
    local times = asked_for(tag, UID) - asked
    assert.is_true(times >= 1 and times <= core.monotonic() - before + 2, times) -- one a second at most
    assert.equal(1, asked_for(tag, fake.stacks.api))
  end)

  it("is taken in each documented form, and asks for no stack that is none", function()
    local tag = fake.fresh_tag()
    start_quiet(tag)
    local before = #fake.requests(tag)
    for i, page in ipairs(documented.pages) do
      local status, text = post(board.SECRET, documented.changed(page, { uid = UID, timestamp = 1757011079 + i }))
      assert.equal(202, status, page .. ": " .. text)
    end
    eventually(function() return asked_for(tag, UID) > 1 end)
    core.sleep(1.5)
    assert.equal(asked_for(tag, UID) - 1, #fake.requests(tag) - before)
  end)

  it("that is of no stack asks for nothing", function()
    local tag = fake.fresh_tag()
    start_quiet(tag)
    local before = #fake.requests(tag)
    for _, page in ipairs { "server/stopped", "server/backon", "job/fail", "container/down", "guide/test", "ssl/install-ok", "disk/space-alert" } do
      assert.equal(202, deliver(documented.body[page]), page)
    end
    for _, body in ipairs {
      '{"event_type":"new.event","uid":"x"}', '{"event_type":"stack.created"}', '{"event_type":"stack.created","stack":{"uid":5}}',
    } do
      assert.equal(202, deliver(body), body)
    end
    core.sleep(1.5)
    assert.equal(before, #fake.requests(tag))
  end)

  it("of an unknown stack has the list asked for, once a minute", function()
    local tag = fake.fresh_tag()
    local function lists()
      local count = 0
      for _, request in ipairs(fake.requests(tag)) do
        if request.path:find "/stacks$" then count = count + 1 end
      end
      return count
    end
    start({ tag = tag }, nil, nil, function(text) -- the minute is over in two seconds
      return (text:gsub("location / {", [[location /soon {
        content_by_lua_block { ngx.shared.webhooks:set("list", ngx.now() + 2, 2); ngx.say "" }
      }
      location / {]]))
    end)
    assert(board.stacks(server))
    core.sleep(1)
    local before = lists()
    for i = 1, 10 do assert.equal(202, board.wake(server, "unknown-" .. i)) end
    eventually(function() return lists() > before end)
    for i = 11, 20 do assert.equal(202, board.wake(server, "unknown-" .. i)) end
    core.sleep(2)
    assert.equal(before + 1, lists())
    assert.equal(200, (server:get "/soon"))
    assert.equal(202, board.wake(server, "unknown")) -- not lost, but late
    eventually(function() return lists() == before + 2 end)
    assert.equal(0, asked_for(tag, "unknown"))
  end)

  it("that comes twice asks once", function()
    local tag = fake.fresh_tag()
    start_quiet(tag)
    local timed = documented.changed("application/redeploy-fail", { uid = UID })
    local untimed = ('{"event_type":"stack.redeploy.ok","uid":"%s"}'):format(UID)
    local count = asked_for(tag, UID)
    for _, body in ipairs { timed, untimed, (timed:gsub("1757011079", "1757011080")) } do
      assert.equal(202, deliver(body))
      count = count + 1
      eventually(function() return asked_for(tag, UID) == count end)
      core.sleep(1.2)
      for _ = 1, 3 do assert.equal(202, deliver(body)) end
    end
    core.sleep(1.5)
    assert.equal(count, asked_for(tag, UID))
    assert.equal(202, deliver(documented.changed("application/redeploy-fail", { uid = fake.stacks.api })))
    eventually(function() return asked_for(tag, fake.stacks.api) == 2 end)
  end)

  it("that is too old is refused where that is set, and the log says so", function()
    local tag = fake.fresh_tag()
    start_quiet(tag, { CLOUD66_WEBHOOK_MAX_AGE = "300" })
    local function aged(seconds)
      return documented.changed("application/redeploy-ok", { uid = UID, timestamp = os.time() - seconds })
    end
    for _, case in ipairs {
      { "older", aged(302) }, { "future", aged(-70) }, { "timestamp", ('{"event_type":"stack.created","uid":"%s"}'):format(UID) },
      { "older", documented.body["guide/test"] },
    } do
      local status, text = post(board.SECRET, case[2])
      assert.equal(403, status)
      assert.matches(case[1], text)
    end
    core.sleep(1.5)
    assert.equal(1, asked_for(tag, UID))
    assert.equal(202, deliver(aged(290)))
    eventually(function() return asked_for(tag, UID) == 2 end)
    eventually(function() return server:log():find("webhook test.webhook of stack (none): refused, older than CLOUD66_WEBHOOK_MAX_AGE", 1, true) end)
    assert.equal("", server:holding(board.SECRET))
  end)

  it("finds room where the board has none", function()
    local tag = fake.fresh_tag()
    start_quiet(tag, nil, function(text)
      return (text:gsub("location / {", [[
        location /fill { content_by_lua_block {
          for _, name in ipairs { "board", "webhooks" } do
            local n = 0
            for size = 64, 0, -1 do
              repeat n = n + 1 until not ngx.shared[name]:safe_set("junk" .. n, ("x"):rep(math.max(size * 64, 1)))
            end
          end
          ngx.say ""
        } }
        location / {]]))
    end)
    assert.equal(200, (server:get "/fill"))
    assert.equal(202, board.wake(server, UID))
    eventually(function() return asked_for(tag, UID) == 2 end)
  end)

  it("knows nobody without the secret, and never writes it down", function()
    local tag = fake.fresh_tag()
    local event = documented.changed("application/redeploy-ok", { uid = UID })
    start_quiet(tag)
    for _, wrong in ipairs { "", "x", board.SECRET .. "x", board.SECRET:lower() } do
      assert.equal(404, (post(wrong, event)), wrong)
    end
    assert.equal(404, (server:get("/webhook/" .. board.SECRET)))
    for _, none in ipairs { "", "x", "{}", "[]", '{"uid":"x"}', '{"event_type":5,"uid":"x"}', '{"event_type":"stack.created","uid":"../x"}' } do
      assert.equal(400, deliver(none), none)
    end
    assert.equal(413, deliver((" "):rep(65537)))
    core.sleep(1)
    assert.equal(1, asked_for(tag, UID))
    assert.equal("", server:holding(board.SECRET))
    server:stop()
    start({}, { CLOUD66_WEBHOOK_SECRET = false })
    assert.equal(404, deliver(event))
  end)

  it("leaves enough of the hour's requests for the rest", function()
    local tag = fake.fresh_tag()
    start({ tag = tag }, { BOARD_REQUESTS = "60" })
    assert(board.stacks(server))
    for _ = 1, 15 do
      for _, uid in pairs(fake.stacks) do assert.equal(202, board.wake(server, uid)) end
      core.sleep(1.1)
    end
    for uid, stack in pairs(assert(board.stacks(server))) do assert.equal(cjson.null, stack.trouble, uid) end
    assert.is_true(#fake.requests(tag) < 20)
  end)
end)
