-- board.lua: the deployment board's JSON, out of the memory that all workers share, beside a static file of the same bytes in the
-- same nginx (script/bench runs it, beside the fake API, with LuaJIT).
--
-- One worker, 32 connections. A figure is the median of its rounds, the ratio the median of the ratios of each round.

local board = require "spec.support.board"
local core = require "cloud66.core"

local ROUNDS = tonumber(os.getenv "C66_BENCH_ROUNDS") or 5
local SECONDS = tonumber(os.getenv "C66_BENCH_SECONDS") or 4 -- of load, each time

local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

-- The worker has one processor to itself, where there are several.
local several = tonumber(output_of "nproc") > 1

local function requests_per_second(server, path)
  local output = output_of(("%swrk -t1 -c32 -d%g %s 2>&1"):format(several and "taskset -c 1 " or "", SECONDS, server:url(path)))
  assert(not output:find "Non%-2xx", output)
  return assert(tonumber(output:match "Requests/sec:%s+([%d.]+)"), output)
end

-- The file is served as files are, with the headers of the board's conf around it.
local function add_file(text)
  return text:gsub("location / {", [[
    location /static/ { root .; default_type application/json; sendfile on; open_file_cache max=10; }
    %0]], 1)
end

local server = board.start({}, { BOARD_INTERVAL = "3600" }, 1, add_file)
if several then output_of(("taskset -pc 0 %d"):format(server:workers()[1])) end
assert(board.stacks(server), "the board knows nothing")
local files = {}
for _, path in ipairs { "/api/stacks.json", "/api/stacks/5999b763474b0eafa5fafb64bff0ba80/deployments.json" } do
  local status, body = server:get(path)
  assert(status == 200)
  local name = "/static/" .. #files + 1 .. ".json"
  os.execute(("mkdir -p '%s/static'"):format(server.directory))
  local file = assert(io.open(server.directory .. name, "w"))
  file:write(body)
  file:close()
  local found, text = server:get(name)
  assert(found == 200 and text == body, name)
  files[#files + 1] = { path = path, name = name, bytes = #body, ours = {}, static = {}, ratio = {} }
end
core.sleep(1)

for _ = 1, ROUNDS do
  for _, file in ipairs(files) do
    local ours, static = requests_per_second(server, file.path), requests_per_second(server, file.name)
    table.insert(file.ours, ours)
    table.insert(file.static, static)
    table.insert(file.ratio, ours / static)
  end
end
server:stop()

print(("the board's JSON beside a static file of the same size, one worker, 32 connections; medians of %d rounds"):format(ROUNDS))
for _, file in ipairs(files) do
  print(("  %6d bytes: %6.0f requests per second, static %6.0f; ratio %.2f (0.5 or more)"):format(file.bytes, median(file.ours),
    median(file.static), median(file.ratio)))
end
