-- parameters.lua: what a user_reference was sent for: whether one that comes again is to deploy something else. The API stores no
-- parameters of a redeploy, but for what an action may say; this process remembers what it has sent.

local git = require "cloud66.base.git"
local value = require "cloud66.base.value"

local parameters = {}

local MOST = 200 -- redeploys that are remembered for each client

-- Of each client's api: what it has sent, the newest last: { key = uid and reference, body = nil where nothing was carried out }.
local sent_by = setmetatable({}, { __mode = "k" })

local function key_of(uid, reference)
  return uid .. " " .. reference
end

---Remembers what is about to be sent.
---@param api table  of api.new()
---@param uid string
---@param reference string
---@param body table  of options.body()
---@return fun() forget  # for when nothing was carried out
function parameters.remember(api, uid, reference, body)
  local sent = sent_by[api] or {}
  local entry = { key = key_of(uid, reference), body = body }
  sent_by[api] = sent
  sent[#sent + 1] = entry
  if #sent > MOST then
    table.remove(sent, 1)
  end
  return function()
    entry.body = nil
  end
end

---What this process has sent with a reference, as far as it remembers.
---@return table|nil body  of options.body()
function parameters.recall(api, uid, reference)
  local sent, key = sent_by[api] or {}, key_of(uid, reference)
  for i = #sent, 1, -1 do
    if sent[i].key == key and sent[i].body then
      return sent[i].body
    end
  end
  return nil
end

---The same of what another process says that it has sent, which may be anything.
---@param sent any
---@return table|nil body
function parameters.read(sent)
  if type(sent) ~= "table" then
    return nil
  end
  local body, percentage = {}, sent.canary_percentage
  for _, name in ipairs { "git_ref", "deployment_profile", "deploy_strategy", "rollout_strategy" } do
    body[name] = value.text(sent[name])
  end
  body.canary_percentage = type(percentage) == "number" and percentage % 1 == 0 and percentage or nil
  for i, service in ipairs(type(sent.services) == "table" and sent.services or {}) do
    body.services = body.services or {}
    body.services[i] = tostring(service)
  end
  return body
end

---The git_ref that an action was started with, where it says so.
---@param action cloud66.Action
---@return string|nil
function parameters.git_ref_of(action)
  return type(action.metadata) == "table" and value.text(action.metadata.git_ref) or nil
end

local NAMES = { "git_ref", "services", "deployment_profile", "deploy_strategy", "rollout_strategy", "canary_percentage" }

local function as_text(parameter)
  if type(parameter) == "number" then
    return ("%d"):format(parameter) -- 10 and 10.0 are sent alike
  elseif type(parameter) ~= "table" then
    return tostring(parameter)
  end
  local sorted = {}
  for i, service in ipairs(parameter) do
    sorted[i] = service
  end
  table.sort(sorted)
  return table.concat(sorted, ", ")
end

-- What a body deploys, in words.
local function described(body)
  local parts = {}
  for _, name in ipairs(NAMES) do
    if body[name] ~= nil then
      parts[#parts + 1] = ("%s '%s'"):format(name, as_text(body[name]))
    end
  end
  return #parts > 0 and table.concat(parts, ", ") or "what is there"
end

local function is_same_ref(a, b)
  return git.same_ref(a, b) or (git.may_be_hash(a) and git.may_be_hash(b) and git.same(a, b))
end

-- Whether both are known, and not of one commit; one may be the other's hash.
local function is_other_ref(a, b)
  return a and b and git.may_be_hash(a) == git.may_be_hash(b) and not is_same_ref(a, b)
end

local function is_same(a, b)
  for _, name in ipairs(NAMES) do
    local of_a, of_b = a[name], b[name]
    if name == "git_ref" and of_a and of_b then
      if not is_same_ref(of_a, of_b) then
        return false
      end
    elseif (of_a == nil) ~= (of_b == nil) or (of_a ~= nil and as_text(of_a) ~= as_text(of_b)) then
      return false
    end
  end
  return true
end

---Whether a reference was used to deploy something else than it comes with now, as far as is known.
---@param body table              of options.body(): what it comes with
---@param sent? table             what is known to have been sent with it
---@param action? cloud66.Action  that carries it
---@return string|nil was, string? is  # both in words; nil: no
function parameters.conflict(body, sent, action)
  local was = action and parameters.git_ref_of(action)
  if is_other_ref(was, body.git_ref) then
    return ("git_ref '%s'"):format(was), described(body)
  elseif sent and not is_other_ref(was, sent.git_ref) and not is_same(sent, body) then -- else the action is not of what was sent
    return described(sent), described(body)
  end
  return nil
end

return parameters
