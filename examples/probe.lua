-- Reports how the live service answers what its documents leave open, redacted, fit for a public bug report:
--   CLOUD66_TOKEN=... lua5.4 examples/probe.lua [stack uid or name]
--
-- It only reads, with about a dozen requests. It prints types, counts, statuses, names of keys and headers, and words
-- such as "success"; never the token, and no name, address, ref, hash, uid, id or hook.

local cjson = require "cjson"
local cloud66 = require "cloud66"

local MOST_REQUESTS, MOST_SHOWN = 20, 40
local ANSWER_COLUMN, LAST_COLUMN = 36, 100
local UNKNOWN_UID, UNKNOWN_ID = ("0"):rep(32), 2147483647

local function set(words)
  local known = {}
  for word in words:gmatch "%S+" do
    known[word] = true
  end
  return known
end

-- What is documented.
local DEPLOYMENT = set(table.concat(require("cloud66.core").fields, " "))
local STACK = set [[uid name git git_branch environment cloud fqdn language framework status health last_activity
  last_activity_iso maintenance_mode has_loadbalancer created_at updated_at created_at_iso updated_at_iso
  deploy_directory cloud_status redeploy_hook account_id account_name backend version revision is_busy is_cluster
  is_inside_cluster cluster_name application_address configstore_namespace namespaces considerations]]
local ACTION = set [[id user resource_type action resource_id started_via started_at finished_at finished_success
  finished_message finished_result metadata]]
local PAGING = set "previous prev next current per_page count pages total"
local WORDS = {
  outcome = set "pending success failed",
  triggered_via = set "web api hook",
  deploy_type = set "build redeploy scale first_build revert",
}

-- --- what may be shown of a value ---

local function kind_of(value)
  if value == nil or value == cjson.null then
    return value == nil and "absent" or "null"
  elseif type(value) == "number" then
    return value % 1 == 0 and "integer" or "fraction"
  elseif type(value) ~= "table" then
    return type(value)
  end
  return next(value) == nil and "empty" or #value > 0 and "list" or "object"
end

local function shape(text)
  text = text:gsub("[%a\128-\255]+", "a"):gsub("%d+", "9"):gsub("[^%w_.:/@+-]", "?")
  return ('like "%s"'):format(text:sub(1, 30))
end

-- Small numbers, booleans and words are shown as they are; what might be somebody's, or an id, by its type or shape.
local function plain(value)
  if type(value) == "number" and math.abs(value) < 100000 then
    return ("%.14g"):format(value)
  elseif type(value) ~= "string" then
    return type(value) == "boolean" and tostring(value) or kind_of(value)
  end
  local _, digits = value:gsub("%d", "")
  local hex = #value > 6 and not value:find "%X"
  return #value <= 30 and digits < 4 and not hex and value:find "^[%w_ -]+$" and value or shape(value)
end

-- A text "true" is not the boolean.
local function flag(value)
  return type(value) == "string" and ('"%s"'):format(plain(value)) or plain(value)
end

local ZONES = set "Z UTC +00:00"

local function date(value)
  local gap, rest = tostring(value):match "^%d%d%d%d%-%d%d%-%d%d([T ])%d%d:%d%d:%d%d(.*)$"
  if not gap then
    return type(value) == "string" and shape(value) or kind_of(value)
  end
  local fraction, space, zone = rest:match "^(%.?%d*)( ?)(.*)$"
  zone = (ZONES[zone] or zone == "") and zone or zone:find "^[+-]%d%d:?%d%d$" and "+hh:mm" or "?"
  return ("YYYY-MM-DD%shh:mm:ss%s%s%s"):format(gap, fraction:gsub("%d", "f"), space, zone)
end

-- --- counting and reporting ---

local token -- as it was sent: nothing that holds it is shown

local function say_section(title)
  print("\n" .. title)
end

