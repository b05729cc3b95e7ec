-- options.lua: what redeploy() and wait() are given -> checked options, the body of a request, what is waited for.
--
-- https://developers.cloud66.com/#redeploy-a-stack

local core = require "cloud66.core"
local action = require "cloud66.model.action"
local args = require "cloud66.base.args"

local options = {}

-- --- redeploy() ---

---Options of stack:redeploy().
options.REDEPLOY = {
  git_ref = true, services = true, current = true, deployment_profile = true, deploy_strategy = true,
  rollout_strategy = true, canary_percentage = true, user_reference = true, reuse = true,
}

local LONGEST_TEXT = 1024 -- bytes

local function check_text(given, name, level)
  local text = given[name]
  if text == nil then
    return nil
  end
  args.text(text, "option '" .. name .. "'", level + 1)
  if #text > LONGEST_TEXT then
    error(("option '%s' is longer than %d bytes"):format(name, LONGEST_TEXT), level + 1)
  end
  return text
end

-- "name" or "name:tag", without what would make two of it.
local function check_service(text, level)
  level = level + 1
  args.text(text, "a service", level)
  if text:find "[%s,]" then
    error(("the service '%s' holds white space or a comma"):format(text), level)
  elseif text:find "^:" or text:find ":$" then
    error(("the service '%s' lacks its %s: an unset variable? Write \"name:tag\", or \"name\" alone"):format(
      text, text:find "^:" and "name" or "tag"), level)
  end
  return text
end

