-- What comes of responses that are odd, broken or hostile, byte by byte: the same over libcurl and over nginx's own sockets.
local fake = require "spec.support.fake"
local nginx = require "spec.support.nginx"
local nginx_code = require "spec.support.nginx_code"
local odd = require "spec.support.odd_responses"

local MOST = 10000 -- bytes of a body

local function sorted(group)
  local names = {}
  for name in pairs(group) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function check(outcome, name, got)
  local where = ("%s: %s"):format(name, tostring(got.message))
  if outcome == "good" then
    assert.is_not_nil(got.status, where)
    assert.equal(odd.BODY, got.body, where)
  elseif outcome == "bodiless" then
    assert.is_not_nil(got.status, where)
    assert.equal("", got.body, where)
  else
    assert.equal(outcome, got.kind, where)
  end
end

-- Checks all of them with ask(url), which gives {status =, body =} or {kind =, message =}.
local function check_all(ask, differing)
  for outcome, group in pairs(odd.responses) do
    outcome = outcome == "good_over_libcurl_alone" and differing or outcome
    for _, name in ipairs(sorted(group)) do
      local tag = fake.fresh_tag()
      check(outcome, name, ask(fake.url { odd = name, tag = tag } .. "/ping"))
      assert.equal(1, #fake.requests(tag), name)
      check("good", "after " .. name, ask(fake.url { odd = "plain" } .. "/ping"))
    end
  end
end

it("an odd response over libcurl is a response, or an error that says why not", function()
  local send = require("cloud66.transport.curl").new()
  check_all(function(url)
    local response, kind, message = send { method = "GET", url = url, timeout = { total = 5 }, max_body = MOST }
    return response or { kind = kind, message = message }
  end, "good")
end)

it("an error of kind protocol is not asked again, one of kind network is", function()
  local client = require("spec.support.expect").connect
  for _, row in ipairs { { "banner", 1 }, { "two_lengths", 1 }, { "folded_first", 1 }, { "no_colon", 1 }, { "cut_in_header", 2 } } do
    local tag = fake.fresh_tag()
    local value = client({ odd = row[1], tag = tag }, { retries = { attempts = 2, base = 0.001 } }):request("GET", "/ping")
    assert.is_nil(value)
    assert.equal(row[2], #fake.requests(tag), row[1])
  end
end)

if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C module is the one of the Lua that runs this
end

describe("an odd response over nginx's sockets", function()
  local server

  setup(function()
    server = nginx.start { server = "lua_socket_log_errors off; client_body_buffer_size 1m; location /run { " .. nginx_code.LOCATION .. "}" }
  end)
  teardown(function()
    local log = server:log()
    server:stop()
    assert.is_nil(log:find("[error]", 1, true), log)
  end)

  for _, module in ipairs { "spec.support.resty_http", "resty.http" } do
    it("is as over libcurl, with " .. module, function()
      if not nginx_code.run(server, "return (pcall(require, ...))", module) then
        return -- lua-resty-http itself need not be there
      end
      check_all(function(url)
        return nginx_code.run(server, [[
          local arg = ...
          local send = require("cloud66.transport.resty").new(require(arg.module))
          local response, kind, message = send { method = "GET", url = arg.url, timeout = { total = 5 }, max_body = arg.most }
          return response or { kind = kind, message = message }
        ]], { module = module, url = url, most = MOST })
      end, "protocol")
    end)
  end
end)
