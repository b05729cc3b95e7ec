-- redis.lua: a store in Redis 2.6 or later, or what speaks like it. How it is talked to is up to redis/cosocket.lua inside
-- nginx, and up to redis/blocking.lua elsewhere; both give answers in the same form:
--
--   a string, a number, false (nothing there), or nil, text, replied: whether it was Redis that said so
--
-- After any failure the connection is dropped, and the next call makes a new one: what Redis says late is never taken for
-- the answer to something else.

local contract = require "cloud66.sharing.store.contract"
local args = require "cloud66.base.args"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"

local redis = {}

local OPTIONS = {
  host = true, port = true, path = true, username = true, password = true, database = true, prefix = true, timeout = true,
  pool = true,
}

local TIMEOUT = 0.2 -- seconds for a call, connecting included
local LONGEST_TIMEOUT = 60
local POOL = 10 -- idle connections that a worker of nginx keeps

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

local function text_option(options, name, level)
  return options[name] ~= nil and args.text(options[name], ("option '%s'"):format(name), level + 1) or nil
end

local function whole(value, least, most, name, level)
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
    error(("option '%s' must be a whole number from %d to %d, got %s"):format(name, least, most, tostring(value)), level + 1)
  end
  return value
end

local function settings_of(options, level)
  level = level + 1
  options = args.options(options, OPTIONS, nil, "host")
  if options.path and (options.host or options.port) then
    error("there is either a path or a host and a port", level)
  elseif options.username and not options.password then
    error("option 'username' needs a password", level)
  end
  local settings = {
    path = text_option(options, "path", level),
    host = (text_option(options, "host", level) or "127.0.0.1"):gsub("^%[(.*)%]$", "%1"),
    port = whole(options.port or 6379, 1, 65535, "port", level),
    username = text_option(options, "username", level),
    password = text_option(options, "password", level),
    database = whole(options.database or 0, 0, 2 ^ 31 - 1, "database", level),
    timeout = args.positive(options.timeout or TIMEOUT, "option 'timeout'", level),
    pool = whole(options.pool or POOL, 1, 10000, "pool", level),
  }
  if settings.timeout > LONGEST_TIMEOUT then
    error(("option 'timeout' is in seconds, and at most %d of them"):format(LONGEST_TIMEOUT), level)
  end
  settings.prefix = options.prefix or "cloud66:"
  if type(settings.prefix) ~= "string" or settings.prefix:find "%c" then
    error("option 'prefix' must be a string without control characters", level)
  end
  settings.place = settings.path and "unix:" .. settings.path
    or (settings.host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(settings.host, settings.port)
  return settings
end

-- What a new connection begins with. Of a refusal only the first word is passed on: Redis may repeat what it was sent.
local function greeting_of(settings)
  return function(ask)
    local ok, text, replied = "OK", nil, nil
    if settings.username then
      ok, text, replied = ask("auth", settings.username, settings.password)
    elseif settings.password then
      ok, text, replied = ask("auth", settings.password)
    end
    local what = "the password"
    if ok == "OK" and settings.database > 0 then
      what = "the database"
      ok, text, replied = ask("select", contract.digits(settings.database))
    end
    if ok == "OK" then
      return true
    elseif ok == nil and not replied then
      return nil, text
    end
    return nil, ("%s was refused (%s)"):format(what, tostring(text or ok):match "^%u+" or "no reason given")
  end
end

local function hide(text, secret)
  return secret and text:gsub((secret:gsub("%W", "%%%0")), "[password]") or text
end

local store_mt = { __name = "cloud66.store.redis" }

---@param options? table  host, port, path, username, password, database, prefix, timeout, pool
---@param level? integer  as in args.lua
---@return cloud66.Store
function redis.new(options, level)
  level = (level or 2) + 1
  local settings = settings_of(options, level)
  settings.greet = greeting_of(settings)
  local driver = require(host.is_nginx and "cloud66.sharing.store.redis.cosocket" or "cloud66.sharing.store.redis.blocking")
  local ask = driver.new(settings, level)
  local store = {}

  local function failure(text, replied)
    if replied and text:find("not an integer", 1, true) then
      return contract.counted(nil)
    end
    return nil, errors.clean(hide(("redis %s: %s"):format(settings.place, text), settings.password))
  end

  local function unexpected(answer)
    return failure(("an answer of another kind than expected (a %s)"):format(type(answer)))
  end

  function store.get(_, key)
    contract.key(key)
    local answer, text, replied = ask("get", settings.prefix .. key)
    if answer == nil then
      return failure(text, replied)
    elseif answer == false or type(answer) == "string" then
      return answer
    end
    return unexpected(answer)
  end

  -- What follows the ttl is a condition of SET: false where it does not hold. None at all is no nil, which would be sent.
  local function write(key, value, ttl, ...)
    local fits, message = contract.entry(key, value, ttl, 3)
    if not fits then
      return nil, message
    end
    local answer, text, replied = ask("set", settings.prefix .. key, value, "PX", contract.digits(contract.milliseconds(ttl)), ...)
    if answer == "OK" then
      return true
    elseif answer == nil then
      return failure(text, replied)
    elseif answer == false and select("#", ...) > 0 then
      return false
    end
    return unexpected(answer)
  end

  function store.set(_, key, value, ttl)
    local written, message = write(key, value, ttl) -- no tail call: a wrong argument is told with the caller's line
    return written, message
  end

  function store.add(_, key, value, ttl)
    local added, message = write(key, value, ttl, "NX")
    return added, message
  end

  function store.incr(_, key, amount, ttl)
    contract.key(key)
    contract.ttl(ttl)
    amount = contract.amount(amount)
    local answer, text, replied = ask("eval", COUNT, "1", settings.prefix .. key, contract.digits(amount),
      contract.digits(contract.milliseconds(ttl)))
    if answer == nil then
      return failure(text, replied)
    elseif type(answer) ~= "number" then
      return unexpected(answer)
    end
    local count, message = contract.counted(answer)
    return count, message
  end

  return setmetatable(store, store_mt)
end

return redis
