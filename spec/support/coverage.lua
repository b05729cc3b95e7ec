-- Which lines of lua/ ran: lua5.4 spec/support/coverage.lua FOLDER PERCENT. FOLDER holds what c/linehook.c wrote. Prints a row for each
-- file, with the lines that never ran, and ends with 1 where less than PERCENT of all lines did.
local tree = require "spec.support.tree"

local folder, least = arg[1], tonumber(arg[2])

-- What PUC Lua cannot run: not counted, and said so. LuaJIT's hooks hear nothing of compiled code, and nginx's workers are
-- LuaJIT; the specs in spec/nginx/ and `script/test nginx` test these files.
local left_out = {
  ["cloud66/runtime/nginx.lua"] = "most of it runs inside nginx alone",
  ["cloud66/runtime/light_thread.lua"] = "runs inside nginx alone",
  ["cloud66/transport/resty.lua"] = "runs inside nginx alone",
  ["cloud66/transport/resty/failure.lua"] = "runs inside nginx alone",
  ["cloud66/transport/resty/response.lua"] = "runs inside nginx alone",
  ["cloud66/transport/resty/socket.lua"] = "runs inside nginx alone",
  ["cloud66/sharing/store/redis/cosocket.lua"] = "runs inside nginx alone",
  ["cloud66/sharing/store/shared_dict.lua"] = "runs inside nginx alone",
}

for name in pairs(left_out) do
  tree.read("lua/" .. name) -- raises for one that was moved, and would be counted
end

local ran = {}
for _, path in ipairs(tree.files(folder, ".lines")) do
  for line in io.lines(path) do
    ran[line] = true
  end
end

-- The lines of a file that hold code, of all its functions, whether they were ever made or not. An `end` is no code: after
-- `return` and `error` Lua never gets there.
local function active_lines(path)
  local code, texts = {}, {}
  for text in (tree.read(path) .. "\n"):gmatch "(.-)\n" do
    texts[#texts + 1] = text:gsub("%-%-.*", ""):gsub("%f[%w_]end%f[^%w_]", ""):gsub("%f[%w_]else%f[^%w_]", "")
  end
  for number in tree.output("luac5.4 -l -p " .. path):gmatch "\n\t%d+\t%[(%d+)%]" do
    number = tonumber(number)
    if texts[number] and texts[number]:find "[%w_]" then
      code[number] = true
    end
  end
  local numbers = {}
  for number in pairs(code) do
    numbers[#numbers + 1] = number
  end
  table.sort(numbers)
  return numbers
end

local function percent(part, whole)
  return whole == 0 and 100 or 100 * part / whole
end

local all_ran, all_active = 0, 0
local row = "%-38s %5d %5d %6.1f%%  %s"
for _, path in ipairs(tree.files("lua", ".lua")) do
  local name = path:gsub("^lua/", "")
  local active, count, missing = active_lines(path), 0, {}
  for _, number in ipairs(active) do
    if ran[name .. " " .. number] then
      count = count + 1
    else
      missing[#missing + 1] = tostring(number)
    end
  end
  local reason = left_out[name]
  print(row:format(path, #active, count, percent(count, #active),
    reason and "not counted: " .. reason or table.concat(missing, ","):sub(1, 200)))
  if not reason then
    all_ran, all_active = all_ran + count, all_active + #active
  end
end
local reached = percent(all_ran, all_active)
print(row:format("lua/", all_active, all_ran, reached, ""))
if reached < least then
  io.stderr:write(("coverage: %.1f%% of the lines of lua/ ran, less than %g%%\n"):format(reached, least))
  os.exit(1)
end
