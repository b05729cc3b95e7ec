-- ensure.lua: makes a commit live: nothing if it is, joined if somebody deploys it already, deployed otherwise.

local actions = require "cloud66.resource.actions"
local args = require "cloud66.base.args"
local deploy_options = require "cloud66.deploy.options"
local errors = require "cloud66.base.error"
local exclusive = require "cloud66.deploy.exclusive"
local find = require "cloud66.resource.find"
local git = require "cloud66.base.git"
local host = require "cloud66.runtime.host"
local outcome = require "cloud66.deploy.outcome"
local poll_loop = require "cloud66.resource.poll_loop"
local random = require "cloud66.base.random"
local redeploy = require "cloud66.deploy.redeploy"
local results = require "cloud66.deploy.results"
local wait = require "cloud66.deploy.wait"

local ensure = {}

-- git_ref is the commit, and current would be whatever is there.
local OPTIONS = args.union(deploy_options.REDEPLOY, deploy_options.WAIT)
OPTIONS.git_ref, OPTIONS.current = nil, nil

-- What the reference of a redeploy begins with that ensure() made: while it waits in the queue, nothing else tells which
-- commit it is for.
local PREFIX = "ensure-%s-"
local PREFIX_PATTERN = "^ensure%-(%x+)%-"

local LONGEST_QUEUE = 24 * 3600 -- seconds

local function is_of(deployment, hash)
  local found = deployment.git_hash or deployment.git_ref
  return found ~= nil and not found:find "%X" and git.same(found, hash)
end

-- The newest deployment of the commit that runs; or the newest of all, where that is a success of the commit, live or not (yet);
-- false when there is none; or nil, message, err.
local function find_running(endpoint, hash)
  local page, message, err = endpoint:newest_page()
  if not page then
    return nil, message, err
  end
  for deployment in page:each() do
    if deployment.is_running and is_of(deployment, hash) then
      return deployment
    end
  end
  local newest = page[1]
  return newest and newest.is_success and is_of(newest, hash) and newest or false
end

-- What an earlier ensure() started for the same commit and has not ended, as redeploy() returns it; false when there is
-- none; or nil, message, err.
local function find_queued(endpoint, hash)
  local list, message, err = actions.since(endpoint, os.time() - LONGEST_QUEUE)
  if not list then
    return nil, message, err
  end
  for _, action in ipairs(list) do
    local commit = not action.is_finished and action.user_reference and action.user_reference:match(PREFIX_PATTERN)
    if commit and git.same(commit, hash) then
      return results.joined(endpoint, action, commit)
    end
  end
  return false
end

-- The live deployment if it is of the commit; false if another one is; or nil, message, err.
local function find_live(endpoint, hash)
  local deployment, message, show_or_err = find.live_of(endpoint, hash)
  if not deployment then
    return deployment, message, show_or_err
  elseif not deployment.is_success then
    return errors.fail("unknown_outcome", ("%s is live, though it is no success: redeploy() it"):format(
      show_or_err(tostring(deployment))), { last = deployment })
  end
  return deployment
end

local LIVE_EVERY = 5 -- seconds between polls of what is to become live

-- Gives a success of the commit its time to become live: the API may be behind. The deployment; false where it does not; or nil,
-- message, err.
local function becomes_live(endpoint, hash, stop)
  local deadline = math.min(host.now() + outcome.PATIENCE, endpoint.deadline)
  local loop = poll_loop.new(endpoint.api, deadline, stop)
  while true do
    local reason = loop:pause(loop:plan(LIVE_EVERY))
    if reason == "late" and deadline == endpoint.deadline then
      return errors.fail("timeout", ("commit %s has been deployed, but is not live yet: ensure() it again"):format(hash),
        { exit_code = errors.EXIT_CODES.late })
    elseif reason == "late" then
      return find_live(endpoint, hash) -- the polls before may have failed
    elseif reason then
      return errors.fail("aborted", wait.EARLY[reason])
    end
    loop:begin()
    local live, message, err = find_live(endpoint:by(deadline), hash)
    if live or (live == nil and host.now() < deadline and loop:is_fatal(err)) then
      return live, message, err
    elseif live == false then
      loop:reset()
    end
  end
end

-- What a wait for the result of a redeploy comes to that told of a success, but not of which deployment: live, it is the
-- commit's.
local function find_unmatched(endpoint, hash, err)
  local live, _, live_err = find_live(endpoint, hash)
  if live then
    return live, { match = "likely", action = err.action }
  elseif live == nil then
    return wait.unobserved(live_err)
  end
  return errors.fail("unmatched", ("action %s has succeeded, but commit %s is not live: see err.candidates"):format(
    tostring(err.action.id), hash), { action = err.action, candidates = err.candidates, action_succeeded = true })
