-- Processes that share a store and redeploy the same, or ensure the same commit, in worlds made by chance: what they do and say is
-- compared with what is true in the world.
local fake = require "spec.support.fake"
local merged = require "spec.support.merged"
local shared_world = require "spec.support.shared_world"
local thorough = require "spec.support.thorough"

local FIRST = tonumber(os.getenv "C66_SEED") or (thorough and 1 or 1000)
local COUNT = tonumber(os.getenv "C66_WORLDS") or (thorough and 100 or 10)

local SETTLE, MARGIN = 30, 45 -- seconds

local function action_of(world, id)
  for _, action in ipairs(world.actions) do
    if tostring(action.id) == tostring(id) then
      return action
    end
  end
end

-- What may have been carried out, in the order in which it was sent.
local function possible_posts(world)
  local posts = {}
  for _, process in ipairs(world.all) do
    local count = #fake.requests(process.tag, "POST")
    process.posts = count
    process.possible = process.undone and 0 or count
    if process.possible > 0 then
      posts[#posts + 1] = process
    end
  end
  table.sort(posts, function(a, b)
    return a.sent < b.sent
  end)
  return posts
end

local function has_lag(process)
  for name in pairs(process.scenario) do
    if name:find "^lag" then
      return true
    end
  end
  return false
end

-- Whether the process could see an action that was there seconds before its end.
local function could_see(world, process)
  for _, action in ipairs(world.actions) do
    if action.started_time - world.began < process.ended - 3 then
      return process.scenario.on ~= "actions" and not has_lag(process)
    end
  end
  return false
end

-- Whether the world has what a process says of it.
local function is_true_failure(world, process)
  local kind = process.err.kind
  if kind == "timeout" then
    return process.timeout or process.others > 0
  elseif kind == "conflict" then
    return world.is_other or world.is_ensured and has_lag(process) -- another commit is live, as the list has it
  elseif kind == "server" then
    return process.scenario.error == "server"
  elseif kind == "deploy_failed" then
    return world.job.ends == "failed"
  elseif kind == "unmatched" or kind == "not_found" then -- of ensure()'s wait
    return world.is_ensured and has_lag(process)
  elseif kind == "ambiguous" then
    return world.is_marked
  end
  return kind == (process.fate.error or process.fate.redeploy)
end

-- What is wrong with a failure that a process told.
local function problem_of_error(world, process)
  local err = process.err
  if err.exit_code == 4 and process.possible > 0 then
    return "nothing was sent, it says"
  elseif not is_true_failure(world, process) then
    return "no such failure"
  elseif err.kind == "ambiguous" and could_see(world, process) and not world.is_ensured then
    return "ambiguous, though it is there"
  end
end

local function problem_of_result(world, process)
  local result, wait_err = process.result, process.wait_err
  if world.is_ensured then
    return world.job.ends == "failed" and "a success that is none" or result.git_hash ~= shared_world.HASH and "another commit" or nil
  elseif result.async_action_id and not action_of(world, result.async_action_id) then
    return "no such action"
  elseif not result.joined and process.posts == 0 then
    return "it has not sent what it says"
  elseif wait_err and not (wait_err.kind == "deploy_failed" and world.job.ends == "failed" or wait_err.kind == "conflict" and world.is_other) then
    return "wait: " .. process.message
  elseif not wait_err and world.job.ends == "failed" then
    return "wait: a success that is none"
  end
end

local function longest_of(world, process)
  if world.is_ensured then
    return (process.timeout or 3000) + 3
  end
  return process.timeout and process.timeout + 3 or 2 * (world.claim + 10) + SETTLE + MARGIN
end

local function problem_of(world, process)
  local took = process.ended - process.began - process.others
  if process.crash then
    return "crash: " .. process.crash
  elseif process.posts > 1 then
    return "two POSTs of one process"
  elseif took > longest_of(world, process) then
    return ("it took %.0f seconds"):format(took)
  elseif process.gets > 20 + world.claim / 2 + (world.is_ensured and 60 or 0) then
    return ("%d requests"):format(process.gets)
  elseif process.died then
    return nil
  elseif process.err then
    return problem_of_error(world, process)
  end
  return problem_of_result(world, process)
end

-- Whether one was sent though what was sent before it may still come to be live.
local function is_sent_again(world, posts)
  for i = 2, #posts do
    local over = 0
    for _, action in ipairs(world.actions) do
      if action.finished_time and action.finished_time - world.began <= posts[i].sent + 1 then
        over = over + 1
        if action.finished_success and not world.is_own then
          return "a POST after a success"
        end
      end
    end
    if over < i - 1 or not world.is_ensured or world.is_own then
      return #posts .. " POSTs"
    end
  end
end

-- What the last one says, who has nothing in its way but what the others have left.
local function problem_of_last(world, last, is_doubtful)
  if last.err and last.err.kind ~= "ambiguous" and last.err.kind ~= "deploy_failed" and last.err.kind ~= "conflict" then
    return "the last one fails"
  elseif last.err and last.err.kind == "ambiguous" and (not is_doubtful or not world.is_ensured and could_see(world, last)) then
    return "the last one does not send, or join"
  elseif not is_doubtful and not world.has_died and not world.is_ensured and last.ended - last.began > 15 then
    return "it waits for nobody"
  end
end

local function wrong_of(world)
  local posts = possible_posts(world)
  local is_doubtful = world.is_void
  world.count = #posts
  for _, process in ipairs(world.all) do
    world.is_marked = world.is_marked or process.marked or process.posts > 0
    world.is_other = world.is_other or process.ref == "other"
    world.has_died = world.has_died or process.died
    is_doubtful = is_doubtful or process.died and process.marked or process.possible > 0
  end
  for i, process in ipairs(world.all) do
    local problem = problem_of(world, process)
    if problem then
      return ("process %d: %s"):format(i, problem)
    end
  end
  return not world.is_void and is_sent_again(world, posts) or problem_of_last(world, world.all[#world.all], is_doubtful)
end

local function described_process(world, process)
  local parts, said = {}, process.err or process.result
  for name, value in pairs(merged(process.scenario, world.job)) do
    parts[#parts + 1] = name .. "=" .. tostring(value)
  end
  table.sort(parts)
  return ("%.0f-%.0f s, POSTs %d, timeout %s, ref %s, GETs %d, commands %d, skew %d%s: %s\n     %s"):format(process.began, process.ended,
    process.posts, tostring(process.timeout), process.ref, process.gets, process.commands, process.skew, process.died and ", died" or "",
    tostring(type(said) == "table" and said.message or said), table.concat(parts, " "))
end

local function described(world)
  local lines = { ("claim %d, %s%s, void: %s"):format(world.claim, world.is_ensured and "ensure" or "redeploy", world.is_own and " own" or "",
    tostring(world.is_void)) }
  for i, process in ipairs(world.all) do
    lines[#lines + 1] = i .. ": " .. described_process(world, process)
  end
  return table.concat(lines, "\n  ")
end

describe("processes that share a store, in a world made by chance,", function()
  it("deploy once, and say what is true", function()
    local wrong = {}
    for seed = FIRST, FIRST + COUNT - 1 do
      local world = shared_world.new(seed)
      shared_world.run(world)
      local problem = wrong_of(world)
      wrong[#wrong + 1] = problem and ("world %d: %s\n  %s"):format(seed, problem, described(world)) or nil
    end
    assert(#wrong == 0, #wrong .. " wrong:\n" .. table.concat(wrong, "\n"))
  end)
end)
