"use strict";
// What the page does beyond showing: the theme, values of charts, transcripts. All text goes in as text, never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
document.documentElement.classList.add("js");

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function number(value) {
  if (value === null || value === undefined) return "none";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

// The theme: that of the system until the button says otherwise.
const theme = byId("theme");
const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
const nameTheme = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
theme.hidden = false;
nameTheme();
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});

// Charts: a cursor at a step, and the values there.
function chart(figure) {
  const { steps: [first, last], percent, curves } = data.charts[Number(figure.dataset.chart)];
  const [left, top, right, bottom] = data.plot;
  const [readout, cursor, svg] = [".readout", ".cursor", "svg"].map((part) => figure.querySelector(part));
  const summary = readout.textContent;
  const all = [...new Set(curves.flatMap((curve) => curve.points.map((point) => point[0])))].sort((a, b) => a - b);
  const shown = (value) => (percent ? number(100 * value) + "%" : number(value));
  let at = all.length - 1;

  function show(index) {
    at = Math.min(Math.max(index, 0), all.length - 1);
    const step = all[at];
    const x = left + ((right - left) * (step - first)) / (last - first || 1);
    cursor.setAttribute("d", `M${x} ${top}V${bottom}`);
    const lines = curves.map((curve) => {
      const point = curve.points.reduce((best, p) => (Math.abs(p[0] - step) < Math.abs(best[0] - step) ? p : best));
      const [, mean, raw, low, high] = point;
      const label = curves.length > 1 ? curve.label + " " : "";
      if (low !== null) return `${label}${shown(mean)} [${shown(low)}, ${shown(high)}]`;
      return `${label}${shown(mean)} (this step ${shown(raw)})`;
    });
    readout.textContent = `step ${step}: ` + lines.join("\n");
  }
  function hide() {
    cursor.setAttribute("d", "");
    readout.textContent = summary;
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * data.size[0];
    const step = first + ((x - left) / (right - left)) * (last - first);
    let nearest = 0;
    all.forEach((s, i) => { if (Math.abs(s - step) < Math.abs(all[nearest] - step)) nearest = i; });
    show(nearest);
  });
  svg.addEventListener("pointerleave", () => { if (document.activeElement !== figure) hide(); });
  figure.addEventListener("focus", () => show(at));
  figure.addEventListener("blur", hide);
  figure.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 };
    if (event.key in moves) {
      event.preventDefault();
      show(moves[event.key]);
    }
  });
}
document.querySelectorAll(".chart").forEach(chart);

