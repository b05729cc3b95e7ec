-- socket.lua: a socket of nginx's with one deadline for all that is done with it, and a limit for what is read line by line.
-- lua-resty-http gets it in place of its own.
--
-- The time-outs of nginx's sockets begin anew with each piece that comes or goes. So what comes is taken piece by piece, what
-- goes is handed over in pieces, and each gets the time that is left.

local host = require "cloud66.runtime.host"

local socket = {}

---Bytes of all lines of a response: status line, headers, trailers, also those of interim responses. As over libcurl.
socket.MOST_HEAD = 64 * 1024

local PIECE = 64 * 1024 -- bytes to ask for: nginx gives what its own buffer holds
local SENT_AT_ONCE = 8 * 1024 -- bytes
local BUFFER_UNIT = 256 -- bytes: a buffer of nginx's, which lua_socket_buffer_size sets, holds a multiple of it
local LONG_TURN, SHORTEST_PAUSE = 0.002, 0.001 -- seconds; nginx's clock counts milliseconds

-- Before the name of a pool of lua-resty-http's: others in the worker may use it, and leave in a connection what they like.
local POOL = "cloud66 "

local methods = {}

local socket_mt = {
  __index = function(self, name)
    if methods[name] then
      return methods[name]
    end
    local own = self.own
    return function(_, ...)
      return own[name](own, ...)
    end
  end,
}

---@param own table  of ngx.socket.tcp()
function socket.new(own)
  return setmetatable({
    own = own,
    deadline = 0, -- by host.now(): no operation goes on after it
    unread = "", place = 1, -- what has come, and from where on nobody has read it
    has_come = false, -- whether any byte has
    last_piece = 0, -- bytes
    is_tls = false,
    lines = 0, -- bytes of the lines of heads
  }, socket_mt)
end

-- False where no time is left.
local function limit(self)
  local left = math.ceil((self.deadline - host.now()) * 1000)
  if left <= 0 then
    return false
  end
  self.own:settimeouts(left, left, left)
  return true
end

-- nginx closes an idle connection on which something comes, or which ends, once its event loop turns. Where this turn has lasted,
-- that may be due: what has come would be taken for the response to the next request.
local function let_idle_ones_go()
  local begun = ngx.now()
  ngx.update_time()
  if ngx.now() - begun >= LONG_TURN then
    ngx.sleep(SHORTEST_PAUSE)
  end
end

-- --- what lua-resty-http calls ---

---Its own time-outs would replace the deadline.
function methods.settimeout() end
methods.settimeouts = methods.settimeout

function methods:connect(address, port, options)
  self.unread, self.place, self.lines = "", 1, 0
  let_idle_ones_go()
  if not limit(self) then
    return nil, "timeout"
  end
  return self.own:connect(address, port, { pool = POOL .. options.pool })
end

function methods:sslhandshake(...)
  if self:has_unread() then
    return nil, "the proxy sent more than its response"
  elseif not limit(self) then
    return nil, "timeout"
  end
  return self.own:sslhandshake(...)
end

function methods:send(data)
  for i = 1, #data, SENT_AT_ONCE do
    if not limit(self) then
      return nil, "timeout"
    end
    local sent, problem = self.own:send(data:sub(i, i + SENT_AT_ONCE - 1))
    if not sent then
      return nil, problem
    end
  end
  return #data
end

---A line of a head, without its end, which may be a line feed alone. (lua-resty-http reads the head of a proxy's response.)
---@return string|nil line, string? problem  # problem "too long": they are more than MOST_HEAD bytes
function methods:receive()
  local line, problem = self:line(socket.MOST_HEAD - self.lines)
  if line then
    self.lines = self.lines + #line + 2
  end
  return line, problem
end

-- --- reading a response ---

---Forgets what a proxy has sent.
function methods:begin()
  self.has_come, self.lines = false, 0
end

---Whether anything has come that was not read.
---@return boolean
function methods:has_unread()
  return self.place <= #self.unread
end

---Whether something may have come that was not read. Of what TLS has decrypted, nginx leaves there what its own buffer cannot
---hold, and does not see it when it keeps the connection: so that buffer must not have been full.
---@return boolean
function methods:may_have_unread()
  return self:has_unread() or self.is_tls and self.last_piece % BUFFER_UNIT == 0
end

-- Takes the next piece behind what is unread. True, or nil and a problem.
local function take(self)
  if not limit(self) then
    return nil, "timeout"
  end
  local piece, problem = self.own:receiveany(PIECE)
  if not piece then
    return nil, problem
  end
  self.unread, self.place, self.has_come = self.unread:sub(self.place) .. piece, 1, true
  self.last_piece = #piece
  return true
end

---A line of `most` bytes at most, its end included and left out.
---@return string|nil line, string? problem
function methods:line(most)
  local searched = self.place
  while true do
    local stop = self.unread:find("\n", searched, true)
    if (stop or #self.unread) - self.place + 1 > most then
      return nil, "too long"
    elseif stop then
      local line = self.unread:sub(self.place, stop - 1):gsub("\r$", "")
      self.place = stop + 1
      return line
    end
    local seen = #self.unread - self.place + 1
    local ok, problem = take(self)
    if not ok then
      return nil, problem
    end
    searched = seen + 1
  end
end

---The next `count` bytes, which the next call will give again.
---@return string|nil bytes, string? problem
function methods:peek(count)
  while #self.unread - self.place + 1 < count do
    local ok, problem = take(self)
    if not ok then
      return nil, problem
    end
  end
  return self.unread:sub(self.place, self.place + count - 1)
end

---What comes next, `most` bytes of it at most.
---@return string|nil bytes, string? problem
function methods:some(most)
  if not self:has_unread() then
    local ok, problem = take(self)
    if not ok then
      return nil, problem
    end
  end
  local bytes = self.unread:sub(self.place, self.place + most - 1)
  self.place = self.place + #bytes
  return bytes
end

return socket
