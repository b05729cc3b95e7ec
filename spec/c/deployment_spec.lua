-- A deployment: what each name reads, in whatever form the API sends it, and what it refuses.
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local fields = require "spec.support.fields"

local null = cloud66.null
local has_integers = 9007199254740993 ~= 9007199254740992

-- The deployment of one JSON object, given as the text between its braces, behind an id.
local function deployment(members)
  return assert(cloud66.decode('{"id":1' .. (members and "," .. members or "") .. "}"))[1]
end

local function drift_of(members)
  return assert(cloud66.decode('{"response":[{"id":1},{"id":2' .. "," .. members .. "}]}")).drift
end

-- The message of an error that must be raised, and must blame a line of this file.
local function raised(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.are.equal("string", type(message))
  return message
end

local function blames_this_file(message)
  return message:find("deployment_spec.lua:%d+:") ~= nil
end

-- The text with every character as a \u escape.
local function escaped(text)
  return (text:gsub(".", function(character)
    return ("\\u%04x"):format(character:byte())
  end))
end

local word_fields = {
  triggered_via = { "web", "api", "hook" },
  outcome = { "pending", "success", "failed" },
  deploy_type = { "build", "redeploy", "scale", "first_build", "revert" },
}
local predicate_of = {
  triggered_via = { web = "via_web", api = "via_api", hook = "via_hook" },
  outcome = { pending = "is_pending", success = "is_success", failed = "is_failed" },
  deploy_type = {
    build = "type_build", redeploy = "type_redeploy", scale = "type_scale", first_build = "type_first_build", revert = "type_revert",
  },
}
local text_fields, boolean_fields = fields.names "text", fields.names "boolean"
local date_fields = {}
for _, name in ipairs(fields.names "date") do
  date_fields[name] = fields.seconds_name(name)
end

local all_names = fields.names()
for name in pairs(fields.more_names()) do
  all_names[#all_names + 1] = name
end
local all_predicates = {
  "is_pending", "is_success", "is_failed", "is_finished", "is_running", "via_web", "via_api", "via_hook",
  "type_build", "type_redeploy", "type_scale", "type_first_build", "type_revert",
}
local all_methods = { "to_table", "to_json", "raw", "matches", "elapsed", "fields" }

describe("a deployment's names", function()
  it("are the keys in the API's order, and what is read of them", function()
    assert.same(fields.names(), core.fields)
    local known = fields.more_names()
    for _, row in ipairs(fields.rows) do
      known[row[1]] = row[2]
    end
    for _, name in ipairs(all_predicates) do
      known[name] = "predicate"
    end
    for name, kind in pairs(core.names) do
      assert.equal(known[name], kind, ("'%s' is new: %s"):format(name, kind == "predicate"
        and "put it into the list above, and say when it is true" or "give it a row in spec/support/fields.lua"))
    end
    for name in pairs(known) do
      assert.is_string(core.names[name], ("'%s' is in spec/support/fields.lua, and not in src/deployment/field.h"):format(name))
    end
  end)
end)

describe("a deployment's id", function()
  it("is a number while every Lua can hold it", function()
    for _, digits in ipairs { "0", "1", "107", "456789", "4294967296", "99999999999999" } do
      local id = assert(cloud66.decode('{"id":' .. digits .. "}"))[1].id
      assert.are.equal("number", type(id))
      assert.are.equal(digits, tostring(id))
    end
  end)

  it("keeps every digit, as text where Lua has no integers", function()
    for _, digits in ipairs { "100000000000000", "9007199254740993", "1234567890123456789", "9223372036854775807" } do
      local d = assert(cloud66.decode('{"id":' .. digits .. "}"))[1]
      assert.are.equal(digits, tostring(d.id))
      assert.are.equal(has_integers and "number" or "string", type(d.id))
      assert.are.equal(d.id, d:raw "id")
      assert.are.equal(d.id, d:to_table().id)
      assert.is_truthy(tostring(d):find("deployment " .. digits .. " ", 1, true))
    end
  end)

  it("beyond 64 bits is text everywhere", function()
    for _, digits in ipairs { "9223372036854775808", "18446744073709551616", "123456789012345678901234567890" } do
      local d = assert(cloud66.decode('{"id":' .. digits .. "}"))[1]
      assert.are.equal(digits, d.id)
      assert.is_truthy(tostring(d):find("deployment " .. digits .. " ", 1, true))
    end
  end)

  it("is an integer where Lua has them", function()
    assert.are.equal(tostring(107), tostring(assert(cloud66.decode '{"id":107}')[1].id))
  end)
end)

describe("a deployment's text", function()
  it("is as sent", function()
    for _, name in ipairs(text_fields) do
      assert.are.equal("plain text", deployment(('"%s":"plain text"'):format(name))[name])
      assert.are.equal("", deployment(('"%s":""'):format(name))[name])
    end
  end)

  it("has its escapes undone", function()
    for _, name in ipairs(text_fields) do
      assert.are.equal('a"b\\c/d\b\f\n\r\t', deployment(([["%s":"a\"b\\c\/d\b\f\n\r\t"]]):format(name))[name])
      assert.are.equal("caf\195\169 \240\159\154\128", deployment(([["%s":"caf\u00e9 \ud83d\ude80"]]):format(name))[name])
    end
  end)

  it("holds UTF-8 as sent", function()
    assert.are.equal("f\195\188r-\240\159\154\128", deployment '"git_ref":"f\195\188r-\240\159\154\128"'.git_ref)
  end)

  it("may hold a NUL", function()
    local d = deployment [["git_ref":"a\u0000b"]]
    assert.are.equal("a\0b", d.git_ref)
    assert.are.equal("a\0b", d:raw "git_ref")
    assert.are.equal("a\0b", d:to_table().git_ref)
  end)

  it("may be long, escaped or not", function()
    for _, length in ipairs { 15, 16, 17, 255, 256, 257, 1000, 70000 } do
      assert.are.equal(("x"):rep(length), deployment('"git_ref":"' .. ("x"):rep(length) .. '"').git_ref)
      assert.are.equal("\n" .. ("x"):rep(length), deployment('"git_ref":"\\n' .. ("x"):rep(length) .. '"').git_ref)
    end
  end)
end)

describe("a deployment's keys", function()
  it("may be escaped", function()
    local members = [["\u0069d":5,"git\u005fhash":"abc","\u006futcome":{"c\u006fde":1,"\u006deaning":"failed"},"is_liv\u0065":true]]
    local d = assert(cloud66.decode("{" .. members .. "}"))[1]
    assert.are.equal(5, d.id)
    assert.are.equal("abc", d.git_hash)
    assert.are.equal("failed", d.outcome)
    assert.are.equal(1, d.outcome_code)
    assert.is_true(d.is_failed)
    assert.is_true(d.is_live)
    assert.are.equal("abc", d:raw "git_hash")
  end)

  it("that only begin like a field's, or go on, are not it", function()
    local d = deployment '"git_has":"short","git_hashes":"long","Git_hash":"upper","is_liv":true,"":"empty"'
    assert.is_nil(d.git_hash)
    assert.is_nil(d.is_live)
    assert.are.equal("short", d:raw "git_has")
    assert.are.equal("long", d:raw "git_hashes")
    assert.are.equal("upper", d:raw "Git_hash")
    assert.are.equal("empty", d:raw "")
  end)

  it("may hold a NUL", function()
    local d = deployment [["git_hash\u0000":"with NUL","a\u0000b":2]]
    assert.is_nil(d.git_hash)
    assert.are.equal("with NUL", d:raw "git_hash\0")
    assert.are.equal(2, d:raw "a\0b")
    assert.is_nil(d:raw "a")
  end)

  it("count the last time they are given", function()
    local first = '"git_hash":"a","outcome":"failed","is_live":true,"started_at":"2024-01-01"'
    local d = assert(cloud66.decode(
      '{"id":1,' .. first .. ',"id":2,"git_hash":"b","outcome":{"code":1,"meaning":"success"},"is_live":false,"started_at":"2024-01-02"}'
    ))[1]
    assert.are.equal(2, d.id)
    assert.are.equal("b", d.git_hash)
    assert.are.equal("success", d.outcome)
    assert.is_false(d.is_failed)
    assert.is_false(d.is_live)
    assert.are.equal("2024-01-02", d.started_at)
    assert.are.equal("b", d:raw "git_hash")
    assert.are.equal("b", d:to_table().git_hash)
  end)

  it("count the last time also when that is null", function()
    local d = deployment '"git_hash":"a","git_hash":null,"outcome":"failed","outcome":null,"is_live":true,"is_live":null'
    assert.is_nil(d.git_hash)
    assert.is_nil(d.outcome)
    assert.is_false(d.is_failed)
    assert.is_nil(d.is_live)
    assert.is_nil(d:raw "git_hash")
    assert.are.equal(null, d:raw("git_hash", null))
    assert.is_nil(d:to_table().git_hash)
  end)

  it("count the last time also when one of them is escaped", function()
    assert.are.equal("b", deployment [["git_hash":"a","git\u005fhash":"b"]].git_hash)
    assert.are.equal("b", deployment [["git\u005fhash":"a","git_hash":"b"]].git_hash)
    assert.are.equal("b", deployment [["git\u005fhash":"a","git_hash":"b"]]:raw "git_hash")
  end)

  it("drift only by the last time they are given", function()
    assert.are.same({}, drift_of '"git_hash":5,"git_hash":"a"')
    assert.are.same({ { index = 2, field = "git_hash", got = "number" } }, drift_of '"git_hash":"a","git_hash":5')
  end)

  it("may stand behind a hundred unknown ones", function()
    local members = {}
    for i = 1, 100 do
      members[i] = ('"unknown_%d":%d'):format(i, i)
    end
    local object = "{" .. table.concat(members, ",") .. ',"id":7,"git_hash":"abc"}'
    local page = assert(cloud66.decode("[" .. object .. "," .. object .. "]"))
    for i = 1, 2 do
      assert.are.equal(7, page[i].id)
      assert.are.equal("abc", page[i].git_hash)
      assert.are.equal(100, page[i]:raw "unknown_100")
    end
  end)

  it("named like what is reckoned here do not replace it", function()
    local d = deployment '"duration":99,"is_success":true,"outcome_code":"x","started_time":5,"raw":6,"to_json":7'
    assert.is_nil(d.duration)
    assert.is_false(d.is_success)
    assert.is_nil(d.outcome_code)
    assert.is_nil(d.started_time)
    assert.are.equal("function", type(d.raw))
    assert.are.equal(99, d:raw "duration")
    assert.is_true(d:raw "is_success")
    assert.are.equal(6, d:raw "raw")
  end)

  it("come in another order in each object of a page", function()
    local orders = {
      '{"id":1,"git_hash":"a","is_live":true,"outcome":"failed"}',
      '{"outcome":"failed","is_live":true,"git_hash":"a","id":1}',
      '{"git_hash":"a","x":0,"id":1,"y":0,"outcome":"failed","is_live":true}',
      '{"is_live":true,"id":1,"outcome":"failed","git_hash":"a"}',
    }
    local objects = {}
    for i = 1, 40 do
      objects[i] = orders[(i * 7) % 4 + 1]
    end
    for d in assert(cloud66.decode("[" .. table.concat(objects, ",") .. "]")):each() do
      assert.are.same({ 1, "a", true, "failed" }, { d.id, d.git_hash, d.is_live, d.outcome })
    end
  end)
end)

describe("a deployment of any size", function()
  local known = '"git_hash":"abc","git_ref":"caf\\u00e9","outcome":{"code":1,"meaning":"SUCCESS"},"deploy_type":"weird",'
    .. '"started_at":"2024-02-15T14:30:00Z","finished_at":"2024-02-15T14:45:3\\u0030Z","is_live":true,"reverted_by":null,'
    .. '"commit_url":5,"triggered_via":[],"reverted":"no","reverted_at":"soon","snapshot_uuid":"first","snapshot_uuid":"last"'

  local function check(object)
    local page = assert(cloud66.decode('[{"id":1},' .. object .. ',{"id":3}]'))
    local d = page[2]
    assert.are.same(
      { 2, "abc", "caf\195\169", "success", 1, "SUCCESS", "weird", 1708007400, 930, true, "last" },
      {
        d.id, d.git_hash, d.git_ref, d.outcome, d.outcome_code, d.outcome_meaning, d.deploy_type, d.started_time, d.duration, d.is_live,
        d.snapshot_uuid,
      })
    assert.is_true(d.is_success and d.is_finished)
    assert.is_nil(d.reverted_by)
    assert.is_nil(d.triggered_by)
    assert.is_nil(d.commit_url)
    assert.is_nil(d.triggered_via)
    local drift = {}
    for i, entry in ipairs(page.drift) do
      drift[i] = entry.index .. " " .. entry.field .. " " .. entry.got
    end
    table.sort(drift)
    assert.are.same({ "2 commit_url number", "2 reverted string", "2 reverted_at string", "2 triggered_via array" }, drift)
    assert.are.equal(object, d:to_json())
    assert.is_true(d == assert(cloud66.decode(object))[1])
    assert.is_truthy(tostring(d):find("deployment 2 weird success", 1, true))
    for _, hash, word in page:rows("git_hash", "outcome") do
      assert.is_true(hash == nil and word == nil or hash == "abc" and word == "success")
    end
    assert.are.equal(3, page[3].id)
  end

  it("is read alike, whether its text is before or behind its fields", function()
    for _, length in ipairs { 0, 100, 255, 256, 32000, 40000, 65535, 65536, 70000, 140000 } do
      local filler = '"note":"' .. ("x"):rep(length) .. '"'
      check('{"id":2,' .. filler .. "," .. known .. "}")
      check('{"id":2,' .. known .. "," .. filler .. "}")
      check("{" .. filler .. ',"id":2,' .. known .. "}")
    end
  end)

  it("is read alike around every power of two", function()
    for _, size in ipairs { 4096, 8192, 16384, 32768, 65536 } do
      for more = -2, 2 do
        local rest = '{"id":2,"note":"",' .. known .. "}"
        check('{"id":2,"note":"' .. ("x"):rep(size + more - #rest) .. '",' .. known .. "}")
      end
    end
  end)

  it("may have its size in one of its fields", function()
    for _, length in ipairs { 32700, 32767, 32768, 65536, 100000 } do
      local long = ("x"):rep(length)
      local d = deployment(('"git_ref":"%s","outcome":"%s","git_hash":"abc"'):format(long, long))
      assert.are.same({ length, length, "abc" }, { #d.git_ref, #d.outcome, d.git_hash })
      d = deployment(('"git_ref":"\\n%s","git_hash":"\\n"'):format(long))
      assert.are.same({ length + 1, "\n" }, { #d.git_ref, d.git_hash })
    end
  end)
end)

describe("a deployment's word", function()
  -- Field, value as sent, then word, code and meaning as read.
  local function check(field, sent, word, code, meaning)
    local d = deployment(('"%s":%s'):format(field, sent))
    assert.are.same({ sent, word }, { sent, d[field] })
    assert.are.same({ sent, code }, { sent, d[field .. "_code"] })
    assert.are.same({ sent, meaning }, { sent, d[field .. "_meaning"] })
    for known, predicate in pairs(predicate_of[field]) do
      assert.are.same({ sent, predicate, known == word }, { sent, predicate, d[predicate] })
    end
    return d
  end

  for field, words in pairs(word_fields) do
    it(field .. " is the meaning beside an integer code", function()
      for code, word in ipairs(words) do
        check(field, ('{"code":%d,"meaning":"%s"}'):format(code, word), word, code, word)
      end
    end)

    it(field .. " is the text code beside a display text", function()
      for _, word in ipairs(words) do
        check(field, ('{"code":"%s","meaning":"Display Text"}'):format(word), word, word, "Display Text")
        check(field, ('{"meaning":"Display Text","code":"%s"}'):format(word), word, word, "Display Text")
      end
    end)

    it(field .. " may be a bare string", function()
      for _, word in ipairs(words) do
        local d = deployment(('"%s":"%s"'):format(field, word))
        assert.are.equal(word, d[field])
        assert.is_true(d[predicate_of[field][word]])
        assert.is_nil(d[field .. "_meaning"])
      end
    end)

    it(field .. " is lower case however it is sent", function()
      for _, word in ipairs(words) do
        local upper = word:upper()
        local title = word:sub(1, 1):upper() .. word:sub(2)
        check(field, ('{"code":7,"meaning":"%s"}'):format(upper), word, 7, upper)
        check(field, ('{"code":"%s","meaning":"M"}'):format(title), word, title, "M")
        assert.are.equal(word, deployment(('"%s":"%s"'):format(field, upper))[field])
        assert.is_true(deployment(('"%s":"%s"'):format(field, upper))[predicate_of[field][word]])
      end
    end)

    it(field .. " may be escaped, in part or whole", function()
      for _, word in ipairs(words) do
        for _, text in ipairs { escaped(word:sub(1, 1)) .. word:sub(2), escaped(word), escaped(word:upper()) } do
          local read = text == escaped(word:upper()) and word:upper() or word
          check(field, ('{"code":7,"meaning":"%s"}'):format(text), word, 7, read)
          check(field, ('{"code":"%s","meaning":"M"}'):format(text), word, read, "M")
          local d = deployment(('"%s":"%s"'):format(field, text))
          assert.are.same({ text, word, true }, { text, d[field], d[predicate_of[field][word]] })
        end
      end
    end)

    it(field .. " passes through when it is unknown", function()
      check(field, '{"code":9,"meaning":"cancelled"}', "cancelled", 9, "cancelled")
      check(field, '{"code":"git_push","meaning":"Git Push"}', "git_push", "git_push", "Git Push")
      check(field, '{"code":9,"meaning":"Rolled Back"}', "rolled back", 9, "Rolled Back")
      assert.are.equal("half-done", deployment(('"%s":"Half-Done"'):format(field))[field])
      assert.are.same({}, drift_of(('"%s":{"code":9,"meaning":"cancelled"}'):format(field)))
    end)

    it(field .. " of another field's list is unknown", function()
      check(field, '{"code":1,"meaning":"no_such_word"}', "no_such_word", 1, "no_such_word")
      for other, theirs in pairs(word_fields) do
        if other ~= field then
          check(field, ('{"code":1,"meaning":"%s"}'):format(theirs[1]), theirs[1], 1, theirs[1])
        end
      end
    end)

    it(field .. " that only begins like a known one is unknown", function()
      for _, word in ipairs(words) do
        check(field, ('{"code":1,"meaning":"%s"}'):format(word:sub(1, -2)), word:sub(1, -2), 1, word:sub(1, -2))
        check(field, ('{"code":1,"meaning":"%sx"}'):format(word), word .. "x", 1, word .. "x")
        check(field, ([[{"code":1,"meaning":"%s\u0000"}]]):format(word), word .. "\0", 1, word .. "\0")
      end
    end)

    it(field .. " is the meaning beside a code of digits", function()
      for _, word in ipairs(words) do
        check(field, ('{"code":"2","meaning":"%s"}'):format(word), word, "2", word)
        check(field, ('{"code":"10","meaning":"%s"}'):format(word:upper()), word, "10", word:upper())
        check(field, ([[{"code":"\u0031","meaning":"%s"}]]):format(word), word, "1", word)
        check(field, ('{"code":"-1","meaning":"%s"}'):format(word), word, "-1", word)
      end
    end)

    it(field .. " is the meaning beside a code that is null, absent or empty", function()
      local word = words[2]
      check(field, ('{"code":null,"meaning":"%s"}'):format(word), word, nil, word)
      check(field, ('{"meaning":"%s"}'):format(word), word, nil, word)
      check(field, ('{"code":"","meaning":"%s"}'):format(word), word, "", word)
    end)

    it(field .. " is a text code beside a meaning that is null, absent or empty", function()
      local word = words[2]
      check(field, ('{"code":"%s","meaning":null}'):format(word), word, word, nil)
      check(field, ('{"code":"%s"}'):format(word), word, word, nil)
      check(field, ('{"code":"%s","meaning":""}'):format(word), word, word, "")
    end)

    it(field .. " is not guessed from an integer code, which can still be read", function()
      for _, sent in ipairs { '{"code":1}', '{"code":1,"meaning":null}' } do
        check(field, sent, nil, 1, nil)
      end
      check(field, '{"code":1,"meaning":""}', nil, 1, "")
      check(field, '{"code":"1","meaning":""}', nil, "1", "")
    end)

    it(field .. " that says nothing is listed as drift", function()
      for _, sent in ipairs { "{}", '{"code":1}', '{"code":1,"meaning":""}', '{"code":null,"meaning":null}', '{"code":[],"meaning":{}}' } do
        assert.are.same({ { index = 2, field = field, got = "object" } }, drift_of(('"%s":%s'):format(field, sent)))
      end
    end)

    it(field .. " may have more keys beside it", function()
      local word = words[2]
      local sent = ('{"label":{"code":5,"meaning":"inner"},"code":1,"x":[{"meaning":"deep"}],"meaning":"%s","code_":2}'):format(word)
      local d = check(field, sent, word, 1, word)
      assert.are.same({ code = 5, meaning = "inner" }, d:raw(field).label)
      assert.are.equal(2, d:raw(field).code_)
    end)

    it(field .. " takes the last of its keys given twice", function()
      local word, other = words[2], words[1]
      check(field, ('{"code":1,"meaning":"%s","meaning":"%s"}'):format(other, word), word, 1, word)
      check(field, ('{"code":"%s","code":1,"meaning":"%s"}'):format(other, word), word, 1, word)
      check(field, ('{"code":1,"code":"%s","meaning":"%s"}'):format(word, other), word, word, other)
      check(field, ('{"code":"%s","code":null,"meaning":"%s"}'):format(other, word), word, nil, word)
    end)

    it(field .. " reads nil when null or absent, and no predicate holds", function()
      check(field, "null", nil, nil, nil)
      local d = deployment()
      assert.is_nil(d[field])
      for _, predicate in pairs(predicate_of[field]) do
        assert.is_false(d[predicate])
      end
    end)

    it(field .. " is kept as sent by raw and to_table", function()
      local d = deployment(('"%s":{"code":0,"meaning":"WEB","more":[null]}'):format(field))
      assert.are.same({ code = 0, meaning = "WEB", more = { null } }, d:raw(field))
      assert.are.same({ code = 0, meaning = "WEB", more = { null } }, d:to_table()[field])
      assert.are.equal("Bare", deployment(('"%s":"Bare"'):format(field)):raw(field))
    end)
  end

  it("that comes in a hundred kinds in one page is kept apart", function()
    local objects = {}
    for i = 1, 300 do
      local kind = i % 100
      objects[i] = ('{"id":%d,"outcome":{"code":%d,"meaning":"word_%d"},"deploy_type":{"code":"type_%d","meaning":"word_%d"}}'):format(
        i, kind, kind, kind, kind)
    end
    local page = assert(cloud66.decode("[" .. table.concat(objects, ",") .. "]"))
    for i = 1, 300 do
      local d, kind = page[i], i % 100
      assert.are.same(
        { kind, "word_" .. kind, "type_" .. kind, "type_" .. kind },
        { d.outcome_code, d.outcome, d.deploy_type, d.deploy_type_code })
    end
  end)

  it("that stands for two fields is looked up in each one's list", function()
    local word = '{"code":0,"meaning":"web"}'
    local d = deployment(('"triggered_via":%s,"deploy_type":%s,"outcome":%s'):format(word, word, word))
    assert.is_true(d.via_web)
    assert.are.same({ "web", "web", "web" }, { d.triggered_via, d.deploy_type, d.outcome })
    assert.is_false(d.is_success or d.is_failed or d.is_pending)
  end)

  it("has a large or a fractional code as sent", function()
    check("outcome", '{"code":1.5,"meaning":"failed"}', "failed", 1.5, "failed")
    check("outcome", '{"code":-1,"meaning":"failed"}', "failed", -1, "failed")
    local d = deployment '"outcome":{"code":9007199254740993,"meaning":"failed"}'
    assert.are.equal("9007199254740993", tostring(d.outcome_code))
  end)
end)

describe("a deployment's date", function()
  for name, seconds in pairs(date_fields) do
    it(name .. " is the text as sent, and Unix seconds", function()
      local cases = {
        { "2024-02-15T14:30:00Z", 1708007400 },
        { "2024-02-15T15:30:00+01:00", 1708007400 },
        { "2024-02-15T14:30:00+00:00", 1708007400 },
        { "2024-02-15T09:00:00-05:30", 1708007400 },
        { "2024-02-15 14:30:00 UTC", 1708007400 },
        { "2024-02-15T14:30:00.123Z", 1708007400 },
        { "2024-02-15T14:30:00.123456789+00:00", 1708007400 },
        { "1969-12-31T23:59:59Z", -1 },
      }
      for i = 1, #cases do
        local text, want = cases[i][1], cases[i][2]
        local d = deployment(('"%s":"%s"'):format(name, text))
        assert.are.same({ text, want }, { d[name], d[seconds] })
        assert.are.same({}, drift_of(('"%s":"%s"'):format(name, text)))
      end
    end)

    it(name .. " may be escaped, in part or whole", function()
      for _, text in ipairs { [[2024\u002d02-15T14:30:00Z]], escaped "2024-02-15T14:30:00Z", escaped "2024-02-15T14:30:00.000000+00:00" } do
        local d = deployment(('"%s":"%s"'):format(name, text))
        assert.are.same({ text, 1708007400 }, { text, d[seconds] })
        assert.are.same({}, drift_of(('"%s":"%s"'):format(name, text)))
      end
    end)

    it(name .. " that cannot be read has no seconds and is listed as drift", function()
      for _, text in ipairs { "soon", "2024-02-30T00:00:00Z", "15/02/2024", [[2024-02-15\u0000]], ("9"):rep(5000), [[\ud83d\ude80]] } do
        local d = deployment(('"%s":"%s"'):format(name, text))
        assert.are.equal("string", type(d[name]))
        assert.is_nil(d[seconds])
        assert.are.same({ { index = 2, field = name, got = "string" } }, drift_of(('"%s":"%s"'):format(name, text)))
      end
    end)

    it(name .. " that is null or absent has no seconds", function()
      assert.is_nil(deployment()[seconds])
      assert.is_nil(deployment(('"%s":null'):format(name))[seconds])
    end)
  end
end)

describe("a deployment's duration", function()
  local function duration(started, finished)
    return deployment(('"started_at":"%s","finished_at":"%s"'):format(started, finished)).duration
  end

  it("is the seconds from start to end", function()
    assert.are.equal(727, duration("2014-08-29T17:46:16Z", "2014-08-29T17:58:23Z"))
    assert.are.equal(90000, duration("2024-02-28T23:30:00Z", "2024-03-01T00:30:00Z"))
    assert.are.equal(0, duration("2024-02-15T14:30:00Z", "2024-02-15T14:30:00Z"))
  end)

  it("reckons with zones", function()
    assert.are.equal(60, duration("2024-02-15T14:30:00Z", "2024-02-15T15:31:00+01:00"))
    assert.are.equal(60, duration("2024-02-15T14:30:00-05:00", "2024-02-15 19:31:00 UTC"))
  end)

  it("is nil rather than negative", function()
    assert.is_nil(duration("2024-02-15T14:30:01Z", "2024-02-15T14:30:00Z"))
    assert.is_nil(duration("2024-02-15T14:30:00Z", "2024-02-15T14:31:00+01:00"))
  end)

  it("is nil where one of the two is unknown", function()
    assert.is_nil(deployment().duration)
    assert.is_nil(deployment('"started_at":"2024-02-15T14:30:00Z"').duration)
    assert.is_nil(deployment('"started_at":"2024-02-15T14:30:00Z","finished_at":null').duration)
    assert.is_nil(deployment('"started_at":null,"finished_at":"2024-02-15T14:30:00Z"').duration)
    assert.is_nil(duration("soon", "2024-02-15T14:30:00Z"))
    assert.is_nil(duration("2024-02-15T14:30:00Z", "later"))
    assert.is_nil(deployment('"started_at":1708007400,"finished_at":1708007401').duration)
  end)
end)

describe("a deployment's booleans", function()
  it("are true, false or nil", function()
    for _, name in ipairs(boolean_fields) do
      assert.is_true(deployment(('"%s":true'):format(name))[name])
      assert.is_false(deployment(('"%s":false'):format(name))[name])
      assert.is_nil(deployment(('"%s":null'):format(name))[name])
      assert.is_nil(deployment()[name])
    end
  end)

  it("do not stand for each other", function()
    for _, name in ipairs(boolean_fields) do
      local d = deployment(('"%s":true'):format(name))
      for _, other in ipairs(boolean_fields) do
        assert.are.same({ other, name == other or nil }, { other, d[other] })
      end
    end
  end)
end)

describe("a deployment's predicates", function()
  it("are booleans, never functions and never nil", function()
    for _, name in ipairs(all_predicates) do
      assert.is_false(deployment()[name])
      assert.are.equal("boolean", type(deployment('"outcome":"success","finished_at":"2024-02-15"')[name]))
      assert.is_false(pcall(function()
        local d = deployment()
        return d[name](d)
      end))
    end
  end)

  -- outcome, is_deploying, then is_finished and is_running; without and with finished_at
  local without_end = {
    { "pending", "true", false, true },
    { "pending", "false", false, true },
    { "pending", "null", false, true },
    { "success", "true", false, true },
    { "success", "false", true, false },
    { "success", "null", true, false },
    { "failed", "true", false, true },
    { "failed", "false", true, false },
    { "failed", "null", true, false },
    { "cancelled", "true", false, true },
    { "cancelled", "false", false, false },
    { "cancelled", "null", false, false },
    { nil, "true", false, true },
    { nil, "false", false, false },
    { nil, "null", false, false },
  }

  local function each_form(row, more)
    local outcome = row[1]
    local forms = outcome and {
      ('{"code":1,"meaning":"%s"}'):format(outcome), ('{"code":"%s","meaning":"Shown"}'):format(outcome), ('"%s"'):format(outcome:upper()),
    } or { "null", "5" }
    for _, form in ipairs(forms) do
      local d = deployment(('"outcome":%s,"is_deploying":%s%s'):format(form, row[2], more))
      local ended = more:find('"finished_at":"', 1, true) ~= nil
      assert.are.same(
        { form, row[2], ended or row[3], not ended and row[4] },
        { form, row[2], d.is_finished, d.is_running })
    end
  end

  it("is_finished and is_running follow outcome and is_deploying while there is no end", function()
    for i = 1, #without_end do
      each_form(without_end[i], "")
      each_form(without_end[i], ',"finished_at":null')
      each_form(without_end[i], ',"finished_at":1708007400')
    end
  end)

  it("is_finished holds, and is_running does not, once there is an end", function()
    for i = 1, #without_end do
      each_form(without_end[i], ',"finished_at":"2024-02-15T14:45:30Z"')
    end
  end)

  it("is_deploying of another type counts as unknown", function()
    local d = deployment '"outcome":"success","is_deploying":"true"'
    assert.is_true(d.is_finished)
    assert.is_false(d.is_running)
  end)
end)

describe("a deployment's drift", function()
  local wrong = {
    id = { '"107"', "1.5", "1e2", "true", "[]", "{}" },
  }
  for _, name in ipairs(text_fields) do
    wrong[name] = { "5", "-0.5", "true", "false", "[]", '["a"]', "{}", '{"a":"b"}' }
  end
  for name in pairs(date_fields) do
    wrong[name] = { "1708007400", "true", "false", "[]", "{}" }
  end
  for _, name in ipairs(boolean_fields) do
    wrong[name] = { "0", "1", '"true"', '""', "[]", "{}" }
  end
  for name in pairs(word_fields) do
    wrong[name] = { "0", "1", "true", "false", "[]", '["success"]', "{}" }
  end

  local function json_type(text)
    local first = text:sub(1, 1)
    return ({ ['"'] = "string", t = "boolean", f = "boolean", ["["] = "array", ["{"] = "object" })[first] or "number"
  end

  for name, values in pairs(wrong) do
    it("of " .. name .. " reads nil, is listed, and stays reachable by raw", function()
      for _, text in ipairs(values) do
        local page = assert(cloud66.decode(('[{"id":1},{"id":2,"%s":%s,"commit_url":"u"},{"id":3}]'):format(name, text)))
        if name == "commit_url" then
          page = assert(cloud66.decode(('[{"id":1},{"id":2,"%s":%s},{"id":3}]'):format(name, text)))
        end
        assert.are.equal(3, #page)
        local d = page[2]
        assert.are.same({ text, nil }, { text, d[name] })
        assert.are.same({ { index = 2, field = name, got = json_type(text) } }, page.drift)
        assert.are.same(core.json(text), d:raw(name))
        assert.are.same(core.json(text), d:to_table()[name])
        assert.are.equal(name ~= "commit_url" and "u" or nil, d.commit_url)
        assert.are.equal(1, page[1].id)
        assert.are.equal(3, page[3].id)
        for _, predicate in ipairs(all_predicates) do
          assert.is_false(d[predicate])
        end
      end
    end)
  end

  it("is listed in the order of the page", function()
    local page = assert(cloud66.decode '[{"id":1,"git_hash":5},{"id":2},{"id":"3","is_live":1,"outcome":[],"finished_at":"later"}]')
    local found = {}
    for i, entry in ipairs(page.drift) do
      found[i] = entry.index .. " " .. entry.field .. " " .. entry.got
    end
    assert.are.equal("1 git_hash number", found[1])
    table.sort(found)
    assert.are.same({ "1 git_hash number", "3 finished_at string", "3 id string", "3 is_live number", "3 outcome array" }, found)
  end)

  it("is not null, absence, or an undocumented key", function()
    assert.are.same({}, drift_of '"git_hash":null,"outcome":null,"is_live":null,"started_at":null,"new_key":[1,{"a":null}]')
  end)

  it("list is the caller's own", function()
    local page = assert(cloud66.decode '{"id":1,"git_hash":5}')
    page.drift[1] = nil
    assert.are.equal(1, #page.drift)
  end)
end)

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

describe("a page with more distinct words than its list takes", function()
  it("reads the last of two equal keys", function()
    local list = {}
    for i = 1, 61450 do
      list[i] = ('{"id":%d,"outcome":"w%d"}'):format(i, i)
    end
    list[#list + 1] = '{"id":99999,"outcome":"w1","outcome":"brandnew"}'
    local page = cloud66.decode("[" .. table.concat(list, ",") .. "]")
    assert.equal("brandnew", page[#page].outcome)
    assert.equal("w61450", page[61450].outcome)
  end)
end)
