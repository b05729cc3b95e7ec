-- webhook.lua: the body of a Cloud 66 webhook. cloud66.webhook() and its fields are documented in types/cloud66.lua.
--
-- https://developers.cloud66.com/v3/getting-started/webhooks

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local values = require "cloud66.base.value"

local webhook = {}

local LONGEST = 1048576 -- bytes: the documented ones have some 2,000
local LONGEST_UID = 100 -- bytes: the documented ones have 12 to 36
local LATEST = 253402300800 -- Unix seconds: the year 10000; above it are milliseconds

local NAMES = {}
for name in ([[event time stack_uid stack_name environment outcome async_action_id deploy_type triggered_by triggered_via
  git_hash deploy_session started_time finished_time]]):gmatch "%S+" do
  NAMES[name] = true
end

local webhook_mt = { __name = "cloud66.webhook" }

function webhook_mt.__index(_, name)
  if not NAMES[name] then
    caller.blame("a webhook has no field '%s'%s", tostring(name), args.hint(name, NAMES))
  end
  return nil
end

local text = values.text

-- --- which stack ---

-- The first part of events whose body is the stack itself.
local FAMILIES = { stack = true, application = true, autoscaling = true, ssh_key = true }

-- Whether a uid at the top level is a stack's. Servers, jobs and containers have theirs there too. Where an event is not
-- documented, the body tells: among the documented ones, only a stack has both of these keys.
local function is_stack(body)
  return FAMILIES[body.event_type:match "^[^.]*"] or text(body.environment) and text(body.fqdn)
end

---@return string|nil uid    as sent
---@return table fields      the stack's own, where they were sent
---@return string|nil where  the uid stands
local function find_stack(body)
  local stack, server = body.stack, body.server
  if type(stack) == "table" and text(stack.uid) then
    return stack.uid, stack, "stack.uid"
  elseif text(stack) then
    return stack, {}, "stack"
  elseif text(body.stack_uid) then
    return body.stack_uid, {}, "stack_uid"
  elseif type(server) == "table" and text(server.stack_uid) then
    return server.stack_uid, {}, "server.stack_uid"
  elseif is_stack(body) then
    return text(body.uid), body, "uid"
  end
  return nil, {}
end

local function is_uid(uid)
  return #uid <= LONGEST_UID and not uid:find "[^%w_-]"
end

-- --- how it ended ---

-- A deployment's events have one word more than these. Hooks of a redeploy, builds of a service and the like have an end of
-- their own, which is not the deployment's.
local DEPLOYMENTS = {
  ["stack.provision"] = true, ["stack.redeploy"] = true, ["stack.deploy"] = true, ["application.update"] = true,
}

local OUTCOMES = {
  ok = "success", succeeded = "success", fail = "failed", failed = "failed", started = "pending", pending = "pending",
}

local function named_outcome(event)
  local subject, word = event:match "^(%w+%.%w+)%.(%w+)$"
  return DEPLOYMENTS[subject] and OUTCOMES[word]
end

-- A bare word, as documented here, or {code, meaning} as in deployments: a text that is no number is the word.
local function word(value)
  if type(value) == "table" then
    local code = text(value.code)
    value = code and not tonumber(code) and code or value.meaning
  end
  return text(value) and value:lower()
end

-- Where the name and the context contradict each other, neither is to be believed.
local function outcome_of(event, context)
  local named, sent = named_outcome(event), word(context.outcome)
  if named and sent and named ~= sent then
    return nil
  end
  return named or sent
end

-- --- the whole ---

local function time(value)
  return type(value) == "number" and value > 0 and value < LATEST and value or nil
end

local function read(body)
  local uid, stack, where = find_stack(body)
  if uid and not is_uid(uid) then
    return errors.fail("decode", ("no webhook of Cloud 66: its '%s' can be no stack's uid"):format(where))
  end
  local context = type(body.deploy_context) == "table" and body.deploy_context or {}
  return setmetatable({
    event = body.event_type,
    time = time(body.timestamp),
    stack_uid = uid,
    stack_name = text(stack.name),
    environment = text(stack.environment),
    outcome = outcome_of(body.event_type, context),
    async_action_id = values.id(context.async_action_id),
    deploy_type = word(context.deploy_type),
    triggered_by = text(context.triggered_by),
    triggered_via = word(context.triggered_via),
    git_hash = text(context.git_hash),
    deploy_session = text(context.deploy_session),
    started_time = values.time(context.started_at),
    finished_time = values.time(context.finished_at),
  }, webhook_mt)
end

function webhook.read(body)
  if type(body) ~= "string" then -- nginx gives nil for an empty body, or one that it wrote to a file
    return errors.fail("decode", "a webhook without a body")
  elseif #body > LONGEST then
    return errors.fail("too_large", ("a webhook of %d bytes, more than %d"):format(#body, LONGEST))
  end
  local value, _, reason, offset = core.json(body)
  if type(value) ~= "table" then
    return errors.fail("decode", "no webhook: " .. (value == nil and reason or "not an object"), { offset = offset })
  elseif not text(value.event_type) then
    return errors.fail("decode", "no webhook of Cloud 66: it has no 'event_type'")
  end
  return read(value)
end

return webhook
