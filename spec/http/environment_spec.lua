-- What cloud66.new() makes of the environment and the toolbelt's token file, in interpreters of their own.
local fake = require "spec.support.fake"
local host = require "spec.support.host"

local inherited = { "PATH", "LUA_PATH", "LUA_CPATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" }

-- Runs a program in a new interpreter that sees these variables and hardly any others; gives what it prints.
local function child(environment, program)
  local path = host.file(program)
  local words = { "env", "-i" }
  for _, name in ipairs(inherited) do
    local value = os.getenv(name)
    words[#words + 1] = value and host.quote(name .. "=" .. value)
  end
  for name, value in pairs(environment) do
    words[#words + 1] = host.quote(name .. "=" .. value)
  end
  words[#words + 1] = host.quote(os.getenv "C66_LUA") .. " " .. host.quote(path)
  local output = host.output(table.concat(words, " ") .. " 2>&1")
  os.remove(path)
  return (output:gsub("%s+$", ""))
end

-- Asks the API who is there, with settings from the environment alone.
local ask = [[
  local client, message, err = require("cloud66").new()
  if not client then
    print("refused " .. err.kind .. " " .. message)
  else
    local answer, problem = client:request("GET", "/ping/auth")
    print((answer and "asked with " or "turned down with ") .. client.token_source .. " " .. (problem and not answer and problem or ""))
  end
]]

local function ask_with(environment)
  environment.CLOUD66_URL = environment.CLOUD66_URL or fake.url()
  return child(environment, ask)
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function to_base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for k = 3, 0, -1 do
      local six = math.floor(n / 64 ^ k) % 64
      out[#out + 1] = alphabet:sub(six + 1, six + 1)
    end
    if not b then
      out[#out - 1] = "="
    end
    if not c then
      out[#out] = "="
    end
  end
  return table.concat(out)
end

local function token_file(token)
  return ('{"AccessToken":"%s","RefreshToken":"","Expiry":"0001-01-01T00:00:00Z","Extra":null}\n'):format(token)
end

-- Calls fn with a home directory whose token file holds this text.
local function with_home(text, fn)
  local home = host.directory()
  os.execute("mkdir " .. host.quote(home .. "/.cloud66"))
  local path = home .. "/.cloud66/cx.json"
  if text then
    host.write(path, text)
  end
  local ok, problem = pcall(fn, home, path)
  host.remove(home)
  if not ok then
    error(problem, 0)
  end
end

describe("the environment", function()
  it("gives a raw token in CLOUD66_TOKEN", function()
    assert.equal("asked with CLOUD66_TOKEN", ask_with { CLOUD66_TOKEN = fake.token })
  end)

  it("gives a raw token in CLOUD66_ACCESS_TOKEN", function()
    assert.equal("asked with CLOUD66_ACCESS_TOKEN", ask_with { CLOUD66_ACCESS_TOKEN = fake.token })
  end)

  it("gives the toolbelt's token file as base64 in CLOUD66_TOKEN", function()
    for padding = 0, 2 do
      local encoded = to_base64(token_file(fake.token) .. (" "):rep(padding))
      assert.equal("asked with CLOUD66_TOKEN", ask_with { CLOUD66_TOKEN = encoded })
      assert.equal("asked with CLOUD66_TOKEN", ask_with { CLOUD66_TOKEN = (encoded:gsub("=", "")) })
    end
  end)

  it("gives base64 in CLOUD66_TOKEN with the line breaks of `base64`", function()
    local encoded = to_base64(token_file(fake.token))
    assert.is_true(#encoded > 76)
    for _, ending in ipairs { "\n", "\r\n" } do
      local lines = encoded:gsub(("."):rep(76), "%0" .. ending) .. ending
      assert.equal("asked with CLOUD66_TOKEN", ask_with { CLOUD66_TOKEN = lines })
    end
  end)

  it("refuses base64 of a token file that is cut off or holds no token", function()
    local whole = token_file "a-secret-token"
    for _, text in ipairs { whole:sub(1, 40), "{}", '{"AccessToken":""}', '{"AccessToken":null}', '{"AccessToken":5}' } do
      local output = ask_with { CLOUD66_TOKEN = to_base64(text), CLOUD66_ACCESS_TOKEN = fake.token }
      assert.matches("^refused auth auth: .*CLOUD66_TOKEN", output)
      assert.not_matches("a%-secret", output)
    end
  end)

  it("takes base64 of anything else for a raw token", function()
    assert.matches("^turned down with CLOUD66_TOKEN auth: ", ask_with { CLOUD66_TOKEN = to_base64 "not a token file" })
  end)

  it("takes a raw token that happens to decode to a brace and bytes that are no text", function()
    local raw = "exAnRaNd0mT0kenOfFortyThreeCharactersInAll1" -- decodes to "{" 0x10 0x27 ...
    for _, name in ipairs { "CLOUD66_TOKEN", "CLOUD66_ACCESS_TOKEN" } do
      assert.matches("^turned down with " .. name .. " auth: ", ask_with { [name] = raw })
    end
  end)

  it("refuses a token that is set but empty, whatever comes after it", function()
    with_home(token_file(fake.token), function(home)
      local output = ask_with { CLOUD66_TOKEN = "", CLOUD66_ACCESS_TOKEN = fake.token, HOME = home }
      assert.matches("^refused auth auth: .*CLOUD66_TOKEN.*empty", output)
      assert.matches("^refused auth auth: .*CLOUD66_ACCESS_TOKEN.*empty", ask_with { CLOUD66_ACCESS_TOKEN = "", HOME = home })
      assert.matches("^refused auth ", ask_with { CLOUD66_TOKEN = " \n", CLOUD66_ACCESS_TOKEN = fake.token })
    end)
  end)

  it("refuses a token with white space or control characters, without showing it", function()
    local wrong = { "sec-ret token", "sec-ret\n", "sec-ret\r\nX-Injected: yes", "\tsec-ret", "sec-ret\27[31m", "sec-ret\195\188" }
    for _, token in ipairs(wrong) do
      for _, name in ipairs { "CLOUD66_TOKEN", "CLOUD66_ACCESS_TOKEN" } do
        local output = ask_with { [name] = token }
        assert.matches("^refused auth auth: .*" .. name, output)
        assert.not_matches("sec%-ret", output)
      end
    end
  end)

  it("is asked in the order CLOUD66_TOKEN, CLOUD66_ACCESS_TOKEN, token file", function()
    with_home(token_file "nobody", function(home)
      local other = "another-token"
      assert.equal("asked with CLOUD66_TOKEN", ask_with { CLOUD66_TOKEN = fake.token, CLOUD66_ACCESS_TOKEN = other, HOME = home })
      assert.equal("asked with CLOUD66_ACCESS_TOKEN", ask_with { CLOUD66_ACCESS_TOKEN = fake.token, HOME = home })
      assert.matches("^turned down with CLOUD66_TOKEN ", ask_with { CLOUD66_TOKEN = other, CLOUD66_ACCESS_TOKEN = fake.token })
    end)
  end)

  it("is told what to do where there is no token at all", function()
    with_home(nil, function(home)
      for _, environment in ipairs { { HOME = home }, {}, { HOME = "" } } do
        local output = ask_with(environment)
        assert.matches("^refused auth auth: ", output)
        assert.matches("CLOUD66_TOKEN", output)
      end
    end)
  end)

  it("gives the address in CLOUD66_URL, bare or whole", function()
    for _, url in ipairs { fake.url(), fake.url() .. "/", (fake.url():gsub("/api/3$", "")) } do
      assert.equal("asked with CLOUD66_TOKEN", ask_with { CLOUD66_TOKEN = fake.token, CLOUD66_URL = url })
    end
  end)

  it("is held to the rules of base_url in CLOUD66_URL", function()
    for _, url in ipairs { "http://example.com", "https://user:s3cret@example.com", "example.com", "", " " } do
      local output = ask_with { CLOUD66_TOKEN = fake.token, CLOUD66_URL = url }
      assert.matches("CLOUD66_URL", output)
      assert.not_matches("s3cret", output)
      assert.not_matches("asked with", output)
      assert.not_matches("turned down", output)
    end
  end)

  it("leads to app.cloud66.com where it names no address", function()
    local output = child({ CLOUD66_TOKEN = "a-token" }, [[
      require("cloud66").new { transport = function(request)
        print(request.url)
        return { status = 200, headers = {}, body = "{}" }
      end }:request("GET", "/ping")
    ]])
    assert.equal("https://app.cloud66.com/api/3/ping", output)
  end)

  it("gives way to the options", function()
    local output = child({ CLOUD66_TOKEN = "", CLOUD66_URL = "ftp://nowhere" }, ([[
      local client = assert(require("cloud66").new { base_url = %q, token = %q })
      print(client:request("GET", "/ping/auth") and client.token_source:find("CLOUD66") == nil)
    ]]):format(fake.url(), fake.token))
    assert.equal("true", output)
  end)
end)

describe("the toolbelt's token file", function()
  it("gives the token", function()
    with_home(token_file(fake.token), function(home, path)
      assert.equal("asked with " .. path, ask_with { HOME = home })
    end)
  end)

  it("is not read where CI is set", function()
    with_home(token_file(fake.token), function(home)
      assert.matches("^refused auth ", ask_with { HOME = home, CI = "true" })
    end)
  end)

  it("is not read inside nginx", function()
    with_home(token_file(fake.token), function(home)
      local output = child({ HOME = home, CLOUD66_URL = fake.url() }, [[
        ngx = { get_phase = function() return "content" end, sleep = print, now = os.time, worker = {} }
        local client, message, err = require("cloud66").new()
        print(client, err.kind, message)
      ]])
      assert.matches("^nil%s+auth%s+auth: .*env CLOUD66_TOKEN", output)
    end)
  end)

  it("is an error where it is broken, and is not shown", function()
    local whole = token_file "a-secret-token"
    local broken = { whole:sub(1, 40), "", "null", "[]", "{}", '{"AccessToken":""}', token_file "a-secret token", "a-secret-token" }
    for _, text in ipairs(broken) do
      with_home(text, function(home, path)
        local output = ask_with { HOME = home }
        assert.equal("refused auth auth: ", output:sub(1, 19))
        assert.is_truthy(output:find(path, 1, true), output)
        assert.not_matches("a%-secret", output)
      end)
    end
  end)

  it("is not read where the option `token` is given", function()
    with_home("broken", function(home)
      local output = child({ HOME = home, CLOUD66_URL = fake.url() }, ([[
        print(assert(require("cloud66").new { token = %q }):request("GET", "/ping/auth") ~= nil)
      ]]):format(fake.token))
      assert.equal("true", output)
    end)
  end)
end)
