-- What busted prints: each failure in full, then the counts. Where C66_RESULT names a file,
-- the counts go there instead, for script/test to add up, and the name of the spec that is
-- running goes beside it, for the case that it never ends.
local base = require("busted.outputHandlers.base")

local result = os.getenv("C66_RESULT")

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text, "\n")
  file:close()
end

local function indented(text)
  return "  " .. text:gsub("%s+$", ""):gsub("\n", "\n  ") .. "\n"
end

local function print_failure(title, entry)
  local message = tostring(entry.message)
  local trace = entry.element.trace
  local where = trace and trace.short_src and ("%s:%s"):format(trace.short_src, tostring(trace.currentline))
  io.write("\n", title, ": ", entry.name, "\n")
  if where and message:sub(1, #where) ~= where then
    io.write(indented("at " .. where))
  end
  io.write(indented(message))
  if entry.isError and entry.trace and entry.trace.traceback then
    io.write(indented((entry.trace.traceback:gsub("^%s+", ""))))
  end
end

return function(options)
  local busted = require("busted")
  local handler = base()
  local passed, failed, skipped = 0, 0, 0

  local function suite_end()
    for _, entry in ipairs(handler.failures) do
      print_failure("FAILED", entry)
    end
    for _, entry in ipairs(handler.errors) do
      print_failure("ERROR", entry)
    end
    if options.verbose then
      for _, entry in ipairs(handler.pendings) do
        print_failure("SKIPPED", entry)
      end
    end
    -- Added up, as the base handler forgets them between the rounds of --repeat.
    passed = passed + handler.successesCount
    failed = failed + handler.failuresCount + handler.errorsCount
    skipped = skipped + handler.pendingsCount
    return nil, true
  end

  local function test_start(element)
    write(result .. ".running", handler.getFullName(element))
    return nil, true
  end

  local function exit()
    if result then
      write(result, ("%d %d %d"):format(passed, failed, skipped))
    else
      local more = skipped > 0 and (", %d skipped"):format(skipped) or ""
      io.write(("%d passed, %d failed%s\n"):format(passed, failed, more))
    end
    return nil, true
  end

  if result then
    busted.subscribe({ "test", "start" }, test_start)
  end
  busted.subscribe({ "suite", "end" }, suite_end)
  busted.subscribe({ "exit" }, exit)
  return handler
end
