// The river: one question, many samples, drawn as a tree that splits where the texts split.
import { button, h, icon, put, say, saveFile, svg, toast } from "./dom.js";
import { json } from "./api.js";
import { align, complete, defaults, idsBehind, usableIds } from "./completions.js";
import { count, number, percent } from "./format.js";
import { lineChart, sharedView } from "./chart.js";
import { showMath } from "./mathml.js";
import { numberField, settingsForm } from "./settings.js";
import { branches, growTree, layOut, share, votes } from "./tree.js";
import { visible } from "./tokens.js";

/** @typedef {import("./tree.js").Sample} Sample */
/** @typedef {import("./tree.js").Branch} Branch */

/** What was drawn last stays while other places are looked at. @type {{question: string, gold: string, model: string, samples: Sample[], judged: boolean}} */
const kept = { question: "", gold: "", model: "", samples: [], judged: false };

/** @type {import("./completions.js").Settings} */
const settings = { ...defaults, temperature: 0.8 };

/** @type {import("./stage.js").View} */
export function view(stage) {
  const q = stage.route.query;
  if (q.get("q") && q.get("q") !== kept.question) Object.assign(kept, { question: q.get("q"), gold: q.get("gold") ?? "", samples: [], judged: false });
  let n = Math.min(256, Math.max(1, Number(q.get("n")) || 32));
  const field = h("textarea", { rows: 2, value: kept.question, placeholder: "Use 3, 7, 11 to make 32.", "aria-label": "Question", "data-slash": true, class: "grow", onkeydown: (/** @type {KeyboardEvent} */ e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      void start();
    }
  } });
  const gold = h("input", { value: kept.gold, placeholder: "none" });
  const panel = h("div", { class: "card panel", hidden: true }, settingsForm(settings, () => {}, { system: false }));
  const go = button("Draw", () => void start(), { class: "first" });
  const halt = button("Stop", () => running?.abort(), { icon: "stop", hidden: true });
  const picture = svg("svg", { class: "river", role: "group", "aria-label": "The samples as a tree" });
  const box = h("div", { class: "card riverbox" }, picture);
  const hint = h("p", { class: "soft small" });
  const way = h("div", { class: "riverway mono", role: "status", "aria-label": "The text up to here" });
  const showWay = (/** @type {Branch | null} */ b) => put(way, b ? wayText(b) : h("span", { class: "soft" }, "Point at a stream, or walk with the arrow keys, to read the way to it."));
  const detail = h("div", { class: "riverdetail" });
  const answers = h("div", { class: "card" });
  const shared = sharedView();
  const chart = lineChart({ title: "With k samples", note: "pass@k: one of k is right; cons@k: the most frequent answer of k is", shared, isShare: true, xName: "k", xText: (k) => String(Math.round(k)), height: 190 });
  const tools = h("div", { class: "row" }, button("Save the picture", () => saveFile("river.svg", "image/svg+xml", pictureText(picture)), { icon: "save", class: "plain" }),
    button("Save the samples", () => saveFile("river.json", "application/json", JSON.stringify(kept, null, 1)), { icon: "save", class: "plain" }));
  const lower = h("div", { class: "twocolumns section" }, answers, chart.element);
  const empty = h("div", { class: "empty" }, icon("river"), h("p", null, "One question, asked many times. Where the texts are the same they are one stream; where they part, it splits."));
  put(stage.root, h("div", { class: "head" }, h("div", { class: "grow" }, h("h1", null, "River"), h("p", null, "Find the token at which a question is won or lost."))),
    h("div", { class: "row riverform" }, field, h("div", { class: "stack rivergo" }, h("div", { class: "row rivergold" }, h("label", { class: "field grow" }, "Right answer, if known", gold), numberField("Samples", n, { min: 1, max: 256, step: 1, hint: "32" }, (x) => { n = x ?? 32; })), h("div", { class: "row" }, go, halt,
      button("Settings", (e) => { panel.hidden = !panel.hidden; /** @type {HTMLElement} */ (e.currentTarget).setAttribute("aria-pressed", String(!panel.hidden)); }, { icon: "tune", class: "plain", "aria-pressed": "false" })))),
    panel, h("div", { class: "section" }, empty, box, way, h("div", { class: "row" }, h("div", { class: "grow" }, hint), tools), detail, lower));

  /** @type {AbortController | null} */
  let running = null;
  /** @type {{sample: number, token: number} | null} */
  let chosen = null;
  let due = 0;
  const redraw = () => {
    if (due || stage.signal.aborted) return;
    due = window.setTimeout(() => {
      due = 0;
      if (!stage.signal.aborted) draw();
    }, 120);
  };

  const start = async () => {
    const question = field.value.trim() || field.placeholder;
    field.value = question;
    Object.assign(kept, { question, gold: gold.value.trim(), samples: [], judged: false });
    chosen = null;
    stage.go([], { q: question, gold: kept.gold, n }, true);
    await draw8([{ role: "user", content: question }], n, { tokens: [], thought: "", text: "" });
  };

  /**
   * Draws samples that begin with what is given.
   * @param {import("./completions.js").Message[]} messages
   * @param {number} many
   * @param {{tokens: import("./completions.js").Token[], thought: string, text: string}} given
   * @param {{ids?: number[] | null, isClosed?: boolean}} [how] by the ids of what is given; or the thought is whole, and the answer comes at once
   */
  const draw8 = async (messages, many, given, { ids, isClosed } = {}) => {
    running?.abort();
    const mine = running = new AbortController();
    const base = kept.samples.length;
    for (let i = 0; i < many; i++) kept.samples.push({ tokens: [...given.tokens], thought: given.thought, text: given.text, done: false, finish: "", seed: null, outcome: "", answer: "", group: -1, givenTokens: given.tokens.length });
    // With a seed of one's own the draws belong to their places: the seeds of before would draw the samples of before again.
    const own = { ...settings, ...(isClosed ? { budget: 0 } : {}), ...(settings.seed === null ? {} : { seed: settings.seed + base }) };
    halt.hidden = false;
    go.disabled = true;
    redraw();
    try {
      for await (const news of complete({ messages, settings: own, n: many, ids, tokens: true, signal: mine.signal })) {
        if (news.usage || news.place) continue;
        if (news.model && !given.tokens.length) kept.model = news.model;
        if (news.continued && !isClosed) for (const s of kept.samples.slice(base)) Object.assign(s, { thought: news.continued.reasoning_content ?? "", text: news.continued.content ?? "", givenIds: news.continued.token_ids });
        const s = kept.samples[base + news.choice];
        if (!s) continue;
        s.thought += news.thought;
        s.text += news.text;
        s.tokens.push(...(isClosed ? news.tokens.filter((t) => t.w) : news.tokens));
        if (news.seed !== undefined) s.seed = news.seed;
        if (news.finish) {
          s.finish = news.finish;
          s.done = true;
          judgeSoon();
        }
        redraw();
      }
    } catch (error) {
      if (!mine.signal.aborted) toast(error instanceof Error ? error.message : String(error));
    }
    for (const s of kept.samples.slice(base)) if (!s.done) Object.assign(s, { done: true, finish: "stopped" });
    if (running === mine) {
      running = null;
      halt.hidden = true;
      go.disabled = false;
    }
    await judge();
    say("The samples are drawn");
    redraw();
  };

  let judging = 0;
  const judgeSoon = () => {
    if (!judging) judging = window.setTimeout(() => { judging = 0; void judge(); }, 300);
  };
  const judge = async () => {
    const done = kept.samples.filter((s) => s.done && s.finish !== "stopped");
    try {
      const answer = await json("/page/api/judge", { body: { question: kept.question, gold: kept.gold, texts: done.map((s) => s.text) } });
      kept.judged = answer.judged;
      done.forEach((s, i) => Object.assign(s, { answer: answer.answers[i].answer, group: answer.answers[i].group, outcome: answer.answers[i].outcome ?? "" }));
    } catch (error) {
      hint.textContent = "The answers cannot be judged: " + (error instanceof Error ? error.message : "");
    }
    redraw();
  };

  const draw = () => {
    const isThere = kept.samples.length > 0;
    empty.hidden = isThere;
    box.hidden = way.hidden = lower.hidden = tools.hidden = detail.hidden = !isThere;
    if (!isThere) return;
    const root = growTree(kept.samples);
    drawRiver(picture, root, box.clientWidth - 2, (branch, token) => {
      chosen = { sample: branch.samples[0], token };
      drawDetail(root);
    }, showWay);
    if (!way.hasChildNodes()) showWay(null);
    const open = kept.samples.filter((s) => !s.done).length;
    hint.textContent = count(kept.samples.length, "sample") + (open ? ", " + open + " under way" : "") + ". " + (kept.judged ? "Green streams end right, orange ones wrong." : "The colour is that of the answer.") + " Choose a stream to look into it.";
    drawAnswers(answers);
    const own = kept.samples.filter((s) => s.done && s.finish !== "stopped" && !s.givenTokens && (kept.judged ? s.outcome : true));
    const first = leadingGroup(own);
    const list = votes(own.map((s) => ({ right: kept.judged ? s.outcome === "right" : s.group === first, group: s.group })));
    chart.element.hidden = !own.length;
    const cons = { name: kept.judged ? "cons@k" : "a vote of k says what all say", colour: "s2", x: list.map((v) => v.k), y: list.map((v) => v.cons) };
    chart.show(!own.length ? [] : kept.judged ? [{ name: "pass@k", colour: "s0", x: list.map((v) => v.k), y: list.map((v) => v.pass) }, cons] : [cons]);
    drawDetail(root);
  };

  /** @param {Branch} root */
  const drawDetail = (root) => {
    if (!chosen) {
      put(detail);
      return;
    }
    const at = chosen;
    const s = kept.samples[at.sample];
    const below = kept.samples.filter((other) => other.tokens.length > at.token && s.tokens.slice(0, at.token + 1).every((t, i) => other.tokens[i].t === t.t && other.tokens[i].w === t.w));
    const judged = below.filter((other) => other.outcome === "right" || other.outcome === "wrong");
    const right = judged.filter((other) => other.outcome === "right").length;
    const branch = branches(root).find((b) => b.samples.includes(at.sample) && at.token >= b.from && at.token < b.to);
    const from = Math.max(0, (branch?.from ?? at.token) - 24);
    const to = Math.min(s.tokens.length, Math.max(branch?.to ?? at.token, at.token) + 12, from + 260);
    put(detail, h("div", { class: "card stack" },
      h("div", { class: "row" }, h("b", null, below.length === 1 ? "1 sample passes here" : below.length + " samples pass here"), judged.length ? h("span", { class: "badge " + (right * 2 >= judged.length ? "good" : "bad") }, right + " of " + judged.length + " right, " + percent(right / judged.length)) : null,
        h("span", { class: "soft small grow" }, "token " + (at.token + 1) + ", probability " + percent(Math.exp(s.tokens[at.token]?.p ?? NaN))),
        button("8 more from here", () => void more(at), { class: "first", icon: "fork", disabled: running !== null }), button("Close", () => { chosen = null; drawDetail(root); }, { icon: "close", class: "plain", bare: true })),
      h("div", { class: "tokenflow short" }, from > 0 ? h("span", { class: "soft" }, "… ") : null, s.tokens.slice(from, to).map((token, k) => {
        const i = from + k;
        const inBranch = branch && i >= branch.from && i < branch.to;
        return [h("button", { type: "button", class: "tok" + (inBranch ? "" : " outside") + (i === at.token ? " chosen" : "") + (token.w ? " in-answer" : ""), style: { "--doubt": Math.min(1, -token.p / 3).toFixed(3) }, onclick: () => { chosen = { sample: at.sample, token: i }; drawDetail(root); } }, visible(token.t)), token.t.includes("\n") ? h("br", null) : null];
      }).flat()),
      h("p", { class: "soft small" }, "The darker a token, the less likely it was. Choose one to see what becomes of the samples that share all up to it.")));
  };

  /** @param {{sample: number, token: number}} at */
  const more = async (at) => {
    const s = kept.samples[at.sample];
    const places = align(s.thought, s.text, s.tokens);
    const end = places[at.token];
    const given = { tokens: s.tokens.slice(0, at.token + 1), thought: end.part === "thought" ? s.thought.slice(0, end.end) : s.thought, text: end.part === "thought" ? "" : s.text.slice(0, end.end) };
    const ids = await usableIds({ ...given, ids: idsUpTo(s, at.token + 1), model: kept.model }, settings);
    if (ids) {
      await draw8([{ role: "user", content: kept.question }], 8, given, { ids });
      return;
    }
    if (s.tokens[at.token].w && s.tokens.slice(0, at.token + 1).some((t, i) => t.w && t.t.trim() && places[i].end === places[i].begin)) {
      // The answer stands in marks that no given text can hold: what can be drawn anew is the whole answer to this thought.
      const before = s.tokens.findIndex((t) => t.w);
      await draw8([{ role: "user", content: kept.question }, { role: "assistant", content: "", reasoning_content: s.thought + "\n" }], 8, { tokens: s.tokens.slice(0, before), thought: s.thought, text: "" }, { isClosed: true });
      return;
    }
    await draw8([{ role: "user", content: kept.question }, { role: "assistant", content: given.text, ...(given.thought ? { reasoning_content: given.thought } : {}) }], 8, given);
  };

  const onSize = () => redraw();
  window.addEventListener("resize", onSize, { signal: stage.signal });
  window.addEventListener("themechange", onSize, { signal: stage.signal });
  stage.follow = (route) => {
    stage.route = route;
    return (route.query.get("q") ?? "") === kept.question;
  };
  stage.signal.addEventListener("abort", () => {
    running?.abort();
    chart.stop();
  });
  draw();
}

