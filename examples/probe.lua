-- Reports how the live service answers what its documents leave open, redacted, fit for a public bug report:
--   CLOUD66_TOKEN=... lua5.4 examples/probe.lua [stack uid or name]
--
-- It only reads, with 16 requests at most; one that fails may be sent once more, and after 20 it sends none. It prints types,
-- counts, statuses, names of keys and headers, and words such as "success"; never the token, and no name, address, ref,
-- hash, uid, id, hook or line of a log.

local FOLDER = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = FOLDER .. "/?.lua;" .. package.path -- probe/report.lua lies beside this file

local cjson = require "cjson"
local cloud66 = require "cloud66"
local report = require "probe.report"

local MOST_REQUESTS = 20
local UNKNOWN_UID, UNKNOWN_ID = ("0"):rep(32), 2147483647

local count, forms, kind_of, keys_of = report.count, report.forms, report.kind_of, report.keys_of
local plain, say, shown = report.plain, report.say, report.shown
local set = report.set

-- What is documented.
local DEPLOYMENT = set(table.concat(require("cloud66.core").fields, " "))
local STACK = set [[uid name git git_branch environment cloud fqdn language framework status health last_activity
  last_activity_iso maintenance_mode has_loadbalancer created_at updated_at created_at_iso updated_at_iso
  deploy_directory cloud_status redeploy_hook account_id account_name backend version revision is_busy is_cluster
  is_inside_cluster cluster_name application_address configstore_namespace namespaces considerations]]
local ACTION = set [[id user resource_type action resource_id started_via started_at finished_at finished_success
  finished_message finished_result metadata]]
local WORDS = {
  outcome = set "pending success failed",
  triggered_via = set "web api hook",
  deploy_type = set "build redeploy scale first_build revert",
}

-- --- asking ---

local responses, asked, last, last_request = {}, 0, nil, nil
local send = require("cloud66.transport.curl").new()

