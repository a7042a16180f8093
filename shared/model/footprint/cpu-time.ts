/**
 * Predicts the CPU time of a training task, so that a task that no trainer can finish is refused before it starts. The
 * prediction is the operations of all matrix products, divided by a measured rate. The measured rate includes all other work
 * (norms, exponentials, transfers).
 */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import type { DenseConfig, NetworkConfig } from "../../network-config.ts";
import { isDense } from "../../network-kind.ts";
import { namedError } from "../../errors.ts";
import { MAX_CPU_SECONDS, PLANNED_CPU_SECONDS } from "../../limits.ts";
import { MAX_FEATURES } from "../../lessons/features.ts";
import { sizesOf } from "../dense/network.ts";
import { denseShape } from "../dense/weights.ts";
import { isHiddenMatrix, weightShapes } from "../weights.ts";

/**
 * The shipped rate in operations per CPU second, until accepted tasks show the rate of the machines (training/protocol/cpu-rate.ts).
 * Rounded down from the slowest preset: `tiny` reaches 35.5e9; `base`, `small` and `shakespeare-char` reach 52e9 to 56e9. Measured
 * 2026-11-27 on a core of an AMD EPYC (Zen 4) with both cores busy: workerd's CPU time over 6 to 400 steps of
 * scripts/bench/workers/train.ts.
 */
export const OPERATIONS_PER_CPU_SECOND = 35e9;
/**
 * What an operation of a dense network costs, in operations of the kernels. Dense networks run in plain numbers, an example at a
 * time (model/dense/network.ts).
 */
const PLAIN_OPERATION = 40;
/** Newton-Schulz iterations of Muon (tensor/kernels/optimizers.ts). */
const MUON_ITERATIONS = 3;

export interface CpuEstimate {
  tokens: number;
  seconds: number;
  /** What to change when the time is too long. */
  advice: string;
}

/** Estimates a training task, one shard of one round, at `rate` operations a second. */
export function estimateTaskCpu(model: NetworkConfig, training: TrainingConfig, rate = OPERATIONS_PER_CPU_SECOND): CpuEstimate {
  const seconds = taskOperations(model, training) / rate;
  return { tokens: taskTokens(model, training), seconds, advice: "take fewer steps per task or a smaller batch" };
}

/** Tokens of the largest shard's task. */
function taskTokens(model: NetworkConfig, { steps, batch, shards }: TrainingConfig): number {
  return (isDense(model) ? 1 : model.context) * (steps === 1 ? Math.ceil(batch / shards) : steps * batch);
}

/** Operations of the largest shard's task. */
export function taskOperations(model: NetworkConfig, training: TrainingConfig): number {
  const { steps, optimizer, recompute } = training;
  // With `steps` = 1 the coordinator applies the optimizer. Optimizers without matrix products cost little.
  const updates = steps > 1 && optimizer.name === "muon" ? steps * muonOperations(model) : 0;
  return taskTokens(model, training) * (recompute ? 4 : 3) * forwardOperations(model) + updates;
}

/** Estimates an evaluation task: the validation tokens of one shard. */
export function estimateEvaluationCpu(
  model: NetworkConfig,
  { shards }: TrainingConfig,
  valTokens: number,
  rate = OPERATIONS_PER_CPU_SECOND,
): CpuEstimate {
  const tokens = Math.ceil(valTokens / shards);
  return { tokens, seconds: (tokens * forwardOperations(model)) / rate, advice: "take more shards" };
}

const hiddenShapes = (model: NetworkConfig) =>
  weightShapes(model).flatMap(([name, [rows, columns]]) => (isHiddenMatrix(name) ? [[rows!, columns!] as const] : []));

/** Operations of the matrix products for one token in the forward pass. For each product, the backward pass has two of equal size. */
function forwardOperations(model: NetworkConfig): number {
  return isDense(model) ? denseOperations(model) : decoderOperations(model);
}

/** The first layer adds one column per feature; the other layers are products. */
function denseOperations(model: DenseConfig): number {
  const [, ...sizes] = sizesOf(denseShape(model));
  const products = sizes.reduce((sum, outputs, layer) => sum + outputs * (layer === 0 ? MAX_FEATURES : sizes[layer - 1]!), 0);
  return 2 * PLAIN_OPERATION * products;
}

function decoderOperations(model: ModelConfig): number {
  const { vocabSize, width, layers, context, heads, headWidth } = model;
  const matrices = hiddenShapes(model).reduce((sum, [rows, columns]) => sum + 2 * rows * columns, 0);
  // Scores and weighted values over all positions. Causal attention needs half of them, but at half the speed of other products.
  const attention = 4 * layers * context * heads * headWidth;
  return matrices + attention + 2 * vocabSize * width;
}

/** Operations of one Muon update. For each matrix X and iteration: A = X X^T, A squared, and A squared times X. */
function muonOperations(model: NetworkConfig): number {
  return hiddenShapes(model).reduce((sum, shape) => {
    const [short, long] = [Math.min(...shape), Math.max(...shape)];
    return sum + MUON_ITERATIONS * (4 * short ** 2 * long + 2 * short ** 3);
  }, 0);
}

/** Throws InvalidInput with the estimate if an invocation may not finish the task. */
export function checkCpu({ tokens, seconds, advice }: CpuEstimate): void {
  if (seconds <= PLANNED_CPU_SECONDS) return;
  throw namedError(
    "InvalidInput",
    `cpu: expected a task of at most ${PLANNED_CPU_SECONDS} CPU seconds (half of a trainer's ${MAX_CPU_SECONDS}), got about ${Math.ceil(seconds)} (${tokens} tokens); ${advice}`,
  );
}
