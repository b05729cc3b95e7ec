-- config.lua: options, environment and the toolbelt's token file -> checked settings. No network.
--
-- The environment is handed in (getenv, read_file), so that specs need not change their own.

local core = require "cloud66.core"
local check = require "cloud66.check"
local errors = require "cloud66.error"
local hooks = require "cloud66.hooks"
local kept = require "cloud66.kept"
local nginx = require "cloud66.nginx"
local store = require "cloud66.store"
local url = require "cloud66.url"

local config = {}

local DEFAULT_URL = "https://app.cloud66.com/api/3"
local CONNECT_TIMEOUT = 5 -- seconds
local TOTAL_TIMEOUT = 30 -- seconds
local MAX_BODY = 16 * 1024 * 1024 -- bytes, decoded
local RETRIES = { attempts = 4, base = 0.5, cap = 8 } -- base and cap: seconds
local THROTTLE_WAIT = 3700 -- seconds
local CONCURRENCY = 8 -- requests in flight in client:map()
config.CACHE = { fresh = 5, stale = 300, settled = 3600 } -- seconds

---Every option of cloud66.new() and client:with().
config.OPTIONS = {
  token = true, base_url = true, account = true, timeout = true, max_body = true, ca_file = true,
  proxy = true, user_agent = true, transport = true, allow_http = true, retries = true, on_throttle = true,
  throttle_wait = true, concurrency = true, on = true, store = true, budget = true, cache = true,
}

---The process's own environment.
config.environment = {
  getenv = os.getenv,
  read_file = function(path)
    local file, reason, code = io.open(path, "rb")
    if not file then
      return nil, code ~= 2 and reason or nil -- 2: there is none
    end
    local text = file:read("*a")
    file:close()
    return text
  end,
  in_nginx = nginx.is_here,
}

-- --- token ---

local BASE64 = {}
for i = 0, 63 do
  BASE64[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(i + 1)] = i
end

