/**
 * Measures the time of the coordinator's thread per lease, per submission and per megabyte of an update. Many requests are
 * sent to the real Worker in workerd at the same time; the cost is their total time divided by their number. Here the
 * simulated storage shares the thread, unlike on the hosted platform, so the costs are upper bounds.
 */
import { createTestHarness } from "wrangler";
import type { StoredDataset } from "../../../shared/artifacts.ts";
import { presetOf, supervisionConfigSchema, trainingConfigSchema } from "../../../shared/config.ts";
import { partition } from "../../../shared/model/formats/partition.ts";
import { encodeSafetensors } from "../../../shared/model/formats/safetensors.ts";
import type { ShapedName } from "../../../shared/model/weights.ts";
import { putJson } from "../../../shared/store.ts";
import { ARITHMETIC } from "../../../shared/training/protocol/arithmetic.ts";
import type { Lease, Submission } from "../../../shared/training/protocol/task.ts";
import { shardState } from "../../../shared/training/protocol/shard-state.ts";
import type { CoordinatorCosts } from "../../simulation/saturation.ts";
import { configPath } from "../../local/workers.ts";
import type { CoordinatorModule } from "../workers/coordinator.ts";

const NONE = "0".repeat(64);
/** Costs are measured at these two numbers of shards. A line through both points gives the costs at all other numbers. */
const [FEW, MANY] = [10, 250] as const;

interface Measured {
  leaseMs: number;
  submitMs: number;
  reduceMs: number;
}

export async function measureCoordinator(
  preset: string,
): Promise<{ costs: CoordinatorCosts; deltaMB: number; measured: Record<number, Measured> }> {
  const { model: shape, vocabSize, training: usual } = presetOf(preset);
  const model = { ...shape, vocabSize };
  const server = createTestHarness({
    workers: ["collector", "tokenizer", "coordinator"].map((name) => ({ configPath: configPath(name) })),
  });
  await server.listen();
  try {
    const worker = server.getWorker<CoordinatorEnv, CoordinatorModule>("tiffin-coordinator");
    const coordinator = await worker.getExport();
    const sizes = { trainTokens: 0, valTokens: 0, valBytes: 0, documents: 0, unigramLoss: 0 };
    const empty: StoredDataset = { format: 1, tokenizer: NONE, vocabSize, train: [], val: [], ...sizes };
    const dataset = await putJson((await worker.getEnv()).ARTIFACTS, "dataset", empty);
    let deltaMB = 0;

    const round = async (shards: number): Promise<Measured> => {
      const run = `costs-${shards}`;
      const training = trainingConfigSchema.parse({ ...usual, seed: 1, tokens: 1e9, shards, steps: 2 });
      const supervision = supervisionConfigSchema.parse({});
      await coordinator.startRun({ run, preset, dataset, tokenizer: NONE, model, training, supervision, rounds: 10 });
      const write = (part: readonly ShapedName[]) => {
        const arrays = part.map(([name, axes]) => ({
          name,
          shape: axes,
          data: new Float32Array(axes.reduce((a, b) => a * b, 1)).fill(1e-4),
        }));
        return coordinator.writePart(run, encodeSafetensors(arrays));
      };
      const [delta, inner]: [string[], string[]] = [[], []];
      for (const part of partition(model)) {
        delta.push(await write(part));
        inner.push(await write(shardState(part, training)));
      }
      deltaMB =
        partition(model)
          .flat()
          .reduce((sum, [, axes]) => sum + axes.reduce((a, b) => a * b, 4), 0) / 1e6;
      const leasesAt = performance.now();
      const leases = (await Promise.all(
        Array.from({ length: shards }, (_, index) => coordinator.lease({ trainer: `t${index}`, run, arithmetic: ARITHMETIC })),
      )) as Lease[];
      const leaseMs = (performance.now() - leasesAt) / shards;
      const sequences = training.steps * training.batch;
      const amounts = { loss: 8, sequences, tokens: sequences * model.context, deltaBytes: 0, innerBytes: 0 };
      const submissionOf = ({ id, task }: Lease, trainer: string): Submission => {
        const { round: number, shard, base } = task;
        return {
          lease: id,
          computeMs: 0,
          trainer,
          run,
          round: number,
          shard,
          base,
          result: { kind: "train", delta, inner, ...amounts },
        };
      };
      const last = leases.pop()!;
      const submitsAt = performance.now();
      const replies = await Promise.all(leases.map((lease, index) => coordinator.submit(submissionOf(lease, `t${index}`))));
      const submitMs = (performance.now() - submitsAt) / leases.length;
      const refused = replies.find((reply) => !reply.accepted);
      if (refused !== undefined) throw new Error(`coordinator costs: expected all results to be accepted, got ${JSON.stringify(refused)}`);
      const reduceAt = performance.now();
      await coordinator.submit(submissionOf(last, "last"));
      while ((await coordinator.lease({ trainer: "last", run, arithmetic: ARITHMETIC })) === null);
      return { leaseMs, submitMs, reduceMs: performance.now() - reduceAt };
    };

    // The first round warms up the engine's compiler.
    await round(2);
    const [few, many] = [await round(FEW), await round(MANY)];
    const line = (pick: (measured: Measured) => number) => {
      const slope = Math.max(0, (pick(many) - pick(few)) / (MANY - FEW));
      return (shards: number) => Math.max(0, pick(few) + slope * (shards - FEW));
    };
    const reduceMsPerMB = Math.max(0, (many.reduceMs - few.reduceMs) / (MANY - FEW) / deltaMB);
    const costs = {
      lease: line(({ leaseMs }) => leaseMs),
      submit: line(({ submitMs }) => submitMs),
      reduceMsPerMB,
      commitMs: Math.max(0, few.reduceMs - FEW * deltaMB * reduceMsPerMB),
    };
    return { costs, deltaMB, measured: { [FEW]: few, [MANY]: many } };
  } finally {
    await server.close();
  }
}
