-- Whatever the bytes, decode gives a page, or nil, message, err with the kind "decode" and an offset; and what it was given
-- leaves no trace in what it reads next. More than what spec/c/decode_spec.lua has: more bytes, more places, larger bodies.
local core = require "cloud66.core"
local documented = require "spec.support.documented"
local random_from = require "spec.support.random_from"
local refused = require("spec.support.decoding").refused

local slow = os.getenv "C66_SLOW" ~= nil -- under valgrind

local pretty = [[
{ "response" : [
    { "id" : 107,  "git_ref" : "caf\u00e9 \ud83d\ude80",  "outcome" : { "code" : 1, "meaning" : "success" },
      "is_live" : true, "started_at" : "2014-08-29T17:46:16Z", "extra" : [ 1.5e3, null, { "a" : "b\\" } ] },
    { "id" : 108,  "git_ref" : "main",  "outcome" : { "code" : 2, "meaning" : "failed" },
      "is_live" : false, "started_at" : null, "extra" : [ ] } ],
  "count" : 2, "pagination" : { "previous" : null, "next" : 2, "current" : 1, "pages" : 9 } }]]
local forms = { pretty, documented.list, documented.single, documented.model, "[" .. documented.model .. "," .. documented.model .. "]" }

-- As ids and words, what a page says.
local function summary(text)
  local page = assert(core.decode(text))
  local parts = {}
  for i, id, outcome, ref, time in page:rows("id", "outcome", "git_ref", "started_time") do
    parts[i] = table.concat({ tostring(id), tostring(outcome), tostring(ref), tostring(time) }, " ")
  end
  return table.concat(parts, "\n")
end

local summaries = {}
for _, text in ipairs(forms) do
  summaries[text] = summary(text)
end

-- The page, or nil and the offset.
local function decode(text)
  local page, kind, message, offset = core.decode(text)
  if page then
    return page
  end
  if kind ~= "decode" or type(message) ~= "string" or type(offset) ~= "number" or offset < 0 or offset > #text then
    error(("%s, %s, %s of %q"):format(tostring(kind), tostring(message), tostring(offset), text:sub(1, 2000)), 0)
  end
  return nil, offset
end

local function decode_all_names(text)
  local page = decode(text)
  for i = 1, page and #page or 0 do
    for _, _ in page[i]:fields() do -- luacheck: ignore 512
    end
    local _ = page[i]:to_table()
  end
  local _ = page and page.drift
  return page ~= nil
end

local function check_whole(text)
  if summary(text) ~= summaries[text] then
    assert.are.equal(summaries[text], summary(text))
  end
end

describe("decode", function()
  it("survives a hundred thousand flipped bits", function()
    local random = random_from(42)
    local pages, rounds = 0, slow and 5000 or 100000
    for i = 1, rounds do
      local text = forms[i % #forms + 1]
      local place = random(#text) + 1
      local byte, bit = text:byte(place), 2 ^ random(8)
      byte = math.floor(byte / bit) % 2 == 1 and byte - bit or byte + bit
      local damaged = text:sub(1, place - 1) .. string.char(byte) .. text:sub(place + 1)
      if i % 100 == 0 then
        pages = pages + (decode_all_names(damaged) and 1 or 0)
        check_whole(text)
      else
        pages = pages + (decode(damaged) and 1 or 0)
      end
    end
    assert.is_true(pages > rounds / 10 and pages < rounds * 9 / 10)
  end)

  it("refuses every beginning of a page it has just learned", function()
    for _, text in ipairs { pretty, documented.list } do
      for length = 0, #text - 1 do
        check_whole(text)
        assert.is_nil((decode(text:sub(1, length))))
      end
    end
  end)

  it("survives each byte that is missing, doubled, or another", function()
    for _, text in ipairs { pretty, documented.single } do
      for place = 1, #text do
        local before, byte, after = text:sub(1, place - 1), text:sub(place, place), text:sub(place + 1)
        decode_all_names(before .. after)
        decode_all_names(before .. byte .. byte .. after)
        for _, other in ipairs { "\0", "\255", '"', "\\", "{", "]", "," } do
          decode(before .. other .. after)
        end
      end
      check_whole(text)
    end
  end)

  it("survives every text of two bytes", function()
    local accepted = {}
    for first = 0, 255, slow and 7 or 1 do
      for second = 0, 255 do
        local text = string.char(first, second)
        if decode(text) then
          accepted[#accepted + 1] = text
        end
      end
    end
    assert.are.same({ "[]" }, accepted)
  end)

  it("refuses a hundred thousand brackets wherever they stand", function()
    local levels = 100000
    for _, form in ipairs {
      { "", "", 0 }, { "[", "]", 1 }, { '{"response":', "}", 1 }, { '{"response":[],"pagination":', "}", 1 },
      { '{"response":[],"meta":', "}", 1 }, { '[{"id":1,"git_ref":', "}]", 2 }, { '[{"id":1,"outcome":', "}]", 2 },
      { '[{"id":1,"outcome":{"code":', "}}]", 3 }, { '{"id":1,"is_live":', "}", 1 }, { '{"response":{"id":', "}}", 2 },
    } do
      local before, after, open = form[1], form[2], form[3]
      for _, pair in ipairs { { "[", "]" }, { '{"a":', "}" } } do
        local offset = refused(before .. pair[1]:rep(levels) .. "1" .. pair[2]:rep(levels) .. after)
        assert.is_true(offset <= #before + (512 - open) * #pair[1])
        assert.are.equal(offset, refused(before .. pair[1]:rep(levels)))
      end
    end
  end)

  it("takes and refuses bodies of fifty million bytes", function()
    if slow then
      pending "would take long"
      return
    end
    local large = 50 * 1000 * 1000
    local function fill(before, filler, after)
      return before .. filler:rep(math.floor((large - #before - #after) / #filler)) .. after
    end

    local text = fill('{"response":[', documented.model .. ",", documented.model .. "]}")
    local page = assert(core.decode(text))
    assert.are.equal(math.floor((#text - 13) / (#documented.model + 1)), #page)
    assert.are.equal("main", page[#page].git_ref)
    assert.are.equal(documented.model, page[#page]:to_json())
    page = nil -- luacheck: ignore 311
    assert.are.equal(#text - 1, refused(text:sub(1, -2)))
    collectgarbage()

    local before, after = '[{"id":1,"git_ref":"', '","outcome":"failed"}]'
    text = fill(before, ("x"):rep(1000), after)
    page = assert(core.decode(text))
    assert.are.equal("failed", page[1].outcome)
    assert.are.equal(#text - #before - #after, #page[1].git_ref)
    page = nil -- luacheck: ignore 311
    collectgarbage()

    assert.are.equal(0, refused("x" .. text))
    text = fill("", (" "):rep(1000), "x")
    assert.are.equal(#text - 1, refused(text))
    text = fill(before, ([[\n]]):rep(500), "")
    assert.are.equal(#text, refused(text))
    text = nil -- luacheck: ignore 311
    collectgarbage()
  end)
end)
