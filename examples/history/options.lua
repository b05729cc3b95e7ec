-- options.lua: the command line.

local options = {}

options.USAGE = [[
usage: history.lua [STACK...] [options] [-- STACK...]
  STACK          uid or name of a stack; all stacks where there is none. One that begins with '-' goes behind --
  --since DATE   only what started then or later: 2025-01-31, 2025-01-31T12:00:00Z, or an age such as 24h, 7d, 2w
  --before DATE  only what started earlier
  --by UNIT      day, week (the default) or month: the intervals of the report, in UTC
  --html FILE    write the report as a page that needs nothing else
  --csv FILE     write the deployments as a table
  --json         print the figures as JSON instead of the report
The token is taken from CLOUD66_TOKEN.
Exit status: 0 all was read; 1 a file could not be written; 4 the API or the way to it, also for a single stack; 64 usage;
130 interrupted.
]]

local VALUED = { ["--since"] = "since", ["--before"] = "before", ["--by"] = "by", ["--html"] = "html", ["--csv"] = "csv" }
local UNITS = { day = true, week = true, month = true }

-- The value behind an option: an unset variable leaves it empty, or makes it the next option.
local function value_of(arguments, i, name)
  local value = arguments[i]
  if value == nil or value == "" or value:find "^%-" then
    return nil, name .. " needs a value: an unset variable?"
  end
  return value
end

local function check(asked)
  if asked.by and not UNITS[asked.by] then
    return nil, "--by is day, week or month, not " .. asked.by
  elseif asked.html and asked.html == asked.csv then
    return nil, "--html and --csv are to be two files"
  end
  asked.by = asked.by or "week"
  return asked
end

---@param arguments string[]
---@return { stacks: string[], since?: string, before?: string, by: string, html?: string, csv?: string, json?: true,
---help?: true }|nil asked, string? problem
function options.parse(arguments)
  local asked, only_stacks, i = { stacks = {} }, false, 1
  while i <= #arguments do
    local word = arguments[i]
    if word == "" then
      return nil, "an argument is empty: an unset variable?"
    elseif only_stacks or not word:find "^%-" then
      asked.stacks[#asked.stacks + 1] = word
    elseif word == "--" then
      only_stacks = true
    elseif word == "--help" or word == "-h" then
      return { help = true }
    elseif word == "--json" then
      asked.json = true
    elseif VALUED[word] then
      if asked[VALUED[word]] then
        return nil, word .. " is given twice"
      end
      i = i + 1
      local value, problem = value_of(arguments, i, word)
      if not value then
        return nil, problem
      end
      asked[VALUED[word]] = value
    else
      return nil, "unknown option " .. word
    end
    i = i + 1
  end
  return check(asked)
end

return options
