-- What is loaded when: the optional parts on their first use, and never for a script that lists deployments.
local child = require "spec.support.child"
local cloud66 = require "cloud66"
local fake = require "spec.support.fake"
local host = require "spec.support.host"

-- What a program has loaded of cloud66 at its end: names without "cloud66.", sorted.
local function loaded(program)
  local output, errors, status = child.run(program .. [[

    local names = {}
    for name in pairs(package.loaded) do
      names[#names + 1] = name:match "^cloud66%.(.+)$"
    end
    table.sort(names)
    print(table.concat(names, " "))
  ]])
  assert.equal(0, status, errors)
  local names = {}
  for name in output:match("([^\n]*)\n$"):gmatch "%S+" do
    names[#names + 1] = name
  end
  return names
end

-- The names of the second list that are not in the first.
local function added(before, after)
  local known, more = {}, {}
  for _, name in ipairs(before) do
    known[name] = true
  end
  for _, name in ipairs(after) do
    more[#more + 1] = not known[name] and name or nil
  end
  return more
end

local AFTER_REQUIRE = {
  "base.args", "base.caller", "base.date", "base.error", "base.git", "base.number", "base.random", "base.url",
  "client", "core",
  "http.api", "http.attempts", "http.backoff", "http.credentials", "http.exchange", "http.follow", "http.hooks",
  "http.rate_limit", "http.redactor", "http.response", "http.settings",
  "model.criteria", "model.order", "model.pages", "model.sequence", "model.stack_fields", "model.trend",
  "resource.endpoint",
  "runtime.host", "runtime.tasks", "runtime.wait",
  "stack",
}

local CLIENT = [[
  local cloud66 = require "cloud66"
  local client = assert(cloud66.new { token = %q, base_url = %q })
  local stack = client:stack(%q)
]]

local function with_client(program)
  return CLIENT:format(fake.token, fake.url(), fake.stacks.staging) .. program
end

local LISTING = "for d in stack:deployments { max_pages = 1 } do assert(d.id) end"

describe("the library", function()
  it("loads what a call to the API is made of, and no optional part", function()
    assert.same(AFTER_REQUIRE, loaded 'require "cloud66"')
  end)

  it("loads the way to the network besides for a page that is listed", function()
    assert.same({ "curl", "transport.curl" }, added(AFTER_REQUIRE, loaded(with_client(LISTING))))
  end)

  it("is thin for a script that lists a page: 4,600 lines at most", function()
    local lines = 0
    local files = { "lua/cloud66.lua" }
    for _, name in ipairs(loaded(with_client(LISTING))) do
      files[#files + 1] = ("lua/cloud66/%s.lua"):format(name:gsub("%.", "/"))
    end
    for _, path in ipairs(files) do
      for _ in (host.read(path) or ""):gmatch "\n" do
        lines = lines + 1
      end
    end
    assert.is_true(lines > 1000 and lines <= 4600, lines .. " lines")
  end)
end)

describe("an optional part is loaded on its first use:", function()
  local DEPLOY = { "base.value", "deploy.correlate", "deploy.known", "deploy.options", "deploy.outcome", "deploy.own_action", "deploy.pace",
    "deploy.search", "deploy.tracker", "deploy.wait", "model.action", "model.page_list", "resource.actions", "resource.estimate", "resource.poll_loop" }
  local SHARING = { "sharing.budget", "sharing.cache", "sharing.entries", "sharing.failover", "sharing.keys",
    "sharing.layers", "sharing.options", "sharing.store.contract", "sharing.store.heap", "sharing.store.memory",
    "sharing.stores" }
  local uses = {
    ["stack:live()"] = { "assert(stack:live())", { "resource.find" } },
    ["stack:wait()"] = { "assert(stack:wait(assert(stack:page(1))[1]))",
      DEPLOY },
    ["stack:poll()"] = { "assert(stack:poll())", { "resource.changes", "resource.cursor", "resource.estimate" } },
    ["stack:watch()"] = { "stack:watch()",
      { "resource.changes", "resource.cursor", "resource.estimate", "resource.poll_loop", "resource.watch" } },
    ["stack:eta()"] = { "stack:eta(assert(stack:page(1))[1])", { "resource.estimate" } },
    ["stack:actions()"] = { "assert(stack:actions():collect())", { "base.value", "model.action", "model.page_list", "resource.actions" } },
    ["a list that is oldest first"] = {
      ("stack = client:with({ base_url = %q }):stack(stack.uid); %s"):format(fake.url { order = "oldest" }, LISTING),
      { "model.page_list", "model.reorder" },
    },
    ["client:map()"] = { "assert(client:map({}, print))", { "fleet.map" } },
    ["client:deployments()"] = { "client:deployments()", { "fleet.merge", "model.page_list" } },
    ["client:request() with a body"] = { "client:request('POST', '/nowhere', { body = {} })",
      { "base.json", "base.value", "http.error_body", "http.failure", "http.undone" } },
    ["cloud66.reference()"] = { "cloud66.reference()", { "deploy.reference" } },
    ["a budget"] = { "client:with { budget = 10 }", SHARING },
    ["cloud66.store"] = { "assert(cloud66.store.check)", { "sharing.stores" } },
    ["cloud66.stats()"] = { "assert(cloud66.stats({}))",
      { "history.calendar", "history.recovery", "history.stats" } },
    ["cloud66.webhook()"] = { "cloud66.webhook('{}')", { "base.value", "model.webhook" } },
  }
  for name, use in pairs(uses) do
    it(name, function()
      local before = { "curl", "transport.curl" }
      for _, module in ipairs(AFTER_REQUIRE) do
        before[#before + 1] = module
      end
      local more = added(before, loaded(with_client(use[1])))
      table.sort(use[2])
      assert.same(use[2], more)
    end)
  end
end)

describe("a client without a store", function()
  -- The files of the library that calls enter while fn runs: path -> true.
  local function entered(fn)
    local files = {}
    local thread = coroutine.create(fn) -- whose hook is its own: the one that counts lines goes on, but on LuaJIT
    debug.sethook(thread, function()
      local path = debug.getinfo(2, "S").source:match "lua/(cloud66.*%.lua)$"
      if path then
        files[path] = true
      end
    end, "c")
    local ok, problem = coroutine.resume(thread)
    debug.sethook(thread)
    assert.is_true(ok, tostring(problem))
    return files
  end

  local function of_sharing(files)
    local count = 0
    for path in pairs(files) do
      count = count + (path:find "/sharing/" and 1 or 0)
    end
    return count
  end

  it("runs through nothing that is for those who have one", function()
    local plain = assert(cloud66.new { token = fake.token, base_url = fake.url() })
    local sharing = plain:with { cache = {}, budget = 100 }
    local function list(client)
      return function()
        assert(client:stack(fake.stacks.staging):page(1))
      end
    end
    assert.is_true(of_sharing(entered(list(sharing))) > 0)
    local files = entered(list(plain))
    assert.is_true(files["cloud66/http/api.lua"])
    assert.equal(0, of_sharing(files))
  end)
end)
