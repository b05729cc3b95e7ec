---@meta _
-- How requests are sent.

---What a transport is given: a function that sends one request and waits for its response. Anything but GET and HEAD it
---sends at most once.
---@class cloud66.TransportRequest
---@field method string
---@field url string
---@field headers table<string, string>
---@field body? string
---Seconds; connect and total.
---@field timeout cloud66.TimeoutOptions
---Bytes, decompressed.
---@field max_body integer
---Whether the client was closed meanwhile, so that the answer is no longer wanted.
---@field is_closed fun(): boolean

---What it gives for any status, redirects too; or nil, kind, message, and of a proxy that refused a tunnel its status.
---@class cloud66.TransportResponse
---@field status integer
---Lower-case names.
---@field headers table<string, string>
---Decompressed.
---@field body string
---@field http_version? string
---The proxy that it came through, and which setting names it: "127.0.0.1:3128 (https_proxy)". Without its user and password.
---@field proxy? string

---The transport over libcurl, which is used where none is given: require "cloud66.transport.curl".
---GET and HEAD go over kept-alive connections on which nothing has come since the last response; anything else is sent at most
---once, on a connection of its own.
---@class cloud66.CurlTransport
local curl = {}

---@param options? { ca_file?: string, proxy?: string } absent: libcurl's own; proxy "": none
---@return fun(request: cloud66.TransportRequest): cloud66.TransportResponse?, string?, string?, integer? transport
function curl.new(options) end

---The transport over nginx's own sockets, which lua-resty-http connects: require "cloud66.transport.resty". The worker goes on while
---it waits. HTTP/1.1 without compression; CAs, proxies and DNS servers are those of nginx and of `http`
---(`lua_ssl_trusted_certificate`, `lua_ssl_verify_depth`, `resolver`, `resolver_timeout`), not `ca_file` and `proxy`. Certificates
---are always verified. GET and HEAD go over kept-alive connections; anything else is sent at most once, on a connection of its own.
---@class cloud66.RestyTransport
local resty = {}

---@param http table require "resty.http": lua-resty-http 0.16 or later
---@param options? cloud66.RestyOptions
---@return fun(request: cloud66.TransportRequest): cloud66.TransportResponse?, string?, string?, integer? transport
function resty.new(http, options) end

---@class cloud66.RestyOptions
---Milliseconds. Default 60000.
---@field keepalive_timeout? integer
---Connections for each server. Default 32.
---@field keepalive_pool? integer
