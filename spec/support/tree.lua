-- The files of this tree, for the specs that look at the sources themselves. All paths start at its top.
local host = require "spec.support.host"

local tree = {}

-- The bytes of a file that must be there.
function tree.read(path)
  return host.read(path) or error("there is no " .. path, 2)
end

-- What a command prints; raises when it fails.
function tree.output(command)
  local text = host.output(command .. " 2>&1 || echo FAILED")
  if text:find "FAILED\n$" then
    error(command .. ": " .. text, 2)
  end
  return text
end

-- The lines that a command prints, never none.
function tree.lines(command)
  local lines = {}
  for line in tree.output(command):gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  assert(#lines > 0, "no output of " .. command)
  return lines
end

-- The paths below `folder` that end in `suffix`, sorted; never none.
function tree.files(folder, suffix)
  local paths = tree.lines(("find %s -name '*%s' -type f"):format(folder, suffix))
  table.sort(paths)
  return paths
end

-- lua/cloud66/http/api.lua -> cloud66.http.api
function tree.module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/", "."))
end

-- C without its comments; an #include keeps its line.
function tree.without_c_comments(text)
  return (text:gsub("/%*.-%*/", " "):gsub("//[^\n]*", ""))
end

-- Lua without comments, each string replaced by "\1N\1", and the list of these strings.
function tree.without_lua_strings(text)
  local parts, strings, place = {}, {}, 1
  local function long_end(start) -- of a long bracket that opens at `start`: where its text begins and ends, and the rest begins
    local level = text:match("^%[(=*)%[", start)
    if level then
      local first, last = text:find("]" .. level .. "]", start, true)
      return start + #level + 2, first - 1, last + 1
    end
  end
  while true do
    local at, _, found = text:find("([\"'%[%-])", place)
    if not at then
      break
    end
    parts[#parts + 1] = text:sub(place, at - 1)
    local first, last, rest
    if found == "-" then
      if text:sub(at, at + 1) == "--" then
        local _, _, after = long_end(at + 2)
        place = after or text:find("\n", at, true) or #text + 1
      else
        parts[#parts + 1], place = "-", at + 1
      end
    elseif found == "[" then
      first, last, rest = long_end(at)
      if not first then
        parts[#parts + 1], place = "[", at + 1
      end
    else
      local to = at + 1
      while text:sub(to, to) ~= found do
        assert(to <= #text, "a string without an end")
        to = to + (text:sub(to, to) == "\\" and 2 or 1)
      end
      first, last, rest = at + 1, to - 1, to + 1
    end
    if first then
      strings[#strings + 1] = text:sub(first, last)
      parts[#parts + 1] = "\1" .. #strings .. "\1"
      place = rest
    end
  end
  parts[#parts + 1] = text:sub(place)
  return table.concat(parts), strings
end

return tree