/** The ids of the first tokens of a sample, null if they are not known: what was given as a text has others than the tokens that it was taken from. @param {Sample} s @param {number} n */
function idsUpTo(s, n) {
  if (!s.givenTokens) return idsBehind([], s.tokens.slice(0, n));
  if (n >= s.givenTokens) return idsBehind(s.givenIds, s.tokens.slice(s.givenTokens, n));
  return s.givenIds?.length === s.givenTokens ? s.givenIds.slice(0, n) : null;
}

/** The most frequent group of answers. @param {Sample[]} samples */
function leadingGroup(samples) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const s of samples) if (s.group >= 0) counts.set(s.group, (counts.get(s.group) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0] ?? -1;
}

/** The colour of a group of answers. @param {number} group */
function groupColour(group) {
  return group < 0 ? "var(--idle-ground)" : "var(--s" + group % 6 + ")";
}

/** The colour of a branch: how many of its judged samples are right, or the answer that most of them give. @param {Branch} b */
function branchColour(b) {
  if (b.judged) return "color-mix(in oklab, var(--s2) " + Math.round(100 * share(b)) + "%, var(--s1))";
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const i of b.samples) {
    const s = kept.samples[i];
    if (s?.done && s.group >= 0) counts.set(s.group, (counts.get(s.group) ?? 0) + 1);
  }
  const first = [...counts].sort((x, y) => y[1] - x[1])[0];
  return first ? groupColour(first[0]) : "color-mix(in oklab, var(--soft) 45%, var(--card))";
}

