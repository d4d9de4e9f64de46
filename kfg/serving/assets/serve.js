// The page of kfg serve: photographs are sent one by one, two at a time; what comes back is drawn into a card each.

const AT_ONCE = 2;
const TRIES = 30; // of a photograph that the server asks to be sent again
const find = (selector, inside = document) => inside.querySelector(selector);
const percent = share => `${(100 * share).toFixed(1)}%`;
const pause = seconds => new Promise(resolve => setTimeout(resolve, 1000 * seconds));
const megabytes = Number(find("main").dataset.megabytes);
const classes = [...document.querySelectorAll("#names option")].map(option => option.value);
const waiting = [];
let running = 0;
let cards = [];

// The server ------------------------------------------------------------------------------------------------------

async function asked(address, options = {}) {
  let response;
  for (let tries = 0; ; tries++) {
    try {
      response = await fetch(address, options);
    } catch {
      throw new Error("The server does not answer. Is kfg serve still running?");
    }
    if (response.status !== 503 || tries >= TRIES) break;
    await pause(Number(response.headers.get("Retry-After")) || 2);
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new Error(said.error ?? `The server answered ${response.status}.`);
}

function form(file) {
  const body = new FormData();
  body.append("photograph", file, file.name || "pasted.png");
  return { method: "POST", body };
}

async function watchServer() {
  const state = find("#state");
  for (;;) {
    try {
      const server = await (await asked("/state")).json();
      state.classList.toggle("ready", server.ready);
      state.textContent = server.ready ? `The model is ready.${prepared(server.nearest)}` : "The model is being loaded …";
      document.body.dataset.heat = server.heat_maps;
      for (const card of cards) card.allowHeat(server.heat_maps);
      if (server.nearest.state === "ready") for (const card of cards) card.findNearest();
      if (["ready", "unavailable"].includes(server.nearest.state)) return;
    } catch (error) {
      state.classList.remove("ready");
      state.textContent = error.message;
    }
    await pause(1.5);
  }
}

function prepared(nearest) {
  if (nearest.state === "computing") {
    return ` It is processing its training photographs, to show those most similar to yours: ${nearest.done} of ${nearest.total}.`;
  }
  if (nearest.state === "unavailable") return ` No similar training photographs are shown: ${nearest.why}.`;
  return "";
}

// One photograph --------------------------------------------------------------------------------------------------

class Card {
  constructor(file) {
    this.file = file;
    this.element = find("#answer").content.cloneNode(true).firstElementChild;
    this.at = selector => find(selector, this.element);
    const name = file.name || "pasted photograph";
    this.at("figcaption").textContent = name;
    const preview = this.at(".preview");
    preview.alt = `Photograph ${name}`;
    preview.onerror = () => {
      const gone = document.createElement("span");
      gone.className = "gone";
      gone.textContent = "This browser cannot show a preview of this file.";
      preview.replaceWith(gone);
    };
    preview.src = URL.createObjectURL(file);
    this.at(".show-heat").onclick = () => this.toggleHeat();
    this.at(".wrong").onclick = () => this.openForm(this.at(".correct").hidden);
    this.at(".cancel").onclick = () => this.openForm(false);
    this.at(".correct").onsubmit = event => { event.preventDefault(); this.correct(); };
    this.allowHeat(document.body.dataset.heat === "true");
  }

  allowHeat(there) {
    this.at(".show-heat").hidden = !there;
  }

  async classify() {
    try {
      if (this.file.size > megabytes * 1e6) throw new Error(`Too large: the server takes at most ${megabytes} MB.`);
      this.at(".wait").textContent = "Classifying …";
      const response = await asked("/predict?top=5&nearest=3&errors=listed", form(this.file));
      const [answer] = (await response.json()).answers;
      if (answer.error) throw new Error(answer.error);
      this.show(answer);
    } catch (error) {
      this.fail(error);
    }
    this.at(".wait").hidden = true;
  }

  fail(error) {
    const said = this.at(".error");
    said.textContent = error.message;
    said.hidden = false;
  }

  show(answer) {
    this.answer = answer;
    const foreign = answer.verdict === "none of these"; // goes before the class, however probable that is
    const share = percent(answer.probability);
    this.at(".class").textContent = foreign ? answer.verdict : answer.class;
    this.at(".share").textContent = foreign ? `(most like ${answer.class}, ${share})` : share;
    const verdict = this.at(".verdict");
    verdict.hidden = !answer.verdict || foreign;
    verdict.textContent = answer.verdict;
    this.at(".bars").replaceChildren(...answer.top.map(bar));
    this.at(".found").hidden = false;
    this.showCorrection(answer.corrected);
    this.showNearest(answer.nearest);
  }

  async findNearest() { // of a photograph that was classified before the server had looked at the training photographs
    if (!this.answer || this.answer.nearest.length) return;
    try {
      const response = await asked("/predict?top=1&nearest=3", form(this.file));
      this.showNearest((await response.json()).answers[0].nearest);
    } catch (error) {
      this.fail(error);
    }
  }

  showNearest(nearest) {
    this.at(".nearest").hidden = nearest.length === 0;
    find("ul", this.at(".nearest")).replaceChildren(...nearest.map(near));
    const same = nearest.find(one => one.same);
    find(".note", this.at(".nearest")).textContent = same ? "The first is the same file: the model was trained on it." : "";
  }

  async toggleHeat() {
    const button = this.at(".show-heat"), heat = this.at(".heat");
    if (!heat.src) {
      button.disabled = true;
      try {
        const response = await asked(`/heat?class=${encodeURIComponent(this.answer.class)}`, form(this.file));
        heat.src = URL.createObjectURL(await response.blob());
        heat.alt = `Heat map: red is what speaks most for ${this.answer.class}`;
        await heat.decode();
      } catch (error) {
        this.fail(error);
        button.disabled = false;
        return;
      }
      button.disabled = false;
    }
    heat.hidden = !heat.hidden;
    const preview = this.at(".preview");
    if (preview) preview.hidden = !heat.hidden;
    button.setAttribute("aria-pressed", String(!heat.hidden));
  }

  openForm(open) {
    this.at(".correct").hidden = !open;
    this.at(".wrong").setAttribute("aria-expanded", String(open));
    this.at(".problem").textContent = "";
    (open ? this.at("input[name=class]") : this.at(".wrong")).focus();
  }

  async correct() {
    const right = this.at("input[name=class]").value;
    try {
      if (!classes.includes(right)) throw new Error(`The model has no class “${right}”; choose one from the list.`);
      const row = await (await asked(`/corrections?class=${encodeURIComponent(right)}`, form(this.file))).json();
      this.openForm(false);
      this.showCorrection(row.class);
      await listKept();
    } catch (error) {
      this.at(".problem").textContent = error.message;
    }
  }

  showCorrection(name) {
    const right = this.at(".right");
    right.hidden = !name;
    if (!name) return;
    const said = document.createElement("span");
    said.append("Corrected to ", bold(name), ".");
    right.replaceChildren(said, undo(this.answer.sha256, name));
  }
}

function bold(text) {
  const made = document.createElement("b");
  made.append(...breakable(text));
  return made;
}

function breakable(text) { // long names may break behind an underscore or a slash
  return text.split(/(?<=[_/])/).flatMap(piece => [piece, document.createElement("wbr")]);
}

function bar({ class: name, probability }) {
  const item = document.createElement("li"), label = document.createElement("span"), value = document.createElement("span");
  const meter = document.createElement("meter");
  label.className = "name";
  label.textContent = name;
  value.className = "value";
  value.textContent = percent(probability);
  meter.value = probability;
  meter.setAttribute("aria-label", `Probability of ${name}`);
  item.append(label, value, meter);
  return item;
}

function near(one) {
  const item = document.createElement("li"), picture = document.createElement("img"), path = document.createElement("small");
  picture.src = one.picture;
  picture.alt = `Training photograph of ${one.class}`;
  picture.loading = "lazy";
  path.append(...breakable(one.path));
  item.append(picture, bold(one.class), path);
  item.title = `similarity: ${one.alike.toFixed(2)}`;
  return item;
}

// What was put right ----------------------------------------------------------------------------------------------

function undo(sha256, name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Undo";
  button.setAttribute("aria-label", `Undo the correction to ${name}`);
  button.onclick = async () => {
    button.disabled = true;
    try {
      await asked(`/corrections/${sha256}`, { method: "DELETE" });
      for (const card of cards) if (card.answer?.sha256 === sha256) card.showCorrection(null);
      await listKept();
    } catch (error) {
      button.disabled = false;
      find("#kept-said").textContent = error.message;
    }
  };
  return button;
}

async function listKept() {
  const said = find("#kept-said");
  try {
    const { folder, corrections } = await (await asked("/corrections")).json();
    find("#kept").hidden = corrections.length === 0;
    const count = corrections.length === 1 ? "1 photograph" : `${corrections.length} photographs`;
    said.textContent = `${count} in ${folder}. You can use this folder with kfg evaluate --on and kfg train.`;
    find("#kept-list").replaceChildren(...[...corrections].reverse().map(row => {
      const item = document.createElement("li"), words = document.createElement("span");
      words.append(`${row.name || row.path}: `, bold(row.class), row.answered ? `, the model said ${row.answered}` : "");
      item.append(words, undo(row.sha256, row.class));
      return item;
    }));
  } catch (error) {
    find("#kept").hidden = false;
    said.textContent = error.message;
  }
}

// What comes in ---------------------------------------------------------------------------------------------------

function add(files) {
  for (const file of files) {
    const card = new Card(file);
    cards.push(card);
    waiting.push(card);
    find("#answers").prepend(card.element);
  }
  find("#heading").hidden = find("#clear").hidden = cards.length === 0;
  while (running < AT_ONCE && waiting.length) work();
}

async function work() {
  running++;
  while (waiting.length) await waiting.shift().classify();
  running--;
}

for (const input of [find("#choose"), find("#take")]) {
  input.onchange = () => { add([...input.files]); input.value = ""; };
}
const drop = find("#drop");
addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
addEventListener("dragleave", event => { if (!event.relatedTarget) drop.classList.remove("over"); });
addEventListener("drop", event => {
  event.preventDefault();
  drop.classList.remove("over");
  add([...event.dataTransfer.files]);
});
addEventListener("paste", event => {
  const files = [...event.clipboardData.files];
  if (files.length) { event.preventDefault(); add(files); }
});
find("#clear").onclick = () => {
  waiting.length = 0;
  for (const card of cards) card.element.remove();
  cards = [];
  find("#heading").hidden = find("#clear").hidden = true;
  find("#choose").focus();
};
addEventListener("focus", listKept); // another tab may have put something right
listKept();
watchServer();
