/**
 * The decoder's gradients without tfjs's tape: forward through the blocks, through the loss head, then back layer by layer.
 *
 * tfjs keeps all saved tensors until the last gradient is computed. Here each tensor is freed after its last use. Each gradient
 * goes to `onGradient` as soon as it is complete, so an optimizer can consume it before the next gradient is computed.
 *
 * With `recompute`, only the inputs of blocks are kept. The sequences are cut into chunks, and each chunk repeats a block's
 * forward pass in the backward pass. Memory holds the activations of only one block and chunk; arithmetic grows by a third.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { arrayOf, onHeap, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import type { Weights } from "../weights.ts";
import { blockOf, type Activations, type Block, type BlockInput } from "./block.ts";
import { lengthOf, sequencesOfBatch, type Batch, type OnGradient, type Pass } from "./pass.ts";

/** Positions per chunk with `recompute`: enough rows for fast products. */
export const CHUNK_TOKENS = 256;

const EMBEDDING = "model.embed_tokens.weight";

/** Sequences per chunk: a multiple of the loss head's group (`LossHead.group`). */
export function chunkSequences(sequences: number, length: number, recompute: boolean, group = 1): number {
  return recompute ? Math.min(sequences, group * Math.max(1, Math.floor(CHUNK_TOKENS / (length * group)))) : sequences;
}

/** Consecutive sequences of a pass, with the tensors that their backward pass needs. */
interface Chunk {
  sequences: number;
  /** int32 [U], the distinct tokens of the chunk */
  tokens: HeapBuffer;
  /** Per layer: the activations of the block, or with `recompute` only its input. */
  kept: (Activations | BlockInput)[];
  /** [n, C], the gradient of the current layer's output; null without gradients. */
  dx: HeapBuffer | null;
}

/**
 * Returns the scaled sum of a pass's losses. `onGradient` receives each parameter's gradient once, from the head to the
 * embedding, and owns the gradient until the pass ends. With null, no gradients are computed, and the pass needs memory for one
 * block only.
 */
export function passGradients(weights: Weights, model: ModelConfig, pass: Pass, onGradient: OnGradient | null): number {
  const { batch, lossHead, recompute } = pass;
  const length = lengthOf(batch);
  const size = chunkSequences(batch.sequences, length, recompute || onGradient === null, lossHead.group);
  const blocks = Array.from({ length: model.layers }, (_, layer) => blockOf(weights, model, layer));
  const embedding = weights[EMBEDDING]!;
  const keeps = onGradient === null ? "nothing" : recompute ? "inputs" : "activations";
  return onHeap(() => {
    const head = lossHead.open(weights, model, pass);
    const sums = onGradient === null ? null : gradientSums(onGradient);
    const chunks: Chunk[] = [];
    for (let first = 0; first < batch.sequences; first += size) {
      const part = sequencesOfBatch(batch, first, Math.min(batch.sequences, first + size));
      const { hidden, ...chunk } = forward(blocks, embedding, part, keeps);
      chunks.push({ ...chunk, dx: head.back(hidden, first * length, sums?.add ?? null) });
    }
    if (sums !== null) backward(blocks, chunks, sums, { vocabSize: embedding.shape[0]!, isTied: model.tiedEmbeddings });
    return head.loss();
  });
}

/** Runs sequences through all blocks. Returns the hidden rows [n, C] and the tensors that the backward pass needs. */
function forward(
  blocks: readonly Block[],
  embedding: tf.Tensor,
  { inputs, sequences }: Batch,
  keeps: "nothing" | "inputs" | "activations",
): Omit<Chunk, "dx"> & { hidden: HeapBuffer } {
  // Inputs are written before kernels are recorded, because a write flushes the command buffer.
  const { tokens, index } = distinctTokens(inputs, embedding.shape[0]!);
  const kept: Chunk["kept"] = [];
  let input: BlockInput = { rows: op.gatherRows(embedding, tokens), index };
  for (const block of blocks) {
    let y: HeapBuffer;
    if (keeps === "activations") {
      const result = block.forward(input, sequences, true);
      kept.push(result.kept);
      y = result.y;
    } else {
      y = block.forward(input, sequences, false).y;
      if (keeps === "inputs") kept.push(input);
      else input.rows.dispose();
    }
    input = { rows: y, index: null };
  }
  return { sequences, tokens, kept, hidden: input.rows };
}

/** Runs from the last block back to the embedding. Consumes the tensors of the chunks. */
function backward(
  blocks: readonly Block[],
  chunks: readonly Chunk[],
  sums: GradientSums,
  { vocabSize, isTied }: { vocabSize: number; isTied: boolean },
): void {
  // A tied embedding is also the output matrix, so its gradient is complete only after the embedding's own part.
  const incomplete = isTied ? [EMBEDDING] : [];
  sums.handOver(incomplete);
  for (const [layer, block] of [...blocks.entries()].toReversed()) {
    for (const chunk of chunks) {
      const kept = chunk.kept[layer]!;
      // Drops the last reference to tensors that the backward pass frees.
      chunk.kept.length = layer;
      const activations = "rows" in kept ? recomputed(block, kept, chunk.sequences) : kept;
      chunk.dx = block.backward(activations, chunk.sequences, chunk.dx!, sums.add);
    }
    sums.handOver(incomplete);
  }
  for (const { tokens, dx } of chunks) {
    sums.add(EMBEDDING, op.scatterAddRows(dx!, tokens, vocabSize));
    dx!.dispose();
  }
  sums.handOver([]);
}

/** Returns the distinct tokens [U] in ids [N], in order of first occurrence, and for each id its position in that list [N]. */
function distinctTokens(ids: Int32Array, vocabSize: number): { tokens: HeapBuffer; index: HeapBuffer } {
  const places = new Int32Array(vocabSize).fill(-1);
  const tokens: number[] = [];
  const index = ids.map((id) => {
    // An id outside the vocabulary stays in the list; the gather kernel then throws.
    const known = places[id] ?? -1;
    if (known >= 0) return known;
    places[id] = tokens.length;
    return tokens.push(id) - 1;
  });
  return { tokens: arrayOf(Int32Array.from(tokens)), index: arrayOf(index) };
}

function recomputed(block: Block, input: BlockInput, sequences: number): Activations {
  const { y, kept } = block.forward(input, sequences, true);
  y.dispose();
  return kept;
}

interface GradientSums {
  add: OnGradient;
  /** Passes all sums to `onGradient`, except the sums of incomplete parameters. */
  handOver(incomplete: readonly string[]): void;
}

/** Adds up the gradients of each parameter in place. */
function gradientSums(onGradient: OnGradient): GradientSums {
  const sums = new Map<string, HeapBuffer>();
  return {
    add(name, gradient) {
      const sum = sums.get(name);
      if (sum === undefined) sums.set(name, gradient);
      else op.addTo(sum, gradient);
    },
    handOver(incomplete) {
      for (const [name, sum] of sums) {
        if (incomplete.includes(name)) continue;
        sums.delete(name);
        onGradient(name, sum);
      }
    },
  };
}
