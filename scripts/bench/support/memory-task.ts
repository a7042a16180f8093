/**
 * The Node side of the bench `memory`. It replaces this process's `fetch`, answers a trainer's calls and keeps the task's
 * objects.
 */
import { createHash } from "node:crypto";
import type { StoredDataset } from "../../../shared/artifacts.ts";
import type { ModelConfig, TrainingConfig } from "../../../shared/config.ts";
import { slotName, slotsOf } from "../../../shared/training/compute/optimizer.ts";
import { partition } from "../../../shared/model/formats/partition.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { encodeSafetensors, sizeOf } from "../../../shared/model/formats/safetensors.ts";
import { encodeTokenShard, MAX_SHARD_TOKENS } from "../../../shared/tokenizer/token-shard.ts";
import type { Lease } from "../../../shared/training/protocol/task.ts";

/** The host that workers/memory/coordinator.ts calls. */
const HOST = "bench.invalid";

const NONE = "0".repeat(64);

/** Serves one task with a full optimizer state, until `close` is called. */
export function serveTask(model: ModelConfig, training: TrainingConfig): { close(): void } {
  const objects = new Map<string, Uint8Array<ArrayBuffer>>();
  const put = (bytes: Uint8Array<ArrayBuffer>): string => {
    const hash = createHash("sha256").update(bytes).digest("hex");
    objects.set(hash, bytes);
    return hash;
  };
  const random = createRandom(1);
  const parts = partition(model);
  const weights = parts.map((shapes) =>
    put(
      encodeSafetensors(
        shapes.map(([name, shape]) => {
          const [center, std] = name.includes("norm") ? [1, 0] : [0, 1 / Math.sqrt(shape.at(-1)!)];
          return { name, shape, data: Float32Array.from({ length: sizeOf(shape) }, () => center + std * normal(random)) };
        }),
      ),
    ),
  );
  const inner = parts.map((shapes) => {
    const slots = shapes.flatMap(([name, shape]) =>
      slotsOf(training.optimizer, name).map((slot) => ({ name: slotName(name, slot), shape, data: new Float32Array(sizeOf(shape)) })),
    );
    return put(encodeSafetensors([{ name: "step", shape: [], data: Float32Array.of(10) }, ...slots]));
  });
  const tokens = Array.from({ length: MAX_SHARD_TOKENS }, () => Math.floor(random() * model.vocabSize));
  const shard = { hash: put(encodeTokenShard(tokens)), tokens: MAX_SHARD_TOKENS };
  const counts = { trainTokens: MAX_SHARD_TOKENS, valTokens: 0, valBytes: 0, documents: 1, unigramLoss: 0 };
  const manifest: StoredDataset = { format: 1, tokenizer: NONE, vocabSize: model.vocabSize, train: [shard], val: [], ...counts };
  const dataset = put(Uint8Array.from(new TextEncoder().encode(JSON.stringify(manifest))));

  let isLeased = false;
  function lease(): Lease | null {
    if (isLeased) return null;
    isLeased = true;
    const common = { kind: "train" as const, run: "bench", round: 1, shard: 0, base: NONE, dataset, lrScale: 1 };
    return { id: "bench", expiresAt: Number.MAX_SAFE_INTEGER, task: { ...common, weights, inner, model, training } };
  }

  async function reply(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/lease") return Response.json(lease());
    if (pathname === "/objects") return new Response(put(new Uint8Array(await request.arrayBuffer())));
    if (pathname === "/submit") return new Response();
    return new Response(objects.get(pathname.slice("/objects/".length)) ?? null, { status: 200 });
  }

  const outside = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const request = new Request(input as RequestInfo, init);
    return new URL(request.url).hostname === HOST ? reply(request) : outside(request);
  };
  return { close: () => void (globalThis.fetch = outside) };
}
