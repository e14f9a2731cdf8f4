// Text of a model as elements: Markdown's common parts and formulas. Nothing of it becomes HTML.
import { button, h, isSafeLink, put, toast } from "./dom.js";
import { showMath } from "./mathml.js";

/**
 * A piece of a line.
 * @typedef {{kind: "text" | "math" | "display" | "code" | "strong" | "em" | "link" | "answer", text: string, href?: string}} Piece
 */

const marks = [
  { kind: /** @type {const} */ ("code"), pattern: /^`([^`\n]+)`/ },
  { kind: /** @type {const} */ ("display"), pattern: /^\\\[([\s\S]+?)\\\]/ },
  { kind: /** @type {const} */ ("display"), pattern: /^\$\$([\s\S]+?)\$\$/ },
  { kind: /** @type {const} */ ("math"), pattern: /^\\\(([\s\S]+?)\\\)/ },
  { kind: /** @type {const} */ ("math"), pattern: /^\$(?![\s\d][^$\n]*\s\$)((?:\\[\s\S]|[^$\\\n])+?)(?<!\s)\$(?!\d)/ },
  { kind: /** @type {const} */ ("math"), pattern: /^(\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})+\})/ },
];
const labAnswer = /^<answer>([^<>]*)<\/answer>/; // as the models of the lab say it
const markdown = [
  { kind: /** @type {const} */ ("strong"), pattern: /^\*\*(?!\s)([^\n]+?)(?<!\s)\*\*/ },
  { kind: /** @type {const} */ ("em"), pattern: /^\*(?![\s*])([^*\n]+?)(?<!\s)\*(?![\w*])/ },
];
const link = /^\[([^\]\n]+)\]\(([^)\s]+)\)/;

/**
 * Cuts a text into pieces. Formulas and code are found everywhere, the other marks only where plain is false.
 * @param {string} text
 * @param {boolean} plain
 * @returns {Piece[]}
 */
export function pieces(text, plain) {
  /** @type {Piece[]} */
  const list = [];
  let held = "";
  const flush = () => {
    if (held) list.push({ kind: "text", text: held });
    held = "";
  };
  for (let at = 0; at < text.length;) {
    const c = text[at];
    if (c !== "`" && c !== "\\" && c !== "$" && c !== "*" && c !== "[" && c !== "<") {
      held += c;
      at++;
      continue;
    }
    const rest = text.slice(at, at + 8000);
    const before = at === 0 ? " " : text[at - 1];
    let found = null;
    for (const m of marks) {
      const match = m.pattern.exec(rest);
      if (match) {
        found = { kind: m.kind, text: match[1], size: match[0].length, href: undefined };
        break;
      }
    }
    if (!found && !plain && c === "*" && !/[\w*]/.test(before)) {
      for (const m of markdown) {
        const match = m.pattern.exec(rest);
        if (match) {
          found = { kind: m.kind, text: match[1], size: match[0].length, href: undefined };
          break;
        }
      }
    }
    if (!found && !plain && c === "<") {
      const match = labAnswer.exec(rest);
      if (match) found = { kind: /** @type {const} */ ("answer"), text: match[1], size: match[0].length, href: undefined };
    }
    if (!found && !plain && c === "[") {
      const match = link.exec(rest);
      if (match && isSafeLink(match[2])) found = { kind: /** @type {const} */ ("link"), text: match[1], size: match[0].length, href: match[2] };
    }
    if (!found) {
      held += c;
      at++;
      continue;
    }
    flush();
    list.push({ kind: found.kind, text: found.text, href: found.href });
    at += found.size;
  }
  flush();
  return list;
}

/**
 * Makes elements of a line's pieces.
 * @param {string} text
 * @param {boolean} plain
 * @returns {Node[]}
 */
export function line(text, plain) {
  if (text.length > 20000) return [document.createTextNode(text)]; // looking for marks would take too long
  return pieces(text, plain).map((piece) => {
    switch (piece.kind) {
      case "code": return h("code", null, piece.text);
      case "answer": return h("span", { class: "boxed" }, piece.text.trim());
      case "strong": return h("strong", null, line(piece.text, plain));
      case "em": return h("em", null, line(piece.text, plain));
      // A link of a model's text leads elsewhere: it says where, and takes nothing along.
      case "link": return h("a", { href: piece.href, rel: "noreferrer noopener nofollow", target: "_blank", title: piece.href }, piece.text);
      case "math":
      case "display": {
        const place = h("span", { class: piece.kind === "display" ? "tex display" : "tex" });
        showMath(place, piece.text.trim(), piece.kind === "display");
        return place;
      }
      default: return document.createTextNode(piece.text);
    }
  });
}

