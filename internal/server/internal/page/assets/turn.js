// One turn of a conversation.
import { button, fill, h, icon, put, toast } from "./dom.js";
import { count, duration } from "./format.js";
import { richText } from "./rich.js";
import { beginningOf, tokenView } from "./tokens.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Turn} Turn */

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function turnElement(conversation, turn) {
  return turn.role === "user" ? question(conversation, turn) : answer(conversation, turn);
}

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 */
function switcher(conversation, turn) {
  const all = conversation.siblings(turn);
  if (all.length < 2) return null;
  const at = all.indexOf(turn);
  const to = (/** @type {number} */ i) => conversation.select(all[i].id);
  return h("span", { class: "switch" },
    button("The one before", () => to(at - 1), { icon: "left", class: "plain", bare: true, disabled: at === 0 }),
    h("span", null, at + 1 + " / " + all.length),
    button("The next one", () => to(at + 1), { icon: "right", class: "plain", bare: true, disabled: at === all.length - 1 }));
}

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 */
function question(conversation, turn) {
  const body = h("div", { class: "said" });
  const acts = h("div", { class: "row turnacts" });
  const element = h("article", { class: "turn user", "aria-label": "Question" }, body, acts);
  const rich = richText({ plain: true });
  const show = () => put(body, rich.element);
  const edit = () => {
    const field = h("textarea", { rows: Math.min(12, turn.text.split("\n").length + 1), value: turn.text, "aria-label": "Question" });
    put(body, field, h("div", { class: "row" },
      button("Ask this", () => { show(); if (field.value.trim()) void conversation.ask(field.value.trim(), turn.parent); }, { class: "first" }), button("Cancel", show)));
    field.focus();
  };
  show();
  return {
    element,
    update() {
      rich.show(turn.text);
      put(acts, switcher(conversation, turn), button("Edit", edit, { icon: "edit", class: "plain" }));
    },
  };
}

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 */
function answer(conversation, turn) {
  const thought = thoughtBlock(conversation, turn);
  const text = richText({ class: "answer" });
  const notes = h("div", { class: "stack" });
  const acts = h("div", { class: "row turnacts" });
  const tools = h("div", { class: "turntools" });
  const element = h("article", { class: "turn assistant", "aria-label": "Reply" }, thought.element, text.element, notes, acts, tools);
  /** @type {string} */
  let open = "";
  const tool = (/** @type {string} */ name, /** @type {() => Node} */ make) => () => {
    open = open === name ? "" : name;
    put(tools, open ? make() : null);
    draw();
  };
  const editor = () => editThought(conversation, turn, () => { open = ""; put(tools); draw(); });
  const draw = () => {
    const isRunning = conversation.running?.turn === turn;
    put(notes, notesOf(turn));
    put(acts, isRunning ? progressOf(conversation, turn) : [
      switcher(conversation, turn),
      button("Retry", () => void conversation.answer(turn.parent), { icon: "retry", class: "plain" }),
      button(turn.thought ? "Edit the thought" : "Edit", tool("edit", editor), { icon: "edit", class: "plain", "aria-pressed": String(open === "edit") }),
      turn.tokens.length ? button("Tokens", tool("tokens", () => tokenView(turn, (from) => void conversation.answer(turn.parent, from))), { icon: "fork", class: "plain", "aria-pressed": String(open === "tokens") }) : null,
      button("Copy", () => void navigator.clipboard.writeText(turn.text).then(() => toast("Copied")), { icon: "copy", class: "plain" }),
      knewLink(conversation, turn),
      h("span", { class: "soft small meta" }, metaOf(turn)),
    ]);
  };
  return {
    element,
    update() {
      thought.update();
      text.show(turn.text);
      draw();
    },
  };
}

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 */
function knewLink(conversation, turn) {
  if (!turn.thought || !conversation.isStored) return null;
  return h("a", { class: "button plainlink", href: "#/knew?conversation=" + conversation.id + "&turn=" + turn.id, title: "Find the token from which it knew the answer" }, icon("knew"), "When did it know?");
}

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 */
function progressOf(conversation, turn) {
  const running = conversation.running;
  if (running?.place) return h("span", { class: "badge" }, "place " + running.place + " in the queue");
  const n = turn.tokens.length;
  const seconds = (Date.now() - turn.began) / 1000;
  return h("span", { class: "soft small" }, !n && !turn.text && !turn.thought ? h("span", { class: "pulse" }, "reads the question") : count(n, "token") + (n > 1 ? ", " + (n / seconds).toFixed(1) + " a second" : ""));
}

