-- A token in a message: the server may repeat any that it was sent, in that response or in a later one. With a function that
-- gives another token for each request, what came last says nothing about which one to hide.
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"

-- Of the request of that number.
local function token(number)
  return ("rotated-token-of-mine-%04d"):format(number)
end

-- Option `token`: another one for each request.
local function rotation()
  local sent = 0
  return function()
    sent = sent + 1
    return token(sent)
  end
end

-- A stack of a client that never sends a token twice, in a world of its own.
local function rotating(scenario, options)
  local world = fake.world()
  local url = fake.url(merged({ world = world.name, auth = "none" }, scenario))
  local client = assert(cloud66.new(merged({ base_url = url, token = rotation() }, options)))
  return client:stack(fake.stacks.staging), world
end

local function check_hidden(text, name)
  assert.is_string(text, name)
  assert.is_nil(text:find("rotated-token-of-mine", 1, true), name .. ": " .. text)
end

-- What an operation says that fails because of a deployment whose ref repeats the token of request `number`.
local function failure_of(number, fields, operation)
  local stack, world = rotating()
  local now = world:now()
  local deployment = world:add_deployment("staging", { started_time = now - 60, git_ref = "release-" .. token(number) })
  deployment.git_hash = nil
  world:change(deployment, {
    finished_time = fields.outcome and now - 30, outcome = fields.outcome or "pending", git_hash = fields.git_hash,
    is_live = fields.is_live or false,
  })
  local value, message, err = clock.run(world, function()
    return operation(stack, deployment)
  end)
  assert.is_nil(value)
  return message, err
end

local HASH = ("a1"):rep(20)
local LIVE_WITHOUT_HASH = { outcome = "success", is_live = true }

-- What the deployment is, the kind of the failure, what fails.
local cases = {
  ["wait for what failed"] = { { outcome = "failed", git_hash = HASH }, "deploy_failed", function(stack, d)
    return stack:wait(d.id)
  end },
  ["wait for what was cancelled"] = { { outcome = "cancelled", git_hash = HASH }, "cancelled", function(stack, d)
    return stack:wait(d.id)
  end },
  ["previous_live"] = { LIVE_WITHOUT_HASH, "none", function(stack)
    return stack:previous_live()
  end },
  ["is_live"] = { LIVE_WITHOUT_HASH, "none", function(stack)
    return stack:is_live "abcdef1"
  end },
}

