-- Words that tell only an insider anything stay out of the names in the sources, where the field has terms of its own.
-- As a program, from the top of the tree, it names each place that uses one: script/lint runs it.
local tree = require "spec.support.tree"

local names = {}

---What is looked at, and for what. `words`: the term to use -> the words that stand for it no longer. `foreign`: names of
---libraries, and public ones, which are not ours to choose: true, or the one file that may use it.
names.LISTS = {
  {
    folders = { "src" },
    suffixes = { ".c", ".h" },
    language = "c",
    words = {
      ["origin"] = "road roads",
      ["origin or slot"] = "place places",
      ["first connection"] = "scout scouts scouted scouting",
      ["admit"] = "offer offers offered",
      ["queue timeout"] = "patience",
      ["short reference"] = "near",
      ["oversize"] = "wide",
      ["key template"] = "gap gaps",
      ["missing reason"] = "nothing",
      ["allocation or capacity"] = "room rooms",
      ["abort reason"] = "verdict verdicts",
      ["layer"] = "floor floors",
      ["response"] = "answer answers answered reply replies",
    },
    foreign = { CURLE_GOT_NOTHING = true, CURLE_WEIRD_SERVER_REPLY = true, floor = true },
  },
  {
    folders = { "lua" },
    suffixes = { ".lua" },
    language = "lua",
    words = {
      ["response"] = "answer answers answered reply replies",
      ["stored, or remaining"] = "kept",
      ["generation"] = "mark marks",
      ["single flight, leader or follower"] = "flight flights fly",
      ["open_until"] = "rests",
      ["local"] = "lone",
      ["query"] = "sought",
      ["competing"] = "rival rivals",
      ["unattributed"] = "lonely",
      ["poll or probe"] = "look looks looked",
      ["uniform"] = "dice",
      ["equals or mentions"] = "says",
      ["reported"] = "said told",
      ["unflushed"] = "owed",
      ["last exact"] = "sure",
      ["reset or missing"] = "lost",
      ["layer"] = "floor floors",
    },
    foreign = { in_flight = true, floor = true, kept = "lua/cloud66/sharing/budget.lua" }, -- math.floor; client:limits().kept
  },
}

-- --- sources without comments and literals ---

-- Position behind the closing quote of the literal that opens at `at`; a line break without a backslash ends it too.
local function after_quote(text, at)
  local quote, to = text:sub(at, at), at + 1
  while to <= #text do
    local c = text:sub(to, to)
    if c == quote then
      return to + 1
    elseif c == "\n" then
      return to
    end
    to = to + (c == "\\" and 2 or 1)
  end
  return #text + 1
end

-- Position behind `closing`, searched for as plain text from `from` on; behind the text where there is none.
local function after_plain(text, closing, from)
  local _, last = text:find(closing, from, true)
  return (last or #text) + 1
end

local function line_end(text, at)
  return text:find("\n", at, true) or #text + 1
end

-- Position behind the long bracket that opens at `at`, or nil when none does.
local function after_long_bracket(text, at)
  local level = text:match("^%[(=*)%[", at)
  return level and after_plain(text, "]" .. level .. "]", at + #level + 2)
end

-- language -> what may begin a comment or a literal, and function (text, at): the position behind it, nil when it begins none.
local scanners = {
  c = {
    opening = "[/\"']",
    skip = function(text, at)
      local two = text:sub(at, at + 1)
      if two == "/*" then
        return after_plain(text, "*/", at + 2)
      elseif two == "//" then
        return line_end(text, at)
      end
      return text:sub(at, at) ~= "/" and after_quote(text, at) or nil
    end,
  },
  lua = {
    opening = "[%-%[\"']",
    skip = function(text, at)
      local first = text:sub(at, at)
      if first == "[" then
        return after_long_bracket(text, at)
      elseif first ~= "-" then
        return after_quote(text, at)
      elseif text:sub(at, at + 1) == "--" then
        return after_long_bracket(text, at + 2) or line_end(text, at)
      end
    end,
  },
}

---The text of a source without comments and literals; each line keeps its number.
function names.code_of(text, language)
  local scanner, parts, from = scanners[language], {}, 1
  local at = text:find(scanner.opening)
  while at do
    local behind = scanner.skip(text, at)
    if behind then
      parts[#parts + 1] = text:sub(from, at - 1)
      parts[#parts + 1] = " " .. text:sub(at, behind - 1):gsub("[^\n]", "")
      from = behind
    end
    at = text:find(scanner.opening, behind or at + 1)
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

-- --- names ---

---The words of a name, in lower case: c66_nearRef2 -> {"c", "near", "ref"}
function names.words_of(name)
  local words = {}
  for word in name:gsub("(%l)(%u)", "%1_%2"):gmatch "%a+" do
    words[#words + 1] = word:lower()
  end
  return words
end

local function terms_by_word(list)
  local terms = {}
  for term, words in pairs(list.words) do
    for word in words:gmatch "%S+" do
      terms[word] = term
    end
  end
  return terms
end

---What is wrong with the names in a text, as a list of lines; `list` is one of names.LISTS.
function names.check(text, path, list)
  local problems, terms, number = {}, terms_by_word(list), 0
  for line in (names.code_of(text, list.language) .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    for name in line:gmatch "[%w_]+" do
      local foreign = list.foreign[name]
      local words = (name:find "^%d" or foreign == true or foreign == path) and {} or names.words_of(name)
      for _, word in ipairs(words) do
        if terms[word] then
          problems[#problems + 1] = ("%s:%d: '%s' uses '%s': say '%s'"):format(path, number, name, word, terms[word])
        end
      end
    end
  end
  return problems
end

---The same for all files of all lists, and how many files were read.
function names.check_tree()
  local problems, count = {}, 0
  for _, list in ipairs(names.LISTS) do
    for _, folder in ipairs(list.folders) do
      for _, suffix in ipairs(list.suffixes) do
        for _, path in ipairs(tree.files(folder, suffix)) do
          count = count + 1
          for _, problem in ipairs(names.check(tree.read(path), path, list)) do
            problems[#problems + 1] = problem
          end
        end
      end
    end
  end
  return problems, count
end

if ... == "spec.support.names" then
  return names
end

local problems = names.check_tree()
for _, problem in ipairs(problems) do
  io.stderr:write(problem, "\n")
end
os.exit(#problems == 0 and 0 or 1)
