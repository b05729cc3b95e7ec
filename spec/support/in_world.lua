-- A stack in a world of its own, where a spec may change something, and other clients of the same world.
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
require "spec.support.looks"

local in_world = {}

---A stack by a client of a new world.
---@param scenario? table  as for fake.url()
---@param options? table   as for cloud66.new()
---@param name? string     of the fake's stack: staging
---@return cloud66.Stack stack, table world, string tag  under which fake.requests() has its requests
function in_world.begin(scenario, options, name)
  local world, tag = fake.world(), fake.fresh_tag()
  local asked = merged({ world = world.name, tag = tag }, scenario)
  return expect.connect(asked, options):stack(fake.stacks[name or "staging"]), world, tag
end

---Staging by another client of a world, which has none of the first one's faults.
function in_world.again(world, scenario, options)
  return expect.connect(merged(scenario, { world = world.name }), options):stack(fake.stacks.staging)
end

return in_world
