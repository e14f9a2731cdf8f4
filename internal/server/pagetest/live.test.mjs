// The page over a real reinforcement of the embedded model, from its first step to its last: the curves, the samples, and the tested meter.
// RETORT names retort, MODEL the folder of the model.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { closed, end, isSound, launch, openIn, run, scratch, start, wait } from "./kit.mjs";

const skip = process.env.RETORT && process.env.MODEL ? false : "RETORT or MODEL is not set";
const steps = 24;
const folder = scratch();
const dir = path.join(folder, "runs", "tiny");
let browser;
let base;
let training;

before(async () => {
  if (skip) return;
  fs.mkdirSync(path.join(folder, "runs"));
  browser = await launch();
  base = await start(process.env.RETORT, "serve", "--listen", "127.0.0.1:0", "--runs", path.join(folder, "runs"), "--chats", path.join(folder, "chats"));
  const set = { "model.path": process.env.MODEL, steps, "rollout.problems": 4, "rollout.group": 4, "rollout.max_new_tokens": 64, "rollout.temperature": 1, "meter.share": 1, "optimizer.learning_rate": 3e-4 };
  training = run(process.env.RETORT, "grpo", "--run", dir, "--json", ...Object.entries(set).flatMap(([key, value]) => ["--set", key + "=" + value]));
  training.stdout.resume();
  training.over = new Promise((resolve) => training.on("exit", resolve));
}, { timeout: 180000 });

after(() => end(browser));

/** How many steps the run has recorded. */
function recorded() {
  try {
    return fs.readFileSync(path.join(dir, "metrics.jsonl"), "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}

/** How many steps each chart of the page has, by its title. */
const drawn = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".chart")].map((c) => [c.querySelector("strong").textContent, Number(c.dataset.steps)])));

test("a run that is made: each chart has each step, soon, and a reload loses none", { timeout: 540000, skip }, async () => {
  while (recorded() < 2) await wait(5);
  // However quick the machine is, the run goes on only while the page is there.
  training.kill("SIGSTOP");
  const page = await openIn(browser, base + "/#/runs/tiny");
  await page.waitForSelector(".chart canvas");
  training.kill("SIGCONT");
  const late = [];
  let reloaded = false;
  for (let n = recorded() + 1; n <= steps; n++) {
    while (recorded() < n) await wait(10);
    const began = Date.now();
    await page.waitForFunction((n) => {
      const charts = [...document.querySelectorAll(".chart")];
      return charts.length >= 8 && charts.every((c) => Number(c.dataset.steps) >= n);
    }, n, { polling: 20 });
    late.push(Date.now() - began);
    if (!reloaded && n >= steps / 2) {
      reloaded = true;
      training.kill("SIGSTOP");
      await page.reload();
      await page.waitForSelector(".chart canvas");
      training.kill("SIGCONT");
    }
  }
  assert.ok(reloaded && late.length >= 3, "the page was there while the run was made: " + late);
  late.sort((a, b) => a - b);
  console.log("a step's points came " + late[late.length >> 1] + " ms behind it (median of " + late.length + ", at most " + late[late.length - 1] + ")");
  // Other work on the machine makes some of them late, and none of them early.
  assert.ok(late[late.length >> 2] < 1000, "points come within a second: " + late);
  assert.equal(await training.over, 0);
  await page.waitForSelector(".head .badge:has-text('done')");
  const charts = await drawn(page);
  for (const title of ["Reward", "Right and well formed", "Length", "Loss", "Entropy", "Ran out of tokens", "Gradient norm", "Tokens a second", "Phases of a step, seconds"]) assert.equal(charts[title], steps, title + " of " + JSON.stringify(charts));
  for (const [title, n] of Object.entries(charts)) assert.equal(n, steps, title);
  await closed(page);
});

for (const dark of [false, true]) {
  test("the values of tokens: strips below the text, by mouse and by keys, " + (dark ? "dark" : "light"), { timeout: 180000, skip }, async () => {
    const page = await openIn(browser, base + "/#/runs/tiny?tab=samples&step=1", { dark });
    await page.waitForSelector(".striptok");
    const stored = fs.readFileSync(path.join(dir, "samples.jsonl"), "utf8").split("\n").slice(0, 16).map((line) => JSON.parse(line));
    const first = stored[0];
    assert.equal(await page.locator(".striptok").count(), first.tokens.length);
    assert.deepEqual(await page.locator(".striplegend b").allInnerTexts(), ["advantage", "ratio", "entropy", "log p"]);
    // What each strip says is what is stored.
    for (const i of [0, 3, first.tokens.length - 1]) {
      const label = await page.locator(".striptok").nth(i).getAttribute("aria-label");
      assert.ok(label.includes("ratio " + first.ratios[i].toPrecision(4)), label);
      assert.match(label, /advantage -?[\d.]+, ratio [\d.e-]+, entropy [\d.e-]+ nats, log p -?[\d.e-]+ \(\d/);
    }
    const grounds = new Set(await page.locator(".striptok i").evaluateAll((all) => all.map((e) => getComputedStyle(e).backgroundImage)));
    assert.ok(grounds.size > 3, "the colours tell the values apart");
    await page.locator(".striptok").nth(3).hover();
    await page.waitForSelector(".stripreadout:has-text('token 4 of " + first.tokens.length + "')");
    await page.locator(".striptok").first().focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForSelector(".stripreadout:has-text('token 2 of')");
    await page.keyboard.press("End");
    await page.waitForSelector(".stripreadout:has-text('token " + first.tokens.length + " of')");
    assert.equal(await page.locator(".striptok[tabindex='0']").count(), 1);
    await closed(page);
  });
}

test("the tested meter: what the run found is drawn, and marked in the samples", { timeout: 180000, skip }, async () => {
  const samples = fs.readFileSync(path.join(dir, "samples.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const turns = samples.flatMap((s) => s.turns ?? []);
  const of = (effect) => turns.filter((t) => t.effect === effect).length;
  assert.ok(turns.length > 20 && of("idle") > 0, "the model turns back: " + turns.length);
  const page = await openIn(browser, base + "/#/aha/tiny");
  await page.waitForSelector(".chart:has-text('Rescues, a thousand tokens of thought')");
  await page.waitForSelector(".tile:has-text('" + of("rescue") + " rescues, " + of("harm") + " harms, " + of("idle") + " idle')");
  const one = samples.find((s) => s.turns && s.ratios);
  assert.ok(one, "a sample has both");
  await page.goto(base + "/#/runs/tiny?tab=samples&step=" + one.step + "&request=" + one.request + "&sample=" + one.index);
  await page.waitForSelector(".stripflow .badge >> nth=" + (one.turns.length - 1));
  assert.deepEqual((await page.locator(".stripflow .badge").allInnerTexts()).map((text) => text.split(":")[0].trim()), one.turns.map((t) => t.effect || "not judged"));
  await isSound(page);
  await closed(page);
});
