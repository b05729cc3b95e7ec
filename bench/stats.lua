-- stats.lua: figures from long histories: lua5.4 bench/stats.lua (script/bench sets the paths).
--
-- Generated pages of 30 deployments are decoded first, so that what is timed and weighed is cloud66.stats alone, fed by a
-- sequence as a stack's. The times are medians of rounds; memory is the most that Lua held above the pages.

local cloud66 = require "cloud66"
local pages = require "pages"
local items = require("cloud66.model.pages").items

local ROUNDS = tonumber(os.getenv "C66_BENCH_ROUNDS") or 7
local SIZE, FEW, MANY = 30, 10000, 100000

local function decoded(count)
  local list, texts = {}, pages.many(math.ceil(count / SIZE), SIZE)
  for i, text in ipairs(texts) do
    list[i] = assert(cloud66.decode(text))
  end
  return list, #texts * SIZE
end

local function history(list)
  local i = 0
  return items(function()
    i = i + 1
    return list[i]
  end, nil, function() end) -- the generated ids are not unique, and all are to be counted
end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Calls fn, and gives what it returns and the most that Lua held while it ran, MiB above what there was before: what is
-- not yet collected is in it.
local function weighed(fn)
  collect()
  local before, most = collectgarbage "count", 0
  if type(jit) == "table" then
    jit.off() -- compiled code calls no hook
  end
  debug.sethook(function()
    most = math.max(most, collectgarbage "count")
  end, "", 1000)
  local result = fn()
  debug.sethook()
  if type(jit) == "table" then
    jit.on()
  end
  return result, (most - before) / 1024
end

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

-- µs per deployment.
local function time(list, count, options)
  collect()
  local start = os.clock()
  local figures = assert(cloud66.stats(history(list), options))
  local elapsed = os.clock() - start
  assert(figures.count == count)
  return elapsed * 1e6 / count
end

local many, many_count = decoded(MANY)
local few, few_count = {}, math.floor(FEW / SIZE) * SIZE
for i = 1, few_count / SIZE do
  few[i] = many[i]
end
local figures, most = weighed(function()
  return assert(cloud66.stats(history(many), { by = "week" }))
end)

local short, long, bare = {}, {}, {}
for i = 1, ROUNDS do
  short[i] = time(few, few_count, { by = "week" })
  long[i] = time(many, many_count, { by = "week" })
  bare[i] = time(many, many_count)
end

local function names_in(counts)
  local count = 0
  for _ in pairs(counts) do
    count = count + 1
  end
  return count
end

print(("%s, %d rounds: %d deployments, %d users, %d refs, %d weeks"):format(
  type(jit) == "table" and jit.version or _VERSION, ROUNDS, many_count, names_in(figures.by_user), names_in(figures.by_ref),
  #figures.series))
print(("  by week, per deployment: %.2f us of %d, %.2f us of %d: %.2fx   goal 1.3x"):format(
  median(short), few_count, median(long), many_count, median(long) / median(short)))
print(("  without a series: %.2f us"):format(median(bare)))
print(("  memory above the pages: %.1f MiB at most, goal 60"):format(most))
