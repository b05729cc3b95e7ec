-- A redis-server of the specs' own, on loopback and a Unix socket, which keeps nothing on disk: started, stopped, paused,
-- filled. And a peer that talks what it is told to (redis_peer.py).
local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"

local redis = {}

local methods = {}
local server_mt = { __index = methods }

-- Starts it on self.port; true once it listens there itself.
local function launch(self)
  os.remove(self.directory .. "/log")
  -- It ends with this process, however that one ends: the kernel closes the pipe. KILL, since it may be paused.
  self.pipe = assert(io.popen(("cd '%s' && { redis-server --port %d --bind 127.0.0.1 -::1 --unixsocket '%s' --daemonize no --save '' "
    .. "--appendonly no --databases 4 --logfile '%s/log' --dir '%s' %s >output 2>&1 </dev/null & p=$!; echo $p >pid; cat >/dev/null; "
    .. "kill -KILL $p 2>/dev/null; wait $p 2>/dev/null; }"):format(self.directory, self.port, self.path, self.directory, self.directory,
    self.arguments), "w"))
  local ended = eventually(function()
    local log = host.read(self.directory .. "/log", "")
    return log:find("eady to accept", 1, true) and "ready" or (log:find "in use" or log:find "FATAL" or log:find "atal error") and "failed"
  end, 20)
  return ended == "ready"
end

---Whether there is a redis-server to start.
---@return boolean
function redis.is_installed()
  return host.output "command -v redis-server" ~= ""
end

-- Debian has redis-lua for Lua 5.1 to 5.3; the file is the same for 5.4.
local DEBIAN = "/usr/share/lua/5.1/redis.lua"
if not pcall(require, "redis") and loadfile(DEBIAN) then
  package.preload.redis = loadfile(DEBIAN)
end

---For the beginning of programs: they find what the specs find.
redis.PREAMBLE = ("package.path, package.cpath = %q, %q; "):format(package.path, package.cpath)
  .. ("if not pcall(require, 'redis') then package.preload.redis = loadfile %q end"):format(DEBIAN)

---Whether there is the library that the store needs here.
---@return boolean
function redis.has_library()
  if ngx then
    return pcall(require, "resty.redis") or pcall(require, "nginx.redis")
  end
  return pcall(require, "redis") and pcall(require, "socket")
end

---Starts one.
---@param arguments? string  for its command line: "--requirepass secret"
function redis.start(arguments)
  local self = setmetatable({ arguments = arguments or "", directory = host.directory() }, server_mt)
  self.path = self.directory .. "/socket"
  for _ = 1, 20 do
    self.port = nginx.random_port()
    if launch(self) then
      return self
    end
    self.pipe:close()
  end
  error("redis-server does not start:\n" .. host.read(self.directory .. "/log", "") .. host.read(self.directory .. "/output", ""), 2)
end

---Ends it at once; start_again() starts it on the same port, empty.
function methods:stop()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
  end
end

function methods:start_again()
  self:stop()
  for _ = 1, 200 do -- somebody's outgoing connection may have the port for a while
    if launch(self) then
      return
    end
    self.pipe:close()
    core.sleep(0.05)
  end
  error("redis-server does not start again:\n" .. host.read(self.directory .. "/log", ""), 2)
end

function methods:signal(name)
  os.execute(("kill -%s %d"):format(name, tonumber(host.read(self.directory .. "/pid", ""))))
end

---It stands still, and so do those who asked it, until resume().
function methods:pause()
  self:signal "STOP"
end

function methods:resume()
  self:signal "CONT"
end

---What redis-cli says to a command, one line or more.
function methods:cli(command)
  return (host.output(("redis-cli -s '%s' %s 2>&1"):format(self.path, command)):gsub("%s+$", ""))
end

---Ends it and removes its files.
function methods:remove()
  self:stop()
  host.remove(self.directory)
end

---A peer that answers each message with the bytes, whatever was asked; gives its port and a function that ends it.
---@param reply string
---@param how? string  "all" (default): at once; "drip": a byte each 50 ms; "endless": again and again; "close": and closes;
---"late": the n-th message is answered 0.4 s later, "#" in the reply is n
function redis.peer(reply, how)
  local path = os.tmpname()
  local pipe = assert(io.popen(("exec /usr/bin/python3 spec/support/redis_peer.py %s %s >%s"):format(
    host.quote((reply:gsub(".", function(byte)
      return ("%02x"):format(byte:byte())
    end))), how or "all", path), "w"))
  local port = eventually(function()
    return tonumber(host.read(path, ""):match "^(%d+)\n")
  end, 20)
  os.remove(path)
  assert(port, "the peer does not start")
  return port, function()
    pipe:close()
  end
end

return redis
