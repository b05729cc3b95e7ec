-- Lua code that specs send to an nginx (nginx.lua), for its workers to run.
local cjson = require "cjson"

local nginx_code = {}

---What a location holds that runs the code in a request's body. The code gets what the request's Arg holds; its value is the
---answer.
nginx_code.LOCATION = [[ content_by_lua_block {
  local cjson = require "cjson"
  ngx.req.read_body()
  local arg = ngx.var.http_arg and cjson.decode(ngx.var.http_arg)
  local ok, value = pcall(assert(loadstring(ngx.req.get_body_data(), "=code")), arg)
  if not ok then value = tostring(value) end
  ngx.print(cjson.encode { ok = ok, value = value })
} ]]

---Starts a request that runs code, at /run unless told otherwise; finish() gives what it comes to.
---@param arg? table  as JSON has it
function nginx_code.begin(server, code, arg, location)
  return server:start {
    url = location or "/run", method = "POST", body = code, headers = { "Arg: " .. cjson.encode(arg or {}) }, timeout = 60000,
  }
end

---The value of the code, once that is there; raises what the code raised.
function nginx_code.finish(server, transfer)
  local status, text = server:finish(transfer)
  assert(status == 200, text)
  local got = cjson.decode(text)
  if not got.ok then
    error(got.value, 2)
  end
  return got.value
end

function nginx_code.run(server, code, arg, location)
  return nginx_code.finish(server, nginx_code.begin(server, code, arg, location))
end

return nginx_code
