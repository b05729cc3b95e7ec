-- core.hmac: HMAC-SHA-256, by the test cases of RFC 4231 and by openssl's own. core.time and core.pid.
local child = require "spec.support.child"
local host = require "spec.support.host"
local core = require "cloud66.core"

local function hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

local function from_hex(text)
  return (text:gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

describe("hmac", function()
  local LONG_KEY = ("\170"):rep(131)
  for name, case in pairs {
    ["1"] = { ("\11"):rep(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    ["2, a short key"] = { "Jefe", "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    ["3"] = { ("\170"):rep(20), ("\221"):rep(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    ["4"] = { from_hex "0102030405060708090a0b0c0d0e0f10111213141516171819", ("\205"):rep(50),
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    ["6, a key longer than a block"] = { LONG_KEY, "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    ["7, key and message longer than a block"] = { LONG_KEY, "This is a test using a larger than block-size key and a larger "
      .. "than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
  } do
    it("gives what RFC 4231 says in test case " .. name, function()
      assert.equal(case[3], hex(core.hmac(case[1], case[2])))
    end)
  end

  it("gives the first 16 bytes that RFC 4231 says in test case 5", function()
    assert.equal("a3b6167473100ee06e0c796c2955552b", hex(core.hmac(("\12"):rep(20), "Test With Truncation"):sub(1, 16)))
  end)

  it("gives the same as openssl around the edges of the blocks", function()
    local LENGTHS = { 0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 121, 127, 128, 1000 }
    local bytes = {} -- each another one than its neighbours, and all values
    for i = 1, 1000 do
      bytes[i] = string.char((i * 167 + 13) % 256)
    end
    bytes = table.concat(bytes)
    local path, script = os.tmpname(), os.tmpname()
    local commands, codes = {}, {}
    for _, key_length in ipairs(LENGTHS) do
      for _, length in ipairs(LENGTHS) do
        if key_length > 0 then -- openssl takes no empty one
          commands[#commands + 1] = ("head -c %d %s | openssl dgst -sha256 -mac HMAC -macopt hexkey:%s"):format(
            length, path, hex(bytes:sub(-key_length)))
          codes[#codes + 1] = hex(core.hmac(bytes:sub(-key_length), bytes:sub(1, length)))
        end
      end
    end
    for name, text in pairs { [path] = bytes, [script] = table.concat(commands, "\n") } do
      host.write(name, text)
    end
    local pipe = io.popen("sh " .. script .. " 2>&1")
    local said = {}
    for line in pipe:lines() do
      said[#said + 1] = line:match "= (%x+)$" or line
    end
    pipe:close()
    os.remove(path)
    os.remove(script)
    assert.equal(13 * 14, #said)
    assert.same(said, codes)
  end)

  it("takes an empty key for one of zeros", function()
    assert.equal(hex(core.hmac(("\0"):rep(64), "message")), hex(core.hmac("", "message")))
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", hex(core.hmac("", "")))
  end)

  it("takes strings alone", function()
    for _, arguments in ipairs { {}, { "key" }, { "key", 1 }, { 1, "message" }, { {}, "message" }, { "key", false } } do
      assert.has_error(function()
        core.hmac(arguments[1], arguments[2])
      end)
    end
  end)
end)

describe("time", function()
  it("is the time of day, with a fraction", function()
    local before, now, after = os.time(), core.time(), os.time()
    local lag = 0.1 -- seconds: os.time goes by a coarser clock, which is in the second before for some milliseconds
    assert.is_true(before <= now and now < after + 1 + lag)
    local whole = 0
    for _ = 1, 20 do
      whole = whole + (core.time() % 1 == 0 and 1 or 0)
      core.sleep(0.001)
    end
    assert.is_true(whole < 20)
  end)
end)

describe("pid", function()
  it("is the number of the process", function()
    local output = child.run [[
      local pid = require "cloud66.core".pid()
      local pipe = io.popen "echo $PPID"
      print(pid == tonumber(pipe:read "*l"), pid % 1, tostring(pid):match "^%d+$" ~= nil)
    ]]
    assert.matches("^true\t0\ttrue", output)
    assert.equal(core.pid(), core.pid())
  end)
end)
