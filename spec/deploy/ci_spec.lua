-- The table "In CI" of docs/deploy.md: each cell is run, and says how many deployments there are and how the second run ends.
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local looks = require "spec.support.looks"
local markdown = require "spec.support.markdown"
local merged = require "spec.support.merged"

local HASH = ("abc1234"):rep(6):sub(1, 40)
local SHORT = { interval = 5, timeout = 60 } -- for a run that gives up

-- What a row passes: run(stack, number of the run, options of the wait) -> deployment, info; or nil, message, err.
local function by_reference(reference_of)
  return function(stack, number, options)
    local result, message, err = stack:redeploy { git_ref = "main", user_reference = reference_of(number) }
    if not result then
      return nil, message, err
    end
    local deployment, info
    deployment, info, err = stack:wait(result, options)
    return deployment, deployment and merged(info, { how = result.joined and "joined" or "deployed" }) or info, err
  end
end

local RUNS = {
  ["--ensure COMMIT"] = function(stack, _, options)
    local deployment, info, err = stack:ensure(HASH, options)
    return deployment, deployment and merged(info, { how = info.ensured }) or info, err
  end,
  ["--ref REF --reference RUN"] = by_reference(function() return "run-1" end),
  ["--ref REF --reference ATTEMPT"] = by_reference(function(number) return "run-1-" .. number end),
  ["--ref REF --reference JOB"] = by_reference(function(number) return "job-" .. number end),
  ["--ref REF"] = by_reference(function() end),
}

-- What the words of a cell say of the second run; no words: that is not of interest.
local ENDS = {
  joined = function(_, info) return info.how == "joined" end,
  ["deployed again"] = function(_, info) return info.how == "deployed" end,
  ["the failure is reported again"] = function(_, _, err) return err.kind == "deploy_failed" end,
}

describe("In CI,", function()
  local world, tag

  before_each(function()
    world, tag = fake.world(), fake.fresh_tag()
  end)

  local function process(scenario, options)
    return expect.connect(merged({ world = world.name, tag = tag }, scenario), options):stack(fake.stacks.staging)
  end

  local function in_time(run, stack, number, options)
    return clock.run(world, function()
      return run(stack, number, options or { interval = 5 })
    end)
  end

  local LAG = { lag_actions = 3, lag_deployments = 3, lag_action = 3, lag_deployment = 3 }

  -- By the heading of a column: has the job run twice; gives what the second run gave.
  local COLUMNS = {
    ["a retry while it runs"] = function(run)
      expect.failure("timeout", in_time(run, process { takes = 300 }, 1, SHORT))
      return in_time(run, process { takes = 300 }, 2)
    end,
    ["a re-run after a failure"] = function(run)
      expect.failure("deploy_failed", in_time(run, process { ends = "failed" }, 1))
      return in_time(run, process(), 2)
    end,
    ["killed, and run again"] = function(run)
      local dying = process(LAG, { on = { response = function(info)
        if info.method == "POST" then
          error("interrupted!", 0)
        end
      end } })
      assert.is_false((pcall(in_time, run, dying, 1)))
      return in_time(run, process(LAG), 2)
    end,
  }

  -- Two that begin in the same moment: how many deployments there are. Nobody waits for their end.
  local function at_once(run, store)
    local stacks = {}
    for number = 1, 2 do
      stacks[number] = process(LAG, { store = store, budget = store and false or nil })
    end
    assert(expect.connect({}):map({ 1, 2 }, function(number)
      expect.failure("timeout", run(stacks[number], number, { interval = 1, timeout = 1 }))
    end))
    return #fake.requests(tag, "POST")
  end

  local NUMBERS = { one = 1, two = 2 }

  local heading = { "a retry while it runs", "a re-run after a failure", "two at once", "killed, and run again" }
  local cells_of = {}
  for _, cells in ipairs(markdown.rows "docs/deploy.md") do
    local name = cells[1]:match "^`(.*)`$"
    if RUNS[name] then
      cells_of[#cells_of + 1] = { name = name, cells = cells }
    end
  end

  for _, row in ipairs(cells_of) do
    for i, column in ipairs(heading) do
      local cell = row.cells[i + 2]
      it(("%s, %s: %s"):format(row.name, column, cell), function()
        local run, number = RUNS[row.name], NUMBERS[cell:match "^%l+"]
        if column == "two at once" then
          assert.equal(number, at_once(run))
          world, tag = fake.world(), fake.fresh_tag()
          assert.equal(cell:find "one with a store" and 1 or 2, at_once(run, cloud66.store.memory()))
          return
        end
        looks.apart(function()
          local deployment, info, err = COLUMNS[column](run)
          assert.is_true(ENDS[cell:match ": (.*)$"](deployment, info, err), tostring(info))
        end)
        assert.equal(number, #fake.requests(tag, "POST"))
      end)
    end
  end

  it("each row and column that this spec knows is in the table", function()
    local names = {}
    assert.is_truthy(host.read("docs/deploy.md"):find("| " .. table.concat(heading, " | ") .. " |", 1, true))
    for _, row in ipairs(cells_of) do
      names[row.name] = true
    end
    for name in pairs(RUNS) do
      assert.is_true(names[name], name)
    end
  end)
end)
