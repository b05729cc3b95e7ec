-- response.lua: reads a response of HTTP/1 from a socket (socket.lua), as strictly as it may be read: what the end of a
-- response is decides whose the next bytes are.
--
-- lua-resty-http's own reader takes an interim response for the answer, ends the headers at a line that is none, has no limits,
-- and waits inside a coroutine of its own, where nobody may kill the light thread around it.

local MOST_HEAD = require("cloud66.transport.resty.socket").MOST_HEAD

local response = {}

local MOST_CHUNK_LINE = 1024 -- bytes
local MOST_DIGITS = 18 -- of a length
local PIECE = 64 * 1024 -- bytes

local CUT = "the connection was cut before the response was complete"
local NOT_HTTP = "the response is not HTTP as it should be"
local START = "HTTP/1."
local NOT_CHUNKS = "the body is not in chunks as its header says"

-- Ends the reading: caught in read().
local function fail(kind, what, detail)
  error({ kind = kind, what = what, detail = detail }, 0)
end

local function fail_by(problem)
  if problem == "too long" then
    fail("protocol", ("the response headers are longer than %d bytes"):format(MOST_HEAD))
  elseif problem == "timeout" then
    fail("timeout")
  end
  fail("network", CUT, problem)
end

local function line_of(socket)
  local line, problem = socket:receive()
  if not line then
    fail_by(problem)
  elseif line:find "%z" then
    fail("protocol", NOT_HTTP, "a NUL byte in a line of headers")
  end
  return line
end

-- The next bytes, which are not taken.
local function seen(socket, count)
  local bytes, problem = socket:peek(count)
  return bytes or fail_by(problem)
end

-- --- the head ---

-- What is no HTTP is told by its first bytes: a line of it may never end.
local function check_start(socket)
  for count = 1, #START do
    if seen(socket, count) ~= START:sub(1, count) then
      fail("protocol", NOT_HTTP, "a status line: " .. socket:some(80):match "^[^\r\n]*")
    end
  end
end

local function read_status(socket)
  check_start(socket)
  local line = line_of(socket)
  local minor, code = line:match "^HTTP/1%.([01]) (%d%d%d)$"
  if not code then
    minor, code = line:match "^HTTP/1%.([01]) (%d%d%d) "
  end
  local status = tonumber(code)
  if not status or status < 100 then
    fail("protocol", NOT_HTTP, "a status line: " .. line:sub(1, 80))
  end
  return status, "1." .. minor
end

-- Without the blanks at its ends. "^[ \t]*(.-)[ \t]*$" takes time by the square of the blanks: ten seconds for a line of 60,000.
local function trim(text)
  local first = text:find "[^ \t]"
  return first and text:match("^.*[^ \t]", first) or ""
end

local FRAMING = { ["content-length"] = true, ["transfer-encoding"] = true }

-- Takes a header that says where the body ends. `framing`: length = bytes; is_coded = whether there is a Transfer-Encoding that is
-- more or less than "chunked".
local function note_framing(framing, name, blank, value)
  if blank ~= "" then
    fail("protocol", NOT_HTTP, "a blank between a header's name and its colon: " .. name)
  elseif name == "transfer-encoding" then
    framing.is_coded = framing.is_coded or value:lower() ~= "chunked"
    return
  end
  local length = value:find "^%d+$" and #value <= MOST_DIGITS and tonumber(value)
  if not length or framing.length and framing.length ~= length then
    fail("protocol", NOT_HTTP, "a Content-Length: " .. value:sub(1, 80))
  end
  framing.length = length
end

local ANY_NAME = "^[^%s].*$" -- of trailers, which are nobody's
local NAME = "^([%w!#$%%&'*+%-.^_`|~]+)[ \t]*$" -- RFC 9110's "token"

