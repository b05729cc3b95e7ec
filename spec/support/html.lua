-- Pages as text.
local assert = require "luassert"

local html = {}

local VOID = { meta = true, ["!doctype"] = true, br = true }

---The elements of a page, which must be balanced, in order.
function html.elements(text)
  local open, list = {}, {}
  text = text:gsub("<style>.-</style>", "<style></style>")
  for slash, name, rest in text:gmatch "<(/?)([!%a][%w-]*)([^<>]*)>" do
    name = name:lower()
    if slash == "/" then
      assert.equal(name, table.remove(open))
    else
      list[#list + 1] = name
      if not VOID[name] and not rest:find "/$" then
        open[#open + 1] = name
      end
    end
  end
  assert.same({}, open)
  return list
end

return html
