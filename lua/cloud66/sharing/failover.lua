-- failover.lua: a store whose failures cost only the sharing.
--
-- Anybody's store: what it raises or gives that it should not is a failure. Each command has a circuit breaker: after a failure
-- it is not called for a while, and where the failure took long, neither are the others. Of one outage there is one warning.

local core = require "cloud66.core"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local host = require "cloud66.runtime.host"

local failover = {}

local methods = {}
local failover_mt = { __name = "cloud66.failover", __index = methods }

local OPEN = 2 -- seconds that a circuit stays open
local SLOW = 0.05 -- seconds: a command that took longer to fail would hold up each caller
local TOO_SLOW = 2 -- seconds: so does one that succeeds, but only then; a request takes some ten commands

local LARGEST = 2 ^ 53

-- Whether a command gave what it should.
local RIGHT = {}

function RIGHT.get(value)
  return value == false or type(value) == "string"
end

function RIGHT.set(value)
  return value == true
end

function RIGHT.add(value)
  return type(value) == "boolean"
end

function RIGHT.incr(value)
  return type(value) == "number" and value % 1 == 0 and math.abs(value) <= LARGEST
end

-- What the process knows of each store, however many clients use it.
local states = setmetatable({}, { __mode = "k" })

local function new_state()
  return {
    failing = {}, -- command -> true, until it works again
    open_until = {}, -- command -> when its circuit closes, by host.now()
    fallback = false, local_generation = false, -- of the methods below
    users = { hour = false }, -- budget.lua: user -> what is known of this hour
    unstored = {}, -- entries.lua: user -> a generation that could not be stored
    failures = {}, -- cache.lua: key -> a failure
    leaders = setmetatable({}, { __mode = "v" }), -- cache.lua: key -> who leads; one whose light thread was killed is nobody's
  }
end

-- What a store raises may raise in its turn.
local function text_of(message)
  local ok, text = pcall(tostring, message)
  return ok and text or "it raised what is no text"
end

local function fail(self, command, message, elapsed)
  local state = self.state
  local is_new = next(state.failing) == nil
  local open_until = host.now() + OPEN
  state.failing[command], state.open_until[command] = true, open_until
  if elapsed > SLOW then
    for name in pairs(RIGHT) do
      state.open_until[name] = open_until
    end
  end
  if is_new then
    hooks.call(self.on, "warning", { text = "the store fails, so that this process shares no budget, no cache and no claims: "
      .. errors.clean(text_of(message)) })
  end
end

local function call(store, command, ...)
  return store[command](store, ...)
end

-- The command works. What stood in for the store goes with its last failure.
local function close_circuit(state, command)
  state.failing[command] = nil
  if next(state.failing) == nil then
    state.fallback, state.local_generation = false, false
  end
end

-- What the command gives; nil where it failed, or its circuit is open.
local function run(self, command, ...)
  local state, store = self.state, self.store
  if (state.open_until[command] or 0) > host.now() or host.is_nginx and host.is_starting() then
    return nil
  end
  local before = core.monotonic()
  local ok, value, message = pcall(call, store, command, ...)
  local elapsed = core.monotonic() - before
  if ok and RIGHT[command](value) then
    if elapsed > TOO_SLOW then
      fail(self, command, ("%s() took %.1f seconds"):format(command, elapsed), elapsed)
    elseif state.failing[command] or state.fallback or state.local_generation then
      close_circuit(state, command)
    end
    return value
  elseif not ok then
    hooks.check_interrupt(value)
    message = value
  elseif value ~= nil or message == nil then
    message = ("%s() gave %s"):format(command, type(value))
  end
  if not (host.is_nginx and host.problem()) then -- where nothing can wait, that is what fails
    fail(self, command, message, elapsed)
  end
  return nil
end

---@param key string
---@return string|false|nil value  false: there is none; nil: that cannot be known
function methods:get(key)
  return run(self, "get", key)
end

---@param ttl number  seconds
---@return true|nil
function methods:set(key, value, ttl)
  return run(self, "set", key, value, ttl)
end

---@return boolean|nil  whether it was not there, and is now
function methods:add(key, value, ttl)
  return run(self, "add", key, value, ttl)
end

---@return number|nil count
function methods:incr(key, amount, ttl)
  return run(self, "incr", key, amount, ttl)
end

---Whether a command that was tried has failed, and not worked since.
---@return boolean
function methods:is_failing()
  return next(self.state.failing) ~= nil
end

---A store of this process alone, for the time that this one fails.
---@return table
function methods:fallback()
  local state = self.state
  state.fallback = state.fallback or require("cloud66.sharing.store.memory").new()
  return state.fallback
end

---The generation (see entries.lua) of what this process learns while it cannot read which one holds.
---@return string
function methods:local_generation()
  local state = self.state
  state.local_generation = state.local_generation or core.uuid()
  return state.local_generation
end

---@param store table  a store
---@param on table     hooks
---@return table
function failover.of(store, on)
  local state = states[store]
  if not state then
    state = new_state()
    states[store] = state
  end
  return setmetatable({ store = store, state = state, on = on }, failover_mt)
end

return failover
