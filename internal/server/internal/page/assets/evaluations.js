// Evaluations: the figures with their intervals beside the published ones, and every sample with its verdict.
import { button, h, icon, put, statusBadge, trouble } from "./dom.js";
import { json, query } from "./api.js";
import { count, duration, moment, number, percent } from "./format.js";
import { lineChart, sharedView } from "./chart.js";
import { showMath } from "./mathml.js";
import { richText } from "./rich.js";

/** @typedef {{value: number | null, low: number | null, high: number | null, standard_error?: number | null, problems?: number}} Estimate */

/** Reads an estimate, whichever way its fields are written. @param {any} e @returns {Estimate} */
function estimate(e) {
  return { value: e?.value ?? e?.Value ?? null, low: e?.low ?? e?.Low ?? null, high: e?.high ?? e?.High ?? null, standard_error: e?.standard_error ?? e?.StandardError ?? null, problems: e?.problems ?? e?.Problems };
}

/** @type {import("./stage.js").View} */
export async function view(stage) {
  if (stage.route.path.length) return oneEvaluation(stage);
  const list = h("div", { class: "card" });
  put(stage.root, h("div", { class: "head" }, h("div", null, h("h1", null, "Evaluations"), h("p", null, "What retort eval has measured: each figure with the interval that other problems like these leave open."))), list);
  try {
    const answer = await json("/page/api/runs", { signal: stage.signal });
    const runs = answer.runs.filter((/** @type {any} */ run) => run.kind === "eval");
    if (!runs.length) {
      put(list, h("div", { class: "empty" }, icon("evaluations"), h("p", null, "There is no evaluation yet. Try: retort eval --task countdown-3 --samples 8")));
      return;
    }
    const rows = new Map(runs.map((/** @type {any} */ run) => [run.name, h("td", { class: "barcell" }, h("span", { class: "soft small" }, percent(run.last?.right) + " so far"))]));
    put(list, h("div", { class: "scroll" }, h("table", null, h("thead", null, h("tr", null, ["Run", "What, of whom", "State", "pass@1", "Begun"].map((name) => h("th", null, name)))),
      h("tbody", null, runs.map((/** @type {any} */ run) => h("tr", null, h("th", { scope: "row" }, h("a", { href: stage.link(run.name.split("/")) }, run.name)), h("td", null, run.title), h("td", null, statusBadge(run.status)), rows.get(run.name), h("td", { class: "soft nowrap" }, moment(run.created))))))));
    for (const run of runs.slice(0, 40)) {
      if (stage.signal.aborted) return;
      try {
        const one = await json(query("/page/api/evaluation", { run: run.name }), { signal: stage.signal });
        put(/** @type {HTMLElement} */ (rows.get(run.name)), interval(estimate(one.figures.pass_at_1)));
      } catch (error) {
        if (!stage.signal.aborted) put(/** @type {HTMLElement} */ (rows.get(run.name)), h("span", { class: "soft small" }, error instanceof Error ? error.message : ""));
      }
    }
  } catch (error) {
    if (!stage.signal.aborted) put(list, trouble(error));
  }
}

/**
 * A share with its interval, on a line from 0 to 100 %; marks are published figures.
 * @param {Estimate} e
 * @param {{value: number, title: string}[]} [marks]
 */
export function interval(e, marks = []) {
  const at = (/** @type {number | null} */ x) => 100 * Math.max(0, Math.min(1, x ?? 0)) + "%";
  if (e.value === null) return h("span", { class: "soft" }, "–");
  return h("span", { class: "intervalbox" }, h("b", null, percent(e.value)),
    h("span", { class: "interval", role: "img", "aria-label": e.low === null ? percent(e.value) : "between " + percent(e.low) + " and " + percent(e.high) },
      h("i", { class: "between", style: { left: at(e.low ?? e.value), width: "max(2px, calc(" + at(e.high ?? e.value) + " - " + at(e.low ?? e.value) + "))" } }), h("i", { class: "spot", style: { left: at(e.value) } }),
      marks.map((m) => h("i", { class: "published", title: m.title, style: { left: at(m.value) } }))),
    h("span", { class: "soft small nowrap" }, e.low === null ? "" : percent(e.low).replace(" %", "") + " to " + percent(e.high)));
}

