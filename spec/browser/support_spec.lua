-- spec/support/browser.lua: whether what other specs see through it is what is there.
local browser = require "spec.support.browser"
local host = require "spec.support.host"

local PAGE = [[data:text/html;charset=utf-8,<!DOCTYPE html><meta name="viewport" content="width=device-width">
<style>:root{color-scheme:light dark} body{margin:0;font-size:20px;background:rgb(255 255 255);color:rgb(0 0 0)}
@media (prefers-color-scheme:dark){body{background:rgb(0 0 0);color:rgb(128 128 128)}}
.wide{width:500px} .pale{color:rgb(200 200 200)} .half{opacity:0.5} .box{background:rgb(0 0 0 / 50%25);color:rgb(255 255 255)}
.gone{display:none} .away{position:absolute;width:1px;height:1px;overflow:hidden}</style>
<p id="first">Hällo &lt;b&gt;</p><p class="wide">wide</p><p class="pale">pale</p><p class="half">half</p><p class="box">box</p>
<p class="gone">gone</p><p class="away">away</p>
<script>setTimeout(function () { document.title = "late" }, 300)</script>]]

describe("a browser", function()
  local page

  setup(function()
    page = browser.start()
  end)

  teardown(function()
    page:stop()
  end)

  it("opens a page, and gives what its scripts give", function()
    page:open(PAGE)
    assert.equal("Hällo <b>", page:script "return document.querySelector('#first').textContent")
    assert.same({ 1, "two", { three = true } }, page:script("return [...arguments]", 1, "two", { three = true }))
    assert.is_nil(page:script "return null")
    assert.equal("kept", page:script "return Promise.resolve('kept')")
    assert.is_true(page:wait "return document.title === 'late'")
    assert.equal("late", page:wait(function() return page:script "return document.title" end))
    assert.has_error(function() page:script "throw new Error('ours')" end)
    assert.has_error(function() page:wait("return false", 0.2) end, "not within 0.2 seconds: return false")
  end)

  it("sees texts as a reader does", function()
    page:scheme "light"
    page:open(PAGE)
    local texts = {}
    for _, text in ipairs(page:texts()) do
      texts[text.text] = text
    end
    assert.is_nil(texts.gone)
    assert.is_nil(texts.away)
    assert.same({ 0, 0, 0 }, texts["Hällo <b>"].colour)
    assert.same({ 255, 255, 255 }, texts["Hällo <b>"].background)
    assert.same({ 200, 200, 200 }, texts.pale.colour)
    assert.is_true(math.abs(texts.half.colour[1] - 128) <= 1 and math.abs(texts.box.background[1] - 127) <= 1)
    assert.equal(20, texts.pale.size)
    assert.is_true(texts.pale.y > texts.wide.y and texts.wide.width > 20 and texts.wide.height >= 20)
    local pale = page:pale_texts()
    assert.equal(3, #pale) -- pale, half and box
    assert.matches("^1%.67 200,200,200 on 255,255,255: pale$", pale[1])
    page:scheme "dark"
    assert.same({ 0, 0, 0 }, page:texts()[1].background)
    assert.equal("matched", page:script "return matchMedia('(prefers-color-scheme: dark)').matches && 'matched'")
  end)

  it("is as small as a phone", function()
    page:size(360, 640, true)
    page:open(PAGE)
    assert.is_true(#page:overflow(360) > 0)
    assert.matches("wide", table.concat(page:overflow(360), "\n"))
    page:script "document.querySelector('.wide').className = ''"
    assert.same({}, page:overflow(360))
    assert.equal(360, page:script "return innerWidth")
    page:size(1280, 800)
  end)

  it("hears what the console says", function()
    page:open(PAGE)
    page:console()
    assert.same({}, page:console())
    page:script "console.log('quiet'); console.warn('careful'); setTimeout(function () { throw new Error('broken') })"
    local heard = {}
    page:wait(function()
      for _, entry in ipairs(page:console()) do
        heard[#heard + 1] = entry.level .. " " .. entry.message
      end
      return #heard >= 2
    end)
    heard = table.concat(heard, "\n")
    assert.matches("WARNING [^\n]*careful", heard)
    assert.matches("SEVERE [^\n]*broken", heard)
    assert.is_nil(heard:find "quiet")
  end)

  it("runs no scripts where there are to be none", function()
    page:scripts(false)
    page:open [[data:text/html,<title>plain</title><script>document.title = "scripted"</script><noscript>seen</noscript>]]
    assert.equal("plain", page:script "return document.title")
    page:scripts(true)
    page:open [[data:text/html,<title>plain</title><script>document.title = "scripted"</script>]]
    assert.equal("scripted", page:script "return document.title")
  end)

  it("takes pictures", function()
    local path = os.tmpname()
    page:size(320, 200)
    page:open(PAGE)
    page:screenshot(path)
    local head = host.read(path)
    os.remove(path)
    assert.equal("\137PNG\r\n\26\n", head:sub(1, 8))
    assert.equal("\0\0\1\64\0\0\0\200", head:sub(17, 24)) -- its width and height
    page:size(1280, 800)
  end)

  -- The processes that have something to do with a browser's directory.
  local function processes(directory)
    local pattern = "[/]" .. directory:sub(2) .. "/" -- which does not match the command that looks for it
    return host.output(("grep -ls '%s' /proc/[0-9]*/cmdline"):format(pattern))
  end

  it("leaves nothing behind, also when what used it fails", function()
    local directory
    local ok, problem = pcall(browser.with, function(other)
      other:open(PAGE)
      directory = other.directory
      assert.is_true(host.exists(directory .. "/output"))
      assert.is_true(processes(directory) ~= "")
      error "ours"
    end)
    assert.is_false(ok)
    assert.matches("ours", problem)
    assert.is_false(host.exists(directory .. "/output"))
    assert.equal("", processes(directory))
  end)

  it("leaves nothing behind, also when what used it is killed", function()
    local program = [[
      local page = require("spec.support.browser").start()
      page:open "data:text/html,x"
      io.write(page.directory, "\n")
      io.flush()
      require("cloud66.core").sleep(600)
    ]]
    local path = host.file(program)
    local pipe = io.popen(("echo $$; exec '%s' '%s'"):format(os.getenv "C66_LUA", path))
    local pid, directory = pipe:read "*l", pipe:read "*l"
    assert.is_true(processes(directory) ~= "")
    os.execute("kill -KILL " .. pid)
    pipe:close()
    os.remove(path)
    page:wait(function() return not host.exists(directory .. "/output") and processes(directory) == "" end)
  end)
end)

describe("contrast", function()
  it("is WCAG's", function()
    local near = function(expected, value) assert.is_true(math.abs(expected - value) < 0.01, tostring(value)) end
    near(21, browser.contrast({ 0, 0, 0 }, { 255, 255, 255 }))
    near(4.54, browser.contrast({ 255, 255, 255 }, { 118, 118, 118 }))
    near(1, browser.contrast({ 7, 8, 9 }, { 7, 8, 9 }))
    near(0.2126, browser.luminance { 255, 0, 0 })
  end)
end)
