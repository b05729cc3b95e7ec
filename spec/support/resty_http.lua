-- As much of lua-resty-http's interface (0.16 and later) as cloud66.transport.resty uses, for specs: it runs inside nginx. As there,
-- a proxy's response to CONNECT is read line by line over client.sock, without limits.
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

function methods:set_proxy_options(options)
  self.proxy_opts = options
end

function methods:close()
  return self.sock:close()
end

function methods:set_keepalive(...)
  return self.sock:setkeepalive(...)
end

-- --- connecting ---

local function proxy_of(self, to)
  local options = self.proxy_opts or {}
  local address = options[to.scheme .. "_proxy"]
  if not address or options.no_proxy == "*" then
    return nil
  end
  local host, port = address:match "^http://([^/:]+):(%d+)"
  return { host = host, port = tonumber(port), authorization = options[to.scheme .. "_proxy_authorization"] }
end

local function pool_of(to, proxy)
  return table.concat({ to.scheme, to.host, to.port, to.ssl_server_name or "", tostring(to.ssl_verify), proxy and proxy.host or "" }, ":")
end

-- A tunnel through a proxy.
local function open_tunnel(self, to)
  local destination = to.host .. ":" .. to.port
  local ok, problem = self.sock:send(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n"):format(destination, destination))
  local status
  while ok do
    local line
    line, problem = self.sock:receive "*l"
    if not line then
      break
    elseif line == "" then
      if status ~= "200" then
        return nil, "failed to establish a tunnel through a proxy: " .. status
      end
      return true
    end
    status = status or line:sub(10, 12)
  end
  return nil, "failed to issue CONNECT to proxy: " .. problem
end

function methods:connect(to)
  local proxy = proxy_of(self, to)
  local place = proxy or to
  local ok, problem = self.sock:connect(ADDRESSES[place.host] or place.host, place.port, { pool = to.pool or pool_of(to, proxy) })
  if not ok then
    return nil, proxy and ("failed to connect to: %s:%d: %s"):format(proxy.host, proxy.port, problem) or problem
  end
  self.to, self.through = to, proxy
  self.reused = self.sock:getreusedtimes()
  if to.scheme == "https" and self.reused == 0 then
    if proxy then
      ok, problem = open_tunnel(self, to)
    end
    if ok then
      ok, problem = self.sock:sslhandshake(nil, to.ssl_server_name, to.ssl_verify)
    end
  end
  return ok, problem
end

-- --- sending ---

function methods:send_request(params)
  local to, proxy = self.to, self.through
  local body = params.body or ""
  local host = to.port == PORTS[to.scheme] and to.host or ("%s:%d"):format(to.host, to.port)
  local prefix = proxy and to.scheme == "http" and "http://" .. host or ""
  local lines = { ("%s %s%s HTTP/1.1"):format(params.method, prefix, params.path), "Host: " .. host }
  for name, value in pairs(params.headers or {}) do
    lines[#lines + 1] = name .. ": " .. value
  end
  if prefix ~= "" and proxy.authorization then
    lines[#lines + 1] = "Proxy-Authorization: " .. proxy.authorization
  end
  if params.body or params.method == "POST" then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  return self.sock:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
end

return http
