"""Look and table sorting of the report pages: light and dark, phone and desktop, no fonts or files fetched."""

STYLE = """\
:root { --ink: #1d1f23; --soft: #5d636d; --line: #dfe2e7; --paper: #ffffff; --panel: #f5f6f8; --blue: #0072b2;
  --orange: #c04f00; --link: #0060a0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a3a9b3; --line: #363b44; --paper: #16181c; --panel: #1f2228; --blue: #56b4e9;
    --orange: #f0a04b; --link: #7cc4f2; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
.lead { font-size: 1.05rem; }
.note, small, figcaption { color: var(--soft); font-size: .875rem; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .15rem 1rem; margin-top: .8rem; font-size: .9rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.tile { background: var(--panel); border-radius: .5rem; padding: .7rem .9rem .8rem; }
.tile b { display: block; font-weight: 500; font-size: .875rem; color: var(--soft); }
.tile strong { display: block; font-size: 1.65rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile small { display: block; font-variant-numeric: tabular-nums; }
.bar { position: relative; height: 6px; margin: .3rem 0 .45rem; border-radius: 3px; background: var(--line); }
.bar span { position: absolute; top: 0; height: 6px; border-radius: 3px; }
.bar .range { background: var(--blue); opacity: .45; }
.bar .dot { width: 6px; margin-left: -3px; background: var(--blue); }
.scroll { overflow: auto; margin: .7rem 0; }
.tall { max-height: 75vh; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { font-weight: 600; background: var(--paper); vertical-align: bottom; }
.tall thead th { position: sticky; top: 0; }
td.n, th.n { text-align: right; white-space: nowrap; }
.pairs th { font-weight: 500; color: var(--soft); white-space: nowrap; }
.pairs td { overflow-wrap: anywhere; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button:hover { text-decoration: underline; }
th[aria-sort] button::after { content: " \\2191"; }
th[aria-sort="descending"] button::after { content: " \\2193"; }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { max-width: 100%; height: auto; background: #fff; border-radius: .4rem; }
.zoom { display: none; font-size: .9rem; }
.pan { overflow: auto; }
@media screen { .zoom { display: block; margin-bottom: .4rem; } }
.zoom:has(input:checked) + .pan { max-height: 88vh; }
.zoom:has(input:checked) + .pan img { max-width: none; }
pre { background: var(--panel); border-radius: .4rem; padding: .8rem 1rem; overflow: auto; font-size: .875rem; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem .75rem;
  margin: 1rem 0; }
.sheet figure { margin: 0; min-width: 0; font-size: .85rem; line-height: 1.35; }
.sheet img, .gone { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: .3rem;
  background: var(--panel); margin-bottom: .3rem; }
.sheet .gone { display: grid; place-items: center; color: var(--soft); font-size: .85rem; }
.sheet figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.sheet b { color: var(--ink); }
.wrong { color: var(--orange); }
.right { color: var(--blue); }
.warning { border-left: .3rem solid var(--orange); background: var(--panel); padding: .6rem .9rem; font-weight: 600; }
details { margin: .7rem 0; }
summary { cursor: pointer; }
@media (max-width: 34rem) { body { padding: 1rem .8rem 3rem; } h1 { font-size: 1.35rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; } .tile strong { font-size: 1.3rem; }
  .wide img { max-width: none; width: 44rem; } .sheet { grid-template-columns: 1fr 1fr; }
  th, td { padding: .25rem .45rem; } }
@media print { nav { display: none; } .tall { max-height: none; } }
"""

# A click on a column name sorts by it; empty cells stay last.
SCRIPT = """\
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const key = row => row.cells[at].dataset.v ?? row.cells[at].textContent;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return (up ? 1 : -1) * (isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y);
    };
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  }));
}
"""
