-- pages.lua: generated pages of the API for the benches. Deterministic; every object has values of its own, as real
-- ones have: a page decoded again and again would only measure how well the processor remembers it.

local pages = {}

local state

local function random(n) -- 0 to n - 1; Park and Miller, exact in doubles
  state = state * 16807 % 2147483647
  return state % n
end

local function text_of(alphabet, length)
  local out = {}
  for i = 1, length do
    local at = random(#alphabet) + 1
    out[i] = alphabet:sub(at, at)
  end
  return table.concat(out)
end

local HEX = "0123456789abcdef"
local ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

local function quoted(text)
  return '"' .. text .. '"'
end

local function date(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

-- Pairs of code and meaning in the shape of the API's model page.
local VIA = { { "web", "Web Interface" }, { "api", "API" }, { "hook", "Git Hook" } }
local OUTCOME = { { "pending", "Pending" }, { "success", "Successful" }, { "failed", "Failed" } }
local TYPE = { { "build", "Build" }, { "redeploy", "Redeploy" }, { "scale", "Scale" }, { "first_build", "First Build" },
  { "revert", "Revert" } }

local function word(list)
  local pair = list[random(#list) + 1]
  return ('{"code":"%s","meaning":"%s"}'):format(pair[1], pair[2])
end

local ORDER = { "id", "triggered_by", "triggered_via", "started_at", "finished_at", "outcome", "git_hash", "git_ref",
  "deploy_session", "deploy_type", "is_head", "is_live", "reverted", "reverted_by", "reverted_at", "is_deploying",
  "commit_url", "snapshot_uuid" }

-- Of the deployment that has so many newer ones on its page.
local function values(options, newer)
  local hash = text_of(HEX, 40)
  local started = 1700000000 + random(3600) - newer * 3600
  local url = "https://github.com/example/repository/commit/" .. hash
  local by = text_of("abcdefghijklmnop", 5 + random(6)) .. "@example.com"
  if options.escapes then
    url = url:gsub("/", "\\/")
  end
  local ref = random(2) == 0 and "main" or ("feature/SHOP-%d"):format(1000 + random(9000))
  local reverted = random(4) == 0
  if options.unicode then
    by, ref = "J\195\188rgen " .. by, ref .. "-\230\151\165\230\156\172"
  end
  return {
    id = ("%d"):format(900000 + random(100) - newer * 100),
    triggered_by = quoted(by),
    triggered_via = word(VIA),
    started_at = quoted(date(started)),
    finished_at = quoted(date(started + 60 + random(1500))),
    outcome = word(OUTCOME),
    git_hash = quoted(hash),
    git_ref = quoted(ref),
    deploy_session = quoted("deploy-session-" .. text_of(ALNUM, 10)),
    deploy_type = word(TYPE),
    is_head = random(2) == 0 and "true" or "false",
    is_live = random(2) == 0 and "true" or "false",
    reverted = reverted and "true" or "false",
    reverted_by = reverted and quoted(text_of("abcdefghijklmnop", 7) .. "@example.com") or "null",
    reverted_at = reverted and quoted(date(started + 1600 + random(90000))) or "null",
    is_deploying = "false",
    commit_url = quoted(url),
    snapshot_uuid = quoted(text_of(HEX, 8) .. "-" .. text_of(HEX, 4) .. "-4" .. text_of(HEX, 3) .. "-a"
      .. text_of(HEX, 3) .. "-" .. text_of(HEX, 12)),
  }
end

local function shuffled(list)
  local copy = {}
  for i, item in ipairs(list) do
    copy[i] = item
  end
  for i = #copy, 2, -1 do
    local k = random(i) + 1
    copy[i], copy[k] = copy[k], copy[i]
  end
  return copy
end

local function reversed(list)
  local copy = {}
  for i, item in ipairs(list) do
    copy[#list + 1 - i] = item
  end
  return copy
end

local function deployment(options, newer)
  local order = options.order == "random" and shuffled(ORDER) or options.order == "other" and reversed(ORDER) or ORDER
  local of, parts = values(options, newer), {}
  for i, name in ipairs(order) do
    parts[i] = quoted(name) .. ":" .. of[name]
  end
  if options.unknown_key then
    table.insert(parts, 9, '"rollout":{"strategy":"canary","steps":[10,50,100]}')
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Indents compact JSON by two blanks a level. The generated texts hold no bracket inside a string.
local function indented(json)
  local depth, out, in_string = 0, {}, false
  for i = 1, #json do
    local c = json:sub(i, i)
    if c == '"' then
      in_string = not in_string
    end
    if in_string or c == '"' then
      out[#out + 1] = c
    elseif c == "{" or c == "[" then
      depth = depth + 1
      out[#out + 1] = c .. "\n" .. ("  "):rep(depth)
    elseif c == "}" or c == "]" then
      depth = depth - 1
      out[#out + 1] = "\n" .. ("  "):rep(depth) .. c
    elseif c == "," then
      out[#out + 1] = ",\n" .. ("  "):rep(depth)
    else
      out[#out + 1] = c == ":" and ": " or c
    end
  end
  return table.concat(out)
end

---One list answer of the API, newest first.
---@param count integer   deployments in it
---@param options? table  pretty, order = "other" | "random", unknown_key, escapes, unicode
function pages.page(count, options)
  options = options or {}
  local list = {}
  for i = 1, count do
    list[i] = deployment(options, i - 1)
  end
  local json = ('{"response":[%s],"count":%d,"pagination":{"previous":null,"next":2,"current":1,"per_page":30,'
    .. '"count":%d,"pages":2}}'):format(table.concat(list, ","), count, count * 2)
  return options.pretty and indented(json) or json
end

---Many different pages; the same ones for the same arguments.
function pages.many(how_many, count, options)
  local out = {}
  state = 20240215
  for i = 1, how_many do
    out[i] = pages.page(count, options)
  end
  return out
end

return pages
