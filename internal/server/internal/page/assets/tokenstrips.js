// What a step of training did with each token of a sample: strips below the text.
import { h, put } from "./dom.js";
import { number, percent } from "./format.js";
import { visible } from "./tokens.js";

/**
 * A strip: where its values come from, and how a colour is made of one.
 * @typedef {object} Strip
 * @property {string} name
 * @property {string} unit
 * @property {string} low of the legend
 * @property {string} high
 * @property {[string, string]} colours of the lowest value and the highest; where the middle is neutral, the first is ""
 * @property {number} middle the value without colour
 * @property {(number | null)[]} values
 * @property {number} most distance from the middle that has the full colour
 * @property {(x: number) => number} scale
 */

/** @param {number | null} x */
const known = (x) => x !== null && Number.isFinite(x);

/**
 * The strips that a sample has values for.
 * @param {any} s
 * @param {any[]} group
 * @returns {Strip[]}
 */
export function stripsOf(s, group) {
  /** @type {Record<string, (number | null)[]>} */
  const given = s.strips ?? {};
  /** @type {Strip[]} */
  const list = [];
  /** @param {string} name @param {string} unit @param {(number | null)[] | undefined} values @param {[string, string]} colours @param {number} middle @param {number} least @param {(x: number) => number} scale @param {(x: number) => string} tell */
  const add = (name, unit, values, colours, middle, least, scale, tell) => {
    if (!values) return;
    const most = Math.max(least, ...values.filter(known).map((x) => Math.abs(scale(/** @type {number} */ (x)) - scale(middle))));
    list.push({ name, unit, values, colours, middle, most, scale, low: colours[0] === colours[1] ? tell(0) : tell(-most), high: tell(most) });
  };
  const largest = Math.max(1e-9, ...group.map((other) => Math.abs(other.advantage)));
  add("advantage", "", given.advantages ?? s.pieces.map(() => s.advantage), ["s1", "s2"], 0, largest, (x) => x, (x) => (x > 0 ? "+" : "") + number(x));
  add("ratio", "of the probability after the step to the one before", given.ratios, ["s3", "s0"], 1, 0.01, (x) => Math.log(Math.max(x, 1e-9)), (x) => "× " + Math.exp(x).toFixed(Math.abs(x) < 0.05 ? 3 : 2));
  add("entropy", "nats", given.entropies, ["s4", "s4"], 0, 0.1, (x) => x, number);
  add("log p", "nats", given.logprobs, ["s5", "s5"], 0, 0.1, (x) => x, (x) => x ? number(-x) : "0");
  return list;
}

/** The colour of a value. @param {Strip} strip @param {number | null} x */
function colourOf(strip, x) {
  if (x === null || !Number.isFinite(x)) return "transparent";
  const d = (strip.scale(x) - strip.scale(strip.middle)) / strip.most;
  return "color-mix(in oklab, var(--" + strip.colours[d < 0 ? 0 : 1] + ") " + Math.round(100 * Math.min(1, Math.abs(d))) + "%, var(--idle-ground))";
}

/** How a value is told. @param {Strip} strip @param {number | null} x */
function told(strip, x) {
  if (!known(x)) return strip.name + " unknown";
  const value = /** @type {number} */ (x);
  if (strip.name === "ratio") return "ratio " + value.toPrecision(4);
  if (strip.name === "log p") return "log p " + number(value) + " (" + percent(Math.exp(value)) + ")";
  return strip.name + " " + number(value) + (strip.unit === "nats" ? " nats" : "");
}

/** @param {Strip} strip */
function legend(strip) {
  const ends = strip.colours[0] === strip.colours[1] ? ["var(--idle-ground)", "var(--" + strip.colours[1] + ")"] : ["var(--" + strip.colours[0] + ")", "var(--idle-ground)", "var(--" + strip.colours[1] + ")"];
  return h("span", { class: "striplegend", title: strip.unit }, h("b", null, strip.name), h("span", { class: "nowrap" }, strip.low), h("i", { "aria-hidden": "true", style: { background: "linear-gradient(90deg in oklab, " + ends.join(", ") + ")" } }), h("span", { class: "nowrap" }, strip.high));
}

