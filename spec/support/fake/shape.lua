-- A deployment of the data as the API's JSON object: integer codes, 18 keys. Scenarios change it from here.
local fields = require "spec.support.fields"
local json = require "spec.support.fake.json"

local shape = {}

---Word -> integer and display text, per field. Only web = 0, success = 1, build = 0, "Web Interface", "Successful" and
---"Redeploy" are documented; the rest follows the order of the documented words.
shape.words = {
  triggered_via = { web = { 0, "Web Interface" }, api = { 1, "API Call" }, hook = { 2, "Redeploy Hook" } },
  outcome = { pending = { 0, "In Progress" }, success = { 1, "Successful" }, failed = { 2, "Unsuccessful" } },
  deploy_type = {
    build = { 0, "Full Build" },
    redeploy = { 1, "Redeploy" },
    scale = { 2, "Scaling" },
    first_build = { 3, "First Build" },
    revert = { 4, "Rollback" },
  },
}
-- Words that no documentation knows, for the scenario of that name.
shape.words.outcome.cancelled = { 9, "Was Cancelled" }
shape.words.outcome.skipped = { 11, "Was Skipped" }
shape.words.triggered_via.schedule = { 7, "Scheduled Job" }

shape.coded = fields.names "word"
shape.dates = fields.names "date"

---A word the way `style` ("int", "string" or "word") sends it.
function shape.code(field, word, style)
  local known = shape.words[field][word]
  if style == "word" then
    return word
  elseif style == "string" then
    return json.object { { "code", word }, { "meaning", known[2] } }
  end
  return json.object { { "code", known[1] }, { "meaning", word } }
end

function shape.deployment(d)
  local members = {}
  for i, row in ipairs(fields.rows) do
    local name, kind = row[1], row[2]
    local value = d[name]
    if kind == "word" and value ~= nil then
      value = shape.code(name, value, "int")
    elseif name == "reverted" then
      value = value or json.null
    end
    members[i] = { name, value }
  end
  return json.object(members)
end

return shape
