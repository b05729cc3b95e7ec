-- The deployment board (examples/nginx/board) beside the fake API, for specs that look at it.
local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
local nginx = require "spec.support.nginx"
local webhooks = require "spec.support.documented_webhooks"

local board = {
  SECRET = "0123456789abcdef-SECRET",
  PATIENCE = 30, -- seconds that anything may take
}

local started = {} -- what board.stop() ends

local function starts(server)
  started[#started + 1] = server
  return server
end

-- The fake counts the requests of all specs, and would tell a board of an hour that others have used up.
local function url_of(scenario)
  return fake.url(merged({ ratelimit = "no" }, scenario))
end

---Starts one that looks every second. The API is a scenario, or a base URL.
---@param api? table|string
---@param environment? table  variables, false where one is not to be set
---@param workers? integer    2
---@param change? fun(text: string): string  of nginx.conf
---@return table server       as of nginx.start()
function board.start(api, environment, workers, change)
  local all = merged({
    CLOUD66_URL = type(api) == "string" and api or url_of(api), CLOUD66_TOKEN = fake.token, CLOUD66_ACCESS_TOKEN = false,
    CLOUD66_WEBHOOK_SECRET = board.SECRET, CLOUD66_WEBHOOK_MAX_AGE = false, BOARD_INTERVAL = "1", BOARD_REQUESTS = "1000000",
    BOARD_STACKS = false, BOARD_STALE = false, BOARD_TITLE = false,
  }, environment)
  return starts(nginx.start { file = "examples/nginx/board/board.conf", environment = all, workers = workers or 2, change = change })
end

---An API that answers as these locations of nginx.conf do; its base URL is server:url "".
function board.api(locations)
  return starts(nginx.start { server = "default_type application/json; " .. locations })
end

---Ends all that was started here: for after_each().
function board.stop()
  while #started > 0 do
    table.remove(started):stop()
  end
end

---Waits until fn() gives something, and gives it; raises when that takes too long.
---@param what? string  for the message
function board.eventually(fn, what)
  return eventually(fn, board.PATIENCE) or error(what or "it did not happen", 2)
end

---The board's /api/stacks.json by uid, once it knows all of them, or a condition of it holds; nil when that takes too long.
function board.stacks(server, condition)
  local by_uid
  return eventually(function()
    local status, body = server:get "/api/stacks.json"
    if status ~= 200 then return nil end
    by_uid = {}
    for _, stack in ipairs(cjson.decode(body).stacks) do
      by_uid[stack.uid] = stack
      if not condition and stack.known_at == cjson.null then return nil end
    end
    return (not condition or condition(by_uid)) and by_uid
  end, board.PATIENCE)
end

---What the board says of a stack's deployments, newest first.
function board.deployments(server, uid)
  local status, body = server:get(("/api/stacks/%s/deployments.json"):format(uid))
  if status ~= 200 then
    error(("%s: %s"):format(tostring(status), tostring(body)), 2)
  end
  return cjson.decode(body).deployments
end

local delivered = 0 -- no two have the same time, which would make them one

---Has a webhook of a stack's redeploy come in, as it is documented; gives the status.
function board.wake(server, uid)
  delivered = delivered + 1
  local event = webhooks.changed("application/redeploy-ok", { uid = uid, timestamp = os.time() - 100000 + delivered })
  return (server:get { url = "/webhook/" .. board.SECRET, method = "POST", body = event })
end

---The requests of a tag for a stack's deployments.
function board.requests(tag, uid)
  local list = {}
  for _, request in ipairs(fake.requests(tag)) do
    if request.path:find(uid .. "/deployments", 1, true) then list[#list + 1] = request end
  end
  return list
end

---How often a pattern is in a text.
function board.count(text, pattern)
  local _, times = text:gsub(pattern, "")
  return times
end

---An API that can be taken away, and given back: a proxy before the fake. front.url, front:stop(), front:start().
function board.front(scenario)
  local origin, path = url_of(scenario):match "^(http://[^/]+)(.*)$"
  local front = {}
  function front:start()
    self.server = nginx.start {
      port = self.port,
      server = ("location / { proxy_pass %s; proxy_set_header Authorization $http_authorization; }"):format(origin),
    }
    self.port = self.server.port
    self.url = ("http://127.0.0.1:%d%s"):format(self.port, path)
  end
  function front:stop()
    self.server:stop()
  end
  front:start()
  return starts(front)
end

return board
