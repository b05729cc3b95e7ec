-- json.lua: the figures as JSON. In ASCII alone, so that nothing in it is a command to a terminal; in a fixed order; and with
-- null for what is not known, where lua-cjson would leave it out, and [] for an empty list, where it would write {}.

local json = {}

local function escaped(code)
  if code >= 0x10000 then
    code = code - 0x10000
    return ("\\u%04x\\u%04x"):format(0xD800 + math.floor(code / 1024), 0xDC00 + code % 1024)
  end
  return ("\\u%04x"):format(code)
end

-- The code of a UTF-8 character; what is none becomes U+FFFD.
local function code_of(bytes)
  local first, length = bytes:byte(), #bytes
  local want = first >= 240 and first < 245 and 4 or first >= 224 and 3 or first >= 194 and 2 or 0
  if first >= 245 or length ~= want then
    return 0xFFFD
  end
  local code = first % (length == 2 and 32 or length == 3 and 16 or 8)
  for i = 2, length do
    code = code * 64 + bytes:byte(i) % 64
  end
  local least = length == 2 and 0x80 or length == 3 and 0x800 or 0x10000
  if code < least or code > 0x10FFFF or (code >= 0xD800 and code <= 0xDFFF) then
    return 0xFFFD
  end
  return code
end

local function text(value)
  local plain = value:gsub('[%c"\\\127]', function(byte)
    return escaped(byte:byte())
  end)
  plain = plain:gsub("[\192-\255][\128-\191]*", function(bytes)
    return escaped(code_of(bytes))
  end)
  return '"' .. plain:gsub("[\128-\191]", "\\ufffd") .. '"'
end

local function scalar(value)
  if value == nil then
    return "null"
  elseif type(value) == "number" then
    return value % 1 == 0 and ("%.0f"):format(value) or ("%.14g"):format(value):gsub(",", ".")
  elseif type(value) == "string" then
    return text(value)
  end
  return tostring(value)
end

-- What each table holds, in order: names of scalars, or {name, writer}.
local function object(shape)
  return function(value)
    local members = {}
    for i, member in ipairs(shape) do
      local name = type(member) == "table" and member[1] or member
      local write = type(member) == "table" and member[2] or scalar
      members[i] = text(name) .. ":" .. write(value[name])
    end
    return "{" .. table.concat(members, ",") .. "}"
  end
end

local function list(write)
  return function(values)
    local items = {}
    for i, value in ipairs(values or {}) do
      items[i] = write(value)
    end
    return "[" .. table.concat(items, ",") .. "]"
  end
end

-- A table of names that are not ours, sorted.
local function named(write)
  return function(values)
    local names, members = {}, {}
    for name in pairs(values) do
      names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
      members[i] = text(name) .. ":" .. write(values[name])
    end
    return "{" .. table.concat(members, ",") .. "}"
  end
end

local SPREAD = object { "count", "median", "p90", "max" }

local FIGURES = object {
  "count", "success", "failed", "pending", "unknown", "from", "to", "per_day", "failure_rate",
  { "duration", object { "count", "median", "p90", "max", { "by_type", named(SPREAD) } } },
  { "recovery", object { "count", "median", "p90", "unknown", "open" } },
  "reverts",
  { "by_user", named(scalar) }, { "by_trigger", named(scalar) }, { "by_type", named(scalar) }, { "by_ref", named(scalar) },
  { "series", list(object { "from", "to", "label", "count", "success", "failed", "pending", "unknown" }) },
  "undated", "drift",
  { "missing", list(object { "stack", "message" }) },
}

---@param report table  of gather.lua
---@return string
function json.write(report)
  return FIGURES(report.figures) .. "\n"
end

return json
