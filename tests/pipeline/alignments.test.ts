/**
 * Learning from votes through the real Workers: a model with random weights answers, people correct it, and the Workflow `align` trains,
 * measures and promotes a better one. One call goes back.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { datasetSchema, checkpointSchema } from "../../shared/artifacts.ts";
import type { Alignment, Decisions } from "../../shared/contracts/alignments.ts";
import { getJson } from "../../shared/store.ts";
import { openDoor, OPERATOR } from "./gateway/door.ts";

/** Only a test that hangs reaches this time. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

let door: Awaited<ReturnType<typeof openDoor>>;
let model: string;
beforeAll(async () => {
  door = await openDoor();
  model = await door.publish(1, { context: 64, width: 32, mlpWidth: 64, layers: 2, headWidth: 32 });
});
afterAll(() => door.close());

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await door.send(method, path, body, OPERATOR);
  expect(response.status, `${method} ${path}: ${await response.clone().text()}`).toBe(200);
  return (await response.json()) as T;
}
const active = async () => (await call<{ model: string; active: boolean }[]>("GET", "/models")).find((each) => each.active)?.model;

async function untilDecided(name: string): Promise<Alignment> {
  const read = () => call<Alignment>("GET", `/alignments/${name}`);
  await vi.waitFor(
    async () => {
      const { decisions, error } = await read();
      expect(decisions.length + (error === null ? 0 : 1)).toBeGreaterThan(0);
    },
    { timeout: PATIENCE_MS, interval: 300 },
  );
  return read();
}

/** Every question gets the same correction. */
async function correct(first: number, count: number): Promise<void> {
  for (let index = first; index < first + count; index++) {
    const question = { text: `q${index}`, context: { at: "home" }, seed: index, maxTokens: 6, candidates: 1 };
    const { receipt } = await call<{ receipt: string }>("POST", "/generate", question);
    await call("POST", "/feedback", { receipt, correction: "yes", user: `person ${index}` });
  }
}

test("too few votes are given back, and count for a later alignment", async () => {
  await correct(0, 3);
  await call("POST", "/alignments", { name: "early", preset: "tiny" });
  const { error } = await untilDecided("early");
  expect(error).toContain("votes: expected at least 20 pairs of answers, got 3 from 3 votes");
  expect(await call<Decisions>("GET", "/alignments")).toEqual({ decisions: [], next: null });
});

test("votes become pairs, pairs a model, and a model that wins is promoted; one call goes back", async () => {
  await correct(3, 37);
  const request = { name: "first", preset: "tiny", lrScale: 2, epochs: 4 };
  await call("POST", "/alignments", request);
  const { decisions } = await untilDecided("first");
  expect(decisions).toHaveLength(1);
  const { verdict, baseline, candidate, report } = decisions[0]!;
  expect([verdict, baseline, report.votes, report.reasons]).toEqual(["promoted", model, 40, []]);
  expect(report.wins / report.pairs).toBeGreaterThan(0.9);
  expect(report.pairs + report.learnedPairs).toBe(40);
  expect(await active()).toBe(candidate);

  // The model names its data, the data name the model whose log-probabilities they hold, and the votes name their training set.
  const { ARTIFACTS } = await door.server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
  const { dataset } = await getJson(ARTIFACTS, "checkpoint", candidate, checkpointSchema);
  const { kind, reference, documents } = await getJson(ARTIFACTS, "dataset", dataset!, datasetSchema);
  expect([kind, reference, documents]).toEqual(["preferences", model, 40]);
  const { DB } = await door.server.getWorker<FeedbackEnv>("tiffin-feedback").getEnv();
  const origins = await DB.prepare(
    "SELECT rule, COUNT(DISTINCT rater) AS people FROM preferences WHERE snapshot = 'first' GROUP BY rule",
  ).all();
  expect(origins.results).toEqual([{ rule: "correction", people: 40 }]);

  // Starting again under the same name repeats nothing.
  await call("POST", "/alignments", request);
  expect((await untilDecided("first")).decisions).toEqual(decisions);

  expect(await call("POST", "/alignments/first/rollback")).toEqual({ active: model });
  expect(await active()).toBe(model);
  expect(await call("POST", "/alignments/first/rollback")).toEqual({ active: model });
  const history = await call<Decisions>("GET", "/alignments?limit=1");
  expect(history.decisions.map((decision) => decision.verdict)).toEqual(["rolled-back"]);
  const rest = await call<Decisions>("GET", `/alignments?before=${history.next}`);
  expect([rest.decisions.map((decision) => decision.verdict), rest.next]).toEqual([["promoted"], null]);
});

test("a rollback of another alignment, and of one without a promotion, are refused", async () => {
  for (const name of ["early", "unknown"])
    expect((await door.send("POST", `/alignments/${name}/rollback`, undefined, OPERATOR)).status).toBe(404);
  const another = await door.publish(2);
  expect((await door.send("POST", "/alignments/first/rollback", undefined, OPERATOR)).status).toBe(409);
  expect(await active()).toBe(another);
});
