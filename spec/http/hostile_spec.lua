-- Whatever stands in any field of an answer: no operation raises for it, and none takes it for a success.
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"

local VALUES = {
  "null", "true", "false", "0", "-1", "1.5", "1e300", '""', '"x"', "[]", "{}", "[1]", '{"a":1}',
  "123456789012345678901234567890", "99999999999999999", '"2026-11-25T10:00:00Z"',
}

-- Field -> JSON, of answers that all agree on a success.
local ANSWERS = {
  action = {
    id = "40", user = '"ci"', started_at = '"2026-11-25T10:00:00Z"', finished_at = '"2026-11-25T10:01:00Z"',
    finished_success = "true", finished_message = '"ok"', metadata = '{"user_reference":"r"}',
  },
  deployment = {
    id = "7", triggered_by = '"ci"', triggered_via = '{"code":1,"meaning":"api"}',
    started_at = '"2026-11-25T10:00:10Z"', finished_at = '"2026-11-25T10:00:59Z"',
    outcome = '{"code":1,"meaning":"success"}', git_hash = '"abcdef1234567"', git_ref = '"main"',
    deploy_type = '{"code":1,"meaning":"redeploy"}', is_live = "true", is_deploying = "false", is_head = "true",
  },
  pagination = { next = "null" },
  accepted = { ok = "true", message = '"m"', async_action_id = "40", queued = "false" },
}

local function object(fields, field, value)
  local parts = {}
  for name, json in pairs(fields) do
    parts[#parts + 1] = ('"%s":%s'):format(name, name == field and value or json)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A stack of an API that answers so, with one value in one field.
local function stack_with(part, field, value, token)
  local function answer(name)
    return object(ANSWERS[name], name == part and field, value)
  end
  local function transport(request)
    local path = request.url:match "/api/3([^?]*)"
    local body
    if request.method == "POST" then
      body = '{"response":' .. answer "accepted" .. "}"
    elseif path:find "/actions$" then
      body = '{"response":[' .. answer "action" .. '],"pagination":' .. answer "pagination" .. "}"
    elseif path:find "/actions/" then
      body = answer "action"
    elseif path:find "/deployments$" then
      body = '{"response":[' .. answer "deployment" .. '],"pagination":' .. answer "pagination" .. "}"
    else
      body = '{"response":' .. answer "deployment" .. "}"
    end
    return { status = request.method == "DELETE" and 409 or 200, body = body,
      headers = { date = "Wed, 25 Nov 2026 10:00:00 GMT" } }
  end
  return cloud66.new({ token = token or "x", retries = false, transport = transport }):stack "u"
end

local OPTIONS = { timeout = 1000 }

local OPERATIONS = {
  redeploy = function(stack)
    local result, message, err = stack:redeploy { git_ref = "main" }
    if not result then
      return nil, message, err
    end
    return stack:wait(result, OPTIONS)
  end,
  join = function(stack)
    return stack:redeploy { git_ref = "main", user_reference = "r" }
  end,
  wait_by_reference = function(stack)
    return stack:wait({ user_reference = "r" }, OPTIONS)
  end,
  wait = function(stack)
    return stack:wait(7, OPTIONS)
  end,
  ensure = function(stack)
    return stack:ensure("1234567", OPTIONS)
  end,
  cancel = function(stack)
    return stack:cancel(7, { wait = true, timeout = 1000 })
  end,
  count = function(stack)
    return stack:deployments():count()
  end,
  poll = function(stack)
    local events, cursor, err = stack:poll()
    if not events then
      return nil, cursor, err
    end
    return stack:poll(cursor)
  end,
}

-- What a wait goes by: with another value there, nothing has succeeded.
local DECISIVE = {
  action = { finished_success = { ["true"] = true } },
  deployment = { outcome = {} },
}

describe("an operation", function()
  for part, fields in pairs(ANSWERS) do
    it("survives any value in a field of: " .. part, function()
      for field in pairs(fields) do
        for _, value in ipairs(VALUES) do
          for name, operation in pairs(OPERATIONS) do
            local stack = stack_with(part, field, value)
            local ok, result, message, err = pcall(clock.run, nil, function()
              return operation(stack)
            end)
            local where = ("%s with %s.%s = %s"):format(name, part, field, value)
            assert.is_true(ok, where .. ": " .. tostring(result))
            if result == nil then
              assert.is_string(message, where)
              assert.equal(message, err.message, where)
            end
            local decisive = DECISIVE[part] and DECISIVE[part][field]
            if name == "redeploy" and decisive and not decisive[value] then
              assert.is_nil(result, where)
            end
          end
        end
      end
    end)
  end

  it("shows no token that an answer repeats", function()
    local token = "secret-token-of-mine"
    for _, field in ipairs { "finished_message", "action", "user" } do
      local stack = stack_with("action", field, ('"it was %s\\u001b[31m"'):format(token), token)
      ANSWERS.action.finished_success = "false"
      local ok, value, message, err = pcall(clock.run, nil, function()
        return stack:wait({ async_action_id = 40 }, OPTIONS)
      end)
      ANSWERS.action.finished_success = "true"
      assert.is_true(ok)
      assert.is_nil(value)
      assert.is_nil(message:find(token, 1, true), field)
      assert.is_nil(message:find("%c"))
      assert.is_nil(tostring(err.action or ""):find(token, 1, true))
      local joined = assert(stack:redeploy { git_ref = "main", user_reference = "r" })
      assert.is_nil(joined.message:find(token, 1, true))
    end
  end)

  it("shows no token that a deployment repeats", function()
    local token, success = "secret-token-of-mine", ANSWERS.deployment.outcome
    ANSWERS.deployment.outcome = '{"code":2,"meaning":"failed"}'
    local messages = {}
    for _, field in ipairs { "git_ref", "outcome", "git_hash" } do
      local stack = stack_with("deployment", field, ('"it was %s"'):format(token), token)
      local _, message = clock.run(nil, function()
        return stack:wait(7, OPTIONS)
      end)
      messages[#messages + 1] = message
    end
    ANSWERS.deployment.outcome = success
    assert.equal(3, #messages) -- each of them failed
    assert.matches("[token]", messages[1], 1, true)
    assert.is_nil(table.concat(messages):find(token, 1, true))
  end)

  it("succeeds with the answers as they are", function()
    for name, operation in pairs(OPERATIONS) do
      if name ~= "ensure" then
        local stack = stack_with()
        assert.is_truthy(clock.run(nil, function()
          return operation(stack)
        end), name)
      end
    end
  end)
end)
