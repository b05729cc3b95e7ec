-- A deployment as a value: its methods, what is printed and compared of it, and what it refuses.
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local decoding = require "spec.support.decoding"
local fields = require "spec.support.fields"
local names_of = require "spec.support.deployment_names"
local raised = require("spec.support.expect").raised

local null = cloud66.null
local deployment = decoding.deployment
local word_fields = names_of.words
local all_names, all_predicates, all_methods = names_of.all, names_of.predicates, names_of.methods
local text_fields = fields.names "text"

local function blames_this_file(message)
  return message:find("deployment_methods_spec.lua:%d+:") ~= nil
end

describe("a deployment's raw", function()
  local d = deployment(
    '"git_ref":null,"text":"a","number":5,"yes":true,"no":false,"list":[1,null,{"a":null}],"object":{"a":null,"b":[null]},"empty":[]')

  it("gives the value of any key", function()
    assert.are.equal(1, d:raw "id")
    assert.are.equal("a", d:raw "text")
    assert.are.equal(5, d:raw "number")
    assert.is_true(d:raw "yes")
    assert.is_false(d:raw "no")
    assert.are.same({ 1, null, {} }, d:raw "list")
    assert.are.same({ b = { null } }, d:raw "object")
    assert.are.same({}, d:raw "empty")
  end)

  it("tells null from absent where null is given", function()
    assert.are.equal(null, d:raw("git_ref", null))
    assert.is_nil(d:raw("git_hash", null))
    assert.is_nil(d:raw("no_such_key", null))
    local sentinel = {}
    assert.are.equal(sentinel, d:raw("git_ref", sentinel))
    assert.is_nil(d:raw("git_hash", sentinel))
  end)

  it("uses the given null inside of containers too", function()
    local sentinel = {}
    assert.are.equal(sentinel, d:raw("object", sentinel).a)
    assert.are.equal(sentinel, d:raw("object", sentinel).b[1])
    assert.are.equal(sentinel, d:raw("list", sentinel)[2])
  end)

  it("gives a fresh table each time", function()
    d:raw("list")[1] = "changed"
    assert.are.equal(1, d:raw("list")[1])
  end)

  it("raises without a name", function()
    assert.is_true(blames_this_file(raised(function()
      local _ = d:raw()
    end)))
    raised(d.raw, d, {})
    raised(d.raw, d, nil)
  end)
end)

describe("a deployment's to_table", function()
  local text = '{ "id" : 1 ,"git_ref":null,"outcome":{"code":1,"meaning":"success"},"is_live":false,"new":{"a":[null]},"n":null}'
  local d = assert(cloud66.decode(text))[1]

  it("is a plain table of every key sent", function()
    local t = d:to_table()
    assert.are.same({ id = 1, outcome = { code = 1, meaning = "success" }, is_live = false, new = { a = { null } } }, t)
    assert.is_nil(getmetatable(t))
    t.id = 2
    t.anything = true
    assert.are.equal(1, d.id)
    assert.are.equal(1, d:to_table().id)
  end)

  it("holds the given null", function()
    local sentinel = {}
    local t = d:to_table(sentinel)
    assert.are.equal(sentinel, t.git_ref)
    assert.are.equal(sentinel, t.n)
    assert.are.equal(sentinel, t.new.a[1])
    assert.are.equal(null, d:to_table(null).git_ref)
  end)
end)

describe("a deployment's to_json", function()
  it("is the bytes the API sent", function()
    local odd = '{ "id" :1 , "git_ref":"caf\\u00e9\\/x" ,\n"new":[ 1.50,-0 ,1e2 ] , "id":1}'
    local page = assert(cloud66.decode(' { "response" : [ {"id":0} , ' .. odd .. ' , {"id":2} ] , "count" : 3 } '))
    assert.are.equal(odd, page[2]:to_json())
    assert.are.equal('{"id":0}', page[1]:to_json())
    assert.are.equal(odd, assert(cloud66.decode(odd))[1]:to_json())
    assert.are.equal(odd, assert(cloud66.decode("\n" .. odd .. "\n"))[1]:to_json())
    assert.are.equal(odd, assert(cloud66.decode('{"response":' .. odd .. "}"))[1]:to_json())
  end)
end)

