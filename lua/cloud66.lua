---cloud66: the deployment history of Cloud 66 stacks.
---
---What the world does wrong comes back as `nil, message, err`; what the programmer does wrong raises.

local cloud66 = { _VERSION = "0.1.0" }

-- The C module must be built for this Lua and belong to these files: say so rather than fail oddly later.
local function load_core()
  local ok, core = pcall(require, "cloud66.core")
  if not ok then
    error(("cloud66 cannot load its C module under %s: not built, not installed, or built for another Lua?\n%s"):format(
      _VERSION, tostring(core)), 0)
  elseif core._VERSION ~= cloud66._VERSION then
    error(("cloud66 %s found a C module of version %s: an older installation lies in package.cpath"):format(
      cloud66._VERSION, tostring(core._VERSION)), 0)
  elseif core.lua_version % 100 ~= tonumber(_VERSION:match "5%.(%d)") then
    error(("cloud66's C module was built for Lua 5.%d, and this is %s"):format(core.lua_version % 100, _VERSION), 0)
  end
  return core
end

local core = load_core()
if not pcall(require, "cjson") then
  error("cloud66 needs lua-cjson (Debian: lua-cjson; LuaRocks: lua-cjson)", 0)
end
local client = require "cloud66.client"
local criteria = require "cloud66.model.criteria"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local random = require "cloud66.base.random"
local sequence = require "cloud66.model.sequence"

---What stands for JSON null where nil cannot: in arrays, and in criteria. The same value as cjson.null.
cloud66.null = core.null

---A client of the API.
---@param options? table  token, base_url, account, timeout, retries, on_throttle, throttle_wait, max_body, concurrency,
---ca_file, proxy, user_agent, transport, on, allow_http
---@return cloud66.Client|nil client, string? message, cloud66.Error? err  # kind `auth` when there is no usable token
function cloud66.new(options)
  if options == cloud66 then
    error("call it as cloud66.new(options), with a dot", 2)
  end
  local made, message, err = client.new(options)
  return made, message, err
end

---Decodes an answer of the API that holds deployments: a list or a single one, with or without its envelope.
---@param text string  JSON
---@return cloud66.Page|nil page, string? message, cloud66.Error? err  # kind `decode`, with err.offset (bytes, from 0)
function cloud66.decode(text)
  if type(text) ~= "string" then
    error(("decode() needs a string, got %s"):format(type(text)), 2)
  end
  local page, kind, reason, offset = core.decode(text)
  if page then
    return page
  end
  if offset then
    reason = ("%s, at byte %s of %d"):format(reason, tostring(offset), #text)
  end
  return errors.fail(kind, reason, { offset = offset })
end

---A user_reference nobody else has: 128 random bits from the operating system. Made before redeploy() is called, and kept,
---it finds the deployment again after a crash.
---@return string
function cloud66.reference()
  return random.reference("lua-cloud66-")
end

---Figures from a deployment history: counts, durations, failures, recoveries, who and how, and a series of days, weeks or
---months. What each figure is stands with cloud66.Stats in cloud66/history/stats.lua.
---@param deployments cloud66.Sequence|cloud66.Page|cloud66.Deployment[]  in any order; a sequence is used up
---@param options? { from?: string|number, to?: string|number, by?: "day"|"week"|"month" }  only what started from `from`
---(inclusive) to `to` (exclusive): dates, ages or Unix seconds as in criteria; `by` asks for the series
---@return cloud66.Stats|nil stats, string? message, cloud66.Error? err  # what the sequence failed with; too_large
function cloud66.stats(deployments, options)
  local stats, message, err = require("cloud66.history.stats").of(deployments, options)
  return stats, message, err
end

---Reads the body of a webhook: {event, stack_uid, stack_name, outcome, started_time, finished_time}. Anybody can send one:
---believe it only after asking the API.
---@param body string|nil
---@return cloud66.Webhook|nil webhook, string? message, cloud66.Error? err
function cloud66.webhook(body)
  return require("cloud66.model.webhook").read(body)
end

-- What the C methods cannot do without knowing the Lua layer.

---Whether the deployment meets the criteria, as for where(). nil, message, err where a field they name was sent in a
---form this library does not know.
function core.deployment_methods.matches(deployment, wanted)
  if not core.is_deployment(deployment) then
    error("call it as deployment:matches(criteria)", 2)
  end
  local matches = criteria.compile(criteria.deployment, wanted)
  return matches(deployment)
end

---The page's deployments that meet the criteria, as a sequence.
function core.page_methods.where(page, wanted)
  local matches = criteria.compile(criteria.deployment, wanted)
  return sequence.filter(sequence.of(page, criteria.deployment), matches)
end

-- Before nginx has workers: they share what is loaded now, and none of them has to read it while it serves somebody.
if host.is_starting() then
  require "cloud66.base.json"
  require "cloud66.deploy.cancel"
  require "cloud66.deploy.ensure"
  require "cloud66.fleet.map"
  require "cloud66.fleet.merge"
  require "cloud66.history.stats"
  require "cloud66.model.webhook"
  require "cloud66.resource.watch"
  require "cloud66.sharing.layers"
  require "cloud66.sharing.options"
  require "cloud66.sharing.store.memory"
  require "cloud66.sharing.store.shared_dict"
  require "cloud66.transport.curl"
end

-- Stores, to be shared by clients and processes, as cloud66.store: store.memory{...}, store.shared_dict(name),
-- store.redis{...}. Who names them first loads them.
local face_mt = {}

function face_mt.__index(self, name)
  if name ~= "store" then
    return nil
  end
  local stores = require "cloud66.sharing.stores"
  rawset(self, "store", stores)
  return stores
end

return setmetatable(cloud66, face_mt)
