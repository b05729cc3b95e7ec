-- Reads a request into one table, x, which the other parts pass around:
--   method, scheme, host, port, http_port, origin, http_version, raw_uri (as sent), path (without scenario and query, as
--   sent), segments (decoded), query (decoded), headers (lower-case names), body (nil where it is empty), token,
--   values (the scenario), page (nil where it is none), in_flight (how many of the tag were there, with it)
-- Routing adds kind and is_list; scenarios add open, error_body, indent, id_text, limit; world.enter adds world.
-- luacheck: globals ngx
local access = require "spec.support.fake.access"
local scenario = require "spec.support.fake.scenario"

local exchange = {}

local function split(path)
  local segments = {}
  for segment in path:gmatch "[^/]+" do
    segments[#segments + 1] = ngx.unescape_uri((segment:gsub("%+", "%%2B"))) -- a plus is a plus in a path
  end
  local last = #segments
  if last > 0 then
    segments[last] = segments[last]:gsub("%.json$", "")
  end
  return segments
end

-- nil where it is no page number: the real API may be more patient, but a client that sends such a thing is wrong.
local function page_of(text)
  if text == nil then
    return 1
  end
  return type(text) == "string" and text:match "^[1-9]%d*$" and tonumber(text) or nil
end

---x, or nil and what is wrong with the scenario.
function exchange.read()
  local raw = ngx.var.request_uri
  local path = raw:match "^[^?]*"
  local text, rest = path:match "^/(~[^/]*)(.*)$"
  local values, problem = scenario.parse(text or "")
  if not values then
    return nil, problem
  end
  local headers, query = ngx.req.get_headers(0), ngx.req.get_uri_args(0)
  local authorization = headers.authorization
  if type(authorization) == "table" then
    authorization = nil -- sent twice: not a way to say who you are
  end
  ngx.req.read_body()
  return {
    method = ngx.req.get_method(),
    scheme = ngx.var.scheme,
    host = ngx.var.http_host or ngx.var.host,
    port = ngx.var.server_port,
    http_port = ngx.shared.state:get "http_port",
    origin = ngx.var.scheme .. "://" .. (ngx.var.http_host or ngx.var.host),
    http_version = ngx.req.http_version(),
    raw_uri = raw,
    path = rest or path,
    segments = split(rest or path),
    query = query,
    headers = headers,
    body = ngx.req.get_body_data(),
    token = access.read(authorization),
    page = page_of(query.page),
    values = values,
  }
end

return exchange
