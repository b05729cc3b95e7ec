-- What is promised of deployments and actions, where the API lists them oldest first.
local fake = require "spec.support.fake"

-- The specs of a file, as if they stood here: busted's words are globals of this chunk alone.
local environment = _ENV or getfenv(1) -- luacheck: ignore 113 143
local function specs_of(name)
  local chunk = assert(loadfile(("spec/%s_spec.lua"):format(name), "t", environment))
  return setfenv and setfenv(chunk, environment) or chunk -- luacheck: ignore 113 143
end

describe("where lists are oldest first,", function()
  setup(function()
    fake.order = "oldest"
  end)

  teardown(function()
    fake.order = nil
  end)

  for _, name in ipairs { "resource/stack", "model/sequence", "deploy/wait", "resource/watch" } do
    describe(name, specs_of(name))
  end
end)
