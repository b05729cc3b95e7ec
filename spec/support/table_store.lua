-- A store as a user would bring it: a table that counts what is asked of it and does as it is told.
local table_store = {}

---`calls` counts by command. fail[command] = "raise", "refuse", or a function(key) -> what the command gives.
function table_store.new()
  local self = { values = {}, calls = {}, fail = {}, seen = {} }

  local function command(name, work)
    self[name] = function(_, key, ...)
      self.calls[name] = (self.calls[name] or 0) + 1
      self.seen[#self.seen + 1] = key
      local fail = self.fail[name] or self.fail.all
      if fail == "raise" then
        error("the store raises")
      elseif fail == "refuse" then
        return nil, "the store refuses"
      elseif fail then
        return fail(key, ...)
      end
      return work(key, ...)
    end
  end

  command("get", function(key)
    local value = self.values[key]
    return value ~= nil and tostring(value) or false
  end)
  command("set", function(key, value, ttl)
    self.values[key] = ttl > 0.001 and value or nil
    return true
  end)
  command("add", function(key, value)
    if self.values[key] ~= nil then
      return false
    end
    self.values[key] = value
    return true
  end)
  command("incr", function(key, amount)
    local count = (tonumber(self.values[key]) or 0) + amount
    self.values[key] = ("%d"):format(count)
    return count
  end)
  return self
end

return table_store
