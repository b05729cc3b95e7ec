-- Failures: that they can be asserted, printed and written, what the err object is, and whose line a raise blames.
local child = require("spec.support.child").run
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"

local connect = expect.connect

local old_lua = _VERSION == "Lua 5.1" and not package.loaded.jit

local function stack(scenario, options)
  return connect(scenario, options):stack(fake.stacks.awesome_app)
end

local function pack(...)
  return { n = select("#", ...), ... }
end

-- For each kind, calls that fail with it.
local failures = {
  { "auth", function()
    return connect(nil, { token = "nobodys" }):request("GET", "/ping/auth")
  end },
  { "auth", function()
    return stack({ auth = "empty401" }):live()
  end },
  { "trial_expired", function()
    return connect(nil, { token = fake.tokens.expired_trial }):stacks():collect()
  end },
  { "forbidden", function()
    return connect(nil, { token = fake.tokens.without_scope }):find_stack { name = "api" }
  end },
  { "not_found", function()
    return connect():stack("nobody"):load()
  end },
  { "not_found", function()
    return stack():deployment(1)
  end },
  { "timeout", function()
    return stack({ delay = "2" }, { timeout = 0.1 }):page(1)
  end },
  { "timeout", function()
    return stack({ error = "time_out" }):latest()
  end },
  { "conflict", function()
    return stack({ error = "conflict" }):head()
  end },
  { "bad_request", function()
    return stack({ error = "bad_request" }):previous_live()
  end },
  { "throttled", function()
    return stack({ error = "throttled" }):deployments():count()
  end },
  { "throttled", function()
    return stack({ error = "too_many" }):deployments():first()
  end },
  { "not_implemented", function()
    return stack({ error = "not_implemented" }):is_live "abcdef0"
  end },
  { "server", function()
    return stack({ error = "bad_gateway", error_body = "html" }):deployments():each(print)
  end },
  { "server", function()
    return stack({ error = "server", on = "page2" }):deployments():group_by "outcome"
  end },
  { "server", function()
    return stack({ error = "server", on = "page2" }):deployments():reduce(function(count)
      return count + 1
    end, 0)
  end },
  { "connect", function()
    return cloud66.new({ base_url = fake.closed_url(), token = "a-token", retries = false }):stack("a"):live()
  end },
  { "tls", function()
    return cloud66.new({ base_url = fake.url(nil, "https"), token = "a-token", retries = false }):stack("a"):live()
  end },
  { "network", function()
    return stack({ cut = "body" }):page(1)
  end },
  { "protocol", function()
    return stack({ gzip = "bad" }):page(1)
  end },
  { "protocol", function()
    return stack({ redirect = "other" }):page(1)
  end },
  { "protocol", function()
    return stack({ repeat_next = true }):deployments():collect()
  end },
  { "too_large", function()
    return stack(nil, { max_body = 100 }):page(1)
  end },
  { "decode", function()
    return stack({ body = "truncated" }):page(1)
  end },
  { "decode", function()
    return cloud66.decode '{"response":[{"id":1},{"no":"id"}]}'
  end },
  { "none", function()
    return stack({ live = "none" }):live()
  end },
  { "none", function()
    return stack():deployments():where({ git_ref = "no such" }):first()
  end },
  { "none", function()
    return connect():find_stack { name = "no such" }
  end },
  { "not_unique", function()
    return connect(nil, {
      transport = function()
        return { status = 200, headers = {}, body = '[{"uid":"a","name":"api"},{"uid":"b","name":"api"}]' }
      end,
    }):find_stack { name = "api" }
  end },
  { "aborted", function()
    local client = connect()
    client:close()
    return client:stack("a"):live()
  end },
}

local function each_failure(fn)
  for _, case in ipairs(failures) do
    local results = pack(case[2]())
    fn(case[1], results)
  end
end

