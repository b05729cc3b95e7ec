-- nginx.lua: one API call per request inside an nginx worker, beside ngx.location.capture to a proxied upstream
-- (script/bench runs it, beside the fake API, with LuaJIT).
--
-- The upstream answers with 30 deployments after 50 ms, over plain HTTP/1.1. Each round loads both ways at every number of
-- connections, and meanwhile asks a neighbour location of the same worker, which does nothing, every 5 ms. Then a worker
-- without any connection to the API gets 64 requests at once that need one, over TLS. A figure is the median of its
-- rounds, a ratio the median of the ratios of each round.

local core = require "cloud66.core"
local engine = assert(require("cloud66.curl").engine())
local nginx = require "spec.support.nginx"
local pages = require "pages"

local ROUNDS = tonumber(os.getenv "C66_BENCH_ROUNDS") or 7
local SECONDS = tonumber(os.getenv "C66_BENCH_SECONDS") or 4 -- of load, each time
local CONNECTIONS = { 8, 64, 256 }
local BURST = 64

local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

local function median(list)
  local sorted = { (table.unpack or unpack)(list) }
  table.sort(sorted)
  return sorted[math.floor((#sorted + 1) / 2)]
end

-- The worker has one processor to itself, where there are several: what asks it and answers it has another.
local several = tonumber(output_of "nproc") > 1
local others = several and "taskset -c 1 " or ""

-- What asks the neighbour must not wait for the upstream, which has the same processor. Only root may say so.
local ahead = output_of "chrt -f 10 true 2>/dev/null && echo yes" == "yes\n" and "chrt -f 10 " or ""

local function give_processor(server, number)
  for _, pid in ipairs(several and server:workers() or {}) do
    output_of(("taskset -pc %d %d"):format(number, pid))
  end
end

-- --- servers ---

local function start_upstream(list)
  local answer = ([[
    keepalive_requests 1000000;
    location / { content_by_lua_block {
      ngx.sleep(0.05)
      turn = turn % #pages + 1
      ngx.header.content_type = "application/json"
      ngx.print(pages[turn])
    } }
  ]])
  local function tls_server(port, listen)
    return ("server { listen 127.0.0.1:%d %s; ssl_certificate %s/server.pem; ssl_certificate_key %s/server.key; %s }"):format(
      port, listen, os.getenv "C66_FAKE_DIR", os.getenv "C66_FAKE_DIR", answer)
  end
  local server = nginx.start {
    http = ([[ init_by_lua_block {
      pages, turn = {}, 0
      for page in io.lines "%s" do pages[#pages + 1] = page end
    } ]]):format(list),
    server = answer,
    more = function(port)
      return tls_server(port + 1, "ssl") .. tls_server(port + 2, "ssl http2")
    end,
  }
  give_processor(server, 1)
  return server
end

local function start_worker(upstream)
  local server = nginx.start {
    level = "error",
    main = "env C66_FAKE_CA;",
    http = ([[
      upstream api { server 127.0.0.1:%d; keepalive 512; keepalive_requests 1000000; }
      init_by_lua_block {
        local cloud66 = require "cloud66"
        local function stack_at(url)
          local options = { token = "bench", base_url = url, ca_file = os.getenv "C66_FAKE_CA", retries = false }
          return assert(cloud66.new(options)):stack "bench"
        end
        stacks = {
          plain = stack_at "http://127.0.0.1:%d", http1 = stack_at "https://127.0.0.1:%d", http2 = stack_at "https://127.0.0.1:%d",
        }
        function ask(stack)
          local page, message = stack:page(1)
          if not page then ngx.log(ngx.ERR, message) ngx.exit(502) end
          ngx.print(#page)
        end
      }
    ]]):format(upstream.port, upstream.port, upstream.port + 1, upstream.port + 2),
    server = [[
      keepalive_requests 1000000;
      location = /neighbour { return 200 "neighbour"; }
      location = /cloud66 { content_by_lua_block { ask(stacks.plain) } }
      location = /http1 { content_by_lua_block { ask(stacks.http1) } }
      location = /http2 { content_by_lua_block { ask(stacks.http2) } }
      location = /capture { content_by_lua_block {
        local got = ngx.location.capture "/proxied"
        if got.status ~= 200 then ngx.exit(502) end
        ngx.print(#got.body)
      } }
      location = /proxied {
        internal; proxy_pass http://api/api/3/stacks/bench/deployments; proxy_http_version 1.1; proxy_buffers 8 16k;
        proxy_set_header Connection ""; proxy_set_header Authorization "Bearer bench";
      }
    ]],
  }
  give_processor(server, 0)
  return server
end

-- --- measuring ---

-- Seconds of its processor that a process has used.
local function processor_time(pid)
  local fields = {}
  for field in assert(io.open(("/proc/%d/stat"):format(pid))):read("*a"):match("%) (.*)"):gmatch "%S+" do
    fields[#fields + 1] = field
  end
  return (tonumber(fields[12]) + tonumber(fields[13])) / 100
end

local function start_neighbour(server, seconds, pace)
  return assert(io.popen(("%s%s'%s' bench/neighbour.lua %s %g %g"):format(others, ahead, os.getenv "C66_LUA", server:url "/neighbour",
    seconds, pace)))
end

-- Seconds: its 99th percentile and its longest.
local function end_neighbour(pipe)
  local high, longest = pipe:read "*n", pipe:read "*n"
  pipe:close()
  return assert(high, "the neighbour was not asked"), longest
end

local function load(server, path, connections)
  local worker = server:workers()[1]
  local wrk = assert(io.popen(("%swrk -t1 -c%d -d%g %s 2>&1"):format(others, connections, SECONDS, server:url(path))))
  core.sleep(SECONDS * 0.1) -- until all connections are there
  local neighbour = start_neighbour(server, SECONDS * 0.8, 0.005)
  local time, start = processor_time(worker), core.monotonic()
  local high = end_neighbour(neighbour)
  local busy = (processor_time(worker) - time) / (core.monotonic() - start)
  local output = wrk:read "*a"
  wrk:close()
  assert(not output:find "Non%-2xx", output)
  return { requests = tonumber(output:match "Requests/sec:%s+([%d.]+)"), busy = busy, neighbour = high }
end

-- Many requests at once in a worker that has no connection to the API: the longest that a neighbour waits, and how long
-- until all have their answer.
local function burst(upstream, path)
  local server = start_worker(upstream)
  assert(server:get "/cloud66" == 200) -- the modules are loaded
  local neighbour = start_neighbour(server, 1, 0.002)
  core.sleep(0.3)
  local transfers, start = {}, core.monotonic()
  for i = 1, BURST do
    transfers[i] = server:start(path)
  end
  for _, transfer in ipairs(transfers) do
    while not transfer:done() do
      engine:wait(1000)
    end
  end
  local took = core.monotonic() - start
  for _, transfer in ipairs(transfers) do
    local status, _, body = transfer:result()
    assert(status == 200 and body == "30", tostring(body))
  end
  local _, longest = end_neighbour(neighbour)
  server:stop()
  return { longest = longest, took = took }
end

-- --- rounds ---

local list = os.tmpname()
local file = assert(io.open(list, "w"))
file:write(table.concat(pages.many(50, 30), "\n"), "\n")
file:close()
local upstream = start_upstream(list)
local server = start_worker(upstream)

local samples = {}
local function note(name, value)
  samples[name] = samples[name] or {}
  table.insert(samples[name], value)
end

for _ = 1, ROUNDS do
  for _, c in ipairs(CONNECTIONS) do
    local ours, capture = load(server, "/cloud66", c), load(server, "/capture", c)
    for name, way in pairs { ours = ours, capture = capture } do
      for figure, value in pairs(way) do
        note(name .. figure .. c, value)
      end
    end
    for figure, value in pairs(ours) do
      note("ratio" .. figure .. c, value / capture[figure])
    end
  end
  for _, version in ipairs { "http1", "http2" } do
    local cold = burst(upstream, "/" .. version)
    note(version .. "longest", cold.longest)
    note(version .. "took", cold.took)
  end
end
server:stop()
upstream:stop()
os.remove(list)

local function figure(name, factor)
  return median(samples[name]) * (factor or 1)
end

print(("nginx, libcurl %s: one call per request, answered after 50 ms; medians of %d rounds"):format(
  require("cloud66.curl").version, ROUNDS))
print "  connections                             8        64       256"
local function row(label, name, factor, format)
  local cells = {}
  for i, c in ipairs(CONNECTIONS) do
    cells[i] = ("%9s"):format(format:format(figure(name .. c, factor)))
  end
  print(("  %-32s%s"):format(label, table.concat(cells, " ")))
end
row("requests per second", "oursrequests", 1, "%.0f")
row("  capture", "capturerequests", 1, "%.0f")
row("  ratio (0.97 at 64, 0.95 at 256)", "ratiorequests", 1, "%.3f")
row("neighbour's p99, ms", "oursneighbour", 1000, "%.2f")
row("  capture", "captureneighbour", 1000, "%.2f")
row("  ratio (4 or less)", "rationeighbour", 1, "%.2f")
row("worker's processor, %", "oursbusy", 100, "%.1f")
row("  capture", "capturebusy", 100, "%.1f")
row("  ratio (3 or less)", "ratiobusy", 1, "%.2f")
for _, version in ipairs { "http1", "http2" } do
  print(("  %d cold requests over TLS, %s: the neighbour waited %.1f ms at most (20 or less), all answered after %.0f ms"):format(
    BURST, version == "http1" and "HTTP/1.1" or "HTTP/2", figure(version .. "longest", 1000), figure(version .. "took", 1000)))
end
