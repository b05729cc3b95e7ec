-- cloud66.decode: the envelopes that a page is decoded from, and what is refused.
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local decoding = require "spec.support.decoding"
local documented = require "spec.support.documented"
local raised = require("spec.support.expect").raised
local random_from = require "spec.support.random_from"

local decode, refused, list, ids = decoding.decode, decoding.refused, decoding.list, decoding.ids

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
      end):find "decode_spec.lua:%d+:")
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
