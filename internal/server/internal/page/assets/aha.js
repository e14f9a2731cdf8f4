// Reflection in a run: how much of it there is, whether it pays, and whether it tells the truth.
import { h, icon, put, statusBadge, trouble } from "./dom.js";
import { json, query } from "./api.js";
import { number, percent } from "./format.js";
import { lineChart, sharedView } from "./chart.js";
import { followRuns, openRuns, valuesOf } from "./rundata.js";
import { colourOf, curvesOf } from "./run.js";

/** @type {import("./stage.js").View} */
export async function view(stage) {
  if (!stage.route.path.length) return chooseRun(stage);
  const name = stage.route.path.join("/");
  const runs = await openRuns([name], stage.signal);
  const run = runs[0];
  stage.title("Reflection in " + name);
  const shared = sharedView();
  shared.smooth = 0.6;
  shared.pick = (step) => { location.hash = "#/runs/" + stage.route.path.map(encodeURIComponent).join("/") + "?tab=samples&step=" + Math.round(step); };
  const tiles = h("dl", { class: "tiles" });
  const story = h("p", { class: "text lead" });
  const grid = h("div", { class: "charts" });
  const state = h("span", null);
  put(stage.root,
    h("div", { class: "head" }, h("div", { class: "grow" }, h("div", { class: "crumbs" }, h("a", { href: "#/aha" }, "Aha"), " / " + name), h("h1", null, "Is there an aha?"), story),
      h("div", { class: "row" }, state, h("a", { class: "button", href: "#/runs/" + stage.route.path.map(encodeURIComponent).join("/") }, "All curves"),
        h("a", { class: "button", href: "#/runs/" + stage.route.path.map(encodeURIComponent).join("/") + "?tab=samples" }, "Samples"))),
    tiles, h("div", { class: "section" }, grid),
    h("p", { class: "note section text" }, "Words and attempts are counts: that a model says wait does not show that it looks again. Rescues and harms are tests: at the turnings back of some of the rollouts the answer is forced, before and behind, and judged. Runs of retort grpo and of the lab test one rollout of twenty (meter.share); for a single thought see ", h("a", { href: "#/knew" }, "It knew"), "."));

  /** @type {Map<string, ReturnType<typeof lineChart>>} */
  const drawn = new Map();
  const show = (/** @type {any} */ o, /** @type {import("./chart.js").Curve[]} */ curves) => {
    if (!curves.length) return;
    let made = drawn.get(o.title);
    if (!made) {
      made = lineChart({ ...o, shared, height: 190 });
      drawn.set(o.title, made);
      grid.append(made.element);
    }
    made.show(curves);
  };
  /** @type {any} */
  let words = null;
  const update = () => {
    put(state, statusBadge(run.status));
    drawTiles(run, tiles, story);
    const tested = meterOf(run);
    if (tested) show({ title: "Rescues, a thousand tokens of thought", fromZero: true, note: "turnings back between a wrong forced answer and a right one (rescue), the other way round (harm); pooled over the last " + tested.window + " steps" }, tested.curves);
    show({ title: "Attempts and turnings back, an answer", fromZero: true, note: "attempts that a turning back leads to / answers; attempts / answers" }, curvesOf(runs, { metrics: ["reflections", "attempts"], names: ["turnings back", "attempts"] }));
    if (words) show({ title: "Words of reflection, a thousand tokens", fromZero: true, note: "the ten words of DeepSeek-R1's report: " + words.words.join(", ") }, wordCurves(words));
    show({ title: "Became right after a turning back", isShare: true, note: "right answers none of whose attempts before the first reflection solves the problem / answers" }, curvesOf(runs, { metrics: ["converted", "accuracy"], names: ["converted", "right in all"] }));
    const reflections = valuesOf(run, "reflections");
    const converted = valuesOf(run, "converted");
    if (reflections && converted) {
      const yield_ = converted.map((x, i) => x !== null && reflections[i] ? x / /** @type {number} */ (reflections[i]) : null);
      show({ title: "Conversions a turning back", fromZero: true, note: "converted / reflections: what one turning back is worth" }, [{ name: "conversions", colour: "s2", x: run.steps, y: yield_ }]);
    }
    show({ title: "Verdicts that are not true", isShare: true, note: "verdicts in the traces that said other than the truth / verdicts" }, curvesOf(runs, { metrics: ["false_verdict_rate"], names: ["false"] }).map((c) => ({ ...c, colour: "s1" })));
    show({ title: "Gave up", isShare: true, note: "answers that say none / answers" }, curvesOf(runs, { metrics: ["gave_up"], names: ["gave up"] }).map((c) => ({ ...c, colour: "s5" })));
    if (!grid.childElementCount && run.steps.length) put(grid, h("p", { class: "soft" }, "This run has recorded no behaviour."));
  };
  stage.signal.addEventListener("abort", () => drawn.forEach((made) => made.stop()));
  update();
  let counted = 0;
  const count = async () => {
    if (Date.now() - counted < 10000) return;
    counted = Date.now();
    try {
      words = await json(query("/page/api/words", { run: name }), { signal: stage.signal });
      if (!words.steps.length) words = null;
    } catch {
      words = null; // the other curves stand without
    }
    if (!stage.signal.aborted) update();
  };
  void count();
  void followRuns(runs, stage.signal, () => {
    if (stage.signal.aborted) return;
    update();
    if (run.status === "running") void count();
  });
}

