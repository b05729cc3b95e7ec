-- A little proxy on loopback that refuses what it is asked for: proxy_peer.py.
local host = require "spec.support.host"

local proxy = {}

---Calls fn with the host:port of a proxy that answers with this status, and ends it.
---@param status string  "407"; "silent": it says nothing
function proxy.with(status, fn)
  local path = host.file ""
  local peer = assert(io.popen(("exec /usr/bin/python3 spec/support/proxy_peer.py %s >%s"):format(status, host.quote(path)), "w"))
  local port
  for _ = 1, 200 do
    local file = assert(io.open(path))
    port = file:read "*a":match "^(%d+)\n"
    file:close()
    if port then
      break
    end
    host.output "sleep 0.05"
  end
  os.remove(path)
  local ok, problem = pcall(fn, "127.0.0.1:" .. tostring(port), port)
  peer:close()
  if not ok then
    error(problem, 0)
  end
end

return proxy
