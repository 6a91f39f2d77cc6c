"use strict";
(() => {
const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const root = document.documentElement;

// Theme: that of the system, unless the reader chooses.
const system = matchMedia("(prefers-color-scheme: dark)");
const button = $("theme");
let chosenTheme = null;
const paint = () => {
  const dark = chosenTheme ?? system.matches;
  root.dataset.theme = dark ? "dark" : "light";
  button.textContent = dark ? "Light" : "Dark";
};
button.hidden = false;
button.addEventListener("click", () => { chosenTheme = !(chosenTheme ?? system.matches); paint(); });
system.addEventListener("change", paint);
paint();

// Tables behind pictures are on paper, too, as long as they are short.
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details"))
    if (!each.open && !each.closest("#panel") && each.querySelectorAll("tr").length < 40) { each.open = true; each.dataset.printed = ""; }
});
addEventListener("afterprint", () => {
  for (const each of document.querySelectorAll("details[data-printed]")) { each.open = false; delete each.dataset.printed; }
});

const network = $("network");
if (!network) return;
const tip = $("tip"), now = $("edge-now"), panel = $("panel"), legend = $("legend");

// Cells by layer, node and input.
const cells = new Map();
[...network.querySelectorAll("g.cells")].forEach((group, index) => {
  const [layer, nodes, first, inputs] = data.bands[index];
  [...group.children].forEach((rect, place) => {
    rect.edge = [layer, Math.floor(place / inputs), first + place % inputs];
    cells.set(rect.edge.join(), rect);
  });
});

const number = (value, digits = 4) => value === null || value === undefined ? "–"
  : Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(digits));
const figure = (layer, key, node, input) => layer[key] === null ? null : layer[key][node][input];
const nameOf = ([index, node, input]) => {
  const layer = data.layers[index];
  return layer.one ? `${layer.name}_table${input}` : `${layer.name}_edge${node}_${input}`;
};
const figures = ([index, node, input]) => {
  const layer = data.layers[index], found = [];
  if (!layer.kept[node][input]) return ["pruned"];
  const bits = figure(layer, "bits", node, input), luts = figure(layer, "luts", node, input);
  const worst = figure(layer, "worst", node, input);
  if (bits !== null) found.push(`table of ${number(layer.x[input][2])} × ${number(bits)} bits`);
  if (luts !== null) found.push(`${number(luts)} LUTs`);
  if (worst !== null) found.push(`error at most ${number(worst, 3)} steps`);
  return found;
};
const ways = ([index, node, input]) => `${data.layers[index].inputs[input]} → ${data.layers[index].name}_node${node}`;

// Colours.
const legendOf = key => {
  const colour = data.colours[key];
  legend.replaceChildren();
  if (!colour) return;
  if (colour.low === colour.high) { legend.append(`${colour.label}: ${number(colour.low, 3)} of all edges`); return; }
  legend.append(`${colour.label}: ${number(colour.low, 3)}`);
  const ramp = document.createElement("span");
  for (let step = 0; step < 8; step++) {
    const box = document.createElement("i");
    box.style.background = `var(--s${step})`;
    ramp.append(box);
  }
  ramp.style.display = "flex";
  legend.append(ramp, number(colour.high, 3));
};
for (const input of document.querySelectorAll("input[name=colour]"))
  input.addEventListener("change", () => { network.dataset.colour = input.value; legendOf(input.value); });
const checked = document.querySelector("input[name=colour]:checked");
if (checked) network.dataset.colour = checked.value;
legendOf(network.dataset.colour);

