-- What all workers know: the shared dict, and what is kept there. It survives a reload.
--
--   list                 {stacks = {{uid, name, environment}}, at =}: as JSON
--   stack:UID            what is known of it (summary.lua): as JSON
--   trouble:UID          why it could not be asked the last time, as a kind; absent if it could
--   older:UID            how often in a row its older deployments could not be asked for
--   due:UID              when to ask again (Unix seconds)
--   body:NAME, etag:NAME what is given out; the etag's flags are the time (Unix seconds) at which it was true, 0 if nothing is known
--
-- Webhooks have a dict of their own, so that they find room where this one is full:
--
--   wake:UID             ask at once
--   list                 a stack that nobody knows had an event: when the list may be asked for again (Unix seconds)
--   seen:HASH            a webhook that has come
local cjson = require "cjson".new()

local memory = {
  dict = assert(ngx.shared.board, "nginx.conf must have: lua_shared_dict board 16m;"),
  webhooks = assert(ngx.shared.webhooks, "nginx.conf must have: lua_shared_dict webhooks 1m;"),
}

local dict = memory.dict

local told_at = -math.huge

---Keeps a value. Where there is no room, the old one stays, and the log says so once an hour.
function memory.keep(key, value, flags)
  local old, old_flags = dict:get(key)
  local ok, problem = dict:safe_set(key, value, 0, flags or 0)
  if not ok then
    if old ~= nil then dict:safe_set(key, old, 0, old_flags or 0) end -- it is gone before room for the new one is looked for
    if math.abs(ngx.now() - told_at) >= 3600 then
      told_at = ngx.now()
      ngx.log(ngx.ERR, "board: no room for ", #tostring(value), " bytes, make lua_shared_dict board larger: ", problem)
    end
  end
  return ok
end

function memory.keep_table(key, value)
  return memory.keep(key, cjson.encode(value))
end

---A table, and the text it comes from; nil where there is none.
function memory.table(key)
  local text = dict:get(key)
  if text then return cjson.decode(text), text end
end

---Keeps what is given out under a name. `known_at`: Unix seconds, 0 if nothing is known.
function memory.publish(name, body, known_at)
  local etag = '"' .. ngx.md5(body) .. '"'
  -- The body first: an etag must never stand beside a body older than itself.
  if dict:get("etag:" .. name) == etag or memory.keep("body:" .. name, body) then
    memory.keep("etag:" .. name, etag, math.floor(known_at))
  elseif not dict:get("body:" .. name) then
    dict:delete("etag:" .. name) -- or else the same body would never be published again
  end
end

---@return string|nil etag, integer known_at
function memory.tag(name)
  local etag, flags = dict:get("etag:" .. name)
  return etag, flags or 0
end

function memory.body(name)
  return dict:get("body:" .. name)
end

---Takes away what is given out of a stack that is gone.
function memory.forget(uid)
  local keys = { "stack:", "trouble:", "older:", "due:", "etag:badge:", "body:badge:", "etag:deployments:", "body:deployments:" }
  for _, key in ipairs(keys) do
    dict:delete(key .. uid)
  end
  memory.webhooks:delete("wake:" .. uid)
end

---The stacks of the board, {uid, name, environment}, and since when that is known; nil while nobody knows.
function memory.stacks()
  local list = memory.table "list"
  if list then return list.stacks, list.at end
end

return memory
