-- stack:ensure: a commit is live in the end, and is deployed where it is not.
local clock = require "spec.support.clock"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"

local failure, raises, each_raises = expect.failure, expect.raises, expect.each_raises
local begin, with = in_world.begin, in_world.again
local at = clock.at

describe("ensure", function()
  local function ensure(world, hash, scenario, options)
    local tag = fake.fresh_tag()
    scenario = scenario or {}
    scenario.tag = tag
    local stack = with(world, scenario)
    local deployment, info, err = clock.run(world, function()
      return stack:ensure(hash, options)
    end)
    local posts = 0
    for _, request in ipairs(fake.requests(tag)) do
      posts = posts + (request.method == "POST" and 1 or 0)
    end
    return posts, deployment, info, err
  end

  local hash = ("abc1234"):rep(6):sub(1, 40)

  it("does nothing when the commit is live", function()
    local world = fake.world()
    local live = assert(with(world):live())
    local posts, deployment, info = ensure(world, live.git_hash)
    assert.equal(0, posts)
    assert.equal(live.id, deployment.id)
    assert.equal("live", info.ensured)
  end)

  it("deploys it otherwise, once", function()
    local world = fake.world()
    local posts, deployment, info = ensure(world, hash)
    assert.equal(1, posts)
    assert.equal(hash, deployment.git_hash)
    assert.is_true(deployment.is_success)
    assert.equal("deployed", info.ensured)
    posts, deployment, info = ensure(world, hash:sub(1, 8):upper())
    assert.equal(0, posts)
    assert.equal(hash, deployment.git_hash)
    assert.equal("live", info.ensured)
  end)

  it("joins a deployment of it that runs, whoever started it", function()
    local world = fake.world()
    local other = world:add_deployment("staging", { git_hash = hash })
    local stack = with(world)
    local deployment, info = clock.run(world, function()
      return stack:ensure(hash)
    end, at { [100] = function() world:change(other, { finished_time = world:now(), outcome = "success" }) end })
    assert.equal(other.id, deployment.id)
    assert.equal("joined", info.ensured)
  end)

  it("joins one of its own that still waits in the queue: a job that was killed and runs again", function()
    local world = fake.world()
    local blocker = world:add_deployment("staging", { blocks = true })
    local posts, value, message, err = ensure(world, hash, nil, { timeout = 60 })
    assert.equal(1, posts)
    failure("timeout", value, message, err)
    world:change(blocker, { finished_time = world:now(), outcome = "success" })
    local deployment, info
    posts, deployment, info = ensure(world, hash)
    assert.equal(0, posts)
    assert.equal(hash, deployment.git_hash)
    assert.equal("joined", info.ensured)
  end)

  it("joins it whatever length of the hash is asked for", function()
    local world = fake.world()
    world:add_deployment("staging", { blocks = true })
    for i, asked in ipairs { hash:sub(1, 8), hash, hash:sub(1, 12):upper() } do
      local posts, value, message, err = ensure(world, asked, nil, { timeout = 30 })
      assert.equal(i == 1 and 1 or 0, posts)
      failure("timeout", value, message, err)
    end
  end)

  it("does not take a reference that is over for the commit being live", function()
    local world = fake.world()
    local posts = ensure(world, hash, nil, { user_reference = "job-1" })
    assert.equal(1, posts)
    assert.equal(1, (ensure(world, ("fedcba9"):rep(6):sub(1, 40))))
    local value, message, err
    posts, value, message, err = ensure(world, hash, nil, { user_reference = "job-1" })
    assert.equal(0, posts)
    failure("conflict", value, message, err)
  end)

  it("takes what is live for its own where two deployments of the commit may be", function()
    local world = fake.world()
    local stack, other = with(world, { queue = 20, takes = 30 }), nil
    local deployment, info = clock.run(world, function()
      return stack:ensure(hash, { interval = 5 })
    end, at {
      [21] = function() other = world:add_deployment("staging", { triggered_via = "api", triggered_by = "ci@awesome.example", git_hash = hash }) end,
      [50] = function() world:change(other, { finished_time = world:now(), outcome = "failed" }) end,
    })
    assert.is_userdata(deployment, info)
    assert.same({ "likely", "deployed", hash }, { info.match, info.ensured, deployment.git_hash })
    assert.is_true(deployment.is_live)
  end)

  it("says unmatched where the action has succeeded, and the commit is not live", function()
    local _, value, message, err = ensure(fake.world(), hash, { ends = "none" })
    err = failure("unmatched", value, message, err)
    assert.matches("is not live", message)
    assert.is_true(err.action_succeeded)
  end)

  it("ends at its time, whatever it is at", function()
    local world = fake.world()
    local began = os.time()
    failure("timeout", with(world, { delay = 0.4 }):ensure(hash, { timeout = 1 }))
    assert.is_true(os.time() - began <= 3)
  end)

  it("tells a failure, and does nothing when it cannot ask", function()
    local world = fake.world()
    local posts, value, message, err = ensure(world, hash, { ends = "failed" })
    assert.equal(1, posts)
    failure("deploy_failed", value, message, err)
    posts, value, message, err = ensure(world, hash, { error = "server", on = "deployments" })
    assert.equal(0, posts)
    failure("server", value, message, err)
    posts, value, message, err = ensure(world, hash, { error = "server", on = "actions" })
    assert.equal(0, posts)
    failure("server", value, message, err)
  end)

  it("refuses what is no commit", function()
    local stack = begin()
    each_raises("git_hash", { "", "main", "abc", 1234567 }, function(wrong) stack:ensure(wrong) end)
    raises("git_hash", function() stack:ensure() end)
    each_raises("unknown option", { { git_ref = "x" }, { current = true } }, function(options) stack:ensure(hash, options) end)
  end)
end)
