/**
 * `npm run bench -- reduce [--shards 16] [--json]`: the memory of a coordinator that reduces the updates of a model with six
 * million parameters (preset base). The reduction runs alone in a workerd process. The figure is the process's anonymous
 * memory minus an idle baseline with the code loaded, so it includes garbage and the allocator's reserve. A second figure adds
 * the pages of the workerd program, which the system loads from its file on first use.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { presetOf, supervisionConfigSchema, trainingConfigSchema } from "../../shared/config.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { encodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import { sha256 } from "../../shared/store.ts";
import type { TrainResult } from "../../shared/training/protocol/task.ts";
import { initialState, type Base, type RunSpec } from "../../shared/training/protocol/run-state.ts";
import type { Print } from "../cli/runner.ts";
import { childMemory } from "./support/process-memory.ts";
import { stopOnExit, stopProcesses } from "../local/processes.ts";
import { startWorkerd } from "./support/workerd.ts";

const MIB = 2 ** 20;
const POLL_MS = 10;
const NONE = "0".repeat(64);
const LIMIT_MB = 64;
const ROUNDS = 3;

const memory = () => ({ own: childMemory("workerd", "RssAnon"), all: childMemory("workerd") });

export const FLAGS = { shards: 16 };

export async function run({ shards }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const preset = presetOf("base");
  const model = { ...preset.model, vocabSize: preset.vocabSize };
  const training = trainingConfigSchema.parse({ ...preset.training, seed: 1, tokens: 1e9, shards, steps: 2 });
  const named = { run: "bench", preset: "base", dataset: NONE, tokenizer: NONE, rounds: 10 };
  const spec: RunSpec = { ...named, model, training, supervision: supervisionConfigSchema.parse({}) };
  const parts = partition(model);
  /** A shard's update of a part. It is generated for every request. */
  const update = (shard: number, part: number) =>
    encodeSafetensors(
      parts[part]!.map(([name, shape]) => ({
        name,
        shape,
        data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1e-4 * (shard + 1)),
      })),
    );
  const updates = new Map<string, [shard: number, part: number]>();
  const sequences = training.steps * training.batch;
  const results: TrainResult[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const delta: string[] = [];
    for (const part of parts.keys()) {
      delta.push(await sha256(update(shard, part)));
      updates.set(delta.at(-1)!, [shard, part]);
    }
    const amounts = { loss: 8, sequences, tokens: sequences * model.context, deltaBytes: 0, innerBytes: 0 };
    results.push({ kind: "train", delta, inner: null, ...amounts });
  }

  const stored = new Map<string, Buffer>();
  const objects = createServer((request, response) => {
    void (async () => {
      const path = request.url!;
      const body = await buffer(request);
      if (request.method === "PUT") stored.set(path, body);
      const made = updates.get(/([0-9a-f]{64})\.\w+$/.exec(path)?.[1] ?? "");
      response.end(request.method === "PUT" ? "kept" : made === undefined ? stored.get(path)! : update(...made));
    })();
  });
  await new Promise<void>((resolve) => objects.listen(0, "127.0.0.1", resolve));
  stopOnExit();
  try {
    const { port } = objects.address() as AddressInfo;
    const url = await startWorkerd("bench-reduce", join(import.meta.dirname, "workers/reduce/wrangler.toml"), `127.0.0.1:${port}`);
    const call = async <T>(path: string, body: unknown): Promise<T> => {
      const response = await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`bench reduce ${path}: expected 200, got ${response.status}: ${await response.text()}`);
      return (await response.json()) as T;
    };
    const idle = memory();
    const peak = { ...idle };
    const poll = setInterval(() => {
      const now = memory();
      peak.own = Math.max(peak.own, now.own);
      peak.all = Math.max(peak.all, now.all);
    }, POLL_MS);
    let base = await call<Base>("/first", spec);
    const firstMB = (peak.own - idle.own) / MIB;
    let wasm = 0;
    const startedAt = Date.now();
    for (let round = 0; round < ROUNDS; round++) {
      const state = initialState(spec, base);
      const next = await call<{ base: Base; wasmBytes: number }>("/next", {
        ...state,
        slots: results.map((result) => ({ leases: [], votes: [], bad: [], result })),
      });
      base = next.base;
      wasm = next.wasmBytes;
    }
    clearInterval(poll);
    const figures = {
      shards,
      parameters: parameterCount(model),
      milliseconds: Math.round((Date.now() - startedAt) / ROUNDS),
      firstCheckpointMB: firstMB,
      peakMB: (peak.own - idle.own) / MIB,
      withProgramMB: (peak.all - idle.all) / MIB,
      wasmMB: wasm / MIB,
    };
    print(
      `${shards} updates of ${figures.parameters} parameters reduced in ${figures.milliseconds} ms; at most ${figures.peakMB.toFixed(0)} MB over idle, ${figures.wasmMB.toFixed(0)} MB of it wasm (${firstMB.toFixed(0)} MB for the first checkpoint; ${figures.withProgramMB.toFixed(0)} MB with pages of the workerd program)`,
    );
    return { ...figures, ok: figures.peakMB < LIMIT_MB };
  } finally {
    await stopProcesses();
    objects.close();
  }
}
