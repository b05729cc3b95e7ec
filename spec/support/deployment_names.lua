-- The names that a deployment has, by what they give. Its fields are in fields.lua.
local fields = require "spec.support.fields"

local names = {
  ---Field -> its documented words.
  words = {
    triggered_via = { "web", "api", "hook" },
    outcome = { "pending", "success", "failed" },
    deploy_type = { "build", "redeploy", "scale", "first_build", "revert" },
  },
  ---Field -> word -> the predicate that is true for it.
  predicate_of = {
    triggered_via = { web = "via_web", api = "via_api", hook = "via_hook" },
    outcome = { pending = "is_pending", success = "is_success", failed = "is_failed" },
    deploy_type = {
      build = "type_build", redeploy = "type_redeploy", scale = "type_scale", first_build = "type_first_build", revert = "type_revert",
    },
  },
  predicates = {
    "is_pending", "is_success", "is_failed", "is_finished", "is_running", "via_web", "via_api", "via_hook",
    "type_build", "type_redeploy", "type_scale", "type_first_build", "type_revert",
  },
  methods = { "to_table", "to_json", "raw", "matches", "elapsed", "fields" },
  ---A date -> the name of the same as Unix seconds.
  dates = {},
  ---The fields, and what else is read of their keys.
  all = fields.names(),
}

for _, name in ipairs(fields.names "date") do
  names.dates[name] = fields.seconds_name(name)
end
for name in pairs(fields.more_names()) do
  names.all[#names.all + 1] = name
end

return names
