-- stack.lua: one stack: its own fields, its deployments, which of them is live.

local check = require "cloud66.check"
local criteria = require "cloud66.criteria"
local errors = require "cloud66.error"
local sequence = require "cloud66.sequence"
local url = require "cloud66.url"

local stack = {}

local methods = {}
local stack_mt = { __name = "cloud66.stack" }

-- What a stack knows ({api, uid, fields}) stands under this key alone, so that every other is read through
-- __index and refused by __newindex.
local STATE = {}

local function state_of(self)
  local state = type(self) == "table" and rawget(self, STATE)
  if not state then
    error("call it as stack:method(...)", 3)
  end
  return state
end

-- --- fields ---

-- The keys the API documents, old and new; others are reached by stack:raw(name).
local FIELDS = {}
for name in ([[uid name git git_branch environment cloud fqdn language framework status health last_activity
  last_activity_iso maintenance_mode has_loadbalancer created_at updated_at created_at_iso updated_at_iso
  deploy_directory cloud_status redeploy_hook account_id account_name backend version revision is_busy is_cluster
  is_inside_cluster cluster_name application_address configstore_namespace namespaces considerations]]):gmatch("%S+") do
  FIELDS[name] = true
end

-- In the order of the API's numbers, from 0 on.
local STATUS = { "queued", "success", "failed", "analysing", "analysed", "queued_for_deploying", "deploying",
  "terminal_failure" }
local HEALTH = { "unknown", "building", "partial", "ok", "broken" }

-- A number the API does not document passes through as its digits.
local function word(words, number)
  if number == nil then
    return nil
  end
  return type(number) == "number" and words[number + 1] or tostring(number)
end

local derived = {}

function derived.status_name(fields)
  return word(STATUS, fields.status)
end

function derived.health_name(fields)
  return word(HEALTH, fields.health)
end

---What criteria may ask of a stack.
stack.schema = { item = "stack", names = {}, words = { status_name = STATUS, health_name = HEALTH } }
for name in pairs(FIELDS) do
  stack.schema.names[name] = "any"
end
for name in pairs(derived) do
  stack.schema.names[name] = "word"
end

local function unknown_field(name)
  error(("a stack has no field or method '%s'%s (stack:raw(name) gives undocumented keys)"):format(
    tostring(name), check.hint(name, stack.schema.names, methods)), 3)
end

function stack_mt.__index(self, name)
  local method = methods[name]
  if method ~= nil then
    return method
  end
  local state = rawget(self, STATE)
  local fields = state.fields
  if name == "uid" then
    return state.uid
  elseif not FIELDS[name] and not derived[name] then
    unknown_field(name)
  elseif not fields then
    error(("stack %s is not loaded, so its '%s' is not known: call stack:load() first"):format(
      errors.clean(state.uid), name), 2)
  elseif derived[name] then
    return derived[name](fields)
  end
  return fields[name]
end

function stack_mt.__newindex()
  error("stacks are read-only", 2)
end

function stack_mt.__tostring(self)
  local fields = rawget(self, STATE).fields
  local text = "stack " .. self.uid
  if fields then
    text = ("%s %s (%s)"):format(text, tostring(fields.name), tostring(fields.environment))
  end
  return errors.clean(text)
end

---@return cloud66.Stack
function stack.new(api, uid, fields)
  return setmetatable({ [STATE] = { api = api, uid = uid, fields = fields or false } }, stack_mt)
end

---@return string
function stack.uid_of(self)
  return self.uid
end

-- The page number in `next`: also as text, as for deployments. nil at the end, false for anything else.
local function page_number(following)
  if following == nil then
    return nil
  elseif type(following) == "string" and following:find("^%d+$") then
    following = tonumber(following)
  end
  return type(following) == "number" and following % 1 == 0 and following
end

---One page of the stacks a token sees.
---@return table|nil page, string? message, cloud66.Error? err  # a list with .next
function stack.fetch_list(api, number)
  local list, pagination, err = api:get_value("/stacks", { query = { page = number }, list = true })
  if not list then
    return nil, pagination, err
  end
  local page = { next = page_number(pagination and pagination.next) }
  if page.next == false then
    return errors.fail("decode", "the 'pagination.next' of the stacks is not a page number")
  end
  for i, fields in ipairs(list) do
    if type(fields) ~= "table" or type(fields.uid) ~= "string" then
      return errors.fail("decode", ("number %d of the list is no stack: it has no uid"):format(i))
    end
    page[i] = stack.new(api, fields.uid, fields)
  end
  return page
end

-- --- requests ---

-- A uid that cannot be one is refused here rather than put into a path.
local function path_of(self, rest)
  local uid = state_of(self).uid
  if #uid > 255 or uid:find("[%c/\\?#]") or uid:find("^%.+$") then
    return errors.fail("bad_request", ("'%s' cannot be a stack's uid: it is on the stack's information page, "
      .. "and in client:stacks()"):format(uid:sub(1, 60)))
  end
  return "/stacks/" .. url.encode(uid) .. (rest or "")