/**
 * @param {SVGSVGElement} picture
 * @param {Branch} root
 * @param {number} width
 * @param {(branch: Branch, token: number) => void} choose
 * @param {(branch: Branch | null) => void} point
 */
function drawRiver(picture, root, width, choose, point) {
  const n = root.samples.length;
  const height = Math.max(220, Math.min(640, n * 11 + 60));
  layOut(root, height - 24);
  const longest = Math.max(1, ...kept.samples.map((s) => s.tokens.length));
  // Splits are dense at the beginning: a root gives them more room than the tails.
  const x = (/** @type {number} */ token) => 6 + (width - 12) * (token / longest) ** 0.62;
  const focused = document.activeElement?.getAttribute("data-at");
  picture.setAttribute("viewBox", "0 0 " + width + " " + height);
  picture.setAttribute("height", String(height));
  /** @type {Map<Branch, SVGElement>} */
  const ways = new Map();
  /** The token of a branch at a place of the picture. @param {MouseEvent} e @param {Branch} b */
  const tokenUnder = (e, b) => {
    const box = picture.getBoundingClientRect();
    const px = (e.clientX - box.left) * width / box.width;
    const token = Math.floor((Math.max(0, px - 6) / (width - 12)) ** (1 / 0.62) * longest);
    return Math.max(0, Math.min(b.to - 1, Math.max(b.from, token)));
  };
  picture.onpointerleave = () => point(null);
  /** @type {SVGElement[]} */
  const shapes = [];
  /** @param {Branch} b @param {number} y where its stream comes from @param {number} px */
  const flow = (b, y, px) => {
    const centre = b.top + b.height / 2 + 8;
    const end = Math.max(px + 1, x(b.to));
    const turn = px + Math.min(46, (end - px) * 0.8);
    const t = Math.max(0.8, b.thick) / 2;
    const path = "M" + px + " " + (y - t) + "C" + (px + turn) / 2 + " " + (y - t) + " " + (px + turn) / 2 + " " + (centre - t) + " " + turn + " " + (centre - t) + "L" + end + " " + (centre - t) + "L" + end + " " + (centre + t) + "L" + turn + " " + (centre + t) + "C" + (px + turn) / 2 + " " + (centre + t) + " " + (px + turn) / 2 + " " + (y + t) + " " + px + " " + (y + t) + "Z";
    const key = b.samples[0] + "." + b.from;
    const label = count(b.samples.length, "sample") + (b.judged ? ", " + b.right + " of " + b.judged + " right" : "") + ": " + textOf(b, 40);
    const shape = svg("path", { d: path, class: "stream", tabindex: shapes.length ? -1 : 0, role: "button", "data-at": key, "aria-label": label, style: { fill: branchColour(b) }, onpointerenter: () => point(b), onfocus: () => point(b), onclick: (/** @type {MouseEvent} */ e) => choose(b, tokenUnder(e, b)),
      onkeydown: (/** @type {KeyboardEvent} */ e) => {
        if (walk(picture, ways, b, e.key)) e.preventDefault();
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        choose(b, Math.max(0, Math.min(b.from, b.to - 1)));
      } });
    ways.set(b, shape);
    shapes.push(shape);
    const room = end - turn;
    if (b.thick > 10 && room > 34) shapes.push(svg("text", { x: turn + 4, y: centre + 3.5, class: "streamtext", "aria-hidden": "true" }, textOf(b, Math.floor(room / 6.4))));
    const below = b.children.reduce((sum, child) => sum + child.thick, 0);
    let slot = centre - below / 2;
    for (const child of b.children) {
      flow(child, slot + child.thick / 2, end);
      slot += child.thick;
    }
    if (b.samples.length === 1 && kept.samples[b.samples[0]].done) {
      const s = kept.samples[b.samples[0]];
      shapes.push(svg("circle", { cx: end, cy: centre, r: Math.min(4, Math.max(2, t)), class: "mouth", style: { fill: s.outcome === "right" ? "var(--s2)" : s.outcome === "wrong" ? "var(--s1)" : groupColour(s.group) } }));
    }
  };
  flow(root, root.top + root.height / 2 + 8, x(0));
  picture.replaceChildren(...shapes);
  if (focused) /** @type {SVGElement | null} */ (picture.querySelector('[data-at="' + focused + '"]'))?.focus();
}

