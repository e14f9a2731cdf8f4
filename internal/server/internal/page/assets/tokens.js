// The tokens of a reply: how sure each was, what else could have stood there, and a fork from any of them.
import { button, h, put } from "./dom.js";
import { align } from "./completions.js";
import { percent } from "./format.js";

/**
 * @param {{thought: string, text: string, tokens: import("./completions.js").Token[], given: number}} turn
 * @param {(thought: string, text: string) => void} fork goes on from a thought and a text
 */
export function tokenView(turn, fork) {
  const panel = h("div", { class: "tokenpanel", role: "status" }, h("p", { class: "soft small" }, "The darker, the less likely the token was. Choose one to see what else could have stood there, or to go on from it."));
  const given = Math.min(turn.given, turn.thought.length);
  const places = align(turn.thought.slice(given), turn.text, turn.tokens);
  const shift = (/** @type {{part: string, begin: number, end: number}} */ at) => at.part === "thought" ? given : 0;
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
  /** The texts before the token. @param {number} i */
  const before = (i) => {
    const at = places[i];
    return at.part === "thought" ? { thought: turn.thought.slice(0, shift(at) + at.begin), text: "" } : { thought: turn.thought, text: turn.text.slice(0, at.begin) };
  };
  /** @param {number} i */
  const choose = (i) => {
    const token = turn.tokens[i];
    const at = places[i];
    spans.forEach((span, j) => span.classList.toggle("chosen", i === j));
    const whole = at.part === "thought" ? { thought: turn.thought.slice(0, shift(at) + at.end), text: "" } : { thought: turn.thought, text: turn.text.slice(0, at.end) };
    const others = token.a.filter(([text]) => text !== token.t);
    put(panel,
      h("div", { class: "row" }, h("code", { class: "big" }, visible(token.t)), h("span", { class: "soft small" }, "token " + (i + 1) + " · probability " + percent(Math.exp(token.p)) + " · log p " + token.p.toFixed(3))),
      h("div", { class: "row" }, button("Go on from here", () => fork(whole.thought, whole.text), { class: "first" }),
        others.map(([text, p]) => button(visible(text) + "  " + percent(Math.exp(p)), () => {
          const start = before(i);
          fork(at.part === "thought" ? start.thought + text : start.thought, at.part === "thought" ? "" : start.text + text);
        }, { class: "mono", title: "Take this token instead and go on", disabled: /^<[^>]*>$/.test(text) }))));
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
