-- lua_curl.lua: what the library is measured against: Debian's lua-curl (Lua 5.1) and lua-cjson, one page after another
-- with one handle. The URLs come on standard input, the token from the environment; prints how many deployments.

local cjson = require "cjson"
local curl = require "curl"

local easy = curl.easy_init()
local pieces
easy:setopt(curl.OPT_HTTPHEADER, { "Authorization: Bearer " .. os.getenv "CLOUD66_TOKEN", "Accept: application/json" })
easy:setopt(curl.OPT_WRITEFUNCTION, function(piece)
  pieces[#pieces + 1] = piece
  return #piece
end)

local count = 0
for url in io.lines() do
  pieces = {}
  easy:setopt(curl.OPT_URL, url)
  assert(easy:perform())
  count = count + #cjson.decode(table.concat(pieces)).response
end
print(count)
