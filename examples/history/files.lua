-- files.lua: the files that are written at the end. Whether they can be is asked at the beginning: reading may take minutes.

local files = {}

local function quote(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function exists(path)
  local file = io.open(path, "r")
  if file then
    file:close()
  end
  return file ~= nil
end

-- Of another name, perhaps.
local function is_one_file(a, b)
  local answer = os.execute(("[ %s -ef %s ]"):format(quote(a), quote(b)))
  return answer == true or answer == 0
end

-- A path for the shell and for Lua alike: one that begins with '-' is no option.
local function path_of(name)
  return name:find "^%-" and "./" .. name or name
end

---Opens each file for writing and leaves what is in it alone.
---@param names string[]
---@return { paths: string[], made: string[] }|nil opened, string? problem, boolean? is_usage
function files.check(names)
  local opened = { paths = {}, made = {} }
  for i, name in ipairs(names) do
    local path = path_of(name)
    local was_there = exists(path)
    local file, reason = io.open(path, "a")
    if not file then
      files.forget(opened)
      return nil, "cannot write " .. tostring(reason)
    end
    file:close()
    opened.paths[i] = path
    if not was_there then
      opened.made[#opened.made + 1] = path
    end
  end
  for i = 2, #opened.paths do
    if is_one_file(opened.paths[1], opened.paths[i]) then
      files.forget(opened)
      return nil, "--html and --csv are to be two files", true
    end
  end
  return opened
end

---Removes what check() has made, when nothing came of it.
function files.forget(opened)
  for _, path in ipairs(opened.made) do
    os.remove(path)
  end
end

---@return true|nil ok, string? problem
function files.write(name, content)
  local file, reason = io.open(path_of(name), "wb")
  if not file then
    return nil, "cannot write " .. tostring(reason)
  end
  local ok
  ok, reason = file:write(content)
  if ok then
    ok, reason = file:flush()
  end
  file:close()
  if not ok then
    return nil, ("cannot write %s: %s"):format(name, tostring(reason))
  end
  return true
end

return files
