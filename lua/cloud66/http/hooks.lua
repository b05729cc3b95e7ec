-- hooks.lua: calls the functions of option `on`. What they do cannot break a call.

local errors = require "cloud66.base.error"

local hooks = {}

---Every hook there is, but for those that other parts add.
hooks.NAMES = { request = true, response = true, retry = true, throttle = true, warning = true }

---Ctrl-C, and SIGTERM where a program has it so, raise in whatever Lua code runs: raised on, as that is nobody's error and must not
---be passed over.
---@param problem any  what pcall() caught
function hooks.check_interrupt(problem)
  if type(problem) == "string" and (problem:find "interrupted!$" or problem:find "terminated!$") then
    error(problem, 0)
  end
end

---@param on table     hook name -> function
---@param name string
---@param info table   a fresh one: the hook may keep it; holds no token
function hooks.call(on, name, info)
  local hook = on[name]
  if not hook then
    return
  end
  local ok, problem = pcall(hook, info)
  if ok then
    return
  end
  hooks.check_interrupt(problem)
  if name ~= "warning" then -- else it would be lost
    hooks.call(on, "warning", { text = ("the hook '%s' raised: %s"):format(name, errors.clean(tostring(problem))) })
  end
end

return hooks
