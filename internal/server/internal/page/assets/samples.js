// The samples of a training run: step, group, sample.
import { button, h, put, trouble } from "./dom.js";
import { json, query } from "./api.js";
import { count, number } from "./format.js";
import { tokenStrips, turnBadge } from "./tokenstrips.js";
import { traceText } from "./trace.js";

/** @typedef {import("./run.js").Context} Context */

/** The mood of a verdict. @param {string} verdict */
export function mood(verdict) {
  return verdict === "right" ? "good" : verdict === "wrong" ? "bad" : "";
}

/** @param {any} s */
const total = (s) => s.accuracy + s.format + (s.other ?? 0);

/**
 * @param {Context} c
 * @param {import("./stage.js").Route} route
 */
export function samplesTab(c, route) {
  const run = c.runs[0].name;
  const field = h("input", { type: "number", min: 0, step: 1, "aria-label": "Step", class: "stepfield", onchange: () => go(Number(field.value)) });
  const slider = h("input", { type: "range", "aria-label": "Step", class: "grow", oninput: () => { field.value = slider.value; }, onchange: () => go(Number(slider.value)) });
  const groups = h("div", { class: "groups" });
  const detail = h("div", { class: "detail" });
  const found = h("div", { class: "found", hidden: true });
  const stepper = h("div", { class: "row chartbar" },
    button("The step before", () => go(at - 1, -1), { icon: "left", bare: true }), field, button("The next step", () => go(at + 1), { icon: "right", bare: true }), slider);
  const filter = filterForm(c, found, (s) => goTo({ step: s.step, request: s.request, sample: s.index }));
  put(c.body, stepper, filter.element, found, h("div", { class: "browser" }, groups, detail));
  let at = 0;
  let first = 0;
  let last = 0;
  /** @type {any[]} */
  let samples = [];
  /** @type {AbortController | null} */
  let pending = null;

  const goTo = (/** @type {Record<string, any>} */ where) => c.stage.go(c.stage.route.path, { ...c.parameters(), tab: "samples", ...where });
  const go = (/** @type {number} */ step, direction = 1) => {
    // Samples are kept of some steps only: a step back goes on to the one before that has any.
    if (direction < 0 && samples.length && step < first) return;
    goTo({ step: Math.max(first, Math.min(last, Math.round(step))) });
  };
  const load = async (/** @type {import("./stage.js").Route} */ where) => {
    pending?.abort();
    const mine = pending = new AbortController();
    const wanted = where.query.get("step");
    try {
      if (wanted === null || Number(wanted) !== at || !samples.length) {
        const answer = await json(query("/page/api/samples", { run, step: wanted }), { signal: mine.signal });
        ({ first, last, samples } = answer);
        at = answer.step;
      }
    } catch (error) {
      if (!mine.signal.aborted) put(groups, trouble(error));
      return;
    }
    slider.min = String(first);
    slider.max = String(last);
    slider.value = field.value = String(at);
    field.min = String(first);
    field.max = String(last);
    draw(where);
  };
  const draw = (/** @type {import("./stage.js").Route} */ where) => {
    if (!samples.length) {
      put(groups, h("p", { class: "soft" }, "This run has kept no samples. Runs of GRPO keep rollout.keep_samples of them a step."));
      put(detail);
      return;
    }
    /** @type {Map<string, any[]>} */
    const byRequest = new Map();
    for (const s of samples) {
      const key = String(s.request);
      byRequest.set(key, [...byRequest.get(key) ?? [], s]);
    }
    const request = where.query.get("request") ?? [...byRequest.keys()][0];
    const members = byRequest.get(request) ?? samples;
    const index = Number(where.query.get("sample") ?? members[0].index);
    const chosen = members.find((s) => s.index === index) ?? members[0];
    put(groups, [...byRequest].map(([key, group]) => groupCard(group, key === request ? chosen : null, (s) => goTo({ step: at, request: s.request, sample: s.index }))));
    put(detail, sampleCard(chosen, members));
  };
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    if (/** @type {HTMLElement} */ (e.target).closest("input, textarea, select, dialog")) return;
    if (e.key === "[") go(at - 1, -1);
    else if (e.key === "]") go(at + 1);
    else if (e.key === "j" || e.key === "k") {
      const now = detail.dataset.key ?? "";
      const i = samples.findIndex((s) => s.request + "." + s.index === now) + (e.key === "j" ? 1 : -1);
      if (samples[i]) goTo({ step: at, request: samples[i].request, sample: samples[i].index });
    }
  };
  document.addEventListener("keydown", onKey);
  const sampleCard = (/** @type {any} */ s, /** @type {any[]} */ group) => {
    detail.dataset.key = s.request + "." + s.index;
    return h("article", { class: "card sample" },
      h("div", { class: "row" }, h("span", { class: "badge " + mood(s.verdict) }, s.verdict.replace("_", " ")), s.truncated ? h("span", { class: "badge bad" }, "ran out of tokens") : null, s.masked ? h("span", { class: "badge" }, "out of the loss") : null,
        s.resampled ? h("span", { class: "badge" }, "group replaced") : null, s.well_formed ? null : h("span", { class: "badge bad" }, "not well formed"), h("span", { class: "soft small grow right" }, "step " + s.step + " · problem " + s.problem + " · answer " + (s.index + 1) + " of its group")),
      s.reason ? h("p", { class: "soft small" }, s.reason) : null,
      h("div", { class: "tiles mini" }, [["reward", number(total(s))], ["for the answer", number(s.accuracy)], ["for the form", number(s.format)], s.other ? ["other", number(s.other)] : null, ["advantage", number(s.advantage)], ["tokens", String(s.length)], ["log p", number(s.logprob)], ["log p a token", s.length ? number(s.logprob / s.length) : "–"],
        ...Object.entries(s.parts ?? {}).map(([name, x]) => [name, number(/** @type {number} */ (x))])].filter((tile) => tile !== null).map(([name, value]) => h("div", { class: "tile" }, h("span", { class: "name" }, name), h("b", null, value)))),
      s.turns?.length && !s.pieces ? h("p", { class: "row small" }, "Turnings back that were tested:", s.turns.map(turnBadge)) : null,
      s.pieces ? tokenStrips(s, group) : [traceText(s.text), strips(s)], advantages(group, s));
  };
  void load(route);
  return {
    follow: (/** @type {import("./stage.js").Route} */ next) => void load(next),
    stop: () => {
      document.removeEventListener("keydown", onKey);
      pending?.abort();
    },
    update: () => {
      const steps = c.runs[0].steps;
      const newest = steps[steps.length - 1];
      if (newest > last && samples.length) {
        last = newest;
        slider.max = String(last);
      }
    },
  };
}

