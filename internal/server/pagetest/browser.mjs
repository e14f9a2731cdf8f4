// What the tests of the page share: a browser, and claims.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";

const { chromium } = createRequire(process.env.RETORT_PLAYWRIGHT + "/")("playwright-core");

/** Ends the test with a reason unless a claim holds. */
export function must(holds, text) {
  if (!holds) throw new Error(text);
}

/** Claims that two values are the same. */
export function same(got, want, text) {
  must(JSON.stringify(got) === JSON.stringify(want), text + ": got " + JSON.stringify(got) + ", want " + JSON.stringify(want));
}

/** Drives a page; whatever the browser complains about, and each request to another host, is a fault. */
export async function drive(test) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-proxy-server"], timeout: 120000 });
  const faults = [];
  const origin = process.argv[2];
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
    context.setDefaultTimeout(60000);
    const page = await context.newPage();
    page.on("console", (m) => { if (m.type() === "error" && !m.location().url.endsWith("/health")) faults.push(m.text()); });
    page.on("pageerror", (e) => faults.push(String(e.stack ?? e)));
    page.on("dialog", (d) => { faults.push("a dialog: " + d.message()); void d.dismiss(); });
    page.on("request", (r) => { if (!r.url().startsWith(origin) && !/^(blob|data):/.test(r.url())) faults.push("a request to " + r.url()); });
    await page.goto(origin + "/");
    await test(page, origin);
    must(faults.length === 0, "the browser complains: " + faults.join("\n"));
  } catch (error) {
    console.error(error.stack, faults.join("\n"));
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

/** Presses a button that saves a file, and returns its text. */
export async function saved(page, press) {
  const [download] = await Promise.all([page.waitForEvent("download"), press()]);
  return readFile(await download.path(), "utf8");
}

/** Claims that nothing is wider than a telephone, and keeps pictures where they are wanted. */
export async function fits(page, name) {
  for (const [theme, width] of [["light", 1280], ["dark", 1280], ["light", 390], ["dark", 390]]) {
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
    await page.waitForTimeout(300);
    same(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true, name + " fits into " + width + " px");
    if (process.env.SHOTS) await page.screenshot({ path: process.env.SHOTS + "/" + name + "-" + theme + "-" + width + ".png", fullPage: true });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** Whether an answer to a countdown question is right, reckoned without the page. */
export function solves(text, given, target) {
  const answer = text.trim().split("\n").at(-1); // what a thought that was cut off says aloud stands before it
  if (!/^[-+*/()\d ]+$/.test(answer)) return false;
  const used = (answer.match(/\d+/g) ?? []).map(Number).sort((a, b) => a - b);
  const left = given.slice();
  for (const n of used) {
    const at = left.indexOf(n);
    if (at < 0) return false;
    left.splice(at, 1);
  }
  try {
    return Function("return " + answer)() === target;
  } catch {
    return false;
  }
}
