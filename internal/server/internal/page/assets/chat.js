// The chat.
import { button, h, mark, put, say, saveFile, toast, trouble } from "./dom.js";
import { json } from "./api.js";
import { count, moment } from "./format.js";
import { openConversation, removeConversation, toMarkdown } from "./conversation.js";
import { settingsForm } from "./settings.js";
import { turnElement } from "./turn.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Turn} Turn */

/** @type {Promise<string[]> | null} */
let starters = null;

/** Questions that the server's model can take, to begin with. */
function examples() {
  starters ??= json("/page/api/about").then((about) => about.examples ?? []).catch(() => []);
  return starters;
}

/** @type {import("./stage.js").View} */
export async function view(stage) {
  const conversation = await openConversation(stage.route.path[0]);
  if (stage.signal.aborted) return;
  const thread = h("div", { class: "thread", role: "log", "aria-label": "Conversation" });
  const heading = h("h1", { class: "grow" });
  const list = h("ul", { class: "history" });
  const fault = h("p", { class: "note bad", hidden: true });
  const panel = h("div", { class: "card panel", hidden: true }, settingsForm(conversation.settings, () => {}));
  const aside = h("aside", { class: "conversations", "aria-label": "Conversations" },
    h("div", { class: "row" }, h("h2", { class: "grow small soft" }, "Kept on this server"), button("New", () => { location.hash = "#/chat"; stageNew(stage); }, { icon: "plus", class: "plain" })), list);
  const toggle = (/** @type {HTMLElement} */ what) => (/** @type {Event} */ e) => {
    what.classList.toggle("open");
    if (what === panel) panel.hidden = !panel.hidden;
    const pressed = what === panel ? !panel.hidden : what.classList.contains("open");
    /** @type {HTMLElement} */ (e.currentTarget).setAttribute("aria-pressed", String(pressed));
  };
  const composer = makeComposer(conversation, stage);
  put(stage.root, h("div", { class: "chat" }, aside, h("section", { class: "talk" },
    h("div", { class: "head talkhead" }, heading,
      h("div", { class: "row" },
        button("Conversations", toggle(aside), { icon: "list", class: "plain only-narrow", "aria-pressed": "false" }),
        button("Settings", toggle(panel), { icon: "tune", class: "plain", "aria-pressed": "false" }),
        button("Export", () => exportDialog(conversation), { icon: "save", class: "plain" }))),
    panel, fault, thread, composer.element)));

  /** @type {Map<string, ReturnType<typeof turnElement>>} */
  let drawn = new Map();
  const nearEnd = () => window.innerHeight + window.scrollY > document.documentElement.scrollHeight - 140;
  /** @param {Turn | null} turn */
  const update = (turn) => {
    const isAtEnd = nearEnd();
    composer.running();
    if (turn) drawn.get(turn.id)?.update();
    else {
      heading.textContent = conversation.title || "Chat";
      stage.title(conversation.title || "Chat");
      fault.hidden = !conversation.saveFault;
      fault.textContent = "This conversation is not kept: " + conversation.saveFault;
      const path = conversation.path();
      const next = new Map(path.map((t) => [t.id, drawn.get(t.id) ?? turnElement(conversation, t)]));
      put(thread, path.length ? [...next.values()].map((e) => e.element) : welcome(composer.field));
      next.forEach((e) => e.update());
      drawn = next;
      if (conversation.isStored && stage.route.path[0] !== conversation.id) {
        history.replaceState(null, "", stage.link([conversation.id]));
        stage.route.path = [conversation.id];
        void drawList();
      }
    }
    if (isAtEnd && conversation.running) window.scrollTo(0, document.documentElement.scrollHeight);
  };
  const drawList = async () => {
    try {
      const answer = await json("/page/api/conversations", { signal: stage.signal });
      put(list, answer.conversations.map((/** @type {any} */ c) => h("li", null,
        h("a", { href: stage.link([c.id]), "aria-current": c.id === conversation.id ? "page" : null }, h("span", null, c.title || "Untitled"),
          h("small", null, moment(c.updated) + " · " + count(c.turns, "turn"))),
        button("Delete " + (c.title || "Untitled"), () => void removeListed(c.id), { icon: "bin", class: "plain danger", bare: true }))),
      answer.conversations.length ? null : h("li", { class: "soft small" }, answer.kept ? "None so far." : "This server keeps no conversations; see its option --conversations."));
    } catch (error) {
      if (!stage.signal.aborted) put(list, h("li", null, trouble(error)));
    }
  };
  const removeListed = async (/** @type {string} */ id) => {
    try {
      await removeConversation(id);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    }
    if (id === conversation.id) {
      location.hash = "#/chat";
    } else await drawList();
  };
  conversation.listeners.add(update);
  stage.signal.addEventListener("abort", () => conversation.listeners.delete(update));
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    if (document.querySelector("dialog[open]") || !conversation.running) return;
    if (e.key === "Escape") conversation.stop();
    else if (e.altKey && e.key === ".") void conversation.closeThought();
    else return;
    e.preventDefault();
  };
  document.addEventListener("keydown", onKey, { signal: stage.signal });
  update(null);
  void drawList();
  if (window.matchMedia("(min-width: 781px)").matches) composer.field.focus({ preventScroll: true });
  if (conversation.path().length) window.scrollTo(0, document.documentElement.scrollHeight);
}

