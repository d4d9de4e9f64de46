// The page of a review. Decisions live in a store: on the server, or, in a page without one, in this browser.
"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("data");
  const byId = (id) => document.getElementById(id);
  const downloads = byId("download") !== null;
  const PATIENCE = 15000; // milliseconds for an answer: while one is waited for, no key decides
  const undoable = []; // [number of the item, what was decided before], the newest last
  let rows = read("rows"); // path -> row of corrections.csv
  let at = 0;
  let working = true; // until the page is ready, and while a decision is written: no key decides what is not shown yet

  // Where decisions are kept. Each store has all() and put(number, after, was), which return promises of the rows.
  const server = {
    all: () => asked("decisions"),
    put: (number, after, was) => asked("decisions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ number, after, was }),
    }),
  };

  async function asked(address, options) {
    let found;
    try {
      found = await (await fetch(address, { ...options, signal: AbortSignal.timeout(PATIENCE) })).json();
    } catch (error) {
      if (error.name === "TimeoutError") throw new Error("kfg review has not answered in time, so this decision may not be saved; reload this page");
      throw new Error("kfg review does not answer, so this decision is not saved; start it again, then reload this page");
    }
    if (found.problem || found.error) throw Object.assign(new Error(found.problem || found.error), { rows: found.rows });
    return found.rows;
  }

  // A database of this browser, with an entry for each photograph, so that two tabs never write over each other's. Not
  // localStorage: of some hundred pages that Chromium opened anew, one was shown an empty one for as long as it stood.
  const local = {
    async all() {
      const found = { ...read("rows") };
      for (const row of await transacted("readonly", (decisions) => decisions.getAll())) {
        delete found[row.path];
        if (row.after !== null) found[row.path] = row;
      }
      return Object.fromEntries(Object.entries(found).sort(([, a], [, b]) => a.time.localeCompare(b.time)));
    },
    async put(number, after, was) {
      const item = data.items[number];
      const time = new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
      const row = { path: item.path, sha256: item.sha256, before: item.before, after, reason: item.reason, time };
      const written = read("rows")[item.path];
      const now = await transacted("readwrite", (decisions) => {
        const asked = decisions.get(item.path);
        asked.onsuccess = () => {
          const found = asked.result || written;
          if ((found ? found.after : null) === was) decisions.put(row);
        };
        return asked;
      }) || written;
      const rows = await this.all();
      if ((now ? now.after : null) === was) return rows;
      throw Object.assign(new Error("the decision on this photograph was changed in another tab"), { rows });
    },
  };

  // Do work(object store) in one transaction; return what its request found, once that is on the disk.
  async function transacted(mode, work) {
    const database = await opened();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction("decisions", mode, { durability: "strict" });
        const request = work(transaction.objectStore("decisions"));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(unkept(transaction.error));
      });
    } finally {
      database.close();
    }
  }

  function opened() {
    return new Promise((resolve, reject) => {
      const asked = indexedDB.open(`kfg-review/${data.id}`, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("decisions", { keyPath: "path" });
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(unkept(asked.error));
    });
  }

  function unkept(error) {
    return new Error(`this browser cannot keep your decisions (${error.message}); open the page in another browser`);
  }

  const store = downloads ? local : server;

  const decided = (item) => (rows[item.path] ? rows[item.path].after : null);
  // The class of an item's double, as decided so far, and whether that has settled the two: one class, or one left out.
  const besideNow = (item) => (rows[item.beside.path] ? rows[item.beside.path].after : null) ?? item.beside.label;
  const settled = (item) =>
    Boolean(item.beside) && decided(item) === null && [item.before, data.leftOut].includes(besideNow(item));
  const broken = (item) => item.kind === "broken"; // such a file can only be left out
  const inWords = (item, after) =>
    after === data.leftOut ? "left out" : after === item.before ? `kept as ${after}` : `relabelled as ${after}`;

  async function alone(work) {
    if (working) return;
    working = true;
    try {
      await work();
    } finally {
      working = false;
    }
  }

  function decide(after) {
    return alone(async () => {
      const number = at;
      const was = decided(data.items[number]);
      if (!(await change(number, after))) return;
      if (was !== after) undoable.push([number, was]);
      step(number);
    });
  }

  async function change(number, after) {
    const item = data.items[number];
    const was = decided(item);
    if (was === after) return true;
    try {
      rows = await store.put(number, after, was);
      byId("problem").hidden = true;
      return true;
    } catch (error) {
      rows = error.rows || rows;
      say(`${item.path}: ${error.message}`);
      show(number);
      return false;
    }
  }

  function undo() {
    return alone(async () => {
      const last = undoable.pop() || newest();
      if (!last) return;
      const [number, before] = last;
      if (await change(number, before)) show(number);
    });
  }

  // After a reload: the newest decision on a photograph of this queue.
  function newest() {
    const numbers = new Map(data.items.map((item, number) => [item.path, number]));
    const path = Object.keys(rows).filter((one) => numbers.has(one)).pop();
    return path === undefined ? null : [numbers.get(path), null];
  }

  function say(text) {
    byId("problem").textContent = text;
    byId("problem").hidden = false;
  }

  // Go to the next photograph that is not decided, from the beginning again after the end.
  function step(number) {
    const count = data.items.length;
    for (let more = 1; more <= count; more += 1) {
      const next = (number + more) % count;
      if (decided(data.items[next]) === null) return show(next);
    }
    show(number);
    byId("done").hidden = false;
    byId("done").scrollIntoView({ block: "nearest" });
  }

  function picture(source, alt) {
    const made = document.createElement("img");
    made.loading = "lazy";
    made.alt = alt;
    made.src = source;
    return made;
  }

  function text(tag, words) {
    const made = document.createElement(tag);
    made.textContent = words;
    return made;
  }

  function examples(item) {
    const shown = [];
    if (item.beside) {
      const part = document.createElement("section");
      part.className = "beside";
      const now = besideNow(item);
      const words = now === data.leftOut ? "which is left out now" : `labelled ${now}`;
      part.append(text("h2", `Compare with ${item.beside.path}, ${words}`));
      part.append(picture(item.beside.large, `the other photograph, ${item.beside.path}`));
      shown.push(part);
    }
    const classes = [...new Set([item.before, item.other].filter(Boolean))];
    for (const name of classes) {
      const list = document.createElement("ul");
      for (const one of data.typical[name] || []) {
        const entry = document.createElement("li");
        entry.title = one.path;
        entry.append(picture(one.small, `typical of ${name}: ${one.path}`));
        list.append(entry);
      }
      const part = document.createElement("section");
      part.append(text("h2", `Typical of ${name}`), list);
      shown.push(part);
    }
    byId("examples").replaceChildren(...shown);
  }

  function label(id, words) {
    byId(id).lastElementChild.textContent = words;
  }

  // Show a photograph; where it is shown again with news from elsewhere, what is being typed stays.
  function show(number, clear = true) {
    at = number;
    const item = data.items[at];
    const after = decided(item);
    byId("photograph").src = item.large;
    byId("photograph").alt = `photograph ${item.path}, labelled ${item.before}`;
    byId("place").textContent = `${at + 1} of ${data.items.length}`;
    byId("path").textContent = item.path;
    byId("label").replaceChildren("Labelled ", text("strong", item.before));
    byId("reason").textContent = settled(item)
      ? `${item.reason}; your decision on that photograph has settled this, so keep this one`
      : item.reason;
    byId("verdict").classList.toggle("blank", after === null); // its place stays, so that no button moves
    byId("verdict").textContent = after === null ? "Not decided yet." : `Decided: ${inWords(item, after)}.`;
    label("keep", `Keep as ${item.before}`);
    byId("keep").hidden = byId("other").hidden = broken(item);
    byId("relabel").hidden = item.other === null || item.other === item.before || settled(item);
    label("relabel", `Relabel as ${item.other}`);
    const pressed = { keep: item.before, relabel: item.other, leave: data.leftOut };
    for (const [id, value] of Object.entries(pressed)) byId(id).setAttribute("aria-pressed", String(after === value));
    if (clear) byId("class").value = "";
    examples(item);
    update();
    const ahead = data.items[at + 1];
    if (ahead) new Image().src = ahead.large; // it is there when the key is pressed
    const current = byId("queue").children[at];
    byId("queue").scrollLeft = current.offsetLeft - byId("queue").offsetLeft - byId("queue").clientWidth / 2 + current.clientWidth / 2;
  }

  // What all photographs have in common: the progress and the marks in the queue.
  function update() {
    const made = data.items.map(decided);
    const count = made.filter((one) => one !== null).length;
    byId("bar").max = data.items.length;
    byId("bar").value = count;
    byId("progress").textContent = `${count} of ${data.items.length} decided`;
    byId("undo").disabled = count === 0 && undoable.length === 0;
    data.items.forEach((item, number) => mark(byId("queue").children[number].firstElementChild, item, made[number], number));
    const kept = data.items.filter((item, number) => made[number] === item.before).length;
    const out = made.filter((one) => one === data.leftOut).length;
    byId("done-said").textContent = `${count} photographs: ${count - kept - out} relabelled, ${out} left out, ${kept} kept as they are.`;
    if (count < data.items.length) byId("done").hidden = true;
  }

  function mark(button, item, after, number) {
    button.classList.toggle("decided", after !== null);
    button.setAttribute("aria-current", String(number === at));
    button.setAttribute("aria-label", `${number + 1}: ${item.path}, ${after === null ? "not decided" : inWords(item, after)}`);
    button.lastElementChild.textContent = after === null ? "" : after === item.before ? "kept" : after;
    button.lastElementChild.hidden = after === null;
  }

  function relabelTyped(event) {
    event.preventDefault();
    const typed = byId("class").value.trim();
    const exact = data.classes.find((name) => name === typed);
    const alike = data.classes.filter((name) => name.toLowerCase() === typed.toLowerCase());
    const name = exact || (alike.length === 1 ? alike[0] : null);
    if (name === null) return say(typed ? `There is no class ${typed}; choose one from the list.` : "Type the name of a class.");
    byId("class").blur();
    return decide(name);
  }

  const actions = {
    k: () => broken(data.items[at]) || decide(data.items[at].before),
    r: () => (byId("relabel").hidden ? actions.t() : decide(data.items[at].other)),
    l: () => decide(data.leftOut),
    u: undo,
    t: () => broken(data.items[at]) || byId("class").focus(),
    arrowleft: () => show((at + data.items.length - 1) % data.items.length),
    arrowright: () => show((at + 1) % data.items.length),
  };

  function pressed(event) {
    if (event.target.id === "class") {
      if (event.key === "Escape") byId("class").blur();
      return;
    }
    const undoes = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if ((event.ctrlKey || event.metaKey || event.altKey) && !undoes) return;
    const action = undoes ? undo : actions[event.key.toLowerCase()];
    if (!action || event.repeat || working) return; // a key held down decides once
    event.preventDefault();
    action();
  }

  function table() {
    const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const lines = Object.values(rows).map((one) => [one.path, one.sha256, one.before, one.after, one.reason, one.time]);
    return [data.columns, ...lines].map((line) => `${line.map(cell).join(",")}\n`).join("");
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
    link.download = "corrections.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function refresh() {
    const before = JSON.stringify(rows);
    const found = await store.all().catch(() => rows); // a server that is away is said at the next decision
    if (working) return; // what is being written is newer
    rows = found;
    if (JSON.stringify(rows) !== before) show(at, false);
  }

  // Other tabs decide, too.
  function watch() {
    const look = () => document.hidden || refresh();
    window.addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    setInterval(look, 5000);
  }

  function begin() {
    byId("classes").replaceChildren(...data.classes.map((name) => Object.assign(document.createElement("option"), { value: name })));
    const entries = data.items.map((item, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(picture(item.small, ""), Object.assign(document.createElement("span"), { className: "mark" }));
      button.addEventListener("click", () => show(number));
      const entry = document.createElement("li");
      entry.append(button);
      return entry;
    });
    byId("queue").replaceChildren(...entries);
    const clicks = { keep: actions.k, relabel: actions.r, leave: actions.l, undo, back: actions.arrowleft, forward: actions.arrowright };
    for (const [id, action] of Object.entries(clicks)) byId(id).addEventListener("click", action);
    byId("again").addEventListener("click", () => show(0));
    byId("other").addEventListener("submit", relabelTyped);
    document.addEventListener("keydown", pressed);
    if (downloads) byId("download").addEventListener("click", download);
    watch();
    store.all().then((found) => {
      rows = found;
      step(data.items.length - 1); // the first that is not decided
    }, (error) => {
      show(0);
      say(error.message);
    }).finally(() => {
      working = false;
    });
  }

  begin();
})();