describe("a failure", function()
  it("is nil, a message that starts with the kind, and the err object", function()
    each_failure(function(kind, results)
      assert.equal(3, results.n)
      assert.is_nil(results[1])
      assert.is_string(results[2])
      assert.equal(kind .. ": ", results[2]:sub(1, #kind + 2))
      assert.is_true(#results[2] > #kind + 12, results[2])
      assert.equal(kind, results[3].kind)
      assert.equal(results[2], results[3].message)
    end)
  end)

  it("can be printed and joined to a text", function()
    each_failure(function(_, results)
      local err = results[3]
      assert.equal(results[2], tostring(err))
      assert.equal("problem: " .. results[2], "problem: " .. err)
      assert.equal(results[2] .. "!", err .. "!")
      assert.equal(results[2] .. results[2], err .. err)
      assert.equal(results[2] .. 5, err .. 5)
    end)
  end)

  it("is one line without control characters", function()
    each_failure(function(_, results)
      assert.not_matches("%c", results[2])
    end)
  end)

  it("has whole numbers for its status and offset", function()
    each_failure(function(_, results)
      for _, field in ipairs { "status", "offset" } do
        local value = results[3][field]
        assert.is_true(value == nil or ("%d"):format(value) == tostring(value), field)
      end
    end)
  end)

  it("of decode has the byte where the text went wrong", function()
    local _, message, err = cloud66.decode '{"response":[{"id":1},x]}'
    assert.equal("decode", err.kind)
    assert.equal(22, err.offset)
    assert.matches("22", message)
  end)

  it("of its own is not that of another", function()
    local _, _, one = cloud66.decode "x"
    local _, _, other = cloud66.decode "y"
    one.kind, one.more = "changed", 1
    assert.equal("decode", other.kind)
    assert.is_nil(other.more)
  end)
end)

-- --- child interpreters ---

local start = ([[
  local cloud66 = require "cloud66"
  local stack = cloud66.new { base_url = %q, token = %q, retries = false }:stack %q
]]):format(fake.url { error = "server", on = "page2" }, fake.token, fake.stacks.awesome_app)

local nothing_live = ([[
  local stack = require("cloud66").new { base_url = %q, token = %q }:stack %q
]]):format(fake.url { live = "none" }, fake.token, fake.stacks.awesome_app)

describe("a script", function()
  it("asserts, prints and writes a failure of each kind", function()
    local addresses = { fake.closed_url(), fake.url(nil, "https") }
    local scenarios = {
      { auth = "empty401" }, { cut = "head" }, { gzip = "bad" }, { redirect = "loop" }, { body = "html", auth = "none" },
      { body = "empty", auth = "none" }, { live = "none" },
    }
    local ids = {
      "trial_expired", "forbidden", "not_found", "time_out", "conflict", "bad_request", "throttled", "not_implemented", "server",
    }
    for _, id in ipairs(ids) do
      scenarios[#scenarios + 1] = { error = id, error_body = "token" }
    end
    for _, scenario in ipairs(scenarios) do
      addresses[#addresses + 1] = fake.url(scenario)
    end
    local output, errors, status = child(([[
      local cloud66 = require "cloud66"
      local function steady(text)
        return (tostring(text):gsub("after %%d+ ms", "after 0 ms"))
      end
      for address in ("%s"):gmatch "%%S+" do
        local stack = cloud66.new { base_url = address, token = "a-token-of-mine", retries = false }
        stack = stack and stack:with { token = address:find "live" and "%s" or nil }:stack "%s"
        local ok, problem = pcall(function() assert(stack:live()) end)
        local value, message, err = stack:live()
        message, problem = steady(message), steady(problem)
        print(ok, problem:sub(-#message), select("#", stack:live())) -- newer Luas put a line in front
        print(value, message, steady(err))
        io.stderr:write(message, "\n")
      end
    ]]):format(table.concat(addresses, " "), fake.token, fake.stacks.api))
    assert.equal(0, status, errors)
    local lines = {}
    for line in errors:gmatch "[^\n]+" do
      assert.matches("^[%l_]+: ", line)
      lines[#lines + 1] = "false\t" .. line .. "\t3"
      lines[#lines + 1] = "nil\t" .. line .. "\t" .. line
    end
    assert.equal(#addresses * 2, #lines)
    assert.equal(table.concat(lines, "\n") .. "\n", output)
    assert.not_matches("a%-token%-of%-mine", output)
  end)

  it("ends with the message where it asserts", function()
    local output, errors, status = child(nothing_live .. "\nlocal live = assert(stack:live())\nprint(live)")
    assert.equal("", output)
    assert.matches("none: stack '" .. fake.stacks.awesome_app .. "' has no live deployment", errors, 1, true)
    assert.equal(1, status)
  end)

  it("prints the three results of a failure", function()
    local output, errors, status = child(nothing_live .. "\nprint(stack:live())")
    assert.matches("^nil\tnone: [^\t]+\tnone: [^\t]+\n$", output)
    assert.equal("", errors)
    assert.equal(0, status)
  end)

  it("writes the message to standard error", function()
    local output, errors, status = child(nothing_live .. [[
      local live, message, err = stack:live()
      io.stderr:write(message, "\n")
      io.stderr:write("again: " .. err, "\n")
      os.exit(live and 0 or 3)
    ]])
    assert.equal("", output)
    assert.matches("^none: [^\n]+\nagain: none: [^\n]+\n$", errors)
    assert.equal(3, status)
  end)

  it("ends with the message where a for loop fails", function()
    local output, errors, status = child(start .. [[
      local count = 0
      for d in stack:deployments() do
        count = count + 1
      end
      print(count)
    ]])
    assert.equal("", output)
    assert.equal(1, status)
    if not old_lua then -- its interpreter cannot print an error object
      assert.matches("server: ", errors, 1, true)
    end
  end)

  it("ends with the message where each is asserted, on every Lua", function()
    local _, errors, status = child(start .. "\nassert(stack:deployments():each(function() end))")
    assert.matches("server: ", errors, 1, true)
    assert.equal(1, status)
  end)

  it("sees the caller's line where the programmer is wrong", function()
    local _, errors, status = child "local cloud66 = require 'cloud66'\n\ncloud66.new { tokn = 'x' }\n"
    assert.matches(":3: unknown option 'tokn'", errors, 1, true)
    assert.equal(1, status)
  end)

  it("ends without a fuss when it holds everything", function()
    local output, errors, status = child(start .. [[
      kept = { stack, stack:page(1), stack:deployments(), stack:deployments():first(), select(3, stack:page(2)) }
      print(#kept)
    ]])
    assert.same({ "5\n", "", 0 }, { output, errors, status })
  end)
end)

-- --- whose line a raise blames ---

-- Each function must raise, blaming the line it stands on: it calls in its first line.
local function blames(calls)
  local names, wrong = {}, {}
  for name in pairs(calls) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local info = debug.getinfo(calls[name], "S")
    local place = ("%s:%d: "):format(info.short_src, info.linedefined + 1)
    local ok, problem = pcall(calls[name])
    if ok then
      wrong[#wrong + 1] = name .. " did not raise"
    elseif type(problem) ~= "string" or problem:sub(1, #place) ~= place then
      wrong[#wrong + 1] = ("%s: %s instead of %s"):format(name, tostring(problem), place)
    end
  end
  assert.same({}, wrong)
end

local one_page = cloud66.decode '[{"id":1,"outcome":"success"},{"id":2}]'

describe("a mistake blames the caller's line", function()
  local client = connect()
  local api = client:stack(fake.stacks.api)

  it("in cloud66.new", function()
    blames {
      no_table = function()
        cloud66.new "x"
      end,
      unknown_option = function()
        cloud66.new { tokn = "x" }
      end,
      empty_token = function()
        cloud66.new { token = "" }
      end,
      token_type = function()
        cloud66.new { token = 5 }
      end,
      token_space = function()
        cloud66.new { token = "a b" }
      end,
      token_line = function()
        cloud66.new { token = "a\n" }
      end,
      base_url = function()
        cloud66.new { token = "x", base_url = "ftp://x" }
      end,
      base_url_type = function()
        cloud66.new { token = "x", base_url = 5 }
      end,
      base_url_user = function()
        cloud66.new { token = "x", base_url = "https://a@b" }
      end,
      base_url_plain = function()
        cloud66.new { token = "x", base_url = "http://example.com" }
      end,
      timeout = function()
        cloud66.new { token = "x", timeout = -1 }
      end,
      timeout_part = function()
        cloud66.new { token = "x", timeout = { conect = 1 } }
      end,
      timeout_value = function()
        cloud66.new { token = "x", timeout = { total = 0 } }
      end,
      account = function()
        cloud66.new { token = "x", account = "" }
      end,
      account_number = function()
        cloud66.new { token = "x", account = 1.5 }
      end,
      max_body = function()
        cloud66.new { token = "x", max_body = 0 }
      end,
      ca_file = function()
        cloud66.new { token = "x", ca_file = "" }
      end,
      proxy = function()
        cloud66.new { token = "x", proxy = 5 }
      end,
      user_agent = function()
        cloud66.new { token = "x", user_agent = "a\n" }
      end,
      allow_http = function()
        cloud66.new { token = "x", allow_http = "yes" }
      end,
      transport = function()
        cloud66.new { token = "x", transport = "curl" }
      end,
    }
  end)

  it("in cloud66.decode", function()
    blames {
      no_text = function()
        cloud66.decode(nil)
      end,
      table = function()
        cloud66.decode {}
      end,
    }
  end)

  it("in the client's methods", function()
    blames {
      with_no_table = function()
        client:with "x"
      end,
      with_unknown = function()
        client:with { tokn = "x" }
      end,
      with_timeout = function()
        client:with { timeout = 0 }
      end,
      with_base_url = function()
        client:with { base_url = "ftp://x" }
      end,
      with_token = function()
        client:with { token = "" }
      end,
      stack_nil = function()
        client:stack(nil)
      end,
      stack_empty = function()
        client:stack ""
      end,
      stacks_unknown = function()
        client:stacks { nam = "x" }
      end,
      stacks_empty = function()
        client:stacks {}
      end,
      stacks_type = function()
        client:stacks "x"
      end,
      stacks_word = function()
        client:stacks { status_name = "x" }
      end,
      stacks_list = function()
        client:stacks { name = {} }
      end,
      find_nothing = function()
        client:find_stack()
      end,
      find_empty = function()
        client:find_stack { name = "" }
      end,
      find_unknown = function()
        client:find_stack { nam = "x" }
      end,
      find_environment = function()
        client:find_stack { name = "x", environment = 5 }
      end,
      request_method = function()
        client:request("get", "/x")
      end,
      request_path = function()
        client:request("GET", "/a b")
      end,
      request_no_path = function()
        client:request "GET"
      end,
      request_options = function()
        client:request("GET", "/x", { qury = {} })
      end,
      request_number = function()
        client:request("POST", "/x", { body = { id = 1e15 } })
      end,
      request_deep_number = function()
        client:request("POST", "/x", { body = { { { { id = 1e15 } } } } })
      end,
      request_body = function()
        client:request("POST", "/x", { body = { print } })
      end,
      request_query = function()
        client:request("GET", "/x", { query = "x" })
      end,
    }
  end)

  it("in the stack's methods and fields", function()
    blames {
      unloaded = function()
        tostring(api.name)
      end,
      unloaded_word = function()
        tostring(api.status_name)
      end,
      unknown = function()
        tostring(api.nam)
      end,
      unknown_method = function()
        api:lve()
      end,
      assigned = function()
        api.something = 1
      end,
      raw = function()
        api:raw(nil)
      end,
      raw_unloaded = function()
        api:raw "x"
      end,
      page = function()
        api:page(0)
      end,
      page_type = function()
        api:page "1"
      end,
      deployment = function()
        api:deployment(nil)
      end,
      deployment_rounded = function()
        api:deployment(2 ^ 62)
      end,
      deployment_text = function()
        api:deployment "x"
      end,
      is_live = function()
        api:is_live(nil)
      end,
      is_live_short = function()
        api:is_live "abc"
      end,
      deployments_unknown = function()
        api:deployments { sinse = 1 }
      end,
      deployments_type = function()
        api:deployments "x"
      end,
      deployments_since = function()
        api:deployments { since = "x" }
      end,
      deployments_before = function()
        api:deployments { before = 2024 }
      end,
      deployments_page = function()
        api:deployments { page = 0 }
      end,
      deployments_max_pages = function()
        api:deployments { max_pages = "x" }
      end,
    }
  end)

  it("in criteria, wherever they are given", function()
    local wrong = {
      empty = {}, unknown = { outcom = "x" }, word = { outcome = "x" }, text = { git_ref = "" }, text_type = { git_ref = 5 },
      hash = { git_hash = "abc" }, id = { id = 1.5 }, id_rounded = { id = 2 ^ 62 }, boolean = { is_live = 1 },
      predicate = { is_success = 1 },
      seconds = { duration = "x" }, code = { outcome_code = true }, since = { since = "x" }, since_year = { since = 2024 },
      before = { before = {} }, no_list = { outcome = {} }, in_list = { outcome = { "x" } }, hash_in_list = { git_hash = { "x" } },
      id_in_list = { id = { 1.5 } }, code_in_list = { outcome_code = { true } }, seconds_in_list = { duration = { "x" } }, no_table = "x",
    }
    local calls = {}
    for name, wanted in pairs(wrong) do
      calls["where_" .. name] = function()
        api:deployments():where(wanted)
      end
      calls["page_where_" .. name] = function()
        one_page:where(wanted)
      end
      calls["matches_" .. name] = function()
        one_page[1]:matches(wanted)
      end
    end
    blames(calls)
  end)

  it("in the sequence's methods", function()
    local used, taken = one_page:where(tostring), one_page:where(tostring)
    used:count()
    taken:take(1)
    blames {
      where = function()
        api:deployments():where()
      end,
      map = function()
        api:deployments():map()
      end,
      take = function()
        api:deployments():take "x"
      end,
      take_while = function()
        api:deployments():take_while()
      end,
      collect = function()
        api:deployments():collect "x"
      end,
      each = function()
        api:deployments():each()
      end,
      group_by = function()
        api:deployments():group_by()
      end,
      group_by_unknown = function()
        api:deployments():group_by "outcom"
      end,
      reduce = function()
        api:deployments():reduce()
      end,
      index = function()
        tostring(used[1])
      end,
      used_count = function()
        used:count()
      end,
      used_collect = function()
        used:collect()
      end,
      used_first = function()
        used:first()
      end,
      used_each = function()
        used:each(print)
      end,
      used_group_by = function()
        used:group_by "outcome"
      end,
      used_reduce = function()
        used:reduce(print, 1)
      end,
      used_where = function()
        used:where { is_success = true }
      end,
      used_map = function()
        used:map(print)
      end,
      used_take = function()
        used:take(1)
      end,
      used_take_while = function()
        used:take_while(print)
      end,
      taken_count = function()
        taken:count()
      end,
      used_loop = function()
        for _ in used do error "it gave an item" end
      end,
      dot = function()
        used.count()
      end,
    }
  end)

  it("in a deployment and a page", function()
    local d = one_page[1]
    blames {
      field = function()
        tostring(d.outcom)
      end,
      assigned = function()
        d.outcome = "x"
      end,
      matches = function()
        d:matches()
      end,
      page_field = function()
        tostring(one_page.nxt)
      end,
      page_assigned = function()
        one_page.next = 1
      end,
      page_where = function()
        one_page:where()
      end,
    }
  end)
end)
