-- caller.lua: raises what the programmer did wrong, and blames the line that did it: the innermost one that is not the
-- library's own, however deep inside the library the mistake was found, and whatever functions of C lie in between.

local caller = {}

-- A sandbox may have taken it away: then messages have no line. Where each request of nginx has globals of its own, the
-- library sees it among the loaded modules alone.
local debug = rawget(_G, "debug") or package.loaded.debug
local getinfo = debug and debug.getinfo

-- What the `source` of each file of the library begins with: "@/usr/share/lua/5.4/cloud66". nil where all of it is in one file,
-- or stripped: then each has the same source.
local source = getinfo and getinfo(1, "S").source
local root = source and source:match "^(.*cloud66)[/\\]base[/\\]caller%.lua$"

local function is_own(other)
  if not root then
    return other == source
  elseif other:sub(1, #root) ~= root then
    return false
  end
  local rest = other:sub(#root + 1)
  return rest == ".lua" or rest:find "^[/\\]" ~= nil
end

-- For each coroutine that the library made, the line that called it then: a stack ends at what its coroutine runs.
local asked_for = setmetatable({}, { __mode = "k" })

---The line that called the library: "file:line: ", or "" where there is none.
---@return string
function caller.line()
  local level = 2
  local info = getinfo and getinfo(level, "Sl")
  while info do
    if info.currentline > 0 and not is_own(info.source) then -- functions of C and tail calls have no line
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return asked_for[coroutine.running() or false] or ""
end

---Tells which line a coroutine goes back to.
---@param thread thread
---@param line string  of line()
function caller.stands_for(thread, line)
  asked_for[thread] = line
end

---Raises, as error() does, with the caller's line in front.
---@param text string  of string.format(), for the values that follow
function caller.blame(text, ...)
  error(caller.line() .. text:format(...), 0)
end

return caller
