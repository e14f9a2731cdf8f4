// Samples and thoughts full of markup: they are shown as text, and nothing of them runs.
import { drive, must, same } from "./browser.mjs";

await drive(async (page, origin) => {
  const clean = async (where) => {
    same(await page.evaluate(() => document.documentElement.dataset.pwned ?? ""), "", where + ": script ran");
    same(await page.locator("main script, main img, main iframe, main base, main meta, main style").count(), 0, where + ": elements of the model");
  };
  await page.goto(origin + "/#/river");
  await page.getByRole("textbox", { name: "Question", exact: true }).fill("hostile <img src=x onerror=\"document.documentElement.dataset.pwned='1'\">");
  await page.getByLabel("Samples", { exact: true }).fill("8");
  await page.getByRole("button", { name: "Draw" }).click();
  await page.waitForFunction(() => document.body.innerText.includes("8 samples. "));
  await page.locator("path.stream").first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  must((await page.locator(".riverway").innerText()).length > 0, "the way is shown");
  must(/<script|onerror|<svg/.test(await page.locator("main").innerText()), "the markup is shown as text");
  await clean("river");
  await page.goto(origin + "/#/knew");
  await page.getByRole("textbox", { name: "Question", exact: true }).fill("hostile");
  await page.getByRole("button", { name: "Think", exact: true }).click();
  await page.waitForFunction(() => /<script|onerror|<svg/.test(document.querySelector(".knewtext")?.textContent ?? "") && document.querySelector(".verdictline")?.textContent);
  await clean("knew");
  await page.getByRole("button", { name: "A set of questions" }).click();
  await page.getByRole("textbox").first().fill("hostile <img src=x onerror=\"document.documentElement.dataset.pwned='1'\"> => <script>1</script>");
  await page.getByRole("button", { name: "Measure" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
  await page.locator("tbody tr").first().waitFor();
  must(/<script|onerror|<svg/.test(await page.locator("main").innerText()), "the markup of the set is shown as text");
  await clean("set");
});
