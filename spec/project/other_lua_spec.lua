-- C modules that were built for another Lua are refused before they can do harm, and the message says what is wrong.
local child = require "spec.support.child"
local tree = require "spec.support.tree"

local builds = {}
for _, name in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" } do
  builds[#builds + 1] = { name = name, version = name == "luajit" and "Lua 5.1" or "Lua " .. name:sub(4) }
end

local top = assert((os.getenv "C66_BUILD"):match "^(.*)/build/")

-- What requiring a module says, with the C modules of another build; nil where it loads.
local function refusal(module, build)
  local output, errors, status = child.run(([[
    local ok, problem = pcall(require, %q)
    io.write(ok and "loaded" or tostring(problem))
  ]]):format(module), ("LUA_CPATH='%s/build/%s/?.so;'\"$LUA_CPATH\""):format(top, build.name))
  assert.same({ 0, "" }, { status, errors })
  if output ~= "loaded" then
    return output
  end
end

describe("modules built for", function()
  for _, build in ipairs(builds) do
    local is_other = build.version ~= _VERSION
    it(build.name .. (is_other and " are refused" or " load"), function()
      if tree.output(("test -f %s/build/%s/cloud66/curl.so && echo there || true"):format(top, build.name)) == "" then
        pending(build.name .. " is not built here")
        return
      end
      if not is_other then
        assert.is_nil(refusal("cloud66", build))
        assert.is_nil(refusal("cloud66.transport.curl", build))
        return
      end
      local message = refusal("cloud66", build)
      assert.is_string(message)
      assert.matches("^cloud66[^\n]* built for [^\n]*Lua", message)
      assert.is_truthy(message:find(_VERSION, 1, true), message)
      assert.is_string(refusal("cloud66.core", build))
      assert.is_string(refusal("cloud66.curl", build))
    end)
  end
end)
