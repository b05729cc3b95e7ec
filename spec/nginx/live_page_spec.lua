-- The first example of docs/nginx.md: what it costs the account, and what its visitors see where something is wrong.
if not package.loaded.jit then
  return -- nginx's Lua is LuaJIT, and the C modules are those of the Lua that runs this
end

local core = require "cloud66.core"
local eventually = require "spec.support.eventually"
local fake = require "spec.support.fake"
local hour = require "spec.support.hour"
local markdown = require "spec.support.markdown"
local nginx = require "spec.support.nginx"

local UID = fake.stacks.staging
local LIVE = fake.data.deployments "staging"[1].git_hash .. "\n"

local example
for _, block in ipairs(markdown.blocks "docs/nginx.md") do
  example = example or block.kind == "nginx" and block.text or nil
end

describe("the first example of docs/nginx.md", function()
  local server, front, tag

  before_each(function()
    tag = fake.fresh_tag()
  end)

  after_each(function()
    for _, each in pairs { server = server, front = front } do
      each:stop()
    end
    server, front = nil, nil
  end)

  -- The headers of what it sends name the worker, too; each of several gets its share.
  local function start(url, change)
    server = nginx.start {
      text = example, workers = 2, environment = { CLOUD66_URL = url, CLOUD66_TOKEN = fake.token, CLOUD66_ACCESS_TOKEN = false },
      change = function(text)
        text = text:gsub("listen [^;]*", "%0 reuseport; add_header X-Worker $pid always")
        return change and change(text) or text
      end,
    }
  end

  local function begin(name)
    return server:start { url = "/live/" .. name, headers = { "Connection: close" } }
  end

  local function visit(name)
    return server:finish(begin(name))
  end

  -- The responses of n visits, several at once, and how many workers there were in them.
  local function visits(n)
    local waiting, pids, workers = {}, {}, 0
    for i = 1, n do
      waiting[i] = begin "staging"
    end
    for i = 1, n do
      local status, body, headers = server:finish(waiting[i])
      assert.equal(200, status)
      assert.equal(LIVE, body)
      workers = workers + (pids[headers["x-worker"]] and 0 or 1)
      pids[headers["x-worker"]] = true
    end
    return workers
  end

  -- An API that can be made to fail: a place before the fake.
  local function flaky()
    front = nginx.start {
      http = "lua_shared_dict fails 100k;",
      server = ([[
        location = /fail { content_by_lua_block { ngx.shared.fails:set("now", true) } }
        location / {
          rewrite_by_lua_block {
            ngx.shared.fails:incr("requests", 1, 0)
            if ngx.shared.fails:get "now" then
              ngx.status = 502
              ngx.header["Content-Type"] = "application/json"
              ngx.print '{"error":"bad_gateway","details":"words of the API"}'
              ngx.exit(502)
            end
          }
          proxy_pass %s;
        }
        location = /requests { content_by_lua_block { ngx.print(ngx.shared.fails:get "requests" or 0) } }
      ]]):format(fake.url({ tag = tag, ratelimit = "no" }):match "^http://[^/]+"),
    }
    return front:url((fake.url { tag = tag, ratelimit = "no" }):match "^http://[^/]+(.*)")
  end

  local function sees_nothing_of_the_api(status, body)
    assert.equal(503, status)
    assert.is_nil(body:find("words of the API", 1, true), body)
    assert.is_nil(body:find("cloud66", 1, true), body)
  end

  it("makes one request of 60 visits, whichever worker they go to", function()
    start(fake.url { tag = tag, ratelimit = "no" })
    local workers = 0
    for _ = 1, 6 do
      workers = math.max(workers, visits(10))
    end
    assert.equal(2, workers)
    assert.equal(1, #fake.requests(tag))
  end)

  it("asks the API nothing for what is on no list", function()
    start(fake.url { tag = tag, ratelimit = "no" })
    for _, name in ipairs { "stagin", "", "staging/", UID, "..%2fstaging", "Staging", "a%0Ab", ("a"):rep(2000) } do
      local status, body = visit(name)
      assert.equal(404, status, name)
      assert.is_truthy(body:find("404 Not Found", 1, true), body)
    end
    assert.equal(0, #fake.requests(tag))
  end)

  it("says 404 of a stack that is not there any more, and of one of which nothing is live", function()
    for _, case in ipairs { { ("0"):rep(32), "not_found" }, { fake.stacks.brand_new, "none" } } do
      start(fake.url { ratelimit = "no" }, function(text)
        return (text:gsub(UID, case[1]))
      end)
      assert.equal(404, (visit "staging"))
      assert.is_truthy(server:log():find("[warn]", 1, true))
      assert.is_truthy(server:log():find(case[2] .. ": ", 1, true), server:log())
      server:stop()
      server = nil
    end
  end)

  it("shows what is stored while the API fails", function()
    start(flaky(), function(text)
      return (text:gsub("fresh = 60", "fresh = 0.1"))
    end)
    visits(1)
    front:get "/fail"
    core.sleep(0.2)
    visits(20)
    assert.is_true(eventually(function()
      return tonumber((select(2, front:get "/requests"))) > 1
    end))
    visits(20)
    assert.is_nil(server:log():find("[error]", 1, true), server:log())
  end)

  it("says 503 where nothing is stored, and nothing of what the API says", function()
    start(flaky())
    front:get "/fail"
    sees_nothing_of_the_api(visit "staging")
    sees_nothing_of_the_api(visit "staging")
    assert.is_truthy(server:log():find("words of the API", 1, true), server:log())
  end)

  it("says 503 once what is stored is too old", function()
    start(flaky(), function(text)
      return (text:gsub("fresh = 60, stale = 600", "fresh = 0.1, stale = 0.5"))
    end)
    visits(1)
    front:get "/fail"
    core.sleep(0.6)
    sees_nothing_of_the_api(visit "staging")
  end)

  it("says 503 where its own budget is spent", function()
    hour.leave(20)
    start(fake.url { tag = tag, ratelimit = "no" }, function(text)
      text = text:gsub("budget = 1000", "budget = 2")
      return (text:gsub("fresh = 60, stale = 600", "fresh = 0.1, stale = 0.1"))
    end)
    visits(1)
    assert.is_true(eventually(function()
      return (visit "staging") == 503
    end))
    assert.is_true(#fake.requests(tag) <= 2)
  end)

  it("goes on with what is stored after a reload", function()
    start(fake.url { tag = tag, ratelimit = "no" })
    visits(1)
    local old = server:workers()
    server:signal "HUP"
    assert.is_true(eventually(function()
      for _, pid in ipairs(server:workers()) do
        if pid == old[1] or pid == old[2] then return false end
      end
      return #server:workers() == 2
    end))
    visits(10)
    assert.equal(1, #fake.requests(tag))
  end)
end)
