-- Markdown pages as data: their blocks of code, headings, links and tables. As much of Markdown as this project's pages use.
local tree = require "spec.support.tree"

local markdown = {}

---The pages of this project, paths from the top of the tree.
---@return string[]
function markdown.pages()
  return tree.lines "ls ./*.md docs/*.md spec/support/README.md | sed 's/^\\.\\///'"
end

---The blocks of a page, in order: { kind = "lua", "sh" ..., "" where it does not say; text; line, of its first line; note, the
---comment right above it; above, the last line of text above it }. An indented block is of kind "indented".
---@param path string
---@return table[]
function markdown.blocks(path)
  local found, block, note, above, number, blank = {}, nil, nil, "", 0, true
  for line in (tree.read(path) .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local fence = line:match "^```(%w*)"
    if block and block.kind ~= "indented" then
      if fence then
        block.text = table.concat(block.lines, "\n") .. "\n"
        block, note = nil, nil
      else
        table.insert(block.lines, line)
      end
    elseif fence then
      block = { kind = fence, lines = {}, line = number + 1, note = note, above = above, page = path }
      found[#found + 1] = block
    elseif line:find "^    %S" and (block or blank) then
      if not block then
        block = { kind = "indented", lines = {}, line = number, above = above, page = path }
        found[#found + 1] = block
      end
      table.insert(block.lines, line:sub(5))
    else
      if block then
        block.text = table.concat(block.lines, "\n") .. "\n"
        block = nil
      end
      local comment = line:match "^<!%-%-%s*(.-)%s*%-%->$"
      note = comment or line == "" and note or nil
      if line ~= "" and not comment then
        above = line
      end
    end
    blank = line == "" or (blank and block ~= nil)
  end
  return found
end

-- The text without its blocks of code.
local function prose(path)
  local text = "\n" .. tree.read(path)
  text = text:gsub("\n```.-\n```", "\n"):gsub("\n    [^\n]*", "\n")
  return (text:gsub("`[^`\n]*`", function(code)
    return code:gsub("[%[%]()#|]", " ")
  end))
end

---What GitHub makes of a heading as the anchor of its links.
---@param heading string
---@return string
function markdown.anchor(heading)
  local plain = heading:gsub("%[([^%]]*)%]%b()", "%1"):lower():gsub("[^%w%s_%-\128-\255]", "")
  return (plain:gsub("%s", "-"))
end

---The anchors of a page.
---@return table<string, boolean>
function markdown.anchors(path)
  local anchors = {}
  for heading in ("\n" .. tree.read(path)):gsub("\n```.-\n```", "\n"):gmatch "\n#+%s+([^\n]+)" do
    local anchor = markdown.anchor(heading)
    local name, count = anchor, 0
    while anchors[name] do
      count = count + 1
      name = anchor .. "-" .. count
    end
    anchors[name] = true
  end
  return anchors
end

---The targets of a page's links.
---@return string[]
function markdown.links(path)
  local links = {}
  for target in prose(path):gmatch "%]%(([^%s)]+)%)" do
    links[#links + 1] = target
  end
  return links
end

---The file that a link of a page leads to, from the top of the tree, and the anchor; nil for an address.
---@return string|nil file, string anchor
function markdown.target(path, link)
  if link:find "^%a+:" then
    return nil, ""
  end
  local file, anchor = link:match "^([^#]*)#?(.*)$"
  if file == "" then
    return path, anchor
  end
  local parts = {}
  for part in ((path:match "^(.*/)" or "") .. file):gmatch "[^/]+" do
    if part == ".." then
      table.remove(parts)
    elseif part ~= "." then
      table.insert(parts, part)
    end
  end
  return table.concat(parts, "/"), anchor
end

---The rows of all tables of a page, without their headings: lists of cells.
---@return string[][]
function markdown.rows(path)
  local rows, in_table = {}, false
  for line in (tree.read(path) .. "\n"):gmatch "(.-)\n" do
    if line:find "^|[%s%-|]+|$" then
      in_table = true
    elseif not line:find "^|" then
      in_table = false
    elseif in_table then
      local cells = {}
      for cell in line:gsub("^|", ""):gmatch "%s*(.-)%s*|" do
        cells[#cells + 1] = cell
      end
      rows[#rows + 1] = cells
    end
  end
  return rows
end

return markdown
