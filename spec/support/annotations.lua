-- The annotations of types/*.lua as data: as much of LuaCATS as they use. What it cannot read raises, with file and line.
--
--   { kind = "class", name, parent, doc, fields = { { name, optional, type, doc } }, operators = { name -> type } }
--   { kind = "alias", name, doc, values = { { value, doc } } }
--   { kind = "function", class, name, separator, doc, params = { { name, optional, type, doc } },
--     returns = { { type, name, doc } } }
--
-- each with `place`, "types/stack.lua:12".
local tree = require "spec.support.tree"

local annotations = {}

-- --- types ---

local read_type

-- Behind what a bracket encloses.
local function skip_balanced(text, at)
  local _, last = text:find("^%b" .. ({ ["("] = "()", ["{"] = "{}", ["<"] = "<>", ["["] = "[]" })[text:sub(at, at)], at)
  return last and last + 1
end

local function read_results(text, at)
  repeat
    at = read_type(text, at)
    local comma = at and text:match("^,%s*()", at)
    local more = comma
    at = comma or at
  until not more
  return at
end

local function read_unit(text, at)
  local first = text:sub(at, at)
  if text:find("^fun%(", at) then
    at = skip_balanced(text, at + 3)
    local results = at and text:match("^:%s*()", at)
    return results and read_results(text, results) or at
  elseif first == "(" or first == "{" then
    at = skip_balanced(text, at)
  elseif first == '"' then
    at = text:match('^"[^"]*"()', at)
  else
    at = text:match("^[%a_][%w_.]*()", at)
    if at and text:sub(at, at) == "<" then
      at = skip_balanced(text, at)
    end
  end
  while at do
    local suffix = text:match("^%[%]()", at) or text:match("^%?()", at)
    if not suffix then
      return at
    end
    at = suffix
  end
end

-- Behind a type, or nil where there is none.
function read_type(text, at)
  at = read_unit(text, at)
  while at and text:sub(at, at) == "|" do
    at = read_unit(text, at + 1)
  end
  return at
end

-- A type, and the text behind it.
local function split_type(text, fail)
  local last = read_type(text, 1)
  if not last or not text:find("^%s", last) and last <= #text then
    fail("no type: " .. text)
  end
  return text:sub(1, last - 1), (text:sub(last):gsub("^%s+", ""))
end

-- --- blocks of comment lines, each with the line of code below ---

local function joined(lines)
  return (table.concat(lines, "\n"):gsub("^\n+", ""):gsub("\n+$", ""))
end

-- Takes the text that stands above a tag.
local function take_doc(block)
  local doc = joined(block.text)
  block.text = {}
  return doc
end

local function named(text, fail, pattern)
  local name, optional, rest = text:match("^(" .. (pattern or "[%a_][%w_]*") .. ")(%??)%s+(.*)$")
  if not name then
    fail("no name: " .. text)
  end
  return name, optional == "?", rest
end

local tags = {}

function tags.meta() end

function tags.class(block, text, fail)
  local name, parent = text:match "^([%w_.]+):?%s*([%w_.]*)$"
  block.class = { kind = "class", name = name or fail("no class: " .. text), parent = parent ~= "" and parent or nil,
    doc = take_doc(block), fields = {}, operators = {} }
end

function tags.field(block, text, fail)
  if not block.class then
    fail "a field without a class"
  end
  local index, rest = text:match "^(%[[%w_.]+%])%s+(.*)$"
  local name, optional = index, false
  if not index then
    name, optional, rest = named(text, fail)
  end
  local field = { name = name, optional = optional, doc = take_doc(block) }
  field.type, rest = split_type(rest, fail)
  if rest ~= "" then
    fail "text behind the type of a field: put it above"
  end
  table.insert(block.class.fields, field)
end

function tags.operator(block, text, fail)
  local name, type = text:match "^(%a+):%s*(.*)$"
  if not block.class or not name then
    fail "no operator of a class"
  end
  block.class.operators[name] = type
end

function tags.alias(block, text)
  block.alias = { kind = "alias", name = text:match "^[%w_.]+$", doc = take_doc(block), values = {} }
end

function tags.param(block, text, fail)
  block.doc = block.doc or take_doc(block)
  local name, optional, rest = "...", false, text:match "^%.%.%.%s+(.*)$"
  if not rest then
    name, optional, rest = named(text, fail)
  end
  local param = { name = name, optional = optional }
  param.type, param.doc = split_type(rest, fail)
  table.insert(block.params, param)
end

tags["return"] = function(block, text, fail)
  block.doc = block.doc or take_doc(block)
  local type, rest = split_type(text, fail)
  local result = { type = type }
  result.name, result.doc = rest:match "^([%a_]?[%w_]*)%s*#?%s*(.*)$"
  table.insert(block.returns, result)
end

local function read_line(block, line, fail)
  local value = line:match "^%-%-%-|%s*(.*)$"
  local tag, rest = line:match "^%-%-%-@(%a+)%s*(.*)$"
  if value and block.alias then
    local before, doc = value:match "^(.-)%s*#%s*(.*)$"
    table.insert(block.alias.values, { value = before or value, doc = doc or "" })
  elseif tag then
    (tags[tag] or fail("unknown tag @" .. tag))(block, rest, fail)
  else
    table.insert(block.text, line:sub(4))
  end
end

local function new_block()
  return { text = {}, params = {}, returns = {} }
end

-- What stands below a block: a function, the table of a class, or nothing.
local function finish(block, code, found, state, place)
  if block.class or block.alias then
    local item = block.class or block.alias
    item.place = place
    table.insert(found, item)
    local variable = code:match "^local ([%a_][%w_]*) = {}$"
    if block.class and variable then
      state.classes[variable] = item.name
    end
    return
  end
  local variable, separator, name, arguments = code:match "^function ([%a_][%w_]*)([.:])([%a_][%w_]*)%((.-)%) end$"
  if variable then
    table.insert(found, { kind = "function", place = place, class = state.classes[variable], separator = separator, name = name,
      arguments = arguments, doc = block.doc or take_doc(block), params = block.params, returns = block.returns })
  end
end

---The items of one file.
---@param path string
---@return table[]
function annotations.file(path)
  local found, state, block, number = {}, { classes = {} }, new_block(), 0
  local function fail(message)
    error(("%s:%d: %s"):format(path, number, message), 0)
  end
  local start
  for line in io.lines(path) do
    number = number + 1
    if line:find "^%-%-%-" then
      start = start or number
      read_line(block, line, fail)
    else
      finish(block, line, found, state, ("%s:%d"):format(path, start or number))
      block, start = new_block(), nil
    end
  end
  finish(block, "", found, state, ("%s:%d"):format(path, start or number))
  return found
end

---The items of all files, in order; and the classes and aliases by name. Each class has its functions under `methods`, in
---order, too.
---@return table[] items, table<string, table> by_name
function annotations.all()
  local items, by_name = {}, {}
  for _, path in ipairs(tree.files("types", ".lua")) do
    for _, item in ipairs(annotations.file(path)) do
      items[#items + 1] = item
      if item.kind ~= "function" then
        if by_name[item.name] then
          error(("%s and %s both annotate %s"):format(by_name[item.name].place, item.place, item.name), 0)
        end
        by_name[item.name], item.methods = item, {}
      end
    end
  end
  for _, item in ipairs(items) do
    if item.kind == "function" then
      local class = by_name[item.class or ""]
      if not class then
        error(("%s: the function %s is of no class"):format(item.place, item.name), 0)
      end
      table.insert(class.methods, item)
    end
  end
  return items, by_name
end

---The names of the classes and aliases that a type names.
---@return string[]
function annotations.names_in(type)
  local names = {}
  for name in type:gsub('"[^"]*"', ""):gmatch "cloud66[%w_.]*" do
    names[#names + 1] = name
  end
  return names
end

return annotations
