-- credentials.lua: the token: given as an option, by a function, or found in the environment or the toolbelt's token file.
--
-- The environment is handed in (getenv, read_file, in_nginx), so that specs need not change their own.

local core = require "cloud66.core"
local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"

local credentials = {}

---The process's own environment.
credentials.environment = {
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
  in_nginx = host.is_nginx,
}

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
function credentials.check(token, source)
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
  return credentials.check(text, source)
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
  local checked, message, err = credentials.check(token, path)
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

---Takes the token from the options, from another client's settings, or from the environment.
---@param settings table        filled in: token, a function; token_source, token_renewable
---@param token any             the option
---@param from table            { inherited =, environment = }: see settings.of()
---@return true|nil ok, string? message, cloud66.Error? err
function credentials.choose(settings, token, from)
  local inherited = from.inherited
  if type(token) == "function" then
    settings.token, settings.token_source, settings.token_renewable = token, "function", true
  elseif token ~= nil then
    local problem = token_problem(args.text(token, "option 'token'"))
    if problem then
      caller.blame("option 'token' %s", problem)
    end
    set_token(settings, token, "option")
  elseif inherited then
    settings.token, settings.token_source = inherited.token, inherited.token_source
    settings.token_renewable = inherited.token_renewable
  else
    local found, source, err = find_token(from.environment or credentials.environment)
    if not found then
      return nil, source, err
    end
    set_token(settings, found, source)
  end
  return true
end

-- How a message names a client.token_source.
local SOURCE_NAMES = { option = "the option 'token'", ["function"] = "the token function" }

---@return string
function credentials.source_name(settings)
  return SOURCE_NAMES[settings.token_source] or settings.token_source
end

---The token for one request.
---@return string|nil token, string? message, cloud66.Error? err
function credentials.token(settings)
  local token, reason = settings.token()
  if not settings.token_renewable then -- checked when it was chosen
    return token
  elseif token == nil then
    return errors.fail("auth", "the token function gave none" .. (reason and ": " .. tostring(reason) or ""))
  end
  return credentials.check(token, credentials.source_name(settings))
end

return credentials
