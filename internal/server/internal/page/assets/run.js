// One run, with others laid over it: curves, samples, settings.
import { button, fill, h, put, statusBadge, toast } from "./dom.js";
import { json, query, send } from "./api.js";
import { count, duration, moment } from "./format.js";
import { lineChart, sharedView } from "./chart.js";
import { followRuns, openRuns, settingsOf, stepSeconds, valuesOf } from "./rundata.js";
import { samplesTab } from "./samples.js";

/** @typedef {import("./rundata.js").RunData} RunData */

/**
 * The charts, and the metrics of each. A chart is drawn if a run has one of them.
 * @type {{title: string, metrics: string[], names?: string[], isShare?: boolean, fromZero?: boolean, stacked?: boolean}[]}
 */
export const charts = [
  { title: "Reward", metrics: ["reward_mean"] },
  { title: "Right and well formed", metrics: ["accuracy", "format_rate"], names: ["right", "well formed"], isShare: true },
  { title: "Length", metrics: ["length_mean", "length_right", "length_wrong", "thought_length_mean", "answer_length_mean"], names: ["all", "right", "wrong", "thought", "answer"], fromZero: true },
  { title: "Loss", metrics: ["loss"] },
  { title: "Entropy", metrics: ["entropy"], fromZero: true },
  { title: "KL", metrics: ["kl", "policy_kl"], names: ["to the reference", "to the sampler"], fromZero: true },
  { title: "Clipped tokens", metrics: ["clip_fraction"], isShare: true },
  { title: "Groups without a signal", metrics: ["all_equal_groups", "unfilled_groups"], names: ["all equal", "not filled"], isShare: true },
  { title: "Ran out of tokens", metrics: ["truncation_rate", "unjudged_rate"], names: ["truncated", "not judged"], isShare: true },
  { title: "Gradient norm", metrics: ["gradient_norm"], fromZero: true },
  { title: "Tokens a second", metrics: ["tokens_per_second"], fromZero: true },
  { title: "Phases of a step, seconds", metrics: ["seconds/rollout", "seconds/update", "seconds/meter", "seconds/teacher", "seconds/checkpoint"], names: ["rollout", "update", "meter", "teacher", "checkpoint"], stacked: true },
  { title: "Learning rate", metrics: ["learning_rate"], fromZero: true },
];

/** What stands in the place of the aha, and not here. */
const elsewhere = new Set(["reflections", "attempts", "converted", "gave_up", "false_verdict_rate", "rescues_per_1000", "harms_per_1000", "idle_turns_per_1000", "tested_thought_tokens"]);

