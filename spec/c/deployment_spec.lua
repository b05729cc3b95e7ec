-- A deployment: what each name reads, in whatever form the API sends it.
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local decoding = require "spec.support.decoding"
local fields = require "spec.support.fields"
local names_of = require "spec.support.deployment_names"

local null = cloud66.null
local deployment, drift_of, escaped = decoding.deployment, decoding.drift_of, decoding.escaped
local word_fields, date_fields = names_of.words, names_of.dates
local all_predicates = names_of.predicates
local text_fields, boolean_fields = fields.names "text", fields.names "boolean"
local has_integers = 9007199254740993 ~= 9007199254740992

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
