-- A deployment of the data as the API's JSON object: integer codes, 18 keys. Scenarios change it from here.
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

shape.coded = { "triggered_via", "outcome", "deploy_type" }
shape.dates = { "started_at", "finished_at", "reverted_at" }

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
  return json.object {
    { "id", d.id },
    { "triggered_by", d.triggered_by },
    { "triggered_via", shape.code("triggered_via", d.triggered_via, "int") },
    { "started_at", d.started_at },
    { "finished_at", d.finished_at },
    { "outcome", shape.code("outcome", d.outcome, "int") },
    { "git_hash", d.git_hash },
    { "git_ref", d.git_ref },
    { "deploy_session", d.deploy_session },
    { "deploy_type", shape.code("deploy_type", d.deploy_type, "int") },
    { "is_head", d.is_head },
    { "is_live", d.is_live },
    { "reverted", d.reverted or json.null },
    { "reverted_by", d.reverted_by },
    { "reverted_at", d.reverted_at },
    { "is_deploying", d.is_deploying },
    { "commit_url", d.commit_url },
    { "snapshot_uuid", d.snapshot_uuid },
  }
end

return shape