/** How much thought a point of the meter's curves stands for at least, if there is so much. */
const pooledTokens = 8000;

/**
 * The tested meter: each step tests few rollouts, so the counts of the last steps are taken together.
 * @param {import("./rundata.js").RunData} run
 */
export function meterOf(run) {
  const tokens = valuesOf(run, "tested_thought_tokens");
  if (!tokens) return null;
  const all = tokens.reduce((/** @type {number} */ sum, x) => sum + (x ?? 0), 0);
  const window = Math.max(1, Math.min(Math.ceil(tokens.length / 4), Math.ceil(pooledTokens * tokens.length / Math.max(1, all))));
  const parts = /** @type {[string, string, string][]} */ ([["rescues_per_1000", "rescues", "s2"], ["harms_per_1000", "harms", "s1"], ["idle_turns_per_1000", "idle", "s5"]]).map(([metric, name, colour]) => {
    const rates = valuesOf(run, metric) ?? [];
    const counts = tokens.map((n, i) => Math.round((rates[i] ?? 0) * (n ?? 0) / 1000));
    const y = tokens.map((_, i) => {
      const from = Math.max(0, i + 1 - window);
      const thought = tokens.slice(from, i + 1).reduce((/** @type {number} */ sum, x) => sum + (x ?? 0), 0);
      return thought ? 1000 * counts.slice(from, i + 1).reduce((a, b) => a + b, 0) / thought : null;
    });
    return { name, colour, x: run.steps, y, total: counts.reduce((a, b) => a + b, 0) };
  });
  return { window, tokens: all, rescues: parts[0].total, harms: parts[1].total, idle: parts[2].total, curves: parts.slice(0, 2), last: parts.map((p) => p.y[p.y.length - 1] ?? null), first: parts.map((p) => p.y.find((v, i) => v !== null && i + 1 >= window) ?? null) };
}

/** @param {any} words */
function wordCurves(words) {
  const rate = (/** @type {number[]} */ counts) => counts.map((n, i) => words.tokens[i] ? 1000 * n / words.tokens[i] : null);
  const totals = words.steps.map((/** @type {number} */ _, /** @type {number} */ i) => words.words.reduce((/** @type {number} */ sum, /** @type {string} */ w) => sum + words.counts[w][i], 0));
  const used = words.words.map((/** @type {string} */ w) => ({ w, n: words.counts[w].reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0) })).filter((/** @type {any} */ e) => e.n > 0).sort((/** @type {any} */ a, /** @type {any} */ b) => b.n - a.n).slice(0, 3);
  const list = [{ name: "all ten", colour: "s0", x: words.steps, y: rate(totals) }];
  if (used.length > 1) used.forEach((/** @type {any} */ e, /** @type {number} */ i) => list.push({ name: e.w, colour: colourOf(i + 1), x: words.steps, y: rate(words.counts[e.w]) }));
  return list;
}

