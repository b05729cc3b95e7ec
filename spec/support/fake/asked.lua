-- What the body of a POST asks for: JSON, a form or nothing. No decoder is at hand in nginx, and the few texts wanted
-- are easily found.
-- luacheck: globals ngx
local asked = {}

local short = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  end
  return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function unescape(text)
  return (text:gsub("\\(.)(%x*)", function(letter, digits)
    if letter == "u" and #digits >= 4 then
      return utf8(tonumber(digits:sub(1, 4), 16)) .. digits:sub(5)
    end
    return (short[letter] or letter) .. digits
  end))
end

local function from_json(body, name)
  local first = body:match('"' .. name .. '"%s*:%s*"()')
  local at = first and body:find('["\\]', first)
  while at and body:sub(at, at) == "\\" do
    at = body:find('["\\]', at + 2)
  end
  return at and unescape(body:sub(first, at - 1))
end

local function from_form(body, name)
  local text = ("&" .. body):match("&" .. name .. "=([^&]*)")
  return text and ngx.unescape_uri(text)
end

---{git_ref, user_reference}, each a text or nil.
function asked.read(body)
  local read = body:find "^%s*{" and from_json or from_form
  return { git_ref = read(body, "git_ref") or nil, user_reference = read(body, "user_reference") or nil }
end

return asked
