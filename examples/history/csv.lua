-- csv.lua: one line for each deployment, newest first, as RFC 4180 has it. A stack that could not be read is a line with its
-- uid, its name and the error.

local text = require "history.text"

local csv = {}

local COLUMNS = {
  "stack_uid", "stack", "environment", "id", "started_at", "finished_at", "duration_seconds", "outcome", "deploy_type",
  "triggered_via", "triggered_by", "git_ref", "git_hash", "is_live", "reverted", "commit_url", "error",
}

-- Spreadsheets take a cell that begins so for a formula, wide forms (U+FF0B, U+FF0D, U+FF1D, U+FF20) and blanks in front
-- included; behind an apostrophe they do not. Where the system's language has a decimal comma, cells end at semicolons.
local BLANKS = "^[ \t\r\n]*"
local FORMULA = { "[=+@%-]", "\239\188[\139\141\157\160]" }

local function defused(value)
  for _, sign in ipairs(FORMULA) do
    if value:find(BLANKS .. sign) then
      value = "'" .. value
    end
    value = value:gsub("(;[ \t\r\n\"']*)(" .. sign .. ")", "%1'%2")
  end
  return value:find "^[\t\r\n]" and "'" .. value or value
end

local function cell(value)
  if value == nil then
    return ""
  end
  local shown = text.plain(defused(tostring(value))) -- in this order: a tab would no longer be one
  return shown:find '[",\r\n]' and '"' .. shown:gsub('"', '""') .. '"' or shown
end

local function line(row)
  local cells = {}
  for i, name in ipairs(COLUMNS) do
    cells[i] = cell(row[name])
  end
  return table.concat(cells, ",") .. "\r\n"
end

local function moment(seconds, sent)
  return seconds and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) or sent
end

---The line of a deployment, made while it is read.
---@param d cloud66.Deployment
---@param stack cloud66.Stack
---@return string
function csv.line(d, stack)
  return line {
    stack_uid = stack.uid, stack = stack.name, environment = stack.environment, id = d.id,
    started_at = moment(d.started_time, d.started_at), finished_at = moment(d.finished_time, d.finished_at),
    duration_seconds = d.duration and ("%.0f"):format(d.duration), outcome = d.outcome, deploy_type = d.deploy_type,
    triggered_via = d.triggered_via, triggered_by = d.triggered_by, git_ref = d.git_ref, git_hash = d.git_hash,
    is_live = d.is_live, reverted = d.reverted, commit_url = d.commit_url,
  }
end

---@param report table  of gather.lua
---@return string
function csv.write(report)
  local lines = { table.concat(COLUMNS, ",") .. "\r\n" }
  for _, made in ipairs(report.lines) do
    lines[#lines + 1] = made
  end
  for _, lost in ipairs(report.lost) do
    lines[#lines + 1] = line {
      stack_uid = lost.uid, stack = lost.stack.name, environment = lost.stack.environment, error = lost.message,
    }
  end
  return table.concat(lines)
end

return csv
