-- Asks the API in the background: one worker at a time, each stack by itself, once per interval and never twice for a failure.
-- Who asks holds a lock that lives for seconds, so that another worker goes on when it is killed.
local badge = require "board.badge"
local json = require "board.json"
local memory = require "board.memory"
local settings = require "board.settings"
local summary = require "board.summary"
local view = require "board.view"
local words = require "board.words"

local refresh = {}

local dict = memory.dict

local TICK = 0.25 -- seconds
local LOCK = 3 -- seconds: a killed worker's
local RENDER = 2 -- seconds between two makings of the page: times pass in it
local LIST = 600 -- seconds between two looks at the list of stacks
local WOKEN_LIST = 60 -- the same, where events of stacks that nobody knows come in
local AT_ONCE = 8 -- requests begun in one tick, so that many stacks spread out
local SHORTEST = 1 -- seconds between two questions about a stack, whatever wakes them

local client
local me -- this worker, in the lock
local asking, asked = {}, {} -- by uid: whether a request is in flight; when the last one began

-- --- what went wrong, told once ---

local function failed(key, what, message, kind)
  if dict:safe_add("trouble:" .. key, kind) then
    ngx.log(ngx.WARN, "board: ", what, " cannot be asked for, trying on: ", message)
  else
    memory.keep("trouble:" .. key, kind)
  end
end

local function succeeded(key, what)
  if dict:get("trouble:" .. key) then
    dict:delete("trouble:" .. key)
    ngx.log(ngx.NOTICE, "board: ", what, " can be asked for again")
  end
end

-- Older deployments that cannot be asked for are no trouble of the stack's: what is newest may be known all the same. Told when
-- it happens twice in a row, as between the two the newest were asked for, and there was an answer.
local function older_failed(uid, what, message)
  local times = (dict:get("older:" .. uid) or 0) + 1
  memory.keep("older:" .. uid, times)
  if times == 2 then ngx.log(ngx.WARN, "board: older deployments of ", what, " cannot be asked for, trying on: ", message) end
end

-- --- one stack ---

local function publish(stack, now)
  local record = view.known(stack.uid, now, RENDER)
  memory.publish("badge:" .. stack.uid, badge.svg(stack.name, record), record and record.known_at or 0)
  if record then
    memory.publish("deployments:" .. stack.uid, json.deployments(stack, record), record.known_at)
  end
  dict:incr("version", 1, 0)
end

-- Keeps what an answer says, or that there was none to the question for older deployments: the newest are then asked for again.
-- false where there is no room for it.
local function learn(uid, record, page, number, began)
  local now = memory.table("stack:" .. uid)
  if now and now.asked_at > began and now.asked_at <= ngx.now() then return true end -- an ending worker was quicker
  if page then
    record = summary.update(record, page, number, began, ngx.now())
  elseif number > 1 then
    record.turned = true
  else
    return true
  end
  return memory.keep_table("stack:" .. uid, record)
end

local function ask(stack, woken)
  local uid, began = stack.uid, ngx.now()
  local record = memory.table("stack:" .. uid)
  if record and record.known_at > began then record.turned = true end -- the clock was put back: the newest first
  local number = woken and 1 or summary.wanted(record) -- what has happened stands on the first page
  local page, message, err = client:stack(uid):page(number)
  local problem = page and summary.problem(page)
  local kept = learn(uid, record, not problem and page, number, began)
  local what, kind = tostring(client:stack(uid)), problem and "decode" or err and err.kind or not kept and "room"
  if err and err.retry_after then
    memory.keep("due:" .. uid, math.max(dict:get("due:" .. uid) or 0, ngx.now() + math.min(err.retry_after, 3700)))
  end
  if kind and number > 1 then
    older_failed(uid, what, problem or message or words.reason(kind))
  elseif kind then
    failed(uid, what, problem or message or words.reason(kind), kind)
  elseif number > 1 then
    dict:delete("older:" .. uid)
  else
    succeeded(uid, what)
  end
  publish(stack, ngx.now())
end

local function run(premature, fn, key, ...)
  if not premature then
    local ok, problem = pcall(fn, ...)
    if not ok then ngx.log(ngx.ERR, "board: ", tostring(problem)) end
  end
  asking[key] = nil
end

-- In a light thread of its own.
local function start(fn, key, ...)
  asking[key], asked[key] = true, ngx.now()
  local ok, problem = ngx.timer.at(0, run, fn, key, ...)
  if not ok then
    asking[key] = nil
    ngx.log(ngx.ERR, "board: no timer: ", problem)
  end
end

local function may_be_woken(count)
  local most, so_far = settings.woken(count), dict:incr("woken:" .. math.floor(ngx.time() / 3600), 1, 0, 3600) or 0
  if so_far == most + 1 then
    ngx.log(ngx.WARN, "board: more than ", most, " webhooks this hour: until the next one, stacks wait for their turn")
  end
  return so_far <= most
end

