-- Failures: that they can be asserted, printed and written, and what the err object is.
local child = require("spec.support.child").run
local cloud66 = require "cloud66"
local KINDS = require("cloud66.base.error").KINDS
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local tree = require "spec.support.tree"

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
  { "not_found", function()
    return stack({ error = "gone" }):head()
  end },
  { "forbidden", function()
    return stack({ error = "forbidden", error_body = "html" }):head()
  end },
  { "bad_request", function()
    return stack({ error = "unprocessable", error_body = "errors" }):head()
  end },
  { "server", function()
    return stack({ error = "system" }):head()
  end },
  { "server", function()
    return stack({ status = "524" }):head()
  end },
  { "connect", function()
    return connect(nil, { transport = function()
      return { status = 407, headers = {}, body = "" }
    end }):stack("a"):live()
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

describe("a kind of error", function()
  -- The texts in quotes of these files: text -> true. base/error.lua, which lists the kinds, is none of them.
  local function quoted_in(folder, suffix)
    local quoted = {}
    for _, path in ipairs(tree.files(folder, suffix)) do
      for text in (path:find "base/error%.lua$" and "" or tree.read(path)):gmatch '"([%l_]+)"' do
        quoted[text] = true
      end
    end
    return quoted
  end

  it("is given by the library, and expected by a spec", function()
    local lua, c, specs = quoted_in("lua", ".lua"), quoted_in("src", ".c"), quoted_in("spec", "_spec.lua")
    for kind in pairs(KINDS) do
      assert.is_true(lua[kind] or c[kind] or false, ("nothing fails with '%s'"):format(kind))
      assert.is_true(specs[kind] or false, ("no spec expects '%s'"):format(kind))
    end
  end)

  it("is one of those that base/error.lua lists", function()
    local count = 0
    for _, path in ipairs(tree.files("lua", ".lua")) do
      for kind in tree.read(path):gmatch '%f[%w_]errors%.%l+%("([%l_]+)"' do
        count = count + 1
        assert.is_true(KINDS[kind] or false, ("%s has errors of kind '%s', which base/error.lua does not list"):format(path, kind))
      end
    end
    assert.is_true(count > 40)
  end)
end)

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
