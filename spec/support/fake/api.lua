-- The API itself: paths, and the objects they answer with.
local asked = require "spec.support.fake.asked"
local calendar = require "spec.support.fake.calendar"
local data = require "spec.support.data"
local errors = require "spec.support.fake.errors"
local json = require "spec.support.fake.json"
local lag = require "spec.support.fake.lag"
local operations = require "spec.support.fake.operations"
local scenario = require "spec.support.fake.scenario"
local shape = require "spec.support.fake.shape"
local world = require "spec.support.fake.world"

local api = {}

local function name_of(uid)
  for name, known in pairs(data.uids) do
    if uid == known then
      return name
    end
  end
end

local function pagination(x, plan, count, pages)
  local current = x.page
  local object = json.object {
    { "previous", current > 1 and current - 1 or nil },
    { "next", current < pages and current + 1 or nil },
    { "current", current },
    { "per_page", plan.size },
    { "count", count },
    { "pages", math.max(pages, 1) },
  }
  return scenario.apply("pagination", x.values, object, x)
end

-- The items of the page x asks for: `make(i)` is the i-th of `count`, newest first.
local function list(x, count, make)
  local plan = scenario.apply("plan", x.values, { size = 30, added = 0 }, x)
  local added = x.page > 1 and not plan.place and plan.added or 0 -- at the other end, they move nothing
  local pages = math.ceil((count + added) / plan.size)
  local page = x.page
  if plan.empty_page and plan.empty_page <= pages then
    pages = pages + 1
    page = page > plan.empty_page and page - 1 or page
  end
  local items = {}
  if x.page ~= plan.empty_page then
    local first = (page - 1) * plan.size - added + 1
    for i = first, math.min(first + plan.size - 1, count) do
      items[#items + 1] = make(plan.place and plan.place(i, count) or i)
    end
  end
  return json.object {
    { "response", items },
    { "count", #items },
    { "pagination", pagination(x, plan, count + added, pages) },
  }
end

local function deployment(x, models, index)
  return scenario.apply("deployment", x.values, shape.deployment(models[index]), models[index], index)
end

local function stack(x, name)
  local body = data.stack_body(name)
  local status = world.status(x.world, name)
  if status then
    body:set("status", status)
  end
  return scenario.apply("stack", x.values, body, x)
end

local function models_of(x, uid)
  local name = name_of(uid)
  return name and world.deployments(x.world, name, lag.moment(x))
end

local function ping(who)
  return function()
    return json.object {
      { "ok", true },
      { "message", "all good." .. who },
      { "user_id", 123 },
      { "account_id", 456 },
      { "user_name", "John Doe" },
      { "account_name", "My Company" },
    }
  end
end

-- How the real API compares is unknown: a part of the name, in any case, is the answer a client must be ready for.
local function passes(filter, text)
  return type(filter) ~= "string" or text:lower():find(filter:lower(), 1, true) ~= nil
end

local function stacks(x)
  local found = {}
  for _, name in ipairs(data.stack_names) do
    local body = data.stack_body(name)
    if passes(x.query.filter_name, body:get "name") and passes(x.query.filter_environment, body:get "environment") then
      found[#found + 1] = name
    end
  end
  return list(x, #found, function(i)
    return stack(x, found[i])
  end)
end

local function one_stack(x, uid)
  local name = name_of(uid)
  return name and json.object { { "response", stack(x, name) } }
end

local function deployments(x, uid)
  local models = models_of(x, uid)
  return models and list(x, #models, function(i)
    return deployment(x, models, i)
  end)
end

local function one_deployment(x, uid, id)
  local models = models_of(x, uid) or {}
  for index, d in ipairs(models) do
    if (x.id_text or tostring)(d.id) == id then
      return json.object { { "response", deployment(x, models, index) } }
    end
  end
end

-- --- writing ---

-- The forms without `ok`: what their id is.
local SCHEDULED = {
  scheduled = function(job)
    return job.id
  end,
  scheduled_action = function(job)
    return job.action_id
  end,
  scheduled_other = function(_, newest)
    return newest.id
  end,
  only_queued = function() end,
}

local function answer_redeploy(x, job, waits, newest)
  local form = x.values.redeploy or "new"
  if SCHEDULED[form] then
    return json.object { { "response", json.object {
      { "id", SCHEDULED[form](job, newest) }, { "message", "Deployment scheduled" }, { "queued", true },
    } } }
  end
  local object = json.object { { "ok", true }, { "message", "Stack queued for redeployment" } }
  if form == "refused" then
    object = json.object { { "ok", false }, { "message", "Stack is not in a state to be deployed" } }
  elseif form == "approval" then
    object:set("message", "Deployment was sent for approval")
  elseif form == "starting" then
    object:set("message", "Stack starting redeployment"):set("queued", false)
  elseif form ~= "old" then
    object:set("async_action_id", job.action_id):set("queued", waits or form == "queued")
  end
  if form == "text_ok" then
    object:set("ok", "true")
  end
  return form == "bare" and object or json.object { { "response", object } }
end

local function redeploy(x, uid)
  local name = name_of(uid)
  if not name then
    return nil
  end
  local form, job, waits = x.values.redeploy, nil, nil
  local newest = world.deployments(x.world, name)[1]
  if form ~= "refused" and form ~= "approval" then
    job, waits = world.redeploy(x, name, asked.read(x.body or ""))
  end
  return answer_redeploy(x, job, waits, newest)
end

local function cancel(x, uid, id)
  local name = name_of(uid)
  local state = name and world.cancel(x, name, id)
  local form = x.values.cancel_finished or "ok"
  if not state then
    return nil
  elseif state == "finished" and (form == "conflict" or form == "not_found") then
    return nil, form
  end
  local ok = state == "running" or form == "ok"
  return json.object {
    { "response", json.object { { "ok", ok }, { "message", ok and "Cancelling deployment" or "It is not running" } } },
  }
end

-- What an action has come to: what a spec says, or what its deployment is, where `link` is asked for.
local function result_of(x, a)
  local made = a.finished_result or (x.values.link and a.finished_time and a.made) or {}
  return json.object {
    { "deploy_session", made.deploy_session }, { "git_hash", made.git_hash }, { "servers_deployed", made.servers_deployed },
  }
end

local function metadata_of(x, a)
  local pairs_of_it = {}
  for _, name in ipairs { "user_reference", "git_ref" } do
    if a[name] and (name == "user_reference" or x.values.metadata == "ref") then
      pairs_of_it[#pairs_of_it + 1] = { name, a[name] }
    end
  end
  return pairs_of_it
end

local function action(x, a)
  local object = json.object {
    { "id", a.id },
    { "user", a.user },
    { "resource_type", a.resource_type or "stack" },
    { "action", a.action or "application_deployment" },
    { "resource_id", a.resource_id or "84195" },
    { "started_via", a.started_via or "api" },
    { "started_at", calendar.text(a.started_time) },
    { "finished_at", a.finished_time and calendar.text(a.finished_time) or nil },
    { "finished_success", a.finished_success },
    { "finished_message", a.finished_message },
    { "finished_result", result_of(x, a) },
    { "metadata", json.object(metadata_of(x, a)) },
  }
  return scenario.apply("action", x.values, object, a)
end

local function actions(x, uid)
  local name = name_of(uid)
  if not name then
    return nil
  end
  local wanted, found = x.query.user_reference, {}
  local looks = wanted and not x.values.unfiltered and x.values.metadata ~= "no"
  for _, a in ipairs(world.actions(x.world, name, lag.moment(x))) do
    if not looks or a.user_reference == wanted then
      found[#found + 1] = a
    end
  end
  return list(x, #found, function(i)
    return action(x, found[i])
  end)
end

local function one_action(x, uid, id)
  local name = name_of(uid)
  for _, a in ipairs(name and world.actions(x.world, name, lag.moment(x)) or {}) do
    if tostring(a.id) == id then
      return json.object { { "response", action(x, a) } }
    end
  end
end

local function operation_logs(x, uid)
  local found, problem = operations.logs(x, uid)
  if not found then
    return nil, problem
  end
  return list(x, #found, function(i)
    return found[i]
  end)
end

local function open_ping()
  return json.object { { "ok", true }, { "message", "all good." } }
end

-- A star is any segment, handed to the function. What a function returns is the body; nothing is a 404.
local routes = {
  { "GET", { "ping" }, open_ping, kind = "ping", open = true },
  { "GET", { "ping", "auth" }, ping " authenticated. User ID is 123. Account ID is 456", kind = "ping" },
  { "GET", { "stacks" }, stacks, kind = "stacks", is_list = true },
  { "GET", { "stacks", "*" }, one_stack, kind = "stack" },
  { "GET", { "stacks", "*", "deployments" }, deployments, kind = "deployments", is_list = true },
  { "GET", { "stacks", "*", "deployments", "*" }, one_deployment, kind = "deployment" },
  { "POST", { "stacks", "*", "deployments" }, redeploy, kind = "redeploy" },
  { "DELETE", { "stacks", "*", "deployments", "*" }, cancel, kind = "cancel" },
  { "GET", { "stacks", "*", "actions" }, actions, kind = "actions", is_list = true },
  { "GET", { "stacks", "*", "actions", "*" }, one_action, kind = "action" },
  { "GET", { "operations", "*", "logs" }, operation_logs, kind = "logs", is_list = true },
}

local function fits(pattern, segments)
  if #segments ~= #pattern + 2 or segments[1] ~= "api" or segments[2] ~= "3" then
    return nil
  end
  local found = {}
  for i, want in ipairs(pattern) do
    if want == "*" then
      found[#found + 1] = segments[i + 2]
    elseif want ~= segments[i + 2] then
      return nil
    end
  end
  return found
end

---Finds what x asks for: sets x.kind and x.is_list, and gives a function that answers, an error id if there is none.
function api.route(x)
  local refusal = "not_found"
  for _, route in ipairs(routes) do
    local arguments = fits(route[2], x.segments)
    if arguments and route[1] == x.method then
      x.kind, x.is_list, x.open = route.kind, route.is_list, x.open or route.open
      return function()
        return route[3](x, arguments[1], arguments[2])
      end
    elseif arguments then
      x.kind, refusal = route.kind, "method_not_allowed"
    end
  end
  return nil, refusal
end

---The reply to x, given what api.route said.
function api.reply(x, answer, refusal)
  local object, problem
  if answer then
    object, problem = answer()
  end
  if not object then
    return errors.reply(problem or refusal or "not_found", x)
  end
  object = scenario.apply("envelope", x.values, object, x)
  local reply = { status = 200, body = json.encode(object, x.indent) }
  reply.body = scenario.apply("body", x.values, reply.body, reply, x)
  return reply
end

return api
