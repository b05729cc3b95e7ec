-- The keys of a deployment as the API documents them, in its order: what src/deployment/field.h is held against, what the specs go
-- through, and what the fake sends.
--
-- A row is { name, kind, endpoint = and model =, the value's JSON in those two documented bodies (see documented.lua), where
-- they have it; sample = what the fake's deployments have there, where history.lua makes up nothing; seconds = a date's sample
-- as Unix seconds }.

local rows = {
  { "id", "integer", endpoint = "107", model = "456789" },
  { "triggered_by", "text", endpoint = [["test@cloud66.com"]], model = [["john@example.com"]] },
  { "triggered_via", "word", endpoint = [[{"code":0,"meaning":"web"}]], model = [[{"code":"web","meaning":"Web Interface"}]] },
  { "started_at", "date", endpoint = [["2014-08-29T17:46:16Z"]], model = [["2024-02-15T14:30:00Z"]] },
  { "finished_at", "date", endpoint = [["2014-08-29T17:58:23Z"]], model = [["2024-02-15T14:45:30Z"]] },
  { "outcome", "word", endpoint = [[{"code":1,"meaning":"success"}]], model = [[{"code":"success","meaning":"Successful"}]] },
  { "git_hash", "text", endpoint = [["5675fcd8f9e6dc534ecf1410c0661c066097e310"]],
    model = [["a1b2c3d4e5f6789012345678901234567890abcd"]] },
  { "git_ref", "text", model = [["main"]] },
  { "deploy_session", "text", endpoint = [["OhBHNzkXSl"]], model = [["deploy-session-uuid-12345"]] },
  { "deploy_type", "word", endpoint = [[{"code":0,"meaning":"build"}]], model = [[{"code":"redeploy","meaning":"Redeploy"}]] },
  { "is_head", "boolean", endpoint = "true", model = "true" },
  { "is_live", "boolean", endpoint = "true", model = "true" },
  { "reverted", "boolean", endpoint = "null", model = "false" },
  { "reverted_by", "text", endpoint = "null", model = "null" },
  { "reverted_at", "date", endpoint = "null", model = "null" },
  { "is_deploying", "boolean", endpoint = "false", model = "false" },
  { "commit_url", "text", endpoint = [["https://github.com/cloud66-samples/rails-test/commit/5675fcd8f9e6dc534ecf1410c0661c066097e310"]],
    model = [["https://github.com/example/repo/commit/a1b2c3d4e5f6789012345678901234567890abcd"]] },
  { "snapshot_uuid", "text", model = [["550e8400-e29b-41d4-a716-446655440000"]] },
}

local fields = { rows = rows }

---The names of one kind, or all.
---@param kind? string  integer, text, date, word, boolean
function fields.names(kind)
  local list = {}
  for _, row in ipairs(rows) do
    if not kind or row[2] == kind then
      list[#list + 1] = row[1]
    end
  end
  return list
end

---The name under which a date is read as Unix seconds.
function fields.seconds_name(date)
  return (date:gsub("_at$", "_time"))
end

---What else is read of the keys: name -> kind, as in core.names.
function fields.more_names()
  local more = { duration = "seconds" }
  for _, row in ipairs(rows) do
    if row[2] == "date" then
      more[fields.seconds_name(row[1])] = "seconds"
    elseif row[2] == "word" then
      more[row[1] .. "_code"], more[row[1] .. "_meaning"] = "code", "text"
    end
  end
  return more
end

---The JSON of each key in a documented body.
---@param body string  "endpoint" or "model"
function fields.sent(body)
  local sent = {}
  for _, row in ipairs(rows) do
    sent[row[1]] = row[body]
  end
  return sent
end

return fields
