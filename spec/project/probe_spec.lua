-- examples/probe.lua: what it says of each way the API may answer, and what it never shows.
local example = require "spec.support.example"
local fake = require "spec.support.fake"
local host = require "spec.support.host"

local fresh_tag, uids = fake.fresh_tag, fake.stacks

-- --- child interpreters ---

-- Runs a command in this environment; gives what it wrote, errors too, and its exit status.
local function run(environment, command)
  local words = {}
  for name, value in pairs(environment) do
    words[#words + 1] = name .. "=" .. host.quote(value)
  end
  local output, _, status = host.run(("%s %s 2>&1"):format(table.concat(words, " "), command))
  return output, status
end

local function run_probe(address, token, arguments)
  return run({ CLOUD66_URL = address, CLOUD66_TOKEN = token }, example.command("probe", arguments))
end

-- The same with answers of the caller's own, path and query -> body, or a list of {status =, headers =, fails =} given in turn, for
-- what the fake API does not do. "*" is whatever else is asked for: by default a 404 whose body and headers hold the token and more.
local ANSWERING = [[
  local answers, asked = {}, {}
  local function send(request)
    local whole, path = request.url:match "/api/3(.*)", request.url:match "/api/3([^?]*)"
    local answer = answers[whole] or answers[path] or answers["*"]
    if type(answer) == "table" then
      asked[path] = (asked[path] or 0) + 1
      answer = answer[math.min(asked[path], #answer)]
      if answer.fails then
        return nil, "network", "cut"
      end
      return { status = answer.status or 200, headers = answer.headers, body = "[]", http_version = "2" }
    end
    local token = request.headers.Authorization:match "%S+$"
    local headers = { ["content-type"] = "application/json", [token] = token, server = token, ["x-ratelimit-limit"] = token }
    return { status = answer and 200 or 404, headers = headers, body = answer or '{"error":"' .. token .. '"}', http_version = "2" }
  end
  package.loaded["cloud66.transport.curl"] = { new = function() return send end }
  arg = { [0] = "examples/probe.lua" }
]]

local function literal(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, inner in pairs(value) do
    parts[#parts + 1] = ("[%s] = %s"):format(literal(key), literal(inner))
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function run_with(answers, token)
  local program = { ANSWERING }
  for path, answer in pairs(answers) do
    program[#program + 1] = ("answers[%q] = %s"):format(path, literal(answer))
  end
  program[#program + 1] = "dofile 'examples/probe.lua'"
  local path = host.file(table.concat(program, "\n"))
  local output, status = run({ CLOUD66_URL = fake.closed_url(), CLOUD66_TOKEN = token }, host.quote(os.getenv "C66_LUA") .. " " .. path)
  os.remove(path)
  return output, status
end

-- --- what no report may hold ---

-- The texts of everybody's that the fake sends: hashes, refs, people, names, addresses.
local private = {}
for _, name in ipairs(fake.data.stack_names) do
  local stack = fake.data.stack(name)
  for _, key in ipairs { "uid", "name", "git", "git_branch", "fqdn", "redeploy_hook", "account_name", "cluster_name" } do
    private[stack[key] or ""] = true
  end
  for _, d in ipairs(fake.data.deployments(name)) do
    for _, key in ipairs { "triggered_by", "git_hash", "git_ref", "deploy_session", "commit_url", "snapshot_uuid" } do
      private[d[key]] = true
    end
  end
end
for _, token in pairs(fake.tokens) do
  private[token] = true
end
private[""], private.api, private["secret-of-the-log"] = nil, nil, true

local function words_of(text)
  return " " .. text:gsub("[^%w_/.@-]+", " ") .. " "
end

local function assert_public(report)
  assert.is_nil(report:gsub("\n", ""):match "[%c\127-\255]")
  for line in report:gmatch "[^\n]+" do
    assert.is_true(#line <= 100, line)
    assert.is_nil(line:match "://" or line:match "%w@%w%w" or line:match "%d%d%d%d%d%d" or line:match "script>", line)
  end
  local said = words_of(report)
  for text in pairs(private) do
    assert.is_nil(said:find(words_of(text), 1, true), "it shows " .. text)
  end
end

-- --- reading a report ---

-- Question -> answer. Questions with an indent belong to the one above: "page 2/pagination". Those that several
-- sections ask are "Stacks/documented keys absent".
local function answers_of(report)
  local answers, section, above, key = {}, nil, nil, nil
  for line in report:gmatch "[^\n]+" do
    local indent, question, answer = line:match "^  ( *)(%S.-) %.+ (.*)$"
    if question and #indent < 3 then
      above = indent == "" and question or above
      key = indent == "" and question or above .. "/" .. question
      key = answers[key] and section .. "/" .. key or key
      answers[key] = answer
    elseif line:find "^ " then
      answers[key] = answers[key] .. line:gsub("^%s+", " ")
    else
      section = line:match "^%S+"
    end
  end
  return answers
end

-- The answers to a report of a stack of this scenario's.
local function probe(scenario, stack)
  local report, status = run_probe(fake.url(scenario), fake.token, uids[stack or "awesome_app"])
  assert.equal(0, status, report)
  assert_public(report)
  assert.matches("nothing was changed%.\n$", report)
  assert.is_nil(report:find("stumbled", 1, true), report)
  return answers_of(report), report
end

-- Checks some answers of a report.
local function answers(scenario, expected, stack)
  local got, report = probe(scenario, stack)
  local wanted = {}
  for question in pairs(expected) do
    wanted[question] = got[question]
  end
  assert.same(expected, wanted, report)
end

local PLAIN_ERROR = "HTTP 404, application/json, error = not_found, keys: details (string), error (string), error_description (string)"

describe("the probe", function()
  it("reports the shapes of a deployment", function()
    answers(nil, {
      ["looked at"] = "30 deployments",
      outcome = "{code integer, meaning string} x30",
      ["outcome/seen"] = "1 = success x22, 2 = failed x7, 0 = pending x1",
      reverted = "null x29, true x1",
      ["is_head/is_live/is_deploying"] = "false/false/false x28, false/true/false x1, true/false/true x1",
      started_at = "YYYY-MM-DDThh:mm:ssZ x30",
      ["fields of an unexpected type"] = "none",
    })
  end)

  it("asks little, and only reads", function()
    local tag, world = fresh_tag(), fake.world()
    world:add_action("awesome_app", {})
    local _, report = probe { tag = tag, world = world.name }
    local requests = fake.requests(tag)
    assert.equal(16, #requests) -- as its head says
    assert.matches(("\n%d requests were made"):format(#requests), report)
    local seen = {}
    for _, request in ipairs(requests) do
      local asked = request.path .. " " .. tostring(request.query.page) .. " " .. tostring(request.query.per_page)
        .. " " .. tostring(request.headers["if-none-match"] ~= nil)
      assert.is_nil(seen[asked], asked)
      seen[asked] = true
      assert.equal("GET", request.method)
      assert.equal("Bearer valid", request.headers.authorization)
    end
  end)

  it("stops asking after 20 requests, however many fail", function()
    local report, status = run_with({
      ["/stacks"] = '[{"uid":"x","status":1}]', ["/stacks/x/deployments"] = '[{"id":1,"deploy_session":"a","finished_at":"2024-01-01T00:00:00Z"}]',
      ["*"] = { { status = 500, headers = { ["retry-after"] = "0" } } },
    }, "secret-token")
    assert.equal(0, status, report)
    assert.matches("\n20 requests were made", report)
    assert.equal("could not be asked: aborted", answers_of(report)["ping/auth"])
  end)

  it("tells the forms of a code", function()
    answers({ codes = "string" }, {
      outcome = "{code string, meaning string} x30",
      ["deploy_type/seen"] = "build = Full Build x19, redeploy = Redeploy x8, scale = Scaling x2, revert = Rollback x1",
    })
    answers({ codes = "word" }, { outcome = "string x30", ["outcome/seen"] = "success x22, failed x7, pending x1" })
    answers({ codes = "mixed" }, { outcome = "{code integer, meaning string} x15, {code string, meaning string} x15" })
  end)

  it("marks words that are not documented", function()
    answers({ unknown_words = true }, {
      ["outcome/seen"] = "9 = cancelled (undocumented) x30",
      ["triggered_via/seen"] = "7 = schedule (undocumented) x30",
    })
  end)

  it("tells null from false", function()
    answers({ reverted = "false" }, { reverted = "false x29, true x1" })
    answers({ nulls = true }, {
      reverted = "null x30",
      ["Deployments/documented keys null"] = "commit_url x30, deploy_session x30, finished_at x30, git_hash x30, "
        .. "git_ref x30, reverted x30, reverted_at x30, reverted_by x30, snapshot_uuid x30, triggered_by x30",
    })
  end)

  it("reports absent, undocumented and drifting keys by name and type", function()
    answers({ model = "short" }, { ["Deployments/documented keys absent"] = "git_ref x30, snapshot_uuid x30" })
    answers({ extra = true }, {
      ["undocumented keys"] = "metadata (object) x4",
      ["Deployments/undocumented keys"] = 'GIT_HASH (null) x30, Id (integer) x30, git_hashes (list) x30, id (string) x30, '
        .. 'like "" (string) x30, like "a_a?" (object) x30, metadata (object) x30',
    })
    answers({ drift = true }, {
      ["fields of an unexpected type"] = "git_hash is number x30, is_live is string x30, outcome is number x30, "
        .. "started_at is number x30, triggered_by is object x30",
      ["is_head/is_live/is_deploying"] = 'false/"yes"/false x29, true/"yes"/true x1',
      outcome = "integer x30",
    })
  end)

  it("reports dates as patterns", function()
    answers({ dates = "offset" }, { started_at = "YYYY-MM-DDThh:mm:ss+00:00 x30" })
    answers({ dates = "utc" }, { started_at = "YYYY-MM-DD hh:mm:ss UTC x30" })
    answers({ dates = "fraction" }, {
      started_at = "YYYY-MM-DDThh:mm:ss.fffZ x30",
      created_at = "YYYY-MM-DD hh:mm:ss UTC x3, YYYY-MM-DDThh:mm:ssZ x1",
    })
  end)

  it("reports paging", function()
    answers({ page_size = 20 }, {
      ["page 1/pagination"] = "count (137), current (1), next (2), pages (7), per_page (20), previous (null)",
      ["order by started_at"] = "newest first",
      ["order by id"] = "newest first",
      ["page 2/against page 1"] = "0 are on both, 0 started after the oldest of page 1",
      ["a page past the end"] = "0 items in {count (0), pagination (object), response (empty)}",
      ["?per_page=2"] = "20 items: as without it",
      ["with .json"] = "the same bytes",
    })
    answers({ pagination = "model" }, {
      ["page 2/pagination"] = "count (137), current (2), next (3), pages (5), prev (1)",
    })
    answers({ pagination = "none" }, {
      ["page 1"] = "30 items in {count (30), response (list)}",
      ["page 1/pagination"] = "none",
    })
    answers({ pagination = "missing_next" }, {
      ["page 1/pagination"] = "count (137), current (1), pages (5), per_page (30), previous (null)",
    })
    answers({ next_text = true, shift = 3 }, {
      ["page 1/pagination"] = "count (137), current (1), next (string), pages (5), per_page (30), previous (null)",
      ["page 2/against page 1"] = "3 are on both, 2 started after the oldest of page 1",
    })
  end)

  it("reports envelopes of single objects", function()
    answers(nil, {
      ["one stack"] = "wrapped in response; object",
      ["one deployment"] = "wrapped in response; object",
      ["one deployment/against the list's"] = "the same bytes",
      ["ping/auth"] = "bare; object",
    })
    answers({ wrap = "no" }, { ["one stack"] = "bare; object", ["one deployment"] = "bare; object" })
    answers({ wrap = "yes" }, { ["ping/auth"] = "wrapped in response; object" })
  end)

  it("follows ids of 19 digits", function()
    answers({ ids = "big" }, {
      ["order by id"] = "newest first",
      ["one deployment/against the list's"] = "the same bytes",
    })
  end)

  it("shows nothing of hostile texts", function()
    answers({ hostile = true }, { ["looked at"] = "30 deployments" })
  end)

  it("reports the headers", function()
    local got = probe { gzip = true, warning = "mind\tmaria@awesome.example" }
    assert.equal("3600 at first, 3600 at last", got["x-ratelimit-limit"])
    assert.matches("^%d+ at first, %d+ at last$", got["x-ratelimit-remaining"])
    assert.matches("^on 15 of 15", got["x-cloud66-warning"])
    assert.matches("^gzip x", got["content-encoding"])
    assert.matches("x%-request%-id x15", got["all names"])
    answers({ ratelimit = "no", retry_after = "120" }, {
      ["x-ratelimit-limit"] = "never",
      ["retry-after"] = "120 at first, 120 at last",
      ["HTTP version"] = "1.1 x15",
    })
  end)

  it("reports the bodies of errors", function()
    answers(nil, { ["an unknown stack"] = PLAIN_ERROR, ["an unknown deployment"] = PLAIN_ERROR })
    answers({ error_body = "token" }, { ["an unknown stack"] = PLAIN_ERROR })
    answers({ error_body = "only_error" }, {
      ["an unknown stack"] = "HTTP 404, application/json, error = not_found, keys: error (string)",
    })
    answers({ error_body = "html" }, { ["an unknown stack"] = "HTTP 404, text/html, the body is no JSON object" })
    answers({ error_body = "empty" }, { ["an unknown stack"] = "HTTP 404, application/json, no body" })
  end)

  it("goes on where a request fails", function()
    answers({ body = "html", on = "deployments" }, {
      ["list of deployments"] = "could not be asked: decode; HTTP 200, text/html, the body is no JSON object",
      ["ping/auth"] = "bare; object",
    })
    answers({ cut = "head", on = "deployment" }, { ["one deployment"] = "could not be asked: network" })
    answers({ error = "throttled", on = "page2", error_body = "only_error" }, {
      ["page 2"] = "could not be asked: throttled; HTTP 503, application/json, error = throttled, keys: error (string)",
      ["?per_page=2"] = "30 items: as without it",
    })
    for _, body in ipairs { "null", "array", "error_object", "stack", "text", "deep", "bad_utf8", "truncated", "empty" } do
      probe { body = body, on = "deployments" }
    end
    probe { body = "stack", on = "stacks" }
    answers({ body = "null", on = "deployments" }, {
      ["list of deployments"] = "could not be read: decode; HTTP 200, application/json, the body is no JSON object",
    })
  end)

  it("has little to say of a stack without deployments", function()
    answers(nil, { ["looked at"] = "0 deployments", ["order by id"] = "cannot be told", reverted = "none" }, "brand_new")
  end)

  it("takes a name, and without one a stack that was deployed", function()
    for argument, count in pairs { ["'AWESOME app'"] = 137, [""] = 61 } do
      local report, status = run_probe(fake.url(), fake.token, argument)
      assert.equal(0, status)
      assert.equal(("count (%d), current (1)"):format(count), answers_of(report)["page 1/pagination"]:match "^[^,]*, [^,]*")
      assert_public(report)
    end
  end)

  it("ends with status 4 where it cannot even list the stacks", function()
    local wrong = "0123456789abcdef0123456789abcdef01234567"
    for name, case in pairs {
      unauthenticated = { fake.url(), wrong, "^could not be asked: auth; HTTP 401, application/json, error = unauthenticated" },
      empty401 = { fake.url { auth = "empty401" }, wrong, "^could not be asked: auth; HTTP 401, application/json, no body$" },
      expired = { fake.url(), fake.tokens.expired_trial, "^could not be asked: trial_expired; HTTP 402" },
      echoed = { fake.url { error_body = "token" }, wrong, "^could not be asked: auth; HTTP 401" },
      closed = { fake.closed_url(), wrong, "^could not be asked: connect$" },
    } do
      local report, status = run_probe(case[1], case[2])
      assert.equal(4, status, name)
      assert.matches(case[3], answers_of(report)["list of stacks"])
      assert.is_nil(report:find(wrong, 1, true))
      assert_public(report)
    end
  end)

  it("reports actions, and what else the fake API does not do", function()
    local actions = [[{"id":7,"user":"maria@awesome.example","resource_type":"Stack","action":"deploy","resource_id":283,
      "started_via":"api","started_at":"x","finished_at":null,"finished_success":"true","finished_message":"x",
      "metadata":{"user_reference":"x"}},{"id":6,"action":"maria@awesome.example","finished_success":true}]]
    local report, status = run_with({
      ["/stacks"] = '[{"uid":"one/two","name":"x","status":1,"created_at":"2014-08-14T01:46:53.25-07:30"}]',
      ["/stacks/one%2Ftwo/deployments"] = '[{"id":1,"started_at":"2024-01-01T00:00:00Z"},'
        .. '{"id":12,"started_at":"2024-01-03T00:00:00Z"},{"id":3,"started_at":"2024-01-02T00:00:00Z"}]',
      ["/stacks/one%2Ftwo/deployments?per_page=2"] = '[{"id":1},{"id":12}]',
      ["/stacks/one%2Ftwo/actions"] = '{"response":[' .. actions .. "]}",
      ["/stacks/one%2Ftwo/actions/7"] = '{"id":7}',
      ["/stacks/" .. ("0"):rep(32)] = "{}",
    }, "secret-token")
    assert.equal(0, status, report)
    assert_public(report)
    assert.is_nil(report:find("secret", 1, true))
    local got = answers_of(report)
    assert.equal("1 items in a bare list", got["list of stacks"])
    assert.equal("YYYY-MM-DDThh:mm:ss.ff+hh:mm x1", got.created_at)
    assert.equal("neither: 1 steps back, 1 forth", got["order by id"])
    assert.equal("2 items: honoured", got["?per_page=2"])
    assert.equal("deploy x1, like \"a@a.a\" x1", got.action)
    assert.equal('"true" x1, true x1', got.finished_success)
    assert.equal("absent x1, integer x1", got.resource_id)
    assert.equal("none x1, user_reference (string) x1", got.metadata)
    assert.equal("bare; object", got["one action"])
    assert.equal("HTTP 200, application/json, keys: none", got["an unknown stack"])
    assert.equal("not shown: it holds the token", got["an unknown deployment"])
    assert.equal("2 x14", got["HTTP version"])
  end)

  it("tells in which order page 1 of deployments and of actions is", function()
    local function body(days)
      local items = {}
      for i, day in ipairs(days) do
        items[i] = ('{"id":%d,"started_at":"2024-01-%02dT00:00:00Z"}'):format(100 + i, day)
      end
      return '{"response":[' .. table.concat(items, ",") .. "]}"
    end
    local orders = {
      [body { 3, 2, 1 }] = "page 1: newest first", [body { 1, 2, 3 }] = "page 1: oldest first",
      [body { 1, 3, 2 }] = "page 1: neither: 1 steps back, 1 forth", [body { 1 }] = "page 1: cannot be told", ["[]"] = "page 1: cannot be told",
      ['{"response":7}'] = "not seen",
    }
    for deployments, order in pairs(orders) do
      for actions, other_order in pairs(orders) do
        local got = answers_of((run_with({
          ["/stacks"] = '[{"uid":"x","status":1}]', ["/stacks/x/deployments"] = deployments, ["/stacks/x/actions"] = actions,
        }, "secret-token")))
        assert.same({ order, other_order }, { got["order of deployments"], got["order of actions"] })
      end
    end
  end)

  it("tells whether If-None-Match is looked at, and what a 304 costs", function()
    local function limited(scenario)
      scenario.limit, scenario.tag = 100, fresh_tag()
      return scenario
    end
    answers(limited {}, {
      ["If-None-Match"] = "HTTP 304, without a body; the ETag is strong",
      ["If-None-Match/its cost"] = "one request (97 left before, 96 after)",
    })
    answers(limited { not_modified = "free" }, {
      ["If-None-Match"] = "HTTP 304, without a body; the ETag is strong",
      ["If-None-Match/its cost"] = "none (97 left before, 97 after)",
    })
    answers(limited { etag = "ignored" }, {
      ["If-None-Match"] = "HTTP 200, the same ETag again: it is not looked at; the ETag is strong",
      ["If-None-Match/its cost"] = "one request (97 left before, 96 after)",
    })
    answers({ ratelimit = "no" }, { ["If-None-Match/its cost"] = "cannot be told: no X-RateLimit-Remaining" })
    answers({ gzip = true }, { ["If-None-Match"] = "HTTP 304, without a body; the ETag is weak" })
    local got = probe { etag = "none" }
    assert.equal("not asked: page 1 came without an ETag", got["If-None-Match"])
    assert.is_nil(got["If-None-Match/its cost"])
  end)

  it("tells what may have come between the two requests of a revalidation", function()
    local function revalidated(first, second)
      local got = answers_of((run_with({
        ["/stacks"] = '[{"uid":"x","status":1}]', ["/stacks/x/deployments"] = { first, second },
      }, "secret-token")))
      return { got["If-None-Match"], got["If-None-Match/its cost"] }
    end
    local function left(n, tag)
      return { headers = { etag = tag or '"a"', ["x-ratelimit-remaining"] = tostring(n) } }
    end
    assert.same({ "HTTP 200, another ETag: the list has changed; the ETag is strong", "one request (9 left before, 8 after)" },
      revalidated(left(9), left(8, '"b"')))
    for _, n in ipairs { 6, 3599 } do
      assert.same({ "HTTP 200, the same ETag again: it is not looked at; the ETag is strong",
        ("cannot be told: others use the same limit, or a new hour began (9 left before, %d after)"):format(n) }, revalidated(left(9), left(n)))
    end
    local failed = left(8)
    failed.status = 500
    assert.same({ "HTTP 500, neither yes nor no; the ETag is strong", "one request (9 left before, 8 after)" }, revalidated(left(9), failed))
    assert.same({ "no answer came" }, revalidated(left(9), { fails = true }))
  end)

  it("tells whether a deployment's logs can be read, and no line of them", function()
    answers(nil, { ["logs by deploy_session"] = "of a failed deployment: there are none; " .. PLAIN_ERROR })
    answers({ logs = "forbidden" }, {
      ["logs by deploy_session"] = "of a failed deployment: this token may not read them; " .. PLAIN_ERROR:gsub("404", "403"):gsub("not_found", "forbidden"),
    })
    local tag = fresh_tag()
    answers({ logs = "lines", tag = tag }, {
      ["logs by deploy_session"] = "of a failed deployment: they are there, 2 lines on page 1",
      ["logs by deploy_session/keys of a line"] = "e (integer), m (string), operation_uid (string), s (null), t (string), v (integer)",
    })
    local asked
    for _, request in ipairs(fake.requests(tag)) do
      asked = request.path:find "/operations/" and request or asked
    end
    assert.equal("/api/3/operations/" .. fake.data.deployments("awesome_app")[2].deploy_session .. "/logs", asked.path)
    assert.same({ min_severity = "4", include_children = "true" }, asked.query)
    answers({ error = "server", on = "logs" }, {
      ["logs by deploy_session"] = "could not be asked: server; " .. PLAIN_ERROR:gsub("404", "500"):gsub("not_found", "server"),
    })
    answers({ logs = "lines", body = "error_object", on = "logs" }, {
      ["logs by deploy_session"] = "of a failed deployment: the answer is no list (object)",
    })
    answers({ nulls = true }, { ["logs by deploy_session"] = "not asked: no deployment with a deploy_session has ended" })
    answers(nil, { ["logs by deploy_session"] = "not asked: no deployment with a deploy_session has ended" }, "brand_new")
  end)

  it("tells whether a stack's last log is there, and how long it is", function()
    answers(nil, { ["last_log by show_log=true"] = "absent" })
    answers({ last_log = true }, { ["last_log by show_log=true"] = "a text of 3 KiB" })
    for log, said in pairs { ["null"] = "null", ['"x"'] = "a text of 1 bytes", ['""'] = "a text of 0 bytes", ["7"] = "integer" } do
      local got = answers_of((run_with({
        ["/stacks"] = '[{"uid":"x","status":1}]', ["/stacks/x.json?show_log=true"] = '{"response":{"uid":"x","last_log":' .. log .. "}}",
      }, "secret-token")))
      assert.equal(said, got["last_log by show_log=true"])
    end
  end)

  it("tells whether an action's result names a deployment, and shows no session", function()
    local function results(actions)
      local report = run_with({
        ["/stacks"] = '[{"uid":"x","status":1}]',
        ["/stacks/x/deployments"] = '[{"id":3},{"id":2,"deploy_session":"secret-a"},{"id":1,"deploy_session":""}]',
        ["/stacks/x/actions"] = '{"response":[' .. actions .. "]}",
      }, "the-token")
      assert.is_nil(report:find("secret", 1, true), report)
      local got = answers_of(report)
      return { got["results of deploy actions"], got["results of deploy actions/its deploy_session"] }
    end
    local full = '{"id":%d,"finished_result":{"deploy_session":"%s","git_hash":"a1b2c3d4e5f6","servers_deployed":3}}'
    assert.same({ "0 of 0 have a finished_result; its keys: none", "none has one" }, results "")
    assert.same({ "0 of 2 have a finished_result; its keys: none", "none has one" },
      results '{"id":1,"action":"deploy","finished_result":{}},{"id":2,"action":"Application_Deployment","finished_result":null}')
    assert.same({ "1 of 1 have a finished_result; its keys: deploy_session (string) x1, git_hash (string) x1, servers_deployed (integer) x1",
      "1 of 1 name a deployment of page 1" }, results(full:format(1, "secret-a")))
    assert.same({ "2 of 2 have a finished_result; its keys: deploy_session (string) x2, git_hash (string) x2, servers_deployed (integer) x2",
      "1 of 2 name a deployment of page 1" }, results(full:format(1, "secret-a") .. "," .. full:format(2, "secret-b") .. ',{"id":3}'))
    assert.same({ "1 of 1 have a finished_result; its keys: deploy_session (string) x1, git_hash (string) x1, servers_deployed (integer) x1",
      "0 of 1 name a deployment of page 1" }, results(full:format(1, "")))
    assert.same({ "0 of 1 have a finished_result; its keys: none", "none has one" }, results '{"id":1,"action":"deploy","finished_result":"secret"}')
    assert.same({ "0 of 0 have a finished_result; its keys: none", "none has one" }, results '{"id":1,"action":"reboot","finished_result":{"secret-server":1}}')
  end)

  it("survives an answer that nobody thought of", function()
    local report, status = run_with({
      ["/stacks"] = '{"response":[[],7,{"uid":{"a":1}},{"uid":"x","status":1}]}',
      ["/stacks/x/deployments"] = '{"response":[{"id":1}],"pagination":{"pages":1e999}}',
      ["/stacks/x/actions"] = '{"response":{"a":1},"pagination":7}',
      ["/ping/auth"] = "7",
    }, "secret-token")
    assert.equal(0, status, report)
    assert_public(report)
    local got = answers_of(report)
    assert.equal("bare; integer", got["ping/auth"])
    assert.matches("^the probe stumbled at probe%.lua:%d+$", got["a page past the end"])
    assert.equal("1 items: as without it", got["?per_page=2"])
  end)

  it("says how it is used", function()
    for _, arguments in ipairs { "--help", "one two", "''" } do
      local output, status = run_probe(fake.url(), fake.token, arguments)
      assert.equal(64, status)
      assert.equal("usage: probe.lua [stack uid or name]\n", output)
    end
    local output, status = run_probe(fake.url(), "")
    assert.equal(4, status)
    assert.matches("^auth: the token from CLOUD66_TOKEN is set but empty", output)
  end)
end)
