-- Memory that fails: the core never crashes or leaks over it. spec/support/c/allocfail.c says how that is found out.
local program = require "spec.support.program"

describe("an allocation that fails", function()
  it("raises or makes no difference, whichever it is, and leaves nothing behind", function()
    local output = program.output("allocfail", "spec/support/allocfail.lua")
    if not output then
      pending "spec/support/c/allocfail.c is not built here"
      return
    end
    local allocations, raised = output:match "(%d+) allocations, each failed twice; (%d+) raised\n$"
    assert.is_truthy(allocations, output)
    -- The scenario is not an empty one, and most of what fails for good cannot be made up for.
    assert.is_true(tonumber(allocations) > 300, output)
    assert.is_true(tonumber(raised) > 300, output)
  end)
end)