/** Leads the focus to a neighbouring stream: along the text with left and right, across it with up and down. @param {SVGSVGElement} picture @param {Map<Branch, SVGElement>} ways @param {Branch} b @param {string} key */
function walk(picture, ways, b, key) {
  const parent = [...ways.keys()].find((other) => other.children.includes(b));
  const level = parent?.children ?? [b];
  const to = key === "ArrowRight" ? b.children.reduce((/** @type {Branch | undefined} */ best, c) => !best || c.samples.length > best.samples.length ? c : best, undefined)
    : key === "ArrowLeft" ? parent : key === "ArrowUp" ? level[level.indexOf(b) - 1] : key === "ArrowDown" ? level[level.indexOf(b) + 1] : key === "Home" ? [...ways.keys()][0] : undefined;
  const shape = to && ways.get(to);
  if (!shape) return key.startsWith("Arrow");
  picture.querySelectorAll(".stream").forEach((other) => other.setAttribute("tabindex", other === shape ? "0" : "-1"));
  shape.focus();
  return true;
}

/** The text up to the end of a branch, with the branch's own marked. @param {Branch} b */
function wayText(b) {
  const tokens = kept.samples[b.samples[0]]?.tokens ?? [];
  const text = (/** @type {number} */ from, /** @type {number} */ to) => tokens.slice(from, to).map((t) => t.t).join("");
  const before = text(0, b.from);
  const own = text(b.from, b.to);
  return [before.length > 600 ? "…" + before.slice(-600) : before, h("mark", null, own.length > 900 ? own.slice(0, 900) + "…" : own)];
}

