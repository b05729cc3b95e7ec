-- redactor.lua: makes texts of a response fit to be shown: without control characters, and without any token.
--
-- A server may repeat what it was sent, in this response or in a later one. So the redactor of a response hides the token
-- of its request, and those that the same client sent before. It belongs to that response: texts of it go through
-- its own, whatever came after it.

local errors = require "cloud66.base.error"

local redactor = {}

local MOST = 200 -- tokens that are hidden, the last ones: a function may give another one for each request

local function new_show(tokens)
  return function(text)
    for i = 1, #tokens do
      text = errors.redact(text, tokens[i])
    end
    return errors.clean(text)
  end
end

---Two functions of one client. The first gives for a token show(text), the redactor of the responses to what is sent with
---it. The second says whether a text holds any of these tokens. They stand in no table that a client leads to.
---@return fun(token: string): fun(text: string): string show_of, fun(text: string): boolean holds_token
function redactor.new()
  local tokens, show = {}, nil -- the last one first
  local function show_of(token)
    if tokens[1] ~= token then
      local known = { token }
      for i = 1, #tokens do
        if tokens[i] ~= token and #known < MOST then
          known[#known + 1] = tokens[i]
        end
      end
      tokens, show = known, new_show(known)
    end
    return show
  end
  local function holds_token(text)
    for i = 1, #tokens do
      if text:find(tokens[i], 1, true) then
        return true
      end
    end
    return false
  end
  return show_of, holds_token
end

return redactor
