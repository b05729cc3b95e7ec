-- undone.lua: what the failure of a request to change something tells: whether it can have been carried out.

local errors = require "cloud66.base.error"

local undone = {}

-- Kinds after which nothing can have been carried out: it was never sent, or refused before.
local NOTHING_DONE = {
  auth = true, trial_expired = true, forbidden = true, not_found = true, conflict = true, bad_request = true,
  throttled = true, not_implemented = true, refused = true, connect = true, tls = true, phase = true,
}

---Whether a request to change something, which failed, was certainly not carried out.
---@param err cloud66.Error
---@return boolean
function undone.is(err)
  return err.unsent or NOTHING_DONE[err.kind] or (err.status ~= nil and err.status >= 300 and err.status < 400)
end

---Says so in the exit code, unless it was certainly not carried out.
---@param err cloud66.Error
function undone.note(err)
  if not undone.is(err) then
    err.exit_code = errors.EXIT_CODES.ambiguous
  end
end

return undone