end

local SKEW = 10 -- seconds that the clocks of this machine and of the API may differ

-- The live deployment if it is of the commit, which one that has succeeded was of; false if another one is, though it had time to become
-- live; or nil, message, err.
local function find_live_after(endpoint, hash, deployment, stop)
  local live, message, err = find_live(endpoint, hash)
  if live == false and os.time() < (deployment.finished_time or 0) + outcome.PATIENCE + SKEW then
    return becomes_live(endpoint, hash, stop)
  end
  return live, message, err
end

-- Waits for a deployment or the result of a redeploy, and takes nothing but the commit for a success.
local function wait_for(endpoint, what, hash, options)
  local was_over = type(what) == "table" and what.joined and what.joined.is_finished
  local target = deploy_options.target(what, endpoint.uid)
  target.git_hash, target.again = hash, not options.user_reference and "; ensure() deploys it again"
  local deployment, info, show_or_err = wait.run(endpoint, target, options)
  if not deployment then
    if show_or_err.action_succeeded then
      return find_unmatched(endpoint, hash, show_or_err)
    end
    return nil, info, show_or_err
  end
  local shown = show_or_err(tostring(deployment))
  if not deployment.git_hash or not git.same(deployment.git_hash, hash) then
    return errors.fail("unmatched", ("%s has succeeded, but the API does not say that it is of commit %s"):format(
      shown, hash), { last = deployment, action = info.action })
  elseif was_over then
    local live, _, err = find_live_after(endpoint, hash, deployment, options.stop)
    if live == false then
      return errors.fail("conflict", ("what was sent before (%s) is over, and another commit is live: %s"):format(shown,
        options.user_reference and "use another user_reference" or "ensure() it again"), { last = deployment })
    elseif not live then
      return wait.unobserved(err)
    end
  end
  return deployment, info
end

---@param given table?  the caller's
---@param hash string   of args.git_hash()
---@return table options, table body  # of redeploy() and wait() together: no name is an option of both
function ensure.check_options(given, hash)
  local options = args.options(given, OPTIONS)
  options.git_ref = hash
  return options, deploy_options.body(options)
end

-- What is on its way: a deployment that runs, or redeploy's result, or false; and whether the newest of all is a success of the
-- commit. Or nil, message, err.
local function find_joinable(endpoint, hash)
  local queued, message, err = find_queued(endpoint, hash)
  if queued == nil then
    return nil, message, err
  end
  local deployment
  deployment, message, err = find_running(endpoint, hash)
  if deployment == nil then
    return nil, message, err
  end
  local runs = deployment and deployment.is_running
  return runs and deployment or queued, deployment and not runs
end

-- What is there of the commit already: the deployment or redeploy's result, and how; false; or nil, message, err.
--
-- A deployment goes from the queue to running to live. Read in this order, one that moves on meanwhile is not missed.
--
-- may_wait: for a success of the commit to become live.
local function find_existing(endpoint, hash, stop, may_wait)
  local there, is_awaited, err = find_joinable(endpoint, hash)
  if there == nil then
    return nil, is_awaited, err
  end
  local current, message
  current, message, err = find_live(endpoint, hash)
  if current == false and is_awaited and may_wait then
    current, message, err = becomes_live(endpoint, hash, stop)
    if current == false then -- somebody else may have begun meanwhile
      there, message, err = find_joinable(endpoint, hash)
    end
  end
  if current == nil or there == nil then
    return nil, message, err
  elseif current then
    return current, "live"
  end
  return there, "joined"
end

-- --- one of several processes ---

-- The action of what another process has sent: false where it is not there (yet); or nil, message, err.
local function action_of(endpoint, entry)
  local accepted = entry.accepted
  if accepted and accepted.async_action_id then
    local action, message, err = actions.get(endpoint, args.id(accepted.async_action_id))
    if not action and errors.is_absent(err) then
      return false
    end
    return action, message, err
  elseif not entry.reference then
    return false
  end
  local found, message, err = actions.with(endpoint, entry.reference)
  if not found and err.kind ~= "protocol" then
    return nil, message, err
  end
  return found and actions.newest(found) or false
end

