-- What types/ annotates, compared with what there is.
local assert = require "luassert"
local annotations = require "spec.support.annotations"

local types = {}

local _, by_name = annotations.all()

---A class of types/, as annotations.lua has it.
function types.class(name)
  return by_name[name] or error("types/ has no class " .. name, 0)
end

local class = types.class

---The fields of a class and of those it goes on from: name -> field.
function types.fields_of(name)
  local found = {}
  local at = class(name)
  while at do
    for _, field in ipairs(at.fields) do
      found[field.name] = field
    end
    at = at.parent and class(at.parent)
  end
  return found
end

---Fails with what to do for each name that is on one side alone.
---@param known table<any, any>      name -> anything: what there is
---@param annotated table<any, any>  the same of types/
---@param class_name string
---@param what string                what to write, with %s for the name
function types.compare(known, annotated, class_name, what)
  local wrong = {}
  for name in pairs(known) do
    if not annotated[name] then
      wrong[#wrong + 1] = ("'%s' is not annotated: add %s to %s in %s"):format(
        tostring(name), what:format(tostring(name)), class_name, class(class_name).place)
    end
  end
  for name in pairs(annotated) do
    if known[name] == nil and not tostring(name):find "^%[" then
      wrong[#wrong + 1] = ("'%s' is annotated in %s, and does not exist: take it out"):format(tostring(name), class(class_name).place)
    end
  end
  table.sort(wrong)
  assert.same({}, wrong)
end

---Compares the fields of a class; known: name -> anything.
function types.compare_fields(known, class_name)
  types.compare(known, types.fields_of(class_name), class_name, "\"---@field %s TYPE\"")
end

return types
