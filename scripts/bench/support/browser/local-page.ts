/** The page `/local` as a visitor uses it, with the times that the visitor sees. */
import type { BrowserContext } from "playwright-core";
import { createCode } from "../../../../shared/session-codes.ts";
import { pageOf, type Generated } from "./runtimes.ts";

/** Records when the weights have arrived, when questions are possible, and when an answer begins and grows. */
const OBSERVE = `
  globalThis.seen = { arrived: 0, ready: 0, asked: 0, changes: [] };
  let length = 0;
  new MutationObserver(() => {
    const now = performance.now();
    const progress = document.querySelector("main progress");
    if (progress !== null && progress.value > 0) seen.arrived = now;
    if (seen.ready === 0 && document.querySelector("main form") !== null) seen.ready = now;
    const text = document.querySelector("main .answer .text")?.textContent ?? "";
    if (text.length > length) seen.changes.push(now);
    length = text.length;
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  addEventListener("submit", () => { seen.asked = performance.now(); seen.changes = []; }, true);
`;

export interface LocalPage {
  /** From the arrival of the weights until the page takes questions. */
  readyMs: number;
  answer(question: string, length: number): Promise<Generated>;
}

interface Seen {
  arrived: number;
  ready: number;
  asked: number;
  changes: number[];
}

/** Opens `/local` as the operator and loads the active model with its button. */
export async function openLocal(context: BrowserContext, { url, token }: { url: string; token: string }): Promise<LocalPage> {
  const { code } = await createCode(token, "link", Date.now());
  const page = await pageOf(context, `${url}/studio/#code=${code}`);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.addInitScript(OBSERVE);
  await page.goto(`${url}/local`);
  await page.locator("#app[data-live]").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Load the model" }).click();
  await page.getByLabel("Question").waitFor();
  const { arrived, ready } = (await page.evaluate("seen")) as Seen;
  if (arrived === 0) throw new Error("/local: expected progress of the weights, saw none");
  return {
    readyMs: ready - arrived,
    async answer(question, length) {
      await page.getByLabel("Temperature").fill("0");
      await page.getByLabel("Tokens at most").fill(String(length));
      await page.getByLabel("Question").fill(question);
      await page.getByRole("button", { name: "Ask" }).click();
      const answer = page.getByRole("region", { name: "Answer" });
      await answer.locator(".speed").waitFor();
      await page.locator('.answer[aria-busy="false"]').waitFor();
      const speed = (await answer.locator(".speed").textContent()) ?? "";
      const tokens = Number(/^(\d+) tokens? in /.exec(speed)?.[1]);
      const { asked, changes } = (await page.evaluate("seen")) as Seen;
      const [first = Number.NaN] = changes;
      const text = (await answer.locator(".text").textContent()) ?? "";
      return { text, tokens, firstMs: first - asked, totalMs: (changes.at(-1) ?? first) - asked };
    },
  };
}
