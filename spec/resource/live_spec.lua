-- Which deployment of a stack is live, head, latest or was live before. What is expected is computed from the fake's data.
local canned = require "spec.support.canned"
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_data = require "spec.support.in_data"

local connect, stack_of, raises, each_raises, failure = expect.connect, expect.stack_of, expect.raises, expect.each_raises, expect.failure

describe("stack:live, head, latest and previous_live", function()
  it("give what the data says", function()
    for _, name in ipairs(in_data.busy_stacks) do
      local stack = stack_of(name)
      assert.equal(in_data.live(name).id, stack:live().id)
      assert.equal(fake.data.deployments(name)[1].id, stack:latest().id)
      assert.equal(in_data.previous(name).id, stack:previous_live().id)
      local head = in_data.first(name, function(d)
        return d.is_head
      end)
      assert.equal(head.id, stack:head().id)
    end
  end)

  it("give the same over pages of one", function()
    for _, name in ipairs(in_data.busy_stacks) do
      local stack = stack_of(name, { page_size = 1 })
      assert.equal(in_data.live(name).id, stack:live().id)
      assert.equal(in_data.previous(name).id, stack:previous_live().id)
      assert.equal(fake.data.deployments(name)[1].id, stack:latest().id)
    end
  end)

  it("give the same over a page that is empty", function()
    for page = 1, 2 do
      local stack = stack_of("awesome_app", { page_size = 2, empty_page = page })
      assert.equal(in_data.live("awesome_app").id, stack:live().id)
      assert.equal(in_data.previous("awesome_app").id, stack:previous_live().id)
      assert.equal(fake.data.deployments("awesome_app")[1].id, stack:latest().id)
    end
  end)

  it("read no page more than they need", function()
    local tag = fake.fresh_tag()
    local stack = stack_of("awesome_app", { tag = tag })
    stack:live()
    stack:head()
    stack:latest()
    stack:previous_live()
    stack:is_live(in_data.live("awesome_app").git_hash)
    assert.equal(5, #fake.requests(tag))
  end)

  it("read five pages at most", function()
    for _, method in ipairs { "live", "head", "previous_live" } do
      local tag = fake.fresh_tag()
      local stack = stack_of("awesome_app", { tag = tag, page_size = 5, live = "none" })
      local _, message = stack[method](stack)
      failure("none", stack[method](stack))
      assert.equal(10, #fake.requests(tag))
      assert.matches("5 pages", message) -- it must not say that there is none at all
    end
  end)

  it("are none where the whole history has none", function()
    for _, method in ipairs { "live", "head", "previous_live" } do
      local tag = fake.fresh_tag()
      local stack = stack_of("awesome_app", { tag = tag, live = "none" })
      failure("none", stack[method](stack))
      assert.equal(5, #fake.requests(tag))
    end
  end)

  it("are none for a stack without deployments", function()
    for _, method in ipairs { "live", "head", "latest", "previous_live" } do
      local stack = stack_of "brand_new"
      failure("none", stack[method](stack))
    end
  end)

  it("fail with the connection where the API is down, never with none", function()
    local stack = cloud66.new({ base_url = fake.closed_url(), token = fake.token }):stack(fake.stacks.api)
    for _, method in ipairs { "live", "head", "latest", "previous_live", "load", "page" } do
      failure("connect", stack[method](stack))
    end
    failure("connect", stack:is_live "abcdef0")
    failure("connect", stack:deployments():first())
    failure("connect", stack:deployments({ since = "2026-01-01" }):where({ is_success = true }):first())
  end)

  it("fail where a later page fails", function()
    for _, method in ipairs { "live", "head", "previous_live" } do
      local stack = stack_of("awesome_app", { page_size = 5, live = "none", error = "server", on = "page2" })
      failure("server", stack[method](stack))
    end
    failure("server", stack_of("awesome_app", { page_size = 1, error = "server", on = "page2" }):live())
  end)

  it("are a protocol error where the list goes in circles", function()
    for _, scenario in ipairs { { repeat_next = true }, { next_back = true } } do
      scenario.page_size, scenario.live = 5, "none"
      for _, method in ipairs { "live", "head", "previous_live" } do
        local stack = stack_of("awesome_app", scenario)
        failure("protocol", stack[method](stack))
      end
      failure("protocol", stack_of("awesome_app", scenario):is_live "abcdef0")
    end
  end)

  it("do not take an `is_live` of an unknown type for none", function()
    local stack = stack_of("api", { drift = true })
    local value, message, err = stack:live()
    assert.is_nil(value)
    assert.not_equal("none", err.kind, message)
  end)

  -- The newest first, as the API gives them.
  local function history(...)
    local list = {}
    for i, members in ipairs { ... } do
      list[i] = ('{"id":%d,%s}'):format(100 - i, members)
    end
    return canned.stack('{"response":[' .. table.concat(list, ",") .. "]}")
  end

  local function build(hash, more)
    local word = '"outcome":{"code":1,"meaning":"success"},"deploy_type":{"code":0,"meaning":"build"}'
    return ('"git_hash":"%s",%s%s'):format(hash:rep(40), word, more or "")
  end

  it("give the newest of several that are live", function()
    local stack = history(
      build("a", ',"is_live":false,"started_at":"2026-03-03T00:00:00Z"'),
      build("b", ',"is_live":true,"started_at":"2026-02-02T00:00:00Z"'),
      build("c", ',"is_live":true,"started_at":"2026-01-01T00:00:00Z"')
    )
    assert.equal(98, stack:live().id)
    assert.is_true(stack:is_live(("b"):rep(40)))
  end)

  it("go back to no build that failed, is pending, scaled, or is of the same commit", function()
    local same = build("a"):gsub('"build"', '"redeploy"')
    local failed = build("b"):gsub("success", "failed")
    local pending = build("c"):gsub("success", "pending")
    local scaled = build("d"):gsub('"build"', '"scale"')
    local stack = history(build "e", build("a", ',"is_live":true'), same, build "a", failed, pending, scaled, build "f", build "b")
    assert.equal(92, stack:previous_live().id)
  end)
end)

describe("what reads several pages for one answer", function()
  it("has the timeout for all of them together", function()
    for _, method in ipairs { "live", "head", "previous_live", "is_live" } do
      local stack = connect({ live = "none", page_size = 5, delay = "0.4" }, { timeout = 1 }):stack(fake.stacks.awesome_app)
      local start = core.monotonic()
      if method == "is_live" then
        failure("timeout", stack:is_live "abcdef0")
      else
        failure("timeout", stack[method](stack))
      end
      local took = core.monotonic() - start
      assert.is_true(took > 0.8 and took < 2.7, method .. " " .. took)
    end
  end)
end)

describe("stack:is_live", function()
  it("is true for the live commit, whole or shortened, in any case", function()
    for _, name in ipairs(in_data.busy_stacks) do
      local stack, hash = stack_of(name), in_data.live(name).git_hash
      for _, given in ipairs { hash, hash:sub(1, 7), hash:sub(1, 12), hash:upper() } do
        assert.is_true(stack:is_live(given))
      end
    end
  end)

  it("is false for any other commit", function()
    local stack, list = stack_of "awesome_app", fake.data.deployments "awesome_app"
    local live = in_data.live "awesome_app"
    for i = 1, 30 do
      if list[i].git_hash ~= live.git_hash then
        assert.is_false((stack:is_live(list[i].git_hash)))
      end
    end
    assert.is_false((stack:is_live "0000000"))
    assert.is_false((stack:is_live(live.git_hash:sub(2)))) -- not a prefix
    assert.is_false((stack:is_live(live.git_hash .. "0")))
  end)

  it("is false where the whole history has nothing live", function()
    assert.is_false((stack_of("awesome_app", { live = "none" }):is_live "abcdef0"))
    assert.is_false((stack_of("brand_new"):is_live "abcdef0"))
  end)

  it("cannot be told where five pages have nothing live", function()
    failure("none", stack_of("awesome_app", { live = "none", page_size = 5 }):is_live "abcdef0")
  end)

  it("cannot be told where the live deployment has no commit", function()
    local value, message, err = stack_of("api", { nulls = true }):is_live "abcdef0"
    assert.is_nil(value)
    assert.equal(message, err.message)
  end)

  it("cannot be told where `is_live` is of an unknown type", function()
    local value, message = stack_of("api", { drift = true }):is_live(in_data.live("api").git_hash)
    assert.is_nil(value)
    assert.is_string(message)
  end)

  it("raises for what is no commit, and asks nothing", function()
    local tag = fake.fresh_tag()
    local stack = stack_of("api", { tag = tag })
    local wrong = {
      "", "a", "abcdef", "ghijklm", "abcdef0 ", "abcdef0\n", " abcdef0", "main", 1234567, true, false, {}, ("a"):rep(300), "abcdef\0",
    }
    each_raises("git_hash", wrong, function(hash)
      stack:is_live(hash)
    end)
    raises("git_hash", function()
      stack:is_live(nil)
    end)
    raises("git_hash", function()
      stack:is_live()
    end)
    assert.same({}, fake.requests(tag))
  end)
end)

describe("stack:previous_live and what it goes by", function()
  -- Members of one deployment each, in the order given.
  local function listing(...)
    local list = {}
    for i, members in ipairs { ... } do
      list[i] = "{" .. members .. "}"
    end
    return canned.stack('{"response":[' .. table.concat(list, ",") .. "]}")
  end

  local OK = '"outcome":"success","deploy_type":"build","git_hash":"%s","started_at":"2026-01-0%dT00:00:00Z"'
  local function build(id, hash, day, more)
    return ('"id":%d,'):format(id) .. OK:format(hash, day) .. (more and "," .. more or "")
  end

  it("goes by the start, whatever the order of the list", function()
    local oldest_first = listing(build(3, "aaaaaaa3", 1), build(4, "aaaaaaa4", 2, '"is_live":true'), build(5, "aaaaaaa5", 3))
    assert.equal(3, oldest_first:previous_live().id)
    local newest_first = listing(build(5, "aaaaaaa5", 3), build(4, "aaaaaaa4", 2, '"is_live":true'), build(3, "aaaaaaa3", 1))
    assert.equal(3, newest_first:previous_live().id)
  end)

  it("passes over builds that were reverted", function()
    local stack = listing(build(5, "aaaaaaa5", 5, '"is_live":true'), build(4, "aaaaaaa4", 4, '"reverted":true'), build(3, "aaaaaaa3", 3))
    assert.equal(3, stack:previous_live().id)
  end)

  it("takes a shortened hash for the same commit", function()
    local whole = ("ab"):rep(20)
    local stack = listing(build(5, whole:sub(1, 8), 5, '"is_live":true'), build(4, whole, 4), build(3, "aaaaaaa3", 3))
    assert.equal(3, stack:previous_live().id)
  end)

  it("cannot tell the way back where what it goes by is of an unknown type", function()
    for _, drifted in ipairs { '"reverted":"true"', '"git_hash":5', '"deploy_type":7', '"started_at":1' } do
      local stack = listing(build(5, "aaaaaaa5", 5, '"is_live":true'), build(4, "aaaaaaa4", 4, drifted))
      failure("decode", stack:previous_live())
    end
  end)

  it("cannot tell the way back from a live deployment without a commit", function()
    local stack = listing('"id":5,"is_live":true,"git_hash":null,"started_at":"2026-01-05T00:00:00Z"', build(4, "aaaaaaa4", 4))
    failure("none", stack:previous_live())
  end)

  it("does not let a drifted flag of one deployment hide behind another's", function()
    local stack = listing('"id":9,"is_live":"true","git_hash":"aaaaaaa9"', '"id":5,"is_live":true,"git_hash":"aaaaaaa5"')
    failure("decode", stack:live())
    failure("decode", stack:is_live "aaaaaaa9")
  end)

  it("does not take a list that breaks off for the whole history", function()
    local stack = canned.stack '{"response":[{"id":1,"is_live":false}],"pagination":{"current":1,"next":null,"pages":5}}'
    local err = failure("none", stack:is_live "aaaaaaa1")
    assert.is_false(err.complete)
    local whole = canned.stack '{"response":[{"id":1,"is_live":false}],"pagination":{"current":1,"next":null,"pages":1}}'
    assert.is_false((whole:is_live "aaaaaaa1"))
  end)

  it("refuses another stack's answer", function()
    failure("protocol", canned.stack('{"response":{"uid":"other"}}'):load())
  end)

  it("raises for a method called without its stack", function()
    local stack = stack_of "api"
    each_raises("stack:method", { "live", "head", "latest", "load", "previous_live", "page" }, function(name)
      local found = stack[name]()
      return found
    end)
  end)
end)
