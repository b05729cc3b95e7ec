-- keys.lua: under which keys a store holds what belongs to a user: keyed hashes, from which no token can be read, and which
-- nobody can make who does not have it.

local core = require "cloud66.core"
local random = require "cloud66.base.random"

local keys = {}

local LENGTH = 16 -- bytes of the hash that go into a key: nobody can look for two that are the same

-- The hashes made last with one token, as they are asked for again and again. It stands in no table.
local last_token, hashes, count = false, {}, 0
local MOST = 500

local function hash(token, text)
  if token ~= last_token or count >= MOST then
    last_token, hashes, count = token, {}, 0
  end
  local made = hashes[text]
  if not made then
    made = random.hex(core.hmac(token, text):sub(1, LENGTH))
    hashes[text], count = made, count + 1
  end
  return made
end

---Who asks: requests are counted for each user, whatever account they are for.
---@param token string
---@param base_url string
---@return string
function keys.user(token, base_url)
  return hash(token, "user\n" .. base_url)
end

---An answer to a GET, and the lock of those who want it.
---@param token string
---@param account? string
---@param address string  the whole URL
---@return string
function keys.answer(token, account, address)
  return "answer:" .. hash(token, ("answer\n%s\n%s"):format(account or "", address))
end

---What a change makes another: see entries.lua.
---@param user string  of keys.user()
---@return string
function keys.mark(user)
  return "mark:" .. user
end

---The requests of an hour.
---@param user string    of keys.user()
---@param hour integer   since 1970
---@return string
function keys.count(user, hour)
  return ("count:%s:%d"):format(user, hour)
end

return keys