/**
 * Cuts a text into blocks: fences of code stay whole, and so do formulas that stand alone; else an empty line ends a block.
 * @param {string} text
 * @returns {string[]}
 */
export function blocks(text) {
  /** @type {string[]} */
  const list = [];
  /** @type {string[]} */
  let held = [];
  let fence = "";
  let inMath = false;
  const flush = () => {
    if (held.length) list.push(held.join("\n"));
    held = [];
  };
  for (const row of text.split("\n")) {
    const mark = /^\s*(```+|~~~+)/.exec(row);
    if (fence) {
      held.push(row);
      if (mark && mark[1].startsWith(fence)) {
        fence = "";
        flush();
      }
    } else if (mark) {
      flush();
      fence = mark[1];
      held.push(row);
    } else if (row.trim() === "" && !inMath) flush();
    else {
      held.push(row);
      for (const m of row.matchAll(/\\\[|\\\]|\$\$/g)) inMath = m[0] === "\\[" ? true : m[0] === "\\]" ? false : !inMath;
    }
  }
  flush();
  return list;
}

/**
 * Makes the element of a block.
 * @param {string} block
 * @returns {HTMLElement}
 */
function drawBlock(block) {
  const fence = /^\s*(?:```+|~~~+)([\w+-]*)[^\n]*\n?([\s\S]*?)(?:\n?\s*(?:```+|~~~+)\s*)?$/.exec(block);
  if (fence && /^\s*(```|~~~)/.test(block)) {
    const code = fence[2];
    return h("figure", { class: "code" },
      h("figcaption", null, fence[1] || "text", button("Copy", () => void navigator.clipboard.writeText(code).then(() => toast("Copied")), { class: "plain" })),
      h("pre", null, code));
  }
  const rows = block.split("\n");
  const heading = /^(#{1,6})\s+(.*)$/.exec(rows[0]);
  if (heading && rows.length === 1) return h(heading[1].length < 3 ? "h2" : "h3", null, line(heading[2], false));
  if (rows.length === 1 && /^\s*([-*_])(\s*\1){2,}\s*$/.test(rows[0])) return h("hr", null);
  if (rows.every((row) => row.startsWith(">"))) return h("blockquote", null, paragraph(rows.map((row) => row.replace(/^>\s?/, ""))));
  if (rows.length > 1 && rows[0].includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(rows[1])) return drawTable(rows);
  if (/^\s*([-*+]|\d{1,9}[.)])\s+/.test(rows[0])) return drawList(rows);
  return h("p", null, paragraph(rows));
}

/**
 * @param {string[]} rows
 * @returns {Node[]}
 */
function paragraph(rows) {
  return line(rows.join("\n"), false);
}

/** @param {string[]} rows */
function drawList(rows) {
  const isNumbered = /^\s*\d/.test(rows[0]);
  /** @type {{text: string[], depth: number}[]} */
  const items = [];
  for (const row of rows) {
    const item = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/.exec(row);
    if (item) items.push({ text: [item[3]], depth: Math.min(3, Math.floor(item[1].length / 2)) });
    else if (items.length) items[items.length - 1].text.push(row.trim());
  }
  const start = isNumbered ? parseInt(rows[0], 10) : 1;
  return h(isNumbered ? "ol" : "ul", { start: isNumbered && start !== 1 ? start : null }, items.map((item) =>
    h("li", { class: item.depth ? "deep" + item.depth : null }, line(item.text.join("\n"), false))));
}

/** @param {string[]} rows */
function drawTable(rows) {
  const cells = (/** @type {string} */ row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  return h("div", { class: "scroll" }, h("table", null,
    h("thead", null, h("tr", null, cells(rows[0]).map((cell) => h("th", null, line(cell, false))))),
    h("tbody", null, rows.slice(2).map((row) => h("tr", null, cells(row).map((cell) => h("td", null, line(cell, false))))))));
}

/**
 * An element that shows a growing text: only blocks that changed are drawn again.
 * @param {{plain?: boolean, class?: string}} [o] plain keeps lines and shows formulas, but no other marks
 */
export function richText(o = {}) {
  const element = h("div", { class: "rich " + (o.plain ? "plain-text " : "") + (o.class ?? "") });
  /** @type {string[]} */
  let drawn = [];
  return {
    element,
    /** @param {string} text */
    show(text) {
      const next = o.plain ? text.split(/\n{2,}/) : blocks(text);
      let same = 0;
      while (same < drawn.length && same < next.length && drawn[same] === next[same]) same++;
      while (element.childNodes.length > same) element.lastChild?.remove();
      for (const block of next.slice(same)) element.append(o.plain ? h("p", null, line(block, true)) : drawBlock(block));
      drawn = next;
    },
    clear() {
      put(element);
      drawn = [];
    },
  };
}
