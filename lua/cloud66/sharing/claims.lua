-- claims.lua: which of all processes that share a store may send a redeploy: the one that has claimed it, once.
--
-- What is claimed is a name of a stack's: a reference, or a commit. Three kinds of entries stand for it, the first two JSON:
--
--   claim  somebody is about to send it. It ends by itself, so that another one takes over from who has died.
--   sent   it may have been sent; and what was accepted, once that is known. Only who adds this entry sends, however long it has
--          stood still since it had claimed. It stays for a day.
--   over   what was sent is over, and may be sent anew: the next `sent` is another entry, with the number of the round. None is
--          removed for that: who has stood still would remove what was sent meanwhile.

local core = require "cloud66.core"
local host = require "cloud66.runtime.host"
local json = require "cloud66.base.json"
local keys = require "cloud66.sharing.keys"
local value = require "cloud66.base.value"
local wait = require "cloud66.runtime.wait"

local claims = {}

local methods = {}
local claims_mt = { __name = "cloud66.claim", __index = methods }

---Seconds that a claim may last; and for which it is known what was sent.
claims.LONGEST = 86400

local REMOVED = 0.001 -- seconds: a ttl that removes
local SINCE = 30 * 86400 -- seconds
local MOST_ROUNDS = 1000 -- of one name in a day: more come from a store that makes them up

-- --- entries ---

local function text_of(self, accepted)
  return json.encode {
    owner = self.owner, time = os.time(), seconds = self.seconds, reference = self.reference, body = self.body, accepted = accepted,
  }
end

local function number_in(sent, most)
  return type(sent) == "number" and sent >= 0 and sent <= most and sent or 0
end

-- What was accepted, of an entry that anybody may have written.
local function accepted_of(sent)
  return type(sent) == "table" and {
    async_action_id = value.id(sent.async_action_id), id = value.id(sent.id), queued = value.truth(sent.queued),
    accepted_time = type(sent.accepted_time) == "number" and sent.accepted_time or nil,
  } or nil
end

local MOST_REFERENCE = 1020 -- bytes: 255 characters

-- A reference that wait() takes, too; nil where it is none.
local function reference_of(sent)
  local text = value.text(sent.reference)
  return text and #text > 0 and #text <= MOST_REFERENCE and not text:find "[%c\127]" and text or nil
end

---An entry of another's, or of an earlier one: who has claimed what, and until when.
---@class cloud66.ClaimEntry
---@field owner string
---@field ends number       by host.now()
---@field reference? string
---@field body? table
---@field accepted? table   async_action_id, id, accepted_time, queued: of the response

-- Its end, by the clock of this process, which nobody puts back: it is no later than when it was read first.
local function end_of(self, sent, text)
  local age = math.max(0, os.time() - number_in(sent.time, 2 ^ 53))
  local ends = host.now() + math.max(0, number_in(sent.seconds, claims.LONGEST) - age)
  self.others_end[text] = math.min(ends, self.others_end[text] or math.huge)
  return self.others_end[text]
end

---@return cloud66.ClaimEntry
local function read_entry(self, text)
  local sent = core.json(text)
  sent = type(sent) == "table" and sent or {}
  local owner, reference = value.text(sent.owner) or "", reference_of(sent)
  return {
    owner = owner, reference = reference, body = type(sent.body) == "table" and sent.body or nil,
    ends = end_of(self, sent, text), accepted = reference and accepted_of(sent.accepted),
  }
end

local function remove(self, key)
  self.store:set(key, "", REMOVED)
end

local function sent_key(self, round)
  return round == 0 and self.keys.sent or ("%s:%d"):format(self.keys.sent, round)
end

local function over_key(self, round)
  return ("%s:over:%d"):format(self.keys.sent, round)
end

-- --- claiming ---

---Whether it is ours.
function methods:holds()
  return host.now() < self.ends
end

-- Whether it is ours now; nil where the store fails.
local function add(self)
  if self:holds() then
    return true
  end
  local ends = host.now() + self.seconds
  local made = self.store:add(self.keys.claim, text_of(self), self.seconds)
  self.ends = made and ends or self.ends
  return made
end

-- What was sent in the last round, perhaps, as text. An empty one is being removed.
local function get_sent(self)
  local over
  repeat
    over = self.store:get(over_key(self, self.round))
    self.round = self.round + (over and 1 or 0)
  until not over or self.round > MOST_ROUNDS
  if over ~= false then
    return nil
  end
  local text = self.store:get(sent_key(self, self.round))
  if text == "" then
    wait.sleep(10 * REMOVED)
    text = self.store:get(sent_key(self, self.round))
  end
  return text
