-- Processes with one Redis and one reference that begin at any moment and are killed at any other: the fake API never gets two POSTs.
local fake = require "spec.support.fake"
local host = require "spec.support.host"
local random_from = require "spec.support.random_from"
local redis = require "spec.support.redis"
local thorough = require "spec.support.thorough"

if not redis.is_installed() or not redis.has_library() or not thorough then
  describe("processes that race", function()
    pending "in the thorough lane, where redis-server and this Lua's library for it are installed"
  end)
  return
end

local RACES = tonumber(os.getenv "C66_RACES") or 24
local AT_ONCE = 12

-- Redeploys, or ensures, after a pause; prints the kind of a failure, or the action's id and "sent" or "joined".
local PROGRAM = redis.PREAMBLE .. [[

  local core = require "cloud66.core"
  local cloud66 = require "cloud66"
  local url, uid, pause, call = arg[1], arg[2], tonumber(arg[3]), arg[4]
  local options = { claim = tonumber(arg[5]), settle = 6 }
  core.sleep(pause)
  local client = assert(cloud66.new { base_url = url, token = %q, timeout = 5, retries = false,
    store = cloud66.store.redis { port = %d, timeout = 10 } })
  local stack = client:stack(uid)
  if call == "ensure" then
    options.interval = 0.5
    local deployment, info, err = stack:ensure(arg[6], options)
    print(deployment and info.ensured or err.kind)
  else
    options.git_ref, options.user_reference = "main", arg[6]
    local result, _, err = stack:redeploy(options)
    print(result and (result.joined and "joined " or "sent ") .. tostring(result.async_action_id) or err.kind)
  end
]]

describe("processes that race", function()
  local server, path
  local seed = tonumber(os.getenv "C66_SEED") or 7000

  setup(function()
    server = redis.start()
    server:cli(("set cloud66:since:1:claims %d"):format(os.time() - 3600)) -- else each would look twice
    path = host.file(PROGRAM:format(fake.token, server.port))
  end)

  teardown(function()
    os.remove(path)
    server:remove()
  end)

  -- The shell's command of a race, which writes a line for each process that lives to its end: some at once, then one that finds
  -- whatever these have left.
  local function command_of(race, call)
    local random = random_from(race.seed)
    local function some(most)
      return random(1000) / 1000 * most
    end
    local url = fake.url { world = race.world.name, tag = race.tag, lag_actions = race.lag, lag_deployments = race.lag,
      lag_turns = random(3) == 0 and race.lag and "yes" or nil, on = "redeploy", delay = random(3) > 0 and 0.2 + some(0.8) or nil, queue = 1, takes = 1 }
    local function process(pause, kill)
      return ("%s '%s' '%s' '%s' '%s' %.3f %s %g %s 2>&1"):format(kill, os.getenv "C66_LUA", path, url, fake.stacks.staging, pause, call,
        race.claim, ("%07x"):format(race.seed):rep(3))
    end
    local parts = {}
    for i = 1, 2 + random(2) do
      parts[i] = "{ " .. process(some(1), random(2) == 0 and ("timeout -s KILL %.3f"):format(0.05 + some(1.5)) or "") .. " || :; } &"
    end
    return ("{ { %s wait; }; %s; } 2>/dev/null"):format(table.concat(parts, " "), process(some(1), ""))
  end

  local function run(count, call, lag_of, claim, check)
    local wrong = {}
    for first = 1, count, AT_ONCE do
      local races, parts = {}, {}
      for i = first, math.min(count, first + AT_ONCE - 1) do
        seed = seed + 1
        local race = { seed = seed, world = fake.world(), tag = fake.fresh_tag(), claim = claim, lag = lag_of(i) }
        races[#races + 1] = race
        race.output = ("%s.%d"):format(path, i)
        parts[#parts + 1] = ("{ %s; } >%s &"):format(command_of(race, call), race.output)
      end
      os.execute(table.concat(parts, " ") .. " wait")
      for _, race in ipairs(races) do
        local problem = check(#fake.requests(race.tag, "POST"), host.read(race.output) or "")
        wrong[#wrong + 1] = problem and ("race %d: %s"):format(race.seed, problem) or nil
        os.remove(race.output)
      end
    end
    assert.same({}, wrong)
  end

  -- Whether all said that they have sent or joined the one action; one that was killed after it sent has said nothing.
  local function all_of_one(posts, output)
    local id
    for line in output:gmatch "[^\n]+" do
      local action = line:match "^%l+ (%d+)$"
      if line ~= "ambiguous" and line ~= "Killed" and (not action or (id and id ~= action)) then
        return output
      end
      id = id or action
    end
    return posts > 1 and ("%d POSTs: %s"):format(posts, output) or output:gsub("Killed\n", "") == "" and "nobody has ended" or nil
  end

  it("send one redeploy, listed later than it was sent or not", function()
    run(RACES, "redeploy", function(i) return i % 3 > 0 and i % 3 or nil end, 4, all_of_one)
  end)

  it("send one where it is listed later than the claim's time", function()
    run(math.floor(RACES / 3), "redeploy", function() return 8 end, 2, all_of_one)
  end)

  it("send one to make a commit live", function()
    run(math.floor(RACES / 3), "ensure", function(i) return i % 2 > 0 and 1 or nil end, 4, function(posts, output)
      local without = output:gsub("Killed\n", ""):gsub("%l+\n", { ["live\n"] = "", ["joined\n"] = "", ["deployed\n"] = "", ["ambiguous\n"] = "" })
      return (posts > 1 or without ~= "") and ("%d POSTs: %s"):format(posts, output) or nil
    end)
  end)
end)
