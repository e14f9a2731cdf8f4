// Places in a thought at which the answer is forced, and what the forced answers say.
import { align, idsBehind } from "./completions.js";

/**
 * A place in a thought: behind so many tokens, and so many characters.
 * @typedef {object} Probe
 * @property {number} tokens
 * @property {number} at
 * @property {boolean} isTurn the thought turns back there
 * @property {boolean} isWhole nothing of the thought follows
 * @property {"" | "asked" | "done" | "fault"} state
 * @property {string[]} texts of the answers
 * @property {string} answer that most of them give
 * @property {number} group of equal answers, -1 without one
 * @property {number | null} share of right ones, null where they cannot be judged
 * @property {string} outcome
 * @property {string} fault
 */

/**
 * A question with a thought about it.
 * @typedef {object} Subject
 * @property {string} question
 * @property {string} gold
 * @property {string} thought
 * @property {string} text
 * @property {number[]} ends where each token of the thought ends
 * @property {number[]} [cuts] how many of the ids that is
 * @property {number[] | null} [ids] of the whole thought with its mark, null where they are not known
 * @property {string} [model] that they are of
 */

/** @typedef {"ends" | "even" | "turns"} Where */

/** The words at which a thought turns back. */
const turns = /\b(wait|hmm|alternatively|but wait|hold on|let me (?:re-?)?check|let me verify|let's verify|actually|on second thought)\b/gi;

/** The end of a line, and of a sentence. */
const stops = /\n+|[.!?。！？][)"'”’]*\s+/g;

/**
 * Where the tokens of a reply's thought end, and their ids.
 * @param {import("./tokens.js").Reply} turn
 */
export function tokensOfThought(turn) {
  const shift = Math.min(turn.given, turn.thought.length);
  const before = turn.given ? turn.givenIds : [];
  /** @type {number[]} */
  const ends = [];
  /** @type {number[]} */
  const cuts = [];
  align(turn.thought.slice(shift), turn.text, turn.tokens).forEach((at, i) => {
    if (at.part !== "thought" || at.end <= at.begin) return;
    ends.push(shift + at.end);
    cuts.push((before?.length ?? 0) + i + 1);
  });
  return { ends, cuts, ids: idsBehind(before, turn.tokens.filter((token) => !token.w)), model: turn.model };
}

/** The ids of a thought up to a place, null where they are not known or it stands within a token. @param {Subject} subject @param {Probe} p */
export function idsUpTo(subject, p) {
  if (p.isWhole || !subject.ids) return subject.ids;
  return p.tokens && subject.cuts && subject.ends[p.tokens - 1] === p.at ? subject.ids.slice(0, subject.cuts[p.tokens - 1]) : null;
}

/** Where the tokens of a thought end; words stand in for tokens that are not known. @param {Subject} subject */
export function endsOf(subject) {
  return subject.ends.length ? subject.ends : [...subject.thought.matchAll(/\s*\S+/g)].map((m) => m.index + m[0].length);
}

/** @param {Subject} subject @param {number} tokens */
export function probeAtToken(subject, tokens) {
  const ends = endsOf(subject);
  return blank(tokens, tokens ? ends[tokens - 1] : 0, tokens >= ends.length);
}

/** @param {number} tokens @param {number} at @param {boolean} isWhole @returns {Probe} */
function blank(tokens, at, isWhole) {
  return { tokens, at, isTurn: false, isWhole, state: "", texts: [], answer: "", group: -1, share: null, outcome: "", fault: "" };
}

/**
 * The places at which a thought is cut: always before its beginning and at its end, and at most so many in all.
 * @param {Subject} subject
 * @param {number} many
 * @param {Where} where
 * @returns {Probe[]}
 */
export function placesOf(subject, many, where) {
  const ends = endsOf(subject);
  if (where === "even") {
    const n = Math.min(Math.max(2, many), ends.length + 1);
    const counts = new Set(Array.from({ length: n }, (_, i) => n === 1 ? ends.length : Math.round(i * ends.length / (n - 1))));
    return [...counts].map((tokens) => probeAtToken(subject, tokens));
  }
  const list = [blank(0, 0, !ends.length)];
  for (const m of subject.thought.matchAll(where === "turns" ? turns : stops)) {
    const at = where === "turns" ? m.index : m.index + m[0].length;
    const tokens = ends.filter((end) => end <= at).length;
    if (at === 0 || tokens >= ends.length || tokens <= list[list.length - 1].tokens) continue;
    list.push({ ...blank(tokens, at, false), isTurn: where === "turns" });
  }
  const inside = list.length - 1;
  if (ends.length) list.push(blank(ends.length, subject.thought.length, true));
  if (where === "turns" || list.length <= many) return list.slice(0, 200);
  const n = Math.max(2, many) - 2;
  const picked = new Set(Array.from({ length: n }, (_, i) => 1 + Math.floor((i + 0.5) * inside / n)));
  return list.filter((_, i) => i === 0 || i === list.length - 1 || picked.has(i));
}

/** @param {Probe} p */
export function isRight(p) {
  return p.outcome === "right";
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
    const before = isRight(probes[i]);
    const after = isRight(probes[i + 1]);
    if (before === after) sum.idle++;
    else if (after) sum.rescue++;
    else sum.harm++;
  }
  return sum;
}

