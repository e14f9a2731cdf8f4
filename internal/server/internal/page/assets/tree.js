// Samples of one question as a prefix tree: they are one stream for as long as their tokens are the same.

/**
 * One sample. tokens are all of its tokens, also those that were given.
 * @typedef {object} Sample
 * @property {import("./completions.js").Token[]} tokens
 * @property {string} thought
 * @property {string} text
 * @property {boolean} done
 * @property {string} finish
 * @property {number | null} seed
 * @property {string} outcome "" while it is not judged
 * @property {string} answer
 * @property {number} group of equal answers, -1 without one
 * @property {number} givenTokens how many of the tokens come from another sample
 * @property {number[]} [givenIds] the ids that were given, if they are known
 */

/**
 * A stretch that its samples share.
 * @typedef {object} Branch
 * @property {number} from the first token of the stretch
 * @property {number} to behind its last token
 * @property {number[]} samples
 * @property {Branch[]} children
 * @property {number} right
 * @property {number} judged
 * @property {number} top
 * @property {number} height
 * @property {number} thick
 */

/**
 * @param {Sample[]} samples
 * @returns {Branch}
 */
export function growTree(samples) {
  return grow(samples, samples.map((_, i) => i), 0);
}

/**
 * @param {Sample[]} all
 * @param {number[]} members
 * @param {number} from
 * @returns {Branch}
 */
function grow(all, members, from) {
  let to = from;
  const first = all[members[0]]?.tokens ?? [];
  while (members.every((i) => to < all[i].tokens.length && all[i].tokens[to].t === first[to].t && all[i].tokens[to].w === first[to].w)) {
    if (!members.length) break;
    to++;
  }
  /** @type {Map<string, number[]>} */
  const ways = new Map();
  for (const i of members) {
    const token = all[i].tokens[to];
    if (!token) continue; // it ends here
    const key = token.w + token.t;
    ways.set(key, [...ways.get(key) ?? [], i]);
  }
  const children = members.length > 1 ? [...ways.values()].map((group) => grow(all, group, to)) : [];
  const judged = members.filter((i) => all[i].outcome === "right" || all[i].outcome === "wrong");
  const right = judged.filter((i) => all[i].outcome === "right").length;
  children.sort((a, b) => share(b) - share(a) || b.samples.length - a.samples.length);
  return { from, to, samples: members, children, right, judged: judged.length, top: 0, height: 0, thick: 0 };
}

/** The share of right answers below a branch. @param {Branch} branch */
export function share(branch) {
  return branch.judged ? branch.right / branch.judged : -1;
}

/**
 * Gives each branch its place from top to bottom: one unit a sample, and a gap between streams.
 * @param {Branch} root
 * @param {number} height
 */
export function layOut(root, height) {
  let gaps = 0;
  /** @param {Branch} b */
  const count = (b) => {
    if (b.children.length > 1) gaps += b.children.length - 1;
    b.children.forEach(count);
  };
  count(root);
  const n = Math.max(1, root.samples.length);
  const gap = gaps ? Math.min(6, height * 0.3 / gaps) : 0;
  const unit = (height - gap * gaps) / n;
  /** @param {Branch} b @param {number} top */
  const place = (b, top) => {
    b.top = top;
    b.thick = b.samples.length * unit;
    let at = top;
    b.children.forEach((child, i) => {
      if (i) at += gap;
      at = place(child, at);
    });
    const ended = b.samples.length - b.children.reduce((sum, child) => sum + child.samples.length, 0);
    b.height = Math.max(at + ended * unit - top, b.thick);
    return top + b.height;
  };
  place(root, 0);
  return unit;
}

/** All branches, those in front first. @param {Branch} root */
export function branches(root) {
  /** @type {Branch[]} */
  const list = [];
  /** @param {Branch} b */
  const walk = (b) => {
    list.push(b);
    b.children.forEach(walk);
  };
  walk(root);
  return list;
}

/** A generator of numbers from 0 to 1 that gives the same ones each time. @param {number} seed */
function randomOf(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * pass@k and cons@k of judged samples. pass@k is the unbiased estimate 1 - C(n-c,k)/C(n,k); cons@k is the share of 400 draws of k samples whose most
 * frequent answer is right, answers that are equally frequent counting in equal parts.
 * @param {{right: boolean, group: number}[]} samples
 */
export function votes(samples) {
  const n = samples.length;
  const c = samples.filter((s) => s.right).length;
  const random = randomOf(7);
  /** @type {number[]} */
  const ks = [];
  for (let k = 1; k < n; k *= 2) ks.push(k);
  if (n) ks.push(n);
  return ks.map((k) => {
    let none = 1;
    for (let i = 0; i < k; i++) none *= Math.max(0, n - c - i) / (n - i);
    let sum = 0;
    const draws = k === n ? 1 : 400;
    for (let d = 0; d < draws; d++) {
      const order = samples.map((_, i) => i);
      for (let i = 0; i < k; i++) {
        const j = i + Math.floor(random() * (n - i));
        [order[i], order[j]] = [order[j], order[i]];
      }
      /** @type {Map<number, {n: number, right: boolean}>} */
      const counts = new Map();
      for (const i of order.slice(0, k)) {
        const s = samples[i];
        if (s.group < 0) continue;
        const entry = counts.get(s.group) ?? { n: 0, right: s.right };
        entry.n++;
        counts.set(s.group, entry);
      }
      const most = Math.max(0, ...[...counts.values()].map((e) => e.n));
      const leaders = [...counts.values()].filter((e) => e.n === most);
      if (leaders.length) sum += leaders.filter((e) => e.right).length / leaders.length;
    }
    return { k, pass: 1 - none, cons: sum / draws };
  });
}
