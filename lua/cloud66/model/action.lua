-- action.lua: an action of a stack, such as a redeploy on its way, as the API describes it. Its fields are documented in
-- types/operations.lua.
--
-- https://developers.cloud66.com/#stack-actions

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local value = require "cloud66.base.value"

local action = {}

-- What the API documents, and what is derived from it. Any other key that was sent is in the table too.
local NAMES = {}
for name in ([[id user resource_type action resource_id started_via started_at finished_at finished_success
  finished_message finished_result metadata started_time finished_time is_finished user_reference]]):gmatch "%S+" do
  NAMES[name] = true
end

local action_mt = { __name = "cloud66.action" }

-- A misspelt name must not read as "not finished".
function action_mt.__index(_, name)
  if not NAMES[name] then
    caller.blame("an action has no field '%s'%s", tostring(name), args.hint(name, NAMES))
  end
  return nil
end

function action_mt.__tostring(self)
  local state = self.is_finished
    and (self.finished_success and "succeeded" or self.finished_success == false and "failed" or "finished") or "running"
  return errors.clean(("action %s %s %s"):format(tostring(self.id), tostring(self.action), state))
end

---@param fields any  decoded JSON, which becomes the action
---@param show fun(text: string): string  makes a text fit for messages: these three get into them, and may hold anything
---@return cloud66.Action|nil action, string? reason
function action.of(fields, show)
  if type(fields) ~= "table" or not value.id(fields.id) then
    return nil, "no action: it has no id"
  end
  local success = value.truth(fields.finished_success) -- null while it runs
  if fields.finished_success ~= nil and success == nil then
    return nil, "an action whose 'finished_success' is " .. type(fields.finished_success)
  end
  fields.finished_success = success
  fields.started_time, fields.finished_time = value.time(fields.started_at), value.time(fields.finished_at)
  if fields.finished_at ~= nil and not fields.finished_time then
    return nil, "an action whose 'finished_at' is no date"
  end
  fields.is_finished = fields.finished_time ~= nil
  for _, name in ipairs { "action", "finished_message" } do
    if type(fields[name]) == "string" then
      fields[name] = show(fields[name])
    end
  end
  local metadata = type(fields.metadata) == "table" and fields.metadata or {}
  fields.user_reference = value.text(metadata.user_reference)
  if type(metadata.git_ref) == "string" then
    metadata.git_ref = show(metadata.git_ref)
  end
  return setmetatable(fields, action_mt)
end

---What an action that has ended says of the deployment that it made.
---@param self cloud66.Action
---@return string|nil deploy_session, string|nil git_hash
function action.made(self)
  local result = self.is_finished and self.finished_result
  if type(result) ~= "table" then
    return nil, nil
  end
  return value.text(result.deploy_session), value.text(result.git_hash)
end

local LONGEST_REFERENCE = 255 -- characters: the API's limit

local function characters(text)
  return select(2, text:gsub("[^\128-\191]", ""))
end

---A check, as in args.lua, of the reference that an action is to carry, or is looked for by.
---@return string
function action.check_reference(reference, name)
  if characters(args.text(reference, name)) > LONGEST_REFERENCE then
    caller.blame("%s is longer than %d characters", name, LONGEST_REFERENCE)
  end
  return reference
end

---Whether a value is an action.
function action.is(candidate)
  return type(candidate) == "table" and getmetatable(candidate) == action_mt
end

return action
