-- The fake API is what the other specs believe; these check it with a client that is not ours.
local cjson = require "cjson"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local scenario = require "spec.support.fake.scenario"

local function shell(command)
  return host.output(command .. " 2>&1")
end

local has_curl = shell "command -v curl" ~= ""

-- Status, body and HTTP version of a GET.
local function get(url, ...)
  local options = {}
  for i, option in ipairs { ... } do
    options[i] = host.quote(option)
  end
  local write = host.quote "\n%{http_code} %{http_version} %{exitcode}"
  local command = "curl -s --noproxy '*' --max-time 20 --cacert %s -w %s %s %s"
  local output = shell(command:format(host.quote(fake.ca), write, table.concat(options, " "), host.quote(url)))
  local body, status, version, code = output:match "^(.*)\n(%d+) ([%d.]+) (%d+)$"
  return tonumber(status), body, version, tonumber(code)
end

local bearer = "Authorization: Bearer " .. fake.token
local big = "/stacks/" .. fake.stacks.awesome_app .. "/deployments"

local function get_json(url)
  local status, body = get(url, "-H", bearer)
  assert.are.equal(200, status, body)
  return cjson.decode(body)
end

local staging = "/stacks/" .. fake.stacks.staging

-- What a POST to staging is told.
local function post(world, options, body)
  options = options or {}
  options.world = world.name
  local status, text = get(fake.url(options) .. staging .. "/deployments", "-H", bearer, "-d", body or "")
  assert.are.equal(200, status, text)
  return cjson.decode(text).response
end

