// Whether everybody can use the page: axe over every place in both themes, and a whole visit by the keyboard alone.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { evaluationRun, trainingRun } from "./fixture.mjs";
import { closed, end, goByKeys, launch, openIn, scratch, start } from "./kit.mjs";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const folder = scratch();
let browser;
let base;

before(async () => {
  const runs = path.join(folder, "runs");
  trainingRun(path.join(runs, "lab", "reinforced"), { steps: 60 });
  trainingRun(path.join(runs, "lab", "other"), { steps: 30, seed: 2 });
  evaluationRun(path.join(runs, "evals", "maths"));
  browser = await launch();
  base = await start(process.env.FAKE, "-runs", runs, "-conversations", path.join(folder, "chats"), "-delay", "1ms");
}, { timeout: 180000 });

after(() => end(browser));

/** What is shown, and how the page gets there. */
const places = {
  "a chat": async (page) => {
    await page.goto(base + "/#/chat");
    await page.fill(".composer textarea", "Use 3, 7, 11 to make 32.");
    await page.keyboard.press("Enter");
    await page.click(".turnacts button:has-text('Tokens')");
    await page.click(".thoughthead");
  },
  "an empty chat": "#/chat",
  river: async (page) => {
    await page.goto(base + "/#/river?q=Use%203%2C%207%2C%2011%20to%20make%2032.&n=8");
    await page.click("button:has-text('Draw')");
    await page.waitForSelector("text=/^8 samples\\. /");
    await page.locator(".stream").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".riverdetail:has-text('here')");
  },
  "it knew": async (page) => {
    await page.goto(base + "/#/knew");
    await page.click("button:has-text('Think') >> nth=0");
    await page.waitForSelector(".verdictline:has-text('knew')");
  },
  "a set": async (page) => {
    await page.goto(base + "/#/knew?tab=set");
    await page.click("button:has-text('Measure')");
    await page.waitForSelector(".dot-probe");
  },
  runs: "#/runs",
  "a run": "#/runs/lab/reinforced",
  "two runs": "#/runs/lab/reinforced?with=lab%2Fother",
  samples: "#/runs/lab/reinforced?tab=samples",
  settings: "#/runs/lab/reinforced?with=lab%2Fother&tab=settings",
  aha: "#/aha",
  "the aha of a run": "#/aha/lab/reinforced",
  evaluations: "#/evaluations",
  "an evaluation": "#/evaluations/evals/maths",
  problems: "#/evaluations/evals/maths?tab=problems",
  "samples of an evaluation": "#/evaluations/evals/maths?tab=samples",
};

for (const dark of [false, true]) {
  test("axe finds nothing serious, " + (dark ? "dark" : "light"), { timeout: 600000 }, async () => {
    const found = [];
    const page = await openIn(browser, base + "/", { dark, still: true }); // what is on its way from one colour to another has neither
    for (const [name, way] of Object.entries(places)) {
      if (typeof way === "string") await page.goto(base + "/" + way);
      else await way(page);
      await page.waitForSelector("main h1, main .empty, main textarea", { state: "attached" });
      await page.waitForTimeout(300); // what a place holds comes after its frame
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      for (const v of violations) if (v.impact === "serious" || v.impact === "critical") found.push(name + ": " + v.id + " (" + v.help + "): " + v.nodes.slice(0, 4).map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).join("; "));
    }
    assert.deepEqual(found, []);
    await page.context().close();
  });
}

test("a visit by the keyboard alone", { timeout: 360000 }, async () => {
  const page = await openIn(browser, base + "/#/runs");
  await page.waitForSelector("table.runs");
  /** Presses Tab until the focus is on something, which must be visible there. */
  const tabTo = async (what, matches) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate((source) => {
        const e = document.activeElement;
        const style = getComputedStyle(e);
        return { is: Boolean(e.matches(source)), shown: style.outlineStyle !== "none" || style.boxShadow !== "none" || style.borderColor !== "", text: e.textContent };
      }, matches);
      if (at.is) {
        assert.ok(at.shown, what + " shows the focus");
        return;
      }
    }
    assert.fail("Tab does not reach " + what);
  };
  await tabTo("the link of a run", "table.runs a[href='#/runs/lab/reinforced']");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".chart canvas");
  await tabTo("the tab of the samples", ".choice button:nth-child(2)");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".square");
  await tabTo("a sample", ".square:not(.now)");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".square.now >> nth=0");
  await goByKeys(page, "c", ".composer textarea");
  await tabTo("the question", ".composer textarea");
  await page.keyboard.type("Use 3, 7, 11 to make 32.");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".turnacts button:has-text('Tokens')");
  await page.waitForSelector(".composer .acts", { state: "hidden" }); // nothing is drawn anew any more
  await tabTo("the thought", ".thoughthead");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".thought.open");
  await tabTo("the tokens", ".turnacts button:nth-last-child(2), .turnacts button");
  await goByKeys(page, "k", "h1:has-text('It knew')");
  await closed(page);
});
