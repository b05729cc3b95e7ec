-- cloud66.webhook: what each documented webhook says, and what nobody documented.
local cjson = require "cjson"
local cloud66 = require "cloud66"
local documented = require "spec.support.documented_webhooks"
local expect = require "spec.support.expect"
local merged = require "spec.support.merged"

local failure, raises = expect.failure, expect.raises

local STACK = "stack-550e8400-e29b-41d4-a716"

-- Of most documented webhooks: the time they bear, or the other one; the stack; the two forms of a deploy_context.
local late, early = { time = 1757011079 }, { time = 1640995200 }
local by_uid = merged(late, { stack_uid = STACK })
local whole = merged(by_uid, { stack_name = "my-production-app", environment = "production" })
local context = merged(whole, {
  async_action_id = 55667, deploy_type = "redeploy", triggered_by = "john@example.com", triggered_via = "webhook",
})
local deployment = merged(whole, {
  deploy_type = "build", triggered_by = "Cloudia Sixton", triggered_via = "web", started_time = 1704110100, finished_time = 1704110400,
  git_hash = "f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0", deploy_session = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0",
})
local process = merged(early, { stack_uid = "abc123def456" })

-- Page, event, outcome or nil, the rest.
local ROWS = {
  { "account/suspended", "account.suspended", nil, early },
  { "active-protect/block", "active.protect.block", nil, by_uid },
  { "active-protect/change", "active.protect.change", nil, by_uid },
  { "application/created", "stack.created", nil, whole },
  { "application/deploy-started", "stack.deploy.started", "pending", context },
  { "application/health-check-failed", "application.health_check.failed", nil, whole },
  { "application/integration-configured", "application.integration.configured", nil, whole },
  { "application/integration-removed", "application.integration.removed", nil, whole },
  { "application/provision-fail", "stack.provision.fail", nil, deployment }, -- whose deploy_context says "success"
  { "application/provision-ok", "stack.provision.ok", "success", deployment },
  { "application/redeploy-fail", "stack.redeploy.fail", "failed", context },
  { "application/redeploy-hook-fail", "stack.redeploy.hook.fail", nil, whole },
  { "application/redeploy-ok", "stack.redeploy.ok", "success", context },
  { "application/stackscore-changed", "stack.stackscore.changed", nil, whole },
  { "application/update-failed", "application.update.failed", "failed", whole },
  { "application/update-pending", "application.update.pending", "pending", whole },
  { "application/update-started", "application.update.started", "pending", whole },
  { "application/update-succeeded", "application.update.succeeded", "success", whole },
  { "auth/app-auth", "app.auth", nil, early },
  { "auth/app-deauth", "app.deauth", nil, early },
  { "autoscaling/actions", "autoscaling.actions", nil, whole },
  { "autoscaling/failed", "autoscaling.failed", nil, whole },
  { "backup/managed-backup-fail", "managed_backup.fail", nil, whole },
  { "backup/verification-failed", "backup.verification.failed", nil, whole },
  { "cloud-object/delete-fail", "cloud_object.delete.fail", nil, early },
  { "cloud-object/delete-ok", "cloud_object.delete.ok", nil, early },
  { "container/down", "container.down", nil, late },
  { "database/slave-failed", "db.slave.failed", nil, by_uid },
  { "database/slave-ok", "db.slave.ok", nil, by_uid },
  { "disk/space-alert", "free.disk.space.alert", nil, early },
  { "disk/space-normal", "free.disk.space.normal", nil, early },
  { "job/backon", "job.backon", nil, late },
  { "job/fail", "job.fail", nil, late },
  { "payment/payment-done", "payment.done", nil, early },
  { "payment/payment-fail", "payment.fail", nil, early },
  { "process/down", "process.down", nil, early },
  { "process/web-started", "web.process.started", nil, process },
  { "process/web-stopped", "web.process.stopped", nil, process },
  { "process/web-unknown", "web.process.unknown", nil, process },
  { "server/backon", "server.backon", nil, early },
  { "server/ip-change-fail", "server.ip.change.fail", nil, early },
  { "server/stopped", "server.stopped", nil, early },
  { "service/build-fail", "service.build.fail", nil, whole },
  { "service/build-ok", "service.build.ok", nil, whole },
  { "ssh/key-downloaded", "ssh_key.downloaded", nil, whole },
  { "ssl/expire-soon", "ssl_certificate.expire.soon", nil, early },
  { "ssl/install-fail", "ssl_certificate.install.fail", nil, early },
  { "ssl/install-ok", "ssl_certificate.install.ok", nil, early },
  { "guide", "stack.provision.ok", "success", {
    time = 1640995200, stack_uid = "abc123def456", stack_name = "My Application", environment = "production",
    triggered_by = "user@example.com", started_time = 1704110400, finished_time = 1704112245,
  } },
  { "guide/test", "test.webhook", nil, early },
}

