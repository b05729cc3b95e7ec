-- cloud66.stats: the range of time that figures are of, and their series of intervals.
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local made_history = require "spec.support.made_history"

local failure, raises = expect.failure, expect.raises
local made, page_of, figures_of = made_history.made, made_history.page_of, made_history.figures_of
local labels = made_history.labels

local stats = cloud66.stats

describe("a range", function()
  local list = {
    made("success", "04T23:59", "05T00:30"), made("success", "05T00:00", "05T00:10"), made("failed", "05T12:00", "05T12:10"),
    made("success", "06T00:00", "06T00:10"), made("failed", nil, "05T12:00", { id = 2 ^ 40 }),
  }

  it("has its beginning in it, and not its end", function()
    local figures = figures_of(list, { from = "2025-03-05", to = "2025-03-06", by = "day" })
    assert.equal(2, figures.count)
    assert.equal(1741132800, figures.from)
    assert.equal(1741219200, figures.to)
    assert.equal(2, figures.per_day)
    assert.equal(0.5, figures.failure_rate)
    assert.same({ count = 0, unknown = 0, open = 1 }, figures.recovery) -- the success came later
    assert.equal(1, figures.undated) -- in no range, and told
    assert.same({ "2025-03-05 2" }, labels(figures.series))
  end)

  it("may be open on one side, where the starts seen take its place", function()
    local figures = figures_of(list, { from = 1741132800 - 86400 / 2, by = "day" })
    assert.equal(4, figures.count)
    assert.equal(1741089600, figures.from) -- 04T12:00
    assert.equal(1741219200, figures.to) -- 06T00:00
    assert.equal(4 / 2.5, figures.per_day) -- to the end of the 6th
    assert.same({ "2025-03-04 1", "2025-03-05 2", "2025-03-06 1" }, labels(figures.series))
    figures = figures_of(list, { to = "2025-03-05T12:00:00Z", by = "day" })
    assert.equal(2, figures.count)
    assert.equal(1741132740, figures.from) -- 04T23:59
    assert.equal(2 / 1.5, figures.per_day) -- from the beginning of the 4th
    assert.same({ "2025-03-04 1", "2025-03-05 1" }, labels(figures.series))
  end)

  it("tells the rate of an empty one, and its series", function()
    local figures = figures_of(list, { from = "2025-02-27", to = "2025-03-02", by = "day" })
    assert.equal(0, figures.count)
    assert.equal(0, figures.per_day)
    assert.is_nil(figures.failure_rate)
    assert.same({ "2025-02-27 0", "2025-02-28 0", "2025-03-01 0" }, labels(figures.series))
    figures = figures_of(list, { from = "2025-04-01", by = "day" })
    assert.equal(1743465600, figures.from)
    assert.is_nil(figures.to)
    assert.is_nil(figures.per_day)
    assert.same({}, figures.series)
  end)

  it("takes ages and parts of seconds", function()
    local now = os.time()
    local recent = { made("success", os.date("!%Y-%m-%dT%H:%M:%SZ", now - 86400)), made("success", os.date("!%Y-%m-%dT%H:%M:%SZ", now - 8 * 86400)) }
    assert.equal(1, figures_of(recent, { from = "7d" }).count)
    assert.equal(1, figures_of(recent, { to = "1w" }).count)
    local figures = figures_of(list, { from = 1741132799.5, to = 1741132800.5, by = "day" })
    assert.equal(1, figures.count)
    assert.same({ "2025-03-04 0", "2025-03-05 1" }, labels(figures.series))
  end)

  it("leaves what is outside out of every figure", function()
    local odd = { triggered_by = 5, git_ref = "old", reverted = true, triggered_via = "web", deploy_type = "scale" }
    local figures = figures_of({ made("success", "01T12:00", "01T13:00", odd), made("pending", "05T12:00") }, { from = "2025-03-05" })
    assert.equal(0, figures.drift + figures.reverts + figures.success + figures.duration.count)
    assert.same({ [""] = 1 }, figures.by_user)
    assert.same({ [""] = 1 }, figures.by_ref)
    assert.same({ [""] = 1 }, figures.by_trigger)
    assert.same({ [""] = 1 }, figures.by_type)
  end)
end)

