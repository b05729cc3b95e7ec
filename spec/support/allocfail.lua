-- What c/allocfail.c runs while memory fails: something of everything the core does. Returns a function that returns a text of
-- all that it saw.
local jit = rawget(_G, "jit")
if jit then
  jit.off() -- LuaJIT's compiler does not survive it, with or without the core
end

local null = false
local concat = table.concat

local object = [[{"id":107,"triggered_by":"test@example.com","triggered_via":{"code":0,"meaning":"web"},]]
  .. [["started_at":"2014-08-29T17:46:16Z","finished_at":"2014-08-29T17:58:23Z","outcome":{"code":1,"meaning":"success"},]]
  .. [["git_hash":"5675fcd8f9e6dc534ecf1410c0661c066097e310","git_ref":"caf\u00e9\ud83d\ude80","deploy_type":"Build",]]
  .. [["is_head":true,"is_live":false,"reverted":null,"commit_url":"https:\/\/example.com\/]] .. ("a"):rep(80)
  .. [=[","is_deploying":false,"extra":{"list":[1,2.5,null,"x"],"deep":[ [ [{}] ] ]}}]=]

-- More deployments and words than fit where the decoder begins.
local many = {}
for i = 1, 40 do
  many[i] = ('{"id":%d,"outcome":{"code":"w%d","meaning":"W"},"git_hash":"%d"}'):format(i, i, i)
end

local texts = {
  list = '{"response":[' .. object .. "," .. object .. '],"count":2,"pagination":{"next":2,"current":1,"count":48,"pages":2}}',
  single = '{"response":' .. object .. "}",
  many = "[" .. concat(many, ",") .. "]",
  wide = '[{"filler":"' .. ("x"):rep(33000) .. '",' .. object:sub(2) .. "]",
  drift = '[{"id":18446744073709551616,"git_hash":5,"started_at":"soon","outcome":[1],"is_live":"yes","deploy_type":{"code":7}}]',
}
local refused = { "", "{", '{"error":"x"}', '[{"id":1,"git_ref":"\255"}]', "[[[[[1,2" }
local columns = { "id", "outcome", "outcome_code", "started_time", "duration", "git_ref", "commit_url", "is_live", "is_success" }

local out

local function note(...)
  for i = 1, select("#", ...) do
    out[#out + 1] = tostring((select(i, ...)))
  end
end

-- As allocfail.c's is_out_of_memory.
local function is_memory(message)
  message = tostring(message)
  return message:find "not enough memory$" or message:find("stack overflow (", 1, true)
end

-- Notes what must be raised; that memory fails is raised further.
local function note_raised(...)
  local ok, message = pcall(...)
  if not ok and is_memory(message) then
    error(message, 0)
  end
  note(ok, message)
end

local function index(value, key)
  return value[key]
end

local function sorted(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for key, inner in pairs(value) do
    parts[#parts + 1] = tostring(key) .. "=" .. sorted(inner)
  end
  table.sort(parts)
  return "{" .. concat(parts, ",") .. "}"
end

local function note_deployment(d)
  for name, value in d:fields() do
    note(name, value)
  end
  note(d, d:raw "git_ref", sorted(d:raw("extra", null)), sorted(d:raw "outcome"), d:elapsed(1500000000))
  note(d == d, d.is_finished, d.is_running, d.type_build)
end

local unpack = table.unpack or _G.unpack -- luacheck: ignore 143

local function note_page(page)
  note(page, #page, page.next, page.total)
  for i, a, b, c, e, f, g, h, k, l in page:rows(unpack(columns)) do
    note(i, a, b, c, e, f, g, h, k, l)
  end
  for d in page:each() do
    note(d.id, d.outcome)
  end
  note_deployment(page[1])
  for _, entry in ipairs(page.drift) do
    note(entry.index, entry.field, entry.got)
  end
end

local core

return function()
  out = {}
  if not core then
    package.loaded["cloud66.core"] = nil -- where it failed half way
    core = require "cloud66.core"
  end
  for _, name in ipairs { "list", "single", "drift" } do
    note_page(core.decode(texts[name]))
  end
  for i, id, outcome in core.decode(texts.many):rows("id", "outcome") do
    note(i, id, outcome)
  end
  local wide = core.decode(texts.wide)[1]
  note(wide.id, wide.outcome, wide.git_ref, wide.started_time)
  local page = core.decode(texts.list)
  note(sorted(page[2]:to_table(null)), #page[2]:to_json(), page[1] == page[2], core.is_deployment(page[1]))
  note(core.drifted(page[1], "is_finished"), core.drifted(core.decode(texts.drift)[1], "git_hash"))
  note(core.holds_list(texts.list), core.holds_list(texts.single))
  for _, text in ipairs(refused) do
    note(core.decode(text))
    note(core.json(text))
  end
  note(sorted(core.json(object)), core.json '"\\u0041\\n"', core.json "1e400", core.json "-1.5")
  note(core.timestamp "2024-02-15T14:30:00Z", core.timestamp "soon", core.nearest("outcom", core.names))
  note_raised(index, page, "nxt")
  note_raised(index, page[1], "outcom")
  note_raised(index, page[1], {})
  note_raised(page.rows, page, "id", "git_hsh")
  note_raised(core.decode, {})
  return (concat(out, "\n"):gsub("0x%x+", "address"))
end
