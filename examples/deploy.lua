#!/usr/bin/env lua
-- Deploys a stack once, waits for the end and tells the truth about it: for CI jobs and for people.
--
-- Exit status: 0 success, 1 it failed, 2 it took too long, 3 it was cancelled, 4 the API or the way to it, 64 usage;
-- 130 when interrupted, which cancels nothing.

local USAGE = [[
usage: cloud66-deploy STACK (--ref REF | --ensure HASH | --current | --service NAME:TAG...) [options]
  STACK               uid or name of the stack
  --ref REF           deploy this branch, tag or commit
  --ensure HASH       make this commit live: nothing is done if it is
  --current           deploy again what is there
  --service NAME:TAG  deploy this image of a service; may be repeated
  --reference TEXT    a name for this deployment, such as the id of a CI job's run: run again with the same one, it waits
                      for the deployment that is there instead of starting another
  --timeout SECONDS   how long to wait for the end (7200)
  --json              print the result as JSON
The token is taken from CLOUD66_TOKEN.
]]

local VALUED = { ["--ref"] = "ref", ["--ensure"] = "ensure", ["--reference"] = "reference", ["--timeout"] = "timeout" }
local FLAGS = { ["--current"] = "current", ["--json"] = "json" }

-- No byte of other people's may reach the terminal as a command.
local function plain(value)
  local text = tostring(value):gsub("[%c\127]", "?"):gsub("\194[\128-\159]", "?")
  return (text:gsub("\226\128[\139-\143\168-\174]", "?"):gsub("\226\129[\166-\169]", "?"))
end

local function usage(problem)
  io.stderr:write("cloud66-deploy: ", plain(problem), "\n", "(cloud66-deploy --help says more)\n")
  os.exit(64)
end

-- The value after an option: an unset variable leaves it empty, or makes it the next option.
local function value_of(arguments, i, name)
  local value = arguments[i]
  if value == nil or value == "" or value:find "^%-%-" then
    usage(name .. " needs a value: an unset variable?")
  end
  return value
end

local function parse(arguments)
  local options = {}
  local i = 1
  while i <= #arguments do
    local word = arguments[i]
    if word == "--help" or word == "-h" then
      io.stdout:write(USAGE)
      os.exit(0)
    elseif VALUED[word] then
      if options[VALUED[word]] then
        usage(word .. " is given twice")
      end
      i = i + 1
      options[VALUED[word]] = value_of(arguments, i, word)
    elseif word == "--service" then
      i = i + 1
      options.services = options.services or {}
      table.insert(options.services, value_of(arguments, i, word))
    elseif FLAGS[word] then
      options[FLAGS[word]] = true
    elseif word:find "^%-" then
      usage("unknown option " .. word)
    elseif word == "" then
      usage "an argument is empty: an unset variable?"
    elseif options.stack then
      usage("one stack at a time, not " .. word .. " too")
    else
      options.stack = word
    end
    i = i + 1
  end
  return options
end

local function check(options)
  if not options.stack then
    usage "no STACK: an unset variable?"
  elseif options.timeout and not (tonumber(options.timeout) and tonumber(options.timeout) > 0) then
    usage "--timeout is a number of seconds above zero"
  elseif options.ensure and (options.ref or options.current or options.services) then
    usage "--ensure goes with none of --ref, --current, --service"
  elseif options.current and (options.ref or options.services) then
    usage "--current goes with neither --ref nor --service"
  elseif not (options.ensure or options.ref or options.current or options.services) then
    usage "what to deploy: --ref, --ensure, --current or --service"
  end
  return options
end

local asked = check(parse(arg))
local cjson = require "cjson"
local cloud66 = require "cloud66"

-- --- progress, on standard error ---

local function is_terminal()
  local answer = os.execute "test -t 2"
  return (answer == true or answer == 0) and os.getenv "TERM" ~= "dumb"
end

local LIVE = is_terminal()
local LINE_EVERY = 60 -- seconds, where nobody watches
local COLUMNS = 80 -- a longer line would not be drawn over by the next

local function span(seconds)
  seconds = math.max(0, math.floor(seconds + 0.5))
  if seconds >= 3600 then
    return ("%dh%02dm"):format(math.floor(seconds / 3600), math.floor(seconds / 60) % 60)
  end
  return ("%dm%02ds"):format(math.floor(seconds / 60), seconds % 60)
end

local progress = { began = os.time(), phase = "queued", last_line = 0 }

local function say(text)
  if LIVE then
    io.stderr:write "\r\27[K"
  end
  io.stderr:write(plain(text), "\n")
end

