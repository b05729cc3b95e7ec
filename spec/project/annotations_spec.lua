-- types/*.lua: every name that the running library knows is annotated there, and nothing else is.
local annotations = require "spec.support.annotations"
local cloud66 = require "cloud66"
local core = require "cloud66.core"
local criteria = require "cloud66.model.criteria"
local errors = require "cloud66.base.error"
local expect = require "spec.support.expect"
local fake = require "spec.support.fake"
local fields = require "spec.support.fields"
local registered = require "spec.support.registered"
local stacks = require "cloud66.stack"
local tree = require "spec.support.tree"
local types = require "spec.support.types"

local class, fields_of, compare, compare_fields = types.class, types.fields_of, types.compare, types.compare_fields
local items, by_name = annotations.all()

local client = assert(cloud66.new { token = "x", base_url = fake.closed_url() })
local stack = client:stack "uid"
local sequence = stack:deployments()
local watch = stack:watch()
local page = assert(cloud66.decode '{"id":1}')

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  return lines
end

local function methods_of(name)
  local methods = {}
  for _, method in ipairs(class(name).methods) do
    methods[method.name] = method
  end
  return methods
end

local function compare_methods(known, class_name)
  compare(known, methods_of(class_name), class_name, "\"function ...:%s() end\"")
end

local function only_functions(of, is_function)
  local found = {}
  for name, value in pairs(of) do
    if (type(value) == "function") == is_function then
      found[name] = value
    end
  end
  return found
end

-- Where each class's methods are.
local objects = {
  ["cloud66"] = only_functions(cloud66, true),
  ["cloud66.Client"] = registered.methods(client),
  ["cloud66.Stack"] = registered.methods(stack),
  ["cloud66.Sequence"] = registered.methods(sequence),
  ["cloud66.Watch"] = registered.methods(watch),
  ["cloud66.Deployment"] = core.deployment_methods,
  ["cloud66.Page"] = core.page_methods,
  ["cloud66.StoreModule"] = only_functions(cloud66.store, true),
  ["cloud66.Store"] = {},
  ["cloud66.CurlTransport"] = require "cloud66.transport.curl",
  ["cloud66.RestyTransport"] = require "cloud66.transport.resty",
}
for _, name in ipairs(registered.upvalue(cloud66.store.check, "METHODS")) do
  objects["cloud66.Store"][name] = cloud66.store.memory()[name]
end

describe("the annotations", function()
  for name, methods in pairs(objects) do
    it("have every method of " .. name, function()
      compare_methods(methods, name)
    end)
  end

  it("are of functions whose place is known here", function()
    for _, item in ipairs(items) do
      if item.kind == "class" and #item.methods > 0 then
        assert.is_table(objects[item.name], item.place .. ": where are the methods of " .. item.name .. "?")
      end
    end
  end)

  it("name the parameters as the functions do", function()
    local compared = 0
    for name, methods in pairs(objects) do
      for _, method in ipairs(class(name).methods) do
        local actual = registered.parameters(methods[method.name])
        if actual then
          local annotated = {}
          for argument in method.arguments:gmatch "[%w_]+" do
            annotated[#annotated + 1] = argument
          end
          if method.separator == ":" then
            table.remove(actual, 1) -- self, whatever it is called
          end
          assert.same({ method.place, annotated }, { method.place, actual })
          compared = compared + 1
        end
      end
    end
    assert.is_true(compared > 40 or _VERSION == "Lua 5.1")
  end)

  it("are the only description of what they name", function()
    local wrong, looked_at = {}, 0
    for _, path in ipairs(tree.files("lua", ".lua")) do
      for line in io.lines(path) do
        local name = line:match "^%-%-%-@class%s+([%w_.]+)"
        if name and by_name[name] then
          wrong[#wrong + 1] = ("%s describes %s, and so does %s: take it out there"):format(path, name, by_name[name].place)
        end
      end
    end
    for name, methods in pairs(objects) do
      for method, fn in pairs(methods) do
        local info = debug.getinfo(fn, "S")
        local path = info.source:match "(lua/cloud66.*%.lua)$"
        if path then
          looked_at = looked_at + 1
          if (lines_of(path)[info.linedefined - 1] or ""):find "^%s*%-%-%-" then
            wrong[#wrong + 1] = ("%s:%d: %s of %s is described in types/: say there what is not"):format(
              path, info.linedefined, method, name)
          end
        end
      end
    end
    table.sort(wrong)
    assert.same({}, wrong)
    assert.is_true(looked_at > 40)
  end)

  it("say of each function what it does, takes and gives", function()
    for _, item in ipairs(items) do
      if item.kind == "function" then
        local params = {}
        for i, param in ipairs(item.params) do
          params[i] = param.name
        end
        assert.equal(item.arguments, table.concat(params, ", "), item.place)
        assert.is_true(item.doc ~= "" or item.class:find "Transport" ~= nil or item.class == "cloud66.Store", item.place .. ": no text")
        assert.is_true(#item.returns > 0 or item.name == "close", item.place .. ": what does it give?")
        for _, result in ipairs(item.returns) do
          assert.is_true(result.name ~= "", item.place .. ": a result without a name")
        end
      end
    end
  end)

  it("end each failure with message and err", function()
    for _, item in ipairs(items) do
      for i, result in ipairs(item.returns or {}) do
        if result.type == "cloud66.Error?" then
          assert.equal(3, i, item.place)
          local second = item.returns[2].type
          assert.is_truthy(second == "any" or second:find("string", 1, true), item.place)
        end
      end
    end
  end)

  it("name no type that there is not", function()
    local function check(place, type)
      for _, name in ipairs(annotations.names_in(type)) do
        assert.is_table(by_name[name], ("%s: there is no %s"):format(place, name))
      end
    end
    for _, item in ipairs(items) do
      for _, list in ipairs { item.fields or {}, item.params or {}, item.returns or {} } do
        for _, each in ipairs(list) do
          check(item.place, each.type)
        end
      end
      for _, each in ipairs(item.values or {}) do
        check(item.place, each.value)
      end
      check(item.place, item.parent or "")
    end
  end)

  it("parse as Lua", function()
    for _, item in ipairs(items) do
      assert.is_function(loadfile(item.place:match "^[^:]+"))
    end
  end)

  it("are used, each", function()
    local used = { cloud66 = true, ["cloud66.CurlTransport"] = true, ["cloud66.RestyTransport"] = true }
    local function use(type)
      for _, name in ipairs(annotations.names_in(type)) do
        used[name] = true
      end
    end
    for _, item in ipairs(items) do
      use(item.parent or "")
      for _, list in ipairs { item.fields or {}, item.params or {}, item.returns or {} } do
        for _, each in ipairs(list) do
          use(each.type)
        end
      end
      for _, result in ipairs(item.returns or {}) do
        use(result.doc) -- a sequence "of cloud66.Action"
      end
    end
    for name, item in pairs(by_name) do
      assert.is_true(used[name] or false, ("%s: nothing takes or gives %s"):format(item.place, name))
    end
  end)

  it("are each compared with what there is, here or in results_spec.lua", function()
    local text = tree.read "spec/project/annotations_spec.lua" .. tree.read "spec/project/results_spec.lua"
    for _, hook in ipairs(class "cloud66.Hooks".fields) do -- what they get is compared by their types
      text = text .. ('"%s"'):format(annotations.names_in(hook.type)[1])
    end
    for name, item in pairs(by_name) do
      assert.is_true(not item.fields or #item.fields == 0 or text:find(('"%s"'):format(name), 1, true) ~= nil,
        ("%s: the fields of %s are compared with nothing"):format(item.place, name))
    end
  end)
end)

-- --- fields ---

-- What each kind of name that the core tells of is, as a type.
local TYPES = {
  text = "^string$", date = "^string$", boolean = "^boolean$", word = "^cloud66%.", seconds = "^number$", code = "^integer|string$",
  integer = "^integer|string$", predicate = "^boolean$",
}

-- The names that the API sends, of all that a deployment has.
local function sent_fields()
  local names = {}
  for name, kind in pairs(core.names) do
    if kind ~= "predicate" and kind ~= "seconds" and kind ~= "code" and not name:find "_meaning$" then
      names[name] = kind
    end
  end
  return names
end

describe("a deployment's field", function()
  it("is annotated", function()
    compare_fields(core.names, "cloud66.Deployment")
  end)

  it("is annotated as what it is", function()
    local annotated = fields_of "cloud66.Deployment"
    for name, kind in pairs(core.names) do
      local field = annotated[name] or {} -- that it is there is the spec above
      assert.is_truthy(not field.type or field.type:find(TYPES[kind]), ("%s is a %s, and annotated as %s"):format(name, kind, tostring(field.type)))
      assert.is_true(not field.type or field.optional == (kind ~= "predicate" and name ~= "id"), name)
    end
  end)

  it("has its words annotated", function()
    for name, words in pairs(core.words) do
      local annotated, known = {}, {}
      for _, each in ipairs(by_name[fields_of "cloud66.Deployment"[name].type].values) do
        if each.value ~= "string" then
          annotated[#annotated + 1] = each.value:match '^"(.*)"$'
        end
      end
      for i, word in ipairs(words) do
        known[i] = word
      end
      assert.same(known, annotated)
    end
  end)

  it("is in a body that the API documents, or has a sample", function()
    local model = assert(cloud66.decode(require("spec.support.documented").model))[1]
    local samples = {}
    for _, row in ipairs(fields.rows) do
      samples[row[1]] = row.sample
    end
    for name in pairs(sent_fields()) do
      local value = model:raw(name, cloud66.null)
      if value == nil then
        value = samples[name]
      end
      assert.is_not_nil(value, ("no fixture has '%s': give it a row with a sample in spec/support/fields.lua, or put the API's "
        .. "own body with it into spec/support/documented.lua"):format(name))
    end
  end)

  it("is sent by the fake API", function()
    local seen = {}
    for _, name in ipairs(fake.data.stack_names) do
      for d in expect.stack_of(name):deployments():take(40) do
        for key, value in pairs(d:to_table()) do
          seen[key] = value
        end
      end
    end
    for name in pairs(sent_fields()) do
      assert.is_not_nil(seen[name], ("the fake sends no '%s': give its row in spec/support/fields.lua a sample, or make up a "
        .. "value in spec/support/fake/history.lua"):format(name))
    end
  end)

  it("is watched for changes", function()
    local watched, wrong = {}, {}
    for _, name in ipairs(require "cloud66.resource.cursor".FIELDS) do
      watched[name] = true
    end
    for name in pairs(sent_fields()) do
      if not watched[name] and name ~= "id" then
        wrong[#wrong + 1] = name
      end
    end
    assert.same({}, wrong)
  end)

  it("is a criterion", function()
    compare_fields(criteria.deployment.names, "cloud66.DeploymentCriteria")
  end)
end)

describe("the annotated fields are those", function()
  it("of the module", function()
    compare_fields(only_functions(cloud66, false), "cloud66")
  end)

  it("of a stack", function()
    compare_fields(stacks.schema.names, "cloud66.Stack")
    compare_fields(stacks.schema.names, "cloud66.StackCriteria")
  end)

  it("of a page", function()
    compare_fields(core.page_names, "cloud66.Page")
    for name in pairs(core.page_names) do
      local _ = page[name] -- raises where there is none
    end
  end)

  it("of a client", function()
    local known = {}
    for name in pairs(fields_of "cloud66.Client") do
      known[name] = client[name] -- raises where there is none
    end
    compare_fields(known, "cloud66.Client")
  end)

  it("of an action and of a webhook", function()
    local action = assert(require "cloud66.model.action".of({ id = 1 }, tostring))
    compare_fields(registered.upvalue(getmetatable(action).__index, "NAMES"), "cloud66.Action")
    local webhook = assert(cloud66.webhook '{"event_type":"stack.created","uid":"x"}')
    compare_fields(registered.upvalue(getmetatable(webhook).__index, "NAMES"), "cloud66.Webhook")
  end)

  it("of an error", function()
    compare_fields(registered.error_fields(), "cloud66.Error")
  end)
end)

it("the annotated kinds of errors are those there are", function()
  local annotated = {}
  for _, each in ipairs(class "cloud66.ErrorKind".values) do
    annotated[each.value:match '^"(.*)"$'] = true
    assert.is_true(each.doc ~= "" or each.value == '"forbidden"', each.value .. " says nothing")
  end
  compare(errors.KINDS, annotated, "cloud66.ErrorKind", "'---| \"%s\" # WHEN'")
end)

-- --- options ---

-- How to hand options to what takes them; the names come from there.
local probes = {
  ["cloud66.ClientOptions"] = { cloud66.new, function(o) client:with(o) end },
  ["cloud66.TimeoutOptions"] = { function(o) cloud66.new { token = "x", timeout = o } end },
  ["cloud66.RetryOptions"] = { function(o) cloud66.new { token = "x", retries = o } end },
  ["cloud66.CacheOptions"] = { function(o) cloud66.new { token = "x", cache = o } end },
  ["cloud66.Hooks"] = { function(o) cloud66.new { token = "x", on = o } end },
  ["cloud66.RequestOptions"] = { function(o) client:request("GET", "/", o) end },
  ["cloud66.FindStackOptions"] = { function(o) client:find_stack(o) end },
  ["cloud66.MapOptions"] = { function(o) client:map({}, print, o) end },
  ["cloud66.HistoryOptions"] = { function(o) client:deployments(nil, o) end },
  ["cloud66.DeploymentsOptions"] = { function(o) stack:deployments(o) end },
  ["cloud66.ActionsOptions"] = { function(o) stack:actions(o) end },
  ["cloud66.RedeployOptions"] = { function(o) stack:redeploy(o) end },
  ["cloud66.WaitOptions"] = { function(o) stack:wait(1, o) end },
  ["cloud66.EnsureOptions"] = { function(o) stack:ensure("abcdef1", o) end },
  ["cloud66.CancelOptions"] = { function(o) stack:cancel(1, o) end },
  ["cloud66.WatchOptions"] = { function(o) stack:watch(o) end },
  ["cloud66.StatsOptions"] = { function(o) cloud66.stats({}, o) end },
  ["cloud66.MemoryOptions"] = { cloud66.store.memory },
  ["cloud66.RedisOptions"] = { cloud66.store.redis },
  ["cloud66.RestyOptions"] = { function(o)
    local check = registered.upvalue(require "cloud66.transport.resty".new, "check_options") -- new() itself needs nginx
    check(o)
  end },
}

describe("the annotated options are those", function()
  for name, calls in pairs(probes) do
    it("of " .. name, function()
      for _, call in ipairs(calls) do
        compare_fields(registered.options(call), name)
      end
    end)
  end

  it("of everything that takes options", function()
    local seen, count = {}, 0
    for _, calls in pairs(probes) do
      for _, call in ipairs(calls) do
        local schema = registered.options(call)
        count = count + (seen[schema] and 0 or 1)
        seen[schema] = true
      end
    end
    local places = registered.places_of_options()
    assert.equal(#places, count, "schemas that probes reach, and places that check options; one is annotated nowhere: give it a "
      .. "class in types/ and a probe here. Places: " .. table.concat(places, ", "))
  end)

  it("which refuse what none of them can be, each by its name", function()
    local nothing = coroutine.create(function() end)
    for class_name, calls in pairs(probes) do
      for _, call in ipairs(calls) do
        for option in pairs(registered.options(call)) do
          local ok, problem = pcall(call, { [option] = nothing })
          assert.is_false(ok, ("option '%s' of %s takes anything"):format(option, class_name))
          assert.matches(option, problem, 1, true)
        end
      end
    end
  end)

  it("of which each has a probe", function()
    for name in pairs(by_name) do
      if name:find "Options$" then
        assert.is_table(probes[name], "no probe for " .. name)
      end
    end
  end)
end)
