-- What a client may ask the fake API to do differently, one row per key. To add a scenario, add a row:
--
--   { "key", allowed, "what it does", point = function(value, subject, ...) ... end }
--
-- `allowed` comes from fake/allowed.lua. Each point gets its subject and returns the changed one (nil: same as before);
-- rows apply from top to bottom. The points, in the order a request passes them:
--
--   check(value, values)                 -> a text where the value makes no sense next to the others (reply: status 599)
--   begin(value, x)                      x is the request: see fake/exchange.lua
--   answer(value, reply, x)              an answer instead of the API's own (before the token is looked at)
--   plan(value, plan)                    how a list is cut into pages: size, added, empty_page, place
--   deployment(value, object, d, index)  one deployment's JSON object (fake/json.lua), its data, its place in the history
--   stack(value, object)                 one stack's JSON object
--   action(value, object, a)             one action's JSON object, its data
--   pagination(value, object)            the object under "pagination"
--   envelope(value, object, x)           what is about to be written as JSON
--   body(value, text, reply, x)          the bytes of a good reply
--   send(value, reply, x)                any reply: its headers, and how it goes over the wire (fake/sender.lua)
--
-- `fault = true` makes a row obey `on`, `stack` and `times`.
local allowed = require "spec.support.fake.allowed"
local calendar = require "spec.support.fake.calendar"
local data = require "spec.support.data"
local errors = require "spec.support.fake.errors"
local json = require "spec.support.fake.json"
local odd_responses = require "spec.support.odd_responses"
local shape = require "spec.support.fake.shape"
local wire = require "spec.support.fake.wire"

local yes, one_of, integer, seconds, text = allowed.yes, allowed.one_of, allowed.integer, allowed.seconds, allowed.text

local function each_text(object, keys, change)
  for _, key in ipairs(keys) do
    local value = object:get(key)
    if type(value) == "string" then
      object:set(key, change(value))
    end
  end
end

local date_styles = {
  z = "Z",
  offset = "+00:00",
  utc = " UTC",
  fraction = ".123Z",
}

local started = os.time() -- in the fake: its workers load this as they begin

local function hostile_texts(keys)
  return function(_, object)
    each_text(object, keys, function()
      return json.raw(data.hostile.json)
    end)
  end
end

-- Which of so many items, newest first, is the i-th of a list.
local places = {}

function places.oldest(i, count)
  return count + 1 - i
end

function places.neither(i, count)
  return i % 2 == 1 and (i + 1) / 2 or count + 1 - i / 2
end

