// The river, over the embedded model.
import { drive, fits, must, same, saved, solves } from "./browser.mjs";

/** How many streams a tree of token lists has, reckoned without the page. */
function streams(lists, from = 0) {
  let to = from;
  while (lists.every((l) => to < l.length && l[to] === lists[0][to])) to++;
  if (lists.length < 2) return 1;
  const ways = new Map();
  for (const l of lists) if (to < l.length) ways.set(l[to], [...(ways.get(l[to]) ?? []), l]);
  return 1 + [...ways.values()].reduce((sum, group) => sum + streams(group, to), 0);
}

const keys = (s) => s.tokens.map((t) => t.w + t.t);

await drive(async (page, origin) => {
  await page.goto(origin + "/#/river");
  await page.getByLabel("Question").fill("Use 4, 6, 9 to make 30.");
  await page.getByLabel("Samples", { exact: true }).fill("48");
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Seed").fill("11");
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Draw" }).click();
  const settled = (n) => page.waitForFunction((n) => document.body.innerText.includes(n + " samples. "), n);
  await settled(48);
  await page.getByText(/of 48 right/).waitFor();
  /** The saved samples, once each of them has been judged. */
  const samples = async () => {
    for (let i = 0; ; i++) {
      const list = JSON.parse(await saved(page, () => page.getByRole("button", { name: "Save the samples" }).click())).samples;
      if (list.every((s) => s.outcome) || i === 300) return list;
      await page.waitForTimeout(100);
    }
  };
  const first = await samples();
  same(first.length, 48, "samples");
  for (const s of first) same(s.outcome, solves(s.text, [4, 6, 9], 30) ? "right" : "wrong", "the verdict of " + s.text);
  const right = first.filter((s) => s.outcome === "right").length;
  must(right > 0 && right < 48, "the question is neither too easy nor too hard: " + right + " right");
  must(await page.getByText(right + " of 48 right").isVisible(), "the share of right answers is shown");
  same(new Set(first.map((s) => s.seed)).size, 48, "seeds that differ");
  same(await page.locator("path.stream").count(), streams(first.map(keys)), "streams");
  const verdicts = new Map();
  for (const s of first.filter((s) => s.group >= 0)) {
    if (!verdicts.has(s.group)) verdicts.set(s.group, s.outcome);
    same(s.outcome, verdicts.get(s.group), "the verdict of group " + s.group);
  }
  const bars = (await page.locator(".bars b").allInnerTexts()).map(Number);
  same(bars.reduce((a, b) => a + b, 0), 48, "answers in the histogram");
  must((await page.getByText("cons@k").count()) > 0, "the curve of votes is shown");

  // Keys walk along the streams, and the way is told.
  await page.locator("path.stream").first().focus();
  await page.keyboard.press("ArrowRight");
  const one = await page.locator(".riverway").innerText();
  await page.keyboard.press("ArrowRight");
  const two = await page.locator(".riverway").innerText();
  must(two.length > one.length && two.startsWith(one.slice(0, 1)), "the way grows: " + JSON.stringify([one, two]));
  same(await page.locator('path.stream[tabindex="0"]').count(), 1, "streams that Tab reaches");

  // Eight more from a token begin as that token's samples do, and are no draws of the question.
  await page.keyboard.press("Enter");
  const shared = Number(/token (\d+),/.exec(await page.locator(".riverdetail").innerText())[1]);
  await page.getByRole("button", { name: "8 more from here" }).click();
  await settled(56);
  await page.getByText("8 samples drawn from a token").waitFor();
  const all = await samples();
  same(all.length, 56, "samples with those from a token");
  const fork = all[48];
  same(fork.givenTokens, shared, "tokens given");
  must(all.slice(48).every((s) => s.tokens.slice(0, shared).every((t, i) => t.t === fork.tokens[i].t)), "they begin alike");
  must(first.some((s) => keys(s).slice(0, shared).join() === keys(fork).slice(0, shared).join()), "a sample begins so");
  must(new Set(all.slice(48).map((s) => keys(s).join())).size > 1, "and go on in ways that differ");
  same((await page.locator(".bars b").allInnerTexts()).map(Number).reduce((a, b) => a + b, 0), 48, "answers in the histogram behind");
  must((await saved(page, () => page.getByRole("button", { name: "Save the picture" }).click())).startsWith("<svg"), "the picture is SVG");
  await fits(page, "river");

  // Without a right answer the colour is that of the answer. A gold answer judges.
  await page.getByLabel("Question").fill("Use 4, 6, 9 to make it.");
  await page.getByLabel("Samples", { exact: true }).fill("8");
  await page.getByRole("button", { name: "Draw" }).click();
  await settled(8);
  await page.getByText("The colour is that of the answer").waitFor();
  await page.getByText("a vote of k says what all say").waitFor();
  await page.getByLabel("Right answer").fill("1");
  await page.getByRole("button", { name: "Draw" }).click();
  await settled(8);
  await page.getByText(/of 8 right/).waitFor();

  // 256 samples of 200 tokens are laid out fast.
  const took = await page.evaluate(async () => {
    const tree = await import("/page/tree.js");
    let x = 1;
    const next = () => (x = (x * 48271) % 2147483647) / 2147483647;
    const list = Array.from({ length: 256 }, () => ({ tokens: Array.from({ length: 200 }, (_, i) => ({ t: next() < 0.96 ? "a" + i : "b" + Math.floor(next() * 3), w: 0, p: 0, a: [] })), done: true, outcome: next() < 0.5 ? "right" : "wrong", group: 0 }));
    let ms = Infinity; // the best of three: other work on the machine hits single tries
    let root, unit;
    for (let i = 0; i < 3; i++) {
      const began = performance.now();
      root = tree.growTree(list);
      unit = tree.layOut(root, 600);
      ms = Math.min(ms, performance.now() - began);
    }
    return { ms, unit, count: root.samples.length, streams: tree.branches(root).length };
  });
  must(took.count === 256 && took.unit > 0 && took.ms < 2000, "256 samples: " + JSON.stringify(took));
  console.log("256 samples of 200 tokens: " + took.streams + " streams, tree and places in " + took.ms.toFixed(0) + " ms; " + right + " of 48 right");

  // Votes: the ends of both curves are known.
  const list = await page.evaluate(async () => {
    const { votes } = await import("/page/tree.js");
    const s = (right, group) => ({ right, group });
    return votes([s(true, 0), s(true, 0), s(true, 0), s(false, 1), s(false, 2), s(false, -1)]);
  });
  same([list[0].k, list[0].pass, list.at(-1).k, list.at(-1).pass, list.at(-1).cons], [1, 0.5, 6, 1, 1], "votes");
  must(Math.abs(list[0].cons - 0.5) < 0.1 && Math.abs(list[1].pass - 0.8) < 1e-9, "votes of one and two: " + JSON.stringify(list));
});
