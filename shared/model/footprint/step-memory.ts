/**
 * Predicts the wasm memory of an optimizer step. It adds up the tensors that are alive in each phase of gradients.ts and takes
 * the maximum. Change this file whenever gradients.ts allocates differently. The bench `memory` and a test compare the
 * prediction with measurements.
 */
import type { ModelConfig, OptimizerConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { isDense } from "../../network-kind.ts";
import { chunkSequences } from "../backward/gradients.ts";
import { logitsRows } from "../backward/cross-entropy-head.ts";
import type { Passes } from "../backward/loss.ts";
import { slotsOf } from "../../training/compute/optimizer.ts";
import { sizeOf } from "../formats/safetensors.ts";
import { isHiddenMatrix, weightShapes } from "../weights.ts";

/** Static data and stack of tfjs; its allocator begins behind them. */
const STATIC_BYTES = 92 * 1024;
/** Packed panels of matrix products, and small tables. */
const PACK_BYTES = 512 * 1024;
/** Per column of a tall weight: scratch for transposing its gradient in panels (kernels/gemm/matmul.ts). */
const TRANSPOSED_COLUMN_BYTES = 4 * 384;
/** Queries per step in attention's gradient (kernels/attention/attention-backward.ts). */
const SPAN = 64;
/** FRAGMENTATION: the fraction of memory that is lost between allocations. GROWTH_BYTES: the step by which wasm memory grows. */
const FRAGMENTATION = 0.02;
const GROWTH_BYTES = 1024 * 1024;
/** Initial wasm memory of Emscripten. */
const INITIAL_BYTES = 16 * 1024 * 1024;

export interface StepPlan extends Passes {
  /** Sequences that share one loss; a pass never splits them. */
  group: number;
  /** True if the optimizer consumes each gradient before the next gradient is computed. */
  consume: boolean;
}

/** Peak wasm memory of a step over `batch` sequences. `optimizer` null: gradients only. */
export function stepBytes(...step: Parameters<typeof liveBytes>): number {
  return Math.max(INITIAL_BYTES, STATIC_BYTES + liveBytes(...step) * (1 + FRAGMENTATION) + GROWTH_BYTES / 2);
}

/** Peak of the allocated bytes. */
export function liveBytes(model: NetworkConfig, optimizer: OptimizerConfig | null, batch: number, plan: StepPlan): number {
  // A dense network's gradients are arrays of JavaScript, copied into wasm memory for the optimizer.
  if (isDense(model)) return storedBytes(model, optimizer) + 2 * storedBytes(model, null) + PACK_BYTES;
  const hidden = weightShapes(model).filter(([name]) => isHiddenMatrix(name));
  const scratch = optimizer?.name === "muon" ? Math.max(0, ...hidden.map(([, shape]) => muonFloats(shape))) : 0;
  const pack = Math.max(PACK_BYTES + TRANSPOSED_COLUMN_BYTES * model.width, 4 * attentionFloats(model));
  return storedBytes(model, optimizer) + 4 * (scratch + passFloats(model, batch, plan)) + pack;
}

/**
 * Scratch of attention's gradient in floats. Per sequence: normed queries and keys. Per head: keys (two copies) and values. Per
 * span of queries: queries, outputs, probabilities and their gradients.
 */
function attentionFloats({ context, heads, kvHeads, headWidth }: ModelConfig): number {
  return context * (heads + kvHeads) * headWidth + 3 * context * headWidth + 2 * SPAN * (headWidth + context);
}

/** Bytes of the weights plus the optimizer's state. */
export function storedBytes(model: NetworkConfig, optimizer: OptimizerConfig | null): number {
  const copies = (name: string) => 1 + (optimizer === null ? 0 : slotsOf(optimizer, name).length);
  return weightShapes(model).reduce((sum, [name, shape]) => sum + 4 * copies(name) * sizeOf(shape), 0);
}

/** Scratch of Muon's update of a matrix: four squares of its short side, and one copy. */
function muonFloats(shape: readonly number[]): number {
  return 4 * Math.min(...shape) ** 2 + sizeOf(shape);
}

/** Peak number of floats in activations and gradients. Weights, optimizer state and scratch are counted elsewhere. */
function passFloats(model: ModelConfig, batch: number, plan: StepPlan): number {
  const { width: C, mlpWidth: F, vocabSize: V, layers, context: T, headWidth } = model;
  const [Q, K] = [model.heads * headWidth, model.kvHeads * headWidth];
  const sequences = Math.min(batch, plan.sequences);
  const passes = Math.ceil(batch / sequences);
  const N = sequences * T;
  const n = chunkSequences(sequences, T, plan.recompute, plan.group) * T;
  const chunks = Math.ceil(N / n);
  const block = 3 * C + 2 * Q + 2 * K + 2 * F + 2 * model.heads + 2; // with dx, which the backward pass holds beside the activations
  const mlp = C * F;
  const attention = 2 * C * Q + 2 * C * K;
  const layer = 3 * mlp + attention;
  const parameters = weightShapes(model).reduce((sum, [, shape]) => sum + sizeOf(shape), 0);
  /** Summed gradients of earlier passes. */
  const before = passes > 1 ? parameters : 0;
  /** Gradients that this pass keeps. None if the optimizer consumes each gradient, or if each is added to the sums of earlier passes. */
  const held = (floats: number) => (plan.consume || passes > 1 ? 0 : floats);
  // Rows of the first block's input: one per distinct token. Rows of other inputs: one per position.
  const U = Math.min(V, n);
  const kept = (count: number) => (count === 0 ? 0 : count * (plan.recompute ? C : block - C) * N - C * (N - U * chunks));
  const rows = Math.min(n, logitsRows(V));
  const sliced = n > rows;
  /** The gradient of the embedding or of the head. Several pieces need a second table, which is added to the first. */
  const table = (pieces: number) => V * C * (pieces > 1 ? 2 : 1);

  const head =
    kept(layers) + C * N + (sliced ? C * n : 0) + Math.max(C, V) * rows + Math.min(C, V) * rows + table(chunks * Math.ceil(n / rows));
  const tied = model.tiedEmbeddings ? V * C : 0;
  const headHeld = model.tiedEmbeddings ? tied : held(V * C);
  // Peaks at the last layer (all activations are alive) and at the first layer (all gradients are alive).
  const blocks = [0, layers - 1].map((index) => {
    const others = kept(index) + headHeld + held((layers - 1 - index) * layer) + C * N;
    const own = (block - C) * n - (index === 0 ? C * (n - U) : 0);
    const sums = chunks > 1 ? layer + mlp : 0;
    const duringMlp = own + Math.max(F, C) * n + (sums || mlp);
    // The gradients of q, k and v overwrite q, k and v.
    const duringAttention = own - (C + 2 * F) * n + Q * n + (sums || 3 * mlp);
    return others + (plan.recompute ? C * n : 0) + Math.max(duringMlp, duringAttention);
  });
  const forward = plan.recompute ? kept(layers) + (block + F) * n : kept(layers) + (F + C) * n;
  const embedding = C * N + headHeld - tied + held(layers * layer) + table(model.tiedEmbeddings ? 2 : chunks);
  return before + Math.max(forward, head, ...blocks, embedding);
}