/**
 * The text of a sample, token by token, with a strip of each kind of value below it.
 * @param {any} s
 * @param {any[]} group
 */
export function tokenStrips(s, group) {
  const strips = stripsOf(s, group);
  const readout = h("div", { class: "row stripreadout", role: "status" });
  const rest = () => put(readout, h("span", { class: "soft small" }, "Point at a token, or go through them with the arrow keys, for its values. The strips below the text stand in the order of the legend."));
  const show = (/** @type {number} */ i) => put(readout, h("code", { class: "big" }, visible(s.pieces[i])), h("span", { class: "small" }, "token " + (i + 1) + " of " + s.pieces.length), strips.map((strip) => h("span", { class: "small nowrap" }, told(strip, strip.values[i]))));
  /** @type {Map<number, any>} */
  const turns = new Map((s.turns ?? []).map((/** @type {any} */ turn) => [turn.at, turn]));
  const tokens = s.pieces.map((/** @type {string} */ piece, /** @type {number} */ i) => h("button", {
    type: "button", class: "striptok", tabindex: i === 0 ? 0 : -1, "data-at": i, "aria-label": visible(piece) + ": " + strips.map((strip) => told(strip, strip.values[i])).join(", "),
    style: Object.fromEntries(strips.map((strip, k) => ["--v" + k, colourOf(strip, strip.values[i])])),
  }, h("span", null, visible(piece)), h("i", { "aria-hidden": "true" })));
  let pointer = [-1, -1];
  const at = (/** @type {Event} */ e) => Number(/** @type {HTMLElement} */ (e.target).closest("[data-at]")?.getAttribute("data-at") ?? -1);
  const flow = h("div", {
    class: "stripflow", role: "group", "aria-label": "Tokens; the arrow keys move",
    onpointermove: (/** @type {PointerEvent} */ e) => {
      // A pointer that rests while tokens are scrolled past it says nothing.
      const isMoved = e.clientX !== pointer[0] || e.clientY !== pointer[1];
      pointer = [e.clientX, e.clientY];
      if (isMoved && at(e) >= 0) show(at(e));
    },
    onpointerleave: () => { if (!flow.contains(document.activeElement)) rest(); },
    onfocusin: (/** @type {Event} */ e) => show(at(e)),
    onkeydown: (/** @type {KeyboardEvent} */ e) => {
      const from = at(e);
      const to = e.key === "ArrowRight" ? from + 1 : e.key === "ArrowLeft" ? from - 1 : e.key === "Home" ? 0 : e.key === "End" ? tokens.length - 1 : -1;
      if (from < 0 || to < 0 || to >= tokens.length) return;
      e.preventDefault();
      tokens[from].tabIndex = -1;
      tokens[to].tabIndex = 0;
      tokens[to].focus();
    },
  });
  s.pieces.forEach((/** @type {string} */ piece, /** @type {number} */ i) => {
    if (turns.has(i)) flow.append(turnBadge(turns.get(i)));
    flow.append(tokens[i]);
    if (piece.includes("\n")) flow.append(h("br", null));
  });
  rest();
  return h("div", { class: "stripbox stack" }, h("div", { class: "row striplegends" }, strips.map(legend)), flow, readout);
}

/** What a turning back did, as it was tested. @param {any} turn */
export function turnBadge(turn) {
  const effect = turn.effect || "not judged";
  const text = "forced to answer before this turning back it was " + turn.before + ", behind it " + turn.after;
  return h("span", { class: "badge " + (effect === "rescue" ? "good" : effect === "harm" ? "bad" : ""), title: text }, effect, h("span", { class: "unseen" }, ": " + text));
}
