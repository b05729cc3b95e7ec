-- What is recorded and documented around the API's objects: an error's body, headers, who is there, and the two files of tokens.
local canned = require "spec.support.canned"
local child = require "spec.support.child"
local cjson = require "cjson"
local cloud66 = require "cloud66"
local documented = require "spec.support.documented"
local expect = require "spec.support.expect"
local host = require "spec.support.host"

local failure, ping = expect.failure, expect.ping

-- As a transport has to give them.
local function headers_of(body)
  local headers = {}
  for name, value in pairs(cjson.decode(body)) do
    headers[name:lower()] = value
  end
  return headers
end

describe("the recorded error", function()
  it("has an id and a text, and no details", function()
    local client = canned.client { status = 500, headers = headers_of(documented.error_headers), body = documented.error }
    local err = failure("server", ping(client))
    assert.same({ 500, "system" }, { err.status, err.code })
    assert.equal("00000000-0000-4000-8000-000000000000", err.server_request_id)
    assert.is_nil(err.retry_after)
    assert.matches("%(HTTP 500, system: An unknown error has occurred%.%)$", err.message)
  end)

  it("reports what is left of the hour, too", function()
    local client = canned.client { status = 500, headers = headers_of(documented.error_headers), body = documented.error }
    failure("server", ping(client))
    local limits = client:limits()
    assert.same({ 3600, 3586, 14, false }, { limits.limit, limits.remaining, limits.used, limits.counted })
  end)
end)

describe("the recorded headers of a 200", function()
  it("report the limit and what is left of it, and no more of the hour", function()
    local client = canned.client { headers = headers_of(documented.headers), body = documented.ping }
    local _, response = assert(ping(client))
    local limits = client:limits()
    assert.same({ 3600, 3595, 5, false }, { limits.limit, limits.remaining, limits.used, limits.counted })
    assert.equal(0, limits.reset_at % 3600)
    for name, value in pairs {
      ["cache-control"] = "max-age=0, private, must-revalidate", ["content-type"] = "application/json; charset=utf-8",
      etag = '"00000000000000000000000000000000"', ["x-ratelimit-limit"] = "3600", ["x-ratelimit-remaining"] = "3595",
      ["x-request-id"] = "00000000-0000-4000-8000-000000000000", ["x-runtime"] = "0.190133", server = "nginx", status = "200 OK",
    } do
      assert.same({ name, value }, { name, response.headers[name] })
    end
    assert.is_nil(response.headers["retry-after"])
    assert.is_nil(response.headers["x-ratelimit-reset"])
  end)
end)

describe("the documented ping", function()
  it("says who is there, without an envelope", function()
    assert.same({
      ok = true, message = "all good. authenticated. User ID is 123. Account ID is 456", user_id = 123, account_id = 456,
      user_name = "John Doe", account_name = "My Company",
    }, ping(canned.client { body = documented.ping }))
  end)
end)

describe("the documented token file", function()
  it("gives its AccessToken, which never expires", function()
    local home = host.directory()
    os.execute("mkdir " .. host.quote(home .. "/.cloud66"))
    host.write(home .. "/.cloud66/cx.json", documented.token_file)
    local output, said = child.run([[
      local client = assert(require("cloud66").new { transport = function(request)
        print(request.headers.Authorization)
        return { status = 200, headers = {}, body = "{}" }
      end })
      assert(client:request("GET", "/ping"))
    ]], "env -u CI -u CLOUD66_TOKEN -u CLOUD66_ACCESS_TOKEN HOME=" .. host.quote(home))
    host.remove(home)
    assert.same({ "Bearer YOUR_TOKEN_GOES_HERE\n", "" }, { output, said })
  end)
end)

describe("the documented reply of the OAuth server", function()
  it("is taken for no deployment, stack or action", function()
    failure("decode", cloud66.decode(documented.oauth))
    for _, call in ipairs { "load", "latest" } do
      local stack = canned.stack(documented.oauth)
      local problem = { stack[call](stack) }
      failure("decode", problem[1], problem[2], problem[3])
      assert.is_nil(problem[2]:find("e72e16c7", 1, true))
    end
    failure("decode", canned.stack(documented.oauth):action(1))
    failure("decode", canned.client({ body = documented.oauth }):stacks():collect())
  end)
end)
