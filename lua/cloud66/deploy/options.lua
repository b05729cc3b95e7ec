-- options.lua: what redeploy() and wait() are given -> checked options, the body of a request, what is waited for.
--
-- https://developers.cloud66.com/#redeploy-a-stack

local core = require "cloud66.core"
local action = require "cloud66.model.action"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local host = require "cloud66.runtime.host"

local options = {}

local blame = caller.blame

-- --- services ---

-- A service is "name" or "name:tag", without what would make two of it.
---@return string name
local function service_name(text)
  args.text(text, "a service")
  if text:find "[%s,]" then
    blame("the service '%s' holds white space or a comma", text)
  elseif text:find "^:" or text:find ":$" then
    blame("the service '%s' lacks its %s: an unset variable? Write \"name:tag\", or \"name\" alone",
      text, text:find "^:" and "name" or "tag")
  end
  return text:match "^[^:]*"
end

local function split(text)
  local list = {}
  for part in (text .. ","):gmatch "([^,]*)," do
    list[#list + 1] = part:match "^%s*(.-)%s*$"
  end
  return list
end

local function copy_of_list(list, option)
  local copy, count = {}, 0
  for _ in pairs(list) do
    count = count + 1
  end
  if count ~= #list then
    blame("%s mixes a list with names, or has gaps", option)
  end
  for i, service in ipairs(list) do
    copy[i] = service
  end
  return copy
end

-- From name -> tag, or name -> true for the tag it has.
local function list_of_tags(tags, option)
  local list = {}
  for service, tag in pairs(tags) do
    if type(service) ~= "string" or (type(tag) ~= "string" and tag ~= true) then
      blame("%s must be a list of \"name:tag\", a table of name = \"tag\", or text; got %s = %s",
        option, tostring(service), tostring(tag))
    elseif service:find ":" then
      blame("the name of the service '%s' holds a colon", service)
    end
    list[#list + 1] = tag == true and service or service .. ":" .. tag
  end
  table.sort(list)
  return list
end

-- A check of any form of services; gives a list of "name:tag". Never empty: an empty list would be the whole stack, or
-- nothing.
local function services_of(services, option)
  local list
  if type(services) == "string" then
    list = split(args.text(services, option))
  elseif type(services) ~= "table" then
    blame("%s must be a list, a table of name = \"tag\", or text, got %s", option, type(services))
  else
    list = #services > 0 and copy_of_list(services, option) or list_of_tags(services, option)
  end
  if #list == 0 then
    blame("%s is empty: an unset variable? (current = true deploys all of them as they are)", option)
  end
  local seen = {}
  for _, service in ipairs(list) do
    local name = service_name(service)
    if seen[name] then
      blame("%s names '%s' twice", option, name)
    end
    seen[name] = true
  end
  return list
end

-- --- redeploy() ---

local LONGEST_TEXT = 1024 -- bytes

local function short_text(value, name)
  if #args.text(value, name) > LONGEST_TEXT then
    blame("%s is longer than %d bytes", name, LONGEST_TEXT)
  end
  return value
end

local function only_true(value, name)
  if value ~= true then
    blame("%s must be true, or left out", name)
  end
  return value
end

local LONGEST_CLAIM = 86400 -- seconds

---The schema of stack:redeploy()'s options.
options.REDEPLOY = {
  git_ref = short_text, services = services_of, current = only_true, deployment_profile = short_text,
  deploy_strategy = short_text, rollout_strategy = short_text, canary_percentage = args.whole(0, 100),
  user_reference = action.check_reference, reuse = args.boolean, timeout = args.positive, settle = args.positive,
  claim = args.seconds(LONGEST_CLAIM),
}

-- What is sent as it is. redeploy.lua adds the user_reference, and makes one up where none is given.
local SENT = { "git_ref", "services", "deployment_profile", "deploy_strategy", "rollout_strategy", "canary_percentage" }

---What a redeploy sends. Raises for options that do not go together.
---@param checked table  of the schema
---@return table body
function options.body(checked)
  local names_something = checked.git_ref or checked.services
  if checked.current and names_something then
    blame "option 'current' deploys what is there again: it goes with neither git_ref nor services"
  elseif not checked.current and not names_something then
    blame "redeploy() needs git_ref, services or current = true: an unset variable?"
  elseif checked.reuse and not checked.user_reference then
    blame "option 'reuse' needs the user_reference to look for"
  end
  local body = {}
  for _, name in ipairs(SENT) do
    body[name] = checked[name]
  end
  return body
end

---@param given table?  the caller's
---@return table checked, table body
function options.redeploy(given)
  local checked = args.options(given, options.REDEPLOY, nil, "git_ref")
  return checked, options.body(checked)
end

-- --- wait() ---

---How long to wait at the most, seconds, where no timeout is given.
options.TIMEOUT = 7200

local MOST_LEFT = 5 -- seconds

---Until when a request that changes something may take: a lost response leaves time to see what became of it.
---@param deadline number  of all, by host.now()
---@return number deadline
function options.change_deadline(deadline)
  return deadline - math.min(MOST_LEFT, math.max(0, deadline - host.now()) / 4)
end

---The schema of stack:wait()'s options.
options.WAIT = {
  timeout = args.positive, interval = args.positive, require_live = args.boolean, on_change = args.callable,
  on_poll = args.callable, stop = args.callable,
}

---@param given? table  the caller's
---@return table checked
function options.wait(given)
  return args.options(given, options.WAIT)
end

-- What the fields of a result of redeploy() must be, which may come from a file.
local RESULT_TYPES = { accepted_time = "number", git_ref = "string", git_hash = "string" }

local function target_of_result(result, uid)
  if result.stack_uid ~= nil and result.stack_uid ~= uid then
    blame("that redeploy is of stack %s, and this is %s", tostring(result.stack_uid), uid)
  end
  if result.async_action_id ~= nil then
    args.id(result.async_action_id, "async_action_id")
  end
  if result.id ~= nil then
    args.id(result.id, "the id of what is waited for")
  end
  if result.user_reference ~= nil then
    args.text(result.user_reference, "user_reference")
  end
  for name, kind in pairs(RESULT_TYPES) do
    if result[name] ~= nil and type(result[name]) ~= kind then
      blame("'%s' of what is waited for must be a %s, got %s", name, kind, type(result[name]))
    end
  end
  return { action_id = result.async_action_id, id = result.id, user_reference = result.user_reference, accepted_time = result.accepted_time,
    git_ref = result.git_ref, git_hash = result.git_hash, joined = result.joined and true or false }
end

---What is waited for: { digits = of a deployment, was_seen = whether the caller has it from the API } or { action_id, id,
---user_reference, accepted_time, git_ref, git_hash, joined }; id is of the deployment or of the action: the API does not say.
---@param what any    a deployment, an id, an action, or what redeploy() returned
---@param uid string  of the stack
---@return table target  # digits = false: the API sent no id that can be read
function options.target(what, uid)
  if core.is_deployment(what) then
    return { digits = what.id ~= nil and args.id(what.id) or false, was_seen = true }
  elseif type(what) == "number" or type(what) == "string" then
    return { digits = args.id(what) }
  elseif action.is(what) then
    return { action_id = what.id, user_reference = what.user_reference, accepted_time = what.started_time }
  elseif type(what) == "table" and (what.async_action_id ~= nil or what.user_reference ~= nil) then
    return target_of_result(what, uid)
  end
  local advice = what == nil and ": see what the call that should have made it returned beside nil"
    or type(what) == "table" and " without user_reference and async_action_id" or ""
  return blame("wait() needs a deployment, its id, or what redeploy() returned, got %s%s", type(what), advice)
end

return options
