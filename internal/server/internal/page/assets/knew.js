// It knew at token N: the answer is forced along a thought, and the first place from which it stays right is found.
import { button, h, icon, put, saveFile, toast } from "./dom.js";
import { json } from "./api.js";
import { align, complete, defaults, reply } from "./completions.js";
import { openConversation } from "./conversation.js";
import { count, percent } from "./format.js";
import { lineChart, sharedView } from "./chart.js";
import { numberField, settingsForm } from "./settings.js";

/** @typedef {import("./completions.js").Token} Token */

/**
 * A place in a thought at which the answer is forced: behind so many tokens, and so many characters.
 * @typedef {{tokens: number, at: number, isTurn: boolean, state: "" | "asked" | "done" | "fault", text: string, answer: string, group: number, outcome: string, fault: string}} Probe
 */

/** The words at which a thought turns back. */
const turns = /\b(wait|hmm|alternatively|but wait|hold on|let me (?:re-?)?check|let me verify|let's verify|actually|on second thought)\b/gi;

/** @type {import("./completions.js").Settings} */
const settings = { ...defaults };

/**
 * @typedef {object} Subject
 * @property {string} question
 * @property {string} gold
 * @property {string} thought
 * @property {string} text
 * @property {number[]} ends where each token of the thought ends
 */

/** What was looked at last. @type {{subject: Subject | null, probes: Probe[]}} */
const kept = { subject: null, probes: [] };

/** @type {import("./stage.js").View} */
export async function view(stage) {
  const q = stage.route.query;
  if (q.get("tab") === "set") return setView(stage);
  if (q.get("conversation")) {
    const conversation = await openConversation(/** @type {string} */ (q.get("conversation")));
    const turn = conversation.turns.get(q.get("turn") ?? "");
    const asked = turn && conversation.turns.get(turn.parent);
    if (turn && asked && kept.subject?.thought !== turn.thought) {
      kept.subject = { question: asked.text, gold: "", thought: turn.thought, text: turn.text, ends: thoughtEnds(turn.thought, turn.text, turn.tokens, turn.given) };
      kept.probes = [];
      settings.model = conversation.settings.model;
      settings.system = conversation.settings.system;
    }
  }
  const question = h("textarea", { rows: 2, class: "grow", value: kept.subject?.question ?? "", placeholder: "Use 3, 7, 11 to make 32.", "aria-label": "Question", "data-slash": true });
  const gold = h("input", { value: kept.subject?.gold ?? "", placeholder: "gold answer", "aria-label": "Gold answer", onchange: () => { if (kept.subject) { kept.subject.gold = gold.value.trim(); void judge(); } } });
  const panel = h("div", { class: "card panel", hidden: true }, settingsForm(settings, () => {}, { system: false }));
  let many = 24;
  let onlyTurns = false;
  const where = h("select", { "aria-label": "Where to ask", onchange: () => { onlyTurns = where.value === "turns"; } }, h("option", { value: "even" }, "evenly"), h("option", { value: "turns" }, "before each turning back"));
  const think = button("Think", () => void start(), { class: "first" });
  const probe = button("Force answers", () => void ask(), { class: "first" });
  const halt = button("Stop", () => running?.abort(), { icon: "stop", hidden: true });
  const story = h("div", { class: "verdictline" });
  const tiles = h("dl", { class: "tiles" });
  const strip = h("div", { class: "probestrip", role: "group", "aria-label": "Forced answers along the thought" });
  const slider = h("input", { type: "range", min: 0, class: "whole", "aria-label": "Up to which forced answer the thought is shown", oninput: () => showAt(Number(slider.value)) });
  const shownAnswer = h("div", { class: "forced" });
  const thought = h("div", { class: "card trace knewtext" });
  const empty = h("div", { class: "empty" }, icon("knew"), h("p", null, "Have the model think, then force it to answer at places along its thought: how early did it know, and did turning back help or harm?"));
  const result = h("div", { class: "stack section" }, story, tiles, h("div", { class: "card" }, strip, slider, shownAnswer), thought);
  put(stage.root, h("div", { class: "head" }, h("div", { class: "grow" }, h("h1", null, "It knew at token N"), h("p", null, "What would it have answered, had it stopped here?")), modeChoice(stage, "one")),
    h("div", { class: "row riverform" }, question, h("div", { class: "stack rivergo" }, h("div", { class: "row" }, gold), h("div", { class: "row" }, think, halt,
      button("Settings", (e) => { panel.hidden = !panel.hidden; /** @type {HTMLElement} */ (e.currentTarget).setAttribute("aria-pressed", String(!panel.hidden)); }, { icon: "tune", class: "plain", "aria-pressed": "false" })))),
    panel, h("div", { class: "row chartbar", id: "probeform" }, numberField("Places", many, { min: 2, max: 200, step: 1, hint: "24" }, (x) => { many = x ?? 24; }), h("label", { class: "field" }, "Spread", where), probe,
      button("Save", () => saveFile("knew.json", "application/json", JSON.stringify(kept, null, 1)), { icon: "save", class: "plain" })), empty, result);
  const probeForm = /** @type {HTMLElement} */ (stage.root.querySelector("#probeform"));
  /** @type {AbortController | null} */
  let running = null;
  let shownTo = -1;

  const begin = () => {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    halt.hidden = false;
    think.disabled = probe.disabled = true;
    return mine;
  };
  const over = (/** @type {AbortController} */ mine) => {
    if (running !== mine) return;
    running = null;
    halt.hidden = true;
    think.disabled = probe.disabled = false;
    draw();
  };
  const start = async () => {
    const mine = begin();
    const asked = question.value.trim() || question.placeholder;
    question.value = asked;
    const subject = { question: asked, gold: gold.value.trim(), thought: "", text: "", ends: /** @type {number[]} */ ([]) };
    kept.subject = subject;
    kept.probes = [];
    /** @type {Token[]} */
    const tokens = [];
    try {
      for await (const news of complete({ messages: [{ role: "user", content: asked }], settings, tokens: true, signal: mine.signal })) {
        subject.thought += news.thought;
        subject.text += news.text;
        tokens.push(...news.tokens);
        drawSoon();
      }
    } catch (error) {
      if (!mine.signal.aborted) toast(error instanceof Error ? error.message : String(error));
    }
    subject.ends = thoughtEnds(subject.thought, subject.text, tokens, 0);
    over(mine);
    if (subject.thought && !mine.signal.aborted) await ask();
  };
  const ask = async () => {
    const subject = kept.subject;
    if (!subject?.thought) return;
    const mine = begin();
    kept.probes = placesOf(subject, many, onlyTurns);
    shownTo = kept.probes.length - 1;
    draw();
    const waiting = spread(kept.probes);
    await Promise.all(Array.from({ length: 4 }, async () => {
      for (let p = waiting.shift(); p && !mine.signal.aborted; p = waiting.shift()) {
        await force(subject, p, mine.signal);
        drawSoon();
      }
    }));
    await judge();
    over(mine);
  };
  const judge = async () => {
    const subject = kept.subject;
    const done = kept.probes.filter((p) => p.state === "done");
    if (subject && done.length) {
      try {
        await judgeProbes(subject, done);
      } catch (error) {
        toast(error instanceof Error ? error.message : String(error));
      }
    }
    draw();
  };
  let due = 0;
  const drawSoon = () => {
    due ||= window.setTimeout(() => { due = 0; draw(); }, 150);
  };
  const showAt = (/** @type {number} */ i) => {
    shownTo = i;
    drawThought();
  };
  const draw = () => {
    if (stage.signal.aborted) return;
    const subject = kept.subject;
    empty.hidden = !!subject;
    result.hidden = probeForm.hidden = !subject;
    if (!subject) return;
    const n = kept.probes.length;
    slider.hidden = strip.hidden = !n;
    slider.max = String(Math.max(0, n - 1));
    if (shownTo < 0 || shownTo >= n) shownTo = n - 1;
    slider.value = String(shownTo);
    drawSummary(story, tiles, subject, kept.probes);
    put(strip, kept.probes.map((p, i) => h("button", { type: "button", class: "probe " + moodOf(p), style: { left: 100 * p.at / Math.max(1, subject.thought.length) + "%" }, title: "token " + p.tokens + ": " + (p.answer || p.fault || "…"), "aria-label": "token " + p.tokens + ", " + (p.outcome || p.state) + ", " + (p.answer || "no answer"), onclick: () => { slider.value = String(i); showAt(i); } })));
    drawThought();
  };
  const drawThought = () => {
    const subject = kept.subject;
    if (!subject) return;
    const p = kept.probes[shownTo];
    const final = stableFrom(kept.probes);
    put(shownAnswer, p ? [h("span", { class: "soft small" }, "After " + count(p.tokens, "token") + " of the thought it answers "), h("b", { class: "mono" }, p.answer || (p.state === "done" ? "nothing" : "…")), " ", p.outcome ? h("span", { class: "badge " + (p.outcome === "right" ? "good" : p.outcome === "wrong" ? "bad" : "") }, p.outcome) : null, p.fault ? h("span", { class: "badge bad" }, p.fault) : null] : null);
    put(thought);
    let from = 0;
    kept.probes.forEach((one, i) => {
      thought.append(h("span", { class: i > shownTo ? "later" : final >= 0 && i > final ? "wasted" : null }, subject.thought.slice(from, one.at)),
        h("button", { type: "button", class: "pin " + moodOf(one) + (i === shownTo ? " now" : ""), title: "token " + one.tokens + ": " + (one.answer || "…"), "aria-label": "Forced answer behind token " + one.tokens, onclick: () => { slider.value = String(i); showAt(i); } }));
      from = one.at;
    });
    thought.append(h("span", { class: kept.probes.length && shownTo < kept.probes.length - 1 ? "later" : null }, subject.thought.slice(from)));
  };
  stage.signal.addEventListener("abort", () => running?.abort());
  draw();
}

/** @param {import("./stage.js").Stage} stage @param {string} mode */
function modeChoice(stage, mode) {
  return h("div", { class: "choice", role: "group", "aria-label": "How many questions" }, button("One thought", () => stage.go([]), { "aria-pressed": String(mode === "one") }), button("A set of questions", () => stage.go([], { tab: "set" }), { "aria-pressed": String(mode === "set") }));
}

/** Where the tokens of a thought end. @param {string} thought @param {string} text @param {Token[]} tokens @param {number} given */
function thoughtEnds(thought, text, tokens, given) {
  const shift = Math.min(given, thought.length);
  return align(thought.slice(shift), text, tokens).filter((p) => p.part === "thought" && p.end > p.begin).map((p) => shift + p.end);
}

/**
 * The places at which a thought is cut.
 * @param {Subject} subject
 * @param {number} many
 * @param {boolean} onlyTurns
 * @returns {Probe[]}
 */
export function placesOf(subject, many, onlyTurns) {
  const ends = subject.ends.length ? subject.ends : [...subject.thought.matchAll(/\s*\S+/g)].map((m) => m.index + m[0].length);
  const probe = (/** @type {number} */ tokens, isTurn = false) => ({ tokens, at: tokens ? ends[tokens - 1] : 0, isTurn, state: /** @type {""} */ (""), text: "", answer: "", group: -1, outcome: "", fault: "" });
  if (onlyTurns) {
    const list = [probe(0)];
    for (const m of subject.thought.matchAll(turns)) {
      const tokens = ends.filter((end) => end <= m.index).length;
      if (tokens > list[list.length - 1].tokens) list.push(probe(tokens, true));
    }
    if (ends.length > list[list.length - 1].tokens) list.push(probe(ends.length));
    return list.slice(0, 200);
  }
  const n = Math.min(many, ends.length + 1);
  const counts = new Set(Array.from({ length: n }, (_, i) => n === 1 ? ends.length : Math.round(i * ends.length / (n - 1))));
  return [...counts].map((tokens) => probe(tokens));
}

/** The places in an order in which the whole is seen early. @param {Probe[]} list */
function spread(list) {
  /** @type {Probe[]} */
  const order = [];
  for (let stride = 2 ** Math.ceil(Math.log2(Math.max(1, list.length))); stride >= 1; stride /= 2) {
    for (let i = 0; i < list.length; i += stride) if (!order.includes(list[i])) order.push(list[i]);
  }
  return order;
}

/**
 * Has the model answer now, greedily.
 * @param {Subject} subject
 * @param {Probe} p
 * @param {AbortSignal} signal
 */
async function force(subject, p, signal) {
  p.state = "asked";
  try {
    /** @type {import("./completions.js").Message[]} */
    const messages = [{ role: "user", content: subject.question }];
    const prefix = subject.thought.slice(0, p.at);
    if (prefix) messages.push({ role: "assistant", content: "", reasoning_content: prefix });
    const got = await reply({ messages, settings: { ...settings, temperature: 0, budget: 0, maxTokens: null }, maxTokens: 64, signal });
    p.text = got.text;
    p.state = "done";
  } catch (error) {
    p.state = "fault";
    if (!signal.aborted) p.fault = error instanceof Error ? error.message : String(error);
  }
}

/** @param {Subject} subject @param {Probe[]} done */
async function judgeProbes(subject, done) {
  const answer = await json("/page/api/judge", { body: { question: subject.question, gold: subject.gold, texts: done.map((p) => p.text) } });
  done.forEach((p, i) => Object.assign(p, { answer: answer.answers[i].answer, group: answer.answers[i].group, outcome: answer.answers[i].outcome ?? "" }));
}

/** @param {Probe} p */
function moodOf(p) {
  if (p.state !== "done") return p.state === "fault" ? "fault" : "waits";
  return p.outcome === "right" ? "good" : p.outcome === "wrong" ? "bad" : "g" + (p.group < 0 ? "x" : p.group % 6);
}

/**
 * The first place from which the answer stays what it is at the end, -1 if that is not right or not there.
 * @param {Probe[]} probes
 */
export function stableFrom(probes) {
  const last = probes[probes.length - 1];
  if (!last || last.state !== "done" || last.group < 0 || last.outcome === "wrong") return -1;
  let i = probes.length - 1;
  while (i > 0 && probes[i - 1].state === "done" && (last.outcome ? probes[i - 1].outcome === last.outcome : probes[i - 1].group === last.group)) i--;
  return i;
}

/** What turning back did: from one place before it to the next. @param {Probe[]} probes */
export function effects(probes) {
  const sum = { rescue: 0, harm: 0, idle: 0 };
  for (let i = 0; i + 1 < probes.length; i++) {
    if (!probes[i].isTurn || !probes[i].outcome || !probes[i + 1].outcome) continue;
    const before = probes[i].outcome === "right";
    const after = probes[i + 1].outcome === "right";
    if (before === after) sum.idle++;
    else if (after) sum.rescue++;
    else sum.harm++;
  }
  return sum;
}

/** @param {HTMLElement} story @param {HTMLElement} tiles @param {Subject} subject @param {Probe[]} probes */
function drawSummary(story, tiles, subject, probes) {
  const done = probes.filter((p) => p.state === "done");
  const all = subject.ends.length;
  const at = stableFrom(probes);
  const judged = done.some((p) => p.outcome);
  if (!probes.length || done.length < probes.length) put(story, h("span", { class: "soft" + (probes.length ? " pulse" : "") }, probes.length ? done.length + " of " + probes.length + " forced answers" : subject.thought ? "The thought has " + count(all, "token") + "." : "The model thinks"));
  else if (at < 0) put(story, judged ? "It never knew for good: the answer at the end is not right." : "There is no answer at the end.");
  else put(story, h("b", { class: "big-n" }, at === 0 ? "It knew before it thought." : "It knew at token " + probes[at].tokens + "."), h("span", { class: "soft" }, judged ? " From there on every forced answer is right." : " From there on the answer stays the same."));
  const tile = (/** @type {string} */ title, /** @type {string} */ value, /** @type {string} */ note) => h("div", { class: "tile" }, h("dt", null, title), h("dd", { class: "plain" }, h("b", null, value), h("span", null, note)));
  const e = effects(probes);
  const wasted = at >= 0 ? all - probes[at].tokens : 0;
  put(tiles, probes.length ? [tile("tokens of the thought", String(all), ""), at >= 0 ? tile("after it knew", String(wasted), all ? percent(wasted / all) + " of the thought" : "") : null,
    judged ? tile("right", done.filter((p) => p.outcome === "right").length + " of " + done.length, "forced answers") : tile("answers", String(new Set(done.map((p) => p.group)).size), "different ones"),
    e.rescue + e.harm + e.idle ? tile("turning back", e.rescue + " / " + e.harm + " / " + e.idle, "rescued, harmed, changed nothing") : null,
    e.rescue + e.harm + e.idle ? tile("rescues", (1000 * e.rescue / Math.max(1, all)).toFixed(1), "a thousand tokens of thought") : null] : []);
}

const budgets = [0, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

/** @param {import("./stage.js").Stage} stage */
function setView(stage) {
  const field = h("textarea", { rows: 6, class: "mono", "aria-label": "Questions, one a line, each with => and its gold answer", placeholder: "Use 3, 7, 11 to make 32.\nWhat is 12 * 12? => 144" });
  const story = h("div", { class: "verdictline" });
  const table = h("div", { class: "scroll" });
  const shared = sharedView();
  const chart = lineChart({ title: "Right with so many tokens of thought", shared, isShare: true, xName: "budget", xText: (x) => String(budgets[Math.round(x)] ?? ""), height: 230 });
  const go = button("Measure", () => void start(), { class: "first" });
  const halt = button("Stop", () => running?.abort(), { icon: "stop", hidden: true });
  const result = h("div", { class: "stack section", hidden: true }, story, chart.element, h("div", { class: "card" }, table));
  put(stage.root, h("div", { class: "head" }, h("div", { class: "grow" }, h("h1", null, "How much thought is enough?"), h("p", null, "Each question is thought about once; then the answer is forced at a row of budgets. The least budget that loses nothing is the one to set.")), modeChoice(stage, "set")),
    h("div", { class: "stack" }, field, h("div", { class: "row" }, go, halt)), result);
  /** @type {AbortController | null} */
  let running = null;
  stage.signal.addEventListener("abort", () => {
    running?.abort();
    chart.stop();
  });
  const start = async () => {
    running?.abort();
    const mine = running = new AbortController();
    const questions = (field.value.trim() || field.placeholder).split("\n").map((row) => row.trim()).filter(Boolean).slice(0, 100).map((row) => {
      const at = row.lastIndexOf("=>");
      return at < 0 ? { question: row, gold: "" } : { question: row.slice(0, at).trim(), gold: row.slice(at + 2).trim() };
    });
    result.hidden = false;
    halt.hidden = false;
    go.disabled = true;
    /** @type {{subject: Subject, probes: Probe[]}[]} */
    const rows = [];
    const draw = () => {
      if (!stage.signal.aborted) drawSet(rows, questions.length, story, table, chart);
    };
    try {
      for (const q of questions) {
        if (mine.signal.aborted) break;
        const got = await reply({ messages: [{ role: "user", content: q.question }], settings, tokens: true, signal: mine.signal });
        const subject = { ...q, thought: got.thought, text: got.text, ends: thoughtEnds(got.thought, got.text, got.tokens, 0) };
        const all = subject.ends.length;
        const probes = [...new Set([...budgets.filter((b) => b < all), all])].map((tokens) => ({ tokens, at: tokens ? subject.ends[tokens - 1] : 0, isTurn: false, state: /** @type {"" | "done"} */ (""), text: "", answer: "", group: -1, outcome: "", fault: "" }));
        rows.push({ subject, probes });
        draw();
        await Promise.all(probes.map((p) => force(subject, p, mine.signal)));
        await judgeProbes(subject, probes.filter((p) => p.state === "done"));
        draw();
      }
    } catch (error) {
      if (!mine.signal.aborted) toast(error instanceof Error ? error.message : String(error));
    }
    halt.hidden = true;
    go.disabled = false;
  };
}

/**
 * @param {{subject: Subject, probes: Probe[]}[]} rows
 * @param {number} asked
 * @param {HTMLElement} story
 * @param {HTMLElement} table
 * @param {ReturnType<typeof lineChart>} chart
 */
function drawSet(rows, asked, story, table, chart) {
  const judged = rows.filter((row) => row.probes.length && row.probes.every((p) => p.outcome === "right" || p.outcome === "wrong"));
  const longest = Math.max(0, ...judged.map((row) => row.subject.ends.length));
  const used = budgets.filter((b, i) => b <= longest || budgets[i - 1] < longest);
  /** With a budget a thought is cut there, or is whole where it is shorter. @param {{subject: Subject, probes: Probe[]}} row @param {number} budget */
  const probeAt = (row, budget) => row.probes.filter((p) => p.tokens <= budget).pop() ?? row.probes[0];
  const right = used.map((b) => judged.length ? judged.filter((row) => probeAt(row, b).outcome === "right").length / judged.length : null);
  const spent = used.map((b) => judged.length ? judged.reduce((sum, row) => sum + Math.min(b, row.subject.ends.length), 0) / judged.length : 0);
  chart.show(judged.length ? [{ name: "right", colour: "s0", x: used.map((b) => budgets.indexOf(b)), y: right }] : []);
  const best = Math.max(0, ...right.map((x) => x ?? 0));
  const at = right.findIndex((x) => x !== null && x >= best - 1e-9);
  put(story, judged.length && !best ? "Not one question was answered right, with whatever budget." : judged.length ? [h("b", { class: "big-n" }, "A budget of " + used[at] + " tokens"), h("span", { class: "soft" }, " loses nothing on " + count(judged.length, "question") + ": " + percent(best) + " right with " + spent[at].toFixed(0) + " tokens of thought on average, in place of " + (judged.reduce((sum, row) => sum + row.subject.ends.length, 0) / judged.length).toFixed(0) + "." + (judged.length < 30 ? " So few questions say little." : ""))]
    : h("span", { class: "soft pulse" }, rows.length + " of " + asked + " questions"), rows.length < asked && judged.length ? h("span", { class: "soft small" }, " " + rows.length + " of " + asked + " so far") : null);
  put(table, h("table", null, h("thead", null, h("tr", null, h("th", null, "Question"), used.map((b) => h("th", { class: "number" }, String(b))), h("th", { class: "number" }, "whole"))), h("tbody", null, rows.map((row) => h("tr", null, h("th", { scope: "row" }, row.subject.question), used.map((b) => {
    const p = row.probes.length ? probeAt(row, b) : null;
    return h("td", { class: "number" }, p ? h("span", { class: "dot-probe " + moodOf(p), title: p.answer || "no answer", role: "img", "aria-label": p.outcome || p.state }) : "");
  }), h("td", { class: "number soft" }, String(row.subject.ends.length)))))));
}
