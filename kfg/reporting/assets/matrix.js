// The confusion matrix: sorted, searched, sized, walked through by keys; a cell or a name shows photographs.
for (const grid of document.querySelectorAll(".matrix")) {
  const part = grid.closest("section");
  const form = part.querySelector(".controls");
  const told = part.querySelector(".told");
  const here = part.querySelector(".here");
  const [head, ...rows] = grid.children;
  const columns = [...head.children].slice(1);
  const names = known.classes;
  const plain = text => text.toLowerCase().replaceAll("_", " ");
  const all = rows.map((row, at) => ({ at, row, cells: [...row.children].slice(1) }));

  for (const { at, row, cells } of all) {
    const total = cells.reduce((sum, cell) => sum + Number(cell.textContent), 0);
    for (const cell of cells) {
      const said = Number(cell.dataset.p);
      const count = Number(cell.textContent);
      const what = said === at ? `${names[at]} classified correctly` : `${names[at]} taken for ${names[said]}`;
      cell.setAttribute("aria-label", `${what}: ${count} of ${total}, ${share((1000 * count) / total)}`);
      cell.dataset.what = `cell:${at},${said}`;
    }
    row.firstElementChild.dataset.what = `class:${at}`;
    columns[at].dataset.what = `named:${at}`;
  }

  // The classes whose names hold the words, and those that are mixed up with them.
  function visible(words) {
    const found = new Set([...names.keys()].filter(at => plain(names[at]).includes(words)));
    const shown = new Set(found);
    for (const { at, cells } of all) for (const cell of cells) {
      const said = Number(cell.dataset.p);
      if (found.has(at)) shown.add(said);
      if (found.has(said)) shown.add(at);
    }
    return [found, shown];
  }

  function arrange() {
    const words = plain(form.search.value.trim());
    const [found, shown] = visible(words);
    const rank = at => (form.order.value === "class" ? at : Number(rows[at].dataset[form.order.value]));
    const order = [...shown].sort((a, b) => rank(a) - rank(b));
    const place = new Map(order.map((at, index) => [at, index]));
    const put = (cell, at) => {
      cell.hidden = !place.has(at);
      cell.style.setProperty("--c", place.get(at));
      cell.setAttribute("aria-colindex", place.get(at) + 2);
    };
    columns.forEach(put);
    head.append(...order.map(at => columns[at]));
    for (const { at, row, cells } of all) {
      row.hidden = !place.has(at);
      if (row.hidden) continue;
      row.setAttribute("aria-rowindex", place.get(at) + 2);
      row.classList.toggle("match", words !== "" && found.has(at));
      cells.forEach(cell => put(cell, Number(cell.dataset.p)));
      row.append(...cells.sort((a, b) => place.get(Number(a.dataset.p)) - place.get(Number(b.dataset.p))));
    }
    grid.append(...order.map(at => rows[at]));
    grid.style.setProperty("--n", order.length);
    for (const name of ["aria-rowcount", "aria-colcount"]) grid.setAttribute(name, order.length + 1);
    told.textContent = words === "" ? "" : saidOf(found.size, shown.size - found.size, form.search.value.trim());
  }

  function saidOf(found, more, words) {
    if (!found) return `No class matches “${words}”.`;
    const others = more ? `; ${more} more that ${more === 1 ? "is" : "are"} confused with ${found === 1 ? "it" : "them"} ${more === 1 ? "is" : "are"} also shown` : "";
    return `${found} ${found === 1 ? "class matches" : "classes match"} “${words}”${others}.`;
  }

  function resize() {
    grid.style.setProperty("--side", `${form.side.value}px`);
    grid.classList.toggle("tiny", Number(form.side.value) < 13);
  }

  const seen = one => !one.hidden;
  const column = cell => Number(cell.getAttribute("aria-colindex"));
  let wanted = 1; // the column that Up and Down keep to
  function focus(cell) {
    grid.querySelector("[tabindex='0']").tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }
  const inRow = row => [...row.children].filter(seen);
  const nearest = row => inRow(row).reduce((best, cell) =>
    Math.abs(column(cell) - wanted) < Math.abs(column(best) - wanted) ? cell : best);
  function target(cell, key, whole) {
    const lines = [...grid.children].filter(seen);
    const at = lines.indexOf(cell.parentElement);
    const line = to => nearest(lines[Math.min(Math.max(to, 0), lines.length - 1)]);
    const beside = inRow(cell.parentElement);
    const inside = to => beside[Math.min(Math.max(to, 0), beside.length - 1)];
    if (key === "ArrowUp") return line(at - 1);
    if (key === "ArrowDown") return line(at + 1);
    if (key === "PageUp") return line(at - 10);
    if (key === "PageDown") return line(at + 10);
    const [first, last] = whole ? [inRow(lines[0])[0], inRow(lines.at(-1)).at(-1)] : [beside[0], beside.at(-1)];
    const moved = { ArrowLeft: inside(beside.indexOf(cell) - 1), ArrowRight: inside(beside.indexOf(cell) + 1),
      Home: first, End: last }[key];
    if (moved) wanted = column(moved);
    return moved;
  }

  grid.addEventListener("keydown", event => {
    const cell = event.target.closest("[role]");
    if ((event.key === "Enter" || event.key === " ") && cell.dataset.what) open(cell.dataset.what, cell);
    else {
      const to = target(cell, event.key, event.ctrlKey);
      if (!to) return;
      focus(to);
    }
    event.preventDefault();
  });
  grid.addEventListener("click", event => {
    const cell = event.target.closest("[data-what]");
    if (!cell) return;
    focus(cell);
    wanted = column(cell);
    open(cell.dataset.what, cell);
  });

  function point(event) {
    const cell = event.target.closest("[data-what]");
    if (!cell) return;
    here.textContent = cell.getAttribute("aria-label") ?? `${cell.textContent}: all its photographs`;
    head.querySelector(".at")?.classList.remove("at");
    columns[cell.dataset.p]?.classList.add("at");
  }
  grid.addEventListener("pointerover", point);
  grid.addEventListener("focusin", point);

  for (const cell of grid.querySelectorAll("[role=columnheader], [role=rowheader], [role=gridcell]")) cell.tabIndex = -1;
  head.firstElementChild.tabIndex = 0;
  form.side.value = parseInt(grid.style.getPropertyValue("--side"), 10);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { form.side.value = side; resize(); arrange(); }));
  const side = form.side.value;
  form.order.addEventListener("change", arrange);
  form.search.addEventListener("input", arrange);
  form.side.addEventListener("input", resize);
  for (const one of part.querySelectorAll("[hidden].controls, [hidden].live")) one.hidden = false;
}
