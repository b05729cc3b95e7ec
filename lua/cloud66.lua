-- cloud66.lua: the face of the library. It is documented in types/cloud66.lua.

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
local caller = require "cloud66.base.caller"
local client = require "cloud66.client"
local criteria = require "cloud66.model.criteria"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local sequence = require "cloud66.model.sequence"

cloud66.null = core.null

function cloud66.new(options)
  if options == cloud66 then
    caller.blame "call it as cloud66.new(options), with a dot"
  end
  return client.new(options)
end

function cloud66.decode(text)
  if type(text) ~= "string" then
    caller.blame("decode() needs a string, got %s", type(text))
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

function cloud66.reference()
  return require("cloud66.deploy.reference").make()
end

function cloud66.stats(deployments, options)
  return require("cloud66.history.stats").of(deployments, options)
end

function cloud66.webhook(body)
  return require("cloud66.model.webhook").read(body)
end

-- What the C methods cannot do without knowing the Lua layer.

function core.deployment_methods.matches(deployment, wanted)
  if not core.is_deployment(deployment) then
    caller.blame "call it as deployment:matches(criteria)"
  end
  return criteria.compile(criteria.deployment, wanted)(deployment)
end

function core.page_methods.where(page, wanted)
  local matches = criteria.compile(criteria.deployment, wanted)
  return sequence.filter(sequence.of(page, criteria.deployment), matches)
end

-- Before nginx has workers: they share modules that are loaded now, and none has to read one while it serves a request.
if host.is_starting() then
  require "cloud66.base.json"
  require "cloud66.base.proxy"
  require "cloud66.deploy.cancel"
  require "cloud66.deploy.ensure"
  require "cloud66.fleet.map"
  require "cloud66.fleet.merge"
  require "cloud66.history.stats"
  require "cloud66.model.reorder"
  require "cloud66.model.webhook"
  require "cloud66.resource.watch"
  require "cloud66.sharing.claims"
  require "cloud66.sharing.layers"
  require "cloud66.sharing.options"
  require "cloud66.sharing.store.memory"
  require "cloud66.sharing.store.shared_dict"
  require "cloud66.transport.curl"
end

-- cloud66.store: loaded by the program that names it first.
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