end

local function no_such_stack(self)
  return ("no stack has the uid '%s', or this account does not see it; if that is a name, use client:find_stack{name=...}")
    :format(self.uid:sub(1, 60))
end

---Reads the stack's own fields, and keeps them.
---@return cloud66.Stack|nil stack, string? message, cloud66.Error? err
function methods:load(...)
  check.no_more("load()", 0, select("#", ...))
  local path, message, err = path_of(self)
  if not path then
    return nil, message, err
  end
  local fields, pagination
  fields, pagination, err = state_of(self).api:get_value(path, { hint = no_such_stack(self) })
  if not fields then
    return nil, pagination, err
  elseif type(fields.uid) ~= "string" then
    return errors.fail("decode", "the answer is no stack: it has no uid")
  elseif fields.uid ~= self.uid then
    return errors.fail("protocol", ("stack '%s' was asked for, the answer is '%s'"):format(self.uid, fields.uid))
  end
  rawget(self, STATE).fields = fields
  return self
end

---The value of any key the API sent, for those that are not documented. nil for null and for an absent key.
---@param name string
---@return any
function methods:raw(name)
  check.text(name, "name")
  local fields = state_of(self).fields
  if not fields then
    error("the stack is not loaded: call stack:load() first", 2)
  end
  return fields[name]
end

local function fetch_page(self, number)
  local path, message, err = path_of(self, "/deployments")
  if not path then
    return nil, message, err
  end
  return state_of(self).api:get_page(path, { query = { page = number }, hint = no_such_stack(self) })
end

---One page of the stack's deployments.
---@param number? integer  from 1, the default
---@return cloud66.Page|nil page, string? message, cloud66.Error? err
function methods:page(number)
  if number == nil then
    number = 1
  end
  local page, message, err = fetch_page(self, check.count(number, "a page number"))
  return page, message, err
end

