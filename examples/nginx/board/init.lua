-- The board as board.conf uses it.
local cloud66 = require "cloud66"
local refresh = require "board.refresh"
local serve = require "board.serve"

local client = assert(assert(cloud66.new()):with { timeout = 10, retries = false })

return {
  start = function() refresh.start(client) end,
  request = serve.request,
  webhook = serve.webhook,
}
