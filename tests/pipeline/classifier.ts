/** A classifier over HTTP through the real Workers: labelled lessons, a run, and its answers. Part of lessons.test.ts. */
import { expect, test, vi } from "vitest";
import type { Classification } from "../../shared/contracts/classify.ts";

/** Only a test that hangs reaches this time. */
const PATIENCE_MS = 300_000;

interface Status {
  checkpoint: string;
  firstLoss: number;
  losses: { loss: number }[];
  rollbacks: unknown[];
  error: string | null;
}

/** The label of a place depends on the hour. Text and key are new words in each lesson. */
const LABELLED = Array.from({ length: 48 }, (_, index) => {
  const [time, place] = [[6, 22][index % 2]!, ["gym", "party"][Math.floor(index / 2) % 2]!];
  return { context: { time, place }, text: `w${index % 12} songs`, label: time === 6 && place === "gym" ? "workout" : `${place} ${time}` };
});

/** How the tests of lessons talk to the Workers. */
interface Given {
  call: <T>(method: string, path: string, body?: unknown) => Promise<T>;
  errorOf: (method: string, path: string, body: unknown) => Promise<{ status: number; error: string }>;
  runToEnd: (request: Record<string, unknown>) => Promise<Status>;
  weightsOf: (hash: string) => Promise<number[]>;
  /** The hash of a published language model. */
  language: () => string;
  /** Sends a body to /classify. */
  ask: (body: object) => Promise<{ status: number }>;
  /** Posts lessons. */
  add: (text: string) => Promise<{ id: string }>;
  /** Lessons that are conversations. */
  conversations: string;
}

const ADAMW = { name: "adamw", lr: 0.05, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const lines = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).join("\n");

