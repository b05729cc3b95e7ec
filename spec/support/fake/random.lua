-- A small generator of its own: math.random differs between Lua versions, and specs compute what nginx must answer.
local random = {}

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

---A source of numbers; the same seed gives the same numbers in every Lua.
function random.new(seed)
  local state = seed
  local source = {}

  function source.below(n)
    state = state * 48271 % 2147483647 -- the product stays below 2^53, so doubles are exact
    return math.floor((state - 1) / 2147483646 * n)
  end

  function source.between(low, high)
    return low + source.below(high - low + 1)
  end

  function source.chance(percent)
    return source.below(100) < percent
  end

  function source.pick(list)
    return list[source.below(#list) + 1]
  end

  local function spell(alphabet, length)
    local out = {}
    for i = 1, length do
      local at = source.below(#alphabet) + 1
      out[i] = alphabet:sub(at, at)
    end
    return table.concat(out)
  end

  function source.hex(length)
    return spell("0123456789abcdef", length)
  end

  function source.alphanumeric(length)
    return spell(letters, length)
  end

  function source.uuid()
    local hex = source.hex
    return table.concat({ hex(8), hex(4), "4" .. hex(3), "a" .. hex(3), hex(12) }, "-")
  end

  return source
end

return random
