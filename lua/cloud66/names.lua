-- names.lua: under which keys a store holds what belongs to a user: keyed hashes, from which no token can be read, and which
-- nobody can make who does not have it.

local core = require "cloud66.core"

local names = {}

local LENGTH = 16 -- bytes of the hash that go into a key: nobody can look for two that are the same
local HEX = ("%02x"):rep(LENGTH)

local function hash(token, text)
  return HEX:format(core.hmac(token, text):byte(1, LENGTH))
end

---Who asks: requests are counted for each user, whatever account they are for.
---@param token string
---@param base_url string
---@return string
function names.user(token, base_url)
  return hash(token, "user\n" .. base_url)
end

---An answer to a GET, and the lock of those who want it.
---@param token string
---@param account? string
---@param address string  the whole URL
---@return string
function names.answer(token, account, address)
  return "cloud66:answer:" .. hash(token, ("answer\n%s\n%s"):format(account or "", address))
end

---What a change makes another: see kept.lua.
---@param user string  of names.user()
---@return string
function names.mark(user)
  return "cloud66:mark:" .. user
end

---The requests of an hour.
---@param user string    of names.user()
---@param hour integer   since 1970
---@return string
function names.count(user, hour)
  return ("cloud66:count:%s:%d"):format(user, hour)
end

return names
