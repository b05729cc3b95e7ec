-- settings.lua: the options of a client -> checked settings. No network.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local credentials = require "cloud66.http.credentials"
local errors = require "cloud66.base.error"
local hooks = require "cloud66.http.hooks"
local number = require "cloud66.base.number"

local settings = {}

local DEFAULT_URL = "https://app.cloud66.com/api/3"
local LONGEST_TIMEOUT = 2000000 -- seconds: in milliseconds it must fit 31 bits

-- Times are in seconds, max_body in bytes as decoded, concurrency in requests that client:map() has in flight.
local DEFAULTS = {
  user_agent = "lua-cloud66/" .. core._VERSION,
  max_body = 16 * 1024 * 1024, on_throttle = "fail", throttle_wait = 3700, concurrency = 8,
  retries = { attempts = 4, base = 0.5, cap = 8 },
}
local TIMEOUT = { connect = 5, total = 30 }

-- --- options with a shape of their own ---

local check_timeout = args.seconds(LONGEST_TIMEOUT)
local TIMEOUT_PARTS = { connect = check_timeout, total = check_timeout }

-- A number is the total.
local function timeout_parts(value, name)
  if type(value) ~= "table" then
    return { total = check_timeout(value, name) }
  end
  return args.options(value, TIMEOUT_PARTS, "option 'timeout.%s'")
end

local function account_of(value, name)
  if type(value) == "number" then
    value = number.text(args.count(value, name))
  end
  return args.text(value, name)
end

-- The address of a proxy may hold a password: a part of its own knows how to read it.
local function proxy_of(value, name)
  return require("cloud66.base.proxy").check(value, name)
end

local retries_of = args.settings({ attempts = args.count, base = args.positive, cap = args.positive }, DEFAULTS.retries, "false")

local function retries_or_false(value, name)
  return value == false and args.union(DEFAULTS.retries, { attempts = 1 }) or retries_of(value, name)
end

---Every option there is, but for those that other parts add. The token is checked by credentials.lua, base_url and the hooks
---below.
settings.OPTIONS = {
  token = true, base_url = true, allow_http = args.boolean, account = account_of, timeout = timeout_parts,
  max_body = args.count, ca_file = args.bytes, proxy = proxy_of, user_agent = args.text, transport = args.callable,
  retries = retries_or_false, on_throttle = args.one_of("fail", "wait"), throttle_wait = args.positive,
  concurrency = args.count, on = true,
}

-- --- base_url ---

local function is_loopback(host)
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- Without a slash at its end.
local function checked_url(address, name, allow_http)
  args.text(address, name)
  local scheme, authority, path = address:match("^(%a+)://([^/?#%s\\]+)([^?#%s\\]*)$")
  scheme = scheme and scheme:lower()
  if address:find("[@?#]") then -- there may be a secret in it: it is not shown
    caller.blame("%s must not hold a user name, a password, a query or a fragment", name)
  elseif (scheme ~= "http" and scheme ~= "https") or authority:find("^:") then
    caller.blame("%s must look like %s, got '%s'", name, DEFAULT_URL, errors.clean(address))
  end
  local host = authority:gsub(":%d+$", ""):lower()
  if scheme == "http" and not allow_http and not is_loopback(host) then
    caller.blame("%s is plain http, which would show the token to the network: use https "
      .. "(allow_http = true if you know better)", name)
  end
  path = path:gsub("/+$", "")
  return scheme .. "://" .. authority .. (path == "" and "/api/3" or path)
end

local function base_url_of(options, from)
  local address, name = options.base_url, "option 'base_url'"
  if address == nil and from.inherited then
    address = from.inherited.base_url
  elseif address == nil then
    address, name = (from.environment or credentials.environment).getenv "CLOUD66_URL", "CLOUD66_URL"
  end
  return checked_url(address == nil and DEFAULT_URL or address, name, options.allow_http)
end

-- --- the rest ---

-- `asked_connect` is the option's own value, before a short total cut it, for with().
local function timeout_of(given, inherited)
  local base = inherited and { connect = inherited.timeout.asked_connect, total = inherited.timeout.total } or TIMEOUT
  local timeout = args.union(base, given or {})
  timeout.asked_connect = timeout.connect
  timeout.connect = math.min(timeout.connect, timeout.total)
  return timeout
end

local function hooks_of(on, more)
  local names = {}
  for name in pairs(args.union(hooks.NAMES, more or {})) do
    names[name] = args.callable
  end
  return args.options(on, names, "hook '%s'")
end

---@param options table   checked ones, of settings.OPTIONS
---@param from? table     { inherited = settings to take the token from, environment = as credentials.environment,
---hooks = names of hooks that other parts add }
---@return table|nil settings, string? message, table? err
function settings.of(options, from)
  from = from or {}
  local made = args.union(DEFAULTS)
  for name in pairs(settings.OPTIONS) do
    if options[name] ~= nil then
      made[name] = options[name]
    end
  end
  made.base_url = base_url_of(options, from)
  made.timeout = timeout_of(options.timeout, from.inherited)
  made.on = hooks_of(options.on, from.hooks)
  local ok, message, err = credentials.choose(made, options.token, from)
  if not ok then
    return nil, message, err
  end
  return made
end

return settings
