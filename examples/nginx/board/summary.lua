-- A page of a stack's deployments, and what was known before -> what the board keeps of the stack:
--
--   {asked_at, known_at (Unix seconds), fresh (so many of the list are as the API said last), next (page still to be read, or
--   false), complete (whether the list is the whole history), list = {newest first: {id, ref, hash, url, by, via, type,
--   outcome, state, started, finished, duration, live, seen (Unix seconds: when the API said so)}}}
local settings = require "board.settings"
local words = require "board.words"

local summary = {}

-- Of addresses the part before the @ alone: the page may be public.
local function without_addresses(text)
  return text and words.cut((text:gsub("@[^%s>)]*", "")))
end

local function state_of(d)
  return d.is_running and "running" or d.is_success and "success" or d.is_failed and "failed" or "other"
end

-- An address that may be a link; none with a user or a password before its host, which no one else is to see.
local function link(url)
  local host = url and #url <= 500 and url:match "^[Hh][Tt][Tt][Pp][Ss]?://([^%s%c\"'<>\\/?#]+)[^%s%c\"'<>\\]*$"
  return host and not host:find("@", 1, true) and url
end

local function item(d, known_at)
  local hash = d.git_hash
  return {
    id = tostring(d.id), ref = words.cut(d.git_ref), hash = hash and hash:match "^%x+$" and hash:sub(1, 64):lower(),
    url = link(d.commit_url),
    by = without_addresses(d.triggered_by), via = words.cut(d.triggered_via), type = words.cut(d.deploy_type),
    outcome = words.cut(d.outcome), state = state_of(d), started = d.started_time, finished = d.finished_time,
    duration = d.duration, live = d.is_live or false, seen = known_at,
  }
end

local NEEDED = { is_live = true, outcome = true, is_deploying = true, started_at = true, finished_at = true }

---What must not be guessed: a field of a type this library does not know reads nil, which would look like "no".
---@return string|nil problem
function summary.problem(page)
  for _, drift in ipairs(page.drift) do
    if NEEDED[drift.field] then return ("the API sends '%s' as %s"):format(drift.field, drift.got) end
  end
end

-- Whether one is live of those that the API said last.
local function is_live_fresh(record)
  for i = 1, math.min(record.fresh, #record.list) do
    if record.list[i].live then return true end
  end
  return false
end

---Which page to ask for: the first, and every other time one of the older ones while they are missing, or the second while
---nothing on the first is live: what is live may then change where nobody looks.
function summary.wanted(record)
  if not record or record.turned then return 1 end
  if record.next then return record.next end
  return #record.list > record.fresh and not is_live_fresh(record) and 2 or 1
end

-- One list below another, with one more than are shown if there are so many: what both have once, as `newer` says it.
local function merge(list, more, newer)
  local by_id, seen, merged = {}, {}, {}
  for _, one in ipairs(newer) do by_id[one.id] = one end
  for _, part in ipairs { list, more } do
    for _, one in ipairs(part) do
      if not seen[one.id] and #merged <= settings.most_deployments then
        seen[one.id], merged[#merged + 1] = true, by_id[one.id] or one
      end
    end
  end
  return merged
end

-- Of an earlier list, what stands below anything that the new page has, too; nil if they have nothing in common.
local function below(items, earlier)
  local ids, rest = {}, nil
  for _, one in ipairs(items) do ids[one.id] = true end
  for _, one in ipairs(earlier) do
    if ids[one.id] then rest = rest or {} elseif rest then rest[#rest + 1] = one end
  end
  return rest
end

---@param record table|nil  what is known
---@param page cloud66.Page
---@param number integer    which page it is
function summary.update(record, page, number, asked_at, known_at)
  local items = {}
  for d in page:each() do items[#items + 1] = item(d, known_at) end
  local missing, complete, fresh, known = page.next or false, not page.next, #items, known_at
  local list
  if number > 1 then
    list, fresh, known = merge(record.list, items, items), record.fresh, record.known_at
  else
    local rest = record and below(items, record.list)
    list = merge(items, rest or {}, items)
    if rest then missing, complete = record.next, record.complete end
  end
  if #list >= settings.most_deployments then
    complete = complete and #list == settings.most_deployments
    list[settings.most_deployments + 1], missing = nil, false
  end
  return {
    asked_at = asked_at, known_at = known, fresh = fresh, next = missing, turned = number > 1, complete = complete, list = list,
  }
end

---The deployment that runs now, the newest if there are several.
function summary.running(record)
  for i = 1, math.min(record.fresh, #record.list) do
    if record.list[i].state == "running" then return record.list[i] end
  end
end

---The newest that is live, and all that are, of those that the API said last, or else of the older ones.
function summary.live(record)
  local found = {}
  for i, one in ipairs(record.list) do
    if i == record.fresh + 1 and found[1] then break end
    if one.live then found[#found + 1] = one end
  end
  return found[1], found
end

---Whether what summary.live() says was so at that time or later, if nothing on the first page is live.
---@param since number  Unix seconds
function summary.is_told(record, since)
  if is_live_fresh(record) then return true end
  for i = record.fresh + 1, #record.list do
    if (record.list[i].seen or 0) < since then return false end
  end
  return true
end

local function percentile(sorted, share)
  return sorted[math.max(1, math.ceil(share * #sorted))]
end

local FEWEST = 3 -- successes: fewer say nothing about the next one

---succeeded, failed (counts), rate (0 to 1, nil if none has ended), median (seconds of the successes, nil if there is none).
function summary.figures(record)
  local figures, durations = { succeeded = 0, failed = 0 }, {}
  for _, one in ipairs(record.list) do
    if one.state == "success" then
      figures.succeeded = figures.succeeded + 1
      durations[#durations + 1] = one.duration
    elseif one.state == "failed" then
      figures.failed = figures.failed + 1
    end
  end
  table.sort(durations)
  local ended = figures.succeeded + figures.failed
  figures.rate = ended > 0 and figures.succeeded / ended or nil
  figures.median = percentile(durations, 0.5)
  return figures
end

---How long a deployment usually takes, and how long nine in ten do: seconds, nil if nobody can tell. As stack:eta() has it,
---without its request: the history is here.
function summary.usual(record, deployment)
  local durations = {}
  for _, one in ipairs(record.list) do
    if one.state == "success" and one.type == deployment.type then durations[#durations + 1] = one.duration end
  end
  if #durations < FEWEST then return nil end
  table.sort(durations)
  return percentile(durations, 0.5), percentile(durations, 0.9)
end

return summary