describe("a series", function()
  local function series(unit, ...)
    local list = {}
    for i, start in ipairs { ... } do
      list[i] = made("success", start .. "T12:00:00Z")
    end
    return figures_of(list, { by = unit }).series
  end

  it("of days has the leap day", function()
    assert.same({ "2024-02-28 1", "2024-02-29 0", "2024-03-01 1" }, labels(series("day", "2024-02-28", "2024-03-01")))
    assert.same({ "2025-02-28 1", "2025-03-01 1" }, labels(series("day", "2025-02-28", "2025-03-01")))
    assert.same({ "2000-02-29 1" }, labels(series("day", "2000-02-29")))
    assert.same({ "2100-02-28 1", "2100-03-01 1" }, labels(series("day", "2100-02-28", "2100-03-01")))
    assert.same({ "2072-12-31 1", "2073-01-01 1" }, labels(series("day", "2072-12-31", "2073-01-01"))) -- the end of a leap year
    local days = series("day", "2024-02-29")
    assert.same({ 1709164800, 1709251200 }, { days[1].from, days[1].to })
  end)

  it("of ISO weeks counts them over New Year", function()
    -- 2020 has 53 weeks: Friday, the first of January 2021 is in the last one.
    assert.same({ "2020-W53 2", "2021-W01 1" }, labels(series("week", "2020-12-28", "2021-01-03", "2021-01-04")))
    -- The Monday before New Year 2025 is in its first week.
    assert.same({ "2024-W52 1", "2025-W01 3", "2025-W02 1" },
      labels(series("week", "2024-12-29", "2024-12-30", "2025-01-01", "2025-01-05", "2025-01-06")))
    local weeks_of = series("week", "2020-12-31", "2021-01-04")
    assert.same({ 1609113600, 1609718400, 1609718400, 1610323200 }, { weeks_of[1].from, weeks_of[1].to, weeks_of[2].from, weeks_of[2].to })
  end)

  it("of months has them whole", function()
    local months = series("month", "2024-12-31", "2025-02-01")
    assert.same({ "2024-12 1", "2025-01 0", "2025-02 1" }, labels(months))
    assert.same({ 1735689600, 1738368000, 1738368000, 1740787200 }, { months[2].from, months[2].to, months[3].from, months[3].to })
    months = series("month", "2024-02-29", "2024-03-31")
    assert.same({ 29 * 86400, 31 * 86400 }, { months[1].to - months[1].from, months[2].to - months[2].from })
  end)

  it("goes by the second, in UTC", function()
    local list = { made("success", "2025-01-05T23:59:59Z"), made("success", "2025-01-06T00:00:00Z"), made("success", "2025-01-06T00:59:59+01:00") }
    assert.same({ "2025-W01 2", "2025-W02 1" }, labels(figures_of(list, { by = "week" }).series))
    assert.same({ "2025-01-05 2", "2025-01-06 1" }, labels(figures_of(list, { by = "day" }).series))
  end)

  it("that would not end is refused", function()
    local far = { made("success", "2025-03-01T00:00:00Z"), made("success", "9999-12-31T00:00:00Z") }
    for _, unit in ipairs { "day", "week", "month" } do
      for _, list in ipairs { far, { far[2], far[1] } } do
        local err = failure("too_large", stats(page_of(list), { by = unit }))
        assert.matches("10000 " .. unit .. "s", err.message)
      end
    end
    assert.equal(2, figures_of(far).count)
    raises("series_spec%.lua:%d+: from and to are 10001 days apart, more than the 10000", function()
      stats({}, { from = "2000-01-01", to = 946684800 + 10001 * 86400, by = "day" })
    end)
    assert.equal(10000, #figures_of({}, { from = "2000-01-01", to = 946684800 + 10000 * 86400, by = "day" }).series)
    failure("too_large", stats(page_of { far[1] }, { from = "1970-01-01", by = "day" })) -- 20,148 days later
  end)

  it("of 10,000 intervals is none too long", function()
    local function apart(days)
      return page_of { made("success", "2000-01-01T00:00:00Z"), made("success", os.date("!%Y-%m-%dT%H:%M:%SZ", 946684800 + days * 86400)) }
    end
    assert.equal(10000, #stats(apart(9999), { by = "day" }).series)
    failure("too_large", stats(apart(10000), { by = "day" }))
  end)
end)
