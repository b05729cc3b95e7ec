-- What c/threads.c runs in two Lua states at once: pages that differ between the two, read whole and checked.
local core = require "cloud66.core"

local outcomes = { "success", "failed", "pending" }

local function object(number, i)
  local gap = number == 1 and "" or " " -- other bytes between the values, for the decoder to remember
  return ('{"id":%d,%s"git_ref":"thread\\u0020%d","outcome":{"code":%d,"meaning":"%s"},%s"deploy_type":"own_%d_%d","rate":%d.5,')
    :format(number * 1000 + i, gap, number, i, outcomes[i % 3 + 1], gap, number, i % 20, i)
    .. ('"started_at":"2024-02-15T14:30:%02dZ","is_live":%s}'):format(i % 60, tostring(number == 1))
end

local texts = {}

local function text(number)
  if not texts[number] then
    local list = {}
    for i = 1, 30 do
      list[i] = object(number, i)
    end
    texts[number] = '{"response":[' .. table.concat(list, ",") .. '],"pagination":{"next":' .. number .. "}}"
  end
  return texts[number]
end

local function same(want, got)
  if want ~= got then
    error(("expected %s, got %s"):format(tostring(want), tostring(got)), 2)
  end
end

return function(number)
  local page = core.decode(text(number))
  same(30, #page)
  same(number, page.next)
  for i, id, ref, outcome, kind, time, live in page:rows("id", "git_ref", "outcome", "deploy_type", "started_time", "is_live") do
    same(number * 1000 + i, id)
    same("thread " .. number, ref)
    same(outcomes[i % 3 + 1], outcome)
    same(("own_%d_%d"):format(number, i % 20), kind)
    same(1708007400 + i, time)
    same(number == 1, live)
  end
  same(7.5, page[7]:raw "rate")
  same(number * 1000 + 7, page[7]:to_table().id)
  same(number, core.json(text(number)).pagination.next)
  same("decode", select(2, core.decode("[" .. text(number))))
  same(false, (pcall(function()
    return page[1].no_such_name
  end)))
end
