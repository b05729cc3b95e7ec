-- The layers of lua/: which folder may require what. As in layers.lua: the check takes the folder that holds lua/, so that a
-- spec can show it a copy with a fault, and returns its problems as text.
local layers = require "spec.support.layers"
local tree = require "spec.support.tree"

local lua_layers = {}

local function set(text)
  local names = {}
  for name in text:gmatch "%S+" do
    names[name] = true
  end
  return names
end

-- The folders of lua/cloud66/, and what of the others each may require: a whole folder, or one module of it. Any file may
-- require its own folder's, and cloud66.core. The files beside the folders are rows, too.
lua_layers.FOLDERS = {
  base = set "",
  runtime = set "base",
  transport = set "base runtime",
  http = set "base runtime",
  model = set "base",
  resource = set "base runtime model http/backoff",
  deploy = set "base runtime model resource http/backoff http/undone",
  fleet = set "base runtime model http/hooks stack",
  history = set "base model",
  sharing = set "base runtime http/credentials http/response http/rate_limit http/hooks",
  stack = set "base model resource deploy",
  client = set "base transport http model fleet sharing stack",
  cloud66 = set "base runtime transport model resource deploy fleet history sharing client",
}

local FOLDERS = lua_layers.FOLDERS

-- What a script that lists pages does without: folders, and modules of others. Loaded on first use, by these files alone.
local OPTIONAL = set "deploy fleet history sharing resource/watch model/webhook"
local LOADERS = set "cloud66 client stack"

-- What is not in lua/, and who may require it: all, where nobody is named.
local NOT_OURS = {
  ["cjson"] = set "cloud66 base/json",
  ["cloud66.core"] = false,
  ["cloud66.curl"] = set "transport/curl",
  ["ngx.semaphore"] = set "runtime/light_thread", -- nginx has it with lua-resty-core
}

-- These also try clients of Redis that the user may have installed, one name after the other.
local TRIES_OTHERS = set "sharing/store/redis/blocking sharing/store/redis/cosocket"

-- Words of sharing/, which http/ is not to know: what is shared is handed to it as layers.
local SHARED_WORDS = { "cache", "budget", "store" }

-- lua/cloud66/http/api.lua -> http/api; lua/cloud66.lua -> cloud66
local function unit_of(path)
  return path:match "^lua/cloud66/(.+)%.lua$" or path:match "^lua/(.+)%.lua$"
end

-- cloud66.http.api -> http/api
local function unit_of_module(name)
  return (name:gsub("^cloud66%.", ""):gsub("%.", "/"))
end

local function folder_of(unit)
  return unit:match "^[^/]+"
end

-- The modules that a file requires: {name, now = whether when it is loaded}. Also whether there is a require that only
-- running it can tell.
local function required(text, strings)
  local found, unknown = {}, false
  local function take(argument, now)
    local before = #found
    for number in argument:gmatch "\1(%d+)\1" do
      found[#found + 1] = { name = strings[tonumber(number)], now = now }
    end
    unknown = unknown or #found == before
  end
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    local now = line:find "^%S" ~= nil -- what is indented runs later, as a rule
    local rest = line:gsub("%f[%w_]pcall%s*%(%s*require%s*,([^)]*)%)", function(argument)
      take(argument, now)
      return ""
    end):gsub("%f[%w_]require%s*(%b())", function(argument)
      take(argument, now)
      return ""
    end):gsub("%f[%w_]require%s*(\1%d+\1)", function(argument)
      take(argument, now)
      return ""
    end)
    unknown = unknown or rest:find "%f[%w_]require%f[^%w_]" ~= nil
  end
  return found, unknown
end

local function add(problems, ...)
  problems[#problems + 1] = string.format(...)
end

local function is_optional(unit)
  return OPTIONAL[unit] or OPTIONAL[folder_of(unit)] or false
end

local function check_require(problems, units, unit, other, now)
  local row, folder = FOLDERS[folder_of(unit)], folder_of(other)
  if not units[other] then
    add(problems, "%s requires %s, which is not in lua/", unit, other)
  elseif folder ~= folder_of(unit) and not row[folder] and not row[other] then
    local may = {}
    for name in pairs(row) do
      may[#may + 1] = name
    end
    table.sort(may)
    add(problems, "%s requires %s: %s may require %s", unit, other, folder_of(unit),
      #may > 0 and table.concat(may, ", ") .. " alone" or "nothing of the others")
  end
  if not is_optional(other) then
    return
  elseif LOADERS[unit] then
    if now then
      add(problems, "%s requires %s when it is loaded, which is for its first use", unit, other)
    end
  elseif not (OPTIONAL[folder] and folder == folder_of(unit)) then
    add(problems, "%s requires %s, an optional part: that is for cloud66, client, stack and the part itself", unit, other)
  end
end

local function check_outside(problems, unit, name)
  local allowed = NOT_OURS[name]
  if allowed == nil then
    return false
  elseif allowed and not allowed[unit] then
    add(problems, "%s requires %s", unit, name)
  end
  return true
end

local function check_words(problems, unit, text)
  for _, word in ipairs(folder_of(unit) == "http" and SHARED_WORDS or {}) do
    if text:lower():find("%f[%w_]" .. word) then
      add(problems, "%s names '%s': what is shared is handed to http/ as layers", unit, word)
    end
  end
end

---What is wrong with the layers of root/lua, and how many requires of our own were looked at.
function lua_layers.problems(root)
  local problems, units, edges, count = {}, {}, {}, 0
  local top = #root + 2
  for _, path in ipairs(tree.files(root .. "/lua", ".lua")) do
    units[unit_of(path:sub(top))] = tree.read(path)
  end
  for unit, source in pairs(units) do
    local text, strings = tree.without_lua_strings(source)
    local found, unknown = required(text, strings)
    edges[unit] = {}
    if not FOLDERS[folder_of(unit)] then
      add(problems, "%s is in none of the folders", unit)
    elseif unknown and not TRIES_OTHERS[unit] then
      add(problems, "%s requires what only running it can tell", unit)
    end
    for _, require_of in ipairs(FOLDERS[folder_of(unit)] and found or {}) do
      if not check_outside(problems, unit, require_of.name) then
        local other = unit_of_module(require_of.name)
        count = count + 1
        check_require(problems, units, unit, other, require_of.now)
        table.insert(edges[unit], other)
      end
    end
    check_words(problems, unit, source)
  end
  for _, circle in ipairs(layers.circles(edges)) do
    add(problems, "circle: %s", layers.circle_text(circle))
  end
  table.sort(problems)
  return problems, count
end

return lua_layers