/** @param {import("./stage.js").Stage} stage */
export async function runView(stage) {
  const name = stage.route.path.join("/");
  const names = [name, ...stage.route.query.getAll("with")].slice(0, 8);
  const runs = await openRuns(names, stage.signal);
  stage.title(name.slice(name.lastIndexOf("/") + 1));
  const shared = sharedView();
  shared.smooth = Number(stage.route.query.get("smooth") ?? 0) || 0;
  const state = h("div", { class: "row" });
  const keyLine = h("div", { class: "runkey" });
  const findings = h("div", null);
  const body = h("div", null);
  const tabs = h("div", { class: "choice", role: "group", "aria-label": "What is shown" });
  put(stage.root,
    h("div", { class: "head" },
      h("div", { class: "grow" }, h("div", { class: "crumbs" }, h("a", { href: "#/runs" }, "Runs"), name.includes("/") ? " / " + name.slice(0, name.lastIndexOf("/")) : ""), h("h1", null, name.slice(name.lastIndexOf("/") + 1)), state),
      h("div", { class: "row" }, tabs)),
    keyLine, findings, body);

  /** @type {string} */
  let tab = stage.route.query.get("tab") ?? "curves";
  /** @type {{update?: () => void, stop?: () => void, follow?: (route: import("./stage.js").Route) => void}} */
  let open = {};
  const parameters = () => ({ with: names.slice(1), tab: tab === "curves" ? "" : tab, smooth: shared.smooth || "" });
  const openTab = (/** @type {import("./stage.js").Route} */ route) => {
    open.stop?.();
    put(body);
    const context = { stage, runs, shared, body, parameters };
    open = tab === "samples" ? samplesTab(context, route) : tab === "settings" ? settingsTab(context) : curvesTab(context);
    put(tabs, [["curves", "Curves"], ["samples", "Samples"], ["settings", "Settings"]].map(([id, title]) =>
      button(title, () => stage.go(stage.route.path, { ...parameters(), tab: id === "curves" ? "" : id }), { "aria-pressed": String(tab === id) })));
  };
  shared.pick = (step) => {
    stage.go(stage.route.path, { ...parameters(), tab: "samples", step: Math.round(step) });
  };
  const drawHead = () => {
    const run = runs[0];
    const config = run.manifest.config ?? {};
    put(state, statusBadge(run.status), h("span", { class: "soft small" }, [run.manifest.kind + (config.variant ? ", " + config.variant : ""), run.steps.length ? "step " + run.steps[run.steps.length - 1] + (config.steps ? " of " + config.steps : "") : "no step yet", "begun " + moment(run.manifest.created), remaining(run)].filter(Boolean).join(" · ")),
      h("a", { class: "button plainlink", href: "#/aha/" + stage.route.path.map(encodeURIComponent).join("/") }, "Reflection"),
      button("Save", () => saveDialog(run.name), { class: "plain", icon: "save" }), overlayButton(stage, names, parameters));
    put(keyLine, runs.length > 1 ? runs.map((one, i) => h("span", { class: "runname" }, h("i", { style: { background: "var(--" + colourOf(i) + ")" } }), one.name, statusBadge(one.status),
      i ? button("Take " + one.name + " out", () => stage.go(stage.route.path, { ...parameters(), with: names.slice(1).filter((other) => other !== one.name) }), { icon: "close", class: "plain", bare: true }) : null)) : null);
    shared.flags = run.findings.map((f) => ({ step: f.step, text: f.message }));
    const faults = runs.filter((one) => one.fault);
    put(findings, faults.map((one) => h("p", { class: "note bad" }, one.name + ": " + one.fault)), run.findings.length ? h("details", { class: "findings note" + (run.findings.some((f) => f.fatal) ? " bad" : ""), open: findingsOpen, ontoggle: (/** @type {Event} */ e) => { findingsOpen = /** @type {HTMLDetailsElement} */ (e.target).open; } },
      h("summary", null, h("b", null, "The watchdog says " + count(run.findings.length, "thing")), h("span", { class: "soft" }, ": " + run.findings[run.findings.length - 1].message.slice(0, 90) + "…")),
      h("ol", null, run.findings.map((f) => h("li", null, h("a", { href: stage.link(stage.route.path, { ...parameters(), tab: "samples", step: f.step }) }, "step " + f.step), " " + f.message)))) : null);
  };
  let findingsOpen = false;
  let drawn = "";
  let due = false;
  const changed = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      if (stage.signal.aborted) return;
      const now = JSON.stringify(runs.map((run) => [run.status, run.steps.length, run.fault, run.findings.length]));
      if (now !== drawn) {
        drawn = now;
        drawHead();
        open.update?.();
      }
    });
  };
  stage.follow = (route) => {
    if (route.path.join("/") !== name || route.query.getAll("with").join("\n") !== names.slice(1).join("\n")) return false;
    stage.route = route;
    const next = route.query.get("tab") ?? "curves";
    if (next === tab && open.follow) open.follow(route);
    else {
      tab = next;
      openTab(route);
    }
    return true;
  };
  stage.signal.addEventListener("abort", () => open.stop?.());
  drawHead();
  openTab(stage.route);
  void followRuns(runs, stage.signal, changed);
}

/** How long a run will go on at the pace of its last steps. @param {RunData} run */
function remaining(run) {
  const seconds = stepSeconds(run) ?? [];
  const all = run.manifest.config?.steps;
  const last = run.steps[run.steps.length - 1];
  if (run.status !== "running" || !all || !last || seconds.length < 3) return "";
  const recent = /** @type {number[]} */ (seconds.slice(-20).filter((x) => x !== null));
  return "about " + duration(recent.reduce((a, b) => a + b, 0) / recent.length * (all - last)) + " to go";
}