/** @param {import("./stage.js").Stage} stage */
async function oneEvaluation(stage) {
  const name = stage.route.path.join("/");
  const answer = await json(query("/page/api/evaluation", { run: name }), { signal: stage.signal });
  const f = answer.figures;
  const plan = f.plan;
  stage.title(plan.title || name);
  const shared = sharedView();
  const tabs = h("div", { class: "choice", role: "group", "aria-label": "What is shown" });
  const body = h("div", null);
  put(stage.root, h("div", { class: "head" },
    h("div", { class: "grow" }, h("div", { class: "crumbs" }, h("a", { href: "#/evaluations" }, "Evaluations"), " / " + name), h("h1", null, (plan.title || name) + (plan.model ? ", " + plan.model : "")),
      h("div", { class: "row" }, statusBadge(answer.status), h("span", { class: "soft small" }, [count(f.asked, "problem"), count(f.answers, "sample"), "temperature " + number(plan.temperature), "top-p " + number(plan.top_p), "seed " + plan.seed, moment(answer.created)].join(" · ")))),
    tabs),
  [...answer.warnings ?? []].map((/** @type {string} */ text) => h("p", { class: "note" }, text)), body);
  /** @type {{stop: () => void}[]} */
  let drawn = [];
  const open = (/** @type {import("./stage.js").Route} */ route) => {
    const tab = route.query.get("tab") ?? "figures";
    drawn.forEach((made) => made.stop());
    drawn = [];
    put(tabs, [["figures", "Figures"], ["problems", "Problems"], ["samples", "Samples"]].map(([id, title]) => button(title, () => stage.go(stage.route.path, { tab: id === "figures" ? "" : id }), { "aria-pressed": String(tab === id) })));
    if (tab === "samples") samples(stage, name, answer, body, route);
    else if (tab === "problems") problems(stage, answer, body);
    else drawn = figures(stage, f, answer, body, shared);
  };
  stage.follow = (route) => {
    if (route.path.join("/") !== name) return false;
    stage.route = route;
    open(route);
    return true;
  };
  stage.signal.addEventListener("abort", () => drawn.forEach((made) => made.stop()));
  open(stage.route);
}

/**
 * @param {import("./stage.js").Stage} stage
 * @param {any} f
 * @param {any} answer
 * @param {HTMLElement} body
 * @param {import("./chart.js").Shared} shared
 */
