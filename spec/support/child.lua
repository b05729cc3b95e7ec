-- Programs in an interpreter of their own, the one that runs the specs.
local host = require "spec.support.host"

local child = {}

---Runs a program in a new interpreter; gives what it wrote to standard output, to standard error, and its exit status.
---@param program string Lua
---@param prefix? string what to put before the interpreter: variables of the environment
function child.run(program, prefix)
  local path, errors = os.tmpname(), os.tmpname()
  local file = io.open(path, "w")
  file:write(program)
  file:close()
  local pipe = io.popen(("%s %s %s 2>%s; echo status $?"):format(
    prefix or "", host.quote(os.getenv "C66_LUA"), host.quote(path), host.quote(errors)))
  local output, status = pipe:read("*a"):match "^(.*)status (%d+)%s*$"
  pipe:close()
  file = io.open(errors)
  local written = file:read "*a"
  file:close()
  os.remove(path)
  os.remove(errors)
  return output, written, tonumber(status)
end

---Whether the interpreter turns Ctrl-C into a Lua error; the one built with the sanitizers does not.
child.is_interruptible = not (os.getenv "C66_BUILD" or ""):find "[at]san"

return child
