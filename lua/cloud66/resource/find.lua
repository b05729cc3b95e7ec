-- find.lua: which deployment is live, HEAD, the newest, or the one to go back to: a search through the newest pages. What
-- each of them is, is documented with the method of a stack that asks for it, in types/stack.lua.

local errors = require "cloud66.base.error"
local git = require "cloud66.base.git"
local pages = require "cloud66.model.pages"

local find = {}

local MOST_PAGES = 5 -- pages

-- A failure with a text about what a response holds: through its redactor.
local function fail(show, kind, text)
  return errors.fail(kind, show(text))
end

-- nil, message, err when a page has a deployment of which one of the fields is not of the documented type: it
-- reads nil, so the deployment that is meant is not known. true otherwise.
local function check_drift(page, show, fields)
  for _, drift in ipairs(page.drift) do
    if fields[drift.field] then
      return fail(show, "decode", ("the API sends '%s' as %s, which this library does not know (in %s)"):format(
        drift.field, drift.got, tostring(page[drift.index])))
    end
  end
  return true
end

-- Goes through the newest pages: pick(page, show) returns a deployment to end with it; then that, nil, and the redactor of
-- the page. Else nil, message, err; the kind `none` has .complete, whether the whole history was read. pick() goes by
-- `fields`, a set.
local function search(endpoint, what, fields, pick)
  local last, found, found_show, drifted
  local ok, message, err = pages.each(endpoint:turner { most = MOST_PAGES }, function(page, show)
    local fine, drift_message, drift_err = check_drift(page, show, fields)
    if not fine then
      drifted = { drift_message, drift_err }
      return true
    end
    last, found, found_show = page, pick(page, show), show
    return found ~= nil
  end)
  if not ok then
    return nil, message, err
  elseif drifted then
    return nil, drifted[1], drifted[2]
  elseif found then
    return found, nil, found_show
  end
  -- A page that is not the last by its own count, and names no next one, is no end to rely on.
  local complete = not last.next and not (last.pages and last.current and last.pages > last.current)
  return errors.fail("none", ("stack '%s' has no %s %s"):format(endpoint:name(), what,
    complete and "in its whole history" or ("in its newest %d pages"):format(MOST_PAGES)), { complete = complete })
end

-- Whether a deployment started later than another; of those without a start, the API's order decides.
local function started_later(a, b)
  return a.started_time ~= nil and b.started_time ~= nil and a.started_time > b.started_time
end

-- Of those that `matches` takes, the one that started last.
local function newest(list, matches)
  local best
  for i = 1, #list do
    local deployment = list[i]
    if matches(deployment) and (not best or started_later(deployment, best)) then
      best = deployment
    end
  end
  return best
end

local function search_newest(endpoint, what, fields, matches)
  return search(endpoint, what, fields, function(page)
    return newest(page, matches)
  end)
end

local function is_live(deployment)
  return deployment.is_live
end

---For stack:live().
---@return cloud66.Deployment|nil deployment, string? message, function|cloud66.Error|nil show_or_err
---show: the redactor of the response, here and below
function find.current(endpoint)
  return search_newest(endpoint, "live deployment", { is_live = true }, is_live)
end

---For stack:head().
---@return cloud66.Deployment|nil deployment, string? message, function|cloud66.Error|nil show_or_err
function find.head(endpoint)
  return search_newest(endpoint, "head deployment", { is_head = true }, function(deployment)
    return deployment.is_head
  end)
end

---For stack:latest().
---@return cloud66.Deployment|nil deployment, string? message, function|cloud66.Error|nil show_or_err
function find.latest(endpoint)
  return search_newest(endpoint, "deployment", { id = true }, function()
    return true
  end)
end

local function unknown_commit(deployment, show)
  return fail(show, "none", ("%s is live, and the API does not say of which commit"):format(tostring(deployment)))
end

local BUILDS = { build = true, redeploy = true, first_build = true }

-- A function deployment -> whether one could go back to it from `current`, which stands at `place` of the list.
local function is_way_back(current, place)
  return function(deployment, i)
    local older = i > place
    if deployment.started_time and current.started_time then
      older = deployment.started_time < current.started_time
    end
    return older and deployment.is_success and BUILDS[deployment.deploy_type] and not deployment.reverted
      and deployment.git_hash and not git.same(deployment.git_hash, current.git_hash)
  end
end

local PREVIOUS_FIELDS = { is_live = true, git_hash = true, outcome = true, deploy_type = true, reverted = true,
  started_at = true }

---For stack:previous_live().
---@return cloud66.Deployment|nil deployment, string? message, function|cloud66.Error|nil show_or_err
function find.previous(endpoint)
  local seen, current, place = {}, nil, nil
  local found, message, show_or_err = search(endpoint, "successful build of another commit before the live one", PREVIOUS_FIELDS,
    function(page)
      local first = #seen
      for deployment in page:each() do
        seen[#seen + 1] = deployment
      end
      if not current then
        current = newest(page, is_live)
        for i = first + 1, #seen do
          place = seen[i] == current and i or place
        end
      end
      if not current then
        return nil
      elseif not current.git_hash then
        return current
      end
      local fits, best = is_way_back(current, place), nil
      for i, deployment in ipairs(seen) do
        if fits(deployment, i) and (not best or started_later(deployment, best)) then
          best = deployment
        end
      end
      return best
    end)
  if found and not current.git_hash then
    return unknown_commit(current, show_or_err)
  end
  return found, message, show_or_err
end

---The live deployment of a commit; false where another one is live.
---@param wanted string  of args.git_hash()
---@return cloud66.Deployment|false|nil deployment, string? message, function|cloud66.Error|nil show_or_err
function find.live_of(endpoint, wanted)
  local matched, matched_show, unnamed, unnamed_show
  local found, message, err = search(endpoint, "live deployment", { is_live = true }, function(page, show)
    local current
    for deployment in page:each() do
      if deployment.is_live then
        local hash = deployment.git_hash
        current = deployment
        if not hash and not unnamed then
          unnamed, unnamed_show = deployment, show
        elseif hash and not matched and git.same(hash, wanted) then
          matched, matched_show = deployment, show
        end
      end
    end
    return current
  end)
  if matched then
    return matched, nil, matched_show
  elseif unnamed then
    return unknown_commit(unnamed, unnamed_show)
  elseif found or (err.kind == "none" and err.complete) then
    return false
  end
  return nil, message, err
end

---For stack:is_live().
---@param wanted string  of args.git_hash()
---@return boolean|nil live, string? message, cloud66.Error? err
function find.is(endpoint, wanted)
  local found, message, err = find.live_of(endpoint, wanted)
  if found then
    return true
  end
  return found, message, err
end

return find
