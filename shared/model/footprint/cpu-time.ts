/**
 * CPU time of a training task, predicted before it is handed out, so that one that no trainer can finish is refused: the
 * operations of its products over a measured rate. All else (norms, exponentials, transfers) is in that rate.
 */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import { namedError } from "../../errors.ts";
import { MAX_CPU_SECONDS, PLANNED_CPU_SECONDS } from "../../limits.ts";
import { isHiddenMatrix, weightShapes } from "../weights.ts";

/**
 * That of the slowest preset, `tiny`: 35.5e9; `base`, `small` and `shakespeare-char` reach 52e9 to 56e9. One core of an AMD
 * EPYC (Zen 4), 2026-11-27, both cores busy: workerd's own CPU time over 6 to 400 steps of scripts/bench/workers/train.ts.
 */
const OPERATIONS_PER_CPU_SECOND = 35e9;
/** Newton-Schulz iterations of Muon (tensor/kernels/optimizers.ts). */
const MUON_ITERATIONS = 3;

export interface CpuEstimate {
  tokens: number;
  seconds: number;
  /** What to do when that is too much. */
  advice: string;
}

/** Of one shard's task of a run. */
export function estimateTaskCpu(model: ModelConfig, training: TrainingConfig): CpuEstimate {
  const { steps, batch, shards, optimizer } = training;
  const tokens = model.context * (steps === 1 ? Math.ceil(batch / shards) : steps * batch);
  // With one step the coordinator applies the optimizer; what others cost beside the products is little.
  const updates = steps > 1 && optimizer.name === "muon" ? steps * muonOperations(model) : 0;
  const operations = tokens * (training.recompute ? 4 : 3) * forwardOperations(model) + updates;
  return { tokens, seconds: operations / OPERATIONS_PER_CPU_SECOND, advice: "take fewer steps per task or a smaller batch" };
}

/** Of one shard's share of an evaluation. */
export function estimateEvaluationCpu(model: ModelConfig, { shards }: TrainingConfig, valTokens: number): CpuEstimate {
  const tokens = Math.ceil(valTokens / shards);
  return { tokens, seconds: (tokens * forwardOperations(model)) / OPERATIONS_PER_CPU_SECOND, advice: "take more shards" };
}

const hiddenShapes = (model: ModelConfig) =>
  weightShapes(model).flatMap(([name, [rows, columns]]) => (isHiddenMatrix(name) ? [[rows!, columns!] as const] : []));

/** Forward through the products of one token; in backward each operand's gradient is a product of the same size. */
function forwardOperations(model: ModelConfig): number {
  const { vocabSize, width, layers, context, heads, headWidth } = model;
  const matrices = hiddenShapes(model).reduce((sum, [rows, columns]) => sum + 2 * rows * columns, 0);
  // Scores and their mix over all positions: the causal half at half of the other products' rate.
  const attention = 4 * layers * context * heads * headWidth;
  return matrices + attention + 2 * vocabSize * width;
}

/** One update: of each matrix X with the short side s the products X X^T, its square, and that times X. */
function muonOperations(model: ModelConfig): number {
  return hiddenShapes(model).reduce((sum, shape) => {
    const [short, long] = [Math.min(...shape), Math.max(...shape)];
    return sum + MUON_ITERATIONS * (4 * short ** 2 * long + 2 * short ** 3);
  }, 0);
}

/** Throws InvalidInput, with the figures, for what an invocation may not finish. */
export function checkCpu({ tokens, seconds, advice }: CpuEstimate): void {
  if (seconds <= PLANNED_CPU_SECONDS) return;
  throw namedError(
    "InvalidInput",
    `cpu: expected a task of at most ${PLANNED_CPU_SECONDS} CPU seconds (half of the ${MAX_CPU_SECONDS} that a trainer has), got one of about ${Math.ceil(seconds)} (${tokens} tokens); ${advice}`,
  );
}
