-- options.lua: the options of a client that have it share something with others: `store`, `budget`, `cache`.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local entries = require "cloud66.sharing.entries"
local stores = require "cloud66.sharing.stores"

local options = {}

local DEFAULTS = { fresh = 5, stale = 300, settled = 3600 } -- seconds

local seconds = args.seconds(entries.LONGEST)
local times_of = args.settings({ fresh = seconds, stale = seconds, settled = seconds }, DEFAULTS, "false")

local function check_cache(value, name)
  local times = times_of(value, name)
  if times.stale < times.fresh then
    caller.blame("option 'cache.stale' (%g) must not be shorter than 'cache.fresh' (%g)", times.stale, times.fresh)
  end
  return times
end

---@param given table       the options of a client
---@param inherited? table  what of() returned for the client that this one goes on from
---@return { store: table|false, is_shared: boolean, budget: integer|false|nil, cache: table|false }
---is_shared: whether the caller has brought the store, so that others may have it, too
---budget: requests an hour; nil where nothing but the server's limit holds; false where nothing is counted. cache: the times of
---CacheOptions, in seconds. Without an option `store`, what needs one has one of its own.
function options.of(given, inherited)
  local made = {
    cache = given.cache and check_cache(given.cache, "option 'cache'") or false,
    budget = given.budget and args.count(given.budget, "option 'budget'") or given.budget,
    store = given.store ~= nil and stores.check(given.store, "option 'store'") or inherited and inherited.store or false,
  }
  made.is_shared = given.store ~= nil or inherited ~= nil and inherited.is_shared or false
  if not made.store and (made.cache or made.budget) then
    made.store = stores.memory()
  end
  return made
end

return options
