-- Lists newest first, oldest first and in neither order: what a stack says is the same, or it is an error.
local cjson = require "cjson"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_data = require "spec.support.in_data"
local in_world = require "spec.support.in_world"
local lists = require "spec.support.lists"
local long_history = require "spec.support.long_history"
local made_history = require "spec.support.made_history"
local random_from = require "spec.support.random_from"

local stack_of, failure = expect.stack_of, expect.failure
local history, known, known_ids, walk = long_history.begin, long_history.known, long_history.known_ids, long_history.walk

local HASH = "%040d"

-- A deployment that started so many minutes after a moment.
local function deployment(id, minute, fields)
  local d = {
    id = id, started_at = minute and os.date("!%Y-%m-%dT%H:%M:%SZ", 1700000000 + minute * 60) or cjson.null, git_hash = HASH:format(id),
    outcome = "success", deploy_type = "build", is_live = false, is_head = false, is_deploying = false,
  }
  for name, value in pairs(fields or {}) do
    d[name] = value
  end
  return d
end

-- A stack whose API has these deployments, in this order, so many on a page; and the numbers of the pages that were read.
-- counts = false: without the number of pages.
-- answer(number, pages) may give another response, or another number of pages and whether `next` goes by it, too.
local function stack_with(list, size, counts, answer)
  local numbers = {}
  local client = expect.connect(nil, {
    transport = function(request)
      local number = tonumber(request.url:match "page=(%d+)")
      local pages, items = math.max(1, math.ceil(#list / size)), {}
      numbers[#numbers + 1] = number
      local count, other, next_too = pages, nil, nil
      if answer then
        other, next_too = answer(number, pages)
      end
      if type(other) == "table" then
        return other
      end
      count, pages = other or count, next_too and other or pages
      for i = (number - 1) * size + 1, math.min(number * size, #list) do
        items[#items + 1] = list[i]
      end
      local body = ('{"response":%s,"pagination":{"current":%d,"next":%s%s}}'):format(#items > 0 and cjson.encode(items) or "[]",
        number, number < pages and ("%d"):format(number + 1) or "null", counts ~= false and (',"pages":%d'):format(count) or "")
      return { status = 200, headers = {}, body = body }
    end,
  })
  return client:stack "a-uid", numbers
end

local function reversed(list)
  local other = {}
  for i = #list, 1, -1 do
    other[#other + 1] = list[i]
  end
  return other
end

-- So many deployments, newest first.
local function deployments(count, fields_of)
  local list = {}
  for i = count, 1, -1 do
    list[#list + 1] = deployment(i, i * 10, fields_of and fields_of(i))
  end
  return list
end

-- What a stack says of which deployment is which: ids, or the kind of the failure.
local function answers(stack)
  local found = {}
  for _, method in ipairs { "live", "head", "latest", "previous_live" } do
    local d, _, err = stack[method](stack)
    found[method] = d and d.id or err.kind
  end
  local ranges = { all = {}, since = { since = 1700000000 + 100 * 60 }, two = { max_pages = 2 }, second = { page = 2 } }
  for name, options in pairs(ranges) do
    local list, _, err = stack:deployments(options):collect()
    found[name] = list and lists.column(list, "id") or err.kind
  end
  return found
end

describe("a list that is oldest first", function()
  it("gives the same answers as one that is newest first, whatever its pages", function()
    local random = random_from(7)
    for _ = 1, 40 do
      local count, size = random(40), random(9) + 1
      local live = random(count + 1)
      local list = deployments(count, function(i)
        return { is_live = i == live, is_head = i == count, outcome = random(4) == 0 and "failed" or "success" }
      end)
      local want = answers((stack_with(list, size)))
      for _, counts in ipairs { true, false } do
        local got = answers((stack_with(reversed(list), size, counts)))
        assert.same(want, got, ("%d deployments, %d on a page"):format(count, size))
      end
    end
  end)

  it("is read from its last page, which is found again by what was read before", function()
    local stack, numbers = stack_with(reversed(deployments(50)), 10)
    assert.equal(50, stack:latest().id)
    assert.equal("1 5", table.concat(numbers, " "))
    assert.equal(50, stack:latest().id)
    assert.equal("1 5 5", table.concat(numbers, " "))
  end)

  it("is read on where it has grown by a page meanwhile", function()
    local list = reversed(deployments(50))
    local stack, numbers = stack_with(list, 10)
    assert.equal(50, stack:latest().id)
    for i = 51, 75 do
      list[i] = deployment(i, i * 10)
    end
    assert.equal(75, stack:latest().id)
    assert.equal("1 5 5 6 7 8", table.concat(numbers, " "))
    assert.same(lists.column(reversed(list), "id"), walk(stack:deployments()))
  end)

  it("has pages of the API's size also after it was short", function()
    local list = { deployment(1, 10, { is_live = true }), deployment(2, 20) }
    local stack = stack_with(list, 10)
    assert.equal(2, stack:latest().id)
    for i = 3, 25 do
      list[i] = deployment(i, i * 10)
      if i == 7 or i == 25 then
        assert.equal(i, stack:latest().id)
      end
    end
    assert.equal(10, #stack:page())
    assert.equal(1, stack:live().id)
    assert.equal(20, stack:deployments({ max_pages = 2 }):count())
  end)

  it("is read anew where it has become shorter, whatever the API says of a page that is no more", function()
    for _, status in ipairs { 404, 400, 422, 500 } do
      local list = reversed(deployments(35))
      local stack = stack_with(list, 10, true, function(number, pages)
        return number > pages and { status = status, headers = {}, body = "{}" }
      end)
      assert.equal(35, stack:latest().id)
      for _ = 1, 10 do
        table.remove(list, 1)
      end
      if status == 500 then
        failure("server", stack:latest()) -- once
      end
      assert.equal(35, stack:latest().id)
      assert.equal(25, stack:deployments():count())
    end
  end)

  it("ends before a last page that is empty, or is none", function()
    local GONE = { status = 404, headers = {}, body = "{}" }
    local cases = {
      { "1 4 1 2 3 3 1 4 1 2 3", function(_, pages) return pages + 1 end }, -- a count that stays wrong costs a search each time
      { "1 4 1 2 3 3 1 4 1 2 3", function(number, pages) return number > pages and GONE or pages + 1 end },
      { "1 4 1 2 3 4 3 4", function(_, pages) return pages + 1, true end },
    }
    for _, case in ipairs(cases) do
      local want, answer = case[1], case[2]
      local list = reversed(deployments(30))
      local stack, numbers = stack_with(list, 10, true, answer)
      for _ = 1, 2 do
        assert.equal(30, stack:latest().id)
      end
      assert.equal(want, table.concat(numbers, " "))
      assert.same(lists.column(reversed(list), "id"), walk(stack:deployments()))
    end
  end)

  it("loses nothing where it becomes shorter between its first page and its last", function()
    local list = reversed(deployments(30))
    local stack, numbers
    stack, numbers = stack_with(list, 10, true, function(number)
      for _ = 1, number == 3 and #numbers == 2 and 10 or 0 do
        table.remove(list, 1)
      end
    end)
    assert.same(lists.column(deployments(30), "id"), (function()
      local found = walk(stack:deployments())
      for i = 10, 1, -1 do
        found[#found + 1] = i -- gone
      end
      return found
    end)())
  end)

  it("is found again where it has grown by more pages than are read at once", function()
    local list = reversed(deployments(20))
    local stack = stack_with(list, 2)
    assert.equal(20, stack:latest().id)
    for i = 21, 240 do
      list[i] = deployment(i, i * 10)
    end
    assert.equal(240, stack:latest().id)
  end)

  it("has its oldest on its last page, also where that is asked for first, and holds one alone in the API", function()
    local list = reversed(deployments(11))
    assert.same({ 1 }, lists.column(stack_with(list, 10):page(2), "id"))
  end)

  it("goes by the starts, where the ids go the other way", function()
    local list = {}
    for i = 1, 25 do
      list[i] = deployment(i, 1000 - i * 10)
    end
    assert.same(lists.column(list, "id"), walk(stack_with(list, 10):deployments()))
    assert.same(lists.column(list, "id"), walk(stack_with(reversed(list), 10):deployments()))
  end)

  it("is seen to be newest first from one call to the next", function()
    local list = reversed(deployments(31))
    local stack = stack_with(list, 10)
    assert.equal(31, stack:latest().id)
    for i, d in ipairs(deployments(31)) do
      list[i] = d
    end
    assert.equal(31, stack:latest().id)
    assert.same(lists.column(list, "id"), walk(stack:deployments()))
  end)

  it("is told by the ids where nothing says when it started", function()
    local list = {}
    for i = 1, 25 do
      list[i] = deployment(i)
    end
    assert.equal(25, stack_with(list, 10):latest().id)
    assert.equal(25, stack_with(reversed(list), 10):latest().id)
  end)

  it("is told by the ids where one waited so long that it started after a later one", function()
    local list = deployments(35)
    list[3].started_at, list[4].started_at = list[4].started_at, list[3].started_at
    for _, each in ipairs { list, reversed(list) } do
      local stack, numbers = stack_with(each, 10)
      assert.equal(35, stack:latest().id)
      assert.same(lists.column(list, "id"), walk(stack:deployments()))
      assert.is_true(#numbers <= 8)
    end
  end)

  it("fails where the page that is the last by its count is empty, or there are more than can be", function()
    for _, pages in ipairs { 9, 20000 } do
      local client = expect.connect(nil, {
        transport = function(request)
          local number = tonumber(request.url:match "page=(%d+)")
          local items = number < 120 and pages > 9 or number == 1 -- without an end, or one page
          local body = items and cjson.encode { deployment(number * 2, number * 2), deployment(number * 2 + 1, number * 2 + 1) } or "[]"
          return { status = 200, headers = {}, body = ('{"response":%s,"pagination":{"current":%d,"next":%d,"pages":%d}}')
            :format(body, number, number + 1, pages) }
        end,
      })
      failure("protocol", client:stack("a-uid"):latest())
    end
  end)

  it("fails where its end is not to be found", function()
    local function endless(fields)
      return expect.connect(nil, {
        transport = function(request)
          local number = tonumber(request.url:match "page=(%d+)")
          return { status = 200, headers = {}, body = ('{"response":%s,"pagination":{"current":%d,%s}}'):format(
            cjson.encode { deployment(number * 2, number * 2), deployment(number * 2 + 1, number * 2 + 1) }, number, fields(number)) }
        end,
      }):stack "a-uid"
    end
    local ways = {
      function(number) return ('"next":%d'):format(number + 1) end,
      function(number) return ('"next":%d,"pages":3'):format(number + 1) end,
      function(number) return ('"next":%s,"pages":%d'):format(number < 5 and number + 1 or "null", number < 5 and 5 or 6) end,
      function() return '"next":null,"pages":6' end,
    }
    for _, fields in ipairs(ways) do
      local stack = endless(fields)
      for _ = 1, 2 do
        local value, message, err = stack:latest()
        failure("protocol", value, message, err)
        assert.matches("oldest first, and .*the newest cannot be read", message)
      end
    end
  end)

  it("has ids near 2^62", function()
    local stack = stack_of("awesome_app", { ids = "big", order = "oldest" })
    local list = stack:deployments():collect()
    assert.equal(137, #list)
    for i, d in ipairs(list) do
      assert.equal(fake.data.big_id(known[i].id), tostring(d.id))
    end
  end)

  it("keeps what its pages say of fields of unknown types", function()
    for _, order in ipairs { "newest", "oldest", "neither" } do
      failure("decode", stack_of("staging", { drift = true, order = order }):live())
    end
  end)

  it("has an answer to eta, and to poll, as the other has", function()
    for _, order in ipairs { "newest", "oldest" } do
      local stack, world = in_world.begin { order = order, page_size = 20 }
      local _, cursor = stack:poll()
      local d = world:add_deployment "staging"
      local events = stack:poll(cursor)
      assert.equal("started", events[#events].type)
      assert.equal(d.id, events[#events].deployment.id)
      local finish = stack:eta(events[#events].deployment)
      assert.is_number(finish)
    end
  end)
end)

describe("actions that are oldest first", function()
  it("are told by ids that are text, the longer one being the later", function()
    local ids = { "8", "9", "10", "11", "9223372036854775809", "10223372036854775809" }
    local stack = expect.connect(nil, {
      transport = function(request)
        local number = tonumber(request.url:match "page=(%d+)")
        local items = cjson.encode { { id = ids[number * 2 - 1] }, { id = ids[number * 2] } }
        return { status = 200, headers = {}, body = ('{"response":%s,"pagination":{"current":%d,"next":%s,"pages":3}}'):format(items, number,
          number < 3 and ("%d"):format(number + 1) or "null") }
      end,
    }):stack "a-uid"
    assert.same({ ids[6], ids[5], ids[4], ids[3], ids[2], ids[1] }, walk(stack:actions()))
  end)

  it("are given newest first, and so many pages of them", function()
    local stack, world = in_world.begin { page_size = 5, order = "oldest" }
    local want = {}
    for i = 1, 13 do
      world:advance(1)
      table.insert(want, 1, world:add_action("staging", { user_reference = "job-" .. i }).id)
    end
    assert.same(want, walk(stack:actions()))
    assert.same({ want[1], want[2], want[3], want[4], want[5] }, walk(stack:actions { max_pages = 1 }))
    assert.same({ want[13] }, walk(stack:actions { user_reference = "job-1" }))
  end)

  it("that compete for a deployment are seen, though they stand on the last page", function()
    local stack, world = in_world.begin { page_size = 5, order = "oldest", takes = 20 }
    for _ = 1, 11 do
      world:advance(1)
      world:add_action("staging", { finished_time = world:now() - 9000, started_time = world:now() - 9100 })
    end
    local result = assert(stack:redeploy { git_ref = "main" })
    world:add_action "staging" -- of the same user, and it does not end
    world:advance(10)
    local deployment_of_ours, message, err = stack:wait(result, { timeout = 0.3, interval = 0.1 })
    failure("timeout", deployment_of_ours, message, err)
    assert.is_nil(err.match) -- not "exact": the other may have made it
  end)
end)

describe("a list in neither order", function()
  it("is read whole, and answers as the others", function()
    local random = random_from(66)
    for _ = 1, 20 do
      local count = random(40) + 1
      local live = random(count + 1)
      local list = deployments(count, function(i)
        return { is_live = i == live, is_head = i == count }
      end)
      local want = answers((stack_with(list, 10)))
      for _, counts in ipairs { true, false } do
        local got = answers((stack_with(made_history.shuffled(list, random(1000) + 1), 10, counts)))
        want.two = count > 20 and "protocol" or want.two -- two pages are not all
        if count < 16 then -- a page of few, asked for by its number, may look as if it were in order
          want.second, got.second = nil, nil
        end
        assert.same(want, got)
      end
    end
  end)

  it("is read whole where it only turns out later, or each page is turned round", function()
    local list, turned = deployments(40), {}
    for i = 1, 40 do
      local page, place = math.floor((i - 1) / 10), (i - 1) % 10
      turned[i] = list[page * 10 + 10 - place]
    end
    local stack, numbers = stack_with(turned, 10)
    assert.equal(40, stack:latest().id)
    assert.equal("1 4 2 3 4", table.concat(numbers, " "))
    assert.same(lists.column(list, "id"), walk(stack:deployments()))
  end)

  it("is an error where a page that must be read names no next one, or may not be read", function()
    local list = deployments(40)
    for i = 1, 10 do -- from the second page on
      list[10 + i], list[31 - i] = list[31 - i], list[10 + i]
    end
    failure("protocol", stack_with(list, 10):deployments({ max_pages = 3 }):count())
    assert.equal(40, stack_with(list, 10):deployments({ max_pages = 4 }):count())
    failure("protocol", stack_with({ deployment(2, 2), deployment(3, 3), deployment(1, 1) }, 3, true, function() return 2 end):latest())
  end)

  it("keeps the API's order of equal starts, what has no start behind what it stood behind, and drift with its deployment", function()
    local list = { deployment(5, 50), deployment(7), deployment(9, 90, { outcome = 12 }), deployment(8, 50) }
    local page = stack_with(list, 10):page()
    assert.same({ 9, 5, 7, 8 }, lists.column(page, "id"))
    assert.same({ { index = 1, field = "outcome", got = "number" } }, page.drift)
  end)

  it("is in neither order where only the end tells, without a number of pages", function()
    local list = { 1, 2, 3, 7, 8, 9, 4, 5, 6 }
    for i, id in ipairs(list) do
      list[i] = deployment(id, id * 10)
    end
    assert.equal(9, stack_with(list, 3, false):latest().id)
  end)

  it("is in neither order by a later page, too, once that is known", function()
    local list = { 3, 9, 5, 8, 7, 2, 6, 4, 1 } -- the last two pages look newest first
    for i, id in ipairs(list) do
      list[i] = deployment(id, id * 10)
    end
    local stack = stack_with(list, 3)
    assert.same({ 9, 8, 7, 6, 5, 4, 3, 2, 1 }, walk(stack:deployments()))
    assert.same({ 6, 5, 4, 3, 2, 1 }, walk(stack:deployments { page = 2 }))
    assert.same({ 3, 2, 1 }, lists.column(stack:page(3), "id"))
  end)

  it("is an error where it cannot be read whole", function()
    local stack = history { order = "neither", page_size = 20 }
    for _, method in ipairs { "live", "head", "latest", "previous_live" } do
      local value, message, err = stack[method](stack)
      failure("protocol", value, message, err)
      assert.matches("neither newest nor oldest first.*stack:deployments%(%) without max_pages", message)
    end
    failure("protocol", stack:is_live(known[3].git_hash))
    failure("protocol", stack:deployments({ max_pages = 6 }):count())
    assert.same(known_ids(), walk(stack:deployments())) -- all may be read
    assert.same(known_ids(), walk(stack:deployments { max_pages = 7 }))
    assert.same(known_ids(function(_, i)
      return i > 20
    end), walk(stack:deployments { page = 2 }))
    assert.equal(in_data.live("awesome_app").id, history({ order = "neither" }):live().id) -- five pages
  end)

  it("fails a poll that cannot read it whole", function()
    local stack = in_world.begin({ order = "neither", page_size = 5 }, nil, "awesome_app")
    local events, cursor = stack:poll()
    assert.is_table(events)
    assert.is_table(cursor)
    local requests = 0
    local endless = expect.connect(nil, {
      transport = function(request)
        requests = requests + 1
        local number = tonumber(request.url:match "page=(%d+)")
        local body = cjson.encode { deployment(number * 3, 5), deployment(number * 3 + 1, 4), deployment(number * 3 + 2, 9 - number % 2) }
        return { status = 200, headers = {}, body = ('{"response":%s,"pagination":{"next":%d}}'):format(body, number + 1) }
      end,
    }):stack "a-uid"
    failure("protocol", endless:poll())
    failure("protocol", endless:latest())
    failure("protocol", endless:deployments():first())
    assert.is_true(requests <= 300)
  end)

  it("is an error where a page is newer than those before it", function()
    local list = deployments(30)
    for i = 21, 30 do
      list[i] = deployment(200 + i, 1000 + i)
    end
    local found = {}
    local ok, err = pcall(function()
      for d in stack_with(list, 10):deployments() do
        found[#found + 1] = d.id
      end
    end)
    assert.is_false(ok)
    assert.equal("protocol", err.kind)
    assert.equal(20, #found)
  end)
end)

describe("a page of a list that is not newest first", function()
  it("has what a page of the API has", function()
    for _, order in ipairs { "oldest", "neither" } do
      local stack = stack_of("awesome_app", { order = order })
      for number, size in ipairs { 30, 30, 30, 30, 17 } do
        local page = stack:page(number)
        assert.same({ size, number, 137, 5 }, { #page, page.current, page.total, page.pages })
        assert.equal(number < 5 and number + 1 or nil, page.next)
        assert.equal(number > 1 and number - 1 or nil, page.previous)
        assert.same({}, page.drift)
        for i, id, outcome, is_live in page:rows("id", "outcome", "is_live") do
          local d = known[(number - 1) * 30 + i]
          assert.same({ d.id, d.outcome, d.is_live }, { id, outcome, is_live })
        end
      end
      local page = stack:page()
      assert.equal("page of 30 deployments", tostring(page))
      assert.equal(known[1].id, page:each()().id)
      assert.equal(in_data.live("awesome_app").id, page:where({ is_live = true }):first().id)
      expect.raises("did you mean 'total'", function()
        return page.totl
      end)
      expect.raises("read%-only", function()
        page.mine = 1
      end)
      expect.raises("at least one column", function()
        page:rows()
      end)
    end
  end)
end)

describe("a list with page after page of nothing", function()
  it("does not use up the hour's requests", function()
    local asked = 0
    local client = expect.connect(nil, {
      transport = function(request)
        local number = tonumber(request.url:match "page=(%d+)")
        asked = asked + 1
        local items = {}
        for i = 1, number == 1 and 30 or number == 5000 and 2 or 0 do
          items[i] = deployment(number * 100 + i, number * 100 + i)
        end
        return { status = 200, headers = {}, body = ('{"response":%s,"pagination":{"current":%d,"next":%s,"pages":5000}}'):format(
          #items > 0 and cjson.encode(items) or "[]", number, number < 5000 and ("%d"):format(number + 1) or "null") }
      end,
    })
    failure("protocol", client:stack("a-uid"):live())
    assert.is_true(asked < 120, asked)
  end)
end)
