-- cloud66.stats: every figure against one worked out by hand (the arithmetic stands beside), on decoded text; and against
-- the fake API's history, counted another way.
local cjson = require "cjson"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local made_history = require "spec.support.made_history"
local merged = require "spec.support.merged"
local pages = require "cloud66.model.pages"

local connect, each_raises, failure, raises = expect.connect, expect.each_raises, expect.failure, expect.raises
local made, by, page_of, figures_of = made_history.made, made_history.by, made_history.page_of, made_history.figures_of
local items_of, shuffled, labels = made_history.items_of, made_history.shuffled, made_history.labels

local stats = cloud66.stats

local function all()
  return true
end

local maria, tom, ci = "maria@awesome.example", "tom@awesome.example", "ci@awesome.example"

local worked = {
  made("success", "03T09:00", "03T09:10", by(maria, "hook", "build", "main")),
  made("failed", "04T09:00", "04T09:05", by(tom, "hook", "build", "main")),
  made("failed", "04T09:30", "04T09:40", by(tom, "hook", "build", "main")),
  made("success", "04T10:00", "04T10:20", by(maria, "web", "redeploy", "main")),
  made("failed", "05T12:00", "05T12:15", by(ci, "api", "build", "develop")),
  made("success", "12T12:00", "12T12:30", by(ci, "api", "build", "develop")),
  made("success", "12T13:00", "12T13:03", by(maria, "web", "scale", "main", { reverted = true })),
  made("success", "13T09:00", "13T09:20", by(maria, "hook", "build", "main")),
  made("failed", "27T08:00", "27T08:20", by(tom, "hook", "build", "release")),
  made("pending", "28T08:00", nil, by(nil, nil, "build", nil)),
  made("cancelled", "28T09:00", "28T09:01", by(maria, "web", nil, "main")),
}

-- What `worked` comes to.
local expected = {
  count = 11,
  success = 5,
  failed = 4,
  pending = 1,
  unknown = 1, -- cancelled
  from = 1740992400, -- 2025-03-03T09:00:00Z
  to = 1743152400, -- 2025-03-28T09:00:00Z
  per_day = 11 / 26, -- from the 3rd to the 28th: 26 days
  failure_rate = 4 / 9, -- 4 / (5 + 4)
  duration = {
    -- 3, 10, 20, 20, 30 minutes
    count = 5,
    median = 1200, -- the third of five
    p90 = 1800, -- 4.5, so the fifth
    max = 1800,
    by_type = {
      build = { count = 3, median = 1200, p90 = 1800, max = 1800 }, -- 10, 20, 30 minutes
      redeploy = { count = 1, median = 1200, p90 = 1200, max = 1200 },
      scale = { count = 1, median = 180, p90 = 180, max = 180 },
    },
  },
  recovery = {
    -- main: from 04T09:05, the first of two, to 04T10:20, 75 minutes = 4500
    -- develop: from 05T12:15 to 12T12:30, 7 days and 15 minutes = 604800 + 900 = 605700
    count = 2,
    median = 305100, -- (4500 + 605700) / 2
    p90 = 605700, -- 1.8, so the second
    unknown = 0,
    open = 1, -- release
  },
  reverts = 1,
  by_user = { [maria] = 5, [tom] = 3, [ci] = 2, [""] = 1 },
  by_trigger = { hook = 5, web = 3, api = 2, [""] = 1 },
  by_type = { build = 8, redeploy = 1, scale = 1, [""] = 1 },
  by_ref = { main = 7, develop = 2, release = 1, [""] = 1 },
  undated = 0,
  drift = 0,
  missing = {},
}

local function with_series(series)
  return merged(expected, { series = series })
end

local function interval(label, from, to, counts)
  return {
    label = label, from = from, to = to, count = counts[1], success = counts[2], failed = counts[3], pending = counts[4],
    unknown = counts[5],
  }
end

local weeks = { -- Mondays: 3, 10, 17, 24, 31 March
  interval("2025-W10", 1740960000, 1741564800, { 5, 2, 3, 0, 0 }),
  interval("2025-W11", 1741564800, 1742169600, { 3, 3, 0, 0, 0 }),
  interval("2025-W12", 1742169600, 1742774400, { 0, 0, 0, 0, 0 }),
  interval("2025-W13", 1742774400, 1743379200, { 3, 0, 1, 1, 1 }),
}

