-- examples/nginx/board as people see it: what it shows, and that it keeps itself up to date.
local board = require "spec.support.board"
local browser = require "spec.support.browser"
local fake = require "spec.support.fake"

local UID = fake.stacks.staging

describe("the board in a browser", function()
  local page, server

  setup(function()
    page = browser.start()
  end)

  teardown(function()
    page:stop()
  end)

  after_each(function()
    page:open "about:blank"
    page:size(1280, 800)
    page:scheme "light"
    board.stop()
  end)

  local function open(...)
    server = board.start(...)
    assert(board.stacks(server))
    page:console()
    page:open(server:url "/")
    page:wait "return document.getElementById('state').textContent === 'Updates itself'"
  end

  local function text_of(selector)
    return page:script("const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", selector)
  end

  local function wait_for(selector, text)
    page:wait(function() return text_of(selector):find(text, 1, true) end)
  end

  local staging = ('[data-key="%s"]'):format(UID)

  it("shows what is live, what is deploying and how it went", function()
    local world = fake.world()
    world:add_deployment("api", { started_time = world:now() - 65, git_ref = "feature/v3" })
    open { world = world.name, recent = 300 }
    local live = fake.data.deployments "staging"[1]
    wait_for(staging, "develop")
    wait_for(staging, live.git_hash:sub(1, 7))
    wait_for(staging, "ago")
    assert.equal(live.commit_url, page:script("return document.querySelector(arguments[0] + ' a').href", staging))
    local api = ('[data-key="%s"]'):format(fake.stacks.api)
    wait_for(api, "feature/v3")
    assert.matches("by somebody · %d+:%d%d", text_of(api))
    local share = page:script("const p = document.querySelector(arguments[0] + ' progress'); return p.value / p.max", api)
    assert.is_true(share > 0 and share < 1, tostring(share))
    local before = text_of(api .. " .clock")
    page:wait(function() return text_of(api .. " .clock") ~= before end) -- it runs by itself
    page:wait(("return document.querySelectorAll('%s .strip li:not(.no)').length === 50"):format(staging:gsub('"', '\\"')))
    -- Told apart by shape: what succeeded stands above the line, what failed hangs below it.
    local shapes = page:script([[
      const strip = document.querySelector(arguments[0] + " .strip");
      const place = name => { const bar = strip.querySelector(name), s = getComputedStyle(bar, "::before");
        return { top: parseFloat(s.top), bottom: bar.offsetHeight - parseFloat(s.bottom), height: parseFloat(s.height) } };
      return { ok: place(".ok"), bad: place(".bad"), title: strip.querySelector(".bad").title };
    ]], staging)
    assert.is_true(shapes.ok.bottom <= shapes.bad.top + 2 and shapes.ok.height > 1 and shapes.bad.height > 1)
    assert.matches("@%x+ failed after %d+ min, by ", shapes.title)
    assert.same({}, page:console())
  end)

  it("updates itself without a reload, and leaves alone what has not changed", function()
    local world = fake.world()
    local d = world:add_deployment("staging", { git_ref = "new-one" })
    open { world = world.name }
    wait_for(staging, "new-one")
    assert.equal("Deploying", text_of(staging .. " .state"))
    page:script([[
      window.kept = true;
      for (const e of document.querySelectorAll("article")) e.kept = true;
    ]])
    world:change(d, { finished_time = world:now(), outcome = "failed" })
    wait_for(staging .. " .state", "Last one failed")
    assert.is_true(page:script "return window.kept === true")
    assert.is_true(page:script("return document.querySelector(arguments[0]).kept === true",
      ('[data-key="%s"]'):format(fake.stacks.brand_new)))
    assert.equal("", text_of(staging .. " .deploying"))
    assert.matches("^Failed%s+new%-one%s.*by somebody · ", text_of(staging .. " .failed"))
    assert.same({}, page:console())
  end)

  it("shows a hostile branch as the text that it is", function()
    local world = fake.world()
    local ref = '<script>document.title="owned"</script><img src=x onerror="document.title=1">'
    local d = world:add_deployment("staging", { git_ref = ref, triggered_by = "<b>eve</b>@evil.example", commit_url = "javascript:alert(1)" })
    open { world = world.name }
    wait_for(staging, ref)
    world:change(d, { finished_time = world:now(), outcome = "success", is_live = true })
    wait_for(staging .. " .live", ref) -- also by way of the script
    assert.equal("Deployments", page:script "return document.title")
    assert.equal(0, page:script "return document.querySelectorAll('#board script, #board img, #board b, #board [style]').length")
    assert.is_nil(page:script "return [...document.links].find(a => a.protocol !== 'https:')")
    assert.same({}, page:console())
  end)

  it("fits a phone", function()
    local world = fake.world()
    world:add_deployment("staging", { git_ref = ("very-long-branch-name/"):rep(6), triggered_by = ("x"):rep(100) })
    open { world = world.name }
    wait_for(staging, "very-long-branch-name")
    for _, width in ipairs { 320, 360, 768, 1280 } do
      page:size(width, 720, width < 500)
      assert.same({}, page:overflow(width))
    end
  end)

  it("can be read, light and dark", function()
    local world = fake.world()
    world:add_deployment("api", { outcome = "failed", finished_time = world:now(), started_time = world:now() - 60 })
    open { world = world.name, live = "none" }
    local seen = {}
    for _, scheme in ipairs { "light", "dark" } do
      page:scheme(scheme)
      assert.same({}, page:pale_texts(4.5))
      local background = page:texts()[1].background
      seen[scheme] = browser.luminance(background)
    end
    assert.is_true(seen.light > 0.8 and seen.dark < 0.05)
  end)

  it("says how old it is while the API is away, and what is not there", function()
    local front = board.front {}
    open(front.url)
    front:stop()
    wait_for(".banner", "This is what was known")
    wait_for(".banner", "The API cannot be reached.")
    wait_for(staging, "develop")
    for _, scheme in ipairs { "light", "dark" } do
      page:scheme(scheme)
      assert.same({}, page:pale_texts(4.5))
    end
    front:start()
    page:wait "return !document.querySelector('.banner')"
    assert.same({}, page:console())
    server:stop()
    wait_for("#state", "No connection to this board")
    wait_for(staging, "develop") -- what it has it keeps
  end)

  it("asks for nothing while nobody looks", function()
    open {}
    page:script [[
      window.asked = 0;
      const real = window.fetch;
      window.fetch = (...rest) => { window.asked++; return real(...rest) };
    ]]
    page:wait "return window.asked >= 2"
    page:script [[
      Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    ]]
    -- What was under way ends, and nothing follows it for three times as long as it pauses between two questions.
    page:script "return new Promise(resolve => setTimeout(resolve, 1500))"
    local asked = page:script "return window.asked"
    page:script "return new Promise(resolve => setTimeout(resolve, 3000))"
    assert.equal(asked, page:script "return window.asked")
    page:script [[ delete document.hidden; document.dispatchEvent(new Event("visibilitychange")) ]]
    page:wait(("return window.asked > %d"):format(asked))
  end)

  it("shows all without scripts, too", function()
    open {}
    page:scripts(false)
    page:open(server:url "/")
    wait_for(staging, "develop")
    assert.equal(4, page:script "return document.querySelectorAll('article').length")
    assert.equal("5", page:script "return document.querySelector('noscript meta[http-equiv=refresh]').content")
    page:scripts(true)
  end)
end)
