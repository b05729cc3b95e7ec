-- Processes of an old and a new version share a store while a fleet is updated: what both understand is shared, and nothing else.
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local hour = require "spec.support.hour"
local keys = require "cloud66.sharing.keys"
local table_store = require "spec.support.table_store"

local connect, failure = expect.connect, expect.failure

describe("versions that share a store", function()
  local tag, scenario, values, mine, theirs

  -- A version of the library, with a view of the one store as a process of its own has it. `formats`: numbers that differ from ours.
  local function version(formats, options)
    local store, real = table_store.new(), keys.FORMATS
    store.values = values
    local all = { store = store, cache = { fresh = 60 } }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    local client = connect(scenario, all)
    -- Calls fn(client) as that version does.
    return function(fn)
      keys.FORMATS = setmetatable(formats or {}, { __index = real })
      local results = { pcall(fn, client) }
      keys.FORMATS = real
      assert(results[1], results[2])
      return results[2], results[3], results[4]
    end
  end

  local function live(client)
    return client:stack(fake.stacks.staging):live()
  end

  local function ping(client)
    return client:request("GET", "/ping")
  end

  local function redeploy(client)
    return client:stack(fake.stacks.staging):redeploy { git_ref = "main" }
  end

  local function sent(method)
    return #fake.requests(tag, method)
  end

  local function keys_like(pattern)
    local found = {}
    for key in pairs(values) do
      if key:find(pattern) then
        found[#found + 1] = key
      end
    end
    return found
  end

  before_each(function()
    hour.leave(10)
    tag, values = fake.fresh_tag(), {}
    scenario = { tag = tag, ratelimit = "no", world = tag }
    mine = version()
    theirs = version { response = keys.FORMATS.response .. "1" }
  end)

  it("reuse only those stored responses that they understand", function()
    assert(mine(live))
    assert(theirs(live))
    assert.equal(2, sent())
    assert.equal(2, #keys_like "^response:%d+:%x+$")
    -- Each finds its own as it left it.
    assert(mine(live))
    assert(theirs(live))
    assert.equal(2, sent())
  end)

  it("see what the others invalidate", function()
    assert(mine(live))
    assert(theirs(live))
    assert(theirs(redeploy))
    assert(mine(live))
    assert(theirs(live))
    assert.equal(4, sent "GET")
    assert(mine(redeploy))
    assert(mine(live))
    assert(theirs(live))
    assert.equal(6, sent "GET")
    assert.equal(1, #keys_like "^generation:")
  end)

  it("spend one budget", function()
    local options = { budget = 20, cache = false }
    mine, theirs = version(nil, options), version({ response = keys.FORMATS.response .. "1" }, options)
    for _ = 1, 9 do
      assert(mine(ping))
      assert(theirs(ping))
    end
    for _, each in ipairs { mine, theirs } do
      assert.is_true(failure("throttled", each(ping)).budget)
      assert.equal(18, each(function(client)
        return client:limits().used
      end))
    end
    assert.equal(18, sent())
    assert.equal(1, #keys_like "^count:")
  end)

  it("pass over what stands under the keys of other formats", function()
    assert(mine(live))
    for _, key in ipairs(keys_like "^response:") do
      local hash = key:match "%x+$"
      for _, old in ipairs { "answer:" .. hash, "response:" .. hash, "response:1:" .. hash } do
        values[old] = values[key]:gsub("\n.*", "\n{}")
      end
      values[key] = nil
    end
    for _, key in ipairs(keys_like "^generation:") do
      values["mark:" .. key:match "%x+$"], values["generation:0:" .. key:match "%x+$"] = "another", "another"
    end
    for _, key in ipairs(keys_like "^count:") do
      values[key:gsub("^count:%d+", "count")], values[key:gsub("^count:%d+", "count:0")] = "2999", "2999"
    end
    assert(mine(live))
    assert(mine(live))
    assert.equal(2, sent())
    assert.equal(2, mine(function(client)
      return client:limits().used
    end))
  end)

  -- Who changes what is stored under one of these, or what it means, raises its number: see keys.FORMATS.
  it("find these forms under these numbers", function()
    local FORMS = {
      ["response:2"] = "^%d+%.%d%d%d [%x-]+ 200 %l+\n{", ["generation:1"] = "^%x+%-[%x-]+$", ["count:1"] = "^%d+$",
      ["reported:1"] = "^%d+ %d+ %d+$", ["probe:1"] = "^1$", ["reset:1"] = "^1$",
    }
    scenario = { tag = tag, world = tag, error = "throttled", on = "redeploy", times = 1 }
    mine = version(nil, { budget = 1000 })
    assert(mine(live))
    failure("throttled", mine(redeploy))
    for _, key in ipairs(keys_like "^count:") do
      values[key] = nil -- as if the store was emptied
    end
    assert(mine(redeploy))
    local seen = {}
    for key, value in pairs(values) do
      local kind = key:match "^%l+:%d+"
      assert.matches(FORMS[kind] or "this number is not in the list", tostring(value), 1, false, key)
      seen[kind] = true
    end
    for kind in pairs(FORMS) do
      assert.is_true(seen[kind], kind)
    end
  end)

  it("tell a format by the number in the key alone: each kind has one", function()
    assert(mine(live))
    assert(mine(redeploy))
    for key in pairs(values) do
      local kind, number = key:match "^(%l+):(%d+):%x+"
      assert.equal(keys.FORMATS[kind], number, key)
    end
  end)
end)