// Hover and keys share the edge that they are at.
let at = null, chosen = null;
const go = (edge, point) => {
  const rect = cells.get(edge.join());
  if (!rect) return;
  if (at) cells.get(at.join()).classList.remove("at");
  at = edge;
  rect.classList.add("at");
  const text = [nameOf(edge), ways(edge), ...figures(edge)];
  now.textContent = text.join(" · ");
  tip.textContent = text.join("\n");
  tip.hidden = false;
  const box = rect.getBoundingClientRect();
  const [x, y] = point ?? [box.right, box.bottom];
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 14 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 10 : y + 14}px`;
};
const leave = () => { tip.hidden = true; };
network.addEventListener("pointermove", event => {
  if (event.target.edge) go(event.target.edge, [event.clientX, event.clientY]); else leave();
});
network.addEventListener("pointerleave", leave);
network.addEventListener("blur", leave);
network.addEventListener("click", event => { if (event.target.edge) { go(event.target.edge); leave(); choose(event.target.edge); } });
const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
network.addEventListener("keydown", event => {
  if (event.key in moves) {
    event.preventDefault();
    go(at ? nearest(at, moves[event.key]) : data.first ?? [0, 0, 0]);
  } else if ((event.key === "Enter" || event.key === " ") && at) {
    event.preventDefault();
    leave();
    choose(at);
    panel.focus();
  } else if (event.key === "Escape") leave();
});
panel.addEventListener("keydown", event => { if (event.key === "Escape") network.focus(); });
const middle = rect => [+rect.getAttribute("x") + rect.getAttribute("width") / 2, +rect.getAttribute("y") + rect.getAttribute("height") / 2];
const nearest = (from, [dx, dy]) => {
  const [x, y] = middle(cells.get(from.join()));
  let best = from, least = Infinity;
  for (const rect of cells.values()) {
    const [a, b] = middle(rect), along = (a - x) * dx + (b - y) * dy;
    if (along < 1) continue;
    const aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx), far = along + 6 * aside;
    if (far < least) { least = far; best = rect.edge; }
  }
  return best;
};

// The panel of an edge.
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const unpacked = (text, size) => {
  const raw = bytes(text), view = new DataView(raw.buffer), found = [];
  for (let place = 0; place < raw.length; place += size)
    found.push(size === 1 ? view.getUint8(place) : size === 2 ? view.getUint16(place, true) : view.getUint32(place, true));
  return found;
};
const decode = edge => {
  const detail = data.details[edge.join()];
  if (!detail) return null;
  const [index, node, input] = edge, layer = data.layers[index];
  const [low, size, text] = detail, raw = unpacked(text, size);
  if (layer.step === null) return { entries: null, values: raw.map(each => low + each / 65535 * detail[3]), errors: null };
  const entries = raw.map(each => each + low), step = layer.step[node][input];
  const errors = detail.length > 3 ? [...new Int8Array(bytes(detail[4]).buffer)].map(each => each / 127 * detail[3]) : null;
  return { entries, step, values: entries.map(each => each * step), errors, largest: detail[3] };
};
const SVG = "http://www.w3.org/2000/svg";
const make = (kind, attributes, ...children) => {
  const element = document.createElementNS(SVG, kind);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const html = (kind, ...children) => { const element = document.createElement(kind); element.append(...children); return element; };

const chart = (edge, found) => {
  const [index, node, input] = edge, layer = data.layers[index];
  const [x0, x1, count] = layer.x[input];
  const left = 62, width = 620, top = 12, height = 210, below = found.errors ? 84 : 0, gap = 34;
  const place = k => left + (count > 1 ? k / (count - 1) : .5) * width;
  const exact = found.errors ? found.values.map((each, k) => each - found.errors[k]) : null;
  const every = exact ? [...found.values, ...exact] : found.values;
  let low = Math.min(...every), high = Math.max(...every);
  if (high === low) { low -= .5; high += .5; }
  const up = value => top + height - (value - low) / (high - low) * height;
  const svg = make("svg", { viewBox: `0 0 ${left + width + 12} ${top + height + (below ? gap + below : 0) + 42}`, role: "img",
    "aria-label": `${nameOf(edge)}: ${found.entries ? "table and function" : "function"} over ${layer.inputs[input]}` });
  const text = (x, y, words, anchor = "start", kind = "soft") => svg.append(make("text", { x, y, "text-anchor": anchor, class: kind }, words));
  for (const share of [0, .5, 1]) {
    const value = low + share * (high - low);
    svg.append(make("line", { x1: left, x2: left + width, y1: up(value), y2: up(value), class: "grid" }));
    text(left - 8, up(value) + 4, number(value, 3), "end");
  }
  if (layer.seen) {
    const counts = layer.seen[input], most = Math.max(...counts, 1), each = width / counts.length;
    counts.forEach((count, k) => count && svg.append(make("rect", { x: left + k * each, width: each - 1, y: top + height - count / most * 46,
      height: count / most * 46, class: "seen" })));
  }
  if (exact) svg.append(make("path", { class: "function", d: exact.map((each, k) => `${k ? "L" : "M"}${place(k).toFixed(1)} ${up(each).toFixed(1)}`).join("") }));
  const half = count > 1 ? width / (count - 1) / 2 : 0;
  const line = found.entries
    ? found.values.map((each, k) => `${k ? "V" : "M" + Math.max(left, place(k) - half).toFixed(1) + " "}${up(each).toFixed(1)}H${Math.min(left + width, place(k) + half).toFixed(1)}`).join("")
    : found.values.map((each, k) => `${k ? "L" : "M"}${place(k).toFixed(1)} ${up(each).toFixed(1)}`).join("");
  svg.append(make("path", { class: found.entries ? "entries" : "function", d: line }));
  let bottom = top + height;
  if (found.errors) {
    const zero = bottom + gap + below / 2, limit = Math.max(found.largest, found.step / 2) || 1;
    const scale = below / 2 / limit;
    svg.append(make("rect", { x: left, width, y: zero - found.step / 2 * scale, height: found.step * scale, class: "half" }));
    svg.append(make("line", { x1: left, x2: left + width, y1: zero, y2: zero, class: "axis" }));
    svg.append(make("path", { class: "errors", d: found.errors.map((each, k) => `M${place(k).toFixed(1)} ${zero.toFixed(1)}V${(zero - each * scale).toFixed(1)}`).join("") }));
    text(left, bottom + gap - 6, "table less function; grey: half a step");
    text(left - 8, zero - below / 2 + 6, number(limit, 2), "end");
    text(left - 8, zero + below / 2 + 2, number(-limit, 2), "end");
    bottom += gap + below;
  }
  text(left, bottom + 18, number(x0, 4));
  text(left + width, bottom + 18, number(x1, 4), "end");
  text(left + width / 2, bottom + 18, `${layer.inputs[input]}${layer.seen ? " (grey: values in calibration)" : ""}`, "middle");
  return svg;
};

const choose = edge => {
  const [index, node, input] = edge, layer = data.layers[index];
  if (chosen) cells.get(chosen.join()).classList.remove("chosen");
  chosen = edge;
  cells.get(edge.join()).classList.add("chosen");
  const parts = html("div");
  parts.className = "parts";
  const found = decode(edge), list = html("dl");
  const row = (name, value) => list.append(html("dt", name), html("dd", value));
  row("input", layer.inputs[input]);
  row("node", `${layer.name}_node${node}`);
  if (!layer.kept[node][input]) row("pruned", "yes: the design has no such edge");
  else {
    const bits = figure(layer, "bits", node, input), luts = figure(layer, "luts", node, input), worst = figure(layer, "worst", node, input);
    if (bits !== null) row("table", `${number(layer.x[input][2])} entries of ${number(bits)} bits`);
    if (luts !== null) row("LUTs", number(luts));
    if (layer.step !== null) row("step", number(layer.step[node][input], 5));
    if (worst !== null) row("largest error", `${number(worst, 3)} steps`);
    if (found) {
      row(found.entries ? "entries" : "values", `${number(Math.min(...(found.entries ?? found.values)))} .. ${number(Math.max(...(found.entries ?? found.values)))}`);
      const key = html("dd"), swatch = (colour, words) => { const box = html("span"); box.className = "swatch"; box.style.background = colour; key.append(box, words, html("br")); };
      if (found.entries) swatch("var(--ink)", "table");
      if (found.errors || !found.entries) swatch("var(--blue)", "function of floats");
      list.append(html("dt", "lines"), key);
    }
  }
  if (found) parts.append(html("div", chart(edge, found)));
  else if (layer.kept[node][input])
    parts.append(html("p", `Tables of ${number(data.undetailed)} edges that cost least are not on this page; they are in ir/.`));
  parts.append(list);
  const title = html("h3", `${nameOf(edge)}: ${ways(edge)}`);
  panel.replaceChildren(title, parts);
  if (found && found.entries) panel.append(entryTable(edge, found));
  panel.hidden = false;
};
const entryTable = (edge, found) => {
  const [index, , input] = edge, [x0, x1, count, first] = data.layers[index].x[input];
  const details = html("details", html("summary", "The table's entries"));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const body = html("tbody"), head = html("tr");
    for (const name of ["code", "input", "entry", "value", ...(found.errors ? ["error"] : [])]) { const cell = html("th", name); cell.scope = "col"; cell.className = "n"; head.append(cell); }
    found.entries.slice(0, 4096).forEach((entry, k) => {
      const line = html("tr"), values = [first + k, number(count > 1 ? x0 + (x1 - x0) * k / (count - 1) : x0, 5), entry, number(found.values[k], 5)];
      if (found.errors) values.push(number(found.errors[k], 2));
      for (const value of values) { const cell = html("td", String(value)); cell.className = "n"; line.append(cell); }
      body.append(line);
    });
    const scroll = html("div", html("table", html("thead", head), body));
    scroll.className = "scroll";
    details.append(scroll);
  });
  return details;
};
if (data.first) choose(data.first);
})();
