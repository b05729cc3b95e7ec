-- recovery.lua: how long failures last. From the end of the first failure in a run of them to the end of the next
-- success, for each stack and ref on its own, whatever order the deployments come in.

local recovery = {}

-- An end is stored as one number, so that a long history takes little and sorts quickly: seconds * 4 + one of these. In
-- the same second, what ended stands before what has no known end and only started then; and a success before a
-- failure, which it cannot have ended.
local SUCCESS, FAILURE, FAILURE_WITHOUT_END, SUCCESS_WITHOUT_END = 0, 1, 2, 3
local KINDS = 4

---What add() collects in: `ends`, by stack and ref, and `unplaced`, the failures that have neither end nor start.
function recovery.new()
  return { ends = {}, unplaced = 0 }
end

local function list_of(ends, stack, ref)
  local refs = ends[stack]
  if not refs then
    refs = {}
    ends[stack] = refs
  end
  local list = refs[ref]
  if not list then
    list = {}
    refs[ref] = list
  end
  return list
end

---@param self table
---@param stack string, ref string
---@param succeeded boolean
---@param started? integer, finished? integer  Unix seconds
function recovery.add(self, stack, ref, succeeded, started, finished)
  if finished and started and finished < started then
    finished = nil -- one of two clocks was wrong: when this ended is unknown
  end
  local at = finished or started
  if not at then
    self.unplaced = self.unplaced + (succeeded and 0 or 1)
    return
  end
  local kind
  if succeeded then
    kind = finished and SUCCESS or SUCCESS_WITHOUT_END
  else
    kind = finished and FAILURE or FAILURE_WITHOUT_END
  end
  local list = list_of(self.ends, stack, ref)
  list[#list + 1] = at * KINDS + kind
end

-- Goes through the ends of one ref, oldest first.
local function read(list, found)
  table.sort(list)
  local broken_at, is_known -- the run of failures that is open
  for i = 1, #list do
    local kind = list[i] % KINDS
    local at = (list[i] - kind) / KINDS
    if kind == FAILURE or kind == FAILURE_WITHOUT_END then
      if not broken_at then
        broken_at, is_known = at, kind == FAILURE
      end
    elseif broken_at then
      if is_known and kind == SUCCESS then
        found.times[#found.times + 1] = math.floor(at - broken_at)
      else
        found.unknown = found.unknown + 1
      end
      broken_at = nil
    end
  end
  found.open = found.open + (broken_at and 1 or 0)
end

---@return { times: integer[], unknown: integer, open: integer }  seconds; runs of failures over after an unknown time;
---runs that no success has ended
function recovery.found(self)
  local found = { times = {}, unknown = self.unplaced, open = 0 }
  for _, refs in pairs(self.ends) do
    for _, list in pairs(refs) do
      read(list, found)
    end
  end
  return found
end

return recovery
