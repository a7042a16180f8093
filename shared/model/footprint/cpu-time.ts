/**
 * CPU time of a training task: the operations of its products over a measured rate, which includes everything else (norms,
 * exponentials, transfers). Predicted before a task is handed out, so that a task that no trainer can finish is refused.
 */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import { namedError } from "../../errors.ts";
import { MAX_CPU_SECONDS, PLANNED_CPU_SECONDS } from "../../limits.ts";
import { isHiddenMatrix, weightShapes } from "../weights.ts";

/**
 * The rate of the slowest preset, `tiny`: 35.5e9; `base`, `small` and `shakespeare-char` reach 52e9 to 56e9. One core of an AMD
 * EPYC (Zen 4), 2026-11-27, both cores busy: workerd's own CPU time over 6 to 400 steps of scripts/bench/workers/train.ts.
 */
const OPERATIONS_PER_CPU_SECOND = 35e9;
/** Newton-Schulz iterations of Muon (tensor/kernels/optimizers.ts). */
const MUON_ITERATIONS = 3;

export interface CpuEstimate {
  tokens: number;
  seconds: number;
  /** The remedy when that is too much. */
  advice: string;
}

/** A shard's task of a run. */
export function estimateTaskCpu(model: ModelConfig, training: TrainingConfig): CpuEstimate {
  const { steps, batch, shards, optimizer } = training;
  const tokens = model.context * (steps === 1 ? Math.ceil(batch / shards) : steps * batch);
  // With one step the coordinator applies the optimizer. Optimizers without products cost little.
  const updates = steps > 1 && optimizer.name === "muon" ? steps * muonOperations(model) : 0;
  const operations = tokens * (training.recompute ? 4 : 3) * forwardOperations(model) + updates;
  return { tokens, seconds: operations / OPERATIONS_PER_CPU_SECOND, advice: "take fewer steps per task or a smaller batch" };
}

/** A shard's share of an evaluation. */
export function estimateEvaluationCpu(model: ModelConfig, { shards }: TrainingConfig, valTokens: number): CpuEstimate {
  const tokens = Math.ceil(valTokens / shards);
  return { tokens, seconds: (tokens * forwardOperations(model)) / OPERATIONS_PER_CPU_SECOND, advice: "take more shards" };
}

const hiddenShapes = (model: ModelConfig) =>
  weightShapes(model).flatMap(([name, [rows, columns]]) => (isHiddenMatrix(name) ? [[rows!, columns!] as const] : []));

/** The products of one token in the forward pass; each has two of the same size in the backward pass. */
function forwardOperations(model: ModelConfig): number {
  const { vocabSize, width, layers, context, heads, headWidth } = model;
  const matrices = hiddenShapes(model).reduce((sum, [rows, columns]) => sum + 2 * rows * columns, 0);
  // Scores and weighted values over all positions: the causal half, which runs at half of the other products' rate.
  const attention = 4 * layers * context * heads * headWidth;
  return matrices + attention + 2 * vocabSize * width;
}

/** One update: for each matrix X the products X X^T, its square, and the square times X. */
function muonOperations(model: ModelConfig): number {
  return hiddenShapes(model).reduce((sum, shape) => {
    const [short, long] = [Math.min(...shape), Math.max(...shape)];
    return sum + MUON_ITERATIONS * (4 * short ** 2 * long + 2 * short ** 3);
  }, 0);
}

/** Throws InvalidInput, with the figures, for a task that an invocation may not finish. */
export function checkCpu({ tokens, seconds, advice }: CpuEstimate): void {
  if (seconds <= PLANNED_CPU_SECONDS) return;
  throw namedError(
    "InvalidInput",
    `cpu: expected a task of at most ${PLANNED_CPU_SECONDS} CPU seconds (half of the ${MAX_CPU_SECONDS} that a trainer has), got one of about ${Math.ceil(seconds)} (${tokens} tokens); ${advice}`,
  );
}
