// The token at which it knew, over the embedded model.
import { drive, fits, must, same, solves } from "./browser.mjs";

await drive(async (page, origin) => {
  /** Asks the server without the page. */
  const ask = async (body) => (await (await fetch(origin + "/v1/chat/completions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json()).choices[0];
  const question = "Use 4, 6, 9 to make 30.";
  const user = { role: "user", content: question };

  // A seed whose thought turns back, and finds it.
  let seed = 1;
  let found;
  for (; seed < 80; seed++) {
    found = await ask({ messages: [user], seed });
    if (solves(found.message.content ?? "", [4, 6, 9], 30) && found.message.reasoning_content.split("\n").length >= 3) break;
  }
  const thought = found.message.reasoning_content;
  const lines = thought.split("\n");
  // Each prefix that ends a line, answered without the page; the whole thought has the answer that it came to.
  const verdicts = [];
  for (let n = 0; n < lines.length; n++) {
    const messages = n ? [user, { role: "assistant", content: "", reasoning_content: lines.slice(0, n).join("\n") + "\n" }] : [user];
    verdicts.push(solves((await ask({ messages, temperature: 0, thinking_budget: 0, max_completion_tokens: 128 })).message.content ?? "", [4, 6, 9], 30));
  }
  verdicts.push(true);
  let stable = verdicts.length - 1;
  while (stable > 0 && verdicts[stable - 1]) stable--;

  await page.goto(origin + "/#/knew");
  await page.getByRole("textbox", { name: "Question", exact: true }).fill(question);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Seed").fill(String(seed));
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Think", exact: true }).click();
  await page.locator(".verdictline b").waitFor();
  same((await page.locator(".knewtext").innerText()).replace(/\s+/g, " ").trim(), thought.replace(/\s+/g, " ").trim(), "the thought");
  const pins = await page.locator(".probe").evaluateAll((all) => all.map((b) => b.classList.contains("good")));
  same(pins, verdicts, "right at the ends of lines");
  const labels = await page.locator(".probe").evaluateAll((all) => all.map((b) => Number(/token (\d+)/.exec(b.getAttribute("aria-label"))[1])));
  const story = await page.locator(".verdictline b").innerText();
  same(story, stable === 0 ? "It knew before it thought." : "It knew at token " + labels[stable] + ".", "where it knew");
  const all = labels.at(-1);
  must(await page.locator(".tile", { hasText: "after it knew" }).getByText(String(all - labels[stable]), { exact: true }).isVisible(), "the tokens behind are told");
  must(await page.getByText("Right with so many tokens of thought").isVisible(), "the curve is shown");

  // The keyboard moves the slider, and the answer there is told.
  await page.getByRole("slider").focus();
  await page.keyboard.press("Home");
  await page.getByText("After 0 tokens of the thought it answers").waitFor();
  await fits(page, "knew");

  // Several answers a place.
  await page.getByLabel("Answers a place").fill("4");
  await page.getByRole("button", { name: "Force answers" }).click();
  await page.waitForFunction(() => [...document.querySelectorAll(".probe")].every((b) => /\d of 4/.test(b.getAttribute("aria-label"))));
  // Before each turning back.
  await page.getByLabel("Where").selectOption("turns");
  await page.getByLabel("Answers a place").fill("1");
  await page.getByRole("button", { name: "Force answers" }).click();
  await page.locator(".tile", { hasText: "turning back" }).waitFor();

  // A set: the budget that the page names is within a point of the best.
  await page.getByRole("button", { name: "A set of questions" }).click();
  await page.getByRole("textbox").first().fill("Use 3, 7, 11 to make 32.\nUse 4, 6, 9 to make 30.\nUse 2, 8, 13 to make 29. => 29");
  await page.getByRole("button", { name: "Measure" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
  same(await page.locator("tbody tr").count(), 3, "questions in the table");
  must(/on 3 questions|Not one question/.test(await page.locator(".verdictline").innerText()), "the set is judged: " + await page.locator(".verdictline").innerText());
  await fits(page, "knew-set");

  // Several thoughts a question: a row per question still, shares in its cells, and a budget with its uncertainty.
  await page.getByLabel("Thoughts a question").fill("2");
  await page.getByRole("button", { name: "Measure" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
  same(await page.locator("tbody tr").count(), 3, "questions in the table");
  must(/^[012]\/[12]$/.test(await page.locator("tbody .badge").first().innerText()), "shares in the cells");
  must(/with 6 thoughts.*(the same budget|one from \d+ to \d+) in 95 of 100/.test(await page.locator(".verdictline").innerText()) || /Not one question/.test(await page.locator(".verdictline").innerText()), "how sure the budget is: " + await page.locator(".verdictline").innerText());

  const sums = await page.evaluate(async () => {
    const { budgetOf, effects, placesOf, stableFrom } = await import("/page/probes.js");
    const probe = (tokens, outcome, isTurn) => ({ tokens, outcome, isTurn, state: "done", group: 0 });
    const row = (length, from) => ({ length, probes: [0, 10, 20, 40].filter((b) => b < length).concat(length).map((b) => probe(b, b >= from ? "right" : "wrong")) });
    // Of 200 questions 100 are known at 10 tokens, 98 more at 20, the others at 40: 99 % is within a point of the best.
    const rows = [...Array(100).fill(row(40, 10)), ...Array(98).fill(row(40, 20)), ...Array(2).fill(row(40, 40))];
    const b = budgetOf([0, 10, 20, 40], rows);
    const list = [probe(0, "wrong"), probe(5, "right", true), probe(9, "wrong", true), probe(12, "right"), probe(20, "right")];
    const text = "One. Two!\nthree wait four";
    const subject = { thought: text, ends: [], text: "", question: "", gold: "" };
    return {
      budget: [b.budget, b.share, b.saved, b.whole], stable: stableFrom(list), never: stableFrom([probe(0, "right"), probe(3, "wrong")]), effects: effects(list),
      ends: placesOf(subject, 24, "ends").map((p) => text.slice(0, p.at)), turns: placesOf(subject, 24, "turns").map((p) => text.slice(0, p.at)), few: placesOf({ ...subject, thought: "a\n".repeat(100) + "b" }, 5, "ends").length,
    };
  });
  same(sums, {
    budget: [20, 0.99, 20, 40], stable: 3, never: -1, effects: { rescue: 1, harm: 1, idle: 0 },
    ends: ["", "One. ", "One. Two!\n", text()], turns: ["", "One. Two!\nthree ", text()], few: 5,
  }, "sums");
  // Forty questions of which each knows at 10 name one budget, whichever are drawn; where half know at 10 and half at 40, the share at 10 is not sure.
  const sure = await page.evaluate(async () => {
    const { sureness } = await import("/page/probes.js");
    const probe = (tokens, outcome) => ({ tokens, outcome, isTurn: false, state: "done", group: 0 });
    const row = (from) => ({ length: 40, probes: [0, 10, 20, 40].map((b) => probe(b, b >= from ? "right" : "wrong")) });
    const same = sureness([0, 10, 20, 40], Array(40).fill([row(10), row(10)]));
    const mixed = sureness([0, 10, 20, 40], Array.from({ length: 40 }, (_, i) => [row(i % 2 ? 10 : 40)]));
    return { same: [same.budget, same.low, same.high], budget: mixed.budget, low: mixed.low[1], high: mixed.high[1], one: sureness([0, 10], [[row(10)]]) };
  });
  same([sure.same, sure.budget, sure.one], [[[10, 10], [0, 1, 1, 1], [0, 1, 1, 1]], [40, 40], null], "sureness");
  must(sure.low > 0.25 && sure.low < 0.42 && sure.high > 0.58 && sure.high < 0.75, "an interval about a half, of 40 questions: " + sure.low + " to " + sure.high);
  console.log("seed " + seed + ": " + story + " " + all + " tokens, right at " + JSON.stringify(verdicts));
});

function text() {
  return "One. Two!\nthree wait four";
}
