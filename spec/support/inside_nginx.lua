-- An nginx whose workers ask the API by code that specs send them: one at a time, `inside.server`.
local assert = require "luassert"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local nginx_code = require "spec.support.nginx_code"

local inside = {}

---What init_by_lua runs first: the globals that code of specs uses.
inside.INIT = [[
  cjson, cloud66 = require "cjson", require "cloud66"
  function connect(url, options)
    local given = { base_url = url, token = "]] .. fake.token .. [[", retries = false }
    for name, value in pairs(options or {}) do given[name] = value end
    return assert(cloud66.new(given))
  end
  function in_flight()
    return (require "cloud66.curl".engine():step())
  end
]]

---Starts it. Options as for nginx.start(), and `init`, more code for init_by_lua. There is /neighbour, which needs no Lua.
function inside.start(options)
  options = options or {}
  options.http = "init_by_lua_block { " .. inside.INIT .. (options.init or "") .. " }\n" .. (options.http or "")
  options.server = "location /run { " .. nginx_code.LOCATION .. " }\nlocation /neighbour { return 200; }\n" .. (options.server or "")
  inside.server = nginx.start(options)
end

---Ends it; its log must hold no token and nothing grave.
function inside.stop()
  local log = inside.server:log():gsub("%[alert%][^\n]*lua_code_cache is off", "") -- said of each such nginx
  inside.server:stop()
  assert.is_nil(log:find(fake.token, 1, true))
  for _, level in ipairs { "alert", "crit", "emerg" } do
    assert.is_nil(log:find("[" .. level .. "]", 1, true), log)
  end
end

---A request that runs code; finish() gives what it comes to.
function inside.begin(code, arg)
  return nginx_code.begin(inside.server, code, arg)
end

function inside.finish(transfer)
  return nginx_code.finish(inside.server, transfer)
end

function inside.run(code, arg)
  return nginx_code.run(inside.server, code, arg)
end

---Code that asks for the newest deployment of what latest() says; inside.newest is its id in the fake's data.
inside.ASK = [[
  local arg = ...
  local deployment, message, err = connect(arg.url, arg.options):stack(arg.stack):latest()
  return { id = deployment and deployment.id, message = message, kind = err and err.kind }
]]

function inside.latest(scenario, options)
  return { url = fake.url(scenario), stack = fake.stacks.staging, options = options }
end

inside.newest = fake.data.deployments("staging")[1].id

---Whether a process ends within so many seconds.
function inside.ends(pid, seconds)
  return eventually(function()
    return not host.succeeds(("kill -0 %d 2>/dev/null"):format(pid))
  end, seconds)
end

return inside
