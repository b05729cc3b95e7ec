-- guard.lua: the socket of a Redis library, with what the libraries lack: one limit of time for a whole answer however
-- slowly it comes, and limits of size. It stands where the socket would, and passes on nothing that is not well formed:
-- a library that trusts Redis may meet something else. LuaSocket's sockets and nginx's have the same methods.

local contract = require "cloud66.sharing.store.contract"
local core = require "cloud66.core"

local guard = {}

local MOST_LINE = 512 -- bytes: errors are the longest lines

local methods = {}

local guard_mt = {
  __index = function(self, name)
    if methods[name] then
      return methods[name]
    end
    local socket = self.socket
    return function(_, ...)
      return socket[name](socket, ...)
    end
  end,
}

---@param socket table       of LuaSocket or nginx
---@param set_limit function  set_limit(socket, seconds): how long its next operation may take
function guard.new(socket, set_limit)
  return setmetatable({
    socket = socket, set_limit = set_limit, in_pieces = type(socket.receiveany) == "function",
    deadline = 0, rest = false, tail = false,
  }, guard_mt)
end

-- False where no time is left.
local function limit(self)
  local left = self.deadline - core.monotonic()
  if left <= 0 then
    return false
  end
  self.set_limit(self.socket, left)
  return true
end

function methods:connect(...)
  if not limit(self) then
    return nil, "timeout"
  end
  return self.socket:connect(...)
end

function methods:send(data)
  if not limit(self) then
    return nil, "timeout"
  end
  return self.socket:send(data)
end

-- The socket's own lines have no limit. It reads ahead, so single bytes are no system calls.
local function receive_line(self)
  local bytes = {}
  for i = 1, MOST_LINE do
    if not limit(self) then
      return nil, "timeout"
    end
    local byte, problem = self.socket:receive(1)
    if not byte then
      return nil, problem
    elseif byte == "\n" and bytes[i - 1] == "\r" then
      return table.concat(bytes, "", 1, i - 2)
    end
    bytes[i] = byte
  end
  return nil, "an answer that makes no sense: a line of more than " .. MOST_LINE .. " bytes"
end

-- The limit of nginx's sockets is for each piece that comes, so they are asked for the pieces.
local function receive_bytes(self, n)
  local pieces, left = {}, n
  while left > 0 do
    if not limit(self) then
      return nil, "timeout"
    end
    local piece, problem
    if self.in_pieces then
      piece, problem = self.socket:receiveany(left)
    else
      piece, problem = self.socket:receive(left)
    end
    if not piece then
      return nil, problem
    end
    pieces[#pieces + 1], left = piece, left - #piece
  end
  return table.concat(pieces)
end

-- Bulk strings may be as long as a value: the bytes of one that follows a line are then what receive() is asked for.
local function check_line(self, line)
  local kind, rest = line:sub(1, 1), line:sub(2)
  self.rest, self.tail = false, false
  if kind == "$" and rest:find "^%d+$" then
    local size = tonumber(rest)
    if size > contract.MOST_VALUE then
      return nil, ("a value of more than %d bytes"):format(contract.MOST_VALUE)
    end
    self.rest = size
    return line
  elseif kind == "+" or kind == "-" or line == "$-1"
    or kind == ":" and #rest <= 20 and rest:find "^%-?%d+$" then
    return line
  end
  return nil, "an answer that makes no sense"
end

---receive() or receive("*l"): a line. receive(n): the bytes of a bulk string, the CR LF behind it with them or after.
function methods:receive(what)
  if type(what) ~= "number" then
    local line, problem = receive_line(self)
    if not line then
      return nil, problem
    end
    return check_line(self, line)
  end
  local with_tail = self.rest and what == self.rest + 2
  if not (with_tail or what == self.rest or self.tail and what == 2) then
    return nil, "an answer that makes no sense"
  end
  local data, problem = receive_bytes(self, what)
  if not data then
    return nil, problem
  elseif (with_tail or self.tail) and data:sub(-2) ~= "\r\n" then
    return nil, "an answer that makes no sense"
  end
  self.rest, self.tail = false, not (with_tail or self.tail)
  return data
end

return guard
