-- What LDoc has made gets its types and links, and is checked: finish.lua FOLDER TYPES. Each link must lead to a page and a place
-- in it, and nothing may be loaded from elsewhere.
local folder, known = assert(arg[1]), dofile(assert(arg[2]))

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

local function pages()
  local found = {}
  local pipe = assert(io.popen(("cd '%s' && find . -name '*.html' | sort"):format(folder)))
  for path in pipe:lines() do
    found[#found + 1] = path:sub(3)
  end
  pipe:close()
  return found
end

-- --- finishing ---

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

-- A type with its classes as links, seen from a page that many folders down.
local function type_html(type, up)
  return (type:gsub("[&<>]", ESCAPES):gsub("cloud66%.?[%w_]*", function(name)
    local place = known.places[name]
    return place and ('<a href="%s%s">%s</a>'):format(up, place, (name:gsub("^cloud66%.", ""))) or name
  end))
end

local HEAD = [[<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
]]

-- The guides on the first page: before the reference, and by their titles.
local function finish_index(text)
  local before, content = text:match '^(.*)(<div id="content">.*)$'
  text = content
  local reference, guides = text:match "(<h2>Reference</h2>.-</table>)", text:match "(<h2>Guides</h2>.-</table>)"
  local function put(part, replacement)
    local first, last = text:find(part, 1, true)
    text = text:sub(1, first - 1) .. replacement .. text:sub(last + 1)
  end
  put(guides, reference)
  put(reference, (guides:gsub('(href="(guides/[^"]*)">)[^<]*', function(open, page)
    return open .. read(folder .. "/" .. page):match '<div id="content">.-<h1>(.-)</h1>'
  end):gsub('<td class="summary"></td>', "")))
  return before .. text
end

local function finish(path)
  local up = path:find "/" and "../" or ""
  local text = read(folder .. "/" .. path)
  text = text:gsub("<html>", '<html lang="en">', 1):gsub("<head>", function(tag)
    return tag .. "\n" .. HEAD
  end, 1)
  text = text:gsub('<span class="type">T(%d+)_</span>', function(number)
    return ('<code class="type">%s</code>'):format(type_html(known.types[tonumber(number)], up))
  end)
  text = text:gsub(' nowrap>', ">"):gsub("<h1>Module <code>", "<h1><code>", 1)
  if path == "index.html" then
    text = finish_index(text)
  end
  -- A reference that looks the same whenever it is made.
  text = text:gsub('<div id="about">.-</div>', '<div id="about">cloud66 for Lua. Made with LDoc.</div>', 1)
  local file = assert(io.open(folder .. "/" .. path, "wb"))
  file:write(text)
  file:close()
end

-- --- checking ---

local problems = {}

local function complain(path, text, ...)
  problems[#problems + 1] = ("%s: %s"):format(path, text:format(...))
end

local anchors = {}

local function anchors_of(path)
  if not anchors[path] then
    anchors[path] = { [""] = true }
    for name in (read(folder .. "/" .. path) or ""):gmatch "<a%s[^>]*name%s*=%s*\"([^\"]*)\"" do
      anchors[path][name] = true
    end
    for name in (read(folder .. "/" .. path) or ""):gmatch "%sid%s*=%s*\"([^\"]*)\"" do
      anchors[path][name] = true
    end
  end
  return anchors[path]
end

-- The path that a link of a page leads to.
local function resolve(page, link)
  local parts = {}
  for part in ((page:match "^(.*/)" or "") .. link):gmatch "[^/]+" do
    if part == ".." then
      table.remove(parts)
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

local function check_link(page, link)
  local file, anchor = link:match "^([^#]*)#?(.*)$"
  local target = file == "" and page or resolve(page, file)
  if not read(folder .. "/" .. target) then
    complain(page, "there is no %s", link)
  elseif target:find "%.html$" and not anchors_of(target)[anchor] then
    complain(page, "%s has no place '%s'", target, anchor)
  end
end

local function check(page)
  local text = read(folder .. "/" .. page)
  for tag, attributes in text:gmatch "<(%a+)%s([^>]*)>" do
    for name, link in attributes:gmatch "(%a+)%s*=%s*[\"']([^\"']*)[\"']" do
      if name == "href" or name == "src" then
        local is_address = link:find "^%a+:" or link:find "^//"
        if is_address and (tag:lower() ~= "a" or not link:find "^https?://") then
          complain(page, "%s is loaded from elsewhere", link)
        elseif not is_address then
          check_link(page, (link:gsub("&amp;", "&")))
        end
      end
    end
  end
  for word in text:gmatch "%f[%w]T%d+_%f[%W]" do
    complain(page, "%s is no type", word)
  end
end

local all = pages()
for _, page in ipairs(all) do
  finish(page)
end
for _, page in ipairs(all) do
  check(page)
end
local css = read(folder .. "/ldoc.css")
if not css or css:find "@import" or css:find "url%(" then
  complain("ldoc.css", "it is missing, or loads something")
end
for _, problem in ipairs(problems) do
  io.stderr:write(problem, "\n")
end
os.exit(#problems == 0 and 0 or 1)
