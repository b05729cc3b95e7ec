-- The board as board.conf uses it.
local cloud66 = require "cloud66"
local refresh = require "board.refresh"
local serve = require "board.serve"
local settings = require "board.settings"
local webhook = require "board.webhook"

-- A question that fails is asked again at the next interval, not before. All workers count their requests together.
local client = assert(cloud66.new {
  timeout = 10, retries = false, store = cloud66.store.shared_dict "cloud66", budget = settings.requests,
})

return {
  start = function()
    refresh.start(client)
    webhook.start()
  end,
  request = serve.request,
  webhook = serve.webhook,
}