function figures(stage, f, answer, body, shared) {
  const published = (f.published ?? []).filter((/** @type {any} */ p) => p.value <= 100);
  const marks = (/** @type {string} */ measure) => published.filter((/** @type {any} */ p) => p.measure === measure).map((/** @type {any} */ p) => ({ value: p.value / 100, title: p.model + ": " + p.value + " % (" + p.source + ")" }));
  const rows = /** @type {[string, Estimate][]} */ ([["pass@1", estimate(f.pass_at_1)], ...(f.pass_at ?? []).filter((/** @type {any} */ a) => a.k > 1).map((/** @type {any} */ a) => ["pass@" + a.k, estimate(a.estimate)]), ...(f.cons_at ?? []).map((/** @type {any} */ a) => ["cons@" + a.k, estimate(a.estimate)])]);
  const curve = (/** @type {any[]} */ list, /** @type {string} */ name, /** @type {string} */ colour) => ({ name, colour, x: list.map((a) => a.k), y: list.map((a) => estimate(a.estimate).value) });
  const chart = lineChart({ title: "More samples, more right", note: "pass@k: one of k is right; cons@k: the most frequent of k is", shared, isShare: true, xName: "k", xText: (k) => String(Math.round(k)), height: 210 });
  const lengths = f.lengths ?? {};
  const tile = (/** @type {string} */ title, /** @type {string} */ value, /** @type {string} */ note) => h("div", { class: "tile" }, h("dt", null, title), h("dd", { class: "plain" }, h("b", null, value), h("span", null, note)));
  const mean = (/** @type {any} */ l) => number(l?.mean ?? l?.Mean);
  put(body,
    h("dl", { class: "tiles" }, tile("pass@1", percent(estimate(f.pass_at_1).value), "between " + percent(estimate(f.pass_at_1).low) + " and " + percent(estimate(f.pass_at_1).high)),
      tile("tokens a reply", mean(lengths), "right " + mean(f.lengths_right) + ", else " + mean(f.lengths_not_right)), tile("ran out of tokens", percent(f.rates?.truncated), "no end of the thought " + percent(f.rates?.no_close)),
      tile("no answer found", percent(f.rates?.no_answer), "in circles " + percent(f.rates?.loops)), tile("not judged", percent(f.rates?.cannot_judge), count(f.unjudged ?? 0, "sample")),
      tile("took", duration(f.cost?.seconds ?? NaN), f.cost?.tokens ? number(f.cost.tokens) + " tokens" : "")),
    h("div", { class: "section twocolumns" },
      h("section", { class: "card" }, h("h2", null, "Figures" + (published.length ? " beside the published ones" : "")), h("table", { class: "figures" }, h("tbody", null, rows.map(([name, e]) => h("tr", null, h("th", { scope: "row" }, name), h("td", { class: "barcell" }, interval(e, marks(name))))))),
        h("p", { class: "soft small" }, "The bar is the 95 % interval over problems like these" + (f.sampling_error !== null && f.sampling_error !== undefined ? "; other samples of the same problems would move pass@1 by " + percent(f.sampling_error) + " (one standard error)" : "") + ".")),
      h("div", { class: "stack" }, (f.pass_at ?? []).length > 1 ? chart.element : null)),
    published.length ? h("section", { class: "card section scroll" }, h("h2", null, "Published"), h("table", null, h("thead", null, h("tr", null, ["Model", "Measure", "Right", "Source"].map((n, i) => h("th", { class: i === 2 ? "number" : null }, n)))), h("tbody", null, beside(published, rows, f.plan.model).map((p) => h("tr", { class: p.isHere ? "here" : null }, h("th", { scope: "row" }, p.model), h("td", null, p.measure), h("td", { class: "number" }, p.value.toFixed(1) + " %"), h("td", { class: "soft small" }, p.source)))))) : null,
    (f.deviations ?? []).length ? h("section", { class: "card section scroll" }, h("h2", null, "Where this differs from the published protocol"), h("table", null, h("thead", null, h("tr", null, Object.keys(f.deviations[0]).filter((k) => typeof f.deviations[0][k] !== "object").map((k) => h("th", null, k.replace(/_/g, " "))))), h("tbody", null, f.deviations.map((/** @type {any} */ d) => h("tr", null, Object.values(d).filter((v) => typeof v !== "object").map((v, i) => h(i ? "td" : "th", null, String(v)))))))) : null,
    parts("By subject", f.by_subject, (part) => stage.link(stage.route.path, { tab: "samples", subject: part.name })), parts("By level", f.by_level, () => null),
    rules(stage, answer));
  chart.show([curve(f.pass_at ?? [], "pass@k", "s0"), curve(f.cons_at ?? [], "cons@k", "s1")].filter((c) => c.x.length));
  return [chart];
}

/**
 * The published figures with those of this run among them, the highest first.
 * @param {any[]} published
 * @param {[string, Estimate][]} rows
 * @param {string} model
 */
function beside(published, rows, model) {
  const measures = new Set(published.map((p) => p.measure));
  const here = rows.filter(([name, e]) => measures.has(name) && e.value !== null).map(([name, e]) => ({ model: model || "this run", measure: name, value: 100 * Number(e.value), source: "this run, " + percent(e.low) + " to " + percent(e.high), isHere: true }));
  return [...published.map((p) => ({ ...p, isHere: false })), ...here].sort((a, b) => a.measure.localeCompare(b.measure) || b.value - a.value);
}