local function say(question, answer, ...)
  answer = select("#", ...) > 0 and answer:format(...) or answer
  if token and answer:find(token, 1, true) then
    answer = "not shown: it holds the token"
  end
  local line = "  " .. question .. " "
  line = line .. ("."):rep(ANSWER_COLUMN - #line)
  for part in answer:gsub("[%c\127-\255]", "?"):gmatch "%S+" do
    if #line + 1 + #part > LAST_COLUMN then
      print(line)
      line = (" "):rep(ANSWER_COLUMN)
    end
    line = line .. " " .. part
  end
  print(line)
end

local function count(counts, name)
  counts[name] = (counts[name] or 0) + 1
end

-- "success x28, failed x2", the most frequent first; `plainly` without the numbers.
local function shown(counts, plainly)
  local names = {}
  for name in pairs(counts) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    return counts[a] > counts[b] or counts[a] == counts[b] and a < b
  end)
  for i, name in ipairs(names) do
    names[i] = plainly and name or ("%s x%d"):format(name, counts[name])
  end
  if #names > MOST_SHOWN then
    names[MOST_SHOWN] = ("and %d more"):format(#names - MOST_SHOWN + 1)
  end
  return #names > 0 and table.concat(names, ", ", 1, math.min(#names, MOST_SHOWN)) or "none"
end

-- How often each form of that key's value occurs among objects; show(value) gives the form.
local function forms(list, key, show)
  local counts = {}
  for _, object in ipairs(list) do
    count(counts, show(object[key]))
  end
  return shown(counts)
end

-- The names and types of an object's keys; numbers of paging by their value.
local function keys_of(object)
  local counts = {}
  for name, value in pairs(type(object) == "table" and object or {}) do
    local show = PAGING[name] and type(value) == "number" and plain or kind_of
    count(counts, ("%s (%s)"):format(plain(name), show(value)))
  end
  return shown(counts, true)
end

local function say_keys(list, documented)
  local absent, nulls, others = {}, {}, {}
  for _, object in ipairs(list) do
    for name in pairs(documented) do
      local value = object[name]
      if value == nil or value == cjson.null then
        count(value == nil and absent or nulls, name)
      end
    end
    for name, value in pairs(object) do
      if not documented[name] then
        count(others, ("%s (%s)"):format(plain(name), kind_of(value)))
      end
    end
  end
  say("documented keys absent", shown(absent))
  say("documented keys null", shown(nulls))
  say("undocumented keys", shown(others))
end

-- --- asking ---

local responses, asked, last = {}, 0, nil

-- A transport that remembers what came back, errors too, and sends few requests and nothing but GETs.
local function remembering(send)
  return function(request)
    last = nil
    if request.method ~= "GET" or asked == MOST_REQUESTS then
      return nil, "aborted", "the probe sends GETs, and few"
    end
    asked, token = asked + 1, request.headers.Authorization:match "%S+$"
    local response, kind, message = send(request)
    responses[#responses + 1], last = response, response
    return response, kind, message
  end
end

local client, problem = cloud66.new {
  transport = remembering(require("cloud66.transport.curl").new()),
  retries = { attempts = 2 }, -- each counts
}

-- Status, type and keys of an answer, and the word under `error`; no texts.
local function describe(response)
  local media = tostring(response.headers["content-type"]):match "^%a+/[%w.+-]+" or "no content type"
  local text = ("HTTP %d, %s, "):format(response.status, media)
  local ok, body = pcall(cjson.decode, response.body)
  if not ok or type(body) ~= "table" then
    return text .. (response.body == "" and "no body" or "the body is no JSON object")
  end
  local code = type(body.error) == "string" and "error = " .. plain(body.error) .. ", " or ""
  return text .. code .. "keys: " .. keys_of(body)
end

-- Returns {value = decoded JSON, inner = what its envelope holds, list = the objects in it, body =}; raises {why =}.
local function ask(path, query)
  local got, _, err = client:request("GET", path, { query = query })
  local ok, value = pcall(cjson.decode, last and last.body or "")
  if got == nil or not ok then
    local seen = last and "; " .. describe(last) or ""
    error { why = ("could not be asked: %s%s"):format(got == nil and err.kind or "decode", seen) }
  end
  local wrapped = type(value) == "table" and value.response ~= nil
  local answer = { value = value, wrapped = wrapped, inner = value, list = {}, body = last.body }
  if wrapped then
    answer.inner = value.response
  end
  for _, item in ipairs(type(answer.inner) == "table" and answer.inner or {}) do
    answer.list[#answer.list + 1] = type(item) == "table" and item or nil
  end
  return answer
end

-- The same for deployments, with .page as the library reads them.
local function ask_page(path, query)
  local answer = ask(path, query)
  local page, _, err = cloud66.decode(answer.body)
  answer.page = page
  return page and answer or error { why = ("could not be read: %s; %s"):format(err.kind, describe(last)) }
end

-- Calls examine(...). Where that fails, the question is answered with the reason.
local function try(question, examine, ...)
  local ok, result = pcall(examine, ...)
  if ok then
    return result
  end
  local line = tostring(result):match "probe%.lua:(%d+):"
  say(question, type(result) == "table" and result.why or "the probe stumbled at its line " .. tostring(line))
end

local function say_paging(question, answer)
  local envelope = kind_of(answer.value) == "object" and answer.value or {}
  local place = answer.wrapped and "{" .. keys_of(envelope) .. "}" or "a bare " .. kind_of(answer.value)
  say(question, "%d items in %s", #answer.list, place)
  say("  pagination", keys_of(envelope.pagination))
  return type(envelope.pagination) == "table" and envelope.pagination or {}
end

local function say_single(question, path)
  return try(question, function()
    local answer = ask(path)
    say(question, "%s; %s", answer.wrapped and "wrapped in response" or "bare", kind_of(answer.inner))
    return answer
  end)
end

-- What is not there, asked for on purpose.
local function say_refusal(question, path)
  local _, failure = pcall(ask, path)
  say(question, last and describe(last) or failure.why)
end

-- --- sections ---

local function about_stacks()
  local answer = ask "/stacks"
  local list = answer.list
  say_paging("list of stacks", answer)
  say_keys(list, STACK)
  for _, key in ipairs { "created_at", "created_at_iso", "last_activity", "last_activity_iso" } do
    say(key, forms(list, key, date))
  end
  say("status", forms(list, "status", plain))
  say("health", forms(list, "health", plain))
  say("scheme of redeploy_hook", forms(list, "redeploy_hook", function(hook)
    return tostring(hook):match "^https?:" or kind_of(hook)
  end))
  return list
end

-- The uid to go on with: of the stack that was named, else of one that was deployed, else of any.
local function choose(list, wanted)
  for _, stack in ipairs(list) do
    local named = wanted and (stack.uid == wanted or tostring(stack.name):lower() == wanted:lower())
    if named or not wanted and stack.status == 1 then
      return stack.uid
    end
  end
  return wanted or list[1] and list[1].uid
end

local function about_words(field, list, page)
  local kinds, seen = {}, {}
  for i, object in ipairs(list) do
    local value, name = object[field], page[i][field]
    local known = not name or WORDS[field][name]
    local coded = type(value) == "table"
    count(kinds, coded and ("{code %s, meaning %s}"):format(kind_of(value.code), kind_of(value.meaning)) or kind_of(value))
    local text = coded and ("%s = %s"):format(plain(value.code), plain(value.meaning)) or plain(value)
    count(seen, known and text or text .. " (undocumented)")
  end
  say(field, shown(kinds))
  say("  seen", shown(seen))
end

local function about_deployments(list, page)
  for _, field in ipairs { "outcome", "triggered_via", "deploy_type" } do
    about_words(field, list, page)
  end
  say_keys(list, DEPLOYMENT)
  local drifts, flags = {}, {}
  for _, drift in ipairs(page.drift) do
    count(drifts, ("%s is %s"):format(plain(drift.field), drift.got))
  end
  for _, object in ipairs(list) do
    count(flags, ("%s/%s/%s"):format(flag(object.is_head), flag(object.is_live), flag(object.is_deploying)))
  end
  say("fields of an unexpected type", shown(drifts))
  say("is_head/is_live/is_deploying", shown(flags))
  say("reverted", forms(list, "reverted", flag))
  for _, key in ipairs { "started_at", "finished_at", "reverted_at" } do
    say(key, forms(list, key, date))
  end
end

-- Whether a column of deployments falls or rises.
local function order(page, field)
  local falls, rises, before = 0, 0, nil
  for _, value in page:rows(field) do
    value = field == "id" and ("%24s"):format(tostring(value)) or value -- digits of one length compare as numbers do
    falls = falls + (before and value and before > value and 1 or 0)
    rises = rises + (before and value and before < value and 1 or 0)
    before = value or before
  end
  return falls + rises == 0 and "cannot be told" or rises == 0 and "newest first" or falls == 0 and "oldest first"
    or ("mixed: %d steps back, %d forth"):format(falls, rises)
end

local function about_second_page(first, path)
  local second = ask_page(path, { page = 2 })
  say_paging("page 2", second)
  local known, again, later, oldest = {}, 0, 0, math.huge
  for _, id, started in first.page:rows("id", "started_time") do
    known[tostring(id)], oldest = true, math.min(oldest, started or oldest)
  end
  for _, id, started in second.page:rows("id", "started_time") do
    again = again + (known[tostring(id)] and 1 or 0)
    later = later + (started and started > oldest and 1 or 0)
  end
  say("  against page 1", "%d are on both, %d started after the oldest of page 1", again, later)
end

local function about_paging(first, path)
  local pages = say_paging("page 1", first).pages
  say("order by started_at", order(first.page, "started_time"))
  say("order by id", order(first.page, "id"))
  try("page 2", about_second_page, first, path)
  try("a page past the end", function()
    say_paging("a page past the end", ask(path, { page = type(pages) == "number" and pages + 1 or 10000 }))
  end)
  try("?per_page=2", function()
    local n = #ask(path, { per_page = 2 }).list
    say("?per_page=2", "%d items: %s", n, n == #first.list and "as without it" or n == 2 and "honoured" or "neither")
  end)
  try("with .json", function()
    say("with .json", ask(path .. ".json").body == first.body and "the same bytes" or "other bytes")
  end)
  local listed = first.page[1]
  local one = listed and say_single("one deployment", path .. "/" .. tostring(listed.id))
  local page = one and cloud66.decode(one.body)
  if page then
    say("  against the list's", page[1] == listed and "the same bytes" or "differs")
  end
end

local function about_history(path)
  local first = ask_page(path)
  say("looked at", "%d deployments", #first.page)
  try("deployments", about_deployments, first.list, first.page)
  say_section "Paging of those deployments"
  try("page 1", about_paging, first, path)
end

local function about_actions(path)
  local answer = ask(path)
  local list = answer.list
  say_paging("list of actions", answer)
  say_keys(list, ACTION)
  for _, key in ipairs { "action", "resource_type", "started_via" } do
    say(key, forms(list, key, plain))
  end
  say("finished_success", forms(list, "finished_success", flag))
  say("resource_id", forms(list, "resource_id", kind_of))
  say("metadata", forms(list, "metadata", keys_of))
  if list[1] and type(list[1].id) == "number" then
    say_single("one action", ("%s/%.0f"):format(path, list[1].id))
  end
end

local function about_headers()
  local names, versions, encodings, first, latest = {}, {}, {}, {}, {}
  for _, response in ipairs(responses) do
    count(versions, tostring(response.http_version))
    count(encodings, plain(response.headers["content-encoding"] or "none"))
    for name, value in pairs(response.headers) do
      count(names, plain(name))
      latest[name] = plain(tonumber(value) or value)
      first[name] = first[name] or latest[name]
    end
  end
  say("HTTP version", shown(versions))
  say("content-encoding", shown(encodings))
  for _, name in ipairs { "x-ratelimit-limit", "x-ratelimit-remaining", "retry-after" } do
    say(name, first[name] and ("%s at first, %s at last"):format(first[name], latest[name]) or "never")
  end
  say("x-cloud66-warning", "on %d of %d answers", names["x-cloud66-warning"] or 0, #responses)
  say("all names", shown(names))
end

-- Whether at least the stacks could be listed.
local function probe(wanted)
  say_section "Stacks"
  local list = try("list of stacks", about_stacks)
  local uid = list and choose(list, wanted)
  local path = type(uid) == "string" and "/stacks/" .. uid:gsub("[^%w_.~-]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
  if path then
    say_single("one stack", path)
    say_section "Deployments of one stack"
    try("list of deployments", about_history, path .. "/deployments")
    say_section "Actions of that stack"
    try("list of actions", about_actions, path .. "/actions")
  end
  say_section "The rest"
  if path then
    say_refusal("an unknown deployment", ("%s/deployments/%d"):format(path, UNKNOWN_ID))
  end
  say_refusal("an unknown stack", "/stacks/" .. UNKNOWN_UID)
  say_single("ping/auth", "/ping/auth")
  say_section "Headers of all answers"
  try("headers", about_headers)
  return list ~= nil
end

local wanted = arg[1]
if arg[2] or wanted == "" or wanted and wanted:find "^%-" then
  io.stderr:write "usage: probe.lua [stack uid or name]\n"
  os.exit(64)
elseif not client then
  io.stderr:write(problem, "\n")
  os.exit(1)
end
print(("How the Cloud 66 API answers cloud66 %s under %s, at %s"):format(cloud66._VERSION, _VERSION,
  os.getenv "CLOUD66_URL" and "another address than the public one" or "its public address"))
local listed = probe(wanted)
print(("\n%d requests were made, all of them GET: nothing was changed."):format(asked))
os.exit(listed and 0 or 1)
