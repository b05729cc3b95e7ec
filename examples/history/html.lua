-- html.lua: the report as one page that needs nothing else: no script, no font, no picture from anywhere.

local charts = require "history.charts"
local style = require "history.style"
local svg = require "history.svg"
local text = require "history.text"

local html = {}

local NAMES = 8 -- in a list of names

local escape = svg.escape

local function title_of(report)
  local stacks = report.stacks
  if #stacks == 1 then
    return stacks[1].name
  elseif #stacks > 4 then
    return text.count(#stacks, "stack")
  end
  local names = {}
  for i, stack in ipairs(stacks) do
    names[i] = stack.name
  end
  return table.concat(names, ", ", 1, #names - 1) .. " and " .. names[#names]
end

local function header(report)
  local figures = report.figures
  local range = figures.from and ("%s to %s, UTC"):format(text.date(figures.from), text.date(figures.to)) or "No dates"
  return ('<header><p class="kicker">Deployment history</p><h1>%s</h1><p class="soft">%s</p></header>'):format(
    escape(title_of(report)), range)
end

local function missing(report)
  if #report.lost == 0 then
    return ""
  end
  local items = {}
  for i, lost in ipairs(report.lost) do
    items[i] = ("<li><strong>%s</strong> <span class=\"soft\">%s</span><br>%s</li>"):format(
      escape(lost.name), escape(lost.uid), escape(lost.message))
  end
  return ('<section class="card alert"><h2>%s not read to the end</h2><p>Deployments of %s are missing from all figures below.</p>'
    .. "<ul>%s</ul></section>"):format(
    #items == 1 and "1 stack was" or ("%d stacks were"):format(#items), #items == 1 and "this stack" or "these stacks",
    table.concat(items))
end

local function tiles(figures)
  local recovery, duration = figures.recovery, figures.duration
  local counts = ("%d success, %d failed, %d pending"):format(figures.success, figures.failed, figures.pending)
  if figures.unknown > 0 then
    counts = counts .. (", %d unknown"):format(figures.unknown)
  end
  local list = {
    { "Deployments", figures.count, counts },
    { "Per week", figures.per_day and ("%.1f"):format(figures.per_day * 7) or "-",
      figures.per_day and ("%.2f a day"):format(figures.per_day) or "no range to divide by" },
    { "Failure rate", text.percent(figures.failure_rate), "of those that ended" },
    { "Duration", text.span(duration.median), "median; nine in ten within " .. text.span(duration.p90) },
    { "Recovery", text.span(recovery.median), ("median of %d; %d open"):format(recovery.count, recovery.open) },
  }
  local parts = {}
  for i, tile in ipairs(list) do
    parts[i] = ('<div><dt>%s</dt><dd class="figure">%s</dd><dd class="soft">%s</dd></div>'):format(tile[1], tile[2], tile[3])
  end
  return '<dl class="card tiles">' .. table.concat(parts) .. "</dl>"
end

local function bar_rows(rows, class)
  local parts, most = {}, 0
  for _, row in ipairs(rows) do
    most = math.max(most, row.size)
  end
  for i, row in ipairs(rows) do
    local cells = {}
    for j, cell in ipairs(row) do
      cells[j] = ('<td class="number">%s</td>'):format(escape(cell))
    end
    parts[i] = ('<tr><th scope="row">%s</th>%s<td class="bar %s">%s</td></tr>'):format(
      escape(row.name), table.concat(cells), class or "", svg.bar(most > 0 and row.size / most or 0))
  end
  return table.concat(parts, "\n")
end

local function ranking(heading, counts, none, all)
  local rows = {}
  for i, entry in ipairs(text.ranking(counts, NAMES, none)) do
    rows[i] = { name = entry.name, size = entry.count, entry.count, text.percent(entry.count / all) }
  end
  return ('<section class="card"><h2>%s</h2><table><tbody>%s</tbody></table></section>'):format(heading, bar_rows(rows))
end

local function by_type(figures)
  local rows = {}
  for name, spread in pairs(figures.duration.by_type) do
    rows[#rows + 1] = { name = name == "" and "(no type)" or name, size = spread.median, spread.count, text.span(spread.median),
      text.span(spread.p90) }
  end
  if #rows == 0 then
    return ""
  end
  table.sort(rows, function(a, b)
    return a[1] > b[1] or (a[1] == b[1] and a.name < b.name)
  end)
  local more = math.max(0, #rows - NAMES)
  for place = #rows, NAMES + 1, -1 do
    rows[place] = nil
  end
  return '<h3>Successes by type</h3><table><thead><tr><th></th><th scope="col" class="number">count</th>'
    .. '<th scope="col" class="number">median</th><th scope="col" class="number">p90</th><th class="roomy"></th></tr></thead><tbody>'
    .. bar_rows(rows, "roomy") .. "</tbody></table>"
    .. (more > 0 and ('<p class="soft">and %s</p>'):format(text.count(more, "more type")) or "")
end

local function recovery(figures)
  local found = figures.recovery
  local rows = {}
  if found.count > 0 then
    rows = {
      { name = "median", size = found.median, text.span(found.median) },
      { name = "nine in ten within", size = found.p90, text.span(found.p90) },
    }
  end
  local more = ("%s, %s still open"):format(text.count(found.count, "recovery", "recoveries"), text.count(found.open, "failure"))
  if found.unknown > 0 then
    more = more .. (", %d without a known end"):format(found.unknown)
  end
  return ('<section class="card"><h2>Recovery</h2><p class="soft">From the end of a failure to the end of the next success of the '
    .. "same ref on the same stack. %s.</p><table><tbody>%s</tbody></table></section>"):format(more, bar_rows(rows))
end

local function footer(report)
  local figures = report.figures
  local notes = {}
  if figures.undated > 0 then
    notes[#notes + 1] = ("%s no readable start and in no chart."):format(
      figures.undated == 1 and "1 deployment has" or ("%d deployments have"):format(figures.undated))
  end
  if figures.drift > 0 then
    notes[#notes + 1] = ("%s came in a form that was not understood."):format(text.count(figures.drift, "field"))
  end
  notes[#notes + 1] = ("Made %s UTC from the API of Cloud 66."):format(text.time(report.made))
  return ("<footer>%s</footer>"):format(table.concat(notes, " "))
end

local HEAD = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>]]

---@param report table  of gather.lua
---@return string
function html.write(report)
  local figures = report.figures
  local parts = {
    HEAD .. escape("Deployments of " .. title_of(report)) .. "</title>\n<style>\n" .. style .. "</style>\n</head>\n<body>",
    svg.DEFINITIONS .. "<main>", header(report), missing(report),
  }
  local function add(part)
    parts[#parts + 1] = part
  end
  if figures.count == 0 then
    add '<section class="card"><p>No deployments.</p></section>'
  else
    add(tiles(figures))
    if report.from then
      add(charts.strip(report))
      add(charts.series(report))
      add(charts.durations(report, by_type(figures)))
    end
    local how = ranking("How", figures.by_trigger, "(not sent)", figures.count)
    add('<div class="pair">' .. (report.from and charts.failures(report) or "")
      .. '<div class="column">' .. recovery(figures) .. how .. "</div></div>")
    add('<div class="pair">' .. ranking("Who", figures.by_user, "(not sent)", figures.count)
      .. ranking("What", figures.by_ref, "(no ref)", figures.count) .. "</div>")
  end
  add(footer(report))
  add "</main>\n</body>\n</html>\n"
  return table.concat(parts, "\n")
end

return html