/** @param {string} title @param {any[] | undefined} list @param {(part: any) => string | null} link */
function parts(title, list, link) {
  if (!list?.length) return null;
  return h("section", { class: "card section scroll" }, h("h2", null, title), h("table", { class: "figures" }, h("thead", null, h("tr", null, h("th", null, ""), h("th", null, "pass@1"), h("th", { class: "number" }, "problems"), h("th", { class: "number" }, "tokens"))),
    h("tbody", null, list.map((part) => {
      const where = link(part);
      return h("tr", null, h("th", { scope: "row" }, where ? h("a", { href: where }, part.name) : part.name), h("td", { class: "barcell" }, interval(estimate(part.pass_at_1))), h("td", { class: "number" }, String(part.problems)), h("td", { class: "number" }, number(part.tokens)));
    }))));
}

/** @param {import("./stage.js").Stage} stage @param {any} answer */
function rules(stage, answer) {
  const list = Object.entries(answer.rules ?? {}).map(([rule, outcomes]) => ({ rule, outcomes: /** @type {Record<string, number>} */ (outcomes), n: Object.values(/** @type {Record<string, number>} */ (outcomes)).reduce((a, b) => a + b, 0) })).sort((a, b) => b.n - a.n);
  if (!list.length) return null;
  return h("section", { class: "card section scroll" }, h("h2", null, "The rules that decided"), h("table", null, h("thead", null, h("tr", null, h("th", null, "Rule"), ["right", "wrong", "unknown"].map((o) => h("th", { class: "number" }, o)))),
    h("tbody", null, list.map((e) => h("tr", null, h("th", { scope: "row" }, h("a", { href: stage.link(stage.route.path, { tab: "samples", rule: e.rule || "(none)" }) }, e.rule || "of the task")), ["right", "wrong", "unknown"].map((o) => h("td", { class: "number" }, String(e.outcomes[o] ?? 0))))))));
}

/** @param {import("./stage.js").Stage} stage @param {any} answer @param {HTMLElement} body */
function problems(stage, answer, body) {
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter the problems", "data-slash": true, oninput: () => draw() });
  const order = h("select", { "aria-label": "Order", onchange: () => draw() }, [["asked", "as asked"], ["hard", "the hardest first"], ["split", "the most divided first"]].map(([value, text]) => h("option", { value }, text)));
  const list = h("tbody", null);
  const more = h("p", { class: "soft small" });
  const draw = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const share = (/** @type {any} */ p) => p.judged ? p.right / p.judged : -1;
    let rows = answer.problems.filter((/** @type {any} */ p) => words.every((w) => (p.id + " " + p.subject + " " + p.asked).toLowerCase().includes(w)));
    if (order.value === "hard") rows = [...rows].sort((a, b) => share(a) - share(b));
    if (order.value === "split") rows = [...rows].sort((a, b) => Math.abs(share(a) - 0.5) - Math.abs(share(b) - 0.5));
    more.textContent = rows.length > 300 ? "The first 300 of " + rows.length + "." : "";
    put(list, rows.slice(0, 300).map((/** @type {any} */ p) => h("tr", null, h("th", { scope: "row" }, h("a", { href: stage.link(stage.route.path, { tab: "samples", problem: p.id }) }, p.id), h("div", { class: "soft small" }, p.refused ? "could not be asked: " + p.refused : p.asked)),
      h("td", null, p.subject ?? ""), h("td", { class: "nowrap" }, h("span", { class: "dots", role: "img", "aria-label": p.right + " of " + p.judged + " right" }, dots(p))), h("td", { class: "number" }, p.judged ? p.right + " of " + p.judged : "–"))));
  };
  put(body, h("div", { class: "row chartbar" }, filter, order), h("div", { class: "card scroll" }, h("table", null, list)), more);
  draw();
}

/** @param {any} p */
function dots(p) {
  const n = Math.min(32, p.drawn);
  const scale = p.drawn > 32 ? 32 / p.drawn : 1;
  const right = Math.round(p.right * scale);
  const judged = Math.round(p.judged * scale);
  return Array.from({ length: n }, (_, i) => h("i", { class: i < right ? "good" : i < judged ? "bad" : "" }));
}

