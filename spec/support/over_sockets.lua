-- An nginx whose locations /run and /wrong_ca run code that uses cloud66.transport.resty, for specs: one at a time, `over_sockets.server`.
local assert = require "luassert"
local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
local nginx = require "spec.support.nginx"
local nginx_code = require "spec.support.nginx_code"

local over_sockets = {}

---What stands for lua-resty-http, and the real one, which need not be there.
over_sockets.MODULES = { "spec.support.resty_http", "resty.http" }

-- What stands before the code of each spec. `told` gives what a call came to, fit for JSON.
local PRELUDE = [[
  local cjson, cloud66, resty = require "cjson", require "cloud66", require "cloud66.transport.resty"
  local arg = cjson.decode(%q)
  local http = require(arg.module)
  local function connect(url, options, module, settings)
    local given = { base_url = url, token = arg.token, retries = false, transport = resty.new(module or http, settings) }
    for name, value in pairs(options or {}) do given[name] = value end
    return assert(cloud66.new(given))
  end
  local function told(value, message, err)
    return { ok = value ~= nil, message = message, kind = err and err.kind }
  end
  local function request(extra)
    local given = { method = "GET", url = (arg.url or "http://x.example") .. "/stacks.json", headers = { Authorization = "Bearer " .. arg.token },
      timeout = { connect = 2, total = 5 }, max_body = 1e6 }
    for name, value in pairs(extra or {}) do given[name] = value end
    return given
  end
  -- A lua-resty-http whose clients have these methods, and whose socket gives these pieces, or fails with a text among them.
  local function stub(methods, pieces)
    local count = 0
    local function give()
      count = count + 1
      local piece = pieces and pieces[count]
      if piece then return piece end
      return nil, "closed"
    end
    return { new = function()
      local function good() return true end
      local client = { connect = good, send_request = good, set_keepalive = good, close = good,
        sock = { settimeouts = good, receiveany = give, getreusedtimes = function() return 0 end } }
      for name, value in pairs(methods) do client[name] = value end
      return client
    end }
  end
  -- The kind and the message of what a request comes to over a stub.
  local function over(methods, pieces, extra)
    local response, kind, message = resty.new(stub(methods, pieces))(request(extra))
    return { response = response, kind = kind, message = message }
  end
]]

local logged = 0 -- bytes of its log that are from before this spec

function over_sockets.start(options)
  logged = 0
  options = options or {}
  options.level = "info"
  options.server = ([[
    client_body_buffer_size 1m;
    lua_socket_log_errors off;
    location /run { lua_ssl_trusted_certificate %s; %s }
    location /wrong_ca { lua_ssl_trusted_certificate %s/expired.pem; %s }
    %s
  ]]):format(fake.ca, nginx_code.LOCATION, os.getenv "C66_FAKE_DIR", nginx_code.LOCATION, options.server or "")
  over_sockets.server = nginx.start(options)
end

---Starts a request that runs code inside nginx.
function over_sockets.begin(code, values, location)
  local arg = merged({ token = fake.token, module = over_sockets.MODULES[1] }, values)
  return nginx_code.begin(over_sockets.server, PRELUDE:format(cjson.encode(arg)) .. code, nil, location)
end

---Runs code inside nginx; what it returns.
function over_sockets.run(...)
  return nginx_code.finish(over_sockets.server, over_sockets.begin(...))
end

---What GETting the stacks comes to; options for cloud66.new() as JSON has them.
function over_sockets.get(url, options, location)
  return over_sockets.run("return told(connect(arg.url, arg.options):stacks():collect())", { url = url, options = options }, location)
end

function over_sockets.check_failure(kind, pattern, got)
  assert.equal(kind, got.kind, got.message)
  assert.matches(pattern, got.message)
end

---How many sockets the worker has, once that is no more than so many, or after a while.
function over_sockets.sockets(wanted)
  local count
  eventually(function()
    count = over_sockets.server:sockets(over_sockets.server:workers()[1])
    return wanted and count <= wanted
  end, wanted and 3 or 0)
  return count
end

function over_sockets.mark_log()
  logged = #over_sockets.server:log()
end

function over_sockets.check_quiet_log()
  local log = over_sockets.server:log():sub(logged + 1)
  for _, level in ipairs { "error", "alert", "crit", "emerg" } do
    assert.is_nil(log:find("[" .. level .. "]", 1, true), log)
  end
end

function over_sockets.stop()
  local log = over_sockets.server:log()
  over_sockets.server:stop()
  assert.is_nil(log:find(fake.token, 1, true))
  assert.is_nil(log:find("[alert]", 1, true), log)
end

function over_sockets.is_found(module)
  return over_sockets.run("return (pcall(require, arg.wanted))", { wanted = module })
end

return over_sockets
