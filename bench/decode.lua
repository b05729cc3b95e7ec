-- decode.lua: the decoder beside its peers: lua5.4 bench/decode.lua (script/bench sets the paths).
--
-- 200 different pages of 30 deployments; each round times every candidate once over all of them, one after another,
-- and a figure is the median of its rounds. Ratios are between medians of the same rounds.

local cjson = require "cjson"
local core = require "cloud66.core"
local pages = require "pages"

local has_dkjson, dkjson = pcall(require, "dkjson")
local ROUNDS = tonumber(os.getenv "C66_BENCH_ROUNDS") or 9
local PAGES, SIZE = 200, 30

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

-- Passes over the texts in one sample: enough for the collector to run as it does in a long-lived program.
local PASSES = tonumber(os.getenv "C66_BENCH_PASSES") or 5

-- ns per deployment.
local function time(work, texts, count)
  local passes = #texts > 1 and PASSES or 1
  collectgarbage()
  collectgarbage()
  local start = os.clock()
  for _ = 1, passes do
    for i = 1, #texts do
      work(texts[i])
    end
  end
  return (os.clock() - start) * 1e9 / (count * passes)
end

-- candidates: list of {name, work, texts, count}. Returns name -> ns.
local function interleave(candidates)
  local samples = {}
  for round = 0, ROUNDS do -- round 0 warms up
    for _, c in ipairs(candidates) do
      local ns = time(c[2], c[3], c[4])
      if round > 0 then
        samples[c[1]] = samples[c[1]] or {}
        table.insert(samples[c[1]], ns)
      end
    end
  end
  local out = {}
  for name, list in pairs(samples) do
    out[name] = median(list)
  end
  return out
end

-- --- the work: what a script that filters looks at, and what one that prints looks at ---

local function peer_filter(decode)
  return function(text)
    local list = decode(text).response
    local n = 0
    for i = 1, #list do
      local d = list[i]
      if d.id and d.outcome.code and d.started_at and d.git_ref and d.is_live ~= nil then
        n = n + 1
      end
    end
    assert(n == #list)
  end
end

local function peer_print(decode)
  return function(text)
    local list = decode(text).response
    local n = 0
    for i = 1, #list do
      local d = list[i]
      if d.id and d.outcome.code and d.started_at and d.git_hash and d.triggered_by then
        n = n + 1
      end
    end
    assert(n == #list)
  end
end

local function filter_fields(text)
  local page = core.decode(text)
  local n = 0
  for i = 1, #page do
    local d = page[i]
    if d.id and d.outcome and d.started_time and d.git_ref and d.is_live ~= nil then
      n = n + 1
    end
  end
  assert(n == #page)
end

local function print_fields(text)
  local page = core.decode(text)
  local n = 0
  for i = 1, #page do
    local d = page[i]
    if d.id and d.outcome and d.started_at and d.git_hash and d.triggered_by then
      n = n + 1
    end
  end
  assert(n == #page)
end

local function filter_rows(text)
  local page = core.decode(text)
  local n = 0
  for _, id, outcome, started, ref, live in page:rows("id", "outcome", "started_time", "git_ref", "is_live") do
    if id and outcome and started and ref and live ~= nil then
      n = n + 1
    end
  end
  assert(n == #page)
end

local function print_rows(text)
  local page = core.decode(text)
  local n = 0
  for _, id, outcome, started, hash, by in page:rows("id", "outcome", "started_at", "git_hash", "triggered_by") do
    if id and outcome and started and hash and by then
      n = n + 1
    end
  end
  assert(n == #page)
end

local function held(decode, texts, count)
  local keep = {}
  collectgarbage()
  collectgarbage()
  local before = collectgarbage "count"
  for i = 1, #texts do
    keep[i] = decode(texts[i] .. " ") -- a text of its own, as an answer is, that only the result can keep
  end
  collectgarbage()
  collectgarbage()
  local bytes = (collectgarbage "count" - before) * 1024 / count
  assert(#keep == #texts)
  return bytes
end

-- --- report ---

local function line(label, ours, theirs, goal, floor)
  local ratio = theirs / ours
  print(("  %-34s %8.0f ns %8.0f ns   %5.1fx%s"):format(label, ours, theirs, ratio,
    goal and ("   goal %gx, never below %gx"):format(goal, floor) or ""))
end

local compact = pages.many(PAGES, SIZE)
local N = PAGES * SIZE
print(("%s, %d rounds, %d pages of %d deployments, %.0f bytes each"):format(
  type(jit) == "table" and jit.version or _VERSION, ROUNDS, PAGES, SIZE, #table.concat(compact) / N))

local got = interleave {
  { "decode", core.decode, compact, N },
  { "cjson decode", cjson.decode, compact, N },
  { "filter", filter_fields, compact, N },
  { "filter rows", filter_rows, compact, N },
  { "cjson filter", peer_filter(cjson.decode), compact, N },
  { "print", print_fields, compact, N },
  { "print rows", print_rows, compact, N },
  { "cjson print", peer_print(cjson.decode), compact, N },
}
print("per deployment, compact                    cloud66   lua-cjson")
line("decode", got.decode, got["cjson decode"], 35, 25)
print("  decode, then 5 fields of each: id, outcome, start, git_ref, is_live")
line("  page[i].field", got.filter, got["cjson filter"], 10, 8)
line("  page:rows", got["filter rows"], got["cjson filter"], 16, 12)
print("  the same with three texts of their own: id, outcome, started_at, git_hash, triggered_by")
line("  page[i].field", got.print, got["cjson print"])
line("  page:rows", got["print rows"], got["cjson print"])

local ours, theirs = held(core.decode, compact, N), held(cjson.decode, compact, N)
print(("  %-34s %8.0f B  %8.0f B    %5.2fx   goal 2.4x, never below 2.1x"):format(
  "memory held", ours, theirs, theirs / ours))

if has_dkjson then
  local few = pages.many(20, SIZE)
  local slow = interleave { { "decode", core.decode, few, 20 * SIZE }, { "dkjson", dkjson.decode, few, 20 * SIZE } }
  print(("  dkjson decode: %.0f ns, %.0fx"):format(slow.dkjson, slow.dkjson / slow.decode))
end

local variants = {
  { "pretty-printed", { pretty = true } },
  { "keys in another order", { order = "other" } },
  { "keys in random order", { order = "random" } },
  { "an unknown key in each", { unknown_key = true } },
  { "\\/ escapes in each URL", { escapes = true } },
  { "non-ASCII text in two fields", { unicode = true } },
}
print("decode, per deployment                     cloud66   lua-cjson           against compact")
for _, v in ipairs(variants) do
  local texts = pages.many(PAGES, SIZE, v[2])
  local r = interleave {
    { "compact", core.decode, compact, N },
    { "ours", core.decode, texts, N },
    { "cjson", cjson.decode, texts, N },
  }
  print(("  %-34s %8.0f ns %8.0f ns   %5.1fx   %.2fx the time%s"):format(v[1], r.ours, r.cjson, r.cjson / r.ours,
    r.ours / r.compact, v[1] == "pretty-printed" and " (goal 1.15x, never above 1.3x)" or ""))
end

print("one body                                   cloud66   lua-cjson")
for _, count in ipairs { 1000, 10000, 100000 } do
  local text = pages.many(1, count)
  local r = interleave { { "ours", core.decode, text, count }, { "cjson", cjson.decode, text, count } }
  line(("%d deployments, %.1f MB"):format(count, #text[1] / 1e6), r.ours, r.cjson)
end
