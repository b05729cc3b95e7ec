-- stack:eta: when a deployment should end.
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"

local failure, raises = expect.failure, expect.raises
local begin = in_world.begin

describe("eta", function()
  it("goes by the stack's own median and ninth tenth for that type", function()
    local stack, world = begin()
    local durations = {}
    for _, d in ipairs(fake.data.deployments "staging") do
      if #durations < 30 and d.deploy_type == "build" and d.outcome == "success" and d.started_time >=
        fake.data.deployments("staging")[29].started_time then
        durations[#durations + 1] = d.duration
      end
    end
    table.sort(durations)
    local p50, p90 = durations[math.ceil(0.5 * #durations)], durations[math.ceil(0.9 * #durations)]
    local running = world:add_deployment("staging", { started_time = os.time() - 60 })
    local expected, overdue = stack:eta(stack:deployment(running.id))
    assert.equal(running.started_time + p50, expected)
    assert.is_false(overdue)
    local late = world:add_deployment("staging", { started_time = os.time() - p90 - 60 })
    expected, overdue = stack:eta(stack:deployment(late.id))
    assert.equal(late.started_time + p50, expected)
    assert.is_true(overdue)
  end)

  it("gives the end of one that has ended, and none where nothing is known", function()
    local stack, world = begin()
    local live = assert(stack:live())
    assert.same({ live.finished_time, false }, { stack:eta(live) })
    local odd = world:add_deployment("staging", { deploy_type = "first_build" })
    failure("none", stack:eta(stack:deployment(odd.id)))
    raises("eta%(%) needs a deployment", function() stack:eta(1) end)
  end)
end)
