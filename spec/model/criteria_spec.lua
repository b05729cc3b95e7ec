-- Criteria: what where{...} takes of a list. Most of it on pages decoded from text, some against the fake API.
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local long_history = require "spec.support.long_history"

local connect, raises = expect.connect, expect.raises

local known, known_ids, walk = long_history.known, long_history.known_ids, long_history.walk

local function history(scenario)
  return connect(scenario):stack(fake.stacks.awesome_app):deployments()
end

-- Deployments in which each says something else, by its id.
local text = [[ [
  {"id":1, "git_hash":"abcdef0123456789abcdef0123456789abcdef01", "git_ref":"main", "outcome":{"code":1,"meaning":"success"},
   "triggered_via":{"code":0,"meaning":"web"}, "deploy_type":{"code":0,"meaning":"build"}, "triggered_by":"maria@awesome.example",
   "started_at":"2026-01-10T12:00:00Z", "finished_at":"2026-01-10T12:10:00Z", "is_live":true, "is_head":true, "reverted":false,
   "is_deploying":false},
  {"id":2, "git_hash":"ABCDEF9999999999999999999999999999999999", "git_ref":"develop", "outcome":{"code":"failed","meaning":"Unsuccessful"},
   "triggered_via":{"code":"hook","meaning":"Hook"}, "deploy_type":{"code":"redeploy","meaning":"Redeploy"},
   "started_at":"2026-01-09T12:00:00+00:00", "finished_at":"2026-01-09T12:01:00+00:00", "is_live":false, "is_head":false,
   "reverted":true},
  {"id":3, "git_hash":null, "git_ref":null, "outcome":{"code":9,"meaning":"cancelled"}, "triggered_via":null, "is_live":null,
   "started_at":null, "finished_at":null, "reverted":null},
  {"id":4611686018427387905, "git_hash":"0123456", "outcome":"pending", "triggered_via":"api", "deploy_type":"scale", "is_deploying":true,
   "started_at":"2026-01-08 12:00:00 UTC"}
] ]]

local big = "4611686018427387905"

local page = cloud66.decode(text)

