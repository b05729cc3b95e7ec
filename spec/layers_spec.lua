-- The floors of the house: what a file may know of the others. C files say their floor in their first lines, and include
-- nothing from above it. Lua files stand in one order, and each requires only what stands before it.
local tree = require "spec.support.tree"

-- A new file goes below all that it requires and above all that require it.
local lua_order = {
  -- plain functions
  "cloud66.nginx",
  "cloud66.error", "cloud66.url", "cloud66.check", "cloud66.names", "cloud66.hooks", "cloud66.retry",
  "cloud66.commit", "cloud66.calendar", "cloud66.encode", "cloud66.reply", "cloud66.recovery", "cloud66.limits",
  -- waiting, and where state is kept
  "cloud66.scheduler", "cloud66.patience", "cloud66.kept",
  "cloud66.store.arguments", "cloud66.store.expiry", "cloud66.store.memory", "cloud66.store.shared_dict",
  "cloud66.store.redis.guard", "cloud66.store.redis.blocking", "cloud66.store.redis.cosocket", "cloud66.store.redis",
  "cloud66.store",
  -- requests
  "cloud66.transport.curl", "cloud66.transport.resty",
  "cloud66.config", "cloud66.budget", "cloud66.cache", "cloud66.shared", "cloud66.request",
  -- answers
  "cloud66.criteria", "cloud66.sequence", "cloud66.action", "cloud66.endpoint", "cloud66.webhook", "cloud66.stats",
  -- what is done with one stack
  "cloud66.usual", "cloud66.live", "cloud66.match", "cloud66.wait", "cloud66.cancel", "cloud66.redeploy",
  "cloud66.ensure", "cloud66.poll", "cloud66.watch", "cloud66.stack",
  -- many stacks
  "cloud66.map", "cloud66.merge", "cloud66.client",
  -- the face
  "cloud66",
}

-- What is not in lua/, and who may require it.
local not_ours = {
  ["cjson"] = { ["cloud66"] = true, ["cloud66.encode"] = true },
  ["cloud66.core"] = true,
  ["cloud66.curl"] = { ["cloud66.transport.curl"] = true },
}

-- These also try clients of Redis that the user may have installed, one name after the other.
local tries_others = { ["cloud66.store.redis.blocking"] = true, ["cloud66.store.redis.cosocket"] = true }

-- These run inside nginx alone, and find the rest of it there.
local inside_nginx = { ["cloud66.transport.resty"] = true, ["cloud66.store.redis.cosocket"] = true }

-- The globals of all Luas; a file asks for those of some (`rawget(_G, "jit")`, `table.unpack or _G.unpack`).
local lua_globals = {}
for name in ([[_G _VERSION assert collectgarbage error getmetatable ipairs next pairs pcall rawequal rawget rawset require
  select setmetatable tonumber tostring type xpcall coroutine debug io math os package string table]]):gmatch "%S+" do
  lua_globals[name] = true
end

local c_files = tree.files("src", ".[ch]")
local lua_files = tree.files("lua", ".lua")

-- name -> {floor =, includes = {names}, system = {names}}
local units = {}
for _, path in ipairs(c_files) do
  local text = tree.read(path)
  local name = path:match "[^/]+$"
  local unit = { floor = tonumber(text:sub(1, 200):match "^/%*[%s*]*[%w_]+%.[ch] %- floor (%d)"), includes = {}, system = {} }
  for line in tree.without_c_comments(text):gmatch "#%s*include([^\n]*)" do
    local own, other = line:match '^%s*"([^"]+)"%s*$', line:match "^%s*<([^>]+)>%s*$"
    assert(own or other, path .. " includes what cannot be read here: " .. line)
    table.insert(own and unit.includes or unit.system, own or other)
  end
  units[name] = unit
end

-- Calls fn(name, unit, included) for each include between our own files.
local function each_include(fn)
  for name, unit in pairs(units) do
    for _, included in ipairs(unit.includes) do
      fn(name, unit, included)
    end
  end
end

-- The names a file includes, through others too.
local function reached(name, seen)
  seen = seen or {}
  for _, included in ipairs(units[name].includes) do
    if not seen[included] then
      seen[included] = true
      reached(included, seen)
    end
  end
  return seen
end

local function is_http(name)
  return name:match "^http[_.]" ~= nil or name == "curl.c"
end

