// Replies of the model, through the server's OpenAI-compatible API.
import { events, json, Refusal, send } from "./api.js";

/**
 * A token of a reply: its text, its log-probability, the likeliest others (text, log-probability, id), whether it stands in the answer, and its id.
 * Ids are missing where they are not known.
 * @typedef {{t: string, p: number, a: [string, number, number?][], w: 0 | 1, id?: number}} Token
 */

/**
 * A reply's beginning, which is gone on from: by its ids where they are known and the model is still the one that they are of, else by its texts.
 * @typedef {{thought: string, text: string, ids?: number[] | null, model?: string}} Beginning
 */

/**
 * What is new of one reply.
 * @typedef {object} News
 * @property {string} id of the request
 * @property {number} choice
 * @property {string} thought
 * @property {string} text
 * @property {Token[]} tokens
 * @property {string} [finish]
 * @property {string} [code]
 * @property {string} [ended] what ended the thought
 * @property {number} [seed]
 * @property {any} [usage]
 * @property {number} [place] in the queue
 * @property {string} [model] that replies
 * @property {{token_ids: number[], reasoning_content?: string, content?: string}} [continued] the beginning that was given, before all else
 */

/**
 * How a reply is drawn; null leaves a value to the server.
 * @typedef {object} Settings
 * @property {string} model "" is the server's first one
 * @property {string} system
 * @property {number | null} temperature
 * @property {number | null} topP
 * @property {number | null} maxTokens
 * @property {number | null} budget of the thought, in tokens
 * @property {number | null} seed
 */

/** @type {Settings} */
export const defaults = { model: "", system: "", temperature: null, topP: null, maxTokens: null, budget: null, seed: null };

/** @typedef {{role: string, content: string, reasoning_content?: string}} Message */

/**
 * Asks for replies, and yields what comes.
 * @param {object} o
 * @param {Message[]} o.messages an assistant's message at the end is gone on with
 * @param {Settings} o.settings
 * @param {number} [o.n]
 * @param {boolean} [o.tokens] also the tokens with their probabilities
 * @param {number[] | null} [o.ids] the ids with which the replies begin
 * @param {AbortSignal} [o.signal]
 * @param {number} [o.maxTokens] in place of that of the settings
 * @returns {AsyncGenerator<News>}
 */
export async function* complete(o) {
  const { settings } = o;
  const messages = settings.system ? [{ role: "system", content: settings.system }, ...o.messages] : o.messages;
  /** @type {Record<string, any>} */
  const body = { model: settings.model, messages, stream: true, stream_options: { include_usage: true } };
  if (o.n && o.n > 1) body.n = o.n;
  if (settings.temperature !== null) body.temperature = settings.temperature;
  if (settings.topP !== null) body.top_p = settings.topP;
  const most = o.maxTokens ?? settings.maxTokens;
  if (most !== null && most !== undefined) body.max_completion_tokens = most;
  if (settings.budget !== null) body.thinking_budget = settings.budget;
  if (settings.seed !== null) body.seed = settings.seed;
  if (o.tokens) {
    body.logprobs = true;
    body.top_logprobs = 4;
    body.return_token_ids = true;
  }
  if (o.ids) body.continue_token_ids = o.ids;
  const answer = await send("/v1/chat/completions", { body, signal: o.signal });
  for await (const event of events(answer)) {
    if (event.name === "comment") {
      const place = /^queue (\d+)/.exec(event.data);
      if (place) yield { id: "", choice: 0, thought: "", text: "", tokens: [], place: Number(place[1]) };
      continue;
    }
    if (event.data === "[DONE]") continue; // the connection ends next
    const chunk = JSON.parse(event.data);
    if (chunk.error) throw new Refusal(chunk.error.code ?? 500, chunk.error.message ?? "the reply ended with an error");
    if (chunk.usage && !chunk.choices?.length) yield { id: chunk.id, choice: 0, thought: "", text: "", tokens: [], usage: chunk.usage };
    for (const choice of chunk.choices ?? []) yield { ...newsOf(chunk.id, choice), model: chunk.model, continued: chunk.continued };
  }
}

/**
 * @param {string} id
 * @param {any} choice
 * @returns {News}
 */