local function start_stacks(stacks)
  local now, pause, begun = ngx.now(), settings.pause(#stacks), 0
  for _, stack in ipairs(stacks) do
    local uid = stack.uid
    local since = now - (asked[uid] or 0) -- this holds even where the shared memory is full
    local woken = memory.webhooks:get("wake:" .. uid) and since >= SHORTEST
    local due = since >= pause - TICK and now >= (dict:get("due:" .. uid) or 0)
    if begun < AT_ONCE and not asking[uid] and (woken or due) then
      memory.webhooks:delete("wake:" .. uid) -- first: what happens from now on is asked for again
      if due or may_be_woken(#stacks) then
        begun = begun + 1
        memory.keep("due:" .. uid, now + pause)
        start(ask, uid, stack, woken)
      end
    end
  end
end

-- --- the list of stacks, for their names ---

local function text_of(value)
  return type(value) == "string" and value ~= "" and words.cut(value) or nil
end

-- In the order of the settings, where they name any; of these, one that is not in the list is shown by its uid.
local function chosen(found)
  if not settings.uids then return found end
  local by_uid, list = {}, {}
  for _, stack in ipairs(found) do by_uid[stack.uid] = stack end
  for i, uid in ipairs(settings.uids) do list[i] = by_uid[uid] or { uid = uid, name = uid } end
  return list
end

local function keep_list(found)
  local stacks, stays = chosen(found), {}
  for _, stack in ipairs(stacks) do stays[stack.uid] = true end
  for _, stack in ipairs(memory.stacks() or {}) do
    if not stays[stack.uid] then
      memory.forget(stack.uid)
      asked[stack.uid] = nil
    end
  end
  memory.keep_table("list", { stacks = stacks, at = ngx.time() })
  dict:incr("version", 1, 0)
end

local function ask_for_list()
  local found, odd = {}, 0
  local count, message, err = client:stacks():take(settings.most_stacks + 1):each(function(stack)
    if #stack.uid > 100 or stack.uid:find "[^%w_-]" then
      odd = odd + 1
    else
      found[#found + 1] = { uid = stack.uid, name = text_of(stack.name) or stack.uid, environment = text_of(stack.environment) }
    end
  end)
  if not count then
    failed("*", "the list of stacks", message, err.kind)
    local again = math.max(settings.interval, math.min(err.retry_after or 0, 3700))
    memory.keep("due:*", ngx.now() + again)
    dict:incr("version", 1, 0)
    return
  end
  succeeded("*", "the list of stacks")
  if odd > 0 then
    ngx.log(ngx.WARN, "board: left out are ", odd, " stacks whose uids are not 100 or fewer letters and digits")
  end
  if #found > settings.most_stacks then
    found[#found] = nil
    ngx.log(ngx.WARN, "board: there are more stacks than ", settings.most_stacks, ", the rest is left out")
  end
  keep_list(found)
  local stacks = memory.stacks() or {}
  if #stacks == 0 then memory.keep("due:*", ngx.now() + settings.interval) end -- there is nothing else to ask for
  start_stacks(stacks)
end

local function start_list()
  local now = ngx.now()
  if not asking["*"] and now - (asked["*"] or 0) >= settings.interval and now >= (dict:get "due:*" or 0) then
    memory.keep("due:*", now + LIST)
    start(ask_for_list, "*")
  end
end

-- --- the page ---

local function render()
  local now, version = ngx.now(), dict:get "version" or 0
  if version == dict:get "rendered" and now < (dict:get "render" or 0) then return end
  local board, known_at = view.board(now, RENDER)
  memory.publish("board", board, known_at)
  memory.publish("stacks", json.stacks(now, RENDER))
  dict:set("rendered", version)
  dict:set("render", now + RENDER)
end

-- --- ticks ---

local latest = 0 -- when this worker looked last

-- Where the clock was put back, all that was to happen is due.
local function watch_clock()
  local now = ngx.now()
  if now < latest - 1 then
    ngx.log(ngx.WARN, "board: the clock was put back by ", math.ceil(latest - now), " s: all is asked for again")
    for key in pairs(asked) do asked[key] = nil end
    for _, stack in ipairs(memory.stacks() or {}) do dict:delete("due:" .. stack.uid) end
    dict:delete "due:*"
    dict:delete "render"
  end
  latest = now
end

local function is_mine()
  if dict:get "lock" == me then return dict:set("lock", me, LOCK) end
  local ok = dict:add("lock", me, LOCK)
  if ok then ngx.log(ngx.NOTICE, "board: worker ", ngx.worker.pid(), " asks the API from now on") end
  return ok
end

local function tick(premature)
  if premature then -- the worker is to end: another one need not wait
    if dict:get "lock" == me then dict:delete "lock" end
  elseif is_mine() then
    watch_clock()
    start_list()
    start_stacks(memory.stacks() or {})
    render()
  end
end

---Begins, in each worker.
---@param made cloud66.Client
function refresh.start(made)
  client, me = made, ("%d-%s"):format(ngx.worker.pid(), ngx.now())
  if settings.uids and not memory.stacks() then keep_list {} end
  local function guarded(premature)
    local fine, raised = pcall(tick, premature)
    if not fine then ngx.log(ngx.ERR, "board: ", tostring(raised)) end
  end
  assert(ngx.timer.at(0, guarded))
  assert(ngx.timer.every(TICK, guarded))
end

---Has a stack asked for at once; one that nobody knows yet, the list, once a minute. In a full dict it takes the place of what is
---oldest.
---@return boolean|nil ok, string|nil problem
function refresh.wake(uid)
  for _, stack in ipairs(memory.stacks() or {}) do
    if stack.uid == uid then return memory.webhooks:set("wake:" .. uid, true, 60) end
  end
  if settings.uids then return true end
  local next_time = ngx.now() + WOKEN_LIST
  local at = memory.webhooks:add("list", next_time, WOKEN_LIST) and 0 or memory.webhooks:get "list" or 0
  return dict:safe_set("due:*", math.min(at, dict:get "due:*" or 0))
end

return refresh
