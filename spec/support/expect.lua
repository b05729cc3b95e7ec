-- What many specs say in the same words: a client of the fake API, and what must raise or fail.
local assert = require "luassert"
local cloud66 = require "cloud66"
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"

local expect = {}

-- A client that asks for a scenario and does not try again; options as for cloud66.new().
function expect.connect(scenario, options)
  local client, message = cloud66.new(merged({ base_url = fake.url(scenario), token = fake.token, retries = false }, options))
  if not client then
    error(message, 2)
  end
  return client
end

-- The smallest call there is.
function expect.ping(client)
  return client:request("GET", "/ping/auth")
end

-- A stack of the fake's, by its readable name.
function expect.stack_of(name, scenario)
  return expect.connect(scenario):stack(fake.stacks[name])
end

-- The message of what fn(...) raises.
function expect.raised(fn, ...)
  local ok, problem = pcall(fn, ...)
  assert.is_false(ok, "it did not raise")
  assert.is_string(problem)
  return problem
end

-- Calls fn, which must raise with a text that has the pattern; gives that text.
function expect.raises(pattern, fn)
  local problem = expect.raised(fn)
  assert.matches(pattern, problem)
  return problem
end

-- Calls fn with each value; all of these calls must raise, with a text that has the pattern.
function expect.each_raises(pattern, values, fn)
  local wrong = {}
  for _, value in ipairs(values) do
    local shown = type(value) == "table" and "{" .. tostring(next(value)) .. " ...}" or tostring(value)
    local ok, problem = pcall(fn, value)
    if ok then
      wrong[#wrong + 1] = shown .. " did not raise"
    elseif not tostring(problem):find(pattern) then
      wrong[#wrong + 1] = shown .. " raised: " .. tostring(problem)
    end
  end
  assert.same({}, wrong)
end

-- Checks that these are the three results of a failure, and returns the err object.
function expect.failure(kind, value, message, err)
  assert.is_nil(value)
  assert.is_string(message)
  assert.equal(kind, message:match "^([%w_]+): ", message)
  assert.is_table(err)
  assert.equal(kind, err.kind)
  assert.equal(message, err.message)
  assert.equal(message, tostring(err))
  return err
end

return expect