export function testClassifier({ call, errorOf, runToEnd, weightsOf, language, ask, add, conversations }: Given): void {
  const learn = (request: Record<string, unknown>) => runToEnd({ objective: "classify", ...request });
  const classified = (text: string, context: object, activations = false) =>
    call<Classification>("POST", "/classify", { text, context, activations });

  test("does not answer before there is one", async () => {
    expect((await ask({ text: "a" })).status).toBe(503);
  });

  test("learns labels by context in a run, shows its activations, and leaves the active language model alone", async () => {
    const added = await add(`${lines(LABELLED)}\n${conversations.split("\n")[0]}`);
    expect(added).toMatchObject({ conversations: 0, labelled: 48, refusedLines: 1, refused: [{ line: 49 }] });
    const { id: lessons } = added;
    const shown = await call<{ labels: string[] }>("GET", `/lessons/${lessons}`);
    expect(shown).toMatchObject({ labelled: 48, examples: [], labels: ["gym 22", "party 22", "party 6", "workout"] });
    expect(shown).toMatchObject({ labelledExamples: [LABELLED[0]!, {}, {}, {}, {}] });
    const before = (await call<{ model: string }>("GET", "/health")).model;
    const network = { features: 64, hidden: [12, 8], activation: "sigmoid" };
    const optimizer = ADAMW;
    const status = await learn({ name: "classifier", lessons, network, optimizer, tokens: 16 * 640, batch: 8, steps: 40 });
    expect(status.losses.at(-1)!.loss).toBeLessThan(0.2 * status.firstLoss);
    expect(status).toMatchObject({ unigramLoss: expect.any(Number) as number, rollbacks: [] });

    await vi.waitFor(async () => expect((await classified("w1 songs", {})).model).toBe(status.checkpoint), { timeout: PATIENCE_MS });
    for (const { context, text, label } of LABELLED.slice(0, 8)) {
      const { labels } = await classified(text, context);
      expect([text, labels[0]!.label, labels[0]!.probability > 0.8]).toEqual([text, label, true]);
      expect(labels.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9);
    }
    const { activations, labels } = await classified("w1 songs", { place: "gym", time: 6 }, true);
    expect(activations!.features.map(({ name }) => name)).toEqual(["time morning", "time 06:00", "place gym", "word w1", "word songs"]);
    expect(activations!.hidden.map(({ length }) => length)).toEqual([12, 8]);
    expect(activations!.hidden.flat().every((value) => value >= 0 && value <= 1)).toBe(true);
    const powers = activations!.logits.map(Math.exp);
    const sum = powers.reduce((total, power) => total + power, 0);
    for (const [index, { probability }] of labels.entries()) expect(powers[index]! / sum).toBeCloseTo(probability, 3);

    // A classifier is active beside the language model; it has no tokenizer and no export.
    expect((await call<{ model: string }>("GET", "/health")).model).toBe(before);
    const models = await call<{ model: string; kind: string; tokenizer: string | null; active: boolean }[]>("GET", "/models");
    expect(models.find((each) => each.model === status.checkpoint)).toMatchObject({ kind: "classifier", tokenizer: null, active: true });
    expect(models.find((each) => each.model === before)).toMatchObject({ kind: "language", active: true });
    expect((await errorOf("GET", `/models/${status.checkpoint}/export?format=gguf`, undefined)).error).toMatch(
      /^model: expected a language/,
    );
    expect((await errorOf("GET", `/models/${status.checkpoint}/tokenizer.json`, undefined)).status).toBe(404);
    const sft = await errorOf("POST", "/runs", { objective: "sft", lessons, from: status.checkpoint });
    expect(sft).toMatchObject({ status: 422, error: "from: expected a language model, got a classifier" });
    const wrong = await call<{ run: string }>("POST", "/runs", {
      objective: "sft",
      preset: "tiny",
      lessons,
      from: language(),
      name: "wrong",
    });
    await expect
      .poll(async () => (await call<Status>("GET", `/runs/${wrong.run}`)).error, { timeout: PATIENCE_MS })
      .toBe("lessons: expected conversations, got labelled texts; take objective classify");
    const unlabelled = await add(conversations);
    const other = await call<{ run: string }>("POST", "/runs", { objective: "classify", lessons: unlabelled.id, name: "other" });
    await expect
      .poll(async () => (await call<Status>("GET", `/runs/${other.run}`)).error, { timeout: PATIENCE_MS })
      .toBe("lessons: expected labelled texts for objective classify, got conversations");

    // Another run continues from its weights.
    const more = await learn({ name: "more", lessons, from: status.checkpoint, tokens: 64, batch: 8, steps: 8, optimizer, lrScale: 0.01 });
    expect(more.losses[0]!.loss).toBeLessThan(0.5 * status.firstLoss);
  });

  test("ends in the same weights on one, two and four shards, and in the same bits when repeated", async () => {
    const { id: lessons } = await add(lines(LABELLED));
    const ends: Status[] = [];
    for (const [name, shards] of [
      ["label-one", 1],
      ["label-two", 2],
      ["label-four", 4],
      ["label-again", 2],
    ] as const)
      ends.push(await learn({ lessons, steps: 1, batch: 16, tokens: 6 * 16, network: { features: 64, hidden: [8] }, name, shards }));
    const [one, two, four, again] = ends as [Status, Status, Status, Status];
    expect(again.checkpoint).toBe(two.checkpoint);
    const expected = await weightsOf(one.checkpoint);
    for (const { checkpoint } of [two, four]) {
      const actual = await weightsOf(checkpoint);
      const difference = Math.max(...actual.map((value, index) => Math.abs(value - expected[index]!)));
      // Adam's first steps enlarge rounding errors, but only to a small share of lr = 3e-3.
      expect(difference).toBeLessThan(1e-4);
    }
  });

  test.each([
    [{ text: "" }, "text"],
    [{ text: "a".repeat(4001) }, "text"],
    [{ text: "a", context: { place: ["x"] } }, "context.place"],
    [{ text: "a", activations: "yes" }, "activations"],
    [{ text: "a", candidates: ["b"] }, "candidates"],
  ])("refuses %o with the field's name", async (request, field) => {
    const refused = await errorOf("POST", "/classify", request);
    expect(refused.status).toBe(400);
    expect(refused.error).toContain(field);
  });
}