-- The ids of those that match, as text: "1 3".
local function matching(wanted)
  local found = {}
  for d in page:where(wanted) do
    found[#found + 1] = #tostring(d.id) > 5 and "4" or tostring(d.id)
  end
  return table.concat(found, " ")
end

-- Each of these criteria must raise, with a text that has the pattern.
local function each_refused(pattern, list)
  local wrong = {}
  for i, wanted in ipairs(list) do
    local ok, problem = pcall(page.where, page, wanted)
    if ok then
      wrong[#wrong + 1] = ("number %d did not raise"):format(i)
    elseif not tostring(problem):find(pattern) then
      wrong[#wrong + 1] = ("number %d raised: %s"):format(i, tostring(problem))
    end
  end
  assert.same({}, wrong)
end

describe("a criterion with a value", function()
  it("compares a text", function()
    assert.equal("1", matching { git_ref = "main" })
    assert.equal("1", matching { triggered_by = "maria@awesome.example" })
    assert.equal("", matching { git_ref = "Main" })
    assert.equal("", matching { git_ref = "mai" })
    assert.equal("", matching { git_ref = "^main$" })
    assert.equal("2", matching { started_at = "2026-01-09T12:00:00+00:00" })
  end)

  it("compares a word, however the API wrote it", function()
    assert.equal("1", matching { outcome = "success" })
    assert.equal("2", matching { outcome = "failed" })
    assert.equal("4", matching { outcome = "pending" })
    assert.equal("1", matching { triggered_via = "web" })
    assert.equal("2", matching { deploy_type = "redeploy" })
  end)

  it("compares a code and a meaning as sent", function()
    assert.equal("1", matching { outcome_code = 1 })
    assert.equal("2", matching { outcome_code = "failed" })
    assert.equal("2", matching { outcome_meaning = "Unsuccessful" })
    assert.equal("3", matching { outcome_meaning = "cancelled" })
  end)

  it("compares a predicate", function()
    assert.equal("1", matching { is_success = true })
    assert.equal("2 3 4", matching { is_success = false })
    assert.equal("2", matching { via_hook = true })
    assert.equal("4", matching { is_running = true })
    assert.equal("1 2", matching { is_finished = true })
  end)

  it("compares a boolean: true is true alone, false is false and nil", function()
    assert.equal("1", matching { is_live = true })
    assert.equal("2 3 4", matching { is_live = false })
    assert.equal("2", matching { reverted = true })
    assert.equal("1 3 4", matching { reverted = false })
  end)

  it("compares seconds", function()
    assert.equal("1", matching { duration = 600 })
    assert.equal("2", matching { duration = 60.0 })
    assert.equal("1", matching { started_time = page[1].started_time })
  end)

  it("compares an id given as an integer, a whole float or digits, exactly", function()
    assert.equal("1", matching { id = 1 })
    assert.equal("2", matching { id = 4 / 2 })
    assert.equal("1", matching { id = "1" })
    assert.equal("4", matching { id = big })
    assert.equal("4", matching { id = page[4].id })
    assert.equal("", matching { id = "4611686018427387904" })
    assert.equal("", matching { id = "4611686018427387906" })
  end)

  it("compares a git_hash by a prefix of 7 or more digits, in any case", function()
    assert.equal("1", matching { git_hash = "abcdef01" })
    assert.equal("1", matching { git_hash = "ABCDEF01" })
    assert.equal("2", matching { git_hash = "abcdef9" })
    assert.equal("1", matching { git_hash = "abcdef0123456789abcdef0123456789abcdef01" })
    assert.equal("4", matching { git_hash = "0123456" })
    assert.equal("", matching { git_hash = "01234567" })
    assert.equal("", matching { git_hash = "bcdef01" })
  end)

  it("compares a git_ref with or without its refs/heads/", function()
    local refs = cloud66.decode [[ [{"id":1,"git_ref":"refs/heads/main"},{"id":2,"git_ref":"main"},{"id":3,"git_ref":"refs/tags/main"},
      {"id":4,"git_ref":"mainline"},{"id":5,"git_ref":null},{"id":6,"git_ref":"feature/main"},{"id":7,"git_ref":7}] ]]
    local function found(wanted)
      local ids = {}
      for i = 1, 6 do
        ids[#ids + 1] = refs[i]:matches { git_ref = wanted } and i or nil
      end
      return ids
    end
    assert.same({ 1, 2, 3 }, found "main")
    assert.same({ 1, 2 }, found "refs/heads/main")
    assert.same({ 2, 3 }, found "refs/tags/main")
    assert.same({ 4, 6 }, found { "mainline", "refs/heads/feature/main" })
    assert.same({ 5 }, found(cloud66.null))
    assert.same({}, found "ain")
    assert.is_nil((refs[7]:matches { git_ref = "main" })) -- what is no text cannot be judged
  end)

  it("of null matches what is null or was not sent, not false", function()
    assert.equal("3 4", matching { git_ref = cloud66.null })
    assert.equal("3", matching { git_hash = cloud66.null })
    assert.equal("3 4", matching { is_live = cloud66.null })
    assert.equal("3 4", matching { reverted = cloud66.null })
    assert.equal("3", matching { started_time = cloud66.null })
    assert.equal("3", matching { triggered_via = cloud66.null })
    assert.equal("", matching { is_success = cloud66.null })
    assert.equal("", matching { id = cloud66.null })
  end)

  it("of false matches false and nil, of any field", function()
    assert.equal("3 4", matching { git_ref = false })
    assert.equal("3", matching { triggered_via = false })
    assert.equal("3 4", matching { finished_time = false })
  end)

  it("meets others: all of them must match", function()
    assert.equal("1", matching { outcome = "success", git_ref = "main", is_live = true })
    assert.equal("", matching { outcome = "success", git_ref = "develop" })
  end)
end)

describe("a criterion with a list", function()
  it("matches any of its values", function()
    assert.equal("1 2", matching { outcome = { "success", "failed" } })
    assert.equal("1", matching { outcome = { "success" } })
    assert.equal("1 2", matching { id = { 1, "2", 99 } })
    assert.equal("1 4", matching { id = { big, 1 } })
    assert.equal("1 4", matching { git_hash = { "abcdef01", "0123456" } })
    assert.equal("1 2", matching { duration = { 60, 600 } })
    assert.equal("1 2 3 4", matching { is_success = { true, false } })
  end)

  it("may hold null and false", function()
    assert.equal("1 3 4", matching { git_ref = { "main", cloud66.null } })
    assert.equal("2 3 4", matching { is_live = { false, cloud66.null } })
    assert.equal("2 3 4", matching { git_ref = { false, "develop" } })
    assert.equal("3", matching { triggered_via = { cloud66.null } })
  end)

  it("raises where it is empty, has gaps or names", function()
    each_refused("outcome", {
      { outcome = {} },
      { outcome = { nil, "success" } },
      { outcome = { "success", nil, "failed" } },
      { outcome = { [2] = "success" } },
      { outcome = { "success", also = "failed" } },
      { outcome = { code = 1 } },
      { outcome = { [0] = "success" } },
    })
  end)

  it("raises where one of its values is wrong", function()
    each_refused("outcome", {
      { outcome = { "success", "" } }, { outcome = { "success", "sucess" } }, { outcome = { "success", 1 } },
      { outcome = { { "success" } } }, { outcome = { print } },
    })
    each_refused("git_hash", { { git_hash = { "abcdef01", "abc" } }, { git_hash = { "" } }, { git_hash = { {} } } })
    each_refused("id", { { id = { 1, 1.5 } }, { id = { {} } }, { id = { print } } })
    each_refused("git_ref", { { git_ref = { "main", "" } }, { git_ref = { { "main" } } }, { git_ref = { print } } })
  end)
end)

describe("a criterion with a function", function()
  it("matches where the function gives true for the field's value", function()
    assert.equal("1", matching {
      duration = function(seconds)
        return seconds ~= nil and seconds > 100
      end,
    })
    assert.equal("3", matching {
      outcome = function(word)
        return word == "cancelled"
      end,
    })
    assert.equal("3 4", matching {
      git_ref = function(ref)
        return ref == nil
      end,
    })
    assert.equal("", matching { git_ref = function() end })
  end)

  it("lets an error of the function through", function()
    raises("a bug", function()
      matching {
        git_ref = function()
          error "a bug"
        end,
      }
    end)
  end)
end)

describe("since and before", function()
  local noon = page[2].started_time -- 2026-01-09T12:00:00Z

  it("are inclusive and exclusive", function()
    assert.equal("1 2", matching { since = "2026-01-09T12:00:00Z" })
    assert.equal("1", matching { since = "2026-01-09T12:00:01Z" })
    assert.equal("4", matching { before = "2026-01-09T12:00:00Z" })
    assert.equal("2 4", matching { before = "2026-01-09T12:00:01Z" })
    assert.equal("2", matching { since = "2026-01-09T12:00:00Z", before = "2026-01-10T12:00:00Z" })
  end)

  it("take Unix seconds, also with a fraction", function()
    assert.equal("1 2", matching { since = noon })
    assert.equal("1 2", matching { since = noon * 1.0 })
    assert.equal("1", matching { since = noon + 0.5 })
    assert.equal("4", matching { before = noon })
    assert.equal("2 4", matching { before = noon + 0.5 })
    assert.equal("1 2 4", matching { since = 0 })
  end)

  it("take a date in each form, in UTC where it names no zone", function()
    local forms = {
      "2026-01-09T12:00:00Z", "2026-01-09T12:00:00+00:00", "2026-01-09 12:00:00 UTC", "2026-01-09T12:00:00", "2026-01-09 12:00:00",
      "2026-01-09T14:00:00+02:00", "2026-01-09T06:30:00-05:30", "2026-01-09T12:00:00.000Z",
    }
    for _, form in ipairs(forms) do
      assert.equal("1 2", matching { since = form })
      assert.equal("4", matching { before = form })
    end
    assert.equal("1 2", matching { since = "2026-01-09" })
    assert.equal("1", matching { since = "2026-01-10" })
    assert.equal("4", matching { before = "2026-01-09" })
  end)

  it("take an age", function()
    local now = os.time()
    local starts = {}
    for i, age in ipairs { 10, 3500, 3700, 86300, 86500, 6 * 86400, 8 * 86400 } do
      starts[i] = ('{"id":%d,"started_at":"%s"}'):format(i, os.date("!%Y-%m-%dT%H:%M:%SZ", now - age))
    end
    local recent = cloud66.decode("[" .. table.concat(starts, ",") .. "]")
    assert.equal(2, recent:where({ since = "1h" }):count())
    assert.equal(4, recent:where({ since = "24h" }):count())
    assert.equal(4, recent:where({ since = "1d" }):count())
    assert.equal(6, recent:where({ since = "7d" }):count())
    assert.equal(1, recent:where({ before = "7d" }):count())
    assert.equal(2, recent:where({ since = "7d", before = "24h" }):count())
  end)

  it("leave out a deployment without a start, at both ends", function()
    assert.equal("1 2 4", matching { since = "1970-01-01" })
    assert.equal("1 2 4", matching { before = "2099-01-01" })
  end)

  it("cannot judge a deployment whose start is of an unknown type", function()
    local count, message, err = history({ drift = true }):where({ since = "1971-01-01" }):count()
    assert.is_nil(count)
    assert.equal("decode", err.kind)
    assert.matches("started_time", message)
  end)

  it("raise for what is no moment", function()
    for _, name in ipairs { "since", "before" } do
      local list = {}
      local moments = {
        "", " ", "yesterday", "2026", "2026-01", "2026-13-01", "2026-02-30", "2026-1-9", "24", "h", "24 h", "24x", "-1d", "1.5h",
        true, false, {}, print, 0 / 0, 2026, { "2026-01-09" }, cloud66.null, "2026-01-09T25:00:00Z", "2026-01-09T12:00:00Zjunk",
      }
      for i, moment in ipairs(moments) do
        list[i] = { [name] = moment }
      end
      each_refused(name, list)
    end
  end)
end)

describe("criteria", function()
  it("raise for an unknown key, naming the nearest", function()
    local typos = {
      outcom = "outcome", git_hsh = "git_hash", sinse = "since", befor = "before", is_sucess = "is_success", via_hok = "via_hook",
      triggerd_by = "triggered_by", type_buid = "type_build", started_tme = "started_time", outcome_cod = "outcome_code",
    }
    for typo, meant in pairs(typos) do
      raises("'" .. typo .. "'.*'" .. meant .. "'", function()
        matching { [typo] = true }
      end)
    end
    each_refused("field", { { "success" }, { [true] = 1 }, { nothing_like_it = 1 }, { elapsed = 1 }, { raw = 1 }, { matches = 1 } })
  end)

  it("raise for a word the API does not document, naming the nearest", function()
    local typos = {
      { outcome = "sucess" }, { outcome = "Success" }, { outcome = "succeeded" }, { triggered_via = "hooks" }, { deploy_type = "rebuild" },
    }
    local meant = { "success", "success", nil, "hook", "build" }
    for i, wanted in ipairs(typos) do
      raises(meant[i] and "'" .. meant[i] .. "'" or "success", function()
        matching(wanted)
      end)
    end
    each_refused("outcome", { { outcome = "cancelled" }, { outcome = "" }, { outcome = 1 }, { outcome = true }, { outcome = "web" } })
  end)

  it("raise where they are empty, or no criteria", function()
    each_refused("criteria", { {}, "failed", 5, true, false })
    raises("criteria", function()
      page:where()
    end)
    raises("criteria", function()
      page[1]:matches()
    end)
    raises("criteria", function()
      page[1]:matches {}
    end)
  end)

  it("raise for an empty text, which an unset variable gives", function()
    local names = { "git_ref", "triggered_by", "git_hash", "outcome", "deploy_session", "commit_url", "started_at", "id", "since" }
    for _, name in ipairs(names) do
      each_refused(name, { { [name] = "" } })
    end
    each_refused("code", { { outcome_code = "" } })
    each_refused("meaning", { { outcome_meaning = "" } })
  end)

  it("raise for a value of the wrong type", function()
    each_refused("git_ref", { { git_ref = 5 }, { git_ref = true } })
    each_refused("git_hash", {
      { git_hash = 1234567 }, { git_hash = true }, { git_hash = "abcdef" }, { git_hash = "main" }, { git_hash = "abcdefg" },
    })
    each_refused("is_live", { { is_live = "true" }, { is_live = 1 }, { is_live = "yes" } })
    each_refused("is_success", { { is_success = "yes" }, { is_success = 1 } })
    each_refused("duration", { { duration = "600" }, { duration = true } })
    each_refused("started_time", { { started_time = "2026-01-01" }, { started_time = true } })
    each_refused("outcome_code", { { outcome_code = true } })
    each_refused("started_at", { { started_at = 5 }, { started_at = true } })
    each_refused("id", { { id = 1.5 }, { id = "abc" }, { id = true }, { id = 2 ^ 62 }, { id = 0 / 0 } })
  end)

  it("are not looked at again after they are given", function()
    local wanted = { outcome = { "failed" }, git_ref = "develop" }
    local seq = page:where(wanted)
    wanted.outcome[1] = "success"
    wanted.git_ref = "main"
    wanted.is_live = true
    assert.equal(1, seq:count())
    wanted = { outcome = { "failed", "success" } }
    seq = page:where(wanted)
    wanted.outcome[2] = nil
    wanted.outcome = nil
    assert.equal(2, seq:count())
  end)

  it("leave the caller's table as it was", function()
    local wanted = { outcome = { "failed", "success" }, git_hash = "ABCDEF01", since = "2026-01-01", id = { 1, "2" } }
    page:where(wanted):count()
    page[1]:matches(wanted)
    history():where(wanted):count()
    assert.same({ outcome = { "failed", "success" }, git_hash = "ABCDEF01", since = "2026-01-01", id = { 1, "2" } }, wanted)
  end)

  it("may be a function", function()
    assert.equal("1 2", matching(function(d)
      return d.duration
    end))
  end)

  it("raise when they are given, not when the first item comes", function()
    local empty = cloud66.decode "[]"
    raises("outcom", function()
      empty:where { outcom = "failed" }
    end)
  end)

  it("give the same for every shape of the API's answers", function()
    local wanted = { outcome = "success", triggered_via = { "hook", "api" }, deploy_type = "build", since = known[100].started_at }
    local expected = known_ids(function(d)
      return d.outcome == "success" and d.triggered_via ~= "web" and d.deploy_type == "build" and d.started_time >= known[100].started_time
    end)
    assert.is_true(#expected > 20)
    local scenarios = {
      { codes = "int" }, { codes = "string" }, { codes = "word" }, { codes = "mixed" }, { dates = "utc" }, { dates = "fraction" },
    }
    for _, scenario in ipairs(scenarios) do
      assert.same(expected, walk(history(scenario):where(wanted)))
    end
  end)

  it("find no undocumented word, but a function does", function()
    assert.equal(0, history({ unknown_words = true }):where({ outcome = { "success", "failed", "pending" } }):count())
    assert.equal(137, history({ unknown_words = true }):where({
      outcome = function(word)
        return word == "cancelled"
      end,
    }):count())
  end)
end)

describe("page:where", function()
  it("gives a sequence, and leaves the page as it was", function()
    local whole = connect():stack(fake.stacks.awesome_app):page(2)
    local expected = 0
    for i = 31, 60 do
      expected = expected + (known[i].outcome == "failed" and 1 or 0)
    end
    assert.is_true(expected > 0)
    assert.equal(expected, whole:where({ outcome = "failed" }):count())
    assert.equal(expected, whole:where({ is_failed = true }):take(30):count())
    assert.equal(30, #whole)
  end)

  it("keeps the page alive", function()
    local seq = cloud66.decode(text):where { is_live = true }
    collectgarbage()
    collectgarbage()
    assert.equal(1, seq:first().id)
  end)
end)

describe("deployment:matches", function()
  it("gives true or false", function()
    assert.is_true(page[1]:matches { outcome = "success", git_hash = "abcdef01" })
    assert.is_false(page[1]:matches { outcome = "failed" })
    assert.is_false(page[3]:matches { since = "1970-01-01" })
    assert.is_true(page[1]:matches(function()
      return 5
    end))
    assert.is_false(page[1]:matches(function() end))
    assert.is_true(page[4]:matches { id = big })
  end)

  it("raises for anything but a deployment", function()
    for _, other in ipairs { page, {}, "x", io.stdout } do
      raises("matches", function()
        page[1].matches(other, { is_live = true })
      end)
    end
    raises("matches", function()
      page[1].matches { is_live = true }
    end)
  end)
end)

describe("a range of time", function()
  it("raises where it can hold nothing", function()
    each_refused("earlier", { { since = "2025-06-01", before = "2024-06-01" }, { since = 1e9, before = 1e9 } })
    each_refused("milliseconds", { { since = 1700000000000 }, { before = math.huge }, { since = -math.huge } })
  end)
end)

describe("an id", function()
  it("is the same with zeros in front", function()
    local id = fake.data.deployments("awesome_app")[5].id
    assert.same({ id }, walk(history():where { id = ("00%d"):format(id) }))
  end)
end)

describe("a drifted field", function()
  local drifted = cloud66.decode [[ [{"id":1,"outcome":5,"is_live":"yes","git_hash":7,"started_at":1,"finished_at":"soon","deploy_type":{}}] ]]

  it("is neither a match nor none, by whatever is read from it", function()
    local criteria = {
      { outcome = "failed" }, { is_failed = true }, { is_failed = false }, { is_running = true }, { is_live = true },
      { is_live = false }, { git_hash = "abcdef0" }, { git_hash = cloud66.null }, { since = "7d" }, { before = "2020-01-01" },
      { started_at = "x" }, { duration = 5 }, { finished_time = 5 }, { type_build = true }, { outcome = { "failed", "success" } },
      { outcome_code = 5 },
    }
    for i, wanted in ipairs(criteria) do
      local value, message, err = drifted[1]:matches(wanted)
      assert.is_nil(value, i)
      assert.matches("^decode: ", message)
      assert.equal("decode", err.kind)
      for _, closing in ipairs { "count", "first", "collect" } do
        local seq = drifted:where(wanted)
        value, message, err = seq[closing](seq)
        assert.is_nil(value)
        assert.equal("decode", err.kind, message)
      end
      local ok, raised = pcall(function()
        for d in drifted:where(wanted) do
          assert.is_nil(d)
        end
      end)
      assert.is_false(ok)
      assert.equal("decode", raised.kind)
    end
  end)

  it("is left to a function, and to criteria that do not go by it", function()
    assert.is_true(drifted[1]:matches { id = 1 })
    assert.is_true(drifted[1]:matches { outcome = function(value)
      return value == nil
    end })
    assert.is_true(drifted[1]:matches { git_ref = cloud66.null, is_head = false })
    assert.is_false(drifted[1]:matches { git_ref = "main" })
  end)

  it("ends a filter over the API's answers", function()
    for _, wanted in ipairs { { outcome = "failed" }, { is_live = true }, { since = "2025-06-01" } } do
      local count, message = history({ drift = true }):where(wanted):count()
      assert.is_nil(count)
      assert.matches("^decode: ", message)
    end
  end)
end)

describe("arguments that a call would pass over", function()
  local wanted = { outcome = "failed" }

  it("raise, as criteria given to the wrong call would take everything", function()
    local stack = connect():stack(fake.stacks.api)
    local calls = {
      function() return history():count(wanted) end,
      function() return history():first(wanted) end,
      function() return history():collect(5, wanted) end,
      function() return history():where(wanted, { via_hook = true }) end,
      function() return history():each(print, wanted) end,
      function() return history():take(5, wanted) end,
      function() return history():take_while(print, wanted) end,
      function() return history():map(print, wanted) end,
      function() return history():group_by("outcome", wanted) end,
      function() return history():reduce(print, 0, wanted) end,
      function() return stack:live(wanted) end,
      function() return stack:head(wanted) end,
      function() return stack:latest "failed" end,
      function() return stack:previous_live(wanted) end,
      function() return stack:deployments({ since = "7d" }, wanted) end,
    }
    for _, call in ipairs(calls) do
      raises("takes .*argument", call)
    end
  end)
end)
