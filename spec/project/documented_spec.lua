-- The documented bodies that the specs have are all read by one of them.
local documented = require "spec.support.documented"
local tree = require "spec.support.tree"

describe("the documented bodies", function()
  it("are each read in a documented_spec.lua", function()
    local text = ""
    for _, path in ipairs(tree.files("spec", "documented_spec.lua")) do
      text = text .. (path:find "^spec/project/" and "" or tree.read(path))
    end
    local missing = {}
    for name in pairs(documented) do
      missing[#missing + 1] = not text:find("documented%." .. name .. "%f[^%w_]") and name or nil
    end
    assert.same({}, missing)
  end)
end)
