---@meta cloud66
-- What `require "cloud66"` gives.

---The deployments of Cloud 66 stacks: their history, what is live, and deploying exactly once.
---
---What the world does wrong comes back as `nil, message, err`: a text that begins with the kind and says what to do, and a
---cloud66.Error for code that branches. What the programmer does wrong (a wrong type, an unknown option, an empty text
---where a value is needed) raises, with the line that made the mistake.
---@class cloud66
---What stands for JSON null where nil cannot: in arrays, and in criteria. The same value as `cjson.null` and `ngx.null`.
---@field null lightuserdata
---Stores that clients and processes share.
---@field store cloud66.StoreModule
---Of this library.
---@field _VERSION string
local cloud66 = {}

---A client of the API. No request is sent yet.
---
---Without the option `token` it is looked for in CLOUD66_TOKEN (a token, or the base64 of the toolbelt's token file), in
---CLOUD66_ACCESS_TOKEN, and in ~/.cloud66/cx.json, which is not read inside nginx or where CI is set. A source that is set
---but empty is an error, not a step to the next one.
---
---API: https://developers.cloud66.com/v3/getting-started/authentication
---@param options? cloud66.ClientOptions
---@return cloud66.Client? client
---@return string? message
---@return cloud66.Error? err # kind `auth`: there is no usable token
function cloud66.new(options) end

---Decodes an answer of the API that holds deployments: a list or a single one, with or without its envelope. No I/O.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@param text string JSON
---@return cloud66.Page? page
---@return string? message
---@return cloud66.Error? err # kind `decode`, with `offset`: JSON that is not right, or an element without an id
function cloud66.decode(text) end

---A user_reference that nobody else has: 128 random bits from the operating system. Made and kept before redeploy() is
---called, it finds the deployment again after a crash.
---@return string reference
function cloud66.reference() end

---Figures from a deployment history, in one pass: counts, durations, failures, recoveries, who and how, and a series of
---days, weeks or months. No page is kept in memory. A deployment that is given twice counts twice. A list or a page names no
---stacks: its recoveries go by ref alone.
---@param deployments cloud66.Sequence|cloud66.Page|cloud66.Deployment[] in any order; a sequence is used up
---@param options? cloud66.StatsOptions
---@return cloud66.Stats? stats
---@return string? message
---@return cloud66.Error? err # what the sequence failed with; kind `too_large`: a series of more than 10,000 intervals
function cloud66.stats(deployments, options) end

---Reads the body of a webhook, in each form that is documented. Webhooks are not signed: anybody can send one, so take it
---for a hint to ask the API, never for a proof. Cloud 66 sends each of them once, and never again.
---
---API: https://developers.cloud66.com/v3/getting-started/webhooks
---@param body? string at most 1 MiB; nil, as nginx gives for an empty body, is a `decode` error
---@return cloud66.Webhook? webhook
---@return string? message
---@return cloud66.Error? err # kinds `decode`: not an object, no event_type, or a uid that no stack can have; `too_large`
function cloud66.webhook(body) end

---What a webhook says. What it does not say, or in a form nobody documented, is nil. Reading any other name raises.
---
---API: https://developers.cloud66.com/v3/getting-started/webhooks
---@class cloud66.Webhook
---Its event_type as sent, such as "stack.redeploy.ok".
---@field event string
---Its timestamp: when it was made, in Unix seconds.
---@field time? number
---At most 100 letters, digits, "-" and "_". nil where the event is of no stack (an account's, a payment's, "test.webhook"), or
---names only a server, a job or a container: their uid is not a stack's.
---@field stack_uid? string
---The next two: only where the stack itself was sent.
---@field stack_name? string
---The stack's, such as "production".
---@field environment? string
---How the deployment ended, in lower case. By the event's name, for stack.provision.*, stack.redeploy.*, stack.deploy.* and
---application.update.*: "success" for ok and succeeded, "failed" for fail and failed, "pending" for started and pending. Else
---by its deploy_context, such as it is: no other event's name (service.build.fail, stack.redeploy.hook.fail) is a deployment's
---outcome. nil where name and deploy_context contradict each other: ask the API.
---@field outcome? cloud66.Outcome
---The id of the action behind the deployment, for stack:action(). This and the rest are from the deploy_context, of which each
---event that has one sends only a part.
---@field async_action_id? integer|string
---In lower case.
---@field deploy_type? cloud66.DeployType
---A user or a system.
---@field triggered_by? string
---How it was triggered, in lower case. Also "webhook".
---@field triggered_via? cloud66.Trigger
---@field git_hash? string
---Opaque.
---@field deploy_session? string
---Unix seconds.
---@field started_time? number
---Unix seconds.
---@field finished_time? number

return cloud66
