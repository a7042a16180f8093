/**
 * The Worker of `npm run bench -- train`: full training steps (forward, backward, clipping, update) of a preset on random
 * tokens. With STOCK it runs on tfjs's own wasm kernels, for comparison; the model is the same, written in the same ops.
 * POST /?preset=NAME&optimizer=NAME&steps=N&batch=N&layers=N answers with the milliseconds of each step; workerd's clock moves locally.
 */
import * as tf from "@tensorflow/tfjs-core";
import { PRESETS, presetOf, type ModelConfig, type OptimizerConfig } from "../../../shared/config.ts";
import { createOptimizer } from "../../../shared/model/optimizer.ts";
import { createRandom } from "../../../shared/model/random.ts";
import { trainStep } from "../../../shared/model/training-step.ts";
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
  optimizer: OptimizerConfig;
  model: ModelConfig;
  weights: Weights;
  state: Weights;
  random: () => number;
}

let training: Training | null = null;

/** The optimizer of that name as presets have it. */
function optimizerOf(name: string): OptimizerConfig {
  const known = Object.values(PRESETS).map((preset) => preset.training.optimizer);
  const config = known.find((optimizer) => optimizer.name === name);
  if (config === undefined) throw new Error(`bench: expected the optimizer of a preset, got ${name}`);
  return config;
}

function begin(preset: string, layers: number, optimizer: OptimizerConfig): Training {
  if (training?.preset === preset && training.model.layers === layers && training.optimizer.name === optimizer.name) return training;
  if (training !== null) tf.dispose([training.weights, training.state]);
  const { model: shape, vocabSize } = presetOf(preset);
  const model = { ...shape, layers, vocabSize };
  const weights = initWeights(model, 1);
  training = { preset, optimizer, model, weights, state: createOptimizer(optimizer).init(weights), random: createRandom(1) };
  return training;
}

/** One step on tokens drawn at random, each label the token after. */
function step({ preset, optimizer, model, weights, state, random }: Training, sequences: number): number {
  const config = { ...presetOf(preset).training, optimizer, steps: 2 };
  const tokens = Int32Array.from({ length: sequences * model.context + 1 }, () => Math.floor(random() * model.vocabSize));
  const batch = { inputs: tokens.subarray(0, -1), labels: tokens.subarray(1), sequences };
  return trainStep(model, config, createOptimizer(optimizer), weights, state, batch, 1);
}

export default {
  async fetch(request, env): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const preset = searchParams.get("preset");
    // The baseline of a measurement: an isolate that has loaded and done nothing.
    if (preset === null) return new Response("ready");
    await (env.STOCK === "on" ? startStockBackend() : startBackend());
    const optimizer = optimizerOf(searchParams.get("optimizer") ?? presetOf(preset).training.optimizer.name);
    const current = begin(preset, Number(searchParams.get("layers") ?? presetOf(preset).model.layers), optimizer);
    const batch = Number(searchParams.get("batch") ?? presetOf(preset).training.batch);
    const result: Steps = { milliseconds: [], losses: [], parameters: 0, wasmBytes: 0, tensors: 0 };
    for (let index = 0; index < Number(searchParams.get("steps") ?? 1); index++) {
      const startedAt = Date.now();
      result.losses.push(step(current, batch));
      result.milliseconds.push(Date.now() - startedAt);
    }
    const parameters = parameterCount(current.model);
    return Response.json({ ...result, parameters, wasmBytes: wasmBytes(), tensors: tf.memory().numTensors } satisfies Steps);
  },
} satisfies ExportedHandler<{ STOCK?: string }>;
