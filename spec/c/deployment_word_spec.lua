-- A deployment's words, such as its outcome: in whatever form the API sends them.
local cloud66 = require "cloud66"
local decoding = require "spec.support.decoding"
local names_of = require "spec.support.deployment_names"

local null = cloud66.null
local deployment, drift_of, escaped = decoding.deployment, decoding.drift_of, decoding.escaped
local word_fields, predicate_of = names_of.words, names_of.predicate_of

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
