-- The check of names in spec/support/names.lua, on texts with planted faults and on this tree.
local host = require "spec.support.host"
local names = require "spec.support.names"
local tree = require "spec.support.tree"

local program = host.quote(os.getenv "C66_LUA") .. " spec/support/names.lua"

local C = { language = "c", words = { ["short reference"] = "near", origin = "road roads" }, foreign = { lib_near = true } }
local LUA = { language = "lua", words = { poll = "look looks" }, foreign = {} }

local function check(text, list)
  return names.check(text, "x", list)
end

describe("the words of a name", function()
  it("are divided by underscores, digits and capital letters behind small ones", function()
    assert.same({ "c", "near", "ref" }, names.words_of "c66_near_ref")
    assert.same({ "near", "ref" }, names.words_of "nearRef2")
    assert.same({ "road", "free" }, names.words_of "ROAD_FREE")
    assert.same({ "nearest" }, names.words_of "nearest")
    assert.same({}, names.words_of "_")
  end)
end)

describe("the check of names", function()
  it("reports a name, its line and the term to use", function()
    assert.same({ "x:2: 'c66_near' uses 'near': say 'short reference'" }, check("int a;\nc66_near b;\n", C))
    assert.same({ "x:1: 'ROADS' uses 'roads': say 'origin'" }, check("#define ROADS 1", C))
    assert.same({ "x:1: 'isNear' uses 'near': say 'short reference'", "x:3: 'road' uses 'road': say 'origin'" }, check("isNear(\n1,\nroad)", C))
    assert.same({ "x:2: 'looks' uses 'looks': say 'poll'" }, check("local t = {\n  looks = 1 }", LUA))
  end)

  it("reports each word of a name, and each place that uses it", function()
    assert.equal(2, #check("near_road", C))
    assert.equal(3, #check("near + t->near - near", C))
  end)

  it("leaves longer words, names of libraries and numbers alone", function()
    assert.same({}, check("nearest, broad, lib_near, 0x1near, on_the_ro_ad", C))
  end)

  it("leaves comments and literals of C alone, and counts their lines", function()
    assert.same({}, check('/* near "\n road */ a = "near /* \\" near"; // near\nb = \'"\'; c = "road";', C))
    assert.same({ "x:4: 'near' uses 'near': say 'short reference'" }, check("/* near\n\n*/ a / b;\nnear;", C))
    assert.same({ "x:2: 'near' uses 'near': say 'short reference'" }, check("#error it's here\nnear;", C))
    assert.equal(1, #check("'\\''; near;", C))
    assert.equal(1, #check("a/**/near;", C))
    assert.same({}, check("near_/* an end is missing", { language = "c", words = { x = "end" }, foreign = {} }))
  end)

  it("leaves comments and strings of Lua alone, and counts their lines", function()
    assert.same({}, check("-- look\n--[[ look\n look ]] a = 'look' .. \"it's \\\" look\" .. [=[ look ]] look ]=]", LUA))
    assert.same({ "x:3: 'look' uses 'look': say 'poll'" }, check("a[b[1]] = c - d --[==[ look\n]] ]==]\nlook()", LUA))
    assert.equal(1, #check("t[look]", LUA))
    assert.equal(1, #check("a --[ look\n.look", LUA))
  end)

  it("finds no fault in this tree, and looks at all of src/ and lua/", function()
    local problems, count = names.check_tree()
    assert.same({}, problems)
    assert.equal(#tree.files("src", ".[ch]") + #tree.files("lua", ".lua"), count)
  end)

  it("is a program that script/lint runs", function()
    assert.truthy(tree.read "script/lint":find("check names [^\n]* spec/support/names%.lua\n"))
    local _, errors, status = host.run(program)
    assert.equal("", errors)
    assert.equal(0, status)
  end)

  it("ends with status 1 and a line for each fault as a program", function()
    local copy = host.directory()
    tree.output(("mkdir -p '%s/lua' '%s/spec' && cp -r src '%s/' && cp -r spec/support '%s/spec/' && touch '%s/lua/a.lua'"):format(copy, copy, copy, copy, copy))
    host.write(copy .. "/src/base/planted.c", "/* planted.c - a fault. */\nstatic int verdict;\n")
    local output, errors, status = host.run(("cd '%s' && %s"):format(copy, program))
    host.remove(copy)
    assert.equal("", output)
    assert.equal("src/base/planted.c:2: 'verdict' uses 'verdict': say 'abort reason'\n", errors)
    assert.equal(1, status)
  end)
end)
