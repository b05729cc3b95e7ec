-- As much of lua-resty-http's interface (0.16 and later) as cloud66.transport.resty uses, for specs: it runs inside nginx.
-- Differences: "localhost" is 127.0.0.1, as nginx does not read /etc/hosts; client.reused tells how many requests the
-- connection had carried before.
local http = { _VERSION = "0.17-of-specs" }

local methods = {}
local client_mt = { __index = methods }

local ADDRESSES = { localhost = "127.0.0.1" }
local PORTS = { http = 80, https = 443 }

function http.new()
  local socket, problem = ngx.socket.tcp()
  if not socket then
    return nil, problem
  end
  return setmetatable({ sock = socket }, client_mt)
end

function methods:set_timeouts(connect, send, read)
  return self.sock:settimeouts(connect, send, read)
end

function methods:close()
  return self.sock:close()
end

local function split(address)
  local scheme, host, rest = address:match "^(https?)://([^/:?]+)(.*)$"
  if not scheme then
    return nil, "bad uri: " .. address
  end
  local port, path = rest:match "^:(%d+)(.*)$"
  path = path or rest
  return { scheme = scheme, host = host, port = tonumber(port) or PORTS[scheme], path = path == "" and "/" or path }
end

-- --- sending ---

local function connect(self, to, params)
  local is_tls, verify = to.scheme == "https", params.ssl_verify ~= false
  local name = params.ssl_server_name or to.host
  local pool = params.pool or table.concat({ to.scheme, to.host, to.port, name, tostring(verify) }, ":")
  local ok, problem = self.sock:connect(ADDRESSES[to.host] or to.host, to.port, { pool = pool })
  if not ok then
    return nil, problem
  end
  self.reused = self.sock:getreusedtimes()
  if is_tls and self.reused == 0 then
    ok, problem = self.sock:sslhandshake(nil, name, verify)
  end
  return ok, problem
end

local function host_header(to)
  return to.port == PORTS[to.scheme] and to.host or ("%s:%d"):format(to.host, to.port)
end

local function send(self, to, params)
  local body = params.body or ""
  local lines = { ("%s %s HTTP/1.1"):format(params.method or "GET", to.path), "Host: " .. host_header(to) }
  for name, value in pairs(params.headers or {}) do
    lines[#lines + 1] = name .. ": " .. value
  end
  if params.body or params.method == "POST" then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  return self.sock:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
end

-- --- receiving ---

local function add(headers, name, value)
  local before = headers[name]
  if before == nil then
    headers[name] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    headers[name] = { before, value }
  end
end

local function receive_headers(socket)
  local headers = {}
  while true do
    local line, problem = socket:receive "*l"
    if not line then
      return nil, problem
    end
    local name, value = line:match "^([^:%s]+):%s*(.*)$"
    if not name then
      return headers
    end
    add(headers, name, value)
  end
end

local function find(headers, wanted)
  for name, value in pairs(headers) do
    if name:lower() == wanted then
      return type(value) == "table" and value[1] or value
    end
  end
end

local function receive_chunks(socket)
  local chunks = {}
  while true do
    local line, problem = socket:receive "*l"
    local length = line and tonumber(line, 16)
    if not length then
      return nil, problem or "unable to read chunksize"
    end
    local chunk
    chunk, problem = socket:receive(length + 2)
    if not chunk then
      return nil, problem
    elseif length == 0 then
      return table.concat(chunks)
    end
    chunks[#chunks + 1] = chunk:sub(1, -3)
  end
end

local function receive_body(socket, method, status, headers)
  local length = tonumber(find(headers, "content-length") or "")
  if method == "HEAD" or status == 204 or status == 304 then
    return ""
  elseif (find(headers, "transfer-encoding") or ""):lower():find "chunked" then
    return receive_chunks(socket)
  elseif length == 0 then
    return ""
  end
  return socket:receive(length or "*a")
end

local function receive(self, method)
  local line, problem = self.sock:receive "*l"
  if not line then
    return nil, problem
  end
  local status = tonumber(line:sub(10, 12))
  if not status then
    return nil -- and no words for it, as lua-resty-http
  end
  local headers, body
  headers, problem = receive_headers(self.sock)
  if headers then
    body, problem = receive_body(self.sock, method, status, headers)
  end
  if not body then
    return nil, problem
  end
  return { status = status, headers = headers, body = body }
end

local function leave(self, res, params)
  local connection = find(res.headers, "connection") or ""
  if params.keepalive == false or connection:lower():find "close" then
    return self.sock:close()
  end
  return self.sock:setkeepalive(params.keepalive_timeout, params.keepalive_pool)
end

function methods:request_uri(address, params)
  local to, problem = split(address)
  if not to then
    return nil, problem
  end
  local ok, res
  ok, problem = connect(self, to, params)
  if ok then
    ok, problem = send(self, to, params)
  end
  if ok then
    res, problem = receive(self, params.method)
  end
  if not res then
    self.sock:close()
    return nil, problem
  end
  ok, problem = leave(self, res, params)
  if not ok then
    ngx.log(ngx.ERR, problem)
  end
  return res
end

return http
