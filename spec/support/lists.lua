-- Lists of what specs compare.
local lists = {}

---1 to `count`.
function lists.numbers(count)
  local list = {}
  for i = 1, count do
    list[i] = i
  end
  return list
end

---The field `name` of each item: of a list, or of whatever has a length and numbers.
function lists.column(items, name)
  local list = {}
  for i = 1, #items do
    list[i] = items[i][name]
  end
  return list
end

---The field `name` of each item that a sequence gives. Raises long after any honest end.
function lists.walked(sequence, name)
  local list = {}
  for item in sequence do
    list[#list + 1] = item[name]
    if #list > 1000 then
      error("the sequence does not end", 2)
    end
  end
  return list
end

---The items for which matches(item, i) is true, in order, at most `limit` of them; of all without `matches`.
function lists.filtered(items, matches, limit)
  local list = {}
  for i, item in ipairs(items) do
    if #list < (limit or math.huge) and (not matches or matches(item, i)) then
      list[#list + 1] = item
    end
  end
  return list
end

return lists