-- Decodes base64 without white space, or returns nil.
local function from_base64(text)
  text = text:gsub("=+$", "")
  if text:find("[^%w+/]") then
    return nil
  end
  local out, bits, held = {}, 0, 0
  for i = 1, #text do
    held, bits = held * 64 + BASE64[text:byte(i)], bits + 6
    if bits >= 8 then
      bits = bits - 8
      out[#out + 1] = string.char(math.floor(held / 2 ^ bits))
      held = held % 2 ^ bits
    end
  end
  return table.concat(out)
end

-- The AccessToken of the toolbelt's token file, or nil and what is wrong with it.
local function token_of_file(text)
  local file = core.json(text)
  if type(file) ~= "table" then
    return nil, "is not the JSON of the toolbelt's token file"
  elseif type(file.AccessToken) ~= "string" or file.AccessToken == "" then
    return nil, "holds no AccessToken"
  end
  return file.AccessToken
end

-- What is wrong with a token, or nil. Its length is not checked: the API has used several.
local function token_problem(token)
  if token == "" then
    return "is set but empty"
  elseif token:find("[^\33-\126]") then
    return "holds white space or a character that no token has (a line break at its end?)"
  end
  return nil
end

---@param source string    where it came from, for messages
---@return string|nil token, string? message, table? err
function config.check_token(token, source)
  if type(token) ~= "string" then
    return errors.fail("auth", ("%s gave a %s instead of a token"):format(source, type(token)))
  end
  local problem = token_problem(token)
  if problem then
    return errors.fail("auth", ("the token from %s %s"):format(source, problem))
  end
  return token
end

-- CLOUD66_TOKEN is a raw token, or base64 (perhaps in several lines) of the token file. A raw token may happen to be
-- base64 too, but hardly that of printable text that begins with a brace.
local function token_of_variable(text, source)
  local decoded = from_base64((text:gsub("%s+", "")))
  if decoded and decoded:find("^%s*{") and not decoded:find("[^%s\32-\126]") then
    local token, problem = token_of_file(decoded)
    if not token then
      return errors.fail("auth", ("%s %s"):format(source, problem))
    end
    text = token
  end
  return config.check_token(text, source)
end

local function missing_token(environment)
  if environment.in_nginx then
    return errors.fail("auth", "no token: nginx clears the environment, so put 'env CLOUD66_TOKEN;' at the top "
      .. "level of nginx.conf, and set it where nginx is started; or give cloud66.new{token = ...}")
  end
  return errors.fail("auth", "no token: set CLOUD66_TOKEN or CLOUD66_ACCESS_TOKEN, log in with the Cloud 66 "
    .. "toolbelt (~/.cloud66/cx.json), or give cloud66.new{token = ...}")
end

-- A source that is set but unusable ends the search: the next one might be another account's.
local function find_token(environment)
  for _, name in ipairs { "CLOUD66_TOKEN", "CLOUD66_ACCESS_TOKEN" } do
    local text = environment.getenv(name)
    if text then
      local token, message, err = token_of_variable(text, name)
      if not token then
        return nil, message, err
      end
      return token, name
    end
  end
  local home = environment.getenv("HOME")
  if environment.in_nginx or environment.getenv("CI") or not home or home == "" then
    return missing_token(environment)
  end
  local path = home .. "/.cloud66/cx.json"
  local text, reason = environment.read_file(path)
  if not text and reason then
    return errors.fail("auth", ("the toolbelt's token file cannot be read: %s"):format(reason))
  elseif not text then
    return missing_token(environment)
  end
  local token, problem = token_of_file(text)
  if not token then
    return errors.fail("auth", ("%s %s: log in again with the toolbelt"):format(path, problem))
  end
  local checked, message, err = config.check_token(token, path)
  if not checked then
    return nil, message, err
  end
  return checked, path
end

-- settings.token() gives the token: it stands in no table, so no dump of a client shows it.
local function set_token(settings, token, source)
  settings.token = function()
    return token
  end
  settings.token_source = source
  settings.token_renewable = false
end

-- Takes the token from the options, from another client's settings, or from the environment.
-- true, or nil, message, err.
local function choose_token(settings, token, from, level)
  local inherited = from.inherited
  if type(token) == "function" then
    settings.token, settings.token_source, settings.token_renewable = token, "function", true
  elseif token ~= nil then
    check.text(token, "option 'token'", level + 1)
    local problem = token_problem(token)
    if problem then
      error("option 'token' " .. problem, level + 1)
    end
    set_token(settings, token, "option")
  elseif inherited then
    settings.token, settings.token_source = inherited.token, inherited.token_source
    settings.token_renewable = inherited.token_renewable
  else
    local found, source, err = find_token(from.environment or config.environment)
    if not found then
      return nil, source, err
    end
    set_token(settings, found, source)
  end
  return true
end

-- --- the other options ---

local function is_loopback(host)
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- Sets settings.base_url, without a slash at its end.
local function set_base_url(settings, address, name, allow_http, level)
  level = level + 1
  check.text(address, name, level)
  local scheme, authority, path = address:match("^(%a+)://([^/?#%s\\]+)([^?#%s\\]*)$")
  scheme = scheme and scheme:lower()
  if address:find("[@?#]") then -- there may be a secret in it: it is not shown
    error(name .. " must not hold a user name, a password, a query or a fragment", level)
  elseif (scheme ~= "http" and scheme ~= "https") or authority:find("^:") then
    error(("%s must look like %s, got '%s'"):format(name, DEFAULT_URL, errors.clean(address)), level)
  end
  local host = authority:gsub(":%d+$", ""):lower()
  if scheme == "http" and not allow_http and not is_loopback(host) then
    error(("%s is plain http, which would show the token to the network: use https "
      .. "(allow_http = true if you know better)"):format(name), level)
  end
  path = path:gsub("/+$", "")
  settings.base_url = scheme .. "://" .. authority .. (path == "" and "/api/3" or path)
end

local LONGEST_TIMEOUT = 2000000 -- seconds: in milliseconds it must fit 31 bits

local function check_timeout(seconds, name, level)
  check.positive(seconds, name, level + 1)
  if seconds > LONGEST_TIMEOUT then
    error(("%s is in seconds, and at most %d of them"):format(name, LONGEST_TIMEOUT), level + 1)
  end
  return seconds
end

local function set_timeout(settings, value, inherited, level)
  level = level + 1
  local base = inherited and inherited.timeout
  local timeout = {
    connect = base and base.asked_connect or CONNECT_TIMEOUT,
    total = base and base.total or TOTAL_TIMEOUT,
  }
  if type(value) == "table" then
    local given = check.options(value, { connect = true, total = true }, "timeout", level)
    for name, seconds in pairs(given) do
      timeout[name] = check_timeout(seconds, "timeout." .. name, level)
    end
  elseif value ~= nil then
    timeout.total = check_timeout(value, "option 'timeout'", level)
  end
  -- A view made with a total of its own limits a whole client:map() by it.
  timeout.whole = base and (value ~= nil and (type(value) ~= "table" or value.total) and timeout.total or base.whole) or nil
  timeout.asked_connect = timeout.connect -- before a short total cut it, for with()
  timeout.connect = math.min(timeout.connect, timeout.total)
  settings.timeout = timeout
end

local function set_account(settings, account, level)
  if account == nil then
    return
  end
  if type(account) == "number" then
    account = url.text(check.count(account, "option 'account'", level + 1))
  end
  settings.account = check.text(account, "option 'account'", level + 1)
end

local function set_retries(settings, value, level)
  level = level + 1
  local retries = { attempts = RETRIES.attempts, base = RETRIES.base, cap = RETRIES.cap }
  if value == false then
    retries.attempts = 1
  elseif value ~= nil then
    if type(value) ~= "table" then
      error(("option 'retries' must be false or a table {attempts =, base =, cap =}, got %s"):format(type(value)), level)
    end
    for name, given in pairs(check.options(value, RETRIES, "setting of 'retries':", level)) do
      local check_value = name == "attempts" and check.count or check.positive
      retries[name] = check_value(given, "retries." .. name, level)
    end
  end
  settings.retries = retries
end

local ON_THROTTLE = { fail = true, wait = true }

local function set_throttling(settings, options, level)
  level = level + 1
  settings.on_throttle, settings.throttle_wait = "fail", THROTTLE_WAIT
  if options.on_throttle ~= nil then
    if not ON_THROTTLE[options.on_throttle] then
      error(("option 'on_throttle' must be 'fail' or 'wait', got %s"):format(tostring(options.on_throttle)), level)
    end
    settings.on_throttle = options.on_throttle
  end
  if options.throttle_wait ~= nil then
    settings.throttle_wait = check.positive(options.throttle_wait, "option 'throttle_wait'", level)
  end
end

local function set_hooks(settings, on, level)
  level = level + 1
  settings.on = on ~= nil and check.options(on, hooks.NAMES, "hook", level) or {}
  for name, hook in pairs(settings.on) do
    if type(hook) ~= "function" then
      error(("hook '%s' must be a function, got %s"):format(name, type(hook)), level)
    end
  end
end

local function set_cache(settings, value, level)
  level = level + 1
  if value == nil or value == false then
    settings.cache = false
    return
  elseif type(value) ~= "table" then
    error(("option 'cache' must be false or a table {fresh =, stale =, settled =}, got %s"):format(type(value)), level)
  end
  local cache = {}
  for name, seconds in pairs(config.CACHE) do
    cache[name] = seconds
  end
  for name, seconds in pairs(check.options(value, config.CACHE, "setting of 'cache':", level)) do
    cache[name] = check.positive(seconds, "cache." .. name, level)
    if seconds > kept.LONGEST then
      error(("cache.%s is in seconds, and at most %d of them"):format(name, kept.LONGEST), level)
    end
  end
  if cache.stale < cache.fresh then
    error(("cache.stale (%g) must not be shorter than cache.fresh (%g)"):format(cache.stale, cache.fresh), level)
  end
  settings.cache = cache
end

-- The store, and what is done with it. Without one, what needs it has one of its own.
local function set_store(settings, options, inherited, level)
  level = level + 1
  set_cache(settings, options.cache, level)
  if options.budget ~= nil and options.budget ~= false then
    settings.budget = check.count(options.budget, "option 'budget'", level)
  else
    settings.budget = options.budget
  end
  if options.store ~= nil then
    settings.store = store.check(options.store, "option 'store'", level)
  elseif inherited and inherited.store then
    settings.store = inherited.store
  elseif settings.cache or settings.budget then
    settings.store = store.memory()
  end
end

local function set_rest(settings, options, level)
  level = level + 1
  settings.max_body = MAX_BODY
  if options.max_body ~= nil then
    settings.max_body = check.count(options.max_body, "option 'max_body'", level)
  end
  settings.concurrency = CONCURRENCY
  if options.concurrency ~= nil then
    settings.concurrency = check.count(options.concurrency, "option 'concurrency'", level)
  end
  for _, name in ipairs { "ca_file", "proxy", "user_agent" } do
    if options[name] ~= nil then
      settings[name] = check.text(options[name], ("option '%s'"):format(name), level)
    end
  end
  if options.allow_http ~= nil and type(options.allow_http) ~= "boolean" then
    error("option 'allow_http' must be true or false", level)
  elseif options.transport ~= nil and type(options.transport) ~= "function" then
    error("option 'transport' must be a function(request) -> response", level)
  end
  settings.transport = options.transport
end

---@param options? table  the caller's; checked, and not kept
---@param from? table     { inherited = settings to take the token from, environment = as config.environment }
---@param level? integer  as in check.lua
---@return table|nil settings, string? message, table? err
function config.settings(options, from, level)
  level = (level or 2) + 1
  from = from or {}
  options = check.options(options, config.OPTIONS, "option", level)
  local settings = { user_agent = "lua-cloud66/" .. core._VERSION }
  local address, name = options.base_url, "option 'base_url'"
  if address == nil and from.inherited then
    address = from.inherited.base_url
  elseif address == nil then
    address, name = (from.environment or config.environment).getenv("CLOUD66_URL"), "CLOUD66_URL"
  end
  if address == nil then
    address = DEFAULT_URL
  end
  set_base_url(settings, address, name, options.allow_http, level)
  set_timeout(settings, options.timeout, from.inherited, level)
  set_account(settings, options.account, level)
  set_retries(settings, options.retries, level)
  set_throttling(settings, options, level)
  set_hooks(settings, options.on, level)
  set_store(settings, options, from.inherited, level)
  set_rest(settings, options, level)
  local ok, message, err = choose_token(settings, options.token, from, level)
  if not ok then
    return nil, message, err
  end
  return settings
end

return config