---@param id integer|string
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:deployment(id)
  local digits = check.id(id)
  local path, message, err = path_of(self, "/deployments/" .. digits)
  if not path then
    return nil, message, err
  end
  local page
  page, message, err = state_of(self).api:get_page(path, {
    hint = ("stack '%s' has no deployment %s, or there is no such stack"):format(self.uid:sub(1, 60), digits),
  })
  if not page then
    return nil, message, err
  end
  local found = page[1]
  if #page ~= 1 or found.id == nil or check.id(found.id) ~= digits then
    return errors.fail("protocol", ("deployment %s was asked for, the answer holds %s"):format(
      digits, #page == 1 and tostring(found) or #page .. " deployments"))
  end
  return found
end

-- --- sequences ---

-- A function page -> whether all pages from here on must be older than `since`: a whole page is, and so far
-- each deployment started no later than the one before it.
local function all_older(since)
  local last
  local newest_first = true
  return function(page)
    local older = #page > 0
    for _, started in page:rows("started_time") do
      if started == nil or started >= since then
        older = false
      end
      if started ~= nil then
        newest_first = newest_first and (last == nil or started <= last)
        last = started
      end
    end
    return older and newest_first
  end
end

local function id_of(deployment)
  return deployment.id
end

local DEPLOYMENTS_OPTIONS = { page = true, since = true, before = true, max_pages = true }

---The stack's deployments, newest first as the API gives them.
---@param options? { page?: integer, since?: string|number, before?: string|number, max_pages?: integer }
---page: where to begin. since, before: as in criteria; since also stops turning pages.
---@return cloud66.Sequence
function methods:deployments(options, ...)
  check.no_more("deployments()", 1, select("#", ...) + 1)
  options = check.options(options, DEPLOYMENTS_OPTIONS, "option")
  local first = options.page ~= nil and check.count(options.page, "option 'page'") or 1
  local most = options.max_pages ~= nil and check.count(options.max_pages, "option 'max_pages'") or nil
  local since = options.since ~= nil and check.time(options.since, "option 'since'") or nil
  local before = options.before ~= nil and check.time(options.before, "option 'before'") or nil
  check.range(since, before)
  local next_page = sequence.page_turner(function(number)
    return fetch_page(self, number)
  end, { first = first, most = most, enough = since and all_older(since) })
  local found = sequence.pages(next_page, id_of, criteria.deployment)
  if not since and not before then
    return found
  end
  return sequence.filter(found, criteria.compile(criteria.deployment, { since = since, before = before }))
end

-- --- which one is live ---

local LOOK_BACK = 5 -- pages

-- nil, message, err when a page has a deployment of which one of the fields is not of the documented type: it
-- reads nil, so it cannot be told which deployment is meant. true otherwise.
local function check_drift(page, fields)
  for _, drift in ipairs(page.drift) do
    if fields[drift.field] then
      return errors.fail("decode", ("the API sends '%s' as %s, which this library does not know (in %s)"):format(
        drift.field, drift.got, tostring(page[drift.index])))
    end
  end
  return true
end

-- Goes through the newest pages: look(page) returns a deployment to end with it. Else nil, message, err; the
-- kind `none` has .complete, whether the whole history was read. look() goes by `fields`, a set.
local function search(self, what, fields, look)
  local next_page = sequence.page_turner(function(number)
    return fetch_page(self, number)
  end, { most = LOOK_BACK })
  local last
  while true do
    local page, message, err = next_page()
    if not page then
      if message then
        return nil, message, err
      end
      break
    end
    local ok
    ok, message, err = check_drift(page, fields)
    if not ok then
      return nil, message, err
    end
    local found = look(page)
    if found then
      return found
    end
    last = page
  end
  -- A page that is not the last by its own count, and names no next one, is no end to rely on.
  local complete = not last.next and not (last.pages and last.current and last.pages > last.current)
  return errors.fail("none", ("stack '%s' has no %s %s"):format(self.uid:sub(1, 60), what,
    complete and "in its whole history" or ("in its newest %d pages"):format(LOOK_BACK)), { complete = complete })
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

local function search_newest(self, what, fields, matches)
  local found, message, err = search(self, what, fields, function(page)
    return newest(page, matches)
  end)
  return found, message, err
end

local function is_live(deployment)
  return deployment.is_live
end

---The newest deployment that is live: what runs on the servers now. Reads at most 5 pages.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:live(...)
  check.no_more("live()", 0, select("#", ...))
  return search_newest(self, "live deployment", { is_live = true }, is_live)
end

---The newest deployment that is the HEAD one. Reads at most 5 pages.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:head(...)
  check.no_more("head()", 0, select("#", ...))
  return search_newest(self, "head deployment", { is_head = true }, function(deployment)
    return deployment.is_head
  end)
end

---The newest deployment, however far it has come.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:latest(...)
  check.no_more("latest()", 0, select("#", ...))
  return search_newest(self, "deployment", { id = true }, function()
    return true
  end)
end

local function unknown_commit(deployment)
  return errors.fail("none", ("%s is live, and the API does not say of which commit"):format(tostring(deployment)))
end

local SHORTEST_HASH, WHOLE_HASH = 7, 40 -- hex digits

-- Whether two hashes, either of them perhaps shortened, name the same commit.
local function same_commit(a, b)
  local n = math.min(#a, #b)
  if n < SHORTEST_HASH or (n >= WHOLE_HASH and #a ~= #b) then
    return false
  end
  return a:sub(1, n):lower() == b:sub(1, n):lower()
end

local BUILDS = { build = true, redeploy = true, first_build = true }

-- A function deployment -> whether one could go back to it from `live`, which stands at `place` of the list.
local function is_way_back(live, place)
  return function(deployment, i)
    local older = i > place
    if deployment.started_time and live.started_time then
      older = deployment.started_time < live.started_time
    end
    return older and deployment.is_success and BUILDS[deployment.deploy_type] and not deployment.reverted
      and deployment.git_hash and not same_commit(deployment.git_hash, live.git_hash)
  end
end

local PREVIOUS_FIELDS = { is_live = true, git_hash = true, outcome = true, deploy_type = true, reverted = true,
  started_at = true }

---What to roll back to: the newest successful build of another commit that started before the live one and was not
---itself reverted. Reads at most 5 pages.
---@return cloud66.Deployment|nil deployment, string? message, cloud66.Error? err
function methods:previous_live(...)
  check.no_more("previous_live()", 0, select("#", ...))
  local seen, live, place = {}, nil, nil
  local found, message, err = search(self, "successful build of another commit before the live one", PREVIOUS_FIELDS,
    function(page)
      local first = #seen
      for deployment in page:each() do
        seen[#seen + 1] = deployment
      end
      if not live then
        live = newest(page, is_live)
        for i = first + 1, #seen do
          place = seen[i] == live and i or place
        end
      end
      if not live then
        return nil
      elseif not live.git_hash then
        return live
      end
      local fits, best = is_way_back(live, place), nil
      for i, deployment in ipairs(seen) do
        if fits(deployment, i) and (not best or started_later(deployment, best)) then
          best = deployment
        end
      end
      return best
    end)
  if found and not live.git_hash then
    return unknown_commit(live)
  end
  return found, message, err
end

---Whether a commit is what runs on the servers now.
---@param git_hash string  7 or more hex digits
---@return boolean|nil live, string? message, cloud66.Error? err  # nil when it cannot be told
function methods:is_live(git_hash)
  local wanted = check.git_hash(git_hash)
  local matched, unnamed = false, nil
  local found, message, err = search(self, "live deployment", { is_live = true }, function(page)
    local live
    for deployment in page:each() do
      if deployment.is_live then
        local hash = deployment.git_hash
        live = deployment
        unnamed = unnamed or (not hash and deployment)
        matched = matched or (hash ~= nil and same_commit(hash, wanted))
      end
    end
    return live
  end)
  if matched then
    return true
  elseif unnamed then
    return unknown_commit(unnamed)
  elseif found or (err.kind == "none" and err.complete) then
    return false
  end
  return nil, message, err
end

return stack
