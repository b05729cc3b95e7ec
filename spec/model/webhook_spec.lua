-- cloud66.webhook: what a webhook says.
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"

local failure, raises = expect.failure, expect.raises

local documented = [[{"timestamp":1640995200,"event_type":"stack.provision.ok","uid":"abc123def456","name":"My Application",
  "environment":"production","status":1,"health":3,"redeploy_hook":"https://hooks.cloud66.com/stacks/redeploy/a/b",
  "deploy_context":{"triggered_by":"user@example.com","outcome":"success","started_at":"2024-01-01T12:00:00Z",
  "finished_at":"2024-01-01T12:30:45Z"}}]]

local function with_context(context)
  return cloud66.webhook('{"event_type":"stack.redeploy.fail","uid":"x","deploy_context":' .. context .. "}")
end

describe("a webhook", function()
  it("says which stack, which event, and how it ended", function()
    local hook = assert(cloud66.webhook(documented))
    assert.equal("stack.provision.ok", hook.event)
    assert.equal("abc123def456", hook.stack_uid)
    assert.equal("My Application", hook.stack_name)
    assert.equal("success", hook.outcome)
    assert.equal(1704110400, hook.started_time)
    assert.equal(1704112245, hook.finished_time)
  end)

  it("has no outcome where none was sent", function()
    local hook = assert(cloud66.webhook '{"event_type":"stack.created","uid":"stack-550e8400"}')
    assert.is_nil(hook.outcome)
    assert.is_nil(hook.started_time)
    assert.is_nil(hook.stack_name)
  end)

  it("reads an outcome in each form that is known of deployments", function()
    assert.equal("failed", with_context('{"outcome":"Failed"}').outcome)
    assert.equal("failed", with_context('{"outcome":{"code":2,"meaning":"failed"}}').outcome)
    assert.equal("failed", with_context('{"outcome":{"code":"failed","meaning":"Unsuccessful"}}').outcome)
    assert.equal("failed", with_context('{"outcome":{"code":"2","meaning":"failed"}}').outcome)
  end)

  it("survives anything", function()
    for _, value in ipairs { "null", "1", "[]", '"x"', "{}", '{"outcome":[],"started_at":5,"finished_at":{}}', '{"outcome":{"code":[]}}' } do
      local hook = assert(with_context(value))
      assert.is_nil(hook.outcome)
      assert.is_nil(hook.started_time)
    end
    for _, body in ipairs {
      "", "x", "[]", "1", "null", '"stack.created"', "{}", '{"uid":"x"}', '{"event_type":"a"}', '{"event_type":1,"uid":"x"}',
      '{"event_type":"","uid":"x"}', '{"event_type":"a","uid":5}', documented:sub(1, -2), ("["):rep(100000),
    } do
      failure("decode", cloud66.webhook(body))
    end
    failure("decode", cloud66.webhook(nil)) -- a body that nginx has not read
    failure("too_large", cloud66.webhook(documented .. (" "):rep(1048576)))
  end)

  it("raises for a field that does not exist", function()
    raises("did you mean 'stack_uid'", function() return cloud66.webhook(documented).stack_id end)
  end)
end)
