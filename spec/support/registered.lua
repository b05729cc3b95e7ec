-- What the running library knows by name: its methods, fields, options. Read from its own tables, so that no list of names
-- has to be kept beside them.
local args = require "cloud66.base.args"
local tree = require "spec.support.tree"

local registered = {}

---The value that a function of Lua has under this name in itself or in the functions it reaches.
---@param fn function
---@param name string
---@return any|nil
function registered.upvalue(fn, name, seen)
  seen = seen or {}
  seen[fn] = true
  local below = {}
  for i = 1, math.huge do
    local found, value = debug.getupvalue(fn, i)
    if found == nil then
      break
    elseif found == name then
      return value
    elseif type(value) == "function" and not seen[value] then
      below[#below + 1] = value
    end
  end
  for _, inner in ipairs(below) do
    local value = not seen[inner] and registered.upvalue(inner, name, seen)
    if value then
      return value
    end
  end
  return nil
end

---The methods of an object that finds them by its metatable's __index.
---@return table<string, function>
function registered.methods(object)
  local index = debug.getmetatable(object).__index
  return type(index) == "table" and index or registered.upvalue(index, "methods")
end

---The names of a function's parameters, or nil where this Lua or a function of C does not say. "..." is not among them.
---@return string[]|nil
function registered.parameters(fn)
  if debug.getinfo(fn, "S").what == "C" then
    return nil
  end
  local names = {}
  local ok = pcall(function()
    local i = 1
    while debug.getlocal(fn, i) do
      names[i] = debug.getlocal(fn, i)
      i = i + 1
    end
  end)
  return ok and names or nil -- before 5.2 only what runs has locals
end

local PROBE = {}

---Hands a call options that cannot be, and gives the schema that it checks them by.
---@param fn fun(options: table)
---@return table<string, any> schema
function registered.options(fn)
  local schema
  local options = args.options
  args.options = function(given, allowed, ...)
    if type(given) == "table" and given[PROBE] then
      schema = allowed
      error(PROBE, 0)
    end
    return options(given, allowed, ...)
  end
  local _, problem = pcall(fn, { [PROBE] = true })
  args.options = options
  if problem ~= PROBE then
    error("the call did not look at its options: " .. tostring(problem), 2)
  end
  return schema
end

---Every line of the library that checks options by a schema of its own.
---@return string[]  "lua/cloud66/client.lua:205"
function registered.places_of_options()
  local places = {}
  for _, path in ipairs(tree.files("lua", ".lua")) do
    local number = 0
    for line in io.lines(path) do
      number = number + 1
      if not path:find "base/args%.lua$" and (line:find("args.options(", 1, true) or line:find("args.settings(", 1, true)) then
        places[#places + 1] = ("%s:%d"):format(path, number)
      end
    end
  end
  return places
end

local function keys_of(constructor, into)
  -- what is inside of further brackets is a value
  local flat = constructor:sub(2, -2):gsub("%b()", ""):gsub("%b{}", ""):gsub('"[^"]*"', "")
  for name in flat:gmatch "([%a_][%w_]*)%s*=[^=]" do
    into[name] = true
  end
end

---The names of everything that the library's source puts into an error object.
---@return table<string, boolean>
function registered.error_fields()
  local names = { kind = true, message = true, exit_code = true }
  for _, path in ipairs(tree.files("lua", ".lua")) do
    local text = tree.read(path)
    local makes_errors = text:find "errors%.fail%(" or text:find "errors%.new%(" or text:find "errors%.append%("
    for _, call in ipairs { "errors%.fail", "errors%.new", "local function fail", "return fail", "true, fail" } do
      for arguments in text:gmatch(call .. "(%b())") do
        local constructor = makes_errors and arguments:match "(%b{})%)$"
        if constructor then
          keys_of(constructor, names)
        end
      end
    end
    for targets in (makes_errors and text or ""):gmatch "\n%s*(err%.[%w_%., ]*) = " do
      for name in targets:gmatch "err%.([%w_]+)" do
        names[name] = true
      end
    end
    for targets in (makes_errors and text or ""):gmatch "\n%s*(fields%.[%w_%., ]*) = " do
      for name in targets:gmatch "fields%.([%w_]+)" do
        names[name] = true
      end
    end
  end
  return names
end

return registered