describe("the fake API", function()
  local it = has_curl and it or pending

  it("asks for a token", function()
    local cases = {
      { nil, 401, "unauthenticated" },
      { "Bearer no-such-token", 401, "unauthenticated" },
      { "Basic " .. fake.token, 401, "unauthenticated" },
      { "bearer " .. fake.token, 200 },
      { "Bearer " .. fake.tokens.without_scope, 403, "forbidden" },
      { "Bearer " .. fake.tokens.expired_trial, 402, "trial_expired" },
    }
    for i = 1, #cases do
      local header, want, id = cases[i][1], cases[i][2], cases[i][3]
      local status, body = get(fake.url() .. "/stacks", "-H", "Authorization: " .. (header or ""))
      assert.are.equal(want, status)
      assert.are.equal(id, cjson.decode(body).error)
    end
  end)

  it("refuses a token in the address", function()
    assert.are.equal(400, (get(fake.url() .. "/stacks?access_token=" .. fake.token, "-H", bearer)))
  end)

  it("gives every deployment once, page by page", function()
    for name in pairs(fake.stacks) do
      local seen, page = {}, 1
      while page and page <= 10 do
        local query = ("/deployments?page=%d"):format(page) -- lua-cjson gives a float
        local envelope = get_json(fake.url() .. "/stacks/" .. fake.stacks[name] .. query)
        for _, d in ipairs(envelope.response) do
          seen[#seen + 1] = d.id
        end
        assert.are.equal(#envelope.response, envelope.count)
        page = envelope.pagination.next ~= cjson.null and envelope.pagination.next or nil
      end
      local known = fake.data.deployments(name)
      assert.are.equal(#known, #seen)
      for i = 1, #known do
        assert.are.equal(known[i].id, seen[i])
      end
    end
  end)

  it("has nothing behind the last page", function()
    local envelope = get_json(fake.url() .. big .. "?page=99")
    assert.are.same({}, envelope.response)
    assert.are.equal(cjson.null, envelope.pagination.next)
  end)

  it("answers each path with and without .json", function()
    local newest = fake.data.deployments("awesome_app")[1]
    local paths = { "/stacks", "/stacks/" .. fake.stacks.api, big, big .. "/" .. newest.id, "/ping", "/ping/auth" }
    for _, path in ipairs(paths) do
      assert.are.same(get_json(fake.url() .. path), get_json(fake.url() .. path .. ".json"))
    end
  end)

  it("knows stacks by uid alone", function()
    for _, path in ipairs { "/stacks/api", "/stacks/nobody/deployments", big .. "/1", "/nothing" } do
      local status, body = get(fake.url() .. path, "-H", bearer)
      assert.are.equal(404, status)
      assert.are.equal("not_found", cjson.decode(body).error)
    end
    assert.are.equal(200, (get(fake.url() .. "/stacks/%73tack-550e8400-e29b-41d4-a716", "-H", bearer)))
  end)

  it("refuses what the API does not know", function()
    assert.are.equal(405, (get(fake.url() .. big, "-H", bearer, "-X", "PUT")))
    assert.are.equal(404, (get(fake.url() .. "/stacks/nobody/deployments", "-H", bearer, "-X", "POST")))
    assert.are.equal(404, (get(fake.url() .. big .. "/1", "-H", bearer, "-X", "DELETE")))
    assert.are.equal(403, (get(fake.url() .. big, "-H", "Authorization: Bearer " .. fake.tokens.without_scope, "-X", "POST")))
    assert.are.equal(404, (get(fake.url() .. "/stacks/" .. fake.stacks.api .. "/actions/1", "-H", bearer)))
  end)

  it("deploys, by a clock that the spec owns", function()
    for _, body in ipairs { '{"git_ref":"release/2.4","user_reference":"r 1"}', "git_ref=release%2F2.4&user_reference=r%201" } do
      local world = fake.world()
      local root = fake.url { world = world.name, takes = 60, queue = 5 } .. "/stacks/" .. fake.stacks.staging
      local status, text = get(root .. "/deployments", "-H", bearer, "-d", body)
      assert.are.equal(200, status)
      local accepted = cjson.decode(text).response
      assert.is_true(accepted.ok)
      assert.is_nil(accepted.id)
      local function newest()
        return get_json(root .. "/deployments").response[1]
      end
      local function action()
        return get_json(("%s/actions/%d"):format(root, accepted.async_action_id)).response
      end
      assert.are_not.equal("api", newest().triggered_via.meaning)
      assert.are.equal(5, get_json(root).response.status)
      world:advance(6)
      assert.are.same({ "pending", true, "release/2.4" }, { newest().outcome.meaning, newest().is_deploying, newest().git_ref })
      assert.are.equal(6, get_json(root).response.status)
      assert.are.equal("r 1", action().metadata.user_reference)
      assert.are.equal(cjson.null, action().finished_at)
      world:advance(62)
      assert.are.same({ "success", true, true }, { newest().outcome.meaning, newest().is_live, newest().is_head })
      assert.is_false(get_json(root .. "/deployments").response[2].is_live)
      assert.is_true(action().finished_success)
      assert.are.equal(1, get_json(root).response.status)
      assert.are.equal(1, #get_json(root .. "/actions?user_reference=r+1").response)
      assert.are.equal(0, #get_json(root .. "/actions?user_reference=r").response)
    end
  end)

  it("cancels what runs", function()
    local world = fake.world()
    local url = fake.url { world = world.name } .. "/stacks/" .. fake.stacks.staging .. "/deployments"
    get(url, "-H", bearer, "-d", "")
    world:advance(6)
    local id = get_json(url).response[1].id
    local status, text = get(("%s/%d"):format(url, id), "-H", bearer, "-X", "DELETE")
    assert.are.equal(200, status)
    assert.are.equal("Cancelling deployment", cjson.decode(text).response.message)
    world:advance(3)
    assert.are.equal("failed", get_json(url).response[1].outcome.meaning)
  end)

  it("cancels what somebody else started, by a big id too", function()
    local world = fake.world()
    local id = world:add_deployment("staging").id
    local url = fake.url { world = world.name, ids = "big", cancel_as = "cancelled" } .. staging
    local before = os.time()
    assert.are.equal(200, (get(url .. "/deployments/" .. fake.data.big_id(id), "-H", bearer, "-X", "DELETE")))
    local outcome, status = get_json(url .. "/deployments").response[1].outcome.meaning, get_json(url).response.status
    if os.time() - before < 2 then -- it takes 2 seconds, of the world's clock
      assert.are.same({ "pending", 6 }, { outcome, status })
    end
    world:advance(2)
    local d = get_json(url .. "/deployments").response[1]
    assert.are.same({ "cancelled", false }, { d.outcome.meaning, d.is_deploying })
    assert.are.equal(2, get_json(url).response.status)
  end)

  it("has a POST wait for what runs, and for nothing else", function()
    local world = fake.world()
    assert.is_false(post(world, { late = 1000 }).queued)
    assert.is_false(post(world).queued) -- not behind one that is not accepted yet
    assert.is_true(post(world).queued)
    world:advance(900)
    assert.is_false(post(world).queued) -- nobody looked while the others ended
    local url = fake.url { world = world.name } .. staging
    world:advance(10)
    assert.are.equal(6, get_json(url).response.status)
    post(world)
    assert.are.equal(6, get_json(url).response.status) -- one waits, but one runs
  end)

  it("starts what was held up when that goes away, and not before", function()
    local world = fake.world()
    local other = world:add_deployment("staging", { blocks = true })
    assert.is_true(post(world).queued)
    local url = fake.url { world = world.name } .. staging .. "/deployments"
    world:advance(300)
    assert.are.equal(other.id, get_json(url).response[1].id)
    world:remove("staging", other)
    world:advance(1)
    local d = get_json(url).response[1]
    assert.are.same({ "api", "pending" }, { d.triggered_via.meaning, d.outcome.meaning })
  end)

  it("reads any text in a POST, and gives it back", function()
    local world = fake.world()
    local text = 'a "b" \\\\ /\n\194\169 u0041'
    local body = cjson.encode { user_reference = text, git_ref = cjson.null }
    post(world, { action_message = "null", queue = 0, takes = 0 }, body)
    world:advance(5)
    local actions = get_json(fake.url { world = world.name } .. staging .. "/actions").response
    assert.are.equal(text, actions[1].metadata.user_reference)
    assert.is_true(actions[1].finished_success)
    assert.are.equal(cjson.null, actions[1].finished_message)
  end)

  it("carries out a POST that an error answers, where told so, for those who may", function()
    local world = fake.world()
    local options = { world = world.name, error = "server", on = "redeploy" }
    local count = {}
    for i, case in ipairs { { nil, fake.token }, { true, fake.tokens.without_scope }, { true, fake.token } } do
      options.accepted = case[1]
      local url = fake.url(options) .. staging
      assert.are.equal(500, (get(url .. "/deployments", "-H", "Authorization: Bearer " .. case[2], "-d", "")))
      count[i] = #get_json(url .. "/actions").response
    end
    assert.are.same({ 0, 0, 1 }, count)
    options.accepted, options.on = true, nil
    assert.are.equal(500, (get(fake.url(options) .. staging .. "/deployments", "-H", bearer, "-X", "PUT")))
  end)

  it("shares no world with another", function()
    local url = fake.url { world = fake.world().name } .. "/stacks/" .. fake.stacks.brand_new .. "/actions"
    assert.are.same({}, get_json(url).response)
  end)

  it("speaks HTTP/2 and 1.1 over TLS, to those who trust its certificate", function()
    local status, _, version = get(fake.url(nil, "https") .. "/ping")
    assert.are.equal("200 2", status .. " " .. version)
    assert.are.equal("1.1", select(3, get(fake.url(nil, "https") .. "/ping", "--http1.1")))
    local without_our_ca = "curl -s --noproxy '*' -o /dev/null -w '%{exitcode}' " .. fake.url(nil, "https") .. "/ping"
    assert.are.equal("60", shell(without_our_ca))
  end)

  it("names a typo in a scenario", function()
    local origin = fake.url():gsub("/api/3$", "")
    local typos = { "~code=int", "~codes=integer", "~codes", "~codes=int~codes=int", "~times=2", "~", "~shift=31" }
    for _, typo in ipairs(typos) do
      local status, body = get(origin .. "/" .. typo .. "/api/3/ping")
      assert.are.equal(599, status, typo)
      assert.matches("^fake API: ", body)
    end
    assert.has_error(function()
      fake.url { codes = "integer" }
    end)
  end)

  it("has each scenario in its README", function()
    local file = assert(io.open "spec/support/README.md")
    local text = file:read "*a"
    file:close()
    assert.is_truthy(text:find(scenario.describe(), 1, true), "put the output of scenario.describe() into the README")
  end)

  it("remembers requests, and no token", function()
    local tag = fake.fresh_tag()
    get(fake.url { tag = tag } .. big .. "?page=2", "-H", bearer, "-H", "X-Account: 7")
    local list = fake.requests(tag)
    assert.are.equal(1, #list)
    local r = list[1]
    assert.are.same({ "GET", "/api/3" .. big, { page = "2" } }, { r.method, r.path, r.query })
    assert.are.same({ "Bearer valid", "7" }, { r.headers.authorization, r.headers["x-account"] })
    get(fake.url { tag = tag } .. "/stacks?access_token=" .. fake.token)
    assert.are.equal("<token valid>", fake.requests(tag)[2].query.access_token)
    assert.is_nil(shell("cat " .. host.quote(os.getenv "C66_FAKE_DIR" .. "/requests.jsonl")):find(fake.token, 1, true))
  end)

  it("repeats deployments where newer ones came in between", function()
    local url = fake.url { shift = 2, page_size = 5 } .. big
    local first, second = get_json(url).response, get_json(url .. "?page=2").response
    assert.are.same({ first[4].id, first[5].id }, { second[1].id, second[2].id })
  end)

  it("fails as often as it was told to", function()
    local url = fake.url { tag = fake.fresh_tag(), times = 2, error = "throttled", on = "page2" } .. big
    local seen = {}
    for i, page in ipairs { 2, 1, 2, 2 } do
      seen[i] = get(url .. "?page=" .. page, "-H", bearer)
    end
    assert.are.same({ 503, 200, 503, 200 }, seen)
  end)

  it("fails for one stack alone", function()
    local url, seen = fake.url { error = "forbidden", stack = "staging" }, {}
    for i, path in ipairs { "/stacks", "/stacks/" .. fake.stacks.staging, big, "/stacks/" .. fake.stacks.staging .. "/deployments" } do
      seen[i] = get(url .. path, "-H", bearer)
    end
    assert.are.same({ 200, 403, 200, 403 }, seen)
  end)

  it("counts the requests that are there at once", function()
    local tag = fake.fresh_tag()
    local url = fake.url { tag = tag, cut = "head", on = "stack" }
    for _, path in ipairs { "/stacks", "/stacks/" .. fake.stacks.staging, "/stacks" } do
      get(url .. path, "-H", bearer)
    end
    local seen = {}
    for i, request in ipairs(fake.requests(tag)) do
      seen[i] = request.in_flight
    end
    assert.are.same({ 1, 1, 1 }, seen) -- also after one that was cut off
  end)

  it("breaks connections", function()
    local codes = {}
    local breaks = { { cut = "head" }, { cut = "body" }, { cut = "body", content = "chunked" }, { gzip = "bad" } }
    for i, options in ipairs(breaks) do
      codes[i] = select(4, get(fake.url(options) .. big, "-H", bearer, "--compressed"))
    end
    assert.are.same({ 52, 18, 18, 61 }, codes)
  end)

  it("runs the nginx that C66_NGINX names", function()
    local message = shell "C66_NGINX=/nonexistent/nginx spec/support/fake-api true 2>&1"
    assert.matches("^fake%-api: /nonexistent/nginx is missing%.", message)
  end)

  it("ends when its parent is killed, and leaves nothing behind", function()
    local script = [[
      told=$(mktemp)
      wait_until() { tries=0; until eval "$1" || [ $tries -gt 600 ]; do tries=$((tries + 1)); sleep 0.05; done; }
      spec/support/fake-api sh -c 'echo $C66_FAKE_URL $C66_FAKE_DIR $$; exec sleep 60 >/dev/null 2>&1' >$told & fake=$!
      wait_until '[ -s $told ]'; kill -9 $fake
      read -r url directory command <$told; echo $url $directory $command
      wait_until '[ ! -e $directory ]'; rm $told
    ]]
    local url, directory, command = shell(script):match "(%S+) (%S+) (%d+)"
    assert.are.equal(7, select(4, get(url .. "/api/3/ping")))
    assert.is_nil(io.open(directory .. "/nginx.conf"))
    shell("kill " .. command)
  end)
end)

describe("script/fake-api", function()
  -- Its output, what it said and its exit status.
  local function run(arguments)
    local text, _, status = host.run(("C66_BUILT=1 script/fake-api %s 2>&1 </dev/null"):format(arguments))
    return text, status
  end

  it("says what it is for", function()
    local text, status = run "--help"
    assert.equal(0, status)
    assert.matches("^usage: script/fake%-api ", text)
  end)

  it("refuses what cannot be meant, and starts nothing", function()
    for _, case in ipairs {
      { "--scenari x true", "unknown option --scenari" },
      { "--scenario", "needs a value: an unset variable" },
      { "--scenario '' true", "needs a value: an unset variable" },
      { "--requests '' true", "needs a value: an unset variable" },
      { "'' x", "the command is empty: an unset variable" },
    } do
      local text, status = run(case[1])
      assert.equal(64, status, text)
      assert.is_truthy(text:find(case[2], 1, true), text)
    end
  end)

  if _VERSION ~= "Lua 5.4" or not require("spec.support.child").is_interruptible then
    return -- it would build for Lua 5.4 first
  end

  it("refuses a scenario that there is not", function()
    local text, status = run "--scenario page_sise=1 true"
    assert.equal(64, status)
    assert.matches('unknown scenario "page_sise"', text)
  end)

  it("ends with the status of its command, and writes down what was asked", function()
    local asked = os.tmpname()
    local _, status = run(("--scenario codes=string --requests '%s' sh -c 'curl -s -o /dev/null $CLOUD66_URL/ping; exit 7'"):format(asked))
    assert.equal(7, status)
    local file = io.open(asked)
    local lines = file:read "*a"
    file:close()
    os.remove(asked)
    assert.matches('^{[^\n]*"path":"/api/3/ping"[^\n]*}\n$', lines)
  end)
end)
