---@meta _
-- Deployments and the pages they come in.

---A deployment: read-only userdata without I/O. JSON null and an absent key both read nil. Any other name raises, and names
---the nearest. `==` compares the bytes the API sent: use `id` as a table key. `tostring(d)` is one line without anybody's
---address. From Lua 5.2 on `pairs(d)` goes through the fields.
---
---API: https://developers.cloud66.com/v3/models/deployment
---@class cloud66.Deployment
---Never rounded: a string of digits where this Lua has no integer for it (from 1e14 on, on 5.1, 5.2 and LuaJIT).
---@field id integer|string
---A user or a system.
---@field triggered_by? string
---How it was triggered, in lower case; a word nobody documented passes through.
---@field triggered_via? cloud66.Trigger
---As sent.
---@field triggered_via_code? integer|string
---As sent.
---@field triggered_via_meaning? string
---The date as sent.
---@field started_at? string
---Unix seconds.
---@field started_time? number
---The date as sent.
---@field finished_at? string
---Unix seconds.
---@field finished_time? number
---Seconds from start to end; nil while unknown, or where it would be negative.
---@field duration? number
---How it ended, in lower case; a word nobody documented passes through.
---@field outcome? cloud66.Outcome
---As sent.
---@field outcome_code? integer|string
---As sent.
---@field outcome_meaning? string
---@field git_hash? string
---Branch or tag.
---@field git_ref? string
---Opaque.
---@field deploy_session? string
---What kind of deployment, in lower case; a word nobody documented passes through.
---@field deploy_type? cloud66.DeployType
---As sent.
---@field deploy_type_code? integer|string
---As sent.
---@field deploy_type_meaning? string
---The current HEAD deployment.
---@field is_head? boolean
---Its commit is on the servers now.
---@field is_live? boolean
---No longer on the servers, since the app was rolled back.
---@field reverted? boolean
---@field reverted_by? string
---The date as sent.
---@field reverted_at? string
---Unix seconds.
---@field reverted_time? number
---In progress, as the API says.
---@field is_deploying? boolean
---@field commit_url? string
---@field snapshot_uuid? string
---By outcome. Predicates are true or false, never called.
---@field is_pending boolean
---By outcome.
---@field is_success boolean
---By outcome.
---@field is_failed boolean
---Has an end, or succeeded or failed and is not deploying.
---@field is_finished boolean
---Not finished, and deploying or pending. For an unknown word this and is_finished may both be false.
---@field is_running boolean
---By trigger.
---@field via_web boolean
---By trigger.
---@field via_api boolean
---By trigger.
---@field via_hook boolean
---By type.
---@field type_build boolean
---By type.
---@field type_redeploy boolean
---By type.
---@field type_scale boolean
---By type.
---@field type_first_build boolean
---By type.
---@field type_revert boolean
local Deployment = {}

---Any key as sent, decoded: the way to those that are not documented. Integers are exact.
---@param name string
---@param null? any what to give for a JSON null: an absent key is nil either way
---@return any? value
function Deployment:raw(name, null) end

---Every key sent, as a plain table.
---@param null? any what to put for a JSON null, which is left out otherwise
---@return table<string, any> fields
function Deployment:to_table(null) end

---The bytes the API sent.
---@return string json
function Deployment:to_json() end

---Its length so far.
---@param now? number Unix seconds; default: the present
---@return number? seconds # from the start to the end, or to now while there is none; nil without a start
function Deployment:elapsed(now) end

---Goes through all readable names: `for name, value in d:fields() do`.
---@return fun(...): string?, any iterator
---@return cloud66.Deployment deployment
function Deployment:fields() end

---Whether it meets criteria, as for where().
---@param wanted cloud66.DeploymentCriteria|fun(deployment: cloud66.Deployment): any
---@return boolean? matches
---@return string? message
---@return cloud66.Error? err # kind `decode`: a field it goes by is in a form this library does not know
function Deployment:matches(wanted) end

---@alias cloud66.Trigger
---| "web"
---| "api"
---| "hook"
---| string

---@alias cloud66.Outcome
---| "pending"
---| "success"
---| "failed"
---| string

---@alias cloud66.DeployType
---| "build"
---| "redeploy"
---| "scale"
---| "first_build"
---| "revert"
---| string

---A page of deployments: userdata, or a table where the API does not list them newest first. `#page`, `page[i]`. A deployment
---keeps its page alive.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@class cloud66.Page
---@field [integer] cloud66.Deployment
---Number of this page; this and the next four are nil where the API sent none.
---@field current? integer
---Number of the next page: nil on the last one.
---@field next? integer
---@field previous? integer
---@field pages? integer
---Deployments on all pages, as the API counts them.
---@field total? integer
---Fields that came in a form this library does not know: they read nil, and raw() gives them.
---@field drift cloud66.Drift[]
---@operator len: integer
local Page = {}

---Goes through the deployments: `for d in page:each() do`.
---@return fun(...): cloud66.Deployment? iterator
---@return cloud66.Page page
function Page:each() end

---Goes through columns, the fastest way to scan: `for i, id, outcome in page:rows("id", "outcome") do`.
---@param ... string fields or predicates of a deployment, 64 at most
---@return fun(...): integer?, any iterator
---@return cloud66.Page page
---@return integer start
function Page:rows(...) end

---The page's deployments that meet criteria.
---@param wanted cloud66.DeploymentCriteria|fun(deployment: cloud66.Deployment): any
---@return cloud66.Sequence deployments
function Page:where(wanted) end

---@class cloud66.Drift
---Place of the deployment in the page.
---@field index integer
---@field field string
---The JSON type that was sent.
---@field got string