/**
 * Begins anew also where the address has not changed.
 * @param {import("./stage.js").Stage} stage
 */
function stageNew(stage) {
  if (!stage.route.path.length) window.dispatchEvent(new Event("hashchange"));
}

/** @param {HTMLTextAreaElement} field */
function welcome(field) {
  const offers = h("div", { class: "offers" });
  void examples().then((list) => put(offers, list.map((text) => button(text, () => {
    field.value = text;
    field.dispatchEvent(new Event("input"));
    field.focus();
  }))));
  return h("div", { class: "empty" }, mark(), h("p", null, "Ask something that takes a thought."), offers);
}

/**
 * @param {Conversation} conversation
 * @param {import("./stage.js").Stage} stage
 */
function makeComposer(conversation, stage) {
  const field = h("textarea", { rows: 1, placeholder: "Ask", "aria-label": "Question", "data-slash": true, enterkeyhint: "send",
    oninput: () => fit(), onkeydown: (/** @type {KeyboardEvent} */ e) => {
      if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      send();
    } });
  const fit = () => {
    field.style.height = "auto";
    field.style.height = Math.min(field.scrollHeight + 2, window.innerHeight * 0.4) + "px";
    press.disabled = !field.value.trim();
  };
  const send = () => {
    const text = field.value.trim();
    if (!text || conversation.running) return;
    field.value = "";
    fit();
    void conversation.ask(text).then(() => { if (!stage.signal.aborted) say("The reply is whole"); });
    window.scrollTo(0, document.documentElement.scrollHeight);
  };
  const press = button("Send", send, { icon: "send", class: "first send", bare: true, disabled: true });
  const stop = button("Stop", () => conversation.stop(), { icon: "stop" });
  const close = button("Close the thought", () => void conversation.closeThought(), { icon: "cut" });
  const acts = h("div", { class: "row acts" }, stop, close, h("span", { class: "soft small only-wide" }, h("kbd", null, "Esc"), " stops, ", h("kbd", null, "Alt ."), " closes the thought"));
  const element = h("div", { class: "composer" }, acts, h("div", { class: "box" }, field, press));
  return {
    element, field,
    running() {
      const turn = conversation.running?.turn;
      acts.hidden = !turn;
      field.placeholder = turn ? "The model replies" : "Ask";
      close.hidden = !turn || turn.text !== "";
    },
  };
}

/** @param {Conversation} conversation */
function exportDialog(conversation) {
  const name = (conversation.title || "conversation").toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 40) || "conversation";
  const dialog = h("dialog", { "aria-label": "Export", onclose: () => dialog.remove() },
    h("h2", null, "Export this conversation"),
    h("p", { class: "soft small" }, "Markdown holds the path that is shown, JSON every branch with its tokens. On the server it is one file in the folder of conversations."),
    h("div", { class: "row", style: { "margin-top": "14px" } },
      button("Markdown", () => { saveFile(name + ".md", "text/markdown", toMarkdown(conversation)); dialog.close(); }, { class: "first" }),
      button("JSON", () => { saveFile(name + ".json", "application/json", JSON.stringify(conversation.stored(), null, 1)); dialog.close(); }),
      button("Cancel", () => dialog.close())));
  document.body.append(dialog);
  dialog.showModal();
}
