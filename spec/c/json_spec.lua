-- core.json: exactly the texts of RFC 8259 in valid UTF-8, as plain Lua values.
local core = require "cloud66.core"

local null = core.null
local has_integers = 9007199254740993 ~= 9007199254740992

-- An integer as core.json gives it: exact, and text where a number could not be.
local function exact(digits)
  local beyond_int64 = #digits:gsub("%-", "") > 19 or digits == "9223372036854775808" or digits == "-9223372036854775809"
  local as_text = beyond_int64 or (not has_integers and #digits:gsub("%-", "") > 14)
  return as_text and "string" or "number"
end

local function nested(depth, open, close, inside)
  return open:rep(depth) .. (inside or "") .. close:rep(depth)
end

describe("json", function()
  describe("accepts", function()
    local cases = {
      -- structure
      { "an empty array", "[]", {} },
      { "an empty object", "{}", {} },
      { "arrays in arrays", "[[],[[]]]", { {}, { {} } } },
      { "objects in objects", '{"a":{"b":{}}}', { a = { b = {} } } },
      { "an array of several kinds", '[1,"a",true,false,{"b":2}]', { 1, "a", true, false, { b = 2 } } },
      { "white space of all four kinds", " \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n", { 1, 2 } },
      { "white space in an object", '{ "a" : 1 , "b" : 2 }', { a = 1, b = 2 } },
      { "white space in empty containers", "[ { } , [ ] ]", { {}, {} } },
      { "a long array", "[" .. ("1,"):rep(999) .. "2]", nil },
      -- scalars at the top
      { "true at the top", "true", true },
      { "false at the top", "false", false },
      { "a string at the top", '"x"', "x" },
      { "an empty string at the top", '""', "" },
      { "a number at the top", "42", 42 },
      { "a negative number at the top", "-42", -42 },
      { "a number at the top with space behind it", "42\n", 42 },
      { "null at the top", "null", null },
      -- numbers
      { "zero", "[0]", { 0 } },
      { "minus zero", "[-0]", { 0 } },
      { "minus zero with a fraction", "[-0.0]", { 0 } },
      { "a fraction", "[1.25]", { 1.25 } },
      { "a negative fraction", "[-0.5]", { -0.5 } },
      { "an exponent", "[1e2]", { 100 } },
      { "an exponent with a plus sign", "[1E+2]", { 100 } },
      { "an exponent with a minus sign", "[5e-1]", { 0.5 } },
      { "a zero with an exponent", "[0e1]", { 0 } },
      { "a zero with an upper case exponent", "[0E+0]", { 0 } },
      { "an exponent that starts with 0", "[1e02]", { 100 } },
      { "a fraction with an exponent", "[12.5e1]", { 125 } },
      { "a fraction that starts with zeros", "[0.0078125]", { 0.0078125 } },
      { "the largest double", "[1.7976931348623157e308]", { 1.7976931348623157e308 } },
      { "the smallest normal double", "[2.2250738585072014e-308]", { 2.2250738585072014e-308 } },
      { "a number below the smallest double as zero", "[1e-400]", { 0 } },
      { "zero with a huge exponent", "[0e99999]", { 0 } },
      { "many digits in a fraction", "[0.3333333333333333333333333]", { 1 / 3 } },
      { "a fraction of six hundred digits", "[0.5" .. ("0"):rep(600) .. "]", { 0.5 } },
      -- strings
      { "all short escapes", [["\"\\\/\b\f\n\r\t"]], "\"\\/\b\f\n\r\t" },
      { "an escape of ASCII", [["\u0041"]], "A" },
      { "upper and lower case hex digits", [["\u00e9\u00E9"]], "\195\169\195\169" },
      { "an escape of two UTF-8 bytes", [["\u07ff"]], "\223\191" },
      { "an escape of three UTF-8 bytes", [["\u0800\uffff"]], "\224\160\128\239\191\191" },
      { "a surrogate pair", [["\ud83d\ude80"]], "\240\159\154\128" },
      { "the last surrogate pair", [["\uDBFF\uDFFF"]], "\244\143\191\191" },
      { "escapes beside a surrogate range", [["\ud7ff\ue000"]], "\237\159\191\238\128\128" },
      { "an escaped noncharacter", [["\ufffe"]], "\239\191\190" },
      { "an escaped NUL", [["a\u0000b"]], "a\0b" },
      { "an escaped backslash before a u", [["\\u0041"]], "\\u0041" },
      { "an escaped quote at the end", [["a\""]], 'a"' },
      { "the DEL character", '"\127"', "\127" },
      { "two bytes of UTF-8", '"\194\128\223\191"', "\194\128\223\191" },
      { "three bytes of UTF-8", '"\224\160\128\226\130\172"', "\224\160\128\226\130\172" },
      { "UTF-8 on both sides of the surrogates", '"\237\159\191\238\128\128"', "\237\159\191\238\128\128" },
      { "four bytes of UTF-8", '"\240\144\128\128\244\143\191\191"', "\240\144\128\128\244\143\191\191" },
      { "a byte order mark in a string", '"\239\187\191"', "\239\187\191" },
      { "line separators in a string", '"\226\128\168\226\128\169"', "\226\128\168\226\128\169" },
      { "a comment in a string", '"/* a */ // b"', "/* a */ // b" },
      { "a long string", '"' .. ("a"):rep(5000) .. '"', ("a"):rep(5000) },
      { "a long string of escapes", '"' .. ("\\u00e9"):rep(500) .. '"', ("\195\169"):rep(500) },
      -- keys
      { "an empty key", '{"":0}', { [""] = 0 } },
      { "an escaped key", [[{"\u0061\n":1}]], { ["a\n"] = 1 } },
      { "a key with a NUL", [[{"a\u0000b":1}]], { ["a\0b"] = 1 } },
      { "a key in UTF-8", '{"\195\169":1}', { ["\195\169"] = 1 } },
      { "a key given twice, the last one counting", '{"a":1,"a":2}', { a = 2 } },
      { "a key given twice, once escaped", [[{"a":1,"\u0061":2}]], { a = 2 } },
      { "a key given twice, the last time null", '{"a":1,"a":null}', {} },
      { "a key given twice, the first time null", '{"a":null,"a":1}', { a = 1 } },
      { "a key given twice with containers", '{"a":[1,2],"a":{"b":[]}}', { a = { b = {} } } },
      -- null
      { "null in an object as nil", '{"a":null,"b":1}', { b = 1 } },
      { "null in an array as null", "[null]", { null } },
      { "null between elements", "[1,null,2]", { 1, null, 2 } },
      { "null in an object in an array", '[{"a":null},null]', { {}, null } },
      { "null in an array in an object", '{"a":[null]}', { a = { null } } },
    }
    for i = 1, #cases do
      local name, text, want = cases[i][1], cases[i][2], cases[i][3]
      it(name, function()
        local value, kind, message = core.json(text)
        assert.is_nil(kind, message)
        if want == nil then
          assert.are.equal(1000, #value)
          assert.are.equal(2, value[1000])
        else
          assert.are.same(want, value)
        end
      end)
    end
  end)

  describe("refuses", function()
    -- name, text, and the offset where there is no doubt about it
    local cases = {
      -- not a whole text
      { "an empty text", "", 0 },
      { "white space alone", " \n", 2 },
      { "an open array", "[", 1 },
      { "an open array behind a value", "[1", 2 },
      { "an open array behind a comma", "[1,", 3 },
      { "an open object", "{", 1 },
      { "an open object behind a key", '{"a"', 4 },
      { "an open object behind a colon", '{"a":', 5 },
      { "an open object behind a value", '{"a":1', 6 },
      { "an open object behind a comma", '{"a":1,', 7 },
      { "an open string", '"abc', 4 },
      { "a string that ends in a backslash", '"\\' },
      { "a string that ends in an escaped quote", [["\"]], 3 },
      { "a string that ends inside of an escape", [["\u00]] },
      { "a string that ends behind a high surrogate", [["\ud83d]] },
      { "a string that ends inside of UTF-8", '"\240\159\154', 1 },
      { "a minus sign alone", "-", 1 },
      { "a cut literal", "tru" },
      { "a cut literal in an array", "[nul" },
      -- too much
      { "two values", "1 2", 2 },
      { "two arrays", "[][]", 2 },
      { "a bracket too many", "[]]", 2 },
      { "a brace too many", "{}}", 2 },
      { "a comma at the end", "[],", 2 },
      { "a NUL at the end", "[]\0", 2 },
      { "a NUL behind a number", "1\0", 1 },
      { "text behind a string", '"a"b', 3 },
      -- commas and colons
      { "a comma before the closing bracket", "[1,]", 3 },
      { "a comma before the closing brace", '{"a":1,}', 7 },
      { "a comma before the first element", "[,1]", 1 },
      { "a comma before the first key", '{,"a":1}', 1 },
      { "two commas in an array", "[1,,2]", 3 },
      { "two commas in an object", '{"a":1,,"b":2}', 7 },
      { "a comma alone", "[,]", 1 },
      { "no comma in an array", "[1 2]", 3 },
      { "no comma in an object", '{"a":1 "b":2}', 7 },
      { "no colon", '{"a" 1}', 5 },
      { "two colons", '{"a"::1}', 5 },
      { "a colon in an array", '["a":1]', 4 },
      { "a comma for a colon", '{"a",1}', 4 },
      { "no value", '{"a":}', 5 },
      { "no value before a comma", '{"a":,"b":1}', 5 },
      { "a key alone", '{"a"}', 4 },
      { "a bracket that closes an object", '{"a":1]', 6 },
      { "a brace that closes an array", "[1}", 2 },
      { "a closing bracket", "]", 0 },
      { "a closing brace", "}", 0 },
      { "a colon at the top", ":", 0 },
      -- keys
      { "a bare key", "{a:1}", 1 },
      { "a key in single quotes", "{'a':1}", 1 },
      { "a number for a key", "{1:1}", 1 },
      { "null for a key", "{null:1}", 1 },
      { "an array for a key", "{[]:1}", 1 },
      { "a second bare key", '{"a":1,b:2}', 7 },
      -- literals
      { "True", "True", 0 },
      { "TRUE in an array", "[TRUE]", 1 },
      { "nil", "nil" },
      { "undefined", "undefined", 0 },
      { "NaN", "[NaN]", 1 },
      { "Infinity", "[Infinity]", 1 },
      { "minus Infinity", "[-Infinity]", 2 },
      { "a literal that goes on", "truex", 4 },
      { "a literal that goes on in an array", "[nullx]", 5 },
      { "two literals in a row", "[truefalse]", 5 },
      -- numbers
      { "a number with a leading zero", "[01]" },
      { "a negative number with a leading zero", "[-01]" },
      { "two zeros", "[00]" },
      { "a plus sign", "[+1]", 1 },
      { "two minus signs", "[--1]", 2 },
      { "a minus sign apart from its number", "[- 1]", 2 },
      { "a fraction without digits", "[1.]", 3 },
      { "a fraction without digits before an exponent", "[1.e1]", 3 },
      { "a fraction without a whole part", "[.5]", 1 },
      { "a negative fraction without a whole part", "[-.5]", 2 },
      { "two points", "[1.2.3]", 4 },
      { "an exponent without digits", "[1e]", 3 },
      { "a signed exponent without digits", "[1e+]", 4 },
      { "an exponent with a fraction", "[1e1.5]", 4 },
      { "two exponents", "[1e1e1]", 4 },
      { "an exponent alone", "[e1]", 1 },
      { "hex digits", "[0x1F]", 2 },
      { "a digit separator", "[1_000]", 2 },
      { "a decimal comma in an object", '{"a":1,5}', 7 },
      { "a letter behind a number", "[1a]", 2 },
      { "a space in a number", "[1 000]", 3 },
      { "full-width digits", "[\239\188\145]", 1 },
      -- strings
      { "single quotes", "['a']", 1 },
      { "a bare word", "[a]", 1 },
      { "a line break in a string", '"a\nb"', 2 },
      { "a tab in a string", '"a\tb"', 2 },
      { "a NUL in a string", '"a\0b"', 2 },
      { "the last control character in a string", '"a\031b"', 2 },
      { "a control character far into a string", '"' .. ("a"):rep(100) .. '\001"', 101 },
      { "a line break in a key", '{"a\nb":1}', 3 },
      { "an unknown escape", [["\x41"]] },
      { "an escaped apostrophe", [["\'"]] },
      { "an upper case U escape", [["\U0041"]] },
      { "an escaped line break", '"\\\n"' },
      { "an escaped NUL byte", '"\\\0"' },
      { "an escaped byte of UTF-8", '"\\\195\169"' },
      { "three hex digits", [["\u123"]] },
      { "a hex digit that is none", [["\u12g4"]] },
      { "a sign among hex digits", [["\u+123"]] },
      { "a space among hex digits", [["\u 123"]] },
      { "braces for hex digits", [["\u{41}"]] },
      { "a lone high surrogate", [["\ud800"]], 1 },
      { "a lone low surrogate", [["\udc00"]], 1 },
      { "a high surrogate before a letter", [["\ud800a"]], 1 },
      { "a high surrogate before another escape", [["\ud800\n"]], 1 },
      { "a high surrogate before an escape of ASCII", [["\ud800\u0041"]], 1 },
      { "two high surrogates", [["\ud800\ud800"]], 1 },
      { "surrogates the wrong way round", [["\udc00\ud800"]], 1 },
      -- UTF-8
      { "a lone continuation byte", '"\128"', 1 },
      { "Latin-1", '"caf\233"', 4 },
      { "a UTF-8 lead without its tail", '"\195"', 1 },
      { "a UTF-8 lead before a letter", '"\195a"', 1 },
      { "two bytes of three", '"\226\130"', 1 },
      { "three bytes of four", '"\240\159\154"', 1 },
      { "an overlong slash in two bytes", '"\192\175"', 1 },
      { "an overlong letter in two bytes", '"\193\129"', 1 },
      { "an overlong NUL in three bytes", '"\224\128\128"', 1 },
      { "the last overlong three bytes", '"\224\159\191"', 1 },
      { "overlong four bytes", '"\240\143\191\191"', 1 },
      { "a surrogate in UTF-8", '"\237\160\128"', 1 },
      { "the last surrogate in UTF-8", '"\237\191\191"', 1 },
      { "a code point beyond Unicode", '"\244\144\128\128"', 1 },
      { "a lead byte that no code point has", '"\245\128\128\128"', 1 },
      { "five bytes of UTF-8", '"\248\136\128\128\128"', 1 },
      { "the byte 255", '"\255"', 1 },
      { "invalid UTF-8 in a key", '{"\255":1}', 2 },
      { "invalid UTF-8 far into a string", '"' .. ("a"):rep(40) .. '\255"', 41 },
      { "UTF-8 outside of a string", "[\195\169]", 1 },
      -- white space and other encodings
      { "a byte order mark", "\239\187\191{}", 0 },
      { "a form feed", "[\0121]", 1 },
      { "a vertical tab", "[\0111]", 1 },
      { "a no-break space", "[\194\1601]", 1 },
      { "a NUL between elements", "[1,\0 2]", 3 },
      { "UTF-16", "[\0]\0", 1 },
      { "a line comment", "[1] // one", 4 },
      { "a block comment", "[/* one */1]", 1 },
      { "HTML", "<html></html>", 0 },
      { "a JSON text in a function call", "f({})" },
      { "a text sequence", "\030{}", 0 },
    }
    for i = 1, #cases do
      local name, text, at = cases[i][1], cases[i][2], cases[i][3]
      it(name, function()
        local value, kind, message, offset = core.json(text)
        assert.is_nil(value)
        assert.are.equal("decode", kind)
        assert.are.equal("string", type(message))
        assert.is_true(#message > 0)
        assert.is_nil(message:find "[%c\127-\255]")
        assert.are.equal("number", type(offset))
        assert.is_true(offset >= 0 and offset <= #text)
        if at then
          assert.are.equal(at, offset)
        end
      end)
    end

    it("every beginning of a valid text", function()
      local text = [=[{"a":[1,-2.5e+3,true,false,null,{"b":"\u00e9\ud83d\ude80\n"}],"c":{},"é":[[]]}]=]
      assert.are.equal(-2500, core.json(text).a[2])
      for length = 0, #text - 1 do
        local value, kind, _, offset = core.json(text:sub(1, length))
        assert.is_nil(value)
        assert.are.equal("decode", kind)
        assert.is_true(offset >= 0 and offset <= length)
      end
    end)
  end)

  describe("nesting", function()
    local kinds = {
      { "arrays", "[", "]", "" },
      { "objects", '{"a":', "}", "1" },
      { "objects that are empty inside", '{"a":', "}", "{}" },
    }
    for i = 1, #kinds do
      local name, open, close, inside = kinds[i][1], kinds[i][2], kinds[i][3], kinds[i][4]
      local more = inside == "{}" and 1 or 0

      it("of 512 " .. name .. " is accepted", function()
        local value, kind, message = core.json(nested(512 - more, open, close, inside))
        assert.is_nil(kind, message)
        local depth = 0
        while type(value) == "table" do
          depth = depth + 1
          value = value.a or value[1]
        end
        assert.are.equal(512, depth)
      end)

      it("of 513 " .. name .. " is refused where it gets too deep", function()
        local value, kind, _, offset = core.json(nested(513 - more, open, close, inside))
        assert.is_nil(value)
        assert.are.equal("decode", kind)
        assert.are.equal(512 * #open, offset)
      end)
    end

    it("counts open containers, not containers", function()
      assert.are.equal(2000, #core.json("[" .. ("[[]],"):rep(1999) .. "[]]"))
    end)

    it("of 512 levels closes and opens again", function()
      local deep = nested(511, "[", "]")
      assert.are.equal(2, #core.json("[" .. deep .. "," .. deep .. "]"))
    end)

    it("of a hundred thousand levels is refused without harm", function()
      local _, kind = core.json(("["):rep(100000))
      assert.are.equal("decode", kind)
      _, kind = core.json(('{"a":'):rep(100000))
      assert.are.equal("decode", kind)
    end)
  end)

  describe("integers", function()
    local digits = {
      "0", "1", "-1", "2147483648", "4294967296",
      "99999999999999", "-99999999999999", "100000000000000", "-100000000000000",
      "999999999999999", "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993",
      "1234567890123456789", "9223372036854775807", "-9223372036854775807", "-9223372036854775808",
      "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
      "100000000000000000000", "123456789012345678901234567890", "-123456789012345678901234567890",
    }
    for i = 1, #digits do
      it("keep every digit of " .. digits[i], function()
        for _, value in ipairs { core.json(digits[i]), core.json("[" .. digits[i] .. "]")[1], core.json('{"a":' .. digits[i] .. "}").a } do
          assert.are.equal(digits[i], tostring(value))
          assert.are.equal(exact(digits[i]), type(value))
        end
      end)
    end

    it("of a thousand digits stay text", function()
      local long = "1" .. ("0"):rep(999)
      assert.are.equal(long, core.json(long))
    end)

    it("are integers where Lua has them, and fractions and exponents floats", function()
      assert.are.equal(tostring(7), tostring(core.json "7"))
      assert.are.equal(tostring(7.0), tostring(core.json "7.0"))
      assert.are.equal(tostring(7.0), tostring(core.json "70e-1"))
    end)
  end)

  describe("numbers", function()
    it("are the nearest double", function()
      local texts = { "0.1", "3.141592653589793", "1e22", "1e23", "8.98846567431158e307", "5e-324", "123456.789e-3", "9007199254740993.0" }
      for i = 1, #texts do
        assert.are.equal(tonumber(texts[i]), core.json(texts[i]))
      end
    end)

    it("that no double comes near stay text", function()
      for _, text in ipairs { "1e400", "-1e400", "1.5E+999999999999", "1.8e308" } do
        assert.are.equal(text, core.json(text))
        assert.are.same({ text }, core.json("[" .. text .. "]"))
      end
    end)

    it("are read alike under every locale", function()
      local before = assert(os.setlocale(nil, "numeric"))
      finally(function()
        os.setlocale(before, "numeric")
      end)
      local tried = 0
      -- the last ones have a decimal mark of two bytes
      for _, name in ipairs {
        "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "fr_FR.utf8", "nl_NL.UTF-8", "es_ES.UTF-8", "German", "ps_AF.UTF-8", "ps_AF",
      } do
        if os.setlocale(name, "numeric") then
          tried = tried + 1
          assert.are.equal(0.5, core.json "0.5")
          assert.are.same({ -2.25, 1.5e10, 3 }, core.json "[-2.25,1.5e10,3]")
          assert.is_nil((core.json "[0,5.]"))
          assert.is_nil((core.json '{"a":0,5}'))
        end
      end
      if tried == 0 then
        pending "no locale with another decimal mark is installed"
      end
    end)
  end)

  describe("null", function()
    local sentinel = {}

    it("is the caller's value everywhere when one is given", function()
      assert.are.equal(sentinel, core.json("null", sentinel))
      local value = core.json('{"a":null,"b":[null,{"c":null}]}', sentinel)
      assert.are.equal(sentinel, value.a)
      assert.are.equal(sentinel, value.b[1])
      assert.are.equal(sentinel, value.b[2].c)
    end)

    it("may be false", function()
      assert.are.same({ a = false }, core.json('{"a":null}', false))
    end)

    it("is the same value as lua-cjson's", function()
      assert.are.equal(require("cjson").null, core.json("[null]")[1])
    end)

    it("does not shorten an array", function()
      assert.are.equal(3, #core.json "[null,null,null]")
    end)
  end)

  describe("a list without elements", function()
    local mark = {}

    it("has the metatable that the caller gave, wherever it is", function()
      local value = core.json('{"a":[],"b":[[],[1,[]],{}],"c":{"d":[ ]},"e":{},"f":[1]}', nil, mark)
      for i, list in ipairs { value.a, value.b[1], value.b[2][2], value.c.d, core.json("[]", nil, mark), core.json("[]", false, mark) } do
        assert.are.equal(mark, getmetatable(list), i)
        assert.is_nil(next(list))
      end
      for i, other in ipairs { value, value.b, value.b[2], value.b[3], value.c, value.e, value.f, core.json("{}", nil, mark) } do
        assert.is_nil(getmetatable(other), i)
      end
    end)

    it("has none otherwise", function()
      assert.is_nil(getmetatable(core.json "[]"))
      assert.is_nil(getmetatable(core.json("[]", nil, nil)))
    end)

    it("raises where that is no table", function()
      for _, value in ipairs { "text", 5, true, print } do
        assert.is_false((pcall(core.json, "[]", nil, value)))
      end
    end)
  end)

  it("raises on what is no text", function()
    for _, value in ipairs { {}, true, print, io.stdout } do
      assert.is_false((pcall(core.json, value)))
    end
    assert.is_false((pcall(core.json)))
    assert.is_false((pcall(core.json, nil)))
  end)

  it("reads the same while garbage is collected at every step", function()
    local text = '{"list":[' .. ('{"k\\u0065y":"' .. ("\\u00e9"):rep(60) .. '","n":12345678901234567890},'):rep(50) .. "null]}"
    local pause, multiplier = collectgarbage("setpause", 0), collectgarbage("setstepmul", 10000)
    finally(function()
      collectgarbage("setpause", pause)
      collectgarbage("setstepmul", multiplier)
    end)
    local want = { key = ("\195\169"):rep(60), n = "12345678901234567890" }
    local list = core.json(text).list
    assert.are.equal(51, #list)
    assert.are.same(want, list[1])
    assert.are.same(want, list[50])
  end)
end)
