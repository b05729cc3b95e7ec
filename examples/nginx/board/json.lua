-- What is known of the stacks -> JSON for other programs. Times are ISO 8601 in UTC, durations seconds, ids text.
local cjson = require "cjson".new()
local memory = require "board.memory"
local summary = require "board.summary"
local view = require "board.view"
local words = require "board.words"

local json = {}

-- lua-cjson knows no empty list.
local function list(items)
  for i, value in ipairs(items) do items[i] = cjson.encode(value) end
  return "[" .. table.concat(items, ",") .. "]"
end

local function null(value)
  if value == nil or value == false then return cjson.null end
  return value
end

local function deployment(one)
  if not one then return cjson.null end
  return {
    id = one.id, git_ref = null(one.ref), git_hash = null(one.hash), commit_url = null(one.url), triggered_by = null(one.by),
    triggered_via = null(one.via), deploy_type = null(one.type), outcome = null(one.outcome), is_running = one.state == "running",
    is_live = one.live, started_at = null(words.iso(one.started)), finished_at = null(words.iso(one.finished)),
    duration = null(one.duration),
  }
end

local function running(record)
  local one = summary.running(record)
  if not one then return cjson.null end
  local object, usual, latest = deployment(one), summary.usual(record, one)
  object.usual_duration = null(usual)
  object.expected_end = usual and one.started and words.iso(one.started + usual) or cjson.null
  object.is_overdue = latest and one.started and ngx.time() - one.started > latest or false
  return object
end

local function stack(one, record, trouble)
  local object = { uid = one.uid, name = one.name, environment = null(one.environment), trouble = null(trouble) }
  if not record then
    object.known_at = cjson.null
    return object
  end
  local figures = summary.figures(record)
  object.known_at = words.iso(record.known_at)
  object.live, object.deploying, object.latest = deployment(summary.live(record)), running(record), deployment(record.list[1])
  object.succeeded, object.failed = figures.succeeded, figures.failed
  object.success_rate, object.median_duration = null(figures.rate), null(figures.median)
  return object
end

---@return string body, number known_at  # of the oldest; 0 if nothing is known
function json.stacks(now, margin)
  local items, oldest = {}, math.huge
  local stacks, since = memory.stacks()
  if stacks and #stacks == 0 then oldest = since end
  for i, one in ipairs(stacks or {}) do
    local record, trouble = view.known(one.uid, now, margin)
    items[i] = stack(one, record, trouble)
    if record then oldest = math.min(oldest, record.known_at) end
  end
  return '{"stacks":' .. list(items) .. "}\n", oldest < math.huge and oldest or 0
end

---@return string body
function json.deployments(one, record)
  local items = {}
  for i, d in ipairs(record.list) do items[i] = deployment(d) end
  return ('{"uid":%s,"name":%s,"known_at":"%s","deployments":%s}\n'):format(cjson.encode(one.uid), cjson.encode(one.name),
    words.iso(record.known_at), list(items))
end

---@param kind string
function json.problem(kind, message)
  return cjson.encode { error = kind, message = message } .. "\n"
end

return json
