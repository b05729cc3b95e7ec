-- The layers of the house: what a file may know of the others, by the folder it is in, and no file of itself by way of
-- others. The tables are in spec/support/layers.lua for C, and in spec/support/lua_layers.lua.
local host = require "spec.support.host"
local layers = require "spec.support.layers"
local lua_layers = require "spec.support.lua_layers"
local tree = require "spec.support.tree"

-- These run inside nginx alone, and find the rest of it there.
local inside_nginx = { ["cloud66.runtime.light_thread"] = true, ["cloud66.transport.resty.socket"] = true, ["cloud66.sharing.store.redis.cosocket"] = true }

-- The globals of all Luas; a file asks for those of some (`rawget(_G, "jit")`, `table.unpack or _G.unpack`).
local lua_globals = {}
for name in ([[_G _VERSION assert collectgarbage error getmetatable ipairs next pairs pcall rawequal rawget rawset require
  select setmetatable tonumber tostring type xpcall coroutine debug io math os package string table]]):gmatch "%S+" do
  lua_globals[name] = true
end

local lua_files = tree.files("lua", ".lua")

describe("the map of the house in CONTRIBUTING.md", function()
  -- The rows of a table: name -> {what it may know = true}, and how many there are.
  local function rows_of(head)
    local rows, count = {}, 0
    local text = tree.read "CONTRIBUTING.md"
    local _, last = text:find("\n| " .. head .. " |[^\n]*\n|[- |]*\n")
    for line in text:sub(last + 1):gmatch "([^\n]*)\n" do
      local name, known = line:match "^| `([%w_]+)`%*? |.*|([^|]*)|$"
      if not name then
        break
      end
      rows[name], count = {}, count + 1
      for other in known:gmatch "[%w_/]+" do
        rows[name][other] = true
      end
    end
    return rows, count
  end

  it("says of each folder what the checks below go by", function()
    local rows, count = rows_of "folder of `src/`"
    assert.same(layers.C_FOLDERS, rows)
    assert.equal(5, count)
    rows, count = rows_of "folder of `lua/cloud66/`"
    assert.same(lua_layers.FOLDERS, rows)
    assert.equal(13, count)
  end)
end)

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

local copy -- a directory with a copy of src/ or lua/, in which a spec plants a fault

-- For a describe: each of its specs has such a copy.
local function with_copy_of(folder)
  before_each(function()
    copy = host.directory()
    tree.output(("cp -r %s '%s/'"):format(folder, copy))
  end)

  after_each(function()
    host.remove(copy)
  end)
end

local function check_named(pattern, problems)
  for _, problem in ipairs(problems) do
    if problem:find(pattern) then
      return
    end
  end
  error(("nothing says %q, but: %s"):format(pattern, table.concat(problems, "; ")), 3)
end

