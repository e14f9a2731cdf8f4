// The frame: places, links that lead to a place, theme and keys.
import { button, h, icon, mark, put, say, trouble } from "./dom.js";
import { json } from "./api.js";
import { places } from "./places.js";

/** @typedef {import("./stage.js").Route} Route */
/** @typedef {import("./stage.js").Stage} Stage */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const bar = /** @type {HTMLElement} */ (document.getElementById("bar"));

/** @type {{stage: Stage, place: string, controller: AbortController} | null} */
let shown = null;

/**
 * Reads the part of the address behind the #.
 * @param {string} hash
 * @returns {Route}
 */
function readRoute(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { path: parts, query: new URLSearchParams(query ?? "") };
}

/** Shows the place of the address. */
async function show() {
  const route = readRoute(location.hash);
  const place = places.find((p) => p.id === route.path[0]) ?? places[0];
  const inner = { path: route.path.slice(1), query: route.query };
  if (shown?.place === place.id && shown.stage.follow?.(inner)) return;
  shown?.controller.abort();
  const controller = new AbortController();
  const root = h("div", { class: "wide" });
  /** @type {Stage} */
  const stage = {
    root, route: inner, signal: controller.signal, follow: null,
    title: (text) => { document.title = text + " · Retort"; },
    link: (path, query) => linkTo([place.id, ...path], query),
    go: (path, query, replace) => goTo([place.id, ...path], query, replace),
  };
  shown = { stage, place: place.id, controller };
  stage.title(place.title);
  for (const link of bar.querySelectorAll("[data-place]")) {
    if (link.getAttribute("data-place") === place.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.className = "at-" + place.id;
  put(main, root);
  window.scrollTo(0, 0);
  say(place.title);
  try {
    await (await place.load())(stage);
  } catch (error) {
    if (!controller.signal.aborted) put(root, trouble(error));
  }
}

/**
 * @param {string[]} path
 * @param {Record<string, any>} [query]
 */
function linkTo(path, query) {
  const list = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (Array.isArray(value)) value.forEach((v) => list.append(name, v));
    else if (value !== null && value !== undefined && value !== "" && value !== false) list.set(name, String(value));
  }
  const text = list.toString();
  return "#/" + path.map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}

/**
 * @param {string[]} path
 * @param {Record<string, any>} [query]
 * @param {boolean} [replace]
 */
function goTo(path, query, replace) {
  const link = linkTo(path, query);
  if (replace) {
    history.replaceState(null, "", link);
    void show();
  } else location.hash = link;
}

const themes = /** @type {const} */ ({ auto: "As the system", light: "Light", dark: "Dark" });

function themeButton() {
  const now = () => /** @type {keyof typeof themes} */ (document.documentElement.dataset.theme ?? "auto");
  const draw = () => {
    const theme = now();
    put(press, icon(theme === "light" ? "sun" : theme === "dark" ? "moon" : "auto"));
    press.setAttribute("aria-label", "Theme: " + themes[theme]);
    press.title = "Theme: " + themes[theme];
  };
  const press = button("", () => {
    const order = /** @type {(keyof typeof themes)[]} */ (Object.keys(themes));
    const next = order[(order.indexOf(now()) + 1) % order.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Storage may be forbidden; the theme then lasts until the page is closed.
    }
    draw();
    window.dispatchEvent(new Event("themechange"));
  }, { class: "plain theme" });
  draw();
  return press;
}

/** The lamp that says whether the model is ready. */
function stateLine() {
  const line = h("span", { class: "state" });
  const look = async () => {
    let lamp = "bad";
    let text = "no answer";
    try {
      const answer = await fetch("/health", { cache: "no-store" });
      lamp = answer.ok ? "good" : answer.status === 503 ? "" : "bad";
      text = answer.ok ? "ready" : answer.status === 503 ? "loading" : "fault";
    } catch {
      // The server is gone; the lamp says so.
    }
    put(line, h("span", { class: "lamp " + lamp }), text);
  };
  void look();
  setInterval(() => { if (!document.hidden) void look(); }, 10000);
  return line;
}

function drawBar() {
  put(bar,
    h("a", { class: "brand", href: "#/chat" }, mark(), "Retort"),
    h("nav", { class: "places", "aria-label": "Places" }, places.map((p) =>
      h("a", { href: "#/" + p.id, "data-place": p.id }, icon(p.icon), h("span", null, p.title), h("kbd", { "aria-hidden": "true" }, "g " + p.key)))),
    h("div", { class: "barfoot" }, themeButton(), button("Keys", showKeys, { class: "plain help", icon: "help", bare: true }), stateLine()));
}

function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  const row = (/** @type {string} */ keys, /** @type {string} */ text) => [h("span", null, keys.split(" ").map((k) => [h("kbd", null, k), " "]).flat()), h("span", null, text)];
  const dialog = h("dialog", { "aria-label": "Keys", onclose: () => dialog.remove(), onclick: (/** @type {Event} */ e) => { if (e.target === dialog) dialog.close(); } },
    h("h2", null, "Keys"),
    h("div", { class: "keys" },
      places.map((p) => row("g " + p.key, p.title)).flat(2),
      row("/", "To the question, or to the filter"),
      row("Enter", "Send; with Shift a new line"),
      row("Esc", "Stop the reply"),
      row("Alt .", "Close the thought now"),
      row("← →", "In a chart: from step to step; + and − zoom, 0 shows all, the wheel with Shift moves"),
      row("[ ]", "The step before and behind, the sample before and behind"),
      row("?", "These keys")),
    h("div", { class: "row", style: { "margin-top": "16px" } }, button("Close", () => dialog.close())));
  document.body.append(dialog);
  dialog.showModal();
}

/** @type {number} */
let goPressed = 0;

/** @param {KeyboardEvent} e */
function onKey(e) {
  const target = /** @type {HTMLElement} */ (e.target);
  if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
  if (target.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]")) return;
  if (e.key === "?") return showKeys();
  if (e.key === "/") {
    const field = /** @type {HTMLElement | null} */ (main.querySelector("[data-slash]"));
    if (field) {
      e.preventDefault();
      field.focus();
    }
    return;
  }
  const place = places.find((p) => p.key === e.key);
  if (place && Date.now() - goPressed < 1500) {
    goPressed = 0;
    e.preventDefault();
    location.hash = "#/" + place.id;
    return;
  }
  goPressed = e.key === "g" ? Date.now() : 0;
}

drawBar();
window.addEventListener("hashchange", () => void show());
document.addEventListener("keydown", onKey);
document.querySelector(".skip")?.addEventListener("click", (e) => {
  e.preventDefault();
  main.focus();
});
void show();
void json("/page/api/about").then((about) => { document.documentElement.dataset.runs = about.runs ? "yes" : "no"; }).catch(() => {}); // the views say what is missing
