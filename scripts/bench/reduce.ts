/**
 * `npm run bench -- reduce [--shards N] [--json]`: memory of a coordinator that reduces the updates of a model of six million
 * parameters (preset base), counted from outside: workerd's resident set over what it was before the run began, and
 * over what it was right before the reduction, polled while it reduces. The bench plays the trainers, without computing.
 */
import { createTestHarness } from "wrangler";
import { objectKey, type Dataset } from "../../shared/artifacts.ts";
import { presetOf, supervisionConfigSchema } from "../../shared/config.ts";
import { partition } from "../../shared/model/partition.ts";
import { encodeSafetensors } from "../../shared/model/safetensors.ts";
import { putJson, sha256 } from "../../shared/store.ts";
import type { Lease } from "../../shared/training/task.ts";
import type { Flags, Print } from "../named.ts";
import { childMemory } from "../process-memory.ts";
import { configPath } from "../workers.ts";

const MIB = 2 ** 20;
const POLL_MS = 10;
const TIMEOUT_MS = 120_000;
const NONE = "0".repeat(64);
const LIMIT_MB = 64;

export async function run(flags: Flags, print: Print): Promise<Record<string, unknown>> {
  const shards = Number(flags["shards"] ?? 16);
  const preset = presetOf("base");
  const model = { ...preset.model, vocabSize: preset.vocabSize };
  const parts = partition(model);
  const server = createTestHarness({
    workers: ["collector", "tokenizer", "coordinator"].map((name) => ({ configPath: configPath(name) })),
  });
  await server.listen();
  try {
    const worker = server.getWorker<CoordinatorEnv, typeof import("../../workers/coordinator/index.ts")>("tiffin-coordinator");
    const coordinator = await worker.getExport();
    const bucket = (await worker.getEnv()).ARTIFACTS;
    await coordinator.health();
    const idle = childMemory("workerd");
    const empty: Dataset = {
      format: 1,
      tokenizer: NONE,
      vocabSize: model.vocabSize,
      train: [],
      val: [],
      trainTokens: 0,
      valTokens: 0,
      valBytes: 0,
      documents: 0,
      unigramLoss: 0,
    };
    const dataset = await putJson(bucket, "dataset", empty);
    const training = { ...preset.training, seed: 1, tokens: 1e9, shards, steps: 2 };
    const supervision = supervisionConfigSchema.parse({});
    await coordinator.startRun({ run: "bench", preset: "base", dataset, tokenizer: NONE, model, training, supervision, rounds: 10 });
    const put = async (bytes: Uint8Array<ArrayBuffer>) => {
      const hash = await sha256(bytes);
      await bucket.put(objectKey("part", hash, "bench"), bytes);
      return hash;
    };
    const leases: Lease[] = [];
    for (let shard = 0; shard < shards; shard++) leases.push((await coordinator.lease({ trainer: "bench" }))! as Lease);
    const sequences = training.steps * training.batch;
    let before = 0;
    let peak = 0;
    let milliseconds = 0;
    // One update for all shards: storing sixteen would leave more in the simulated storage than the reduction takes.
    const delta: string[] = [];
    for (const part of parts) {
      const sizes = part.map(([name, shape]) => ({ name, shape, size: shape.reduce((product, axis) => product * axis, 1) }));
      delta.push(
        await put(encodeSafetensors(sizes.map(({ name, shape, size }) => ({ name, shape, data: new Float32Array(size).fill(1e-4) })))),
      );
    }
    for (const [shard, lease] of leases.entries()) {
      const { run: id, round, base } = lease.task;
      const result = {
        kind: "train" as const,
        delta,
        inner: delta,
        loss: 8,
        sequences,
        tokens: sequences * model.context,
        deltaBytes: 0,
        innerBytes: 0,
      };
      before = childMemory("workerd");
      const poll = setInterval(() => (peak = Math.max(peak, childMemory("workerd"))), POLL_MS);
      peak = Math.max(peak, before);
      const startedAt = Date.now();
      const reply = await coordinator.submit({ lease: lease.id, computeMs: 0, trainer: "bench", run: id, round, shard, base, result });
      if (!reply.accepted) throw new Error(`bench reduce: expected shard ${shard} to be accepted, got ${reply.reason}`);
      // The last one completes the round; a lease is given when it is reduced.
      if (shard === shards - 1) {
        while ((await coordinator.lease({ trainer: "bench", run: id })) === null) {
          if (Date.now() - startedAt > TIMEOUT_MS) throw new Error(`bench reduce: expected a reduction within ${TIMEOUT_MS} ms`);
        }
      } else peak = 0;
      milliseconds = Date.now() - startedAt;
      clearInterval(poll);
    }
    const status = await coordinator.getRun("bench");
    if (status?.round !== 1) throw new Error(`bench reduce: expected one committed round, got ${status?.round}: ${status?.error}`);
    const result = {
      shards,
      parameters: status.parameters,
      milliseconds,
      overIdleMB: (peak - idle) / MIB,
      overBeforeMB: (peak - before) / MIB,
    };
    print(
      `${shards} updates of ${status.parameters} parameters reduced in ${milliseconds} ms; ${result.overIdleMB.toFixed(0)} MB over idle, ${result.overBeforeMB.toFixed(0)} MB over the moment before`,
    );
    return { ...result, ok: result.overIdleMB < LIMIT_MB };
  } finally {
    await server.close();
  }
}
