-- GET /operations/UID/logs, where a deploy_session is taken for the uid of an operation: no document says what is. The
-- entries are those of the vendor's own client, whose source is the one record of them.
local calendar = require "spec.support.fake.calendar"
local data = require "spec.support.data"
local json = require "spec.support.fake.json"
local world = require "spec.support.fake.world"

local operations = {}

local MESSAGES = { { 2, "Building web" }, { 4, "The build is slow" }, { 5, "Build of web failed: secret-of-the-log" } }

local function deployment_of(x, session)
  for _, name in ipairs(data.stack_names) do
    for _, d in ipairs(world.deployments(x.world, name)) do
      if d.deploy_session == session then
        return d
      end
    end
  end
end

---The entries; nothing, or an error id, where there are none to be had.
function operations.logs(x, session)
  local d = deployment_of(x, session)
  if x.values.logs == "forbidden" then
    return nil, "forbidden"
  elseif x.values.logs ~= "lines" or not d then
    return nil
  end
  local found = {}
  for _, message in ipairs(MESSAGES) do
    if message[1] >= (tonumber(x.query.min_severity) or 0) then
      found[#found + 1] = json.object {
        { "v", message[1] },
        { "m", message[2] },
        { "t", calendar.text(d.started_time) },
        { "s", nil },
        { "e", 0 },
        x.query.include_children == "true" and { "operation_uid", session } or nil,
      }
    end
  end
  return found
end

return operations
