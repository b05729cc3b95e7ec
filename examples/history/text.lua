-- text.lua: figures and other people's texts, fit to be shown.

local text = {}

---Other people's text without what a terminal would take for a command, and without characters that are invisible or
---turn the writing direction (U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF).
---@return string
function text.plain(value)
  local shown = tostring(value):gsub("[%c\127]", "?"):gsub("\194[\128-\159]", "?")
  shown = shown:gsub("\226\128[\139-\143\168-\174]", "?"):gsub("\226\129[\160-\175]", "?")
  return (shown:gsub("\239\187\191", "?"))
end

-- The characters of UTF-8; what is none counts as one per byte.
local CHARACTER = "[%z\1-\127\192-\255][\128-\191]*"

local function code_of(character)
  local first = character:byte()
  if first < 192 or #character == 1 then
    return first
  end
  local code = first % (first < 224 and 32 or first < 240 and 16 or 8)
  for i = 2, #character do
    code = code * 64 + character:byte(i) % 64
  end
  return code
end

-- First and last code of what takes no column, and of what takes two.
local NONE = { { 0x300, 0x36F }, { 0x200D, 0x200D }, { 0x20D0, 0x20FF }, { 0xFE00, 0xFE0F } }
local TWO = { { 0x1100, 0x115F }, { 0x2E80, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F },
  { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1FAFF }, { 0x20000, 0x3FFFD } }

local function is_in(ranges, code)
  for _, range in ipairs(ranges) do
    if code >= range[1] and code <= range[2] then
      return true
    end
  end
  return false
end

local function columns_of(character)
  local code = code_of(character)
  return code < 0x300 and 1 or is_in(NONE, code) and 0 or is_in(TWO, code) and 2 or 1
end

---The columns it takes on a terminal.
---@return integer
function text.width(value)
  local columns = 0
  for character in value:gmatch(CHARACTER) do
    columns = columns + columns_of(character)
  end
  return columns
end

---It in so many columns: filled up with blanks, or cut, with a mark where something is left out.
---@param mark? string  one column wide
---@return string
function text.fit(value, columns, mark)
  local width = text.width(value)
  if width <= columns then
    return value .. (" "):rep(columns - width)
  end
  local kept, used = {}, 0
  for character in value:gmatch(CHARACTER) do
    local more = columns_of(character)
    if used + more > columns - 1 then
      break
    end
    kept[#kept + 1], used = character, used + more
  end
  return table.concat(kept) .. (mark or "~") .. (" "):rep(columns - 1 - used)
end

---For where only ASCII can be shown.
---@return string
function text.ascii(value)
  return (value:gsub("[\192-\255][\128-\191]*", "?"):gsub("[\128-\191]", "?"))
end

---Whether the locale says that UTF-8 is shown, and the terminal is not a dumb one.
---@return boolean
function text.has_utf8()
  local locale
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if not locale and value and value ~= "" then
      locale = value:lower()
    end
  end
  return os.getenv "TERM" ~= "dumb" and locale ~= nil and locale:find "utf%-?8" ~= nil
end

---Other people's text for standard error. Without UTF-8, bytes of it can be commands to the terminal.
---@return string
function text.shown(value)
  value = text.plain(value)
  return text.has_utf8() and value or text.ascii(value)
end

---A length of time, in its two largest units.
---@param seconds number?
---@return string
function text.span(seconds)
  if not seconds then
    return "-"
  end
  local s = math.floor(seconds + 0.5)
  if s >= 86400 then
    return ("%dd %02dh"):format(math.floor(s / 86400), math.floor(s / 3600) % 24)
  elseif s >= 3600 then
    return ("%dh %02dm"):format(math.floor(s / 3600), math.floor(s / 60) % 60)
  elseif s >= 60 then
    return ("%dm %02ds"):format(math.floor(s / 60), s % 60)
  end
  return ("%ds"):format(s)
end

---@param share number?  0 to 1
---@return string
function text.percent(share)
  return share and ("%.1f %%"):format(share * 100) or "-"
end

---A moment in UTC: its date, or date and time.
---@param seconds number?  Unix seconds
---@return string
function text.date(seconds)
  return seconds and os.date("!%Y-%m-%d", math.floor(seconds)) or "-"
end

function text.time(seconds)
  return seconds and os.date("!%Y-%m-%d %H:%M", math.floor(seconds)) or "-"
end

---@param many? string  the plural, where it is not noun .. "s"
---@return string  "1 stack", "2 stacks"
function text.count(number, noun, many)
  return ("%d %s"):format(number, number == 1 and noun or many or noun .. "s")
end

---@param counts table<string, integer>
---@param most integer  names; the rest is one more entry
---@param none string   the name of ""
---@return { name: string, count: integer, is_rest: boolean }[]  the most frequent first
function text.ranking(counts, most, none)
  local list = {}
  for name, count in pairs(counts) do
    list[#list + 1] = { name = name == "" and none or text.plain(name), count = count, is_rest = false }
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then
      return a.count > b.count
    end
    return a.name < b.name
  end)
  if #list > most + 1 then -- one more is no longer than "1 other"
    local others, sum = 0, 0
    for place = #list, most + 1, -1 do
      others, sum = others + 1, sum + list[place].count
      list[place] = nil
    end
    list[#list + 1] = { name = ("%d others"):format(others), count = sum, is_rest = true }
  end
  return list
end

---A series in at most so many parts: of one interval each, or of several that follow each other.
---@return { count: integer, success: integer, failed: integer, pending: integer, unknown: integer, from: number, to:
---number, label: string }[] parts, integer each  # how many intervals a part has
function text.parts(series, most)
  local each = math.max(1, math.ceil(#series / most))
  local parts = {}
  for first = 1, #series, each do
    local part = { count = 0, success = 0, failed = 0, pending = 0, unknown = 0, from = series[first].from }
    local last = math.min(first + each - 1, #series)
    for place = first, last do
      for _, name in ipairs { "count", "success", "failed", "pending", "unknown" } do
        part[name] = part[name] + series[place][name]
      end
    end
    part.to = series[last].to
    part.label = series[first].label .. (last > first and " to " .. series[last].label or "")
    parts[#parts + 1] = part
  end
  return parts, each
end

---The smallest of 1, 2, 5, 10, 20, 50... that steps up to a height in at most so many steps.
---@return number
function text.nice_step(height, most)
  local step = 1
  while true do
    for _, factor in ipairs { 1, 2, 5 } do
      if step * factor * most >= height then
        return step * factor
      end
    end
    step = step * 10
  end
end

return text
