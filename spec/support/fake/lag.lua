-- Replicas that are behind: when it was that a request is answered of, and what was there then.
local lag = {}

-- Which request of its kind this is, in the world, of those that ask for turns.
local function turn_of(x)
  local turns = x.world.turns
  turns[x.kind] = (turns[x.kind] or 0) + 1
  return turns[x.kind]
end

---The moment that the answer to x shows; once for each request.
function lag.moment(x)
  local seconds = x.values["lag_" .. x.kind]
  if not seconds or x.values.lag_turns and turn_of(x) % 2 == 1 then
    return x.world.now
  end
  return x.world.now - seconds
end

local function was_there(item, at)
  return item.started_time and item.started_time <= at
end

---The copy of a deployment that a spec has added, made to be as it was at that moment; or nil.
function lag.deployment(model, at)
  if not was_there(model, at) then
    return nil
  elseif model.finished_time and model.finished_time > at then
    model.finished_time, model.finished_at, model.outcome, model.is_deploying = nil, nil, "pending", true
  end
  return model
end

---The same of an action.
function lag.action(action, at)
  if not was_there(action, at) then
    return nil
  elseif action.finished_time and action.finished_time > at then
    action.finished_time, action.finished_success, action.finished_message, action.finished_result = nil, nil, nil, nil
  end
  return action
end

return lag
