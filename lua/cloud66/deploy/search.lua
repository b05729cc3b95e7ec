-- search.lua: looks for the deployment that an action has made, or will make, with one request a poll where nothing happens.

local args = require "cloud66.base.args"
local correlate = require "cloud66.deploy.correlate"
local estimate = require "cloud66.resource.estimate"
local known = require "cloud66.deploy.known"
local outcome = require "cloud66.deploy.outcome"
local own_action = require "cloud66.deploy.own_action"

local search = {}

-- --- judging what was read ---

local function take(self, found, match)
  local asked = self.joined and self.git_ref
  if asked and correlate.is_of_ref(found, asked) == nil and not correlate.linked({ found }, known.query(self)) then
    match = "likely" -- nothing says that it is of the ref that is asked for now
  end
  known.take(self, found, self.list_show, match)
end

-- Those of a list that were not seen to be another's by their own page, which may show more than the list does.
local function not_refused(self, list)
  local found = {}
  for _, deployment in ipairs(list) do
    if not self.refused[args.id(deployment.id)] then
      found[#found + 1] = deployment
    end
  end
  return found
end

-- Takes the deployment of ours that can be told from others', with what was read.
local function judge(self)
  local query, others = known.query(self), self.others
  local possible = correlate.possible(query, self.list)
  self.candidates = not_refused(self, possible)
  local linked = correlate.linked(possible, query)
  if linked then
    take(self, linked, "exact")
  elseif others and #self.candidates > 0 then
    local evidence = {
      actions = others.actions, complete = others.complete, actions_read = others.actions_read, list_read = self.list_read,
    }
    local found, match
    if self.action then
      found, match = correlate.made_by(self.candidates, query, evidence)
    elseif not self.is_early then
      found, match = correlate.unattributed(self.candidates, query, evidence), "likely"
    end
    if found then
      take(self, found, match)
    end
  end
end

-- What a judgement rests on besides the actions, as a text.
local function grounds(self)
  local parts = { tostring(known.action_is_over(self)) }
  for _, deployment in ipairs(self.candidates) do
    parts[#parts + 1] = args.id(deployment.id) .. tostring(outcome.has_ended(deployment))
  end
  return table.concat(parts, " ")
end

---The newest deployment that may well be ours; or nil.
---@return cloud66.Deployment|nil
function search.plausible(self)
  local others = self.others and { actions = self.others.actions, list_read = self.list_read }
  return correlate.plausible(self.candidates, known.query(self), others)
end

---Seconds until the actions can tell more of the candidates than when they were last read; nil: never.
---@return number|nil
function search.telling_in(self)
  local read, now, soonest = self.others and self.others.actions_read or -math.huge, known.server_now(self), nil
  local function consider(time)
    if read < time then
      soonest = math.min(soonest or math.huge, math.max(0, time - now))
    end
  end
  for _, deployment in ipairs(self.candidates) do
    consider(correlate.telling_time(deployment))
  end
  if #self.candidates > 0 and known.action_is_over(self) then
    consider(self.action.finished_time + correlate.LAG)
  end
  if #self.candidates > 0 and self.others and self.others.was_read_once then
    soonest = 0
  end
  return soonest
end

-- --- reading ---

local function read_list(self)
  local read = known.server_now(self)
  local list, first, show = self.endpoint:deployments_since(known.query(self).started or math.huge, self.deadline)
  if not list then
    return nil, first, show
  end
  self.durations = estimate.durations(first)
  self.list, self.list_show, self.list_read = list, show, math.max(read, known.note_dates(self, list))
  return true
end

-- Examines the candidates: whether the response has named one, and what the actions tell, where they can tell more.
local function examine(self, is_changed)
  local telling_in = search.telling_in(self)
  local is_useful = telling_in == 0 or (is_changed and not telling_in)
  if is_changed or is_useful then
    local ok, message, err = own_action.check_named(self)
    if not ok or self.digits then
      return ok, message, err
    end
  end
  if is_useful then
    local ok, message, err = own_action.poll_all(self)
    if not ok then
      return nil, message, err
    end
    judge(self)
  end
  return true
end

-- The newest deployments, and what more is to be read of those that may be ours.
local function poll_list(self)
  local before = grounds(self)
  local ok, message, err = read_list(self)
  if not ok then
    return nil, message, err
  end
  judge(self)
  local is_changed = grounds(self) ~= before
  if is_changed then
    known.changed(self)
  end
  if self.digits or #self.candidates == 0 then
    return true
  end
  return examine(self, is_changed)
end

-- Our own action; where some deployments may be ours, all actions that may have made them.
local function poll_action(self)
  if not self.list or #self.candidates == 0 then
    return own_action.poll(self)
  end
  local ok, message, err = own_action.poll_all(self)
  if ok and self.action then
    judge(self)
  end
  return ok, message, err
end

---Reads what is new: the deployments and the action in turn; both at first and at last, and once the action has ended.
---@param is_last? boolean
---@return true|nil ok, string? message, cloud66.Error? err
function search.poll(self, is_last)
  local both = is_last or not self.list
  if not known.action_is_over(self) and (both or self.turn == "action") then
    local ok, message, err = poll_action(self)
    if not ok then
      return nil, message, err
    end
  end
  if not self.digits and (both or self.turn == "list" or known.action_is_over(self)) then
    local ok, message, err = poll_list(self)
    if not ok then
      return nil, message, err
    end
  end
  self.turn = self.turn == "list" and "action" or "list"
  return true
end

return search
