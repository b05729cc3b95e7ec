-- report.lua: what may be shown of a value, and the lines of the report. Kinds, patterns and short words get out, and no line
-- that holds the token.

local cjson = require "cjson"

local report = {}

local MOST_SHOWN = 40
local ANSWER_COLUMN, LAST_COLUMN = 36, 100

function report.set(words)
  local known = {}
  for word in words:gmatch "%S+" do
    known[word] = true
  end
  return known
end

-- --- what may be shown of a value ---

function report.kind_of(value)
  if value == nil or value == cjson.null then
    return value == nil and "absent" or "null"
  elseif type(value) == "number" then
    return value % 1 == 0 and "integer" or "fraction"
  elseif type(value) ~= "table" then
    return type(value)
  end
  return next(value) == nil and "empty" or #value > 0 and "list" or "object"
end

local kind_of = report.kind_of

local function shape(text)
  text = text:gsub("[%a\128-\255]+", "a"):gsub("%d+", "9"):gsub("[^%w_.:/@+-]", "?")
  return ('like "%s"'):format(text:sub(1, 30))
end

---Small numbers, booleans and words are shown as they are; what might be somebody's, or an id, by its type or shape.
function report.plain(value)
  if type(value) == "number" and math.abs(value) < 100000 then
    return ("%.14g"):format(value)
  elseif type(value) ~= "string" then
    return type(value) == "boolean" and tostring(value) or kind_of(value)
  end
  local _, digits = value:gsub("%d", "")
  local hex = #value > 6 and not value:find "%X"
  return #value <= 30 and digits < 4 and not hex and value:find "^[%w_ -]+$" and value or shape(value)
end

local plain = report.plain

---A text "true" is not the boolean.
function report.flag(value)
  return type(value) == "string" and ('"%s"'):format(plain(value)) or plain(value)
end

---How large a text is, which may be anything.
function report.size(text)
  return #text < 1024 and ("%d bytes"):format(#text) or ("%d KiB"):format(math.floor(#text / 1024 + 0.5))
end

local ZONES = report.set "Z UTC +00:00"

function report.date(value)
  local gap, rest = tostring(value):match "^%d%d%d%d%-%d%d%-%d%d([T ])%d%d:%d%d:%d%d(.*)$"
  if not gap then
    return type(value) == "string" and shape(value) or kind_of(value)
  end
  local fraction, space, zone = rest:match "^(%.?%d*)( ?)(.*)$"
  zone = (ZONES[zone] or zone == "") and zone or zone:find "^[+-]%d%d:?%d%d$" and "+hh:mm" or "?"
  return ("YYYY-MM-DD%shh:mm:ss%s%s%s"):format(gap, fraction:gsub("%d", "f"), space, zone)
end

-- --- counting ---

function report.count(counts, name)
  counts[name] = (counts[name] or 0) + 1
end

local count = report.count

---"success x28, failed x2", the most frequent first; `plainly` without the numbers.
function report.shown(counts, plainly)
  local names = {}
  for name in pairs(counts) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    return counts[a] > counts[b] or counts[a] == counts[b] and a < b
  end)
  for i, name in ipairs(names) do
    names[i] = plainly and name or ("%s x%d"):format(name, counts[name])
  end
  if #names > MOST_SHOWN then
    names[MOST_SHOWN] = ("and %d more"):format(#names - MOST_SHOWN + 1)
  end
  return #names > 0 and table.concat(names, ", ", 1, math.min(#names, MOST_SHOWN)) or "none"
end

---How often each form of that key's value occurs among objects; show(value) gives the form.
function report.forms(list, key, show)
  local counts = {}
  for _, object in ipairs(list) do
    count(counts, show(object[key]))
  end
  return report.shown(counts)
end

local PAGING = report.set "prev previous next current per_page count pages total"

---Counts the names and types of an object's keys; numbers of paging by their value.
function report.count_keys(counts, object)
  for name, value in pairs(type(object) == "table" and object or {}) do
    local show = PAGING[name] and type(value) == "number" and plain or kind_of
    count(counts, ("%s (%s)"):format(plain(name), show(value)))
  end
end

function report.keys_of(object)
  local counts = {}
  report.count_keys(counts, object)
  return report.shown(counts, true)
end

-- --- lines ---

report.token = nil -- as it was sent: nothing that holds it is shown

function report.section(title)
  print("\n" .. title)
end

function report.say(question, answer, ...)
  answer = select("#", ...) > 0 and answer:format(...) or answer
  if report.token and answer:find(report.token, 1, true) then
    answer = "not shown: it holds the token"
  end
  local line = "  " .. question .. " "
  line = line .. ("."):rep(ANSWER_COLUMN - #line)
  for part in answer:gsub("[%c\127-\255]", "?"):gmatch "%S+" do
    if #line + 1 + #part > LAST_COLUMN then
      print(line)
      line = (" "):rep(ANSWER_COLUMN)
    end
    line = line .. " " .. part
  end
  print(line)
end

function report.say_keys(list, documented)
  local absent, nulls, others = {}, {}, {}
  for _, object in ipairs(list) do
    for name in pairs(documented) do
      local value = object[name]
      if value == nil or value == cjson.null then
        count(value == nil and absent or nulls, name)
      end
    end
    for name, value in pairs(object) do
      if not documented[name] then
        count(others, ("%s (%s)"):format(plain(name), kind_of(value)))
      end
    end
  end
  report.say("documented keys absent", report.shown(absent))
  report.say("documented keys null", report.shown(nulls))
  report.say("undocumented keys", report.shown(others))
end

return report
