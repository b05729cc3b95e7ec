-- redis.lua: a store in Redis 2.6 or later, or what speaks like it. redis/cosocket.lua sends the commands inside nginx,
-- redis/blocking.lua elsewhere. Both return responses in the same form:
--
--   a string, a number, false (nothing there), or nil, text, refused: whether it is an error that Redis sent
--
-- Under a key with the prefix in front stands the value as it is; a count as its digits. After any failure the connection is
-- dropped, and the next call makes a new one: what Redis sends late is never taken for the response to something else.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local contract = require "cloud66.sharing.store.contract"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"

local redis = {}

-- --- settings ---

local LONGEST_TIMEOUT = 60 -- seconds

local function check_prefix(value, name)
  if type(value) ~= "string" or value:find "%c" then
    caller.blame("%s must be a string without control characters", name)
  end
  return value
end

local OPTIONS = {
  host = args.text, port = args.whole(1, 65535), path = args.bytes,
  username = args.bytes, password = args.bytes, database = args.whole(0, 2 ^ 31 - 1), prefix = check_prefix,
  timeout = args.seconds(LONGEST_TIMEOUT), pool = args.whole(1, 10000),
}

-- The timeout is in seconds.
local DEFAULTS = { host = "127.0.0.1", port = 6379, database = 0, prefix = "cloud66:", timeout = 0.2, pool = 10 }

-- The options with their defaults, and `place`: what messages call this Redis.
local function settings_of(options)
  options = args.options(options, OPTIONS, nil, "host")
  if options.path and (options.host or options.port) then
    caller.blame "there is either a path or a host and a port"
  elseif options.username and not options.password then
    caller.blame "option 'username' needs a password"
  end
  local settings = args.union(DEFAULTS, options)
  settings.host = settings.host:gsub("^%[(.*)%]$", "%1")
  settings.place = settings.path and "unix:" .. settings.path
    or (settings.host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(settings.host, settings.port)
  return settings
end

-- What a new connection begins with: a function send -> true, or nil, message. Of a refusal only the first word is passed on:
-- Redis may repeat what it was sent.
local function greeting_of(settings)
  return function(send)
    local ok, text, refused = "OK", nil, nil
    if settings.username then
      ok, text, refused = send("auth", settings.username, settings.password)
    elseif settings.password then
      ok, text, refused = send("auth", settings.password)
    end
    local what = "the password"
    if ok == "OK" and settings.database > 0 then
      what = "the database"
      ok, text, refused = send("select", contract.digits(settings.database))
    end
    if ok == "OK" then
      return true
    elseif ok == nil and not refused then
      return nil, text
    end
    return nil, ("%s was refused (%s)"):format(what, tostring(text or ok):match "^%u+" or "no reason given")
  end
end

-- --- the commands of a store: the state is the settings, with `send` of the driver ---

-- Counts and gives the time to live in one step. A count that has none was made by somebody else, or is left over from
-- a script that Redis was stopped in.
local COUNT = [[
local count = redis.call("INCRBY", KEYS[1], ARGV[1])
if count >= 9007199254740992 or count <= -9007199254740992 then
  redis.call("DECRBY", KEYS[1], ARGV[1])
  return redis.error_reply("ERR value is not an integer below 2^53")
end
if redis.call("PTTL", KEYS[1]) == -1 then
  redis.call("PEXPIRE", KEYS[1], ARGV[2])
end
return count]]

local function hide(text, secret)
  return secret and text:gsub((secret:gsub("%W", "%%%0")), "[password]") or text
end

local function failure(state, text, refused)
  if refused and text:find("not an integer", 1, true) then
    return contract.counted(nil)
  end
  return nil, errors.clean(hide(("redis %s: %s"):format(state.place, text), state.password))
end

local function unexpected(state, response)
  return failure(state, ("a response of another kind than expected (a %s)"):format(type(response)))
end

local commands = {}

function commands.get(state, key)
  local response, text, refused = state.send("get", state.prefix .. key)
  if response == nil then
    return failure(state, text, refused)
  elseif response == false or type(response) == "string" then
    return response
  end
  return unexpected(state, response)
end

-- What follows the ttl is a condition of SET: false where it does not hold. None at all is no nil, which would be sent.
local function write(state, key, value, ttl, ...)
  local response, text, refused = state.send("set", state.prefix .. key, value, "PX",
    contract.digits(contract.milliseconds(ttl)), ...)
  if response == "OK" then
    return true
  elseif response == nil then
    return failure(state, text, refused)
  elseif response == false and select("#", ...) > 0 then
    return false
  end
  return unexpected(state, response)
end

function commands.set(state, key, value, ttl)
  return write(state, key, value, ttl)
end

function commands.add(state, key, value, ttl)
  return write(state, key, value, ttl, "NX")
end

function commands.incr(state, key, amount, ttl)
  local response, text, refused = state.send("eval", COUNT, "1", state.prefix .. key, contract.digits(amount),
    contract.digits(contract.milliseconds(ttl)))
  if response == nil then
    return failure(state, text, refused)
  elseif type(response) ~= "number" then
    return unexpected(state, response)
  end
  return contract.counted(response)
end

-- --- a new one ---

local store_mt = { __name = "cloud66.store.redis" }

---@param options? cloud66.RedisOptions
---@return cloud66.Store
function redis.new(options)
  local state = settings_of(options)
  state.greet = greeting_of(state)
  local driver = require(host.is_nginx and "cloud66.sharing.store.redis.cosocket" or "cloud66.sharing.store.redis.blocking")
  state.send = driver.new(state)
  return contract.store(commands, state, store_mt)
end

return redis