/** The text of a branch. @param {Branch} b @param {number} most */
function textOf(b, most) {
  const tokens = kept.samples[b.samples[0]]?.tokens ?? [];
  let text = "";
  for (let i = b.from; i < b.to && text.length < most; i++) text += tokens[i].t;
  text = text.replace(/\n+/g, " ⏎ ").replace(/\s+/g, " ");
  return text.length > most ? text.slice(0, Math.max(1, most - 1)) + "…" : text;
}

/** @param {HTMLElement} place */
function drawAnswers(place) {
  const drawn = kept.samples.filter((s) => s.done && s.finish !== "stopped");
  const done = drawn.filter((s) => !s.givenTokens); // the others are no draws of the question
  const forks = drawn.length - done.length;
  /** @type {Map<number, Sample[]>} */
  const groups = new Map();
  for (const s of done) groups.set(s.group, [...groups.get(s.group) ?? [], s]);
  const rows = [...groups].sort((a, b) => b[1].length - a[1].length);
  const most = Math.max(1, ...rows.map(([, list]) => list.length));
  const right = done.filter((s) => s.outcome === "right").length;
  put(place, h("h2", null, "Answers"), kept.judged && done.length ? h("p", { class: "soft small" }, right + " of " + done.length + " right, " + percent(right / done.length)) : done.length ? h("p", { class: "soft small" }, "No right answer is known: the curve shows how often a vote of k says what all say.") : null,
    h("div", { class: "bars" }, rows.slice(0, 14).map(([group, list]) => {
      const s = list[0];
      const name = h("span", { class: "tex barname", title: s.answer });
      if (group < 0) name.textContent = "no answer";
      else if (/[\\^_]/.test(s.answer)) showMath(name, s.answer, false);
      else name.textContent = s.answer;
      return [name, h("span", { class: "bar" }, h("i", { style: { width: 100 * list.length / most + "%", background: s.outcome === "right" ? "var(--s2)" : s.outcome === "wrong" ? "var(--s1)" : groupColour(group) } })), h("b", { class: "small" }, number(list.length))];
    }).flat()), rows.length > 14 ? h("p", { class: "soft small" }, "and " + count(rows.length - 14, "further answer")) : null,
    forks ? h("p", { class: "soft small below" }, count(forks, "sample") + " drawn from a token " + (forks === 1 ? "is" : "are") + " left out here and in the curve: " + (forks === 1 ? "it is no draw" : "they are no draws") + " of the question.") : null);
}

/** The picture as a file of its own, with the colours that it has now. @param {SVGSVGElement} picture */
function pictureText(picture) {
  const copy = /** @type {SVGSVGElement} */ (picture.cloneNode(true));
  const originals = picture.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((element, i) => {
    const style = getComputedStyle(originals[i]);
    element.removeAttribute("style");
    element.setAttribute("fill", style.fill);
    if (element.tagName === "text") {
      element.setAttribute("font-size", "11");
      element.setAttribute("font-family", "monospace");
    }
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const ground = svg("rect", { width: "100%", height: "100%", fill: getComputedStyle(document.documentElement).getPropertyValue("--card") });
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}
