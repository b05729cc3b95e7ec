-- Bytes that nobody asked for, on a connection that is kept for the next request: what is sent, and when, as data for any
-- transport; and a peer that sends it, stray_peer.py.
local cjson = require "cjson"
local host = require "spec.support.host"

local strays = {}

local BODY = '{"response":{"own":true}}'

local function response(body, status, headers)
  return ("HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"):format(
    status or "200 OK", headers or "", #body, body)
end

local function chunked(body)
  return ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"):format(#body, body)
end

local OWN, STRAY = response(BODY), response '{"response":{"stray":true}}'
strays.OWN, strays.OWN_BODY, strays.STRAY = OWN, BODY, STRAY

-- As long as nginx's buffers are.
local function padded(size)
  local empty = response(BODY, nil, "X-Padding: \r\n")
  return response(BODY, nil, ("X-Padding: %s\r\n"):format(("x"):rep(size - #empty)))
end

local HEAD = OWN:sub(1, -#BODY - 1)
local NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n"
local NOT_MODIFIED = 'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'
local EARLY_HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
local CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

---`first`: sent for the first request, each piece in a packet (and TLS record) of its own. `later`: when the client has its
---response, and the connection is idle; where it `closes`, the connection ends then. `method` and `status` of the first
---request, if they are not GET and 200. `drops`: a client may throw the bytes away with the packet, and go on.
strays.scenarios = {
  { name = "a response, later", first = { OWN }, later = { STRAY } },
  { name = "a response, later, in pieces", first = { OWN }, later = { STRAY:sub(1, 20), STRAY:sub(21) } },
  { name = "the start of a response, later", first = { OWN }, later = { STRAY:sub(1, 20) } },
  { name = "two responses, later", first = { OWN }, later = { STRAY, STRAY } },
  { name = "a response in chunks, later", first = { OWN }, later = { chunked '{"response":{"stray":true}}' } },
  { name = "a failure, later", first = { OWN }, later = { response('{"error":"stray"}', "500 Internal Server Error") } },
  { name = "a 204, later", first = { OWN }, later = { NO_CONTENT } },
  { name = "100 Continue, later", first = { OWN }, later = { CONTINUE } },
  { name = "a 408 before closing, later", first = { OWN },
    later = { response('{"error":"stray"}', "408 Request Timeout", "Connection: close\r\n") } },
  { name = "no HTTP, later", first = { OWN }, later = { "\0\1stray\r\n\r\n" } },
  { name = "a line break, later", first = { OWN }, later = { "\r\n" } },
  { name = "a response behind interim ones, later", first = { CONTINUE, EARLY_HINTS .. OWN }, later = { STRAY } },
  { name = "a response behind chunks, later", first = { chunked(BODY) }, later = { STRAY } },
  { name = "a response behind a 204, later", status = 204, first = { NO_CONTENT }, later = { STRAY } },
  { name = "a response behind a 304, later", status = 304, first = { NOT_MODIFIED }, later = { STRAY } },
  { name = "a response behind that of HEAD, later", method = "HEAD", first = { HEAD }, later = { STRAY } },
  { name = "a response in the packet of the body", first = { OWN .. STRAY } },
  { name = "a response in the packet of the body, whose head came before", first = { HEAD, BODY .. STRAY } },
  { name = "a response in the packet of half of the body", first = { HEAD .. BODY:sub(1, 9), BODY:sub(10) .. STRAY } },
  { name = "a response in the packet of the chunks", drops = true, first = { chunked(BODY) .. STRAY } },
  { name = "a response in the packet of a body that ends with a buffer of 4 KiB", first = { padded(4096) .. STRAY } },
  { name = "a response in the packet of a body that ends with a buffer of 8 KiB", first = { padded(8192) .. STRAY } },
  { name = "a response right behind the body", first = { OWN, STRAY } },
  { name = "a response right behind the chunks", first = { chunked(BODY), STRAY } },
  { name = "a response in the packet of a 204", drops = true, status = 204, first = { NO_CONTENT .. STRAY } },
  { name = "a response right behind a 204", status = 204, first = { NO_CONTENT, STRAY } },
  { name = "a body and a response in the packet of a 304", drops = true, status = 304, first = { NOT_MODIFIED .. BODY .. STRAY } },
  { name = "a response right behind a 304", status = 304, first = { NOT_MODIFIED, STRAY } },
  { name = "a body of HEAD, in its packet", drops = true, method = "HEAD", first = { OWN .. STRAY } },
  { name = "a body of HEAD that is a response, right behind it", method = "HEAD", first = { HEAD, STRAY } },
  { name = "no HTTP, right behind the body", first = { OWN, "\0\1stray\r\n\r\n" } },
}

local python = "/usr/bin/python3"

---Calls fn(port, send_later) beside a peer. options: `certificates`, the directory of the fake's for TLS; `soiled`, how
---many connections get what nobody asked for (1).
function strays.with(scenario, options, fn)
  local file = host.file(cjson.encode { first = scenario.first, later = scenario.later or {}, closes = scenario.closes or false })
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkfifo -m 600 %s"):format(host.quote(path))))
  local peer = assert(io.popen(("exec %s spec/support/stray_peer.py %s %s %d >%s"):format(python, host.quote(file),
    options.certificates and host.quote(options.certificates) or "-", options.soiled or 1, host.quote(path)), "w"))
  local pipe = assert(io.open(path))
  local ok, problem = pcall(function()
    fn(assert(pipe:read "*l", "the peer did not start"), function()
      peer:write "later\n"
      peer:flush()
      assert(pipe:read "*l" == "sent")
    end)
  end)
  peer:close()
  pipe:close()
  os.remove(path)
  os.remove(file)
  if not ok then error(problem, 0) end
end

return strays
