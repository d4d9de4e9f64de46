// Test photographs: those behind a cell, a class or a pair as small pictures, and each of them large.
const known = JSON.parse(document.getElementById("answers").textContent);
const STEP = 120; // photographs shown at once
const panel = document.getElementById("shown");
const large = document.getElementById("large");
const placeOf = new Map(known.at.map((number, place) => [number, place]));
let opener = null; // what the keyboard goes back to when the panel is closed

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const share = thousandths => `${(thousandths / 10).toFixed(1)}%`;
const named = place => known.top[place][0];
const confidence = place => known.top[place][1];
// Long names may break behind an underscore or a slash.
const breakable = text => text.split(/(?<=[_/])/).flatMap((part, at) => (at ? [element("wbr"), part] : [part]));

function source(place) {
  const kept = known.thumbnail?.[place];
  if (kept) return `data:image/webp;base64,${kept}`;
  // those that stand on the page anyway are not in the data as well
  return document.querySelector(`[data-show="image:${known.at[place]}"] img`)?.src ?? null;
}

function picture(place) {
  const from = source(place);
  return from ? element("img", { src: from, alt: "" }) : element("span", { className: "gone" }, "no picture");
}

function answer([said, value], is, who) {
  const right = said === is;
  const text = right ? `right, ${share(value)}` : `predicted ${known.classes[said]}, ${share(value)}`;
  return element("span", { className: right ? "right" : "wrong" }, ...breakable(who ? `${who}: ${text}` : text));
}

// What was named; on a page of two models by both.
function verdicts(place) {
  const { name, top, after } = known.before ?? {};
  const now = answer(known.top[place], known.true[place], after);
  return top ? [answer(top[place], known.true[place], name), now] : [now];
}

// What is asked for, as "cell:3,5", in groups of [heading, places].
function groupsOf(what) {
  const [kind, numbers] = what.split(":");
  const [first, second] = numbers.split(",").map(Number);
  const name = number => known.classes[number];
  const pick = test => [...known.path.keys()].filter(place => test(known.true[place], named(place)));
  const cell = (is, said) => [
    is === said ? `${name(is)}, classified correctly` : `${name(is)} taken for ${name(said)}`,
    pick((t, p) => t === is && p === said),
  ];
  if (known.before) return flips(first);
  if (kind === "cell") return [["", cell(first, second)[1]]]; // its heading is that of the panel
  if (kind === "pair") return [cell(first, second), cell(second, first)];
  if (kind === "named") return [
    [`Other classes taken for ${name(first)}`, pick((t, p) => p === first && t !== first)], cell(first, first)];
  return [
    [`${name(first)}, classified as another class`, pick((t, p) => t === first && p !== first)],
    [`Other classes taken for ${name(first)}`, pick((t, p) => p === first && t !== first)],
    cell(first, first),
  ];
}

// On a page of two models: the photographs of a class that are not answered alike.
function flips(of) {
  const { name, top, after } = known.before;
  const pick = (before, now) => [...known.path.keys()].filter(place => known.true[place] === of &&
    (top[place][0] === of) === before && (named(place) === of) === now);
  return [[`Right in ${name}, wrong in ${after}`, pick(true, false)],
    [`Wrong in ${name}, right in ${after}`, pick(false, true)], ["Wrong in both, with different answers", pick(false, false)]];
}

function titleOf(what) {
  const [kind, numbers] = what.split(":");
  const [first, second] = numbers.split(",").map(number => known.classes[number]);
  if (kind === "pair") return `${first} and ${second}`;
  if (kind === "cell") return first === second ? `${first}, classified correctly` : `${first} taken for ${second}`;
  return kind === "named" ? `Classified as ${first}` : first;
}

// The most confident mistakes first, and the least certain of the right answers.
function sorted(places) {
  const key = place => (named(place) === known.true[place] ? 2000 + confidence(place) : -confidence(place));
  return [...places].sort((a, b) => key(a) - key(b));
}

function shot(place, all) {
  const button = element("button", { type: "button", className: "shot" }, picture(place),
    element("span", { className: "path" }, ...breakable(known.path[place])),
    element("span", {}, ...breakable(`true class: ${known.classes[known.true[place]]}`)), ...verdicts(place));
  button.addEventListener("click", () => enlarge(place, all));
  return element("li", {}, button);
}

