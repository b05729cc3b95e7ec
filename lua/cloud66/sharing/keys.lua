-- keys.lua: under which keys a store holds what belongs to a user, or to a stack. Keys are hashes. A user's are keyed with the
-- token: no token can be read from them, and nobody can make one without the token. A stack's are the same for each token: two
-- processes that deploy the same may have one each, or have renewed theirs.
--
--   response:2:HASH      a stored response; with ":lock" and ":lock2" behind it, who sends its request    entries.lua, cache.lua
--   generation:1:USER    what invalidates a user's stored responses                                       entries.lua
--   count:1:USER:HOUR    the requests of an hour (hours since 1970); in the same way reported, probe      budget.lua
--                        and reset, which belong to the count
--   claim:1:HASH         who is about to send a redeploy                                                  claims.lua
--   sent:1:HASH          that it was sent, perhaps, and what was accepted; with ":over:N" behind it, that this is over for the N-th
--                        time, counted from 0, and then ":N" of the next one
--   since:1:claims       since when the store holds such entries
--
-- Each kind carries the number of its format, so that processes of an old and a new version of this library can share a store
-- while a fleet is updated: neither reads what it would misunderstand, and all that has not changed stays shared.

local core = require "cloud66.core"
local random = require "cloud66.base.random"
local url = require "cloud66.base.url"

local keys = {}

---The number of each kind's format, as text: keys are made for each request.
---
---To raise one: where what is stored under a kind changes, or what it means, its number goes up by one, and nothing else is
---to be done. What is stored under the old number ends with its ttl. What belongs to another kind is raised with that: `response`
---with `generation`, `reported` and `reset` with `count`, `sent` with `claim`. All else stays as it is, and so stays shared: while
---processes of both numbers run, an unshared response costs another request, but an unshared count lets the budget be spent twice,
---an unshared generation leaves responses in use that the others have invalidated, and an unshared claim lets two processes deploy. The
---hashes below are part of every format.
keys.FORMATS = {
  response = "2", generation = "1", count = "1", reported = "1", probe = "1", reset = "1", claim = "1", sent = "1", since = "1",
}

local LENGTH = 16 -- bytes of the hash that go into a key: nobody can search for two that are the same

-- The hashes made last with one token, as they are needed again and again. It stands in no table.
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

local function key(kind, name)
  return kind .. ":" .. keys.FORMATS[kind] .. ":" .. name
end

---What a redeploy of a stack is claimed under.
---@param base_url string
---@param uid string
---@param name string  of what is claimed
---@return { claim: string, sent: string, since: string }
function keys.claim(base_url, uid, name)
  local made = random.hex(core.hmac(url.origin(base_url) or base_url, ("claim\n%s\n%s"):format(uid, name)):sub(1, LENGTH))
  return { claim = key("claim", made), sent = key("sent", made), since = key("since", "claims") }
end

---Whose requests they are: they are counted for each user, whatever account they are for.
---@param token string
---@param base_url string
---@return string
function keys.user(token, base_url)
  return hash(token, "user\n" .. base_url)
end

---The stored response to a GET.
---@param token string
---@param account? string
---@param address string  the whole URL
---@return string
function keys.response(token, account, address)
  return key("response", hash(token, ("response\n%s\n%s"):format(account or "", address)))
end

---@param user string  of keys.user()
---@return string
function keys.generation(user)
  return key("generation", user)
end

---What is known of a user's hour.
---@param user string   of keys.user()
---@param hour integer  since 1970
---@return { count: string, reported: string, probe: string, reset: string }
function keys.hour(user, hour)
  local name = ("%s:%d"):format(user, hour)
  return { count = key("count", name), reported = key("reported", name), probe = key("probe", name), reset = key("reset", name) }
end

return keys