/**
 * A group: a square per answer.
 * @param {any[]} group
 * @param {any} chosen
 * @param {(s: any) => void} choose
 */
function groupCard(group, chosen, choose) {
  const right = group.filter((s) => s.verdict === "right").length;
  const judged = group.filter((s) => s.verdict !== "cannot_judge").length;
  const flat = new Set(group.map((s) => total(s))).size === 1;
  return h("section", { class: "group card tight" + (chosen ? " chosen" : "") },
    h("div", { class: "row small" }, h("b", { class: "grow" }, "problem " + group[0].problem), h("span", { class: "soft" }, flat ? "no signal" : ""), h("span", null, right + " of " + judged + " right")),
    h("div", { class: "squares" }, group.map((s) => h("button", {
      type: "button", class: "square " + mood(s.verdict) + (s.truncated ? " cut" : "") + (s === chosen ? " now" : ""), onclick: () => choose(s), "aria-pressed": String(s === chosen),
      "aria-label": "answer " + (s.index + 1) + ", " + s.verdict + ", reward " + number(total(s)) + ", " + count(s.length, "token"), title: s.verdict + ", reward " + number(total(s)) + ", " + count(s.length, "token"),
    }, number(total(s))))));
}

/**
 * The advantages of a group side by side.
 * @param {any[]} group
 * @param {any} chosen
 */
function advantages(group, chosen) {
  const most = Math.max(...group.map((s) => Math.abs(s.advantage)), 1e-9);
  return h("div", { class: "advantages" }, h("h3", null, "Advantages in this group"), group.map((s) => h("div", { class: "advantage" + (s === chosen ? " now" : "") },
    h("span", { class: "soft small" }, String(s.index + 1)), h("span", { class: "track" }, h("i", { class: s.advantage < 0 ? "bad" : "good", style: { width: 50 * Math.abs(s.advantage) / most + "%", [s.advantage < 0 ? "right" : "left"]: "50%" } })), h("span", { class: "small" }, number(s.advantage)))));
}

