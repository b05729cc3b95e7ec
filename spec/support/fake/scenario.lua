-- Reads the scenario of a request ("~key=value~key=value") and applies the rows of scenarios.lua, then those of
-- written_scenarios.lua and probed_scenarios.lua, at a point.
local scenario = {}

local rows, by_key, keys = {}, {}, {}
for _, name in ipairs { "scenarios", "written_scenarios", "probed_scenarios" } do
  for _, row in ipairs(require("spec.support." .. name)) do
    rows[#rows + 1], keys[#keys + 1], by_key[row[1]] = row, row[1], row
  end
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function read_value(values, part)
  local key, text = part:match "^([^=]*)=(.*)$"
  local row = by_key[key or part]
  if not row then
    return ("unknown scenario %q; known: %s"):format(key or part, table.concat(keys, ", "))
  end
  local value = text and row[2].read(unescape(text))
  if value == nil then
    return ("scenario %s=%s: must be %s"):format(key or part, text or "", row[2].describe)
  elseif values[key] ~= nil then
    return ("scenario %s is given twice"):format(key)
  end
  values[key] = value
end

---The values of "~key=value~...", or nil and what is wrong with it.
function scenario.parse(text)
  local values = {}
  for part in text:gmatch "~([^~]*)" do
    local problem = read_value(values, part)
    if problem then
      return nil, problem
    end
  end
  for _, row in ipairs(rows) do
    local problem = values[row[1]] ~= nil and row.check and row.check(values[row[1]], values)
    if problem then
      return nil, problem
    end
  end
  return values
end

---Takes out the faults that are not meant for this request.
function scenario.drop_faults(values)
  for _, row in ipairs(rows) do
    if row.fault then
      values[row[1]] = nil
    end
  end
end

---Passes the subject through every row that has something to do at this point.
function scenario.apply(point, values, subject, ...)
  for _, row in ipairs(rows) do
    local value, act = values[row[1]], row[point]
    if value ~= nil and act then
      local changed = act(value, subject, ...)
      if changed ~= nil then
        subject = changed
      end
    end
  end
  return subject
end

---The rows as lines of a Markdown table, for the README.
function scenario.describe()
  local lines = { "| key | values | what it does |", "| --- | --- | --- |" }
  for _, row in ipairs(rows) do
    local values = row[2].describe:gsub("|", ", ")
    lines[#lines + 1] = ("| `%s`%s | %s | %s |"):format(row[1], row.fault and " *" or "", values, row[3])
  end
  return table.concat(lines, "\n")
end

return scenario
