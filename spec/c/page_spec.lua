-- A page: the envelopes it is decoded from, what decoding refuses, and how its deployments are reached.
local child = require "spec.support.child"
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local documented = require "spec.support.documented"

local function decode(text)
  return assert(cloud66.decode(text))
end

-- Decodes what must be refused, and checks the form of the refusal.
local function refused(text)
  local page, message, err = cloud66.decode(text)
  assert.is_nil(page)
  assert.are.equal("string", type(message))
  assert.are.equal("decode", message:match "^%l+")
  assert.are.equal("decode", err.kind)
  assert.are.equal(message, tostring(err))
  assert.are.equal("number", type(err.offset))
  assert.is_true(err.offset >= 0 and err.offset <= #text)
  return err.offset, message, err
end

local function raised(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return message
end

-- A list of deployments with the ids from 1 to `count`.
local function list(count)
  local objects = {}
  for i = 1, count do
    objects[i] = ('{"id":%d,"git_hash":"%040d","outcome":{"code":%d,"meaning":"%s"},"is_live":%s}'):format(
      i, i, i % 3, ({ "success", "failed", [0] = "pending" })[i % 3], tostring(i == 2))
  end
  return "[" .. table.concat(objects, ",") .. "]"
end

local function ids(page)
  local found = {}
  for i = 1, #page do
    found[i] = page[i].id
  end
  return found
end

-- The same figures on every Lua, from 0 to below `bound`.
local function random_from(seed)
  return function(bound)
    seed = seed * 16807 % 2147483647
    return math.floor(seed / 2147483647 * bound)
  end
end

-- What a program prints in a process of its own: with little else to collect, or where a fault overwrites memory.
local function output_of(program)
  local output, errors = child.run(program)
  return (output .. errors):match "^(.-)%s*$"
end

describe("decode", function()
  it("takes a list envelope", function()
    local page = decode('{"response":' .. list(3) .. ',"count":3,"pagination":{"next":2,"current":1,"pages":9,"count":27}}')
    assert.are.same({ 1, 2, 3 }, ids(page))
    assert.are.equal(2, page.next)
  end)

  it("takes a single envelope", function()
    assert.are.same({ 7 }, ids(decode '{"response":{"id":7}}'))
  end)

  it("takes a bare array", function()
    assert.are.same({ 1, 2, 3 }, ids(decode(list(3))))
  end)

  it("takes a bare object", function()
    assert.are.same({ 7 }, ids(decode '{"id":7}'))
    assert.are.same({ 7 }, ids(decode ' \n{ "a" : [ 1 , { } ] , "id" : 7 } \n'))
  end)

  it("takes empty lists", function()
    for _, text in ipairs { "[]", " [ ] ", '{"response":[]}', '{"response":[],"count":0,"pagination":{"next":null,"current":1}}' } do
      local page = decode(text)
      assert.are.equal(0, #page)
      assert.is_nil(page[1])
      assert.are.same({}, page.drift)
    end
  end)

  it("finds the envelope's keys wherever they stand", function()
    local page = decode '{"count":1,"pagination":{"next":3},"meta":{"response":[{"id":9}]},"response":[{"id":7}],"took":5}'
    assert.are.same({ 7 }, ids(page))
    assert.are.equal(3, page.next)
    assert.are.same({ 8 }, ids(decode [[{"\u0072esponse":{"id":8}}]]))
  end)

  it("takes the last response of several", function()
    assert.are.same({ 3 }, ids(decode '{"response":[{"id":1},{"id":2}],"response":{"id":3}}'))
    assert.are.same({ 4, 5 }, ids(decode '{"response":{"id":3,"outcome":"failed"},"response":[{"id":4,"outcome":"failed"},{"id":5}]}'))
    assert.are.same({}, ids(decode '{"response":[{"id":1}],"response":[]}'))
  end)

  it("opens no envelope inside of another", function()
    refused '{"response":{"response":[{"id":1}]}}'
    refused '[{"response":{"id":1}}]'
    assert.are.equal(1, #decode '[{"id":1,"response":[{"id":2},{"id":3}]}]')
  end)

  it("takes a hundred thousand bytes and a thousand deployments", function()
    local page = decode('{"response":' .. list(1000) .. "}")
    assert.are.equal(1000, #page)
    assert.are.equal(1000, page[1000].id)
    assert.are.equal(("%040d"):format(1000), page[1000].git_hash)
    local filler = '"note":"' .. ("x"):rep(100000) .. '"'
    assert.are.equal(7, decode("{" .. filler .. ',"id":7}')[1].id)
  end)

  it("takes 512 levels and refuses 513, in every envelope", function()
    for _, form in ipairs {
      { '{"response":[{"id":1,"deep":', "}]}", 3 },
      { '{"response":{"id":1,"deep":', "}}", 2 },
      { '[{"id":1,"deep":', "}]", 2 },
      { '{"id":1,"deep":', "}", 1 },
      { '[{"id":1,"outcome":{"code":1,"meaning":"failed","more":', "}}]", 3 },
      { '[{"id":1,"git_hash":', "}]", 2 },
      { '{"meta":', ',"id":1}', 1 },
      { '{"response":[],"meta":', "}", 1 },
      { '{"response":[],"pagination":{"more":', "}}", 2 },
    } do
      local before, after, open = form[1], form[2], form[3]
      local most = 512 - open
      local page = decode(before .. ("["):rep(most) .. ("]"):rep(most) .. after)
      if #page == 1 then
        assert.are.equal(1, page[1].id)
        assert.are.equal("table", type(page[1]:to_table()))
      end
      local offset = refused(before .. ("["):rep(most + 1) .. ("]"):rep(most + 1) .. after)
      assert.are.equal(#before + most, offset)
    end
  end)

  it("takes more distinct words than can be numbered", function()
    local objects = {}
    for i = 1, 62000 do
      objects[i] = ('{"id":%d,"outcome":"W%d"}'):format(i, i)
    end
    objects[62001] = '{"id":62001,"outcome":{"code":1,"meaning":"success"},'
      .. '"deploy_type":"Scale","git_ref":"main","started_at":"2024-02-15"}'
    objects[62002] = '{"id":62002,"outcome":"w62002","outcome":null,"deploy_type":5}'
    local page = decode("[" .. table.concat(objects, ",") .. "]")
    assert.are.equal(62002, #page)
    for i, id, outcome in page:rows("id", "outcome") do
      if i <= 62000 and (id ~= i or outcome ~= "w" .. i) then
        assert.are.same({ i, "w" .. i }, { id, outcome })
      end
    end
    local d = page[62001]
    assert.are.same({ "success", 1, "scale", "main", 1707955200 }, { d.outcome, d.outcome_code, d.deploy_type, d.git_ref, d.started_time })
    assert.is_true(d.is_success and d.type_scale and d.is_finished)
    assert.is_nil(page[62002].outcome)
    assert.are.same({ { index = 62002, field = "deploy_type", got = "number" } }, page.drift)
  end)

  it("reads alike what is written in ever new ways", function()
    local random = random_from(107)
    local function space()
      return ({ "", "", "", " ", "\n  ", "\t", "\r\n", (" "):rep(70) })[random(8) + 1]
    end
    local keys = {
      "triggered_by", "git_hash", "git_ref", "commit_url", "is_live", "is_head", "outcome", "deploy_type", "started_at", "new", "i", "git_hash_",
    }
    local values = {
      "null", "true", "false", "5", "-1.5e3", '"a"', '"main"', '""', '"' .. ("x"):rep(40) .. '"', [["\u0041\n"]], '"\195\169"', "[]", "{}",
      '[1,{"a":"}"}]', '"success"', '"2024-02-15T14:30:00Z"',
      '{"code":1,"meaning":"success"}', '{"code":1,"meaning":"failed"}', '{"code": 1,"meaning":"failed"}',
      '{"code":"scale","meaning":"Scale"}', '{"meaning":"build","code":0}', '{"code":1,"meaning":"' .. ("long "):rep(20) .. '"}',
    }
    local texts = { triggered_by = true, git_hash = true, git_ref = true, commit_url = true, started_at = true }
    local flags = { is_live = true, is_head = true }
    for _ = 1, 10 do
      local objects = {}
      for i = 1, 100 do
        local parts = { "{", space(), '"id":', space(), tostring(i), space() }
        for _ = 1, random(10) do
          local key = keys[random(#keys) + 1]
          if random(8) == 0 then
            key = ("\\u%04x"):format(key:byte()) .. key:sub(2)
          end
          parts[#parts + 1] = "," .. space() .. '"' .. key .. '"' .. space() .. ":" .. space() .. values[random(#values) + 1] .. space()
        end
        parts[#parts + 1] = "}"
        objects[i] = table.concat(parts)
      end
      local page = decode("[" .. table.concat(objects, "," .. space()) .. "]")
      assert.are.equal(100, #page)
      for i = 1, 100 do
        local d = page[i]
        local plain = core.json(objects[i]) -- read in quite another way
        local got, want = { d.id }, { i }
        for _, key in ipairs(keys) do
          local value = plain[key]
          if texts[key] then
            got[key], want[key] = d[key], type(value) == "string" and value or nil
          elseif flags[key] then
            got[key] = d[key]
            if type(value) == "boolean" then
              want[key] = value
            end
          elseif key == "outcome" or key == "deploy_type" then
            local code = type(value) == "table" and value.code or nil
            local meaning = type(value) == "table" and value.meaning or nil
            local word = type(value) == "string" and value or type(code) == "string" and code or meaning
            got[key], want[key] = d[key], word and word ~= "" and word:lower() or nil
            if type(value) == "table" then
              got[key .. "_code"], want[key .. "_code"] = d[key .. "_code"], code
              got[key .. "_meaning"], want[key .. "_meaning"] = d[key .. "_meaning"], meaning
            end
          else
            got[key], want[key] = d:raw(key), value
          end
        end
        assert.are.same(want, got)
        assert.are.equal(objects[i], d:to_json())
      end
    end
  end)

  it("leaves its text alone", function()
    local text = list(2)
    local copy = text .. ""
    decode(text)
    assert.are.equal(copy, text)
  end)
end)

describe("decode refuses", function()
  local at = function(text, where)
    local first = text:find(where, 1, true)
    return first - 1
  end

  local at_the_element = {
    { "an empty object", "{}", "{" },
    { "an empty object in an envelope", '{"response":{}}', "{}" },
    { "an empty object in a list", '[{"id":1}, {}]', "{}" },
    { "an object without an id", '[{"id":1},{"git_hash":"abc"}]', '{"git' },
    { "a null id", '[{"id":1},{"id":null}]', '{"id":null' },
    { "an id that is null the last time", '[{"id":1},{"id":2,"id":null}]', '{"id":2' },
    { "an id in an inner object only", '[{"id":1},{"stack":{"id":2}}]', '{"stack' },
    { "an error body", '{"error":"not_found","error_description":"x","details":""}', "{" },
    { "an error body in an envelope", '{"response":{"error":"not_found"}}', '{"error' },
    { "a redeploy's answer", '{"response":{"ok":true,"message":"Stack queued","async_action_id":40,"queued":true}}', '{"ok' },
    { "a ping's answer", '{"ok":true,"message":"all good","user_id":123}', "{" },
    { "a stack", '{"response":{"uid":"5999b763474b0eafa5fafb64bff0ba80","name":"Awesome App","status":1}}', '{"uid' },
    { "a list of stacks", '{"response":[{"uid":"5999b763474b0eafa5fafb64bff0ba80","name":"Awesome App"}],"count":1}', '{"uid' },
    { "a null element", '[{"id":1},null]', "null" },
    { "a number for an element", '[{"id":1}, 2]', "2]" },
    { "a text for an element", '{"response":["107"]}', '"107"' },
    { "a list for an element", '[[{"id":1}]]', '[{"id"' },
    { "true for an element", "[true]", "true" },
    { "a null response", '{"response":null}', "null" },
    { "a text for a response", '{"response":"ok"}', '"ok"' },
    { "a number for a response", '{"response":107,"id":1}', "107" },
    { "true for a response", '{"response":true}', "true" },
    { "a text at the top", '"deployments"', '"' },
    { "a number at the top", " 107", "1" },
    { "null at the top", "null", "n" },
    { "true at the top", "true", "t" },
    { "HTML", "<!DOCTYPE html><html></html>", "<" },
    { "a byte order mark", '\239\187\191{"id":1}', "\239" },
    { "something behind the end", '{"id":1} {"id":2}', '{"id":2' },
    { "a comma behind the last element", '[{"id":1},]', "]" },
    { "a comma behind the last key", '{"id":1,}', "}" },
    { "invalid UTF-8 in a known field", '{"id":1,"git_hash":"\255"}', "\255" },
    { "invalid UTF-8 in an unknown field", '{"id":1,"new":["\255"]}', "\255" },
    { "invalid UTF-8 in a word", '{"id":1,"outcome":{"code":1,"meaning":"\255"}}', "\255" },
    { "a control character in a text", '{"id":1,"git_hash":"a\nb"}', "\n" },
    { "a control character in a date", '{"id":1,"started_at":"\0012024"}', "\001" },
    { "a NUL between tokens", '{"id":1,\0"a":2}', "\0" },
    { "a NUL at the end", '{"id":1}\0', "\0" },
    { "a bare key", '{"id":1,git_hash:"a"}', "git_hash" },
    { "a missing colon", '{"id":1,"git_hash" "a"}', '"a"' },
    { "a missing comma", '{"id":1 "git_hash":"a"}', '"git' },
    { "a list closed by a brace", '[{"id":1}}', "}}" },
    { "NaN for an id", '{"id":NaN}', "NaN" },
    { "nothing for an id", '{"id":}', "}" },
  }
  for i = 1, #at_the_element do
    local name, text, where = at_the_element[i][1], at_the_element[i][2], at_the_element[i][3]
    it(name .. ", and says where", function()
      local want = at(text, where)
      if name == "a list closed by a brace" then
        want = want + 1
      end
      assert.are.equal(want, (refused(text)))
    end)
  end

  it("nothing, and white space", function()
    assert.are.equal(0, (refused ""))
    assert.are.equal(3, (refused " \n\t"))
  end)

  it("wrong JSON in places nobody reads", function()
    for _, text in ipairs {
      '{"id":01}', '{"id":1,"is_live":truE}', '{"id":1,"is_live":nul}', '{"id":1,"outcome":{"code":1,"meaning":"a"',
      '{"id":1,"outcome":{"code":1,"meaning":"a",}}', '{"id":1,"outcome":{"code":+1}}', '{"id":1,"new":[1,]}', [[{"id":1,"a\x":1}]],
      [[{"id":1,"git_hash":"\ud800"}]], '{"id":1,"count":1.}', '{"response":[],"count":1.}', '{"response":[],"pagination":{"next":2,}}',
      '{"response":[],"pagination":{"pages":01}}', '{"response":[]', '{"response":[],}', '{"response":[],"a":}',
      '{"id":1,"a":"\237\160\128"}', '{"id":1,"git_hash":[1,2}', '{"id":1,"git_hash":{"a":1]}',
    } do
      refused(text)
    end
  end)

  it("what is no text, by raising at the caller's line", function()
    for _, value in ipairs { 107, true, {}, print, io.stdout } do
      assert.is_truthy(raised(function()
        local _ = cloud66.decode(value)
      end):find "page_spec.lua:%d+:")
    end
    raised(cloud66.decode)
    raised(cloud66.decode, nil)
  end)
end)

describe("decode's message", function()
  local evil = '{"error":"\194\155[31mnot_found \\u001b[31m","secret":"b806f1c3344eb3aa2a024b23254b75b3"}'

  it("starts with the kind and holds the offset", function()
    local offset, message = refused '{"response":[{"id":1},{}]}'
    assert.is_truthy(message:find "^decode: ")
    assert.is_truthy(message:find(tostring(offset), 1, true))
  end)

  it("can be asserted, printed and written", function()
    local plain_assert = _G.assert -- not the one of the specs
    local page, message, err = cloud66.decode "{}"
    local ok, shown = pcall(plain_assert, page, message, err)
    assert.is_false(ok)
    assert.are.equal(message, shown)
    local path = os.tmpname()
    finally(function()
      os.remove(path)
    end)
    local file = io.open(path, "w")
    assert.is_truthy(file:write(message, "\n", tostring(err), "\n"))
    file:close()
    file = io.open(path)
    assert.are.equal(message .. "\n" .. message .. "\n", file:read "*a")
    file:close()
    assert.are.equal("failed: " .. message, "failed: " .. err)
  end)

  it("holds nothing of the body", function()
    for _, text in ipairs { evil, "[" .. evil .. "]", "b806f1c3344eb3aa2a024b23254b75b3", '{"id":1,"b806f1c3344eb3aa2a024b23254b75b3' } do
      local _, message = refused(text)
      assert.is_nil(message:find("b806f1c3", 1, true))
      assert.is_nil(message:find "[%c\127-\255]")
    end
  end)

  it("is short", function()
    local _, message = refused(("x"):rep(100000))
    assert.is_true(#message < 300)
  end)
end)

describe("decode of damaged text", function()
  local text = '{"response":[' .. documented.model .. "," .. documented.list:match '%[({.*})%],"count"' .. '],"count":2,"pagination":'
    .. '{"previous":null,"next":2,"current":1,"per_page":30,"count":48,"pages":2}}'
  local names = { "id", "started_time", "duration", "outcome", "outcome_code", "git_hash", "deploy_type_meaning", "is_running" }

  it("is refused when it is cut at any byte", function()
    assert.are.equal(2, #decode(text))
    for length = 0, #text - 1 do
      local page, message, err = cloud66.decode(text:sub(1, length))
      if page ~= nil or type(message) ~= "string" or err.kind ~= "decode" or err.offset < 0 or err.offset > length then
        assert.are.same({ length, nil, "decode" }, { length, page, err and err.kind })
        refused(text:sub(1, length))
      end
    end
  end)

  it("is refused when it is cut at any byte in every other form", function()
    local escapes = '{"id":1,"git_ref":"caf\195\169 \\ud83d\\ude80"}'
    for _, form in ipairs { documented.single, documented.model, "[" .. documented.model .. "]", escapes } do
      decode(form)
      for length = 0, #form - 1 do
        local page, kind, _, offset = core.decode(form:sub(1, length))
        if page ~= nil or kind ~= "decode" or offset < 0 or offset > length then
          assert.are.same({ form, length, nil, "decode" }, { form, length, page, kind })
        end
      end
    end
  end)

  it("gives a page or a decode error whatever bits are flipped", function()
    local random = random_from(20240215)
    local pages, errors = 0, 0
    local want = {
      { 456789, 1708007400, 930, "success", "success", "a1b2c3d4e5f6789012345678901234567890abcd", "Redeploy", false },
      { 107, 1409334376, 727, "success", 1, "5675fcd8f9e6dc534ecf1410c0661c066097e310", "build", false },
    }
    for _ = 1, 20000 do
      local place = random(#text) + 1
      local byte, bit = text:byte(place), 2 ^ random(8)
      byte = math.floor(byte / bit) % 2 == 1 and byte - bit or byte + bit
      local damaged = text:sub(1, place - 1) .. string.char(byte) .. text:sub(place + 1)
      local page, kind, _, offset = core.decode(damaged)
      if (pages + errors) % 10 == 0 then
        local whole = core.decode(text) -- nothing of a damaged text may be left over
        for k = 1, #names do
          if whole[1][names[k]] ~= want[1][k] or whole[2][names[k]] ~= want[2][k] then
            assert.are.same({ damaged, names[k], want[1][k] }, { damaged, names[k], whole[1][names[k]] })
            assert.are.same({ damaged, names[k], want[2][k] }, { damaged, names[k], whole[2][names[k]] })
          end
        end
      end
      if page then
        pages = pages + 1
        for i = 1, #page do
          local d = page[i]
          for k = 1, #names do
            local _ = d[names[k]]
          end
          if pages % 16 == 0 then
            assert.are.equal("string", type(tostring(d)))
            assert.are.equal("table", type(d:to_table()))
            local _ = d:raw "git_ref"
          end
        end
        if pages % 16 == 0 then
          assert.are.equal("table", type(page.drift))
        end
      else
        errors = errors + 1
        if kind ~= "decode" or offset < 0 or offset > #damaged then
          assert.are.same({ damaged, "decode" }, { damaged, kind })
        end
      end
    end
    assert.is_true(pages > 1000)
    assert.is_true(errors > 1000)
  end)

  it("gives a page or a decode error whatever tokens change places", function()
    local random = random_from(456789)
    local tokens = {
      "{", "}", "[", "]", ",", ":", '"id"', '"response"', '"outcome"', '"code"', '"meaning"', '"git_hash"', '"pagination"', '"next"',
      "1", "-", "true", "null", '"success"', '"', "\\", "\\u00", " ", "1e9", "\195",
    }
    for _ = 1, 5000 do
      local parts = {}
      for i = 1, random(14) + 1 do
        parts[i] = tokens[random(#tokens) + 1]
      end
      local damaged = (random(2) == 0 and '{"id":1,' or '[{"id":1},') .. table.concat(parts)
      local page, kind, _, offset = core.decode(damaged)
      if page then
        assert.are.equal("table", type(page.drift))
      elseif kind ~= "decode" or offset < 0 or offset > #damaged then
        assert.are.same({ damaged, "decode" }, { damaged, kind })
      end
    end
  end)
end)

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
