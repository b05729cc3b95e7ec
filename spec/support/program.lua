-- The host programs of our own (spec/support/*.c), which the build puts beside the modules.
local program = {}

local function exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

-- What a program prints, errors too; nil where it is not built. `environment`: "NAME=value ...", for the shell.
function program.output(name, arguments, environment)
  local build = os.getenv "C66_BUILD"
  if not build or not exists(build .. "/" .. name) then
    return nil
  end
  local pipe = assert(io.popen(("%s '%s/%s' %s 2>&1"):format(environment or "", build, name, arguments)))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

return program
