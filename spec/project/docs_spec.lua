-- README.md and docs/*.md: each block of code is run against the fake API, each command is run by somebody, each link leads
-- somewhere.
--
-- A block that does not get the library itself sees `cloud66`, `client` and `stack`, as the pages say. A comment above a block can
-- say otherwise: <!-- only loaded: REASON -->, <!-- ends with 1 -->, <!-- asked for /path: 200 --> (of an nginx.conf),
-- <!-- inside http --> (of a part of one: it starts).
local annotations = require "spec.support.annotations"
local child = require "spec.support.child"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local markdown = require "spec.support.markdown"
local merged = require "spec.support.merged"
local scenario = require "spec.support.fake.scenario"

local pages = {}
for _, path in ipairs(markdown.pages()) do
  if path:find "^docs/" or path == "README.md" then
    pages[#pages + 1] = path
  end
end

local ROOT = host.output "pwd":match "[^\n]+"
local PRELUDE = 'local cloud66 = require "cloud66"; local client = assert(cloud66.new()); '
  .. 'local stack = assert(client:find_stack { name = "awesome-app-staging" }) '

local function place_of(block)
  return ("%s:%d"):format(block.page, block.line)
end

-- The name that the text above gives to the block's file.
local function file_of(block)
  return block.above:match "into `([%w%-]+%.%a+)`:$" or block.above:match "into `([%w%-]+%.%a+)`,?"
end

-- The block as a program; the lines keep their numbers.
local function program_of(block)
  local whole = block.text:find '^local cloud66 = require "cloud66"' or block.text:find '\nlocal cloud66 = require "cloud66"'
  return (whole and "" or PRELUDE) .. block.text
end

-- A world in which a deployment begins and ends at once, so that no spec has to wait.
local function environment(fault)
  return ("env -u CI CLOUD66_URL=%s CLOUD66_TOKEN=%s CI_COMMIT_SHA=%s CI_PIPELINE_ID=%s"):format(
    host.quote(fake.url(merged({ world = fake.world().name, queue = 0, takes = 0 }, fault))), host.quote(fake.token), ("abc1234"):rep(6):sub(1, 40),
    fake.fresh_tag())
end

-- What a page's text block says that the block before it gives; nil where there is none.
local function expected_output(blocks, i)
  local following = blocks[i + 1]
  return following and following.kind == "text" and following.text or nil
end

describe("a block of Lua in", function()
  for _, page in ipairs(pages) do
    local blocks = markdown.blocks(page)
    for i, block in ipairs(blocks) do
      if block.kind == "lua" then
        it(place_of(block), function()
          local load_text = loadstring or load -- luacheck: ignore 143 113
          assert.is_function(load_text(program_of(block), "=" .. place_of(block)))
          if block.note and block.note:find "^only loaded: %S" then
            return
          end
          local output, said, status = child.run(program_of(block), environment())
          assert.equal(block.note and tonumber(block.note:match "^ends with (%d+)$") or 0, status, said)
          if status == 0 then
            assert.equal("", said)
          end
          assert.is_truthy(output == (expected_output(blocks, i) or output), output)
        end)
      end
    end
  end

  it("a program for CI ends with the status of what failed", function()
    local programs = 0
    for _, page in ipairs(pages) do
      for _, block in ipairs(markdown.blocks(page)) do
        if block.kind == "lua" and block.text:find 'os.getenv "CI_' then
          programs = programs + 1
          for on, want in pairs { stacks = 4, redeploy = 4 } do
            local _, _, status = child.run(program_of(block), environment { error = "forbidden", on = on })
            assert.equal(want, status, place_of(block) .. " " .. on)
          end
        end
      end
    end
    assert.equal(3, programs)
  end)

  it("no page is of a kind that nobody looks at", function()
    local kinds = { lua = true, sh = true, text = true, nginx = true, indented = true }
    for _, page in ipairs(pages) do
      for _, block in ipairs(markdown.blocks(page)) do
        assert.is_true(kinds[block.kind], ("%s: a block of kind '%s'"):format(place_of(block), block.kind))
      end
    end
  end)
end)

-- --- commands ---

-- Commands that are run elsewhere: a pattern, and the file with the text that runs it.
local ELSEWHERE = {
  { "^script/test", "spec/project/docs_spec.lua", "" }, -- it runs this spec
  { "^script/demo deploy$", "spec/project/deploy_spec.lua", "examples/deploy.lua" },
  { "^script/demo history$", "spec/project/history_spec.lua", "examples/history.lua" },
  { '^CLOUD66_TOKEN=%.%.%. nginx %-p "$PWD/build" %-c "$PWD/examples/nginx/board/board.conf"$', "spec/support/board.lua", "board.conf" },
  { "^script/lint$", ".ci/run", "script/lint" },
  { "^script/docs$", ".ci/run", "script/docs" },
  { "^%.ci/run$", ".ci/run", "script/test" },
  { "^script/bench", "script/bench", "bench_decode" },
  { "^git clone URL", "script/install-check", "copy_tree" },
  { "^cloud66%-deploy ", "script/install-check", "cloud66-deploy" },
  { "^luarocks %-%-lua%-version=5%.%d make cloud66%-scm%-1%.rockspec", "script/install-check", "make --deps-mode=none" },
  { "^cmake %-B build/release ", "script/install-check", "cmake --install" },
  { "^CLOUD66_TOKEN=%.%.%. lua5%.4 first%.lua$", "docs/getting-started.md", "script/fake-api lua5.4 first.lua" },
}

local function is_run_elsewhere(line)
  for _, row in ipairs(ELSEWHERE) do
    if line:find(row[1]) then
      return (host.read(row[2]) or ""):find(row[3], 1, true) ~= nil
    end
  end
  return false
end

local function is_run_here(line)
  return line:find "^script/fake%-api" or line == "script/demo" or line:find "^CLONE=%.%.%. sh "
end

-- Commands are the same whatever Lua runs the specs; with sanitizers and the like they would only be slow.
local RUNS_COMMANDS = _VERSION == "Lua 5.4" and child.is_interruptible and not os.getenv "C66_SLOW"

local function run_command(line, directory)
  local command = line:gsub("^script/", host.quote(ROOT) .. "/script/"):gsub("^CLONE=%.%.%.", "CLONE=" .. host.quote(ROOT))
  return host.run(("cd %s && export C66_BUILT=1 && { %s; } </dev/null"):format(host.quote(directory), command))
end

-- All files that a page puts somewhere, and those that its commands take for granted.
local function put_files(blocks, directory)
  host.write(directory .. "/my-script.lua", 'local client = assert(require("cloud66").new())\n'
    .. "local stacks, message, err = client:stacks():collect()\nif not stacks then io.stderr:write(message) os.exit(err.exit_code) end\n")
  for _, block in ipairs(blocks) do
    local name = (block.kind == "lua" or block.kind == "sh") and file_of(block)
    if name then
      host.write(directory .. "/" .. name, block.text)
    end
  end
end

describe("the commands in", function()
  for _, page in ipairs(pages) do
    local blocks = markdown.blocks(page)
    it(page .. " are run by somebody, and what is run here does as it says", function()
      local directory = host.directory()
      put_files(blocks, directory)
      local wrong = {}
      for i, block in ipairs(blocks) do
        local lines = (block.kind == "sh" or block.kind == "indented") and not file_of(block) and block.lines or {}
        for _, full in ipairs(lines) do
          local line = full:gsub("%s+#%s.*$", "")
          if is_run_here(line) and RUNS_COMMANDS then
            local output, said, status = run_command(line, directory)
            local wanted = block.note and tonumber(block.note:match "^ends with (%d+)$") or 0
            local text = #lines == 1 and expected_output(blocks, i) or output
            if status ~= wanted or output ~= text then
              wrong[#wrong + 1] = ("%s: %s ended with %d and printed %s %s"):format(place_of(block), line, status, output, said)
            end
          elseif not is_run_here(line) and not is_run_elsewhere(line) then
            wrong[#wrong + 1] = ("%s: who runs this? %s"):format(place_of(block), line)
          end
        end
      end
      host.remove(directory)
      assert.same({}, wrong)
    end)
  end
end)

-- --- nginx ---

if package.loaded.jit and not os.getenv "C66_INSIDE_NGINX" then -- nginx's Lua, outside of it
  local nginx = require "spec.support.nginx"

  describe("an nginx.conf in", function()
    for _, page in ipairs(pages) do
      for _, block in ipairs(markdown.blocks(page)) do
        if block.kind == "nginx" then
          it(place_of(block), function()
            if block.note == "inside http" then
              nginx.start({ http = block.text:gsub("/etc/ssl/certs/%S+crt", fake.ca) }):stop()
              return
            end
            local path, status = (block.note or ""):match "^asked for (%S+): (%d+)$"
            assert.is_truthy(path, "a comment above it must say <!-- asked for /path: 200 -->")
            local server = nginx.start { text = block.text, environment = { CLOUD66_URL = fake.url(), CLOUD66_TOKEN = fake.token } }
            local got, body = server:get(path)
            local log = server:log()
            server:stop()
            assert.equal(tonumber(status), got, tostring(body) .. log)
            assert.is_nil(log:find("runtime error", 1, true), log)
          end)
        end
      end
    end
  end)
end

-- --- links, and what tables say ---

local function exists(path)
  return host.output(("test -e %s && echo yes"):format(host.quote(path))) ~= ""
end

describe("a link in", function()
  for _, page in ipairs(markdown.pages()) do
    it(page .. " leads somewhere", function()
      for _, link in ipairs(markdown.links(page)) do
        local file, anchor = markdown.target(page, link)
        if file then
          assert.is_true(exists(file), link)
          assert.is_true(anchor == "" or markdown.anchors(file)[anchor] or false, link)
        end
      end
    end)
  end

  it("the docs' first page leads to every other one", function()
    local linked = {}
    for _, link in ipairs(markdown.links "docs/getting-started.md") do
      linked[markdown.target("docs/getting-started.md", link) or ""] = true
    end
    for _, page in ipairs(pages) do
      local is_inside = page == "README.md" or page == "docs/getting-started.md" or page == "docs/decoder.md"
      assert.is_true(is_inside or linked[page] or false, page)
    end
  end)
end)

it("the stacks of the fake API are as docs/testing.md has them", function()
  local text = host.read "docs/testing.md"
  for _, name in ipairs(fake.data.stack_names) do
    local stack = fake.data.stack(name)
    local row = ("| `%s` (%s) | `%s` | %d |"):format(stack.name, stack.environment, stack.uid, #fake.data.deployments(name))
    assert.is_truthy(text:find(row, 1, true), row)
  end
end)

it("the scenarios in docs/testing.md are the fake API's", function()
  local count = 0
  for _, cells in ipairs(markdown.rows "docs/testing.md") do
    for text in cells[1]:gmatch "`([%w_]+=[^`]*)`" do
      count = count + 1
      assert(scenario.parse("~" .. text))
    end
  end
  assert.is_true(count > 15)
end)

-- Where a reader looks for the names of a class.
local TOLD_IN = {
  ["docs/clients.md"] = { "ClientOptions", "TimeoutOptions", "RetryOptions", "Hooks", "ResponseInfo", "RetryInfo", "ThrottleInfo",
    "WarningInfo", "CacheInfo", "Limits", "RequestOptions", "TransportRequest" },
  ["docs/list-and-filter.md"] = { "Deployment", "Page", "Sequence", "DeploymentsOptions", "FindStackOptions" },
  ["docs/deploy.md"] = { "RedeployOptions", "WaitOptions", "EnsureOptions", "CancelOptions", "ActionsOptions", "WatchOptions", "Webhook",
    "Event" },
  ["docs/many-stacks.md"] = { "HistoryOptions", "MapOptions", "MapResult", "MapResults", "Failure" },
  ["docs/history.md"] = { "Stats", "StatsOptions", "Spread", "DurationFigures", "Recovery", "Interval", "MissingStack" },
  ["docs/sharing.md"] = { "CacheOptions", "MemoryOptions", "RedisOptions", "Store" },
  ["docs/nginx.md"] = { "RestyTransport", "RestyOptions" },
  ["docs/errors.md"] = { "Error", "ErrorKind" },
}

-- What stands in front of a method's name where a page tells of it.
local CALLED = {
  cloud66 = "cloud66.", ["cloud66.Client"] = "client:", ["cloud66.Stack"] = "stack:", ["cloud66.Watch"] = "watch:",
  ["cloud66.StoreModule"] = "cloud66.store.",
}

describe("every name is told of in", function()
  local _, by_name = annotations.all()

  it("one page or another: calls, and classes of options", function()
    local all, missing, told = "", {}, {}
    for _, page in ipairs(pages) do
      all = all .. host.read(page)
    end
    for class, prefix in pairs(CALLED) do
      for _, method in ipairs(by_name[class].methods) do
        local is_told = all:find(prefix .. method.name .. "%f[^%w_]")
        missing[#missing + 1] = not is_told and ("%s%s (%s)"):format(prefix, method.name, method.place) or nil
      end
    end
    for _, classes in pairs(TOLD_IN) do
      for _, class in ipairs(classes) do
        told["cloud66." .. class] = true
      end
    end
    for name, item in pairs(by_name) do
      if name:find "Options$" and not told[name] then
        missing[#missing + 1] = ("%s (%s): say in this spec which page tells of it"):format(name, item.place)
      end
    end
    assert.same({}, missing)
  end)

  for page, classes in pairs(TOLD_IN) do
    it(page, function()
      local text, missing = host.read(page), {}
      for _, class in ipairs(classes) do
        local item = by_name["cloud66." .. class]
        for _, list in ipairs { item.fields or {}, item.methods, item.values or {} } do
          for _, each in ipairs(list) do
            local name = (each.name or each.value):match "^\"?([%w_]+)\"?$"
            if name and not text:find("%f[%w_]" .. name .. "%f[^%w_]") then
              missing[#missing + 1] = ("%s of %s (%s)"):format(name, class, item.place)
            end
          end
        end
      end
      assert.same({}, missing)
    end)
  end
end)

describe("what README.md says that goes wrong elsewhere", function()
  local count = 0
  for _, cells in ipairs(markdown.rows "README.md") do
    local path, name = cells[2]:match "^`(spec/[%w_/]+%.lua)`: (.*)$"
    if path then
      count = count + 1
      it(cells[1] .. ", has a spec", function()
        assert.is_truthy((host.read(path) or ""):find(('it("%s"'):format(name), 1, true), ("%s has no spec '%s'"):format(path, name))
      end)
    end
  end

  it("is told at all", function()
    assert.is_true(count > 10)
  end)
end)
