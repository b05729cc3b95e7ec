-- gather.lua: reads the deployments, once, and makes of them what all forms of the report show.

local cloud66 = require "cloud66"
local text = require "history.text"

local gather = {}

local function says(value, wanted)
  return type(value) == "string" and value:lower() == wanted:lower()
end

-- The stack a word means: a uid, else a name that is one stack's alone.
local function find(client, all, word)
  for _, stack in ipairs(all) do
    if stack.uid == word then
      return stack
    end
  end
  local found = {}
  for _, stack in ipairs(all) do
    if says(stack.name, word) then
      found[#found + 1] = stack
    end
  end
  if #found == 1 then
    return found[1]
  end
  return client:find_stack { name = word } -- for what it says of none, and of several
end

---The stacks that were asked for; all that there are, if none was.
---@return cloud66.Stack[]|nil stacks, string? message, cloud66.Error? err
function gather.stacks(client, words)
  local all, message, err = client:stacks():collect()
  if not all or (#all > 0 and #words == 0) then
    return all, message, err
  end
  local chosen = {}
  for i, word in ipairs(words) do
    chosen[i], message, err = find(client, all, word)
    if not chosen[i] then
      return nil, message, err
    end
  end
  return chosen
end

local LONGEST = 200 -- columns, of what is told of a mark: a page has thousands of them

-- What is drawn of a deployment: nothing that keeps its page in memory.
local function mark_of(d, stack)
  local what = ("%s %s"):format(text.plain(d.deploy_type or "deployment"), text.plain(d.git_ref or ""))
  return {
    uid = stack.uid, started = d.started_time, duration = d.duration, outcome = d.outcome,
    what = #what > LONGEST and text.fit(what, LONGEST):gsub(" +$", "") or what,
  }
end

local function filled(value)
  return type(value) == "string" and value:find "%S" and text.plain(value) or nil
end

-- What each stack is called: by its name; where several have one name, with the environment; where that is one, too, with
-- the uid.
local function names_of(stacks)
  local names = {}
  local function add(more)
    local owners = {}
    for _, stack in ipairs(stacks) do
      local name = names[stack.uid]
      owners[name] = (owners[name] and owners[name] ~= stack.uid) and "several" or stack.uid
    end
    local changed = {}
    for _, stack in ipairs(stacks) do
      local extra = owners[names[stack.uid]] == "several" and more(stack)
      changed[stack.uid] = extra and ("%s (%s)"):format(names[stack.uid], extra) or names[stack.uid]
    end
    names = changed
  end
  for _, stack in ipairs(stacks) do
    names[stack.uid] = filled(stack.name) or text.plain(stack.uid)
  end
  add(function(stack)
    return filled(stack.environment)
  end)
  add(function(stack)
    return names[stack.uid] ~= stack.uid and text.plain(stack.uid)
  end)
  return names
end

-- The first and last moment of the figures; a day around it where it is but one.
local function range_of(figures)
  local from, to = figures.from, figures.to
  if from and to and to - from < 3600 then
    return from - 43200, to + 43200
  end
  return from, to
end

---@param stacks cloud66.Stack[]  loaded
---@param deployments cloud66.Sequence  of client:deployments()
---@param asked table  of options.lua: by, since, before, html, csv
---@param on_deployment fun(count: integer, d: cloud66.Deployment)
---@return table|nil report, string? message, cloud66.Error? err
---report: {stacks = {{uid, name}}, figures = cloud66.Stats, by, from, to, marks, lines, lost, made};
---marks only for html, lines only for csv
function gather.read(stacks, deployments, asked, on_deployment)
  local report = { stacks = {}, marks = {}, lines = {}, lost = {}, by = asked.by, made = os.time() }
  local names, listed = names_of(stacks), {}
  for _, stack in ipairs(stacks) do
    if not listed[stack.uid] then
      listed[stack.uid] = true
      report.stacks[#report.stacks + 1] = { uid = stack.uid, name = names[stack.uid] }
    end
  end
  local csv = asked.csv and require "history.csv"
  local count = 0
  local passing = deployments:map(function(d, stack)
    count = count + 1
    if asked.html then
      report.marks[count] = mark_of(d, stack)
    end
    if csv then
      report.lines[count] = csv.line(d, stack)
    end
    on_deployment(count, d)
    return d
  end)
  local figures, message, err = cloud66.stats(passing, { from = asked.since, to = asked.before, by = asked.by })
  if not figures then
    return nil, message, err
  end
  for i, lost in ipairs(deployments.failed) do
    report.lost[i] = {
      stack = lost.stack, uid = lost.stack.uid, name = names[lost.stack.uid], message = text.plain(lost.message),
    }
  end
  report.figures = figures
  report.from, report.to = range_of(figures)
  return report
end

return gather
