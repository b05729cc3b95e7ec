-- Every deployment the API documents, in each form it is documented in, gives the values a reader of the page expects.
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local decode = require("spec.support.decoding").decode
local documented = require "spec.support.documented"
local fields = require "spec.support.fields"

local names = fields.names()

-- What else follows from them; a predicate not named here is false.
local more_names = {}
for name in pairs(fields.more_names()) do
  more_names[#more_names + 1] = name
end
local predicates = {
  "is_pending", "is_success", "is_failed", "is_finished", "is_running", "via_web", "via_api", "via_hook",
  "type_build", "type_redeploy", "type_scale", "type_first_build", "type_revert",
}

local endpoint = {
  id = 107,
  triggered_by = "test@cloud66.com",
  triggered_via = "web",
  started_at = "2014-08-29T17:46:16Z",
  finished_at = "2014-08-29T17:58:23Z",
  outcome = "success",
  git_hash = "5675fcd8f9e6dc534ecf1410c0661c066097e310",
  git_ref = nil,
  deploy_session = "OhBHNzkXSl",
  deploy_type = "build",
  is_head = true,
  is_live = true,
  reverted = nil,
  reverted_by = nil,
  reverted_at = nil,
  is_deploying = false,
  commit_url = "https://github.com/cloud66-samples/rails-test/commit/5675fcd8f9e6dc534ecf1410c0661c066097e310",
  snapshot_uuid = nil,
}
local endpoint_more = {
  started_time = 1409334376,
  finished_time = 1409335103,
  duration = 727,
  triggered_via_code = 0,
  triggered_via_meaning = "web",
  outcome_code = 1,
  outcome_meaning = "success",
  deploy_type_code = 0,
  deploy_type_meaning = "build",
  is_success = true,
  is_finished = true,
  via_web = true,
  type_build = true,
}

local model = {
  id = 456789,
  triggered_by = "john@example.com",
  triggered_via = "web",
  started_at = "2024-02-15T14:30:00Z",
  finished_at = "2024-02-15T14:45:30Z",
  outcome = "success",
  git_hash = "a1b2c3d4e5f6789012345678901234567890abcd",
  git_ref = "main",
  deploy_session = "deploy-session-uuid-12345",
  deploy_type = "redeploy",
  is_head = true,
  is_live = true,
  reverted = false,
  reverted_by = nil,
  reverted_at = nil,
  is_deploying = false,
  commit_url = "https://github.com/example/repo/commit/a1b2c3d4e5f6789012345678901234567890abcd",
  snapshot_uuid = "550e8400-e29b-41d4-a716-446655440000",
}
local model_more = {
  started_time = 1708007400,
  finished_time = 1708008330,
  duration = 930,
  triggered_via_code = "web",
  triggered_via_meaning = "Web Interface",
  outcome_code = "success",
  outcome_meaning = "Successful",
  deploy_type_code = "redeploy",
  deploy_type_meaning = "Redeploy",
  is_success = true,
  is_finished = true,
  via_web = true,
  type_redeploy = true,
}

-- What each key's value looks like in the bodies, for taking it away.
local sent = { endpoint = fields.sent "endpoint", model = fields.sent "model" }
sent.endpoint.id, sent.model.id = nil, nil

-- The bare objects inside of the bodies.
local endpoint_object = assert(documented.single:match '^{"response":(.*)}$')
local model_object = documented.model

-- Replaces a text that must stand exactly once.
local function replace(text, from, to)
  local first, last = text:find(from, 1, true)
  assert(first, from)
  assert(not text:find(from, last + 1, true), from)
  return text:sub(1, first - 1) .. to .. text:sub(last + 1)
end

local function check(deployment, want, without)
  for i = 1, #names do
    local name = names[i]
    local value = want[name]
    if name == without then
      value = nil
    end
    assert.are.same({ name, value }, { name, deployment[name] })
  end
end

local function check_more(deployment, want)
  for i = 1, #more_names do
    local name = more_names[i]
    assert.are.same({ name, want[name] }, { name, deployment[name] })
  end
  for i = 1, #predicates do
    local name = predicates[i]
    assert.are.same({ name, want[name] or false }, { name, deployment[name] })
  end
end

describe("the documented", function()
  it("names are all that a deployment has", function()
    local listed = {}
    for _, list in ipairs { names, more_names, predicates } do
      for _, name in ipairs(list) do
        listed[name] = true
      end
    end
    for name, kind in pairs(core.names) do
      assert.is_true(listed[name], ("'%s' is new: %s"):format(name, kind == "predicate" and "put it into `predicates` above"
        or "give it a row in spec/support/fields.lua"))
      listed[name] = nil
    end
    assert.is_nil(next(listed))
  end)

  it("list decodes to its values", function()
    local page = decode(documented.list)
    assert.are.equal(1, #page)
    check(page[1], endpoint)
    check_more(page[1], endpoint_more)
    assert.are.same({}, page.drift)
  end)

  it("list has its pagination", function()
    local page = decode(documented.list)
    assert.are.equal(1, page.current)
    assert.is_nil(page.next)
    assert.is_nil(page.previous)
    assert.are.equal(1, page.pages)
    assert.are.equal(1, page.total)
  end)

  it("single deployment decodes to its values", function()
    local page = decode(documented.single)
    assert.are.equal(1, #page)
    check(page[1], endpoint)
    check_more(page[1], endpoint_more)
    assert.are.same({}, page.drift)
    assert.is_nil(page.current)
    assert.is_nil(page.total)
  end)

  it("model decodes to its values", function()
    local page = decode(documented.model)
    assert.are.equal(1, #page)
    check(page[1], model)
    check_more(page[1], model_more)
    assert.are.same({}, page.drift)
  end)

  it("shapes decode alike in every envelope", function()
    for _, form in ipairs { '{"response":[%s]}', '{"response":%s}', "[%s]", "%s" } do
      local before, after = form:match "^(.*)%%s(.*)$"
      check(decode(before .. endpoint_object .. after)[1], endpoint)
      check(decode(before .. model_object .. after)[1], model)
    end
  end)

  it("shapes mix in one page", function()
    local objects = { endpoint_object, model_object, model_object, endpoint_object, model_object }
    local page = decode('{"response":[' .. table.concat(objects, ",") .. "]}")
    assert.are.equal(5, #page)
    for i = 1, 5 do
      local is_model = objects[i] == model_object
      check(page[i], is_model and model or endpoint)
      check_more(page[i], is_model and model_more or endpoint_more)
    end
    assert.are.same({}, page.drift)
  end)

  it("bodies decode alike with white space between tokens", function()
    -- no string of the bodies holds one of these characters next to a quote, a bracket or a brace
    local spaced = documented.list:gsub('([%[%]{}"])([,:])', "%1 \r\n%2\t"):gsub("([%[{])", " %1 "):gsub("([%]}])", "\n%1")
    assert.is_true(#spaced > #documented.list)
    check(decode(spaced)[1], endpoint)
  end)

  for shape, values in pairs(sent) do
    local object = shape == "model" and model_object or endpoint_object
    local want = shape == "model" and model or endpoint

    it(shape .. " object reads nil for each key that is null, and the rest unharmed", function()
      for key, text in pairs(values) do
        local changed = replace(object, ('"%s":%s'):format(key, text), ('"%s":null'):format(key))
        local page = decode("[" .. changed .. "," .. object .. "]")
        check(page[1], want, key)
        check(page[2], want)
        assert.are.equal(cloud66.null, page[1]:raw(key, cloud66.null))
        assert.are.same({}, page.drift)
      end
    end)

    it(shape .. " object reads nil for each key that is absent, and the rest unharmed", function()
      for key, text in pairs(values) do
        local changed = replace(object, (',"%s":%s'):format(key, text), "")
        local page = decode("[" .. object .. "," .. changed .. "," .. object .. "]")
        check(page[1], want)
        check(page[2], want, key)
        check(page[3], want)
        assert.is_nil(page[2]:raw(key, cloud66.null))
        assert.are.same({}, page.drift)
      end
    end)

    it(shape .. " object with its keys in reverse is the same deployment", function()
      local members = { ('"id":%d'):format(want.id) }
      for i = 2, #names do
        if values[names[i]] then
          table.insert(members, 1, ('"%s":%s'):format(names[i], values[names[i]]))
        end
      end
      local page = decode("[" .. object .. ",{" .. table.concat(members, ",") .. "}," .. object .. "]")
      for i = 1, 3 do
        check(page[i], want)
      end
    end)

    it(shape .. " object keeps undocumented keys wherever they stand", function()
      local extra = [["environment":"production","rollout":{"strategy":"canary","steps":[10,null,100]},"id_":5,"i":6,"":7]]
      local first = object:gsub("^{", "{" .. extra .. ",")
      local last = object:gsub("}$", "," .. extra .. "}")
      local middle = replace(object, ',"outcome":', "," .. extra .. ',"outcome":')
      local page = decode("[" .. first .. "," .. object .. "," .. middle .. "," .. last .. "]")
      for i = 1, 4 do
        check(page[i], want)
        if i ~= 2 then
          assert.are.equal("production", page[i]:raw "environment")
          assert.are.same({ strategy = "canary", steps = { 10, cloud66.null, 100 } }, page[i]:raw "rollout")
          assert.are.equal(5, page[i]:raw "id_")
          assert.are.equal(7, page[i]:raw "")
        end
      end
      assert.is_nil(page[2]:raw "environment")
      assert.are.same({}, page.drift)
    end)
  end

  it("object with nothing but an id is a deployment of which nothing is known", function()
    local page = decode '{"id":107}'
    check(page[1], { id = 107 })
    check_more(page[1], {})
    assert.are.same({}, page.drift)
  end)

  it("object with null for everything else is one too", function()
    local members = { '"id":107' }
    for i = 2, #names do
      members[i] = ('"%s":null'):format(names[i])
    end
    local page = decode("{" .. table.concat(members, ",") .. "}")
    check(page[1], { id = 107 })
    check_more(page[1], {})
    assert.are.same({}, page.drift)
  end)

  it("objects print as one line without a person's address", function()
    assert.are.equal("deployment 456789 redeploy success main@a1b2c3d 15m30s", tostring(decode(documented.model)[1]))
    local line = tostring(decode(documented.single)[1])
    assert.is_truthy(line:find("^deployment 107 build success .*@5675fcd "))
    assert.is_nil(line:find("test@cloud66", 1, true))
    assert.is_nil(line:find("\n", 1, true))
  end)

  it("objects come back byte for byte", function()
    assert.are.equal(endpoint_object, decode(documented.list)[1]:to_json())
    assert.are.equal(endpoint_object, decode(documented.single)[1]:to_json())
    assert.are.equal(model_object, decode(documented.model)[1]:to_json())
  end)

  it("words keep code and meaning in to_table and raw", function()
    assert.are.same({ code = 1, meaning = "success" }, decode(documented.list)[1]:raw "outcome")
    assert.are.same({ code = "success", meaning = "Successful" }, decode(documented.model)[1]:to_table().outcome)
  end)
end)
