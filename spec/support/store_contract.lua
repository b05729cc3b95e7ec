-- What every store promises: checks that are run over each of them, in scripts and inside nginx.
--
-- A check is called with the store, and with pass(seconds), which lets time pass. Nothing depends on how fast it runs: what
-- is to be there gets a long ttl, and what is to go is waited for.
local contract = {}

local LONG = 1000 -- seconds

-- Raises unless both are the same; numbers may be of either kind, but whole numbers print as such.
local function same(expected, got, what)
  if expected ~= got or type(expected) ~= type(got) then
    error(("%s: expected %s, got %s"):format(what or "value", tostring(expected), tostring(got)), 2)
  end
end

local function eventually(pass, fn)
  for _ = 1, 1000 do
    if fn() then
      return true
    end
    pass(0.02)
  end
  return false
end

local function refused(value, message, pattern)
  same(nil, value)
  same("string", type(message))
  if pattern and not message:find(pattern) then
    error(("expected a message with '%s', got '%s'"):format(pattern, message), 2)
  end
end

-- A key that no other check has.
local serial = 0
local function fresh()
  serial = serial + 1
  return ("key %d"):format(serial)
end

local CHECKS = {
  ["gives false for what is not there"] = function(store)
    same(false, (store:get(fresh())))
  end,

  ["gives back what was set, byte by byte"] = function(store)
    local bytes = {}
    for i = 0, 255 do
      bytes[i + 1] = string.char(i)
    end
    for _, value in ipairs { "value", "", " ", "\r\n$5\r\n", "0", "-1", "007", "1e3", "0x10", "nil", "1.5", "123456789012345678901",
      table.concat(bytes), table.concat(bytes):rep(512) } do
      local key = fresh()
      same(true, store:set(key, value, LONG))
      same(value, store:get(key))
    end
  end,

  ["tells keys apart by all their bytes"] = function(store)
    local keys = { "a", "A", "a ", "a\0", "a\0b", "a\r\n", "{a}", "\255\254", ("k"):rep(249), ("k"):rep(250) }
    for i, key in ipairs(keys) do
      same(true, store:set(key, "value " .. i, LONG))
    end
    for i, key in ipairs(keys) do
      same("value " .. i, store:get(key))
      same(true, store:set(key, "x", 0.001))
    end
  end,

  ["sets anew"] = function(store)
    local key = fresh()
    same(true, store:set(key, "one", LONG))
    same(true, store:set(key, "two", LONG))
    same("two", store:get(key))
  end,

  ["forgets after the ttl"] = function(store, pass)
    local key, stays = fresh(), fresh()
    same(true, store:set(stays, "value", LONG))
    same(true, store:set(key, "value", 0.05))
    same(true, eventually(pass, function()
      return store:get(key) == false
    end))
    same("value", store:get(stays))
  end,

  ["removes by a ttl of 0.001"] = function(store, pass)
    local key = fresh()
    same(true, store:set(key, "value", LONG))
    same(true, store:set(key, "", 0.001))
    pass(0.01)
    same(false, (store:get(key)))
  end,

  ["counts the ttl from the last set"] = function(store, pass)
    local key = fresh()
    same(true, store:set(key, "value", 0.05))
    same(true, store:set(key, "value", LONG))
    pass(0.1)
    same("value", store:get(key))
  end,

  ["adds only what is not there"] = function(store, pass)
    local key = fresh()
    same(true, store:add(key, "one", LONG))
    same(false, (store:add(key, "two", LONG)))
    same("one", store:get(key))
    same(true, store:set(key, "three", 0.001))
    pass(0.01)
    same(true, store:add(key, "four", LONG))
    same("four", store:get(key))
  end,

  ["keeps the ttl of what is there when adding"] = function(store, pass)
    local key = fresh()
    same(true, store:set(key, "value", 0.3))
    store:add(key, "other", LONG) -- on a slow machine it may have gone by now
    if store:get(key) ~= "other" then
      same(true, eventually(pass, function()
        return store:get(key) == false
      end))
    end
  end,

  ["counts from 0, up and down"] = function(store)
    local key = fresh()
    same(3, store:incr(key, 3, LONG))
    same(4, store:incr(key, 1, LONG))
    same("4", store:get(key))
    same(-6, store:incr(key, -10, LONG))
    same("-6", store:get(key))
    same(-6, store:incr(key, 0, LONG))
    same("7", tostring(store:incr(key, 13.0, LONG)))
    same(-5, store:incr(fresh(), -5, LONG))
    same(0, store:incr(fresh(), 0, LONG))
  end,

  ["counts exactly below 2^53, and not beyond"] = function(store)
    local key, most = fresh(), 2 ^ 53 - 1
    same(most - 1, store:incr(key, most - 1, LONG) + 0.0)
    same("9007199254740990", store:get(key))
    same(most, store:incr(key, 1, LONG) + 0.0)
    refused(store:incr(key, 1, LONG))
    refused(store:incr(key, most, LONG))
    same(most - 2, store:incr(key, -2, LONG) + 0.0)
    same("9007199254740989", store:get(key))
    same(-most, store:incr(fresh(), -most, LONG) + 0.0)
  end,

  ["counts on from digits that were set"] = function(store)
    for text, count in pairs { ["0"] = 2, ["41"] = 43, ["-2"] = 0, ["123456789012345"] = 123456789012347 } do
      local key = fresh()
      same(true, store:set(key, text, LONG))
      same(count, store:incr(key, 2, LONG))
    end
  end,

  ["counts nothing else, and leaves it alone"] = function(store)
    for _, text in ipairs { "", "one", "1.5", "1e3", "0x10", " 1", "1 ", "007", "+1", "--1", "nan", "12345678901234567890" } do
      local key = fresh()
      same(true, store:set(key, text, LONG))
      refused(store:incr(key, 1, LONG))
      same(text, store:get(key))
    end
  end,

  ["keeps the time of a count that goes on"] = function(store, pass)
    local ttl = 0.5
    for _ = 1, 6 do
      local key = fresh()
      same(1, store:incr(key, 1, ttl))
      if store:incr(key, 1, LONG) == 2 then
        same(true, eventually(pass, function()
          return store:get(key) == false
        end))
        same(1, store:incr(key, 1, LONG))
        return
      end
      ttl = ttl * 2 -- this machine was too slow
    end
    error "the count never went on"
  end,

  ["refuses a value of more than 1 MiB, with a message"] = function(store)
    local key, most = fresh(), ("x"):rep(1024 * 1024)
    same(true, store:set(key, most, LONG))
    same(true, store:get(key) == most)
    refused(store:set(key, most .. "x", LONG))
    refused(store:add(fresh(), most .. "x", LONG))
    same(true, store:set(key, "", 0.001))
  end,
}

