// Forks are exact: over the embedded model, whose texts at a high temperature encode to other ids than those that were drawn, replies that are gone on with
// are what they were, id for id.
import { drive, must, same, saved } from "./browser.mjs";

/** A fixed seed: draws belong to places, so that what goes on from the same ids draws the same. */
const hot = { temperature: 2, top_p: 1 };

await drive(async (page, origin) => {
  const call = async (path, body) => (await fetch(origin + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
  const question = "Use 4, 6, 9 to make 30.";
  const messages = [{ role: "user", content: question }];

  // A seed whose thought does not encode to its ids.
  let seed = 0;
  let drawn;
  let cut = 0;
  for (; seed < 200 && !cut; ) {
    seed++;
    drawn = (await call("/v1/chat/completions", { messages, seed, ...hot, return_token_ids: true })).choices[0];
    if (drawn.token_ids.length < 24 || !drawn.message.content || !drawn.message.reasoning_content) continue;
    const anew = (await call("/tokenize", { content: drawn.message.reasoning_content })).tokens;
    const other = anew.findIndex((id, i) => id !== drawn.token_ids[i]);
    if (other >= 0 && other < 16) cut = other + 2;
  }
  must(cut > 0, "no seed below 200 has a thought that encodes to other ids");

  /** The bodies of the requests for replies. */
  const bodies = [];
  page.on("request", (r) => { if (r.url().endsWith("/v1/chat/completions")) bodies.push(r.postDataJSON()); });
  const settings = async (label, value) => page.getByLabel(label, { exact: true }).fill(String(value));
  const ids = (list) => list.map((token) => token.id);
  let replies = 0;
  /** All turns, once the next reply is there. */
  const turns = async () => {
    replies++;
    if (replies > 1) await page.waitForSelector(".switch:has-text('" + replies + " / " + replies + "')");
    await page.waitForSelector(".turnacts button:has-text('Retry') >> nth=-1");
    await page.getByRole("button", { name: "Export" }).click();
    const text = await saved(page, () => page.locator("dialog button", { hasText: "JSON" }).click());
    return JSON.parse(text).turns;
  };

  await page.goto(origin + "/#/chat");
  await page.getByRole("button", { name: "Settings" }).click();
  await settings("Temperature", hot.temperature);
  await settings("Top-p", hot.top_p);
  await settings("Seed", seed);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.locator(".composer textarea").fill(question);
  await page.keyboard.press("Enter");
  const first = (await turns())[1];
  same(ids(first.tokens), drawn.token_ids, "the ids of the first reply");

  /** Goes on from a token of the reply that is shown. */
  const fork = async (i) => {
    await page.click(".turnacts button:has-text('Tokens')");
    await page.locator(".tok").nth(i).click();
    await page.click("button:has-text('Go on from here')");
    return (await turns()).at(-1);
  };
  const whole = (turn) => [...turn.givenIds, ...ids(turn.tokens)];
  const isFirst = (turn, what) => {
    same(whole(turn), drawn.token_ids, what + ": ids");
    same([turn.thought, turn.text], [first.thought, first.text], what + ": texts");
    must(bodies.at(-1).continue_token_ids && bodies.at(-1).messages.at(-1).role === "user", what + ": it went by ids");
  };
  const second = await fork(cut - 1);
  same(second.givenIds, drawn.token_ids.slice(0, cut), "what was given");
  isFirst(second, "from a token");
  isFirst(await fork(2), "from a token of what went on from a token");
  const back = async () => {
    for (let i = replies; i > 1; i--) await page.getByRole("button", { name: "The one before" }).click();
    await page.waitForSelector(".switch:has-text('1 / " + replies + "')");
  };
  await back();
  isFirst(await fork(first.tokens.findIndex((token) => token.t === "</think>")), "from the mark at the end of the thought");

  // An edit that changes nothing, and one that leaves the end away behind a token, are no edits; any other one goes by its text, and has ids from then on.
  const edit = async (change) => {
    await page.click(".turnacts button:has-text('Edit the thought')");
    const field = page.getByLabel("Thought", { exact: true });
    await field.fill(change(await field.inputValue()));
    await page.click("button:has-text('Continue from here')");
    return (await turns()).at(-1);
  };
  await back();
  isFirst(await edit((text) => text), "the thought as it was");
  await back();
  isFirst(await edit((text) => text.split("\n").slice(0, 2).join("\n") + "\n"), "the first lines of the thought");
  await back();
  const changed = await edit((text) => text + "\nwait 4");
  must(!bodies.at(-1).continue_token_ids && bodies.at(-1).messages.at(-1).reasoning_content.endsWith("\nwait 4"), "an edit goes by its text");
  must(changed.givenIds.length > 0 && changed.thought.startsWith(first.thought + "\nwait 4"), "and is told its ids");
  const behind = await fork(1);
  same(whole(behind).slice(0, changed.givenIds.length + 2), whole(changed).slice(0, changed.givenIds.length + 2), "from a token behind an edit");
  must(bodies.at(-1).continue_token_ids, "which goes by ids again");

  // Another model, or one without thoughts, is given the text.
  await page.getByRole("button", { name: "Settings" }).click();
  const models = (await (await fetch(origin + "/v1/models")).json()).data.map((m) => m.id);
  await page.getByLabel("Model").selectOption(models[1]);
  await page.getByRole("button", { name: "Settings" }).click();
  await fork(1);
  must(!bodies.at(-1).continue_token_ids, "another model is given the text");

  // Eight more in the river, each of which the server draws again from the ids and the seed.
  await page.goto(origin + "/#/river");
  await page.getByLabel("Question").fill(question);
  await page.getByLabel("Samples", { exact: true }).fill("6");
  await page.getByRole("button", { name: "Settings" }).click();
  await settings("Temperature", hot.temperature);
  await settings("Top-p", hot.top_p);
  await settings("Seed", seed);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Draw" }).click();
  const settled = (n) => page.waitForFunction((n) => document.body.innerText.includes(n + " samples. "), n);
  await settled(6);
  await page.locator("path.stream").last().focus();
  await page.keyboard.press("Enter");
  await page.locator(".riverdetail .tok").last().click();
  await page.getByRole("button", { name: "8 more from here" }).click();
  await settled(14);
  await page.waitForTimeout(300);
  const samples = JSON.parse(await saved(page, () => page.getByRole("button", { name: "Save the samples" }).click())).samples;
  same(new Set(samples.map((s) => s.seed)).size, 14, "seeds that differ");
  for (const s of samples.slice(6)) {
    same(s.givenIds, ids(s.tokens.slice(0, s.givenTokens)), "what was given");
    must(samples.slice(0, 6).some((o) => ids(o.tokens).slice(0, s.givenTokens).join() === s.givenIds.join()), "a sample begins so");
    const again = await call("/v1/chat/completions", { messages, ...hot, seed: s.seed, return_token_ids: true, continue_token_ids: s.givenIds });
    same(ids(s.tokens.slice(s.givenTokens)), again.choices[0].token_ids ?? [], "drawn again");
    same([s.thought, s.text], [(again.continued.reasoning_content ?? "") + (again.choices[0].message.reasoning_content ?? ""), (again.continued.content ?? "") + (again.choices[0].message.content ?? "")], "its texts");
  }
  console.log("seed " + seed + ": forks behind " + cut + " of " + drawn.token_ids.length + " tokens are the reply, id for id; its text encodes to other ids");
});
