-- What is derived from a sequence, and the calls that go through one.
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local lists = require "spec.support.lists"
local long_history = require "spec.support.long_history"

local connect, stack_of, raises, each_raises, failure = expect.connect, expect.stack_of, expect.raises, expect.each_raises, expect.failure
local history, known, known_ids = long_history.begin, long_history.known, long_history.known_ids
local walk, is_success = long_history.walk, long_history.is_success

describe("where, on a sequence,", function()
  it("gives those that match, over all pages", function()
    local stack = history()
    local expected = known_ids(function(d)
      return d.outcome == "failed" and d.triggered_via == "hook"
    end)
    assert.is_true(#expected > 3)
    assert.same(expected, walk(stack:deployments():where { outcome = "failed", via_hook = true }))
    assert.same(expected, walk(stack:deployments():where { outcome = "failed" }:where { via_hook = true }))
    assert.same(expected, walk(stack:deployments():where(function(d)
      return d.is_failed and d.via_hook
    end)))
  end)

  it("raises for what is no criteria, and leaves the sequence usable", function()
    local seq = history():deployments()
    each_raises("criteria", { "failed", 5, true, {} }, function(wanted)
      seq:where(wanted)
    end)
    raises("'outcom'.*'outcome'", function()
      seq:where { outcom = "failed" }
    end)
    assert.equal(137, seq:count())
  end)

  it("lets an error of its function through", function()
    raises("a bug", function()
      history():deployments():where(function()
        error "a bug"
      end):count()
    end)
  end)
end)

describe("take", function()
  it("gives the first n, and fetches no page beyond them", function()
    local stack, pages = history()
    assert.same(known_ids(nil, 30), walk(stack:deployments():take(30)))
    assert.equal(1, pages())
    assert.equal(31, stack:deployments():take(31):count())
    assert.equal(3, pages())
    assert.equal(137, stack:deployments():take(1000):count())
    assert.equal(5, stack:deployments():take(5):take(10):count())
    assert.equal(5, stack:deployments():take(10):take(5):count())
  end)

  it("takes a whole float", function()
    assert.equal(2, history():deployments():take(4 / 2):count())
  end)

  it("of matching ones goes on only as far as needed", function()
    local stack, pages = history { page_size = 10 }
    local expected = known_ids(is_success, 3)
    assert.same(expected, walk(stack:deployments():where { is_success = true }:take(3)))
    assert.equal(1, pages())
  end)

  it("of none gives nothing or raises, and asks nothing", function()
    local stack, pages = history()
    local ok, found = pcall(function()
      return stack:deployments():take(0):collect()
    end)
    assert.is_true(not ok or #found == 0)
    assert.equal(0, pages())
  end)

  it("raises for what is no number of items", function()
    each_raises("take", { -1, 1.5, "5", true, {}, 0 / 0 }, function(n)
      history():deployments():take(n)
    end)
    raises("take", function()
      history():deployments():take()
    end)
  end)
end)

describe("take_while", function()
  it("ends with the first item that is not wanted, and fetches no page beyond it", function()
    local stack, pages = history()
    local found = walk(stack:deployments():take_while(function(d)
      return d.outcome ~= "success"
    end))
    assert.same(known_ids(nil, 2), found)
    assert.equal(1, pages())
  end)

  it("needs a function", function()
    each_raises("take_while", { "x", 5, {} }, function(fn)
      history():deployments():take_while(fn)
    end)
  end)
end)

describe("map", function()
  it("gives what the function makes of each item, false too", function()
    local stack = history()
    assert.same(known_ids(), stack:deployments():map(function(d)
      return d.id
    end):collect())
    local flags = stack:deployments():map(function(d)
      return d.is_success
    end):collect()
    assert.equal(137, #flags)
    assert.is_false(flags[1])
    local first = stack:deployments():map(function(d)
      return d.is_success
    end):first()
    assert.is_false(first)
  end)

  it("raises where the function gives nil", function()
    raises("nil", function()
      history():deployments():map(function() end):count()
    end)
  end)

  it("may be filtered with a function, not with criteria", function()
    local long = history():deployments():map(function(d)
      return d.duration or 0
    end):where(function(seconds)
      return seconds > 1200
    end):count()
    assert.equal(#known_ids(function(d)
      return (d.duration or 0) > 1200
    end), long)
    raises("function", function()
      history():deployments():map(tostring):where { outcome = "failed" }
    end)
  end)

  it("needs a function", function()
    each_raises("map", { "id", 5, {} }, function(fn)
      history():deployments():map(fn)
    end)
  end)
end)

describe("first", function()
  it("gives the first item, and fetches no page beyond it", function()
    local stack, pages = history()
    assert.equal(known[1].id, stack:deployments():first().id)
    assert.equal(known_ids(is_success, 1)[1], stack:deployments():where({ outcome = "success" }):first().id)
    assert.equal(2, pages())
  end)

  it("is none where there is no item", function()
    failure("none", stack_of("brand_new"):deployments():first())
    failure("none", history():deployments():where({ git_ref = "no-such-branch" }):first())
    failure("none", connect():stacks({ name = "nothing" }):first())
  end)

  it("is the failure of the page, not none", function()
    failure("server", history({ error = "server" }):deployments():first())
    local stack = history { error = "server", on = "page2" }
    failure("server", stack:deployments():where({ git_ref = "no-such-branch" }):first())
    failure("connect", cloud66.new({ base_url = fake.closed_url(), token = fake.token }):stacks():first())
  end)
end)

describe("collect", function()
  it("gives a plain list", function()
    local list = history():deployments():collect()
    assert.equal(137, #list)
    assert.is_nil(getmetatable(list))
    assert.same(known_ids(), lists.column(list, "id"))
  end)

  it("stops at a limit, and fetches no page beyond it", function()
    local stack, pages = history()
    assert.same(known_ids(nil, 30), lists.column(stack:deployments():collect(30), "id"))
    assert.equal(1, pages())
    assert.equal(137, #stack:deployments():collect(1000))
  end)

  it("raises for a limit that is none", function()
    each_raises("limit", { -1, 1.5, "5", true, {} }, function(limit)
      history():deployments():collect(limit)
    end)
  end)
end)

describe("each", function()
  it("needs a function", function()
    each_raises("each", { "x", 5, {} }, function(fn)
      history():deployments():each(fn)
    end)
    raises("each", function()
      history():deployments():each()
    end)
  end)

  it("lets an error of its function through", function()
    raises("a bug", function()
      history():deployments():each(function()
        error "a bug"
      end)
    end)
  end)
end)

describe("group_by", function()
  local function counts(groups)
    local found = {}
    for key, list in pairs(groups) do
      found[key] = #list
    end
    return found
  end

  local function known_counts(key_of)
    local found = {}
    for _, d in ipairs(known) do
      local key = key_of(d)
      found[key] = (found[key] or 0) + 1
    end
    return found
  end

  it("takes a field, a predicate or a function", function()
    local stack = history()
    assert.same(known_counts(function(d)
      return d.outcome
    end), counts(stack:deployments():group_by "outcome"))
    assert.same(known_counts(function(d)
      return d.triggered_via == "hook"
    end), counts(stack:deployments():group_by "via_hook"))
    local function month(d)
      return d.started_at:sub(1, 7)
    end
    assert.same(known_counts(month), counts(stack:deployments():group_by(month)))
  end)

  it("keeps the order within a group", function()
    local failed = history():deployments():group_by("outcome").failed
    assert.same(known_ids(function(d)
      return d.outcome == "failed"
    end), lists.column(failed, "id"))
  end)

  it("puts items without a value under cloud66.null", function()
    local groups = history():deployments():group_by "finished_at"
    assert.equal(1, #groups[cloud66.null])
    assert.equal(known[1].id, groups[cloud66.null][1].id)
    groups = history():deployments():group_by(function() end)
    assert.equal(137, #groups[cloud66.null])
  end)

  it("is an empty table where there are no items", function()
    assert.same({}, stack_of("brand_new"):deployments():group_by "outcome")
  end)

  it("raises for an unknown field, naming the nearest, before anything is asked", function()
    local stack, pages = history()
    raises("'outcom'.*'outcome'", function()
      stack:deployments():group_by "outcom"
    end)
    raises("since", function()
      stack:deployments():group_by "since" -- a criterion, not a field
    end)
    each_raises("group_by", { 5, true, {} }, function(by)
      stack:deployments():group_by(by)
    end)
    assert.equal(0, pages())
  end)

  it("takes a field of a stack", function()
    assert.same({ production = 2, staging = 1, development = 1 }, counts(connect():stacks():group_by "environment"))
    raises("'enviroment'.*'environment'", function()
      connect():stacks():group_by "enviroment"
    end)
  end)
end)

describe("reduce", function()
  it("folds the items from the first on", function()
    local text = history():deployments():take(3):reduce(function(sofar, d)
      return sofar .. " " .. d.id
    end, "ids")
    assert.equal(("ids %d %d %d"):format(known[1].id, known[2].id, known[3].id), text)
    assert.equal(5, stack_of("brand_new"):deployments():reduce(error, 5))
  end)

  it("needs a function", function()
    each_raises("reduce", { "x", 5, {} }, function(fn)
      history():deployments():reduce(fn, 0)
    end)
  end)
end)