end

---Claims it, if nobody else has.
---@return "mine"|"claimed"|"sent"|nil state, cloud66.ClaimEntry? entry
---claimed: by another one, who has not sent it yet; sent: perhaps, and by whomever; then the claim may be ours as well; nil: the
---store fails
function methods:take()
  local mine = add(self)
  local sent = mine ~= nil and get_sent(self)
  if sent == nil or mine == nil then
    return nil
  elseif sent then
    return "sent", read_entry(self, sent)
  elseif mine then
    return "mine"
  end
  local claim = self.store:get(self.keys.claim)
  if claim == nil then
    return nil
  end
  local entry = read_entry(self, claim or "")
  if entry.owner == self.owner then -- the store has added it, though its response was lost
    self.ends = entry.ends
    return "mine"
  end
  return "claimed", entry
end

-- Adds the entry of what is sent now, or replaces what others have sent: whether it is there; nil where the store fails. The rounds
-- before it last as long.
local function add_sent(self)
  local text = self.is_forced and get_sent(self)
  if text == nil then
    return nil
  end
  for round = 0, self.round - 1 do
    self.store:set(over_key(self, round), "over", claims.LONGEST)
  end
  self.begun, self.replaced = self.round, text and text ~= "" and text or false
  local command = self.is_forced and "set" or "add"
  return self.store[command](self.store, sent_key(self, self.begun), text_of(self), claims.LONGEST)
end

---Whether this process may send it, right before it does: not where another one has. Where the store fails, it may; but where its
---claim has ended meanwhile, it has to look again first, once.
---@return boolean
function methods:begin()
  if self.has_begun then
    return true
  end
  local made = add_sent(self)
  local has_lapsed = made == nil and self.ends > -math.huge and not self:holds() and not self.has_lapsed
  self.has_lapsed = self.has_lapsed or has_lapsed
  self.has_begun = made ~= false and not has_lapsed
  self.sent_elsewhere = not self.has_begun
  return self.has_begun
end

---It was accepted.
---@param accepted table  as of an entry; the ids as text
function methods:accept(accepted)
  self.store:set(sent_key(self, self.begun), text_of(self, accepted), claims.LONGEST)
  self:release()
end

---Leaves it to others.
function methods:release()
  if self:holds() then
    remove(self, self.keys.claim)
    self.ends = -math.huge
  end
end

---Nothing was carried out: leaves it to others, as if nothing had been sent. What others have sent stays.
function methods:undo()
  local key = sent_key(self, self.begun)
  local text = self.has_begun and self.store:get(key)
  local is_ours = text and read_entry(self, text).owner == self.owner
  if is_ours and self.replaced then
    self.store:set(key, self.replaced, claims.LONGEST)
  elseif is_ours then
    remove(self, key)
  end
  self.has_begun, self.sent_elsewhere = false, false
  self:release()
end

---What was sent in this round is over, and may be sent anew.
function methods:renew()
  self.store:set(over_key(self, self.round), "over", claims.LONGEST)
end

---Whether the store is too new to know of all that was sent a moment ago: it is empty, after a restart perhaps.
---@return boolean
function methods:is_store_new()
  local key, now = self.keys.since, os.time()
  local since = self.store:get(key)
  if since == false then
    self.store:add(key, ("%d"):format(now), SINCE)
  end
  since = since and tonumber(since)
  return not since or now - since < self.seconds
end

---@class cloud66.ClaimOptions
---@field uid string        of the stack
---@field name string       of what is claimed
---@field seconds number    until another one may take over
---@field reference string  with which it is sent
---@field body table        of options.body()
---@field is_forced? boolean  it is sent whatever others have sent

---@param store table      of failover.of()
---@param base_url string
---@param options cloud66.ClaimOptions
function claims.new(store, base_url, options)
  return setmetatable({
    store = store, keys = keys.claim(base_url, options.uid, options.name), owner = core.uuid(), seconds = options.seconds,
    reference = options.reference, body = options.body, is_forced = options.is_forced or false,
    ends = -math.huge, -- by host.now(): until then it is ours
    others_end = {}, -- text of an entry -> when it ends: what was sent lasts longer than the claim of who has sent it
    replaced = false, -- of is_forced: the entry of what was sent before, as text
    round = 0, begun = 0, -- how often what was sent was over; the round in which we have sent
    has_begun = false, -- whether it may have been sent by us
    has_lapsed = false, -- whether the claim had ended when it was to be sent, and the store did not tell of others
    sent_elsewhere = false, -- whether another one has sent it, or may have, though it was ours to send before
  }, claims_mt)
end

return claims
