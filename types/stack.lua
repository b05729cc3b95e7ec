---@meta _
-- One stack: its deployments, what is live, and what can be done to it.

---One stack. The API's own keys are there in a stack from a list and after load(); reading one of a stack that is not
---loaded raises and says so, and so does a name that does not exist. Which keys the API sends depends on the stack's age.
---Methods win over keys of the same name.
---
---API: https://developers.cloud66.com/v3/endpoints/stacks
---@class cloud66.Stack
---Always there.
---@field uid string
---@field name? string
---URL of its repository.
---@field git? string
---@field git_branch? string
---@field environment? string
---@field cloud? string
---@field fqdn? string
---@field language? string
---@field framework? string
---As a number: see status_name.
---@field status? integer
---As a number: see health_name.
---@field health? integer
---status as a word: queued, success, failed, analysing, analysed, queued_for_deploying, deploying, terminal_failure; the
---digits of a number that nobody documented.
---@field status_name? string
---health as a word: unknown, building, partial, ok, broken; the digits of a number that nobody documented.
---@field health_name? string
---A date.
---@field last_activity? string
---A date.
---@field last_activity_iso? string
---@field maintenance_mode? boolean
---@field has_loadbalancer? boolean
---A date.
---@field created_at? string
---A date.
---@field updated_at? string
---A date.
---@field created_at_iso? string
---A date.
---@field updated_at_iso? string
---@field deploy_directory? string
---@field cloud_status? string
---A secret: whoever has it can deploy. The library never shows it.
---@field redeploy_hook? string
---@field account_id? integer
---@field account_name? string
---@field backend? string
---@field version? string
---@field revision? string
---@field is_busy? boolean
---@field is_cluster? boolean
---@field is_inside_cluster? boolean
---@field cluster_name? string
---@field application_address? string
---@field configstore_namespace? string
---@field namespaces? any
---@field considerations? any
local Stack = {}

---Reads the stack's own keys, and keeps them.
---
---API: https://developers.cloud66.com/v3/endpoints/stacks
---@return cloud66.Stack? stack # this one
---@return string? message
---@return cloud66.Error? err
function Stack:load() end

---Any key the API sent, for those that are not documented. Of a stack that is not loaded it raises.
---@param name string
---@return any? value # nil for null and for an absent key
function Stack:raw(name) end

---The deployments, newest first. One that starts while a script walks the list neither repeats nor hides another.
---
---The API promises no order. A list that is oldest first is read from its last page, which costs a request or two more. One
---that is in neither order is read whole and sorted; where it is longer than may be read, that is a `protocol` error.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@param options? cloud66.DeploymentsOptions
---@return cloud66.Sequence deployments # of cloud66.Deployment
function Stack:deployments(options) end

---One page of the deployments, the first one being the newest, in whichever order the API lists them.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@param number? integer from 1, the default
---@return cloud66.Page? page
---@return string? message
---@return cloud66.Error? err
function Stack:page(number) end

---One deployment.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@param id integer|string
---@return cloud66.Deployment? deployment
---@return string? message
---@return cloud66.Error? err # kind `not_found`
function Stack:deployment(id) end

---The newest deployment that is live: what runs on the servers now. This and the next four read five pages at most, and
---have timeout.total for all of them; a flag of a type nobody documented is a `decode` error, never "none".
---@return cloud66.Deployment? deployment
---@return string? message
---@return cloud66.Error? err # kind `none`, with `complete`
function Stack:live() end

---The newest deployment that is the HEAD one.
---@return cloud66.Deployment? deployment
---@return string? message
---@return cloud66.Error? err # kind `none`
function Stack:head() end

---The newest deployment, however far it has come.
---@return cloud66.Deployment? deployment
---@return string? message
---@return cloud66.Error? err # kind `none`: never deployed
function Stack:latest() end

---What to roll back to: the newest successful build of another commit that started before the live one and was not itself
---reverted.
---@return cloud66.Deployment? deployment
---@return string? message
---@return cloud66.Error? err # kind `none`
function Stack:previous_live() end

---Whether a commit is what runs on the servers now.
---@param git_hash string 7 to 64 hex digits
---@return boolean? live # nil when it cannot be told
---@return string? message
---@return cloud66.Error? err
function Stack:is_live(git_hash) end

---The actions, newest first: what the API says of a redeploy on its way.
---
---API: https://developers.cloud66.com/#stack-actions
---@param options? cloud66.ActionsOptions
---@return cloud66.Sequence actions # of cloud66.Action
function Stack:actions(options) end

---One action.
---
---API: https://developers.cloud66.com/#stack-actions
---@param id integer|string
---@return cloud66.Action? action
---@return string? message
---@return cloud66.Error? err # kind `not_found`
function Stack:action(id) end

