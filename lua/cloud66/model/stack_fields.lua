-- stack_fields.lua: the API's fields of a stack, as data.

local stack_fields = {}

-- The keys the API documents, old and new; others are reached by stack:raw(name).
local FIELDS = {}
for name in ([[uid name git git_branch environment cloud fqdn language framework status health last_activity
  last_activity_iso maintenance_mode has_loadbalancer created_at updated_at created_at_iso updated_at_iso
  deploy_directory cloud_status redeploy_hook account_id account_name backend version revision is_busy is_cluster
  is_inside_cluster cluster_name application_address configstore_namespace namespaces considerations]]):gmatch("%S+") do
  FIELDS[name] = true
end

-- In the order of the API's numbers, from 0 on.
local STATUS = { "queued", "success", "failed", "analysing", "analysed", "queued_for_deploying", "deploying",
  "terminal_failure" }
local HEALTH = { "unknown", "building", "partial", "ok", "broken" }

-- A number the API does not document passes through as its digits.
local function word(words, number)
  if number == nil then
    return nil
  end
  return type(number) == "number" and words[number + 1] or tostring(number)
end

---What is derived from the fields that were sent: name -> function fields -> value.
stack_fields.derived = {}

local derived = stack_fields.derived

function derived.status_name(fields)
  return word(STATUS, fields.status)
end

function derived.health_name(fields)
  return word(HEALTH, fields.health)
end

---What criteria may name of a stack.
stack_fields.schema = { item = "stack", names = {}, words = { status_name = STATUS, health_name = HEALTH } }
for name in pairs(FIELDS) do
  stack_fields.schema.names[name] = "any"
end
for name in pairs(derived) do
  stack_fields.schema.names[name] = "word"
end

return stack_fields
