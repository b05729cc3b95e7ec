-- scheduler.lua: who waits while a transfer runs. Everything that waits does it here.

local scheduler = {}

-- Milliseconds: how long the engine may block before control is back in Lua, where an interrupt is seen.
local longest_wait = 1000

local function drive(engine, transfer)
  while not transfer:done() do
    engine:wait(longest_wait)
  end
end

---Waits until the transfer is done. If an error (an interrupt, say) ends the wait, the transfer is cancelled.
---@param engine userdata # of `cloud66.curl`, the one that started the transfer
---@param transfer userdata
function scheduler.await(engine, transfer)
  local ok, err = pcall(drive, engine, transfer)
  if not ok then
    transfer:cancel()
    error(err, 0)
  end
end

return scheduler
