/**
 * The Worker of `npm run bench -- decode`. POST /?model=HASH&precision=NAME&prompt=N&tokens=N&rounds=N loads the model from the
 * bucket as the generator does, reads a prompt and continues it greedily. Returns the shortest time of each part. workerd's
 * clock moves during work only in the local runtime, in steps of a millisecond.
 */
import { createDecoder, type Decoder } from "../../../../shared/model/decoder.ts";
import { wasmBytes } from "../../../../shared/tensor/engine/backend.ts";
import { loadModel, type LoadedModel } from "../../../../workers/generator/load-model.ts";

export interface Decoded {
  loadMs: number;
  /** The first prompt after the load, with its first token. */
  coldFirstTokenMs: number;
  /** A prompt with its first token. */
  firstTokenMs: number;
  /** One further token. */
  tokenMs: number;
  wasmBytes: number;
  /** The greedy continuation. */
  ids: number[];
}

let loaded: LoadedModel | null = null;

function greedy(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}

/** Different prompts in turn, so that no round can reuse the work of the round before it. */
function promptOf(round: number, length: number, vocabSize: number): Int32Array {
  return Int32Array.from({ length }, (_, index) => ((round * 7919 + index * 104_729) % (vocabSize - 1)) + 1);
}

function decode(decoder: Decoder, prompt: Int32Array, tokens: number): { firstMs: number; restMs: number; ids: number[] } {
  const start = performance.now();
  const ids = [greedy(decoder.prefill(prompt))];
  const first = performance.now();
  while (ids.length < tokens) ids.push(greedy(decoder.step(ids.at(-1)!)));
  return { firstMs: first - start, restMs: performance.now() - first, ids };
}

export default {
  async fetch(request, env): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const hash = searchParams.get("model");
    // The idle baseline: the isolate is loaded and has done nothing yet.
    if (hash === null) return new Response("ready");
    const [length, tokens, rounds] = ["prompt", "tokens", "rounds"].map((name) => Number(searchParams.get(name))) as [number, number, number];
    const start = performance.now();
    loaded ??= await loadModel(env, { model: hash, publishedAt: "" });
    const { weights, config } = loaded;
    const result: Decoded = { loadMs: performance.now() - start, coldFirstTokenMs: 0, firstTokenMs: 0, tokenMs: 0, wasmBytes: 0, ids: [] };
    for (let round = 0; round <= rounds; round++) {
      const decoder = createDecoder(weights, config);
      const { firstMs, restMs, ids } = decode(decoder, promptOf(round, length, config.vocabSize), round === 0 ? 1 : tokens);
      decoder.dispose();
      if (round === 0) {
        result.coldFirstTokenMs = firstMs;
        continue;
      }
      const tokenMs = restMs / Math.max(1, tokens - 1);
      result.firstTokenMs = round === 1 ? firstMs : Math.min(result.firstTokenMs, firstMs);
      result.tokenMs = round === 1 ? tokenMs : Math.min(result.tokenMs, tokenMs);
      if (round === 1) result.ids = ids;
    }
    return Response.json({ ...result, wasmBytes: wasmBytes() } satisfies Decoded);
  },
} satisfies ExportedHandler<{ ARTIFACTS: R2Bucket }>;
