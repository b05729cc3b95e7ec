-- Memory that fails: the core never crashes or leaks over it. spec/support/allocfail.c says how that is found out.
local build = os.getenv "C66_BUILD"

local function exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

describe("an allocation that fails", function()
  it("raises or makes no difference, whichever it is, and leaves nothing behind", function()
    local program = build and build .. "/allocfail"
    if not program or not exists(program) then
      pending "spec/support/allocfail.c is not built here"
      return
    end
    local pipe = assert(io.popen(("'%s' spec/support/allocfail.lua 2>&1"):format(program)))
    local output = pipe:read "*a"
    pipe:close()
    local allocations, raised = output:match "(%d+) allocations, each failed twice; (%d+) raised\n$"
    assert.is_truthy(allocations, output)
    -- The scenario is not an empty one, and most of what fails for good cannot be made up for.
    assert.is_true(tonumber(allocations) > 300, output)
    assert.is_true(tonumber(raised) > 300, output)
  end)
end)
