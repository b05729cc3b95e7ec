-- What goes with stored responses. As recorded of the live service: a 200, whatever the method, has a strong ETag of its bytes,
-- and a 500 has none and is not to be stored. Taken for granted: so is everything else, and a GET that names a tag gets a 304.
-- luacheck: globals ngx
local revalidation = {}

-- Whether an If-None-Match names the tag. nginx makes a weak one of it where it compresses.
local function names(header, tag)
  for sent in (type(header) == "string" and header or ""):gmatch "[^,%s]+" do
    if sent == "*" or sent:gsub("^W/", "") == tag then
      return true
    end
  end
  return false
end

---The reply with its headers, or the 304 that stands for it.
function revalidation.apply(reply, x)
  reply.headers = reply.headers or {}
  ngx.req.clear_header "If-None-Match" -- else nginx compares, too
  if reply.status ~= 200 then
    reply.headers["Cache-Control"] = "no-cache"
    return reply
  end
  reply.headers["Cache-Control"] = "max-age=0, private, must-revalidate"
  if x.values.etag == "none" then
    return reply
  end
  local tag = ('"%s"'):format(ngx.md5(reply.body))
  reply.headers.ETag = tag
  if x.method == "GET" and x.values.etag ~= "ignored" and names(x.headers["if-none-match"], tag) then
    return { status = 304, body = "", headers = reply.headers }
  end
  return reply
end

return revalidation
