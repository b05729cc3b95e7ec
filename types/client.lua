---@meta _
-- Clients, their settings, hooks and limits.

---What a script starts from: the stacks, requests to the rest of the API, many things at once.
---@class cloud66.Client
---Where the token came from: "option", "function", the name of a variable, or a path. Never the token.
---@field token_source string
local Client = {}

---A stack by its uid. No I/O: whether there is one shows when it is used.
---@param uid string opaque; from the stack's information page, or stacks()
---@return cloud66.Stack stack
function Client:stack(uid) end

---The stacks this token sees.
---
---API: https://developers.cloud66.com/v3/endpoints/stacks
---@param wanted? cloud66.StackCriteria|fun(stack: cloud66.Stack): any
---@return cloud66.Sequence stacks # of cloud66.Stack, each with its fields
function Client:stacks(wanted) end

---The one stack of that name, whatever its case.
---
---API: https://developers.cloud66.com/v3/endpoints/stacks
---@param wanted cloud66.FindStackOptions
---@return cloud66.Stack? stack
---@return string? message
---@return cloud66.Error? err # kinds `none` and `not_unique`: the message lists what there is
function Client:find_stack(wanted) end

---The deployments of many stacks as one sequence, newest first over all of them, each with its stack: `for d, stack in
---client:deployments() do`. Pages are fetched with up to `concurrency` requests in flight. A deployment without a start
---comes right after the one before it in its own stack's list. A stack that is named twice is read once.
---
---A stack that fails costs itself alone: the sequence's `failed` lists those so far, and the `warning` hook hears of each.
---When all of them fail, the sequence fails; when there is no stack to read, with kind `none`.
---
---API: https://developers.cloud66.com/v3/endpoints/deployments
---@param wanted? (string|cloud66.Stack)[]|cloud66.Sequence|cloud66.StackCriteria|fun(stack: cloud66.Stack): any nil: all
---@param options? cloud66.HistoryOptions
---@return cloud66.Sequence deployments # of cloud66.Deployment, each with its cloud66.Stack
function Client:deployments(wanted, options) end

---Calls fn(item) for each item, with up to `concurrency` requests in flight: while one fn waits for the API, the others go
---on. A failure of fn (nil, message, err, or an err object that it raises) is that item's alone; whatever else it raises is
---a bug: the rest is aborted and it is raised on.
---
---Option `timeout` is for the whole map, beside the one of each call. Where a coroutine cannot give way (one
---of your own inside fn, below table.sort or gsub, or a transport of your own) fn waits, and the others with it; on PUC Lua
---5.1, which cannot yield across an iterator, one item comes after another.
---@param source any[]|cloud66.Sequence
---@param fn fun(item: any, stack: cloud66.Stack?): any, string?, cloud66.Error? stack: where the sequence is over many
---@param options? cloud66.MapOptions
---@return cloud66.MapResults? results
---@return string? message
---@return cloud66.Error? err # the sequence itself failed: `err.results` has what there is; kind `phase` in nginx
function Client:map(source, fn, options) end

---Any other request to the API, for what this library does not cover. Nothing but a GET is ever sent twice.
---@param method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@param path string below base_url, such as "/stacks/UID/snapshots"; what needs encoding must be encoded
---@param options? cloud66.RequestOptions
---@return any? value # the decoded answer; cloud66.null for an empty one; empty lists have cjson.array_mt, where there is one
---@return cloud66.Response|string|nil response_or_message
---@return cloud66.Error? err
function Client:request(method, path, options) end

---The hour's requests, as the server last said or, where it did not, as they were counted. No I/O but the store's.
---@return cloud66.Limits limits
function Client:limits() end

---A view of the same client with other settings: it shares connections, limits, store and token.
---@param options cloud66.ClientOptions
---@return cloud66.Client? client
---@return string? message
---@return cloud66.Error? err # kind `auth`: the token given is not usable
function Client:with(options) end

---Ends this client: its requests in flight, and what is asked of it from now on, are `aborted`. Never required.
function Client:close() end

---Options of cloud66.new() and client:with().
---@class cloud66.ClientOptions
---A string; or a function, called for each request and once more after a 401, that gives it, or nil and a reason.
---@field token? string|fun(): string?, string?
---CLOUD66_URL, else https://app.cloud66.com/api/3. A bare site gets /api/3. Plain http only to this machine.
---@field base_url? string
---The account to act for: the header X-Account.
---@field account? integer|string
---Seconds for a whole call: names, TLS, the answer, every retry and pause; a sequence has it for each page. Default 30, of
---which 5 to connect. An answer of which no byte comes for 15 seconds ends, too.
---@field timeout? number|cloud66.TimeoutOptions
---Of GETs, after kinds `connect`, `timeout` and `network` and statuses 408, 429, 500, 502, 503, 504. false: never.
---@field retries? cloud66.RetryOptions|false
---"wait": a throttled GET is sent again until it is served. Default "fail".
---@field on_throttle? "fail"|"wait"
---Seconds, at most, for that; they do not count as timeout.total. Default 3700.
---@field throttle_wait? number
---Requests in flight in client:map() and client:deployments(). Default 8.
---@field concurrency? integer
---Bytes of an answer, decompressed; a longer one is `too_large`. Default 16 MiB.
---@field max_body? integer
---A file of CA certificates instead of libcurl's own.
---@field ca_file? string
---Such as "http://me:p%40ssword@proxy.example:3128", with what is special in user and password percent-encoded. Default: the
---environment's.
---@field proxy? string
---Default "lua-cloud66/" and the version.
---@field user_agent? string
---Plain http to other machines, which shows the token to the network.
---@field allow_http? boolean
---Another way to send requests. Default: require("cloud66.transport.curl").new().
---@field transport? fun(request: cloud66.TransportRequest): cloud66.TransportResponse?, string?, string?
---Functions that hear of what is done.
---@field on? cloud66.Hooks
---Where counts and answers are shared with other clients and processes.
---@field store? cloud66.Store
---Requests an hour, counted by all who share the store: false to count nothing there.
---@field budget? integer|false
---Answers to GETs are kept in the store and given to all who share it. Default false: they are not.
---@field cache? cloud66.CacheOptions|false

