/**
 * The Worker of `npm run bench -- decode`. GET /?model=HASH&precision=NAME&prompt=N&tokens=N&rounds=N&choices=N loads the model
 * from the bucket as the generator does, reads a prompt and continues it greedily, `choices` times in one batch. The precision
 * `reference` is the plain decoder of model/decoder.ts. Returns the shortest time of each part. workerd's clock moves during
 * work only in the local runtime, in steps of a millisecond.
 */
import { createDecoder, type Decoder } from "../../../../shared/model/decoder.ts";
import { createFusedModel, type DecodingModel } from "../../../../shared/model/decoding/fused-model.ts";
import type { Precision } from "../../../../shared/model/decoding/fused-weights.ts";
import { wasmBytes } from "../../../../shared/tensor/engine/backend.ts";
import { instantiateKernels } from "../../../../shared/tensor/engine/kernel-instance.ts";
import kernelModule from "../../../../shared/tensor/engine/kernel-module.ts";
import { pointer } from "../../../../shared/tensor/engine/wasm-runtime.ts";
// oxlint-disable-next-line no-restricted-imports -- the cold start is that of the generator, from its bucket to the first token
import { loadModel, type LoadedModel } from "../../../../workers/generator/load-model.ts";
import { mostProbable } from "../../support/interchange/comparisons.ts";

export interface Decoded {
  /** Of the first request only: the model's parts from the bucket, the preparation of its weights, and a prompt with its first token. */
  loadMs: number;
  packMs: number;
  coldFirstTokenMs: number;
  /** A prompt with its first token. */
  firstTokenMs: number;
  /** One further token of each choice. */
  tokenMs: number;
  wasmBytes: number;
  /** The rate of 128-bit multiply-adds in registers, at the same moment. */
  peakGflops: number;
}

const PEAK_ROUNDS = 20_000;

let loaded: LoadedModel | null = null;
let decoding: { precision: string; model: DecodingModel } | null = null;

/** Different prompts in turn, so that no round can reuse the work of the round before it. */
function promptOf(round: number, length: number, vocabSize: number): Int32Array {
  return Int32Array.from({ length }, (_, index) => (((round + 1) * 7919 + index * 104_729) % (vocabSize - 1)) + 1);
}

/** The plain decoder as a model that steps one sequence after the other. */
function referenceModel({ weights, config }: LoadedModel): DecodingModel {
  return {
    start: () => createDecoder(weights, config),
    stepTogether: (decoders, ids) => decoders.map((decoder, index) => decoder.step(ids[index]!)),
    dispose: () => undefined,
  };
}

function modelOf(model: LoadedModel, precision: string): DecodingModel {
  if (decoding?.precision === precision) return decoding.model;
  decoding?.model.dispose();
  decoding = null;
  if (precision === "int8") return model.decoding;
  const created = precision === "reference" ? referenceModel(model) : createFusedModel(model.weights, model.config, precision as Precision);
  decoding = { precision, model: created };
  return created;
}

interface Times {
  firstMs: number;
  tokenMs: number;
}

function decode(model: DecodingModel, prompt: Int32Array, tokens: number, choices: number): Times {
  const start = performance.now();
  const prompted = model.start();
  const token = mostProbable(prompted.prefill(prompt));
  const first = performance.now();
  const decoders: Decoder[] = Array.from({ length: choices }, () => prompted.fork());
  prompted.dispose();
  let ids = decoders.map(() => token);
  for (let count = 1; count < tokens; count++) ids = model.stepTogether(decoders, ids).map(mostProbable);
  const end = performance.now();
  for (const decoder of decoders) decoder.dispose();
  return { firstMs: first - start, tokenMs: (end - first) / Math.max(1, tokens - 1) };
}

function peakGflops(): number {
  const { peak } = instantiateKernels(new WebAssembly.Memory({ initial: 16 }), kernelModule);
  let best = 0;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    let operations = 0;
    while (performance.now() - start < 20) operations += peak(PEAK_ROUNDS, pointer(65_536));
    best = Math.max(best, operations / (performance.now() - start) / 1e6);
  }
  return best;
}

export default {
  async fetch(request, env): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const hash = searchParams.get("model");
    // The idle baseline: the isolate is loaded and has done nothing yet.
    if (hash === null) return new Response("ready");
    const numberOf = (name: string) => Number(searchParams.get(name) ?? 1);
    const start = performance.now();
    loaded ??= await loadModel(
      { ...env, PRECISION: "int8" },
      { model: hash, tokenizer: "", run: "", valLoss: null, publishedAt: "", active: true, kind: "language" },
    );
    const read = performance.now();
    const model = modelOf(loaded, searchParams.get("precision") ?? "int8");
    const packed = performance.now();
    const times: Times[] = [];
    for (let round = 0; round <= numberOf("rounds"); round++)
      times.push(
        decode(
          model,
          promptOf(round, numberOf("prompt"), loaded.config.vocabSize),
          round === 0 ? 1 : numberOf("tokens"),
          numberOf("choices"),
        ),
      );
    const [cold, ...warm] = times as [Times, ...Times[]];
    return Response.json({
      loadMs: read - start,
      packMs: packed - read,
      coldFirstTokenMs: cold.firstMs,
      firstTokenMs: Math.min(...warm.map(({ firstMs }) => firstMs)),
      tokenMs: Math.min(...warm.map(({ tokenMs }) => tokenMs)),
      wasmBytes: wasmBytes(),
      peakGflops: warm.length === 0 ? 0 : peakGflops(),
    } satisfies Decoded);
  },
} satisfies ExportedHandler<{ ARTIFACTS: R2Bucket }>;
