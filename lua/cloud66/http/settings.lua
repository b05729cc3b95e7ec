-- settings.lua: the options of a client -> checked settings. No network.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local credentials = require "cloud66.http.credentials"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local number = require "cloud66.base.number"

local settings = {}

local DEFAULT_URL = "https://app.cloud66.com/api/3"
local CONNECT_TIMEOUT = 5 -- seconds
local TOTAL_TIMEOUT = 30 -- seconds
local MAX_BODY = 16 * 1024 * 1024 -- bytes, decoded
local RETRIES = { attempts = 4, base = 0.5, cap = 8 } -- base and cap: seconds
local THROTTLE_WAIT = 3700 -- seconds
local CONCURRENCY = 8 -- requests in flight in client:map()

---Every option there is, but for those that other parts add.
settings.OPTIONS = {
  token = true, base_url = true, account = true, timeout = true, max_body = true, ca_file = true,
  proxy = true, user_agent = true, transport = true, allow_http = true, retries = true, on_throttle = true,
  throttle_wait = true, concurrency = true, on = true,
}

local function is_loopback(host)
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- Sets base_url, without a slash at its end.
local function set_base_url(made, address, name, allow_http, level)
  level = level + 1
  args.text(address, name, level)
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
  made.base_url = scheme .. "://" .. authority .. (path == "" and "/api/3" or path)
end

local LONGEST_TIMEOUT = 2000000 -- seconds: in milliseconds it must fit 31 bits

local function check_timeout(seconds, name, level)
  args.positive(seconds, name, level + 1)
  if seconds > LONGEST_TIMEOUT then
    error(("%s is in seconds, and at most %d of them"):format(name, LONGEST_TIMEOUT), level + 1)
  end
  return seconds
end

local function set_timeout(made, value, inherited, level)
  level = level + 1
  local base = inherited and inherited.timeout
  local timeout = {
    connect = base and base.asked_connect or CONNECT_TIMEOUT,
    total = base and base.total or TOTAL_TIMEOUT,
  }
  if type(value) == "table" then
    local given = args.options(value, { connect = true, total = true }, "timeout", level)
    for name, seconds in pairs(given) do
      timeout[name] = check_timeout(seconds, "timeout." .. name, level)
    end
  elseif value ~= nil then
    timeout.total = check_timeout(value, "option 'timeout'", level)
  end
  timeout.asked_connect = timeout.connect -- before a short total cut it, for with()
  timeout.connect = math.min(timeout.connect, timeout.total)
  made.timeout = timeout
end

local function set_account(made, account, level)
  if account == nil then
    return
  end
  if type(account) == "number" then
    account = number.text(args.count(account, "option 'account'", level + 1))
  end
  made.account = args.text(account, "option 'account'", level + 1)
end

local function set_retries(made, value, level)
  level = level + 1
  local retries = { attempts = RETRIES.attempts, base = RETRIES.base, cap = RETRIES.cap }
  if value == false then
    retries.attempts = 1
  elseif value ~= nil then
    if type(value) ~= "table" then
      error(("option 'retries' must be false or a table {attempts =, base =, cap =}, got %s"):format(type(value)), level)
    end
    for name, given in pairs(args.options(value, RETRIES, "setting of 'retries':", level)) do
      local check_value = name == "attempts" and args.count or args.positive
      retries[name] = check_value(given, "retries." .. name, level)
    end
  end
  made.retries = retries
end

local ON_THROTTLE = { fail = true, wait = true }

local function set_throttling(made, options, level)
  level = level + 1
  made.on_throttle, made.throttle_wait = "fail", THROTTLE_WAIT
  if options.on_throttle ~= nil then
    if not ON_THROTTLE[options.on_throttle] then
      error(("option 'on_throttle' must be 'fail' or 'wait', got %s"):format(tostring(options.on_throttle)), level)
    end
    made.on_throttle = options.on_throttle
  end
  if options.throttle_wait ~= nil then
    made.throttle_wait = args.positive(options.throttle_wait, "option 'throttle_wait'", level)
  end
end

local function set_hooks(made, on, more, level)
  level = level + 1
  local names = more and args.union(hooks.NAMES, more) or hooks.NAMES
  made.on = on ~= nil and args.options(on, names, "hook", level) or {}
  for name, hook in pairs(made.on) do
    if type(hook) ~= "function" then
      error(("hook '%s' must be a function, got %s"):format(name, type(hook)), level)
    end
  end
end

local function set_rest(made, options, level)
  level = level + 1
  made.max_body = MAX_BODY
  if options.max_body ~= nil then
    made.max_body = args.count(options.max_body, "option 'max_body'", level)
  end
  made.concurrency = CONCURRENCY
  if options.concurrency ~= nil then
    made.concurrency = args.count(options.concurrency, "option 'concurrency'", level)
  end
  for _, name in ipairs { "ca_file", "proxy", "user_agent" } do
    if options[name] ~= nil then
      made[name] = args.text(options[name], ("option '%s'"):format(name), level)
    end
  end
  if options.allow_http ~= nil and type(options.allow_http) ~= "boolean" then
    error("option 'allow_http' must be true or false", level)
  elseif options.transport ~= nil and type(options.transport) ~= "function" then
    error("option 'transport' must be a function(request) -> response", level)
  end
  made.transport = options.transport
end

---@param options table   the caller's, of which the names are checked already; not kept
---@param from? table     { inherited = settings to take the token from, environment = as credentials.environment,
---hooks = names of hooks that other parts add }
---@param level? integer  as in args.lua
---@return table|nil settings, string? message, table? err
function settings.of(options, from, level)
  level = (level or 2) + 1
  from = from or {}
  local made = { user_agent = "lua-cloud66/" .. core._VERSION }
  local address, name = options.base_url, "option 'base_url'"
  if address == nil and from.inherited then
    address = from.inherited.base_url
  elseif address == nil then
    address, name = (from.environment or credentials.environment).getenv("CLOUD66_URL"), "CLOUD66_URL"
  end
  if address == nil then
    address = DEFAULT_URL
  end
  set_base_url(made, address, name, options.allow_http, level)
  set_timeout(made, options.timeout, from.inherited, level)
  set_account(made, options.account, level)
  set_retries(made, options.retries, level)
  set_throttling(made, options, level)
  set_hooks(made, options.on, from.hooks, level)
  set_rest(made, options, level)
  local ok, message, err = credentials.choose(made, options.token, from, level)
  if not ok then
    return nil, message, err
  end
  return made
end

return settings
