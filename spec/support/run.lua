-- Runs busted under the Lua that runs this, whatever the busted command would choose.
-- Called through pcall, busted closes the state and sets the exit status on every Lua.
local ok, problem = pcall(require("busted.runner"), { standalone = false })
if not ok then
  io.stderr:write(tostring(problem), "\n")
  os.exit(1)
end
