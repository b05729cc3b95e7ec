-- reference.lua: references that this process makes. Until one is used, nobody else can have sent anything with it.

local core = require "cloud66.core"
local random = require "cloud66.base.random"

local reference = {}

local MOST = 200

local unused, order = {}, {} -- references that were made here -> the process, which may fork; the newest last

---@return string
function reference.make()
  local made = random.reference "lua-cloud66-"
  unused[made], order[#order + 1] = core.pid(), made
  if #order > MOST then
    unused[table.remove(order, 1)] = nil
  end
  return made
end

---Whether a reference was made here and is used for the first time. From now on it is not.
---@param used string
---@return boolean
function reference.take(used)
  local is_new = unused[used] == core.pid()
  unused[used] = nil
  return is_new
end

return reference
