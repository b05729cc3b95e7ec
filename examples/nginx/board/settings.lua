-- What the environment says of the board. A setting that makes no sense keeps nginx from starting, and says why.
local settings = {}

local function number(name, default, least, most)
  local text = os.getenv(name)
  if text == nil then return default end
  local value = text:match "^%d+$" and tonumber(text)
  assert(value and value >= least and value <= most,
    ("%s must be a whole number from %d to %d, not '%s'"):format(name, least, most, text))
  return value
end

-- The uids, in the order in which they are shown; nil for all stacks that the token sees.
local function uids(name)
  local text = os.getenv(name)
  if text == nil then return nil end
  local list, seen = {}, {}
  for uid in text:gmatch "[^%s,]+" do
    assert(#uid <= 100 and not uid:find "[^%w_-]", ("%s holds '%s', which is no uid"):format(name, uid))
    if not seen[uid] then
      seen[uid], list[#list + 1] = true, uid
    end
  end
  assert(#list > 0, name .. " is set but names no stack: unset it for all that the token sees")
  return list
end

local function secret(name)
  local text = os.getenv(name)
  assert(text == nil or #text >= 16 and not text:find "[^%w_-]", name .. " must be 16 or more letters and digits")
  return text
end

settings.uids = uids "BOARD_STACKS"
settings.interval = number("BOARD_INTERVAL", 30, 1, 3600) -- seconds between two looks at a stack
settings.stale = number("BOARD_STALE", 3600, 5, 604800) -- seconds: what is older is not shown
settings.requests = number("BOARD_REQUESTS", 1500, 60, 1000000) -- an hour, and never more: the API allows 3,000
settings.title = os.getenv "BOARD_TITLE" or "Deployments"
settings.secret = secret "CLOUD66_WEBHOOK_SECRET" -- nil: no webhooks
settings.max_age = number("CLOUD66_WEBHOOK_MAX_AGE", nil, 1, 99999) -- seconds: older webhooks are refused; nil: none is

settings.most_stacks = 200
settings.most_deployments = 50 -- of each stack

local SHARE = 0.8 -- of the hour's requests: a tenth is for the list and for webhooks, and one the client keeps for changes

---Seconds between two looks at a stack, when there are so many: longer than `interval` if the hour's requests demand it.
function settings.pause(count)
  return math.max(settings.interval, math.ceil(count * 3600 / (SHARE * settings.requests)))
end

---How many questions an hour may be webhooks', beside the looks at so many stacks: whoever knows their secret must not be able
---to use up what these need.
function settings.woken(count)
  return math.floor(0.85 * settings.requests - count * 3600 / settings.pause(count))
end

---Whether what is so old may be told. From the future is what was known before the clock was put back: nobody can say how old it is.
---@param age number  seconds
function settings.is_known(age)
  return age >= -5 and age <= settings.stale -- workers read the clock at different moments
end

return settings
