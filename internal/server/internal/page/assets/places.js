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
  { id: "river", title: "River", key: "v", icon: "river", load: async () => (await import("./river.js")).view },
  { id: "knew", title: "It knew", key: "k", icon: "knew", load: async () => (await import("./knew.js")).view },
  { id: "runs", title: "Runs", key: "r", icon: "runs", load: async () => (await import("./runs.js")).view },
  { id: "aha", title: "Aha", key: "a", icon: "aha", load: async () => (await import("./aha.js")).view },
  { id: "evaluations", title: "Evaluations", key: "e", icon: "evaluations", load: async () => (await import("./evaluations.js")).view },
];