describe("a deployment's fields", function()
  local d = deployment '"git_ref":null,"outcome":{"code":1,"meaning":"success"},"started_at":"2024-02-15T14:30:00Z","is_live":false,"new":1'

  it("are every field once, each with its value", function()
    local seen = {}
    for name, value in d:fields() do
      assert.is_nil(seen[name])
      seen[name] = true
      assert.are.equal(d[name], value)
    end
    for _, name in ipairs(all_names) do
      assert.are.same({ name, true }, { name, seen[name] })
      seen[name] = nil
    end
    for _, name in ipairs(all_predicates) do
      seen[name] = nil -- whether they are given too is left open
    end
    assert.is_nil(next(seen))
  end)

  it("can be gone through again and again, and nested", function()
    local count = 0
    for _ in d:fields() do
      for _ in d:fields() do
        count = count + 1
      end
    end
    local single = 0
    for _ in d:fields() do
      single = single + 1
    end
    assert.is_true(single >= #all_names)
    assert.are.equal(single * single, count)
  end)

  it("are what pairs gives where Lua has __pairs", function()
    local probe = setmetatable({ true }, {
      __pairs = function()
        return function() end
      end,
    })
    local honours_pairs = true
    for _ in pairs(probe) do
      honours_pairs = false
    end
    if not honours_pairs then
      assert.is_false((pcall(pairs, d)))
      return
    end
    local want, got = {}, {}
    for name, value in d:fields() do
      want[#want + 1] = name .. "=" .. tostring(value)
    end
    for name, value in pairs(d) do
      got[#got + 1] = name .. "=" .. tostring(value)
    end
    assert.are.same(want, got)
  end)

  it("iterator refuses what it did not give", function()
    local step, state = d:fields()
    raised(step, state, "no_such_field")
    raised(step, state, {})
    raised(step, io.stdout, nil)
    raised(step, "text", nil)
  end)
end)

describe("a deployment's elapsed", function()
  it("is the seconds since the start while it runs", function()
    local d = deployment '"started_at":"2024-02-15T14:30:00Z","outcome":"pending","is_deploying":true'
    assert.are.equal(90, d:elapsed(1708007490))
    assert.are.equal(0, d:elapsed(1708007400))
    local before = os.time()
    local elapsed = d:elapsed()
    assert.is_true(elapsed >= before - 1708007400 and elapsed <= os.time() - 1708007400)
  end)

  it("is the duration once it has ended", function()
    local d = deployment '"started_at":"2024-02-15T14:30:00Z","finished_at":"2024-02-15T14:45:30Z","outcome":"success"'
    assert.are.equal(930, d:elapsed(1708999999))
    assert.are.equal(930, d:elapsed())
  end)

  it("is nil where the start is unknown", function()
    assert.is_nil(deployment('"outcome":"pending"'):elapsed())
    assert.is_nil(deployment('"outcome":"pending","started_at":"soon"'):elapsed(1708007490))
    assert.is_nil(deployment('"finished_at":"2024-02-15T14:45:30Z"'):elapsed(1708007490))
  end)

  it("is never negative", function()
    local d = deployment '"started_at":"2024-02-15T14:30:00Z","outcome":"pending"'
    local elapsed = d:elapsed(1708007399)
    assert.is_true(elapsed == nil or elapsed >= 0)
    d = deployment '"started_at":"2024-02-15T14:30:00Z","finished_at":"2024-02-15T14:00:00Z"'
    assert.is_nil(d:elapsed(1708007490))
  end)

  it("raises on a time that is none", function()
    local d = deployment '"started_at":"2024-02-15T14:30:00Z","outcome":"pending"'
    for _, now in ipairs { "soon", {}, true, 0 / 0, math.huge, -math.huge, 1e300 } do
      assert.are.same({ tostring(now), false }, { tostring(now), (pcall(d.elapsed, d, now)) })
    end
  end)
end)

describe("a deployment compared", function()
  local text = '{"id":1,"git_hash":"abc"}'
  local page = assert(cloud66.decode("[" .. text .. "," .. text .. ',{"id":1,"git_hash":"abd"},{"id":1, "git_hash":"abc"}]'))

  it("equals itself, and another of the same bytes", function()
    assert.is_true(page[1] == page[1])
    assert.is_true(page[1] == page[2])
    assert.is_true(page[1] == assert(cloud66.decode('{"response":' .. text .. "}"))[1])
    assert.is_true(assert(cloud66.decode("  " .. text))[1] == page[2])
  end)

  it("differs from one of other bytes", function()
    assert.is_false(page[1] == page[3])
    assert.is_false(page[1] == page[4])
    assert.is_false(page[1] == assert(cloud66.decode '{"id":1}')[1])
  end)

  it("differs from everything else", function()
    local d = page[1]
    for _, other in ipairs { io.stdout, page, 1, text, d:to_table(), print } do
      assert.is_false(d == other)
      assert.is_false(other == d)
    end
    assert.is_false(d == nil)
  end)
end)

describe("a deployment printed", function()
  it("shows id, type, outcome, ref, hash and duration", function()
    local d = deployment(
      '"deploy_type":"redeploy","outcome":"success","git_ref":"main","git_hash":"a1b2c3d4e5f6789012345678901234567890abcd",'
        .. '"started_at":"2024-02-15T14:30:00Z","finished_at":"2024-02-15T14:45:30Z"')
    assert.are.equal("deployment 1 redeploy success main@a1b2c3d 15m30s", tostring(d))
  end)

  it("is one line of plain ASCII that names the id, whatever is sent", function()
    local evil = [[x\n\u001b[31m\u0000\u0007\u009b\u202e\u00e9]] .. "\194\155\127" .. ("y"):rep(5000)
    local members = {}
    for _, name in ipairs(text_fields) do
      members[#members + 1] = ('"%s":"%s"'):format(name, evil)
    end
    for name in pairs(word_fields) do
      members[#members + 1] = ('"%s":{"code":"%s","meaning":"%s"}'):format(name, evil, evil)
    end
    local line = tostring(deployment(table.concat(members, ",")))
    assert.is_truthy(line:find("^deployment 1 "))
    assert.is_nil(line:find "[^ -~]")
    assert.is_true(#line < 1000)
  end)

  it("does not show who triggered or reverted it", function()
    local line = tostring(deployment '"triggered_by":"john@example.com","reverted_by":"jane@example.com","deploy_session":"secret"')
    assert.is_nil(line:find("john", 1, true))
    assert.is_nil(line:find("jane", 1, true))
  end)

  it("works with nothing but an id, and with none", function()
    assert.is_truthy(tostring(deployment()):find("^deployment 1"))
    assert.is_truthy(tostring(assert(cloud66.decode '{"id":"drifted"}')[1]):find("^deployment"))
  end)

  it("has minutes and seconds, and hours where needed", function()
    local function shown(finished)
      return tostring(deployment(('"started_at":"2024-02-15T00:00:00Z","finished_at":"%s"'):format(finished))):match "%S+$"
    end
    assert.are.equal("0s", shown "2024-02-15T00:00:00Z")
    assert.are.equal("42s", shown "2024-02-15T00:00:42Z")
    assert.are.equal("59m59s", shown "2024-02-15T00:59:59Z")
    assert.is_truthy(shown("2024-02-15T01:02:03Z"):find "^1h0?2m0?3s$")
    assert.is_truthy(shown("2024-02-18T00:00:00Z"):find "^72h0?0m0?0s$")
  end)
end)

describe("a deployment's unknown names", function()
  local d = deployment '"git_hash":"abc","environment":"production"'

  local function message_of(name)
    return raised(function()
      local _ = d[name]
    end)
  end

  it("raise, blaming the caller's line", function()
    local message = message_of "no_such_name"
    assert.is_truthy(message:find("no_such_name", 1, true))
    assert.is_true(blames_this_file(message))
  end)

  it("raise for undocumented keys too, which raw reads", function()
    message_of "environment"
    assert.are.equal("production", d:raw "environment")
  end)

  it("raise with the nearest name", function()
    local known = {}
    for _, list in ipairs { all_names, all_predicates, all_methods } do
      for _, name in ipairs(list) do
        known[name] = true
      end
    end
    for name in pairs(known) do
      -- a slip of the keyboard each: a letter too many, one too few, two swapped
      local slips = { name .. "x", name:sub(2, 2) .. name:sub(1, 1) .. name:sub(3) }
      if #name > 3 then
        slips[3] = name:sub(1, -2)
      end
      for _, slip in ipairs(slips) do
        if not known[slip] then
          local message = message_of(slip)
          assert.is_truthy(message:find("'" .. name .. "'", 1, true), ("%s: %s"):format(slip, message))
        end
      end
    end
  end)

  it("raise with the name meant by other spellings", function()
    local meant = { gitHash = "git_hash", startedAt = "started_at", isLive = "is_live", ["git-ref"] = "git_ref", Outcome = "outcome" }
    for slip, name in pairs(meant) do
      assert.is_truthy(message_of(slip):find("'" .. name .. "'", 1, true))
    end
  end)

  it("raise without a guess where nothing is near", function()
    local message = message_of "completely_different"
    for _, name in ipairs(all_names) do
      assert.is_nil(message:find("'" .. name .. "'", 1, true))
    end
  end)

  it("raise however odd they are", function()
    for _, name in ipairs { "", " id", "id\0", "ID", ("x"):rep(100000), "%s%s%n", "\255", 1, 0, -1, 1.5, true, false, {}, print, d } do
      message_of(name)
    end
    raised(function()
      local _ = d[nil]
    end)
  end)
end)

describe("a deployment", function()
  local d = deployment '"git_hash":"abc"'

  it("is userdata", function()
    assert.are.equal("userdata", type(d))
    assert.is_true(core.is_deployment(d))
  end)

  it("cannot be written to", function()
    for _, name in ipairs { "id", "git_hash", "is_success", "raw", "new_name", 1, true } do
      local message = raised(function()
        d[name] = "changed"
      end)
      assert.is_true(blames_this_file(message))
      assert.is_truthy(message:find "read%-only")
    end
    assert.are.equal("abc", d.git_hash)
  end)

  it("hides its metatable", function()
    assert.are_not.equal("table", type(getmetatable(d)))
    assert.is_not_nil(getmetatable(d))
    raised(setmetatable, d, {})
  end)

  it("knows a name however it was put together", function()
    for _, names in ipairs { all_names, all_predicates, all_methods } do
      for _, name in ipairs(names) do
        local letters = {}
        for letter in name:gmatch "." do
          letters[#letters + 1] = letter
        end
        collectgarbage "step"
        assert.are.equal(d[name], d[table.concat(letters)])
      end
    end
  end)

  it("works as a key by its id", function()
    assert.is_true(({ [d.id] = true })[1])
  end)

  it("has its methods shared, not made anew", function()
    assert.are.equal(d.raw, deployment().raw)
  end)
end)

describe("a deployment's methods", function()
  local page = assert(cloud66.decode '[{"id":1,"git_hash":"abc"}]')
  local d = page[1]
  local thread = coroutine.create(function() end)
  local foreign = {
    { "no value" }, -- called without any argument
    { "nil", nil },
    { "true", true },
    { "a number", 5 },
    { "a text", "text" },
    { "an empty text", "" },
    { "a table", {} },
    { "a table made of a deployment", d:to_table() },
    { "a Lua function", function() end },
    { "a C function", print },
    { "a coroutine", thread },
    { "null", null },
    { "a file", io.stdout },
    { "a page", page },
    { "the cloud66 module", cloud66 },
  }
  local newproxy = rawget(_G, "newproxy")
  if newproxy then
    foreign[#foreign + 1] = { "an empty userdata", newproxy(true) }
  end
  local has_ffi, ffi = pcall(require, "ffi")
  if has_ffi and type(ffi) == "table" then
    foreign[#foreign + 1] = { "a struct of the FFI", ffi.new "struct { const char *mark; void *a; void *b; }" }
  end

  for _, name in ipairs(all_methods) do
    it(name .. " raises on every other self", function()
      local method = d[name]
      for i = 1, #foreign do
        local ok, message
        if foreign[i][1] == "no value" then
          ok, message = pcall(method)
        else
          ok, message = pcall(method, foreign[i][2], "git_hash")
        end
        assert.are.same({ foreign[i][1], false, "string" }, { foreign[i][1], ok, type(message) })
      end
    end)
  end

  it("say how to call them", function()
    for _, name in ipairs(all_methods) do
      local message = raised(function()
        local _ = d[name] "git_hash"
      end)
      assert.is_truthy(message:find("deployment:", 1, true), message)
      assert.is_true(blames_this_file(message), message)
    end
  end)

  it("of a page do not take a deployment", function()
    for _, name in ipairs { "each", "rows", "where" } do
      raised(page[name], d, "id")
      raised(page[name], io.stdout, "id")
      raised(page[name], {}, "id")
      raised(page[name])
    end
  end)

  it("is_deployment knows one from everything else", function()
    assert.is_true(core.is_deployment(d))
    for i = 1, #foreign do
      assert.is_false(core.is_deployment(foreign[i][2]))
    end
    assert.is_false(core.is_deployment())
  end)
end)
