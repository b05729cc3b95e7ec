-- terminal.lua: the report for a terminal of 80 columns, in UTF-8 or in ASCII.

local text = require "history.text"

local terminal = {}

local COLUMNS = 80
local HEIGHT = 8 -- rows of the chart
local NAMES = 6 -- in a list of names

---What can be shown: UTF-8 where the locale says so, colour where a person looks and has not said otherwise.
---@return { utf8: boolean, colour: boolean }
function terminal.screen()
  local term, no_color = os.getenv "TERM", os.getenv "NO_COLOR"
  local is_dumb = term == "dumb"
  local answer = not is_dumb and term and term ~= "" and (not no_color or no_color == "") and os.execute "test -t 1"
  return {
    utf8 = text.has_utf8(),
    colour = answer == true or answer == 0,
  }
end

-- The signs of each kind of screen. `eighths`: the end of a bar, in eighths of a column.
local SIGNS = {
  [true] = { success = "█", failed = "▒", other = "·", mark = "…", rule = "─", corner = "└", side = "│", line = "┤",
    eighths = { "▏", "▎", "▍", "▌", "▋", "▊", "▉" } },
  [false] = { success = "#", failed = "x", other = ".", mark = "~", rule = "-", corner = "+", side = "|", line = "+",
    eighths = {} },
}
local PAINT = { success = 32, failed = 31, other = 33, heading = 1, faint = 2 }

local methods = {}

function methods:paint(value, name)
  return self.colour and ("\27[%dm%s\27[0m"):format(PAINT[name], value) or value
end

