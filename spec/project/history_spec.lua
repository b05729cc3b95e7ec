-- examples/history.lua: what it reads, what it says in each form, and what it ends with.
local cjson = require "cjson"
local child = require "spec.support.child"
local cloud66 = require "cloud66"
local example = require "spec.support.example"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"

local elements = require("spec.support.html").elements
local host = require "spec.support.host"
local text = require "history.text"

-- Runs it; gives its standard output, its standard error, its exit status. In UTF-8, unless `prefix` says otherwise.
local function history(scenario, arguments, prefix)
  return example.run(scenario, "history", arguments, "LC_ALL=C.UTF-8 " .. (prefix or ""))
end

local UID = fake.stacks.staging
local HOSTILE = '<script>alert(1)</script>'

-- A directory of its own for fn(directory), removed afterwards.
local function with_directory(fn)
  local directory = host.directory()
  local ok, problem = pcall(fn, directory)
  host.remove(directory)
  if not ok then
    error(problem, 0)
  end
end

-- One that people have filled with what hurts.
local function hostile_world()
  local world = fake.world()
  local now = world:now()
  for i, ref in ipairs {
    HOSTILE, "=1+1", "+1", "-1", "@x", "\t=1", "a,b", 'say "x"', "two\nlines", "\27[31mred\27[0m", "\226\128\174rtl",
    "caf\195\169", "\194\155C1", " =1+1", "\239\188\157wide", "a;=1+1", 'b; "@x";+2', "c;d-e",
  } do
    world:add_deployment("brand_new", {
      git_ref = ref, triggered_by = ref, outcome = "success", started_time = now - i * 3600, finished_time = now - i * 3600 + 60,
    })
  end
  return world
end

