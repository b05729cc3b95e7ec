-- follow.lua: redirects within the origin of base_url, and one renewed token after a 401.

local errors = require "cloud66.base.error"
local url = require "cloud66.base.url"

local follow = {}

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
local MOST_REDIRECTS = 5

-- Where a redirect leads; nil and why it is not followed. The token is shown to no other origin than base_url's.
local function target_of(response, address, base_url, hops)
  local location = response.headers.location
  local target = type(location) == "string" and url.resolve(address, location)
  if not target then
    return nil, "the response is a redirect that leads nowhere"
  elseif url.origin(target) ~= url.origin(base_url) then
    return nil, ("the response is a redirect to another origin, %s, which is not shown the token: check base_url"):format(
      url.origin(target))
  elseif hops >= MOST_REDIRECTS then
    return nil, ("the response is one redirect after another, more than %d"):format(MOST_REDIRECTS)
  end
  return target
end

local function send(base_url, exchange, call)
  local address = call.address
  for hops = 0, MOST_REDIRECTS do
    local got, message, err = exchange(call, address)
    if not got then
      return nil, message, err
    end
    local response = got.response
    if call.method ~= "GET" or not REDIRECTS[response.status] then
      return got
    end
    local target, reason = target_of(response, address, base_url, hops)
    if not target then
      return errors.fail("protocol", got.show(reason), { status = response.status, request_id = response.request_id })
    end
    address = target
  end
end

---call -> response of a success; or nil, message, err, and the response where its status is an error.
---@param api table  of api.new()
---@param exchange function  the layer below
function follow.new(api, exchange)
  local settings = api.settings
  local base_url = settings.base_url
  return function(call)
    local got, message, err = send(base_url, exchange, call)
    if got and got.response.status == 401 and settings.token_renewable and not call.renewed then
      call.renewed = true
      got, message, err = send(base_url, exchange, call) -- a 401 did nothing
    end
    if not got then
      return nil, message, err
    elseif got:is_success() then
      return got
    end
    local _
    _, message, err = got:failure()
    return nil, message, err, got
  end
end

return follow
