-- client:deployments: the deployments of many stacks as one sequence.
local at_once = require "spec.support.at_once"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"

local connect, failure, raises = expect.connect, expect.failure, expect.raises

local NAMES = { "awesome_app", "staging", "api", "brand_new" }

local function uids(...)
  local list = {}
  for i, name in ipairs { ... } do
    list[i] = fake.stacks[name]
  end
  return list
end

-- What the fake has of these stacks, newest first: {id, uid, started_time}.
local function known(names, matches)
  local list = {}
  for _, name in ipairs(names) do
    for _, d in ipairs(fake.data.deployments(name)) do
      if not matches or matches(d) then
        list[#list + 1] = { id = d.id, uid = fake.stacks[name], started_time = d.started_time }
      end
    end
  end
  table.sort(list, function(a, b)
    return a.started_time > b.started_time
  end)
  return list
end

local function as_text(list)
  local lines = {}
  for i, d in ipairs(list) do
    lines[i] = ("%s of %s"):format(tostring(d.id), d.uid)
  end
  return table.concat(lines, "\n")
end

-- The same of a sequence, in the order it is given.
local function walked(seq)
  local list = {}
  for d, stack in seq do
    list[#list + 1] = { id = d.id, uid = stack.uid }
  end
  return as_text(list)
end

local function most_in_flight(tag)
  local most = 0
  for _, request in ipairs(fake.requests(tag)) do
    if request.path:find "/deployments" then
      most = math.max(most, request.in_flight)
    end
  end
  return most
end

local function page_requests(tag, name)
  local pages = {}
  for _, request in ipairs(fake.requests(tag)) do
    if request.path:find("/stacks/" .. fake.stacks[name] .. "/deployments", 1, true) then
      pages[#pages + 1] = request.query.page
    end
  end
  return table.concat(pages, " ")
end

-- A small API of our own: stacks by uid, each a list of pages, each a list of {id, started_at}. What the fake's data do
-- not have: lists out of order, the same id in two stacks, starts missing.
local function api_of(stacks)
  local asked = {}
  local client = connect(nil, { transport = function(request)
    local uid, page = request.url:match "/stacks/([^/]+)/deployments.*page=(%d+)"
    asked[#asked + 1] = uid .. " " .. page
    local items, pages = {}, stacks[uid]
    if not pages[tonumber(page)] then
      return { status = 404, headers = {}, body = '{"error":"not_found"}' }
    end
    for i, d in ipairs(pages[tonumber(page)]) do
      items[i] = ('{"id":%d,"started_at":%s,"outcome":"success"}'):format(
        d[1], type(d[2]) == "string" and '"' .. d[2] .. '"' or tostring(d[2] or "null"))
    end
    return { status = 200, headers = {}, body = ('{"response":[%s],"pagination":{"next":%s}}'):format(
      table.concat(items, ","), pages[tonumber(page) + 1] and ("%d"):format(page + 1) or "null") }
  end })
  return client, asked
end

local function ids(seq)
  local list = {}
  for d in seq do
    list[#list + 1] = d.id
  end
  return table.concat(list, " ")
end

describe("client:deployments", function()
  it("gives those of all stacks, newest first, each with its stack", function()
    local seq = connect():deployments()
    assert.equal(as_text(known(NAMES)), walked(seq))
    assert.same({}, seq.failed)
  end)

  it("gives the stack as the list of stacks has it", function()
    local d, stack = connect():deployments():first()
    assert.equal(fake.data.deployments("awesome_app")[1].id, d.id)
    assert.equal("Awesome App", stack.name)
  end)

  it("gives the same whatever the pages are", function()
    for _, scenario in ipairs {
      { page_size = 1 }, { page_size = 7 }, { page_size = 200 }, { empty_page = 1 }, { empty_page = 2 }, { shift = 5 },
      { codes = "mixed", dates = "offset" },
    } do
      assert.equal(as_text(known { "staging", "api" }), walked(connect(scenario):deployments(uids("staging", "api"))))
    end
  end)

  it("takes uids, stacks, a sequence of stacks, criteria or a function", function()
    local client = connect()
    local staging = client:stack(fake.stacks.staging)
    local want = as_text(known { "staging", "api" })
    assert.equal(want, walked(client:deployments(uids("staging", "api"))))
    assert.equal(want, walked(client:deployments { staging, fake.stacks.api }))
    assert.equal(want, walked(client:deployments(client:stacks { uid = uids("staging", "api") })))
    assert.equal(want, walked(client:deployments { uid = uids("staging", "api") }))
    assert.equal(want, walked(client:deployments(function(stack)
      return stack.uid == fake.stacks.api or stack.uid == fake.stacks.staging
    end)))
  end)

  it("reads a stack that is named twice once", function()
    local tag = fake.fresh_tag()
    local client = connect { tag = tag }
    local api = fake.stacks.api
    assert.equal(as_text(known { "api" }), walked(client:deployments { api, client:stack(api), api }))
    assert.equal("1", page_requests(tag, "api"))
  end)

  it("copies the caller's list", function()
    local client, list = connect(), uids("staging", "api")
    local seq = client:deployments(list)
    list[1], list[2], list[3] = "changed", nil, nil
    assert.equal(as_text(known { "staging", "api" }), walked(seq))
    assert.same({ "changed" }, list)
  end)

  it("asks for nothing before the first is wanted", function()
    local tag = fake.fresh_tag()
    local seq = connect { tag = tag }:deployments()
    assert.same({}, fake.requests(tag))
    seq:first()
    assert.equal(5, #fake.requests(tag)) -- the stacks, and a page of each
  end)

  it("has a range, as for one stack", function()
    local tag = fake.fresh_tag()
    local since, before = "2026-08-01", "2026-11-01"
    local from, to = 1785542400, 1793491200 -- date -u -d 2026-08-01 +%s
    local want = as_text(known(NAMES, function(d)
      return d.started_time >= from and d.started_time < to
    end))
    assert.is_true(#want > 500)
    assert.equal(want, walked(connect { tag = tag }:deployments(nil, { since = since, before = before })))
    -- 137, 61 and 30 deployments are 5, 3 and 1 pages.
    assert.equal("1", page_requests(tag, "api"))
    assert.is_true(#fake.requests(tag) < 1 + 5 + 3 + 1 + 1, #fake.requests(tag))
  end)

  it("keeps the place of a deployment without a start", function()
    local client = api_of {
      a = { { { 1 }, { 2, "2026-01-09" }, { 3 }, { 4, "2026-01-05" } } },
      b = { { { 5, "2026-01-10" }, { 6, "2026-01-07" } } },
    }
    assert.equal("1 5 2 3 6 4", ids(client:deployments { "a", "b" }))
  end)

  it("loses nothing where a stack's own list is out of order", function()
    local client = api_of {
      a = { { { 1, "2026-01-01" }, { 2, "2026-01-08" } }, { { 3, "2026-01-04" } } }, -- oldest first by its ids
      b = { { { 4, "2026-01-06" }, { 5, "2026-01-02" } } },
    }
    assert.equal("4 3 2 5 1", ids(client:deployments { "a", "b" }))
  end)

  it("takes ids for a stack's own: passes over no other stack's", function()
    local client = api_of {
      a = { { { 1, "2026-01-05" }, { 2, "2026-01-03" } }, { { 2, "2026-01-03" }, { 3, "2026-01-01" } } },
      b = { { { 1, "2026-01-04" }, { 3, "2026-01-02" } } },
    }
    assert.equal("1 1 2 3 3", ids(client:deployments { "a", "b" }))
  end)

  it("gives those of the stack named first first, where they started in one moment", function()
    local client = api_of { a = { { { 1, "2026-01-05" } } }, b = { { { 2, "2026-01-05" } } } }
    assert.equal("2 1", ids(client:deployments { "b", "a" }))
    assert.equal("1 2", ids(client:deployments { "a", "b" }))
  end)
end)

describe("the pages of many stacks", function()
  it("are fetched at once, with so many requests in flight and no more", function()
    for _, limit in ipairs { 1, 2, 8 } do
      local want, most = at_once and math.min(limit, 3) or 1, 0
      for _, delay in ipairs { "0.2", "1", "5" } do -- a machine that stands still for so long hides it
        if most < want then
          local tag = fake.fresh_tag()
          local client = connect({ tag = tag, delay = delay }, { concurrency = limit })
          assert.equal(61 + 30 + 0, client:deployments(uids("staging", "api", "brand_new")):count())
          assert.equal("1 2 3", page_requests(tag, "staging"))
          most = most_in_flight(tag)
          assert.is_true(most <= want, most)
        end
      end
      assert.equal(want, most)
    end
  end)

  it("are fetched ahead where others are waited for, but never more than one for a stack", function()
    local long = {}
    for p = 1, 6 do
      long[p] = {}
      for i = 1, 10 do
        local n = (p - 1) * 10 + i
        long[p][i] = { n, ("2026-%02d-%02d"):format(12 - math.floor(n / 28), 28 - n % 28) }
      end
    end
    local client, asked = api_of { a = long, b = long }
    local given, most, before, pairs_of = 0, 0, 2, 0
    for _ in client:deployments { "a", "b" } do
      given = given + 1
      most = math.max(most, #asked * 10 - given)
      pairs_of = pairs_of + (#asked == before + 2 and 1 or 0)
      before = #asked
    end
    assert.equal(120, given)
    assert.equal(12, #asked)
    assert.is_true(most <= 2 * 15 + 10, most) -- a page and a half for each stack, and the one that is about to be left
    assert.equal(at_once and 5 or 0, pairs_of) -- both come to the end of a page at once
  end)

  it("are not fetched ahead for a stack whose turn is far away", function()
    local old, new = {}, {}
    for p = 1, 3 do
      old[p], new[p] = {}, {}
      for i = 1, 10 do
        local id = 100 - p * 10 - i
        old[p][i], new[p][i] = { id, "2025-01-01" }, { id, "2026-01-01" }
      end
    end
    local client, asked = api_of { a = new, b = old }
    local seq = client:deployments { "a", "b" }
    for _ = 1, 25 do
      seq()
    end
    assert.same({ "a 1", "b 1", "a 2", "a 3" }, asked)
  end)

  it("are not kept: memory does not grow with the history", function()
    local function pages_until(last)
      return setmetatable({}, { __index = function(_, p)
        if type(p) ~= "number" or p > last then
          return nil
        end
        local page = {}
        for i = 1, 30 do
          page[i] = { (p - 1) * 30 + i, 2000000000 - ((p - 1) * 30 + i) }
          page[i][2] = os.date("!%Y-%m-%dT%H:%M:%SZ", page[i][2])
        end
        return page
      end })
    end
    local function most_kilobytes(last)
      local client = api_of { a = pages_until(last), b = pages_until(last) }
      local n, most = 0, 0
      collectgarbage()
      collectgarbage()
      local before = collectgarbage "count"
      for _ in client:deployments { "a", "b" } do
        n = n + 1
        if n % 600 == 0 then
          collectgarbage()
          collectgarbage()
          most = math.max(most, collectgarbage "count" - before)
        end
      end
      assert.equal(last * 60, n)
      return most
    end
    local short, long = most_kilobytes(20), most_kilobytes(200)
    -- 10,800 ids more are remembered, at most 40 bytes each with the doubling of tables; as pages they would be over 5 MB.
    assert.is_true(long - short < 1500, ("%.0f kB, then %.0f kB"):format(short, long))
  end)

  it("come through client:map, and inside it", function()
    local client = connect(nil, { concurrency = 3 })
    local results = client:map(client:deployments(uids("staging", "api")), function(d, stack)
      return stack.uid .. tostring(d.id)
    end)
    assert.equal(91, #results)
    assert.equal(0, results.failed)
    local first = known { "staging", "api" }[1]
    assert.equal(first.uid .. tostring(first.id), results[1].value)
    local inner = client:map({ 1, 2, 3 }, function()
      local n = 0
      for _ in client:deployments(uids("staging", "api", "brand_new")) do
        n = n + 1
      end
      return n
    end)
    assert.same({ 91, 91, 91 }, { inner[1].value, inner[2].value, inner[3].value })
  end)
end)

describe("a sequence over many stacks", function()
  local function both(scenario)
    return connect(scenario):deployments(uids("staging", "api"))
  end

  it("carries the stack through where, take, take_while and map", function()
    local want = known({ "staging", "api" }, function(d)
      return d.outcome == "failed"
    end)
    local seq = both():where({ outcome = "failed" }):where(function(d, stack)
      return d.is_failed and stack.uid ~= "x"
    end):take_while(function(_, stack)
      return stack.uid
    end):take(5)
    local n = 0
    for d, stack in seq do
      n = n + 1
      assert.same({ want[n].id, want[n].uid }, { d.id, stack.uid })
    end
    assert.equal(5, n)
    for id, stack in both():map(function(d, stack) return stack.uid .. d.id end) do
      assert.equal(stack.uid, id:sub(1, #stack.uid))
    end
  end)

  it("gives it to each, group_by, reduce and first", function()
    local count = both():each(function(d, stack)
      assert(d.id and stack.uid)
    end)
    assert.equal(91, count)
    local groups = both():group_by(function(_, stack)
      return stack.uid
    end)
    assert.equal(61, #groups[fake.stacks.staging])
    assert.equal(30, #groups[fake.stacks.api])
    assert.equal(30, both():reduce(function(sum, _, stack)
      return sum + (stack.uid == fake.stacks.api and 1 or 0)
    end, 0))
    local _, stack = both():first()
    assert.equal(fake.stacks.staging, stack.uid)
  end)

  it("knows what may be asked of deployments", function()
    raises("spec/fleet/merge_spec.lua:%d+: a deployment has no field or predicate 'outcom'.*'outcome'", function()
      both():where { outcom = "failed" }
    end)
    raises("has no 'fialed'", function()
      return both().fialed
    end)
    raises("has no 'failed'", function()
      return connect():stack("x"):deployments().failed
    end)
  end)

  it("survives a collection at each step", function()
    local client = connect({ page_size = 10 }, { on = { request = function() collectgarbage() end } })
    local n = 0
    for d, stack in client:deployments(uids("staging", "api")) do
      collectgarbage "step"
      n = n + (d.id and stack.uid and 1 or 0)
    end
    assert.equal(91, n)
  end)
end)

describe("a stack that fails", function()
  local function hearing(scenario)
    local heard = {}
    local client = connect(scenario, { on = { warning = function(info)
      heard[#heard + 1] = info
    end } })
    return client, heard
  end

  it("costs itself alone, and is told", function()
    local client, heard = hearing { error = "server", stack = "staging" }
    local seq = client:deployments()
    assert.same({}, seq.failed)
    assert.equal(as_text(known { "awesome_app", "api" }), walked(seq))
    assert.equal(1, #seq.failed)
    local told = seq.failed[1]
    assert.equal(fake.stacks.staging, told.stack.uid)
    failure("server", nil, told.message, told.err)
    assert.equal(1, #heard)
    assert.matches("the deployments of stack " .. fake.stacks.staging .. ".* cannot be read: server: ", heard[1].text)
    assert.equal(told.err, heard[1].err)
    assert.equal(told.stack, heard[1].stack)
  end)

  it("is told by derived sequences too, and by those that are closed", function()
    local seq = hearing({ error = "forbidden", stack = "api" }):deployments()
    local derived = seq:where({ outcome = "success" }):map(tostring):take(10):take_while(function() return true end)
    local closed = derived
    assert.same({}, derived.failed)
    assert.equal(10, derived:count())
    for _, one in ipairs { seq, derived, closed } do
      assert.equal(1, #one.failed)
      assert.equal("forbidden", one.failed[1].err.kind)
    end
  end)

  it("keeps what was given when it fails in the middle", function()
    local client, heard = hearing { error = "server", stack = "staging", on = "page2" }
    local seq = client:deployments(uids("staging", "api"))
    local counts, told_at = {}, nil
    for _, stack in seq do
      counts[stack.uid] = (counts[stack.uid] or 0) + 1
      if #seq.failed > 0 then
        told_at = told_at or counts[fake.stacks.staging]
      end
    end
    assert.same({ [fake.stacks.staging] = 30, [fake.stacks.api] = 30 }, counts)
    assert.equal(30, told_at) -- not while it still has what was read before
    assert.equal(1, #seq.failed)
    assert.equal(1, #heard)
  end)

  it("fails the sequence when all do", function()
    local client, heard = hearing { error = "server", on = "deployments" }
    local seq = client:deployments(uids("staging", "api"))
    local n, message, err = seq:count()
    failure("server", n, message, err)
    assert.matches("none of the 2 stacks could be read to the end; of stack " .. fake.stacks.staging, message)
    assert.equal(2, #seq.failed)
    assert.equal(seq.failed, err.failed)
    assert.equal(500, err.status)
    assert.equal(0, #heard) -- it is told once, as the error
    local ok, problem = pcall(function()
      for _ in connect():deployments { "nobody" } do end
    end)
    assert.is_false(ok)
    assert.equal("not_found", problem.kind)
    assert.matches("no stack has the uid 'nobody'", tostring(problem))
  end)

  it("fails it after what was given, when the last that is left fails", function()
    local n = 0
    local count, message, err = hearing({ error = "server", on = "page2" }):deployments(uids "staging"):each(function()
      n = n + 1
    end)
    failure("server", count, message, err)
    assert.equal(30, n)
  end)

  it("is one that leads nowhere, or sends what is no page", function()
    for _, case in ipairs {
      { { repeat_next = true }, "protocol" }, { { next_back = true }, "protocol" }, { { body = "html" }, "decode" },
      { { body = "stack" }, "decode" }, { { body = "truncated" }, "decode" }, { { cut = "body" }, "network" },
    } do
      case[1].tag = fake.fresh_tag()
      local count, message, err = connect(case[1]):deployments(uids("awesome_app", "staging")):count()
      failure(case[2], count, message, err)
      assert.equal(2, #err.failed)
    end
  end)

  it("is one whose starts cannot be read, where a range asks for them", function()
    local client = api_of { a = { { { 1, 1767225600 } } }, b = { { { 2, "2026-01-05" } } } }
    local seq = client:deployments({ "a", "b" }, { since = "2026-01-01" })
    assert.equal("2", ids(seq))
    assert.equal("decode", seq.failed[1].err.kind)
    assert.equal("1 2", ids(client:deployments { "a", "b" }))
  end)

  it("shows no byte of other people's as a command", function()
    local heard = {}
    local client = connect({ hostile = true, error = "server", stack = "api" }, { on = { warning = function(info)
      heard[#heard + 1] = info.text
    end } })
    local seq = client:deployments()
    assert.equal(198, seq:count())
    assert.is_nil((heard[1] .. seq.failed[1].message):find "%c")
  end)

  it("is not what is wrong when our own call has ended", function()
    local client = connect()
    local seq = client:deployments()
    assert.is_truthy(seq:first())
    seq = client:deployments()
    local n = 0
    local count, message, err = seq:each(function()
      n = n + 1
      if n == 5 then
        client:close()
      end
    end)
    failure("aborted", count, message, err)
    assert.same({}, seq.failed)
  end)

  it("a hook that raises breaks nothing", function()
    local client = connect({ error = "server", stack = "api" }, { on = { warning = function() error "x" end } })
    assert.equal(61, client:deployments(uids("api", "staging")):count())
  end)
end)

describe("the list of stacks", function()
  it("fails the sequence when it cannot be read", function()
    local seq = connect({ error = "throttled", on = "stacks" }):deployments()
    local n, message, err = seq:count()
    failure("throttled", n, message, err)
    assert.same({}, seq.failed)
    n, message, err = connect({ page_size = 2, error = "server", on = "page2" }):deployments():count()
    failure("server", n, message, err)
  end)

  it("that has none is an error, not an empty history", function()
    local client = connect()
    for _, wanted in ipairs { { name = "no such" }, client:stacks { name = "no such" }, function() return false end } do
      local n, message, err = client:deployments(wanted):count()
      failure("none", n, message, err)
    end
  end)

  it("of stacks without deployments is an empty history", function()
    local seq = connect():deployments(uids "brand_new")
    assert.equal(0, seq:count())
    assert.same({}, seq.failed)
  end)

  it("raises for what is none", function()
    local client = connect()
    local at = "spec/fleet/merge_spec.lua:%d+: "
    local used = client:stacks()
    used:count()
    for _, case in ipairs {
      { {}, "the list of stacks is empty" },
      { { "a", nil, "b" }, "number 2 of the list is nil" },
      { { [2] = "a" }, "number 1 of the list is nil" },
      { { "a", "" }, "number 2 of the list is ''" },
      { { "a", 5 }, "number 2 of the list is a number" },
      { { "a", { uid = "b" } }, "number 2 of the list is a table" },
      { { "a", name = "b" }, "not both in one table" },
      { "a", "got string" },
      { 5, "got number" },
      { false, "got boolean" },
      { client:stack "a", "several stacks" },
      { { since = "7d" }, "second argument" },
      { { nme = "b" }, "a stack has no field or predicate 'nme'" },
      { used, "closed by count" },
    } do
      raises(at .. ".*" .. case[2], function()
        client:deployments(case[1])
      end)
    end
    raises("holds a string where a stack is due", function()
      client:deployments(client:stacks():map(tostring)):count()
    end)
  end)

  it("raises for wrong options", function()
    local client = connect()
    local at = "spec/fleet/merge_spec.lua:%d+: "
    for _, case in ipairs {
      { { sinc = "7d" }, "unknown option 'sinc'.*'since'" },
      { { since = "" }, "option 'since'" },
      { { since = "yesterday" }, "option 'since' = 'yesterday'" },
      { { since = "2026-02-01", before = "2026-01-01" }, "since must be earlier" },
      { "7d", "expected a table" },
    } do
      raises(at .. case[2], function()
        client:deployments(nil, case[1])
      end)
    end
    raises("takes no more", function()
      client:deployments(nil, {}, "7d")
    end)
    assert.is_truthy(cloud66)
  end)
end)
