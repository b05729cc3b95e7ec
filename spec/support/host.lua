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

---What a command, which may be a list or a pipe, writes to standard output, what to standard error, and its exit status.
function host.run(command)
  local errors = os.tmpname()
  local text = host.output(("{ %s; } 2>%s; echo status $?"):format(command, host.quote(errors)))
  local output, status = text:match "^(.*)status (%d+)%s*$"
  local said = host.read(errors)
  os.remove(errors)
  return output, said, tonumber(status)
end

---Whether a command ends well. LuaJIT with what it has of Lua 5.2 says so as Lua 5.2 does, without it as Lua 5.1.
function host.succeeds(command)
  local result = os.execute(command)
  return result == true or result == 0
end

---A new directory, which host.remove() removes.
function host.directory()
  return host.output "mktemp -d":match "[^\n]+" or error("no temporary directory", 2)
end

---Removes a file, or a directory with all that is in it.
function host.remove(path)
  os.execute("rm -rf " .. host.quote(path))
end

---Whether a file is there, and may be read.
function host.exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
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

---A new file that holds a text: its path. Its user removes it.
function host.file(text)
  local path = os.tmpname()
  host.write(path, text)
  return path
end

return host