-- Whether the newest deployments show that what began at a time is over, and not live: one of the commit that began then has ended, or
-- another one has begun after its end. Else they may be behind. Or nil, message, err.
local function is_shown_over(endpoint, hash, began, finished)
  local page, message, err = endpoint:newest_page()
  if not page then
    return nil, message, err
  end
  for deployment in page:each() do
    local started = deployment.started_time or -math.huge
    local is_ours = started >= (began or math.huge) and is_of(deployment, hash)
    if (is_ours and deployment.is_finished) or started > (finished or math.huge) then
      return true
    end
  end
  return false
end

-- Whether what another process has sent is over and may be sent anew; or nil, message, err. A success is over for the claim's time
-- before the lists are believed that show nothing of it.
local function has_ended(call, entry, action)
  if action and (action.finished_success == false or os.time() > action.finished_time + call.claim.seconds + SKEW) then
    return true
  end
  local began = action and action.started_time or entry.accepted and entry.accepted.accepted_time
  return is_shown_over(call.endpoint, call.hash, began, action and action.finished_time)
end

-- What to join of what another process may have sent for the commit, and is neither live nor running: see exclusive.lua. What is
-- over is no more in the way.
local function judge_entry(call, entry, is_over)
  local endpoint, hash = call.endpoint, call.hash
  local action, message, err = action_of(endpoint, entry)
  if action and not action.is_finished then
    return results.joined(endpoint, action, hash), "joined"
  end
  local is_done = false
  if action or (action == false and entry.accepted and is_over) then
    is_done, message, err = has_ended(call, entry, action)
  end
  if action == nil or is_done == nil then
    err.exit_code = entry.accepted and errors.EXIT_CODES.unobserved or err.exit_code
    return nil, message, err
  elseif is_done then
    call.claim:renew()
    return false
  elseif action then
    return results.joined(endpoint, action, hash), "joined"
  elseif entry.accepted and not is_over then
    return results.joined_entry(endpoint, entry, hash), "joined"
  elseif is_over then
    return errors.fail("ambiguous", ("another process may have sent a redeploy of commit %s, and nothing of it is to be found (its "
      .. "user_reference is %s). Look for it; stack:redeploy{git_ref = ...} deploys the commit, whatever became of that"):format(
      hash, tostring(entry.reference)), { user_reference = entry.reference })
  end
  return false
end

-- Digits: the fewest that a commit may be asked for by. Two commits that share them wait for each other, and are told apart in
-- the end.
local HASH_KEY = 7

-- What is there of the commit; false where it is ours to deploy; or nil, message, err.
local function obtain(call, stop)
  return exclusive.obtain {
    endpoint = call.endpoint, claim = call.claim, stop = stop,
    is_new = not call.reference, -- of a reference of the caller's own redeploy.run() sees to the second look
    find = function()
      local may_wait = not call.has_waited
      call.has_waited = true
      return find_existing(call.endpoint, call.hash, stop, may_wait)
    end,
    judge = function(entry, is_over)
      return judge_entry(call, entry, is_over)
    end,
  }
end

-- Deploys the commit, unless it is there: the deployment or redeploy's result, and how; or nil, message, err.
local function find_or_deploy(endpoint, hash, options, body)
  local call = { endpoint = endpoint, hash = hash, claim = false, reference = false, has_waited = false }
  if not options.user_reference then
    call.reference = random.reference(PREFIX:format(hash))
    call.claim = exclusive.claim(endpoint, options, {
      name = "commit " .. hash:sub(1, HASH_KEY), reference = call.reference, body = body,
    })
  end
  local found, how, err
  repeat
    found, how, err = obtain(call, options.stop)
    if found == false and call.reference then
      found, how, err = redeploy.send(endpoint, options, body, call.reference, call.claim)
      how = found and "deployed" or how
    elseif found == false then
      found, how, err = redeploy.run(endpoint, options, body)
      how = found and (found.joined and "joined" or "deployed") or how
    end
  until found ~= false
  return found, how, err
end

---@param endpoint table  of endpoint.new()
---@param hash string     of args.git_hash()
---@param options table, body table  of ensure.check_options(); taken over
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, cloud66.Error? err
function ensure.run(endpoint, hash, options, body)
  endpoint = endpoint:by(host.now() + (options.timeout or deploy_options.TIMEOUT))
  local what, how, err = find_or_deploy(endpoint, hash, options, body)
  if not what then
    return nil, how, err
  elseif how == "live" then
    return what, { ensured = "live", match = "exact", polls = 0, elapsed = 0 }
  end
  local deployment, info
  deployment, info, err = wait_for(endpoint, what, hash, options)
  if not deployment then
    return nil, info, err
  end
  info.ensured = how
  return deployment, info
end

return ensure