/**
 * @param {import("./stage.js").Stage} stage
 * @param {string} run
 * @param {any} answer
 * @param {HTMLElement} body
 * @param {import("./stage.js").Route} route
 */
async function samples(stage, run, answer, body, route) {
  const q = Object.fromEntries(route.query);
  const where = { problem: q.problem, outcome: q.outcome, subject: q.subject, rule: q.rule };
  const go = (/** @type {Record<string, any>} */ change) => stage.go(stage.route.path, { ...where, ...change, tab: "samples" });
  const chip = (/** @type {string} */ name, /** @type {string | undefined} */ value) => value ? button(name + ": " + value, () => go({ [name]: "" }), { icon: "close", class: "chip" }) : null;
  const outcome = h("div", { class: "choice", role: "group", "aria-label": "Verdict" }, [["", "all"], ["right", "right"], ["wrong", "wrong"], ["unknown", "not judged"]].map(([value, text]) => button(text, () => go({ outcome: value }), { "aria-pressed": String((q.outcome ?? "") === value) })));
  const head = h("span", { class: "soft small grow" });
  const list = h("div", { class: "stack" });
  const pager = h("div", { class: "row" });
  put(body, h("div", { class: "row chartbar" }, outcome, chip("problem", q.problem), chip("subject", q.subject), chip("rule", q.rule), head), list, pager);
  let shown = 0;
  const load = async () => {
    const parameters = new URLSearchParams({ run, at: String(shown) });
    for (const name of /** @type {const} */ (["problem", "outcome", "subject"])) if (where[name]) parameters.set(name, where[name]);
    if (where.rule) parameters.set("rule", where.rule === "(none)" ? "" : where.rule);
    try {
      const got = await json("/page/api/evaluation/samples?" + parameters, { signal: stage.signal });
      shown += got.samples.length;
      head.textContent = count(got.matched, "sample");
      list.append(...got.samples.map((/** @type {any} */ s) => sampleCard(s, got.questions[s.problem])));
      put(pager, shown < got.matched ? button("Further ones", () => void load()) : null);
      if (!got.matched) put(list, h("p", { class: "soft" }, "No sample fits."));
    } catch (error) {
      if (!stage.signal.aborted) put(list, trouble(error));
    }
  };
  await load();
}

/** @param {string} latex */
function formula(latex) {
  const place = h("span", { class: "tex", title: latex });
  showMath(place, latex, false);
  return place;
}

/**
 * @param {any} s
 * @param {any} question
 */
function sampleCard(s, question) {
  const verdict = s.verdict;
  const asked = richText({ plain: true });
  const thought = richText({ plain: true, class: "thoughttext shown" });
  const reply = richText({ class: "answer" });
  const details = h("details", { class: "evalthought", ontoggle: () => thought.show(s.thought ?? "") }, h("summary", null, "Thought"), thought.element);
  const body = h("div", { class: "stack evalbody" }, h("div", { class: "asked" }, asked.element), s.thought ? details : null, reply.element);
  asked.show(question?.text ?? "");
  reply.show(s.text || "(nothing)");
  const fact = (/** @type {string} */ name, /** @type {string} */ value) => h("div", null, h("dt", null, name), h("dd", { class: "mono" }, value && /[\\^_]/.test(value) ? formula(value) : value || "–"));
  return h("article", { class: "card evalsample" },
    h("div", { class: "row" }, h("span", { class: "badge " + (verdict.outcome === "right" ? "good" : verdict.outcome === "wrong" ? "bad" : "") }, verdict.outcome), verdict.rule ? h("span", { class: "badge" }, "rule: " + verdict.rule) : null, s.finish === "length" ? h("span", { class: "badge bad" }, "ran out of tokens") : null,
      h("span", { class: "soft small grow right" }, s.problem + " · sample " + (s.sample + 1) + " · " + count(s.tokens, "token"))),
    verdict.reason ? h("p", { class: "soft small" }, verdict.reason) : null,
    h("dl", { class: "facts" }, fact("gold answer", verdict.gold || question?.gold), fact("answer found", verdict.answer || s.answer)), body);
}
