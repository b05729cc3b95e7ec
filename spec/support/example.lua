-- The programs of examples/, beside the fake API.
local fake = require "spec.support.fake"
local host = require "spec.support.host"

package.path = package.path .. ";examples/?.lua" -- so that a spec can require an example's own modules

local example = {}

---The command that runs one: `name` of examples/NAME.lua.
function example.command(name, arguments)
  return ("%s examples/%s.lua %s"):format(host.quote(os.getenv "C66_LUA"), name, arguments or "")
end

---The same with the API of a scenario; `prefix` are more variables of the environment.
function example.asking(scenario, name, arguments, prefix)
  return ("CLOUD66_URL=%s CLOUD66_TOKEN=%s %s %s"):format(host.quote(fake.url(scenario)), host.quote(fake.token), prefix or "",
    example.command(name, arguments))
end

---Runs it so: its standard output, its standard error, its exit status.
function example.run(scenario, name, arguments, prefix)
  return host.run(example.asking(scenario, name, arguments, prefix))
end

return example
