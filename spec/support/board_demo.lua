-- board_demo.lua PORT: the deployment board beside the fake API, whose deployments come and go. For script/board.
local core = require "cloud66.core"
local fake = require "spec.support.fake"
local nginx = require "spec.support.nginx"

local world = fake.world()
local environment = {
  CLOUD66_URL = fake.url { world = world.name, recent = 240 }, CLOUD66_TOKEN = fake.token, CLOUD66_ACCESS_TOKEN = false,
  BOARD_INTERVAL = os.getenv "BOARD_INTERVAL" or "5", BOARD_REQUESTS = os.getenv "BOARD_REQUESTS" or "10000",
}
local server = nginx.start { file = "examples/nginx/board/board.conf", port = tonumber(arg[1]), environment = environment }
print(("http://127.0.0.1:%d/"):format(server.port))
io.stdout:flush()

local refs = { "main", "develop", "feature/checkout", "release/2.5", "hotfix/login" }
local people = { "maria@awesome.example", "tom@awesome.example", "li.wei@awesome.example", "ci@awesome.example" }

local function any(list)
  return list[core.random(1):byte() % #list + 1]
end

local function bustle()
  while true do
    core.sleep(10)
    local stack = any { "staging", "api" }
    local hash = ("%02x"):rep(20):format(core.random(20):byte(1, 20))
    local d = world:add_deployment(stack, { git_ref = any(refs), triggered_by = any(people), git_hash = hash })
    core.sleep(30 + core.random(1):byte() % 30)
    world:change(d, { finished_time = world:now(), outcome = any { "success", "success", "success", "failed" } })
  end
end

local _, problem = pcall(bustle)
if not tostring(problem):find "interrupted!" then -- Ctrl-C
  error(problem, 0)
end
