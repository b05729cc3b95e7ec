-- An nginx with this library in its workers, as its users would have it: for specs that run outside of it, and ask it.
local core = require "cloud66.core"
local curl = require "cloud66.curl"
local host = require "spec.support.host"

local nginx = {}

local methods = {}
local server_mt = { __index = methods }

-- The modules for nginx's LuaJIT, where another Lua runs the specs.
local build = os.getenv "C66_NGINX_BUILD" or os.getenv "C66_BUILD"

-- Where else its workers find Lua modules.
local further = os.getenv "C66_NGINX_LUA_PATH"
further = further and further .. ";" or ""

-- As root, a worker would be nobody, who may not be allowed to read this tree.
local function user_line()
  return host.output "id -u" == "0\n" and "user root;" or ""
end

-- A file that a user would start as it is: only its port changes, and where it finds nginx's modules and this library.
local function adapted(self, path)
  local text = host.read(path, "")
  local function replace(pattern, replacement)
    local changed, count = text:gsub(pattern, (replacement:gsub("%%", "%%%%")))
    assert(count > 0, path .. " holds no " .. pattern)
    text = changed
  end
  replace("load_module [^\n]*ndk[^\n]*\n", "")
  replace("load_module [^\n]*", ("include %s/modules.conf;"):format(os.getenv "C66_FAKE_DIR"))
  replace("127%.0%.0%.1:8080", "127.0.0.1:" .. self.port)
  replace("${prefix}%.%./", self.root .. "/")
  replace("${prefix}luajit/", build .. "/")
  if self.options.workers then
    replace("worker_processes [^;]*", "worker_processes " .. self.options.workers)
  end
  if self.options.change then
    text = self.options.change(text)
  end
  return text
end

local PATHS = [[
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  lua_package_path "@root@/lua/?.lua;@root@/?.lua;@further@;";
  lua_package_cpath "@build@/?.so;;";]]

-- A nginx.conf that leaves out what every one has.
local function completed(self, text)
  local values = { root = self.root, build = build, further = further }
  local found
  text, found = text:gsub("http {", (("http {\n" .. PATHS):gsub("@(%w+)@", values):gsub("%%", "%%%%")), 1)
  assert(found == 1, "no http block")
  text, found = text:gsub("server {", ("server {\nlisten 127.0.0.1:%d;"):format(self.port), 1)
  assert(found == 1, "no server block")
  return ("include %s/modules.conf;\n%s\ndaemon off;\npid nginx.pid;\nerror_log error.log notice;\nevents { }\n%s"):format(
    os.getenv "C66_FAKE_DIR", user_line(), text)
end

local function configuration(self)
  local options = self.options
  if options.file then
    return adapted(self, options.file)
  elseif options.text then
    return completed(self, options.text)
  end
  return ([[
include @fake@/modules.conf;
@user@
daemon off;
worker_processes @workers@;
pid nginx.pid;
error_log error.log @level@;
@main@
events { worker_connections 1000; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  lua_package_path "@root@/lua/?.lua;@root@/?.lua;@root@/build/debian/usr/share/lua/5.1/?.lua;@further@;";
  lua_package_cpath "@build@/?.so;;";
  @http@
  server {
    listen 127.0.0.1:@port@ @listen@;
    @server@
  }
  @more@
}
]]):gsub("@(%w+)@", {
    fake = os.getenv "C66_FAKE_DIR",
    user = user_line(),
    workers = tostring(options.workers or 1),
    level = options.level or "notice",
    main = options.main or "",
    root = self.root,
    build = build,
    further = further,
    http = options.http or "",
    port = tostring(self.port),
    listen = (options.workers or 1) > 1 and "reuseport" or "", -- each worker gets its share
    server = options.server or "",
    more = options.more and options.more(self.port) or "",
  })
end

-- nginx writes its pid file once it listens; an answer on the port might be somebody else's.
local function wait_until_ready(self)
  for _ = 1, 1000 do
    if host.read(self.directory .. "/nginx.pid", "") ~= "" then
      return true
    elseif self:log():find("[emerg]", 1, true) or self:log():find("init_by_lua error", 1, true) then
      return false
    end
    core.sleep(0.01)
  end
  return false
end

