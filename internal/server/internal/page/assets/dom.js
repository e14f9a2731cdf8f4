// Elements are made of parts, never of HTML: a text from outside is a text node and nothing else.

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, any>} Properties */

const svgSpace = "http://www.w3.org/2000/svg";

/**
 * Makes an element. A property that begins with "on" is a listener, "style" an object of CSS properties, true an empty attribute; null and false are left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Properties | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  set(element, properties ?? {});
  fill(element, children);
  return element;
}

/**
 * Makes an element of SVG.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Properties | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, properties, ...children) {
  const element = /** @type {SVGElementTagNameMap[T]} */ (document.createElementNS(svgSpace, tag));
  set(element, properties ?? {});
  fill(element, children);
  return element;
}

/**
 * @param {HTMLElement | SVGElement} element
 * @param {Properties} properties
 */
function set(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (name === "style") {
      for (const [property, v] of Object.entries(value)) element.style.setProperty(property, String(v));
    } else if (name === "value" && "value" in element) {
      /** @type {any} */ (element).value = value;
    } else if (name === "href") {
      if (isSafeLink(String(value))) element.setAttribute("href", String(value));
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/**
 * Reports whether a link leads where a click may lead: within the page, or to a page of the web.
 * @param {string} link
 */
export function isSafeLink(link) {
  return /^(#|\/(?!\/))/.test(link) || /^(https?:\/\/|mailto:|blob:)/i.test(link);
}

/**
 * Puts children at the end of an element.
 * @param {Node} element
 * @param {(Child | Child[])[]} children
 */
export function fill(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)));
  }
}

/**
 * Replaces what an element holds.
 * @template {Element} T
 * @param {T} element
 * @param {...(Child | Child[])} children
 * @returns {T}
 */
export function put(element, ...children) {
  element.replaceChildren();
  fill(element, children);
  return element;
}

/** The lines of the icons, in a square of 24. */
const paths = {
  chat: "M4 5.5h16v11H9.5L5 20v-3.5H4z",
  river: "M3 12h5c4 0 4-7 8-7h5M8 12c4 0 4 0 8 0h5M8 12c4 0 4 7 8 7h5",
  knew: "M4 19h16M4 15l4-1 3-7 3 5 6-1M11 7v12",
  runs: "M4 4v16h16M7 15l4-5 3 3 5-7",
  aha: "M9.5 18h5M10 21h4M12 3a6 6 0 0 0-3.6 10.8c.7.6 1.1 1.3 1.1 2.2h5c0-.9.4-1.6 1.1-2.2A6 6 0 0 0 12 3z",
  evaluations: "M5 4h14v16H5zM8.5 9l1.5 1.5L13 7.5M8.5 15.5l1.5 1.5 3-3M15.5 9.5h1M15.5 16h1",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  help: "M9.2 9a2.9 2.9 0 0 1 5.6.9c0 1.9-2.8 2.4-2.8 4.1M12 17.5v.2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  stop: "M7 7h10v10H7z",
  send: "M12 20V5M6 11l6-6 6 6",
  close: "M6 6l12 12M18 6L6 18",
  retry: "M5 12a7 7 0 1 1 2 4.9M5 12V7M5 12h5",
  edit: "M5 19l1-4L16.5 4.5l3 3L9 18zM14 7l3 3",
  fork: "M7 4v6c0 4 10 2 10 7v3M7 10v10M17 17l-2.5 2.5M17 20l2.5-2.5",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  plus: "M12 5v14M5 12h14",
  left: "M14.5 6l-6 6 6 6",
  right: "M9.5 6l6 6-6 6",
  down: "M6 9.5l6 6 6-6",
  save: "M12 4v11M7 10l5 5 5-5M5 20h14",
  cut: "M4 12h10M11 8l4 4-4 4M19 5v14",
  tune: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  list: "M4 6h16M4 12h16M4 18h10",
};

/**
 * Makes an icon that says nothing to a screen reader.
 * @param {keyof typeof paths} name
 */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: paths[name] }));
}

/** The mark of Retort. */
export function mark() {
  return svg("svg", { viewBox: "0 0 32 32", fill: "none", "stroke-width": 2.4, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" },
    svg("path", { d: "M13 11a9 9 0 1 0 6.6 6.1L29 12.2l-2-3.6-9.4 3.6A9 9 0 0 0 13 11z", stroke: "var(--s0)" }),
    svg("path", { d: "M5.2 21.5h15.4", stroke: "var(--s1)" }));
}

/**
 * Says something to a screen reader.
 * @param {string} text
 */
export function say(text) {
  const place = document.getElementById("say");
  if (place) place.textContent = text;
}

/**
 * Shows a line for a moment.
 * @param {string} text
 */
export function toast(text) {
  document.querySelectorAll(".toast").forEach((old) => old.remove());
  const line = h("div", { class: "toast", role: "status" }, text);
  document.body.append(line);
  setTimeout(() => line.remove(), 4000);
}

/**
 * Shows what went wrong in place of a view's content.
 * @param {unknown} error
 */
export function trouble(error) {
  return h("p", { class: "note bad", role: "alert" }, error instanceof Error ? error.message : String(error));
}

/**
 * Makes a button.
 * @param {string} label
 * @param {(event: Event) => void} press
 * @param {{class?: string, icon?: keyof typeof paths, title?: string, bare?: boolean, [name: string]: any}} [o] bare shows the icon alone
 */
export function button(label, press, o = {}) {
  const { icon: name, bare, ...rest } = o;
  return h("button", { type: "button", onclick: press, "aria-label": bare ? label : null, title: bare ? label : null, ...rest }, name ? icon(name) : null, bare ? null : label);
}

/**
 * Makes a file of a text and has the browser save it.
 * @param {string} name
 * @param {string} kind
 * @param {string} text
 */
export function saveFile(name, kind, text) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

const badges = /** @type {Record<string, string>} */ ({ done: "good", running: "turn", failed: "bad", damaged: "bad", interrupted: "bad", stopped: "" });

/** How a run stands, in its colour. @param {string} status */
export function statusBadge(status) {
  return h("span", { class: "badge " + (badges[status] ?? "") + (status === "running" ? " pulse" : "") }, status);
}
