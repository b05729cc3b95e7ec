-- caller.lua: raises what the programmer did wrong, and blames the line that did it: the innermost one that is not the
-- library's own, however deep inside the library the mistake was found, and whatever functions of C lie in between.

local caller = {}

local debug = rawget(_G, "debug") -- a sandbox may have taken it away: then messages have no line

-- What the `source` of each file of the library begins with: "@/usr/share/lua/5.4/cloud66".
local root = debug and debug.getinfo(1, "S").source:match "^(@.*cloud66)[/\\]base[/\\]caller%.lua$"

local function is_own(source)
  return root ~= nil and source:sub(1, #root) == root and source:find("^[/\\.]", #root + 1) ~= nil
end

-- For each coroutine that the library made, the line that called it then: a stack ends at what its coroutine runs.
local asked_for = setmetatable({}, { __mode = "k" })

---The line that called the library: "file:line: ", or "" where there is none.
---@return string
function caller.line()
  local level = 2
  local info = debug and debug.getinfo(level, "Sl")
  while info do
    if info.currentline > 0 and not is_own(info.source) then -- functions of C and tail calls have no line
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
    level = level + 1
    info = debug.getinfo(level, "Sl")
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
