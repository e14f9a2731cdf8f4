// What the files of tests share: a browser, programs that serve, and pages whose faults are collected.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "retort-page-"));
const children = [];

/** A folder that is gone after the tests of a file. */
export const scratch = () => folder;

/** Starts the browser; a proxy of the machine is none of its business. */
export const launch = (...more) => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-proxy-server", ...more], timeout: 120000 });

/** Waits for so many milliseconds. */
export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Goes to a place by its two keys. The second one counts for a moment only, which a machine that stands still can miss. */
export async function goByKeys(page, key, selector) {
  for (let i = 0; ; i++) {
    await Promise.all([page.keyboard.press("g"), page.keyboard.press(key)]);
    try {
      await page.waitForSelector(selector, { timeout: 5000 });
      return;
    } catch (error) {
      if (i === 5) throw error;
    }
  }
}

/** Starts a program in the scratch folder. */
export function run(program, ...args) {
  const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

/** Starts a program that prints its address, and returns the address. */
export function start(program, ...args) {
  return new Promise((resolve, reject) => {
    const child = run(program, ...args);
    let text = "";
    child.stdout.on("data", (piece) => {
      text += piece;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
      if (found) resolve(found[0]);
    });
    child.on("exit", (code) => reject(new Error(program + " ended with " + code)));
  });
}

/** Ends what was begun. */
export async function end(browser) {
  await browser?.close();
  const open = children.filter((child) => child.exitCode === null && child.signalCode === null);
  await Promise.all(open.map((child) => new Promise((resolve) => {
    child.on("exit", resolve);
    child.kill();
    child.kill("SIGCONT"); // a test may have stopped it
  })));
  fs.rmSync(folder, { recursive: true, force: true });
}

/** Opens a page; what goes wrong in it is collected. */
export async function openIn(browser, url, { width = 1280, height = 900, dark = false, still = false, before = async (_page) => {} } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", reducedMotion: still ? "reduce" : null });
  context.setDefaultTimeout(60000);
  const page = await context.newPage();
  await before(page);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(error.stack));
  // A server that still loads its model says so with 503 when the page asks for its health.
  const isTold = (message) => /status of 40[014]/.test(message.text()) || /status of 503/.test(message.text()) && message.location().url.endsWith("/health");
  page.on("console", (message) => { if (message.type() === "error" && !isTold(message)) page.faults.push(message.text()); });
  await page.goto(url);
  return page;
}

/** Nothing has gone wrong, nothing has become an element that should be a text, and nothing stands over the edge. */
export async function isSound(page) {
  assert.deepEqual(page.faults, []);
  const state = await page.evaluate(() => ({
    pwned: document.documentElement.dataset.pwned, strange: [...document.querySelectorAll("main script, main img, main iframe, main style, main object, main embed, main base, main meta, main link, main form[action]")].map((e) => e.outerHTML),
    links: [...document.querySelectorAll("a[href]")].map((a) => a.getAttribute("href")).filter((href) => !/^(#|\/page\/|https?:|blob:)/.test(href)),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));
  assert.deepEqual(state, { pwned: undefined, strange: [], links: [], wide: 0 });
}

export async function closed(page) {
  await isSound(page);
  await page.context().close();
}
