-- Sequences: turning pages, closing, and what happens when a page fails.
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local lists = require "spec.support.lists"
local long_history = require "spec.support.long_history"

local connect, stack_of, raises, each_raises, failure = expect.connect, expect.stack_of, expect.raises, expect.each_raises, expect.failure
local history, known, known_ids = long_history.begin, long_history.known, long_history.known_ids
local walk = long_history.walk

-- A stack whose client's transport answers page N with the N-th of these lists of JSON objects.
local function stack_with_pages(...)
  local pages = { ... }
  return connect(nil, {
    transport = function(request)
      local number = tonumber(request.url:match "page=(%d+)")
      local following = pages[number + 1] and ("%d"):format(number + 1) or "null"
      local body = '{"response":[%s],"pagination":{"current":%d,"next":%s}}'
      return { status = 200, headers = {}, body = body:format(pages[number] or "", number, following) }
    end,
  }):stack "a-uid"
end

describe("a sequence of deployments", function()
  it("gives all 137 over 5 pages, each once, newest first", function()
    local stack, pages = history()
    assert.same(known_ids(), walk(stack:deployments()))
    assert.equal(fake.by_order(5, 6), pages())
  end)

  it("gives the same by for, each and collect", function()
    local stack = history()
    local seen = {}
    local count = stack:deployments():each(function(d)
      seen[#seen + 1] = d.id
      return true -- means nothing
    end)
    assert.equal(137, count)
    assert.same(known_ids(), seen)
    assert.same(known_ids(), lists.column(stack:deployments():collect(), "id"))
    assert.equal(137, stack:deployments():count())
  end)

  it("gives the same with any size of page and shape of pagination", function()
    local scenarios = { { page_size = 7 }, { page_size = 136 }, { page_size = 137 }, { page_size = 200 }, { pagination = "model" } }
    for _, scenario in ipairs(scenarios) do
      assert.same(known_ids(), walk((history(scenario):deployments())))
    end
  end)

  it("is empty for a stack without deployments", function()
    local stack = stack_of "brand_new"
    assert.same({}, walk(stack:deployments()))
    assert.same({}, stack:deployments():collect())
    assert.equal(0, stack:deployments():count())
    assert.equal(0, stack:deployments():each(error))
  end)

  it("ends with the page where there is no pagination or no next", function()
    for _, pagination in ipairs { "none", "missing_next" } do
      local stack, pages = history { pagination = pagination }
      local count, message, err = stack:deployments():count()
      if pagination == "missing_next" and fake.order == "oldest" then
        failure("protocol", count, message, err) -- the newest are on a page that is not named
      else
        assert.equal(30, count)
      end
      assert.equal(1, pages())
    end
  end)

  it("neither repeats nor hides a deployment when newer ones start meanwhile", function()
    for _, shift in ipairs { 1, 3, 10 } do
      local stack = history { shift = shift, page_size = 10 }
      assert.same(known_ids(), walk(stack:deployments()))
      assert.equal(137, stack:deployments():count())
    end
  end)

  it("neither repeats nor hides a deployment whose id is near 2^62", function()
    local stack = history { shift = 3, page_size = 10, ids = "big" }
    local list = stack:deployments():collect()
    assert.equal(137, #list)
    for i, d in ipairs(list) do
      assert.equal(fake.data.big_id(known[i].id), tostring(d.id))
    end
  end)

  it("does not end at an empty page", function()
    for page = 1, 5 do
      local stack, pages = history { empty_page = page }
      assert.same(known_ids(), walk(stack:deployments()))
      assert.equal(fake.by_order(6, page == 1 and 8 or 7), pages())
    end
  end)

  it("fails, and does not loop, where `next` repeats or goes back", function()
    for _, scenario in ipairs { { repeat_next = true }, { next_back = true } } do
      scenario.page_size = 10
      local stack = history(scenario)
      failure("protocol", stack:deployments():count())
      failure("protocol", stack:deployments():collect())
      local ok, err = pcall(walk, stack:deployments())
      assert.is_false(ok)
      assert.equal("protocol", err.kind)
    end
  end)

  it("does not take a `next` of another type for the end", function()
    local count, message, err = history({ next_text = true }):deployments():count()
    if count then
      assert.equal(137, count)
    else
      assert.is_true(err.kind == "protocol" or err.kind == "decode", message)
    end
  end)

  it("does not take a `next` that is no page number for the end", function()
    for _, following in ipairs { "true", "{}", "[]", '"x"', "1.5", "-1", "0", "1", "1e300" } do
      local stack = connect(nil, {
        transport = function()
          return { status = 200, headers = {}, body = '{"response":[{"id":1}],"pagination":{"current":1,"next":' .. following .. "}}" }
        end,
      }):stack "a-uid"
      local count, message, err = stack:deployments():count()
      assert.is_nil(count, following)
      assert.is_true(err.kind == "protocol" or err.kind == "decode", message)
    end
  end)

  it("has its items kept alive by whoever holds them", function()
    local stack = history()
    local list = stack:deployments():collect()
    for _ = 1, 3 do
      collectgarbage()
      stack:deployments():count()
    end
    collectgarbage()
    for i, d in ipairs(list) do
      assert.same({ known[i].id, known[i].git_hash, known[i].outcome }, { d.id, d.git_hash, d.outcome })
    end
  end)
end)

describe("stack:deployments", function()
  it("begins with the given page", function()
    local stack, pages = history()
    assert.same(known_ids(function(_, i)
      return i > 60
    end), walk(stack:deployments { page = 3 }))
    assert.equal(fake.by_order(3, 7), pages())
    assert.equal(0, stack:deployments({ page = 6 }):count())
  end)

  it("reads at most max_pages pages", function()
    local stack, pages = history()
    assert.equal(60, stack:deployments({ max_pages = 2 }):count())
    assert.equal(fake.by_order(2, 4), pages())
    assert.equal(17, stack:deployments({ page = 5, max_pages = 3 }):count())
    assert.equal(30, stack:deployments({ page = 4, max_pages = 1 }):count())
    assert.equal(fake.by_order(4, 14), pages())
  end)

  it("gives those since a moment, inclusive, and turns no page beyond a whole older one", function()
    local stack, pages = history { page_size = 5 }
    local border = known[8]
    assert.same(known_ids(nil, 8), walk(stack:deployments { since = border.started_at }))
    assert.equal(fake.by_order(3, 5), pages())
    assert.equal(7, stack:deployments({ since = border.started_time + 1 }):count())
    assert.equal(8, stack:deployments({ since = border.started_time }):count())
  end)

  it("gives those before a moment, exclusive", function()
    local stack, pages = history()
    local border = known[100]
    assert.same(known_ids(function(_, i)
      return i > 100
    end), walk(stack:deployments { before = border.started_at }))
    assert.equal(fake.by_order(5, 6), pages())
    assert.equal(38, stack:deployments({ before = border.started_time + 1 }):count())
  end)

  it("gives those of a range", function()
    local stack = history { page_size = 10 }
    assert.same(known_ids(function(_, i)
      return i > 20 and i <= 40
    end), walk(stack:deployments { since = known[40].started_at, before = known[20].started_at }))
    raises("earlier", function()
      stack:deployments { since = known[20].started_at, before = known[40].started_at }
    end)
  end)

  it("takes all forms of a moment", function()
    local stack = history()
    assert.equal(137, stack:deployments({ since = "2024-01-01" }):count())
    assert.equal(0, stack:deployments({ before = "2024-01-01" }):count())
    assert.equal(0, stack:deployments({ since = "2099-01-01T00:00:00Z" }):count())
    assert.equal(137, stack:deployments({ before = "2099-01-01 00:00:00 UTC" }):count())
  end)

  it("goes on after an older page where the order is not newest first", function()
    local function started(id, year)
      return ('{"id":%d,"started_at":"%d-01-01T00:00:00Z"}'):format(id, year)
    end
    local stack = stack_with_pages(
      started(1, 2026) .. "," .. started(2, 2025),
      started(3, 2020) .. "," .. started(4, 2021),
      started(5, 2024)
    )
    assert.same({ 1, 2, 5 }, walk(stack:deployments { since = "2023-01-01" }))
  end)

  it("goes on after a page that does not say when anything started", function()
    local stack = stack_with_pages('{"id":1}', '{"id":2,"started_at":null}', '{"id":3,"started_at":"2026-01-01T00:00:00Z"}')
    assert.same({ 3 }, walk(stack:deployments { since = "2023-01-01" }))
  end)

  it("raises for options that cannot be", function()
    local stack = history()
    each_raises("page", { 0, -1, 1.5, "1", true, false, {}, 0 / 0 }, function(page)
      stack:deployments { page = page }
    end)
    each_raises("max_pages", { 0, -1, 1.5, "1", true, false, {}, math.huge }, function(most)
      stack:deployments { max_pages = most }
    end)
    for _, name in ipairs { "since", "before" } do
      each_raises(name, { "", "yesterday", "2024-13-01", "2024-02-30", "24", "7 d", true, false, {}, print, 0 / 0, 2024 }, function(moment)
        stack:deployments { [name] = moment }
      end)
    end
  end)

  it("raises for an unknown option, naming the nearest", function()
    local typos = { sinc = "since", befor = "before", pge = "page", maxpages = "max_pages", max_page = "max_pages" }
    for typo, meant in pairs(typos) do
      raises("'" .. typo .. "'.*'" .. meant .. "'", function()
        history():deployments { [typo] = 1 }
      end)
    end
    each_raises("table", { "2024-01-01", 5, true, false }, function(options)
      history():deployments(options)
    end)
  end)

  it("leaves the caller's table alone, and does not look at it again", function()
    local options = { since = known[8].started_at, max_pages = 3 }
    local stack = history()
    local seq = stack:deployments(options)
    assert.same({ since = known[8].started_at, max_pages = 3 }, options)
    options.since, options.max_pages = "2099-01-01", 1
    assert.equal(8, seq:count())
  end)
end)

describe("a page that fails", function()
  local function broken()
    return history { error = "server", on = fake.by_order("page2", "page3") } -- what comes after the newest 30
  end

  it("raises the err object out of a for loop, after the items before it", function()
    local found = 0
    local ok, err = pcall(function()
      for _ in broken():deployments() do
        found = found + 1
      end
    end)
    assert.is_false(ok)
    assert.equal(30, found)
    assert.is_table(err)
    assert.equal("server", err.kind)
    assert.equal(500, err.status)
    assert.matches("^server: ", tostring(err))
    assert.equal(err.message, tostring(err))
  end)

  it("is what each closing call returns", function()
    local stack = broken()
    failure("server", stack:deployments():collect())
    failure("server", stack:deployments():count())
    failure("server", stack:deployments():each(function() end))
    failure("server", stack:deployments():group_by "outcome")
    failure("server", stack:deployments():reduce(function(n)
      return n + 1
    end, 0))
    failure("server", stack:deployments():collect(31))
  end)

  it("comes through every derived sequence", function()
    local stack = broken()
    failure("server", stack:deployments():where({ is_success = true }):count())
    failure("server", stack:deployments():map(tostring):count())
    failure("server", stack:deployments():take(31):count())
    failure("server", stack:deployments():take_while(function()
      return true
    end):count())
    failure("server", stack:deployments({ since = "2024-01-01" }):count())
  end)

  it("is not reached where the items before it are enough", function()
    local stack = broken()
    assert.equal(30, #stack:deployments():take(30):collect())
    assert.equal(30, #stack:deployments():collect(30))
    assert.equal(known[1].id, stack:deployments():first().id)
    assert.equal(30, stack:deployments({ max_pages = 1 }):count())
  end)

  it("ends the sequence", function()
    local seq = broken():deployments()
    pcall(walk, seq)
    raises("error", function()
      walk(seq)
    end)
  end)

  it("is a decode error where the page is broken", function()
    local stack = history { body = "truncated", on = fake.by_order("page2", "page3") }
    failure("decode", stack:deployments():count())
  end)
end)

describe("a sequence", function()
  it("asks nothing until an item is wanted", function()
    local stack, pages = history()
    stack:deployments():where({ is_failed = true }):map(tostring):take(5)
    assert.equal(0, pages())
  end)

  it("fetches no page beyond the item a loop stops at", function()
    local stack, pages = history()
    local found = 0
    for _ in stack:deployments() do
      found = found + 1
      if found == 30 then
        break
      end
    end
    assert.equal(fake.by_order(1, 3), pages())
  end)

  it("goes on after a break", function()
    local seq = history():deployments()
    local found = {}
    for last = 1, 2 do
      for d in seq do
        found[#found + 1] = d.id
        if #found == last then
          break
        end
      end
    end
    assert.same({ known[1].id, known[2].id }, found)
    assert.equal(135, seq:count())
  end)

  it("cannot be used up twice", function()
    local seq = history():deployments()
    walk(seq)
    raises("once", function()
      walk(seq)
    end)
    raises("once", function()
      seq:count()
    end)
  end)

  local closing = {
    first = function(seq)
      return seq:first()
    end,
    count = function(seq)
      return seq:count()
    end,
    collect = function(seq)
      return seq:collect()
    end,
    each = function(seq)
      return seq:each(function() end)
    end,
    group_by = function(seq)
      return seq:group_by "outcome"
    end,
    reduce = function(seq)
      return seq:reduce(function(n)
        return n
      end, 0)
    end,
  }
  local deriving = {
    where = function(seq)
      return seq:where { is_success = true }
    end,
    map = function(seq)
      return seq:map(tostring)
    end,
    take = function(seq)
      return seq:take(2)
    end,
    take_while = function(seq)
      return seq:take_while(tostring)
    end,
  }

  local function refuses_everything(seq, name)
    raises(name, function()
      walk(seq)
    end)
    for _, calls in ipairs { closing, deriving } do
      for _, call in pairs(calls) do
        raises(name, function()
          call(seq)
        end)
      end
    end
  end

  it("cannot be closed twice", function()
    for name, close in pairs(closing) do
      local seq = history():deployments()
      close(seq)
      refuses_everything(seq, name)
    end
  end)

  it("is taken over by what is derived from it", function()
    for name, derive in pairs(deriving) do
      local seq = history():deployments()
      local derived = derive(seq)
      refuses_everything(seq, name)
      assert.is_truthy(derived:count())
    end
  end)

  it("is no list: an index and an unknown name raise", function()
    local seq = history():deployments()
    raises("collect", function()
      return seq[1]
    end)
    raises("collect", function()
      return seq.outcome
    end)
    raises("'colect'", function()
      return seq:colect()
    end)
  end)

  it("is nothing for ipairs", function()
    raises("", function()
      for i in ipairs(history():deployments()) do
        assert.is_nil(i)
      end
    end)
  end)

  it("has no length", function()
    raises("count", function()
      return #history():deployments()
    end)
  end)

  it("says what to do where it is called with a dot", function()
    local seq = history():deployments()
    for _, method in ipairs { "count", "collect", "first", "where", "take", "map", "each", "group_by", "reduce", "take_while" } do
      raises(":", function()
        seq[method](tostring, 1)
      end)
    end
  end)

  it("is named by tostring, without asking anything", function()
    local stack, pages = history()
    assert.matches("sequence", tostring(stack:deployments()))
    assert.equal(0, pages())
  end)
end)

describe("an unloaded stack", function()
  it("raises for a mistyped method instead of giving no sequence", function()
    raises("deploments", function()
      return history():deploments()
    end)
  end)
end)

describe("a sequence mistaken for a table", function()
  it("is nothing for pairs", function()
    raises("", function()
      local step = pairs(history():deployments())
      return step
    end)
    raises("", function()
      return next(history():deployments())
    end)
  end)

  it("gives the items of a page before it stumbles over what comes next", function()
    local stack = history { repeat_next = true }
    local found = 0
    local ok, err = pcall(function()
      for _ in stack:deployments() do
        found = found + 1
      end
    end)
    assert.is_false(ok)
    assert.equal("protocol", err.kind)
    assert.equal(fake.by_order(30, 0), found)
  end)
end)
