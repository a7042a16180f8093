/**
 * The Worker of `npm run bench -- train`: full training steps (forward, backward, clipping, update) of a preset on random
 * tokens. With STOCK the same model, written with the same ops, runs on tfjs's own wasm kernels. POST
 * /?preset=NAME&optimizer=NAME&steps=N&batch=N&layers=N returns the milliseconds of each step. workerd's clock moves during
 * work only in the local runtime.
 */
import * as tf from "@tensorflow/tfjs-core";
import { PRESETS, presetOf, type ModelConfig, type OptimizerConfig } from "../../../shared/config.ts";
import { createOptimizer } from "../../../shared/training/compute/optimizer.ts";
import { planPasses } from "../../../shared/model/footprint/plan.ts";
import { createRandom } from "../../../shared/model/random.ts";
import type { Batch } from "../../../shared/model/backward/pass.ts";
import { optimizerStep, type Training } from "../../../shared/training/compute/optimizer-step.ts";
import { pretrain } from "../../../shared/training/objectives/pretrain.ts";
import { initWeights, parameterCount } from "../../../shared/model/weights.ts";
import { startBackend, startStockBackend, wasmBytes } from "../../../shared/tensor/engine/backend.ts";

export interface Steps {
  milliseconds: number[];
  losses: number[];
  parameters: number;
  wasmBytes: number;
  tensors: number;
}

/** The model in training, and the request that created it. */
interface Subject extends Training {
  model: ModelConfig;
  preset: string;
  optimizerName: string;
  sequences: number;
  random: () => number;
}

let subject: Subject | null = null;

/** The settings that the presets have for the optimizer `name`. */
function optimizerOf(name: string): OptimizerConfig {
  const known = Object.values(PRESETS).map((preset) => preset.training.optimizer);
  const config = known.find((optimizer) => optimizer.name === name);
  if (config === undefined) throw new Error(`bench: expected the optimizer of a preset, got ${name}`);
  return config;
}

function begin(preset: string, layers: number, config: OptimizerConfig, sequences: number): Subject {
  const { model: shape, vocabSize, training } = presetOf(preset);
  const model = { ...shape, layers, vocabSize };
  const plan = planPasses(model, { ...training, optimizer: config, steps: 2 }, sequences);
  const same = subject?.preset === preset && subject.model.layers === layers && subject.optimizerName === config.name;
  if (same) return { ...subject!, plan, sequences };
  if (subject !== null) tf.dispose([subject.weights, subject.state]);
  const optimizer = createOptimizer(config);
  const weights = initWeights(model, 1);
  const state = optimizer.init(weights);
  const { clipNorm } = training;
  const { lossHead } = pretrain;
  const trained = { model, lossHead, plan, clipNorm, optimizer, weights, state };
  subject = { ...trained, preset, optimizerName: config.name, sequences, random: createRandom(1) };
  return subject;
}

/** Random tokens; each label is the next token. */
function drawBatch({ sequences, random, model }: Subject): Batch {
  const tokens = Int32Array.from({ length: sequences * model.context + 1 }, () => Math.floor(random() * model.vocabSize));
  return { inputs: tokens.subarray(0, -1), labels: tokens.subarray(1), sequences };
}

export default {
  async fetch(request, env): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const preset = searchParams.get("preset");
    // The idle baseline: the isolate is loaded and has done nothing yet.
    if (preset === null) return new Response("ready");
    await (env.STOCK === "on" ? startStockBackend() : startBackend());
    const optimizer = optimizerOf(searchParams.get("optimizer") ?? presetOf(preset).training.optimizer.name);
    const batch = Number(searchParams.get("batch") ?? presetOf(preset).training.batch);
    const current = begin(preset, Number(searchParams.get("layers") ?? presetOf(preset).model.layers), optimizer, batch);
    const result: Steps = { milliseconds: [], losses: [], parameters: 0, wasmBytes: 0, tensors: 0 };
    for (let index = 0; index < Number(searchParams.get("steps") ?? 1); index++) {
      const drawn = drawBatch(current);
      const startedAt = Date.now();
      result.losses.push(optimizerStep(current, drawn, 1));
      result.milliseconds.push(Date.now() - startedAt);
    }
    const parameters = parameterCount(current.model);
    return Response.json({ ...result, parameters, wasmBytes: wasmBytes(), tensors: tf.memory().numTensors } satisfies Steps);
  },
} satisfies ExportedHandler<{ STOCK?: string }>;
