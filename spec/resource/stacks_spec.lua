-- The list of stacks, and finding one in it.
local canned = require "spec.support.canned"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local harmless = require "spec.support.harmless"
local lists = require "spec.support.lists"

local connect, raises, failure = expect.connect, expect.raises, expect.failure
local answering, is_harmless = canned.client, harmless.check

describe("client:stacks", function()
  it("gives all stacks, loaded, in the API's order", function()
    local found = connect():stacks():collect()
    assert.same({ "Awesome App", "awesome-app-staging", "api", "brand new" }, lists.column(found, "name"))
    for i, name in ipairs(fake.data.stack_names) do
      assert.equal(fake.stacks[name], found[i].uid)
      assert.equal(fake.data.stack(name).environment, found[i].environment)
    end
  end)

  it("turns pages, and only those that are needed", function()
    local tag = fake.fresh_tag()
    local client = connect { tag = tag, page_size = 1 }
    assert.equal(4, client:stacks():count())
    assert.equal(4, #fake.requests(tag))
    client:stacks():take(2):collect()
    assert.equal(6, #fake.requests(tag))
  end)

  it("asks nothing before it is used", function()
    local tag = fake.fresh_tag()
    connect({ tag = tag }):stacks { name = "api" }
    assert.same({}, fake.requests(tag))
  end)

  it("fails in the middle with the page's error", function()
    local client = connect { page_size = 2, error = "server", on = "page2" }
    failure("server", client:stacks():collect())
    failure("server", client:find_stack { name = "brand new" })
    assert.equal(2, #client:stacks():take(2):collect())
  end)

  it("does not take a `next` that is no number, or does not move forward, for the end", function()
    local function list(following)
      return { body = '{"response":[{"uid":"a"}],"pagination":{"current":1,"next":' .. following .. "}}" }
    end
    for _, following in ipairs { "1", "0", "-1", "true", "{}", '"x"', "1.5", "[]" } do
      local value, message, err = answering(list(following)):stacks():collect()
      assert.is_nil(value, following)
      assert.is_true(err.kind == "protocol" or err.kind == "decode", message)
    end
    assert.equal(1, #answering(list "null"):stacks():collect())
    for _, pagination in ipairs { '"x"', "true", "5" } do
      local client = answering { body = '{"response":[{"uid":"a"}],"pagination":' .. pagination .. "}" }
      failure("decode", client:stacks():collect())
    end
  end)

  it("takes criteria and functions", function()
    local client = connect()
    assert.same({ "api" }, lists.column(client:stacks({ name = "api" }):collect(), "name"))
    assert.same({ "Awesome App", "api" }, lists.column(client:stacks({ environment = "production" }):collect(), "name"))
    assert.same({ "Awesome App" }, lists.column(client:stacks({ status_name = "deploying" }):collect(), "name"))
    local short = client:stacks(function(stack)
      return #stack.name < 5
    end)
    assert.same({ "api" }, lists.column(short:collect(), "name"))
  end)
end)

describe("client:find_stack", function()
  it("finds a stack by its name, whatever its case, on any page", function()
    for _, name in ipairs { "api", "API", "Api" } do
      assert.equal(fake.stacks.api, connect({ page_size = 2 }):find_stack({ name = name }).uid)
    end
    assert.equal("deploying", connect():find_stack({ name = "awesome app" }).status_name)
  end)

  it("takes the environment into account, whatever its case", function()
    assert.equal(fake.stacks.api, connect():find_stack({ name = "api", environment = "PRODUCTION" }).uid)
    failure("none", connect():find_stack { name = "api", environment = "staging" })
  end)

  it("takes no part of a name for the name", function()
    failure("none", connect():find_stack { name = "awesome" })
    failure("none", connect():find_stack { name = "Awesome App " })
    failure("none", connect():find_stack { name = ".*" })
  end)

  it("lists the stacks there are where none is called that", function()
    local _, message = connect():find_stack { name = "apy" }
    assert.matches("apy", message)
    for _, name in ipairs { "Awesome App", "awesome-app-staging", "api", "brand new" } do
      assert.matches(name, message, 1, true)
    end
  end)

  it("lists those that are called that where it is several", function()
    local client = answering {
      body = [[{"response":[
        {"uid":"uid-1","name":"api","environment":"production"},
        {"uid":"uid-2","name":"API","environment":"staging"},
        {"uid":"uid-3","name":"other","environment":"production"}]}]],
    }
    local value, message, err = client:find_stack { name = "api" }
    failure("not_unique", value, message, err)
    assert.matches("production", message)
    assert.matches("staging", message)
    assert.matches("uid-1", message, 1, true)
    assert.matches("uid-2", message, 1, true)
    assert.not_matches("uid-3", message, 1, true)
    assert.equal("uid-2", client:find_stack({ name = "api", environment = "staging" }).uid)
  end)

  it("takes no missing name for a name", function()
    local client = answering { body = '{"response":[{"uid":"a","name":null},{"uid":"b","name":"x","environment":null}]}' }
    failure("none", client:find_stack { name = "nil" })
    failure("none", client:find_stack { name = "x", environment = "nil" })
    assert.equal("b", client:find_stack({ name = "x" }).uid)
  end)

  it("lists names without control characters", function()
    local _, message, err = connect({ hostile = true }):find_stack { name = "nothing" }
    assert.equal("none", err.kind)
    is_harmless(err, message)
    assert.matches("quoted", message)
  end)

  it("raises for criteria it does not know, or that are empty", function()
    local wrong = {
      { {}, "name" },
      { { name = "" }, "name.*empty" },
      { { name = 5 }, "name" },
      { { name = false }, "name" },
      { { environment = "production" }, "name" },
      { { name = "api", environment = "" }, "environment.*empty" },
      { { name = "api", environment = false }, "environment" },
      { { nam = "api" }, "'nam'.*'name'" },
      { { name = "api", enviroment = "x" }, "'enviroment'.*'environment'" },
      { "api", "table" },
    }
    for _, case in ipairs(wrong) do
      raises(case[2], function()
        connect():find_stack(case[1])
      end)
    end
    raises("name", function()
      connect():find_stack()
    end)
  end)
end)
