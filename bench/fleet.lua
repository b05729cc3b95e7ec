-- fleet.lua: what it costs to share: a page of 30 deployments from the cache, from memory, from Redis and from a shared dict,
-- in a script and inside nginx, beside decoding alone; and eight processes that spend one budget in Redis. The requests of
-- the latter go nowhere: what is timed is the counting.
-- (script/bench runs it, beside the fake API, with LuaJIT.) A figure is the median of its rounds.

local cloud66 = require "cloud66"
local core = require "cloud66.core"
local fake = require "spec.support.fake"
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"

local ROUNDS = tonumber(os.getenv "C66_BENCH_ROUNDS") or 7
local CALLS = 2000
local PROCESSES, BUDGET = 8, 16000

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

local function line(what, figure, unit)
  print(("%-62s %9.1f %s"):format(what, figure, unit))
end

local server = redis.start()
local settings = { base_url = fake.url { ratelimit = "no" }, token = fake.token, cache = { fresh = 3600, stale = 3600 } }

local function client_of(store)
  local all = { store = store }
  for name, value in pairs(settings) do
    all[name] = value
  end
  return assert(cloud66.new(all))
end

-- --- in a script ---

local function timed(fn)
  local before = core.monotonic()
  for _ = 1, CALLS do
    fn()
  end
  return (core.monotonic() - before) / CALLS * 1e6
end

local memory = client_of(cloud66.store.memory()):stack(fake.stacks.api)
local shared = client_of(cloud66.store.redis { port = server.port, timeout = 5 }):stack(fake.stacks.api)
local body = select(2, assert(client_of(cloud66.store.memory()):request("GET", "/stacks/" .. fake.stacks.api .. "/deployments"))).body

local ways = {
  { "decoding alone", function() assert(cloud66.decode(body)) end },
  { "kept in memory", function() assert(memory:page(1)) end },
  { "kept in Redis", function() assert(shared:page(1)) end },
}
local figures = { {}, {}, {} }
for _ = 1, ROUNDS do
  for i, way in ipairs(ways) do
    table.insert(figures[i], timed(way[2]))
  end
end
for i, way in ipairs(ways) do
  line(("a page of 30 deployments in a script, %s"):format(way[1]), median(figures[i]), "us")
end

-- --- inside nginx ---

local inside = nginx.start { http = ([[
  lua_shared_dict cloud66 10m;
  init_by_lua_block {
    cjson, cloud66 = require "cjson", require "cloud66"
    local function client_of(store)
      return assert(cloud66.new { base_url = "%s", token = "%s", store = store, cache = { fresh = 3600, stale = 3600 } })
    end
    clients = { memory = client_of(cloud66.store.memory()), dict = client_of(cloud66.store.shared_dict "cloud66"),
      redis = client_of(cloud66.store.redis { port = %d, timeout = 5 }) }
  }
]]):format(settings.base_url, settings.token, server.port), server = ([[
  location / { content_by_lua_block {
    local stack = clients[ngx.var.arg_store]:stack "%s"
    assert(stack:page(1))
    ngx.update_time()
    local before = ngx.now()
    for _ = 1, %d do
      assert(stack:page(1))
    end
    ngx.update_time()
    ngx.print((ngx.now() - before) / %d * 1e6)
  } }
]]):format(fake.stacks.api, CALLS, CALLS) }
local stores = { "memory", "dict", "redis" }
figures = { memory = {}, dict = {}, redis = {} }
for _ = 1, ROUNDS do
  for _, store in ipairs(stores) do
    local _, text = inside:get("/?store=" .. store)
    table.insert(figures[store], (assert(tonumber(text), text)))
  end
end
inside:stop()
for _, store in ipairs(stores) do
  line(("a page of 30 deployments inside nginx, kept in %s"):format(store), median(figures[store]), "us")
end

-- --- eight processes and one budget ---

local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write(([[
  local cloud66 = require "cloud66"
  local client = assert(cloud66.new { base_url = "http://127.0.0.1:1", token = "bench", budget = %d, retries = false,
    store = cloud66.store.redis { port = %d, timeout = 5 },
    transport = function() return { status = 200, headers = {}, body = "{}" } end })
  local count = 0
  while client:request("GET", "/ping") do
    count = count + 1
  end
  print(count)
]]):format(BUDGET, server.port))
file:close()

local seconds, totals = {}, {}
for _ = 1, ROUNDS do
  server:cli "flushall"
  local before = core.monotonic()
  local pipe = io.popen(("for i in $(seq %d); do '%s' '%s' & done; wait"):format(PROCESSES, os.getenv "C66_LUA", path))
  local total = 0
  for count in pipe:read("*a"):gmatch "%d+" do
    total = total + tonumber(count)
  end
  pipe:close()
  seconds[#seconds + 1] = core.monotonic() - before
  totals[#totals + 1] = total
end
os.remove(path)
table.sort(totals)
print(("%d processes with a budget of %d: %d to %d GETs let through (a tenth is kept)"):format(
  PROCESSES, BUDGET, totals[1], totals[#totals]))
line("a counted request, eight processes at once", median(seconds) / totals[1] * 1e6, "us")
server:remove()
