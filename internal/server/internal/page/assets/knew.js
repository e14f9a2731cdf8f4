// It knew at token N: the answer is forced along a thought, and the first place from which it stays right is found.
import { button, h, icon, put, saveFile, toast } from "./dom.js";
import { json } from "./api.js";
import { complete, defaults, reply, usableIds } from "./completions.js";
import { openConversation } from "./conversation.js";
import { count, percent } from "./format.js";
import { lineChart, sharedView } from "./chart.js";
import { numberField, settingsForm } from "./settings.js";
import { budgetOf, effects, idsUpTo, placesOf, probeAtToken, stableFrom, sureness, tokensOfThought } from "./probes.js";

/** @typedef {import("./completions.js").Token} Token */

/** @typedef {import("./probes.js").Probe} Probe */
/** @typedef {import("./probes.js").Subject} Subject */

/** @type {import("./completions.js").Settings} */
const settings = { ...defaults };

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
      kept.subject = { question: asked.text, gold: "", thought: turn.thought, text: turn.text, ...tokensOfThought(turn) };
      kept.probes = [];
      settings.model = conversation.settings.model;
      settings.system = conversation.settings.system;
    }
  }
  const question = h("textarea", { rows: 2, class: "grow", value: kept.subject?.question ?? "", placeholder: "Use 3, 7, 11 to make 32.", "aria-label": "Question", "data-slash": true });
  const gold = h("input", { value: kept.subject?.gold ?? "", placeholder: "gold answer", "aria-label": "Gold answer", onchange: () => { if (kept.subject) { kept.subject.gold = gold.value.trim(); void judge(); } } });
  const panel = h("div", { class: "card panel", hidden: true }, settingsForm(settings, () => {}, { system: false }));
  let many = 24;
  let each = 1;
  const where = h("select", { "aria-label": "Where to ask" }, h("option", { value: "ends" }, "at ends of lines and sentences"), h("option", { value: "even" }, "evenly, by tokens"), h("option", { value: "turns" }, "before each turning back"));
  const think = button("Think", () => void start(), { class: "first" });
  const probe = button("Force answers", () => void ask(), { class: "first" });
  const halt = button("Stop", () => running?.abort(), { icon: "stop", hidden: true });
  const story = h("div", { class: "verdictline" });
  const tiles = h("dl", { class: "tiles" });
  const strip = h("div", { class: "probestrip", role: "group", "aria-label": "Forced answers along the thought" });
  const slider = h("input", { type: "range", min: 0, class: "whole", "aria-label": "Up to which forced answer the thought is shown", oninput: () => showAt(Number(slider.value)) });
  const shownAnswer = h("div", { class: "forced" });
  const thought = h("div", { class: "card trace knewtext" });
  const chart = lineChart({ title: "Right with so many tokens of thought", shared: sharedView(), isShare: true, xName: "token", xText: (x) => String(Math.round(x)), height: 170 });
  const empty = h("div", { class: "empty" }, icon("knew"), h("p", null, "Have the model think, then force it to answer at places along its thought: how early did it know, and did turning back help or harm?"));
  const result = h("div", { class: "stack section" }, story, tiles, h("div", { class: "card" }, strip, slider, shownAnswer), thought, chart.element);
  put(stage.root, h("div", { class: "head" }, h("div", { class: "grow" }, h("h1", null, "It knew at token N"), h("p", null, "What would it have answered, had it stopped here?")), modeChoice(stage, "one")),
    h("div", { class: "row riverform" }, question, h("div", { class: "stack rivergo" }, h("div", { class: "row" }, gold), h("div", { class: "row" }, think, halt,
      button("Settings", (e) => { panel.hidden = !panel.hidden; /** @type {HTMLElement} */ (e.currentTarget).setAttribute("aria-pressed", String(!panel.hidden)); }, { icon: "tune", class: "plain", "aria-pressed": "false" })))),
    panel, h("div", { class: "row chartbar", id: "probeform" }, numberField("Places", many, { min: 2, max: 200, step: 1, hint: "24" }, (x) => { many = x ?? 24; }), h("label", { class: "field" }, "Where", where),
      numberField("Answers a place", each, { min: 1, max: 32, step: 1, hint: "1, greedy" }, (x) => { each = x ?? 1; }), probe,
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
    /** @type {Subject} */
    const subject = { question: asked, gold: gold.value.trim(), thought: "", text: "", ends: [] };
    kept.subject = subject;
    kept.probes = [];
    /** @type {Token[]} */
    const tokens = [];
    try {
      for await (const news of complete({ messages: [{ role: "user", content: asked }], settings, tokens: true, signal: mine.signal })) {
        subject.model = news.model ?? subject.model;
        subject.thought += news.thought;
        subject.text += news.text;
        tokens.push(...news.tokens);
        drawSoon();
      }
    } catch (error) {
      if (!mine.signal.aborted) toast(error instanceof Error ? error.message : String(error));
    }
    Object.assign(subject, tokensOfThought({ ...subject, tokens, given: 0 }));
    over(mine);
    if (subject.thought && !mine.signal.aborted) await ask();
  };
  const ask = async () => {
    const subject = kept.subject;
    if (!subject?.thought) return;
    const mine = begin();
    kept.probes = placesOf(subject, many, /** @type {import("./probes.js").Where} */ (where.value));
    shownTo = kept.probes.length - 1;
    draw();
    const waiting = spread(kept.probes);
    await Promise.all(Array.from({ length: 4 }, async () => {
      for (let p = waiting.shift(); p && !mine.signal.aborted; p = waiting.shift()) {
        await force(subject, p, each, mine.signal);
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
    put(strip, kept.probes.map((p, i) => h("button", { type: "button", class: "probe " + moodOf(p), style: { left: 100 * p.at / Math.max(1, subject.thought.length) + "%" }, title: "token " + p.tokens + ": " + (p.answer || p.fault || "…"), "aria-label": "token " + p.tokens + ", " + (p.outcome || p.state) + shareText(p) + ", " + (p.answer || "no answer"), onclick: () => { slider.value = String(i); showAt(i); } })));
    drawCurve(chart, kept.probes);
    drawThought();
  };
  const drawThought = () => {
    const subject = kept.subject;
    if (!subject) return;
    const p = kept.probes[shownTo];
    const final = stableFrom(kept.probes);
    put(shownAnswer, p ? [h("span", { class: "soft small" }, "After " + count(p.tokens, "token") + " of the thought it answers "), h("b", { class: "mono" }, p.answer || (p.state === "done" ? "nothing" : "…")), " ", p.outcome ? h("span", { class: "badge " + (p.outcome === "right" ? "good" : p.outcome === "wrong" ? "bad" : "") }, p.outcome + shareText(p)) : null, p.fault ? h("span", { class: "badge bad" }, p.fault) : null] : null);
    put(thought);
    let from = 0;
    kept.probes.forEach((one, i) => {
      thought.append(h("span", { class: i > shownTo ? "later" : final >= 0 && i > final ? "wasted" : null }, subject.thought.slice(from, one.at)),
        h("button", { type: "button", class: "pin " + moodOf(one) + (i === shownTo ? " now" : ""), title: "token " + one.tokens + ": " + (one.answer || "…"), "aria-label": "Forced answer behind token " + one.tokens, onclick: () => { slider.value = String(i); showAt(i); } }));
      from = one.at;
    });
    thought.append(h("span", { class: kept.probes.length && shownTo < kept.probes.length - 1 ? "later" : null }, subject.thought.slice(from)));
  };
  stage.signal.addEventListener("abort", () => {
    running?.abort();
    chart.stop();
  });
  draw();
}

/** @param {import("./stage.js").Stage} stage @param {string} mode */
function modeChoice(stage, mode) {
  return h("div", { class: "choice", role: "group", "aria-label": "How many questions" }, button("One thought", () => stage.go([]), { "aria-pressed": String(mode === "one") }), button("A set of questions", () => stage.go([], { tab: "set" }), { "aria-pressed": String(mode === "set") }));
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
 * Has the model answer now: once and greedily, or more often at the temperature of the settings. Where the thought ended by itself, its own answer is there.
 * @param {Subject} subject
 * @param {Probe} p
 * @param {number} each
 * @param {AbortSignal} signal
 */
async function force(subject, p, each, signal) {
  p.state = "asked";
  try {
    if (p.isWhole && each === 1) p.texts = [subject.text];
    else {
      /** @type {import("./completions.js").Message[]} */
      const messages = [{ role: "user", content: subject.question }];
      const ids = await usableIds({ thought: "", text: "", ids: idsUpTo(subject, p), model: subject.model }, settings);
      const prefix = subject.thought.slice(0, p.at) + (p.isWhole ? "\n" : "");
      if (!ids && prefix.trim()) messages.push({ role: "assistant", content: "", reasoning_content: prefix });
      const own = { ...settings, budget: 0, maxTokens: null, ...(each === 1 ? { temperature: 0 } : {}) };
      const texts = Array.from({ length: each }, () => "");
      for await (const news of complete({ messages, settings: own, n: each, ids, maxTokens: Math.max(16, settings.maxTokens ?? 128), signal })) if (news.choice < each) texts[news.choice] += news.text;
      p.texts = texts;
    }
    p.state = "done";
  } catch (error) {
    p.state = "fault";
    if (!signal.aborted) p.fault = error instanceof Error ? error.message : String(error);
  }
}

/** Judges all answers at once, so that equal ones have one group. A place says what most of its answers say. @param {Subject} subject @param {Probe[]} done */
async function judgeProbes(subject, done) {
  const texts = done.flatMap((p) => p.texts);
  /** @type {any[]} */
  const list = [];
  for (let from = 0; from < texts.length; from += 512) {
    const part = await json("/page/api/judge", { body: { question: subject.question, gold: subject.gold, texts: texts.slice(from, from + 512) } });
    list.push(...part.answers);
  }
  let next = 0;
  for (const p of done) {
    const own = list.slice(next, next += p.texts.length);
    const most = own.map((a) => ({ a, n: own.filter((o) => o.group === a.group).length })).reduce((best, e) => e.n > best.n ? e : best);
    const isJudged = own.every((a) => a.outcome);
    const right = own.filter((a) => a.outcome === "right").length;
    Object.assign(p, { answer: most.a.answer, group: most.a.group, share: isJudged ? right / own.length : null, outcome: isJudged ? right * 2 > own.length || right === own.length ? "right" : "wrong" : "" });
  }
}

/** @param {Probe} p */
function shareText(p) {
  return p.share !== null && p.texts.length > 1 ? ", " + Math.round(p.share * p.texts.length) + " of " + p.texts.length : "";
}

/** How often it is right at each place, as steps: a thought that goes on answers as at the last place. @param {ReturnType<typeof lineChart>} chart @param {Probe[]} probes */
function drawCurve(chart, probes) {
  const done = probes.filter((p) => p.state === "done" && p.share !== null);
  chart.element.hidden = done.length < 2;
  /** @type {number[]} */
  const x = [];
  /** @type {(number | null)[]} */
  const y = [];
  done.forEach((p, i) => {
    if (i) {
      x.push(p.tokens);
      y.push(done[i - 1].share);
    }
    x.push(p.tokens);
    y.push(p.share);
  });
  chart.show(chart.element.hidden ? [] : [{ name: "right", colour: "s0", x, y }]);
}

/** @param {Probe} p */
function moodOf(p) {
  if (p.state !== "done") return p.state === "fault" ? "fault" : "waits";
  return p.outcome === "right" ? "good" : p.outcome === "wrong" ? "bad" : "g" + (p.group < 0 ? "x" : p.group % 6);
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

const budgets = [0, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192];

/** @param {import("./stage.js").Stage} stage */
function setView(stage) {
  let thoughts = 1;
  const field = h("textarea", { rows: 6, class: "mono", "aria-label": "Questions, one a line, each with => and its gold answer", placeholder: "Use 3, 7, 11 to make 32.\nWhat is 12 * 12? => 144" });
  const story = h("div", { class: "verdictline" });
  const table = h("div", { class: "scroll" });
  const shared = sharedView();
  const chart = lineChart({ title: "Right with so many tokens of thought", shared, isShare: true, xName: "budget", xText: (x) => String(budgets[Math.round(x)] ?? ""), height: 230 });
  const go = button("Measure", () => void start(), { class: "first" });
  const halt = button("Stop", () => running?.abort(), { icon: "stop", hidden: true });
  const result = h("div", { class: "stack section knewset", hidden: true }, story, chart.element, h("div", { class: "card" }, table));
  put(stage.root, h("div", { class: "head" }, h("div", { class: "grow" }, h("h1", null, "How much thought is enough?"), h("p", null, "Each question is thought about; then the answer is forced at a row of budgets. The least budget within a point of the best is the one to set.")), modeChoice(stage, "set")),
    h("div", { class: "stack" }, field, h("div", { class: "row" }, numberField("Thoughts a question", thoughts, { min: 1, max: 16, step: 1, hint: "1" }, (x) => { thoughts = x ?? 1; }), go, halt)), result);
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
    const many = Math.max(1, Math.min(16, Math.round(thoughts)));
    /** @type {Row[]} */
    const rows = [];
    const draw = () => {
      if (!stage.signal.aborted) drawSet(rows, questions.length * many, story, table, chart);
    };
    try {
      for (const [index, q] of questions.flatMap((one, i) => Array.from({ length: many }, () => /** @type {[number, typeof one]} */ ([i, one])))) {
        if (mine.signal.aborted) break;
        const nth = rows.filter((row) => row.index === index).length;
        const got = await reply({ messages: [{ role: "user", content: q.question }], settings: settings.seed === null ? settings : { ...settings, seed: settings.seed + nth }, tokens: true, signal: mine.signal });
        const subject = { ...q, thought: got.thought, text: got.text, ...tokensOfThought({ ...got, given: 0 }) };
        const all = subject.ends.length;
        const probes = [...new Set([...budgets.filter((b) => b < all), all])].map((tokens) => probeAtToken(subject, tokens));
        rows.push({ index, subject, probes });
        draw();
        const waiting = probes.slice();
        await Promise.all(Array.from({ length: 4 }, async () => {
          for (let p = waiting.shift(); p && !mine.signal.aborted; p = waiting.shift()) await force(subject, p, 1, mine.signal);
        }));
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

/** A thought about the question of that index, and what it was forced to answer. @typedef {{index: number, subject: Subject, probes: Probe[]}} Row */

/**
 * @param {Row[]} rows
 * @param {number} asked thoughts
 * @param {HTMLElement} story
 * @param {HTMLElement} table
 * @param {ReturnType<typeof lineChart>} chart
 */
function drawSet(rows, asked, story, table, chart) {
  const judged = rows.filter((row) => row.probes.length && row.probes.every((p) => p.outcome === "right" || p.outcome === "wrong"));
  const longest = Math.max(0, ...judged.map((row) => row.subject.ends.length));
  const used = budgets.filter((b, i) => b <= longest || budgets[i - 1] < longest);
  /** With a budget a thought is cut there, or is whole where it is shorter. @param {Row} row @param {number} budget */
  const probeAt = (row, budget) => row.probes.filter((p) => p.tokens <= budget).pop() ?? row.probes[0];
  /** @param {Row[]} list */
  const byQuestion = (list) => [...new Set(list.map((row) => row.index))].map((index) => list.filter((row) => row.index === index));
  const measured = judged.map((row) => ({ index: row.index, subject: row.subject, length: row.subject.ends.length, probes: row.probes }));
  const questions = byQuestion(measured);
  const r = judged.length ? budgetOf(used, measured) : null;
  const sure = r ? sureness(used, /** @type {any} */ (questions)) : null;
  const x = used.map((b) => budgets.indexOf(b));
  chart.show(!r ? [] : [{ name: "right", colour: "s0", x, y: r.shares }, ...(sure ? [{ name: "95 % from", colour: "s5", faint: true, dash: [3, 3], x, y: sure.low }, { name: "to", colour: "s5", faint: true, dash: [3, 3], x, y: sure.high }] : [])]);
  put(story, r && !r.best ? "Not one question was answered right, with whatever budget." : r ? [h("b", { class: "big-n" }, "A budget of " + r.budget + " tokens"), h("span", { class: "soft" }, " is within a point of the best on " + count(questions.length, "question") + (judged.length > questions.length ? " with " + count(judged.length, "thought") : "") + ": " + percent(r.share) + " right (best " + percent(r.best) + "), and saves " + r.saved.toFixed(0) + " of " + r.whole.toFixed(0) + " tokens of thought a question, " + percent(r.whole ? r.saved / r.whole : 0) + "." +
    (sure ? sure.budget[0] === sure.budget[1] ? " Other questions like these would name the same budget in 95 of 100 cases." : " Other questions like these would name one from " + sure.budget[0] + " to " + sure.budget[1] + " in 95 of 100 cases." : " One question says nothing of others."))]
    : h("span", { class: "soft pulse" }, rows.length + " of " + count(asked, "thought")), rows.length < asked && judged.length ? h("span", { class: "soft small" }, " " + rows.length + " of " + asked + " thoughts so far") : null);
  const head = h("tr", null, h("th", null, "Question"), used.map((b) => h("th", { class: "number" }, String(b))), h("th", { class: "number" }, "whole"));
  put(table, h("table", null, h("thead", null, head), h("tbody", null, byQuestion(rows).map((group) => h("tr", null, h("th", { scope: "row" }, group[0].subject.question),
    used.map((b) => h("td", { class: "number" }, setCell(group.map((row) => row.probes.length ? probeAt(row, b) : null)))),
    h("td", { class: "number soft" }, String(Math.round(group.reduce((sum, row) => sum + row.subject.ends.length, 0) / group.length))))))));
}

/** What the thoughts about a question answer at a budget. @param {(Probe | null)[]} probes */
function setCell(probes) {
  const real = /** @type {Probe[]} */ (probes.filter((p) => p !== null));
  if (!real.length) return "";
  if (real.length === 1) return h("span", { class: "dot-probe " + moodOf(real[0]), title: real[0].answer || "no answer", role: "img", "aria-label": real[0].outcome || real[0].state });
  const right = real.filter((p) => p.outcome === "right").length;
  const judged = real.filter((p) => p.outcome === "right" || p.outcome === "wrong").length;
  return h("span", { class: "badge " + (judged && right * 2 >= judged ? "good" : judged ? "bad" : ""), title: real.map((p) => p.answer || "no answer").join(", ") }, judged ? right + "/" + judged : "–");
}
