/**
 * The Studio in a real browser with the real Workers: first without any data, then with a model of random weights and a run that
 * trains to its end.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { presetOf, supervisionConfigSchema } from "../../../shared/config.ts";
import { openDoor, OPERATOR } from "../gateway/door.ts";
import { totalRounds } from "../../../shared/training/compute/rounds.ts";
import { MODEL, putHandDataset, TOKENIZER, VAL_TOKENS } from "../hand-dataset.ts";
import { describeCorpus } from "./corpus.ts";
import { describeExplain } from "./explain.ts";
import { describeNewcomer, openTeaSite } from "./newcomer.ts";
import { press, type } from "./screens.ts";
import { describeSessions } from "./sessions.ts";
import { describeLearn } from "./learn.ts";
import { describeStates } from "./states.ts";
import { chromium, HOSTILE, Visitor } from "./visit.ts";

/** Far beyond what a slow machine needs. */
const DEADLINE_MS = 300_000;

/** The smallest model's context of 32 tokens is too short for a question. */
const SHAPE = { context: 128 };
const ROUNDS = 12;

describe.skipIf(chromium === null)("the Studio", () => {
  let door: Awaited<ReturnType<typeof openDoor>>;
  let visitor: Visitor;
  let site: Awaited<ReturnType<typeof openTeaSite>>;
  beforeAll(async () => {
    site = await openTeaSite();
    door = await openDoor(site.origin);
    visitor = await Visitor.open(door.url);
  });
  afterAll(async () => {
    await visitor?.close();
    await door?.close();
    await site?.close();
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
      expect([path, headers["content-security-policy"]]).toEqual([
        path,
        expect.stringContaining("default-src 'none'; script-src 'self'") as string,
      ]);
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

  describeNewcomer(() => ({ door, visitor, site: site.origin }));

  test("the model answers in the visitor's tab with the tokens of /generate, and no request leaves the tab after loading", async () => {
    const nobody = await visitor.visit("/local");
    await nobody.page.getByRole("button", { name: "Load the model" }).click();
    await nobody.page
      .getByText(/\.json: expected status 200, got 401/)
      .first()
      .waitFor();
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
      const request = { text, temperature: 0, candidates: 1, maxTokens: 50 };
      const { response } = (await (await door.send("POST", "/generate", request)).json()) as { response: string };
      expect(response.length).toBeGreaterThan(10);
      await page.getByLabel("Question").fill(text);
      await page.getByRole("button", { name: "Ask" }).click();
      // The spoken state may leave out a short answer, so the test waits for the answer itself.
      const answer = page.getByRole("region", { name: "Answer" });
      await expect.poll(() => answer.locator(".text").textContent(), { timeout: DEADLINE_MS }).toBe(response);
      await expect.poll(() => answer.getAttribute("aria-busy"), { timeout: DEADLINE_MS }).toBe("false");
    }
    expect(requests).toEqual([]);
    expect(await visitor.faultsOf(visit)).toEqual([]);
    await visit.close();
  });

  describeSessions(() => ({ door, visitor }));

  describe("with a model and a run", () => {
    let first: string;
    beforeAll(async () => {
      first = await door.publish(1, SHAPE);
      const worker = door.server.getWorker<CoordinatorEnv, typeof import("../../../workers/coordinator/index.ts")>("tiffin-coordinator");
      const [env, coordinator] = await Promise.all([worker.getEnv(), worker.getExport()]);
      const training = { ...presetOf("tiny").training, seed: 3, tokens: ROUNDS * 8 * 16, shards: 1 };
      await coordinator.startRun({
        run: "watched",
        preset: "tiny",
        dataset: await putHandDataset(env.ARTIFACTS),
        tokenizer: TOKENIZER,
        model: MODEL,
        valTokens: VAL_TOKENS,
        training,
        supervision: supervisionConfigSchema.parse({}),
        rounds: totalRounds(training, MODEL),
      });
    });

    test("training shows a run to its end, in a curve, a sentence and a table, and says what each button does", async () => {
      const visit = await visitor.visit("/studio/training?run=watched", { signedIn: true });
      const { page } = visit;
      await page
        .getByText(/^Done\. The best validation loss is/)
        .first()
        .waitFor();
      await page.getByText(`Round ${ROUNDS}:`).waitFor();
      await press(page, "log y");
      await page.getByText("The curve as a table").click();
      expect(await page.getByRole("table").first().getByRole("row").count()).toBeGreaterThan(2);
      expect(await visitor.faultsOf(visit)).toEqual([]);
      expect(new URL(page.url()).search).toBe("?run=watched&y=log");
      await press(page, "Delete");
      await page.getByText("Models that it has published stay").waitFor();
      await page.keyboard.press("Escape");
      await visit.close();
    });

    test("training lays the curves of a run and its branch over each other, and says what sets them apart", async () => {
      const tokens = (ROUNDS + 4) * 8 * 16;
      const branched = await door.send("POST", "/runs/watched/branch", { name: "branch", tokens, lrScale: 0.5 }, OPERATOR);
      expect(branched.status).toBe(200);
      const visit = await visitor.visit("/studio/training?run=watched&x=log", { signedIn: true });
      const { page } = visit;
      await page.getByRole("checkbox", { name: "Compare branch" }).press("Space");
      await page.getByRole("row", { name: "Branch of – watched" }).waitFor();
      await expect.poll(() => page.locator(".chart .other").getAttribute("d"), { timeout: DEADLINE_MS }).toMatch(/^M/);
      await page.getByRole("region", { name: "Branches" }).getByRole("link", { name: "branch" }).waitFor();
      expect(new URL(page.url()).searchParams.get("with")).toBe("branch");
      // When the branch is done, its model becomes the active one. The next tests choose another.
      const models = async () => (await door.send("GET", "/models", undefined, OPERATOR)).text();
      await expect.poll(models, { timeout: DEADLINE_MS }).toContain('"run":"branch"');
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await visit.close();
    });

    test("models lets an operator choose another model, and corpus says what a removal takes", async () => {
      await door.publish(2, SHAPE);
      const visit = await visitor.visit("/studio/models", { signedIn: true });
      const { page } = visit;
      await page.getByRole("button", { name: "Activate" }).first().waitFor();
      expect(await visitor.faultsOf(visit)).toEqual([]);
      // The runs' models have no tokenizer, because their datasets were made by hand.
      const wanted = page.getByRole("row").filter({ hasText: first.slice(0, 8) });
      await wanted.getByRole("button", { name: "Activate" }).press("Enter");
      await page.keyboard.press("Enter");
      await wanted.getByText("now", { exact: true }).waitFor();
      await page.goto(new URL("/studio/corpus", door.url).href);
      await page.getByRole("heading", { name: "Sources", exact: true }).waitFor();
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await press(page, "Remove a page");
      await page.getByText("This cannot be undone.").waitFor();
      await visit.close();
    });

    test("the playground answers a hostile question as text, and counts a vote, by keyboard alone", async () => {
      const visit = await visitor.visit("/studio/playground");
      const { page } = visit;
      await type(page, "Question", HOSTILE);
      await page.keyboard.press("Control+Enter");
      await page.getByRole("button", { name: "Good answer" }).waitFor();
      expect(await page.locator(".asked").textContent()).toBe(HOSTILE);
      expect(new URL(page.url()).searchParams.get("q")).toBe(HOSTILE);
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await press(page, "Good answer");
      await page.getByText("Thank you.").waitFor();
      await page.goto(new URL("/studio/learn", door.url).href);
      await page.getByText(/^The first vote is counted: \d+ answers? voted on today/).waitFor();
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await visit.close();
    });

    describeExplain(() => ({ door, visitor }));
    describeLearn(() => ({ door, visitor }));
    describeCorpus(() => ({ door, visitor }));
    describeStates(() => ({ door, visitor }));

    test("the tokenizer cuts a hostile text in the browser, and names what hides", async () => {
      const visit = await visitor.visit("/studio/tokenizer");
      const { page } = visit;
      await page.getByRole("button", { name: "Token 1:" }).waitFor();
      await type(page, "Text to cut", "é<b>\u202E");
      await page
        .getByRole("button", { name: /U\+202E|e2/ })
        .first()
        .waitFor();
      const token = page.getByRole("button", { name: /^Token 1:\s+c3\s+id\s+195$/ });
      await token.focus();
      await page.keyboard.press("Enter");
      await page.getByText("from the start: a single byte").waitFor();
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await visit.close();
    });
  });
});
