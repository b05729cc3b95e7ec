-- What a server sends without being asked, over nginx's own sockets: no request gets it, and none fails by it. The bytes are in
-- spec/support/strays.lua, and spec/transport/stray_spec.lua sends them to libcurl.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C module is the one of the Lua that runs this
end

local core = require "cloud66.core"
local curl = require "cloud66.curl"
local fake = require "spec.support.fake"
local nginx = require "spec.support.nginx"
local nginx_code = require "spec.support.nginx_code"
local strays = require "spec.support.strays"

local schemes = {
  http = { origin = "http://127.0.0.1:", options = {} },
  https = { origin = "https://localhost:", options = { certificates = fake.ca:match "^(.*)/" } },
}

local PRELUDE = [[
  local arg = ...
  local transport = require("cloud66.transport.resty").new(require(arg.module))
  local function ask(path, method)
    local response, kind, message = transport { url = arg.origin .. path, method = method, timeout = { total = 10 } }
    if not response then error(kind .. ": " .. message) end
    return { status = response.status, body = response.body }
  end
]]

local server

local function begin(module, origin, code)
  return nginx_code.begin(server, PRELUDE .. code, { module = module, origin = origin })
end

local function run(...)
  return nginx_code.finish(server, begin(...))
end

-- lua-resty-http itself need not be there, and nginx finds no localhost for it, which the certificate is for.
local function is_possible(module, scheme)
  return nginx_code.run(server, "return (pcall(require, ...))", module) and not (module == "resty.http" and scheme == "https")
end

-- The first request of a connection, which gets what it should.
local function first(module, origin, scenario)
  local got = run(module, origin, ("return ask('/first', %q)"):format(scenario.method or "GET"))
  assert.equal(scenario.status or 200, got.status)
  assert.equal((scenario.method or scenario.status) and "" or strays.OWN_BODY, got.body)
end

-- How many requests and connections the peer has seen, when it is asked for this path.
local function counts(body, path)
  assert.matches('"path": "' .. path .. '"', body, 1, true)
  return tonumber(body:match '"requests": (%d+)'), tonumber(body:match '"connections": (%d+)')
end

local function proper(module, origin, path)
  return counts(run(module, origin, ("return ask(%q)"):format(path)).body, path)
end

describe("over nginx's sockets", function()
  setup(function()
    server = nginx.start {
      server = ([[ lua_socket_log_errors off; client_body_buffer_size 1m; lua_ssl_trusted_certificate %s; location /run { %s } ]]):format(
        fake.ca, nginx_code.LOCATION),
    }
  end)
  teardown(function()
    local log = server:log()
    server:stop()
    assert.is_nil(log:find("[error]", 1, true), log)
  end)

  for _, module in ipairs { "spec.support.resty_http", "resty.http" } do
    for scheme, way in pairs(schemes) do
      local function with_peer(scenario, fn)
        strays.with(scenario, way.options, function(port, send_later)
          fn(way.origin .. port, send_later)
        end)
      end

      it(("no request gets what nobody asked for, over %s, with %s"):format(scheme, module), function()
        if not is_possible(module, scheme) then
          return
        end
        for _, scenario in ipairs(strays.scenarios) do
          with_peer(scenario, function(origin, send_later)
            first(module, origin, scenario)
            send_later()
            local requests, connections = proper(module, origin, "/second")
            assert.equal(2, requests, scenario.name)
            assert.equal(2, connections, scenario.name)
            requests, connections = proper(module, origin, "/third")
            assert.equal(3, requests, scenario.name)
            assert.equal(2, connections, scenario.name)
          end)
        end
      end)

      it(("a connection that nothing was sent on is used again, over %s, with %s"):format(scheme, module), function()
        if not is_possible(module, scheme) then
          return
        end
        with_peer({ first = { strays.OWN } }, function(origin)
          first(module, origin, {})
          for i = 2, 20 do
            assert.same({ i, 1 }, { proper(module, origin, "/" .. i) })
          end
        end)
      end)

      it(("nor where the worker was busy when it came, over %s, with %s"):format(scheme, module), function()
        if not is_possible(module, scheme) then
          return
        end
        for _, ending in ipairs { { later = { strays.STRAY } }, { later = { "" }, closes = true } } do
          with_peer({ first = { strays.OWN }, later = ending.later, closes = ending.closes }, function(origin, send_later)
            local transfer = begin(module, origin, [[
              ask "/first"
              local stop = os.clock() + 0.4
              repeat until os.clock() > stop
              return ask "/second"
            ]])
            local stop = core.monotonic() + 0.15
            while core.monotonic() < stop do
              curl.engine():wait(20)
            end
            send_later()
            local requests, connections = counts(nginx_code.finish(server, transfer).body, "/second")
            assert.same({ 2, 2 }, { requests, connections })
          end)
        end
      end)
    end
  end
end)
