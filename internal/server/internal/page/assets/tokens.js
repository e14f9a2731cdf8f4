// The tokens of a reply: how sure each was, what else could have stood there, and a fork from any of them.
import { button, h, put } from "./dom.js";
import { align, idsBehind } from "./completions.js";
import { percent } from "./format.js";

/** @typedef {import("./completions.js").Beginning} Beginning */

/**
 * A reply of which tokens are shown.
 * @typedef {{thought: string, text: string, tokens: import("./completions.js").Token[], given: number, givenIds?: number[], model?: string}} Reply
 */

/**
 * Where the tokens of a reply stand in its texts, behind what was given of each.
 * @param {Reply} turn
 */
function placesOf(turn) {
  const thought = Math.min(turn.given, turn.thought.length);
  const text = turn.given - thought;
  return align(turn.thought.slice(thought), turn.text.slice(text), turn.tokens).map((at) => {
    const shift = at.part === "thought" ? thought : text;
    return { part: at.part, begin: at.begin + shift, end: at.end + shift };
  });
}

/** The ids of a reply before its token i, null if they are not known. @param {Reply} turn @param {number} i */
function idsBefore(turn, i) {
  return idsBehind(turn.given ? turn.givenIds : [], turn.tokens.slice(0, i));
}

/**
 * The beginning of a reply that an edited text is: that of the first of its tokens where it ends behind one, else the text.
 * @param {Reply} turn
 * @param {string} edited its thought, or its text if it has none
 * @returns {Beginning}
 */
export function beginningOf(turn, edited) {
  const part = turn.thought ? "thought" : "text";
  const from = { thought: turn.thought ? edited : "", text: turn.thought ? "" : edited };
  const last = placesOf(turn).findIndex((at) => at.part === part && at.end === edited.length && at.end > at.begin);
  return last >= 0 && turn[part].startsWith(edited) ? { ...from, ids: idsBefore(turn, last + 1), model: turn.model } : from;
}

/**
 * @param {Reply} turn
 * @param {(from: Beginning) => void} fork goes on from a beginning
 */
export function tokenView(turn, fork) {
  const panel = h("div", { class: "tokenpanel", role: "status" }, h("p", { class: "soft small" }, "The darker, the less likely the token was. Choose one to see what else could have stood there, or to go on from it."));
  const places = placesOf(turn);
  const spans = turn.tokens.map((token, i) => h("button", {
    type: "button", class: "tok " + (token.w ? "in-answer" : "in-thought"), tabindex: i === 0 ? 0 : -1,
    style: { "--doubt": String(Math.min(1, Math.max(0, -token.p / 3)).toFixed(3)) },
    "aria-label": visible(token.t) + ", " + percent(Math.exp(token.p)), onclick: () => choose(i),
  }, visible(token.t)));
  const flow = h("div", { class: "tokenflow", role: "group", "aria-label": "Tokens; the arrow keys move", onkeydown: (/** @type {KeyboardEvent} */ e) => {
    const at = spans.indexOf(/** @type {any} */ (document.activeElement));
    const next = e.key === "ArrowRight" ? at + 1 : e.key === "ArrowLeft" ? at - 1 : e.key === "Home" ? 0 : e.key === "End" ? spans.length - 1 : -1;
    if (at < 0 || next < 0 || next >= spans.length) return;
    e.preventDefault();
    spans[at].tabIndex = -1;
    spans[next].tabIndex = 0;
    spans[next].focus();
  } });
  turn.tokens.forEach((token, i) => {
    flow.append(spans[i]);
    if (token.t.includes("\n")) flow.append(h("br", null));
  });
  /** The texts up to a place of the token. @param {number} i @param {"begin" | "end"} side */
  const upTo = (i, side) => {
    const at = places[i];
    return at.part === "thought" ? { thought: turn.thought.slice(0, at[side]), text: "" } : { thought: turn.thought, text: turn.text.slice(0, at[side]) };
  };
  /** The beginning with another token in place of one. @param {number} i @param {string} text @param {number} [id] @returns {Beginning} */
  const withOther = (i, text, id) => {
    const from = upTo(i, "begin");
    const ids = idsBehind(idsBefore(turn, i), [{ t: text, p: 0, a: [], w: 0, id }]);
    return { ...(places[i].part === "thought" ? { thought: from.thought + text, text: "" } : { thought: from.thought, text: from.text + text }), ids, model: turn.model };
  };
  /** @param {number} i */
  const choose = (i) => {
    const token = turn.tokens[i];
    spans.forEach((span, j) => span.classList.toggle("chosen", i === j));
    const others = token.a.filter(([text]) => text !== token.t);
    put(panel,
      h("div", { class: "row" }, h("code", { class: "big" }, visible(token.t)), h("span", { class: "soft small" }, "token " + (i + 1) + " · probability " + percent(Math.exp(token.p)) + " · log p " + token.p.toFixed(3))),
      h("div", { class: "row" }, button("Go on from here", () => fork({ ...upTo(i, "end"), ids: idsBefore(turn, i + 1), model: turn.model }), { class: "first" }),
        others.map(([text, p, id]) => {
          const from = withOther(i, text, id);
          // A mark has no text that could be given; what ends the reply is not gone on from.
          const isMark = /^<[^>]*>$/.test(text) && !(from.ids && /^<\/?think>$/.test(text));
          return button(visible(text) + "  " + percent(Math.exp(p)), () => fork(from), { class: "mono", title: "Take this token instead and go on", disabled: isMark });
        })));
  };
  return h("div", { class: "card tight stack" }, panel, flow);
}

/**
 * A token's text with its white space made visible.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/^ /, "·").replace(/ $/, "·") || "∅";
}
