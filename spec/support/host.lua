-- The machine that the specs run on: its shell and its files. Without this project's modules: script/docs comes before a build.
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

return host
