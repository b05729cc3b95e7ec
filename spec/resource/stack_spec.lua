-- One stack: its fields, its pages and deployments. What is expected is computed from the fake's data.
local canned = require "spec.support.canned"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local fields = require "spec.support.fields"
local in_data = require "spec.support.in_data"

local connect, stack_of, raises, each_raises, failure = expect.connect, expect.stack_of, expect.raises, expect.each_raises, expect.failure

-- What the data says of a deployment, and what a deployment says of itself, in the same form.
local compared = { "duration" }
for _, row in ipairs(fields.rows) do
  local name, kind = row[1], row[2]
  if name ~= "id" and name ~= "reverted" and name ~= "reverted_at" then
    compared[#compared + 1] = kind == "date" and fields.seconds_name(name) or name
  end
end

local function picture(d, without)
  local shown = { id = ("%d"):format(d.id), reverted = d.reverted or false }
  for _, name in ipairs(compared) do
    shown[name] = d[name]
  end
  for _, name in ipairs(without or {}) do
    shown[name] = nil
  end
  return shown
end

local function pictures(list, without)
  local shown = {}
  for i = 1, #list do
    shown[i] = picture(list[i], without)
  end
  return shown
end

describe("a stack", function()
  it("asks nothing before it is used", function()
    local tag = fake.fresh_tag()
    local stack = connect({ tag = tag }):stack(fake.stacks.api)
    assert.equal(fake.stacks.api, stack.uid)
    stack:deployments()
    stack:deployments { since = "2026-01-01" }
    assert.same({}, fake.requests(tag))
  end)

  it("loads its fields", function()
    for _, name in ipairs(fake.data.stack_names) do
      local stack, known = stack_of(name), fake.data.stack(name)
      assert.equal(stack, (stack:load()))
      for key, value in pairs(known) do
        if type(value) ~= "table" then
          assert.equal(value, stack[key])
        end
      end
    end
    assert.same({ "api-production", "api-jobs" }, stack_of("api"):load().namespaces)
  end)

  it("has its fields where it comes from a list", function()
    local stack = connect():stacks():first()
    assert.equal("Awesome App", stack.name)
    assert.equal("deploying", stack.status_name)
  end)

  it("loads the same, wrapped or bare", function()
    for _, wrap in ipairs { "yes", "no" } do
      assert.equal("api", stack_of("api", { wrap = wrap }):load().name)
    end
  end)

  it("loads anew", function()
    local tag = fake.fresh_tag()
    local stack = connect({ tag = tag }):stack(fake.stacks.api)
    stack:load()
    stack:load()
    assert.equal(2, #fake.requests(tag))
  end)

  it("has nil for a field that is null or was not sent", function()
    local stack = stack_of("awesome_app", { nulls = true }):load()
    assert.is_nil(stack.git_branch)
    assert.is_nil(stack.is_busy)
  end)

  it("has words for its status and health", function()
    local words = {
      awesome_app = { "deploying", "ok" }, staging = { "success", "ok" }, api = { "success", "ok" }, brand_new = { "queued", "unknown" },
    }
    for name, expected in pairs(words) do
      local stack = stack_of(name):load()
      assert.same(expected, { stack.status_name, stack.health_name })
    end
  end)

  it("has a different word for each status and health the API documents", function()
    for field, last in pairs { status = 7, health = 4 } do
      local seen = {}
      for number = 0, last do
        local stack = canned.stack(('{"response":{"uid":"a-uid","%s":%d}}'):format(field, number)):load()
        local word = stack[field .. "_name"]
        assert.matches("^%l[%l_]+$", word)
        assert.is_nil(seen[word])
        seen[word] = true
      end
    end
  end)

  it("passes an unknown status or health through", function()
    for _, number in ipairs { "8", "99", "-1" } do
      local stack = canned.stack(('{"response":{"uid":"a-uid","status":%s,"health":%s}}'):format(number, number)):load()
      assert.matches(number, stack.status_name, 1, true)
      assert.matches(number, stack.health_name, 1, true)
    end
    for _, sent in ipairs { "null", '"deploying"', "1.5", "true", "{}" } do
      local stack = canned.stack(('{"response":{"uid":"a-uid","status":%s}}'):format(sent)):load()
      local ok, problem = pcall(function()
        return stack.status_name
      end)
      assert.is_true(ok, problem)
    end
    assert.equal("deploying", canned.stack('{"response":{"uid":"a-uid","status":"deploying"}}'):load().status_name)
    assert.is_nil(canned.stack('{"response":{"uid":"a-uid","status":null}}'):load().status_name)
  end)

  it("raises for a field before it is loaded, and says what to do", function()
    local stack = stack_of "api"
    for _, name in ipairs { "name", "status", "status_name", "health_name", "redeploy_hook", "is_busy" } do
      raises("load%(%)", function()
        return stack[name]
      end)
    end
  end)

  it("raises for an unknown field, naming the nearest, loaded or not", function()
    local typos = { nam = "name", enviroment = "environment", status_nam = "status_name", healt = "health", uuid = "uid" }
    local stack, loaded = stack_of "api", stack_of("api"):load()
    for typo, meant in pairs(typos) do
      for _, each in ipairs { stack, loaded } do
        raises("'" .. typo .. "'.*'" .. meant .. "'", function()
          return each[typo]
        end)
      end
    end
    raises("nothing_like_it", function()
      return loaded.nothing_like_it
    end)
    raises("1", function()
      return loaded[1]
    end)
  end)

  it("raises for an unknown method, naming the nearest", function()
    local typos = { deploymnets = "deployments", lve = "live", lod = "load", is_liv = "is_live", previous_life = "previous_live" }
    local wrong = {}
    for typo, meant in pairs(typos) do
      local ok, problem = pcall(function()
        return stack_of("api")[typo]
      end)
      if ok or not problem:find("'" .. meant .. "'", 1, true) then
        wrong[#wrong + 1] = typo .. ": " .. tostring(problem)
      end
    end
    assert.same({}, wrong)
  end)

  it("gives undocumented keys by raw", function()
    local stack = stack_of("api", { extra = true }):load()
    assert.same({ uid = "not the uid", tags = { "a", "b" } }, stack:raw "metadata")
    assert.is_nil(stack:raw "nothing")
  end)

  it("has methods where a key has the name of one", function()
    local stack = canned.stack('{"response":{"uid":"a-uid","live":true,"load":1,"name":"n"}}'):load()
    assert.is_function(stack.live)
    assert.is_function(stack.load)
    assert.equal("n", stack.name)
  end)

  it("is read-only", function()
    local stack = stack_of("api"):load()
    each_raises("read%-only", { "uid", "name", "status", "something", "live", "client", "fields" }, function(name)
      stack[name] = "x"
    end)
    assert.equal(fake.stacks.api, stack.uid)
    assert.equal("api", stack.name)
  end)

  it("has no redeploy hook in its text", function()
    local stack = stack_of("awesome_app"):load()
    assert.matches(fake.stacks.awesome_app, tostring(stack))
    assert.not_matches("hooks", tostring(stack))
    assert.not_matches("%c", tostring(stack_of("awesome_app", { hostile = true }):load()))
  end)

  it("raises for a uid that is none", function()
    local client = connect()
    each_raises("uid", { "", 5, true, false, {}, print }, function(uid)
      client:stack(uid)
    end)
    raises("uid", function()
      client:stack(nil)
    end)
  end)

  it("that does not exist is not_found, and the message speaks of find_stack", function()
    for _, uid in ipairs { "nobody", "Awesome App", "api", "5999b763474b0eafa5fafb64bff0ba81" } do
      local stack = connect():stack(uid)
      local calls = {
        load = { stack:load() }, page = { stack:page(1) }, live = { stack:live() }, head = { stack:head() }, latest = { stack:latest() },
        previous_live = { stack:previous_live() }, is_live = { stack:is_live "abcdef0" }, first = { stack:deployments():first() },
        count = { stack:deployments():count() },
      }
      for name, results in pairs(calls) do
        local err = failure("not_found", results[1], results[2], results[3])
        assert.equal(404, err.status, name)
        assert.matches("find_stack", results[2])
        assert.matches(uid, results[2], 1, true)
      end
    end
  end)

  it("with a uid that would lead elsewhere is refused, and nothing is asked", function()
    local tag = fake.fresh_tag()
    local client = connect { tag = tag }
    local wrong = {
      "a/b", "../../admin", "..", ".", "/", "a/../b", "a\\b", "a?b", "a#b", "a\r\nX-Injected: yes", "a\0b", "a\nb", ("a"):rep(300),
      fake.stacks.api .. "\n", fake.stacks.api .. "/deployments",
    }
    for _, uid in ipairs(wrong) do
      local stack = client:stack(uid)
      for _, method in ipairs { "load", "page", "live", "head", "latest", "previous_live" } do
        local _, message = stack[method](stack)
        failure("bad_request", stack[method](stack))
        assert.not_matches("%c", message)
        assert.is_true(#message < 400)
      end
      failure("bad_request", stack:deployment(1))
      failure("bad_request", stack:is_live "abcdef0")
      failure("bad_request", stack:deployments():count())
    end
    assert.same({}, fake.requests(tag))
  end)

  it("with any other uid is asked for by one encoded part of a path", function()
    for _, uid in ipairs { "a b", "100%", "a%2fb", "ü+&=;:@", "a.b", "~x~=y" } do
      local tag = fake.fresh_tag()
      failure("not_found", connect({ tag = tag }):stack(uid):load())
      local path = fake.requests(tag)[1].path
      local part = path:match "^/api/3/stacks/([^/?]+)$"
      assert.is_string(part, path)
      assert.equal(uid, (part:gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
      end)))
    end
  end)
end)

describe("stack:page", function()
  it("gives the page of that number, counted from the newest", function()
    local stack, known = stack_of "awesome_app", fake.data.deployments "awesome_app"
    for number, size in ipairs { 30, 30, 30, 30, 17 } do
      local page = stack:page(number)
      assert.equal(size, #page)
      assert.equal(number, page.current)
      assert.equal(137, page.total)
      assert.equal(5, page.pages)
      assert.equal(known[(number - 1) * 30 + 1].id, page[1].id)
      assert.equal(number < 5 and number + 1 or nil, page.next)
    end
  end)

  it("gives the first page without a number", function()
    assert.equal(fake.data.deployments("awesome_app")[1].id, stack_of("awesome_app"):page()[1].id)
  end)

  it("takes a whole float", function()
    local page, message = stack_of("awesome_app"):page(4 / 2)
    assert.is_truthy(page, message)
    assert.equal(2, page.current)
  end)

  it("is empty beyond the end, and for a stack without deployments", function()
    assert.equal(0, #stack_of("awesome_app"):page(99))
    assert.equal(0, #stack_of("brand_new"):page(1))
  end)

  it("raises for a number that is none", function()
    local stack = stack_of "awesome_app"
    each_raises("page", { 0, -1, 1.5, "1", true, {}, 0 / 0, math.huge, false }, function(number)
      stack:page(number)
    end)
  end)
end)

describe("stack:deployment", function()
  local known = fake.data.deployments "awesome_app"

  it("finds a deployment by its id as an integer, a whole float and digits", function()
    local stack = stack_of "awesome_app"
    for _, i in ipairs { 1, 3, 137 } do
      local id = known[i].id
      for _, given in ipairs { id, id * 1.0, id / 2 * 2, ("%d"):format(id) } do
        local d, message = stack:deployment(given)
        assert.is_truthy(d, message)
        assert.same(picture(known[i]), picture(d))
      end
    end
  end)

  it("finds a deployment whose id is near 2^62, given as digits or as it was given out", function()
    local stack = stack_of("awesome_app", { ids = "big" })
    local digits = fake.data.big_id(known[2].id)
    local d, message = stack:deployment(digits)
    assert.is_truthy(d, message)
    assert.equal(digits, tostring(d.id))
    assert.equal(digits, tostring(stack:deployment(d.id).id))
  end)

  it("raises for an id that was rounded", function()
    local stack = stack_of("awesome_app", { ids = "big" })
    each_raises("digits", { 2 ^ 62, 4611686018427403296.0, 2 ^ 53, -2 ^ 60, 1e300 }, function(id)
      stack:deployment(id)
    end)
  end)

  it("raises for an id that is none", function()
    local stack = stack_of "awesome_app"
    local wrong = { "", " ", "12 ", "abc", "1.5", "1e3", "0x10", "12/../13", "1\n", 1.5, 0 / 0, math.huge, true, false, {}, "+1" }
    each_raises("id", wrong, function(id)
      stack:deployment(id)
    end)
    raises("id", function()
      stack:deployment(nil)
    end)
  end)

  it("is not_found where there is none of that id", function()
    local stack = stack_of "awesome_app"
    for _, id in ipairs { 1, "99999999999999999999999", 0 } do
      local value, message, err = stack:deployment(id)
      failure("not_found", value, message, err)
      assert.matches(tostring(id), message, 1, true)
    end
    failure("not_found", stack_of("staging"):deployment(known[1].id))
  end)

  it("is not_found with a message that names the stack and the id: of a deployment, its cancelling and an action", function()
    local uid = fake.stacks.staging
    local expected = "stack '" .. uid .. "' has no %s 4711, or there is no such stack"
    local function check(what, value, message, err)
      failure("not_found", value, message, err)
      assert.matches(expected:format(what), message, 1, true)
    end
    check("deployment", stack_of("staging"):deployment(4711))
    check("deployment", stack_of("staging"):cancel(4711))
    check("action", stack_of("staging"):action(4711))
  end)

  it("takes no other deployment for the one that was asked for", function()
    for _, body in ipairs { '{"response":{"id":8}}', '{"response":[{"id":7},{"id":8}]}', '{"response":[]}', '{"id":70}', '{"id":"7x"}' } do
      local value, message, err = canned.stack(body):deployment(7)
      assert.is_nil(value, body)
      assert.is_true(err.kind == "protocol" or err.kind == "decode", message)
    end
    assert.equal(7, canned.stack('{"response":{"id":7}}'):deployment(7).id)
    assert.equal(7, canned.stack('{"id":7}'):deployment("7").id)
  end)
end)

describe("every shape of the API's answers", function()
  local scenarios = {
    { codes = "int" }, { codes = "string" }, { codes = "word" }, { codes = "mixed" }, { reverted = "false" }, { reverted = "null" },
    { dates = "offset" }, { dates = "utc" }, { dates = "fraction" }, { pagination = "model" }, { wrap = "yes" }, { wrap = "no" },
    { content = "chunked" }, { gzip = true }, { pretty = true }, { extra = true }, { ratelimit = "no" }, { warning = "a warning" },
    { codes = "string", dates = "utc", pagination = "model", wrap = "no", extra = true, pretty = true, reverted = "false" },
  }

  it("gives the same deployments", function()
    local expected = pictures(fake.data.deployments "awesome_app")
    for _, scenario in ipairs(scenarios) do
      local list, message = stack_of("awesome_app", scenario):deployments():collect()
      assert.is_table(list, message)
      assert.same(expected, pictures(list))
    end
  end)

  it("gives the same single deployment and the same live one", function()
    local known = fake.data.deployments("awesome_app")[5]
    local live = in_data.live "awesome_app"
    for _, scenario in ipairs(scenarios) do
      local stack = stack_of("awesome_app", scenario)
      assert.same(picture(known), picture(stack:deployment(known.id)))
      assert.same(picture(live), picture(stack:live()))
      assert.equal("Awesome App", stack:load().name)
    end
  end)

  it("gives nil for the two fields that the older shape lacks", function()
    local missing = { "git_ref", "snapshot_uuid" }
    local list = stack_of("staging", { model = "short" }):deployments():collect()
    assert.same(pictures(fake.data.deployments "staging", missing), pictures(list))
  end)

  it("gives exact ids near 2^62", function()
    local list = stack_of("staging", { ids = "big" }):deployments():collect()
    local known = fake.data.deployments "staging"
    assert.equal(#known, #list)
    for i, d in ipairs(list) do
      assert.equal(fake.data.big_id(known[i].id), tostring(d.id))
    end
  end)

  it("gives words that nobody documented as they are", function()
    local d = stack_of("staging", { unknown_words = true }):latest()
    assert.same({ "cancelled", "schedule" }, { d.outcome, d.triggered_via })
    assert.same({ false, false, false }, { d.is_pending, d.is_success, d.is_failed })
    assert.same({ false, false, false }, { d.via_web, d.via_api, d.via_hook })
  end)

  it("gives hostile texts as they are, and none of it in tostring", function()
    local d = stack_of("staging", { hostile = true }):latest()
    assert.equal(fake.data.hostile.text, d.git_ref)
    assert.equal(fake.data.hostile.text, d.triggered_by)
    assert.not_matches("%c", tostring(d))
  end)

  it("lists fields of an unexpected type in page.drift, and gives nil for them", function()
    local page = stack_of("api", { drift = true }):page(1)
    assert.equal(30, #page)
    local d = page[1]
    assert.same({}, { d.triggered_by, d.started_at, d.git_hash, d.is_live })
    local seen = {}
    for _, drift in ipairs(page.drift) do
      if drift.index == 1 then
        seen[drift.field] = drift.got
      end
    end
    for _, field in ipairs { "triggered_by", "started_at", "git_hash", "is_live" } do
      assert.is_string(seen[field], field)
    end
    assert.equal("yes", d:raw "is_live")
  end)
end)
