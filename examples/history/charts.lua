-- charts.lua: what the page draws. Outcomes differ in form, not in colour alone: dot, cross, ring; solid, hatched, hollow.

local calendar = require "cloud66.history.calendar"
local axis = require "history.axis"
local svg = require "history.svg"
local text = require "history.text"

local charts = {}

local MOST_MARKS = 2000 -- a page with more is slow
local MOST_LANES = 12
local MOST_BARS = 130

local FORMS = { success = "dot", failed = "cross" }

local function form_of(mark)
  return FORMS[mark.outcome] or "ring"
end

local function told_of(mark)
  return ("%s UTC: %s, %s%s"):format(text.time(mark.started), mark.what, mark.outcome or "no outcome",
    mark.duration and ", " .. text.span(mark.duration) or "")
end

-- The newest marks that a chart can show, and how many more there are. What failed comes last, on top of the rest.
local function drawn(report, can)
  local list, more = {}, 0
  for _, mark in ipairs(report.marks) do
    if can(mark) and #list < MOST_MARKS then
      list[#list + 1] = mark
    elseif can(mark) then
      more = more + 1
    end
  end
  local sorted = {}
  for _, form in ipairs { "dot", "ring", "cross" } do
    for _, mark in ipairs(list) do
      if form_of(mark) == form then
        sorted[#sorted + 1] = mark
      end
    end
  end
  return sorted, more
end

local function only_newest(count, more)
  return more > 0 and (" Only the newest %d of %d are drawn."):format(count, count + more) or ""
end

local function figure(title, caption, ...)
  return ('<figure class="card"><h2>%s</h2><figcaption>%s</figcaption>\n%s\n</figure>'):format(
    title, caption, table.concat({ ... }, "\n"))
end

local LEGEND = svg.legend { { "dot", "success" }, { "cross", "failed" }, { "ring", "pending or unknown" } }

-- --- the strip ---

-- A lane for each stack; the ones with the fewest deployments share the last.
local function lanes_of(report)
  local by_uid, lanes = {}, {}
  for _, stack in ipairs(report.stacks) do
    local lane = { name = stack.name, count = 0, marks = {}, lost = "" }
    by_uid[stack.uid], lanes[#lanes + 1] = lane, lane
  end
  for _, lost in ipairs(report.lost) do
    by_uid[lost.uid].lost = ", not read to the end"
  end
  for _, mark in ipairs(report.marks) do
    by_uid[mark.uid].count = by_uid[mark.uid].count + 1
  end
  if #lanes > MOST_LANES then
    local sorted = {}
    for i, lane in ipairs(lanes) do
      sorted[i] = { lane = lane, place = i }
    end
    table.sort(sorted, function(a, b)
      return a.lane.count > b.lane.count or (a.lane.count == b.lane.count and a.place < b.place)
    end)
    local shared = { name = ("%d other stacks"):format(#lanes - MOST_LANES + 1), count = 0, marks = {}, lost = "" }
    local kept = {}
    for i, entry in ipairs(sorted) do
      if i < MOST_LANES then
        kept[i] = entry.lane
      else
        shared.count = shared.count + entry.lane.count
        shared.lost = entry.lane.lost ~= "" and ", not all read to the end" or shared.lost
        entry.lane.shared = shared
      end
    end
    kept[MOST_LANES] = shared
    lanes = kept
  end
  return lanes, by_uid
end

local LANE = 26 -- pixels

function charts.strip(report)
  local x = axis.time(report.from, report.to)
  local lanes, by_uid = lanes_of(report)
  local marks, more = drawn(report, function(mark)
    return mark.started ~= nil
  end)
  for _, mark in ipairs(marks) do
    local lane = by_uid[mark.uid].shared or by_uid[mark.uid]
    lane.marks[#lane.marks + 1] = svg.mark(form_of(mark), x.at(mark.started), LANE / 2, told_of(mark))
  end
  local parts = { LEGEND }
  for i, lane in ipairs(lanes) do
    local is_last = i == #lanes
    local height = is_last and LANE + svg.BOTTOM or LANE
    local content = ('<line class="base" x1="0" x2="100%%" y1="%d" y2="%d"/>\n%s'):format(
      LANE / 2, LANE / 2, table.concat(lane.marks, "\n"))
    local label = ("%s: %s%s"):format(lane.name, text.count(lane.count, "deployment"), lane.lost)
    local drawing
    if is_last then
      drawing = svg.plot { height = height, label = label, x = x, content = content }
    else
      drawing = ('<div class="plot flat"><svg height="%d" role="img" aria-label="%s">%s</svg></div>'):format(
        height, svg.escape(label), content)
    end
    parts[#parts + 1] = ('<div class="lane"><p>%s <span class="soft">%d%s</span></p>%s</div>'):format(
      svg.escape(lane.name), lane.count, lane.lost, drawing)
  end
  parts[#parts + 1] = '<p class="axis below">start, UTC</p>'
  return figure("Timeline", "Each deployment at its start." .. only_newest(#marks, more), table.concat(parts, "\n"))
end

-- --- bars by interval ---

local function series_table(report)
  local rows = {}
  for _, part in ipairs(report.figures.series) do
    rows[#rows + 1] = ('<tr><th scope="row">%s</th><td class="number">%d</td><td class="number">%d</td><td class="number">%d</td></tr>')
      :format(part.label, part.success, part.failed, part.pending + part.unknown)
  end
  return ('<details><summary>The same as a table</summary><table><thead><tr><th scope="col">%s</th><th scope="col" class="number">'
    .. 'success</th><th scope="col" class="number">failed</th><th scope="col" class="number">other</th></tr></thead>'
    .. "<tbody>%s</tbody></table></details>"):format(report.by, table.concat(rows, "\n"))
end

local HEIGHT = 220

function charts.series(report)
  local parts, each = text.parts(report.figures.series, MOST_BARS)
  local most = 1
  for _, part in ipairs(parts) do
    most = math.max(most, part.count)
  end
  local from, to = parts[1].from, parts[#parts].to
  local x, y = axis.time(from, to), axis.height("number", most)
  local floor, room = HEIGHT - svg.BOTTOM, HEIGHT - svg.BOTTOM - svg.TOP
  local bars = {}
  for _, part in ipairs(parts) do
    local at, width = x.at(part.from), (part.to - part.from) / (to - from)
    local base = floor
    local stack = {}
    for _, kind in ipairs {
      { "success", part.success }, { "hatched", part.failed }, { "other", part.pending + part.unknown },
    } do
      if kind[2] > 0 then
        local height = kind[2] / y.top * room
        stack[#stack + 1] = svg.rectangle(kind[1], at + width * 0.12, width * 0.76, base - height, math.max(1, height - 1))
        base = base - height
      end
    end
    bars[#bars + 1] = ("<g><title>%s: %d success, %d failed, %d other</title>%s</g>"):format(
      part.label, part.success, part.failed, part.pending + part.unknown, table.concat(stack))
  end
  local unit = each > 1 and ("%d %ss"):format(each, report.by) or report.by
  return figure("Deployments per " .. report.by,
    (each > 1 and ("Each bar is %s. "):format(unit) or "") .. "Stacked by how they ended.",
    svg.legend { { "success", "success" }, { "hatched", "failed" }, { "other", "pending or unknown" } },
    ('<p class="axis">deployments per %s</p>'):format(unit),
    svg.plot { height = HEIGHT, label = ("Deployments per %s, by outcome; at most %d"):format(unit, most), x = x, y = y,
      content = table.concat(bars, "\n") },
    '<p class="axis below">start, UTC</p>', series_table(report))
end

-- --- durations ---

---@param by_type string  what comes below the chart
function charts.durations(report, by_type)
  local duration = report.figures.duration
  local marks, more = drawn(report, function(mark)
    return mark.started and mark.duration and FORMS[mark.outcome]
  end)
  if #marks == 0 then
    return ""
  end
  local most = 1
  for _, mark in ipairs(marks) do
    most = math.max(most, mark.duration)
  end
  -- One that took days must not press the rest flat.
  local limit = duration.p90 and duration.p90 > 0 and math.min(most, duration.p90 * 3) or most
  local x, y = axis.time(report.from, report.to), axis.height("span", limit)
  local floor, room = HEIGHT - svg.BOTTOM, HEIGHT - svg.BOTTOM - svg.TOP
  local function at(seconds)
    return floor - math.min(1, seconds / y.top) * room
  end
  local content, above = {}, 0
  for _, mark in ipairs(marks) do
    above = above + (mark.duration > y.top and 1 or 0)
    content[#content + 1] = svg.mark(form_of(mark), x.at(mark.started), at(mark.duration), told_of(mark))
  end
  local legend = { { "dot", "success" }, { "cross", "failed" } }
  for _, line in ipairs { { "median", duration.median, "median of successes " }, { "ninth", duration.p90, "nine in ten within " } } do
    if line[2] then
      content[#content + 1] = ('<line class="%s" x1="0" x2="100%%" y1="%.1f" y2="%.1f"/>'):format(line[1], at(line[2]), at(line[2]))
      legend[#legend + 1] = { line[1], line[3] .. text.span(line[2]) }
    end
  end
  return figure("Duration", "From start to end." .. only_newest(#marks, more)
    .. (above > 0 and (" %s drawn at the upper edge: longer than the chart is high."):format(
      above == 1 and "1 is" or ("%d are"):format(above)) or ""),
    svg.legend(legend), ('<p class="axis">%s</p>'):format(y.unit),
    svg.plot { height = HEIGHT, label = ("Duration of each deployment; median %s, nine in ten within %s"):format(
      text.span(duration.median), text.span(duration.p90)), x = x, y = y, content = table.concat(content, "\n") },
    '<p class="axis below">start, UTC</p>', by_type)
end

-- --- failure rate ---

-- By months, so that there is something to divide by; by the report's own intervals where these are few.
local function rates_of(report)
  local series = report.figures.series
  if #series <= 24 then
    return series, report.by
  end
  local months, list, unit = {}, {}, calendar.units.month
  for _, mark in ipairs(report.marks) do
    if mark.started and FORMS[mark.outcome] then
      local index = unit.index(mark.started)
      if not months[index] then
        months[index] = { from = unit.begins(index), to = unit.begins(index + 1), label = unit.label(index), success = 0, failed = 0 }
        list[#list + 1] = months[index]
      end
      months[index][mark.outcome] = months[index][mark.outcome] + 1
    end
  end
  table.sort(list, function(a, b)
    return a.from < b.from
  end)
  return list, "month"
end

function charts.failures(report)
  local rates, unit = rates_of(report)
  local most, content = 0, {}
  for _, rate in ipairs(rates) do
    rate.finished = rate.success + rate.failed
    most = math.max(most, rate.finished > 0 and rate.failed / rate.finished or 0)
  end
  if #rates == 0 then
    return ""
  end
  local height = 180
  local from, to = rates[1].from, rates[#rates].to
  local x, y = axis.time(from, to), axis.height("share", math.max(most, 0.1))
  local floor, room = height - svg.BOTTOM, height - svg.BOTTOM - svg.TOP
  for _, rate in ipairs(rates) do
    if rate.failed > 0 then
      local high = rate.failed / rate.finished / y.top * room
      local width = (rate.to - rate.from) / (to - from)
      content[#content + 1] = ("<g><title>%s: %d of %d failed</title>%s</g>"):format(rate.label, rate.failed, rate.finished,
        svg.rectangle("hatched", x.at(rate.from) + width * 0.15, width * 0.7, floor - high, high))
    end
  end
  return figure("Failure rate", ("Failed out of those that succeeded or failed, per %s. Over the whole range %s."):format(
    unit, text.percent(report.figures.failure_rate)), ('<p class="axis">per cent failed, per %s</p>'):format(unit),
    svg.plot { height = height, label = "Failure rate per " .. unit .. "; over the whole range "
      .. text.percent(report.figures.failure_rate), x = x, y = y, content = table.concat(content, "\n") },
    '<p class="axis below">start, UTC</p>')
end

return charts
