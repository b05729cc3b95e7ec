-- nginx.lua: one API call per request inside an nginx worker, over libcurl and over nginx's own sockets, beside
-- ngx.location.capture to a proxied upstream (script/bench runs it, beside the fake API, with LuaJIT). lua-resty-http is the
-- one on the path, which is used alone too, or else the stand-in of the specs.
--
-- The upstream answers with 30 deployments after 50 ms, over plain HTTP/1.1. Each round loads both ways at every number of
-- connections, and meanwhile asks a neighbour location of the same worker, which does nothing, every 5 ms. Then a worker
-- without any connection to the API gets 64 requests at once that need one, over TLS, and another one reads a body of 10 MB.
-- A figure is the median of its rounds, a ratio the median of the ratios of each round.

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
    location /large { content_by_lua_block {
      ngx.header.content_length = 10e6
      for _ = 1, 100 do ngx.print((" "):rep(1e5)) end
    } }
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
        is_real, http = pcall(require, "resty.http")
        if not is_real then http = require "spec.support.resty_http" end
        transports = { libcurl = require("cloud66.transport.curl").new(), resty = require("cloud66.transport.resty").new(http) }
        local function stack_at(url, transport)
          local options = { token = "bench", base_url = url, ca_file = os.getenv "C66_FAKE_CA", retries = false, transport = transport }
          return assert(cloud66.new(options)):stack "bench"
        end
        stacks = {
          plain = stack_at "http://127.0.0.1:%d", http1 = stack_at "https://127.0.0.1:%d", http2 = stack_at "https://127.0.0.1:%d",
          resty = stack_at("http://127.0.0.1:%d", transports.resty),
        }
        bare_url, large_url = "http://127.0.0.1:%d/api/3/stacks/bench/deployments", "http://127.0.0.1:%d/large"
        function ask(stack)
          local page, message = stack:page(1)
          if not page then ngx.log(ngx.ERR, message) ngx.exit(502) end
          ngx.print(#page)
        end
      }
    ]]):format(upstream.port, upstream.port, upstream.port + 1, upstream.port + 2, upstream.port, upstream.port, upstream.port),
    server = [=[
      keepalive_requests 1000000;
      location = /neighbour { return 200 "neighbour"; }
      location = /cloud66 { content_by_lua_block { ask(stacks.plain) } }
      location = /resty { content_by_lua_block { ask(stacks.resty) } }
      location = /bare { content_by_lua_block {
        if not is_real then ngx.exit(404) end
        local got, message = http.new():request_uri(bare_url, { headers = { Authorization = "Bearer bench" } })
        if not got then ngx.log(ngx.ERR, message) ngx.exit(502) end
        ngx.print(#got.body)
      } }
      location ~ ^/large/ { content_by_lua_block {
        local got = transports[ngx.var.uri:sub(8)] { method = "GET", url = large_url, timeout = { total = 10 }, max_body = 2e7 }
        ngx.print(got and #got.body)
      } }
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
    ]=],
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

-- How much more memory a worker has had at its peak once it has read the body of 10 MB, in bodies; and how long that took.
local function read_large(upstream, transport)
  local server = start_worker(upstream)
  assert(server:get(transport == "resty" and "/resty" or "/cloud66") == 200)
  local worker = server:workers()[1]
  local function peak()
    return tonumber(assert(io.open(("/proc/%d/status"):format(worker))):read("*a"):match "VmHWM:%s*(%d+)")
  end
  local before, start = peak(), core.monotonic()
  local status, body = server:get("/large/" .. transport)
  local took = core.monotonic() - start
  assert(status == 200 and body == "10000000", body)
  local more = (peak() - before) * 1024 / 1e7
  server:stop()
  return { more = more, took = took }
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

local WAYS = { "cloud66", "resty", "capture" }
if server:get "/bare" == 200 then
  WAYS[4] = "bare"
end

for _ = 1, ROUNDS do
  for _, c in ipairs(CONNECTIONS) do
    local round = {}
    for _, way in ipairs(WAYS) do
      round[way] = load(server, "/" .. way, c)
      for figure, value in pairs(round[way]) do
        note(way .. figure .. c, value)
      end
    end
    for figure, value in pairs(round.capture) do
      note("cloud66ratio" .. figure .. c, round.cloud66[figure] / value)
      note("restyratio" .. figure .. c, round.resty[figure] / value)
      note("bareratio" .. figure .. c, round.bare and round.resty[figure] / round.bare[figure] or 0)
    end
  end
  for _, version in ipairs { "http1", "http2" } do
    local cold = burst(upstream, "/" .. version)
    note(version .. "longest", cold.longest)
    note(version .. "took", cold.took)
  end
  for _, transport in ipairs { "libcurl", "resty" } do
    local large = read_large(upstream, transport)
    note(transport .. "more", large.more)
    note(transport .. "large", large.took)
  end
end
server:stop()
upstream:stop()
os.remove(list)

local function figure(name, factor)
  return median(samples[name]) * (factor or 1)
end

print(("nginx, libcurl %s, lua-resty-http%s: one call per request, answered after 50 ms; medians of %d rounds"):format(
  require("cloud66.curl").version, WAYS[4] and "" or " (the stand-in of the specs)", ROUNDS))
print "  connections                             8        64       256"
local function row(label, name, factor, format)
  local cells = {}
  for i, c in ipairs(CONNECTIONS) do
    cells[i] = ("%9s"):format(format:format(figure(name .. c, factor)))
  end
  print(("  %-32s%s"):format(label, table.concat(cells, " ")))
end
local function rows(label, name, factor, format, wanted)
  row(label .. ", libcurl", "cloud66" .. name, factor, format)
  row("  over nginx's sockets", "resty" .. name, factor, format)
  row("  capture", "capture" .. name, factor, format)
  row("  ratio, libcurl (" .. wanted .. ")", "cloud66ratio" .. name, 1, "%.3f")
  row("  ratio, over nginx's sockets", "restyratio" .. name, 1, "%.3f")
  if WAYS[4] then
    row("  lua-resty-http alone", "bare" .. name, factor, format)
    row("  ratio to it, nginx's sockets", "bareratio" .. name, 1, "%.3f")
  end
end
rows("requests per second", "requests", 1, "%.0f", "0.97 at 64")
rows("neighbour's p99, ms", "neighbour", 1000, "%.2f", "4 or less")
rows("processor, %", "busy", 100, "%.1f", "3 or less")
for _, version in ipairs { "http1", "http2" } do
  print(("  %d cold requests over TLS, %s: the neighbour waited %.1f ms at most (20 or less), all answered after %.0f ms"):format(
    BURST, version == "http1" and "HTTP/1.1" or "HTTP/2", figure(version .. "longest", 1000), figure(version .. "took", 1000)))
end
for _, transport in ipairs { "libcurl", "resty" } do
  print(("  a body of 10 MB, %s: %.1f times its size in memory at most, after %.0f ms"):format(
    transport == "resty" and "over nginx's sockets" or "libcurl", figure(transport .. "more"), figure(transport .. "large", 1000)))
end
