-- redeploy.lua: starts a deployment at most once, and finds out what became of a request whose answer was lost.
--
-- https://developers.cloud66.com/#redeploy-a-stack

local core = require "cloud66.core"
local action = require "cloud66.action"
local check = require "cloud66.check"
local errors = require "cloud66.error"
local retry = require "cloud66.retry"
local scheduler = require "cloud66.scheduler"

local redeploy = {}

redeploy.OPTIONS = {
  git_ref = true, services = true, current = true, deployment_profile = true, deploy_strategy = true,
  rollout_strategy = true, canary_percentage = true, user_reference = true, reuse = true,
}

local LONGEST_REFERENCE = 255 -- characters: the API's limit
local LONGEST_TEXT = 1024 -- bytes

-- --- options -> body ---

local function characters(text)
  return select(2, text:gsub("[^\128-\191]", ""))
end

local function check_text(options, name, level)
  local text = options[name]
  if text == nil then
    return nil
  end
  check.text(text, "option '" .. name .. "'", level + 1)
  if #text > LONGEST_TEXT then
    error(("option '%s' is longer than %d bytes"):format(name, LONGEST_TEXT), level + 1)
  end
  return text
end

---@return string|nil
function redeploy.check_reference(reference, level)
  if reference == nil then
    return nil
  end
  check.text(reference, "user_reference", level + 1)
  if characters(reference) > LONGEST_REFERENCE then
    error(("user_reference is longer than %d characters"):format(LONGEST_REFERENCE), level + 1)
  end
  return reference
end

-- "name" or "name:tag", without what would make two of it.
local function check_service(text, level)
  level = level + 1
  check.text(text, "a service", level)
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

---@param services any  a list of "name:tag", a table name -> tag, or text with commas
---@return string[]     never empty: an empty list would be the whole stack, or nothing
function redeploy.services(services, level)
  level = level + 1
  local list
  if type(services) == "string" then
    check.text(services, "services", level)
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

---@param options table?  the caller's
---@return table options, table body
function redeploy.check_options(options, level)
  level = level + 1
  options = check.options(options, redeploy.OPTIONS, "option", level, "git_ref")
  local body = {}
  for _, name in ipairs { "git_ref", "deployment_profile", "deploy_strategy", "rollout_strategy" } do
    body[name] = check_text(options, name, level)
  end
  if options.services ~= nil then
    body.services = redeploy.services(options.services, level)
  end
  if options.current ~= nil and options.current ~= true then
    error("option 'current' must be true, or left out", level)
  elseif options.current and (body.git_ref or body.services) then
    error("option 'current' deploys what is there again: it goes with neither git_ref nor services", level)
  elseif not (options.current or body.git_ref or body.services) then
    error("redeploy() needs git_ref, services or current = true: an unset variable?", level)
  end
  local percentage = options.canary_percentage
  if percentage ~= nil then
    if type(percentage) ~= "number" or percentage % 1 ~= 0 or percentage < 0 or percentage > 100 then
      error(("option 'canary_percentage' must be a whole number from 0 to 100, got %s"):format(tostring(percentage)), level)
    end
    body.canary_percentage = percentage
  end
  if options.reuse ~= nil and type(options.reuse) ~= "boolean" then
    error("option 'reuse' must be true or false", level)
  elseif options.reuse and options.user_reference == nil then
    error("option 'reuse' needs the user_reference to look for", level)
  end
  redeploy.check_reference(options.user_reference, level)
  return options, body
end

-- --- what came of it ---

