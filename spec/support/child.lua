-- Programs in an interpreter of their own, the one that runs the specs.
local host = require "spec.support.host"

local child = {}

---Runs a program in a new interpreter; gives what it wrote to standard output, to standard error, and its exit status.
---@param program string Lua
---@param prefix? string what to put before the interpreter: variables of the environment
function child.run(program, prefix)
  local path = host.file(program)
  local output, errors, status = host.run(("%s %s %s"):format(prefix or "", host.quote(os.getenv "C66_LUA"), host.quote(path)))
  os.remove(path)
  return output, errors, status
end

---Whether the interpreter turns Ctrl-C into a Lua error; the one built with the sanitizers does not.
child.is_interruptible = not (os.getenv "C66_BUILD" or ""):find "[at]san"

return child
