-- spec/support/hour.lua: no full hour falls into a spec that counts requests.
local expect = require "spec.support.expect"
local hour = require "spec.support.hour"

local FULL = 480000 * 3600 -- an hour begins

describe("enough of the hour", function()
  -- Leaves `seconds` at a time of day; gives the time after that, how long it took, and what was said.
  local function leave(seconds, now, step)
    local began, said = now, {}
    hour.leave(seconds, {
      now = function()
        return now
      end,
      sleep = function(pause)
        now = now + (step or pause)
      end,
      say = function(text)
        said[#said + 1] = text
      end,
    })
    return now, now - began, said
  end

  it("is there where it is, and nothing is waited for", function()
    for _, now in ipairs { FULL, FULL + 1, FULL + 1800, FULL + 3585 } do
      local _, took, said = leave(15, now)
      assert.same({ 0, {} }, { took, said })
    end
  end)

  it("is waited for where less is left, which is said", function()
    for left = 14, 1, -1 do
      local now, took, said = leave(15, FULL - left)
      assert.is_true(now >= FULL and now < FULL + 1, now)
      assert.is_true(took < 15.5)
      assert.equal(1, #said)
      assert.matches(("the hour ends in %d s, this spec needs 15 s"):format(left), said[1])
    end
  end)

  it("is waited for by the clock, however long a sleep takes", function()
    assert.equal(FULL + 2, (leave(15, FULL - 10, 4)))
    assert.equal(FULL, (leave(15, FULL - 0.5, 0.25)))
  end)

  it("is no reason to hold up a spec for long", function()
    expect.raises("not held up for so long", function()
      leave(21, FULL)
    end)
  end)

  it("goes by the machine's clock where none is handed in", function()
    local time, now, looks = os.time, FULL + 60, 0
    os.time = function() -- luacheck: ignore 122
      looks = looks + 1
      return now
    end
    package.loaded["spec.support.hour"] = nil
    local ok, problem = pcall(function()
      require("spec.support.hour").leave(15)
    end)
    os.time = time -- luacheck: ignore 122
    package.loaded["spec.support.hour"] = hour
    assert(ok, problem)
    assert.equal(1, looks)
  end)
end)
