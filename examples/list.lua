-- Lists the stacks, then one stack's deployments, then those that failed after a hook triggered them:
--   CLOUD66_TOKEN=... lua5.4 examples/list.lua [stack uid or name] [since]

local cloud66 = require "cloud66"

local SHOWN = 70 -- deployments: more than two pages of the API
local since = arg[2] or "2025-06-01"

-- Exit status, as in docs/errors.md: 4 the API or the way to it, 64 usage.
local function fail(message, status)
  io.stderr:write(message, "\n")
  os.exit(status or 4)
end

-- Colour only where a person looks: on a terminal that can, and not against the reader's wish.
local function wants_colour()
  local no_color, term = os.getenv "NO_COLOR", os.getenv "TERM"
  if (no_color and no_color ~= "") or not term or term == "" or term == "dumb" then
    return false
  end
  local answer = os.execute "test -t 1"
  return answer == true or answer == 0
end

local PAINT = wants_colour() and { success = 32, failed = 31, pending = 33, heading = 1, faint = 2 } or {}

local function paint(text, name)
  return PAINT[name] and ("\27[%dm%s\27[0m"):format(PAINT[name], text) or text
end

-- Names and refs come from other people: no byte of theirs may reach the terminal as a command, and no character
-- that is invisible or turns the writing direction (U+200B to U+200F, U+2028 to U+202E, U+2066 to U+2069).
local function plain(value)
  local text = tostring(value or "-"):gsub("[%c\127]", "?"):gsub("\194[\128-\159]", "?")
  return (text:gsub("\226\128[\139-\143\168-\174]", "?"):gsub("\226\129[\166-\169]", "?"))
end

local function width(text)
  return select(2, text:gsub("[^\128-\191]", "")) -- characters: UTF-8 without its continuation bytes
end

-- Prints rows as an aligned table. A cell is a text, or {text, colour}.
local function print_table(heading, rows)
  local widths = {}
  table.insert(rows, 1, heading)
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, width(type(cell) == "table" and cell[1] or cell))
    end
  end
  for number, row in ipairs(rows) do
    local line = {}
    for i, cell in ipairs(row) do
      local text = type(cell) == "table" and cell[1] or cell
      local gap = i < #row and (" "):rep(widths[i] - width(text)) or ""
      line[i] = paint(text, number == 1 and "heading" or type(cell) == "table" and cell[2]) .. gap
    end
    print("  " .. table.concat(line, "  "))
  end
end

local function duration(d)
  if d.is_running then
    return "running"
  end
  local s = d.duration
  return s and ("%dm%02ds"):format(math.floor(s / 60), s % 60) or "-"
end

local function row_of(d)
  return {
    plain(d.id),
    d.started_time and os.date("!%Y-%m-%d %H:%M", d.started_time) or "-",
    duration(d),
    plain(d.deploy_type),
    { plain(d.outcome), d.outcome },
    plain(d.triggered_via),
    ("%s@%s"):format(plain(d.git_ref), plain(d.git_hash):sub(1, 7)),
    plain(d.triggered_by),
  }
end

local HEADING = { "id", "started (UTC)", "duration", "type", "outcome", "via", "ref@hash", "by" }

-- Prints a sequence of deployments below a heading that says how many there are.
local function print_deployments(heading, deployments)
  local rows = {}
  local count, message = deployments:each(function(d)
    rows[#rows + 1] = row_of(d)
  end)
  if not count then
    fail(message)
  end
  print(("\n" .. heading):format(count))
  if count > 0 then
    print_table(HEADING, rows)
  end
end

local client, message = cloud66.new()
if not client then
  fail(message)
end

local stacks
stacks, message = client:stacks():collect()
if not stacks then
  fail(message)
elseif #stacks == 0 then
  fail("this token sees no stacks")
end

print(("%d stacks"):format(#stacks))
local rows, chosen = {}, nil
for i, s in ipairs(stacks) do
  rows[i] = { plain(s.uid), plain(s.name), plain(s.environment), plain(s.status_name), plain(s.health_name) }
  if not chosen and (arg[1] == s.uid or not arg[1]) then
    chosen = s
  end
end
print_table({ "uid", "name", "environment", "status", "health" }, rows)

if not chosen then
  chosen, message = client:find_stack { name = arg[1] }
  if not chosen then
    fail(message)
  end
end

-- A date that is none raises here, before anything is asked for.
local ok, failed = pcall(function()
  return chosen:deployments({ since = since }):where { outcome = "failed", via_hook = true }
end)
if not ok then
  fail(failed, 64)
end
local name = plain(chosen.name):gsub("%%", "%%%%")
print_deployments("The newest %d deployments of " .. name, chosen:deployments():take(SHOWN))
print_deployments("%d failed after a hook triggered them, since " .. since:gsub("%%", "%%%%"), failed)
