-- The host programs of our own (spec/support/c/), which the build puts beside the modules.
local host = require "spec.support.host"

local program = {}

-- What a program prints, errors too; nil where it is not built. `environment`: "NAME=value ...", for the shell.
function program.output(name, arguments, environment)
  local build = os.getenv "C66_BUILD"
  if not build or not host.exists(build .. "/" .. name) then
    return nil
  end
  return host.output(("%s '%s/%s' %s 2>&1"):format(environment or "", build, name, arguments))
end

return program
