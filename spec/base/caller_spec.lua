-- Whose line a mistake of the programmer blames: the one that called the library, wherever it calls from.
local actions = require "cloud66.model.action"
local child = require "spec.support.child"
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local registered = require "spec.support.registered"

-- Each line is one mistake. The names they use are in `environment`.
local MISTAKES = {
  [[cloud66.new "x"]],
  [[cloud66.new(cloud66)]],
  [[cloud66.new { tokn = "x" }]],
  [[cloud66.new { token = "" }]],
  [[cloud66.new { token = 5 }]],
  [[cloud66.new { token = "a b" }]],
  [[cloud66.new { token = "a\n" }]],
  [[cloud66.new { token = "x", base_url = "ftp://x" }]],
  [[cloud66.new { token = "x", base_url = 5 }]],
  [[cloud66.new { token = "x", base_url = "" }]],
  [[cloud66.new { token = "x", base_url = "https://a@b" }]],
  [[cloud66.new { token = "x", base_url = "http://example.com" }]],
  [[cloud66.new { token = "x", timeout = -1 }]],
  [[cloud66.new { token = "x", timeout = { conect = 1 } }]],
  [[cloud66.new { token = "x", timeout = { total = 0 } }]],
  [[cloud66.new { token = "x", timeout = 1e9 }]],
  [[cloud66.new { token = "x", account = "" }]],
  [[cloud66.new { token = "x", account = 1.5 }]],
  [[cloud66.new { token = "x", max_body = 0 }]],
  [[cloud66.new { token = "x", concurrency = "8" }]],
  [[cloud66.new { token = "x", ca_file = "" }]],
  [[cloud66.new { token = "x", proxy = 5 }]],
  [[cloud66.new { token = "x", proxy = "http://me:pass/word@127.0.0.1:1" }]],
  [[cloud66.new { token = "x", user_agent = "a\n" }]],
  [[cloud66.new { token = "x", user_agent = "a\255" }]],
  [[cloud66.new { token = "x", allow_http = "yes" }]],
  [[cloud66.new { token = "x", transport = "curl" }]],
  [[cloud66.new { token = "x", retries = 3 }]],
  [[cloud66.new { token = "x", retries = { atempts = 3 } }]],
  [[cloud66.new { token = "x", retries = { base = 0 } }]],
  [[cloud66.new { token = "x", on_throttle = "wiat" }]],
  [[cloud66.new { token = "x", throttle_wait = 0 }]],
  [[cloud66.new { token = "x", on = { request = 5 } }]],
  [[cloud66.new { token = "x", on = { requst = print } }]],
  [[cloud66.new { token = "x", store = {} }]],
  [[cloud66.new { token = "x", store = "memory" }]],
  [[cloud66.new { token = "x", budget = 0 }]],
  [[cloud66.new { token = "x", cache = true }]],
  [[cloud66.new { token = "x", cache = { frsh = 1 } }]],
  [[cloud66.new { token = "x", cache = { fresh = "1" } }]],
  [[cloud66.new { token = "x", cache = { fresh = 10, stale = 5 } }]],
  [[cloud66.decode(nil)]],
  [[cloud66.decode {}]],
  [[cloud66.stats(nil)]],
  [[cloud66.stats(one_page[1])]],
  [[cloud66.stats({ 1 })]],
  [[cloud66.stats(one_page, { form = "7d" })]],
  [[cloud66.stats(one_page, { from = "" })]],
  [[cloud66.stats(one_page, { by = "weeks" })]],
  [[cloud66.stats(one_page, { from = "2025-01-02", to = "2025-01-01" })]],
  [[cloud66.stats(one_page:where(tostring):map(tostring))]],
  [[cloud66.store.memory { max_byte = 1 }]],
  [[cloud66.store.memory { max_bytes = 1 }]],
  [[cloud66.store.memory "x"]],
  [[cloud66.store.shared_dict(nil)]],
  [[cloud66.store.shared_dict ""]],
  [[cloud66.store.redis { hots = "x" }]],
  [[cloud66.store.redis { host = "" }]],
  [[cloud66.store.redis { port = 0 }]],
  [[cloud66.store.redis { path = "/x", host = "y" }]],
  [[cloud66.store.redis { timeout = 1000 }]],
  [[cloud66.store.check(nil)]],
  [[cloud66.store.check { get = print }]],
  [[store:get(5)]],
  [[store:get ""]],
  [[store.get "x"]],
  [[store:set("k", 5, 1)]],
  [[store:set("k", "v", 0)]],
  [[store:add("k", "v", "1")]],
  [[store:add("", "v", 1)]],
  [[store:incr("k", 0.5, 1)]],
  [[store:incr("k", "1", 1)]],

  [[client.nothing()]],
  [[client:stak "x"]],
  [[client.timeout = 5]],
  [[client.stacks()]],
  [[client:with "x"]],
  [[client:with { tokn = "x" }]],
  [[client:with { timeout = 0 }]],
  [[client:with { base_url = "ftp://x" }]],
  [[client:with { token = "" }]],
  [[client:with { store = 5 }]],
  [[client:stack(nil)]],
  [[client:stack(5)]],
  [[client:stack ""]],
  [[client:stack "a\255"]],
  [[client:stacks { nam = "x" }]],
  [[client:stacks {}]],
  [[client:stacks "x"]],
  [[client:stacks { status_name = "x" }]],
  [[client:stacks { name = {} }]],
  [[client:stacks { name = "" }]],
  [[client:find_stack()]],
  [[client:find_stack "x"]],
  [[client:find_stack { name = "" }]],
  [[client:find_stack { name = "a\255" }]],
  [[client:find_stack { nam = "x" }]],
  [[client:find_stack { name = "x", environment = 5 }]],
  [[client:request("get", "/x")]],
  [[client:request("GET", "/a b")]],
  [[client:request("GET", "")]],
  [[client:request("GET", "/%FF")]],
  [[client:request "GET"]],
  [[client:request("GET", "/x", { qury = {} })]],
  [[client:request("POST", "/x", { body = { id = 1e15 } })]],
  [[client:request("POST", "/x", { body = { { { { id = 1e15 } } } } })]],
  [[client:request("POST", "/x", { body = { print } })]],
  [[client:request("POST", "/x", { body = "x" })]],
  [[client:request("POST", "/x", { body = { "a\255" } })]],
  [[client:request("GET", "/x", { query = "x" })]],
  [[client:request("GET", "/x", { query = { a = "a\255" } })]],
  [[client:request("GET", "/x", { query = { ["a\255"] = 1 } })]],
  [[client:request("GET", "/x", { query = { a = {} } })]],
  [[client:deployments(stack)]],
  [[client:deployments {}]],
  [[client:deployments { "a", "" }]],
  [[client:deployments { "a", "b\255" }]],
  [[client:deployments { nam = "x" }]],
  [[client:deployments { since = "7d" }]],
  [[client:deployments(nil, { sinse = "7d" })]],
  [[client:deployments(nil, { since = "" })]],
  [[client:deployments(nil, nil, 1)]],
  [[client:map(5, print)]],
  [[client:map({ 1 }, "print")]],
  [[client:map({ a = 1 }, print)]],
  [[client:map({ 1 }, print, { timeot = 1 })]],
  [[client:map({ 1 }, print, { timeout = "1" })]],
  [[client:limits(1)]],
  [[client.close()]],

  [[tostring(stack.name)]],
  [[tostring(stack.status_name)]],
  [[tostring(stack.nam)]],
  [[stack:lve()]],
  [[stack.something = 1]],
  [[stack.load()]],
  [[stack:load(1)]],
  [[stack:raw(nil)]],
  [[stack:raw ""]],
  [[stack:raw "x"]],
  [[stack:page(0)]],
  [[stack:page "1"]],
  [[stack:deployment(nil)]],
  [[stack:deployment(2 ^ 62)]],
  [[stack:deployment "x"]],
  [[stack:deployment ""]],
  [[stack:live(1)]],
  [[stack:head(1)]],
  [[stack:latest {}]],
  [[stack:previous_live "x"]],
  [[stack:is_live(nil)]],
  [[stack:is_live "abc"]],
  [[stack:is_live ""]],
  [[stack:deployments { sinse = 1 }]],
  [[stack:deployments "x"]],
  [[stack:deployments { since = "x" }]],
  [[stack:deployments { before = 2024 }]],
  [[stack:deployments { page = 0 }]],
  [[stack:deployments { max_pages = "x" }]],
  [[stack:actions { reference = "x" }]],
  [[stack:actions { user_reference = "" }]],
  [[stack:actions { user_reference = "a\255" }]],
  [[stack:actions { page = "1" }]],
  [[stack:action(nil)]],
  [[stack:action ""]],
  [[stack:redeploy()]],
  [[stack:redeploy "main"]],
  [[stack:redeploy { git_reff = "x" }]],
  [[stack:redeploy { git_ref = "" }]],
  [[stack:redeploy { git_ref = 5 }]],
  [[stack:redeploy { git_ref = "a\255" }]],
  [[stack:redeploy { git_ref = "a\0" }]],
  [[stack:redeploy { current = false }]],
  [[stack:redeploy { git_ref = "x", current = true }]],
  [[stack:redeploy { git_ref = "x", user_reference = "" }]],
  [[stack:redeploy { git_ref = "x", reuse = "yes" }]],
  [[stack:redeploy { git_ref = "x", canary_percentage = 101 }]],
  [[stack:redeploy { services = {} }]],
  [[stack:redeploy { services = "web:" }]],
  [[stack:redeploy { services = { web = "1\255" } }]],
  [[stack:redeploy { services = { web = 5 } }]],
  [[stack:redeploy { services = { "web", "web:1" } }]],
  [[stack:wait(nil)]],
  [[stack:wait ""]],
  [[stack:wait {}]],
  [[stack:wait { user_reference = "a\255" }]],
  [[stack:wait(1, { timout = 5 })]],
  [[stack:wait(1, { timeout = "5" })]],
  [[stack:wait(1, { on_change = "x" })]],
  [[stack:wait(1, { require_live = 1 })]],
  [[stack:wait { async_action_id = 1, stack_uid = "another" }]],
  [[stack:ensure(nil)]],
  [[stack:ensure ""]],
  [[stack:ensure("abcdef0", { git_ref = "x" })]],
  [[stack:ensure("abcdef0", { timeout = 0 })]],
  [[stack:ensure("abcdef0", { deploy_strategy = "" })]],
  [[stack:ensure("abcdef0", { user_reference = "a\255" })]],
  [[stack:cancel(nil)]],
  [[stack:cancel ""]],
  [[stack:cancel {}]],
  [[stack:cancel(1, { wait = "yes" })]],
  [[stack:cancel(1, { wiat = true })]],
  [[stack:cancel(1, { timeout = 5 })]],
  [[stack:poll(5)]],
  [[stack:poll {}]],
  [[stack:watch(5)]],
  [[stack:watch { intervall = 5 }]],
  [[stack:watch { interval = "5" }]],
  [[stack:watch { stop = true }]],
  [[stack:watch { cursor = {} }]],
  [[stack:watch():cusor()]],
  [[stack:watch():cursor(1).x = stack.nam]],
  [[stack:eta(nil)]],
  [[stack:eta(1)]],

  [[stack:deployments():where()]],
  [[stack:deployments():where { outcom = "x" }]],
  [[stack:deployments():where { git_ref = "" }]],
  [[stack:deployments():where({ is_live = true }, 1)]],
  [[stack:deployments():map()]],
  [[stack:deployments():take "x"]],
  [[stack:deployments():take_while()]],
  [[stack:deployments():first { is_live = true }]],
  [[stack:deployments():count { is_live = true }]],
  [[stack:deployments():collect "x"]],
  [[stack:deployments():each()]],
  [[stack:deployments():group_by()]],
  [[stack:deployments():group_by "outcom"]],
  [[stack:deployments():reduce()]],
  [[stack:deployments():reduce(print)]],
  [[one_page:where(tostring):map(function() end):count()]],
  [[for _ in one_page:where(tostring):map(function() end) do break end]],
  [[one_page:where(tostring):reduce(function() end, 0)]],
  [[tostring(used[1])]],
  [[used:count()]],
  [[used:collect()]],
  [[used:first()]],
  [[used:each(print)]],
  [[used:group_by "outcome"]],
  [[used:reduce(print, 1)]],
  [[used:where { is_success = true }]],
  [[used:map(print)]],
  [[used:take(1)]],
  [[used:take_while(print)]],
  [[taken:count()]],
  [[for _ in used do error "it gave an item" end]],
  [[used.count()]],

  [[tostring(one_page[1].outcom)]],
  [[one_page[1].outcome = "x"]],
  [[one_page[1]:matches()]],
  [[one_page[1].matches()]],
  [[one_page[1]:raw(nil)]],
  [[one_page[1].elapsed()]],
  [[one_page[1].fields(5)]],
  [[one_page[1].to_table()]],
  [[one_page[1].to_json()]],
  [[tostring(one_page.nxt)]],
  [[one_page.next = 1]],
  [[one_page:where()]],
  [[one_page:rows "outcom"]],
  [[one_page.each()]],

  [[tostring(action.nam)]],
  [[one_page:where(tostring):map(function() return action end):group_by "nam"]],
}

