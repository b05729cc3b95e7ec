-- Answers, all from memory: none waits for the API.
local json = require "board.json"
local memory = require "board.memory"
local settings = require "board.settings"
local summary = require "board.summary"
local view = require "board.view"
local webhook = require "board.webhook"
local words = require "board.words"

local serve = {}

local HTML, JSON, TEXT, SVG = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8", "image/svg+xml"

local function answer(status, content_type, body)
  ngx.status = status
  ngx.header["Content-Type"] = content_type
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

-- Nothing is known, or only what is too old.
local function unavailable(content_type, body)
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["Retry-After"] = settings.interval
  answer(503, content_type, body)
end

-- nginx itself turns it into a 304 where the client has that etag.
local function fresh(content_type, etag, body)
  ngx.header["ETag"] = etag
  answer(200, content_type, body)
end

-- What is published under a name: etag, known_at; nil where nothing may be told.
local function tag(name)
  local etag, known_at = memory.tag(name)
  local age = ngx.time() - known_at
  if not etag or known_at == 0 or not settings.is_known(age) then return nil end
  ngx.header["Age"] = math.max(0, age)
  return etag
end

-- --- the page ---

local top, bottom = view.frame()
local frame_tag = '"' .. ngx.md5(top .. bottom):sub(1, 8)

local function nothing()
  return memory.tag "board" and select(2, memory.tag "board") == 0 and memory.body "board"
    or view.banner("Nobody has asked the API yet.", nil, ngx.time())
end

local function page()
  local etag = tag "board"
  local body = etag and memory.body "board"
  if not body then return unavailable(HTML, top .. nothing() .. bottom) end
  fresh(HTML, frame_tag .. etag:sub(2), top .. body .. bottom)
end

local function fragment()
  local etag = tag "board"
  local body = etag and memory.body "board"
  if not body then return unavailable(HTML, nothing()) end
  fresh(HTML, etag, body)
end

-- --- other programs ---

local UNKNOWN = json.problem("unavailable", "nothing is known, or nothing that is new enough")
local NO_STACK = json.problem("not_found", "the board has no such stack")

local function is_stack(uid)
  for _, stack in ipairs(memory.stacks() or {}) do
    if stack.uid == uid then return true end
  end
  return false
end

local function stacks()
  local etag = tag "stacks"
  local body = etag and memory.body "stacks"
  if not body then return unavailable(JSON, UNKNOWN) end
  fresh(JSON, etag, body)
end

local function deployments(uid)
  local etag = tag("deployments:" .. uid)
  local body = etag and memory.body("deployments:" .. uid)
  if body then return fresh(JSON, etag, body) end
  if memory.stacks() and not is_stack(uid) then return answer(404, JSON, NO_STACK) end
  unavailable(JSON, UNKNOWN)
end

local badge = require "board.badge"

local function picture(uid)
  ngx.header["Cross-Origin-Resource-Policy"] = "cross-origin" -- for other sites to show
  local etag = tag("badge:" .. uid)
  local body = etag and memory.body("badge:" .. uid)
  if body then return fresh(SVG, etag, body) end
  if memory.stacks() and not is_stack(uid) then return answer(404, TEXT, "the board has no such stack\n") end
  unavailable(SVG, badge.svg(uid, nil))
end

-- --- the gate: only what is hardly older than the interval may open it ---

local function is_commit(one, hash) -- either may be shortened
  local n = math.min(#one, #hash)
  return (n < 40 or #one == #hash) and n >= 7 and one:sub(1, n) == hash:sub(1, n):lower()
end

local function gate(rest)
  local uid, hash = rest:match "^([%w_-]+)/(%x+)$"
  if not uid or #hash < 7 or #hash > 64 then
    return answer(400, TEXT, "ask for /gate/<stack uid>/<git hash>, the hash in 7 to 64 hex digits\n")
  end
  local list = memory.stacks()
  if list and not is_stack(uid) then return answer(404, TEXT, "the board has no such stack\n") end
  local now = ngx.now()
  local record, trouble = view.known(uid, now)
  local since = now - 3 * settings.pause(#(list or {})) - 10
  if not record or record.known_at < since or not summary.is_told(record, since) then
    return unavailable(TEXT, ("it is not known what is live on %s: %s\n"):format(uid,
      trouble and words.reason(trouble) or "the API has not been asked lately"))
  end
  ngx.header["Age"] = math.max(0, math.floor(now - record.known_at))
  ngx.header["Cache-Control"] = "no-store"
  local _, live = summary.live(record)
  local unnamed = not live[1] and not record.complete
  for _, one in ipairs(live) do
    if one.hash and is_commit(one.hash, hash) then
      return answer(200, TEXT, ("%s is live on %s\n"):format(hash, uid))
    end
    unnamed = unnamed or not one.hash
  end
  if unnamed then return unavailable(TEXT, ("the API does not say what is live on %s\n"):format(uid)) end
  answer(409, TEXT, ("%s is not live on %s\n"):format(hash, uid))
end

-- --- webhooks ---

---POST /webhook/SECRET
function serve.webhook()
  local status, text = webhook.receive()
  answer(status, TEXT, text .. "\n")
end

-- --- files, and which path is what ---

local function file(name, content_type)
  local path = assert(package.searchpath and package.searchpath("board.serve", package.path), "no package.searchpath")
  local handle = assert(io.open((path:gsub("serve%.lua$", name)), "rb"))
  local body = handle:read "*a"
  handle:close()
  local etag = '"' .. ngx.md5(body) .. '"'
  return function() fresh(content_type, etag, body) end
end

local paths = {
  ["/"] = page, ["/fragment"] = fragment, ["/api/stacks.json"] = stacks,
  ["/board.css"] = file("board.css", "text/css; charset=utf-8"), ["/board.js"] = file("board.js", "text/javascript; charset=utf-8"),
  ["/icon.svg"] = file("icon.svg", SVG),
}
local patterns = {
  { "^/api/stacks/([%w_-]+)/deployments%.json$", deployments }, { "^/badge/([%w_-]+)%.svg$", picture }, { "^/gate/(.+)$", gate },
}

local function find(uri)
  if paths[uri] then return paths[uri] end
  for _, row in ipairs(patterns) do
    local rest = uri:match(row[1])
    if rest then return row[2], rest end
  end
end

---Any other request.
function serve.request()
  local handler, rest = find(ngx.var.uri)
  local method = ngx.req.get_method()
  if not handler then
    return answer(404, TEXT, "not found\n")
  elseif method ~= "GET" and method ~= "HEAD" then
    ngx.header["Allow"] = "GET, HEAD"
    return answer(405, TEXT, "only GET and HEAD\n")
  end
  ngx.header["Cache-Control"] = "no-cache" -- to be kept, and asked for again with its etag
  handler(rest)
end

return serve
