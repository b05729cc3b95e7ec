-- The machine that the specs run on: its shell, its files, its ports.
local core = require "cloud66.core"

local host = {}

---A text as one word of the shell.
function host.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

---What a command prints, whatever it ends with.
function host.output(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

---The bytes of a file, or `otherwise` (nil) where there is none.
function host.read(path, otherwise)
  local file = io.open(path, "rb")
  if not file then
    return otherwise
  end
  local text = file:read "*a"
  file:close()
  return text
end

function host.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

---Below 32768, where no outgoing connection takes ports.
function host.random_port()
  local high, low = core.random(2):byte(1, 2)
  return 10000 + (high * 256 + low) % 22700
end

return host