/**
 * The values that the run has stored per token, as strips.
 * @param {any} s
 */
function strips(s) {
  const list = Object.entries(s.strips ?? {});
  if (!list.length) return null;
  return h("div", { class: "strips" }, h("h3", null, "Per token"), list.map(([name, raw]) => {
    const values = /** @type {number[]} */ (raw);
    const most = Math.max(...values.map(Math.abs), 1e-9);
    return h("div", { class: "strip" }, h("span", { class: "soft small" }, name.replace(/_/g, " ")), h("span", { class: "cells" }, values.slice(0, 4000).map((x, i) => h("i", {
      title: "token " + (i + 1) + ": " + number(x), style: { background: "color-mix(in srgb, var(--" + (x < 0 ? "s1" : "s0") + ") " + Math.round(100 * Math.abs(x) / most) + "%, var(--idle-ground))" },
    }))), h("span", { class: "soft small" }, "up to ±" + number(most)));
  }));
}

/**
 * @param {Context} c
 * @param {HTMLElement} into
 * @param {(s: any) => void} choose
 */
function filterForm(c, into, choose) {
  const run = c.runs[0].name;
  const verdict = h("select", { "aria-label": "Verdict" }, [["", "any verdict"], ["right", "right"], ["wrong", "wrong"], ["cannot_judge", "not judged"]].map(([value, text]) => h("option", { value }, text)));
  const shortest = h("input", { type: "number", min: 0, placeholder: "tokens from", "aria-label": "At least so many tokens", class: "short" });
  const longest = h("input", { type: "number", min: 0, placeholder: "to", "aria-label": "At most so many tokens", class: "short" });
  const text = h("input", { type: "search", placeholder: "holds the text", "aria-label": "Holds the text", "data-slash": true, class: "grow" });
  const formed = h("select", { "aria-label": "Form" }, [["", "any form"], ["yes", "well formed"], ["no", "not well formed"]].map(([value, label]) => h("option", { value }, label)));
  const cut = h("input", { type: "checkbox" });
  /** @type {AbortController | null} */
  let pending = null;
  const search = async (/** @type {number} */ from, /** @type {any[]} */ before) => {
    pending?.abort();
    const mine = pending = new AbortController();
    into.hidden = false;
    if (!from) put(into, h("p", { class: "soft small pulse" }, "looks through the samples"));
    try {
      const answer = await json(query("/page/api/find", { run, verdict: verdict.value, shortest: shortest.value, longest: longest.value, text: text.value, formed: formed.value, truncated: cut.checked ? "1" : "", at: from || "" }), { signal: mine.signal });
      const all = [...before, ...answer.samples];
      put(into, h("div", { class: "row" }, h("b", { class: "grow" }, count(all.length, "sample") + (answer.next ? " so far, up to step " + answer.step : "")),
        answer.next ? button("Look on", () => void search(answer.next, all)) : null, button("Close", () => { into.hidden = true; put(into); }, { icon: "close", class: "plain", bare: true })),
      h("ul", { class: "hits" }, all.map((s) => h("li", null, h("button", { type: "button", class: "plain hit", onclick: () => choose(s) },
        h("span", { class: "badge " + mood(s.verdict) }, s.verdict.replace("_", " ")), h("span", { class: "nowrap" }, "step " + s.step), h("span", { class: "nowrap soft" }, count(s.length, "token")), h("span", { class: "snippet mono" }, snippet(s.text, text.value)))))));
    } catch (error) {
      if (!mine.signal.aborted) put(into, trouble(error));
    }
  };
  const element = h("form", { class: "row filter", onsubmit: (/** @type {Event} */ e) => { e.preventDefault(); void search(0, []); } },
    verdict, formed, shortest, longest, h("label", { class: "check small" }, cut, "ran out of tokens"), text, h("button", { type: "submit" }, "Find"));
  return { element };
}

/** @param {string} text @param {string} word */
function snippet(text, word) {
  const at = word ? Math.max(0, text.indexOf(word) - 30) : 0;
  return (at ? "…" : "") + text.slice(at, at + 140).replace(/\s+/g, " ");
}