local function split(text)
  local list = {}
  for part in (text .. ","):gmatch "([^,]*)," do
    list[#list + 1] = part:match "^%s*(.-)%s*$"
  end
  return list
end

-- name -> tag, or name -> true for the tag it has.
local function list_of_tags(tags, level)
  level = level + 1
  local list = {}
  for name, tag in pairs(tags) do
    if type(name) ~= "string" or (type(tag) ~= "string" and tag ~= true) then
      error(("services must be a list of \"name:tag\", a table of name = \"tag\", or text; got %s = %s"):format(
        tostring(name), tostring(tag)), level)
    elseif name:find ":" then
      error(("the name of the service '%s' holds a colon"):format(name), level)
    end
    list[#list + 1] = tag == true and name or name .. ":" .. tag
  end
  table.sort(list)
  return list
end

-- A list of "name:tag", from one, from a table name -> tag, or from text with commas. Never empty: an empty list would be the
-- whole stack, or nothing.
local function services_of(services, level)
  level = level + 1
  local list
  if type(services) == "string" then
    args.text(services, "services", level)
    list = split(services)
  elseif type(services) ~= "table" then
    error(("services must be a list, a table of name = \"tag\", or text, got %s"):format(type(services)), level)
  elseif #services > 0 then
    local count = 0
    for _ in pairs(services) do
      count = count + 1
    end
    if count ~= #services then
      error("services mixes a list with names, or has gaps", level)
    end
    list = {}
    for i, service in ipairs(services) do
      list[i] = service
    end
  else
    list = list_of_tags(services, level)
  end
  if #list == 0 then
    error("services is empty: an unset variable? (current = true deploys all of them as they are)", level)
  end
  local seen = {}
  for _, service in ipairs(list) do
    local name = check_service(service, level):match "^[^:]*"
    if seen[name] then
      error(("services names '%s' twice"):format(name), level)
    end
    seen[name] = true
  end
  return list
end

---@param given table?  the caller's
---@return table checked, table body
function options.redeploy(given, level)
  level = level + 1
  local checked = args.options(given, options.REDEPLOY, nil, "git_ref")
  local body = {}
  for _, name in ipairs { "git_ref", "deployment_profile", "deploy_strategy", "rollout_strategy" } do
    body[name] = check_text(checked, name, level)
  end
  if checked.services ~= nil then
    body.services = services_of(checked.services, level)
  end
  if checked.current ~= nil and checked.current ~= true then
    error("option 'current' must be true, or left out", level)
  elseif checked.current and (body.git_ref or body.services) then
    error("option 'current' deploys what is there again: it goes with neither git_ref nor services", level)
  elseif not (checked.current or body.git_ref or body.services) then
    error("redeploy() needs git_ref, services or current = true: an unset variable?", level)
  end
  local percentage = checked.canary_percentage
  if percentage ~= nil then
    if type(percentage) ~= "number" or percentage % 1 ~= 0 or percentage < 0 or percentage > 100 then
      error(("option 'canary_percentage' must be a whole number from 0 to 100, got %s"):format(tostring(percentage)), level)
    end
    body.canary_percentage = percentage
  end
  if checked.reuse ~= nil and type(checked.reuse) ~= "boolean" then
    error("option 'reuse' must be true or false", level)
  elseif checked.reuse and checked.user_reference == nil then
    error("option 'reuse' needs the user_reference to look for", level)
  end
  action.check_reference(checked.user_reference, level)
  return checked, body
end

-- --- wait() ---

---How long to wait at the most, seconds, where nothing else is asked for.
options.TIMEOUT = 7200

---Options of stack:wait().
options.WAIT = { timeout = true, interval = true, require_live = true, on_change = true, on_poll = true, stop = true }

---@param given? table  the caller's
---@param level integer  as in args.lua
---@return table  checked, a copy
function options.wait(given, level)
  level = level + 1
  local checked = args.options(given, options.WAIT)
  if checked.timeout ~= nil then
    args.positive(checked.timeout, "option 'timeout'", level)
  end
  if checked.interval ~= nil then
    args.positive(checked.interval, "option 'interval'", level)
  end
  if checked.require_live ~= nil and type(checked.require_live) ~= "boolean" then
    error("option 'require_live' must be true or false", level)
  end
  for _, name in ipairs { "on_change", "on_poll", "stop" } do
    if checked[name] ~= nil and type(checked[name]) ~= "function" then
      error(("option '%s' must be a function, got %s"):format(name, type(checked[name])), level)
    end
  end
  return checked
end

---What is waited for: { digits = of a deployment } or { action_id, user_reference, accepted_time, git_ref }.
---@param what any    a deployment, an id, an action, or what redeploy() gave
---@param uid string  of the stack
---@param level integer  as in args.lua
---@return table
function options.target(what, uid, level)
  level = level + 1
  if core.is_deployment(what) then
    return { digits = what.id ~= nil and args.id(what.id, level) or false }
  elseif type(what) == "number" or type(what) == "string" then
    return { digits = args.id(what, level) }
  elseif action.is(what) then
    return { action_id = what.id, user_reference = what.user_reference, accepted_time = what.started_time }
  elseif type(what) == "table" and (what.async_action_id ~= nil or what.user_reference ~= nil) then
    if what.stack_uid ~= nil and what.stack_uid ~= uid then
      error(("that redeploy is of stack %s, and this is %s"):format(tostring(what.stack_uid), uid), level)
    end
    if what.async_action_id ~= nil then
      args.id(what.async_action_id, level)
    end
    if what.user_reference ~= nil then
      args.text(what.user_reference, "user_reference", level)
    end
    for name, kind in pairs { accepted_time = "number", git_ref = "string", git_hash = "string" } do
      if what[name] ~= nil and type(what[name]) ~= kind then
        error(("'%s' of what is waited for must be a %s, got %s"):format(name, kind, type(what[name])), level)
      end
    end
    return { action_id = what.async_action_id, user_reference = what.user_reference, accepted_time = what.accepted_time,
      git_ref = what.git_ref, git_hash = what.git_hash }
  end
  error(("wait() needs a deployment, its id, or what redeploy() gave, got %s%s"):format(type(what),
    what == nil and ": see what the call that should have given it returned beside nil" or ""), level)
end

return options