// Transcripts: one group at a time, its tokens coloured by a quantity.
const groups = data.transcripts;
if (groups.length) {
  const [group, quantity, prompt, panel] = ["group", "quantity", "prompt", "token"].map(byId);
  let range = 1;

  const perToken = (fact) => Array.isArray(fact.value);
  const at = (fact, i) => (perToken(fact) ? fact.value[i] : fact.value);
  const names = [...new Set(groups.flatMap((g) => g.completions.flatMap((c) => c.facts.filter(perToken).map((f) => f.name))))];
  const firsts = ["advantage", "dL/d logp"];
  names.sort((a, b) => Number(firsts.includes(b)) - Number(firsts.includes(a)));
  names.forEach((name) => quantity.add(new Option(name, name)));
  groups.forEach((g, i) => group.add(new Option((g.run ? g.run + ", " : "") + "step " + g.step, i)));
  group.value = groups.length - 1;

  function tell(completion, i) {
    const said = element("p", "", "");
    said.append(element("b", "", completion.tokens[i]), ` token ${i + 1} of ${completion.tokens.length + completion.left_out}, ` +
      `${completion.verdict}${completion.kept ? "" : ", not learnt from"}`);
    const list = element("dl");
    for (const fact of completion.facts) {
      const value = at(fact, i);
      if (value === undefined) continue;
      const row = element("div");
      const term = element("dt");
      term.append(element("b", "", fact.name), fact.kind === fact.name ? "" : " " + fact.kind);
      if (fact.from) term.append(element("br"), fact.from);
      row.append(term, element("dd", "", number(value)));
      list.append(row);
    }
    panel.replaceChildren(said, list);
  }

  function colour() {
    const buttons = document.querySelectorAll(".tokens button");
    const value = (button) => {
      const fact = button.completion.facts.find((f) => f.name === quantity.value);
      return fact ? at(fact, button.index) : undefined;
    };
    const finite = (x) => typeof x === "number";
    range = Math.max(1e-12, ...[...buttons].map(value).filter(finite).map(Math.abs));
    for (const button of buttons) {
      const x = value(button);
      const share = finite(x) ? Math.round((100 * Math.abs(x)) / range) : 0;
      button.style.background = share ? `color-mix(in srgb, var(${x < 0 ? "--minus" : "--plus"}) ${share}%, transparent)` : "none";
      button.title = finite(x) ? `${quantity.value} ${number(x)}` : "";
    }
    byId("low").textContent = number(-range);
    byId("high").textContent = number(range);
  }

  function show() {
    const { completions, left_out, answer, ...shown } = groups[Number(group.value)];
    prompt.textContent = `${shown.prompt}\n\nanswer: ${answer}` + (left_out ? `\n(${left_out} more completions are in the file)` : "");
    const sides = { right: byId("right"), wrong: byId("wrong") };
    Object.values(sides).forEach((side) => side.replaceChildren());
    completions.forEach((completion) => {
      const box = element("div", "completion");
      const kept = completion.kept ? "" : ", not learnt from";
      const more = completion.left_out ? `, ${completion.left_out} more tokens` : "";
      box.append(element("p", "muted", `${completion.verdict}, reward ${number(completion.reward)}${kept}${more}`));
      const tokens = element("div", "tokens");
      completion.tokens.forEach((text, index) => {
        const button = element("button", "", text);
        button.type = "button";
        button.tabIndex = index === 0 ? 0 : -1;
        Object.assign(button, { completion, index });
        tokens.append(button);
      });
      box.append(tokens);
      (completion.verdict === "Right" ? sides.right : sides.wrong).append(box);
    });
    Object.values(sides).forEach((side) => { if (!side.firstChild) side.append(element("p", "muted", "none in this group")); });
    byId("previous").disabled = Number(group.value) === 0;
    byId("next").disabled = Number(group.value) === groups.length - 1;
    colour();
  }

  function point(button) {
    document.querySelectorAll(".tokens .current").forEach((old) => old.classList.remove("current"));
    button.classList.add("current");
    tell(button.completion, button.index);
  }
  const tokenOf = (event) => event.target.closest(".tokens button");
  const area = document.querySelector(".sides");
  for (const kind of ["pointerover", "focusin", "click"]) {
    area.addEventListener(kind, (event) => { const button = tokenOf(event); if (button) point(button); });
  }
  area.addEventListener("keydown", (event) => {
    const button = tokenOf(event);
    if (!button) return;
    const rows = [...area.querySelectorAll(".tokens")];
    const row = rows.indexOf(button.parentElement);
    const to = {
      ArrowLeft: [row, button.index - 1], ArrowRight: [row, button.index + 1],
      ArrowUp: [row - 1, button.index], ArrowDown: [row + 1, button.index],
      Home: [row, 0], End: [row, Infinity],
    }[event.key];
    if (!to || !rows[to[0]]) return;
    event.preventDefault();
    const tokens = rows[to[0]].children;
    const next = tokens[Math.min(Math.max(to[1], 0), tokens.length - 1)];
    button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  const move = (by) => { group.value = Math.min(Math.max(Number(group.value) + by, 0), groups.length - 1); show(); };
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  group.addEventListener("change", show);
  quantity.addEventListener("change", colour);
  show();
}
