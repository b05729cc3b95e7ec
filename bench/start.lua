-- start.lua: what the library costs before and beside the network: loading it, and the calls and instructions of a page.
-- lua5.4 bench/start.lua, beside the fake API and with valgrind (script/bench start sees to both).
--
-- Instructions are counted by callgrind, so they do not depend on what else the machine does; those of an interpreter that
-- does nothing are taken off. How often a call goes from one file of the library to another is counted by a hook, with
-- everything loaded and asked for once before.

local LUA = os.getenv "C66_LUA"
local PAGES = 200 -- of which the instructions are a mean

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Runs a program in an interpreter of its own; gives what it prints.
local function output_of(program, prefix)
  local pipe = assert(io.popen(("%s %s -e %s 2>&1"):format(prefix or "", LUA, quoted(program))))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function instructions(program)
  local text = output_of(program, "valgrind --tool=callgrind --callgrind-out-file=/dev/null")
  assert(not text:find "stack traceback", text)
  return tonumber(text:match "Collected : (%d+)") or error(text, 0)
end

local MEMORY = [[
  local function count() collectgarbage() collectgarbage() return collectgarbage "count" end
  local before = count()
  %s
  print("KiB " .. count() - before)
  local files, lines = 0, 0
  for name in pairs(package.loaded) do
    local path = name:find "^cloud66" and package.searchpath(name, package.path)
    if path then
      files = files + 1
      for _ in io.lines(path) do lines = lines + 1 end
    end
  end
  print("files " .. files .. " lines " .. lines)
]]

local function memory(program)
  local text = output_of(MEMORY:format(program))
  local kib, files, lines = text:match "KiB (%S+).-files (%d+) lines (%d+)"
  return tonumber(kib) or error(text, 0), tonumber(files), tonumber(lines)
end

-- --- loading ---

local nothing = instructions ""

local function row(name, program)
  local kib, files, lines = memory(program)
  print(("%-34s %8.1f M %8.0f KiB %6d %8d"):format(name, (instructions(program) - nothing) / 1e6, kib, files, lines))
end

print(("%-34s %10s %12s %6s %8s"):format(_VERSION, "instr.", "memory", "files", "lines"))
row('require "cloud66"', 'require "cloud66"')
row("  and a client that lists a page", [[
  local stack = assert(require "cloud66".new()):stack "5999b763474b0eafa5fafb64bff0ba80"
  for _ in stack:deployments { max_pages = 1 } do end
]])
row("cjson and socket.http", 'require "cjson" require "socket.http"')

-- --- a page ---

-- A stack whose API answers at once, with the same page of 30 deployments.
local AT_ONCE = [[
  local pages = require "pages"
  local body = pages.many(1, 30)[1]
  local stack = assert(require "cloud66".new { token = "a-token", transport = function()
    return { status = 200, headers = {}, body = body }
  end }):stack "uid"
]]

local function per_page(work)
  local function of(count)
    return instructions(AT_ONCE .. ("for _ = 1, %d do %s end"):format(count, work))
  end
  return (of(2 * PAGES) - of(PAGES)) / PAGES
end

print ""
print(("instructions with a transport that answers at once: %.0f for stack:page(1), %.0f with its 30 deployments")
  :format(per_page "assert(stack:page(1))", per_page "for _ in stack:deployments { max_pages = 1 } do end"))

-- --- from file to file ---

-- Calls fn, and counts: how often a call enters another file of the library than the one before, and how many files.
local function ways(fn)
  local changes, files, last = 0, {}, nil
  debug.sethook(function()
    local path = debug.getinfo(2, "S").source:match "lua/(cloud66.*%.lua)$"
    if path then
      changes = changes + (path == last and 0 or 1)
      last, files[path] = path, true
    end
  end, "c")
  fn()
  debug.sethook()
  local count = 0
  for _ in pairs(files) do
    count = count + 1
  end
  return changes, count
end

local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local fake = require "spec.support.fake"

local world, requests = fake.world(), 0
local client = assert(cloud66.new {
  token = fake.token, base_url = fake.url { world = world.name, queue = 30 }, on = { request = function()
    requests = requests + 1
  end },
})
local stack = client:stack(fake.stacks.staging)

local function print_ways(name, fn)
  requests = 0
  local changes, files = ways(fn)
  print(("%-34s %6d changes over %d files, %d requests"):format(name, changes, files, requests))
end

local function first()
  assert(stack:deployments():first())
end
local function wait()
  local result = assert(stack:redeploy { git_ref = "main" })
  clock.run(world, function()
    assert(stack:wait(result))
  end)
end

print ""
print "from file to file, over libcurl:"
first()
wait()
print_ways("a page, and one deployment of it", first)
print_ways("redeploy() and wait()", wait)
