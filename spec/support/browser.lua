-- A headless Chromium, which specs drive through chromedriver: pages as people see them. Beside the fake API or not.
--
-- https://www.w3.org/TR/webdriver2/ and, for what it lacks, https://chromedevtools.github.io/devtools-protocol/
local cjson = require "cjson"
local core = require "cloud66.core"
local curl = require "cloud66.curl"
local colour = require "spec.support.colour"
local host = require "spec.support.host"
local look = require "spec.support.browser_look"

local browser = { luminance = colour.luminance, contrast = colour.contrast }

local methods = {}
local browser_mt = { __index = methods }

local PATIENCE = 60 -- seconds for anything: machines may be slow and busy

-- --- WebDriver ---

-- The value of an answer; or nil and why there is none.
local function ask(port, method, path, body)
  local engine = assert(curl.engine())
  local transfer = assert(engine:start {
    method = method, url = ("http://127.0.0.1:%d%s"):format(port, path), body = body, headers = { "Content-Type: application/json" },
    timeout = 2 * PATIENCE * 1000, stall_timeout = 0, max_body = 64 * 1024 * 1024, proxy = "", fresh_connection = true,
  })
  while not transfer:done() do
    engine:wait(1000)
  end
  local status, headers, text = transfer:result()
  if not status then
    return nil, ("%s %s: %s"):format(method, path, text) -- kind and message
  end
  local ok, answer = pcall(cjson.decode, text)
  if not ok or type(answer) ~= "table" then
    return nil, ("%s %s: %d, which is no JSON (%s)"):format(method, path, status, tostring(headers["content-type"]))
  elseif status ~= 200 then
    local value = type(answer.value) == "table" and answer.value or {}
    return nil, ("%s %s: %s: %s"):format(method, path, tostring(value.error), tostring(value.message):match "^[^\n]*")
  end
  return answer.value
end

-- Asks the session; what fails there is raised with the caller's line.
local function command(self, method, path, body)
  if not self.session then
    error("the browser was stopped", 3)
  end
  local value, problem = ask(self.port, method, "/session/" .. self.session .. path, body)
  if value == nil then
    error("browser: " .. problem, 3)
  end
  return value
end

local function without_null(value)
  if value == cjson.null then
    return nil
  elseif type(value) == "table" then
    for key, inner in pairs(value) do
      value[key] = without_null(inner)
    end
  end
  return value
end

-- --- start and stop ---

-- chromedriver says so once it listens.
local function wait_for_port(directory)
  local latest = core.monotonic() + PATIENCE
  while core.monotonic() < latest do
    local port = host.read(directory .. "/output", ""):match "started successfully on port (%d+)"
    if port then
      return tonumber(port)
    end
    core.sleep(0.05)
  end
  return nil, "chromedriver does not start: " .. host.read(directory .. "/output", "")
end

local function capabilities(directory)
  return cjson.encode { capabilities = { alwaysMatch = {
    ["goog:loggingPrefs"] = { browser = "ALL" },
    ["goog:chromeOptions"] = { args = {
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
      "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost", -- it asks nobody but this machine
      "--force-color-profile=srgb", "--hide-scrollbars", "--lang=en-US", "--user-data-dir=" .. directory .. "/profile",
    } },
  } } }
end

local function launch()
  local directory = host.directory()
  -- It ends with this process, however that one ends: the kernel closes the pipe.
  local self = setmetatable({
    directory = directory,
    pipe = assert(io.popen(("exec spec/support/webdriver '%s'"):format(directory), "w")),
  }, browser_mt)
  local port, problem = wait_for_port(directory)
  self.port = port
  local made = nil
  if port then
    made, problem = ask(port, "POST", "/session", capabilities(directory))
  end
  if not made then
    self:stop()
    return nil, problem
  end
  self.session = made.sessionId
  return self
end

---Starts one, of 1280 by 800 pixels, or raises.
function browser.start()
  local problem
  for _ = 1, 3 do
    local self
    self, problem = launch()
    if self then
      local ok, raised = pcall(self.size, self, 1280, 800)
      if ok then
        return self
      end
      problem = raised
      self:stop()
    end
  end
  error("no browser: " .. tostring(problem), 2)
end

---Ends it, and removes what it wrote. May be called again.
function methods:stop()
  if self.session then
    ask(self.port, "DELETE", "/session/" .. self.session)
    self.session = nil
  end
  if self.pipe then
    self.pipe:close() -- waits for the end of it
    self.pipe = nil
  end
end