function methods:add(line)
  self.lines[#self.lines + 1] = (line:gsub(" +$", ""))
end

function methods:heading(title)
  self:add ""
  self:add("  " .. self:paint(title, "heading"))
end

-- Other people's text in so many columns.
function methods:name(value, columns)
  value = self.utf8 and value or text.ascii(value)
  return text.fit(value, columns, self.signs.mark)
end

function methods:bar(share, columns, kind)
  local length = share * columns
  local whole = math.floor(length)
  local rest = self.signs.eighths[math.floor((length - whole) * 8)] or ""
  if whole == 0 and rest == "" and share > 0 then
    rest = self.signs.eighths[1] or self.signs[kind or "success"]
  end
  return self:paint(self.signs[kind or "success"]:rep(whole) .. rest, kind or "success")
end

-- --- what the report says ---

local function title(out, report)
  local stacks = report.stacks
  local about = #stacks == 1 and stacks[1].name or text.count(#stacks, "stack")
  local figures = report.figures
  out:add("  " .. out:paint("Deployments of " .. out:name(about, 60):gsub(" +$", ""), "heading"))
  out:add("  " .. (figures.from and text.date(figures.from) .. " to " .. text.date(figures.to) .. " (UTC)" or "no dates"))
end

local function missing(out, report)
  for _, lost in ipairs(report.lost) do
    out:add(out:paint(("  NOT READ TO THE END: %s"):format(out:name(lost.name, 54):gsub(" +$", "")), "failed"))
    out:add("    " .. out:name(lost.message, COLUMNS - 4))
  end
end

local function summary(out, figures)
  local recovery, duration = figures.recovery, figures.duration
  local counts = ("%d success, %d failed, %d pending"):format(figures.success, figures.failed, figures.pending)
  local rows = {
    { "deployments", tostring(figures.count), counts },
    { "a day", figures.per_day and ("%.2f"):format(figures.per_day) or "-", "those with a start, by the days of the range" },
    { "failed", text.percent(figures.failure_rate), "of those that succeeded or failed" },
    { "duration", text.span(duration.median), ("median of %s"):format(text.count(duration.count, "success", "successes")) },
    { "", text.span(duration.p90), "nine in ten took no longer" },
    { "recovery", text.span(recovery.median), ("median of %d, to the next success; %d open"):format(
      recovery.count, recovery.open) },
    { "", text.span(recovery.p90), "nine in ten took no longer" },
    { "reverted", tostring(figures.reverts), "taken back by a later deployment" },
  }
  if recovery.unknown > 0 then -- above "reverted", which is last
    table.insert(rows, #rows, { "", tostring(recovery.unknown), "failures were over after an unknown time" })
  end
  if figures.unknown > 0 then
    table.insert(rows, 2, { "", tostring(figures.unknown), "with an outcome this library does not know, or none" })
  end
  if figures.undated > 0 then
    rows[#rows + 1] = { "undated", tostring(figures.undated), "have no readable start" }
  end
  if figures.drift > 0 then
    rows[#rows + 1] = { "drift", tostring(figures.drift), "fields came in a form this library does not know" }
  end
  out:add ""
  for _, row in ipairs(rows) do
    out:add(("  %-12s %10s  "):format(row[1], row[2]) .. out:paint(text.fit(row[3], COLUMNS - 29, out.signs.mark), "faint"))
  end
end

-- Which sign stands at a height of a column: success below, then failed, then the rest. What there is shows.
local function column_of(part, step)
  local function cells(number)
    return number > 0 and math.max(1, math.floor(number / step + 0.5)) or 0
  end
  local column = {}
  for _, kind in ipairs { { "success", part.success }, { "failed", part.failed }, { "other", part.pending + part.unknown } } do
    for _ = 1, cells(kind[2]) do
      column[#column + 1] = kind[1]
    end
  end
  return column
end

local function chart_row(out, columns, row, wide, label)
  local line = {}
  for _, column in ipairs(columns) do
    local kind = column[row]
    line[#line + 1] = kind and out:paint(out.signs[kind]:rep(wide), kind) or (" "):rep(wide)
    line[#line + 1] = wide > 1 and " " or ""
  end
  return ("  %6s %s"):format(label, label == "" and out.signs.side or out.signs.line) .. table.concat(line)
end

local function chart(out, report)
  local space = COLUMNS - 12
  local parts, each = text.parts(report.figures.series, space)
  if #parts == 0 then
    return
  end
  local wide = #parts * 4 <= space and 3 or #parts * 3 <= space and 2 or 1
  local most = 0
  for _, part in ipairs(parts) do
    most = math.max(most, part.count)
  end
  local step = text.nice_step(most, HEIGHT)
  local columns, height = {}, 1
  for i, part in ipairs(parts) do
    columns[i] = column_of(part, step)
    height = math.max(height, #columns[i])
  end
  out:heading(("Per %s%s"):format(report.by, each > 1 and (": each column is %d %ss"):format(each, report.by) or ""))
  for row = height, 1, -1 do
    out:add(chart_row(out, columns, row, wide, (row % 2 == 0 or height == 1) and ("%d"):format(row * step) or ""))
  end
  local length = #parts * (wide > 1 and wide + 1 or 1)
  out:add(("  %6s %s"):format("0", out.signs.corner) .. out.signs.rule:rep(length))
  local first, last = parts[1].label:match "^%S+", parts[#parts].label:match "%S+$"
  local gap = math.max(2, length - #first - #last)
  out:add("         " .. first .. (#parts > 1 and (" "):rep(gap) .. last or ""))
  out:add(("         %s success  %s failed  %s pending or unknown"):format(
    out:paint(out.signs.success, "success"), out:paint(out.signs.failed, "failed"), out:paint(out.signs.other, "other")))
end

local function durations(out, figures)
  local list = {}
  for name, spread in pairs(figures.duration.by_type) do
    list[#list + 1] = { name = name == "" and "(no type)" or text.plain(name), spread = spread }
  end
  if #list == 0 then
    return
  end
  table.sort(list, function(a, b)
    return a.spread.count > b.spread.count or (a.spread.count == b.spread.count and a.name < b.name)
  end)
  out:heading "Duration of successes"
  out:add(out:paint(("  %-14s %6s %8s %8s %8s"):format("", "count", "median", "p90", "longest"), "faint"))
  local longest = 0
  for _, entry in ipairs(list) do
    longest = math.max(longest, entry.spread.median)
  end
  for i = 1, math.min(#list, NAMES) do
    local spread = list[i].spread
    out:add(("  %s %6d %8s %8s %8s  "):format(out:name(list[i].name, 14), spread.count, text.span(spread.median),
      text.span(spread.p90), text.span(spread.max)) .. out:bar(longest > 0 and spread.median / longest or 0, 20))
  end
  if #list > NAMES then
    out:add(("  and %d more types"):format(#list - NAMES))
  end
end

local function ranking(out, heading, counts, none, all)
  local list = text.ranking(counts, NAMES, none)
  if #list == 0 then
    return
  end
  local most = 0
  for _, entry in ipairs(list) do
    most = math.max(most, entry.count)
  end
  out:heading(heading)
  for _, entry in ipairs(list) do
    out:add(("  %s %6d %7s  "):format(out:name(entry.name, 32), entry.count, text.percent(entry.count / all))
      .. out:bar(entry.count / most, 24))
  end
end

---@param report table  of gather.lua
---@param screen { utf8: boolean, colour: boolean }
---@return string
function terminal.write(report, screen)
  local out = setmetatable({
    lines = {}, utf8 = screen.utf8, colour = screen.colour, signs = SIGNS[screen.utf8],
  }, { __index = methods })
  local figures = report.figures
  title(out, report)
  missing(out, report)
  if figures.count == 0 then
    out:add ""
    out:add "  no deployments"
  else
    summary(out, figures)
    chart(out, report)
    durations(out, figures)
    ranking(out, "Who", figures.by_user, "(not sent)", figures.count)
    ranking(out, "How", figures.by_trigger, "(not sent)", figures.count)
    ranking(out, "What", figures.by_ref, "(no ref)", figures.count)
  end
  return table.concat(out.lines, "\n") .. "\n"
end

return terminal
