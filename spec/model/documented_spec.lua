-- Every body that the API documents for what is no deployment gives the values that a reader of its page expects: actions, stacks,
-- pagination, other lists, webhooks.
local canned = require "spec.support.canned"
local cloud66 = require "cloud66"
local decode = require("spec.support.decoding").decode
local documented = require "spec.support.documented"
local expect = require "spec.support.expect"

local failure = expect.failure

local function first_action(body)
  local list = assert(canned.stack(body):actions():collect())
  assert.equal(1, #list)
  return list[1]
end

local function one_action(body, id)
  return assert(canned.stack(body):action(id))
end

-- What the API sends below a path that this library has no call for.
local function request(body)
  return assert(canned.client({ body = body }):request("GET", "/anything"))
end

describe("the documented action", function()
  local old = {
    id = 10, user = "test@cloud66.com", resource_type = "stack", action = "clear_caches", resource_id = "283", started_via = "api",
    started_at = "2014-09-01T19:08:05Z", finished_at = "2014-09-01T19:08:09Z", finished_success = true,
    started_time = 1409598485, finished_time = 1409598489, is_finished = true,
  }
  local new = {
    id = 6566418, user = "person@company.com", resource_type = "stack", action = "application_deployment", resource_id = "84195",
    started_via = "api", started_at = "2023-10-11T11:43:57Z", finished_at = "2023-10-11T11:47:42Z", finished_success = true,
    finished_message = "Completed successfully", finished_result = {}, metadata = { user_reference = "my-useful-id" },
    started_time = 1697024637, finished_time = 1697024862, is_finished = true, user_reference = "my-useful-id",
  }

  it("of the pages until 2023 has ten keys, in a list and wrapped alone", function()
    assert.same(old, first_action(documented.actions_until_2023))
    assert.same(old, one_action(documented.action_until_2023, 10))
  end)

  it("of the pages since 2023-10 has a result and metadata, in a list and bare alone", function()
    assert.same(new, first_action(documented.actions))
    assert.same(new, one_action(documented.action, 6566418))
  end)

  it("that runs has neither an end nor success", function()
    assert.same({
      id = 10, user = "test@cloud66.com", resource_type = "stack", action = "clear_caches", resource_id = "283", started_via = "api",
      started_at = "2014-09-01T19:08:05Z", started_time = 1409598485, is_finished = false,
    }, one_action(documented.action_running, 10))
  end)

  it("that was recorded is one that runs", function()
    assert.same({
      id = 300001, user = "someone@example.com", resource_type = "stack", action = "service_restart", resource_id = "30001",
      started_via = "api", started_at = "2016-06-13T14:10:20Z", started_time = 1465827020, is_finished = false,
    }, one_action(documented.action_recorded, 300001))
  end)

  it("of stack settings has a resource_id that is no number, and a result of its own", function()
    assert.same({
      id = 78901, user = "admin@example.com", resource_type = "stack", action = "update_settings",
      resource_id = "stack-550e8400-e29b-41d4-a716", started_via = "api", started_at = "2024-02-15T10:30:00Z",
      finished_at = "2024-02-15T10:32:45Z", finished_success = true, finished_message = "Stack settings updated successfully",
      finished_result = { updated_settings = { "maintenance_mode", "load_balancer_timeout" }, values_changed = 2 },
      metadata = { settings_updated = { maintenance_mode = false, load_balancer_timeout = 30 } },
      started_time = 1707993000, finished_time = 1707993165, is_finished = true,
    }, one_action(documented.action_of_settings, 78901))
  end)

  it("of the model's page names its deployment by the session", function()
    assert.same({
      id = 98765, user = "someone@example.com", resource_type = "Stack", action = "deploy", resource_id = 12345, started_via = "api",
      started_at = "2024-01-15T10:30:00Z", finished_at = "2024-01-15T10:45:00Z", finished_success = true,
      finished_message = "Deployment completed successfully",
      finished_result = { deploy_session = "deploy-session-123", git_hash = "a1b2c3d4e5f6", servers_deployed = 3 },
      metadata = { git_ref = "main", deployment_strategy = "rolling" },
      started_time = 1705314600, finished_time = 1705315500, is_finished = true,
    }, one_action(documented.action_of_model, 98765))
  end)

  it("of a session, with a status and no success, is one that runs", function()
    assert.same({
      id = 456, user_id = 123, resource_type = "stack", action = "create_session", status = "pending",
      started_at = "2023-01-15T10:30:00Z", created_at = "2023-01-15T10:30:00Z", updated_at = "2023-01-15T10:30:00Z",
      started_time = 1673778600, is_finished = false,
    }, one_action(documented.action_of_session, 456))
  end)
end)

describe("the documented stack", function()
  local fields = {
    uid = "5999b763474b0eafa5fafb64bff0ba80", name = "Awesome App", git = "http://github.com/cloud66-samples/awesome-app.git",
    git_branch = "fig", environment = "production", cloud = "DigitalOcean", fqdn = "awesome-app.dev.c66.me", language = "ruby",
    framework = "rails", status = 1, health = 3, last_activity = "2014-08-14T01:46:53+00:00",
    last_activity_iso = "2014-08-14T01:46:53+00:00", maintenance_mode = false, has_loadbalancer = false,
    created_at = "2014-08-14 00:38:14 UTC", updated_at = "2014-08-14 01:46:52 UTC", deploy_directory = "/var/deploy/awesome_app",
    cloud_status = "partial", created_at_iso = "2014-08-14T00:38:14Z", updated_at_iso = "2014-08-14T01:46:52Z",
    redeploy_hook = "http://hooks.cloud66.com/stacks/redeploy/b806f1c3344eb3aa2a024b23254b75b3/6d677352a6b2eefec6e345ee2b491521",
    status_name = "success", health_name = "ok",
  }
  local absent = {
    "account_id", "account_name", "backend", "version", "revision", "is_busy", "is_cluster", "is_inside_cluster", "cluster_name",
    "application_address", "configstore_namespace", "namespaces", "considerations",
  }

  local function check(stack)
    for name, value in pairs(fields) do
      assert.same({ name, value }, { name, stack[name] })
    end
    for _, name in ipairs(absent) do
      assert.is_nil(stack[name])
    end
  end

  it("has its values in a list", function()
    local list = assert(canned.client({ body = documented.stacks }):stacks():collect())
    assert.equal(1, #list)
    check(list[1])
  end)

  it("has the same alone", function()
    check(assert(canned.client({ body = documented.stack }):stack(fields.uid):load()))
  end)
end)

describe("the documented pagination", function()
  -- The body of a list around it: a bare object, or the end of an envelope.
  local function page_with(pagination)
    return decode('{"response":[' .. documented.model .. '],"pagination":' .. pagination .. "}")
  end

  it("of the model's page says prev, and no per_page", function()
    local page = page_with(documented.pagination_of_model)
    assert.same({ 2, 3, 1, 7, 127 }, { page.current, page.next, page.previous, page.pages, page.total })
  end)

  it("of several pages counts this page outside, and all inside", function()
    local page = decode('{"response":[' .. documented.model .. "]," .. documented.pagination_of_several:sub(2))
    assert.same({ 1, 2, 2, 48 }, { page.current, page.next, page.pages, page.total })
    assert.is_nil(page.previous)
  end)

  it("of a last page, recorded, has no next page", function()
    local recorded = documented.service_yaml:match '"pagination":({.*})}$'
    local page = page_with(recorded)
    assert.same({ 8, 7, 8, 229 }, { page.current, page.previous, page.pages, page.total })
    assert.is_nil(page.next)
  end)
end)

describe("a documented list of something else", function()
  it("has its last page's entries and counts", function()
    local got = request(documented.service_yaml)
    assert.same({
      {
        uid = "00000000000000000000000000000000", comments = "first", changed_by = "someone@example.com",
        created_at_iso = "2016-06-11T13:43:35Z", updated_at_iso = "2016-06-11T13:43:35Z",
      },
    }, got.response)
    assert.equal(19, got.count)
    assert.same({ previous = 7, current = 8, per_page = 30, count = 229, pages = 8 }, got.pagination)
  end)

  it("may have neither count nor pagination: variants", function()
    local got = request(documented.variants)
    local function variant(id, uid, kind, hash, created, percentage)
      return { id = id, uid = uid, variant_type = kind, git_hash = hash, created_at = created, percentage = percentage }
    end
    assert.same({
      response = {
        variant(123, "abc123def456", "active", "a1b2c3d4e5f6", "2023-01-15T10:30:00Z", 100),
        variant(124, "def456ghi789", "canary", "f6e5d4c3b2a1", "2023-01-15T11:00:00Z", 20),
        variant(125, "ghi789jkl012", "preview", "123456789abc", "2023-01-15T12:00:00Z", 0),
      },
    }, got)
    failure("decode", cloud66.decode(documented.variants)) -- with an id, a uid and a git_hash, but no deployments
  end)

  it("may have neither count nor pagination: alerts, which are taken for no deployments and no stacks", function()
    assert.same({
      response = {
        {
          name = "deployment_success", description = "Notifies when a deployment completes successfully", active = true,
          channels = {
            { type = "email", enabled = true, recipients = { "someone@example.com" } },
            { type = "slack", enabled = true, webhook_url = "https://hooks.example.com/x" },
          },
        },
        {
          name = "server_down", description = "Notifies when a server goes down", active = true,
          channels = { { type = "email", enabled = true, recipients = { "someone@example.com", "someone@example.com" } } },
        },
      },
    }, request(documented.alerts))
    failure("decode", cloud66.decode(documented.alerts))
    failure("decode", canned.client({ body = documented.alerts }):stacks():collect())
    failure("decode", canned.stack(documented.alerts):actions():collect())
  end)

  it("may have other sizes of a page: clusters", function()
    local got = request(documented.clusters)
    assert.equal(2, got.count)
    assert.same({ current = 1, per_page = 100, count = 2, pages = 1 }, got.pagination)
    assert.same({
      id = 123, uid = "5999b763474b0eafa5fafb64bff0ba80", name = "Production Cluster", environment = "production", cloud = "AWS",
      status = 1, health = 3, kubernetes_version = "1.28.2", node_count = 5, created_at = "2023-01-15T10:30:00Z",
      updated_at = "2023-01-15T11:00:00Z", created_at_iso = "2023-01-15T10:30:00Z", updated_at_iso = "2023-01-15T11:00:00Z",
    }, got.response[1])
    assert.same({
      id = 124, uid = "6000c874585c1fbfb6gbc75cgg1cb91", name = "Staging Cluster", environment = "staging", cloud = "DigitalOcean",
      status = 1, health = 3, kubernetes_version = "1.28.1", node_count = 3, created_at = "2023-01-10T14:20:00Z",
      updated_at = "2023-01-10T15:00:00Z", created_at_iso = "2023-01-10T14:20:00Z", updated_at_iso = "2023-01-10T15:00:00Z",
    }, got.response[2])
    failure("decode", cloud66.decode(documented.clusters))
  end)
end)

describe("the documented webhook", function()
  local function check(body, want)
    local hook = assert(cloud66.webhook(body))
    for _, name in ipairs { "event", "stack_uid", "stack_name", "outcome", "started_time", "finished_time" } do
      assert.same({ name, want[name] }, { name, hook[name] })
    end
  end

  it("with a stack alone says which", function()
    check(documented.webhook_health_check, {
      event = "application.health_check.failed", stack_uid = "stack-550e8400-e29b-41d4-a716", stack_name = "my-production-app",
    })
    check(documented.webhook_hook_fail, {
      event = "stack.redeploy.hook.fail", stack_uid = "stack-550e8400-e29b-41d4-a716", stack_name = "shop",
    })
  end)

  it("of a provision says when it began and ended, and how", function()
    check(documented.webhook_getting_started, {
      event = "stack.provision.ok", stack_uid = "abc123def456", stack_name = "My Application", outcome = "success",
      started_time = 1704110400, finished_time = 1704112245,
    })
    check(documented.webhook_provision_ok, {
      event = "stack.provision.ok", stack_uid = "stack-550e8400-e29b-41d4-a716", stack_name = "shop", outcome = "success",
      started_time = 1704110100, finished_time = 1704110400,
    })
  end)

  it("of a failed provision, whose context says success, has no outcome", function()
    check(documented.webhook_provision_fail, {
      event = "stack.provision.fail", stack_uid = "stack-550e8400-e29b-41d4-a716", stack_name = "shop",
      started_time = 1704110100, finished_time = 1704110400,
    })
  end)
end)
