-- Stores: one contract over all of them; what is special of each is in the spec of that one.
local child = require "spec.support.child"
local clock = require "spec.support.clock"
local cloud66 = require "cloud66"
local contract = require "spec.support.store_contract"
local expect = require "spec.support.expect"
local plain_store = require "spec.support.plain_store"
local host = require "cloud66.runtime.host"
local random_from = require "spec.support.random_from"
local tree = require "spec.support.tree"

local function now()
  return host.now()
end

local function pass(seconds)
  host.pass(seconds)
end

-- Runs the contract over what make() gives, on a clock of its own.
local function holds_the_contract(make, left_out)
  for _, name in ipairs(contract.names()) do
    if not (left_out and name:find(left_out)) then
      it(name, function()
        local store = make()
        clock.run(nil, function()
          contract.check(name, store, pass)
        end)
      end)
    end
  end
end

describe("each store of cloud66.store", function()
  it("is held to the contract, here or elsewhere", function()
    local held = ""
    for _, path in ipairs(tree.files("spec", "_spec.lua")) do
      local text = tree.read(path)
      held = held .. (text:find("contract.check", 1, true) and text or "")
    end
    for name in pairs(cloud66.store) do
      assert.is_truthy(name == "check" or held:find("cloud66%.store%." .. name .. "%f[^%w_]"), "no contract for store." .. name)
    end
  end)
end)

describe("a store in memory", function()
  holds_the_contract(function()
    return cloud66.store.memory()
  end)

  local LONG = 1000

  it("drops what was not used for longest when it is full", function()
    local store = cloud66.store.memory { max_entries = 4 }
    for _, key in ipairs { "a", "b", "c", "d" } do
      assert.is_true(store:set(key, key, LONG))
    end
    assert.equal("a", store:get "a")
    assert.is_false(store:add("b", "other", LONG)) -- looked at, so used
    assert.is_true(store:set("e", "e", LONG))
    assert.is_false((store:get "c"))
    assert.equal(1, store:incr("count", 1, LONG))
    assert.is_false((store:get "d"))
    for _, key in ipairs { "a", "b", "e" } do
      assert.equal(key, store:get(key))
    end
    assert.equal("1", store:get "count")
  end)

  it("drops what has ended first, although it was used last", function()
    clock.run(nil, function()
      local store = cloud66.store.memory { max_entries = 5 }
      for i, ttl in ipairs { LONG, 3, LONG, 2, LONG } do
        assert.is_true(store:set("key " .. i, "value", ttl))
      end
      assert.equal("value", store:get "key 2")
      assert.equal("value", store:get "key 4")
      pass(2.5)
      assert.is_true(store:set("key 6", "value", LONG)) -- for key 4
      assert.equal("value", store:get "key 2")
      pass(1)
      assert.is_true(store:set("key 7", "value", LONG)) -- for key 2
      for i, there in pairs { true, false, true, false, true, true, true } do
        assert.equal(there and "value", (store:get("key " .. i)), "key " .. i)
      end
      assert.is_true(store:set("key 8", "value", LONG))
      assert.is_false((store:get "key 1"))
    end)
  end)

  it("never holds more than max_bytes, counting what an entry takes beside its text", function()
    local output, errors = child.run [[ -- where nobody else's memory is counted
      local limit = 4 * 1024 * 1024
      local store = require("cloud66").store.memory { max_bytes = limit }
      collectgarbage()
      collectgarbage()
      local before = collectgarbage "count"
      for i = 1, 40000 do
        assert(store:set("key " .. i, ("x"):rep(i % 100) .. i, 1000))
      end
      collectgarbage()
      collectgarbage()
      local taken = (collectgarbage "count" - before) * 1024
      local there = 0
      for i = 1, 40000 do
        there = there + (store:get("key " .. i) and 1 or 0)
      end
      print(taken / limit, there, type(store:get "key 40000"), store:get "key 1")
    ]]
    local share, there, newest, oldest = output:match "^(%S+)\t(%S+)\t(%S+)\t(%S+)\n$"
    assert.is_string(share, errors)
    assert.is_true(tonumber(share) < 1.1, share)
    assert.is_true(tonumber(there) > 4000, there)
    assert.same({ "string", "false" }, { newest, oldest })
  end)

  it("tells what does not fit, and keeps what was there", function()
    local store = cloud66.store.memory { max_bytes = 2000 }
    assert.is_true(store:set("key", "value", LONG))
    local ok, message = store:set("key", ("x"):rep(2000), LONG)
    assert.is_nil(ok)
    assert.matches("2000", message)
    assert.equal("value", store:get "key")
  end)

  it("goes by the same order as a plain list, whatever is done", function()
    clock.run(nil, function()
      -- A clock that stands still between two looks: the store and the list must see the same moment.
      local time = now()
      host.now = function() return time end
      host.pass = function(seconds) time = time + seconds end
      local store, order, values, ends = cloud66.store.memory { max_entries = 20 }, {}, {}, {}
      local draw = random_from(42)
      local function drop(key)
        for i, other in ipairs(order) do
          if other == key then
            table.remove(order, i)
          end
        end
        values[key] = nil
      end
      local function use(key)
        table.insert(order, key)
      end
      for step = 1, 5000 do
        local key = "key " .. draw(40)
        if values[key] and ends[key] <= now() then
          drop(key)
        end
        if draw(3) > 0 then
          local ttl = 1 + draw(30)
          if values[key] then
            drop(key)
          elseif #order == 20 then
            local first
            for _, other in ipairs(order) do
              if ends[other] <= now() and (not first or ends[other] < ends[first]) then
                first = other
              end
            end
            drop(first or order[1])
          end
          values[key], ends[key] = tostring(step), now() + ttl + step / 1e6 -- no two at the same moment
          use(key)
          assert(store:set(key, values[key], ttl + step / 1e6))
        elseif values[key] then
          local value = values[key]
          drop(key)
          values[key] = value
          use(key)
          assert.equal(value, store:get(key))
        else
          assert.is_false((store:get(key)))
        end
        pass(0.3)
      end
    end)
  end)

  it("checks its options", function()
    local memory = cloud66.store.memory
    expect.raises("store_spec.lua:.*did you mean 'max_bytes'", function() memory { max_byte = 1 } end)
    expect.raises("store_spec.lua:.*'max_bytes' must be a whole number", function() memory { max_bytes = "1M" } end)
    expect.raises("store_spec.lua:.*'max_entries' must be a whole number", function() memory { max_entries = 0 } end)
    expect.raises("store_spec.lua:.*single entry", function() memory { max_bytes = 100 } end)
    expect.raises("store_spec.lua:.*expected a table", function() memory(16) end)
  end)
end)

describe("a store of a user's own", function()
  holds_the_contract(function()
    return plain_store.new(now)
  end, "^raises")

  it("passes for a store", function()
    local store = plain_store.new(now)
    assert.equal(store, cloud66.store.check(store))
  end)

  it("is refused where it lacks a method, which is named", function()
    expect.raises("store_spec.lua:.*this one has no add, incr$", function()
      cloud66.store.check { get = print, set = print, add = "add" }
    end)
    expect.raises("option 'store' must have the methods", function()
      cloud66.store.check({}, "option 'store'")
    end)
    expect.raises("module instead of what its new", function()
      cloud66.store.check(plain_store)
    end)
    expect.raises("got nil: an unset variable", function()
      cloud66.store.check(nil)
    end)
    expect.raises("got function", function()
      cloud66.store.check(print)
    end)
    expect.raises("this one has no get, set, add, incr", function()
      cloud66.store.check(io.stdout)
    end)
  end)
end)