---fn(browser) with a browser that is stopped whatever happens; gives what fn gives, and raises what it raises.
function browser.with(fn)
  local self = browser.start()
  local ok, value = pcall(fn, self)
  self:stop()
  if not ok then
    error(value, 0)
  end
  return value
end

-- --- what a page is and does ---

---Goes to an address, and waits until it is loaded.
function methods:open(url)
  command(self, "POST", "/url", cjson.encode { url = url })
end

---Runs the text of a JavaScript function's body with these arguments; gives its value, null as nil. A promise is waited for.
function methods:script(text, ...)
  local arguments, count = { ... }, select("#", ...)
  for i = 1, count do
    arguments[i] = cjson.encode(arguments[i] == nil and cjson.null or arguments[i])
  end
  local body = ('{"script":%s,"args":[%s]}'):format(cjson.encode(text), table.concat(arguments, ","))
  return without_null(command(self, "POST", "/execute/sync", body))
end

---Waits until there is something: a function's value, or that of the text of a JavaScript function's body. Gives it, and
---raises when none comes.
---@param what function|string
---@param seconds? number  60
function methods:wait(what, seconds)
  local latest = core.monotonic() + (seconds or PATIENCE)
  while true do
    local value
    if type(what) == "string" then
      value = self:script(what)
    else
      value = what()
    end
    if value then
      return value
    elseif core.monotonic() > latest then
      error(("not within %g seconds%s"):format(seconds or PATIENCE, type(what) == "string" and ": " .. what or ""), 2)
    end
    core.sleep(0.05)
  end
end

---A command of the DevTools protocol.
---@param parameters? table
---@return table
function methods:cdp(name, parameters)
  local text = parameters and next(parameters) ~= nil and cjson.encode(parameters) or "{}"
  return command(self, "POST", "/goog/cdp/execute", ('{"cmd":%s,"params":%s}'):format(cjson.encode(name), text))
end

---The size of what is seen, in CSS pixels, however small.
---@param is_phone? boolean  goes by the page's meta viewport, as phones do
function methods:size(width, height, is_phone)
  self:cdp("Emulation.setDeviceMetricsOverride", { width = width, height = height, deviceScaleFactor = 1, mobile = is_phone or false })
end

---@param name "light"|"dark"  what the page hears that its reader prefers
function methods:scheme(name)
  assert(name == "light" or name == "dark", "the scheme is light or dark")
  self:cdp("Emulation.setEmulatedMedia", { features = { { name = "prefers-color-scheme", value = name } } })
end

---Whether pages run scripts from the next open() on.
function methods:scripts(enabled)
  self:cdp("Emulation.setScriptExecutionDisabled", { value = not enabled })
end

---Writes what is seen to a file, as PNG.
---@param is_whole? boolean  the whole page, however long
function methods:screenshot(path, is_whole)
  local picture = self:cdp("Page.captureScreenshot", { format = "png", captureBeyondViewport = is_whole or false }).data
  local pipe = assert(io.popen(("base64 -d >'%s'"):format(path), "w"))
  pipe:write(picture)
  pipe:close()
end

---What the console got since the last time, from warnings up, failed requests and breaches of the CSP too: a list of
---{level =, source =, message =}, empty if all is well.
function methods:console()
  local list = {}
  for _, entry in ipairs(command(self, "POST", "/se/log", '{"type":"browser"}')) do
    if entry.level == "WARNING" or entry.level == "SEVERE" then
      list[#list + 1] = { level = entry.level, source = entry.source, message = entry.message }
    end
  end
  return list
end

---The texts a reader sees, in the page's order: {text =, x =, y =, width =, height = (CSS pixels, in the page), size =
---(pixels), weight =, colour = and background = {red, green, blue}, as mixed from all that lies there, 0 to 255, on_picture
---= whether it lies on a picture or gradient, of which that says nothing}.
function methods:texts()
  return self:script(look.texts)
end

local function rgb(c)
  return ("%d,%d,%d"):format(c[1], c[2], c[3])
end

---The texts with less contrast to their background than that (4.5), as lines for a failure to show.
function methods:pale_texts(least)
  local list = {}
  for _, text in ipairs(self:texts()) do
    local contrast = colour.contrast(text.colour, text.background)
    if contrast < (least or 4.5) then
      list[#list + 1] = ("%.2f %s on %s: %s"):format(contrast, rgb(text.colour), rgb(text.background), text.text)
    end
  end
  return list
end

---What reaches over the right edge of a page that wide, as lines for a failure to show.
function methods:overflow(width)
  return self:script(look.overflow, width)
end

return browser
