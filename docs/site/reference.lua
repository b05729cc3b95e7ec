-- types/*.lua as the comments that LDoc takes: reference.lua FOLDER writes one file for each of them.
local annotations = require "spec.support.annotations"

local folder = assert(arg[1])
local _, by_name = annotations.all()

-- LDoc reads types in its own way, and knows less of them: it gets a word instead, T12_, and finish.lua puts the type there.
local types = {}

local function type_of(type)
  types[#types + 1] = type
  return ("T%d_"):format(#types)
end

-- Without what says that it may be nil.
local function always(type)
  return (type:gsub("%?$", ""):gsub("|nil$", ""))
end

-- All names of types begin alike.
local function short(name)
  return (name:gsub("^cloud66%.", ""))
end

local function one_line(doc)
  return (doc:gsub("\n", " "))
end

local function write_doc(out, doc)
  local first = true
  for line in (doc .. "\n"):gmatch "(.-)\n" do
    line = line:gsub("^API: (%S+)$", "API: <%1>")
    out(first and "--- " .. line or "-- " .. line)
    first = false
  end
end

local function write_fields(out, class)
  for _, field in ipairs(class.fields) do
    if not field.name:find "^%[" then
      out(("-- @tfield%s %s %s %s"):format(field.optional and "[opt]" or "", type_of(field.type), field.name, one_line(field.doc)))
    end
  end
end

local function named(name, doc)
  return doc ~= "" and name .. ": " .. doc or name
end

-- Results: those of success, and those of failure.
local function write_returns(out, returns)
  local last = returns[3]
  if not last or last.type ~= "cloud66.Error?" then
    for _, result in ipairs(returns) do
      out(("-- @treturn %s %s"):format(type_of(result.type), named(result.name, result.doc)))
    end
    return
  end
  out(("-- @treturn[1] %s %s"):format(type_of(always(returns[1].type)), named(returns[1].name, returns[1].doc)))
  local more = returns[2].name:match "^(.*)_or_message$"
  if more then
    local type = always(returns[2].type):gsub("|?string$", ""):gsub("string|", "")
    out(("-- @treturn[1] %s %s"):format(type_of(type), named(more, returns[2].doc)))
  end
  out "-- @return[2] nil"
  out(("-- @treturn[2] %s message"):format(type_of "string"))
  out(("-- @treturn[2] %s %s"):format(type_of "cloud66.Error", named("err", last.doc)))
end

local function write_function(out, item)
  out ""
  write_doc(out, item.doc ~= "" and item.doc or "As the store's documents say.")
  out "--"
  out("-- @function " .. item.name)
  for _, param in ipairs(item.params) do
    out(("-- @tparam%s %s %s %s"):format(param.optional and "[opt]" or "", type_of(param.type), param.name, param.doc))
  end
  write_returns(out, item.returns)
end

local function write_table(out, item)
  out ""
  write_doc(out, item.doc ~= "" and item.doc or item.kind == "alias" and "One of:" or "A table of")
  if item.parent then
    out("--\n-- Besides what " .. short(item.parent) .. " has:")
  end
  out("-- @table " .. short(item.name))
  if item.kind == "class" then
    write_fields(out, item)
    return
  end
  for _, each in ipairs(item.values) do
    out(("-- @field %s %s"):format(each.value:gsub('^"(.*)"$', "%1"):gsub(" ", "&#32;"), each.doc))
  end
end

local function write_class(out, item)
  out ""
  write_doc(out, item.doc)
  out("-- @type " .. short(item.name))
  if #item.fields > 0 then
    out "\n--- Fields."
    out("-- @table fields")
    write_fields(out, item)
  end
  for _, method in ipairs(item.methods) do
    write_function(out, method)
  end
  out "\n--- @section end"
end

local function write_module(path, name)
  local file = assert(io.open(("%s/%s.lua"):format(folder, name), "w"))
  local function out(line)
    file:write(line, "\n")
  end
  local lines = io.lines(path)
  lines()
  out("--- " .. assert(lines():match "^%-%- (.*)$", path .. ": the second line must say what it is"))
  local items = annotations.file(path)
  local face = by_name[name] and by_name[name].place:find(path, 1, true) and name -- the module itself
  if face then
    out "--"
    write_doc(out, by_name[face].doc)
    write_fields(out, by_name[face])
  end
  out("-- @module " .. name)
  for _, item in ipairs(items) do
    if item.kind == "function" and item.class == face then
      write_function(out, item)
    elseif item.kind ~= "function" and item.name ~= face and #(item.methods or by_name[item.name].methods) == 0 then
      write_table(out, item)
    end
  end
  for _, item in ipairs(items) do
    if item.kind == "class" and item.name ~= face and #by_name[item.name].methods > 0 then
      write_class(out, by_name[item.name])
    end
  end
  file:close()
end

local pipe = assert(io.popen "ls types/*.lua")
for path in pipe:lines() do
  write_module(path, path:match "([%w_]+)%.lua$")
end
pipe:close()

-- Where each class stands in the site, and the types.
local file = assert(io.open(folder .. "/../types.lua", "w"))
file:write "return {\n  places = {\n"
for name, item in pairs(by_name) do
  local module = item.place:match "([%w_]+)%.lua"
  local anchor = name == module and "" or #item.methods > 0 and "#Class_" .. short(name) or "#" .. short(name)
  file:write(("    [%q] = %q,\n"):format(name, ("reference/%s.html%s"):format(module, anchor)))
end
file:write "  },\n  types = {\n"
for _, type in ipairs(types) do
  file:write(("    %q,\n"):format(type))
end
file:write "  },\n}\n"
file:close()