local FIELDS = {
  "event", "time", "stack_uid", "stack_name", "environment", "outcome", "async_action_id", "deploy_type", "triggered_by", "triggered_via",
  "git_hash", "deploy_session", "started_time", "finished_time",
}

local function fields_of(hook)
  local fields = {}
  for _, name in ipairs(FIELDS) do fields[name] = hook[name] end
  return fields
end

local function read(text)
  return (assert(cloud66.webhook(text)))
end

-- Of an event, with more of the body as JSON.
local function event(name, more)
  return read(('{"event_type":"%s"%s}'):format(name, more and "," .. more or ""))
end

describe("the documented webhook", function()
  for _, row in ipairs(ROWS) do
    it(row[1], function()
      assert.same(merged(row[4], { event = row[2], outcome = row[3] }), fields_of(read(documented.body[row[1]])))
    end)
  end

  it("is in the list above, whichever it is", function()
    local pages = {}
    for i, row in ipairs(ROWS) do pages[i] = row[1] end
    assert.same(documented.pages, pages)
    assert.equal(50, #pages)
  end)
end)

describe("the stack of a webhook", function()
  local function uid(...)
    return event(...).stack_uid
  end

  it("is looked for where it is documented, in one order", function()
    local top, key = '"uid":"top"', '"stack_uid":"key"'
    local server, stack = '"server":{"uid":"s","stack_uid":"server-s"}', '"stack":{"uid":"inner","name":"n"}'
    assert.equal("inner", uid("stack.created", table.concat({ top, key, server, stack }, ",")))
    assert.equal("text", uid("stack.created", table.concat({ top, key, server, '"stack":"text"' }, ",")))
    assert.equal("key", uid("stack.created", table.concat({ top, key, server }, ",")))
    assert.equal("server-s", uid("stack.created", table.concat({ top, server }, ",")))
    assert.equal("top", uid("stack.created", top))
    assert.equal("inner", uid("server.stopped", top .. "," .. stack))
  end)

  it("has the top level's uid where the body is the stack's", function()
    for _, name in ipairs { "stack.created", "stack.new.event", "application.x", "autoscaling.x", "ssh_key.x", "stack" } do
      assert.equal("x", uid(name, '"uid":"x"'), name)
    end
    for _, name in ipairs { "server.new", "job.new", "container.up", "db.new", "new.event", "stacks.x", "new", ".", "stack2.x" } do
      assert.is_nil(uid(name, '"uid":"x","name":"n","status":1'), name)
      assert.equal("x", uid(name, '"uid":"x","environment":"production","fqdn":"a.example"'), name) -- as no server has it
    end
  end)

  it("has a name and an environment only where it was sent itself", function()
    local of_server = event("db.slave.ok", '"stack_uid":"x","name":"web-1","environment":"e"')
    assert.same({ event = "db.slave.ok", stack_uid = "x" }, fields_of(of_server))
    local of_nobody = event("job.fail", '"uid":"x","name":"daily","environment":"e"')
    assert.same({ event = "job.fail" }, fields_of(of_nobody))
  end)

  it("is none that no stack can be", function()
    for _, odd in ipairs { "a/b", "../x", "a b", " ", "a\\nb", "\\u0000", "\\u001b[2J", "a?b", "a%2Fb", "a.b", "é", ("a"):rep(101) } do
      for where, text in pairs {
        ["stack.uid"] = '"stack":{"uid":"%s"}', stack = '"stack":"%s"', stack_uid = '"stack_uid":"%s"',
        ["server.stack_uid"] = '"server":{"stack_uid":"%s"}', uid = '"uid":"%s"',
      } do
        local message = failure("decode", cloud66.webhook(('{"event_type":"stack.redeploy.ok",%s}'):format((text:gsub("%%s", function() return odd end)))))
        assert.equal(("decode: no webhook of Cloud 66: its '%s' can be no stack's uid"):format(where), tostring(message))
      end
    end
    assert.equal(("a"):rep(100), uid("stack.created", ('"uid":"%s"'):format(("a"):rep(100))))
    assert.is_nil(uid("server.stopped", '"uid":"a/b"')) -- nobody's concern
  end)
end)

describe("the outcome of a webhook", function()
  local function outcome(name, sent)
    return event(name, sent and ('"uid":"x","deploy_context":{"outcome":%s}'):format(sent)).outcome
  end

  it("is that of the event's name, of a deployment's alone", function()
    for name, expected in pairs {
      ["stack.provision.ok"] = "success", ["stack.redeploy.failed"] = "failed", ["stack.deploy.succeeded"] = "success",
      ["stack.redeploy.started"] = "pending", ["application.update.ok"] = "success",
    } do
      assert.equal(expected, outcome(name), name)
    end
    for _, name in ipairs {
      "stack.redeploy.hook.fail", "service.build.fail", "payment.fail", "autoscaling.failed", "job.fail", "stack.redeploy", "stack.ok",
      "stack.redeploy.cancelled", "stack.redeploy.ok.", "stack.redeploy.OK", "ok", "stack..ok", "x.stack.redeploy.ok",
    } do
      assert.is_nil(outcome(name), name)
    end
  end)

  it("is that of the deploy_context where the name has none", function()
    for _, name in ipairs { "stack.deploy.finished", "new.event", "stack.created" } do
      assert.equal("failed", outcome(name, '"Failed"'))
      assert.equal("failed", outcome(name, '{"code":2,"meaning":"failed"}'))
      assert.equal("failed", outcome(name, '{"code":"failed","meaning":"Unsuccessful"}'))
      assert.equal("failed", outcome(name, '{"code":"2","meaning":"failed"}'))
      assert.equal("cancelled", outcome(name, '"cancelled"'))
    end
  end)

  it("is none where the two contradict each other", function()
    assert.equal("failed", outcome("stack.redeploy.fail", '"failed"'))
    assert.equal("success", outcome("stack.redeploy.ok", '{"code":1,"meaning":"success"}'))
    assert.is_nil(outcome("stack.redeploy.ok", '"failed"'))
    assert.is_nil(outcome("stack.redeploy.fail", '"cancelled"'))
    assert.is_nil(outcome("stack.deploy.started", '"success"'))
    assert.equal("success", outcome("stack.redeploy.ok", "null"))
    assert.equal("success", outcome("stack.redeploy.ok", "[]"))
  end)
end)

describe("a webhook", function()
  it("has a time that can be one, and an action that can be one", function()
    for _, value in ipairs { "0", "-1", "1e999", "-1e999", "1757011079000", '"1757011079"', "null", "true", "[]", "{}", "12345678901234567890" } do
      assert.is_nil(event("a", '"timestamp":' .. value).time, value)
    end
    assert.equal(1757011079.5, event("a", '"timestamp":1757011079.5').time)
    for _, value in ipairs { "1.5", "null", "true", "[]", "{}", '"x"', '""', "1e300" } do
      assert.is_nil(event("a", ('"deploy_context":{"async_action_id":%s}'):format(value)).async_action_id, value)
    end
  end)

  it("survives anything in any place", function()
    local function check(body)
      local hook, _, err = cloud66.webhook(cjson.encode(body))
      assert.is_true(hook and not (hook.stack_uid or "x"):find "[^%w_-]" or err.kind == "decode")
      if hook then fields_of(hook) end
    end
    for _, page in ipairs(documented.pages) do
      for _, odd in ipairs { cjson.null, 5, true, "", "../\0\27", {}, { "x" }, { uid = "x" }, { uid = {} }, ("x"):rep(70000) } do
        local body = cjson.decode(documented.body[page])
        for _, part in ipairs { body, body.stack, body.server, body.deploy_context } do
          for name, value in pairs(type(part) == "table" and part or {}) do
            part[name] = odd
            check(body)
            part[name] = value
          end
        end
      end
    end
  end)

  it("is an object with an event, and nothing else is one", function()
    for _, body in ipairs {
      "", "x", "[]", "1", "null", '"stack.created"', "{}", '{"uid":"x"}', '{"event_type":1,"uid":"x"}', '{"event_type":"","uid":"x"}',
      '{"event_type":null}', '{"event_type":["stack.created"]}', '[{"event_type":"stack.created"}]', ("["):rep(100000),
      documented.body["application/redeploy-ok"]:sub(1, -2),
    } do
      failure("decode", cloud66.webhook(body))
    end
    failure("decode", cloud66.webhook(nil)) -- a body that nginx has not read
    failure("too_large", cloud66.webhook(documented.body["application/redeploy-ok"] .. (" "):rep(1048576)))
    assert.same({ event = "a" }, fields_of(read '{"event_type":"a"}'))
    assert.same({ event = "a" }, fields_of(read '{"event_type":"a","deploy_context":[],"stack":[],"server":[]}'))
  end)

  it("raises for a field that does not exist", function()
    raises("did you mean 'stack_uid'", function() return event("a").stack_id end)
  end)
end)
