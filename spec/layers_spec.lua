-- The layers of the house: what a file may know of the others. A C file includes what is in its folder or in one below it
-- (spec/support/layers.lua). Lua files stand in one order, and each requires only what stands before it.
local host = require "spec.support.host"
local layers = require "spec.support.layers"
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

local lua_files = tree.files("lua", ".lua")

describe("a circle", function()
  local function texts(edges)
    local list = {}
    for i, circle in ipairs(layers.circles(edges)) do
      list[i] = layers.circle_text(circle)
    end
    return list
  end

  it("is found wherever one leads back to itself, by its shortest way", function()
    assert.same({}, texts {})
    assert.same({}, texts { a = { "b", "c" }, b = { "c" }, c = { "d" } })
    assert.same({ "a -> a" }, texts { a = { "a" } })
    assert.same({ "a -> c -> a" }, texts { a = { "b", "c" }, b = { "c" }, c = { "a" } })
    assert.same({ "a -> b -> a", "c -> d -> c" }, texts { a = { "b", "c" }, b = { "a" }, c = { "d" }, d = { "c" } })
  end)
end)

describe("a C file", function()
  local copy

  before_each(function()
    copy = host.directory()
    tree.output(("cp -r src '%s/'"):format(copy))
  end)

  after_each(function()
    host.remove(copy)
  end)

  -- Puts a line behind the first include of a file of the copy, or writes the file.
  local function plant(path, line)
    path = copy .. "/src/" .. path
    local text = host.read(path)
    host.write(path, text and text:gsub("(\n#include [^\n]*)", function(include)
      return include .. "\n" .. line
    end, 1) or line)
  end

  local function named(pattern)
    local problems = layers.c_problems(copy)
    for _, problem in ipairs(problems) do
      if problem:find(pattern) then
        return
      end
    end
    error(("nothing says %q, but: %s"):format(pattern, table.concat(problems, "; ")), 2)
  end

  it("knows nothing that is not below it, in no circle", function()
    local problems, includes = layers.c_problems "."
    assert.same({}, problems)
    assert.is_true(includes > 60)
    assert.same({}, (layers.c_problems(copy)))
  end)

  it("is told when it includes a folder above its own", function()
    plant("json/json.c", '#include "deployment/model.h"')
    named "^json/json%.c includes deployment/model%.h: json may include base alone$"
  end)

  it("is told when it is below all and includes any other", function()
    plant("base/buffer.h", '#include "json/scan.h"')
    named "^base/buffer%.h includes json/scan%.h: base may include nothing but libc$"
    named "^circle of folders: base %-> json %-> base$"
  end)

  it("is told of JSON in HTTP, and of HTTP in JSON", function()
    plant("http/check.c", '#include "json/json.h"')
    plant("lua/lua_json.h", '#include "lua/curl_request.h"')
    named "^http/check%.c includes json/json%.h: http may include base alone$"
    named "^http/check knows json/json: HTTP and JSON never know each other$"
    named "^lua/lua_json knows lua/curl_request: HTTP and JSON never know each other$"
    named "^lua/core knows http/http: "
  end)

  it("is told of a circle of includes inside of its folder", function()
    plant("http/queue.h", '#include "http/poll.h"')
    plant("http/poll.h", '#include "http/queue.h"')
    named "^circle: http/poll %-> http/queue %-> http/poll$"
    named "^circle of includes: http/poll%.h %-> http/queue%.h %-> http/poll%.h$"
  end)

  it("is told of a circle of calls behind one header", function()
    plant("http/transfer.c", "void c66_planted(c66_transfer *t) { c66_transfer_close(t); }")
    named "^circle: http/engine %-> http/transfer %-> http/engine$"
  end)

  it("is told of a circle by way of an inline function", function()
    plant("json/input.h", "static inline int planted(const c66_json *j) { return c66_json_skip(j, j->text, 0) == NULL; }")
    named "^circle: json/input %-> json/json %-> json/input$"
  end)

  it("is told when its header leads back to itself", function()
    plant("base/buffer.h", '#include "base/buffer.h"')
    named "^circle of includes: base/buffer%.h %-> base/buffer%.h$"
  end)

  it("is told of headers that are not its own to include", function()
    plant("lua/lua_page.c", "#include <curl/curl.h>")
    plant("lua/curl_request.c", "#include <curl/curl.h>")
    plant("http/engine.c", "#include <lua.h>")
    plant("base/hmac.c", "#include <lauxlib.h>")
    plant("base/system.c", "#include <openssl/sha.h>")
    named "^lua/lua_page%.c includes curl/curl%.h: libcurl is for"
    named "^lua/curl_request%.c includes curl/curl%.h: libcurl is for"
    named "^http/engine%.c includes lua%.h: Lua comes through"
    named "^base/hmac%.c includes lauxlib%.h: Lua comes through"
    named "^base/system%.c includes openssl/sha%.h, which is no known header"
  end)

  it("is told to leave the version of Lua to compat.h", function()
    plant("lua/lua_json.c", "#if LUA_VERSION_NUM >= 504\n#endif")
    named "^lua/lua_json%.c asks for the version of Lua"
  end)

  it("is told of what cannot be found, or read", function()
    plant("json/json.c", '#include "scan.h"')
    plant("json/string.c", "#include WHAT")
    named "^json/json%.c includes scan%.h, which is not in src/$"
    named "^json/string%.c includes what cannot be read here: WHAT$"
  end)

  it("is told to be in one of the folders, and to say its name and its job", function()
    plant("stray.c", "/* stray.c - a job */\n")
    plant("json/deep.c", "/* other.c - a job */\n")
    plant("json/mute.c", "/* mute.c */\n")
    named "^stray%.c is in none of the folders"
    named "^json/deep%.c does not begin with: /%* deep%.c %- its job$"
    named "^json/mute%.c does not begin with"
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