-- Of the stores that come with the library: a typo raises, at the line that has it.
local RAISES = {
  ["a key must be a string, got nil"] = function(store) store:get() end,
  ["a key must be a string, got number"] = function(store) store:get(1) end,
  ["called with a colon"] = function(store) store.get "key" end,
  ["a key has 1 to 250 bytes, got 0"] = function(store) store:get "" end,
  ["a key has 1 to 250 bytes, got 251"] = function(store) store:set(("k"):rep(251), "v", 1) end,
  ["a value must be a string, got nil"] = function(store) store:set("key", nil, 1) end,
  ["a value must be a string, got number"] = function(store) store:add("key", 1, 1) end,
  ["ttl must be a number of seconds above zero, got nil"] = function(store) store:set("key", "value") end,
  ["ttl must be a number of seconds above zero, got 0"] = function(store) store:add("key", "value", 0) end,
  ["ttl must be a number of seconds above zero, got %-1"] = function(store) store:incr("key", 1, -1) end,
  ["ttl must be a number of seconds above zero, got %-?nan"] = function(store) store:set("key", "value", 0 / 0) end,
  ["ttl is at most 2592000 seconds"] = function(store) store:set("key", "value", math.huge) end,
  ["by must be a whole number below 2%^53, got nil"] = function(store) store:incr("key", nil, 1) end,
  ["by must be a whole number below 2%^53, got 1.5"] = function(store) store:incr("key", 1.5, 1) end,
  ["by must be a whole number below 2%^53, got %-?nan"] = function(store) store:incr("key", 0 / 0, 1) end,
  ["by must be a whole number below 2%^53, got inf"] = function(store) store:incr("key", math.huge, 1) end,
}

CHECKS["raises for wrong arguments, at the caller's line"] = function(store)
  for pattern, call in pairs(RAISES) do
    local ok, problem = pcall(call, store)
    if ok or not tostring(problem):find("store_contract%.lua:%d+: .*" .. pattern) then
      error(("expected '%s', got %s"):format(pattern, ok and "no error" or tostring(problem)))
    end
  end
end

---The names of the checks, in order.
---@return string[]
function contract.names()
  local names = {}
  for name in pairs(CHECKS) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

---Runs one; raises where the store does not hold it.
function contract.check(name, store, pass)
  CHECKS[name](store, pass)
end

return contract
