-- Error replies: id -> status and text, and the forms a body can take.
local json = require "spec.support.fake.json"

local errors = {}

local known = {
  bad_request = { 400, "the request was invalid" },
  unauthenticated = { 401, "no valid access token was passed" },
  trial_expired = { 402, "the trial of this account has expired" },
  forbidden = { 403, "the access token does not have the scope this needs" },
  not_found = { 404, "the requested resource could not be found" },
  method_not_allowed = { 405, "this method is not available here" },
  time_out = { 408, "the request took too long" },
  conflict = { 409, "the resource is busy with another operation" },
  gone = { 410, "the resource is no longer there" },
  unprocessable = { 422, "the settings are not valid" },
  upgrade_required = { 426, "this version is no longer served" },
  too_many = { 429, "too many requests" },
  server = { 500, "something went wrong on our side" },
  system = { 500, "An unknown error has occurred." }, -- as it was recorded, with two keys
  bad_gateway = { 502, "the upstream gave no valid answer" },
  not_implemented = { 503, "this is not implemented" },
  throttled = { 503, "the rate limit of this hour is used up" },
  gateway_timeout = { 504, "the upstream did not answer in time" },
}

errors.ids = {}
for id in pairs(known) do
  errors.ids[#errors.ids + 1] = id
end
table.sort(errors.ids)

---The page a proxy in front of the API would show.
function errors.html(status)
  local line = "<html>\r\n<head><title>%d</title></head>\r\n<body>\r\n<center><h1>%d</h1></center>\r\n</body>\r\n</html>\r\n"
  return line:format(status, status)
end

-- Forms that are in no document, and in use elsewhere.
local others = {
  object = function(id, text)
    return json.object { { "error", json.object { { "code", id }, { "message", text } } } }
  end,
  list = function(_, text)
    return json.object { { "error", { text, "and more" } } }
  end,
  errors = function(_, text)
    return json.object { { "errors", { text, json.object { { "name", { "is taken" } } } } } }
  end,
  message = function(_, text)
    return json.object { { "message", text } }
  end,
  other = function(_, text)
    return json.object { { "reason", text }, { "hint", json.null } }
  end,
}

local function body(id, form, sent_token)
  local description, details = known[id][2], "details: " .. known[id][2]
  if form == "only_error" then
    return json.object { { "error", id } }
  elseif form == "two_keys" or (form == nil and id == "system") then
    return json.object { { "error", id }, { "error_description", description } }
  elseif others[form] then
    return others[form](id, description)
  elseif form == "description" then
    details = ""
  elseif form == "token" then
    details = ("refused token %s \27[31mred\27[0m\r\nX-Injected: yes\a"):format(sent_token or "(none)")
  end
  return json.object { { "error", id }, { "error_description", description }, { "details", details } }
end

---The reply of this error to the request x, in the form its scenario asks for.
function errors.reply(id, x)
  local status, form = known[id][1], x.error_body
  if form == "html" then
    return { status = status, body = errors.html(status), type = "text/html" }
  elseif form == "empty" then
    return { status = status, body = "" }
  elseif form == "text" then
    return { status = status, body = known[id][2] .. "\n", type = "text/plain" }
  end
  return { status = status, body = json.encode(body(id, form, x.token), x.indent) }
end

return errors
