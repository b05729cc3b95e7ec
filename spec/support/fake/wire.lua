-- Replies that no HTTP server sends: raw bytes over HTTP/1.1, in place of the reply that was due.
-- luacheck: globals ngx
local odd_responses = require "spec.support.odd_responses"

local wire = {}

local LONGEST = 20 -- seconds: nothing stays on when the client does not go

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
local CHUNKED = HEAD .. "Transfer-Encoding: chunked\r\n\r\n"

local function chunk(text)
  return ("%x\r\n%s\r\n"):format(#text, text)
end

local function once(text)
  return function(socket)
    socket:send(text)
  end
end

-- Sends pieces until the client goes away.
local function on_and_on(head, piece, pause)
  return function(socket)
    local stop = ngx.now() + LONGEST
    local sent = socket:send(head)
    while sent and ngx.now() < stop do
      ngx.sleep(pause)
      sent = socket:send(piece)
    end
  end
end

-- Sends a text, and then nothing until the client goes away.
local function and_nothing(text)
  return function(socket)
    socket:send(text)
    socket:receive(1)
  end
end

local BODY = '{"ok":true,"message":"all good."}'

wire.faults = {
  garbage = once "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n",
  huge_header = once(HEAD .. "X-Huge: " .. ("x"):rep(200000) .. "\r\nContent-Length: 2\r\n\r\n{}"),
  many_headers = once(HEAD .. ("X-Many: " .. ("x"):rep(90) .. "\r\n"):rep(2000) .. "Content-Length: 2\r\n\r\n{}"),
  slow_head = on_and_on(HEAD, "X-Slow: 1\r\n", 0.05),
  slow_body = on_and_on(CHUNKED, chunk " ", 0.05),
  short_body = once(HEAD .. "Content-Length: 1000\r\n\r\n" .. BODY),
  cut_chunk = once(CHUNKED .. "64\r\n" .. BODY),
  no_last_chunk = once(CHUNKED .. chunk(BODY)),
  bad_chunk = once(CHUNKED .. chunk(BODY) .. "zz\r\nnot a length\r\n"),
  stalled_body = and_nothing(HEAD .. "Content-Length: 1000\r\n\r\n" .. BODY),
  stalled_chunk = and_nothing(CHUNKED .. chunk(BODY) .. "64\r\n" .. BODY),
  endless = on_and_on(CHUNKED, chunk((" "):rep(65536)), 0),
}

wire.names = {}
for name in pairs(wire.faults) do
  wire.names[#wire.names + 1] = name
end
table.sort(wire.names)

local function socket_of_client()
  local socket = assert(ngx.req.socket(true))
  socket:settimeout(LONGEST * 1000)
  return socket
end

function wire.send(name)
  wire.faults[name](socket_of_client())
end

---Sends one of odd_responses.bytes.
function wire.send_odd(name)
  socket_of_client():send(odd_responses.bytes[name])
end

return wire
