-- client:map: several items at once, each one's end told beside it.
local at_once = require "spec.support.at_once"
local child = require("spec.support.child").run
local is_interruptible = require("spec.support.child").is_interruptible
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local lists = require "spec.support.lists"

local connect, failure, ping, raises = expect.connect, expect.failure, expect.ping, expect.raises
local numbers = lists.numbers

-- A client that counts how many of its requests were in flight at most.
local function counting(scenario, options)
  local flying, count = 0, { most = 0, all = 0 }
  options = options or {}
  options.on = {
    request = function()
      flying, count.all = flying + 1, count.all + 1
      count.most = math.max(count.most, flying)
    end,
    response = function()
      flying = flying - 1
    end,
  }
  return connect(scenario, options), count
end

describe("map", function()
  it("gives each item's value, in order", function()
    local client = connect()
    local results = client:map({ "awesome_app", "staging", "api", "brand_new" }, function(name)
      return client:stack(fake.stacks[name]):deployments():count()
    end)
    local values = {}
    for i, result in ipairs(results) do
      assert.is_true(result.ok)
      assert.is_nil(result.message)
      values[i] = result.item .. " " .. result.value
    end
    assert.same({ "awesome_app 137", "staging 61", "api 30", "brand_new 0" }, values)
    assert.equal(0, results.failed)
  end)

  it("has so many requests in flight, and no more", function()
    for _, limit in ipairs { 1, 3, 8 } do
      local client, count = counting({ delay = "0.05" }, { concurrency = limit })
      local results = client:map(numbers(12), function()
        return ping(client)
      end)
      assert.equal(0, results.failed)
      assert.equal(12, count.all)
      assert.equal(at_once and limit or 1, count.most)
    end
  end)

  it("has 8 in flight by default", function()
    local client, count = counting { delay = "0.05" }
    client:map(numbers(20), function()
      return ping(client)
    end)
    assert.equal(at_once and 8 or 1, count.most)
  end)

  it("tells each failure beside its item, and goes on", function()
    local client = connect()
    local results = client:map({ "awesome_app", "nobody", "api", "raised", "plain", "nothing" }, function(name)
      if name == "plain" then
        return nil, "a message of its own"
      elseif name == "nothing" then
        return nil
      elseif name == "raised" then
        for _ in client:stack("nobody"):deployments() do end -- raises the err object
      end
      return client:stack(fake.stacks[name] or name):latest()
    end)
    assert.equal(3, results.failed)
    local ends = {}
    for i, result in ipairs(results) do
      ends[i] = result.ok
    end
    assert.same({ true, false, true, false, false, true }, ends)
    for _, i in ipairs { 2, 4 } do
      assert.is_nil(results[i].value)
      failure("not_found", nil, results[i].message, results[i].err)
    end
    assert.equal("a message of its own", results[5].message)
    assert.is_nil(results[5].err)
    assert.is_nil(results[6].value)
  end)

  it("lets one of a hundred fail alone", function()
    local good, bad = connect(), connect { cut = "body" }
    local results = good:map(numbers(100), function(i)
      return ping(i == 37 and bad or good)
    end)
    assert.equal(100, #results)
    assert.equal(1, results.failed)
    for i, result in ipairs(results) do
      assert.equal(i ~= 37, result.ok)
    end
    failure("network", nil, results[37].message, results[37].err)
  end)

  it("takes a sequence, and fetches its pages as it goes", function()
    local client, count = counting({ page_size = 2 }, { concurrency = 2 })
    local results = client:map(client:stacks(), function(stack)
      return stack:page(1)
    end)
    assert.equal(4, #results)
    assert.equal(0, results.failed)
    assert.equal(2 + 4, count.all)
  end)

  it("is nil when the sequence fails, with what there is in the error", function()
    local client = connect { page_size = 2, error = "server", on = "page2" }
    local results, message, err = client:map(client:stacks(), function(stack)
      return stack.name
    end)
    failure("server", results, message, err)
    assert.equal(2, #err.results)
    assert.equal("Awesome App", err.results[1].value)
  end)

  it("gives an empty list for an empty one", function()
    assert.same({ failed = 0 }, connect():map({}, print))
    assert.same({ failed = 0 }, connect():map(connect():stacks { name = "none such" }, print))
  end)

  it("raises for what is no list and no function", function()
    local client = connect()
    for _, source in ipairs { "x", 5, { name = "x" }, { [2] = "x" }, print } do
      raises("spec/fleet/map_spec.lua:%d+: map%(%) needs a list", function()
        client:map(source, print)
      end)
    end
    raises("spec/fleet/map_spec.lua:%d+: map%(%) needs a list", function()
      client:map(nil, print)
    end)
    raises("spec/fleet/map_spec.lua:%d+: map%(%) needs a function", function()
      client:map({ 1 }, "x")
    end)
    raises("spec/fleet/map_spec.lua:%d+: unknown option 'concurrency'", function()
      client:map({ 1 }, print, { concurrency = 5 })
    end)
    for _, seconds in ipairs { 0, -1, "5", 1 / 0 } do
      raises("spec/fleet/map_spec.lua:%d+: option 'timeout' must be a number above zero", function()
        client:map({ 1 }, print, { timeout = seconds })
      end)
    end
    raises("spec/fleet/map_spec.lua:%d+: map%(%) takes", function()
      client:map({ 1 }, print, nil, 5)
    end)
    local used = client:stacks()
    used:count()
    raises("spec/fleet/map_spec.lua:%d+: .*closed by count", function()
      client:map(used, print)
    end)
    for _, concurrency in ipairs { 0, 1.5, "8" } do
      raises("concurrency", function()
        connect(nil, { concurrency = concurrency })
      end)
    end
  end)

  it("changes nothing in the caller's list", function()
    local list = { "a", "b" }
    connect():map(list, function()
      list[3] = "c"
    end)
    assert.same({ "a", "b", "c" }, list)
  end)
end)

describe("a bug inside map", function()
  it("is raised on, and aborts the rest", function()
    local client, count = counting({ delay = "0.02" }, { concurrency = 4 })
    local begun = 0
    raises("spec/fleet/map_spec.lua:%d+: a bug", function()
      client:map(numbers(50), function(i)
        begun = begun + 1
        ping(client)
        if i == 2 then
          error "a bug"
        end
      end)
    end)
    assert.is_true(begun < 12, begun)
    assert.is_true(ping(connect()).ok)
    assert.is_true(count.all < 12)
  end)

  it("may be any value but an err object", function()
    local thrown = setmetatable({}, { __tostring = function() return "x" end })
    local ok, problem = pcall(connect().map, connect(), { 1 }, function()
      error(thrown)
    end)
    assert.is_false(ok)
    assert.equal(thrown, problem)
  end)

  it("can be caught around an inner map", function()
    local client = connect()
    local results = client:map({ "a", "b" }, function(name)
      local ok, problem = pcall(client.map, client, { 1, 2, 3 }, function(i)
        ping(client)
        if i == 2 and name == "a" then
          error("a bug", 0)
        end
        return i
      end)
      return ok and #problem or problem
    end)
    assert.same({ "a bug", 3 }, { results[1].value, results[2].value })
  end)

  it("is a yield that is not the library's", function()
    if not at_once then pending "there are no coroutines here" end
    raises("coroutines of its own", function()
      connect():map({ 1 }, function()
        coroutine.yield(5)
      end)
    end)
  end)

  it("leaves nothing behind in the one that comes after it", function()
    local client = connect()
    pcall(client.map, client, numbers(5), function(i)
      ping(client)
      error(i)
    end)
    collectgarbage()
    local results = client:map(numbers(5), function()
      return ping(client)
    end)
    assert.equal(0, results.failed)
  end)
end)

describe("inside map", function()
  it("a map goes on in the same loop, within the same limit", function()
    local client, count = counting({ delay = "0.02" }, { concurrency = 4 })
    local results = client:map({ 1, 2, 3 }, function()
      local inner = client:map({ 1, 2, 3, 4, 5 }, function()
        return ping(client)
      end)
      return #inner - inner.failed
    end)
    assert.same({ 5, 5, 5 }, { results[1].value, results[2].value, results[3].value })
    assert.equal(15, count.all)
    assert.equal(at_once and 4 or 1, count.most)
  end)

  it("a generator of the caller's own waits, and yields nothing of ours", function()
    local client = connect { delay = "0.01" }
    local results = client:map(numbers(4), function(i)
      local next_value = coroutine.wrap(function()
        for n = 1, 3 do
          coroutine.yield(n * i, ping(client).ok)
        end
      end)
      local sum = 0
      for _ = 1, 3 do
        local value, ok = next_value()
        assert(ok == true)
        sum = sum + value
      end
      return sum
    end)
    assert.equal(0, results.failed, results[1].message)
    assert.same({ 6, 12, 18, 24 }, { results[1].value, results[2].value, results[3].value, results[4].value })
  end)

  it("a request waits where nothing can yield", function()
    if os.getenv "C66_INSIDE_NGINX" then pending "it is an error there: see nginx_spec" end -- raises
    local client = connect { delay = "0.01" }
    local results = client:map({ 1, 2 }, function()
      local all = {}
      ;("abc"):gsub(".", function(letter)
        all[#all + 1] = letter .. tostring(ping(client).ok)
      end)
      table.sort({ 2, 1 }, function(a, b)
        all[#all + 1] = tostring(ping(client).ok)
        return a < b
      end)
      local inner
      ;("x"):gsub(".", function()
        inner = client:map({ 1, 2 }, function() return ping(client).ok end)
      end)
      return table.concat(all, " ", 1, 3) .. tostring(inner[2].value)
    end)
    assert.equal("atrue btrue ctruetrue", results[1].value, results[1].message)
    assert.equal("atrue btrue ctruetrue", results[2].value, results[2].message)
  end)

  it("close() of the client whose call has started another map leaves that map alone", function()
    local other, inner, count = connect(), nil, nil
    local client
    client = connect(nil, { on = { request = function()
      inner = other:map({ 1, 2, 3 }, function(n)
        client:close()
        assert(ping(other))
        return n
      end)
      count = #inner -- at once: a map that was left too early is still filled afterwards
    end } })
    local results = connect():map({ 1 }, function() return ping(client) end)
    assert.equal("aborted", results[1].err and results[1].err.kind)
    assert.equal(3, count)
    assert.equal(0, inner.failed)
    assert.equal(3, inner[3].value)
  end)

  it("a map in a token's function does not wait for the call it is part of", function()
    local plain = connect()
    local client = connect(nil, { concurrency = 1, token = function()
      assert(plain:map({ 1, 2, 3 }, function() return ping(plain) end).failed == 0)
      return fake.token
    end })
    local results = client:map({ 1, 2 }, function() return ping(client) end)
    assert.equal(0, results.failed)
  end)

  it("retries and their pauses let the others go on", function()
    local tag = fake.fresh_tag()
    local slow = connect({ error = "server", times = 2, tag = tag }, { retries = { attempts = 3, base = 0.05 } })
    local client, order = connect(), {}
    client:map({ "slow", "a", "b" }, function(name)
      assert(ping(name == "slow" and slow or client))
      order[#order + 1] = name
    end)
    assert.equal(3, #order)
    assert.equal(3, #fake.requests(tag))
  end)

  it("a transport of the caller's own is used as it is", function()
    local client = connect(nil, { transport = function()
      return { status = 200, headers = {}, body = '{"ok":true}' }
    end })
    local results = client:map(numbers(20), function()
      return ping(client).ok
    end)
    assert.equal(0, results.failed)
  end)

  it("closing the client aborts what is in flight", function()
    local client = connect { delay = "5" }
    local other = connect { delay = "0.05" }
    local start = os.time()
    local results = other:map(numbers(4), function(i)
      if i < 4 and at_once then
        return ping(client)
      end
      local done, message, err = ping(other)
      client:close()
      return done, message, err
    end)
    assert.is_true(os.time() - start < 4)
    assert.equal(at_once and 3 or 0, results.failed)
    if at_once then
      failure("aborted", nil, results[1].message, results[1].err)
    end
    assert.is_true(results[4].ok)
  end)

  it("survives a collection at each step", function()
    local client = connect({ delay = "0.01" }, { on = { request = function() collectgarbage() end, response = function() collectgarbage() end } })
    local results = client:map(client:stacks(), function(stack)
      return stack:deployments():take(40):count()
    end)
    assert.equal(0, results.failed)
  end)

  it("ten thousand items that ask nothing do not pile up", function()
    local results = connect():map(numbers(10000), function(i)
      return i * 2
    end)
    assert.equal(10000, #results)
    assert.equal(20000, results[10000].value)
  end)
end)

describe("a map with a timeout of its own", function()
  it("is over by then, and says which items had no turn", function()
    local client = connect({ delay = "1" }, { concurrency = 2 })
    local begun = 0
    local results = client:map(numbers(20), function()
      begun = begun + 1
      return ping(client)
    end, { timeout = 2.8 })
    assert.equal(20, #results)
    assert.is_true(results[1].ok)
    assert.is_false(results[20].ok)
    failure("timeout", nil, results[20].message, results[20].err)
    assert.matches("whole map", results[20].message)
    assert.is_true(begun <= 6, begun)
    local most, answered = at_once and 4 or 2, 20 - results.failed
    assert.is_true(answered >= most / 2 and answered <= most, answered)
  end)

  it("hands it to an inner one, and to pauses", function()
    local client = connect({ error = "server" }, { retries = { attempts = 100, base = 5, cap = 5 } })
    local start = os.time()
    local results = client:map({ 1, 2 }, function()
      return client:map({ 1, 2 }, function()
        return ping(client)
      end)
    end, { timeout = 0.3 })
    assert.is_true(os.time() - start <= 4)
    assert.equal(2, results[1].value.failed)
  end)

  it("has no more of it for an inner one that asks for longer", function()
    local client = connect { delay = "2" }
    local start = os.time()
    local results = client:map({ 1 }, function()
      return client:map({ 1, 2 }, function()
        return ping(client)
      end, { timeout = 60 })
    end, { timeout = 0.3 })
    assert.is_true(os.time() - start <= 4)
    assert.equal(2, results[1].value.failed)
    failure("timeout", nil, results[1].value[1].message, results[1].value[1].err)
  end)

  it("has it from its own option alone: a view's timeout is for each call", function()
    local client = connect({ delay = "0.6" }, { concurrency = 1 })
    local hasty = client:with { timeout = 1.5 }
    local results = hasty:map(numbers(4), function()
      return ping(hasty)
    end)
    assert.equal(0, results.failed)
  end)

  it("is not limited by the time of a single call", function()
    local client = connect({ delay = "0.5" }, { timeout = 1.8, concurrency = 1 })
    local results = client:map(numbers(4), function()
      return ping(client)
    end)
    assert.equal(0, results.failed)
  end)
end)

describe("a sequence that two coroutines read", function()
  local function read_by_two(make)
    local seq = make(connect { page_size = 5, delay = "0.05" })
    return connect():map({ 1, 2 }, function()
      local count = 0
      for _ in seq do
        count = count + 1
      end
      return count
    end)
  end

  local function of_one(client)
    return client:stack(fake.stacks.staging):deployments()
  end

  local function of_many(client)
    return client:deployments { fake.stacks.staging, fake.stacks.api }
  end

  it("raises: neither would have all of it, and the server would be blamed", function()
    if not at_once then pending "there are no coroutines here" end
    for _, make in ipairs { of_one, of_many } do
      raises("is being read by another coroutine", function()
        read_by_two(make)
      end)
    end
  end)

  it("is fine one after another, also when the first was left while it waited", function()
    local seq = of_one(connect { page_size = 5 })
    local first = coroutine.wrap(function()
      return seq().id
    end)()
    local wanted = fake.data.deployments "staging"
    assert.equal(wanted[1].id, first)
    assert.equal(wanted[2].id, seq().id)
    local broken = true
    seq = of_one(connect(nil, { transport = function()
      if broken then
        error "ended"
      end
      return { status = 200, headers = {}, body = '{"response":[{"id":7}],"pagination":{"next":null}}' }
    end }))
    assert.is_false((coroutine.resume(coroutine.create(function() -- in nginx, what wrap() raises ends the whole program
      return seq()
    end))))
    broken = false
    assert.equal(7, seq().id)
  end)
end)

describe("an interrupt", function()
  it("ends a map at once, with no message but Lua's own", function()
    if not is_interruptible then pending "this interpreter has no handler for it" end
    for _, place in ipairs { "map", "one" } do
      local start = os.time()
      local output, errors, status = child(([[
        local client = require("cloud66").new { base_url = %q, token = %q }
        os.execute "(sleep 0.3; kill -INT $PPID) &"
        if %q == "map" then
          client:map({ 1, 2, 3, 4 }, function() return client:request("GET", "/ping/auth") end)
        else
          client:request("GET", "/ping/auth")
        end
        print "not interrupted"
      ]]):format(fake.url { delay = "10" }, fake.token, place))
      assert.is_true(os.time() - start < 5)
      assert.equal("", output)
      assert.is_true(status ~= 0)
      assert.matches("interrupted!", errors)
      assert.equal(1, select(2, errors:gsub("interrupted", "")))
      assert.not_matches("network", errors)
    end
  end)
end)
