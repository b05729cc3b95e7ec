-- style.lua: how the page looks. Light and dark go by the reader's system; print is light.

return [[
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --ink: #1d2125; --soft: #59616b; --rule: #e4e4df; --grid: #ecece8;
  --success: #3f8f78; --failed: #b4400f; --other: #6c7480; --alert: #fdf0e9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1c2024; --ink: #e9ebee; --soft: #a6aeb8; --rule: #2d3238; --grid: #282d32;
    --success: #62b69c; --failed: #f0976d; --other: #98a1ac; --alert: #33231a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: clamp(1rem, 4vw, 3rem); background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
main { max-width: 66rem; margin: 0 auto; display: grid; gap: 1.5rem; grid-template-columns: minmax(0, 1fr); }
header { margin-bottom: .5rem; }
.kicker { margin: 0 0 .25rem; color: var(--soft); font-size: .875rem; letter-spacing: .02em; }
h1 { margin: 0; font-size: clamp(1.5rem, 4vw, 2.125rem); line-height: 1.2; font-weight: 650; letter-spacing: -.015em; }
h2 { margin: 0; font-size: 1.0625rem; font-weight: 650; }
p { margin: 0; }
.soft, figcaption, .axis { color: var(--soft); font-size: .875rem; }
header .soft { margin-top: .5rem; font-size: .9375rem; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: clamp(1rem, 2.5vw, 1.625rem); min-width: 0; }
.alert { background: var(--alert); border-color: var(--failed); }
.alert ul { margin: .5rem 0 0; padding-left: 1.25rem; }
.tiles { display: grid; gap: 1px; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); padding: 0; overflow: hidden;
  background: var(--rule); }
.tiles > div { background: var(--card); padding: 1.125rem 1.25rem 1.25rem; }
.tiles dt { color: var(--soft); font-size: .875rem; }
.tiles dd { margin: 0; }
.tiles .figure { font-size: 1.75rem; line-height: 1.25; font-weight: 600; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.column { display: grid; gap: 1.5rem; align-content: start; grid-template-columns: minmax(0, 1fr); }
.pair { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; container-type: inline-size; }
figcaption, section > .soft { margin: .125rem 0 1rem; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 .75rem; padding: 0; list-style: none; font-size: .875rem; }
.legend li { display: flex; align-items: center; gap: .5rem; }
.legend svg { flex: none; }
.axis.below { text-align: right; margin-top: .125rem; }
.plot { display: grid; grid-template-columns: 2.75rem minmax(0, 1fr); gap: .5rem; }
.plot.flat { grid-template-columns: minmax(0, 1fr); }
svg { display: block; overflow: visible; }
.plot svg { width: 100%; }
svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--grid); stroke-width: 1; }
.base { stroke: var(--soft); stroke-width: 1; stroke-opacity: .6; }
.success { fill: var(--success); }
.failed { fill: var(--failed); }
.other { fill: var(--card); stroke: var(--other); stroke-width: 1.5; }
.hatched { fill: url(#hatch); stroke: var(--failed); stroke-width: 1; }
.hatch-ground { fill: var(--card); }
.hatch-line { stroke: var(--failed); stroke-width: 2.4; }
.dot { fill: var(--success); fill-opacity: .62; }
.cross { stroke: var(--failed); stroke-width: 2; stroke-linecap: round; fill: none; }
.ring { fill: var(--card); stroke: var(--other); stroke-width: 1.6; }
.median { stroke: var(--ink); stroke-width: 1.5; }
.ninth { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 2 4; }
.lane + .lane { margin-top: .5rem; }
.lane p { font-size: .875rem; }
.lane p .soft { margin-left: .375rem; unicode-bidi: isolate; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; }
thead th { color: var(--soft); font-size: .875rem; }
td, th { padding: .3125rem 0 .3125rem .75rem; vertical-align: middle; }
td:first-child, th:first-child { padding-left: 0; }
td.number, th.number { text-align: right; white-space: nowrap; }
tbody th { width: 100%; }
td.bar svg { width: 9rem; }
details { margin-top: 1rem; font-size: .875rem; }
summary { cursor: pointer; color: var(--soft); }
details table { margin-top: .5rem; font-size: .875rem; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
h2 + table { margin-top: .625rem; }
h3 { margin: 1.5rem 0 .375rem; font-size: .9375rem; font-weight: 600; }
footer { color: var(--soft); font-size: .875rem; }
@container (max-width: 38rem) {
  .wide { display: none; }
}
@media (max-width: 640px) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .tiles > div:first-child { grid-column: 1 / -1; }
  .tiles .figure { font-size: 1.5rem; }
  td.bar svg { width: 3rem; }
  .roomy { display: none; }
}
@media print {
  :root {
    color-scheme: light; --page: #ffffff; --card: #ffffff; --ink: #1d2125; --soft: #59616b; --rule: #d8d8d3; --grid: #ecece8;
    --success: #3f8f78; --failed: #b4400f; --other: #6c7480; --alert: #ffffff;
  }
  body { padding: 0; font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { max-width: none; }
  .card { break-inside: avoid; }
  details { display: none; }
}
]]
