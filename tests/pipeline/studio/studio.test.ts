/** The Studio in a real browser at the real Workers. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDoor } from "../gateway/door.ts";
import { OPERATOR_TOKEN } from "../harness.ts";
import { chromium, Visitor } from "./visit.ts";

describe.skipIf(chromium === null)("the Studio", () => {
  let door: Awaited<ReturnType<typeof openDoor>>;
  let visitor: Visitor;
  beforeAll(async () => {
    door = await openDoor();
    visitor = await Visitor.open(door.url);
  });
  afterAll(async () => {
    await visitor?.close();
    await door?.close();
  });

  test("shows every stage of an empty pipeline, and says what to do", async () => {
    const visit = await visitor.visit("/studio/");
    const { page } = visit;
    await page.getByText("npm start collects pages").first().waitFor();
    expect(await page.getByRole("listitem").getByRole("heading").allTextContents()).toEqual([
      "Collect",
      "Tokenize",
      "Train",
      "Serve",
      "Learn",
    ]);
    expect(await visitor.faultsOf(visit)).toEqual([]);
    await visit.close();
  });

  test("every page has the policy, and so has the page of an address that leads nowhere", async () => {
    const visit = await visitor.visit("/studio/");
    const pages = await visit.page
      .getByRole("navigation")
      .getByRole("link")
      .evaluateAll((links) => links.map((link) => link.getAttribute("href")!));
    expect(pages).toContain("/studio/");
    for (const path of [...pages, "/studio", "/studio/nowhere"]) {
      const response = (await visit.page.goto(new URL(path, door.url).href))!;
      const headers = response.headers();
      expect([path, headers["content-security-policy"]]).toEqual([path, expect.stringContaining("default-src 'none'; script-src 'self'")]);
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
      });
    }
    expect(await visit.page.getByRole("heading", { level: 1 }).textContent()).toBe("No such page");
    expect(visit.faults).toEqual([]);
    await visit.close();
  });

  test("a browser at the root comes to the Studio, and every other client gets the description", async () => {
    const visit = await visitor.visit("/");
    expect(new URL(visit.page.url()).pathname).toBe("/studio/");
    await visit.close();
    const response = await door.send("GET", "/");
    expect([response.status, response.headers.get("vary")]).toEqual([200, "accept"]);
  });

  test("the model answers in the visitor's tab with the tokens of /generate, and no request leaves the tab after loading", async () => {
    const nobody = await visitor.visit("/local");
    await nobody.page.getByRole("button", { name: "Load the model" }).click();
    await nobody.page.getByText("config.json: expected status 200, got 401").first().waitFor();
    await nobody.close();
    await door.publish(7, { width: 32, layers: 2, heads: 2, context: 128 });
    const visit = await visitor.visit("/local", { signedIn: true });
    const { page } = visit;
    await page.getByRole("button", { name: "Load the model" }).click();
    await page.getByText("The model is in this tab").first().waitFor();
    const requests: string[] = [];
    page.context().on("request", (request) => requests.push(request.url()));
    await page.getByLabel("Temperature").fill("0");
    await page.getByLabel("Tokens at most").fill("50");
    for (const text of ["What is a stream?", "Where is tea? \u{1f375}", "import"]) {
      await page.getByLabel("Question").fill(text);
      await page.getByRole("button", { name: "Ask" }).click();
      await page.getByText("The model answers").first().waitFor();
      await page.getByText("The model is in this tab").first().waitFor();
      const answer = await page.getByRole("region", { name: "Answer" }).locator(".text").textContent();
      const request = { text, temperature: 0, candidates: 1, maxTokens: 50 };
      const { response } = (await (await door.send("POST", "/generate", request)).json()) as { response: string };
      expect(response.length).toBeGreaterThan(10);
      expect(answer).toBe(response);
    }
    expect(requests).toEqual([]);
    expect(await visitor.faultsOf(visit)).toEqual([]);
    await visit.close();
  });

  test("an operator signs in with the token by keyboard alone, and out again", async () => {
    const visit = await visitor.visit("/studio/");
    const { page } = visit;
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await page.getByRole("button", { name: "Sign in" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.type("a wrong token");
    await page.keyboard.press("Enter");
    await page.getByText("expected the operator's token").waitFor();
    await page.getByLabel("Operator’s token").focus();
    await page.keyboard.press("Control+A");
    await page.keyboard.type(OPERATOR_TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    expect(await page.evaluate(async () => (await fetch("/runs")).status)).toBe(200);
    expect(await page.evaluate("document.cookie")).toBe("");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    expect(await page.evaluate(async () => (await fetch("/runs")).status)).toBe(401);
    await visit.close();
  });
});
