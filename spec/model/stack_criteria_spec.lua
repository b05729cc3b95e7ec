-- Criteria of stacks: what where{...} takes of the list of stacks.
local cloud66 = require "cloud66"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"

local connect, raises = expect.connect, expect.raises

describe("criteria of stacks", function()
  local function names(wanted)
    local found = {}
    for stack in connect():stacks(wanted) do
      found[#found + 1] = stack.name
    end
    return table.concat(found, ", ")
  end

  it("compare fields", function()
    assert.equal("api", names { name = "api" })
    assert.equal("Awesome App, api", names { environment = "production" })
    assert.equal("Awesome App, api, brand new", names { environment = { "production", "development" } })
    assert.equal("awesome-app-staging, api", names { status = 1 })
    assert.equal("Awesome App", names { status_name = "deploying" })
    assert.equal("brand new", names { health_name = "unknown" })
    assert.equal("api", names { has_loadbalancer = true })
    assert.equal("Awesome App, awesome-app-staging, brand new", names { is_busy = cloud66.null })
    assert.equal("api", names { uid = fake.stacks.api })
    assert.equal("Awesome App, awesome-app-staging", names {
      git = function(git)
        return git:find "awesome" ~= nil
      end,
    })
  end)

  it("compare fields in where too", function()
    assert.equal(1, connect():stacks():where({ name = "api", environment = "production" }):count())
  end)

  it("raise for an unknown key, naming the nearest", function()
    raises("'nam'.*'name'", function()
      connect():stacks { nam = "api" }
    end)
    raises("'enviroment'.*'environment'", function()
      connect():stacks():where { enviroment = "production" }
    end)
    raises("outcome", function()
      connect():stacks { outcome = "success" }
    end)
    raises("since", function()
      connect():stacks { since = "2026-01-01" }
    end)
  end)

  it("raise for an unknown word, naming the nearest", function()
    raises("'deploying'", function()
      connect():stacks { status_name = "deployin" }
    end)
    raises("'broken'", function()
      connect():stacks { health_name = "borken" }
    end)
  end)

  it("raise where they are empty, or no criteria", function()
    for _, wanted in ipairs { {}, "api", 5, true } do
      raises("criteria", function()
        connect():stacks(wanted)
      end)
    end
    raises("name", function()
      connect():stacks { name = {} }
    end)
  end)

  it("raise for an empty text, which an unset variable gives", function()
    for _, name in ipairs { "name", "environment", "uid", "git_branch", "status_name" } do
      raises(name, function()
        connect():stacks { [name] = "" }
      end)
      raises(name, function()
        connect():stacks { [name] = { "x", "" } }
      end)
    end
  end)

  it("raise for a value that no field can have", function()
    raises("name", function()
      connect():stacks { name = { { "api" } } }
    end)
    raises("name", function()
      connect():stacks { name = { print } }
    end)
  end)
end)
