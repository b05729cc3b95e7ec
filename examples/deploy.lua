#!/usr/bin/env lua
-- Deploys a stack once, waits for the end and tells the truth about it: for CI jobs and for people.
--
-- Exit status, as in docs/errors.md: 0 success, 1 it failed, 2 it took too long, 3 it was cancelled, 4 nothing was sent, 5 it may have
-- been sent, 6 it goes on and was lost sight of, 64 usage; 130 interrupted, 143 terminated (SIGTERM): both cancel nothing.

local USAGE = [[
usage: cloud66-deploy STACK (--ref REF | --ensure HASH | --current | --service NAME:TAG...) [options]
  STACK               uid or name of the stack
  --ref REF           deploy this branch, tag or commit
  --ensure HASH       make this commit live: nothing is done if it is
  --current           deploy again what is there
  --service NAME:TAG  deploy this image of a service; may be repeated
  --reference TEXT    a name for this deployment, such as the id of a CI pipeline: run again with the same one, it waits
                      for the deployment that is there instead of starting another
  --timeout SECONDS   how long all of it may take (7200)
  --json              print the result as JSON
The token is taken from CLOUD66_TOKEN.
Exit status: 0 success, 1 it failed, 2 it took too long, 3 it was cancelled, 4 nothing was sent, 5 it may have been sent,
6 it goes on and was lost sight of. After 2, 5 and 6 the same command (with the same --reference) goes on from there.
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
local core = require "cloud66.core"

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

-- resume: how to go on, once anything may have been sent.
local progress = { began = core.monotonic(), phase = "queued", last_line = 0, resume = false }

-- Seconds since the program began.
local function elapsed()
  return core.monotonic() - progress.began
end

local function say(text)
  if LIVE then
    io.stderr:write "\r\27[K"
  end
  io.stderr:write(plain(text), "\n")
end

local function describe()
  local parts = { span(elapsed()), progress.phase }
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

local function on_change(deployment, phase)
  progress.deployment, progress.phase = deployment, phase
  progress.last_line = os.time()
  say(describe())
end

local function on_poll(info)
  progress.expected_end, progress.overdue = info.expected_end, info.overdue
  progress.problem = info.err and info.err.kind
end

local TIMEOUT = asked.timeout and tonumber(asked.timeout) or 7200 -- seconds

-- What is left of the time for all of it.
local function left()
  return math.max(0.1, TIMEOUT - elapsed())
end

-- The options of a wait, and others.
local function waiting(options)
  options.timeout, options.stop, options.on_change, options.on_poll = left(), tick, on_change, on_poll
  return options
end

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
    return stack:ensure(asked.ensure, waiting { user_reference = asked.reference })
  end
  local reference = asked.reference or cloud66.reference()
  progress.resume = "to wait on, run it again with --reference " .. reference
  say(("%s: reference %s"):format(stack.name or stack.uid, reference))
  local result
  result, message, err = stack:redeploy {
    git_ref = asked.ref, services = asked.services, current = asked.current, user_reference = reference, timeout = left(),
  }
  if not result then
    return nil, message, err
  end
  say(result.message or "accepted")
  return stack:wait(result, waiting {})
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
    elapsed = math.floor(elapsed() + 0.5),
  }
  local written, reason = io.stdout:write(text:sub(1, -2), ',"deployment":', last and last:to_json() or "null", "}\n")
  if written then
    written, reason = io.stdout:flush()
  end
  if not written then -- the exit status is still the deployment's: it must not be started again for that
    say("the result could not be written: " .. tostring(reason))
  end
end

-- Ended by a signal: what goes on, and how to.
local function ended(word, status)
  say(word .. ": " .. (progress.resume and "what may have been started goes on; " .. progress.resume or "nothing was sent"))
  os.exit(status, true)
end

-- Ends of which another run knows more: it took too long, it may have been sent, it was lost sight of.
local RESUMABLE = { [2] = true, [5] = true, [6] = true }

local function finish(ok, deployment, info, err)
  if not ok then
    local problem = tostring(deployment)
    if problem:find "interrupted!$" then
      ended("interrupted", 130)
    elseif problem:find "terminated!$" then
      ended("terminated", 143)
    end
    usage((problem:gsub("^.-:%d+: ", ""))) -- what the library refuses before it sends anything
  elseif not deployment then
    say(info)
  else
    local how = info.ensured == "live" and "is live already" or "has succeeded after " .. span(elapsed())
    say(("%s %s"):format(tostring(deployment), how))
  end
  if asked.json then
    print_json(deployment, deployment and info, err)
  end
  if err and RESUMABLE[err.exit_code] and progress.resume then
    say(progress.resume)
  end
  os.exit(deployment and 0 or err.exit_code, true)
end

core.raise_on_sigterm()
finish(pcall(deploy))
