// A conversation: a tree of messages, of which one path is shown. Replies go on while other places are looked at.
import { closeThought, complete, defaults, usableIds } from "./completions.js";
import { json, send } from "./api.js";

/** @typedef {import("./completions.js").Settings} Settings */
/** @typedef {import("./completions.js").Token} Token */

/**
 * @typedef {object} Turn
 * @property {string} id
 * @property {string} parent "" at the beginning
 * @property {"user" | "assistant"} role
 * @property {string} text
 * @property {string} thought
 * @property {Token[]} tokens those that were drawn; empty for a person's text
 * @property {number} given how many characters of thought and text were given to the model rather than drawn by it
 * @property {number[]} [givenIds] the ids of these; none where they are not known
 * @property {string} [model] that drew it
 * @property {number} began in ms
 * @property {number} thoughtSeconds
 * @property {number} seconds
 * @property {string} finish "" while it runs
 * @property {string} code
 * @property {string} ended
 * @property {number | null} seed
 * @property {number} reasoningTokens
 * @property {number} completionTokens
 * @property {string} error
 */

/**
 * @typedef {object} Stored
 * @property {string} id
 * @property {string} title
 * @property {string} created
 * @property {string} updated
 * @property {Settings} settings
 * @property {string} tip the last turn of the path that is shown
 * @property {Turn[]} turns
 */

/** @returns {string} */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** A conversation with the reply that is under way, if there is one. */
export class Conversation {
  /** @param {Partial<Stored>} [stored] */
  constructor(stored = {}) {
    this.id = stored.id ?? newId();
    this.title = stored.title ?? "";
    this.created = stored.created ?? new Date().toISOString();
    this.updated = stored.updated ?? this.created;
    /** @type {Settings} */
    this.settings = { ...defaults, ...stored.settings };
    this.tip = stored.tip ?? "";
    /** @type {Map<string, Turn>} */
    this.turns = new Map((stored.turns ?? []).map((turn) => [turn.id, turn]));
    /** @type {Set<(turn: Turn | null) => void>} */
    this.listeners = new Set();
    /** @type {{turn: Turn, requestId: string, controller: AbortController, place: number, closing: boolean} | null} */
    this.running = null;
    this.isStored = stored.id !== undefined;
    this.saveFault = "";
    for (const turn of this.turns.values()) if (turn.role === "assistant" && !turn.finish) turn.finish = "stopped"; // the page was closed in the middle of it
  }

  /**
   * The turns from the first one to the tip.
   * @returns {Turn[]}
   */
  path() {
    /** @type {Turn[]} */
    const list = [];
    for (let turn = this.turns.get(this.tip); turn && list.length < 10000; turn = this.turns.get(turn.parent)) list.unshift(turn);
    return list;
  }

  /**
   * The turns that stand in the same place.
   * @param {Turn} turn
   */
  siblings(turn) {
    return [...this.turns.values()].filter((other) => other.parent === turn.parent && other.role === turn.role);
  }

  /**
   * Shows the path through a turn, down to the newest turn below it.
   * @param {string} id
   */
  select(id) {
    let tip = id;
    for (;;) {
      const below = [...this.turns.values()].filter((turn) => turn.parent === tip);
      if (!below.length) break;
      tip = below[below.length - 1].id;
    }
    this.tip = tip;
    this.changed(null);
    void this.save();
  }

  /** @param {Turn | null} turn the turn that grew, or null if more has changed */
  changed(turn) {
    this.listeners.forEach((listen) => listen(turn));
  }

  /**
   * @param {Partial<Turn> & {parent: string, role: "user" | "assistant"}} part
   * @returns {Turn}
   */
  add(part) {
    const turn = {
      id: newId(), text: "", thought: "", tokens: [], given: 0, began: Date.now(), thoughtSeconds: 0, seconds: 0, finish: "", code: "", ended: "", seed: null,
      reasoningTokens: 0, completionTokens: 0, error: "", ...part,
    };
    this.turns.set(turn.id, turn);
    this.tip = turn.id;
    return turn;
  }

  /**
   * Says something and asks for the reply. parent is the turn below which it is said.
   * @param {string} text
   * @param {string} [parent]
   */
  ask(text, parent = this.tip) {
    const turn = this.add({ parent, role: "user", text, finish: "said" });
    if (!this.title) this.title = text.replace(/\s+/g, " ").slice(0, 80);
    return this.answer(turn.id);
  }

