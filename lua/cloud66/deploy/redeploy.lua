-- redeploy.lua: starts a deployment at most once, and finds out what became of a request whose response was lost.
--
-- https://developers.cloud66.com/#redeploy-a-stack

local actions = require "cloud66.resource.actions"
local args = require "cloud66.base.args"
local deploy_options = require "cloud66.deploy.options"
local errors = require "cloud66.base.error"
local exclusive = require "cloud66.deploy.exclusive"
local host = require "cloud66.runtime.host"
local json = require "cloud66.base.json"
local parameters = require "cloud66.deploy.parameters"
local random = require "cloud66.base.random"
local references = require "cloud66.deploy.reference"
local results = require "cloud66.deploy.results"
local tasks = require "cloud66.runtime.tasks"
local undone = require "cloud66.http.undone"
local wait = require "cloud66.runtime.wait"

local redeploy = {}

-- --- before the request ---

local function fail(call, kind, text, fields)
  return errors.fail(kind, text, args.union({ user_reference = call.reference }, fields or {}))
end

local ADVICE = "Before you deploy again, look for it: stack:actions{user_reference = ...}; redeploy{user_reference = ...} with the "
  .. "same one joins it if it is there"
local CLAIM_ADVICE = ", and sends nothing else for a day, as long as the store is there: another user_reference does"

-- What to do where it is not known whether it was accepted.
local function advice_of(call)
  return ADVICE .. (call.claim and CLAIM_ADVICE or "")
end

-- The failure where the reference was used to deploy something else, as far as is known; nil otherwise.
local function conflict_of(call, sent, action)
  local was, is = parameters.conflict(call.body, sent, action)
  if not was then
    return nil
  end
  local _, _, err = fail(call, "conflict", ("user_reference '%s' was used before to deploy %s, and now comes to deploy %s: use another "
    .. "one, or reuse = false"):format(call.reference, was, is), { action = action })
  return err
end

-- Looks for an action that carries the caller's own reference already: its result, to be returned instead of sending anything;
-- false when none is to be joined; or nil, message, err. One that was for something else is a conflict.
local function find_earlier(call)
  local found, message, err = actions.with(call.endpoint, call.reference)
  if not found and (call.reuse or err.kind ~= "protocol") then
    return nil, message, err
  end
  found = found or {} -- none of the newest, and the older ones are no matter
  local action = call.reuse and actions.newest(found)
  if action then
    local problem = conflict_of(call, parameters.recall(call.endpoint.api, call.endpoint.uid, call.reference), action)
    if problem then
      return nil, problem.message, problem
    end
    return results.joined(call.endpoint, action, call.body.git_ref)
  end
  for _, earlier in ipairs(found) do
    call.earlier[tostring(earlier.id)] = true
  end
  return false
end

-- What to join of what another process may have sent, and is in no list yet: see exclusive.lua.
local function judge_entry(call, entry, is_over)
  local problem = conflict_of(call, parameters.read(entry.body))
  local accepted = entry.accepted
  if problem then
    return nil, problem.message, problem
  elseif not accepted and is_over then
    return fail(call, "ambiguous", ("another process may have sent this redeploy, and no action with user_reference %s is to be found. %s")
      :format(call.reference, advice_of(call)))
  elseif not accepted then
    return false
  elseif accepted.async_action_id then
    local action, message, err = actions.get(call.endpoint, args.id(accepted.async_action_id))
    if action then
      return results.joined(call.endpoint, action, call.body.git_ref)
    elseif not errors.is_absent(err) then
      err.exit_code = errors.EXIT_CODES.unobserved
      return nil, message, err
    end
  end
  return results.joined_entry(call.endpoint, entry, call.body.git_ref)
end

-- What is there already for a reference of the caller's own: its result; false where it is ours to send; or nil, message, err.
local function obtain(call)
  if not call.reuse then
    return find_earlier(call)
  end
  return exclusive.obtain {
    endpoint = call.endpoint, reference = call.reference, claim = call.claim, is_new = call.is_new, stop = call.stop,
    find = function()
      return find_earlier(call)
    end,
    judge = function(entry, is_over)
      return judge_entry(call, entry, is_over)
    end,
  }
end

-- --- after the request ---