/** @param {Turn} turn */
function metaOf(turn) {
  const n = turn.completionTokens || turn.tokens.length;
  const parts = [count(n, "token"), duration(turn.seconds)];
  if (n && turn.seconds) parts.push((n / turn.seconds).toFixed(1) + " tokens/s");
  if (turn.seed !== null) parts.push("seed " + turn.seed);
  return parts.join(" · ");
}

const endings = /** @type {Record<string, string>} */ ({
  budget: "The budget of the thought was used up: it was closed.",
  reserve: "The thought was closed to leave tokens for the answer.",
  loop: "The thought went round in circles: it was closed.",
  request: "You closed the thought.",
});

/** @param {Turn} turn */
function notesOf(turn) {
  return [
    endings[turn.ended] ? h("p", { class: "note turn" }, endings[turn.ended]) : null,
    turn.code === "no_answer" ? h("p", { class: "note bad" }, turn.finish === "length" ? "The tokens ran out before an answer. Give the thought a budget, or close it: edit the thought and go on." : "It ended without an answer.") : null,
    turn.finish === "length" && turn.code !== "no_answer" ? h("p", { class: "note" }, "Cut at the limit of tokens.") : null,
    turn.finish === "stopped" ? h("p", { class: "note" }, "Stopped.") : null,
    turn.error ? h("p", { class: "note bad", role: "alert" }, turn.error) : null,
  ];
}

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 */
function thoughtBlock(conversation, turn) {
  const text = richText({ plain: true, class: "thoughttext" });
  const label = h("span", { class: "grow" });
  const id = "thought-" + turn.id;
  text.element.id = id;
  const isRunning = () => conversation.running?.turn === turn && !turn.text;
  /** @type {boolean | null} */
  let chosen = null;
  const isOpen = () => chosen ?? isRunning();
  const head = h("button", { type: "button", class: "thoughthead", "aria-controls": id, onclick: () => {
    chosen = !isOpen();
    update();
  } }, icon("down"), label);
  const element = h("div", { class: "thought" }, head, text.element);
  const update = () => {
    element.hidden = !turn.thought;
    const live = isRunning();
    const seconds = live ? (Date.now() - turn.began) / 1000 : turn.thoughtSeconds;
    const n = turn.reasoningTokens || turn.tokens.filter((t) => !t.w).length;
    put(label);
    fill(label, [h("span", { class: live ? "pulse" : null }, live ? "Thinking" : "Thought"), h("span", { class: "soft" }, (n ? " · " + count(n, "token") : "") + (seconds ? " · " + duration(seconds) : "") + (turn.given ? " · its beginning was given" : ""))]);
    head.setAttribute("aria-expanded", String(isOpen()));
    element.classList.toggle("open", isOpen());
    element.classList.toggle("live", live);
    if (isOpen()) {
      text.show(turn.thought);
      if (live) text.element.scrollTop = text.element.scrollHeight;
    }
  };
  return { element, update };
}

/**
 * @param {Conversation} conversation
 * @param {Turn} turn
 * @param {() => void} done
 */
function editThought(conversation, turn, done) {
  const field = h("textarea", { rows: 12, class: "mono", value: turn.thought || turn.text, "aria-label": turn.thought ? "Thought" : "Reply", spellcheck: "false" });
  const go = () => {
    done();
    void conversation.answer(turn.parent, beginningOf(turn, field.value));
  };
  setTimeout(() => {
    if (document.activeElement === field) return; // somebody is quicker, and what they have selected stays
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  });
  return h("div", { class: "card tight stack" }, h("p", { class: "soft small" }, "The model goes on where this text ends. The reply becomes a branch; the old one stays."), field,
    h("div", { class: "row" }, button("Continue from here", go, { class: "first" }), button("Cancel", done)));
}
