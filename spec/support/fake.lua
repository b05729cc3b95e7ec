-- What specs see of the fake API: where it is, what was asked of it, and what it knows. See README.md beside this file.
local access = require "spec.support.fake.access"
local cjson = require "cjson"
local data = require "spec.support.data"
local scenario = require "spec.support.fake.scenario"

local function environment(name)
  local value = os.getenv(name)
  if not value or value == "" then
    error(name .. " is not set, so no fake API is running: run specs with script/test", 0)
  end
  return value
end

local origins = {
  http = environment "C66_FAKE_URL",
  https = environment "C66_FAKE_TLS_URL",
  expired = environment "C66_FAKE_EXPIRED_URL",
  misnamed = environment "C66_FAKE_MISNAMED_URL",
}
local directory = environment "C66_FAKE_DIR"

local fake = {
  data = data,
  ca = environment "C66_FAKE_CA",
  tokens = access.tokens,
  token = access.tokens.valid,
  stacks = data.uids,
}

local function escape(text)
  return (text:gsub("[^%w_.-]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

local function as_text(value)
  if value == true then
    return "yes"
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  end
  return tostring(value)
end

---The scenario as the first part of a path, "~codes=string~page_size=5", and checked: a typo raises here, with the
---caller's line.
function fake.scenario(options)
  local keys, parts = {}, {}
  for key in pairs(options or {}) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    parts[i] = "~" .. key .. "=" .. escape(as_text(options[key]))
  end
  local text = table.concat(parts)
  local ok, problem = scenario.parse(text)
  if not ok then
    error(problem, 3)
  end
  return text
end

---A base URL, "http://127.0.0.1:12345/~codes=string/api/3".
---@param options? table scenario key -> value (true for yes)
---@param scheme? "http"|"https"|"expired"|"misnamed" https with a good certificate, an expired one, one for another name
function fake.url(options, scheme)
  local origin = origins[scheme or "http"]
  if not origin then
    error("the scheme is http, https, expired or misnamed", 2)
  end
  local text = fake.scenario(options)
  return origin .. (text ~= "" and "/" .. text or "") .. "/api/3"
end

---A base URL on which nobody listens: port 1 is reserved, and only root could change that.
function fake.closed_url()
  return "http://127.0.0.1:1/api/3"
end

local function without_null(record)
  for key, value in pairs(record) do
    if value == cjson.null then
      record[key] = nil
    end
  end
  return record
end

---The requests whose scenario carried this tag, in order: {method, path (as sent, without the scenario), query, headers
---(lower-case names; authorization as "Bearer valid"), scheme, http_version, body}.
function fake.requests(tag)
  local list = {}
  for line in io.lines(directory .. "/requests.jsonl") do
    if line:find(tag, 1, true) then
      local record = cjson.decode(line)
      if record.tag == tag then
        list[#list + 1] = without_null(record)
      end
    end
  end
  return list
end

local tags = 0
local process = tostring({}):match "(%w+)$" -- an address: tells this process from another one on the same fake

---A tag nobody has used yet.
function fake.fresh_tag()
  tags = tags + 1
  return ("t%s-%d-%d"):format(process, os.time(), tags)
end

return fake