---Asks for a deployment, at most once: the request is sent once, on a connection of its own. It carries a `user_reference`
---of 128 random bits, or your own. When the answer is lost or makes no sense, the actions are searched for it; when that
---does not settle it, the error is `ambiguous`.
---
---An action that carries a reference of your own already is joined instead (`reuse = false`: not): `result.joined`. One that is
---known to be for other parameters is a `conflict`. Of processes that share a `store` one claims the reference and sends, the others wait
---and join. Without one each looks twice, 5 seconds apart; two that start within these seconds can both send: the API has no
---way to exclude that.
---
---API: https://developers.cloud66.com/#redeploy-a-stack
---@param options cloud66.RedeployOptions
---@return cloud66.RedeployResult? result # accepted
---@return string? message
---@return cloud66.Error? err # kinds `refused`: the API said no; `ambiguous`: look for `err.user_reference`; `conflict`; `exit_code` 4 where nothing was sent
function Stack:redeploy(options) end

---Waits for the end of a deployment, or of what redeploy() started: through the queue and the action to the deployment that
---it made. Failures that pass are waited out until the deadline, throttling too; 401 and 403 end it. A 404 for an action that was
---accepted, or a deployment that was seen, is believed after 30 seconds. A last poll comes before the deadline.
---
---An own action that has ended decides. Where it has succeeded, and which deployment it made cannot be told, the kind is
---`unmatched`, with `action_succeeded`, `candidates` and an exit_code of 0.
---
---API: https://developers.cloud66.com/#stack-actions
---@param what cloud66.Deployment|integer|string|cloud66.Action|cloud66.RedeployResult
---@param options? cloud66.WaitOptions
---@return cloud66.Deployment? deployment # only when it and its action say success
---@return cloud66.WaitInfo|string|nil info_or_message
---@return cloud66.Error? err # `deploy_failed` `cancelled` `unknown_outcome` `unmatched` `conflict` `timeout` `aborted`, with `last`
function Stack:wait(what, options) end

---Makes a commit live: nothing if it is, joins a deployment of it that runs or an own one in the queue, deploys and waits
---otherwise. References of your own do not say which commit they are for: with one, only the same one finds what is still
---in the queue. A newest deployment that is a success of the commit and not live yet is given 30 seconds first. Of processes that share a
---`store` one claims the commit and deploys it, the others wait and join.
---
---API: https://developers.cloud66.com/#redeploy-a-stack
---@param git_hash string 7 to 64 hex digits
---@param options? cloud66.EnsureOptions
---@return cloud66.Deployment? deployment
---@return cloud66.WaitInfo|string|nil info_or_message
---@return cloud66.Error? err # as for redeploy() and wait(); kind `conflict`: another commit is live by now
function Stack:ensure(git_hash, options) end

---Cancels a deployment that runs. The request is sent once. Where its response is lost, what ended without success after it was
---cancelled by it.
---
---API: https://developers.cloud66.com/#cancel-a-deployment
---@param what cloud66.Deployment|integer|string a deployment or its id
---@param options? cloud66.CancelOptions
---@return true? ok
---@return string state_or_message # "cancelling"; "cancelled": ended without success; "finished": it had ended by itself
---@return cloud66.Deployment|cloud66.Error|nil deployment_or_err
function Stack:cancel(what, options) end

---What has happened to the deployments since a cursor was made, the oldest first, each told once. Responses may be older than the
---one before them: such a response tells nothing, `finished` comes once, and a deployment that a response does not show is not
---forgotten.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@param cursor? cloud66.Cursor of an earlier poll; without one, what runs and began in the last two days has `started`
---@return cloud66.Event[]? events
---@return cloud66.Cursor|string cursor_or_message
---@return cloud66.Error? err
function Stack:poll(cursor) end

---Polls again and again: `for event in stack:watch() do`. Failures that pass are waited out; others are raised.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@param options? cloud66.WatchOptions
---@return cloud66.Watch watch
function Stack:watch(options) end

---When a deployment should end: its start and the median of the stack's newest successes of the same type.
---@param deployment cloud66.Deployment
---@return number? expected_end # Unix seconds
---@return boolean|string overdue_or_message # it takes longer than nine in ten of them did
---@return cloud66.Error? err # kind `none`: too few to tell
function Stack:eta(deployment) end

---Options of stack:deployments().
---@class cloud66.DeploymentsOptions
---Where to begin, counted from the newest. Default 1.
---@field page? integer
---Inclusive, as in criteria; pages are not turned beyond it.
---@field since? string|number
---Exclusive, as in criteria.
---@field before? string|number
---Default: all.
---@field max_pages? integer

---Options of stack:actions().
---@class cloud66.ActionsOptions
---Only those that carry it.
---@field user_reference? string
---Where to begin. Default 1.
---@field page? integer
---Default: all.
---@field max_pages? integer
