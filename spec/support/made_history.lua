-- Histories made up by a spec, deployment by deployment, for figures that can be worked out by hand.
local cjson = require "cjson"
local cloud66 = require "cloud66"
local merged = require "spec.support.merged"
local random_from = require "spec.support.random_from"

local made_history = {}

---One deployment: outcome, start, end, and what else. A time is "12T09:30", of March 2025, or a whole date.
function made_history.made(outcome, started, finished, more)
  local fields = merged({ outcome = outcome }, more)
  for name, time in pairs { started_at = started, finished_at = finished } do
    fields[name] = #time == 8 and "2025-03-" .. time .. ":00Z" or time
  end
  return fields
end

---Who and what of a deployment, for `more` of made().
function made_history.by(user, via, kind, ref, more)
  return merged({ triggered_by = user, triggered_via = via, deploy_type = kind, git_ref = ref }, more)
end

---A page of deployments: each a table of the API's keys. An id is added where there is none.
function made_history.page_of(list)
  local objects = {}
  for i, fields in ipairs(list) do
    objects[i] = cjson.encode(merged({ id = i }, fields))
  end
  return assert(cloud66.decode("[" .. table.concat(objects, ",") .. "]"))
end

function made_history.figures_of(list, options)
  return assert(cloud66.stats(made_history.page_of(list), options))
end

---The deployments of a page, as a list.
function made_history.items_of(page)
  local items = {}
  for i = 1, #page do
    items[i] = page[i]
  end
  return items
end

---A list mixed up, the same way for the same seed.
function made_history.shuffled(list, seed)
  local copy, random = merged(list), random_from(seed)
  for i = #copy, 2, -1 do
    local k = random(i) + 1
    copy[i], copy[k] = copy[k], copy[i]
  end
  return copy
end

---The intervals of a series: "2025-03-05 2", its label and how many there were.
function made_history.labels(series)
  local list = {}
  for i, one in ipairs(series) do
    list[i] = one.label .. " " .. one.count
  end
  return list
end

return made_history
