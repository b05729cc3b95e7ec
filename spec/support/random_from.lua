-- Numbers by chance that are the same on every Lua (Park and Miller).

---A function of `bound` that gives a whole number from 0 to below `bound`; the same row of them for the same seed, from 1.
return function(seed)
  return function(bound)
    seed = seed * 16807 % 2147483647
    return math.floor(seed / 2147483647 * bound)
  end
end