describe("a C file", function()
  with_copy_of "src"

  -- Puts a line behind the first include of a file of the copy, or writes the file.
  local function plant(path, line)
    path = copy .. "/src/" .. path
    local text = host.read(path)
    host.write(path, text and text:gsub("(\n#include [^\n]*)", function(include)
      return include .. "\n" .. line
    end, 1) or line)
  end

  local function named(pattern)
    check_named(pattern, (layers.c_problems(copy)))
  end

  it("knows nothing that is not below it, in no circle", function()
    local problems, includes = layers.c_problems "."
    assert.same({}, problems)
    assert.is_true(includes > 60)
    assert.same({}, (layers.c_problems(copy)))
  end)

  it("is told when it includes a folder above its own", function()
    plant("json/walk.c", '#include "deployment/model.h"')
    named "^json/walk%.c includes deployment/model%.h: json may include base alone$"
  end)

  it("is told when it is below all and includes any other", function()
    plant("base/buffer.h", '#include "json/scan.h"')
    named "^base/buffer%.h includes json/scan%.h: base may include nothing but libc$"
    named "^circle of folders: base %-> json %-> base$"
  end)

  it("is told of JSON in HTTP, and of HTTP in JSON", function()
    plant("http/check.c", '#include "json/walk.h"')
    plant("lua/lua_json.h", '#include "lua/curl_request.h"')
    named "^http/check%.c includes json/walk%.h: http may include base alone$"
    named "^http/check knows json/walk: HTTP and JSON never know each other$"
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
    named "^circle: json/input %-> json/walk %-> json/input$"
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
    plant("json/walk.c", '#include "scan.h"')
    plant("json/text.c", "#include WHAT")
    named "^json/walk%.c includes scan%.h, which is not in src/$"
    named "^json/text%.c includes what cannot be read here: WHAT$"
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

describe("a Lua file", function()
  with_copy_of "lua"

  -- Puts a line at the end of a file of the copy, before what it returns; or writes the file.
  local function plant(path, line)
    path = copy .. "/lua/" .. path
    local text = host.read(path)
    host.write(path, text and text:gsub("\nreturn [^\n]*\n$", "\n" .. line:gsub("%%", "%%%%") .. "%0") or line)
  end

  local function named(pattern)
    check_named(pattern, (lua_layers.problems(copy)))
  end

  it("requires nothing but what its folder may, in no circle", function()
    local problems, requires = lua_layers.problems "."
    assert.same({}, problems)
    assert.is_true(requires > 200)
    assert.same({}, (lua_layers.problems(copy)))
  end)

  it("is told when it requires a folder that its own may not", function()
    plant("cloud66/http/api.lua", 'local curl = require "cloud66.transport.curl"')
    plant("cloud66/base/url.lua", 'local host = require("cloud66.runtime.host")')
    plant("cloud66/model/action.lua", 'local function later() return pcall(require, "cloud66.http.hooks") end')
    plant("cloud66/resource/find.lua", 'local api = require "cloud66.http.api"')
    named "^http/api requires transport/curl: http may require base, runtime alone$"
    named "^base/url requires runtime/host: base may require nothing of the others$"
    named "^model/action requires http/hooks: model may require base alone$"
    named "^resource/find requires http/api: resource may require base, http/backoff, model, runtime alone$"
  end)

  it("is told of an optional part that is required from elsewhere", function()
    plant("cloud66/resource/endpoint.lua", 'local wait = require "cloud66.deploy.wait"')
    plant("cloud66/resource/find.lua", 'local watch = require "cloud66.resource.watch"')
    plant("cloud66/model/criteria.lua", 'local webhook = require "cloud66.model.webhook"')
    plant("cloud66/fleet/map.lua", 'local stats = require "cloud66.history.stats"')
    plant("cloud66/http/exchange.lua", 'local cache = require "cloud66.sharing.cache"')
    named "^resource/endpoint requires deploy/wait, an optional part: that is for cloud66, client, stack and the part itself$"
    named "^resource/find requires resource/watch, an optional part"
    named "^model/criteria requires model/webhook, an optional part"
    named "^fleet/map requires history/stats, an optional part"
    named "^http/exchange requires sharing/cache, an optional part"
  end)

  it("is told of an optional part that is loaded before it is used", function()
    plant("cloud66/client.lua", 'local merge = require "cloud66.fleet.merge"')
    named "^client requires fleet/merge when it is loaded, which is for its first use$"
  end)

  it("is told of a circle, also inside of its folder", function()
    plant("cloud66/http/rate_limit.lua", 'local exchange = require "cloud66.http.exchange"')
    plant("cloud66/http/hooks.lua", 'local function later() return require "cloud66.http.attempts" end')
    named "^circle: http/attempts %-> http/hooks %-> http/attempts$"
    plant("cloud66/deploy/outcome.lua", 'local wait = require "cloud66.deploy.wait"')
    named "^circle: deploy/known %-> deploy/outcome %-> deploy/wait %-> deploy/tracker %-> deploy/known$"
  end)

  it("is told of what is shared, in http", function()
    plant("cloud66/http/api.lua", "local budget")
    plant("cloud66/http/follow.lua", 'local name = "cached" -- or in a store')
    named "^http/api names 'budget'"
    named "^http/follow names 'cache'"
    named "^http/follow names 'store'"
  end)

  it("is told of what is not there, what nobody can tell, and what is not for it", function()
    plant("cloud66/model/pages.lua", 'local other = require "cloud66.model.nothing"')
    plant("cloud66/base/git.lua", "local function later(name) return require(name) end")
    plant("cloud66/base/url.lua", 'local cjson = require "cjson"')
    plant("cloud66/model/criteria.lua", 'local curl = require "cloud66.curl"')
    plant("cloud66/odd.lua", "return {}")
    named "^model/pages requires model/nothing, which is not in lua/$"
    named "^base/git requires what only running it can tell$"
    named "^base/url requires cjson$"
    named "^model/criteria requires cloud66.curl$"
    named "^odd is in none of the folders$"
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