local function describe()
  local parts = { span(os.time() - progress.began), progress.phase }
  local deployment = progress.deployment
  if deployment then
    parts[#parts + 1] = ("#%s %s@%s"):format(tostring(deployment.id), deployment.git_ref or "?", (deployment.git_hash or "?"):sub(1, 7))
  end
  if progress.overdue then
    parts[#parts + 1] = "longer than usual"
  elseif progress.expected_end and progress.phase == "deploying" then
    local left = progress.expected_end - os.time()
    parts[#parts + 1] = left > 0 and "about " .. span(left) .. " to go" or "any moment"
  end
  if progress.problem then
    parts[#parts + 1] = "(" .. progress.problem .. ")"
  end
  return table.concat(parts, "  ")
end

-- Called about once a second while it waits.
local function tick()
  local now = os.time()
  if LIVE then
    local line = plain(describe())
    if #line >= COLUMNS then
      line = line:sub(1, COLUMNS - 1):gsub("[\192-\255][\128-\191]*$", "") -- no half character
    end
    io.stderr:write("\r\27[K", line)
  elseif now - progress.last_line >= LINE_EVERY then
    progress.last_line = now
    say(describe())
  end
  return false
end

local WAITING = {
  timeout = asked.timeout and tonumber(asked.timeout),
  stop = tick,
  on_change = function(deployment, phase)
    progress.deployment, progress.phase = deployment, phase
    progress.last_line = os.time()
    say(describe())
  end,
  on_poll = function(info)
    progress.expected_end, progress.overdue = info.expected_end, info.overdue
    progress.problem = info.err and info.err.kind
  end,
}

-- --- the work ---

local function find_stack(client)
  local stacks, message, err = client:stacks():collect()
  if not stacks then
    return nil, message, err
  end
  for _, stack in ipairs(stacks) do
    if stack.uid == asked.stack then
      return stack
    end
  end
  return client:find_stack { name = asked.stack }
end

local function with_waiting(options)
  for name, value in pairs(WAITING) do
    options[name] = value
  end
  return options
end

local function deploy()
  local client, message, err = cloud66.new()
  if not client then
    return nil, message, err
  end
  local stack
  stack, message, err = find_stack(client)
  if not stack then
    return nil, message, err
  elseif asked.ensure then
    progress.resume = "the same command waits on"
    return stack:ensure(asked.ensure, with_waiting { user_reference = asked.reference })
  end
  local reference = asked.reference or cloud66.reference()
  progress.resume = "to wait on, run it again with --reference " .. reference
  say(("%s: reference %s"):format(stack.name or stack.uid, reference))
  local result
  result, message, err = stack:redeploy {
    git_ref = asked.ref, services = asked.services, current = asked.current, user_reference = reference,
  }
  if not result then
    return nil, message, err
  end
  say(result.message or "accepted")
  return stack:wait(result, WAITING)
end

local function text_or_null(value)
  return value == nil and cjson.null or value
end

local function print_json(deployment, info, err)
  local action = info and info.action or err and err.action
  local last = deployment or err and err.last
  local text = cjson.encode {
    ok = deployment ~= nil or (err and err.action_succeeded or false),
    kind = text_or_null(err and err.kind),
    message = text_or_null(err and err.message),
    action_id = text_or_null(action and tostring(action.id)), -- as text: cjson rounds what is long
    match = text_or_null(info and info.match),
    user_reference = text_or_null(info and info.user_reference or err and err.user_reference),
    elapsed = os.time() - progress.began,
  }
  local written, reason = io.stdout:write(text:sub(1, -2), ',"deployment":', last and last:to_json() or "null", "}\n")
  if written then
    written, reason = io.stdout:flush()
  end
  if not written then -- the exit status is still the deployment's: it must not be started again for that
    say("the result could not be written: " .. tostring(reason))
  end
end

local function interrupted()
  say("interrupted: what was started goes on" .. (progress.resume and "; " .. progress.resume or ""))
  os.exit(130)
end

local function finish(ok, deployment, info, err)
  if not ok then
    local problem = tostring(deployment)
    if problem:find "interrupted!" then
      interrupted()
    end
    usage((problem:gsub("^.-:%d+: ", ""))) -- what the library refuses before it sends anything
  elseif not deployment then
    say(info)
  else
    local how = info.ensured == "live" and "is live already" or "has succeeded after " .. span(os.time() - progress.began)
    say(("%s %s"):format(tostring(deployment), how))
  end
  if asked.json then
    print_json(deployment, deployment and info, err)
  end
  if err and err.kind == "timeout" and progress.resume then
    say(progress.resume)
  end
  os.exit(deployment and 0 or err.exit_code, true)
end

finish(pcall(deploy))
