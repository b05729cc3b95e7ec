-- Polls over replicas that are behind: small worlds by chance, in which each thing happens once and is told once.
local cjson = require "cjson"
local in_world = require "spec.support.in_world"
local random = require "spec.support.fake.random"
local thorough = require "spec.support.thorough"

local WORLDS = thorough and 80 or 15
local LONGEST_LAG = 40 -- seconds

-- What is to happen: { at, act } in order, seconds from the first poll on. `made` gets the deployments.
local function plan(dice, world, made)
  local moments = {}
  for i = 1, dice.between(2, 3) do
    local start = dice.between(i == 1 and dice.chance(30) and -100 or 1, 60)
    local ends = start + dice.between(1, 60)
    moments[#moments + 1] = { at = start, act = function()
      made[i] = world:add_deployment("staging")
      return "started", made[i]
    end }
    moments[#moments + 1] = { at = ends, act = function()
      world:change(made[i], { finished_time = world:now(), outcome = dice.chance(80) and "success" or "failed" })
      return "finished", made[i]
    end }
  end
  table.sort(moments, function(a, b)
    return a.at < b.at
  end)
  return moments
end

local function lags(dice)
  local scenario = { order = dice.chance(30) and "oldest" or nil, page_size = dice.between(2, 3), lag_turns = dice.chance(60) or nil }
  for _, name in ipairs { "lag_deployments", "lag_deployment", "lag_live" } do
    scenario[name] = dice.between(0, LONGEST_LAG)
  end
  return scenario
end

-- --- one world ---

local run = {}
local run_mt = { __index = run }

function run:note(text, ...)
  self.history[#self.history + 1] = ("%4d s: %s"):format(self.seconds, text:format(...))
end

-- Time passes; what is to happen until then does.
function run:pass(seconds)
  local till = self.seconds + seconds
  while self.moments[1] and self.moments[1].at <= till do
    local moment = table.remove(self.moments, 1)
    if moment.at > self.seconds then
      self.world:advance(moment.at - self.seconds)
      self.seconds = moment.at
    end
    local what, d = moment.act()
    self:note("%s %d", what, d.id)
  end
  self.world:advance(till - self.seconds)
  self.seconds = till
end

-- Counts it, and keeps the values that were told.
function run:hear(event)
  local d = event.deployment
  local id, values = ("%d"):format(d.id), {}
  self.told[id] = self.told[id] or { started = 0, finished = 0 }
  local told = self.told[id]
  for _, name in ipairs(event.changed or { "is_live", "is_head", "outcome" }) do
    values[#values + 1] = ("%s=%s"):format(name, tostring(d[name]))
    told[name] = tostring(d[name])
  end
  local text = ("%s %s %s"):format(event.type, id, table.concat(values, " "))
  self:note("  told: %s", text)
  if event.type == "changed" then
    assert(not self.changes[text], "this change was told before: " .. text)
    self.changes[text] = true
  else
    told[event.type] = told[event.type] + 1
    assert(told[event.type] == 1, text .. ": told twice")
    assert(told.started == 1 or event.type == "started" and not told.finished, text .. ": its end was told before its start")
  end
end

-- Polls once, and goes on from there; or from where it left off, as a program does that ends in between.
function run:poll(is_whole)
  local watch = self.stack:watch { cursor = self.cursor, stop = function() return true end }
  local left = not is_whole and self.dice.chance(25) and self.dice.between(1, 3) or math.huge
  self:note("poll for %g events", left)
  while left > 0 do
    local event = watch()
    if not event then
      break
    end
    self:hear(event)
    left = left - 1
  end
  self.cursor = cjson.decode(cjson.encode(watch:cursor()))
end

-- What began by the first poll may have been over, and so need not be told.
function run:check_end()
  for _, d in ipairs(self.made) do
    local told = self.told[("%d"):format(d.id)]
    if told or d.finished_time > self.began then
      assert(told and told.started == 1, ("%d: its start was not told"):format(d.id))
      assert(told.finished == 1, ("%d: its end was not told"):format(d.id))
    end
  end
  for d in in_world.again(self.world):deployments():take(self.page_size) do -- what polls read of those that are over
    for name, value in pairs(self.told[("%d"):format(d.id)] or {}) do
      if name:find "^is_" or name == "outcome" then
        assert(value == tostring(d[name]), ("%d: %s is %s, and %s was told"):format(d.id, name, tostring(d[name]), value))
      end
    end
  end
end

function run:live()
  self:pass(0) -- what began earlier
  repeat
    self:poll()
    self:pass(self.dice.between(2, 30))
  until #self.moments == 0
  self:pass(2 * LONGEST_LAG)
  for _ = 1, 4 do
    self:poll(true)
    self:pass(self.dice.between(2, 30))
  end
  self:check_end()
end

-- Raises with the seed and the history of a world where something is told wrong.
local function try(seed)
  local dice = random.new(seed * 7919)
  local scenario = lags(dice)
  local stack, world = in_world.begin(scenario)
  local made = {}
  local moments = plan(dice, world, made)
  local start = math.min(0, moments[1].at)
  local self = setmetatable({
    dice = dice, stack = stack, world = world, made = made, moments = moments, seconds = start, began = world:now() - start,
    history = {}, told = {}, changes = {}, cursor = nil, page_size = scenario.page_size,
  }, run_mt)
  local ok, problem = pcall(self.live, self)
  if not ok then
    error(("seed %d: %s\n%s\n%s"):format(seed, tostring(problem), cjson.encode(scenario), table.concat(self.history, "\n")), 0)
  end
end

describe("poll", function()
  it("tells each start and each end once, and no change twice, over replicas that are behind", function()
    for seed = 1, WORLDS do
      try(seed)
    end
  end)
end)