describe("a message shows no token of an earlier request", function()
  for name, case in pairs(cases) do
    it("in: " .. name, function()
      local message, err = failure_of(1, case[1], case[3])
      assert.equal(case[2], err.kind, message)
      assert.matches("release-[token]", message, 1, true)
      check_hidden(message, name)
      assert.equal(message, err.message)
    end)
  end

  it("in: wait for what never ends, which is read again and again", function()
    for number = 1, 4 do
      local message, err = failure_of(number, {}, function(stack, d)
        return stack:wait(d.id, { timeout = 100, interval = 10 })
      end)
      assert.equal("timeout", err.kind)
      assert.matches("release-[token]", message, 1, true)
      check_hidden(message, "request " .. number)
    end
  end)

  it("in: ensure, which reads it after other things", function()
    for number = 1, 3 do
      local message, err = failure_of(number, { outcome = "failed", is_live = true, git_hash = HASH }, function(stack)
        return stack:ensure(HASH)
      end)
      assert.equal("unknown_outcome", err.kind, message)
      assert.matches("release-[token]", message, 1, true)
      check_hidden(message, "request " .. number)
    end
  end)

  it("in: ensure, whose reference is of a deployment that is over", function()
    for number = 1, 4 do
      local stack, world = rotating()
      local now = world:now()
      world:add_action("staging", { user_reference = "job-1", started_time = now - 61, finished_time = now - 29,
        finished_success = true })
      local deployment = world:add_deployment("staging", { started_time = now - 60, git_hash = HASH, triggered_via = "api",
        triggered_by = "ci@awesome.example", deploy_type = "redeploy", git_ref = "release-" .. token(number) })
      world:change(deployment, { finished_time = now - 30, outcome = "success" })
      local newer = world:add_deployment("staging", { started_time = now - 25 }) -- and live
      world:change(newer, { finished_time = now - 5, outcome = "success" })
      local value, message, err = clock.run(world, function()
        return stack:ensure(HASH, { user_reference = "job-1" })
      end)
      assert.is_nil(value)
      assert.equal("conflict", err.kind, message)
      assert.matches("release-[token]", message, 1, true)
      check_hidden(message, "request " .. number)
    end
  end)

  it("in: a redeploy and a wait that find that a reference was for another ref", function()
    local stack, world = rotating { metadata = "ref" }
    world:add_action("staging", { user_reference = "job-1", git_ref = "release-" .. token(1) })
    local value, message = stack:redeploy { git_ref = "main", user_reference = "job-1" }
    assert.is_nil(value)
    assert.matches("conflict: .*release%-%[token%]", message)
    check_hidden(message, "redeploy")
    for number = 1, 3 do
      stack, world = rotating()
      for _ = 1, number - 1 do
        assert(stack:page(1)) -- so that the token is sent by the first request of the wait, however many it makes
      end
      local now = world:now()
      local action = world:add_action("staging", { started_time = now - 61 })
      world:add_deployment("staging", { started_time = now - 60, triggered_via = "api", triggered_by = action.user,
        git_ref = "release-" .. token(number) })
      value, message = clock.run(world, function()
        return stack:wait({ async_action_id = action.id, joined = { is_finished = false }, git_ref = "main" }, { timeout = 100 })
      end)
      assert.is_nil(value)
      assert.matches("conflict: the redeploy that was joined .*release%-%[token%]", message)
      check_hidden(message, "wait " .. number)
    end
  end)

  it("in a warning of the server", function()
    local warnings = {}
    local stack = rotating({ warning = "was " .. token(1) }, { on = { warning = function(info)
      warnings[#warnings + 1] = info.text
    end } })
    for _ = 1, 3 do
      assert(stack:page(1))
    end
    assert.equal(3, #warnings)
    check_hidden(table.concat(warnings, "; "), "warning")
  end)
end)

describe("a text of a response", function()
  it("is still hidden from when many tokens have been sent since", function()
    local show_of = require("cloud66.http.redactor").new()
    local first = show_of(token(1))
    for number = 2, 100 do
      show_of(token(number))
    end
    assert.equal("it was [token]", first("it was " .. token(1)))
    for number = 1, 100 do
      assert.equal("it was [token]", show_of(token(100))("it was " .. token(number)))
    end
  end)

  it("hides each of a few tokens that come again and again", function()
    local show_of, holds_token = require("cloud66.http.redactor").new()
    show_of(token(1))
    show_of(token(2))
    for number = 1, 1000 do
      local show = show_of(token(2 + number % 2))
      assert.equal("[token] [token] [token]", show(table.concat({ token(1), token(2), token(3) }, " ")))
    end
    assert.is_true(holds_token("it was " .. token(1)))
    assert.is_false(holds_token("it was " .. token(4)))
  end)

  it("of a stack is shown without the token, wherever it is", function()
    local body = ('{"response":[{"uid":"u1","name":"n %s","environment":"e"},{"uid":"u2","name":"n","environment":"%s"}],'
      .. '"pagination":{"next":null}}'):format(token(1), token(1))
    local client = assert(cloud66.new { base_url = "https://api.example", token = rotation(), transport = function(request)
      if request.url:find "/deployments" then
        return { status = 404, headers = {}, body = "{}" }
      end
      return { status = 200, headers = {}, body = body }
    end })
    for _, stack in ipairs(assert(client:stacks():collect())) do
      check_hidden(tostring(stack), "tostring")
    end
    local _, message = client:find_stack { name = "another" }
    check_hidden(message, "find_stack")
    _, message = client:deployments():count()
    check_hidden(message, "deployments")
  end)

  it("of a stack is hidden from, whatever was asked since, and however often", function()
    local client = assert(cloud66.new { base_url = "https://api.example", token = rotation(), transport = function(request)
      if request.url:find "/deployments" then
        return { status = 200, headers = {}, body = '{"response":[{"id":1}],"pagination":{"next":null}}' }
      end
      return { status = 200, headers = {}, body = ('{"response":{"uid":"u1","name":"n %s"}}'):format(token(1)) }
    end })
    local stack = assert(client:stack("u1"):load())
    for _ = 1, 300 do -- more than a client keeps
      assert(stack:page(1))
    end
    stack:eta(assert(stack:page(1))[1])
    check_hidden(tostring(stack), "tostring")
  end)

  it("of a deployment is shown without the token where it has no start to count from", function()
    local body = ('{"response":[{"id":1,"git_ref":"%s"}],"pagination":{"next":null}}'):format(token(1))
    local stack = assert(cloud66.new { base_url = "https://api.example", token = rotation(), transport = function()
      return { status = 200, headers = {}, body = body }
    end }):stack "u1"
    local _, message, err = stack:eta(assert(stack:page(1))[1])
    assert.equal("none", err.kind)
    check_hidden(message, "eta")
    check_hidden(tostring(stack), "tostring")
    local _, problem = stack:deployments():where({ is_live = true }):count()
    check_hidden(problem or "none", "where")
  end)
end)
