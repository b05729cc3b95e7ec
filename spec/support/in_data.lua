-- Which deployments the fake's data have live, live before, and so on: what the library has to find out by asking.
local fake = require "spec.support.fake"

local in_data = {
  ---The stacks that were ever deployed.
  busy_stacks = { "awesome_app", "staging", "api" },
}

---The newest of a stack that matches(deployment), and its place.
function in_data.first(name, matches)
  for i, d in ipairs(fake.data.deployments(name)) do
    if matches(d) then
      return d, i
    end
  end
end

function in_data.live(name)
  return in_data.first(name, function(d)
    return d.is_live
  end)
end

---The one to go back to: what was built and live before, of another commit.
function in_data.previous(name)
  local live, at = in_data.live(name)
  local list = fake.data.deployments(name)
  for i = at + 1, #list do
    local d = list[i]
    if d.outcome == "success" and d.deploy_type == "build" and d.git_hash ~= live.git_hash and not d.reverted then
      return d, i
    end
  end
end

return in_data
