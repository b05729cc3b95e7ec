-- progress.lua: how far the reading is, on standard error, where somebody watches.

local text = require "history.text"

local progress = {}

local COLUMNS = 79

function progress.is_terminal(number)
  local answer = os.execute("test -t " .. number)
  return (answer == true or answer == 0) and os.getenv "TERM" ~= "dumb"
end

---@return { page: function, deployment: function, clear: function }
function progress.new(is_shown)
  local self = { pages = 0, count = 0, back_to = nil, last = nil }

  local function draw()
    local line = ("%s, %s"):format(text.count(self.pages, "page"), text.count(self.count, "deployment"))
    if self.back_to then
      line = line .. ", back to " .. text.date(self.back_to)
    end
    if line ~= self.last then
      self.last = line
      io.stderr:write("\r\27[K", text.fit(line, COLUMNS):gsub(" +$", ""))
      io.stderr:flush()
    end
  end

  ---An answer of the API has come.
  function self.page()
    self.pages = self.pages + 1
    if is_shown then
      draw()
    end
  end

  ---A deployment was read.
  function self.deployment(count, d)
    self.count, self.back_to = count, d.started_time or self.back_to
  end

  function self.clear()
    if is_shown and self.last then
      io.stderr:write "\r\27[K"
      self.last = nil
    end
  end

  return self
end

return progress