-- 128 random bits from the operating system, in hex.
function redeploy.new_reference(prefix)
  return prefix .. (core.random(16):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

local function newest(actions)
  local best
  for _, candidate in ipairs(actions) do
    if not best or (candidate.started_time or 0) > (best.started_time or 0) then
      best = candidate
    end
  end
  return best
end

-- The result for an action that is known.
local function result_of(call, found, message)
  return {
    message = message,
    queued = not found.is_finished,
    async_action_id = found.id,
    user_reference = call.reference,
    accepted_time = found.started_time,
    git_ref = call.body.git_ref,
    stack_uid = call.endpoint.uid,
  }
end

---The result of redeploy() for an action that carries the same reference, which is so joined.
function redeploy.joined(call, found)
  local result = result_of(call, found, "joined " .. tostring(found))
  result.joined = true
  return result
end

-- Both forms are known of other booleans of this API.
local TRUTH = { [true] = true, [false] = false, ["true"] = true, ["false"] = false }

-- Reads the answer: the result; false and its text for a refusal; nil, message, err for one that does not say.
local function read_answer(call, got)
  local value, message, err = got:value()
  if not value then
    return nil, message, err
  end
  local text = type(value.message) == "string" and got.show(value.message) or nil
  local ok = TRUTH[value.ok]
  if ok == false then
    return false, text or "without a reason"
  elseif ok == nil and not action.id_of(value.async_action_id) then
    return got:undecodable("the answer to a redeploy does not say whether it was accepted")
  end
  return {
    message = text,
    queued = TRUTH[value.queued],
    async_action_id = action.id_of(value.async_action_id),
    user_reference = call.reference,
    accepted_time = retry.http_date(got.response.headers.date),
    git_ref = call.body.git_ref,
    stack_uid = call.endpoint.uid,
  }
end

-- Kinds after which nothing can have been accepted: it was never sent, or refused before it was carried out.
local NOTHING_DONE = {
  auth = true, trial_expired = true, forbidden = true, not_found = true, conflict = true, bad_request = true,
  throttled = true, not_implemented = true, connect = true, tls = true, phase = true,
}

local function is_undone(err)
  return err.unsent or NOTHING_DONE[err.kind] or (err.status ~= nil and err.status >= 300 and err.status < 400)
end

local LOOKS = { 0, 1, 2, 4, 8, 15 } -- seconds before each look for the action of a lost answer
local SETTLE = 45 -- seconds for all of them

-- Looks for the action of a request whose answer was lost: those in `known` were there before. nil, message, err when
-- it cannot be found, though it may come to be.
local function settle(call, lost)
  local problem = lost
  local latest = math.min(scheduler.deadline(), call.endpoint.deadline, scheduler.now() + SETTLE)
  for _, seconds in ipairs(LOOKS) do
    if scheduler.now() + seconds >= latest or call.endpoint.api.closed then
      break
    end
    scheduler.sleep(seconds)
    local found, _, err = call.endpoint:actions_with(call.reference, latest)
    local fresh = {}
    for _, candidate in ipairs(found or {}) do
      if not call.known[tostring(candidate.id)] then
        fresh[#fresh + 1] = candidate
      end
    end
    local made = newest(fresh)
    if made then
      local result = result_of(call, made, "the answer was lost; found " .. tostring(made))
      result.recovered = true
      return result
    end
    problem = err or problem
  end
  local text = ("the redeploy may have been accepted, and no action with user_reference %s is to be found (%s). "
    .. "Before you deploy again, look for it: stack:actions{user_reference = ...}; redeploy{user_reference = ...} with the "
    .. "same one joins it if it is there"):format(call.reference, lost.message)
  if problem ~= lost then
    text = text .. ". The last look failed: " .. problem.message
  end
  return errors.fail("ambiguous", text, { user_reference = call.reference, cause = lost, status = lost.status })
end

-- The actions that carry the caller's own reference already: true, or a result to return instead of a request.
local function look_before(call, reuse)
  local found, message, err = call.endpoint:actions_with(call.reference)
  if not found and (reuse or err.kind ~= "protocol") then
    return nil, message, err
  end
  found = found or {} -- none of the newest, and the older ones are no matter
  local made = newest(found)
  if made and reuse then
    return redeploy.joined(call, made)
  end
  for _, candidate in ipairs(found) do
    call.known[tostring(candidate.id)] = true
  end
  return true
end

---@param endpoint table  of endpoint.new()
---@param options table, body table  of redeploy.check_options()
---@return table|nil result, string? message, cloud66.Error? err
function redeploy.run(endpoint, options, body)
  local call = { endpoint = endpoint, body = body, known = {}, reference = options.user_reference }
  if call.reference then
    local before, message, err = look_before(call, options.reuse ~= false)
    if before ~= true then
      return before, message, err
    end
  else
    call.reference = redeploy.new_reference("lua-cloud66-")
  end
  body.user_reference = call.reference
  local got, message, err = endpoint:redeploy(body)
  if not got then
    if is_undone(err) then
      err.user_reference = call.reference
      return nil, message, err
    end
    return settle(call, err)
  end
  local result, text
  result, text, err = read_answer(call, got)
  if result then
    return result
  elseif result == false then
    return errors.fail("refused", "the API does not redeploy this stack: " .. text, { user_reference = call.reference })
  end
  return settle(call, err)
end

return redeploy
