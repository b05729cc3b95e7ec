-- What LuaRocks and CMake build and install is what is in the tree, and everything says the same version.
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local curl = require "cloud66.curl"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local tree = require "spec.support.tree"

local function sorted(list)
  local copy = {}
  for i, value in ipairs(list) do
    copy[i] = value
  end
  table.sort(copy)
  return copy
end

local function rockspec()
  local path = tree.output("ls *.rockspec"):match "^(%S+)\n$"
  local fields = {}
  local chunk = path and assert(loadfile(path, "t", fields))
  assert(chunk, "there is not one rockspec")
  if setfenv then -- luacheck: ignore 113
    setfenv(chunk, fields) -- luacheck: ignore 113
  end
  chunk()
  return fields, path
end

-- The words between `set(NAME` and `)`.
local function cmake_list(name)
  local list = {}
  for word in assert(tree.read "CMakeLists.txt":match("set%(" .. name .. "%s+(.-)%)"), name):gmatch "%S+" do
    list[#list + 1] = word
  end
  return list
end

describe("the rock", function()
  local modules = rockspec().build.modules

  it("builds the C modules of the files that CMake builds them of", function()
    assert.same(cmake_list "cloud66_core_sources", modules["cloud66.core"].sources)
    assert.same(cmake_list "cloud66_curl_sources", modules["cloud66.curl"].sources)
  end)

  it("uses every C file, and what both modules need twice", function()
    local in_both = { ["src/base/buffer.c"] = true, ["src/base/system.c"] = true }
    local used = {}
    for _, list in ipairs { modules["cloud66.core"].sources, modules["cloud66.curl"].sources } do
      for _, path in ipairs(list) do
        used[path] = (used[path] or 0) + 1
      end
    end
    local wanted = {}
    for _, path in ipairs(tree.files("src", ".c")) do
      wanted[path] = in_both[path] and 2 or 1
    end
    assert.same(wanted, used)
  end)

  -- LuaRocks puts the folder of Lua's headers before ours, and jsoncpp's json/json.h may be in it, for instance.
  it("includes no header of its own under a name that another library installs", function()
    local installed = {}
    for name in ([[json/allocator.h json/assertions.h json/config.h json/forwards.h json/json.h json/json_features.h
      json/reader.h json/value.h json/version.h json/writer.h base/logging.h base/macros.h http/client.h http/server.h
      lua/lua.h lua/lua.hpp lua/luaconf.h lua/lualib.h lua/lauxlib.h]]):gmatch "%S+" do
      installed[name] = true
    end
    for _, path in ipairs(tree.files("src", ".h")) do
      assert.is_nil(installed[path:match "^src/(.*)"], path)
    end
  end)

  it("installs every Lua file under its name", function()
    local wanted = {}
    for _, path in ipairs(tree.files("lua", ".lua")) do
      local name = tree.module_of(path)
      wanted[name] = true
      assert.equal(path, modules[name], "the rockspec does not install " .. name)
    end
    for name, path in pairs(modules) do
      assert.is_true(wanted[name] or type(path) == "table", "the rockspec installs " .. name .. ", which is not there")
    end
  end)

  it("lists its Lua files in order", function()
    local _, path = rockspec()
    local names = {}
    for name in tree.read(path):gmatch '%["([%w_.]+)"%] = "lua/' do
      names[#names + 1] = name
    end
    assert.is_true(#names > 10)
    assert.same(sorted(names), names)
  end)

  it("installs as a command what CMake installs as one", function()
    local commands = {}
    for name, path in pairs(rockspec().build.install.bin) do
      commands[#commands + 1] = name .. " " .. path
      assert.equal("#!", tree.read(path):sub(1, 2), path)
    end
    local others = {}
    for _, command in ipairs(cmake_list "cloud66_commands") do
      others[#others + 1] = command:gsub("=", " ")
    end
    assert.same(sorted(others), sorted(commands))
  end)

  it("has the name and the version of its file", function()
    local fields, path = rockspec()
    assert.equal(path, ("%s-%s.rockspec"):format(fields.package, fields.version))
  end)
end)

describe("the version", function()
  local version = cloud66._VERSION

  it("is three numbers", function()
    assert.matches("^%d+%.%d+%.%d+$", version)
  end)

  it("is the same in the modules, the C source and CMake", function()
    assert.equal(version, core._VERSION)
    assert.equal(version, curl._VERSION)
    assert.equal(version, tree.read "src/base/base.h":match '#define C66_VERSION "([^"]+)"')
    assert.equal(version, tree.read "CMakeLists.txt":match "project%(cloud66 VERSION (%S+)")
  end)

  it("is what the API is told", function()
    local tag = fake.fresh_tag()
    assert(expect.connect({ tag = tag }):request("GET", "/ping"))
    assert.equal("lua-cloud66/" .. version, fake.requests(tag)[1].headers["user-agent"])
  end)

  it("is what the docs say", function()
    local count = 0
    for said in tree.read "docs/clients.md":gmatch "lua%-cloud66/(%d[%w.]*)" do
      count = count + 1
      assert.equal(version, said)
    end
    assert.is_true(count > 0)
  end)

  it("is the newest in CHANGELOG.md", function()
    assert.equal(version, tree.read "CHANGELOG.md":match "\n## %[?(%d[%w.]*)")
  end)
end)
