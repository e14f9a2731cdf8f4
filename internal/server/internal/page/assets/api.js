// Requests to this server: its API, and the routes of the page.
import { h } from "./dom.js";

/** An answer that is an error. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const keyName = "key";

/** @returns {Record<string, string>} */
function authorization() {
  const key = sessionStorage.getItem(keyName);
  return key ? { Authorization: "Bearer " + key } : {};
}

/** @type {Promise<boolean> | null} */
let asking = null;

/** Asks for the server's key; it is kept until the tab is closed. */
function askForKey() {
  asking ??= new Promise((resolve) => {
    const field = h("input", { type: "password", autocomplete: "off", "aria-label": "Key", required: true });
    const dialog = h("dialog", { "aria-label": "The server wants a key", onclose: () => {
      dialog.remove();
      asking = null;
      if (dialog.returnValue !== "use" || !field.value) return resolve(false);
      sessionStorage.setItem(keyName, field.value.trim());
      resolve(true);
    } },
    h("h2", null, "The server wants a key"),
    h("form", { class: "stack", onsubmit: (/** @type {Event} */ e) => { e.preventDefault(); dialog.close("use"); } },
      h("p", { class: "soft small" }, "It was given to retort serve with --key, or printed when the server began. This tab forgets it when it is closed."),
      field,
      h("div", { class: "row" }, h("button", { class: "first", type: "submit" }, "Use it"), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"))));
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

/**
 * Sends a request; an answer that is an error is thrown.
 * @param {string} path
 * @param {{method?: string, body?: unknown, signal?: AbortSignal}} [o]
 * @returns {Promise<Response>}
 */
export async function send(path, o = {}) {
  /** @type {RequestInit} */
  const init = { method: o.method ?? (o.body === undefined ? "GET" : "POST"), signal: o.signal, cache: "no-store", headers: authorization() };
  if (o.body !== undefined) {
    init.headers = { ...authorization(), "Content-Type": "application/json" };
    init.body = JSON.stringify(o.body);
  }
  const key = sessionStorage.getItem(keyName);
  const answer = await fetch(path, init);
  if (answer.ok) return answer;
  // A refusal of a key that was replaced meanwhile says nothing about the new one: only what was sent with the present key asks for another.
  if (answer.status === 401 && (sessionStorage.getItem(keyName) !== key || await askForKey())) return send(path, o);
  let message = "the server answered " + answer.status;
  try {
    const body = await answer.json();
    message = body.error?.message ?? (typeof body.error === "string" ? body.error : message);
  } catch {
    // The answer is no JSON; its status says enough.
  }
  throw new Refusal(answer.status, message);
}

/**
 * Sends a request and reads the answer as JSON.
 * @param {string} path
 * @param {{method?: string, body?: unknown, signal?: AbortSignal}} [o]
 * @returns {Promise<any>}
 */
export async function json(path, o) {
  return (await send(path, o)).json();
}

/**
 * Puts parameters behind a path; those that are null or "" are left out.
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined | string[]>} parameters
 */
export function query(path, parameters) {
  const list = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (Array.isArray(value)) value.forEach((v) => list.append(name, v));
    else if (value !== null && value !== undefined && value !== "" && value !== false) list.set(name, String(value));
  }
  const text = list.toString();
  return text ? path + "?" + text : path;
}

/**
 * An event of a stream; a comment has the name "comment".
 * @typedef {{name: string, data: string}} StreamEvent
 */

/**
 * Reads the events of a stream as they come.
 * @param {Response} answer
 * @returns {AsyncGenerator<StreamEvent>}
 */
export async function* events(answer) {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += value;
      const blocks = held.split(/\r?\n\r?\n/);
      held = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = readEvent(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the connection may be gone already
  }
}

/**
 * @param {string} block
 * @returns {StreamEvent | null}
 */
export function readEvent(block) {
  let name = "message";
  /** @type {string[]} */
  const data = [];
  let comment = "";
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith(":")) comment = line.slice(1).trim();
    else if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  if (data.length) return { name, data: data.join("\n") };
  return comment ? { name: "comment", data: comment } : null;
}
