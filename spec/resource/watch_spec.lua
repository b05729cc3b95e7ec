-- stack:poll and stack:watch: what happens to a stack's deployments, each thing told once.
local cjson = require "cjson"
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"
local merged = require "spec.support.merged"

local failure, raises, each_raises = expect.failure, expect.raises, expect.each_raises
local begin = in_world.begin

-- The events as short texts: "started 800001", "changed 800001 is_live+outcome".
local function shown(events)
  local list = {}
  for i, event in ipairs(events) do
    local names = event.changed or {}
    table.sort(names)
    list[i] = ("%s %s %s"):format(event.type, tostring(event.deployment.id), table.concat(names, "+")):gsub(" +$", "")
  end
  return list
end

-- As a script would keep it from one run to the next.
local function stored(cursor)
  return cjson.decode(cjson.encode(cursor))
end

-- One a second.
local function add_failures(world, count)
  for _ = 1, count do
    world:advance(1)
    world:add_deployment("staging", { finished_time = world:now(), outcome = "failed" })
  end
end

describe("poll", function()
  it("begins with what has been running for hours, too, on whatever page it stands", function()
    local stack, world = begin { page_size = 2 }
    local old = world:add_deployment("staging", { started_time = world:now() - 30 * 3600 })
    for hours = 20, 16, -1 do
      world:add_deployment("staging", { started_time = world:now() - hours * 3600, finished_time = world:now() - hours * 3600 + 60,
        outcome = "success" })
    end
    assert.same({ "started " .. old.id }, shown((assert(stack:poll()))))
  end)

  it("begins with what runs, and tells nothing of what is over", function()
    local stack = begin({}, nil, "awesome_app")
    local events, cursor = assert(stack:poll())
    local newest = fake.data.deployments("awesome_app")[1]
    assert.same({ "started " .. newest.id }, shown(events))
    assert.same({}, (stack:poll(cursor)))
    assert.same({}, (begin():poll()))
  end)

  it("tells a start, what changes, and the end, once each, with a stored cursor", function()
    local stack, world = begin()
    local _, cursor = stack:poll()
    local d = world:add_deployment("staging", { git_hash = nil })
    local events
    events, cursor = stack:poll(stored(cursor))
    assert.same({ "started " .. d.id, "changed " .. fake.data.deployments("staging")[1].id .. " is_head" },
      { shown(events)[2], shown(events)[1] })
    events, cursor = stack:poll(stored(cursor))
    assert.same({}, events)
    world:change(d, { git_ref = "hotfix" })
    events, cursor = stack:poll(stored(cursor))
    assert.same({ ("changed %d git_ref"):format(d.id) }, shown(events))
    world:change(d, { finished_time = world:now(), outcome = "success" })
    events, cursor = stack:poll(stored(cursor))
    assert.same({
      ("changed %d is_live"):format(fake.data.deployments("staging")[1].id),
      ("finished %d finished_at+is_deploying+is_live+outcome"):format(d.id),
    }, shown(events))
    assert.is_true(events[2].deployment.is_success)
    assert.same({}, (stack:poll(stored(cursor))))
  end)

  it("does not change the cursor it is given", function()
    local stack, world = begin()
    local _, cursor = stack:poll()
    local before = cjson.encode(cursor.entries[1])
    world:add_deployment("staging")
    local first = shown((stack:poll(cursor)))
    assert.equal(before, cjson.encode(cursor.entries[1]))
    assert.same(first, shown((stack:poll(cursor)))) -- the same cursor, the same answer
  end)

  it("tells both of one that began and ended in between", function()
    local stack, world = begin()
    local _, cursor = stack:poll()
    local d = world:add_deployment("staging", { finished_time = world:now() + 1, outcome = "failed" })
    local list = shown((stack:poll(cursor)))
    assert.same({ "started " .. d.id, "finished " .. d.id }, { list[#list - 1], list[#list] })
  end)

  it("misses none, however many began in between", function()
    local stack, world = begin { page_size = 3 }
    local _, cursor = stack:poll()
    local want = {}
    for i = 1, 20 do
      world:advance(1)
      want[i] = "started " .. world:add_deployment("staging").id
    end
    local got = {}
    for _, text in ipairs(shown((stack:poll(stored(cursor))))) do
      got[#got + 1] = text:match "^started.*"
    end
    assert.same(want, got) -- the oldest first
  end)

  it("does not take what moves up from an older page for new", function()
    local stack, world = begin { page_size = 3 }
    local d = world:add_deployment("staging")
    local _, cursor = stack:poll()
    world:remove("staging", d)
    for _, text in ipairs(shown((stack:poll(cursor)))) do
      assert.is_nil(text:match "^started", text)
    end
  end)

  it("does not take a proxy's page for the word that a deployment is gone", function()
    local stack, world = begin { page_size = 3 }
    local slow = world:add_deployment("staging")
    local _, cursor = stack:poll()
    add_failures(world, 8)
    local behind = in_world.again(world, { page_size = 3, error = "not_found", error_body = "html", on = "deployment" })
    local events, message, err = behind:poll(cursor)
    failure("not_found", events, message, err)
    world:change(slow, { finished_time = world:now(), outcome = "success" })
    local list = shown((stack:poll(cursor)))
    assert.matches("finished " .. slow.id, table.concat(list, "\n"), 1, true)
  end)

  it("follows one that runs, and the live one, off the first page", function()
    local stack, world = begin { page_size = 3 }
    local slow = world:add_deployment("staging")
    local _, cursor = stack:poll()
    for _ = 1, 8 do
      world:advance(1)
      world:add_deployment("staging", { finished_time = world:now(), outcome = "failed" })
    end
    _, cursor = stack:poll(cursor)
    world:change(slow, { finished_time = world:now(), outcome = "failed" })
    local events = stack:poll(stored(cursor))
    assert.same({ ("finished %d finished_at+is_deploying+outcome"):format(slow.id) }, shown(events))
  end)

  it("begins on a stack that was never deployed", function()
    local stack, world = begin({}, nil, "brand_new")
    local events, cursor = stack:poll()
    assert.same({}, events)
    local d = world:add_deployment("brand_new")
    assert.same({ "started " .. d.id }, shown((stack:poll(stored(cursor)))))
  end)

  it("tells nothing twice of one that stands on two pages of a list that shifts", function()
    local stack, world = begin { page_size = 3 }
    local _, cursor = stack:poll()
    for _ = 1, 4 do
      world:advance(1)
      world:add_deployment("staging", { outcome = "failed", finished_time = world:now() })
    end
    local shifting = expect.connect({ world = world.name, page_size = 3, shift = 2 }):stack(stack.uid)
    local seen = {}
    local events
    events, cursor = shifting:poll(cursor)
    for _, text in ipairs(shown(events)) do
      assert.is_nil(seen[text], text)
      seen[text] = true
    end
    assert.same({}, (shifting:poll(stored(cursor))))
  end)

  it("keeps its cursor small", function()
    local stack, world = begin()
    local _, cursor = stack:poll()
    add_failures(world, 150)
    _, cursor = stack:poll(cursor)
    assert.is_true(#cursor.entries <= 101)
    assert.same({}, (stack:poll(stored(cursor))))
    assert.is_true(#cjson.encode(cursor) < 65536)
  end)

  it("keeps exact ids on every Lua", function()
    local stack = begin({ ids = "big" }, nil, "awesome_app")
    local events, cursor = stack:poll()
    assert.equal(1, #events)
    assert.same({}, (stack:poll(stored(cursor))))
  end)

  it("leaves the cursor as it was when it fails", function()
    local stack, world = begin()
    local _, cursor = stack:poll()
    local d = world:add_deployment("staging")
    local broken = expect.connect({ world = world.name, error = "server" }):stack(fake.stacks.staging)
    failure("server", broken:poll(cursor))
    local list = shown((stack:poll(cursor)))
    assert.equal("started " .. d.id, list[#list])
  end)

  it("refuses what is no cursor", function()
    local stack = begin()
    each_raises("no cursor", {
      1, "x", {}, { version = 99, entries = {}, untold = {} }, { version = 1, entries = { 1 }, untold = {} },
      { version = 1, entries = {}, untold = {}, horizon = "x" }, { version = 1, entries = {}, untold = { {} } },
    }, function(wrong)
      stack:poll(wrong)
    end)
  end)
end)

-- Another client of a world, which gets responses that are so many seconds old.
local function behind(world, scenario)
  return in_world.again(world, merged({ lag_deployments = 30, lag_deployment = 30 }, scenario))
end

describe("poll, where a response may be older than the one before it,", function()
  -- The events and the stored cursor.
  local function poll(stack, cursor)
    local events, following = assert(stack:poll(cursor))
    return shown(events), stored(following)
  end

  -- The stored cursor alone.
  local function next_of(stack, cursor)
    return select(2, poll(stack, cursor))
  end

  -- A stack after its first poll.
  local function polled(scenario)
    local stack, world = begin(scenario)
    return stack, world, next_of(stack)
  end

  -- The lines that begin so.
  local function only(lines, pattern)
    local found = {}
    for _, line in ipairs(lines) do
      found[#found + 1] = line:match("^" .. pattern .. ".*")
    end
    return found
  end

  it("tells nothing twice, and finished once", function()
    local stack, world, cursor = polled()
    local old = behind(world)
    local d = world:add_deployment "staging"
    local events
    events, cursor = poll(stack, cursor)
    assert.same({ "started " .. d.id }, only(events, "started"))
    for _, one in ipairs { old, stack } do -- not there yet, and there again
      events, cursor = poll(one, cursor)
      assert.same({}, events)
    end
    world:advance(60)
    world:change(d, { finished_time = world:now(), outcome = "failed" })
    events, cursor = poll(stack, cursor)
    assert.same({ ("finished %d finished_at+is_deploying+outcome"):format(d.id) }, events)
    for _, one in ipairs { old, stack, old, stack } do -- still running, and over again
      events, cursor = poll(one, cursor)
      assert.same({}, events)
    end
  end)

  it("tells no change from an older list, but what ends, and the change from the next list", function()
    local stack, world, cursor = polled()
    local over, ends, runs = world:add_deployment "staging", world:add_deployment "staging", world:add_deployment "staging"
    world:advance(60)
    world:change(over, { finished_time = world:now(), outcome = "failed" })
    local events
    cursor = next_of(stack, cursor)
    world:change(ends, { finished_time = world:now() - 40, outcome = "failed" })
    world:change(runs, { git_ref = "hotfix" })
    events, cursor = poll(behind(world), cursor)
    assert.same({ ("finished %d finished_at+is_deploying+outcome"):format(ends.id) }, events)
    assert.same({ ("changed %d git_ref"):format(runs.id) }, (poll(stack, cursor)))
  end)

  it("tells what changes back once two responses in a row say so", function()
    local stack, world, cursor = polled()
    local d = world:add_deployment "staging"
    local change = { ("changed %d git_ref"):format(d.id) }
    local events
    cursor = next_of(stack, cursor)
    for _, step in ipairs { { "hotfix", change }, { "main", {} }, { "hotfix", {} }, { "main", {} }, { "main", change }, { "main", {} } } do
      world:change(d, { git_ref = step[1] })
      events, cursor = poll(stack, cursor)
      assert.same(step[2], events)
    end
  end)

  it("doubts the other changes of a list that takes something back, too", function()
    local stack, world, cursor = polled()
    local first, second = world:add_deployment "staging", world:add_deployment "staging"
    local events
    cursor = next_of(stack, cursor)
    world:change(first, { git_ref = "hotfix" })
    cursor = next_of(stack, cursor)
    for _, step in ipairs { { "main", 0 }, { "hotfix", 0 }, { "main", 0 }, { "main", 2 } } do
      world:change(first, { git_ref = step[1] })
      world:change(second, { git_ref = step[1] == "main" and "feature" or "main" })
      events, cursor = poll(stack, cursor)
      assert.equal(step[2], #events)
    end
  end)

  it("tells nothing of one that is live again where another one is, too", function()
    local stack, world, cursor = polled()
    local d = world:add_deployment "staging"
    local change, events = { ("changed %d is_live"):format(d.id) }
    cursor = next_of(stack, cursor)
    for _, step in ipairs { { true, change }, { false, {} }, { false, change }, { true, {} }, { true, {} }, { true, {} } } do
      world:change(d, { is_live = step[1] })
      events, cursor = poll(stack, cursor)
      assert.same(step[2], events)
    end
  end)

  it("tells that a text is gone once two responses in a row say so", function()
    local stack, world, cursor = polled()
    local d = world:add_deployment("staging", { deploy_session = "one" })
    local events
    cursor = next_of(stack, cursor)
    world:change(d, { deploy_session = false }) -- as null is read
    events, cursor = poll(stack, cursor)
    assert.same({}, events)
    assert.same({ ("changed %d deploy_session"):format(d.id) }, (poll(stack, cursor)))
  end)

  it("forgets nothing for a 404, and does not ask for ever", function()
    local stack, world, cursor = polled { page_size = 3 }
    local slow, tag = world:add_deployment "staging", fake.fresh_tag()
    local events
    for _ = 1, 4 do
      cursor = next_of(stack, cursor)
      add_failures(world, 2)
    end
    cursor = next_of(stack, cursor)
    local unknown = in_world.again(world, { page_size = 3, lag_deployment = 3600, tag = tag })
    for _ = 1, 9 do
      events, cursor = poll(unknown, cursor)
      assert.same({}, events)
    end
    events, cursor = poll(stack, cursor) -- it is there again, and all counting begins anew
    assert.same({}, events)
    for _ = 1, 12 do
      cursor = next_of(unknown, cursor)
    end
    local count = 0
    for _, request in ipairs(fake.requests(tag)) do
      count = count + (request.path:find(("/%d$"):format(slow.id)) and 1 or 0)
    end
    assert.equal(19, count)
    world:change(slow, { finished_time = world:now(), outcome = "failed" })
    local all = in_world.again(world) -- one page has it
    assert.same({ ("finished %d finished_at+is_deploying+outcome"):format(slow.id) }, only(poll(all, cursor), "[fs]%w+ed"))
  end)

  it("does not take a list for an older one for ever, because a deployment was removed", function()
    local stack, world, cursor = polled()
    local d, removed = world:add_deployment "staging", world:add_deployment("staging", { outcome = "failed" })
    world:change(removed, { finished_time = world:now() })
    local events
    cursor = next_of(stack, cursor)
    world:remove("staging", removed)
    world:change(d, { git_ref = "hotfix" })
    local polls = 0
    repeat
      events, cursor = poll(stack, cursor)
      polls = polls + 1
    until #events > 0 or polls == 20
    assert.matches("^changed " .. d.id, events[1])
    assert.equal(11, polls)
    world:add_deployment("staging", removed) -- back, and nothing new
    assert.same({}, only(poll(stack, cursor), "[sf]%w+ed"))
  end)

  it("tells of one that stood between two pages of different age", function()
    local tag = fake.fresh_tag()
    local stack, world, cursor = polled { page_size = 2, tag = tag }
    local turns, old = behind(world, { page_size = 2, lag_turns = true }), behind(world, { page_size = 2 })
    local want, got = {}, {}
    for i = 1, 3 do
      world:advance(1)
      want[i] = "started " .. world:add_deployment("staging").id
    end
    for _, one in ipairs { turns, old, stack, stack } do
      local events
      events, cursor = poll(one, cursor)
      for _, line in ipairs(only(events, "started")) do
        got[#got + 1] = line
      end
    end
    table.sort(got)
    assert.same(want, got)
    local function second_pages()
      local count = 0
      for _, request in ipairs(fake.requests(tag)) do
        count = count + (tostring(request.query.page) == "2" and 1 or 0)
      end
      return count
    end
    for _ = 1, 8 do
      cursor = next_of(stack, cursor)
    end
    local before = second_pages()
    poll(stack, cursor)
    assert.equal(before, second_pages()) -- what stood there would have been seen
  end)

  it("tells an end that was not told yet once, from where a watch was left", function()
    local stack, world, cursor = polled()
    world:advance(10)
    local d = world:add_deployment("staging", { outcome = "failed" })
    world:advance(25)
    world:change(d, { finished_time = world:now() })
    local watch = stack:watch { cursor = cursor }
    repeat
      local event = watch()
    until event.type == "started"
    world:advance(10)
    local events
    events, cursor = poll(behind(world), stored(watch:cursor())) -- it runs there
    assert.same({}, events)
    assert.same({ "finished " .. d.id }, (poll(stack, cursor)))
  end)

  it("begins with what runs, wherever it stands, and has begun in the last two days", function()
    local stack, world, tag = begin { page_size = 3 }
    local stuck = world:add_deployment("staging", { started_time = world:now() - 3 * 86400 })
    local slow = world:add_deployment("staging", { started_time = world:now() - 86400 })
    for i = 1, 7 do
      world:add_deployment("staging", { started_time = world:now() - i, finished_time = world:now(), outcome = "failed" })
    end
    local events, cursor = poll(stack)
    assert.same({ "started " .. slow.id }, only(events, "started " .. slow.id))
    assert.equal(fake.by_order(3, 5), #fake.requests(tag)) -- oldest first: the first page, and from the last one down
    assert.same({}, (poll(stack, cursor)))
    world:change(slow, { finished_time = world:now(), outcome = "failed" })
    world:change(stuck, { git_ref = "hotfix" })
    assert.same({ ("finished %d finished_at+is_deploying+outcome"):format(slow.id) }, only(poll(stack, cursor), "finished"))
  end)

  it("goes on from a cursor that counts nothing, and refuses one that counts what cannot be", function()
    local stack, world, cursor = polled()
    local d = world:add_deployment "staging"
    assert.is_nil(cursor.missed or cursor.absent or cursor.reread or cursor.entries[1].former)
    assert.same({ "started " .. d.id }, only(poll(stack, cursor), "started"))
    local function with(fields, of_entry)
      local wrong = stored(cursor)
      for name, value in pairs(fields) do
        (of_entry and wrong.entries[1] or wrong)[name] = value
      end
      return wrong
    end
    each_raises("no cursor", {
      with { missed = 1 }, with { missed = { x = 1 } }, with { absent = { ["1"] = "1" } }, with { reread = 1 },
      with { reread = { since = 1 } },
      with({ former = 1 }, true), with({ former = { no_field = "x" } }, true), with({ former = { git_ref = 1 } }, true),
      with({ doubt = 1 }, true), with({ ended = "x" }, true), with({ pending = {} }, true),
    }, function(wrong)
      stack:poll(wrong)
    end)
  end)
end)

describe("watch", function()
  it("keeps in a cursor between two events what the last responses have counted", function()
    local stack, world = begin { page_size = 3 }
    local slow = world:add_deployment("staging")
    local cursor
    for _ = 1, 2 do
      add_failures(world, 8)
      cursor = select(2, stack:poll(cursor))
    end
    add_failures(world, 1)
    clock.run(world, function()
      local faulty = in_world.again(world, { page_size = 3, error = "not_found", on = "deployment" })
      local watch = faulty:watch { cursor = cursor, interval = 1 }
      watch()
      local between = watch:cursor()
      assert.equal(1, between.missed and between.missed[tostring(slow.id)])
      assert.is_table(between.reread)
    end)
  end)

  it("tells the same again and again, until its time is over", function()
    local stack, world = begin { takes = 100 }
    local types = {}
    clock.run(world, function()
      assert(stack:redeploy { git_ref = "main" })
      for event in stack:watch { interval = 5, timeout = 300 } do
        if event.deployment.triggered_by == "ci@awesome.example" then
          types[#types + 1] = event.type
        end
      end
    end)
    assert.same({ "started", "finished" }, types)
  end)

  it("goes on from a stored cursor: nothing twice, nothing missed, wherever it was left", function()
    local stack, world = begin()
    local _, cursor = stack:poll()
    local want = {}
    for _ = 1, 4 do
      world:advance(1)
      local d = world:add_deployment("staging", { finished_time = world:now(), outcome = "failed" })
      want[#want + 1] = "started " .. d.id
      want[#want + 1] = "finished " .. d.id
    end
    local got = {}
    for _ = 1, 40 do -- a program that dies after each event, and is started again
      local watch = stack:watch { cursor = cursor, stop = function() return true end } -- after one poll
      local event = watch()
      if not event then
        break
      end
      cursor = stored(watch:cursor())
      if event.type ~= "changed" then
        got[#got + 1] = shown({ event })[1]
      end
    end
    assert.same(want, got)
  end)

  it("misses none of a crowd after a restart, though the cursor keeps the newest alone", function()
    local stack, world = begin()
    local _, cursor = stack:poll()
    add_failures(world, 130)
    local watch = stack:watch { cursor = cursor }
    local seen = { [shown({ watch() })[1]] = true }
    cursor = stored(watch:cursor()) -- and here it dies
    local rounds = 0
    repeat
      local events
      events, cursor = stack:poll(stored(cursor))
      for _, text in ipairs(shown(events)) do
        assert.is_nil(seen[text], text)
        seen[text] = true
      end
      rounds = rounds + 1
    until #events == 0
    assert.is_true(rounds < 12)
    local started = 0
    for text in pairs(seen) do
      started = started + (text:find "^started" and 1 or 0)
    end
    assert.equal(130, started)
  end)

  it("survives what passes, and raises what does not", function()
    local stack, world = begin()
    local d = world:add_deployment("staging")
    local tag = fake.fresh_tag()
    local flaky = expect.connect({ world = world.name, error = "bad_gateway", times = 3, tag = tag }):stack(stack.uid)
    local first = clock.run(world, function()
      return flaky:watch { interval = 5 }()
    end)
    assert.equal("started " .. d.id, shown({ first })[1])
    assert.equal(fake.by_order(4, 6), #fake.requests(tag))
    local refused = expect.connect({ world = world.name, error = "forbidden" }):stack(stack.uid)
    local ok, err = pcall(function()
      for _ in refused:watch() do
        error "no event can come"
      end
    end)
    assert.is_false(ok)
    assert.equal("forbidden", err.kind)
  end)

  it("stops when it is told to", function()
    local stack, world = begin()
    local calls = 0
    clock.run(world, function()
      for _ in stack:watch { interval = 60, stop = function()
        calls = calls + 1
        return calls > 5
      end } do
        error "nothing happens here"
      end
    end)
    assert.equal(6, calls)
  end)

  it("refuses what cannot be meant", function()
    local stack = begin()
    each_raises("option", { { interval = 0 }, { timeout = "1" }, { stop = 1 }, { every = 5 } }, function(options)
      stack:watch(options)
    end)
    raises("no cursor", function() stack:watch { cursor = {} } end)
    raises("a watch has no 'events'", function() return stack:watch().events end)
    raises("read%-only", function() stack:watch().x = 1 end)
  end)
end)
