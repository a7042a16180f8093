/**
 * Tests of the states that a screen is seldom in: without an answer, without a part, before the first answer, for a visitor who is
 * not the operator, and with hostile answers. studio.test.ts starts the Workers and calls this file.
 */
import { describe, expect, test } from "vitest";
import { press, type } from "./screens.ts";
import { HOSTILE, type Opened, type Visit, type Visitor } from "./visit.ts";

const UNREACHABLE = "Tiffin does not answer.";
/** A phone's width, where a state most easily does not fit. The usual states are checked at every width. */
const PHONE = [320];
/** Only a page that hangs reaches this time. */
const PATIENCE_MS = 120_000;

const lastFaultsOf = async (visitor: Visitor, visit: Visit) => {
  const faults = await visitor.faultsOf(visit, PHONE);
  await visit.close();
  return faults;
};

const API = ["/overview", "/session", "/sources", "/crawls", "/documents*", "/runs*", "/models*", "/explain", "/generate", "/predict"];
const none = Object.fromEntries(API.map((path) => [path, "none"] as const));

export function describeStates(open: () => Opened): void {
  describe("without an answer of the gateway", () => {
    test.each([
      "/studio/",
      "/studio/training",
      "/studio/models",
      "/studio/corpus",
      "/studio/learn",
      "/studio/tokenizer",
      "/studio/explain?text=a",
    ])("%s says so and tries again", async (path) => {
      const { visitor } = open();
      const visit = await visitor.visit(path, { signedIn: true, answers: none });
      await visit.page.getByRole("alert").filter({ hasText: UNREACHABLE }).first().waitFor();
      expect(await lastFaultsOf(visitor, visit)).toEqual([]);
    });

    test("the playground says so, and asks again at a press", async () => {
      const { visitor } = open();
      const visit = await visitor.visit("/studio/playground", { answers: none });
      await type(visit.page, "Question", "Is anybody there?");
      await press(visit.page, "Ask");
      await visit.page.getByRole("region", { name: "Answer" }).getByText(UNREACHABLE).first().waitFor();
      await press(visit.page, "Compare");
      await visit.page.getByRole("alert").filter({ hasText: UNREACHABLE }).waitFor();
      expect(await lastFaultsOf(visitor, visit)).toEqual([]);
    });

    test.each([
      ["/studio/models", "Published models"],
      ["/studio/tokenizer", "The vocabulary has"],
    ])("%s recovers by itself", async (path, shown) => {
      const { visitor } = open();
      const visit = await visitor.visit(path, { signedIn: true, answers: { "/session": "none", "/overview": "none" } });
      await visit.page.getByRole("alert").filter({ hasText: UNREACHABLE }).first().waitFor();
      await visit.page.context().unrouteAll();
      await visit.page.getByText(shown).first().waitFor();
      expect(visit.faults).toEqual([]);
      await visit.close();
    });
  });

  test.each([
    ["/studio/", "Looking at the pipeline…"],
    ["/studio/models", "Looking for the active model…"],
    ["/studio/training", "Looking…"],
    ["/studio/corpus", "Looking at the corpus…"],
    ["/studio/tokenizer", "Fetching the vocabulary…"],
  ])("%s shows its frame before the first answer", async (path, text) => {
    const { visitor } = open();
    const visit = await visitor.visit(path, { answers: { "/overview": "never", "/session": "never" } });
    await visit.page.getByText(text).first().waitFor();
    expect(await lastFaultsOf(visitor, visit)).toEqual([]);
  });

  test.each(["/studio/training", "/studio/models", "/studio/corpus"])("%s tells a visitor how to sign in", async (path) => {
    const { visitor } = open();
    const visit = await visitor.visit(path);
    await visit.page.getByRole("heading", { name: "For the operator" }).waitFor();
    expect(await lastFaultsOf(visitor, visit)).toEqual([]);
  });

  test("a part that is down takes only its own tin and chapter with it", async () => {
    const { door, visitor } = open();
    const whole = (await (await door.send("GET", "/overview")).json()) as { parts: Record<string, string> };
    const answers = { "/overview": () => ({ ...whole, corpus: null, parts: { ...whole.parts, collector: "down" } }) };
    const visit = await visitor.visit("/studio/", { answers });
    const tin = (name: string) => visit.page.getByRole("article", { name });
    await expect.poll(() => tin("Collect").textContent()).toContain("down");
    for (const name of ["Tokenize", "Train", "Serve", "Learn"]) expect(await tin(name).textContent()).not.toContain("down");
    expect(await lastFaultsOf(visitor, visit)).toEqual([]);
    const learn = await visitor.visit("/studio/learn", { answers });
    await learn.page.getByText("The first page is collected: not yet").waitFor();
    await learn.page.getByText(/^A model answers: model/).waitFor();
    await learn.close();
  });

  test("hostile answers are text: of the playground, side by side, in two situations, and in an explanation", async () => {
    const { door, visitor } = open();
    const long = "w".repeat(1_000_000);
    const candidates = [HOSTILE, long].map((response) => ({ response, reward: 0.5, logProbability: -1 }));
    const usage = { promptTokens: 1, completionTokens: 1, totalTokens: 2 };
    const explained = (await (await door.send("POST", "/explain", { text: "ab", form: "text" })).json()) as {
      tokens: object[];
      next: object[];
    };
    const visit = await visitor.visit("/studio/playground?mode=compare", {
      answers: {
        "/generate": () => ({ id: "x", response: HOSTILE, candidates, canBeScored: false, receipt: null, usage }),
        "/predict": () => ({
          answers: [{ text: HOSTILE, raw: 0.5 }],
        }),
        "/explain": () => ({
          ...explained,
          tokens: explained.tokens.map((token) => Object.assign(token, { text: HOSTILE })),
          next: [{ id: 1, text: HOSTILE, probability: 0.5 }],
        }),
      },
    });
    const { page } = visit;
    await page.getByLabel("Compare: three candidates side by side").press("Space");
    await page.getByLabel("Question", { exact: true }).first().fill("w".repeat(4000));
    await page.keyboard.press("Control+Enter");
    await expect.poll(() => page.locator(".candidate .text").allTextContents(), { timeout: PATIENCE_MS }).toEqual([HOSTILE, long]);
    await press(page, "Compare");
    await expect.poll(() => page.locator(".odds span").allTextContents(), { timeout: PATIENCE_MS }).toEqual([HOSTILE, HOSTILE]);
    expect(await visitor.faultsOf(visit, PHONE)).toEqual([]);
    await page.goto(new URL("/studio/explain?text=ab&as=text", door.url).href);
    await page.getByRole("button", { name: /^Token 1:/ }).waitFor();
    expect(await page.locator(".looked").first().textContent()).toContain(
      '<img·src=x·onerror="alert(1)"><script>alert(2)</script>U+202Egnp.exe',
    );
    expect(await lastFaultsOf(visitor, visit)).toEqual([]);
  });
}
