-- Texts that are decoded: what they give, or how they are refused.
local assert = require "luassert"
local cloud66 = require "cloud66"
local lists = require "spec.support.lists"

local decoding = {}

function decoding.decode(text)
  return assert(cloud66.decode(text))
end

---Decodes what must be refused, and checks the form of the refusal: offset, message, err.
function decoding.refused(text)
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

---JSON: a list of deployments with the ids from 1 to `count`.
function decoding.list(count)
  local objects = {}
  for i = 1, count do
    objects[i] = ('{"id":%d,"git_hash":"%040d","outcome":{"code":%d,"meaning":"%s"},"is_live":%s}'):format(
      i, i, i % 3, ({ "success", "failed", [0] = "pending" })[i % 3], tostring(i == 2))
  end
  return "[" .. table.concat(objects, ",") .. "]"
end

function decoding.ids(page)
  return lists.column(page, "id")
end

---The deployment of one JSON object, given as the text between its braces, behind an id.
function decoding.deployment(members)
  return decoding.decode('{"id":1' .. (members and "," .. members or "") .. "}")[1]
end

---The drift of a page whose second deployment has these members.
function decoding.drift_of(members)
  return decoding.decode('{"response":[{"id":1},{"id":2' .. "," .. members .. "}]}").drift
end

---The text with every character as a \u escape.
function decoding.escaped(text)
  return (text:gsub(".", function(character)
    return ("\\u%04x"):format(character:byte())
  end))
end

return decoding