-- The action that the request made; nil where there is none, with an err where that is not certain.
local function find_made(call, deadline)
  local found, _, err = actions.with(call.endpoint, call.reference, deadline)
  local made = {}
  for _, action in ipairs(found or {}) do
    if not call.earlier[tostring(action.id)] then
      made[#made + 1] = action
    end
  end
  return actions.newest(made), err
end

local SETTLE = 30 -- seconds, where no option says so
local PAUSES = { 0, 1, 2, 4, 8, 15 } -- seconds before each poll for the action of a lost response; the last again and again
local LAST = 2 -- seconds before the deadline for the last poll

-- What became of a request after which `cause` came instead of a response: the result; or nil, message, err when no action
-- of it can be found, though it may come to be.
local function settle(call, cause)
  local last, polls = cause, 0
  local deadline = math.min(tasks.deadline(), call.endpoint.deadline, host.now() + call.settle)
  repeat
    local seconds, left = PAUSES[math.min(polls + 1, #PAUSES)], deadline - host.now()
    local is_last = seconds >= left -- so that its response is in before the deadline
    if left <= 0 or call.endpoint.api.closed then
      break
    end
    wait.sleep(is_last and left - math.min(LAST, left / 2) or seconds)
    local action, err = find_made(call, deadline)
    if action then
      return results.recovered(call, action)
    end
    last, polls = err or last, polls + 1
  until is_last
  local text = ("the redeploy may have been accepted, and no action with user_reference %s is to be found (%s). %s"):format(
    call.reference, cause.message, advice_of(call))
  if last ~= cause then
    text = text .. ". The last poll failed: " .. last.message
  end
  return fail(call, "ambiguous", text, { cause = cause, status = cause.status })
end

-- Nothing was carried out.
local function undo(call)
  call.forget()
  if call.claim then
    call.claim:undo()
  end
end

-- Tells the others that it was accepted.
local function accept(call, result, message, err)
  if result and call.claim then
    call.claim:accept(results.accepted(result))
  end
  return result, message, err
end

-- Sends it, once: the result; false where another process was faster; or nil, message, err.
local function send(call)
  local body = args.union(call.body, { user_reference = call.reference })
  call.forget = parameters.remember(call.endpoint.api, call.endpoint.uid, call.reference, call.body)
  local deadline = deploy_options.change_deadline(math.min(tasks.deadline(), call.endpoint.deadline))
  local got, message, err = call.endpoint:redeploy(json.encode(body), deadline, call.claim)
  if not got and undone.is(err) then
    local is_faster = call.claim and call.claim.sent_elsewhere
    undo(call)
    if is_faster then
      return false
    end
    err = errors.copy(err)
    err.user_reference = call.reference
    return nil, message, err
  elseif not got then
    return accept(call, settle(call, err))
  end
  local result, text
  result, text, err = results.read(call, got)
  if result == false then
    undo(call)
    return fail(call, "refused", "the API does not redeploy this stack: " .. text)
  elseif not result then
    return accept(call, settle(call, err))
  end
  return accept(call, result)
end

-- --- all of it ---

local function new_call(endpoint, options, body, reference, claim)
  return {
    endpoint = endpoint:by(host.now() + (options.timeout or math.huge)), body = body, reference = reference,
    reuse = options.reuse ~= false, settle = options.settle or SETTLE, stop = options.stop,
    is_new = references.take(reference), -- whether nobody else can have sent anything with the reference
    claim = claim, -- of api:claim(); false without a store that others share
    forget = false, -- of parameters.remember()
    earlier = {}, -- ids of the actions that carried the reference before: id as text -> true
  }
end

---Sends it with a reference that was made for it, after the caller has seen to it that nobody else does.
---@param endpoint table  of endpoint.new()
---@param options table, body table  of options.redeploy()
---@param reference string
---@param claim table|false  of api:claim()
---@return cloud66.RedeployResult|nil|false result, string? message, cloud66.Error? err  # false: another process was faster
function redeploy.send(endpoint, options, body, reference, claim)
  return send(new_call(endpoint, options, body, reference, claim))
end

---@param endpoint table  of endpoint.new()
---@param options table, body table  of options.redeploy()
---@return cloud66.RedeployResult|nil result, string? message, cloud66.Error? err
function redeploy.run(endpoint, options, body)
  local reference = options.user_reference
  if not reference then
    return redeploy.send(endpoint, options, body, random.reference "lua-cloud66-", false)
  end
  local call = new_call(endpoint, options, body, reference, exclusive.claim(endpoint, options, {
    name = "reference " .. reference, reference = reference, body = body, is_forced = options.reuse == false,
  }))
  local result, message, err
  repeat
    result, message, err = obtain(call)
    if result == false then
      result, message, err = send(call)
    end
  until result ~= false
  if err and not err.user_reference then
    err = errors.copy(err)
    err.user_reference = reference
  end
  return result, message, err
end

return redeploy