/** Offers what a run holds as files. @param {string} name */
function saveDialog(name) {
  /** @param {string} file @param {string} text */
  const one = (file, text) => h("div", { class: "row" }, button(file, () => void saveFrom(name, file), { icon: "save" }), h("span", { class: "soft small grow" }, text));
  const dialog = h("dialog", { "aria-label": "Save what the run holds", onclose: () => dialog.remove() }, h("h2", null, "Save what the run holds"),
    h("div", { class: "stack" }, one("metrics.csv", "a line per step, every bit of the numbers"), one("metrics.json", "the same with the run's settings"), one("samples.jsonl", "the samples as they are stored"),
      h("p", { class: "soft small" }, "retort runs export writes further forms."), h("div", { class: "row" }, button("Close", () => dialog.close()))));
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {string} name @param {string} file */
async function saveFrom(name, file) {
  try {
    const blob = await (await send(query("/page/api/" + file, { run: name }))).blob();
    const url = URL.createObjectURL(blob);
    h("a", { href: url, download: name.replace(/\//g, "-") + "-" + file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error));
  }
}

/** The colour of the i-th run or metric. @param {number} i */
export function colourOf(i) {
  return "s" + i % 6;
}

/**
 * @param {import("./stage.js").Stage} stage
 * @param {string[]} names
 * @param {() => Record<string, any>} parameters
 */
function overlayButton(stage, names, parameters) {
  return button("Overlay", async () => {
    const answer = await json("/page/api/runs", { signal: stage.signal });
    const select = h("select", { size: 10, "aria-label": "Run" }, answer.runs.filter((/** @type {any} */ run) => run.kind !== "eval" && run.status !== "damaged" && !names.includes(run.name)).map((/** @type {any} */ run) => h("option", { value: run.name }, run.name)));
    const add = () => {
      if (!select.value) return;
      dialog.close();
      stage.go(stage.route.path, { ...parameters(), with: [...names.slice(1), select.value] });
    };
    select.addEventListener("dblclick", add);
    const dialog = h("dialog", { "aria-label": "Overlay a run", onclose: () => dialog.remove() }, h("h2", null, "Lay another run over this one"),
      h("form", { class: "stack", onsubmit: (/** @type {Event} */ e) => { e.preventDefault(); add(); } }, select, h("div", { class: "row" }, h("button", { class: "first", type: "submit" }, "Overlay"), button("Cancel", () => dialog.close()))));
    document.body.append(dialog);
    dialog.showModal();
  }, { class: "plain", icon: "plus" });
}

/**
 * @typedef {object} Context
 * @property {import("./stage.js").Stage} stage
 * @property {RunData[]} runs
 * @property {import("./chart.js").Shared} shared
 * @property {HTMLElement} body
 * @property {() => Record<string, any>} parameters
 */

const dashes = [undefined, [5, 3], [2, 2], [8, 3, 2, 3], [1, 3]];

/**
 * Curves of metrics: the colour tells the run if there are several, else the metric.
 * @param {RunData[]} runs
 * @param {{metrics: string[], names?: string[], title?: string}} chart
 * @param {{skipZeros: boolean, zeros: Set<string>}} [o] leaves out what has been 0 in every step, and notes it
 * @returns {import("./chart.js").Curve[]}
 */
export function curvesOf(runs, chart, o) {
  /** @type {import("./chart.js").Curve[]} */
  const list = [];
  runs.forEach((run, r) => {
    let shown = 0;
    chart.metrics.forEach((metric, m) => {
      const y = valuesOf(run, metric);
      if (!y || !y.some((x) => x !== null)) return;
      if (o?.skipZeros && y.every((x) => x === null || x === 0)) {
        o.zeros.add(chart.names?.[m] && chart.title ? chart.title + " (" + chart.names[m] + ")" : chart.title ?? metric);
        return;
      }
      const label = chart.names?.[m] ?? metric;
      const one = runs.length === 1;
      const last = (/** @type {RunData} */ other) => other.name.slice(other.name.lastIndexOf("/") + 1);
      const called = runs.some((other) => other !== run && last(other) === last(run)) ? run.name : last(run);
      list.push({ name: one ? label : chart.metrics.length > 1 ? called + " " + label : called, colour: colourOf(one ? shown : r), dash: one ? undefined : dashes[shown], x: run.steps, y });
      shown++;
    });
  });
  return list;
}

/** @param {Context} c */
function curvesTab(c) {
  const grid = h("div", { class: "charts" });
  const more = h("div", { class: "charts" });
  const moreHead = h("h2", { class: "section" }, "Further numbers");
  const zeroLine = h("p", { class: "soft small section" });
  const smooth = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: c.shared.smooth, "aria-label": "Smoothing", oninput: () => {
    c.shared.smooth = Number(smooth.value);
    c.shared.changed();
  } });
  put(c.body, h("div", { class: "row chartbar" }, h("label", { class: "check soft small" }, "Smooth", smooth), button("Show all", () => { c.shared.part = null; c.shared.changed(); }, { class: "plain" }),
    h("span", { class: "soft small only-wide" }, "Drag to zoom, turn the wheel with Shift to move along, click to see the samples of a step.")), grid, moreHead, more, zeroLine);
  /** @type {Map<string, ReturnType<typeof lineChart>>} */
  const drawn = new Map();
  const named = new Set(charts.flatMap((chart) => chart.metrics));
  /** @type {Set<string>} */
  let zeros = new Set();
  const update = () => {
    zeros = new Set();
    for (const chart of charts) one(chart, grid);
    const others = new Set(c.runs.flatMap((run) => [...run.columns.keys()]).filter((name) => !named.has(name) && !elsewhere.has(name)));
    for (const name of others) {
      const metric = c.runs.flatMap((run) => run.manifest.metrics ?? []).find((m) => m.name === name);
      one({ title: name.replace(/[_/]/g, " "), metrics: [name], isShare: /^share/.test(metric?.unit ?? "") }, more);
    }
    moreHead.hidden = !more.childElementCount;
    zeroLine.textContent = zeros.size ? "0 in every step: " + [...zeros].join(", ") + "." : "";
  };
  /** @param {typeof charts[number]} chart @param {HTMLElement} into */
  const one = (chart, into) => {
    const curves = curvesOf(c.runs, chart, { skipZeros: !drawn.has(chart.title), zeros });
    let made = drawn.get(chart.title);
    if (!curves.length) return;
    if (!made) {
      const metrics = c.runs.flatMap((run) => run.manifest.metrics ?? []);
      const note = chart.metrics.map((name) => metrics.find((m) => m.name === name)).filter(Boolean).map((m) => m.name + " (" + m.unit + "): " + m.formula).join("\n");
      made = lineChart({ ...chart, note, shared: c.shared, stacked: chart.stacked && c.runs.length === 1 });
      drawn.set(chart.title, made);
      into.append(made.element);
    }
    made.show(curves);
  };
  update();
  return { update, stop: () => drawn.forEach((made) => made.stop()), follow: () => {} };
}

/** @param {Context} c */
function settingsTab(c) {
  const all = c.runs.map((run) => settingsOf(run.manifest));
  const keys = [...new Set(all.flatMap((settings) => [...settings.keys()]))].sort();
  const isOther = (/** @type {string} */ key) => new Set(all.map((settings) => settings.get(key))).size > 1;
  let onlyOther = c.runs.length > 1;
  const box = h("div", { class: "card scroll" });
  const command = h("pre", { class: "card tight" }, (c.runs[0].manifest.command ?? []).join(" "));
  const draw = () => {
    const shown = keys.filter((key) => !onlyOther || isOther(key));
    put(box, h("table", { class: "settingstable" },
      h("thead", null, h("tr", null, h("th", null, "Setting"), c.runs.map((run, i) => h("th", null, c.runs.length > 1 ? h("i", { class: "dot", style: { background: "var(--" + colourOf(i) + ")" } }) : null, run.name)))),
      h("tbody", null, shown.map((key) => h("tr", { class: c.runs.length > 1 && isOther(key) ? "differs" : null }, h("th", { scope: "row" }, key), all.map((settings) => h("td", { class: "mono" }, settings.get(key) ?? "–")))))),
    shown.length ? null : h("p", { class: "soft" }, "The runs have the same settings."));
  };
  const toggle = h("input", { type: "checkbox", onchange: () => { onlyOther = toggle.checked; draw(); } });
  toggle.checked = onlyOther;
  fill(c.body, [h("div", { class: "row chartbar" }, c.runs.length > 1 ? h("label", { class: "check" }, toggle, "Only what differs") : null), box, h("h2", { class: "section" }, "Command"), command]);
  draw();
  return {};
}