return {
  -- Bookkeeping
  { "tag", text, "name under which `fake.requests(tag)` finds the requests" },
  {
    "on",
    one_of("stacks", "stack", "deployments", "deployment", "redeploy", "cancel", "actions", "action", "logs", "ping",
      "page2", "page3"),
    "faults (marked *) only for this kind of request; page2, page3: only where ?page=2, 3",
  },
  {
    "stack",
    one_of(data.stack_names),
    "faults (marked *) only for what is asked of this stack",
  },
  {
    "times",
    integer(1),
    "faults (marked *) only for the first N such requests of the tag; needs tag",
    check = function(_, values)
      return not values.tag and "times counts requests of a tag: give a tag too" or nil
    end,
  },

  -- Answers that are not the API's own
  {
    "error",
    one_of(errors.ids),
    "the error reply of this id, with its status",
    fault = true,
    answer = function(id, _, x)
      return errors.reply(id, x)
    end,
  },
  {
    "error_body",
    one_of("json", "description", "only_error", "two_keys", "object", "list", "errors", "message", "other", "html", "text", "empty",
      "token"),
    "what any error reply holds: all three keys (default, but two for `system`); details empty; the id alone; id and description; "
      .. "an object, or a list, under `error`; a list under `errors`; a text under `message`; none of these keys; a proxy's HTML; "
      .. "plain text; no bytes; the sent token and control characters echoed in details",
    begin = function(value, x)
      x.error_body = value
    end,
  },
  {
    "status",
    one_of("204", "520", "521", "522", "523", "524", "525", "526", "527", "528", "529", "530"),
    "204 without a body; those from 520 on with a page of HTML, as Cloudflare sends it",
    fault = true,
    answer = function(value)
      local status = tonumber(value)
      return { status = status, body = status == 204 and "" or errors.html(status), type = status ~= 204 and "text/html" or nil }
    end,
  },
  {
    "redirect",
    one_of("same", "other", "loop"),
    "302 to the same place, where the real answer waits; to another host; to itself",
    fault = true,
    answer = function(value, _, x)
      if value == "loop" then
        return { status = 302, body = "", headers = { Location = x.origin .. x.raw_uri } }
      end
      local other = x.scheme == "http" and "http://localhost:" .. x.port or "http://127.0.0.1:" .. x.http_port
      local path = x.raw_uri:gsub("~redirect=%w+", "", 1):gsub("^//", "/") -- an empty scenario leaves no segment
      return { status = 302, body = "", headers = { Location = (value == "other" and other or x.origin) .. path } }
    end,
  },
  {
    "auth",
    one_of("none", "empty401"),
    "none: no token is asked for; empty401: any token is refused, with an empty body and WWW-Authenticate",
    begin = function(value, x)
      x.open = value == "none"
    end,
    answer = function(value)
      if value == "empty401" then
        return {
          status = 401,
          body = "",
          headers = { ["WWW-Authenticate"] = 'Bearer realm="Cloud 66", error="invalid_token"' },
        }
      end
    end,
  },

  -- Which deployments there are
  {
    "live",
    one_of("none"),
    "no deployment is live or head",
    deployment = function(_, object)
      object:set("is_live", false):set("is_head", false)
    end,
  },

  -- Paging
  {
    "order",
    one_of("newest", "oldest", "neither"),
    "deployments and actions newest first (default); oldest first; the newest, the oldest, the second newest and so on",
    plan = function(order, plan, x)
      if order ~= "newest" and (x.kind == "deployments" or x.kind == "actions") then
        plan.place = places[order]
      end
    end,
  },
  {
    "page_size",
    integer(1),
    "items per page (default 30); ?per_page= is never looked at",
    plan = function(size, plan)
      plan.size = size
    end,
  },
  {
    "empty_page",
    integer(1),
    "page K holds nothing, and what it would have held comes on the next one",
    plan = function(page, plan)
      plan.empty_page = page
    end,
  },
  {
    "shift",
    integer(1),
    "from page 2 on, N newer deployments stand on top, so the last N of page 1 come again",
    check = function(n, values)
      return n > (values.page_size or 30) and "shift must not exceed page_size" or nil
    end,
    plan = function(n, plan)
      plan.added = n
    end,
  },
  {
    "pagination",
    one_of("full", "model", "none", "missing_next"),
    "full: previous, next, current, per_page, count, pages (default); model: prev and no per_page; no such key at all; "
      .. "no `next` in it",
    pagination = function(value, p)
      if value == "model" then
        return json.object {
          { "current", p:get "current" },
          { "next", p:get "next" },
          { "prev", p:get "previous" },
          { "count", p:get "count" },
          { "pages", p:get "pages" },
        }
      elseif value == "missing_next" then
        return p:remove "next"
      end
    end,
    envelope = function(value, object)
      return value == "none" and object:remove "pagination" or nil
    end,
  },
  {
    "repeat_next",
    yes,
    "`next` is the current page",
    pagination = function(_, p)
      p:replace("next", p:get "current")
    end,
  },
  {
    "next_back",
    yes,
    "from page 2 on, `next` is the page before",
    pagination = function(_, p)
      if p:get "current" > 1 then
        p:replace("next", p:get "current" - 1)
      end
    end,
  },
  {
    "next_text",
    yes,
    '`next` is a text: "2"',
    pagination = function(_, p)
      local n = p:get "next"
      return type(n) == "number" and p:replace("next", ("%d"):format(n)) or nil
    end,
  },

  -- The shape of a deployment
  {
    "unknown_words",
    yes,
    'every outcome is "cancelled", every trigger "schedule"',
    deployment = function(_, object)
      object:set("outcome", shape.code("outcome", "cancelled", "int"))
      object:set("triggered_via", shape.code("triggered_via", "schedule", "int"))
    end,
  },
  {
    "codes",
    one_of("int", "string", "word", "mixed"),
    "int: {code: 1, meaning: success} (default); string: {code: success, meaning: Successful}; word: a bare string; "
      .. "mixed: the first two in turn",
    deployment = function(value, object, _, index)
      if value == "mixed" then
        value = index % 2 == 0 and "string" or "int"
      end
      for _, field in ipairs(shape.coded) do
        object:set(field, shape.code(field, object:get(field):get "meaning", value))
      end
    end,
  },
  {
    "reverted",
    one_of("null", "false"),
    "what `reverted` is where nothing was reverted (default null)",
    deployment = function(value, object, d)
      if value == "false" and not d.reverted then
        object:set("reverted", false)
      end
    end,
  },
  {
    "recent",
    seconds,
    "the fake's own deployments are moved in time, so that the newest of all started so many seconds before the fake did",
    deployment = function(ago, object, d)
      if not d.world then
        local later = started - ago - data.deployments "awesome_app"[1].started_time
        each_text(object, shape.dates, function(date)
          return calendar.text(calendar.moment(date) + later)
        end)
      end
    end,
  },
  {
    "dates",
    one_of("z", "offset", "utc", "fraction"),
    "...T14:30:00Z (default), ...T14:30:00+00:00, ... 14:30:00 UTC, ...T14:30:00.123Z",
    deployment = function(value, object)
      each_text(object, shape.dates, function(date)
        return (date:gsub("Z$", date_styles[value]):gsub("T", value == "utc" and " " or "T", 1))
      end)
    end,
  },
  {
    "ids",
    one_of("big"),
    "ids near 2^62, exact: `fake.data.big_id(id)`; such an id is then found by its path too",
    begin = function(_, x)
      x.id_text = data.big_id
    end,
    deployment = function(_, object, d)
      object:set("id", json.raw(data.big_id(d.id)))
    end,
  },
  {
    "hostile",
    yes,
    "refs, names and people hold escape sequences, newlines, quotes, NUL, 4-byte UTF-8: `fake.data.hostile.text`",
    deployment = hostile_texts { "triggered_by", "git_ref", "deploy_session", "reverted_by" },
    stack = hostile_texts { "name", "git_branch", "cluster_name" },
  },
  {
    "nulls",
    yes,
    "null wherever null may be: all texts and dates but started_at, and reverted",
    deployment = function(_, object)
      local nullable = {
        "triggered_by", "finished_at", "git_hash", "git_ref", "deploy_session", "reverted", "reverted_by", "reverted_at",
        "commit_url", "snapshot_uuid",
      }
      for _, key in ipairs(nullable) do
        object:set(key, json.null)
      end
    end,
    stack = function(_, object)
      for _, key in ipairs { "git", "git_branch", "fqdn", "language", "framework", "last_activity", "redeploy_hook" } do
        object:replace(key, json.null)
      end
    end,
  },
  {
    "drift",
    yes,
    "wrong types: triggered_by an object, started_at, outcome and git_hash numbers, is_live a text",
    deployment = function(_, object, d)
      object:set("triggered_by", json.object { { "name", d.triggered_by } })
      object:set("started_at", d.started_time)
      object:set("outcome", 1)
      object:set("git_hash", 1234567)
      object:set("is_live", "yes")
    end,
  },
  {
    "extra",
    yes,
    "keys nobody documented: nested objects, arrays, names that differ from known ones by a character",
    deployment = function(_, object)
      object:set("Id", 1)
      object:set("id ", "not the id")
      object:set("git_hashes", { "a", { "b", {} }, json.object {} })
      object:set("GIT_HASH", json.null)
      object:set("is_live?", json.object { { "is_live", { true, false, json.null } } })
      object:set("", "an empty name")
      object:set("metadata", json.object { { "id", 2 }, { "outcome", json.object { { "code", 2 } } }, { "ratio", 0.25 } })
    end,
    stack = function(_, object)
      object:set("metadata", json.object { { "uid", "not the uid" }, { "tags", { "a", "b" } } })
    end,
  },
  {
    "model",
    one_of("full", "short"),
    "18 keys (default), or the 16 without git_ref and snapshot_uuid",
    deployment = function(value, object)
      return value == "short" and object:remove("git_ref"):remove "snapshot_uuid" or nil
    end,
  },

  -- The whole body
  {
    "wrap",
    one_of("yes", "no"),
    'single objects in {"response": ...} or bare (default: as documented, only ping bare)',
    envelope = function(value, object, x)
      if x.is_list then
        return nil
      end
      local wrapped = object:get "response"
      if value == "no" then
        return wrapped
      end
      return not wrapped and json.object { { "response", object } } or nil
    end,
  },
  {
    "body",
    one_of(
      "truncated", "html", "empty", "null", "array", "error_object", "stack", "text", "deep", "bad_utf8"
    ),
    "a 200 with: half of the JSON; HTML; no bytes; null; the bare array; an error object; a stack where a deployment is "
      .. "due; plain text; 100,000 brackets; a text that is not UTF-8",
    fault = true,
    deployment = function(value, object)
      return value == "bad_utf8" and object:set("triggered_by", json.raw '"mar\255\254ia"') or nil
    end,
    stack = function(value, object)
      return value == "bad_utf8" and object:set("name", json.raw '"awe\255\254some"') or nil
    end,
    envelope = function(value, object, x)
      local response = object:get "response" or object
      if value == "array" then
        return x.is_list and response or { response }
      elseif value == "stack" then
        local stack = data.stack_body "awesome_app"
        return object:replace("response", x.is_list and { stack } or stack)
      end
    end,
    body = function(value, whole, reply)
      local bodies = { empty = "", null = "null", error_object = '{"error":"x"}', text = "OK", html = errors.html(200) }
      if value == "html" then
        reply.type = "text/html"
      elseif value == "text" then
        reply.type = "text/plain"
      elseif value == "deep" then
        return ("["):rep(100000) .. ("]"):rep(100000)
      elseif value == "truncated" then
        return whole:sub(1, math.floor(#whole / 2))
      end
      return bodies[value]
    end,
  },
  {
    "pretty",
    yes,
    "indented JSON",
    begin = function(_, x)
      x.indent = "  "
    end,
  },

  -- The way it is sent
  {
    "big",
    integer(1),
    "white space after the body until it has at least BYTES more; chunked",
    fault = true,
    send = function(bytes, reply)
      reply.padding, reply.chunked = bytes, true
    end,
  },
  {
    "content",
    one_of("length", "chunked"),
    "with Content-Length (default) or in chunks",
    send = function(value, reply)
      reply.chunked = reply.chunked or value == "chunked"
    end,
  },
  {
    "gzip",
    one_of("yes", "bad"),
    "compressed, where the client accepts it (nginx.conf does it); bad: said to be gzip, and is not",
    fault = true,
    send = function(value, reply)
      if value == "bad" then
        reply.headers["Content-Encoding"] = "gzip"
      else
        reply.chunked = true
      end
    end,
  },
  {
    "delay",
    seconds,
    "seconds before the first byte",
    fault = true,
    send = function(value, reply)
      reply.delay = value
    end,
  },
  {
    "drip",
    yes,
    "the body comes in 20 pieces, half a second in all",
    fault = true,
    send = function(_, reply)
      reply.drip = true
    end,
  },
  {
    "wire",
    one_of(wire.names),
    "raw bytes instead of the reply, plain HTTP only: see fake/wire.lua",
    fault = true,
    check = function(_, values)
      return values.gzip and "wire sends no reply that could be compressed" or nil
    end,
    send = function(value, reply)
      reply.wire = value
    end,
  },
  {
    "odd",
    {
      describe = "NAME",
      read = function(name)
        return odd_responses.bytes[name] and name
      end,
    },
    "one of the responses of odd_responses.lua instead of the reply, plain HTTP only",
    fault = true,
    check = function(_, values)
      return values.gzip and "odd sends no reply that could be compressed" or nil
    end,
    send = function(value, reply)
      reply.odd = value
    end,
  },
  {
    "cut",
    one_of("head", "body", "reset"),
    "the connection closes before the first byte, or in the middle of the body, or is reset there",
    fault = true,
    send = function(value, reply)
      reply.cut = value
    end,
  },
  {
    "limit",
    integer(1),
    "so many requests of the tag are served and told in X-RateLimit-*, the rest is throttled; needs tag",
    check = function(_, values)
      return not values.tag and "limit counts by tag: give one" or nil
    end,
    begin = function(value, x)
      x.limit = value
    end,
  },
  {
    "ratelimit",
    one_of("yes", "no"),
    "X-RateLimit-Limit and -Remaining, counting down (default yes)",
    send = function(value, reply)
      if value == "no" then
        reply.headers["X-RateLimit-Limit"], reply.headers["X-RateLimit-Remaining"] = nil, nil
      end
    end,
  },
  {
    "retry_after",
    text,
    "Retry-After of this text on error replies (by default there is none)",
    send = function(value, reply)
      if reply.status >= 400 then
        reply.headers["Retry-After"] = value
      end
    end,
  },
  {
    "warning",
    text,
    "X-Cloud66-Warning of this text",
    send = function(value, reply)
      reply.headers["X-Cloud66-Warning"] = value
    end,
  },
}
