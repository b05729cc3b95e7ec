-- Times and texts as people read them. What board.js says of times, it says in the same words.
local words = {}

local UNITS = { { 31557600, "y" }, { 2629800, "months", "month" }, { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } }

---"3 h", for seconds: the largest unit of which there is one.
function words.span(seconds)
  for _, unit in ipairs(UNITS) do
    if seconds >= unit[1] then
      local count = math.floor(seconds / unit[1])
      return ("%d %s"):format(count, count == 1 and unit[3] or unit[2])
    end
  end
  return "0 s"
end

---"3 h ago"
function words.ago(seconds)
  return seconds < 1 and "just now" or words.span(seconds) .. " ago"
end

---"4:09", "1:04:09"
function words.clock(seconds)
  seconds = math.max(0, math.floor(seconds))
  local hours, minutes = math.floor(seconds / 3600), math.floor(seconds / 60) % 60
  return hours > 0 and ("%d:%02d:%02d"):format(hours, minutes, seconds % 60) or ("%d:%02d"):format(minutes, seconds % 60)
end

---"2026-11-20T10:14:37Z"; nil for nil.
function words.iso(seconds)
  return seconds and os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

---"20 Nov 2026, 10:14 UTC"
function words.moment(seconds)
  return (os.date("!%d %b %Y, %H:%M UTC", seconds):gsub("^0", ""))
end

function words.short(hash)
  return hash and hash:sub(1, 7)
end

---"main@a1b2c3d", or what there is of it.
function words.commit(deployment)
  local hash = words.short(deployment.hash or nil)
  return deployment.ref and hash and deployment.ref .. "@" .. hash or deployment.ref or hash or "unknown commit"
end

local LONGEST = 120 -- bytes of a text from the API

---The beginning of a text that is too long, not cut within a character; nil for nil.
function words.cut(text, most)
  most = most or LONGEST
  if not text or #text <= most then return text end
  while most > 1 and text:byte(most + 1) >= 128 and text:byte(most + 1) < 192 do most = most - 1 end
  return text:sub(1, most) .. "…"
end

-- Why nothing new is known: nobody but the log needs to know more.
local REASONS = {
  auth = "The API does not accept the token.", trial_expired = "The account's trial has expired.",
  forbidden = "The token may not see this stack.", not_found = "The API knows no such stack.",
  throttled = "The API has been asked too often.", decode = "The API's answer could not be read.",
  connect = "The API cannot be reached.", network = "The API cannot be reached.", tls = "The API's certificate is not trusted.",
  timeout = "The API does not answer in time.", room = "This board's memory is full.", server = "The API is out of order.",
}

function words.reason(kind)
  return REASONS[kind] or "The API could not be asked."
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

---Text for HTML or SVG, inside of elements and of quoted attributes. What XML forbids, control characters and U+FFFE
---and U+FFFF, becomes visible.
function words.escape(text)
  return (tostring(text):gsub("[%z\1-\31\127]", "\239\191\189"):gsub("\239\191[\190\191]", "\239\191\189"):gsub("[&<>\"']", ENTITIES))
end

return words
