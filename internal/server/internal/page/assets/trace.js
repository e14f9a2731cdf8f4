// A trace as text in which its turns can be seen: where it turns back, what it says of its attempts, and its marks.
import { h } from "./dom.js";

const parts = /(<\/?think>|<\/?answer>|<\|[^|>]{1,40}\|>|<｜[^｜>]{1,40}｜>)|\b(wait|hmm|alternatively|let me (?:re-?)?check|let me verify|actually)\b|\b(ok)(?=\s*(?:\n|$))|\b(no)(?=\s*(?:\n|$))/gi;

/**
 * @param {string} text
 */
export function traceText(text) {
  const box = h("div", { class: "trace" });
  let at = 0;
  for (const m of text.matchAll(parts)) {
    box.append(text.slice(at, m.index));
    const kind = m[1] ? "mark" : m[2] ? "turnback" : m[3] ? "saidok" : "saidno";
    box.append(h("span", { class: kind }, m[0]));
    at = m.index + m[0].length;
  }
  box.append(text.slice(at));
  return box;
}
