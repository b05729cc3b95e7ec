-- script/release: a rockspec for a tag, or what is wrong. In a repository of its own, with the files that name a version.
local host = require "spec.support.host"
local tree = require "spec.support.tree"

local folder

-- Output and exit status of a shell command in the repository.
local function run(command)
  local output, _, status = host.run(("cd '%s' && { %s; } 2>&1"):format(folder, command))
  return output, status
end

local function must(command)
  local output, status = run(command)
  assert(status == 0, output)
  return output
end

local git = "git -c user.name=spec -c user.email=spec@localhost -c init.defaultBranch=main -c commit.gpgsign=false -c tag.gpgsign=false "

local function edit(path, pattern, replacement)
  local text, count = tree.read(folder .. "/" .. path):gsub(pattern, replacement)
  assert(count > 0, path .. " has no " .. pattern)
  host.write(folder .. "/" .. path, text)
end

local function commit()
  must(git .. "add -A && " .. git .. "commit -q --allow-empty -m state")
end

local URL = "git+https://git.invalid/cloud66-lua.git"
local release = "script/release 1.2.3 " .. URL

-- The tree as of a version 1.2.3 that is ready.
local function prepare()
  folder = host.directory()
  must("mkdir -p src/base lua script docs")
  for from, to in pairs {
    ["CMakeLists.txt CHANGELOG.md .gitignore *.rockspec"] = ".", ["src/base/base.h"] = "src/base", ["lua/cloud66.lua"] = "lua",
    ["docs/clients.md"] = "docs", ["script/release script/common.sh"] = "script",
  } do
    tree.output(("cp %s '%s/%s/'"):format(from, folder, to))
  end
  edit("src/base/base.h", 'C66_VERSION "[^"]+"', 'C66_VERSION "1.2.3"')
  edit("lua/cloud66.lua", '_VERSION = "[^"]+"', '_VERSION = "1.2.3"')
  edit("CMakeLists.txt", "cloud66 VERSION %S+", "cloud66 VERSION 1.2.3")
  edit("docs/clients.md", "lua%-cloud66/%d[%d.]+", "lua-cloud66/1.2.3")
  edit("CHANGELOG.md", "\n## %[%d[^\n]*", "\n## [1.2.3] - 2030-01-31")
  must(git .. "init -q .")
  commit()
end

describe("script/release", function()
  before_each(prepare)
  after_each(function()
    host.remove(folder)
  end)

  local function refused(pattern, command)
    local output, status = run(command or release)
    assert.equal(1, status, output)
    assert.matches(pattern, output)
    local _, absent = run "test ! -e build"
    assert.equal(0, absent)
  end

  it("makes the rockspec of the tag", function()
    must(git .. "tag v1.2.3")
    local output = must(release)
    local path = output:match "build/release/cloud66%-1%.2%.3%-1%.rockspec"
    assert.is_string(path, output)
    local before, after = tree.read "cloud66-scm-1.rockspec", tree.read(folder .. "/" .. path)
    local expected = before:gsub('version = "scm%-1"', 'version = "1.2.3-1"')
      :gsub('  url = "[^"]+",', ('  url = "%s",\n  tag = "v1.2.3",'):format(URL))
    assert.equal(expected, after)
    assert.is_truthy(loadfile(folder .. "/" .. path))
    assert.equal("", must "git status --porcelain")
  end)

  it("reads the tag, not the tree", function()
    must(git .. "tag v1.2.3")
    edit("src/base/base.h", "1%.2%.3", "1.2.4")
    commit()
    must(release)
  end)

  it("refuses what is no version", function()
    must(git .. "tag v1.2")
    for _, version in ipairs { "''", "1.2", "v1.2.3", "1.2.3-rc1", "01.2.3", "1.2.3\nx" } do
      refused("not a version", ("script/release '%s'"):format((version:gsub("'", ""))))
    end
    refused("usage", "script/release")
  end)

  it("refuses a missing tag", function()
    refused "there is no tag v1%.2%.3"
    must(git .. "branch v1.2.3")
    refused "there is no tag v1%.2%.3"
  end)

  it("refuses a tree that is not clean", function()
    must(git .. "tag v1.2.3 && touch src/other.h")
    refused "not clean: .*src/other%.h"
  end)

  for _, path in ipairs { "src/base/base.h", "lua/cloud66.lua", "CMakeLists.txt", "docs/clients.md", "CHANGELOG.md" } do
    it("refuses another version in " .. path, function()
      edit(path, "1%.2%.3", "1.2.4")
      commit()
      must(git .. "tag v1.2.3")
      refused("v1%.2%.3: " .. path:gsub("%p", "%%%0"))
    end)
  end

  it("refuses a version without a date", function()
    edit("CHANGELOG.md", "2030%-01%-31", "not released yet")
    commit()
    must(git .. "tag v1.2.3")
    refused "YYYY%-MM%-DD"
  end)

  it("refuses an address that is none", function()
    must(git .. "tag v1.2.3")
    refused("no real source.url", "script/release 1.2.3")
    refused("not an address", "script/release 1.2.3 'a\"b'")
  end)
end)
