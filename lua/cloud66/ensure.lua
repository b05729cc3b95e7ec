-- ensure.lua: makes a commit live: nothing if it is, joined if somebody deploys it already, deployed otherwise.

local check = require "cloud66.check"
local commit = require "cloud66.commit"
local errors = require "cloud66.error"
local live = require "cloud66.live"
local redeploy = require "cloud66.redeploy"
local wait = require "cloud66.wait"

local ensure = {}

-- redeploy() is asked for git_ref = the commit.
local OPTIONS = {}
for name in pairs(wait.OPTIONS) do
  OPTIONS[name] = true
end
for name in pairs(redeploy.OPTIONS) do
  OPTIONS[name] = name ~= "git_ref" and name ~= "current" or nil
end

-- What the reference of a redeploy that ensure() asked for begins with: while it waits in the queue, nothing else tells
-- which commit it is for.
local function prefix_of(hash)
  return "ensure-" .. hash .. "-"
end

-- The newest deployment of the commit that runs, or nil; or nil, message, err.
local function find_running(endpoint, hash)
  local page, message, err = endpoint:page_with_ids(1)
  if not page then
    return nil, message, err
  end
  for deployment in page:each() do
    if deployment.is_running and deployment.git_hash and commit.same(deployment.git_hash, hash) then
      return deployment
    end
  end
  return nil
end

-- What of the same hash an earlier ensure() asked for and has not ended.
local function find_queued(endpoint, hash)
  local actions, message, err = endpoint:actions(1)
  if not actions then
    return nil, message, err
  end
  local prefix = prefix_of(hash)
  for _, action in ipairs(actions) do
    local reference = action.user_reference
    if not action.is_finished and reference and reference:sub(1, #prefix) == prefix then
      return redeploy.joined({ endpoint = endpoint, reference = reference, body = { git_ref = hash } }, action)
    end
  end
  return nil
end

local function wait_for(endpoint, what, how, options)
  local deployment, info, err = wait.run(endpoint, wait.target_of(what, endpoint.uid, 1), options)
  if not deployment then
    return nil, info, err
  end
  info.ensured = how
  return deployment, info
end

---@param options table?  the caller's
---@return table redeploy_options, table body, table wait_options
function ensure.check_options(options, hash, level)
  level = level + 1
  options = check.options(options, OPTIONS, "option", level)
  local asked, waited = { git_ref = hash }, {}
  for name, value in pairs(options) do
    (wait.OPTIONS[name] and waited or asked)[name] = value
  end
  waited = wait.check_options(waited, level)
  local body
  asked, body = redeploy.check_options(asked, level)
  return asked, body, waited
end

---@param endpoint table  of endpoint.new()
---@param hash string     of check.git_hash()
---@return cloud66.Deployment|nil deployment, table|string? info_or_message, cloud66.Error? err
function ensure.run(endpoint, hash, asked, body, options)
  local is_live, message, err = live.is(endpoint, hash)
  if is_live == nil then
    return nil, message, err
  elseif is_live then
    local deployment
    deployment, message, err = live.current(endpoint)
    if not deployment then
      return nil, message, err
    elseif deployment.git_hash and commit.same(deployment.git_hash, hash) then
      return deployment, { ensured = "live", match = "exact", polls = 0, elapsed = 0 }
    end
    return errors.fail("conflict", ("%s has just become live"):format(tostring(deployment)))
  end
  local what
  what, message, err = find_running(endpoint, hash)
  if not what and not message then
    what, message, err = find_queued(endpoint, hash)
  end
  if what then
    return wait_for(endpoint, what, "joined", options)
  elseif message then
    return nil, message, err
  end
  if not asked.user_reference then
    asked.user_reference = redeploy.new_reference(prefix_of(hash))
    asked.reuse = nil
  end
  what, message, err = redeploy.run(endpoint, asked, body)
  if not what then
    return nil, message, err
  end
  return wait_for(endpoint, what, what.joined and "joined" or "deployed", options)
end

return ensure
