-- ensure.lua: makes a commit live: nothing if it is, joined if somebody deploys it already, deployed otherwise.

local actions = require "cloud66.resource.actions"
local args = require "cloud66.base.args"
local deploy_options = require "cloud66.deploy.options"
local errors = require "cloud66.base.error"
local find = require "cloud66.resource.find"
local git = require "cloud66.base.git"
local host = require "cloud66.runtime.host"
local random = require "cloud66.base.random"
local redeploy = require "cloud66.deploy.redeploy"
local wait = require "cloud66.deploy.wait"

local ensure = {}

-- redeploy() is asked for git_ref = the commit.
local OPTIONS = {}
for name in pairs(deploy_options.WAIT) do
  OPTIONS[name] = true
end
for name in pairs(deploy_options.REDEPLOY) do
  OPTIONS[name] = name ~= "git_ref" and name ~= "current" or nil
end

-- What the reference of a redeploy that ensure() asked for begins with: while it waits in the queue, nothing else tells
-- which commit it is for.
local LONGEST_QUEUE = 24 * 3600 -- seconds
local PREFIX = "ensure-%s-"
local PREFIX_PATTERN = "^ensure%-(%x+)%-"

local function is_of(deployment, hash)
  local found = deployment.git_hash or deployment.git_ref
  return found ~= nil and not found:find "%X" and git.same(found, hash)
end

-- The newest deployment of the commit that runs; false when there is none; or nil, message, err.
local function find_running(endpoint, hash)
  local page, message, err = endpoint:page_with_ids(1)
  if not page then
    return nil, message, err
  end
  for deployment in page:each() do
    if deployment.is_running and is_of(deployment, hash) then
      return deployment
    end
  end
  return false
end

-- What of the same commit an earlier ensure() asked for and has not ended: as redeploy() gives it; false; or nil, message,
-- err.
local function find_queued(endpoint, hash)
  local list, message, err = actions.since(endpoint, os.time() - LONGEST_QUEUE)
  if not list then
    return nil, message, err
  end
  for _, action in ipairs(list) do
    local asked = not action.is_finished and action.user_reference and action.user_reference:match(PREFIX_PATTERN)
    if asked and git.same(asked, hash) then
      return redeploy.joined({ endpoint = endpoint, reference = action.user_reference, body = { git_ref = asked } }, action)
    end
  end
  return false
end

-- The live deployment if it is of the commit; false if another one is; or nil, message, err.
local function find_live(endpoint, hash)
  local is_live, message, err = find.is(endpoint, hash)
  if not is_live then
    return is_live, message, err
  end
  local deployment, show
  deployment, message, show = find.current(endpoint)
  if not deployment then
    return nil, message, show
  end
  local shown = show(tostring(deployment))
  if not is_of(deployment, hash) then
    return errors.fail("conflict", shown .. " has just become live")
  elseif not deployment.is_success then
    return errors.fail("unknown_outcome", shown .. " is live, though it is no success: redeploy() it", { last = deployment })
  end
  return deployment
end

-- Waits, and takes nothing but the commit for it.
local function wait_for(endpoint, what, how, hash, options)
  local was_over = type(what) == "table" and what.joined and not what.queued
  local target = deploy_options.target(what, endpoint.uid, 1)
  target.git_hash = hash
  local deployment, info, show_or_err = wait.run(endpoint, target, options)
  if not deployment then
    return nil, info, show_or_err
  end
  local shown = show_or_err(tostring(deployment))
  if not deployment.git_hash or not git.same(deployment.git_hash, hash) then
    return errors.fail("unmatched", ("%s has succeeded, but the API does not say that it is of commit %s"):format(
      shown, hash), { last = deployment, action = info.action })
  elseif was_over then
    local still, message, err = find_live(endpoint, hash)
    if still == false then
      return errors.fail("conflict", ("what carries this user_reference (%s) is over, and another commit is live: use "
        .. "another user_reference"):format(shown), { last = deployment })
    elseif not still then
      return nil, message, err
    end
  end
  info.ensured = how
  return deployment, info
end

---@param options table?  the caller's
---@return table redeploy_options, table body, table wait_options
function ensure.check_options(options, hash, level)
  level = level + 1
  options = args.options(options, OPTIONS)
  local asked, waited = { git_ref = hash }, {}
  for name, value in pairs(options) do
    (deploy_options.WAIT[name] and waited or asked)[name] = value
  end
  waited = deploy_options.wait(waited, level)
  local body
  asked, body = deploy_options.redeploy(asked, level)
  return asked, body, waited
end

-- What is there of the commit already: deployment or redeploy's result, and how; false; or nil, message, err.
--
-- A deployment goes from the queue to running to live. Read in this order, one that moves on meanwhile is not missed.
local function find_existing(endpoint, hash)
  local queued, message, err = find_queued(endpoint, hash)
  if queued == nil then
    return nil, message, err
  end
  local running
  running, message, err = find_running(endpoint, hash)
  if running == nil then
    return nil, message, err
  end
  local current
  current, message, err = find_live(endpoint, hash)
  if current == nil then
    return nil, message, err
  elseif current then
    return current, "live"
  end
  return running or queued, "joined"
end

---@param endpoint table  of endpoint.new()
---@param hash string     of args.git_hash()
---@param asked table, body table, options table  of ensure.check_options()
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, cloud66.Error? err
function ensure.run(endpoint, hash, asked, body, options)
  endpoint = endpoint:by(host.now() + (options.timeout or deploy_options.TIMEOUT))
  local what, how, err = find_existing(endpoint, hash)
  if what == nil then
    return nil, how, err
  elseif how == "live" then
    return what, { ensured = "live", match = "exact", polls = 0, elapsed = 0 }
  elseif not what then
    if not asked.user_reference then
      asked.user_reference = random.reference(PREFIX:format(hash))
    end
    what, how, err = redeploy.run(endpoint, asked, body)
    if not what then
      return nil, how, err
    end
    how = what.joined and "joined" or "deployed"
  end
  local deployment, info
  deployment, info, err = wait_for(endpoint, what, how, hash, options)
  return deployment, info, err
end

return ensure
