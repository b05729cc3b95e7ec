-- What specs see of the fake API: where it is, what was asked of it, and what it knows. See README.md beside this file.
local access = require "spec.support.fake.access"
local calendar = require "spec.support.fake.calendar"
local cjson = require "cjson"
local data = require "spec.support.data"
local merged = require "spec.support.merged"
local scenario = require "spec.support.fake.scenario"

local function environment(name)
  local value = os.getenv(name)
  if not value or value == "" then
    error(name .. " is not set, so no fake API is running: run specs with script/test", 0)
  end
  return value
end

local origins = {
  http = environment "C66_FAKE_URL",
  https = environment "C66_FAKE_TLS_URL",
  expired = environment "C66_FAKE_EXPIRED_URL",
  misnamed = environment "C66_FAKE_MISNAMED_URL",
}
local directory = environment "C66_FAKE_DIR"

local fake = {
  data = data,
  ca = environment "C66_FAKE_CA",
  tokens = access.tokens,
  token = access.tokens.valid,
  stacks = data.uids,
}

local function escape(text)
  return (text:gsub("[^%w_.-]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

local function as_text(value)
  if value == true then
    return "yes"
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  end
  return tostring(value)
end

---The scenario as the first part of a path, "~codes=string~page_size=5", and checked: a typo raises here, with the
---caller's line.
function fake.scenario(options)
  local keys, parts = {}, {}
  for key in pairs(options or {}) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    parts[i] = "~" .. key .. "=" .. escape(as_text(options[key]))
  end
  local text = table.concat(parts)
  local ok, problem = scenario.parse(text)
  if not ok then
    error(problem, 3)
  end
  return text
end

---The order of lists where a scenario names none: "oldest", or nil for the fake's default.
fake.order = nil

---One of two values: of a list that is newest first, or of one that is oldest first.
function fake.by_order(newest, oldest)
  if fake.order == "oldest" then
    return oldest
  end
  return newest
end

---A base URL, "http://127.0.0.1:12345/~codes=string/api/3".
---@param options? table scenario key -> value (true for yes)
---@param scheme? "http"|"https"|"expired"|"misnamed" https with a good certificate, an expired one, one for another name
function fake.url(options, scheme)
  local origin = origins[scheme or "http"]
  if not origin then
    error("the scheme is http, https, expired or misnamed", 2)
  end
  local text = fake.scenario(merged({ order = fake.order }, options))
  return origin .. (text ~= "" and "/" .. text or "") .. "/api/3"
end

---A base URL on which nobody listens: port 1 is reserved, and only root could change that.
function fake.closed_url()
  return "http://127.0.0.1:1/api/3"
end

local function without_null(record)
  for key, value in pairs(record) do
    if value == cjson.null then
      record[key] = nil
    end
  end
  return record
end

---The requests whose scenario carried this tag, in order: {method, path (as sent, without the scenario), query, headers
---(lower-case names; authorization as "Bearer valid"), scheme, http_version, body, in_flight (how many requests of the
---tag were there when it came, with itself)}. With a method, those alone.
function fake.requests(tag, method)
  local list = {}
  for line in io.lines(directory .. "/requests.jsonl") do
    if line:find(tag, 1, true) then
      local record = cjson.decode(line)
      if record.tag == tag and (not method or record.method == method) then
        list[#list + 1] = without_null(record)
      end
    end
  end
  return list
end

local tags = 0
local process = tostring({}):match "(%w+)$" -- an address: tells this process from another one on the same fake

---A tag nobody has used yet.
function fake.fresh_tag()
  tags = tags + 1
  return ("t%s-%d-%d"):format(process, os.time(), tags)
end

-- --- worlds: what a spec puts beside the fake's own data, and its clock ---

local function literal(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, inner in pairs(value) do
    parts[#parts + 1] = ("[%s] = %s"):format(literal(key), literal(inner))
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local world = {}
local world_mt = { __index = world }

local extra_ids = 800000

local function put(self, ending, text)
  local path = ("%s/world-%s.%s"):format(directory, self.name, ending)
  local file = assert(io.open(path .. ".new", "w"))
  file:write(text, "\n")
  file:close()
  assert(os.rename(path .. ".new", path))
end

local function write(self)
  put(self, "lua", "return " .. literal(self.settings))
end

local function add(self, kind, stack, item)
  local lists = self.settings[kind]
  lists[stack] = lists[stack] or {}
  table.insert(lists[stack], item)
  write(self)
  return item
end

---The world's clock, Unix seconds.
function world:now()
  return os.time() + math.floor(self.settings.offset)
end

function world:advance(seconds)
  self.settings.offset = self.settings.offset + seconds
  put(self, "offset", ("%.6f"):format(self.settings.offset)) -- apart, as it changes most: a wait of hours sleeps a second at a time
end

---Puts a deployment there that nobody asked this API for: of "somebody", through the web, running; fields as in the data.
---`blocks = true`: what is asked for by POST waits for it. Its times may be given alone.
function world:add_deployment(stack, fields)
  extra_ids = extra_ids + 1
  local now = self:now()
  local model = merged({
    id = extra_ids, triggered_by = "somebody@awesome.example", triggered_via = "web", outcome = "pending",
    git_hash = ("%040x"):format(extra_ids), git_ref = "main", deploy_session = "extra", deploy_type = "build",
    is_head = false, is_live = false, is_deploying = true, started_time = now,
    commit_url = "https://github.com/cloud66-samples/awesome-app",
  }, fields)
  self:change(model)
  return add(self, "deployments", stack, model)
end

---Changes what was added; a time brings its date with it.
function world:change(model, fields)
  for key, value in pairs(fields or {}) do
    model[key] = value
  end
  model.started_at = calendar.text(model.started_time)
  if model.finished_time then
    model.finished_at = calendar.text(model.finished_time)
    model.is_deploying = fields and fields.is_deploying or false
  end
  write(self)
end

function world:remove(stack, model)
  local list = self.settings.deployments[stack]
  for i = #list, 1, -1 do
    if list[i] == model then
      table.remove(list, i)
    end
  end
  write(self)
end

---Puts an action there: of ci@awesome.example, running.
function world:add_action(stack, fields)
  extra_ids = extra_ids + 1
  return add(self, "actions", stack, merged({ id = extra_ids, user = "ci@awesome.example", started_time = self:now() }, fields))
end

---A world of its own: ask for it with fake.url { world = world.name }.
function fake.world()
  local self = setmetatable({
    name = fake.fresh_tag(), settings = { offset = 0, deployments = {}, actions = {} },
  }, world_mt)
  write(self)
  return self
end

return fake
