-- Scenarios of writing; what a row is stands in scenarios.lua. fake/world.lua fake/lag.lua and fake/api.lua look at most of these
-- themselves, when something is asked for.
local allowed = require "spec.support.fake.allowed"

local yes, one_of, seconds, text = allowed.yes, allowed.one_of, allowed.seconds, allowed.text

local LAGS = { "lag_deployments", "lag_deployment", "lag_actions", "lag_action" }

return {
  { "world", text, "name of the world that writing changes; without it, one that all share" },
  {
    "accepted",
    yes,
    "a POST that `error` or `status` answers is carried out all the same",
  },
  {
    "redeploy",
    one_of("new", "old", "queued", "refused", "approval", "bare", "text_ok", "starting", "scheduled", "scheduled_action",
      "scheduled_other", "only_queued"),
    "the answer to a POST: ok, message, async_action_id, queued (default); ok and message alone; queued in any case; "
      .. "ok false, nothing done; sent for approval, nothing done; without the envelope; ok a text; as recorded in 2016: "
      .. "ok, message, queued false; id, message, queued without ok, where the id is the deployment's, the action's or that "
      .. "of another deployment; queued alone",
  },
  {
    "link",
    yes,
    "the finished_result of an action that a POST made names its deployment: deploy_session, git_hash, servers_deployed",
  },
  { "queue", seconds, "seconds until the deployment of a POST starts (default 5)" },
  { "takes", seconds, "seconds from its start to its end (default 60)" },
  {
    "ends",
    one_of("success", "failed", "cancelled", "never", "none"),
    "how it ends: an outcome, the third one unknown to the documents; never; none: the action ends, and there is no "
      .. "deployment",
  },
  {
    "action_ends",
    one_of("as_deployment", "success", "failed", "missing", "never", "early"),
    "how its action ends, a second later; missing: with finished_success null; early: when the deployment starts",
  },
  { "action_message", text, "finished_message of its action; null: it has none" },
  { "late", seconds, "a POST is accepted only so many seconds after it came" },
  {
    "success_as",
    one_of("boolean", "text"),
    'finished_success is true or false (default), or "true" or "false"',
    action = function(value, object)
      local success = object:get "finished_success"
      if value == "text" and type(success) == "boolean" then
        object:set("finished_success", tostring(success))
      end
    end,
  },
  {
    "metadata",
    one_of("yes", "no", "ref"),
    "no: actions have no metadata, and ?user_reference= is not looked at; ref: it has the git_ref of the POST, too",
    action = function(value, object)
      return value == "no" and object:remove "metadata" or nil
    end,
  },
  { "unfiltered", yes, "?user_reference= is not looked at" },
  {
    "stale",
    yes,
    "is_deploying of a deployment that has ended is still true, where a POST made it",
    deployment = function(_, object, d)
      return d.world and object:set("is_deploying", true) or nil
    end,
  },
  {
    "cancel_as",
    one_of("failed", "cancelled"),
    "the outcome of a deployment that is cancelled, two seconds later (default failed)",
  },
  {
    "cancel_finished",
    one_of("ok", "refused", "conflict", "not_found"),
    "the answer to cancelling what has ended (default ok)",
  },
  { "user", text, "who makes what a POST makes (default ci@awesome.example)" },
  { "person", text, "how the deployment of a POST alone names who made it (default: as `user`)" },
  { "lag_deployments", seconds, "the list of deployments is as it was so many seconds ago, but for the fake's own ones" },
  { "lag_deployment", seconds, "the same of one deployment: 404 where it was not there yet" },
  { "lag_actions", seconds, "the list of actions is as it was so many seconds ago" },
  { "lag_action", seconds, "the same of one action: 404 where it was not there yet" },
  { "lag_live", seconds, "a deployment of the world becomes live only so many seconds after its end, and till then the one before is" },
  {
    "lag_turns",
    yes,
    "two replicas in turn: the first such request of the world is answered as of now, the second with its lag, and so on for "
      .. "each kind of request; needs a lag",
    check = function(_, values)
      for _, name in ipairs(LAGS) do
        if values[name] then
          return nil
        end
      end
      return "lag_turns says when a lag holds: give one of " .. table.concat(LAGS, ", ") .. " too"
    end,
  },
}
