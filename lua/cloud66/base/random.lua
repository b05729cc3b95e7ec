-- random.lua: chance from the operating system. math.random gives the same in each process that did not seed it, and in
-- each worker forked from one that did.

local core = require "cloud66.core"

local random = {}

---A number from 0 to below 1, each as likely as the other.
---@return number
function random.uniform()
  local high, middle, low = core.random(3):byte(1, 3)
  return (high * 65536 + middle * 256 + low) / 16777216
end

---Bytes as lower-case hex digits.
---@param bytes string
---@return string
function random.hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

---A text that nobody else makes: the prefix and 128 random bits in hex.
---@param prefix string
---@return string
function random.reference(prefix)
  return prefix .. random.hex(core.random(16))
end

return random
