-- What is known of the stacks -> HTML. No style and no script in it: the page's Content-Security-Policy allows neither.
local memory = require "board.memory"
local settings = require "board.settings"
local summary = require "board.summary"
local words = require "board.words"

local view = {}

local e = words.escape

-- A text from the API: <bdi> keeps what is written from right to left from turning the rest round.
local function foreign(text, class)
  return ("<bdi%s>%s</bdi>"):format(class and (' class="%s"'):format(class) or "", e(text))
end

local function ago(seconds, now)
  return ('<time data-ago="%d" datetime="%s" title="%s">%s</time>'):format(seconds, words.iso(seconds), words.moment(seconds),
    words.ago(now - seconds))
end

local function commit(deployment)
  local parts = {}
  if deployment.ref then parts[#parts + 1] = foreign(deployment.ref, "ref") end
  local hash = words.short(deployment.hash or nil)
  if hash and deployment.url then
    parts[#parts + 1] = ('<a class="hash" href="%s" rel="noreferrer noopener">%s</a>'):format(e(deployment.url), hash)
  elseif hash then
    parts[#parts + 1] = ('<span class="hash">%s</span>'):format(hash)
  end
  return #parts > 0 and table.concat(parts, " ") or "an unknown commit"
end

-- "by maria · 3 h ago", or what there is of it.
local function by(deployment, time)
  local person = deployment.by and "by " .. foreign(deployment.by, "person")
  return person and time and person .. " · " .. time or person or time or ""
end

local function live_line(record, now)
  local live = summary.live(record)
  if not live then
    local none = #record.list == 0 and "Nothing has been deployed yet."
      or record.complete and "Nothing is live." or ("None of the last %d deployments is live."):format(#record.list)
    return ('<p class="live none">%s</p>'):format(none)
  end
  local since = live.finished or live.started
  return ('<div class="live"><p class="what"><span class="label">Live</span> %s</p><p class="who">%s</p></div>'):format(commit(live),
    by(live, since and ago(since, now)))
end

-- What ended without success after all others.
local function failed_line(newest, now)
  if not newest or newest.state == "success" or newest.state == "running" then return "" end
  local ended = newest.finished or newest.started
  return ('<div class="failed"><p class="what"><span class="label">%s</span> %s</p><p class="who">%s</p></div>'):format(
    newest.state == "failed" and "Failed" or "Unclear", commit(newest), by(newest, ended and ago(ended, now)))
end

local function running_line(record, running, now)
  local started = running.started or now
  local elapsed, usual, latest = now - started, summary.usual(record, running)
  local clock = ('<span class="clock" data-since="%d">%s</span>'):format(started, words.clock(elapsed))
  local hint, bar = "its usual duration is not known", '<progress aria-label="In progress"></progress>'
  if usual then
    hint = elapsed > latest and '<strong class="overdue">longer than usual</strong>, which is ' .. words.span(usual)
      or "usually " .. words.span(usual)
    bar = ('<progress aria-label="Elapsed of the usual duration" data-since="%d" max="%d" value="%d"></progress>'):format(
      started, usual, math.max(0, math.min(elapsed, usual)))
  end
  return ('<div class="deploying"><p class="what"><span class="label">Deploying</span> %s</p>%s<p class="who"><span>%s</span> '
    .. '<span class="usual">%s</span></p></div>'):format(commit(running), bar, by(running, clock), hint)
end

local MARKS = { success = "ok", failed = "bad", running = "run", other = "odd" }
local SAID = { success = "succeeded", failed = "failed", running = "is running" }

-- One bar: upwards for what succeeded, downwards for what failed, hollow while it runs; its length is the duration's.
local function bar(deployment, longest)
  local share = deployment.duration and longest > 0 and deployment.duration / longest or 0
  local text = ("%s %s"):format(words.commit(deployment),
    SAID[deployment.state] or "ended as " .. (deployment.outcome or "something unknown"))
  if deployment.duration then text = text .. " after " .. words.span(deployment.duration) end
  if deployment.by then text = text .. ", by " .. deployment.by end
  if deployment.started then text = text .. ", " .. words.moment(deployment.started) end
  return ('<li class="%s h%d%s" title="%s"></li>'):format(MARKS[deployment.state], math.max(1, math.ceil(share * 8)),
    deployment.live and " now" or "", e(text))
end

local function strip(record)
  local longest, bars = 0, {}
  for _, one in ipairs(record.list) do
    if one.state ~= "running" then longest = math.max(longest, one.duration or 0) end
  end
  for i = #record.list, 1, -1 do bars[#bars + 1] = bar(record.list[i], longest) end
  for _ = #bars + 1, settings.most_deployments do table.insert(bars, 1, '<li class="no"></li>') end
  local figures = summary.figures(record)
  return ('<ol class="strip" role="img" aria-label="The last %d deployments: %d succeeded, %d failed">%s</ol>'):format(
    #record.list, figures.succeeded, figures.failed, table.concat(bars))
end

local function figure(name, value, note)
  return ('<div><dt>%s</dt><dd>%s%s</dd></div>'):format(name, value, note and (' <small>%s</small>'):format(note) or "")
end

local function figure_list(record)
  local figures = summary.figures(record)
  local ended = figures.succeeded + figures.failed
  return '<dl class="figures">' .. figure("Succeeded", figures.rate and ("%d %%"):format(figures.rate * 100) or "–",
    ended > 0 and ("of %d"):format(ended) or nil)
    .. figure("Median", figures.median and words.span(figures.median) or "–") .. "</dl>"
end

-- The word on the whole stack, with a sign of its own, so that no colour is needed.
local function state(record, running)
  local newest = record.list[1]
  if running then return "run", "Deploying"
  elseif not newest then return "none", "New"
  elseif newest.state == "failed" then return "bad", "Last one failed"
  elseif newest.state == "other" then return "odd", "Last one unclear"
  end
  return summary.live(record) and "ok" or "none", summary.live(record) and "Live" or "Not live"
end

-- What changes only with the record: kept, as it is most of the work.
local kept = setmetatable({}, { __mode = "k" })
local function still(record)
  kept[record] = kept[record] or (#record.list > 0 and strip(record) .. figure_list(record) or "")
  return kept[record]
end

local function open_stack(stack, class, word)
  local environment = stack.environment and ('<p class="env">%s</p>'):format(foreign(stack.environment)) or ""
  return ('<article class="stack is-%s" data-key="%s"><header><div><h2>%s</h2>%s</div><span class="state">%s</span></header>'):format(
    class, e(stack.uid), foreign(stack.name), environment, word)
end

---One stack. `age`: seconds, where it is to be told; nil where it is fresh.
function view.stack(stack, record, trouble, age, now)
  if not record then
    return ('%s<p class="live none">%s</p></article>'):format(open_stack(stack, "none", "Unknown"),
      trouble and "Nothing is known. " .. words.reason(trouble) or "Not asked yet.")
  end
  local running = summary.running(record)
  local note = age and ('<p class="note">Known %s. %s</p>'):format(ago(now - age, now), trouble and words.reason(trouble) or "") or ""
  return table.concat { open_stack(stack, state(record, running)), note, live_line(record, now),
    running and running_line(record, running, now) or failed_line(record.list[1], now), still(record), "</article>" }
end

---What stands above all. `since`: Unix seconds of what is shown; nil where nothing is.
function view.banner(text, since, now)
  return ('<p class="banner" data-key="banner" role="status">%s %s</p>'):format(
    since and ("<span>This is what was known %s.</span>"):format(ago(since, now)) or "<span>Nothing is known.</span>", text)
end

local LEGEND = '<ul class="legend" aria-label="What the bars mean"><li><i class="ok"></i>succeeded</li><li><i class="bad"></i>failed</li>'
  .. '<li><i class="run"></i>running</li><li><i class="odd"></i>other</li><li><i class="now"></i>live</li></ul>'

---The page before and after what changes.
function view.frame()
  local title = e(settings.title)
  return ([[<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%s</title>
<link rel="stylesheet" href="/board.css">
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<script src="/board.js" defer></script>
<noscript><meta http-equiv="refresh" content="%d"></noscript>
</head>
<body>
<header class="top"><h1>%s</h1><p id="state" role="status"></p></header>
<main id="board" data-every="%d">
]]):format(title, math.max(5, settings.interval), title, math.max(1, math.min(5, settings.interval))),
    ([[

</main>
<footer>%s<p>Bars are as long as the deployment took; the last %d, the newest on the right.</p></footer>
</body>
</html>
]]):format(LEGEND, settings.most_deployments)
end

-- Decoded once for each text; all anew before those of stacks that are gone fill a worker's memory.
local decoded, count = {}, 0
local function record_of(uid)
  local text = memory.dict:get("stack:" .. uid)
  if not text then return nil end
  if not decoded[uid] then
    if count >= 2 * settings.most_stacks then decoded, count = {}, 0 end
    count = count + 1
  end
  if not decoded[uid] or decoded[uid].text ~= text then
    decoded[uid] = { text = text, record = memory.table("stack:" .. uid) }
  end
  return decoded[uid].record
end

---What is known of a stack and may still be told, and why there is nothing newer.
---@return table|nil record, string|nil trouble
function view.known(uid, now, margin)
  local record = record_of(uid)
  if record and not (settings.is_known(now - record.known_at) and settings.is_known(now - record.known_at + (margin or 0))) then
    record = nil
  end
  return record, memory.dict:get("trouble:" .. uid)
end

---The part of the page that changes.
---@param margin number  seconds until it is made anew
---@return string html, number known_at  # Unix seconds of the oldest in it; 0 if nothing is known
function view.board(now, margin)
  local stacks, since = memory.stacks()
  if not stacks then
    local trouble = memory.dict:get "trouble:*"
    return view.banner(trouble and words.reason(trouble) or "Nobody has asked the API yet.", nil, now), 0
  end
  if #stacks == 0 then return '<p class="banner" data-key="banner">The token sees no stack.</p>', since end
  local late = math.max(5, 3 * settings.pause(#stacks)) -- seconds: so old is nothing while all is well
  local oldest, old_ones, known_ones, parts, why = math.huge, 0, 0, {}, nil
  local records = {}
  for i, stack in ipairs(stacks) do
    local record, trouble = view.known(stack.uid, now, margin)
    records[i] = { record = record, trouble = trouble, age = record and now - record.known_at > late and now - record.known_at or nil }
    if record then
      known_ones, oldest = known_ones + 1, math.min(oldest, record.known_at)
    end
    if records[i].age then old_ones = old_ones + 1 end
    why = why or trouble
  end
  local all_old = known_ones > 0 and old_ones == known_ones
  if all_old or known_ones == 0 then
    parts[1] = view.banner(why and words.reason(why) or "", all_old and oldest or nil, now)
  end
  for i, stack in ipairs(stacks) do
    local known = records[i]
    parts[#parts + 1] = view.stack(stack, known.record, known.trouble, not all_old and known.age or nil, now)
  end
  return table.concat(parts, "\n"), known_ones > 0 and oldest or 0
end

return view
