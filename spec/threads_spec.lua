-- Two Lua states in two threads of one process share nothing. spec/support/threads.c runs them; under the thread sanitizer
-- (script/test tsan) it also finds what only by luck did no harm.
local build = os.getenv "C66_BUILD"

local function exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

describe("two Lua states in two threads", function()
  it("read their pages without meeting", function()
    local program = build and build .. "/threads"
    if not program or not exists(program) then
      pending "spec/support/threads.c is not built here"
      return
    end
    local pipe = assert(io.popen(("'%s' spec/support/threads.lua 0.3 2>&1"):format(program)))
    local output = pipe:read "*a"
    pipe:close()
    local one, other = output:match "^(%d+) and (%d+) rounds\n$"
    assert.is_truthy(one, output)
    assert.is_true(tonumber(one) > 1 and tonumber(other) > 1, output)
  end)
end)
