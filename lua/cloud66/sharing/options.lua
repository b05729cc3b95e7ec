-- options.lua: the options of a client that have it share something with others: `store`, `budget`, `cache`.

local args = require "cloud66.base.args"
local entries = require "cloud66.sharing.entries"
local stores = require "cloud66.sharing.stores"

local options = {}

local CACHE = { fresh = 5, stale = 300, settled = 3600 } -- seconds

-- {fresh, stale, settled}, or false.
local function cache_of(value, level)
  level = level + 1
  if value == nil or value == false then
    return false
  elseif type(value) ~= "table" then
    error(("option 'cache' must be false or a table {fresh =, stale =, settled =}, got %s"):format(type(value)), level)
  end
  local cache = {}
  for name, seconds in pairs(CACHE) do
    cache[name] = seconds
  end
  for name, seconds in pairs(args.options(value, CACHE, "option 'cache.%s'")) do
    cache[name] = args.positive(seconds, "cache." .. name, level)
    if seconds > entries.LONGEST then
      error(("cache.%s is in seconds, and at most %d of them"):format(name, entries.LONGEST), level)
    end
  end
  if cache.stale < cache.fresh then
    error(("cache.stale (%g) must not be shorter than cache.fresh (%g)"):format(cache.stale, cache.fresh), level)
  end
  return cache
end

-- Requests an hour; false where there is none; nil where it was not asked for.
local function budget_of(value, level)
  if value == nil or value == false then
    return value
  end
  return (args.count(value, "option 'budget'", level + 1))
end

-- Without one, what needs a store has one of its own.
local function store_of(value, inherited, is_needed, level)
  if value ~= nil then
    return (stores.check(value, "option 'store'", level + 1))
  end
  return inherited or is_needed and stores.memory() or false
end

---@param given table      the options of a client
---@param inherited? table  what of() gave for the client that this one goes on from
---@param level integer    as in args.lua
---@return { store: table|false, budget: integer|false|nil, cache: table|false }
function options.of(given, inherited, level)
  level = level + 1
  local made = { cache = cache_of(given.cache, level), budget = budget_of(given.budget, level) }
  made.store = store_of(given.store, inherited and inherited.store, made.cache or made.budget, level)
  return made
end

return options
