-- exclusive.lua: of several processes that come to send the same redeploy, one sends it. With a store that they share each claims
-- it first, and waits for who was faster. Without one each looks twice: what another one has sent a moment ago may not be listed.

local caller = require "cloud66.base.caller"
local errors = require "cloud66.base.error"
local host = require "cloud66.runtime.host"
local poll_loop = require "cloud66.resource.poll_loop"
local tasks = require "cloud66.runtime.tasks"

local exclusive = {}

---Seconds between two looks.
exclusive.AGAIN = 5

local CLAIM = 120 -- seconds until another process may take over a claim, where no option says so
local STORE_EVERY = 1 -- seconds between two reads of another one's claim
local OVERDUE = 10 -- seconds after its end for which a claim of another's may still be there
local MOST_BETWEEN = 15 -- seconds between two looks while another one's claim lasts: they begin with 1, and double

-- What ended a pause early -> kind and text.
local EARLY = {
  late = { "timeout", "another process is about to send it, and has not within the time: run it again in the same way" },
  stopped = { "aborted", "stop() ended it before anything was sent" },
  exiting = { "aborted", "this nginx worker is to end (a reload?), and nothing was sent" },
  closed = { "aborted", "this client was closed before anything was sent" },
}

local function fail(how, reason)
  local kind, text = EARLY[reason][1], EARLY[reason][2]
  return errors.fail(kind, text, { unsent = true, user_reference = how.reference })
end

-- Looks; where somebody may just have died who has sent it, and no store would tell, twice.
local function find_twice(how, loop, is_doubtful)
  local found, message, err = how.find()
  if found ~= false or not is_doubtful then
    return found, message, err
  end
  local reason = loop:pause(math.min(exclusive.AGAIN, (loop.deadline - host.now()) / 4))
  if reason then
    return fail(how, reason)
  end
  return how.find()
end

-- Whose turn it is by the store: see claims.lua; nil where it does not tell. Where it fails, what it has said last still holds, until
-- the claim ends. A claim that does not end is a failure, too.
local function read_claim(claim, state, entry)
  local now_state, now_entry = claim:take()
  if now_state == "mine" or now_state == "sent" then
    return now_state, now_entry
  elseif not now_state and state ~= "claimed" then
    return state, entry
  end
  entry = now_entry or entry
  if host.now() >= entry.ends + (now_state and OVERDUE or 0) then
    return nil
  end
  return "claimed", entry
end

-- Waits for who was faster: what is there by then; false where it is ours to go on, and then whether a store knows that. Or nil,
-- message, err.
local function wait_for_others(how, loop)
  local state, entry
  local next_find, between, was_over, was_accepted = host.now(), 1, false, false
  while true do
    state, entry = read_claim(how.claim, state, entry)
    if not state or state == "mine" then
      return false, state == "mine"
    end
    local is_over, found, message, err = state == "sent" and host.now() >= entry.ends, false, nil, nil
    local is_accepted = state == "sent" and entry.accepted ~= nil
    local is_due = (is_over and not was_over) or host.now() >= next_find
    if is_due then
      found, message, err = how.find()
      next_find, between = host.now() + between, math.min(2 * between, MOST_BETWEEN)
    end
    is_due = is_due or (is_accepted and not was_accepted)
    was_over, was_accepted = is_over, is_accepted
    if found == false and state == "sent" and is_due then -- it costs requests
      found, message, err = how.judge(entry, is_over)
    end
    if found ~= false then
      return found, message, err
    end
    local reason = loop:pause(host.now() + STORE_EVERY < loop.deadline and STORE_EVERY or nil)
    if reason == "late" and state == "sent" then
      return how.judge(entry, true)
    elseif reason then
      return fail(how, reason)
    end
  end
end

---The claim on what is about to be sent; false without a store that others share.
---@param endpoint table     of endpoint.new()
---@param options table      of redeploy(): `claim`, seconds
---@param claimed table      of claims.lua: name, reference, body, is_forced
---@return table|false
function exclusive.claim(endpoint, options, claimed)
  claimed.uid, claimed.seconds = endpoint.uid, options.claim or CLAIM
  local claim = endpoint.api:claim(claimed)
  if options.claim and not claim then
    caller.blame "option 'claim' needs a store that the processes share: cloud66.new{store = ...}"
  end
  return claim
end

---@class cloud66.Exclusive
---@field endpoint table     of endpoint.new()
---@field reference? string  for messages
---@field claim table|false  of api:claim(): false without a store that others share
---@field find fun(): any|false|nil, string?, cloud66.Error?   what is there already; false; or nil, message, err
---@field judge fun(entry: cloud66.ClaimEntry, is_over: boolean): any|false|nil, string?, cloud66.Error?
---The same by what another process may have sent, and is not there; false while that is to be waited for, which is_over ends.
---@field is_new boolean     nobody else can have sent it
---@field stop? fun(): any   whether to end

---What is there already; false where it is ours to send: then the claim is ours as well. Or nil, message, err.
---@param how cloud66.Exclusive
---@return any|false|nil found, string? message, cloud66.Error? err
function exclusive.obtain(how)
  local claim = how.claim
  local loop = poll_loop.new(how.endpoint.api, math.min(tasks.deadline(), how.endpoint.deadline), how.stop)
  local found, message, err = false, nil, nil
  local is_known = false
  if claim then
    found, message, err = wait_for_others(how, loop)
    is_known = found == false and message == true and not claim:is_store_new()
  end
  if found == false then
    found, message, err = find_twice(how, loop, not is_known and not how.is_new)
  end
  if found ~= false and claim then
    claim:release()
  end
  return found, message, err
end

return exclusive