  /**
   * Asks for a reply below a turn. It may begin with what is given.
   * @param {string} parent
   * @param {import("./completions.js").Beginning} [from]
   */
  async answer(parent, from = { thought: "", text: "" }) {
    const { thought, text } = from;
    this.stop();
    /** @type {import("./completions.js").Message[]} */
    const messages = [];
    const turn = this.add({ parent, role: "assistant", thought, text, given: thought.length + text.length });
    for (const earlier of this.path()) if (earlier !== turn) messages.push({ role: earlier.role, content: earlier.text });
    const controller = new AbortController();
    const running = { turn, requestId: "", controller, place: 0, closing: false };
    this.running = running;
    this.changed(null);
    try {
      const ids = await usableIds(from, this.settings);
      if (!ids && (thought || text)) messages.push({ role: "assistant", content: text, ...(thought ? { reasoning_content: thought } : {}) });
      for await (const news of complete({ messages, settings: this.settings, ids, tokens: true, signal: controller.signal })) {
        if (news.id) running.requestId = news.id;
        running.place = news.place ?? 0;
        take(turn, news);
        if (running.closing && running.requestId) {
          running.closing = false;
          void this.closeThought();
        }
        this.changed(turn);
      }
      if (!turn.finish) turn.finish = "stopped";
    } catch (error) {
      turn.finish = controller.signal.aborted ? "stopped" : "error";
      if (turn.finish === "error") turn.error = error instanceof Error ? error.message : String(error);
    }
    turn.seconds = (Date.now() - turn.began) / 1000;
    if (turn.thought && !turn.thoughtSeconds) turn.thoughtSeconds = turn.seconds;
    if (this.running === running) this.running = null;
    this.updated = new Date().toISOString();
    this.changed(null);
    await this.save();
  }

  /** Stops the reply that is under way; what has come stays. */
  stop() {
    this.running?.controller.abort();
  }

  /** Has the model answer now. */
  async closeThought() {
    const running = this.running;
    if (!running) return;
    if (!running.requestId) {
      running.closing = true;
      return;
    }
    try {
      await closeThought(running.requestId);
    } catch (error) {
      running.turn.error = "the thought could not be closed: " + (error instanceof Error ? error.message : String(error));
      this.changed(running.turn);
    }
  }

  /** @returns {Stored} */
  stored() {
    return { id: this.id, title: this.title, created: this.created, updated: this.updated, settings: this.settings, tip: this.tip, turns: [...this.turns.values()] };
  }

  async save() {
    try {
      await send("/page/api/conversations/" + this.id, { body: this.stored() });
      this.isStored = true;
      this.saveFault = "";
    } catch (error) {
      this.saveFault = error instanceof Error ? error.message : String(error);
    }
    this.changed(null);
  }
}

/**
 * @param {Turn} turn
 * @param {import("./completions.js").News} news
 */
function take(turn, news) {
  if (news.continued) {
    turn.thought = news.continued.reasoning_content ?? "";
    turn.text = news.continued.content ?? "";
    turn.given = turn.thought.length + turn.text.length;
    turn.givenIds = news.continued.token_ids;
  }
  turn.model = news.model ?? turn.model;
  turn.thought += news.thought;
  if (news.text && !turn.thoughtSeconds && turn.thought) turn.thoughtSeconds = (Date.now() - turn.began) / 1000;
  turn.text += news.text;
  turn.tokens.push(...news.tokens);
  turn.finish = news.finish ?? turn.finish;
  turn.code = news.code || turn.code;
  turn.ended = news.ended || turn.ended;
  turn.seed = news.seed ?? turn.seed;
  if (news.usage) {
    turn.completionTokens = news.usage.completion_tokens ?? 0;
    turn.reasoningTokens = news.usage.completion_tokens_details?.reasoning_tokens ?? 0;
  }
}

/** The conversations that have been opened; those with a reply under way must not be lost. @type {Map<string, Conversation>} */
const opened = new Map();

/**
 * Opens a conversation by its id; a new one has none.
 * @param {string} [id]
 */
export async function openConversation(id) {
  if (!id) {
    const fresh = new Conversation();
    opened.set(fresh.id, fresh);
    return fresh;
  }
  let conversation = opened.get(id);
  if (!conversation) {
    conversation = new Conversation(await json("/page/api/conversations/" + encodeURIComponent(id)));
    opened.set(id, conversation);
  }
  return conversation;
}

/** @param {string} id */
export async function removeConversation(id) {
  opened.get(id)?.stop();
  opened.delete(id);
  await send("/page/api/conversations/" + encodeURIComponent(id), { method: "DELETE" });
}

/**
 * A conversation as Markdown: the path that is shown.
 * @param {Conversation} c
 */
export function toMarkdown(c) {
  const parts = ["# " + (c.title || "Conversation"), "", "Model: " + (c.settings.model || "the server's first") + ". " + c.created, ""];
  for (const turn of c.path()) {
    parts.push(turn.role === "user" ? "## Question" : "## Reply", "");
    if (turn.thought) parts.push(...turn.thought.trim().split("\n").map((row) => ("> " + row).trimEnd()), "");
    parts.push(turn.text.trim(), "");
  }
  return parts.join("\n");
}
