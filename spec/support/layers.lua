-- The layers of the sources: what a file may know of the others. Each check takes the folder that holds src/, so that a spec
-- can show it a copy with a fault, and returns its problems as text, none where all is well.
local tree = require "spec.support.tree"

local layers = {}

-- --- circles ---

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

-- name -> {name = true}: what can be reached from it, by one edge or more.
local function reachable(edges)
  local all = {}
  for _, start in ipairs(sorted_keys(edges)) do
    local seen, open = {}, { start }
    while #open > 0 do
      for _, name in ipairs(edges[table.remove(open)] or {}) do
        if not seen[name] then
          seen[name] = true
          open[#open + 1] = name
        end
      end
    end
    all[start] = seen
  end
  return all
end

-- The shortest way from a name back to itself.
local function way_back(edges, start)
  local before, open = {}, { start }
  local at = 1
  while open[at] do
    local name = open[at]
    at = at + 1
    for _, other in ipairs(edges[name] or {}) do
      if other == start then
        local way = {}
        while name do
          table.insert(way, 1, name)
          name = before[name]
        end
        return way
      elseif not before[other] then
        before[other] = name
        open[#open + 1] = other
      end
    end
  end
end

---Finds circles: `edges` has for each name the list of those it leads to. Returns lists of names, each of which leads to the
---next, and the last to the first: of all that lead to each other one circle, the shortest that the first of them by name is in.
function layers.circles(edges)
  local reached, told, found = reachable(edges), {}, {}
  for _, name in ipairs(sorted_keys(edges)) do
    if reached[name][name] and not told[name] then
      found[#found + 1] = way_back(edges, name)
      for other in pairs(reached[name]) do
        told[other] = told[other] or (reached[other] or {})[name]
      end
    end
  end
  return found
end

---{"a", "b"} -> "a -> b -> a"
function layers.circle_text(circle)
  return table.concat(circle, " -> ") .. " -> " .. circle[1]
end

-- --- C ---

-- The folders of src/, and which others each may include. Includes name the folder: "json/walk.h".
layers.C_FOLDERS = {
  base = {},
  json = { base = true },
  deployment = { base = true, json = true },
  http = { base = true },
  lua = { base = true, json = true, deployment = true, http = true },
}

local c_folders = layers.C_FOLDERS

local libc = {}
for name in ([[errno fcntl float inttypes langinfo limits locale math pthread signal stdbool stddef stdint stdio stdlib string
  netinet/in sys/epoll sys/random sys/socket time unistd dlfcn emmintrin]]):gmatch "%S+" do
  libc[name .. ".h"] = true
end

-- Files of cloud66.curl alone, which knows no JSON.
local function is_http(path)
  return path:match "^http/" ~= nil or path:match "^lua/curl" ~= nil
end

-- What both modules are built of besides.
local function is_shared(path)
  return path:match "^base/" ~= nil or path:match "^lua/compat%f[^%w_]" ~= nil
end

-- A .c and a .h of one name are one unit: json/walk.c -> json/walk
local function unit_of(path)
  return (path:gsub("%.[ch]$", ""))
end

-- The names of ours in a text of C.
local function names_in(text)
  local names = {}
  for name in text:gmatch "%f[%w_]c66_[%w_]+" do
    names[name] = true
  end
  return names
end

-- The functions and tables that a .c file has for others.
local function defined_in(code)
  local names = {}
  for line in code:gmatch "[^\n]+" do
    local word = line:match "^(%a[%w_]*)"
    if word and word ~= "static" and word ~= "typedef" and word ~= "extern" then
      names[#names + 1] = line:match "%f[%w_](c66_[%w_]+)%s*[%(%[=]"
    end
  end
  return names
end

-- path below src/ -> {folder =, text =, code =, own = {paths}, system = {names}, odd = {includes that cannot be read}}
local function read_c(root)
  local files = {}
  local top = root .. "/src/"
  for _, path in ipairs(tree.files(root .. "/src", ".[ch]")) do
    local text = tree.read(path)
    local file = { text = text, code = tree.without_c_comments(text), own = {}, system = {}, odd = {} }
    path = path:sub(#top + 1)
    file.folder = path:match "^([%w_]+)/[%w_]+%.[ch]$"
    for line in file.code:gmatch "#%s*include([^\n]*)" do
      local own, system = line:match '^%s*"([^"]+)"%s*$', line:match "^%s*<([^>]+)>%s*$"
      table.insert(own and file.own or system and file.system or file.odd, own or system or line)
    end
    files[path] = file
  end
  return files
end

-- Name of ours -> the unit that has it.
local function owners(files)
  local owner = {}
  for path, file in pairs(files) do
    for _, name in ipairs(path:match "%.c$" and defined_in(file.code) or {}) do
      owner[name] = unit_of(path)
    end
  end
  return owner
end

-- Unit -> {unit = true}, for includes and for the use of what another unit has. A header only declares; what it uses is in its
-- inline functions.
local function unit_uses(files)
  local uses, owner = {}, owners(files)
  for path, file in pairs(files) do
    local unit = unit_of(path)
    uses[unit] = uses[unit] or {}
    for _, included in ipairs(file.own) do
      uses[unit][unit_of(included)] = true
    end
    local code = file.code
    if path:match "%.h$" then
      local bodies = {}
      for body in code:gmatch "%f[%w_]inline%f[^%w_][^{;]*(%b{})" do
        bodies[#bodies + 1] = body
      end
      code = table.concat(bodies)
    end
    for name in pairs(names_in(code)) do
      if owner[name] then
        uses[unit][owner[name]] = true
      end
    end
    uses[unit][unit] = nil
  end
  return uses
end

local function lists_of(sets)
  local lists = {}
  for name, set in pairs(sets) do
    lists[name] = sorted_keys(set)
  end
  return lists
end

local function add(problems, ...)
  problems[#problems + 1] = string.format(...)
end

local function check_form(problems, path, file)
  local name = path:match "[^/]+$"
  if not file.folder or not c_folders[file.folder] then
    add(problems, "%s is in none of the folders base, json, deployment, http, lua", path)
  end
  if not file.text:match("^/%* " .. name:gsub("%.", "%%.") .. " %- %S") then
    add(problems, "%s does not begin with: /* %s - its job", path, name)
  end
end

local function check_own(problems, files, path, file)
  local allowed = c_folders[file.folder] or {}
  for _, line in ipairs(file.odd) do
    add(problems, "%s includes what cannot be read here:%s", path, line)
  end
  for _, included in ipairs(file.own) do
    local folder = included:match "^[^/]+"
    if not files[included] then
      add(problems, "%s includes %s, which is not in src/", path, included)
    elseif folder ~= file.folder and not allowed[folder] then
      local may = sorted_keys(allowed)
      add(problems, "%s includes %s: %s may include %s", path, included, file.folder or "it",
        #may > 0 and table.concat(may, ", ") .. " alone" or "nothing but libc")
    end
  end
end

local function check_system(problems, path, file)
  for _, header in ipairs(file.system) do
    if header:match "^curl/" then
      if file.folder ~= "http" and path ~= "lua/curl.c" then
        add(problems, "%s includes %s: libcurl is for http/ and lua/curl.c alone", path, header)
      end
    elseif header:match "^lua" or header == "lauxlib.h" then
      if path ~= "lua/compat.h" then
        add(problems, "%s includes %s: Lua comes through lua/compat.h alone", path, header)
      end
    elseif not libc[header] then
      add(problems, "%s includes %s, which is no known header of libc", path, header)
    end
  end
  if path ~= "lua/compat.h" and file.code:find "LUA_VERSION_NUM" then
    add(problems, "%s asks for the version of Lua, which is for lua/compat.h alone", path)
  end
end

-- Two modules, two worlds.
local function check_worlds(problems, edges)
  for unit, reached in pairs(reachable(edges)) do
    for other in pairs(reached) do
      if not is_shared(other) and is_http(unit) ~= is_http(other) and not is_shared(unit) then
        add(problems, "%s knows %s: HTTP and JSON never know each other", unit, other)
      end
    end
  end
end

local function check_circles(problems, files, uses)
  for _, circle in ipairs(layers.circles(lists_of(uses))) do
    add(problems, "circle: %s", layers.circle_text(circle))
  end
  -- A pair is one unit, but its header must not lead back to itself.
  local includes, folders = {}, {}
  for path, file in pairs(files) do
    includes[path] = file.own
  end
  for _, circle in ipairs(layers.circles(includes)) do
    add(problems, "circle of includes: %s", layers.circle_text(circle))
  end
  for unit, others in pairs(uses) do
    local folder = unit:match "^[^/]+"
    folders[folder] = folders[folder] or {}
    for other in pairs(others) do
      folders[folder][other:match "^[^/]+"] = true
    end
    folders[folder][folder] = nil
  end
  for _, circle in ipairs(layers.circles(lists_of(folders))) do
    add(problems, "circle of folders: %s", layers.circle_text(circle))
  end
end

---What is wrong with the layers of root/src, and how many includes between our own files were looked at.
function layers.c_problems(root)
  local files, problems, count = read_c(root), {}, 0
  for path, file in pairs(files) do
    check_form(problems, path, file)
    check_own(problems, files, path, file)
    check_system(problems, path, file)
    count = count + #file.own
  end
  local uses = unit_uses(files)
  check_worlds(problems, lists_of(uses))
  check_circles(problems, files, uses)
  table.sort(problems)
  return problems, count
end

return layers
