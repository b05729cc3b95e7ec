-- The Markdown pages as LDoc takes them: pages.lua FOLDER writes them there. LDoc has anchors of its own for headings, and
-- takes every block of code for Lua.
local markdown = require "spec.support.markdown"

local folder = assert(arg[1])

-- Pages of other names in the site, so that no two are alike.
local NAMES = { ["spec/support/README.md"] = "fake-api.md", ["README.md"] = "readme.md" }

local function name_of(path)
  return NAMES[path] or path:match "^docs/([%w%-]+%.md)$"
end

local function in_site(page, link)
  local file, anchor = markdown.target(page, link)
  if not file then
    return link
  end
  local picture = file:match "^docs/([%w%-]+%.png)$"
  if picture then
    return picture -- which script/docs puts beside the pages
  end
  local name = name_of(file) or error(("%s: the site has no %s"):format(page, file), 0)
  return (file == page and "" or name .. ".html") .. (anchor ~= "" and "#" .. anchor or "")
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["@"] = "&#64;", ["`"] = "&#96;", ["\t"] = "&#9;" }

-- A line of code that is not Lua: no leading space, which LDoc would take for code of its own.
local function plain(line)
  return (line:gsub("[&<>@`\t]", ENTITIES):gsub("^ +", function(spaces)
    return ("&#32;"):rep(#spaces)
  end))
end

local function convert(page)
  local out, fence, after_blank = {}, nil, true
  for line in io.lines(page) do
    local kind = line:match "^```(%w*)$"
    local is_indented = not fence and line:find "^    %S" and after_blank
    if fence and kind then
      out[#out + 1] = fence == "lua" and "```" or "</pre>"
      fence = nil
    elseif kind then
      fence = kind
      out[#out + 1] = kind == "lua" and "```lua" or '<pre class="plain">'
    elseif fence then
      out[#out + 1] = fence == "lua" and line or line == "" and "&#32;" or plain(line)
    elseif is_indented then
      out[#out + 1] = '<pre class="plain">' .. plain(line:sub(5)) .. "</pre>\n"
    elseif line:find "^#+ " then
      out[#out + 1] = ('<a id="%s"></a>\n\n%s'):format(markdown.anchor(line:match "^#+ (.*)$"), line)
    elseif not line:find "^<!%-%-.*%-%->$" then
      out[#out + 1] = line:gsub("(%]%()([^%s)]+)(%))", function(open, link, close)
        return open .. in_site(page, link) .. close
      end)
    end
    after_blank = line == "" or is_indented
  end
  -- LDoc takes the title from the first line.
  local text = table.concat(out, "\n") .. "\n"
  return (text:gsub("^<a id=[^\n]*\n\n", ""))
end

for _, page in ipairs(markdown.pages()) do
  local name = name_of(page)
  if name then
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(convert(page))
    file:close()
  end
end
