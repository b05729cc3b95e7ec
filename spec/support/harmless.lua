-- What may be shown to anybody: no token, no control characters.
local assert = require "luassert"
local fake = require "spec.support.fake"

local harmless = {}

---Every text in a table and its metatable, one after the other.
function harmless.texts(value, seen)
  seen = seen or {}
  if type(value) == "string" then
    return value .. "|"
  elseif type(value) ~= "table" or seen[value] then
    return ""
  end
  seen[value] = true
  local all = {}
  for key, inner in next, value do
    all[#all + 1] = harmless.texts(key, seen) .. harmless.texts(inner, seen)
  end
  return table.concat(all) .. harmless.texts(debug.getmetatable(value), seen)
end

---Whether a text is anywhere in a value: keys, values, metatables.
function harmless.holds(value, text)
  return harmless.texts(value):find(text, 1, true) ~= nil
end

---Checks a failure's err and message.
function harmless.check(err, message)
  local all = harmless.texts(err) .. message .. tostring(err)
  assert.is_nil(all:find(fake.token, 1, true), all)
  assert.is_nil(all:find "[%z\1-\31\127]", all)
  assert.is_nil(all:find "\194[\128-\159]", all)
end

return harmless
