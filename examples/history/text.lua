-- text.lua: figures and other people's texts, fit to be shown.

local text = {}

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

-- First and last code of what takes no column (marks upon the character before), and of what takes two.
local NONE = { { 0x300, 0x36F }, { 0x483, 0x489 }, { 0x591, 0x5BD }, { 0x5C1, 0x5C2 }, { 0x5C4, 0x5C5 }, { 0x610, 0x61A },
  { 0x64B, 0x65F }, { 0x6D6, 0x6DC }, { 0x6DF, 0x6E4 }, { 0x6E7, 0x6E8 }, { 0x6EA, 0x6ED }, { 0x730, 0x74A }, { 0x900, 0x902 },
  { 0x941, 0x948 }, { 0x951, 0x957 }, { 0xE34, 0xE3A }, { 0xE47, 0xE4E }, { 0xEB4, 0xEBC }, { 0xEC8, 0xECD }, { 0x1AB0, 0x1ACE },
  { 0x1DC0, 0x1DFF }, { 0x20D0, 0x20F0 }, { 0x302A, 0x302D }, { 0x3099, 0x309A }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F } }
local TWO = { { 0x1100, 0x115F }, { 0x231A, 0x231B }, { 0x2329, 0x232A }, { 0x23E9, 0x23EC }, { 0x23F0, 0x23F0 },
  { 0x23F3, 0x23F3 }, { 0x25FD, 0x25FE }, { 0x2614, 0x2615 }, { 0x2648, 0x2653 }, { 0x267F, 0x267F }, { 0x2693, 0x2693 },
  { 0x26A1, 0x26A1 }, { 0x26AA, 0x26AB }, { 0x26BD, 0x26BE }, { 0x26C4, 0x26C5 }, { 0x26CE, 0x26CE }, { 0x26D4, 0x26D4 },
  { 0x26EA, 0x26EA }, { 0x26F2, 0x26F3 }, { 0x26F5, 0x26F5 }, { 0x26FA, 0x26FA }, { 0x26FD, 0x26FD }, { 0x2705, 0x2705 },
  { 0x270A, 0x270B }, { 0x2728, 0x2728 }, { 0x274C, 0x274C }, { 0x274E, 0x274E }, { 0x2753, 0x2755 }, { 0x2757, 0x2757 },
  { 0x2795, 0x2797 }, { 0x27B0, 0x27B0 }, { 0x27BF, 0x27BF }, { 0x2B1B, 0x2B1C }, { 0x2B50, 0x2B50 }, { 0x2B55, 0x2B55 },
  { 0x2E80, 0xA4CF }, { 0xA960, 0xA97C }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 },
  { 0xFFE0, 0xFFE6 }, { 0x16FE0, 0x18D08 }, { 0x1AFF0, 0x1B2FB }, { 0x1F004, 0x1F004 }, { 0x1F0CF, 0x1F0CF }, { 0x1F18E, 0x1F18E },
  { 0x1F191, 0x1F19A }, { 0x1F200, 0x1F265 }, { 0x1F300, 0x1FAFF }, { 0x20000, 0x3FFFD } }

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

-- What is invisible or turns the writing direction, as patterns of its UTF-8: U+00AD, U+034F, U+061C, U+115F and U+1160,
-- U+180B to U+180F, U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F, U+3164, U+FEFF, U+FFA0, U+FFF0 to U+FFFB, U+E0000 on.
local UNSEEN = { "\194\173", "\205\143", "\216\156", "\225\133[\159\160]", "\225\160[\139-\143]", "\226\128[\139-\143\168-\174]",
  "\226\129[\160-\175]", "\227\133\164", "\239\187\191", "\239\190\160", "\239\191[\176-\187]", "\243\160[\128-\191][\128-\191]" }

local MOST_MARKS = 3 -- upon one character, as many as languages use; a tower of them covers the lines above

local function without_towers(value)
  local marks = 0
  return (value:gsub(CHARACTER, function(character)
    marks = columns_of(character) == 0 and marks + 1 or 0
    return marks > MOST_MARKS and "" or nil
  end))
end

---Other people's text without what a terminal would take for a command, what nobody sees, what turns the writing direction,
---and more than three marks upon one character.
---@return string
function text.plain(value)
  local shown = tostring(value):gsub("[%c\127]", "?")
  if not shown:find "[\128-\255]" then
    return shown
  end
  shown = shown:gsub("\194[\128-\159]", "?")
  for _, pattern in ipairs(UNSEEN) do
    shown = shown:gsub(pattern, "?")
  end
  return without_towers(shown)
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
  if s >= 1000 * 86400 then -- of two clocks, one was wrong
    return ("%dd"):format(math.floor(s / 86400))
  elseif s >= 86400 then
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
