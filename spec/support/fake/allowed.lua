-- What the value of a scenario may be: each has `read(text)` -> value or nil, and `describe` for messages and docs.
local allowed = {}

function allowed.one_of(...)
  local list = type((...)) == "table" and (...) or { ... }
  local known = {}
  for _, word in ipairs(list) do
    known[word] = word
  end
  return {
    describe = table.concat(list, "|"),
    read = function(text)
      return known[text]
    end,
  }
end

function allowed.integer(low)
  return {
    describe = "N from " .. low,
    read = function(text)
      local n = text:match "^%d+$" and tonumber(text)
      return n and n >= low and n or nil
    end,
  }
end

allowed.seconds = {
  describe = "SECONDS",
  read = function(text)
    return text:match "^%d+%.?%d*$" and tonumber(text) or nil
  end,
}

allowed.text = {
  describe = "TEXT",
  read = function(text)
    return text ~= "" and text or nil
  end,
}

allowed.yes = {
  describe = "yes",
  read = function(text)
    return (text == "yes" or text == "1") and "yes" or nil
  end,
}

return allowed
