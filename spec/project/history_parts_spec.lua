-- The parts of examples/history.lua, called on their own: texts, the summary, what is gathered, and a page of very much.
require "spec.support.example" -- lets the example's own modules be found
local cjson = require "cjson"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local elements = require("spec.support.html").elements
local text = require "history.text"

describe("a figure or a text", function()
  it("is cut at whole characters, and as wide as it says", function()
    assert.equal("abc  ", text.fit("abc", 5))
    assert.equal("abcd~", text.fit("abcdefg", 5))
    assert.equal("\228\184\173\230\150\135~", text.fit("\228\184\173\230\150\135\228\184\173\230\150\135", 5)) -- two columns each
    assert.equal("\228\184\173~ ", text.fit("\228\184\173\230\150\135\228\184\173", 4))
    assert.equal(4, text.width "cafe\204\129")
    assert.equal("caf?", text.ascii "caf\195\169")
  end)

  it("is as wide as a terminal shows it", function()
    for shown, columns in pairs {
      ["\226\156\133"] = 2, ["\226\154\161"] = 2, ["\226\173\144"] = 2, ["\240\159\154\128"] = 2, -- U+2705, U+26A1, U+2B50, U+1F680
      ["\226\156\147"] = 1, ["\195\169"] = 1, ["\224\184\129\224\185\137"] = 1, ["\215\145\214\188"] = 1, -- U+2713; with marks
    } do
      assert.equal(columns, text.width(shown), shown)
    end
  end)

  it("holds nothing that nobody sees or that turns the direction, and no towers of marks", function()
    for _, unseen in ipairs {
      "\194\173", "\205\143", "\216\156", "\225\133\159", "\225\160\142", "\226\128\139", "\226\128\174", "\226\129\166", "\227\133\164",
      "\239\187\191", "\239\190\160", "\239\191\185", "\243\160\129\129",
    } do
      assert.equal("a?b", text.plain("a" .. unseen .. "b"))
    end
    for _, mark in ipairs { "\204\129", "\224\185\137", "\217\145" } do
      assert.equal("a" .. mark:rep(3) .. "b" .. mark, text.plain("a" .. mark:rep(2000) .. "b" .. mark))
    end
    for _, fine in ipairs { "caf\195\169", "e\204\129", "\227\129\139\227\130\153", "\240\159\154\128", "\226\157\164\239\184\143" } do
      assert.equal(fine, text.plain(fine))
    end
  end)

  it("is in its two largest units", function()
    assert.same({ "0s", "59s", "1m 00s", "59m 59s", "1h 00m", "23h 59m", "1d 00h", "-" }, {
      text.span(0), text.span(59), text.span(60), text.span(3599), text.span(3600), text.span(86399), text.span(86400), text.span(nil) })
    assert.equal("2912254d", text.span(2912254 * 86400 + 7200)) -- from now to the year 9999
  end)

  it("is counted, the rest as one", function()
    local counts = { [""] = 5 }
    for i = 1, 9 do
      counts["n" .. i] = i
    end
    local list = text.ranking(counts, 3, "(none)")
    assert.same({ "n9 9", "n8 8", "n7 7", "7 others 26" }, { -- 6 + 5 + 5 + 4 + 3 + 2 + 1
      list[1].name .. " " .. list[1].count, list[2].name .. " " .. list[2].count, list[3].name .. " " .. list[3].count,
      list[4].name .. " " .. list[4].count })
    assert.equal(10, #text.ranking(counts, 9, "(none)"))
  end)
end)

describe("the summary", function()
  it("has every number whole, and what is not known", function()
    local figures = assert(cloud66.stats(assert(cloud66.decode '[{"id":1,"started_at":"2026-01-01T00:00:00Z","outcome":"failed"}]'), {
      by = "day" }))
    figures.count, figures.success, figures.failed, figures.pending, figures.unknown = 1111110, 400000, 300000, 200000, 211110
    figures.recovery.count, figures.recovery.open, figures.recovery.unknown = 123456, 23456, 3456
    local shown = require("history.terminal").write({ stacks = { { uid = "u1", name = "api" } }, lost = {}, figures = figures,
      by = "day" }, { utf8 = true, colour = false })
    assert.matches("400000 success, 300000 failed, 200000 pending\n", shown)
    assert.matches("\n +211110  with an outcome this library does not know, or none\n", shown)
    assert.matches("median of 123456, to the next success; 23456 open\n", shown)
    assert.matches("\n +3456  failures were over after an unknown time\n", shown)
    assert.matches("\n +1 ┤", shown) -- a chart one row high has an axis, too
    for line in shown:gmatch "[^\n]+" do
      assert.is_true(text.width(line) <= 80, line)
    end
  end)
end)

describe("what is gathered", function()
  local gather = require "history.gather"

  -- The report on two deployments of each of these stacks, {uid, name, environment}.
  local function gathered(listed, asked, ref)
    local items = {}
    for i, stack in ipairs(listed) do
      items[i] = cjson.encode { uid = stack[1], name = stack[2], environment = stack[3] }
    end
    local client = expect.connect(nil, { transport = function(request)
      local body = table.concat(items, ",")
      if request.url:find "/deployments" then
        body = ('{"id":1,"started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:01:00Z","outcome":"success","git_ref":"%s"}'):format(ref or "main")
      end
      return { status = 200, headers = {}, body = '{"response":[' .. body .. '],"pagination":{"next":null}}' }
    end })
    local stacks = assert(gather.stacks(client, {}))
    asked.by = "day"
    return assert(gather.read(stacks, client:deployments(stacks), asked, function() end))
  end

  it("tells stacks of one name apart", function()
    local report = gathered({
      { "u1", "api", "production" }, { "u2", "api", "staging" }, { "u3", "web", "production" }, { "u4", "x", "production" },
      { "u5", "x", "production" }, { "u6", "" }, { "u7", "u6" }, { "u8", "api" },
    }, {})
    local names = {}
    for i, stack in ipairs(report.stacks) do
      names[i] = stack.name
    end
    assert.same({ "api (production)", "api (staging)", "web", "x (production) (u4)", "x (production) (u5)", "u6", "u6 (u7)", "api" }, names)
  end)

  it("is as little as the forms need that were asked for", function()
    local ref = ("long"):rep(1250)
    assert.equal(0, #gathered({ { "u1", "api" } }, { csv = "x" }, ref).marks)
    local report = gathered({ { "u1", "api" } }, { html = "x" }, ref)
    assert.equal(1, #report.marks)
    assert.is_true(#report.marks[1].what < 250)
    assert.equal(0, #report.lines)
  end)
end)

describe("a page of very much", function()
  local html = require "history.html"

  local function report_of(stacks, marks, duration)
    local report = { stacks = {}, marks = {}, lines = {}, lost = {}, by = "day", made = 0 }
    local list = {}
    for i = 1, stacks do
      report.stacks[i] = { uid = "s" .. i, name = "stack " .. i }
    end
    for i = 1, marks do
      local started = 1700000000 + i * 20000
      report.marks[i] = { uid = "s" .. (i % stacks + 1), started = started, duration = duration(i), outcome = "success", what = "x" }
      list[i] = ('{"id":%d,"started_at":"%s","finished_at":"%s","outcome":"success"}'):format(i,
        os.date("!%Y-%m-%dT%H:%M:%SZ", started), os.date("!%Y-%m-%dT%H:%M:%SZ", started + duration(i)))
    end
    local page = assert(cloud66.decode("[" .. table.concat(list, ",") .. "]"))
    report.figures = assert(cloud66.stats(page, { by = "day" }))
    report.from, report.to = report.figures.from, report.figures.to
    return report
  end

  it("draws the newest, and says so", function()
    local page = html.write(report_of(20, 2500, function() return 60 end))
    elements(page)
    assert.matches("Only the newest 2000 of 2500 are drawn", page)
    assert.matches("9 other stacks", page)
    assert.matches("Each bar is 5 days", page) -- 2,500 times 20,000 seconds are 579 days
  end)

  it("is not pressed flat by one deployment that took days", function()
    local page = html.write(report_of(1, 50, function(i) return i == 7 and 500000 or 600 end))
    elements(page)
    assert.matches("1 is drawn at the upper edge", page)
    assert.matches('<p class="axis">minutes</p>', page)
  end)

  it("shows words nobody documented as text", function()
    local report = report_of(1, 2, function() return 60 end)
    local odd = '{"id":1,"started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:01:00Z","outcome":"success",'
      .. '"deploy_type":"\\u009b<b>\\u001b","triggered_via":"<i>\\u0007"}'
    report.figures = assert(cloud66.stats(assert(cloud66.decode(odd)), { by = "day" }))
    report.marks[1].outcome = "<u>\27"
    local page = html.write(report)
    elements(page)
    for _, word in ipairs { "%?&lt;b&gt;%?", "&lt;i&gt;%?", "&lt;u&gt;%?" } do
      assert.matches(word, page)
    end
    assert.is_nil(page:gsub("\n", ""):find "%c")
    assert.is_nil(page:find "\194[\128-\159]")
    local shown = require("history.terminal").write(report, { utf8 = true, colour = false })
    assert.matches("%?<b>%?", shown)
    assert.is_nil(shown:gsub("\n", ""):find "%c")
  end)

  it("says how many types it does not show", function()
    local report, list = report_of(1, 2, function() return 60 end), {}
    for i = 1, 11 do
      list[i] = ('{"id":%d,"started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:01:00Z","outcome":"success","deploy_type":"t%d"}')
        :format(i, i)
    end
    report.figures = assert(cloud66.stats(assert(cloud66.decode("[" .. table.concat(list, ",") .. "]")), { by = "day" }))
    local page = html.write(report)
    elements(page)
    assert.matches("and 3 more types", page)
  end)

  it("can be of a single deployment, of one without a start, and of one that took no time", function()
    elements(html.write(report_of(1, 1, function() return 0 end)))
    local undated = report_of(1, 1, function() return 60 end)
    undated.figures = assert(cloud66.stats(assert(cloud66.decode '[{"id":1}]'), { by = "day" }))
    undated.from, undated.to, undated.marks[1].started = nil, nil, nil
    local page = html.write(undated)
    elements(page)
    assert.matches("1 deployment has no readable start", page)
  end)
end)