function gallery([heading, places]) {
  const all = sorted(places);
  const list = element("ul", { className: "shots" });
  const more = element("button", { type: "button" }, "Show more");
  const count = `${all.length} photograph${all.length === 1 ? "" : "s"}`;
  const group = element("section", {}, element("h3", {}, ...breakable(heading ? `${heading}: ${count}` : count)), list);
  const add = () => {
    const from = list.children.length;
    list.append(...all.slice(from, from + STEP).map(place => shot(place, all)));
    if (list.children.length === all.length) more.remove();
    if (from) list.children[from].firstElementChild.focus();
  };
  more.addEventListener("click", add);
  group.append(more);
  add();
  return group;
}

function open(what, from) {
  opener = from;
  const groups = groupsOf(what);
  const several = groups.length > 1;
  const full = several ? groups.filter(([, places]) => places.length) : groups;
  panel.querySelector("h2").replaceChildren(...breakable(titleOf(what)));
  panel.querySelector(".groups").replaceChildren(...full.map(gallery), element("p", { className: "note" }, known.note));
  panel.hidden = false;
  document.documentElement.classList.add("with-panel");
  panel.querySelector(".groups").scrollTop = 0;
  panel.querySelector("h2").focus({ preventScroll: true });
  from?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function close() {
  panel.hidden = true;
  document.documentElement.classList.remove("with-panel");
  opener?.focus();
}

function figure(from, caption) {
  return element("figure", {}, element("img", { src: from, alt: caption }), element("figcaption", {}, caption));
}

function probabilities(place) {
  const rows = [];
  for (let at = 0; at < known.top[place].length; at += 2) {
    const [number, value] = known.top[place].slice(at, at + 2);
    const isTrue = number === known.true[place];
    const bar = element("span", { className: isTrue ? "fill true" : "fill" });
    bar.style.setProperty("--share", value / 1000);
    rows.push(element("tr", {},
      element("th", { scope: "row" }, ...breakable(known.classes[number]), isTrue ? " (true class)" : ""),
      element("td", { className: "n" }, share(value)), element("td", { className: "track" }, bar)));
  }
  return rows;
}

function enlarge(place, all) {
  const at = all.indexOf(place);
  const from = source(place);
  const pictures = from ? [figure(from, "photograph")] : [element("p", {}, "This page has no picture of it.")];
  const maps = known.maps[known.at[place]] ?? [];
  for (let one = 0; one < maps.length; one += 2)
    pictures.push(figure(`data:image/webp;base64,${maps[one + 1]}`, `Grad-CAM: ${maps[one]}`));
  large.querySelector("h2").textContent = known.path[place];
  large.querySelector(".pictures").replaceChildren(...pictures);
  large.querySelector(".said").replaceChildren(
    ...breakable(`True class: ${known.classes[known.true[place]]}, with a probability of ${share(known.truth[place])}. `),
    ...verdicts(place).flatMap(one => [one, " "]));
  large.querySelector("tbody").replaceChildren(...probabilities(place));
  const note = large.querySelector(".note");
  note.textContent = "";
  pictures[0].querySelector?.("img")?.addEventListener("load", event => {
    const { naturalWidth: width, naturalHeight: height } = event.target;
    note.textContent = `This copy is scaled down to ${width} × ${height} pixels; the photograph itself is ${known.path[place]}.`;
  });
  large.querySelector(".place").textContent = `${at + 1} of ${all.length}`;
  for (const [name, to] of [["previous", at - 1], ["next", at + 1]]) {
    const button = large.querySelector(`.${name}`);
    button.disabled = !(to in all);
    button.onclick = () => enlarge(all[to], all);
  }
  if (!large.open) large.showModal();
}

large.querySelector(".close").addEventListener("click", () => large.close());
large.addEventListener("click", event => event.target === large && large.close()); // beside it
large.addEventListener("keydown", event => {
  const name = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
  if (name) large.querySelector(`.${name}`).click();
});
panel.querySelector(".close").addEventListener("click", close);
document.addEventListener("keydown", event => event.key === "Escape" && !large.open && !panel.hidden && close());

// Names in tables and pictures on the page become buttons.
const standing = [...document.querySelectorAll("[data-show^='image:']")]
  .map(one => placeOf.get(Number(one.dataset.show.slice(6)))).filter(place => place !== undefined);
for (const one of document.querySelectorAll("[data-show]")) {
  const what = one.dataset.show;
  const button = element("button", { type: "button", className: "show" }, ...one.childNodes);
  button.addEventListener("click", () => {
    if (what.startsWith("image:")) enlarge(placeOf.get(Number(what.slice(6))), standing);
    else open(what, button);
  });
  one.append(button);
}
