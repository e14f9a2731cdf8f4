// The places of the page, in the order of the bar.

/**
 * @typedef {object} Place
 * @property {string} id
 * @property {string} title
 * @property {string} key behind g
 * @property {"chat" | "river" | "knew" | "runs" | "aha" | "evaluations"} icon
 * @property {() => Promise<import("./stage.js").View>} load
 */

/** @type {Place[]} */
export const places = [
  { id: "chat", title: "Chat", key: "c", icon: "chat", load: async () => (await import("./chat.js")).view },
];
