-- A page: how its deployments are reached, and how long it lives.
local child = require "spec.support.child"
local core = require "cloud66.core"
local decoding = require "spec.support.decoding"
local documented = require "spec.support.documented"
local raised = require("spec.support.expect").raised

local decode, refused, list, ids = decoding.decode, decoding.refused, decoding.list, decoding.ids

-- What a program prints in a process of its own: with little else to collect, or where a fault overwrites memory.
local function output_of(program)
  local output, errors = child.run(program)
  return (output .. errors):match "^(.-)%s*$"
end

describe("a page's pagination", function()
  local function page_with(pagination)
    return decode('{"response":[{"id":1}],"count":1,"pagination":' .. pagination .. "}")
  end

  it("is read in the shape of the endpoints", function()
    local page = page_with '{"previous":1,"next":3,"current":2,"per_page":30,"count":127,"pages":7}'
    assert.are.same({ 2, 3, 1, 7, 127 }, { page.current, page.next, page.previous, page.pages, page.total })
  end)

  it("is read in the shape of the model", function()
    local page = page_with '{"current":2,"next":3,"prev":1,"count":127,"pages":7}'
    assert.are.same({ 2, 3, 1, 7, 127 }, { page.current, page.next, page.previous, page.pages, page.total })
  end)

  it("is nil where null or absent", function()
    for _, page in ipairs {
      page_with '{"previous":null,"next":null,"current":null,"count":null,"pages":null}', page_with "{}", page_with "null",
      decode '{"response":[{"id":1}],"count":1}', decode '[{"id":1}]',
    } do
      for _, name in ipairs { "current", "next", "previous", "pages", "total" } do
        assert.is_nil(page[name])
      end
    end
  end)

  it("is read from before the response too", function()
    assert.are.equal(2, decode('{"pagination":{"next":2},"response":[]}').next)
  end)

  it("has whole numbers", function()
    assert.are.equal("3", tostring(page_with('{"next":3}').next))
  end)

  it("reads a next page given as text", function()
    assert.are.equal(2, page_with('{"next":"2"}').next)
    assert.are.equal(1234, page_with('{ "next" : "1234" }').next)
  end)

  it("refuses a next page that is none, rather than hide the pages behind it", function()
    local odd = {
      "true", "{}", "[]", "[2]", '{"page":2}', "1.5", "-1", '"x"', '""', '"2x"', '" 2"', '"-1"', '"1.5"', '"1."', '"03"', '"1e"',
    }
    for _, next_page in ipairs(odd) do
      local text = '{"response":[{"id":1}],"pagination":{"current":1,"next":' .. next_page .. "}}"
      assert.are.equal(#text - #next_page - 2, (refused(text)))
    end
  end)

  it("does not fail over its other figures, and reads them as unknown", function()
    for _, odd in ipairs { "true", "{}", "[]", "1.5", "-1", '"x"', '""', '"1."', '"03"', '"1e"', '"-"', '"1x"' } do
      for _, name in ipairs { "current", "previous", "prev", "pages", "count" } do
        local page = page_with(('{"%s":%s,"next":2}'):format(name, odd))
        assert.are.equal(2, page.next)
        assert.is_nil(page[({ prev = "previous", count = "total" })[name] or name])
      end
    end
  end)

  it("with odd figures leaves the place of a later error right", function()
    for _, odd in ipairs { '"03"', '"1."', '"1e"', '"x"', '""' } do
      local text = '{"pagination":{"pages":' .. odd .. '},"response":[{"id":}]}'
      assert.are.same({ odd, text:find("}]", 1, true) - 1 }, { odd, (refused(text)) })
    end
  end)

  it("given twice counts the last time", function()
    local page = decode '{"pagination":{"next":2,"pages":5},"pagination":{"next":3},"response":[]}'
    assert.are.equal(3, page.next)
    assert.is_nil(page.pages)
    assert.is_nil(decode('{"pagination":{"next":2},"pagination":null,"response":[]}').next)
    assert.are.equal(3, page_with('{"next":2,"next":3}').next)
    assert.is_nil(page_with('{"next":2,"next":null}').next)
  end)

  it("of a wrong type is no reason to call the list complete", function()
    for _, odd in ipairs { "true", "5", '"next"', "[2]" } do
      refused('{"response":[{"id":1}],"pagination":' .. odd .. "}")
    end
  end)

  it("inside of a deployment is a key like any other", function()
    local page = decode '[{"id":1,"pagination":{"next":5}}]'
    assert.is_nil(page.next)
    assert.are.equal(5, page[1]:raw("pagination").next)
    page = decode '{"response":{"id":1,"pagination":"odd"}}'
    assert.are.equal("odd", page[1]:raw "pagination")
  end)
end)

describe("a page", function()
  local page = decode(list(5))

  it("has a length", function()
    assert.are.equal(5, #page)
    assert.are.equal(0, #decode "[]")
  end)

  it("gives a deployment by its index", function()
    for i = 1, 5 do
      assert.are.equal(i, page[i].id)
    end
    assert.are.equal(3, page[3.0].id)
    assert.is_true(page[3] == page[3])
  end)

  it("gives nil out of range", function()
    for _, i in ipairs { 0, 6, -1, -5, 1.5, 5.5, 2 ^ 31, 2 ^ 32, 2 ^ 32 + 1, 2 ^ 53, 2 ^ 64, 1e300, -1e300, math.huge, -math.huge } do
      assert.is_nil(page[i])
    end
    assert.is_nil(page[0 / 0])
    assert.is_nil(decode("[]")[1])
  end)

  it("raises on unknown names, naming the nearest", function()
    local near = {
      nxt = "next", previos = "previous", totel = "total", page = "pages", curent = "current", eech = "each", row = "rows", drfit = "drift",
    }
    for slip, name in pairs(near) do
      local message = raised(function()
        local _ = page[slip]
      end)
      assert.is_truthy(message:find("page_spec.lua:%d+:"))
      assert.is_truthy(message:find("'" .. name .. "'", 1, true), message)
    end
    for _, name in ipairs { "no_such_name", "", "1", "id", true, {}, print } do
      raised(function()
        local _ = page[name]
      end)
    end
  end)

  it("cannot be written to", function()
    for _, name in ipairs { 1, 6, "next", "drift", "each", "new" } do
      local message = raised(function()
        page[name] = "changed"
      end)
      assert.is_truthy(message:find "page_spec.lua:%d+:")
    end
    assert.are.equal(1, page[1].id)
  end)

  it("hides its metatable", function()
    assert.are_not.equal("table", type(getmetatable(page)))
    assert.is_not_nil(getmetatable(page))
  end)

  it("prints as one line", function()
    assert.are.equal("string", type(tostring(page)))
    assert.is_truthy(tostring(page):find "5")
    assert.is_nil(tostring(page):find "\n")
  end)

  it("is no deployment", function()
    assert.is_false(core.is_deployment(page))
  end)

  it("does not mix with another page", function()
    local pages = {}
    for i = 1, 50 do
      pages[i] = decode(('[{"id":%d,"git_hash":"hash %d","outcome":"word_%d"}]'):format(i, i, i))
    end
    for i = 1, 50 do
      assert.are.same({ i, "hash " .. i, "word_" .. i }, { pages[i][1].id, pages[i][1].git_hash, pages[i][1].outcome })
    end
  end)
end)

describe("a page's each", function()
  local page = decode(list(5))

  it("gives the deployments in order", function()
    local found = {}
    for d in page:each() do
      assert.is_true(core.is_deployment(d))
      found[#found + 1] = d.id
    end
    assert.are.same({ 1, 2, 3, 4, 5 }, found)
  end)

  it("gives nothing for an empty page", function()
    local step, state, first = decode("[]"):each()
    assert.is_nil(step(state, first))
  end)

  it("nests, and starts anew each time", function()
    local count = 0
    for a in page:each() do
      for b in page:each() do
        count = count + a.id * b.id
      end
    end
    assert.are.equal(225, count)
    for _ = 1, 2 do
      local step, state = page:each() -- left after the first, as by break
      assert.are.equal(1, step(state).id)
    end
  end)

  it("goes on in another coroutine", function()
    local walk = coroutine.wrap(function()
      for d in page:each() do
        coroutine.yield(d)
      end
    end)
    assert.are.same({ 1, 2 }, { walk().id, walk().id })
    assert.are.equal(3, coroutine.wrap(function()
      return walk().id
    end)())
  end)

  it("refuses another page's place", function()
    local step = page:each()
    raised(step, io.stdout)
    raised(step, {})
    raised(step)
    raised(step, page[1])
  end)
end)

describe("a page's rows", function()
  local page = decode(list(5))

  it("give the index and the columns", function()
    local found = {}
    for i, id, outcome, live in page:rows("id", "outcome", "is_live") do
      found[#found + 1] = ("%d %d %s %s"):format(i, id, outcome, tostring(live))
    end
    assert.are.same({ "1 1 success false", "2 2 failed true", "3 3 pending false", "4 4 success false", "5 5 failed false" }, found)
  end)

  it("agree with the fields, for every name there is", function()
    local mixed = decode('{"response":[' .. documented.model .. "," .. documented.list:match '%[({.*})%],"count"' .. ',{"id":"drifted"}]}')
    for name in pairs(core.names) do
      local count = 0
      for i, value in mixed:rows(name) do
        count = count + 1
        assert.are.equal(mixed[i][name], value)
      end
      assert.are.equal(3, count)
    end
  end)

  it("go on over nil", function()
    local count = 0
    for _, ref, id in page:rows("git_ref", "id") do
      assert.is_nil(ref)
      count = count + id
    end
    assert.are.equal(15, count)
  end)

  it("take a column twice, and many", function()
    local step, state, first = page:rows("id", "id")
    assert.are.same({ 1, 1, 1 }, { step(state, first) })
    local names = {}
    for name in pairs(core.names) do
      names[#names + 1] = name
    end
    step, state, first = page:rows((table.unpack or unpack)(names)) -- luacheck: compat
    assert.are.equal(#names + 1, select("#", step(state, first)))
  end)

  it("take many columns in a coroutine too, whose stack is small", function()
    local program = [[
      local core = require "cloud66.core"
      local names = {}
      for name in pairs(core.names) do
        names[#names + 1] = name
      end
      local step, state = core.decode('[{"id":1},{"id":2}]'):rows((table.unpack or unpack)(names))
      local threads = {}
      for i = 1, 500 do
        threads[i] = coroutine.create(function()
          return select("#", step(state, 1))
        end)
        local _, count = coroutine.resume(threads[i])
        assert(count == #names + 1, count)
      end
      threads = nil
      collectgarbage()
      print "all of them"
    ]]
    assert.are.equal("all of them", output_of(program))
  end)

  it("nest, and start anew each time", function()
    local count = 0
    for _, a in page:rows "id" do
      for _, b in page:rows "id" do
        count = count + a * b
      end
    end
    assert.are.equal(225, count)
  end)

  it("give nothing for an empty page", function()
    local step, state, first = decode("[]"):rows "id"
    assert.is_nil(step(state, first))
  end)

  it("raise on an unknown column, naming the nearest", function()
    local message = raised(function()
      local _ = page:rows("id", "outcom")
    end)
    assert.is_truthy(message:find("'outcome'", 1, true))
    assert.is_truthy(message:find "page_spec.lua:%d+:")
    for _, column in ipairs { "", "to_table", "nonsense", 1, true, {} } do
      raised(page.rows, page, column)
      raised(page.rows, page, "id", column)
    end
    raised(page.rows, page, nil)
    raised(page.rows, page, "id", nil, "outcome")
  end)

  it("raise without a column", function()
    raised(page.rows, page)
  end)

  it("end rather than leave the page", function()
    local step, state = page:rows "id"
    for _, place in ipairs { 5, 6, 2 ^ 32, 2 ^ 53, 1e300, math.huge } do
      assert.is_nil(step(state, place))
    end
    for _, place in ipairs { -1, -1e300, -math.huge, 0 / 0 } do
      pcall(step, state, place) -- nothing to expect but that it does no harm
    end
    raised(step, io.stdout, 0)
    raised(step, page[1], 0)
    raised(step)
  end)
end)

describe("a page under garbage collection", function()
  local function collect()
    collectgarbage()
    collectgarbage()
  end

  local function churn()
    for _ = 1, 50 do
      decode('[{"id":1,"git_hash":"' .. ("overwritten"):rep(10) .. '"}]')
    end
  end

  it("lives as long as one of its deployments", function()
    local d = decode(list(5))[3]
    collect()
    churn()
    collect()
    assert.are.equal(3, d.id)
    assert.are.equal(("%040d"):format(3), d.git_hash)
    assert.are.equal("pending", d.outcome)
    assert.are.equal(3, d:to_table().id)
  end)

  it("lives as long as an iterator over it or its deployments", function()
    local step, state, first = decode(list(5)):rows "id"
    local each, each_state = decode(list(5)):each()
    local next_field, field_state = decode(list(5))[2]:fields()
    collect()
    churn()
    collect()
    assert.are.same({ 1, 1 }, { step(state, first) })
    assert.are.equal(1, each(each_state).id)
    assert.are.same({ "id", 2 }, { next_field(field_state, nil) })
  end)

  it("gives what it read from apart from the text", function()
    local text = list(3)
    local page = decode(text)
    text = nil -- luacheck: ignore
    collect()
    churn()
    assert.are.same({ 1, 2, 3 }, ids(page))
    assert.are.equal('{"id":1', page[1]:to_json():sub(1, 7))
  end)

  it("is collected once nobody holds it or a deployment of it", function()
    local held = setmetatable({}, { __mode = "k" })
    do
      local page = decode(list(5))
      held[page] = true
      held[page[1]] = true
    end
    churn()
    collect()
    assert.is_nil(next(held))
  end)

  it("reads the same while everything is collected at every step", function()
    local program = [=[
      local core = require "cloud66.core"
      local long = ("x"):rep(300)
      local text = ('[{"id":1,"git_ref":"\\u0041%s","outcome":{"code":7,"meaning":"%s"},"new":{"a":[[],{}]}},{"id":2}]'):format(
        long, long:upper())
      collectgarbage("setpause", 0)
      collectgarbage("setstepmul", 100000)
      local seen = 0
      for _ = 1, 20 do
        local page = core.decode(text)
        collectgarbage()
        for i, ref, word in page:rows("git_ref", "outcome") do
          collectgarbage()
          assert(ref == (i == 1 and "A" .. long or nil))
          assert(word == (i == 1 and long or nil))
        end
        local step, state = page:each()
        page = nil
        collectgarbage()
        for d in step, state do
          collectgarbage()
          for name, value in d:fields() do
            collectgarbage()
            assert(d[name] == value)
            seen = seen + 1
          end
          if d.id == 1 then
            assert(#d:raw("new").a == 2)
            collectgarbage()
            assert(d:to_table().git_ref == "A" .. long)
            collectgarbage()
            assert(#tostring(d) > 10)
          end
        end
        state = nil
      end
      print("the same", seen)
    ]=]
    assert.is_truthy(output_of(program):find "^the same%s+%d%d%d")
  end)

  it("takes bounded memory over 2,000 pages", function()
    local text = '{"response":' .. list(30) .. "}"
    local bad = text:sub(1, -3)
    local function rounds(count)
      for _ = 1, count do
        local page = decode(text)
        if page[30].id ~= 30 or core.decode(bad) then
          error "not what was sent"
        end
      end
      collect()
      return collectgarbage "count"
    end
    local before = rounds(20)
    local after = rounds(2000)
    assert.is_true(after < before + 200, ("%.0f kB grew to %.0f kB"):format(before, after))
  end)

  it("is decoded whole also when a finalizer decodes another one meanwhile", function()
    local program = [[
      local core = require "cloud66.core"
      local newproxy = rawget(_G, "newproxy")
      local function leave(finalizer)
        if newproxy then
          getmetatable(newproxy(true)).__gc = finalizer
        else
          setmetatable({}, { __gc = finalizer })
        end
      end
      local objects = {}
      for i = 1, 200 do
        objects[i] = ('{"id":%d,"git_hash":"%040d"}'):format(9000 + i, i)
      end
      local large = "[" .. table.concat(objects, ",") .. "]"
      local small = '[{"id":1},{"id":2}]'
      local finalized = 0
      for _ = 1, 3000 do
        leave(function()
          finalized = finalized + 1
          assert(#core.decode(large) == 200)
        end)
        local page = core.decode(small)
        if #page ~= 2 or page[1].id ~= 1 or page[2].id ~= 2 or page[2]:to_json() ~= '{"id":2}' then
          print "another page's deployments"
          os.exit(1)
        end
      end
      print(finalized > 0 and "whole" or "no finalizer ran")
    ]]
    assert.are.equal("whole", output_of(program))
  end)
end)
