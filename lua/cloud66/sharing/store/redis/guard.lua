-- guard.lua: the socket of a Redis library, with what the libraries lack: one limit of time for a whole
-- response however slowly it comes, and limits of size. It stands where the socket would, and passes on nothing that is not well
-- formed: a library that trusts Redis may meet something else. LuaSocket's sockets and nginx's have the same methods.

local contract = require "cloud66.sharing.store.contract"
local core = require "cloud66.core"

local guard = {}

local MOST_LINE = 512 -- bytes: errors are the longest lines

local NONSENSE = "a response that makes no sense"

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
    deadline = 0, -- by core.monotonic()
    expected = false, -- bytes of the bulk string whose length came last
    has_tail = false, -- its CR LF is still to come
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
  return nil, ("%s: a line of more than %d bytes"):format(NONSENSE, MOST_LINE)
end

-- The limit of nginx's sockets is for each piece that comes, so it is the pieces that are read.
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

-- Bulk strings may be as long as a value: the bytes of one that follows a line are then what receive() is called for.
local function check_line(self, line)
  local kind, digits = line:sub(1, 1), line:sub(2)
  self.expected, self.has_tail = false, false
  if kind == "$" and digits:find "^%d+$" then
    local size = tonumber(digits)
    if size > contract.MOST_VALUE then
      return nil, ("a value of more than %d bytes"):format(contract.MOST_VALUE)
    end
    self.expected = size
    return line
  elseif kind == "+" or kind == "-" or line == "$-1"
    or kind == ":" and #digits <= 20 and digits:find "^%-?%d+$" then
    return line
  end
  return nil, NONSENSE
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
  local with_tail = self.expected and what == self.expected + 2
  if not (with_tail or what == self.expected or self.has_tail and what == 2) then
    return nil, NONSENSE
  end
  local data, problem = receive_bytes(self, what)
  if not data then
    return nil, problem
  elseif (with_tail or self.has_tail) and data:sub(-2) ~= "\r\n" then
    return nil, NONSENSE
  end
  self.expected, self.has_tail = false, not (with_tail or self.has_tail)
  return data
end

return guard
