-- The longest history of the fake's: what is known of it, and a stack that has it.
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local lists = require "spec.support.lists"
local merged = require "spec.support.merged"

local long_history = {
  ---Its deployments, newest first: plain tables.
  known = fake.data.deployments "awesome_app",
}

---The ids of those that match(deployment, i), all without, at most `limit`.
function long_history.known_ids(matches, limit)
  return lists.column(lists.filtered(long_history.known, matches, limit), "id")
end

---The stack, and a function that tells how many requests were sent so far.
function long_history.begin(scenario)
  local tag = fake.fresh_tag()
  return expect.stack_of("awesome_app", merged(scenario, { tag = tag })), function()
    return #fake.requests(tag)
  end
end

---The ids that a sequence gives in a `for`.
function long_history.walk(seq)
  return lists.walked(seq, "id")
end

function long_history.is_success(d)
  return d.outcome == "success"
end

return long_history
