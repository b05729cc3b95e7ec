-- svg.lua: the parts of a chart. Widths are per cent and heights pixels, so a chart fits any screen and its texts stay as
-- large as the rest of the page, without a script.

local text = require "history.text"

local svg = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

---Text of anybody's as text of HTML, also inside quotes.
function svg.escape(value)
  return (text.plain(value):gsub("[&<>\"']", ENTITIES))
end

---@param share number  0 to 1
function svg.percent(share)
  return ("%.2f%%"):format(share * 100)
end

---Once in a page: what the charts refer to.
svg.DEFINITIONS = [[
<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>
<pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect class="hatch-ground" width="5" height="5"/><line class="hatch-line" x1="0" y1="0" x2="0" y2="5"/></pattern>
<circle id="dot" class="dot" r="3.4"/>
<path id="cross" class="cross" d="M-3.2-3.2L3.2 3.2M3.2-3.2L-3.2 3.2"/>
<circle id="ring" class="ring" r="3.2"/>
</defs></svg>
]]

svg.TOP, svg.BOTTOM = 8, 24 -- pixels above and below what is plotted

---@param options { height: integer, label: string, x: table, y?: table, content: string }
---x, y: of axis.lua; label: what the chart shows, for who cannot see it
---@return string
function svg.plot(options)
  local height, y = options.height, options.y
  local floor, room = height - svg.BOTTOM, height - svg.BOTTOM - svg.TOP
  local parts = { ('<div class="plot%s">'):format(y and "" or " flat") }
  local function add(format, ...)
    parts[#parts + 1] = format:format(...)
  end
  if y then
    add('<svg height="%d" aria-hidden="true">', height)
    for _, tick in ipairs(y.ticks) do
      add('<text x="100%%" y="%.1f" text-anchor="end">%s</text>', floor - tick.value / y.top * room + 4, tick.label)
    end
    add "</svg>"
  end
  add('<svg height="%d" role="img" aria-label="%s">', height, svg.escape(options.label))
  for _, tick in ipairs(options.x.ticks) do
    add('<line class="grid" x1="%s" x2="%s" y1="%d" y2="%d"/>', svg.percent(tick.share), svg.percent(tick.share), svg.TOP, floor + 4)
  end
  for _, tick in ipairs(y and y.ticks or {}) do
    local at = floor - tick.value / y.top * room
    add('<line class="%s" x1="0" x2="100%%" y1="%.1f" y2="%.1f"/>', tick.value == 0 and "base" or "grid", at, at)
  end
  parts[#parts + 1] = options.content
  for _, tick in ipairs(options.x.ticks) do
    if tick.label then
      add('<text%s x="%s" y="%d" text-anchor="middle">%s</text>', tick.is_wide and ' class="wide"' or "",
        svg.percent(tick.share), height - 5, tick.label)
    end
  end
  add "</svg></div>"
  return table.concat(parts, "\n")
end

---A mark at a place, with what a pointer is told.
---@param name "dot"|"cross"|"ring"
function svg.mark(name, share, y, told)
  return ('<use href="#%s" x="%s" y="%.1f"><title>%s</title></use>'):format(name, svg.percent(share), y, svg.escape(told))
end

function svg.rectangle(class, share, width, y, height)
  return ('<rect class="%s" x="%s" width="%s" y="%.1f" height="%.1f"/>'):format(
    class, svg.percent(share), svg.percent(width), y, height)
end

---The bar in a row of a table.
function svg.bar(share)
  return ('<svg height="10" aria-hidden="true"><rect class="success" width="%s" height="10" rx="2"/></svg>'):format(
    svg.percent(math.max(0.006, share)))
end

local SIGNS = {
  dot = '<use href="#dot" x="7" y="7"/>', cross = '<use href="#cross" x="7" y="7"/>', ring = '<use href="#ring" x="7" y="7"/>',
  success = '<rect class="success" x="1" y="1" width="12" height="12"/>',
  hatched = '<rect class="hatched" x="1" y="1" width="12" height="12"/>',
  other = '<rect class="other" x="1.5" y="1.5" width="11" height="11"/>',
  median = '<line class="median" x1="0" x2="14" y1="7" y2="7"/>', ninth = '<line class="ninth" x1="0" x2="14" y1="7" y2="7"/>',
}

---@param entries { [1]: string, [2]: string }[]  sign, text
function svg.legend(entries)
  local parts = { '<ul class="legend">' }
  for _, entry in ipairs(entries) do
    parts[#parts + 1] = ('<li><svg width="14" height="14" aria-hidden="true">%s</svg>%s</li>'):format(
      SIGNS[entry[1]], svg.escape(entry[2]))
  end
  parts[#parts + 1] = "</ul>"
  return table.concat(parts)
end

return svg
