-- memory.lua: a store in this process. Where it is full, what has ended goes first, then what was not used for longest.
--
-- Its state: { entries = key -> entry, heap = the entries by the time they end, ring = the same by their last use, count, bytes,
-- max_bytes, max_entries }. An entry: { key, value, ends = when, by host.now(), size = bytes, place = in the heap, newer, older =
-- its neighbours in the ring }.

local args = require "cloud66.base.args"
local caller = require "cloud66.base.caller"
local contract = require "cloud66.sharing.store.contract"
local heaps = require "cloud66.sharing.store.heap"
local host = require "cloud66.runtime.host"

local memory = {}

local MAX_BYTES = 16 * 1024 * 1024

-- Bytes that an entry takes beside its key and its value: its table, and its places in the others. The most of all Luas
-- after the tables have grown, measured.
local ENTRY = 600

local DIGITS = 17 -- bytes of the longest count, so that one that counts on takes no more than before

local function check_bytes(value, name)
  if args.count(value, name) <= ENTRY then
    caller.blame("%s is %d, and a single entry takes more than %d", name, value, ENTRY)
  end
  return value
end

local OPTIONS = { max_bytes = check_bytes, max_entries = args.count }

-- --- entries ---

-- ring.newer is the entry used last, ring.older the one not used for longest; the ring itself stands between them.
local function unlink(entry)
  entry.older.newer, entry.newer.older = entry.newer, entry.older
end

local function link(ring, entry)
  local newest = ring.newer
  entry.older, entry.newer = ring, newest
  ring.newer, newest.older = entry, entry
end

local function remove(state, entry)
  unlink(entry)
  heaps.remove(state.heap, entry)
  state.entries[entry.key] = nil
  state.count, state.bytes = state.count - 1, state.bytes - entry.size
end

-- The living entry of a key, which counts as used now.
local function find(state, key, now)
  local entry = state.entries[key]
  if not entry then
    return nil
  elseif entry.ends <= now then
    remove(state, entry)
    return nil
  end
  unlink(entry)
  link(state.ring, entry)
  return entry
end

local function make_room(state, size, now)
  while state.bytes + size > state.max_bytes or state.count >= state.max_entries do
    local first = heaps.first(state.heap)
    remove(state, first.ends <= now and first or state.ring.older)
  end
end

-- Puts an entry in the place of the one that is there, if one is. True, or nil, message.
local function put(state, key, value, ttl, now, there)
  local size = #key + math.max(#value, DIGITS) + ENTRY
  if size > state.max_bytes then
    return nil, ("the value has %d bytes, too many for a store of %d"):format(#value, state.max_bytes)
  end
  if there then
    remove(state, there)
  end
  make_room(state, size, now)
  local entry = { key = key, value = value, ends = now + ttl, size = size, place = 0, newer = false, older = false }
  link(state.ring, entry)
  heaps.add(state.heap, entry)
  state.entries[key] = entry
  state.count, state.bytes = state.count + 1, state.bytes + size
  return true
end

local function new_state(options)
  local ring = {}
  ring.newer, ring.older = ring, ring
  return {
    entries = {}, heap = {}, ring = ring, count = 0, bytes = 0,
    max_bytes = options.max_bytes or MAX_BYTES, max_entries = options.max_entries or math.huge,
  }
end

-- --- the commands of a store ---

local commands = {}

function commands.get(state, key)
  local entry = find(state, key, host.now())
  return entry and entry.value or false
end

function commands.set(state, key, value, ttl)
  local now = host.now()
  return put(state, key, value, ttl, now, find(state, key, now))
end

function commands.add(state, key, value, ttl)
  local now = host.now()
  if find(state, key, now) then
    return false
  end
  return put(state, key, value, ttl, now)
end

function commands.incr(state, key, amount, ttl)
  local now = host.now()
  local entry = find(state, key, now)
  local before = entry and contract.count_of(entry.value) or not entry and 0
  local count, message = contract.counted(before and before + amount)
  if not count then
    return nil, message
  elseif entry then
    entry.value = contract.digits(count)
    return count
  end
  local ok
  ok, message = put(state, key, contract.digits(count), ttl, now)
  if not ok then
    return nil, message
  end
  return count
end

local store_mt = { __name = "cloud66.store.memory" }

---@param options? cloud66.MemoryOptions
---@return cloud66.Store
function memory.new(options)
  return contract.store(commands, new_state(args.options(options, OPTIONS, nil, "max_bytes")), store_mt)
end

return memory
