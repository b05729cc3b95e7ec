-- http.lua: many stacks at once beside its peers, and a request beside bare libcurl (script/bench runs it, beside the
-- fake API and with bench/easy.c built into build/bench/).
--
-- 100 stacks x 2 pages = 200 GETs over plain HTTP/1.1 of an API that answers after 50 ms; then 2,000 GETs in a row of
-- one that answers at once. Each round runs every candidate once, one after another; a figure is the median of its
-- rounds, a ratio that of two medians. The slow ones (10 s each) run in the first 3 rounds alone.

local cloud66 = require "cloud66"
local core = require "cloud66.core"
local transport = require "cloud66.transport.curl"

local ROUNDS = tonumber(os.getenv "C66_BENCH_ROUNDS") or 7
local SLOW_ROUNDS = math.min(ROUNDS, 3)
local STACKS, IN_FLIGHT, REQUESTS = 100, 16, 2000
local UIDS = { "5999b763474b0eafa5fafb64bff0ba80", "0c2f4e6a81b3d5f7092b4d6f8a1c3e57" } -- with pages enough

local origin, token = assert(os.getenv "C66_FAKE_URL", "run it with script/bench"), os.getenv "CLOUD66_TOKEN"
local slow_api, quick_api = origin .. "/~delay=0.05/api/3", origin .. "/api/3"

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

local function seconds_of(work)
  collectgarbage()
  local start = core.monotonic()
  work()
  return core.monotonic() - start
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

local function file_of(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

-- candidates: list of {name, run = function() -> figure, rounds}. Returns name -> median.
local function interleave(candidates)
  local samples = {}
  for round = 1, ROUNDS do
    for _, c in ipairs(candidates) do
      if round <= (c.rounds or ROUNDS) then
        samples[c.name] = samples[c.name] or {}
        local figure = c.run()
        table.insert(samples[c.name], figure)
      end
    end
  end
  for name, list in pairs(samples) do
    samples[name] = median(list)
  end
  return samples
end

-- --- many stacks ---

local client = assert(cloud66.new { base_url = slow_api, concurrency = IN_FLIGHT, retries = false })
local stacks, urls = {}, {}
for i = 1, STACKS do
  local uid = UIDS[i % #UIDS + 1]
  stacks[i] = client:stack(uid)
  for page = 1, 2 do
    urls[#urls + 1] = ("%s/stacks/%s/deployments?page=%d"):format(slow_api, uid, page)
  end
end

local function two_pages(stack)
  return #assert(stack:page(1)) + #assert(stack:page(2))
end

local url_list = file_of(table.concat(urls, "\n") .. "\n")
-- The token stands in a file: the command line is everybody's to read.
local curl_config = file_of(('header = "Authorization: Bearer %s"\nheader = "Accept: application/json"\ncompressed\n'):format(token)
  .. ('url = "%s"\noutput = "/dev/null"\n'):rep(#urls):format((table.unpack or unpack)(urls)))

local function run_curl(options)
  return seconds_of(function()
    local command = ("curl --silent --show-error --fail --no-progress-meter --parallel --parallel-max %d %s -K %s && echo done")
      :format(IN_FLIGHT, options, curl_config)
    assert(output_of(command) == "done\n", "curl failed")
  end)
end

local has_lua_curl = output_of "lua5.1 -e 'require[[curl]] require[[cjson]] print[[yes]]' 2>/dev/null" == "yes\n"

local pages = {
  { name = "one after another", rounds = SLOW_ROUNDS, run = function()
    return seconds_of(function()
      for _, stack in ipairs(stacks) do
        two_pages(stack)
      end
    end)
  end },
  { name = "client:map", run = function()
    return seconds_of(function()
      assert(client:map(stacks, two_pages).failed == 0)
    end)
  end },
  { name = "curl --parallel", run = function()
    return run_curl ""
  end },
  { name = "curl --parallel-immediate", run = function()
    return run_curl "--parallel-immediate"
  end },
}
if has_lua_curl then
  pages[#pages + 1] = { name = "lua-curl + lua-cjson", rounds = SLOW_ROUNDS, run = function()
    return seconds_of(function()
      assert(tonumber(output_of("lua5.1 bench/lua_curl.lua <" .. url_list)), "lua-curl failed")
    end)
  end }
end

local got = interleave(pages)
print(("%s, libcurl %s: %d stacks x 2 pages, answered after 50 ms, %d in flight; medians of %d rounds"):format(
  _VERSION, require("cloud66.curl").version, STACKS, IN_FLIGHT, ROUNDS))
for _, c in ipairs(pages) do
  print(("  %-28s %7.3f s"):format(c.name, got[c.name]))
end
local map, curl = got["client:map"], math.min(got["curl --parallel"], got["curl --parallel-immediate"])
print(("  one after another / map      %7.2f   (10 or more)"):format(got["one after another"] / map))
print(("  map / curl                   %7.2f   (1.3 or less; of the faster curl)"):format(map / curl))
if has_lua_curl then
  print(("  lua-curl / map               %7.2f"):format(got["lua-curl + lua-cjson"] / map))
else
  print "  lua-curl for Lua 5.1 is not installed"
end

-- --- one request ---

local one = assert(cloud66.new { base_url = quick_api, retries = false })
local send = transport.new()
local headers = { Authorization = "Bearer " .. token, Accept = "application/json", ["User-Agent"] = "bench" }

local function microseconds(work)
  work()
  return seconds_of(function()
    for _ = 1, REQUESTS do
      work()
    end
  end) / REQUESTS * 1e6
end

local header_file = file_of(("Authorization: Bearer %s"):format(token))
local singles = {
  { name = "curl_easy_perform", run = function()
    return assert(tonumber(output_of(([[build/bench/easy %s/ping/auth %d "$(cat %s)" "Accept: application/json"]] .. " 'User-Agent: bench'")
      :format(quick_api, REQUESTS, header_file))), "build/bench/easy failed")
  end },
  { name = "the transport", run = function()
    return microseconds(function()
      assert(send { method = "GET", url = quick_api .. "/ping/auth", headers = headers, timeout = { total = 30 } })
    end)
  end },
  { name = "client:request", run = function()
    return microseconds(function()
      assert(one:request("GET", "/ping/auth"))
    end)
  end },
}
got = interleave(singles)
print(("%d requests in a row over a kept connection; medians of %d rounds"):format(REQUESTS, ROUNDS))
for _, c in ipairs(singles) do
  print(("  %-28s %7.1f us"):format(c.name, got[c.name]))
end
print(("  client:request - bare        %7.1f us (100 or less)"):format(got["client:request"] - got["curl_easy_perform"]))

for _, path in ipairs { url_list, curl_config, header_file } do
  os.remove(path)
end
