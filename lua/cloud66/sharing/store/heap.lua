-- heap.lua: entries by the time they end, the earliest first: a binary heap. An entry is a table with `ends`; its place
-- in the heap is entry.place, so that it can be taken out from the middle.

local heaps = {}

local floor = math.floor

local function put(heap, entry, place)
  heap[place] = entry
  entry.place = place
end

local function rise(heap, entry, place)
  while place > 1 do
    local above = floor(place / 2)
    if heap[above].ends <= entry.ends then
      break
    end
    put(heap, heap[above], place)
    place = above
  end
  put(heap, entry, place)
end

local function sink(heap, entry, place)
  local n = #heap
  while 2 * place <= n do
    local below = 2 * place
    if below < n and heap[below + 1].ends < heap[below].ends then
      below = below + 1
    end
    if entry.ends <= heap[below].ends then
      break
    end
    put(heap, heap[below], place)
    place = below
  end
  put(heap, entry, place)
end

function heaps.add(heap, entry)
  rise(heap, entry, #heap + 1)
end

function heaps.remove(heap, entry)
  local place, last = entry.place, heap[#heap]
  heap[#heap] = nil
  if last == entry then
    return
  elseif place > 1 and heap[floor(place / 2)].ends > last.ends then
    rise(heap, last, place)
  else
    sink(heap, last, place)
  end
end

---The one that ends first, or nil.
function heaps.first(heap)
  return heap[1]
end

return heaps
