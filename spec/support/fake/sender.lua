-- Puts a reply on the wire. reply = {status, body, type, headers, chunked, padding (bytes), delay (seconds), drip, cut, wire}
-- luacheck: globals ngx
local wire = require "spec.support.fake.wire"

local sender = {}

local BODILESS = { [204] = true, [304] = true } -- these say nothing of a body's type and length either

local function flush(text)
  ngx.print(text)
  ngx.flush(true)
end

local function drip(body)
  local step = math.max(1, math.ceil(#body / 20))
  for from = 1, #body, step do
    flush(body:sub(from, from + step - 1))
    ngx.sleep(0.025)
  end
end

local function pad(bytes)
  local piece = (" "):rep(65536)
  while bytes > 0 do
    ngx.print(piece:sub(1, math.min(bytes, #piece)))
    if not ngx.flush(true) then
      return -- the client has gone
    end
    ngx.sleep(0) -- compressed it seldom has to wait for the client, and others have to be served too
    bytes = bytes - #piece
  end
end

function sender.send(reply)
  if reply.delay then
    ngx.sleep(reply.delay)
  end
  if reply.wire then
    return wire.send(reply.wire)
  elseif reply.odd then
    return wire.send_odd(reply.odd)
  elseif reply.cut == "head" then
    return ngx.exit(444)
  end
  ngx.status = reply.status
  ngx.header["Content-Type"] = not BODILESS[reply.status] and (reply.type or "application/json; charset=utf-8") or nil
  for name, value in pairs(reply.headers) do
    ngx.header[name] = value
  end
  local body = reply.body
  if body == "" or not reply.chunked then
    ngx.header["Content-Length"] = not BODILESS[reply.status] and #body or nil
  end
  if reply.cut == "body" or reply.cut == "reset" then
    flush(body:sub(1, math.floor(#body / 2)))
    ngx.sleep(0.02) -- else the half may never leave
    return ngx.exit(444)
  elseif reply.drip then
    drip(body)
  elseif reply.padding then
    flush(body)
    pad(reply.padding)
  elseif body == "" then
    ngx.send_headers()
  else
    ngx.print(body)
  end
  return ngx.eof()
end

return sender
