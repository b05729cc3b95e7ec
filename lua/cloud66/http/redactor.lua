-- redactor.lua: makes texts of a response fit to be shown: without control characters, and without any token.
--
-- A server may repeat what it was sent, in this response or in a later one. So the redactor of a response hides the token
-- that it was asked with, and those that the same client sent before. It belongs to that response: what is told of it goes
-- through its own, whatever came after it.

local errors = require "cloud66.base.error"

local redactor = {}

local MOST = 16 -- tokens that are hidden: a function may give another one for each request

local function new_show(tokens)
  return function(text)
    for i = 1, #tokens do
      text = errors.redact(text, tokens[i])
    end
    return errors.clean(text)
  end
end

---A function token -> show, of one client: show(text) is the redactor of the responses to what is sent with that token.
---The tokens stand in no table that a client leads to.
---@return fun(token: string): fun(text: string): string
function redactor.new()
  local tokens, show = {}, nil
  return function(token)
    if tokens[1] ~= token then
      local known = { token }
      for i = 1, math.min(#tokens, MOST - 1) do
        known[i + 1] = tokens[i]
      end
      tokens, show = known, new_show(known)
    end
    return show
  end
end

return redactor
