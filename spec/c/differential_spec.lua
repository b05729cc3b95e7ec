-- The same documents read in two ways: core.json against lua-cjson, and deployments against what core.json says of them.
-- The documents are generated, and the same on every Lua.
local core = require "cloud66.core"
local cjson = require "cjson"
local fields = require "spec.support.fields"
local random_from = require "spec.support.random_from"

local slow = os.getenv "C66_SLOW" ~= nil -- under valgrind

local random -- as from random_from(); each spec begins with a seed of its own

local function any(list)
  return list[random(#list) + 1]
end

-- --- JSON of any kind --------------------------------------------------------------------------

local pieces = {
  "a", "Z", "0", " ", "plain text", "{", "}", "[", ",", ":", "'", "\127", "id", "null", ("sixteen bytes... "):rep(3), ("x"):rep(300),
  [[\"]], [[\\]], [[\/]], [[\b]], [[\f]], [[\n]], [[\r]], [[\t]], [[\u0041]], [[\u0000]], [[\u00e9]], [[\u20AC]], [[\uFFFF]],
  [[\ud83d\ude80]], [[\uDBFF\uDFFF]], "\195\169", "\226\130\172", "\240\159\154\128", "\238\128\128", "\244\143\191\191",
}
local numbers = {
  "0", "-0", "1", "-1", "7", "10", "255", "-128", "65536", "2147483647", "-2147483648", "4294967296", "99999999999999",
  "-99999999999999", "0.5", "-0.25", "0.1", "3.14159265358979", "1e0", "1E5", "1e+13", "12e-3", "-1.5E-7", "2.5e300", "1e-300", "0e9", "0.0",
}
local spaces = { "", "", "", "", " ", "\n", "\t", "\r\n", "    ", (" "):rep(40) }

local function text_of_pieces(most)
  local parts = {}
  for i = 1, random(most + 1) do
    parts[i] = any(pieces)
  end
  return '"' .. table.concat(parts) .. '"'
end

local function number()
  if random(2) == 0 then
    return any(numbers)
  end
  local digits = tostring(random(9) + 1)
  for _ = 1, random(13) do
    digits = digits .. random(10)
  end
  return (random(3) == 0 and "-" or "") .. digits
end

local function scalar()
  local kind = random(8)
  if kind < 3 then
    return text_of_pieces(6)
  elseif kind < 6 then
    return number()
  end
  return any { "true", "false", "null" }
end

local function space()
  return any(spaces)
end

local function value(depth)
  local kind = depth > 0 and random(3) or 2
  if kind == 2 then
    return scalar()
  end
  local parts = {}
  for i = 1, random(7) do
    local key = ""
    if kind == 1 then -- keys that come twice, too
      key = (random(3) == 0 and text_of_pieces(3) or any { '"a"', '"b"', [["\u0061"]], '""', '"1"' }) .. space() .. ":" .. space()
    end
    parts[i] = space() .. key .. value(depth - 1) .. space()
  end
  local open, close = "[", "]"
  if kind == 1 then
    open, close = "{", "}"
  end
  return open .. (#parts > 0 and table.concat(parts, ",") or space()) .. close
end

local function deep(levels)
  local text = value(1)
  for i = 1, levels do
    text = i % 2 == 0 and "[" .. text .. "]" or '{"k":' .. text .. "}"
  end
  return text
end

-- Nil where both are the same, else where they differ. Floats may differ in their last digits.
local function difference(a, b, path)
  if type(a) ~= type(b) then
    return ("%s: %s %s against %s %s"):format(path, type(a), tostring(a), type(b), tostring(b))
  elseif type(a) == "number" then
    if a ~= b and math.abs(a - b) > 1e-13 * math.abs(b) then
      return ("%s: %.17g against %.17g"):format(path, a, b)
    end
  elseif type(a) ~= "table" then
    if a ~= b then
      return ("%s: %q against %q"):format(path, tostring(a), tostring(b))
    end
  else
    for key, inner in pairs(a) do
      local found = difference(inner, b[key], path .. "." .. tostring(key))
      if found then
        return found
      end
    end
    for key in pairs(b) do
      if a[key] == nil then
        return ("%s.%s: only in the second"):format(path, tostring(key))
      end
    end
  end
end

local function check(text)
  local found = difference(core.json(text, cjson.null), cjson.decode(text), "value")
  if found then
    error(found .. " in " .. text, 0)
  end
end

describe("core.json and lua-cjson", function()
  it("read generated documents alike", function()
    random = random_from(66)
    for _ = 1, slow and 100 or 400 do
      check("[" .. value(4) .. "]")
    end
  end)

  it("read deep documents alike", function()
    random = random_from(512)
    for levels = 1, 500, 25 do
      check("[" .. deep(levels) .. "]")
    end
  end)

  it("read long documents alike", function()
    random = random_from(30)
    for _ = 1, 2 do
      local parts = {}
      for i = 1, 500 do
        parts[i] = value(2)
      end
      check("[" .. table.concat(parts, ",") .. "]")
    end
  end)

  it("are null, true and false alike", function()
    assert.are.equal(cjson.null, core.json "null")
    check "[null,true,false,[null],{}]"
    check '{"a":null,"b":[null,null],"c":{"d":null}}'
  end)
end)

-- --- pages -------------------------------------------------------------------------------------

local texts = fields.names "text"
local dates = {}
for _, name in ipairs(fields.names "date") do
  dates[name] = fields.seconds_name(name)
end
local flags = fields.names "boolean"
local words = fields.names "word"

local seconds = {
  ["2024-02-15T14:30:00Z"] = 1708007400,
  ["2024-02-15 14:45:30 UTC"] = 1708008330,
  ["2024-02-15T15:30:00.5+01:00"] = 1708007400,
  ["2014-08-29T17:46:16Z"] = 1409334376,
  ["1970-01-01"] = 0,
}
local date_texts = { "soon", "", "2024-02-30T00:00:00Z", "2024-02-15T14:30:00Z trailing" }
for text in pairs(seconds) do
  date_texts[#date_texts + 1] = text
end
table.sort(date_texts)

local function quoted(text)
  return '"' .. text .. '"'
end

local function escaped(text)
  return (text:gsub(".", function(c)
    return random(4) == 0 and ("\\u%04x"):format(c:byte()) or c
  end))
end

local odd = { "null", "null", "5", "-1.5", "true", "{}", "[]", "[1]", '"text"', '""', '{"code":1}' }

local function word_part()
  return any {
    "null", "0", "1", "-2", "1.5", '"1"', '"-1.5"', '""', '"success"', '"Failed"', '"pending"', '"web"', '"API"', '"hook"', '"build"', '"redeploy"',
    '"scale"', '"first_build"', '"REVERT"', '"Web Interface"', [["suc\u0063ess"]], '"caf\195\169"', "[]", "{}", "true", '"' .. ("long "):rep(50) .. '"',
  }
end

local function word()
  if random(4) == 0 then
    return word_part()
  end
  local parts = {}
  for i = 1, random(4) do
    parts[i] = any { '"code"', '"meaning"', '"code"', '"meaning"', '"more"', [["me\u0061ning"]] } .. ":" .. space() .. word_part()
  end
  return "{" .. space() .. table.concat(parts, "," .. space()) .. "}"
end

-- The JSON of one value for a key; now and then of a wrong type.
local function field_value(kind)
  if random(8) == 0 then
    return any(odd)
  elseif kind == "text" then
    return random(2) == 0 and text_of_pieces(4) or quoted(("%040d"):format(random(1000000)))
  elseif kind == "date" then
    local text = any(date_texts)
    return quoted(random(4) == 0 and escaped(text) or text)
  elseif kind == "flag" then
    return any { "true", "false" }
  end
  return word()
end

local kinds, order = {}, {}
for kind, list in pairs { text = texts, flag = flags, word = words, date = { "started_at", "finished_at", "reverted_at" } } do
  for _, name in ipairs(list) do
    kinds[name] = kind
    order[#order + 1] = name
  end
end
table.sort(order)

-- An object, and for each of its keys the JSON that counts.
local function object(i)
  local members, sent = { '"id":' .. i }, { id = tostring(i) }
  local function add(key, json)
    members[#members + 1] = (random(12) == 0 and quoted(escaped(key)) or quoted(key)) .. space() .. ":" .. space() .. json .. space()
    sent[key] = json
  end
  for _, name in ipairs(order) do
    if random(6) > 0 then
      add(name, field_value(kinds[name]))
    end
  end
  if random(3) == 0 then
    local name = any(order)
    add(name, field_value(kinds[name]))
  end
  if random(5) == 0 then
    add("rollout", value(2))
  end
  if random(50) == 0 then
    add("notes", quoted(("x"):rep(32000 + random(2000))))
  end
  if random(4) == 0 then -- another order
    for k = #members, 2, -1 do
      local other = random(k) + 1
      members[k], members[other] = members[other], members[k]
    end
    sent = nil -- of keys given twice another one may be the last
  end
  return "{" .. space() .. table.concat(members, "," .. space()) .. "}", sent
end

local function is_number_text(text)
  return text == "" or (text:find "^%-?[%d.]*$" ~= nil and text ~= "-")
end

-- What a word field, its code and its meaning must be.
local function expected_word(plain)
  if type(plain) == "string" then
    return plain ~= "" and plain:lower() or nil
  elseif type(plain) ~= "table" then
    return nil
  end
  local code, meaning = plain.code, plain.meaning
  code = (type(code) == "string" or type(code) == "number") and code or nil
  meaning = type(meaning) == "string" and meaning or nil
  if type(code) == "string" and not is_number_text(code) then
    return code:lower(), code, meaning
  end
  return meaning and meaning ~= "" and meaning:lower() or nil, code, meaning
end

-- Every readable name that has a value -> the value.
local function expected(plain)
  local want = { id = plain.id }
  for _, name in ipairs(texts) do
    want[name] = type(plain[name]) == "string" and plain[name] or nil
  end
  for name, time in pairs(dates) do
    want[name] = type(plain[name]) == "string" and plain[name] or nil
    want[time] = seconds[want[name]]
  end
  for _, name in ipairs(flags) do
    if type(plain[name]) == "boolean" then
      want[name] = plain[name]
    end
  end
  for _, name in ipairs(words) do
    want[name], want[name .. "_code"], want[name .. "_meaning"] = expected_word(plain[name])
  end
  if want.started_time and want.finished_time and want.finished_time >= want.started_time then
    want.duration = want.finished_time - want.started_time
  end
  for field, prefix in pairs { outcome = "is_", triggered_via = "via_", deploy_type = "type_" } do
    for _, one in ipairs(core.words[field]) do
      want[prefix .. one] = want[field] == one
    end
  end
  want.is_finished = (want.finished_at or "") ~= "" or (want.is_success or want.is_failed) and want.is_deploying ~= true
  want.is_running = not want.is_finished and (want.is_deploying == true or want.is_pending)
  return want
end

local types = { ["{"] = "object", ["["] = "array", ['"'] = "string", t = "boolean", f = "boolean", n = "null" }

-- field -> JSON type, of what was sent and cannot be read.
local function expected_drift(want, sent)
  local list = {}
  for name, json in pairs(sent) do
    local read = want[name]
    if dates[name] then
      read = want[dates[name]]
    end
    if kinds[name] and read == nil and json ~= "null" then
      list[name] = types[json:sub(1, 1)] or "number"
    end
  end
  return list
end

local all_names = {}
for name in pairs(core.names) do
  all_names[#all_names + 1] = name
end

local function check_deployment(d, json)
  local plain = core.json(json)
  local want = expected(plain)
  for k = 1, #all_names do
    local name = all_names[k]
    if d[name] ~= want[name] then
      error(("%s: expected %s, got %s in %s"):format(name, tostring(want[name]), tostring(d[name]), json), 0)
    end
  end
  for name in pairs(want) do
    if not core.names[name] then
      error("expected a value of a name there is not: " .. name, 0)
    end
  end
  local found = difference(d:to_table(), plain, "to_table")
  for key, inner in pairs(plain) do
    found = found or difference(d:raw(key), inner, "raw " .. key)
  end
  if found then
    error(found .. " in " .. json, 0)
  end
  return want
end

local function check_drift(page, want, sent)
  local found = {}
  for _, entry in ipairs(page.drift) do
    found[entry.index] = found[entry.index] or {}
    found[entry.index][entry.field] = entry.got
  end
  for i = 1, #page do
    if sent[i] then
      local problem = difference(found[i] or {}, expected_drift(want[i], sent[i]), "drift")
      if problem then
        error(problem .. " in " .. page[i]:to_json(), 0)
      end
    end
  end
end

describe("deployments and core.json", function()
  it("say the same of generated pages", function()
    random = random_from(107)
    local deployments = 0
    for _ = 1, slow and 10 or 40 do
      local objects, sent, want = {}, {}, {}
      for i = 1, random(30) + 1 do
        objects[i], sent[i] = object(i)
      end
      local text = any { '{"response":[%s]}', "[%s]", ' { "count" : 1 , "response" : [ %s ] , "pagination" : { "next" : 2 } } ' }
      local before, after = text:match "^(.*)%%s(.*)$"
      local page = assert(core.decode(before .. table.concat(objects, space() .. "," .. space()) .. after))
      assert.are.equal(#objects, #page)
      for i = 1, #page do
        want[i] = check_deployment(page[i], objects[i])
      end
      check_drift(page, want, sent)
      deployments = deployments + #page
    end
    assert.is_true(deployments > (slow and 75 or 300))
  end)
end)