-- The records of RFC 4180: lists of cells.
local function records(csv)
  local list, record, at = {}, {}, 1
  while at <= #csv do
    local cell
    if csv:sub(at, at) == '"' then
      local stop = at + 1
      while true do
        stop = assert(csv:find('"', stop, true), "a quote is not closed")
        if csv:sub(stop + 1, stop + 1) ~= '"' then
          break
        end
        stop = stop + 2
      end
      cell, at = csv:sub(at + 1, stop - 1):gsub('""', '"'), stop + 1
    else
      cell = csv:match("^[^,\r\n]*", at)
      assert(not cell:find '"', "a quote stands alone")
      at = at + #cell
    end
    record[#record + 1] = cell
    local mark = csv:match("^\r\n", at) or csv:match("^,", at)
    assert(mark, "a record ends without CRLF")
    at = at + #mark
    if mark == "\r\n" then
      list[#list + 1], record = record, {}
    end
  end
  return list
end

-- The same as tables by column.
local function rows(csv)
  local all = records(csv)
  local list = {}
  for i = 2, #all do
    local row = {}
    for j, name in ipairs(all[1]) do
      row[name] = all[i][j]
    end
    assert.equal(#all[1], #all[i])
    list[i - 1] = row
  end
  return list
end

describe("examples/history.lua", function()
  it("explains itself, and refuses what makes no sense before it asks for anything", function()
    local output, said, status = history({}, "--help")
    assert.equal(0, status)
    assert.equal("", said)
    assert.matches("usage: history.lua %[STACK%.%.%.%]", output)
    local tag = fake.fresh_tag()
    for _, case in ipairs {
      { "''", "an unset variable" },
      { "--since", "%-%-since needs a value" },
      { "--since ''", "%-%-since needs a value: an unset variable" },
      { "--since --json", "%-%-since needs a value" },
      { "--since yesterday", "'since' = 'yesterday' is no date" },
      { "--since 2025-02-01 --before 2025-01-01", "since must be earlier than before" },
      { "--since 7d --since 8d", "twice" },
      { "--by year", "day, week or month, not year" },
      { "--sinc 7d", "unknown option %-%-sinc" },
      { "-x", "unknown option %-x" },
      { "--html a --csv a", "two files" },
      { "--since 1000-01-01 --before 2026-11-01 --html a", "apart, more than the 10000 a series may have" },
      { "--since 1970-01-01 --by day --html a", "apart, more than" },
      { "--since 99999999999999999999d --html a", "%-%-help" },
      { "--before 99999999999999999999d --html a", "no time" },
    } do
      output, said, status = history({ tag = tag }, case[1])
      assert.equal(64, status, case[1])
      assert.matches(case[2], said)
      assert.equal("", output)
    end
    assert.same({}, fake.requests(tag))
    assert.is_nil(host.read "a")
    output, said, status = history({ tag = tag }, "", "CLOUD66_URL=ftp://x")
    assert.equal(64, status)
    assert.matches("^history: CLOUD66_URL must look like", said)
    assert.not_matches("traceback", said)
    assert.equal("", output)
  end)

  it("reports on all stacks, in 80 columns", function()
    local output, said, status = history()
    assert.equal(0, status, said)
    assert.equal("", said) -- nobody watches
    assert.matches("Deployments of 4 stacks\n  2024%-11%-20 to 2026%-11%-20", output)
    assert.matches("deployments +228  199 success, 28 failed, 1 pending", output)
    assert.matches("failed +12%.3 %%", output) -- 28 / 227
    assert.matches("Per week: each column is 2 weeks", output)
    assert.matches("█", output)
    assert.is_nil(output:find "\27")
    for line in output:gmatch "[^\n]+" do
      assert.is_true(text.width(line) <= 80, line)
    end
  end)

  it("is in ASCII where there is no UTF-8, and on a dumb terminal", function()
    for _, prefix in ipairs { "LC_ALL=C", "LC_ALL= LC_CTYPE= LANG=C", "TERM=dumb" } do
      local output, said, status = history({}, "--by month", prefix)
      assert.equal(0, status, said)
      assert.is_nil(output:find "[\128-\255]")
      assert.matches("# success  x failed", output)
      assert.matches("Per month\n", output)
    end
  end)

  it("reads the stacks it is told, by uid or name", function()
    for _, arguments in ipairs { UID, "awesome-app-staging", "AWESOME-app-staging", UID .. " awesome-app-staging", "-- " .. UID } do
      local output, said, status = history({}, arguments)
      assert.equal(0, status, said)
      assert.matches("Deployments of awesome%-app%-staging\n", output)
      assert.matches("deployments +61 ", output)
    end
    local output = history({}, UID .. " api")
    assert.matches("Deployments of 2 stacks", output)
    assert.matches("deployments +91 ", output)
    for _, case in ipairs { { "no-such", "no stack is called no%-such; there are" }, { "-- --json", "no stack is called %-%-json" } } do
      local said, status
      output, said, status = history({}, case[1])
      assert.equal(4, status)
      assert.matches(case[2], said)
      assert.equal("", output)
    end
  end)

  it("says that there are no deployments", function()
    with_directory(function(directory)
      local output, said, status = history({}, ("'brand new' --html %s/a.html --csv %s/a.csv"):format(directory, directory))
      assert.equal(0, status, said)
      assert.matches("no deployments", output)
      assert.matches("No deployments", host.read(directory .. "/a.html"))
      assert.equal(1, #records(host.read(directory .. "/a.csv")))
    end)
  end)

  it("keeps to a range", function()
    local output, said, status = history({}, "--since 2026-08-01 --before 2026-11-01 --json")
    assert.equal(0, status, said)
    local figures, count = cjson.decode(output), 0
    local from, to = 1785542400, 1793491200 -- date -u -d 2026-08-01 +%s
    for _, name in ipairs(fake.data.stack_names) do
      for _, d in ipairs(fake.data.deployments(name)) do
        count = count + (d.started_time >= from and d.started_time < to and 1 or 0)
      end
    end
    assert.equal(count, figures.count)
    assert.equal(from, figures.from)
    assert.equal(to, figures.to)
    assert.equal("2026-W31", figures.series[1].label)
    assert.equal(14, #figures.series)
  end)

  it("prints the figures of cloud66.stats as JSON", function()
    local output, said, status = history({}, "--json --by month")
    assert.equal(0, status, said)
    local printed = cjson.decode(output)
    local figures = assert(cloud66.stats(expect.connect():deployments(), { by = "month" }))
    figures.missing = #figures.missing > 0 and figures.missing or nil
    assert.same({}, printed.missing)
    assert.matches('"missing":%[%]', output)
    printed.missing = nil
    for name, value in pairs(printed) do
      if type(value) == "number" then
        assert.is_true(math.abs(value - figures[name]) < 1e-9, name)
      else
        assert.same(figures[name], value)
      end
      figures[name] = nil
    end
    assert.same({}, figures)
    output = history({}, "'brand new' --json")
    assert.matches('"from":null', output)
    assert.matches('"failure_rate":null', output)
    assert.matches('"median":null', output)
    assert.matches('"by_user":{}', output)
    assert.matches('"series":%[%]', output)
  end)

  it("writes a table that is RFC 4180, of every deployment", function()
    with_directory(function(directory)
      local _, said, status = history({}, "--csv " .. directory .. "/all.csv")
      assert.equal(0, status, said)
      assert.matches("written: ", said)
      local by_id, last = {}, "9999"
      for _, row in ipairs(rows(host.read(directory .. "/all.csv"))) do
        by_id[row.stack_uid .. row.id] = row
        assert.is_true(row.started_at <= last)
        last = row.started_at
      end
      local count = 0
      for _, name in ipairs(fake.data.stack_names) do
        for _, d in ipairs(fake.data.deployments(name)) do
          local row = by_id[fake.stacks[name] .. d.id]
          assert.same({ d.started_at, d.finished_at or "", d.outcome, d.git_ref, d.git_hash, d.triggered_by, "" }, {
            row.started_at, row.finished_at, row.outcome, row.git_ref, row.git_hash, row.triggered_by, row.error })
          assert.equal(d.duration and tostring(d.duration) or "", row.duration_seconds)
          count = count + 1
        end
      end
      assert.equal(228, count)
    end)
  end)

  it("defuses what a spreadsheet would run, and quotes what has to be", function()
    with_directory(function(directory)
      local world = hostile_world()
      local _, said, status = history({ world = world.name }, "'brand new' --csv " .. directory .. "/a.csv")
      assert.equal(0, status, said)
      local content, refs = host.read(directory .. "/a.csv"), {}
      assert.is_nil(content:gsub("\r\n", ""):find "%c")
      for i, row in ipairs(rows(content)) do
        refs[i] = row.git_ref
        assert.equal(row.git_ref, row.triggered_by)
      end
      assert.same({
        HOSTILE, "'=1+1", "'+1", "'-1", "'@x", "'?=1", "a,b", 'say "x"', "two?lines", "?[31mred?[0m", "?rtl", "caf\195\169", "?C1",
        "' =1+1", "'\239\188\157wide", "a;'=1+1", "b; \"'@x\";'+2", "c;d-e",
      }, refs)
    end)
  end)

  it("shows other people's texts as text in every form", function()
    with_directory(function(directory)
      local world = hostile_world()
      for _, arguments in ipairs { "", "--json" } do
        local output, said, status = history({ world = world.name }, ("'brand new' --html %s/a.html %s"):format(directory, arguments))
        assert.equal(0, status, said)
        assert.is_nil((output .. said):gsub("\n", ""):find "[%c\127]")
        assert.is_nil(output:find "\194[\128-\159]")
        assert.is_nil(output:find "\226\128\174")
      end
      local html = host.read(directory .. "/a.html")
      assert.is_nil(html:gsub("\n", ""):find "%c")
      assert.is_nil(html:find("<script", 1, true))
      assert.matches("&lt;script&gt;alert%(1%)&lt;/script&gt;", html)
      assert.matches("say &quot;x&quot;", html)
      assert.matches("caf\195\169", html)
      elements(html)
      local figures = cjson.decode((history({ world = world.name }, "'brand new' --json")))
      assert.equal(1, figures.by_ref["\27[31mred\27[0m"]) -- in JSON nothing is lost
      assert.equal(1, figures.by_ref["caf\195\169"])
    end)
    local output, said = history({ hostile = true }, "")
    assert.is_nil((output .. said):gsub("\n", ""):find "[%c\127]")
  end)

  it("writes a page that needs nothing else", function()
    with_directory(function(directory)
      local _, said, status = history({}, "--html " .. directory .. "/a.html")
      assert.equal(0, status, said)
      local html = host.read(directory .. "/a.html")
      assert.matches("^<!DOCTYPE html>", html)
      assert.matches("Content%-Security%-Policy\" content=\"default%-src 'none'; style%-src 'unsafe%-inline'", html)
      for _, what in ipairs { "<script", "http:", "https:", "@import", "<link", "<img", " on%a+=", "javascript:", "src=" } do
        assert.is_nil(html:gsub("default%-src 'none'", ""):find(what), what)
      end
      for address in html:gmatch "url%((.-)%)" do
        assert.equal("#hatch", address)
      end
      local counts = {}
      for _, name in ipairs(elements(html)) do
        counts[name] = (counts[name] or 0) + 1
      end
      assert.equal(1, counts.h1)
      assert.equal(4, counts.figure)
      assert.equal(3, counts.pattern + counts.details + counts.main)
      -- Each of the 228 in the strip; those that succeeded or failed in the scatter, too; 3 signs in two legends each.
      assert.equal(228 + 227 + 3 + 2 + 0, counts.use)
      assert.is_true(#html < 200000, #html)
    end)
  end)
end)

describe("a stack that cannot be read", function()
  it("is told in every form, and by the exit status", function()
    with_directory(function(directory)
      local arguments = ("api %s --html %s/a.html --csv %s/a.csv"):format(UID, directory, directory)
      local output, said, status = history({ error = "forbidden", stack = "api" }, arguments)
      assert.equal(4, status, said)
      assert.matches("NOT READ TO THE END: api\n +forbidden: ", output)
      for line in output:gmatch "[^\n]+" do
        assert.is_true(text.width(line) <= 80, line)
      end
      assert.matches("deployments +61 ", output)
      assert.matches("api %(" .. fake.stacks.api:gsub("%-", "%%-") .. "%) could not be read: forbidden: ", said)
      local html = host.read(directory .. "/a.html")
      assert.matches("1 stack was not read to the end", html)
      assert.matches("forbidden: ", html)
      assert.matches('api <span class="soft">0, not read to the end<', html)
      elements(html)
      local list = rows(host.read(directory .. "/a.csv"))
      assert.equal(62, #list)
      assert.equal(fake.stacks.api, list[62].stack_uid)
      assert.matches("^forbidden: ", list[62].error)
      output, said, status = history({ error = "forbidden", stack = "api" }, "api " .. UID .. " --json")
      assert.equal(4, status, said)
      local figures = cjson.decode(output)
      assert.equal(fake.stacks.api, figures.missing[1].stack)
      assert.matches("^forbidden: ", figures.missing[1].message)
    end)
  end)

  it("leaves no report where it is the only one, and the files as they were", function()
    with_directory(function(directory)
      local file = io.open(directory .. "/old.html", "w")
      file:write "the last one"
      file:close()
      local output, said, status = history({ error = "forbidden", on = "deployments" },
        ("--html %s/old.html --csv %s/new.csv"):format(directory, directory))
      assert.equal(4, status)
      assert.matches("^forbidden: none of the 4 stacks", said)
      assert.equal("", output)
      assert.equal("the last one", host.read(directory .. "/old.html"))
      assert.is_nil(host.read(directory .. "/new.csv"))
    end)
    for kind, scenario in pairs { auth = { auth = "empty401" }, network = { cut = "head", on = "stacks" } } do
      local _, said, status = history(scenario)
      assert.equal(4, status)
      assert.matches("^" .. kind, said)
    end
  end)
end)

describe("the files of a report", function()
  it("are looked at before anything is read", function()
    with_directory(function(directory)
      local tag = fake.fresh_tag()
      local _, said, status = history({ tag = tag }, ("--html %s/no/such.html"):format(directory))
      assert.equal(1, status)
      assert.matches("cannot write .*/no/such.html: ", said)
      _, said, status = history({ tag = tag }, ("--csv %s/new.csv --html %s"):format(directory, directory))
      assert.equal(1, status)
      assert.matches("cannot write ", said)
      assert.is_nil(host.read(directory .. "/new.csv"))
      assert.same({}, fake.requests(tag))
    end)
  end)

  it("are two, whatever they are called", function()
    with_directory(function(directory)
      local tag = fake.fresh_tag()
      os.execute(("ln -s a %s/b"):format(directory))
      for _, names in ipairs { { "a", "./a" }, { "a", "b" } } do
        local _, said, status = history({ tag = tag }, ("--html %s/%s --csv %s/%s"):format(directory, names[1], directory, names[2]))
        assert.equal(64, status)
        assert.matches("two files", said)
      end
      assert.is_nil(host.read(directory .. "/a"))
      assert.same({}, fake.requests(tag))
    end)
  end)

  it("are written before standard output, which may have no reader", function()
    with_directory(function(directory)
      history({}, ("api --html %s/a.html --csv %s/a.csv 2>/dev/null | true"):format(directory, directory))
      -- The end of a pipe says nothing of who is before it.
      local deadline = os.time() + 20
      while not (host.read(directory .. "/a.html") or ""):find "</html>" and os.time() < deadline do
        os.execute "sleep 0.1"
      end
      elements(host.read(directory .. "/a.html"))
      assert.equal(31, #records(host.read(directory .. "/a.csv")))
    end)
  end)

  it("that a full disk cuts are told, and so is a report nobody takes", function()
    if not io.open("/dev/full", "a") then
      return
    end
    local _, said, status = history({}, "api --csv /dev/full")
    assert.equal(1, status)
    assert.matches("cannot write /dev/full: ", said)
    _, said, status = history({}, "api >/dev/full")
    assert.equal(1, status)
    assert.matches("the report could not be written", said)
  end)
end)

describe("the terminal", function()
  -- A terminal of its own, by script(1); nil where there is none.
  local function on_terminal(arguments, prefix)
    if not io.open "/usr/bin/script" then
      return nil
    end
    local command = (prefix or "") .. " " .. example.command("history", arguments)
    return host.output(("LC_ALL=C.UTF-8 TERM=xterm NO_COLOR= CLOUD66_URL=%s CLOUD66_TOKEN=%s script -qec %s /dev/null </dev/null"):format(
      host.quote(fake.url {}), host.quote(fake.token), host.quote(command)))
  end

  it("shows how far the reading is, and colour, where somebody watches", function()
    local output = on_terminal("api")
    if not output then
      pending "there is no script(1)"
      return
    end
    assert.matches("\r\27%[K%d+ pages?, %d+ deployments?", output)
    assert.matches("\27%[32m", output)
    output = on_terminal("api", "TERM=dumb")
    assert.is_nil(output:find "\27")
    assert.is_nil(output:find "pages?,")
    assert.is_nil(on_terminal("api", "NO_COLOR=1"):find "\27%[32m")
  end)

  it("is told nothing but ASCII on standard error, too, where there is no UTF-8", function()
    for prefix, pattern in pairs { ["LC_ALL=C"] = "no stack is called %?%?;", ["LC_ALL=C.UTF-8"] = "no stack is called \197\155\195\169;" } do
      local _, said, status = history({}, "'\197\155\195\169'", prefix) -- the second byte is a CSI without UTF-8
      assert.equal(4, status)
      assert.matches(pattern, said)
    end
  end)

  it("hears of an interrupt", function()
    if not child.is_interruptible then
      return
    end
    with_directory(function(directory)
      local said, status
      for _, seconds in ipairs { 1, 4, 15 } do -- long enough to have come so far
        if said ~= "interrupted\n" then
          _, said, status = history({ delay = "60" }, "--html " .. directory .. "/a.html",
            "timeout --foreground --preserve-status -s INT " .. seconds)
        end
      end
      assert.equal("interrupted\n", said)
      assert.equal(130, status)
      assert.is_nil(host.read(directory .. "/a.html"))
    end)
  end)
end)
