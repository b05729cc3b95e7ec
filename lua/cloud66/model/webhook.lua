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

local NAMES = {
  event = true, stack_uid = true, stack_name = true, outcome = true, started_time = true, finished_time = true,
}

local webhook_mt = { __name = "cloud66.webhook" }

function webhook_mt.__index(_, name)
  if not NAMES[name] then
    caller.blame("a webhook has no field '%s'%s", tostring(name), args.hint(name, NAMES))
  end
  return nil
end

local text = values.text

-- A bare word, as documented here, or {code, meaning} as in deployments: a text that is no number is the word.
local function word(value)
  if type(value) == "table" then
    local code = text(value.code)
    value = code and not tonumber(code) and code or value.meaning
  end
  return text(value) and value:lower()
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
  elseif not text(value.event_type) or not text(value.uid) then
    return errors.fail("decode", ("no webhook of Cloud 66: it has no '%s'"):format(
      text(value.event_type) and "uid" or "event_type"))
  end
  local context = type(value.deploy_context) == "table" and value.deploy_context or {}
  return setmetatable({
    event = value.event_type,
    stack_uid = value.uid,
    stack_name = text(value.name),
    outcome = word(context.outcome),
    started_time = values.time(context.started_at),
    finished_time = values.time(context.finished_at),
  }, webhook_mt)
end

return webhook
