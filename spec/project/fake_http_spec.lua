-- What the fake API sends around its bodies, as it was recorded of the live service; and the logs that the record only names.
-- Asked by a client that is not ours.
local cjson = require "cjson"
local fake = require "spec.support.fake"
local host = require "spec.support.host"

local has_curl = host.output "command -v curl 2>&1" ~= ""

-- Status, headers (lower-case names) and body of a request; more are options of curl.
local function ask(url, ...)
  local options = { "-H", "Authorization: Bearer " .. fake.token, ... }
  for i, option in ipairs(options) do
    options[i] = host.quote(option)
  end
  local output = host.output(("curl -s -i --http1.1 --noproxy '*' --max-time 20 %s %s"):format(table.concat(options, " "), host.quote(url)))
  local head, body = output:match "^(.-)\r\n\r\n(.*)$"
  local headers = {}
  for name, value in head:gmatch "\n([%w-]+): ([^\r]*)" do
    headers[name:lower()] = value
  end
  return tonumber(head:match "^HTTP/1.1 (%d+)"), headers, body
end

-- The same, naming a tag of what there is.
local function ask_again(url, tag, ...)
  return ask(url, "-H", "If-None-Match: " .. tag, ...)
end

local staging = "/stacks/" .. fake.stacks.staging
local session = fake.data.deployments("staging")[1].deploy_session

describe("the fake API", function()
  local it = has_curl and it or pending

  it("sends a strong ETag of the body and the recorded Cache-Control with each 200, of a POST too", function()
    local url = fake.url { world = fake.world().name } .. staging
    local _, first = ask(url .. "/deployments")
    local _, second = ask(url .. "/deployments?page=2")
    local status, posted = ask(url .. "/deployments", "-d", "")
    assert.equal(200, status)
    local _, same = ask(url .. "/deployments?page=3")
    local _, again = ask(url .. "/deployments?page=3")
    for _, headers in ipairs { first, second, posted, same, again } do
      assert.matches('^"%x+"$', headers.etag)
      assert.equal("max-age=0, private, must-revalidate", headers["cache-control"])
      assert.matches("^%d+%.%d+$", headers["x-runtime"])
      assert.is_truthy(headers["x-request-id"])
    end
    assert.not_equal(first.etag, second.etag)
    assert.equal(same.etag, again.etag)
  end)

  it("sends no ETag with anything else, and no-cache", function()
    for status, scenario in pairs { [500] = { error = "server" }, [503] = { error = "throttled" }, [204] = { status = "204" }, [302] = { redirect = "loop" } } do
      local got, headers = ask(fake.url(scenario) .. staging)
      assert.equal(status, got)
      assert.same({ "no-cache" }, { headers["cache-control"], headers.etag })
    end
    local status, headers = ask(fake.url() .. "/nothing")
    assert.same({ 404, "no-cache" }, { status, headers["cache-control"], headers.etag })
  end)

  it("answers what is known with a 304 that has no body", function()
    local url = fake.url() .. staging .. "/deployments"
    local _, first = ask(url)
    for _, tag in ipairs { first.etag, "W/" .. first.etag, '"other", ' .. first.etag, "*" } do
      local status, headers, body = ask_again(url, tag)
      assert.same({ 304, "", first.etag }, { status, body, headers.etag })
      assert.same({ first["cache-control"] }, { headers["cache-control"], headers["content-type"], headers["content-length"] })
    end
    assert.equal(200, (ask_again(url, '"other"')))
    assert.equal(200, (ask_again(url .. "?page=2", first.etag)))
    assert.equal(500, (ask_again(fake.url { error = "server" } .. staging, "*")))
    assert.equal(200, (ask_again(fake.url { world = fake.world().name } .. staging .. "/deployments", "*", "-d", "")))
  end)

  it("counts a 304, or does not, as told", function()
    for scenario, left in pairs { counted = { 9, 8, 7 }, free = { 9, 9, 8 } } do
      local url = fake.url { tag = fake.fresh_tag(), limit = 10, not_modified = scenario } .. staging
      local _, first = ask(url)
      local status, second = ask_again(url, first.etag)
      local _, third = ask_again(url, '"other"')
      assert.equal(304, status)
      for i, headers in ipairs { first, second, third } do
        assert.equal(left[i], tonumber(headers["x-ratelimit-remaining"]), scenario .. i)
      end
    end
  end)

  it("does not look at If-None-Match, or sends no ETag, as told", function()
    local url = fake.url { etag = "ignored" } .. staging
    local _, first = ask(url)
    local status, second = ask_again(url, first.etag)
    assert.same({ 200, first.etag }, { status, second.etag })
    local got, headers = ask_again(fake.url { etag = "none" } .. staging, first.etag)
    assert.same({ 200 }, { got, headers.etag })
  end)

  it("has no logs of an operation, refuses them, or gives them, as told", function()
    local path = "/operations/" .. session .. "/logs"
    assert.equal(404, (ask(fake.url() .. path)))
    assert.equal(403, (ask(fake.url { logs = "forbidden" } .. path)))
    assert.equal(404, (ask(fake.url { logs = "lines" } .. "/operations/nothing/logs")))
    local status, _, body = ask(fake.url { logs = "lines" } .. path .. "?min_severity=4&include_children=true")
    assert.equal(200, status)
    local envelope = cjson.decode(body)
    assert.equal(2, envelope.count)
    assert.same({ 4, session }, { envelope.response[1].v, envelope.response[1].operation_uid })
    local _, _, whole = ask(fake.url { logs = "lines" } .. path)
    assert.equal(3, cjson.decode(whole).count)
    assert.is_nil(cjson.decode(whole).response[1].operation_uid)
  end)

  it("gives the last log of a stack to those who ask for it, as told", function()
    local function last_log(scenario, query)
      local _, _, body = ask(fake.url(scenario) .. staging .. query)
      return cjson.decode(body).response.last_log
    end
    assert.is_string(last_log({ last_log = true }, ".json?show_log=true"))
    assert.is_nil(last_log({ last_log = true }, ".json"))
    assert.is_nil(last_log(nil, ".json?show_log=true"))
  end)
end)
