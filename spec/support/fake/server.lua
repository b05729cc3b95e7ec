-- One request through the fake, inside nginx: read, record, answer, send.
-- luacheck: globals ngx
local access = require "spec.support.fake.access"
local api = require "spec.support.fake.api"
local data = require "spec.support.data"
local errors = require "spec.support.fake.errors"
local exchange = require "spec.support.fake.exchange"
local recorder = require "spec.support.fake.recorder"
local revalidation = require "spec.support.fake.revalidation"
local scenario = require "spec.support.fake.scenario"
local sender = require "spec.support.fake.sender"
local world = require "spec.support.fake.world"

local server = {}

---In the master process, before the workers start.
function server.start(directory, http_port)
  recorder.open(directory .. "/requests.jsonl")
  ngx.shared.state:set("http_port", http_port)
end

local function count(name, step)
  return ngx.shared.state:incr(name, step or 1, 0)
end

local function has_fault_now(x)
  local on, times = x.values.on, x.values.times
  if on and on ~= x.kind and not (on == "page" .. x.page) then
    return false
  elseif x.values.stack and data.uids[x.values.stack] ~= x.segments[4] then
    return false
  end
  return not times or count("times:" .. x.values.tag) <= times
end

local function answer(x)
  scenario.apply("begin", x.values, x)
  local handler, refusal = api.route(x)
  if not has_fault_now(x) then
    scenario.drop_faults(x.values)
  end
  if x.limit then
    x.used = count("limit:" .. x.values.tag)
    if x.used > x.limit then
      return errors.reply("throttled", x)
    end
  end
  local reply = scenario.apply("answer", x.values, nil, x)
  if reply then
    if x.values.accepted and x.kind == "redeploy" and handler and not access.check(x) then
      handler() -- carried out all the same
    end
    return reply
  end
  local denied = access.check(x) or not x.page and "bad_request"
  return denied and errors.reply(denied, x) or api.reply(x, handler, refusal)
end

-- How many requests the hour has left, this one counted.
local function remaining(x, status)
  local is_free = status == 304 and x.values.not_modified == "free"
  if not x.limit then
    return 3600 - count("requests", is_free and 0 or 1) % 3600
  elseif is_free then
    x.used = count("limit:" .. x.values.tag, -1)
  end
  return math.max(0, x.limit - x.used)
end

local function usual_headers(headers, x, status)
  if x.world.offset ~= 0 then
    headers["Date"] = ngx.http_time(x.world.now)
  end
  headers["X-RateLimit-Limit"] = x.limit or 3600
  headers["X-RateLimit-Remaining"] = remaining(x, status)
  headers["X-Request-Id"] = ("fake-%08x"):format(count "request_id")
  headers["X-Runtime"] = ("%.6f"):format(ngx.now() - ngx.req.start_time())
  return headers
end

function server.handle()
  local x, problem = exchange.read()
  if not x then
    return sender.send { status = 599, body = "fake API: " .. problem .. "\n", type = "text/plain", headers = {} }
  end
  if x.values.tag then
    ngx.ctx.flying = "flying:" .. x.values.tag
    x.in_flight = count(ngx.ctx.flying)
  end
  recorder.write(x)
  world.enter(x)
  local reply = revalidation.apply(answer(x), x)
  reply.headers = usual_headers(reply.headers, x, reply.status)
  return sender.send(scenario.apply("send", x.values, reply, x))
end

---In nginx's log phase, which comes however a request ends.
function server.over()
  if ngx.ctx.flying then
    ngx.shared.state:incr(ngx.ctx.flying, -1)
  end
end

return server
