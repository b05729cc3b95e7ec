-- Run by script/install-check with paths that lead to one installation: is it whole?
local cloud66 = require("cloud66")
assert(type(require("cloud66.core")) == "table")
assert(type(require("cloud66.curl")) == "table")

local page = assert(cloud66.decode([[
  {"response": [{"id": 456789, "git_hash": "a1b2c3d4", "outcome": {"code": "SUCCESS", "meaning": "Success"}}],
   "count": 1, "pagination": {"previous": null, "next": null, "current": 1, "per_page": 30, "count": 1, "pages": 1}}
]]))
assert(#page == 1)
assert(page[1].id == 456789)
assert(page[1].git_hash == "a1b2c3d4")

local client = cloud66.new({ token = "a-token", base_url = "http://127.0.0.1:9" })
assert(client:stack("5999b763474b0eafa5fafb64bff0ba80"))
