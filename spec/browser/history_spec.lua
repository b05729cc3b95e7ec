-- The page that examples/history.lua writes, as people see it.
local browser = require "spec.support.browser"
local example = require "spec.support.example"
local fake = require "spec.support.fake"
local host = require "spec.support.host"

local HOSTILE = "<script>alert(1)</script>"

local function write_page(path, scenario, arguments)
  arguments = ("--html %s %s 2>&1"):format(host.quote(path), arguments or "")
  assert.matches("written: ", host.output(example.asking(scenario, "history", arguments)))
end

-- The texts whose boxes overlap, as lines for a failure to show.
local function overlapping(texts)
  local found = {}
  for i = 1, #texts do
    for j = i + 1, #texts do
      local a, b = texts[i], texts[j]
      if a.x < b.x + b.width - 0.5 and b.x < a.x + a.width - 0.5 and a.y < b.y + b.height - 0.5 and b.y < a.y + a.height - 0.5 then
        found[#found + 1] = ("'%s' and '%s' at %.0f, %.0f"):format(a.text, b.text, b.x, b.y)
      end
    end
  end
  return found
end

describe("the page of a history", function()
  local page, directory

  setup(function()
    directory = host.directory()
    local world = fake.world()
    local now = world:now()
    for i, ref in ipairs { HOSTILE, ("long-"):rep(40), "\226\128\174turned", "two words" } do
      world:add_deployment("brand_new", {
        git_ref = ref, triggered_by = ref, outcome = i == 2 and "failed" or "success", started_time = now - i * 86400,
        finished_time = now - i * 86400 + i * 300,
      })
    end
    write_page(directory .. "/all.html", {})
    write_page(directory .. "/few.html", {}, "--since 2026-11-01 --by day")
    write_page(directory .. "/hostile.html", { world = world.name }, "'brand new'")
    write_page(directory .. "/lost.html", { error = "forbidden", stack = "api" })
    page = browser.start()
  end)

  teardown(function()
    page:stop()
    host.remove(directory)
  end)

  local PAGES = { "all", "few", "hostile", "lost" }

  local function each_view(fn)
    for _, name in ipairs(PAGES) do
      for _, width in ipairs { 1280, 800, 360 } do
        page:size(width, 800, width == 360)
        page:open("file://" .. directory .. "/" .. name .. ".html")
        fn(("%s at %d"):format(name, width), width)
      end
    end
  end

  it("has no text upon another, and none that is cut off, on a screen and on a phone", function()
    page:scheme "light"
    each_view(function(where, width)
      local texts = page:texts()
      assert.is_true(#texts > 40, where)
      assert.same({}, overlapping(texts), where)
      assert.same({}, page:overflow(width), where)
      for _, text in ipairs(texts) do
        assert.is_true(text.x >= 0 and text.x + text.width <= width, where .. ": " .. text.text)
        assert.is_true(text.size >= 12, where .. ": " .. text.text)
      end
    end)
  end)

  it("can be read, in light and dark", function()
    for _, scheme in ipairs { "light", "dark" } do
      page:scheme(scheme)
      local backgrounds = {}
      each_view(function(where)
        assert.same({}, page:pale_texts(4.5), scheme .. ", " .. where)
        backgrounds[#backgrounds + 1] = page:texts()[1].background[1]
      end)
      for _, red in ipairs(backgrounds) do
        assert.equal(scheme == "dark", red < 100)
      end
    end
    page:scheme "light"
  end)

  it("says nothing to the console, runs no script and asks for nothing", function()
    page:console()
    for _, name in ipairs(PAGES) do
      page:open("file://" .. directory .. "/" .. name .. ".html")
      assert.equal(0, page:script "return document.scripts.length")
      assert.equal(0, page:script "return performance.getEntriesByType('resource').length")
      assert.same({}, page:console())
    end
  end)

  it("lets no script run that somebody gets into it", function()
    page:open("file://" .. directory .. "/all.html")
    page:script [[
      const image = document.createElement("img");
      image.setAttribute("onerror", "document.title = 'taken over'");
      image.src = "data:image/png,none";
      document.body.append(image);
    ]]
    local refused = page:wait(function()
      local list = page:console()
      return #list > 0 and list
    end)
    assert.matches("Content Security Policy", refused[1].message)
    assert.are_not.equal("taken over", page:script "return document.title")
  end)

  it("shows a hostile ref as text", function()
    page:size(1280, 800)
    page:open("file://" .. directory .. "/hostile.html")
    local found = 0
    for _, text in ipairs(page:texts()) do
      found = found + (text.text == HOSTILE and 1 or 0)
      assert.is_nil(text.text:find "\226\128\174")
    end
    assert.equal(2, found) -- as a ref and as a name
    assert.equal("Deployments of brand new", page:script "return document.title")
  end)

  it("tells outcomes apart by form, and says which is which", function()
    page:open("file://" .. directory .. "/all.html")
    for sign, count in pairs { dot = 199, ring = 1, cross = 28 } do
      assert.equal(count, page:script(("return document.querySelectorAll('.lane use[href=\"#%s\"]').length"):format(sign)))
    end
    local forms = page:script [[
      return [...document.querySelectorAll("#dot, #cross, #ring")].map(e => e.tagName + e.getAttribute("d") + e.getAttribute("r"))
    ]]
    assert.are_not.equal(forms[1], forms[2])
    assert.are_not.equal(forms[2], forms[3])
    assert.are_not.equal(forms[1], forms[3])
    assert.matches("^url", page:script "return getComputedStyle(document.querySelector('rect.hatched')).fill")
    local legend = {}
    for _, entry in ipairs(page:script "return [...document.querySelectorAll('.legend li')].map(e => e.textContent)") do
      legend[entry] = (legend[entry] or 0) + 1
    end
    assert.equal(3, legend.success)
    assert.equal(3, legend.failed)
  end)

  it("draws what happened where it happened", function()
    page:size(1280, 800)
    page:open("file://" .. directory .. "/all.html")
    -- Of each lane: the middles of its marks, as shares of its width.
    local lanes = page:script [[
      return [...document.querySelectorAll(".lane")].map(lane => {
        const plot = lane.querySelector("svg").getBoundingClientRect();
        return [...lane.querySelectorAll("use")].map(mark => {
          const box = mark.getBoundingClientRect();
          return (box.x + box.width / 2 - plot.x) / plot.width;
        }).sort((a, b) => a - b);
      })
    ]]
    local from = fake.data.deployments("awesome_app")[137].started_time
    local to = fake.data.deployments("awesome_app")[1].started_time
    for i, name in ipairs { "awesome_app", "staging", "api" } do
      local models = fake.data.deployments(name)
      assert.equal(#models, #lanes[i])
      for place, share in ipairs(lanes[i]) do
        local want = (models[#models - place + 1].started_time - from) / (to - from)
        assert.is_true(math.abs(share - want) < 0.002, ("%s %d: %g, not %g"):format(name, place, share, want))
      end
    end
    -- The bars of a week are as high as they are many: all success bars together, in pixels by deployment.
    local sum = page:script [[
      return [...document.querySelectorAll("figure:nth-of-type(2) rect.success")].reduce(
        (sum, bar) => sum + (bar.parentElement.tagName === "g" ? bar.getBoundingClientRect().height + 1 : 0), 0)
    ]]
    local top = tonumber(page:script "return document.querySelector('figure:nth-of-type(2) .plot text:last-of-type').textContent")
    assert.is_true(math.abs(sum / (220 - 32) * top - 199) < 2, sum)
  end)

  it("fits on paper", function()
    page:cdp("Emulation.setEmulatedMedia", { media = "print", features = { { name = "prefers-color-scheme", value = "dark" } } })
    page:size(700, 900)
    page:open("file://" .. directory .. "/all.html")
    local texts = page:texts()
    assert.same({}, overlapping(texts))
    assert.same({}, page:overflow(700))
    assert.same({}, page:pale_texts(4.5))
    assert.same({ 255, 255, 255 }, texts[1].background) -- dark ink on white, whatever the screen has
    page:cdp("Emulation.setEmulatedMedia", { media = "" })
    assert.is_true(#page:cdp("Page.printToPDF", { paperWidth = 8.27, paperHeight = 11.7 }).data > 10000)
  end)
end)
