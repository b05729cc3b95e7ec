-- Writes each request down as a line of JSON before it is answered, so that a spec that has the answer finds the request.
local access = require "spec.support.fake.access"
local json = require "spec.support.fake.json"

local recorder = {}

local file

---Opened before the workers start: they may have no right to create a file, and inherit this one.
function recorder.open(path)
  file = assert(io.open(path, "a"))
  file:setvbuf("full", 1048576) -- one write per line
end

-- A header or argument sent twice is a list; one without a value is `true`.
local function object(map, redact)
  local members = {}
  for name, value in pairs(map) do
    members[#members + 1] = { name, redact and redact(name, value) or value }
  end
  return json.object(members)
end

local function header(name, value)
  if name ~= "authorization" then
    return value
  elseif type(value) == "table" then
    return "repeated"
  end
  return access.redact(value)
end

function recorder.write(x)
  local line = json.object {
    { "tag", x.values.tag },
    { "method", x.method },
    { "path", x.path },
    { "query", object(x.query) },
    { "scheme", x.scheme },
    { "http_version", x.http_version },
    { "headers", object(x.headers, header) },
    { "body", x.body },
    { "in_flight", x.in_flight },
  }
  file:write(access.hide(json.encode(line)), "\n")
  file:flush()
end

return recorder
