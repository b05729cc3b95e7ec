-- A stack as a small picture for a README or a wiki: its name, and what is live.
local summary = require "board.summary"
local words = require "board.words"

local badge = {}

local COLOURS = { ok = "#1a7f4b", bad = "#b3261e", run = "#1d5fc4", none = "#5d6673" }

local function length(text)
  local _, count = text:gsub("[^\128-\191]", "")
  return count
end

-- textLength makes any font fit: there is no telling which one it will be.
local function drawn(label, value, colour)
  local left, right = 6.6 * length(label) + 14, 6.6 * length(value) + 14
  local function text(x, width, content)
    return ('<text x="%.1f" y="14" textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>'):format(x, width, words.escape(content))
  end
  return table.concat {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="20" role="img" aria-label="%s">'):format(left + right,
      words.escape(label .. ": " .. value)),
    "<title>", words.escape(label .. ": " .. value), "</title>",
    ('<clipPath id="r"><rect width="%.0f" height="20" rx="4"/></clipPath><g clip-path="url(#r)">'):format(left + right),
    ('<rect width="%.1f" height="20" fill="#333a44"/><rect x="%.1f" width="%.1f" height="20" fill="%s"/></g>'):format(left, left,
      right + 1, colour),
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">',
    text(7, left - 14, label), text(left + 7, right - 14, value), "</g></svg>\n",
  }
end

---@param record table|nil  nil: nothing is known
---@return string SVG
function badge.svg(label, record)
  label = words.cut(label, 60)
  if not record then return drawn(label, "unknown", COLOURS.none) end
  local live, newest = summary.live(record), record.list[1]
  local what = live and (words.short(live.hash or nil) or "unknown commit")
  if summary.running(record) then
    return drawn(label, "deploying " .. words.cut(words.commit(summary.running(record)), 40), COLOURS.run)
  elseif not newest then
    return drawn(label, "never deployed", COLOURS.none)
  elseif newest.state == "failed" then
    return drawn(label, live and "failed, live " .. what or "failed", COLOURS.bad)
  elseif not live then
    return drawn(label, "nothing live", COLOURS.none)
  end
  return drawn(label, "live " .. words.cut(words.commit(live), 40), COLOURS.ok)
end

return badge