---@class cloud66.TimeoutOptions
---Seconds until the connection stands. Default 5.
---@field connect? number
---Seconds for a whole call. Default 30.
---@field total? number

---@class cloud66.RetryOptions
---How often a request is sent at most. Default 4.
---@field attempts? integer
---Seconds: the longest first pause; doubled each time. Pauses are random, or what Retry-After says. Default 0.5.
---@field base? number
---Seconds: no pause is longer. Default 8.
---@field cap? number

---@class cloud66.CacheOptions
---Seconds in which an answer is given out without asking. Default 5.
---@field fresh? number
---Seconds in which it is given out while one of all asks anew. Default 300.
---@field stale? number
---Seconds in which what cannot change any more is kept. Default 3600.
---@field settled? number

---@class cloud66.RequestOptions
---Name -> string, number or boolean.
---@field query? table<string, string|number|boolean>
---Sent as JSON.
---@field body? table

---Criteria of client:find_stack().
---@class cloud66.FindStackOptions
---@field name string
---@field environment? string

---Options of client:map().
---@class cloud66.MapOptions
---Seconds for the whole map: what has not ended by then is a `timeout`.
---@field timeout? number

---Options of client:deployments().
---@class cloud66.HistoryOptions
---Inclusive, as in criteria; pages are not turned beyond it.
---@field since? string|number
---Exclusive, as in criteria.
---@field before? string|number

---What client:request() gives beside the decoded answer.
---@class cloud66.Response
---@field status integer
---Lower-case names; empty for an answer that was kept.
---@field headers table<string, string>
---As sent.
---@field body string
---As the transport tells it.
---@field http_version? string
---What was sent as Request-Id.
---@field request_id? string
---Seconds since the API said it, of an answer that was kept.
---@field age? number

---One for each item, in order.
---@class cloud66.MapResults
---@field [integer] cloud66.MapResult
---How many of them have failed.
---@field failed integer

---@class cloud66.MapResult
---@field item any
---@field ok boolean
---What fn returned.
---@field value? any
---@field message? string
---@field err? cloud66.Error

---@class cloud66.Limits
---Requests an hour.
---@field limit integer
---Requests left until reset_at.
---@field remaining integer
---@field used integer
---Unix seconds: the next full hour, unless the server named another time.
---@field reset_at number
---The server did not say: only our own requests are counted.
---@field counted boolean
---Of the remaining ones, how many are kept for what changes something; with option `store` or `budget`.
---@field kept? integer
---Counted in the store, with all who share it; false while the store fails.
---@field shared? boolean

---Hooks: the library never prints. None of the tables they get holds the token, and a hook that raises breaks nothing: the
---`warning` hook is told.
---@class cloud66.Hooks
---Before each request.
---@field request? fun(info: cloud66.RequestInfo)
---After each, whatever came of it.
---@field response? fun(info: cloud66.ResponseInfo)
---Before the pause after which a request is sent again.
---@field retry? fun(info: cloud66.RetryInfo)
---The API, or our own budget, refuses for now.
---@field throttle? fun(info: cloud66.ThrottleInfo)
---What the API says in X-Cloud66-Warning; that one of many stacks cannot be read; that a store fails; that a hook raised.
---@field warning? fun(info: cloud66.WarningInfo)
---What the cache did with a GET.
---@field cache? fun(info: cloud66.CacheInfo)

---@class cloud66.RequestInfo
---@field method string
---@field url string
---What is sent as Request-Id.
---@field request_id string
---From 1.
---@field attempt integer

---@class cloud66.ResponseInfo: cloud66.RequestInfo
---Seconds.
---@field elapsed number
---nil where no answer came.
---@field status? integer
---Of the body, decompressed.
---@field bytes? integer
---As the transport tells it.
---@field http_version? string
---Where no answer came.
---@field kind? cloud66.ErrorKind
---@field message? string

---@class cloud66.RetryInfo: cloud66.RequestInfo
---Of the attempt that failed.
---@field err cloud66.Error
---Seconds until the next.
---@field pause number
---Seconds, where the API said so.
---@field retry_after? number
---It is only the time to the next full hour.
---@field retry_after_estimated? boolean

---@class cloud66.ThrottleInfo: cloud66.RequestInfo
---@field err cloud66.Error
---Seconds until it is tried again; nil when the call fails.
---@field pause? number
---Seconds.
---@field retry_after? number
---@field retry_after_estimated? boolean

---@class cloud66.WarningInfo
---Free of control characters.
---@field text string
---Where the API sent the warning: of the request.
---@field method? string
---@field url? string
---@field request_id? string
---@field attempt? integer
---Where one of many stacks cannot be read.
---@field stack? cloud66.Stack
---@field err? cloud66.Error

---@class cloud66.CacheInfo
---@field method string
---@field url string
---Given out as kept (`fresh`, `stale`, `settled`), got by another who asked (`joined`), or asked for (`miss`).
---@field state "fresh"|"stale"|"settled"|"joined"|"miss"
---Seconds since the API said it; nil for a miss.
---@field age? number
