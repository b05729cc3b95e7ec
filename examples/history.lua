#!/usr/bin/env lua
-- A report on the deployments of one or many stacks: on the terminal, as a page, as a table, as JSON. --help says more.
--
-- Exit status, as in docs/errors.md: 0 all was read, 1 a file could not be written, 4 the API or the way to it, also where a single stack
-- of many could not be read (the rest is reported); 64 usage; 130 interrupted.

local FOLDER = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = FOLDER .. "/?.lua;" .. package.path -- history/*.lua lie beside this file

local options = require "history.options"
local text = require "history.text"

local function usage(problem)
  io.stderr:write("history: ", text.shown(problem), "\n(--help says more)\n")
  os.exit(64)
end

local asked, wrong = options.parse(arg)
if not asked then
  usage(wrong)
elseif asked.help then
  io.stdout:write(options.USAGE)
  os.exit(0)
end

local cloud66 = require "cloud66"
local files = require "history.files"
local gather = require "history.gather"
local progress = require "history.progress"

local shown = progress.new(progress.is_terminal(2))
local opened

local function say(line)
  shown.clear()
  io.stderr:write(text.shown(line), "\n")
end

local function finish(status)
  shown.clear()
  if opened and status ~= 0 then
    files.forget(opened)
  end
  os.exit(status, true)
end

-- Ctrl-C raises a text of Lua's own; anything else that is raised is a bug.
local function guarded(fn, ...)
  local results = { pcall(fn, ...) }
  if results[1] then
    return results[2], results[3], results[4]
  elseif tostring(results[2]):find "interrupted!" then
    say "interrupted"
    finish(130)
  end
  error(results[2], 0)
end

local function must(value, message, err)
  if value == nil then
    say(message .. (err and err.kind == "too_large" and " (--since, --before, --by)" or ""))
    finish(4)
  end
  return value
end

-- What the library refuses before it asks for anything is the command line's mistake, or the environment's.
local function accepted(fn, ...)
  local results = { pcall(fn, ...) }
  if not results[1] then
    usage((tostring(results[2]):gsub("^.-:%d+: ", ""):gsub("^from and to are", "--since and --before (or now) are")))
  end
  return results[2], results[3], results[4]
end

local function new_client()
  return must(accepted(cloud66.new, { on = {
    response = shown.page,
    warning = function(info)
      if not info.stack then -- the stacks that fail are told at the end
        say(info.text)
      end
    end,
  } }))
end

local function deployments_of(client, stacks)
  return accepted(client.deployments, client, stacks, { since = asked.since, before = asked.before })
end

-- Ages are reckoned once, so that all forms are of the same range; and one too long for a series is refused before minutes
-- are spent on reading it.
local function check_range(client)
  deployments_of(client, { "none yet" })
  local range = accepted(cloud66.stats, {}, { from = asked.since, to = asked.before, by = asked.by })
  for name, seconds in pairs { since = range.from, before = range.to } do
    if asked[name]:find "^%d+[mhdw]$" then
      asked[name] = seconds
    end
  end
  deployments_of(client, { "none yet" })
  if range.from and not range.to and range.from < os.time() then
    accepted(cloud66.stats, {}, { from = asked.since, to = os.time(), by = asked.by })
  end
end

local function open_files()
  local names = {}
  names[#names + 1] = asked.html
  names[#names + 1] = asked.csv
  local problem, is_usage
  opened, problem, is_usage = files.check(names)
  if not opened and is_usage then
    usage(problem)
  elseif not opened then
    say(problem)
    finish(1)
  end
end

-- The files first: who reads standard output may be gone, which ends this program. And everything is written before anything
-- is said of the end.
local function write(report)
  local ok = true
  for _, kind in ipairs { "html", "csv" } do
    if asked[kind] then
      local written, problem = files.write(asked[kind], require("history." .. kind).write(report))
      if written then
        say("written: " .. asked[kind])
      else
        say(problem)
        ok = false
      end
    end
  end
  local form = asked.json and require "history.json" or require "history.terminal"
  local printed, problem = io.stdout:write(form.write(report, not asked.json and form.screen()))
  if printed then
    printed, problem = io.stdout:flush()
  end
  if not printed then
    say("the report could not be written: " .. tostring(problem))
  end
  return ok and printed and true or false
end

local client = new_client()
check_range(client)
open_files()
local report = must(guarded(function()
  local stacks, message, err = gather.stacks(client, asked.stacks)
  if not stacks then
    return nil, message, err
  elseif #stacks == 0 then
    return nil, "none: this token sees no stacks"
  end
  return gather.read(stacks, deployments_of(client, stacks), asked, shown.deployment)
end))
shown.clear()
local is_written = guarded(write, report)
for _, lost in ipairs(report.lost) do
  say(("%s (%s) could not be read: %s"):format(lost.name, lost.uid, lost.message))
end
opened = nil -- what was made stays
finish(not is_written and 1 or #report.lost > 0 and 4 or 0)