/**
 * The least budget whose share of right answers is within a point of the best, and the tokens of thought that it saves a question.
 * @param {number[]} budgets in ascending order; a question takes the last probe that a budget pays for
 * @param {{length: number, probes: Probe[]}[]} rows judged questions, with the tokens of their thoughts
 */
export function budgetOf(budgets, rows) {
  const shareAt = (/** @type {number} */ b) => rows.filter((row) => isRight(row.probes.filter((p) => p.tokens <= b).pop() ?? row.probes[0])).length / rows.length;
  const spentAt = (/** @type {number} */ b) => rows.reduce((sum, row) => sum + Math.min(b, row.length), 0) / rows.length;
  const shares = budgets.map(shareAt);
  const best = Math.max(0, ...shares);
  const at = shares.findIndex((x) => x >= best - 0.01 - 1e-9);
  const whole = spentAt(Infinity);
  return { shares, best, budget: budgets[at], share: shares[at], spent: spentAt(budgets[at]), whole, saved: whole - spentAt(budgets[at]) };
}

/**
 * How sure a recommended budget is: questions are drawn anew, each with all of its thoughts, and the budget is found again (a bootstrap over
 * clusters). The numbers are the same each time.
 * @param {number[]} budgets
 * @param {{length: number, probes: Probe[]}[][]} questions the judged thoughts about each question
 * @returns {{budget: [number, number], low: number[], high: number[]} | null} intervals of 95 %: of the budget, and of the share at each budget; null for a single question
 */
export function sureness(budgets, questions) {
  const n = questions.length;
  if (n < 2) return null;
  const draws = 400;
  /** The sums of a question: right answers and thoughts at each budget. */
  const right = questions.map((rows) => budgets.map((b) => rows.filter((row) => isRight(row.probes.filter((p) => p.tokens <= b).pop() ?? row.probes[0])).length));
  let x = 20251125;
  const next = () => (x = (x * 48271) % 2147483647) / 2147483647;
  /** @type {number[]} */
  const found = [];
  /** @type {number[][]} */
  const shares = budgets.map(() => []);
  for (let draw = 0; draw < draws; draw++) {
    const picked = Array.from({ length: n }, () => Math.floor(next() * n));
    const thoughts = picked.reduce((sum, q) => sum + questions[q].length, 0);
    const curve = budgets.map((_, i) => picked.reduce((sum, q) => sum + right[q][i], 0) / thoughts);
    curve.forEach((y, i) => shares[i].push(y));
    const best = Math.max(...curve);
    found.push(budgets[curve.findIndex((y) => y >= best - 0.01 - 1e-9)]);
  }
  const ends = (/** @type {number[]} */ list) => {
    list.sort((a, b) => a - b);
    return /** @type {[number, number]} */ ([list[Math.floor(0.025 * draws)], list[Math.ceil(0.975 * draws) - 1]]);
  };
  const bands = shares.map(ends);
  return { budget: ends(found), low: bands.map((b) => b[0]), high: bands.map((b) => b[1]) };
}
