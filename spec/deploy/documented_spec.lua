-- Every documented and recorded response to a redeploy and to a cancellation, as redeploy() and cancel() read it.
local canned = require "spec.support.canned"
local documented = require "spec.support.documented"
require "spec.support.looks"

local names = {
  "id", "message", "queued", "async_action_id", "user_reference", "accepted_time", "git_ref", "stack_uid", "joined", "recovered",
}

local function redeploys(body, want)
  want.user_reference, want.git_ref, want.stack_uid = "job-17", "main", "a-uid"
  -- the actions that carry the reference already are looked for first, twice
  local client = canned.client({ body = '{"response":[]}' }, { body = '{"response":[]}' }, { body = body })
  local result = assert(client:stack("a-uid"):redeploy { git_ref = "main", user_reference = "job-17" })
  for _, name in ipairs(names) do
    assert.same({ name, want[name] }, { name, result[name] })
  end
end

describe("the documented response to a redeploy", function()
  it("of the pages until 2020 says accepted, and no more", function()
    redeploys(documented.redeploy_until_2020, { message = "Stack queued for redeployment" })
  end)

  it("of the pages since 2020-11 has an action's id", function()
    redeploys(documented.redeploy, { message = "Stack queued for redeployment", async_action_id = 40, queued = true })
  end)

  it("of the page of 2025 has an id, and neither ok nor an action's id", function()
    redeploys(documented.redeploy_with_id, { message = "Deployment scheduled", id = 108, queued = true })
  end)

  it("recorded in 2016 is not queued", function()
    redeploys(documented.redeploy_recorded, { message = "Stack starting redeployment", queued = false })
  end)

  it("of the vendor's own mock is queued, with the same words", function()
    redeploys(documented.redeploy_mocked, { message = "Stack starting redeployment", queued = true })
  end)
end)

describe("the documented response to a cancellation", function()
  local running = '{"response":{"id":107,"started_at":"2014-08-29T17:46:16Z","outcome":{"code":0,"meaning":"pending"},"is_deploying":true}}'

  local function cancels(body)
    local ok, state = canned.client({ body = running }, { body = body }):stack("a-uid"):cancel(107)
    assert.same({ true, "cancelling" }, { ok, state })
  end

  it("of the pages until 2024 says that it is being cancelled", function()
    cancels(documented.cancel)
  end)

  it("of the page of 2025 says cancelled, and is no proof of it yet", function()
    cancels(documented.cancel_of_2025)
  end)
end)