function newsOf(id, choice) {
  const delta = choice.delta ?? {};
  const tokens = [...tokensOf(choice.logprobs?.reasoning, 0), ...tokensOf(choice.logprobs?.content, 1)];
  return {
    id, choice: choice.index ?? 0, thought: delta.reasoning_content ?? delta.reasoning ?? "", text: delta.content ?? "", tokens,
    finish: choice.finish_reason ?? undefined, code: choice.code, ended: choice.reasoning_ended, seed: choice.seed,
  };
}

/**
 * @param {any[] | null | undefined} list
 * @param {0 | 1} where
 * @returns {Token[]}
 */
function tokensOf(list, where) {
  return (list ?? []).map((token) => ({
    t: String(token.token), p: Number(token.logprob), w: where, id: token.id,
    a: (token.top_logprobs ?? []).map((/** @type {any} */ other) => /** @type {[string, number, number?]} */ ([String(other.token), Number(other.logprob), other.id])),
  }));
}

/**
 * The ids of tokens behind others, null if one of them is not known.
 * @param {number[] | null | undefined} before
 * @param {Token[]} tokens
 * @returns {number[] | null}
 */
export function idsBehind(before, tokens) {
  const ids = tokens.map((token) => token.id);
  return before && ids.every((id) => id !== undefined) ? [...before, .../** @type {number[]} */ (ids)] : null;
}

/**
 * The ids of a beginning, null if they cannot be gone on from: another model has others.
 * @param {Beginning} from
 * @param {Settings} settings
 */
export async function usableIds(from, settings) {
  if (!from.ids?.length || !from.model) return null;
  if (!settings.model && Date.now() - first.asked > 5000) first = { asked: Date.now(), model: listModels().then((list) => list[0]) };
  return from.model === (settings.model || await first.model) ? from.ids : null;
}

/** The model that is meant where none is named. @type {{asked: number, model: Promise<string>}} */
let first = { asked: 0, model: Promise.resolve("") };

/**
 * Asks for one reply whole, and returns its texts.
 * @param {Parameters<typeof complete>[0]} o
 */
export async function reply(o) {
  const whole = { thought: "", text: "", finish: "", model: "", tokens: /** @type {Token[]} */ ([]), usage: /** @type {any} */ (null) };
  for await (const news of complete(o)) {
    whole.model = news.model ?? whole.model;
    whole.thought += news.thought;
    whole.text += news.text;
    whole.tokens.push(...news.tokens);
    if (news.finish) whole.finish = news.finish;
    if (news.usage) whole.usage = news.usage;
  }
  return whole;
}

/**
 * Has the thoughts of a request end now.
 * @param {string} id
 */
export function closeThought(id) {
  return send("/v1/requests/" + encodeURIComponent(id) + "/close-thought", { body: {} });
}

/**
 * The models of the server.
 * @returns {Promise<string[]>}
 */
export async function listModels() {
  const answer = await json("/v1/models");
  return (answer.data ?? []).map((/** @type {any} */ m) => String(m.id));
}

/**
 * Where the tokens of a reply end in its texts. Marks around the thought, and white space that was left out, have no place: their end is that of the token before.
 * @param {string} thought
 * @param {string} text
 * @param {Token[]} tokens
 * @returns {{part: "thought" | "text", begin: number, end: number}[]}
 */
export function align(thought, text, tokens) {
  let inThought = 0;
  let inText = 0;
  return tokens.map((token) => {
    const whole = token.w ? text : thought;
    const at = token.w ? inText : inThought;
    let piece = token.t;
    // White space at the ends of a thought and of an answer is left out of the texts.
    for (const other of [piece.trimStart(), piece.trimEnd(), piece.trim()]) if (!whole.startsWith(piece, at)) piece = other;
    if (piece === "" || !whole.startsWith(piece, at)) {
      // Half a character, or a mark: what the text has in its place is taken at the next token that fits.
      const part = /** @type {"thought" | "text"} */ (token.w ? "text" : "thought");
      return { part, begin: at, end: at };
    }
    const end = at + piece.length;
    if (token.w) inText = end;
    else inThought = end;
    return { part: /** @type {"thought" | "text"} */ (token.w ? "text" : "thought"), begin: at, end };
  });
}
