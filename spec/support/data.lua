-- What the fake API knows. nginx and the specs both load this file, so a spec can compute what it must be told.
--
-- Stacks go by a readable name: awesome_app, staging, api, brand_new.
local calendar = require "spec.support.fake.calendar"
local history = require "spec.support.fake.history"
local json = require "spec.support.fake.json"
local stacks = require "spec.support.fake.stacks"

local data = {}

local github = "https://github.com/cloud66-samples/"

local plans = {
  awesome_app = {
    seed = 20241120,
    count = 137,
    first_id = 401200,
    from = calendar.seconds(2024, 11, 20, 10, 2, 11),
    to = calendar.seconds(2026, 11, 20, 10, 14, 37),
    repository = github .. "awesome-app",
    branches = {
      "main", "main", "main", "main", "main", "main", "release/2.4", "release/2.5", "feature/checkout",
      "feature/dark-mode", "hotfix/login",
    },
    script = {
      [1] = { deploy_type = "first_build", triggered_via = "web", outcome = "success", git_ref = "main" },
      [2] = { deploy_type = "build", outcome = "success", git_ref = "main" },
      [40] = { deploy_type = "build", triggered_via = "hook", outcome = "success" },
      [41] = { deploy_type = "revert", triggered_via = "web", outcome = "success" },
      [83] = { deploy_type = "build", triggered_via = "hook", outcome = "success" },
      [84] = { deploy_type = "revert", triggered_via = "web", outcome = "success" },
      [118] = { deploy_type = "build", triggered_via = "api", outcome = "success" },
      [119] = { deploy_type = "revert", triggered_via = "api", outcome = "success" },
      [135] = { deploy_type = "build", triggered_via = "hook", outcome = "success", git_ref = "main" },
      [136] = { deploy_type = "build", triggered_via = "hook", outcome = "failed", git_ref = "feature/checkout" },
      [137] = { deploy_type = "build", triggered_via = "hook", outcome = "pending", git_ref = "main" },
    },
  },
  staging = {
    seed = 20251001,
    count = 61,
    first_id = 455000,
    from = calendar.seconds(2025, 10, 1, 8, 40, 51),
    to = calendar.seconds(2026, 11, 19, 15, 6, 2),
    repository = github .. "awesome-app",
    branches = { "develop", "develop", "develop", "feature/checkout", "feature/dark-mode", "release/2.5" },
    script = {
      [1] = { deploy_type = "first_build", triggered_via = "web", outcome = "success", git_ref = "develop" },
      [2] = { deploy_type = "build", outcome = "success", git_ref = "develop" },
      [61] = { deploy_type = "build", triggered_via = "hook", outcome = "success", git_ref = "develop" },
    },
  },
  api = {
    seed = 20260115,
    count = 30,
    first_id = 478000,
    from = calendar.seconds(2026, 1, 15, 10, 41, 9),
    to = calendar.seconds(2026, 11, 18, 14, 30, 0),
    repository = github .. "api",
    branches = { "main", "main", "main", "feature/v2" },
    script = {
      [1] = { deploy_type = "first_build", triggered_via = "web", outcome = "success", git_ref = "main" },
      [2] = { deploy_type = "build", outcome = "success", git_ref = "main" },
      [30] = { deploy_type = "build", triggered_via = "api", outcome = "success", git_ref = "main" },
    },
  },
  brand_new = { count = 0 },
}

data.stack_names = stacks.names

---Readable name -> uid.
data.uids = {}
for _, name in ipairs(stacks.names) do
  data.uids[name] = stacks.body(name):get "uid"
end

local function known(name)
  if not plans[name] then
    error(("no stack %q in the fake's data: use %s"):format(tostring(name), table.concat(stacks.names, ", ")), 3)
  end
end

local made = {}

---The deployments of a stack, newest first, as plain tables (shared: do not change them). Fields are the API's, with bare
---words in triggered_via, outcome and deploy_type, plus started_time, finished_time (Unix seconds) and duration (seconds).
function data.deployments(name)
  known(name)
  if not made[name] then
    made[name] = plans[name].count == 0 and {} or history.generate(plans[name])
  end
  return made[name]
end

---The stack's body as a plain table.
function data.stack(name)
  known(name)
  return json.plain(stacks.body(name))
end

---The stack's body with its key order kept, for the server.
function data.stack_body(name)
  known(name)
  return stacks.body(name)
end

---What an id becomes under ids=big: 19 digits near 2^62, as text, because most Luas would round the number.
function data.big_id(id)
  return ("4611686018427%06d"):format(id)
end

---What texts hold under hostile=yes: `text` as a decoder must give it, `json` as it is sent.
data.hostile = {
  text = '\27[31mred\27[0m\n"quoted" \\ <script>alert(1)</script> \240\159\154\128 \240\159\146\165 \0 end',
  json = [["\u001b[31mred\u001b[0m\n\"quoted\" \\ <script>alert(1)<\/script> ]]
    .. "\240\159\154\128"
    .. [[ \ud83d\udca5 \u0000 end"]],
}

return data
