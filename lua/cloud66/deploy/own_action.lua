-- own_action.lua: reads the action of a redeploy: by its id, by its reference, or by the number that the response named, which may be
-- the deployment's.

local actions = require "cloud66.resource.actions"
local args = require "cloud66.base.args"
local correlate = require "cloud66.deploy.correlate"
local errors = require "cloud66.base.error"
local known = require "cloud66.deploy.known"

local own_action = {}

local SLACK = correlate.SLACK -- between the dates of a response and of its action, too

-- The deployment that the response may have named, if it is, nil, and the redactor of its response: false where it is not (yet);
-- or nil, message, err.
local function read_named_deployment(self)
  if not self.named then
    return false
  end
  local found, message, show_or_err = self.endpoint:deployment(self.named, self.deadline)
  if not found and not errors.is_absent(show_or_err) then
    return nil, message, show_or_err
  end
  self.is_early = found ~= nil and correlate.may_be_named(found)
  return found and correlate.is_named(found, known.query(self)) and found or false, nil, show_or_err
end

-- The same of the action. Where a deployment of that number may be it as well, and the action does not carry our reference,
-- the number tells nothing from then on.
local function read_named_action(self)
  if not self.named then
    return false
  end
  local action, message, err = actions.get(self.endpoint, self.named, self.deadline)
  if not action and not errors.is_absent(err) then
    return nil, message, err
  elseif not action or not correlate.is_named_action(action, known.query(self), self.user_reference) then
    return false
  elseif action.user_reference then
    return action
  end
  local deployment, deployment_message, deployment_err = read_named_deployment(self)
  if deployment == nil then
    return nil, deployment_message, deployment_err
  elseif deployment then
    self.named = nil
  end
  return not deployment and action
end

-- The action by its id; by its reference: the newest that carries it, and none that began before our request was
-- accepted, as a reference may be used again; or by what the response named. false where there is none (yet), or the API
-- knows no references; or nil, message, err.
local function read_action(self)
  if self.action_id ~= nil then
    local action, message, err = actions.get(self.endpoint, args.id(self.action_id), self.deadline)
    known.note_absence(self, "action", err)
    return action, message, err
  end
  self.by_number = self.named ~= nil and not self.by_number
  if not self.user_reference or (self.list and self.by_number) then -- in turn, after the first poll: one request each
    return read_named_action(self)
  end
  local read = known.server_now(self)
  local list, message, err = actions.with(self.endpoint, self.user_reference, self.deadline)
  if not list and not (self.named and err.kind == "protocol") then
    return nil, message, err
  end
  local action = actions.newest(list or {}, (self.accepted_time or 0) - SLACK)
  self.missed_at = not action and read or nil
  if action or self.list then
    return action or false
  end
  return read_named_action(self)
end

---Reads it alone.
---@return true|nil ok, string? message, cloud66.Error? err
function own_action.poll(self)
  local action, message, err = read_action(self)
  if action == nil then
    return nil, message, err
  elseif action then
    known.take_action(self, action)
  end
  return true
end

-- Whether an action of the list is our own.
local function is_own(self, action)
  if self.action_id ~= nil then
    return tostring(action.id) == tostring(self.action_id)
  end
  return action.user_reference ~= nil and action.user_reference == self.user_reference
    and (action.started_time or 0) >= (self.accepted_time or 0) - SLACK
end

-- Adds what was read of the actions to what is known of them: one that has ended stays so, and one that fell between two pages,
-- each from another replica, was perhaps seen before. So a list of several pages is complete when it was read twice.
local function add_others(self, list, complete, pages, read)
  local others = self.others or { actions = {}, complete = false, was_read_once = false, actions_read = -math.huge }
  local places = {}
  for i, action in ipairs(others.actions) do
    places[tostring(action.id)] = i
  end
  for _, action in ipairs(list) do
    local place = places[tostring(action.id)] or #others.actions + 1
    local before = others.actions[place]
    if not (before and before.is_finished and not action.is_finished) then
      others.actions[place] = action
    end
  end
  others.was_read_once = complete and pages > 1 and others.actions_read == -math.huge
  others.complete, others.actions_read = complete and not others.was_read_once, read
  self.others = others
end

---Reads the actions that may have made one of the deployments, our own among them.
---@return true|nil ok, string? message, cloud66.Error? err
function own_action.poll_all(self)
  local read, started = known.server_now(self), known.query(self).started
  if not started then
    return own_action.poll(self)
  end
  local list, complete, pages_or_err = actions.since(self.endpoint, started - SLACK, self.deadline)
  if not list then
    return nil, complete, pages_or_err
  end
  local latest, own = known.note_dates(self, list), nil
  for _, action in ipairs(list) do
    own = own or (is_own(self, action) and action)
  end
  add_others(self, list, complete, pages_or_err, math.max(read, latest))
  if own then
    known.take_action(self, own)
  elseif self.action_id ~= nil and not known.action_is_over(self) then
    return own_action.poll(self)
  end
  return true
end

---Takes the deployment that the response named, if it is; also instead of one that was there before it, and has ended.
---@return true|nil ok, string? message, cloud66.Error? err
function own_action.check_named(self)
  local named, message, show_or_err = read_named_deployment(self)
  if named == nil then
    return nil, message, show_or_err
  elseif named then
    known.take(self, named, show_or_err, "exact")
  end
  return true
end

return own_action
