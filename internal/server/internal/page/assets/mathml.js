// LaTeX to MathML: the server makes a tree, and here the tree becomes elements.
import { json } from "./api.js";

const space = "http://www.w3.org/1998/Math/MathML";

/**
 * A node of the server: an element's name, its text or its children, and attributes.
 * @typedef {{n: string, t?: string, a?: Record<string, string>, c?: MathNode[]}} MathNode
 */

/** The elements and attributes that are made. The server sends no others; what it sent is looked at all the same. */
const elements = new Set(["math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover",
  "munderover", "mtable", "mtr", "mtd", "mphantom", "mpadded", "menclose", "mstyle", "merror"]);
const attributes = new Set(["display", "mathvariant", "stretchy", "fence", "separator", "form", "accent", "accentunder", "width", "linethickness", "displaystyle",
  "scriptlevel", "columnalign", "notation", "lspace", "rspace", "minsize", "maxsize", "movablelimits", "largeop", "symmetric", "rowspacing", "columnspacing"]);

/**
 * @param {MathNode} node
 * @param {number} [depth]
 * @returns {Element | null}
 */
export function build(node, depth = 0) {
  if (!elements.has(node.n) || depth > 200) return null;
  const element = document.createElementNS(space, node.n);
  for (const [name, value] of Object.entries(node.a ?? {})) if (attributes.has(name)) element.setAttribute(name, value);
  if (node.t !== undefined) element.textContent = node.t;
  for (const child of node.c ?? []) {
    const made = build(child, depth + 1);
    if (made) element.appendChild(made);
  }
  return element;
}

/** @type {Map<string, MathNode | null>} */
const known = new Map();
/** @type {Map<string, Set<HTMLElement>>} */
let waiting = new Map();
let timer = 0;

/**
 * Shows a formula in an element: as it is written at first, and as MathML as soon as the server has converted it.
 * @param {HTMLElement} place
 * @param {string} latex
 * @param {boolean} display
 */
export function showMath(place, latex, display) {
  const name = (display ? "D" : "I") + latex;
  place.textContent = latex;
  const node = known.get(name);
  if (node !== undefined) {
    draw(place, node, latex);
    return;
  }
  if (latex.length > 4000) return;
  const places = waiting.get(name) ?? new Set();
  places.add(place);
  waiting.set(name, places);
  if (!timer) timer = window.setTimeout(convert, 60);
}

/**
 * @param {HTMLElement} place
 * @param {MathNode | null} node
 * @param {string} latex
 */
function draw(place, node, latex) {
  const element = node && build(node);
  if (!element) return;
  element.setAttribute("aria-label", latex);
  place.replaceChildren(element);
  place.classList.add("done");
}

async function convert() {
  timer = 0;
  const batch = [...waiting.entries()].slice(0, 100);
  for (const [name] of batch) waiting.delete(name);
  if (waiting.size) timer = window.setTimeout(convert, 60);
  try {
    const answer = await json("/page/api/math", { body: { formulas: batch.map(([name]) => ({ latex: name.slice(1), display: name[0] === "D" })) } });
    batch.forEach(([name, places], i) => {
      const node = /** @type {MathNode | null} */ (answer.formulas[i] ?? null);
      if (known.size > 5000) known.clear();
      known.set(name, node);
      places.forEach((place) => draw(place, node, name.slice(1)));
    });
  } catch {
    // The formulas stay as they are written.
  }
}
