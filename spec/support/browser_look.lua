-- JavaScript that looks at a page for browser.lua: bodies of functions.
local look = {}

look.texts = [==[
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function parse(text) { // any colour of CSS -> [red, green, blue, alpha]
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const d = canvas.getImageData(0, 0, 1, 1).data;
  return [d[0], d[1], d[2], d[3] / 255];
}
function over(top, below) { // below is opaque
  return [0, 1, 2].map(i => Math.round(top[i] * top[3] + below[i] * (1 - top[3])));
}
function paper() { // what the browser paints under everything
  const probe = document.createElement("span");
  probe.style.color = "Canvas";
  document.documentElement.append(probe);
  const colour = parse(getComputedStyle(probe).color);
  probe.remove();
  return colour.slice(0, 3);
}
const base = paper();
function surroundings(element) { // -> {background, opacity, onPicture}
  const layers = [];
  let opacity = 1, onPicture = false;
  for (let e = element; e; e = e.parentElement) {
    const style = getComputedStyle(e);
    layers.unshift(parse(style.backgroundColor));
    opacity *= Number(style.opacity);
    onPicture = onPicture || style.backgroundImage !== "none";
  }
  return { background: layers.reduce((below, top) => over(top, below), base), opacity, onPicture };
}
function isSeen(element) {
  return element.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true });
}
function isClipped(element) { // left for screen readers alone
  for (let e = element; e; e = e.parentElement) {
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (style.overflow !== "visible" && (box.width <= 1 || box.height <= 1)) return true;
  }
  return false;
}
const found = [];
const walker = document.createTreeWalker(document.body || document.documentElement, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const text = node.data.replace(/\s+/g, " ").trim(), element = node.parentElement;
  if (!text || !element || !isSeen(element) || isClipped(element)) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = range.getBoundingClientRect();
  if (box.width === 0 || box.height === 0) continue;
  const style = getComputedStyle(element), around = surroundings(element);
  const ink = parse(element instanceof SVGElement ? style.fill : style.color);
  ink[3] *= around.opacity;
  found.push({
    text, x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height,
    size: parseFloat(style.fontSize), weight: Number(style.fontWeight),
    colour: over(ink, around.background), background: around.background, on_picture: around.onPicture,
  });
}
return found;
]==]

look.overflow = [==[
const width = arguments[0], found = [];
const page = document.documentElement;
if (page.scrollWidth > width) found.push("the page is " + page.scrollWidth + " wide");
function isCut(element) { // by a box that scrolls or hides
  for (let e = element.parentElement; e && e !== document.body; e = e.parentElement) {
    if (getComputedStyle(e).overflowX !== "visible" && e.getBoundingClientRect().right <= width + 0.5) return true;
  }
  return false;
}
for (const element of document.body.querySelectorAll("*")) {
  const box = element.getBoundingClientRect();
  if (box.width > 0 && box.height > 0 && box.right + scrollX > width + 0.5 && !isCut(element)) {
    found.push(element.tagName.toLowerCase() + " to " + Math.round(box.right + scrollX) + ": " + element.textContent.trim().slice(0, 60));
  }
}
return found;
]==]

return look