/** The mean of the first or of the last tenth. @param {(number | null)[] | null} values @param {boolean} atEnd */
function mean(values, atEnd) {
  const real = /** @type {number[]} */ ((values ?? []).filter((x) => x !== null));
  const n = Math.max(1, Math.min(8, Math.floor(real.length / 10)));
  const part = atEnd ? real.slice(-n) : real.slice(0, n);
  return part.length ? part.reduce((a, b) => a + b, 0) / part.length : null;
}

/**
 * @param {import("./rundata.js").RunData} run
 * @param {HTMLElement} tiles
 * @param {HTMLElement} story
 */
function drawTiles(run, tiles, story) {
  const list = /** @type {[string, string, (x: number | null) => string][]} */ ([["reflections", "turnings back an answer", number], ["attempts", "attempts an answer", number], ["converted", "became right after one", percent], ["false_verdict_rate", "verdicts not true", percent], ["gave_up", "gave up", percent], ["accuracy", "right", percent]])
    .map(([metric, title, text]) => ({ metric, title, text, from: mean(valuesOf(run, metric), false), to: mean(valuesOf(run, metric), true) })).filter((e) => e.to !== null);
  const tested = meterOf(run);
  put(tiles, !tested ? null : h("div", { class: "tile", title: "tested in " + tested.tokens.toLocaleString("en") + " tokens of thought" }, h("dt", null, "rescues, 1,000 tokens of thought"), h("dd", { class: "plain" }, h("b", null, number(tested.tokens ? 1000 * tested.rescues / tested.tokens : null)), h("span", null, tested.rescues + " rescues, " + tested.harms + " harms, " + tested.idle + " idle"))),
    list.map((e) => h("div", { class: "tile" }, h("dt", null, e.title), h("dd", { class: "plain" }, h("b", null, e.text(e.to)), h("span", null, "from " + e.text(e.from))))));
  const of = (/** @type {string} */ metric) => list.find((e) => e.metric === metric);
  const [back, turned, untrue] = [of("reflections"), of("converted"), of("false_verdict_rate")];
  const parts = [];
  const word = (/** @type {number | null} */ a, /** @type {number | null} */ b) => a === null || b === null ? "is" : b > a * 1.1 ? "grew" : b < a * 0.9 ? "fell" : "stayed";
  if (back) parts.push("Turning back " + word(back.from, back.to) + " from " + number(back.from) + " to " + number(back.to) + " times an answer");
  if (turned) parts.push("the answers that became right after it " + word(turned.from, turned.to) + " from " + percent(turned.from) + " to " + percent(turned.to));
  if (untrue) parts.push("the verdicts that are not true " + word(untrue.from, untrue.to) + " from " + percent(untrue.from) + " to " + percent(untrue.to));
  story.textContent = parts.length ? parts.join("; ") + "." : "";
}

/** @param {import("./stage.js").Stage} stage */
async function chooseRun(stage) {
  const list = h("div", { class: "grid" });
  put(stage.root, h("div", { class: "head" }, h("div", null, h("h1", null, "Aha"), h("p", null, "When a model that is reinforced begins to turn back: how often it does, how often that makes it right, and how often its checks lie."))), list);
  try {
    const answer = await json("/page/api/runs", { signal: stage.signal });
    const fitting = answer.runs.filter((/** @type {any} */ run) => run.last?.reflections !== undefined);
    put(list, fitting.map((/** @type {any} */ run) => h("a", { class: "card choice-card", href: stage.link(run.name.split("/")) }, h("div", { class: "row" }, h("b", { class: "grow" }, run.name), statusBadge(run.status)),
      h("div", { class: "soft small" }, number(run.last.reflections) + " turnings back an answer · " + percent(run.last.converted) + " became right after one · " + percent(run.last.false_verdict_rate) + " of verdicts not true"))));
    if (!fitting.length) put(list, h("div", { class: "empty" }, icon("aha"), h("p", null, "No run here has recorded behaviour. The runs of GRPO of retort lab do.")));
  } catch (error) {
    if (!stage.signal.aborted) put(list, trouble(error));
  }
}
