/**
 * The Worker of `npm run bench -- train`: full training steps (forward, backward, clipping, update) of a preset on random
 * tokens. With STOCK it runs on tfjs's own wasm kernels, for comparison; the model is the same, written in the same ops.
 * POST /?preset=NAME&steps=N&batch=N answers with the milliseconds of each step; workerd's clock moves locally.
 */
import * as tf from "@tensorflow/tfjs-core";
import { presetOf } from "../../../shared/config.ts";
import { lossAndGradients } from "../../../shared/model/loss.ts";
import { clipByGlobalNorm, createOptimizer } from "../../../shared/model/optimizer.ts";
import { createRandom } from "../../../shared/model/random.ts";
import { initWeights, parameterCount, type Weights } from "../../../shared/model/weights.ts";
import { startBackend, startStockBackend, wasmBytes } from "../../../shared/tensor/backend.ts";

export interface Steps {
  milliseconds: number[];
  losses: number[];
  parameters: number;
  wasmBytes: number;
  tensors: number;
}

interface Training {
  preset: string;
  weights: Weights;
  state: Weights;
  random: () => number;
}

let training: Training | null = null;

function begin(preset: string): Training {
  if (training?.preset === preset) return training;
  if (training !== null) tf.dispose([training.weights, training.state]);
  const { model, vocabSize, training: config } = presetOf(preset);
  const weights = initWeights({ ...model, vocabSize }, 1);
  training = { preset, weights, state: createOptimizer(config.optimizer).init(weights), random: createRandom(1) };
  return training;
}

/** One step on tokens drawn at random, each label the token after. */
function step(current: Training, batch: number): number {
  const { model: shape, vocabSize, training: config } = presetOf(current.preset);
  const model = { ...shape, vocabSize };
  const tokens = Int32Array.from({ length: batch * model.context + 1 }, () => Math.floor(current.random() * vocabSize));
  const { loss, gradients } = lossAndGradients(current.weights, model, tokens.subarray(0, -1), tokens.subarray(1), batch);
  const clipped = clipByGlobalNorm(gradients, config.clipNorm).gradients;
  const next = createOptimizer(config.optimizer).update(clipped, current.state, current.weights, 1);
  current.weights = next.weights;
  current.state = next.state;
  return loss;
}

export default {
  async fetch(request, env): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const preset = searchParams.get("preset") ?? "shakespeare-char";
    await (env.STOCK === "on" ? startStockBackend() : startBackend());
    const current = begin(preset);
    const batch = Number(searchParams.get("batch") ?? presetOf(preset).training.batch);
    const result: Steps = { milliseconds: [], losses: [], parameters: 0, wasmBytes: 0, tensors: 0 };
    for (let index = 0; index < Number(searchParams.get("steps") ?? 1); index++) {
      const startedAt = Date.now();
      result.losses.push(step(current, batch));
      result.milliseconds.push(Date.now() - startedAt);
    }
    const { model, vocabSize } = presetOf(preset);
    const parameters = parameterCount({ ...model, vocabSize });
    return Response.json({ ...result, parameters, wasmBytes: wasmBytes(), tensors: tf.memory().numTensors } satisfies Steps);
  },
} satisfies ExportedHandler<{ STOCK?: string }>;
