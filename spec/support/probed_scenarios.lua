-- Scenarios of what only examples/probe.lua asks for; what a row is stands in scenarios.lua. `etag`, `not_modified` and `logs`
-- are looked at by fake/revalidation.lua, fake/server.lua and fake/operations.lua.
local allowed = require "spec.support.fake.allowed"

local yes, one_of = allowed.yes, allowed.one_of

local LAST_LOG = ("Deploying with secret-of-the-log\n"):rep(80)

return {
  {
    "etag",
    one_of("yes", "ignored", "none"),
    "a 200 has an ETag, and If-None-Match gets 304 (default); has one, and If-None-Match is not looked at; has none",
  },
  { "not_modified", one_of("counted", "free"), "whether a 304 is one of the hour's requests (default) or none" },
  {
    "last_log",
    yes,
    "a stack asked for with ?show_log=true has last_log, a text",
    stack = function(_, object, x)
      return x.query.show_log == "true" and object:set("last_log", LAST_LOG) or nil
    end,
  },
  {
    "logs",
    one_of("none", "forbidden", "lines"),
    "/operations/DEPLOY_SESSION/logs: not there (default); not for this token; its lines, from ?min_severity= on",
  },
}
