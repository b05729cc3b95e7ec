-- One table of two.

---A new table with the fields of `defaults`, and those of `more`, which win; either may be nil.
return function(defaults, more)
  local all = {}
  for name, value in pairs(defaults or {}) do
    all[name] = value
  end
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end
