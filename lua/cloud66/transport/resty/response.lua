-- response.lua: reads a response of HTTP/1 from a socket (socket.lua), as strictly as it may be read: what the end of a
-- response is decides whose the next bytes are.
--
-- lua-resty-http's own reader takes an interim response for the answer, ends the headers at a line that is none, has no limits,
-- and waits inside a coroutine of its own, where nobody may kill the light thread around it.

local MOST_HEAD = require("cloud66.transport.resty.socket").MOST_HEAD

local response = {}

local MOST_CHUNK_LINE = 1024 -- bytes
local PIECE = 64 * 1024 -- bytes

local CUT = "the connection was cut before the response was complete"
local NOT_HTTP = "the response is not HTTP as it should be"
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
  return line or fail_by(problem)
end

-- --- the head ---

local function read_status(socket)
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

-- The name in lower case, and the value; nil for a line that is no header.
local function parse_header(line)
  local colon = line:find(":", 1, true)
  if not colon or line:find "^[%s:]" then
    return nil
  end
  return trim(line:sub(1, colon - 1)):lower(), trim(line:sub(colon + 1))
end

-- Lower-case names; values of the same name joined, but for the lengths, which are not to be joined.
local function read_headers(socket)
  local headers, lengths, last = {}, {}, nil
  while true do
    local line = line_of(socket)
    if line == "" then
      return headers, lengths
    elseif line:find "%z" then
      fail("protocol", NOT_HTTP, "a header with a NUL byte")
    end
    local name, value = parse_header(line)
    if last and line:find "^[ \t]" then -- folded the old way: it continues the value before it
      headers[last] = headers[last] .. " " .. trim(line)
    elseif not name then
      fail("protocol", NOT_HTTP, "a header without a name or a colon")
    else
      last = name
      headers[last] = headers[last] and headers[last] .. ", " .. value or value
      if last == "content-length" then
        lengths[#lengths + 1] = value
      end
    end
  end
end

-- Bytes, or nil where no header says.
local function length_of(lengths)
  for _, text in ipairs(lengths) do
    if not text:find "^%d+$" or #text > 15 or tonumber(text) ~= tonumber(lengths[1]) then
      fail("protocol", NOT_HTTP, "a Content-Length: " .. text:sub(1, 80))
    end
  end
  return tonumber(lengths[1])
end

local function is_chunked(headers)
  local chunked = false
  for coding in (headers["transfer-encoding"] or ""):lower():gmatch "[^,%s]+" do
    if coding == "chunked" then
      chunked = true
    elseif coding ~= "identity" then
      fail("protocol", "the body is encoded in a way that was not asked for", "Transfer-Encoding: " .. coding:sub(1, 80))
    end
  end
  return chunked
end

-- --- the body ---

-- Pieces that come, in a list, and their bytes.
local function new_body(most)
  return { pieces = {}, size = 0, most = most or math.huge }
end

local function add(body, piece)
  body.size = body.size + #piece
  body.pieces[#body.pieces + 1] = piece
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

local function read_chunks(socket, body)
  while true do
    local line = chunk_line(socket)
    local digits = line:match "^(%x+)[ \t]*$" or line:match "^(%x+)[ \t]*;"
    if not digits or #digits > 12 then
      fail("protocol", NOT_CHUNKS, "a chunk's size: " .. line:sub(1, 80))
    end
    local size = tonumber(digits, 16)
    if size == 0 then
      read_headers(socket) -- trailers: nobody asked for them
      return
    end
    read_bytes(socket, body, size)
    if chunk_line(socket) ~= "" then
      fail("protocol", NOT_CHUNKS, "no line end behind a chunk")
    end
  end
end

-- --- the response ---

local BODILESS = { [204] = true, [304] = true }

-- The final response's, interim ones skipped.
local function read_head(socket)
  local status, version, headers, lengths
  repeat
    status, version = read_status(socket)
    headers, lengths = read_headers(socket)
    if status == 101 then
      fail("protocol", "the server changed to another protocol, which nobody asked for")
    end
  until status >= 200
  return status, version, headers, lengths
end

-- Whether its end was told by the response itself, not by the end of the connection.
local function read_body(socket, body, has_body, headers, length)
  if not has_body then
    return true
  elseif is_chunked(headers) then
    read_chunks(socket, body)
    return true
  elseif length then
    read_bytes(socket, body, length)
    return true
  end
  read_until_close(socket, body)
  return false
end

local function read_all(socket, method, max_body)
  local status, version, headers, lengths = read_head(socket)
  local body, length = new_body(max_body), length_of(lengths)
  local ends_itself = read_body(socket, body, method ~= "HEAD" and not BODILESS[status], headers, length)
  local connection = (headers.connection or ""):lower()
  return {
    status = status, headers = headers, body = table.concat(body.pieces), http_version = version,
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
