-- Two Lua states in two threads of one process share nothing. spec/support/c/threads.c runs them; under the thread sanitizer
-- (script/test tsan) it also finds what only by luck did no harm.
local program = require "spec.support.program"

describe("two Lua states in two threads", function()
  it("read their pages without meeting", function()
    local output = program.output("threads", "spec/support/threads.lua 0.3")
    if not output then
      pending "spec/support/c/threads.c is not built here"
      return
    end
    local one, other = output:match "^(%d+) and (%d+) rounds\n$"
    assert.is_truthy(one, output)
    assert.is_true(tonumber(one) >= 10 and tonumber(other) >= 10, output)
  end)
end)
