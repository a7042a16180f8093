/**
 * The decoder's loss and gradients without tfjs's tape: forward through the blocks, then back, layer by layer. tfjs keeps
 * every saved tensor until all gradients are there; here each is freed when it has been used, and each parameter's
 * gradient is handed over as soon as it is complete, so an optimizer can use it up before the next one exists.
 *
 * With `recompute` only the blocks' inputs are kept and a few sequences at a time go through a block, once more in the
 * backward pass: memory for one block's activations of a few sequences, for a third more arithmetic.
 */
import type { ModelConfig } from "../../config.ts";
import { arrayOf, numberOf, onHeap, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { blockOf, type Activations, type OnGradient, type BlockInput } from "./block.ts";
import { headBack } from "./head.ts";
import type { Weights } from "../weights.ts";

/** Positions that go through a block at a time when its activations are computed again: enough rows for fast products. */
export const CHUNK_TOKENS = 256;

const EMBEDDING = "model.embed_tokens.weight";

export interface Pass {
  /** int32 [B*T] */
  inputs: Int32Array;
  /** int32 [B*T]; -1 is ignored. */
  labels: Int32Array;
  /** Sequences, B. */
  batch: number;
  /** What each loss counts: 1 / labels makes a mean. */
  weight: number;
  recompute: boolean;
}

/** Sequences that go through the blocks together. */
export function chunkSequences(batch: number, length: number, recompute: boolean): number {
  return recompute ? Math.min(batch, Math.max(1, Math.floor(CHUNK_TOKENS / length))) : batch;
}

/** Positions of each of `batch` sequences. */
export function lengthOf(inputs: Int32Array, labels: Int32Array, batch: number): number {
  if (inputs.length % batch === 0 && labels.length === inputs.length) return inputs.length / batch;
  throw new Error(`gradients: expected inputs and labels [B*T] with B = ${batch}, got [${inputs.length}] and [${labels.length}]`);
}

/**
 * The weighted sum of the losses. `take` gets the gradient of each parameter once, from the head down to the embedding,
 * and owns it until the pass ends; null: no gradients, and memory for no more than a block.
 */
export function passGradients(weights: Weights, config: ModelConfig, pass: Pass, take: OnGradient | null): number {
  const { inputs, labels, batch, weight, recompute } = pass;
  const length = lengthOf(inputs, labels, batch);
  const sequences = chunkSequences(batch, length, recompute || take === null);
  const blocks = Array.from({ length: config.layers }, (_, layer) => blockOf(weights, config, layer));
  const embedding = weights[EMBEDDING]!;
  return onHeap(() => {
    const total = arrayOf(new Float32Array(1));
    const gathered = gather(take);
    const chunks = Array.from({ length: Math.ceil(batch / sequences) }, (_, chunk) => {
      const [first, end] = [chunk * sequences, Math.min(batch, (chunk + 1) * sequences)];
      const part = (values: Int32Array) => values.subarray(first * length, end * length);
      // What JavaScript writes comes first: kernels that wait must not be waited for.
      const { tokens, index } = distinctTokens(part(inputs), embedding.shape[0]!);
      const targets = arrayOf(part(labels));
      /** By layer: the block's activations, or its input alone. */
      const kept: (Activations | BlockInput)[] = [];
      let input: BlockInput = { rows: op.gatherRows(embedding, tokens), index };
      for (const block of blocks) {
        if (take !== null && !recompute) {
          const result = block.forward(input, end - first, true);
          kept.push(result.kept);
          input = { rows: result.y, index: null };
          continue;
        }
        const { y } = block.forward(input, end - first, false);
        if (take === null) input.rows.dispose();
        else kept.push(input);
        input = { rows: y, index: null };
      }
      const dx = headBack(weights, config, input.rows, targets, total, weight, take === null ? null : gathered.add);
      targets.dispose();
      return { tokens, kept, dx, sequences: end - first };
    });
    if (take !== null) {
      gathered.handOver(config.tiedEmbeddings ? [EMBEDDING] : []);
      for (const [layer, block] of [...blocks.entries()].toReversed()) {
        for (const chunk of chunks) {
          const kept = chunk.kept[layer]!;
          // Cleared so that nothing holds what backward frees.
          chunk.kept.length = layer;
          const activations = "rows" in kept ? recomputed(block, kept, chunk.sequences) : kept;
          chunk.dx = block.backward(activations, chunk.sequences, chunk.dx!, gathered.add);
        }
        gathered.handOver(config.tiedEmbeddings ? [EMBEDDING] : []);
      }
      for (const { tokens, dx } of chunks) {
        gathered.add(EMBEDDING, op.scatterAddRows(dx!, tokens, embedding.shape[0]!));
        dx!.dispose();
      }
      gathered.handOver([]);
    }
    return numberOf(total);
  });
}

/** The tokens [U] that occur in ids [N], in the order in which they first do, and where each of ids is among them [N]. */
function distinctTokens(ids: Int32Array, vocabSize: number): { tokens: HeapBuffer; index: HeapBuffer } {
  const places = new Int32Array(vocabSize).fill(-1);
  const tokens: number[] = [];
  const index = ids.map((id) => {
    // One outside the vocabulary has no place: it is refused with all tokens.
    const known = places[id] ?? -1;
    if (known >= 0) return known;
    places[id] = tokens.length;
    return tokens.push(id) - 1;
  });
  return { tokens: arrayOf(Int32Array.from(tokens)), index: arrayOf(index) };
}

function recomputed(block: ReturnType<typeof blockOf>, input: BlockInput, sequences: number): Activations {
  const { y, kept } = block.forward(input, sequences, true);
  y.dispose();
  return kept;
}

/** Sums gradients of one name in place until they are handed over. */
function gather(take: OnGradient | null): { add: OnGradient; handOver(but: readonly string[]): void } {
  const sums = new Map<string, HeapBuffer>();
  return {
    add(name, gradient) {
      const sum = sums.get(name);
      if (sum === undefined) sums.set(name, gradient);
      else op.addTo(sum, gradient);
    },
    handOver(but) {
      for (const [name, sum] of sums) {
        if (but.includes(name)) continue;
        sums.delete(name);
        take?.(name, sum);
      }
    },
  };
}
