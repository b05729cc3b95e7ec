-- The deployment board (examples/nginx/board) beside the fake API, for specs that look at it.
local cjson = require "cjson"
local fake = require "spec.support.fake"
local nginx = require "spec.support.nginx"

local board = { SECRET = "0123456789abcdef-SECRET" }

-- The fake counts the requests of all specs, and would tell a board of an hour that others have used up.
local function url_of(scenario)
  local all = { ratelimit = "no" }
  for key, value in pairs(scenario or {}) do
    all[key] = value
  end
  return fake.url(all)
end

---Starts one that looks every second. The API is a scenario, or a base URL.
---@param api? table|string
---@param environment? table  variables, false where one is not to be set
---@param workers? integer    2
---@param change? fun(text: string): string  of nginx.conf
---@return table server       as of nginx.start()
function board.start(api, environment, workers, change)
  local all = {
    CLOUD66_URL = type(api) == "string" and api or url_of(api), CLOUD66_TOKEN = fake.token, CLOUD66_ACCESS_TOKEN = false,
    CLOUD66_WEBHOOK_SECRET = board.SECRET, BOARD_INTERVAL = "1", BOARD_REQUESTS = "1000000",
    BOARD_STACKS = false, BOARD_STALE = false, BOARD_TITLE = false,
  }
  for name, value in pairs(environment or {}) do
    all[name] = value
  end
  return nginx.start { file = "examples/nginx/board/board.conf", environment = all, workers = workers or 2, change = change }
end

---The board's /api/stacks.json by uid, once it knows all of them, or a condition of it holds; nil when that takes too long.
function board.stacks(server, condition)
  local by_uid
  return nginx.eventually(function()
    local status, body = server:get "/api/stacks.json"
    if status ~= 200 then return nil end
    by_uid = {}
    for _, stack in ipairs(cjson.decode(body).stacks) do
      by_uid[stack.uid] = stack
      if not condition and stack.known_at == cjson.null then return nil end
    end
    return (not condition or condition(by_uid)) and by_uid
  end, 30)
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
  return front
end

return board
