-- How long a redeploy pauses between its two looks: next to nothing in specs, but for those that are about it.
local exclusive = require "cloud66.deploy.exclusive"

local looks = {}

local AGAIN = exclusive.AGAIN
exclusive.AGAIN = 0.001

---Calls fn with the pause that users have.
function looks.apart(fn)
  local before = exclusive.AGAIN
  exclusive.AGAIN = AGAIN
  local results = { pcall(fn) }
  exclusive.AGAIN = before
  if not results[1] then
    error(results[2], 0)
  end
  return results[2], results[3], results[4]
end

return looks
