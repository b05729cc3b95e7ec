-- The fake API's replicas that are behind, and whom it names; asked by a client that is not ours.
local cjson = require "cjson"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local merged = require "spec.support.merged"

local has_curl = host.output "command -v curl 2>&1" ~= ""

local TAKES = 60

-- What is asked of staging in a world, by a scenario: status and response.
local function ask(world, options, path, ...)
  local url = fake.url(merged({ world = world.name }, options)) .. "/stacks/" .. fake.stacks.staging .. path
  local command = { "curl -s --noproxy '*' --max-time 20 -w", host.quote "\n%{http_code}", host.quote(url) }
  for _, option in ipairs { "-H", "Authorization: Bearer " .. fake.token, ... } do
    command[#command + 1] = host.quote(option)
  end
  local body, status = host.output(table.concat(command, " ")):match "^(.*)\n(%d+)%s*$"
  return tonumber(status), cjson.decode(body).response
end

local function newest(world, options, kind)
  local _, list = ask(world, options, "/" .. kind)
  return fake.order == "oldest" and list[#list] or list[1]
end

-- A world where one POST was accepted, 20 seconds before its deployment starts, and the id of its action.
local function accepted(options)
  local world = fake.world()
  local _, posted = ask(world, merged({ queue = 20, takes = TAKES }, options), "/deployments", "-d", "")
  return world, ("%d"):format(posted.async_action_id)
end

describe("the fake API", function()
  local it = has_curl and it or pending

  it("has a list of deployments that is behind", function()
    local world = accepted()
    local lag, before = { lag_deployments = 30 }, newest(fake.world(), nil, "deployments").id
    world:advance(25)
    local id = newest(world, nil, "deployments").id
    assert.are_not.equal(before, id)
    assert.are.equal(before, newest(world, lag, "deployments").id)
    world:advance(30)
    assert.are.same({ id, "pending" }, { newest(world, lag, "deployments").id, newest(world, lag, "deployments").outcome.meaning })
    world:advance(TAKES - 25)
    local d, late = newest(world, nil, "deployments"), newest(world, lag, "deployments")
    assert.are.same({ "success", false, true }, { d.outcome.meaning, d.is_deploying, d.is_live })
    assert.are.same({ "pending", true, false }, { late.outcome.meaning, late.is_deploying, late.is_live == true })
    assert.are.equal(cjson.null, late.finished_at)
    world:advance(30)
    assert.are.same(newest(world, nil, "deployments"), newest(world, lag, "deployments"))
  end)

  it("has single deployments that are behind", function()
    local world = accepted()
    world:advance(25)
    local path = ("/deployments/%d"):format(newest(world, nil, "deployments").id)
    local lag = { lag_deployment = 30 }
    assert.are.same({ 200, 404 }, { ask(world, nil, path), (ask(world, lag, path)) })
    world:advance(TAKES)
    local _, d = ask(world, lag, path)
    assert.are.same({ "pending", "success" }, { d.outcome.meaning, newest(world, lag, "deployments").outcome.meaning })
  end)

  it("has actions that are behind, in lists and one by one", function()
    local world, id = accepted()
    local lag = { lag_actions = 10, lag_action = 30 }
    assert.is_nil(newest(world, lag, "actions"))
    world:advance(15)
    assert.are.equal(id, ("%d"):format(newest(world, lag, "actions").id))
    assert.are.same({ 200, 404 }, { ask(world, nil, "/actions/" .. id), (ask(world, lag, "/actions/" .. id)) })
    world:advance(TAKES + 20) -- its action ended fourteen seconds ago
    local _, action = ask(world, lag, "/actions/" .. id)
    assert.are.same({ true, cjson.null }, { newest(world, lag, "actions").finished_success, action.finished_success })
  end)

  it("shows as they were also the deployments and actions that a spec has added", function()
    local world = fake.world()
    local d, a = world:add_deployment "staging", world:add_action "staging"
    local lag = { lag_deployments = 10, lag_actions = 10 }
    assert.are_not.equal(d.id, newest(world, lag, "deployments").id)
    assert.is_nil(newest(world, lag, "actions"))
    world:advance(15)
    world:change(d, { finished_time = world:now(), outcome = "success" })
    world:change(a, { finished_time = world:now(), finished_success = true })
    assert.are.equal("pending", newest(world, lag, "deployments").outcome.meaning)
    assert.are.equal(cjson.null, newest(world, lag, "actions").finished_success)
    world:advance(15)
    assert.are.equal("success", newest(world, lag, "deployments").outcome.meaning)
    assert.is_true(newest(world, lag, "actions").finished_success)
  end)

  it("says late which deployment is live", function()
    local world = accepted()
    local before
    for _, d in ipairs(select(2, ask(world, nil, "/deployments"))) do
      before = d.is_live and d.id or before
    end
    world:advance(20 + TAKES + 5)
    local _, old = ask(world, { lag_live = 10 }, ("/deployments/%d"):format(before))
    local d = newest(world, { lag_live = 10 }, "deployments")
    assert.are.same({ true, false, "success" }, { old.is_live, d.is_live == true, d.outcome.meaning })
    world:advance(10)
    _, old = ask(world, { lag_live = 10 }, ("/deployments/%d"):format(before))
    assert.are.same({ false, true }, { old.is_live, newest(world, { lag_live = 10 }, "deployments").is_live })
  end)

  it("answers in turn as of now and with a lag", function()
    local world = accepted { queue = 0 }
    world:advance(15)
    local seen, options = {}, { lag_deployments = 30, lag_action = 30, lag_turns = true }
    local id = newest(world, nil, "deployments").id
    for i = 1, 4 do
      seen[i] = newest(world, options, "deployments").id == id
      newest(world, options, "actions") -- has no lag, and no turn
    end
    assert.are.same({ true, false, true, false }, seen)
    assert.has_error(function()
      fake.url { lag_turns = true }
    end)
  end)

  it("acts on what there is now", function()
    local world = accepted()
    world:advance(25)
    local path = ("/deployments/%d"):format(newest(world, nil, "deployments").id)
    local lag = { lag_deployments = 30, lag_deployment = 30 }
    assert.are.equal(200, (ask(world, lag, path, "-X", "DELETE")))
  end)

  it("names who asked for a deployment as it was told to", function()
    for _, case in ipairs {
      { {}, "ci@awesome.example", "ci@awesome.example" },
      { { user = "ann@awesome.example" }, "ann@awesome.example", "ann@awesome.example" },
      { { user = "ann@awesome.example", person = "Ann" }, "ann@awesome.example", "Ann" },
    } do
      local world = accepted(case[1])
      world:advance(25)
      assert.are.same({ case[2], case[3] }, { newest(world, nil, "actions").user, newest(world, nil, "deployments").triggered_by })
    end
  end)
end)
