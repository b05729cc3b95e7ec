-- stack:redeploy: a reference that comes again, with other parameters.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"
local merged = require "spec.support.merged"

local failure = expect.failure
local begin, again = in_world.begin, in_world.again

describe("the same reference with other parameters", function()
  local function redeploy(stack, options)
    return stack:redeploy(merged({ user_reference = "job-2" }, options))
  end

  it("is a conflict, which says what the first was for", function()
    local stack, _, tag = begin()
    assert(redeploy(stack, { git_ref = "v1", deploy_strategy = "rolling" }))
    for _, other in ipairs { { git_ref = "v2", deploy_strategy = "rolling" }, { git_ref = "v1" }, { current = true },
      { services = { "web:v1" } }, { git_ref = "v1", services = "web:v1", deploy_strategy = "rolling" } } do
      local err = failure("conflict", redeploy(stack, other))
      assert.matches("'job%-2' was used before to deploy git_ref 'v1', deploy_strategy 'rolling'", err.message)
      assert.equal("job-2", err.user_reference)
    end
    assert.equal(1, #fake.requests(tag, "POST"))
    assert(redeploy(stack, { git_ref = "refs/heads/v1", deploy_strategy = "rolling" }))
    assert(redeploy(stack, { git_ref = "v2", reuse = false }))
    assert.equal(2, #fake.requests(tag, "POST"))
  end)

  it("is none where they say the same in another way", function()
    local stack, _, tag = begin()
    local hash = ("ab12"):rep(10)
    assert(redeploy(stack, { git_ref = hash, services = { "web", "worker" } }))
    assert(redeploy(stack, { git_ref = hash:sub(1, 8):upper(), services = { "worker", "web" } }))
    assert.equal(1, #fake.requests(tag, "POST"))
  end)

  it("is one whichever of them differs", function()
    local first = { git_ref = "v1", deployment_profile = "a", deploy_strategy = "rolling", rollout_strategy = "a", canary_percentage = 10 }
    for name, other in pairs { deployment_profile = "b", deploy_strategy = "fast", rollout_strategy = "b", canary_percentage = 20 } do
      local stack = begin()
      assert(redeploy(stack, first))
      failure("conflict", redeploy(stack, merged(first, { [name] = other })))
    end
  end)

  it("is known of 200 redeploys before the latest", function()
    local stack = begin()
    local function redeploy_as(reference, ref)
      return stack:redeploy { user_reference = reference, git_ref = ref }
    end
    assert(redeploy_as("job-2", "v1"))
    assert(redeploy_as("job-3", "v1"))
    for i = 1, 198 do
      assert(stack:redeploy { user_reference = "other-" .. i, git_ref = "main", reuse = false })
    end
    failure("conflict", redeploy_as("job-2", "v2"))
    assert(stack:redeploy { git_ref = "main" })
    assert(redeploy_as("job-2", "v2")) -- no longer
    failure("conflict", redeploy_as("job-3", "v2"))
  end)

  it("is one for another process as well, where the action says what it was for", function()
    local stack, world = begin()
    assert(redeploy(stack, { git_ref = "v1" }))
    local other = again(world, { metadata = "ref" })
    failure("conflict", redeploy(other, { git_ref = "v2" }))
    assert.equal("v1", assert(redeploy(other, { git_ref = "v1" })).joined.git_ref)
    assert(redeploy(other, { git_ref = ("ab12"):rep(10) })) -- may be v1
    failure("conflict", redeploy(stack, { git_ref = ("ab12"):rep(10) })) -- who sent v1 knows
  end)

  it("and where its deployment says it", function()
    local stack, world = begin()
    assert(redeploy(stack, { git_ref = "v1" }))
    local value, message, err = clock.run(world, function()
      local other = again(world)
      return other:wait(assert(redeploy(other, { git_ref = "v2" })), { interval = 5 })
    end)
    err = failure("conflict", value, message, err)
    assert.matches("another git_ref before %('v1', now 'v2'%)", message)
    assert.is_true(err.last.is_running)
    assert.is_true(world.settings.offset < 30)
  end)

  it("is none where somebody else has sent it, and ours was never carried out", function()
    local stack, world = begin { metadata = "ref", error = "bad_gateway", on = "redeploy" }
    local value, message, err = clock.run(world, function()
      return redeploy(stack, { git_ref = "v1" })
    end)
    failure("ambiguous", value, message, err)
    assert(redeploy(again(world), { git_ref = "v2" }))
    assert.equal("v2", assert(redeploy(stack, { git_ref = "v2" })).joined.git_ref)
  end)

  it("is none for a number that is written in another way", function()
    local stack = begin()
    assert(redeploy(stack, { git_ref = "main", canary_percentage = 10 }))
    assert.is_table(assert(redeploy(stack, { git_ref = "main", canary_percentage = 10.0 })).joined)
  end)

  it("is not hidden where nothing says it: what is joined is likely at the most", function()
    local stack, world = begin { model = "short" }
    assert(redeploy(stack, { git_ref = "v1" }))
    local found, info = clock.run(world, function()
      local other = again(world, { model = "short" })
      return other:wait(assert(redeploy(other, { git_ref = "v2" })), { interval = 5 })
    end)
    assert.is_userdata(found, info)
    assert.equal("likely", info.match)
  end)

  it("was refused the first time, which is none", function()
    local stack, world = begin { redeploy = "refused" }
    failure("refused", redeploy(stack, { git_ref = "v1" }))
    assert(redeploy(again(world), { git_ref = "v2" }))
    assert(redeploy(stack, { git_ref = "v2" }))
  end)

  it("was not carried out the first time, which is none either", function()
    local stack, world = begin { error = "forbidden", on = "redeploy" }
    failure("forbidden", redeploy(stack, { git_ref = "v1" }))
    assert(redeploy(again(world), { git_ref = "v2" }))
    assert(redeploy(stack, { git_ref = "v2" }))
  end)

  it("tells what was joined, and whether it is over", function()
    local stack, world = begin()
    assert(redeploy(stack, { git_ref = "main" }))
    local result = assert(redeploy(stack, { git_ref = "main" }))
    assert.is_false(result.joined.is_finished)
    world:advance(10)
    stack:actions():collect() -- the fake computes as it is asked
    world:advance(100)
    result = assert(redeploy(stack, { git_ref = "main" }))
    assert.same({ true, true }, { result.joined.is_finished, result.joined.finished_success })
    assert.is_number(result.joined.started_time)
  end)
end)
