// Takes the pictures of the page that the README shows: node shots.mjs ADDRESS FOLDER RUN EVALUATION [NAME...]. See bench/page_shots.sh.
import path from "node:path";
import { chromium } from "playwright-core";

const [address, folder, run, evaluation, ...only] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-quic"] });

/** Opens a place, brings it about, and takes its picture. */
async function shot(name, hash, act, { dark = false, width = 1180, height = 800 } = {}) {
  if (only.length && !only.includes(name)) return;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light" });
  context.setDefaultTimeout(30000);
  const page = await context.newPage();
  await page.goto(address + "/" + hash);
  await act(page);
  await page.waitForTimeout(700); // lines are drawn a moment later
  await page.screenshot({ path: path.join(folder, "page-" + name + ".png") });
  await context.close();
  console.log(name);
}

const question = "Use 4, 6, 9 to make 30.";

/** Asks, opens the thought, and shows the tokens. */
async function talk(page) {
  await page.fill(".composer textarea", question);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".turnacts button:has-text('Retry')");
  await page.click(".thoughthead");
  await page.click(".turnacts button:has-text('Tokens')");
  await page.click(".tok >> nth=6");
  await page.evaluate(() => window.scrollTo(0, 0));
}

/** Finds a sample that turned back and is right, whose tokens have values. */
async function sample(page) {
  await page.waitForSelector(".group");
  const best = await page.evaluate(async (run) => {
    const ask = async (step) => (await fetch("/page/api/samples?run=" + encodeURIComponent(run) + (step === null ? "" : "&step=" + step))).json();
    let found = null;
    const newest = await ask(null);
    for (let step = newest.last; step > newest.first + 10; step--) {
      for (const s of (await ask(step)).samples) {
        const worth = s.pieces && s.length < 70 ? 4 * (s.verdict === "right") + Math.min(3, (s.turns ?? []).length) + 8 * (s.turns ?? []).some((t) => t.effect === "rescue") : 0;
        if (!found || worth > found.worth) found = { worth, step: s.step, request: s.request, index: s.index };
      }
    }
    return found;
  }, run);
  await page.goto(page.url().split("?")[0] + "?tab=samples&step=" + best.step + "&request=" + best.request + "&sample=" + best.index);
  await page.waitForSelector(".striptok");
  await page.waitForSelector(".square.now");
  await page.locator(".striptok").nth(20).focus();
}

await shot("chat", "#/chat", talk);
await shot("river", "#/river?q=" + encodeURIComponent(question) + "&n=48", async (page) => {
  await page.click("button:has-text('Draw')");
  await page.waitForSelector("text=/^48 samples\\. /");
  await page.waitForSelector("text=/of 48 right/");
  await page.waitForTimeout(1500);
}, { height: 980 });
await shot("knew", "#/knew?q=" + encodeURIComponent(question), async (page) => {
  await page.fill("textarea[aria-label='Question'], input[aria-label='Question']", question);
  for (let seed = 1; seed < 12; seed++) { // a thought that turns back shows more
    await page.click("button:has-text('Think') >> nth=0");
    await page.waitForSelector("button:has-text('Stop')", { state: "hidden" });
    await page.waitForSelector(".tile:has-text('forced answers')");
    if (await page.locator(".probe").count() >= 5 && /token/.test(await page.locator(".verdictline").innerText())) break;
  }
}, { dark: true, height: 900 });
await shot("runs", "#/runs/" + run + "?smooth=0.6", async (page) => {
  await page.waitForSelector(".chart canvas >> nth=8");
}, { height: 900 });
await shot("samples", "#/runs/" + run + "?tab=samples", sample, { height: 900 });
await shot("samples-dark", "#/runs/" + run + "?tab=samples", sample, { dark: true, height: 900 });
await shot("aha", "#/aha/" + run, async (page) => {
  await page.waitForSelector(".chart:has-text('Rescues')");
  await page.waitForSelector(".chart:has-text('Words of reflection')");
}, { dark: true, height: 900 });
await shot("evaluation", "#/evaluations/" + evaluation, async (page) => { await page.waitForSelector(".intervalbox"); }, { height: 760 });
await shot("phone-chat", "#/chat", talk, { width: 390, height: 844 });
await shot("phone-samples", "#/runs/" + run + "?tab=samples", async (page) => {
  await sample(page);
  await page.locator(".sample").evaluate((e) => e.scrollIntoView());
}, { width: 390, height: 844, dark: true });
await browser.close();