-- What to put before the command: variables of its environment; false takes one out.
local function prefix(environment)
  local parts = { "env" }
  for name, value in pairs(environment or {}) do
    table.insert(parts, value and #parts + 1 or 2, value and name .. "=" .. host.quote(value) or "-u " .. name)
  end
  return table.concat(parts, " ")
end

---Below 32768, where no outgoing connection takes ports.
function nginx.random_port()
  local high, low = core.random(2):byte(1, 2)
  return 10000 + (high * 256 + low) % 22700
end

local function launch(self)
  self.port = self.options.port or nginx.random_port()
  host.write(self.directory .. "/nginx.conf", configuration(self))
  -- It ends with this process, however that one ends: the kernel closes the pipe.
  self.pipe = assert(io.popen(("cd '%s' && { %s '%s' -p '%s/' -e error.log -c nginx.conf %s >output 2>&1 </dev/null & p=$!; "
    .. "cat >/dev/null; kill -TERM $p 2>/dev/null; wait $p 2>/dev/null; }"):format(self.directory, prefix(self.options.environment),
    os.getenv "C66_NGINX" or "nginx", self.directory,
    self.options.file and ("-g 'daemon off; %s'"):format(user_line()) or ""), "w"))
  return wait_until_ready(self)
end

---Starts one. Options: workers (1), level of the error log (notice); main, http, server: texts of nginx.conf at these
---places; more(port): text of http that may use the next few ports, too. @root@ is this tree. Or instead of them: file, a
---whole nginx.conf of this tree, of which workers stays as it is unless given, and change(text) what it likes; or text, one
---without what every one has.
---Beside either: port; environment, a table of variables, false where one is not to be set.
function nginx.start(options)
  local self = setmetatable({ options = options, directory = host.directory(), root = host.output("pwd"):match "%S+" }, server_mt)
  for _ = 1, 20 do
    if launch(self) then
      return self
    end
    local log = self:log() .. host.read(self.directory .. "/output", "")
    if not log:find "Address already in use" then
      self:stop()
      error("nginx does not start:\n" .. log, 2)
    end
    self.pipe:close()
    os.remove(self.directory .. "/error.log")
  end
  error("no free port for nginx", 2)
end

---The error log so far.
function methods:log()
  return host.read(self.directory .. "/error.log", "")
end

function methods:pid()
  return tonumber(host.read(self.directory .. "/nginx.pid", ""))
end

---The workers, those that are shutting down too.
function methods:workers()
  local list = {}
  for pid in host.output("pgrep -P " .. self:pid()):gmatch "%d+" do
    list[#list + 1] = tonumber(pid)
  end
  return list
end

---How many sockets a worker has; nil where it has ended.
function methods.sockets(_, pid)
  return tonumber(host.output(("test -e /proc/%d && ls -l /proc/%d/fd 2>/dev/null | grep -c socket:"):format(pid, pid)))
end

---The files of its directory that hold a text, as grep lists them; "" for none.
function methods:holding(text)
  return host.output(("grep -rlF -e %s %s"):format(host.quote(text), host.quote(self.directory)))
end

---HUP reloads, QUIT ends gracefully, TERM at once.
function methods:signal(name, pid)
  os.execute(("kill -%s %d"):format(name, pid or self:pid()))
end

---Writes the configuration anew, with other options, and reloads.
function methods:reload(options)
  self.options = options or self.options
  host.write(self.directory .. "/nginx.conf", configuration(self))
  self:signal "HUP"
end

function methods:url(path)
  return ("http://127.0.0.1:%d%s"):format(self.port, path)
end

---Starts a GET; a table as for engine:start() can be given instead of the path.
function methods:start(request)
  if type(request) == "string" then
    request = { url = request }
  end
  request.url = self:url(request.url)
  request.timeout = request.timeout or 20000
  return assert(curl.engine()):start(request)
end

---Waits for what start() gave: status, body, headers; or nil, kind, message.
function methods.finish(_, transfer)
  local engine = curl.engine()
  while not transfer:done() do
    engine:wait(1000)
  end
  local status, headers, body = transfer:result()
  if not status then
    return nil, headers, body
  end
  return status, body, headers
end

---GETs a path: status, body, headers.
function methods:get(request)
  return self:finish(self:start(request))
end

---Ends it at once, and removes its files.
function methods:stop()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
    host.remove(self.directory)
  end
end

return nginx
