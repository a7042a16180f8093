/**
 * Incremental decoding with a key/value cache: the prompt is computed once, and each later step computes one position.
 *
 * A decoder holds one sequence. `fork` branches the sequence without recomputing the prompt. Caches are immutable tensors, so a
 * fork shares them and copies nothing. The caller owns the weights. The decoder checks the context limit, because the cache
 * grows with every position.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { checkIds } from "./decoding/check-ids.ts";
import { forwardCached, type LayerCache } from "./transformer.ts";
import type { Weights } from "./weights.ts";

export interface Decoder {
  /** Positions in the cache. */
  readonly length: number;
  /** Appends ids [T] to the sequence and returns the logits [V] of the last id. The next call may overwrite them. */
  prefill(ids: ArrayLike<number>): Float32Array;
  /** Appends one id and returns its logits [V], as `prefill` does. */
  step(id: number): Float32Array;
  /** Returns an independent decoder at the same position. */
  fork(): Decoder;
  /** Frees the cache but not the weights; a second call does nothing. */
  dispose(): void;
}

/** Creates a decoder at the start of a sequence. `weights` must outlive the decoder and its forks. */
export function createDecoder(weights: Weights, config: ModelConfig): Decoder {
  return decoderAt(weights, config, null);
}

function decoderAt(weights: Weights, config: ModelConfig, start: LayerCache[] | null): Decoder {
  let caches = start;
  let disposed = false;
  const length = () => caches?.[0]?.keys.shape[1] ?? 0;

  function read(ids: ArrayLike<number>): Float32Array {
    if (disposed) throw new Error("decoder: expected a live decoder, got a disposed one");
    checkIds(config, length(), ids);
    const past = caches;
    let grown: LayerCache[] = [];
    const logits = tf.tidy(() => {
      const result = forwardCached(weights, config, tf.tensor1d(Int32Array.from(ids), "int32"), 1, past);
      grown = result.caches.map(({ keys, values }) => ({ keys: tf.keep(keys), values: tf.keep(values) }));
      return tf.slice(result.logits, [ids.length - 1, 0], [1, config.vocabSize]); // [1, V]
    });
    const values = Float32Array.from(logits.dataSync());
    logits.dispose();
    release();
    caches = grown;
    return values;
  }

  function release(): void {
    for (const { keys, values } of caches ?? []) tf.dispose([keys, values]);
    caches = null;
  }

  return {
    get length() {
      return length();
    },
    prefill: read,
    step: (id) => read([id]),
    fork() {
      if (disposed) throw new Error("decoder: expected a live decoder, got a disposed one");
      const copies = caches?.map(({ keys, values }) => ({ keys: keys.clone(), values: values.clone() })) ?? null;
      return decoderAt(weights, config, copies);
    },
    dispose() {
      release();
      disposed = true;
    },
  };
}
