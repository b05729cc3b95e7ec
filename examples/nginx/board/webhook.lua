-- Cloud 66's webhooks. They are not signed: a hint to ask the API, and nothing more. Each is sent once, and never again.
local bit = require "bit"
local cloud66 = require "cloud66"
local memory = require "board.memory"
local refresh = require "board.refresh"
local settings = require "board.settings"

local webhook = {}

local SKEW = 60 -- seconds by which the sender's clock may be ahead
local MOST_NOTES = 10 -- a second, whoever knows the secret

local function is_secret(text) -- takes as long wherever they differ
  local a, b, difference = ngx.sha1_bin(text), ngx.sha1_bin(settings.secret), 0
  for i = 1, #b do difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i))) end
  return difference == 0
end

-- This worker's, for its timer to log: during a request nothing is logged, since nginx adds the path with the secret.
local notes = {}

local function note(event, text)
  local name = event.event:sub(1, 80):gsub("[^%w_.]", "?")
  if #notes < MOST_NOTES then notes[#notes + 1] = ("%s of stack %s: %s"):format(name, event.stack_uid or "(none)", text) end
end

local function write_notes()
  for i = 1, #notes do
    ngx.log(ngx.WARN, "board: webhook ", notes[i])
    notes[i] = nil
  end
end

-- Why its age is refused. One without a timestamp may be of any age.
local function refusal(time)
  if not settings.max_age then return nil end
  local age = time and ngx.time() - time
  if not age then
    return "without a timestamp"
  elseif age > settings.max_age then
    return "older than CLOUD66_WEBHOOK_MAX_AGE"
  end
  return age < -SKEW and "from the future: are both clocks right?" or nil
end

-- The same delivery, as a proxy may make it twice. Without a timestamp, an equal body is another event before long. Where there
-- is no room for it, a second one is a second question.
local function is_repeated(event, body)
  local key = "seen:" .. ngx.md5(event.time and event.stack_uid .. "\n" .. event.time .. "\n" .. event.event or body)
  local seconds = event.time and math.max(600, (settings.max_age or 0) + SKEW) or 60
  local _, problem = memory.webhooks:safe_add(key, true, seconds)
  return problem == "exists", key
end

---@return integer status, string text
function webhook.receive()
  local given = ngx.var.uri:sub(#"/webhook/" + 1)
  if not settings.secret or ngx.req.get_method() ~= "POST" or not is_secret(given) then return 404, "not found" end
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local event, message = cloud66.webhook(body)
  if not event then return 400, message end
  local refused = refusal(event.time)
  if refused then
    note(event, "refused, " .. refused)
    return 403, refused
  elseif not event.stack_uid then
    return 202, "accepted" -- there is no stack to ask for
  end
  local repeated, key = is_repeated(event, body)
  if repeated then return 202, "accepted" end
  local ok, problem = refresh.wake(event.stack_uid)
  if not ok then
    memory.webhooks:delete(key)
    note(event, "no room, so the stack waits for its turn: " .. tostring(problem))
    return 503, "no room" -- for Cloud 66 to write down
  end
  return 202, "accepted"
end

---Begins, in each worker.
function webhook.start()
  assert(ngx.timer.every(1, write_notes))
end

return webhook