describe("the figures of a history", function()
  it("are those worked out by hand", function()
    assert.same(expected, stats(page_of(worked)))
    assert.same(with_series(weeks), stats(page_of(worked), { by = "week" }))
  end)

  it("are the same from a page, a list and a sequence", function()
    local page = page_of(worked)
    local wanted = with_series(weeks)
    assert.same(wanted, stats(items_of(page), { by = "week" }))
    assert.same(wanted, stats(page:where(all), { by = "week" }))
    assert.same(wanted, stats(page:where(all):take(11), { by = "week" }))
  end)

  it("are the same in whatever order it comes", function()
    local items = items_of(page_of(worked))
    local wanted = with_series(weeks)
    for seed = 1, 50 do
      assert.same(wanted, stats(shuffled(items, seed), { by = "week" }))
    end
  end)

  it("change neither the list nor the options", function()
    local items, options = items_of(page_of(worked)), { by = "week", from = "2025-03-01" }
    local copy = shuffled(items, 1)
    stats(copy, options)
    assert.same(shuffled(items, 1), copy)
    assert.same({ by = "week", from = "2025-03-01" }, options)
  end)

  it("are nothing for an empty history", function()
    local empty = {
      count = 0, success = 0, failed = 0, pending = 0, unknown = 0, reverts = 0, undated = 0, drift = 0,
      duration = { count = 0, by_type = {} }, recovery = { count = 0, unknown = 0, open = 0 },
      by_user = {}, by_trigger = {}, by_type = {}, by_ref = {}, missing = {},
    }
    assert.same(empty, stats {})
    assert.same(empty, stats(page_of {}))
    assert.same(empty, stats(page_of(worked):where { git_ref = "nowhere" }))
    empty.series = {}
    assert.same(empty, stats({}, { by = "day" }))
  end)

  it("of one deployment are its own", function()
    local figures = figures_of { made("success", "05T12:00", "05T12:01", { git_ref = "main" }) }
    assert.equal(1, figures.count)
    assert.equal(1741176000, figures.from) -- 1741132800 + 12 * 3600
    assert.equal(1741176000, figures.to)
    assert.equal(1, figures.per_day) -- one on one day
    assert.equal(0, figures.failure_rate)
    assert.same({ count = 1, median = 60, p90 = 60, max = 60, by_type = { [""] = { count = 1, median = 60, p90 = 60, max = 60 } } },
      figures.duration)
    assert.same({ count = 0, unknown = 0, open = 0 }, figures.recovery)
  end)

  it("of failures alone know a rate, no duration and no recovery", function()
    local figures = figures_of { made("failed", "05T12:00", "05T12:01"), made("failed", "05T13:00", "05T13:01") }
    assert.equal(2, figures.failed)
    assert.equal(1, figures.failure_rate)
    assert.same({ count = 0, by_type = {} }, figures.duration)
    assert.same({ count = 0, unknown = 0, open = 1 }, figures.recovery) -- one run
  end)

  it("of pending ones alone know no rate", function()
    local figures = figures_of { made("pending", "05T12:00"), made("pending", "05T13:00", "05T13:01") }
    assert.equal(2, figures.pending)
    assert.is_nil(figures.failure_rate)
    assert.equal(0, figures.duration.count)
    assert.same({ count = 0, unknown = 0, open = 0 }, figures.recovery)
  end)

  it("take a word that is none of the three, and none at all, for unknown", function()
    local odd = { "cancelled", "count", "unknown", "__index", "SUCCESS", "Failed" }
    local list = { {}, { outcome = { code = 7 } }, { outcome = 12 } }
    for i, word in ipairs(odd) do
      list[#list + 1] = { outcome = { code = i, meaning = word } }
    end
    local figures = figures_of(list)
    assert.equal(9, figures.count)
    assert.equal(7, figures.unknown)
    assert.equal(1, figures.success) -- words are read in lower case
    assert.equal(1, figures.failed)
  end)
end)

describe("a spread", function()
  -- Successes of so many seconds each.
  local function spread(list)
    local successes = {}
    for i, seconds in ipairs(list) do
      successes[i] = made("success", "05T12:00", os.date("!%Y-%m-%dT%H:%M:%SZ", 1741176000 + seconds))
    end
    local duration = figures_of(successes).duration
    return { duration.count, duration.median, duration.p90, duration.max }
  end

  it("has the mean of the middle two for a median", function()
    assert.same({ 2, 15, 20, 20 }, spread { 20, 10 })
    assert.same({ 2, 10.5, 11, 11 }, spread { 11, 10 })
    assert.same({ 4, 25, 100, 100 }, spread { 100, 20, 30, 1 }) -- (20 + 30) / 2
    assert.same({ 3, 20, 100, 100 }, spread { 100, 20, 1 })
    assert.same({ 2, 0, 0, 0 }, spread { 0, 0 })
  end)

  it("has whole numbers where they are whole", function()
    local figures = figures_of { made("success", "05T12:00", "05T12:01"), made("success", "05T12:00", "05T12:03") }
    assert.equal("120", tostring(figures.duration.median))
  end)

  it("has the smallest that nine tenths do not exceed for p90", function()
    local list = {}
    for i = 1, 10 do
      list[i] = (i * 7) % 11 -- 1 to 10, mixed
    end
    assert.same({ 10, 5.5, 9, 10 }, spread(list)) -- 0.9 * 10 = the ninth
    list[11] = 11
    assert.same({ 11, 6, 10, 11 }, spread(list)) -- 9.9, so the tenth
  end)

  it("is of successes alone", function()
    local figures = figures_of {
      made("success", "05T12:00", "05T12:01"), made("failed", "05T12:00", "05T15:00"), made("cancelled", "05T12:00", "05T15:00"),
      made("pending", "05T12:00", "05T15:00"),
    }
    assert.equal(1, figures.duration.count)
    assert.equal(60, figures.duration.max)
  end)
end)

describe("dates that are missing or wrong", function()
  it("make a deployment undated, which counts in the totals alone", function()
    local figures = figures_of({
      made("success", nil, "05T12:00"), made("failed", nil, nil, { started_at = "yesterday" }), made("pending", "05T12:00"),
      made("success", "06T12:00"),
    }, { by = "day" })
    assert.equal(4, figures.count)
    assert.equal(2, figures.undated)
    assert.equal(1, figures.drift) -- "yesterday"
    assert.equal(1, figures.per_day) -- two with a start on two days
    assert.equal(0, figures.duration.count)
    assert.same({ "2025-03-05 1", "2025-03-06 1" }, labels(figures.series))
  end)

  it("tell no range when there is none of them", function()
    local figures = figures_of({ { outcome = "success" }, { outcome = "failed" } }, { by = "day" })
    assert.equal(2, figures.undated)
    assert.is_nil(figures.from)
    assert.is_nil(figures.to)
    assert.is_nil(figures.per_day)
    assert.same({}, figures.series)
  end)

  it("are no durations below zero when a clock goes back", function()
    local figures = figures_of { made("success", "05T12:00", "05T11:00", { deploy_type = "build" }), made("success", "05T12:00", "05T12:05") }
    assert.equal(1, figures.duration.count)
    assert.equal(300, figures.duration.median)
    assert.is_nil(figures.duration.by_type.build)
  end)

  it("count zero seconds as a duration", function()
    local figures = figures_of { made("success", "05T12:00", "05T12:00") }
    assert.equal(1, figures.duration.count)
    assert.equal(0, figures.duration.median)
  end)

  it("are as good before 1970 and in the year 9999", function()
    local figures = figures_of({ made("failed", "1969-12-31T23:00:00Z", "1969-12-31T23:30:00Z"),
      made("success", "1969-12-31T23:40:00Z", "1970-01-01T00:10:00Z") }, { by = "day" })
    assert.equal(2400, figures.recovery.median) -- 40 minutes
    assert.equal(-3600, figures.from)
    assert.same({ "1969-12-31 2" }, labels(figures.series))
    figures = figures_of({ made("success", "9999-12-31T23:00:00Z", "9999-12-31T23:59:59Z") }, { by = "week" })
    assert.equal(3599, figures.duration.max)
    assert.same({ "9999-W52 1" }, labels(figures.series))
  end)
end)

describe("what comes from the network", function()
  it("is only a key, whatever it is", function()
    local names = { "__index", "count", "1", "unknown", ("x"):rep(100000), "\226\128\174\0\27[2J", "<script>", "nil", " " }
    local list = {}
    for i, name in ipairs(names) do
      list[i] = made("success", "05T12:00", "05T12:01", by(name, name, name, name))
    end
    local figures = figures_of(list)
    for _, counts in ipairs { "by_user", "by_ref" } do
      for _, name in ipairs(names) do
        assert.equal(1, rawget(figures[counts], name))
      end
      assert.is_nil(getmetatable(figures[counts]))
    end
    assert.equal(1, figures.by_trigger.__index)
    assert.equal(1, figures.duration.by_type.__index.count)
    assert.is_nil(rawget(figures.by_user, 1))
    assert.equal(9, figures.count)
  end)

  it("in a form that is not known counts as drift, as the page says it", function()
    local page = page_of {
      { id = 1, triggered_by = { name = "x" }, started_at = 5, outcome = 3, git_hash = 12, is_live = "yes" },
      { id = 2, git_ref = false, finished_at = "soon", is_deploying = 1, reverted = "no", triggered_via = {}, deploy_type = true },
      { id = 3, commit_url = 1, snapshot_uuid = 2, deploy_session = 3, is_head = 4, reverted_by = 5, reverted_at = 6 },
      { id = 4, outcome = "success", git_ref = cjson.null },
      { id = 5.5 },
    }
    local figures = assert(stats(page))
    assert.is_true(#page.drift > 16)
    assert.equal(#page.drift, figures.drift)
    assert.equal(3, figures.by_ref[""] - 2)
    assert.equal(0, figures.reverts)
  end)
end)

describe("the call", function()
  local page = page_of(worked)

  it("raises for what is no history", function()
    each_raises("stats_spec%.lua:%d+: stats%(%) needs .* list of deployments, got a ", {
      true, 12, "text", print, { stack = page }, page[1], io.stdout, connect():stack "a-uid", connect(), cloud66 },
      function(value)
        stats(value)
      end)
    raises("got nil: did what was to give it fail%?", function()
      stats(nil, "network: it failed")
    end)
    raises("stats_spec%.lua:%d+: .*number 2 is a table", function()
      stats { page[1], { id = 5, outcome = "success" }, page[2] }
    end)
    raises("number 1 is a string", function()
      stats { "success" }
    end)
    raises("without gaps", function()
      stats { page[1], page[2], [5] = page[5] }
    end)
    raises("stats_spec%.lua:%d+: .*an item is a string", function()
      stats(page:where(all):map(tostring))
    end)
    raises("an item is a table", function()
      stats(connect():stacks())
    end)
  end)

  it("raises for options that are none, and leaves the sequence as it was", function()
    local seq = page:where(all)
    local function with(pattern, options)
      raises("stats_spec%.lua:%d+: " .. pattern, function()
        stats(seq, options)
      end)
    end
    with("unknown option 'form': did you mean 'from'", { form = "2025-01-01" })
    with("unknown option 'since'", { since = "2025-01-01" })
    with("option 'by' is one of day, week, month, not 'weeks': did you mean 'week'", { by = "weeks" })
    with("option 'by' is one of day, week, month, not 'year'", { by = "year" })
    with("option 'by' is one of day, week, month, not false", { by = false })
    with("option 'by' is", { by = {} })
    with("from must be earlier than to", { from = "2025-01-02", to = "2025-01-01" })
    with("from must be earlier than to", { from = "2025-01-01", to = "2025-01-01" })
    with("option 'from' = 'yesterday' is no date", { from = "yesterday" })
    with("option 'to' must be a date", { to = false })
    with("option 'from' must be a date", { from = 0 / 0 })
    with("expected a table", "week")
    assert.equal(11, stats(seq, nil).count)
  end)

  it("takes what a call gives, with the nils behind it", function()
    assert.equal(30, assert(stats(connect():stack(fake.stacks.awesome_app):page(1))).count)
    assert.equal(30, assert(stats(connect():stack(fake.stacks.api):deployments():collect())).count)
    raises("got nil: did what was to give it fail", function()
      stats(connect():stack("nowhere"):page(1))
    end)
  end)

  it("uses a sequence up", function()
    local seq = page:where(all)
    stats(seq)
    raises("stats_spec%.lua:%d+: this sequence was taken over by stats%(%)", function()
      stats(seq)
    end)
  end)

  it("lets go of the pages that it has read", function()
    local kept = setmetatable({}, { __mode = "k" })
    local number, most = 0, 0
    local function next_page()
      collectgarbage()
      collectgarbage()
      local alive = 0
      for _ in pairs(kept) do
        alive = alive + 1
      end
      most = math.max(most, alive)
      number = number + 1
      if number > 20 then
        return nil
      end
      local one = page_of(worked)
      kept[one] = true
      return one
    end
    local figures = assert(stats(pages.items(next_page, nil, function() end), { by = "week" }))
    assert.equal(220, figures.count)
    assert.is_true(most <= 2, most .. " pages are kept")
  end)
end)

describe("the figures of a stack", function()
  -- The same counts over the plain tables that the fake makes its answers from.
  local function counted(matches)
    local count = 0
    for _, d in ipairs(fake.data.deployments "awesome_app") do
      count = count + (matches(d) and 1 or 0)
    end
    return count
  end

  it("come from all of its pages", function()
    for _, scenario in ipairs { {}, { codes = "string", dates = "utc", page_size = 7 }, { shift = 3, page_size = 10 } } do
      local figures = assert(stats(connect(scenario):stack(fake.stacks.awesome_app):deployments(), { by = "month" }))
      assert.equal(137, figures.count)
      for _, word in ipairs { "success", "failed", "pending" } do
        assert.equal(counted(function(d)
          return d.outcome == word
        end), figures[word])
      end
      assert.equal(counted(function(d)
        return d.deploy_type == "revert"
      end), figures.by_type.revert)
      assert.equal(25, #figures.series) -- November 2024 to November 2026
      assert.equal("2024-11", figures.series[1].label)
      assert.equal(0, figures.drift + figures.undated)
    end
  end)

  it("are what the pages fail with, where one fails", function()
    local stack = connect({ error = "server", on = "page2" }):stack(fake.stacks.awesome_app)
    local err = failure("server", stats(stack:deployments()))
    assert.equal(500, err.status)
    failure("not_found", stats(connect():stack("nowhere"):deployments()))
    failure("decode", stats(connect({ drift = true }):stack(fake.stacks.awesome_app):deployments():where { outcome = "failed" }))
  end)

  it("tell of what they could not read", function()
    local figures = assert(stats(connect({ drift = true }):stack(fake.stacks.awesome_app):deployments()))
    assert.equal(137, figures.undated)
    assert.equal(137, figures.unknown)
    assert.is_true(figures.drift >= 5 * 137)
    figures = assert(stats(connect({ hostile = true, nulls = true }):stack(fake.stacks.awesome_app):deployments()))
    assert.equal(137, figures.count)
    assert.same({ [""] = 137 }, figures.by_user)
    assert.equal(0, figures.duration.count)
  end)
end)

describe("the figures of many stacks", function()
  local names = { "awesome_app", "staging", "api", "brand_new" }

  local function uids()
    local list = {}
    for i, name in ipairs(names) do
      list[i] = fake.stacks[name]
    end
    return list
  end

  -- One figure, summed over the stacks, each asked on its own.
  local function summed(figure_of)
    local sum = 0
    for _, name in ipairs(names) do
      sum = sum + figure_of(assert(stats(connect():stack(fake.stacks[name]):deployments())))
    end
    return sum
  end

  it("are those of all of them, with the recoveries of each", function()
    local figures = assert(stats(connect():deployments(uids())))
    assert.equal(137 + 61 + 30, figures.count)
    assert.same({}, figures.missing)
    for _, name in ipairs { "count", "open", "unknown" } do
      assert.equal(summed(function(one)
        return one.recovery[name]
      end), figures.recovery[name])
    end
    -- Two of them have a ref "main": a list does not say which stack a deployment is of.
    local list = assert(connect():deployments(uids()):collect())
    assert.not_same(figures.recovery, stats(list).recovery)
    assert.same(figures.recovery, stats(connect():deployments(uids()):where(all)).recovery)
  end)

  it("name the stacks that are not in them", function()
    local client = connect { error = "forbidden", stack = "staging" }
    local figures = assert(stats(client:deployments(uids()), { by = "month" }))
    assert.equal(137 + 30, figures.count)
    assert.equal(1, #figures.missing)
    assert.equal(fake.stacks.staging, figures.missing[1].stack)
    assert.matches("^forbidden: ", figures.missing[1].message)
    assert.is_string(cjson.encode(figures)) -- plain
  end)

  it("are the failure of all, where all fail", function()
    failure("forbidden", stats(connect({ error = "forbidden" }):deployments(uids())))
  end)
end)
