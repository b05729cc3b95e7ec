-- Clients whose transport gives responses of a spec's own.
local expect = require "spec.support.expect"

local canned = {}

---A client whose transport gives these responses in turn, the last one again and again. What one leaves out is: status 200, no
---headers, an empty body.
function canned.client(...)
  local responses, at = { ... }, 0
  return expect.connect(nil, {
    transport = function()
      at = math.min(at + 1, #responses)
      local response = responses[at]
      return { status = response.status or 200, headers = response.headers or {}, body = response.body or "" }
    end,
  })
end

---A stack whose client gets this body, whatever it asks for.
function canned.stack(body)
  return canned.client({ body = body }):stack "a-uid"
end

return canned
