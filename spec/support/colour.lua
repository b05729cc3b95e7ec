-- Colours as WCAG 2 measures them: {red, green, blue}, each 0 to 255. https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
local colour = {}

local function linear(channel)
  local c = channel / 255
  return c <= 0.04045 and c / 12.92 or ((c + 0.055) / 1.055) ^ 2.4
end

---From 0 (black) to 1 (white).
function colour.luminance(c)
  return 0.2126 * linear(c[1]) + 0.7152 * linear(c[2]) + 0.0722 * linear(c[3])
end

---From 1 (the same) to 21 (black on white).
function colour.contrast(a, b)
  local one, other = colour.luminance(a), colour.luminance(b)
  return (math.max(one, other) + 0.05) / (math.min(one, other) + 0.05)
end

return colour
