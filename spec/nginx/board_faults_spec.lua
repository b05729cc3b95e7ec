-- examples/nginx/board: an API that answers oddly, clocks that jump, memory that is too small. Under LuaJIT alone.
if not package.loaded.jit then
  return
end

local board = require "spec.support.board"
local cjson = require "cjson"
local core = require "cloud66.core"
local fake = require "spec.support.fake"

local UID = fake.stacks.staging
local count, eventually = board.count, board.eventually

local server

local function start(...)
  server = board.start(...)
end

after_each(board.stop)

-- An edit of nginx.conf: pattern and replacement, which must be found.
local function edit(pattern, replacement)
  return function(text)
    local changed, times = text:gsub(pattern, (replacement:gsub("%%", "%%%%")))
    assert(times > 0, "board.conf holds no " .. pattern)
    return changed
  end
end

-- Requests of a tag for a stack's deployments: of the first page, and of others.
local function asked_for(tag, uid)
  local first, others = 0, 0
  for _, request in ipairs(board.requests(tag, uid)) do
    if (request.query.page or "1") == "1" then first = first + 1 else others = others + 1 end
  end
  return first, others
end

local function gate(uid, hash)
  return (server:get(("/gate/%s/%s"):format(uid, hash)))
end

describe("the board, where the API answers oddly,", function()
  it("shows the newest 50 of longer pages", function()
    start { page_size = 60 }
    assert(board.stacks(server))
    assert.equal(50, #board.deployments(server, fake.stacks.awesome_app))
    local _, body = server:get "/"
    assert.is_truthy(body:find('aria-label="The last 50 deployments', 1, true))
    assert.is_nil(server:log():find("[error]", 1, true), server:log())
  end)

  it("keeps what is newest up to date where older pages fail", function()
    local tag = fake.fresh_tag()
    start { tag = tag, on = "page2", error = "server" }
    assert(board.stacks(server))
    eventually(function()
      local first, others = asked_for(tag, UID)
      return first >= 4 and others >= 3
    end)
    assert.equal(cjson.null, assert(board.stacks(server))[UID].trouble)
    local warnings = count(server:log(), "%[warn%][^\n]*older deployments[^\n]*cannot be asked for")
    assert.is_true(warnings >= 1 and warnings <= 4, server:log()) -- one for each stack
    assert.equal(0, count(server:log(), "can be asked for again"))
  end)

  it("opens the gate by nothing that it has not read again", function()
    local world = fake.world()
    local now = world:now()
    local d = world:add_deployment("staging", { outcome = "success", started_time = now - 1000, finished_time = now - 990 })
    for i = 1, 25 do
      world:add_deployment("staging", { outcome = "failed", started_time = now - 900 + i, finished_time = now - 900 + i })
    end
    start({ world = world.name, page_size = 25 }, { BOARD_STACKS = UID })
    eventually(function() return gate(UID, d.git_hash) == 200 end) -- it stands on the second page
    world:change(d, { outcome = "failed" }) -- what was live before it is live again
    eventually(function() return gate(UID, d.git_hash) == 409 end)
    assert.equal(200, gate(UID, fake.data.deployments "staging"[1].git_hash))
    for i = 26, 50 do
      world:add_deployment("staging", { outcome = "failed", started_time = now - 900 + i, finished_time = now - 900 + i })
    end
    eventually(function() return gate(UID, d.git_hash) == 503 end) -- what is live is on neither page
  end)

  it("says that there are no stacks", function()
    start(board.api([[location / { return 200 '{"response":[],"count":0}'; }]]):url "")
    eventually(function()
      local status, body, headers = server:get "/api/stacks.json"
      return status == 200 and body == '{"stacks":[]}\n' and tonumber(headers.age) <= board.PATIENCE
    end)
    local status, body = server:get "/"
    assert.equal(200, status)
    assert.is_truthy(body:find("The token sees no stack.", 1, true))
  end)

  it("says that it leaves out what cannot be asked for", function()
    start(board.api([[location / { return 200 '{"response":[{"uid":"a b"},{"uid":"good"}],"count":2}'; }]]):url "")
    eventually(function() return server:log():find("left out are 1 stacks", 1, true) end)
    eventually(function() return select(2, server:get "/"):find('data-key="good"', 1, true) end)
  end)

  it("draws badges that are XML", function()
    local world = fake.world()
    world:add_deployment("staging", { git_ref = "a\239\191\191b\239\191\190" })
    start { world = world.name }
    assert(board.stacks(server))
    eventually(function()
      local _, badge = server:get("/badge/" .. UID .. ".svg")
      return badge:find("deploying a\239\191\189b\239\191\189", 1, true)
    end)
  end)

  it("links no commit by way of a password", function()
    local world = fake.world()
    world:add_deployment("staging", { commit_url = "https://user:pass-word@github.com/a/commit/1" })
    world:add_deployment("staging", { commit_url = "https://github.com/a@b/commit/2" })
    start { world = world.name }
    assert(board.stacks(server))
    local list = board.deployments(server, UID)
    assert.same({ "https://github.com/a@b/commit/2", cjson.null }, { list[1].commit_url, list[2].commit_url })
    local _, body = server:get "/"
    assert.is_nil(body:find("pass-word", 1, true))
  end)
end)

describe("the board, when its clock is put back,", function()
  it("opens no gate by what it takes to be from the future, and asks anew", function()
    local world = fake.world()
    local d = world:add_deployment("staging", { outcome = "success", finished_time = world:now() })
    local jump = edit("lua_shared_dict cloud66", "lua_shared_dict jump 16k; lua_shared_dict cloud66")
    local clock = edit("init_by_lua_block {", [[init_by_lua_block {
      local now, time, jump = ngx.now, ngx.time, ngx.shared.jump
      ngx.now = function() return now() + (jump:get "seconds" or 0) end
      ngx.time = function() return time() + (jump:get "seconds" or 0) end]])
    local location = edit("location / {", [[
      location /jump { content_by_lua_block { ngx.shared.jump:set("seconds", tonumber(ngx.var.arg_seconds)); ngx.say "" } }
      location / {]])
    start({ world = world.name }, { BOARD_INTERVAL = "3600" }, nil, function(text) return location(clock(jump(text))) end)
    eventually(function() return gate(UID, d.git_hash) == 200 end)
    assert(board.stacks(server))
    world:change(d, { outcome = "failed" })
    assert.equal(200, (server:get "/jump?seconds=-7200"))
    assert.are_not.equal(200, gate(UID, d.git_hash))
    eventually(function() return gate(UID, d.git_hash) == 409 end)
    assert.equal(1, count(server:log(), "the clock was put back"))
  end)
end)

describe("the board, whose memory is full,", function()
  it("keeps what it knew", function()
    local world = fake.world()
    start({ world = world.name }, nil, nil, edit("location / {", [[
      location /fill { content_by_lua_block {
        local n = 0
        for size = 64, 6, -1 do
          repeat n = n + 1 until not ngx.shared.board:safe_set("junk" .. n, ("x"):rep(size * 64))
        end
        ngx.say(n)
      } }
      location / {]]))
    local first = assert(board.stacks(server))
    assert.equal(200, (server:get "/fill"))
    for i = 1, 20 do
      world:add_deployment("staging", { outcome = "failed", git_ref = ("r"):rep(200), started_time = world:now() - 100 + i, finished_time = world:now() - 99 + i })
    end
    eventually(function() return server:log():find("no room", 1, true) end)
    for _ = 1, 20 do
      local stacks = assert(board.stacks(server, function() return true end))
      for uid in pairs(first) do
        assert.are_not.equal(cjson.null, (stacks[uid] or {}).known_at or cjson.null, uid)
      end
      core.sleep(0.2)
    end
    assert.equal(1, count(server:log(), "no room"))
  end)

  it("says why there is nothing", function()
    start({ page_size = 50 }, nil, nil, edit("board 16m", "board 40k"))
    eventually(function() return server:log():find("trying on: This board's memory is full.", 1, true) end)
    assert.is_truthy(server:log():find("make lua_shared_dict board larger", 1, true))
  end)
end)
