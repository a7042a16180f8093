/** The Node side of the bench `memory`: the objects of a task and the replies to a trainer, behind this process's `fetch`. */
import { createHash } from "node:crypto";
import type { Dataset } from "../../shared/artifacts.ts";
import type { ModelConfig, TrainingConfig } from "../../shared/config.ts";
import { partition } from "../../shared/model/partition.ts";
import { createRandom, normal } from "../../shared/model/random.ts";
import { encodeSafetensors } from "../../shared/model/safetensors.ts";
import { encodeTokenShard, MAX_SHARD_TOKENS } from "../../shared/tokenizer/token-shard.ts";
import type { Lease, Submission, TrainTask } from "../../shared/training/task.ts";

/** The host that workers/memory/coordinator.ts asks. */
const HOST = "bench.invalid";

const NONE = "0".repeat(64);

/** Serves so many tasks, each beginning from the state that the one before it wrote, until `close`. */
export function serveTask(model: ModelConfig, training: TrainingConfig, tasks: number): { milliseconds(): number; close(): void } {
  const objects = new Map<string, Uint8Array<ArrayBuffer>>();
  const put = (bytes: Uint8Array<ArrayBuffer>): string => {
    const hash = createHash("sha256").update(bytes).digest("hex");
    objects.set(hash, bytes);
    return hash;
  };
  const random = createRandom(1);
  const weights = partition(model).map((shapes) =>
    put(
      encodeSafetensors(
        shapes.map(([name, shape]) => {
          const size = shape.reduce((product, axis) => product * axis, 1);
          const [center, std] = name.includes("norm") ? [1, 0] : [0, 1 / Math.sqrt(shape.at(-1)!)];
          return { name, shape, data: Float32Array.from({ length: size }, () => center + std * normal(random)) };
        }),
      ),
    ),
  );
  const tokens = Array.from({ length: MAX_SHARD_TOKENS }, () => Math.floor(random() * model.vocabSize));
  const shard = { hash: put(encodeTokenShard(tokens)), tokens: MAX_SHARD_TOKENS };
  const counts = { trainTokens: MAX_SHARD_TOKENS, valTokens: 0, valBytes: 0, documents: 1, unigramLoss: 0 };
  const manifest: Dataset = { format: 1, tokenizer: NONE, vocabSize: model.vocabSize, train: [shard], val: [], ...counts };
  const dataset = put(Uint8Array.from(new TextEncoder().encode(JSON.stringify(manifest))));

  let inner: TrainTask["inner"] = null;
  let leased = 0;
  let startedAt = 0;
  let milliseconds = 0;
  function lease(): Lease | null {
    if (leased >= tasks) return null;
    startedAt = Date.now();
    const common = { kind: "train" as const, run: "bench", shard: 0, base: NONE, dataset, lrScale: 1 };
    return {
      id: String(leased),
      expiresAt: Number.MAX_SAFE_INTEGER,
      task: { ...common, round: leased++, weights, inner, model, training },
    };
  }

  async function reply(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/lease") return Response.json(lease());
    if (pathname === "/objects") return new Response(put(new Uint8Array(await request.arrayBuffer())));
    if (pathname === "/submit") {
      const { result } = (await request.json()) as Submission;
      if (result.kind === "train") inner = result.inner as TrainTask["inner"];
      milliseconds = Date.now() - startedAt;
      return new Response();
    }
    return new Response(objects.get(pathname.slice("/objects/".length)) ?? null, { status: 200 });
  }

  const outside = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const request = new Request(input as RequestInfo, init);
    return new URL(request.url).hostname === HOST ? reply(request) : outside(request);
  };
  return { milliseconds: () => milliseconds, close: () => void (globalThis.fetch = outside) };
}
