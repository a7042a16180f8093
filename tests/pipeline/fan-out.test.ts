/**
 * Fan-out over the queue. A queue adds a consumer only after a batch has ended, so a trainer that kept its invocation would
 * keep other trainers from starting. Coordinator and trainers are real; the test delivers the queue's messages by this rule.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { presetOf, supervisionConfigSchema } from "../../shared/config.ts";
import { totalRounds } from "../../shared/training/compute/rounds.ts";
import { configPath } from "../../scripts/local/workers.ts";
import type { Delivery } from "./fixtures/queue-trainer/index.ts";
import { MODEL, putHandDataset, TOKENIZER, VAL_TOKENS } from "./hand-dataset.ts";
import { fixture, harnessOf } from "./harness.ts";

/** Only a test that hangs reaches this time. Tests wait for states, and even a slow machine needs far less. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const TRAINERS = 4;
const names = Array.from({ length: TRAINERS }, (_, index) => `tiffin-queue-trainer-${index + 1}`);
const server = harnessOf([
  ...["collector", "tokenizer", "coordinator"].map(configPath),
  fixture("steps-queue"),
  ...names.map((_, index) => fixture("queue-trainer", `trainer-${index + 1}.toml`)),
]);
const handle = () => server.getWorker<CoordinatorEnv, typeof import("../../workers/coordinator/index.ts")>("tiffin-coordinator");

beforeAll(() => server.listen());
afterAll(() => server.close());

interface Trainer {
  deliver(run: string): Promise<Delivery>;
}

/** The queue: at first one consumer, then one more after each ended batch, up to the number of trainers. */
class FakeQueue {
  readonly #trainers: readonly Trainer[];
  readonly #messages: string[] = [];
  readonly #idle: number[] = [0];
  #consumers = 1;
  readonly #used = new Set<number>();
  /** The number of ended batches. */
  batches = 0;
  /** The number of batches that had ended when the last trainer got its first message; null until then. */
  batchesUntilAll: number | null = null;

  constructor(trainers: readonly Trainer[]) {
    this.#trainers = trainers;
  }

  add(messages: readonly string[]): void {
    this.#messages.push(...messages);
    while (this.#idle.length > 0 && this.#messages.length > 0) void this.#consume(this.#idle.shift()!, this.#messages.shift()!);
  }

  async #consume(consumer: number, run: string): Promise<void> {
    this.#used.add(consumer);
    if (this.#used.size === this.#trainers.length) this.batchesUntilAll ??= this.batches;
    const { isReturned } = await this.#trainers[consumer]!.deliver(run);
    if (isReturned) this.#messages.push(run);
    this.batches++;
    this.#idle.push(consumer);
    if (this.#consumers < this.#trainers.length) this.#idle.push(this.#consumers++);
    this.add([]);
  }
}

it("computes four shards with four trainers within two rounds, and the run needs no other calls", async () => {
  const worker = handle();
  const { ARTIFACTS } = await worker.getEnv();
  const coordinator = await worker.getExport();
  const dataset = await putHandDataset(ARTIFACTS);
  const trainers = await Promise.all(names.map(async (name) => (await server.getWorker(name).getExport()) as unknown as Trainer));
  const steps = (await server.getWorker("tiffin-steps-queue").getExport()) as unknown as { take(): Promise<string[]> };
  const queue = new FakeQueue(trainers);

  const training = { ...presetOf("tiny").training, seed: 1, tokens: 8 * 16 * 10, shards: TRAINERS };
  const rounds = totalRounds(training, MODEL);
  const supervision = supervisionConfigSchema.parse({});
  await coordinator.startRun({
    run: "wide",
    preset: "tiny",
    dataset,
    tokenizer: TOKENIZER,
    model: MODEL,
    valTokens: VAL_TOKENS,
    training,
    supervision,
    rounds,
  });
  while ((await coordinator.getRun("wide"))?.state !== "done") {
    queue.add(await steps.take());
    await sleep(20);
  }
  // Counted in batches, because seconds depend on the machine. All trainers work before the second round has ended.
  expect(queue.batchesUntilAll).toBeLessThan(2 * TRAINERS);
  const status = (await coordinator.getRun("wide"))!;
  expect(status.trainers).toHaveLength(TRAINERS);
  // There are four tasks for each round and four for the evaluation. Each took one message; a few messages found no task.
  expect(status.tasks).toBe((rounds + 1) * TRAINERS);
  expect(queue.batches).toBeGreaterThanOrEqual(status.tasks!);
});
