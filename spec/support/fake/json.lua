-- Writes JSON with keys in a given order and integers digit by digit: no library keeps both, and the bytes a real
-- server would send are what a decoder is tested against.
local json = {}

local object = {}
local object_mt = { __index = object }
local raw_mt = {}

json.null = setmetatable({}, {
  __tostring = function()
    return "null"
  end,
})

---An object from a list of {key, value}; a nil value is a JSON null.
function json.object(members)
  return setmetatable(members, object_mt)
end

---JSON text that goes out untouched: 64-bit digits, odd escapes, broken bytes.
function json.raw(text)
  return setmetatable({ text = text }, raw_mt)
end

function object:find(key)
  for i = 1, #self do
    if self[i][1] == key then
      return i
    end
  end
end

function object:get(key)
  local i = self:find(key)
  return i and self[i][2]
end

function object:set(key, value)
  local i = self:find(key) or #self + 1
  self[i] = { key, value }
  return self
end

function object:replace(key, value)
  local i = self:find(key)
  if i then
    self[i] = { key, value }
  end
  return self
end

function object:remove(key)
  local i = self:find(key)
  if i then
    table.remove(self, i)
  end
  return self
end

local short_escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(byte)
  return short_escapes[byte] or ("\\u%04x"):format(byte:byte())
end

local function number(value)
  if value % 1 == 0 then
    return ("%.0f"):format(value)
  end
  return ("%.14g"):format(value)
end

local encode

local function block(open, close, parts, pad, step)
  if #parts == 0 then
    return open .. close
  elseif not step then
    return open .. table.concat(parts, ",") .. close
  end
  local inner = pad .. step
  return open .. "\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. pad .. close
end

encode = function(value, pad, step)
  local kind = type(value)
  if value == nil or value == json.null then
    return "null"
  elseif kind == "string" then
    return '"' .. value:gsub('[%c"\\]', escape) .. '"'
  elseif kind == "number" then
    return number(value)
  elseif kind == "boolean" then
    return tostring(value)
  end
  local mt, parts, inner = getmetatable(value), {}, step and pad .. step
  if mt == raw_mt then
    return value.text
  elseif mt == object_mt then
    for i = 1, #value do
      parts[i] = encode(value[i][1]) .. (step and ": " or ":") .. encode(value[i][2], inner, step)
    end
    return block("{", "}", parts, pad, step)
  end
  for i = 1, #value do
    parts[i] = encode(value[i], inner, step)
  end
  return block("[", "]", parts, pad, step)
end

---JSON text; `indent` (such as two spaces) asks for the pretty form.
function json.encode(value, indent)
  return encode(value, "", indent)
end

---The same value as plain Lua tables: null is nil, order is lost.
function json.plain(value)
  if type(value) ~= "table" then
    return value
  elseif value == json.null then
    return nil
  end
  local plain = {}
  if getmetatable(value) == object_mt then
    for i = 1, #value do
      plain[value[i][1]] = json.plain(value[i][2])
    end
  else
    for i = 1, #value do
      plain[i] = json.plain(value[i])
    end
  end
  return plain
end

return json