-- Values that criteria refuse, wherever they are given.
local CRITERIA = {
  [["x"]], [[{}]], [[{ outcom = "x" }]], [[{ outcome = "x" }]], [[{ git_ref = "" }]], [[{ git_ref = 5 }]], [[{ git_hash = "abc" }]],
  [[{ id = 1.5 }]], [[{ id = 2 ^ 62 }]], [[{ is_live = 1 }]], [[{ is_success = 1 }]], [[{ duration = "x" }]],
  [[{ outcome_code = true }]], [[{ since = "x" }]], [[{ since = 2024 }]], [[{ before = {} }]], [[{ outcome = {} }]],
  [[{ outcome = { "x" } }]], [[{ git_hash = { "x" } }]], [[{ id = { 1.5 } }]], [[{ outcome_code = { true } }]],
  [[{ duration = { "x" } }]],
}
for _, wanted in ipairs(CRITERIA) do
  for _, call in ipairs { "stack:deployments():where(%s)", "one_page:where(%s)", "one_page[1]:matches(%s)" } do
    MISTAKES[#MISTAKES + 1] = call:format(wanted)
  end
end

local function environment()
  local client = expect.connect()
  local names = setmetatable({
    cloud66 = cloud66, client = client, stack = client:stack(fake.stacks.api), store = cloud66.store.memory(),
    action = assert(actions.of({ id = 1 }, tostring)),
    one_page = assert(cloud66.decode '[{"id":1,"outcome":"success"},{"id":2}]'),
  }, { __index = _G })
  names.used, names.taken = names.one_page:where(tostring), names.one_page:where(tostring)
  names.used:count()
  names.taken:take(1)
  return names
end

-- A function with the mistake in its third line, and the place that it is to blame.
local function compiled(mistake, names)
  local text = "return function()\n\n" .. mistake .. "\nend"
  local chunk
  if rawget(_G, "setfenv") then
    chunk = setfenv(assert(loadstring(text, "@mistake.lua")), names) -- luacheck: ignore 113
  else
    chunk = assert(load(text, "@mistake.lua", "t", names))
  end
  return chunk(), "mistake.lua:3: "
end

local function in_coroutine(fn)
  return coroutine.resume(coroutine.create(fn))
end

local function in_map(fn)
  return pcall(expect.connect().map, expect.connect(), { 1 }, fn)
end

local function below_c(fn)
  return pcall(string.gsub, "x", "x", fn)
end

local function all_blame(run)
  local names, wrong = environment(), {}
  for _, mistake in ipairs(MISTAKES) do
    local fn, place = compiled(mistake, names)
    local ok, problem = run(fn)
    if ok then
      wrong[#wrong + 1] = mistake .. " did not raise"
    elseif type(problem) ~= "string" or problem:sub(1, #place) ~= place then
      wrong[#wrong + 1] = mistake .. " blames: " .. tostring(problem)
    elseif problem:find("[%w_]+%.lua:%d+: ", #place) then
      wrong[#wrong + 1] = mistake .. " blames two: " .. problem
    end
  end
  assert.same({}, wrong)
end

describe("a mistake blames the line that called the library", function()
  it("from a function", function()
    all_blame(pcall)
  end)

  it("from a coroutine", function()
    all_blame(in_coroutine)
  end)

  it("from inside client:map()", function()
    all_blame(in_map)
  end)

  it("from a function that C calls", function()
    all_blame(below_c)
  end)

  it("where the line hands the call to pcall()", function()
    local names = environment()
    for _, call in ipairs { "client.stack, client, 5", "cloud66.new, { tokn = 1 }", "used.count, used" } do
      local fn, place = compiled(("error(select(2, pcall(%s)), 0)"):format(call), names)
      local _, problem = pcall(fn)
      assert.equal(place, problem:sub(1, #place), problem)
    end
  end)

  it("where a method is what client:map() calls", function()
    local names = environment()
    local fn, place = compiled("client:map({ 5 }, cloud66.decode)", names)
    local _, problem = pcall(fn)
    assert.equal(place .. "decode() needs a string, got number", problem)
  end)

  it("that is known, where it is called in a tail call: the one which called that function", function()
    local names = environment()
    local tail = compiled("return client:stack(5)", names)
    names.tail = tail
    local fn, place = compiled("local found = tail() return found", names)
    local _, problem = pcall(fn)
    assert.equal(place, problem:sub(1, #place), problem)
  end)

  it("and asks after an unset variable, where a text is empty", function()
    local names, wrong = environment(), {}
    for _, mistake in ipairs(MISTAKES) do
      local _, problem = pcall((compiled(mistake, names)))
      if mistake:find '""' and not mistake:find "^store:" and not problem:find "unset variable" then
        wrong[#wrong + 1] = mistake .. ": " .. problem
      end
    end
    assert.same({}, wrong)
  end)

  it("and the library keeps no coroutine of a map because of it", function()
    local seen = setmetatable({}, { __mode = "k" })
    expect.connect():map({ 1, 2, 3 }, function()
      seen[coroutine.running() or {}] = true
    end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  it("and no line where there is none to blame", function()
    local ok, problem = coroutine.resume(coroutine.create(cloud66.decode), 5)
    assert.is_false(ok)
    assert.equal("decode() needs a string, got number", problem)
  end)
end)

-- A program that prepares its Lua, perhaps so that the library's files have other names, and makes a mistake in the only line
-- of a file.
local LOADED_ELSEWHERE = [[
local compile = rawget(_G, "loadstring") or load
local function load_as(name_of)
  table.insert(package.searchers or package.loaders, 2, function(module)
    local path = module:gsub("%%.", "/") .. ".lua"
    local file = module:find "^cloud66" and io.open("lua/" .. path)
    if file then
      local text = file:read "*a"
      file:close()
      return assert(compile(text, name_of(path)))
    end
  end)
end
%s
local function blamed(place)
  local _, problem = coroutine.resume(coroutine.create(assert(compile("require('cloud66').decode(5)", place))))
  io.write(problem)
end
blamed(%q)
]]

describe("the line that is blamed", function()
  local MESSAGE = "decode() needs a string, got number"

  local function blamed(preparation, place)
    local output, errors = child.run(LOADED_ELSEWHERE:format(preparation, place or "@user.lua"))
    assert.equal("", errors)
    return output
  end

  it("is the user's where all of the library is in one file", function()
    assert.equal("user.lua:1: " .. MESSAGE, blamed [[load_as(function() return "@bundle.lua" end)]])
  end)

  it("is none where the user's code is in that file too", function()
    assert.equal(MESSAGE, blamed([[load_as(function() return "@bundle.lua" end)]], "@bundle.lua"))
  end)

  it("is the user's where the library's files are named in another way", function()
    assert.equal("user.lua:1: " .. MESSAGE, blamed [[load_as(function(path) return path end)]])
    assert.equal("user.lua:1: " .. MESSAGE, blamed [[load_as(function(path) return "@C:\\a-b+(c)%d\\" .. path:gsub("/", "\\") end)]])
  end)

  it("is that of a file beside the library whose name only begins as its own do", function()
    local load_from_opt = [[load_as(function(path) return "@/opt/" .. path end)]]
    for _, name in ipairs { "cloud66.deploy.lua", "cloud66_deploy.lua", "cloud66.luax" } do
      assert.equal(("/opt/%s:1: "):format(name) .. MESSAGE, blamed(load_from_opt, "@/opt/" .. name))
    end
  end)

  it("is the user's where the library is loaded with globals that lack debug, as in requests of an older nginx", function()
    assert.equal("user.lua:1: " .. MESSAGE, blamed "debug = nil")
  end)

  it("is not known in a sandbox without debug, or with a part of it, where the library works all the same", function()
    assert.equal(MESSAGE, blamed "debug, package.loaded.debug = nil, nil")
    assert.equal(MESSAGE, blamed "debug = { traceback = debug.traceback }")
  end)
end)

describe("the mistakes of this file", function()
  local all = table.concat(MISTAKES, "\n")

  -- Calls that take nothing, and nothing that could be wrong but what they are called on.
  local function check(names, owner)
    local missing = {}
    for name in pairs(names) do
      if not all:find(owner .. "[%w_%.%[%]]*[:.]" .. name .. "[ (\"{]") then
        missing[#missing + 1] = name
      end
    end
    table.sort(missing)
    assert.same({}, missing)
  end

  it("are a hundred and more", function()
    assert.is_true(#MISTAKES > 250)
  end)

  it("have one for each public call", function()
    local names = environment()
    check(registered.methods(names.client), "client")
    check(registered.methods(names.stack), "stack")
    check(registered.methods(names.used), "")
    check(registered.methods(names.stack:watch()), "watch%(%)")
    check(core.deployment_methods, "one_page")
    check(core.page_methods, "one_page")
    check({ new = true, decode = true, stats = true }, "cloud66")
    check(cloud66.store, "store")
    check({ get = true, set = true, add = true, incr = true }, "store")
  end)
end)