-- Name in lower case, what stands between it and the colon, value.
local function split(line, pattern)
  local colon = line:find(":", 1, true)
  local name = colon and line:sub(1, colon - 1):match(pattern)
  if not name then
    fail("protocol", NOT_HTTP, "a header without a name or a colon")
  end
  return name:lower(), line:sub(#name + 1, colon - 1), trim(line:sub(colon + 1))
end

-- Lower-case names; values of the same name joined. Some would go by one, some by another of two headers that say where the body
-- ends, some see no such header where it is folded, or has a blank before its colon: then there is no telling whose the next bytes are.
local function read_headers(socket, is_trailer)
  local parts, framing, last = {}, {}, nil -- name -> the pieces of its value
  local function add(separator, value)
    local list = parts[last]
    list[#list + 1] = #list > 0 and separator or ""
    list[#list + 1] = value
  end
  while true do
    local line = line_of(socket)
    if line == "" then
      break
    elseif last and line:find "^[ \t]" then -- folded the old way: it continues the value before it
      if FRAMING[last] and not is_trailer then
        fail("protocol", NOT_HTTP, "a folded header: " .. last)
      end
      add(" ", trim(line))
    else
      local name, blank, value = split(line, is_trailer and ANY_NAME or NAME)
      if FRAMING[name] and not is_trailer then
        note_framing(framing, name, blank, value)
      end
      last = name
      parts[name] = parts[name] or {}
      add(", ", value)
    end
  end
  local headers = {}
  for name, list in pairs(parts) do
    headers[name] = table.concat(list)
  end
  if framing.length and framing.is_coded then
    fail("protocol", NOT_HTTP, "a Content-Length beside a Transfer-Encoding: " .. headers["transfer-encoding"]:sub(1, 80))
  end
  return headers, framing.length
end

local function is_chunked(headers)
  local chunked = false
  for coding in (headers["transfer-encoding"] or ""):lower():gmatch "[^,]+" do
    coding = trim(coding)
    if coding == "chunked" then
      chunked = true
    elseif coding ~= "" and coding ~= "identity" then
      fail("protocol", "the body is encoded in a way that was not asked for", "Transfer-Encoding: " .. coding:sub(1, 80))
    end
  end
  return chunked
end

-- --- the body ---

-- What has come, in a list of long pieces; what came last, in `fresh`, until that is long too: a server may send a byte at a time.
local function new_body(most)
  return { pieces = {}, fresh = {}, fresh_size = 0, size = 0, most = most or math.huge }
end

local function flush(body)
  body.pieces[#body.pieces + 1] = table.concat(body.fresh)
  body.fresh, body.fresh_size = {}, 0
end

local function add(body, piece)
  body.fresh[#body.fresh + 1] = piece
  body.size, body.fresh_size = body.size + #piece, body.fresh_size + #piece
  if body.fresh_size >= PIECE then
    flush(body)
  end
end

local function text_of(body)
  flush(body)
  return table.concat(body.pieces)
end

local function check_size(body, more)
  if body.size + more > body.most then
    fail("too_large", ("the body is longer than %.0f bytes: raise option 'max_body'"):format(body.most))
  end
end

local function read_bytes(socket, body, count)
  check_size(body, count)
  while count > 0 do
    local piece, problem = socket:some(count)
    if not piece then
      fail_by(problem)
    end
    add(body, piece)
    count = count - #piece
  end
end

local function read_until_close(socket, body)
  while true do
    local piece, problem = socket:some(PIECE)
    if piece then
      check_size(body, #piece)
      add(body, piece)
    elseif problem == "closed" then
      return
    else
      fail_by(problem)
    end
  end
end

local function chunk_line(socket)
  local line, problem = socket:line(MOST_CHUNK_LINE)
  if problem == "too long" then
    fail("protocol", NOT_CHUNKS, "a chunk's size of more than " .. MOST_CHUNK_LINE .. " bytes")
  end
  return line or fail_by(problem)
end

-- What stands where a size or the end of a line should is told by its first byte, as the start of a response is.
local function read_size(socket)
  if not seen(socket, 1):find "%x" then
    fail("protocol", NOT_CHUNKS, "a chunk's size: " .. socket:some(80):match "^[^\r\n]*")
  end
  local line = chunk_line(socket)
  local digits = line:match "^(%x+)[ \t]*$" or line:match "^(%x+)[ \t]*;"
  if not digits or #digits > 16 or #digits:match "^0*(.*)$" > 12 then
    fail("protocol", NOT_CHUNKS, "a chunk's size: " .. line:sub(1, 80))
  end
  return tonumber(digits, 16)
end

local function skip_line_end(socket)
  if seen(socket, 1) ~= "\n" and (seen(socket, 1) ~= "\r" or seen(socket, 2) ~= "\r\n") then
    fail("protocol", NOT_CHUNKS, "no line end behind a chunk")
  end
  chunk_line(socket)
end

local function read_chunks(socket, body)
  while true do
    local size = read_size(socket)
    if size == 0 then
      read_headers(socket, true) -- nobody asked for trailers
      return
    end
    read_bytes(socket, body, size)
    skip_line_end(socket)
  end
end

-- --- the response ---

local BODILESS = { [204] = true, [304] = true }

-- The final response's, interim ones skipped.
local function read_head(socket)
  local status, version, headers, length
  repeat
    status, version = read_status(socket)
    headers, length = read_headers(socket)
    if status == 101 then
      fail("protocol", "the server changed to another protocol, which nobody asked for")
    end
  until status >= 200
  return status, version, headers, length
end

-- Whether its end was told by the response itself, not by the end of the connection.
local function read_body(socket, body, has_body, headers, length)
  if not has_body then
    return true
  elseif is_chunked(headers) then
    read_chunks(socket, body)
    return not length -- with both, others may see another end
  elseif length then
    read_bytes(socket, body, length)
    return true
  end
  read_until_close(socket, body)
  return false
end

local function read_all(socket, method, max_body)
  local status, version, headers, length = read_head(socket)
  local body = new_body(max_body)
  local ends_itself = read_body(socket, body, method ~= "HEAD" and not BODILESS[status], headers, length)
  local connection = (headers.connection or ""):lower()
  return {
    status = status, headers = headers, body = text_of(body), http_version = version,
    may_stay = ends_itself and version == "1.1" and not connection:find("close", 1, true) and not socket:may_have_unread(),
  }
end

---@param socket table      of socket.lua
---@param method string     of the request
---@param max_body? integer bytes
---@return table|nil response  # {status, headers, body, http_version, may_stay = whether its connection may serve another request}
---@return table? failure      # {kind, what, detail}; what is absent with kind "timeout"
function response.read(socket, method, max_body)
  local ok, read = pcall(read_all, socket, method, max_body)
  if ok then
    return read
  elseif type(read) ~= "table" then
    error(read, 0)
  end
  return nil, read
end

return response
