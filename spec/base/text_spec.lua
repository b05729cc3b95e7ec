-- Texts that are not UTF-8: they would make JSON that nobody can read, and are refused before anything is sent.
local core = require "cloud66.core"
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local in_world = require "spec.support.in_world"

local BAD = "caf\233" -- Latin-1
local VALID = { "", "abc", "caf\195\169", "\226\130\172", "\240\159\154\128", "\244\143\191\191", "\237\159\191", "\238\128\128", "a\0b", "\127" }
local INVALID = { -- and the place of the first byte that is wrong
  { "\128", 1 }, { "a\255", 2 }, { "caf\233", 4 }, { "\195", 1 }, { "ab\195", 3 }, { "\195(", 1 }, { "\192\128", 1 }, { "\193\191", 1 },
  { "\226\130", 1 }, { "\226\130x", 1 }, { "\224\159\191", 1 }, { "\237\160\128", 1 }, { "\240\143\191\191", 1 }, { "\244\144\128\128", 1 },
  { "\245\128\128\128", 1 }, { "\240\159\154", 1 }, { "\195\169\226\130\172\240\159\154\128\191", 10 }, { "a\0\255", 3 },
}

describe("core.utf8_problem()", function()
  it("tells where a text ceases to be UTF-8", function()
    for _, text in ipairs(VALID) do
      assert.is_nil(core.utf8_problem(text))
    end
    for _, case in ipairs(INVALID) do
      assert.equal(case[2], core.utf8_problem(case[1]))
      assert.equal(case[2] + #VALID[9], core.utf8_problem(VALID[9] .. case[1]))
    end
  end)

  it("agrees with the reader of JSON on all texts of two bytes, and on such after a lead byte", function()
    local function agree(text)
      local reads = core.json('"' .. text .. '"') ~= nil
      if reads ~= (core.utf8_problem(text) == nil) then
        error(("they differ on %q"):format(text))
      end
    end
    for first = 128, 255 do
      for second = 128, 255 do
        local two = string.char(first, second)
        agree(two)
        agree(two .. "\128")
        agree(two .. "\191\191")
      end
    end
  end)

  it("takes strings alone", function()
    for _, value in ipairs { 5, true, {} } do
      assert.is_false((pcall(core.utf8_problem, value)))
    end
    assert.is_false((pcall(core.utf8_problem)))
  end)
end)

-- Each of them sends what it is given, or would, as a text of JSON, of a URL or of a header.
local CALLS = {
  ["option 'git_ref'"] = function(stack, text) stack:redeploy { git_ref = text } end,
  ["option 'deployment_profile'"] = function(stack, text) stack:redeploy { git_ref = "main", deployment_profile = text } end,
  ["option 'deploy_strategy'"] = function(stack, text) stack:redeploy { git_ref = "main", deploy_strategy = text } end,
  ["option 'rollout_strategy'"] = function(stack, text) stack:redeploy { git_ref = "main", rollout_strategy = text } end,
  ["option 'user_reference'"] = function(stack, text) stack:redeploy { git_ref = "main", user_reference = text } end,
  ["a service"] = function(stack, text) stack:redeploy { services = { text } } end,
  ["option 'services'"] = function(stack, text) stack:redeploy { services = text } end,
  ["a service "] = function(stack, text) stack:redeploy { services = { [text] = true } } end,
  ["option 'user_reference' "] = function(stack, text) stack:ensure("abcdef0", { user_reference = text }) end,
  ["git_hash"] = function(stack, text) stack:ensure(text) end,
  ["option 'user_reference'  "] = function(stack, text) stack:actions { user_reference = text } end,
  ["user_reference"] = function(stack, text) stack:wait { user_reference = text } end,
  ["criterion 'name'"] = function(_, text, client) client:find_stack { name = text } end,
  ["criterion 'environment'"] = function(_, text, client) client:find_stack { name = "api", environment = text } end,
  ["option 'user_agent'"] = function(_, text, client) client:with { user_agent = text } end,
  ["option 'account'"] = function(_, text, client) client:with { account = text } end,
  ["option 'token'"] = function(_, text, client) client:with { token = text } end,
  ["option 'base_url'"] = function(_, text, client) client:with { base_url = text } end,
}

-- Where a NUL has a meaning, or is refused in another way.
local FREE_CALLS = {
  ["a stack's uid"] = function(_, text, client) client:stack(text) end,
  ["number 2 of the list"] = function(_, text, client) client:deployments { "x", text } end,
  ["'a' of option 'query'"] = function(_, text, client) client:request("GET", "/stacks", { query = { a = text } }) end,
  ["a name in option 'query'"] = function(_, text, client) client:request("GET", "/stacks", { query = { [text] = 1 } }) end,
  ["a text in the body"] = function(_, text, client) client:request("POST", "/x", { body = { { a = text } } }) end,
  ["a text in the body "] = function(_, text, client) client:request("POST", "/x", { body = { [text] = 1 } }) end,
}

local function each_refuses(calls, text, reason)
  local stack, _, tag = in_world.begin()
  local client = expect.connect { tag = tag }
  for name, call in pairs(calls) do
    local problem = expect.raised(call, stack, text, client)
    assert.matches("text_spec%.lua:%d+: ", problem)
    assert.equal(name:match "^(.-) *$" .. " " .. reason, problem:match ": (.*)$")
    assert.is_nil(core.utf8_problem(problem))
  end
  assert.same({}, fake.requests(tag))
end

describe("a text that goes to the API", function()
  it("is refused where it is not UTF-8, with the byte, and nothing is sent", function()
    each_refuses(CALLS, BAD, "is not UTF-8: byte 4 of 4; convert it first")
    each_refuses(FREE_CALLS, BAD, "is not UTF-8: byte 4 of 4; convert it first")
    each_refuses(CALLS, "\195\169\237\160\128x", "is not UTF-8: byte 3 of 6; convert it first")
  end)

  it("is refused where it holds a NUL, with the byte", function()
    each_refuses(CALLS, "a\0b", "holds a control character, such as a line break or a NUL: byte 2 of 3")
  end)

  it("is refused in a path that is encoded", function()
    local client = expect.connect()
    expect.raises("path, decoded, is not UTF%-8: byte 2 of 2", function() client:request("GET", "/%E9") end)
    expect.raises("path, decoded, is not UTF%-8: byte 5 of 5", function() client:request("GET", "x/y%e9") end)
    assert.is_truthy(select(3, client:request("GET", "/stacks/caf%C3%A9")).kind == "not_found")
  end)

  it("is refused in a header of a token's function", function()
    local client = expect.connect(nil, { token = function() return BAD end })
    expect.failure("auth", client:request("GET", "/ping"))
  end)

  it("is sent as it is where it is UTF-8", function()
    local stack, _, tag = in_world.begin()
    local text = "caf\195\169-\240\159\154\128"
    assert(stack:redeploy { git_ref = text, services = { text }, user_reference = text, deployment_profile = text })
    local body = core.json(fake.requests(tag, "POST")[1].body)
    assert.same({ text, text, text, { text } }, { body.git_ref, body.user_reference, body.deployment_profile, body.services })
    assert.equal(1, (stack:actions({ user_reference = text }):count()))
    assert(expect.connect(nil, { account = text, user_agent = text }):request("GET", "/ping"))
  end)
end)

describe("a text that stays on this machine", function()
  it("may be in any encoding", function()
    assert(cloud66.new { token = "x", ca_file = "/" .. BAD, proxy = "http://me:" .. BAD .. "@127.0.0.1:1" })
    local _, problem = pcall(cloud66.store.redis, { path = "/" .. BAD, username = BAD, password = BAD }) -- redis-lua may be missing
    assert.not_matches("UTF", tostring(problem))
  end)

  it("holds no NUL", function()
    for _, options in ipairs { { ca_file = "a\0b" }, { proxy = "http://x\0b" } } do
      options.token = "x"
      expect.raises("holds a control character, .* byte %d", function() cloud66.new(options) end)
    end
    expect.raises("holds a control character, .* byte 2 of 3", function() cloud66.store.redis { password = "a\0b" } end)
  end)
end)
