-- core.raise_on_sigterm(): SIGTERM as an error in Lua.
local child = require "spec.support.child"

-- What the program prints, and its exit status. `kill(seconds)` in it sends the signal to it after a while.
local function run(program)
  local output, said, status = child.run([[
    local core = require "cloud66.core"
    local function kill(seconds)
      os.execute(("{ sleep %g; kill -TERM %d; } >/dev/null 2>&1 &"):format(seconds, core.pid()))
    end
  ]] .. program)
  assert.equal("", (said:gsub("^Terminated\n$", ""))) -- the shell's
  return output, status
end

describe("SIGTERM", function()
  it("ends a program as ever where nothing else was asked for", function()
    local _, status = run "kill(0) core.sleep(5) print 'here'"
    assert.equal(128 + 15, status)
  end)

  it("raises in whatever runs, at once", function()
    for _, work in ipairs { "core.sleep(5)", "while true do end", "string.rep('x', 10):gsub('x', function() core.sleep(1) end)",
      "require('cloud66.runtime.wait').sleep(5)", "for _ = 1, 2 do core.raise_on_sigterm() end collectgarbage() core.sleep(5)" } do
      local output, status = run(([[
        core.raise_on_sigterm()
        jit = jit and jit.off() -- compiled code looks for no hook
        kill(0.2)
        local began = core.monotonic()
        local ok, problem = pcall(function() %s end)
        print(ok, (problem:gsub("^.*: ", "")), core.monotonic() - began < 2)
      ]]):format(work))
      assert.same({ "false\tterminated!\ttrue\n", 0 }, { output, status }, work)
    end
  end)

  it("ends the program the second time", function()
    local output, status = run [[
      core.raise_on_sigterm()
      kill(0.3)
      print(pcall(function() core.sleep(5) return nil end) and "" or "raised")
      io.stdout:flush()
      kill(0.3)
      core.sleep(5)
      core.sleep(5)
      print "here"
    ]]
    assert.same({ 128 + 15 }, { status })
    assert.is_nil(output:find "here")
  end)

  it("is never raised in a coroutine that is gone", function()
    local output, status = run [[
      local ok, problem = coroutine.wrap(function()
        return pcall(core.raise_on_sigterm)
      end)()
      for _ = 1, 3 do
        collectgarbage()
      end
      local kept = {}
      for i = 1, 20000 do
        kept[i] = ("x"):rep(100 + i % 1000) .. i
      end
      jit = jit and jit.off()
      if ok then
        ok, problem = pcall(function()
          kill(0)
          core.sleep(5)
        end)
      end
      print(ok, (problem:gsub("^.*: ", "")))
    ]]
    local is_old = rawget(_G, "jit") or _VERSION == "Lua 5.1"
    local text = is_old and "under this Lua raise_on_sigterm() is for the main thread alone" or "terminated!"
    assert.same({ "false\t" .. text .. "\n", 0 }, { output, status })
  end)

  it("is nobody's error that a hook could keep", function()
    local hooks = require "cloud66.http.hooks"
    local ok, problem = pcall(hooks.call, { request = function()
      error("x.lua:1: terminated!", 0)
    end }, "request", {})
    assert.same({ false, "x.lua:1: terminated!" }, { ok, problem })
  end)
end)
