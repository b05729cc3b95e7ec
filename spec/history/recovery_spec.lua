-- cloud66.stats: how long it took from a failure to the next success, worked out by hand.
local cjson = require "cjson"
local cloud66 = require "cloud66"
local made_history = require "spec.support.made_history"

local made, page_of = made_history.made, made_history.page_of
local items_of, shuffled = made_history.items_of, made_history.shuffled

local stats = cloud66.stats

describe("recovery", function()
  local function recovery(list)
    for _, fields in ipairs(list) do
      fields.git_ref = fields.git_ref or "main"
    end
    local page = page_of(list)
    local found = assert(stats(page)).recovery
    for seed = 1, 20 do
      assert.same(found, stats(shuffled(items_of(page), seed)).recovery)
    end
    return { found.count, found.median or "none", unknown = found.unknown, open = found.open }
  end

  it("lasts from the end of the first failure to the end of the next success", function()
    assert.same({ 1, 3000, unknown = 0, open = 0 }, recovery { -- 12:10 to 13:00
      made("failed", "05T12:00", "05T12:10"), made("failed", "05T12:20", "05T12:30"), made("success", "05T12:40", "05T13:00"),
      made("success", "05T14:00", "05T15:00"),
    })
  end)

  it("is counted for each run of failures", function()
    assert.same({ 2, 1500, unknown = 0, open = 1 }, recovery { -- 12:10 to 12:30, 12:50 to 13:20: 1200 and 1800
      made("failed", "05T12:00", "05T12:10"), made("success", "05T12:20", "05T12:30"), made("failed", "05T12:40", "05T12:50"),
      made("success", "05T13:00", "05T13:20"), made("failed", "05T14:00", "05T15:00"), made("failed", "05T16:00", "05T17:00"),
    })
  end)

  it("is not what a success before the failure, a pending one or an unknown word did", function()
    assert.same({ 0, "none", unknown = 0, open = 1 }, recovery {
      made("success", "05T11:00", "05T11:10"), made("failed", "05T12:00", "05T12:10"), made("pending", "05T12:20", "05T12:30"),
      made("cancelled", "05T12:40", "05T12:50"),
    })
  end)

  it("goes by the ends of deployments that overlap", function()
    assert.same({ 0, "none", unknown = 0, open = 1 }, recovery { -- the success began later and was over before
      made("failed", "05T12:00", "05T12:30"), made("success", "05T12:05", "05T12:10"),
    })
    assert.same({ 1, 60, unknown = 0, open = 0 }, recovery { -- the success began before
      made("failed", "05T12:10", "05T12:20"), made("success", "05T12:00", "05T12:21"),
    })
  end)

  it("is not told by a success in the same second as the failure", function()
    assert.same({ 1, 600, unknown = 0, open = 0 }, recovery {
      made("failed", "05T12:00", "05T12:10"), made("success", "05T12:05", "05T12:10"), made("success", "05T12:15", "05T12:20"),
    })
  end)

  it("keeps refs apart, and those without one together", function()
    assert.same({ 1, 1200, unknown = 0, open = 1 }, recovery { -- of "", 12:10 to 12:30
      made("failed", "05T12:00", "05T12:10", { git_ref = "develop" }), made("success", "05T12:12", "05T12:20", { git_ref = "main" }),
      made("failed", "05T12:00", "05T12:10", { git_ref = "" }), made("success", "05T12:20", "05T12:30", { git_ref = cjson.null }),
    })
  end)

  it("is unknown where an end that counts is", function()
    local failed, success = made("failed", "05T12:00", "05T12:10"), made("success", "05T12:20", "05T12:30")
    assert.same({ 0, "none", unknown = 1, open = 0 }, recovery { made("failed", "05T12:00"), success })
    assert.same({ 0, "none", unknown = 1, open = 0 }, recovery { failed, made("success", "05T12:20") })
    assert.same({ 0, "none", unknown = 1, open = 0 }, recovery { made("failed", "05T12:00"), made("failed", "05T12:05", "05T12:10"), success })
    assert.same({ 1, 1200, unknown = 0, open = 0 }, recovery { failed, made("failed", "05T12:15"), success })
    assert.same({ 1, 1200, unknown = 0, open = 0 }, recovery { failed, success, made("success", "05T13:00") })
    assert.same({ 0, "none", unknown = 0, open = 1 }, recovery { made("success", "05T11:00"), made("failed", "05T12:00") })
    assert.same({ 0, "none", unknown = 1, open = 0 }, recovery { failed, made("success", "05T12:10") }) -- queued behind it
  end)

  it("does not believe an end before the start", function()
    assert.same({ 0, "none", unknown = 1, open = 0 }, recovery {
      made("failed", "05T12:00", "04T12:00"), made("success", "05T12:20", "05T12:30") })
    assert.same({ 0, "none", unknown = 1, open = 0 }, recovery {
      made("failed", "05T12:00", "05T12:10"), made("success", "05T12:20", "04T12:00") })
  end)

  it("knows an end without a start", function()
    assert.same({ 1, 1200, unknown = 0, open = 0 }, recovery { made("failed", nil, "05T12:10"), made("success", nil, "05T12:30") })
  end)

  it("counts a failure that has neither as unknown", function()
    assert.same({ 0, "none", unknown = 1, open = 0 }, recovery { made "failed", made "success", made("success", "05T12:20", "05T12:30") })
  end)
end)