-- A transport that remembers what came back, errors too, and sends few requests and nothing but GETs.
local function transport(request)
  last = nil
  if request.method ~= "GET" or asked == MOST_REQUESTS then
    return nil, "aborted", "the probe sends GETs, and few"
  end
  asked, last_request, report.token = asked + 1, request, request.headers.Authorization:match "%S+$"
  local response, kind, message = send(request)
  responses[#responses + 1], last = response, response
  return response, kind, message
end

local client, problem = cloud66.new {
  transport = transport,
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

-- Returns {value = decoded JSON, inner = what its envelope holds, list = the objects in it, body =}; raises {why =, kind =}.
local function ask(path, query)
  local got, _, err = client:request("GET", path, { query = query })
  local ok, value = pcall(cjson.decode, last and last.body or "")
  if got == nil or not ok then
    local seen, kind = last and "; " .. describe(last) or "", got == nil and err.kind or "decode"
    error { why = ("could not be asked: %s%s"):format(kind, seen), kind = kind }
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

-- Asks at once again for what came last, naming its ETag, which the library itself never does: {tag =, before = the response
-- that had it, after = what came now, if anything}; nil where there was none to name.
local function ask_again()
  local before, tag, headers = last, last.headers.etag, {}
  if type(tag) ~= "string" or tag == "" then
    return nil
  end
  for name, value in pairs(last_request.headers) do
    headers[name] = value
  end
  headers["If-None-Match"], headers["Request-Id"] = tag, nil
  local after = transport {
    method = "GET", url = last_request.url, headers = headers, timeout = last_request.timeout, max_body = last_request.max_body,
  }
  return { tag = tag, before = before, after = after }
end

-- Calls examine(...). Where that fails, the question is answered with the reason.
local function try(question, examine, ...)
  local ok, result = pcall(examine, ...)
  if ok then
    return result
  end
  local place = tostring(result):match "(%w+%.lua:%d+):"
  say(question, type(result) == "table" and result.why or "the probe stumbled at " .. tostring(place))
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

-- A text as one segment of a path.
local function escaped(text)
  return (text:gsub("[^%w_.~-]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

-- What is not there, asked for on purpose.
local function say_refusal(question, path)
  local _, failure = pcall(ask, path)
  say(question, last and describe(last) or failure.why)
end

-- --- sections ---

local gathered = {} -- for the questions at the end: first (page 1), again (of ask_again), actions

local function about_stacks()
  local answer = ask "/stacks"
  local list = answer.list
  say_paging("list of stacks", answer)
  report.say_keys(list, STACK)
  for _, key in ipairs { "created_at", "created_at_iso", "last_activity", "last_activity_iso" } do
    say(key, forms(list, key, report.date))
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
  report.say_keys(list, DEPLOYMENT)
  local drifts, flags = {}, {}
  for _, drift in ipairs(page.drift) do
    count(drifts, ("%s is %s"):format(plain(drift.field), drift.got))
  end
  for _, object in ipairs(list) do
    count(flags, ("%s/%s/%s"):format(report.flag(object.is_head), report.flag(object.is_live), report.flag(object.is_deploying)))
  end
  say("fields of an unexpected type", shown(drifts))
  say("is_head/is_live/is_deploying", shown(flags))
  say("reverted", forms(list, "reverted", report.flag))
  for _, key in ipairs { "started_at", "finished_at", "reverted_at" } do
    say(key, forms(list, key, report.date))
  end
end

-- Whether a column of a page falls or rises.
local function order(page, field)
  local falls, rises, before = 0, 0, nil
  for _, value in page:rows(field) do
    value = field == "id" and ("%24s"):format(tostring(value)) or value -- digits of one length compare as numbers do
    falls = falls + (before and value and before > value and 1 or 0)
    rises = rises + (before and value and before < value and 1 or 0)
    before = value or before
  end
  return falls + rises == 0 and "cannot be told" or rises == 0 and "newest first" or falls == 0 and "oldest first"
    or ("neither: %d steps back, %d forth"):format(falls, rises)
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
  gathered.first, gathered.again = first, ask_again()
  say("looked at", "%d deployments", #first.page)
  try("deployments", about_deployments, first.list, first.page)
  report.section "Paging of those deployments"
  try("page 1", about_paging, first, path)
end

local function about_actions(path)
  local answer = ask(path)
  local list = answer.list
  gathered.actions = answer
  say_paging("list of actions", answer)
  report.say_keys(list, ACTION)
  for _, key in ipairs { "action", "resource_type", "started_via" } do
    say(key, forms(list, key, plain))
  end
  say("finished_success", forms(list, "finished_success", report.flag))
  say("resource_id", forms(list, "resource_id", kind_of))
  say("metadata", forms(list, "metadata", keys_of))
  if list[1] and type(list[1].id) == "number" then
    say_single("one action", ("%s/%.0f"):format(path, list[1].id))
  end
end

-- --- the open questions ---

local NO_DEPLOYMENTS = cloud66.decode "[]"

local function about_order()
  local listed = gathered.actions and cloud66.decode(gathered.actions.body) -- what has an id and dates is read alike
  say("order of deployments", gathered.first and "page 1: " .. order(gathered.first.page, "started_time") or "not seen")
  say("order of actions", listed and "page 1: " .. order(listed, "started_time") or "not seen")
end

local function left_of(response)
  return tonumber(response.headers["x-ratelimit-remaining"] or "")
end

-- What a request cost, by what was left before and after it.
local function cost_of(before, after)
  if not before or not after then
    return "cannot be told: no X-RateLimit-Remaining"
  end
  local fallen = before - after
  local verdict = fallen == 0 and "none" or fallen == 1 and "one request"
    or "cannot be told: others use the same limit, or a new hour began"
  return ("%s (%s left before, %s after)"):format(verdict, plain(before), plain(after))
end

local function about_revalidation()
  local again = gathered.again
  if not again then
    return say("If-None-Match", "not asked: page 1 came without an ETag")
  elseif not again.after then
    return say("If-None-Match", "no answer came")
  end
  local status, tag = again.after.status, again.after.headers.etag
  local meant = status == 304 and (again.after.body == "" and "without a body" or "with a body")
    or status == 200 and (tag == again.tag and "the same ETag again: it is not looked at" or "another ETag: the list has changed")
    or "neither yes nor no"
  say("If-None-Match", "HTTP %d, %s; the ETag is %s", status, meant, again.tag:find "^W/" and "weak" or "strong")
  say("  its cost", cost_of(left_of(again.before), left_of(again.after)))
end

-- The session whose logs are asked for, and whose it is: the first that failed, else the first that has ended.
local function choose_session(page)
  local ended
  for _, session, is_failed, is_finished in page:rows("deploy_session", "is_failed", "is_finished") do
    local is_usable = session and session:find "%w"
    if is_usable and is_failed then
      return session, "a failed deployment"
    elseif is_usable and is_finished then
      ended = ended or session
    end
  end
  return ended, "a deployment that has ended"
end

local REFUSED = { not_found = "there are none", forbidden = "this token may not read them" }

local function about_logs()
  local session, whose = choose_session(gathered.first and gathered.first.page or NO_DEPLOYMENTS)
  if not session then
    return say("logs by deploy_session", "not asked: no deployment with a deploy_session has ended")
  end
  local ok, answer = pcall(ask, ("/operations/%s/logs"):format(escaped(session)), { min_severity = 4, include_children = true })
  if not ok then
    local refused = type(answer) == "table" and REFUSED[answer.kind]
    if not refused then
      error(answer, 0)
    end
    return say("logs by deploy_session", "of %s: %s; %s", whose, refused, describe(last))
  elseif kind_of(answer.inner) ~= "list" and kind_of(answer.inner) ~= "empty" then
    return say("logs by deploy_session", "of %s: the answer is no list (%s)", whose, kind_of(answer.inner))
  end
  say("logs by deploy_session", "of %s: they are there, %d lines on page 1", whose, #answer.list)
  say("  keys of a line", keys_of(answer.list[1]))
end

local function about_last_log(path)
  local answer = ask(path .. ".json", { show_log = true })
  local log = type(answer.inner) == "table" and answer.inner.last_log
  say("last_log by show_log=true", type(log) == "string" and "a text of " .. report.size(log) or kind_of(log or nil))
end

-- The results of deployments among the actions: of other actions, keys may be names of somebody's. How many actions these are.
local function results_of(list)
  local results, deploys = {}, 0
  for _, object in ipairs(list) do
    local result = type(object.finished_result) == "table" and object.finished_result or {}
    if result.deploy_session ~= nil or tostring(object.action):lower():find "deploy" then
      deploys = deploys + 1
      results[#results + 1] = next(result) ~= nil and result or nil
    end
  end
  return results, deploys
end

local function about_results()
  local sessions, keys, naming, named = {}, {}, 0, 0
  for _, session in (gathered.first and gathered.first.page or NO_DEPLOYMENTS):rows "deploy_session" do
    if session and session ~= "" then
      sessions[session] = true
    end
  end
  local results, deploys = results_of(gathered.actions and gathered.actions.list or {})
  for _, result in ipairs(results) do
    report.count_keys(keys, result)
    if type(result.deploy_session) == "string" then
      naming, named = naming + 1, named + (sessions[result.deploy_session] and 1 or 0)
    end
  end
  say("results of deploy actions", "%d of %d have a finished_result; its keys: %s", #results, deploys, shown(keys))
  say("  its deploy_session", naming == 0 and "none has one" or "%d of %d name a deployment of page 1", named, naming)
end

local function about_open_questions(path)
  try("order of deployments", about_order)
  try("If-None-Match", about_revalidation)
  try("logs by deploy_session", about_logs)
  try("last_log by show_log=true", about_last_log, path)
  try("results of deploy actions", about_results)
end

-- --- all of it ---

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
  report.section "Stacks"
  local list = try("list of stacks", about_stacks)
  local uid = list and choose(list, wanted)
  local path = type(uid) == "string" and "/stacks/" .. escaped(uid)
  if path then
    say_single("one stack", path)
    report.section "Deployments of one stack"
    try("list of deployments", about_history, path .. "/deployments")
    report.section "Actions of that stack"
    try("list of actions", about_actions, path .. "/actions")
    report.section "Open questions"
    about_open_questions(path)
  end
  report.section "The rest"
  if path then
    say_refusal("an unknown deployment", ("%s/deployments/%d"):format(path, UNKNOWN_ID))
  end
  say_refusal("an unknown stack", "/stacks/" .. UNKNOWN_UID)
  say_single("ping/auth", "/ping/auth")
  report.section "Headers of all answers"
  try("headers", about_headers)
  return list ~= nil
end

local wanted = arg[1]
if arg[2] or wanted == "" or wanted and wanted:find "^%-" then
  io.stderr:write "usage: probe.lua [stack uid or name]\n"
  os.exit(64)
elseif not client then
  io.stderr:write(problem, "\n")
  os.exit(4)
end
print(("How the Cloud 66 API answers cloud66 %s under %s, at %s"):format(cloud66._VERSION, _VERSION,
  os.getenv "CLOUD66_URL" and "another address than the public one" or "its public address"))
local listed = probe(wanted)
print(("\n%d requests were made, all of them GET: nothing was changed."):format(asked))
os.exit(listed and 0 or 4)