describe("a C file", function()
  it("says its floor in its first lines", function()
    for name, unit in pairs(units) do
      assert.is_number(unit.floor, name .. " does not begin with: " .. name .. " - floor N: what it is")
      assert.equal(name, tree.read("src/" .. name):match "[%w_]+%.[ch]")
    end
  end)

  it("includes nothing from a higher floor", function()
    local count = 0
    each_include(function(name, unit, included)
      count = count + 1
      assert.is_table(units[included], name .. " includes " .. included .. ", which is not in src/")
      assert.is_true(units[included].floor <= unit.floor,
        ("%s (floor %d) includes %s (floor %d)"):format(name, unit.floor, included, units[included].floor))
    end)
    assert.is_true(count > 30)
  end)

  it("is on the floor of its header", function()
    for name, unit in pairs(units) do
      local header = units[name:gsub("%.c$", ".h")]
      if header then
        assert.equal(header.floor, unit.floor, name)
      end
    end
  end)

  it("includes no header that leads back to itself", function()
    for name in pairs(units) do
      assert.is_nil(reached(name)[name], name)
    end
  end)

  it("of HTTP knows no JSON, and none of JSON knows HTTP", function()
    for name in pairs(units) do
      for included in pairs(reached(name)) do
        local is_shared = included == "base.h" or included == "buffer.h" or included == "compat.h"
        assert.is_true(is_shared or is_http(name) == is_http(included), name .. " includes " .. included)
      end
    end
  end)

  it("includes libcurl in http* and curl.c alone", function()
    local found = 0
    for name, unit in pairs(units) do
      for _, header in ipairs(unit.system) do
        if header:match "^curl/" then
          found = found + 1
          assert.is_true(is_http(name), name .. " includes " .. header)
        end
      end
    end
    assert.is_true(found > 0)
  end)

  it("knows Lua through compat.h alone, and from floor 3 on", function()
    for name, unit in pairs(units) do
      for _, header in ipairs(unit.system) do
        assert.is_true(name == "compat.h" or not header:match "^lua" and header ~= "lauxlib.h", name .. " includes " .. header)
      end
      assert.is_true(unit.floor >= 3 or not reached(name)["compat.h"], name .. " knows Lua")
    end
    assert.equal(3, units["compat.h"].floor)
  end)

  it("leaves the version of Lua to compat.h", function()
    for name in pairs(units) do
      local names_it = tree.without_c_comments(tree.read("src/" .. name)):find "LUA_VERSION_NUM" ~= nil
      assert.equal(name == "compat.h", names_it, name)
    end
  end)
end)

describe("a C module", function()
  for _, name in ipairs { "core", "curl" } do
    it("exports one symbol: " .. name, function()
      local is_mac = tree.output("uname"):find "Darwin" ~= nil
      local listing = tree.output(("nm %s '%s/cloud66/%s.so'"):format(is_mac and "-gU" or "-D --defined-only", os.getenv "C66_BUILD", name))
      local symbols = {}
      for symbol in listing:gmatch "[^%s]* [^%s]+ ([^%s]+)\n" do
        symbols[#symbols + 1] = symbol
      end
      assert.same({ (is_mac and "_" or "") .. "luaopen_cloud66_" .. name }, symbols)
    end)
  end
end)

-- The modules that a file requires, now or later.
local function required(path)
  local text, strings = tree.without_lua_strings(tree.read(path))
  local names, unknown = {}, nil
  local function take(argument)
    local before = #names
    for number in argument:gmatch "\1(%d+)\1" do
      names[#names + 1] = strings[tonumber(number)]
    end
    unknown = unknown or #names == before
    return ""
  end
  local rest = text:gsub("%f[%w_]pcall%s*%(%s*require%s*,([^)]*)%)", take)
    :gsub("%f[%w_]require%s*(%b())", take):gsub("%f[%w_]require%s*(\1%d+\1)", take)
  unknown = unknown or rest:find "%f[%w_]require%f[^%w_]"
  assert(not unknown or tries_others[tree.module_of(path)], path .. " requires what only running it can tell")
  return names
end

describe("a Lua file", function()
  local place = {}
  for i, name in ipairs(lua_order) do
    assert(not place[name], name .. " stands twice in the order")
    place[name] = i
  end

  it("has its place in the order above", function()
    local there = {}
    for _, path in ipairs(lua_files) do
      there[tree.module_of(path)] = true
      assert.is_number(place[tree.module_of(path)], path .. " is not in the order")
    end
    for _, name in ipairs(lua_order) do
      assert.is_true(there[name], name .. " stands in the order, and is not in lua/")
    end
  end)

  it("requires only what stands before it", function()
    local count = 0
    for _, path in ipairs(lua_files) do
      local name = tree.module_of(path)
      for _, other in ipairs(required(path)) do
        count = count + 1
        local allowed = not_ours[other]
        if allowed ~= nil then
          assert.is_true(allowed == true or allowed[name] == true, name .. " requires " .. other)
        else
          assert.is_number(place[other], name .. " requires " .. other .. ", which is not in the order")
          assert.is_true(place[other] < place[name], name .. " requires " .. other .. ", which stands after it")
        end
      end
    end
    assert.is_true(count > 100)
  end)

  it("sets no global, and reads those alone that every Lua has", function()
    local luac
    for _, name in ipairs { "luac5.4", "luac5.3", "luac5.2", "luac5.1", "luac" } do
      luac = luac or tree.output("command -v " .. name .. " || true"):match "[^\n]+"
    end
    assert.is_string(luac, "no luac here, which comes with Lua")
    local reads = 0
    for _, path in ipairs(lua_files) do
      local listing = tree.output(("%s -l -p %s"):format(luac, path))
      assert.is_nil(listing:match 'SETTABUP[^\n]*; _ENV "([^"]*)"' or listing:match "SETGLOBAL[^\n]*; (%S+)", path)
      for _, pattern in ipairs { 'GETTABUP[^\n]*; _ENV "([^"]*)"', "GETGLOBAL[^\n]*; (%S+)" } do
        for name in listing:gmatch(pattern) do
          reads = reads + 1
          local is_known = lua_globals[name] or name == "ngx" and inside_nginx[tree.module_of(path)]
          assert.is_true(is_known, path .. " reads the global " .. name)
        end
      end
    end
    assert.is_true(reads > 100)
  end)
end)
