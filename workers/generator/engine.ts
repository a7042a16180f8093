/** Ids in, ids out: one token after the other from a prompt that was read once. Knows neither text nor protocols. */
import type { Decoder } from "../../shared/model/decoder.ts";
import { createRandom } from "../../shared/model/random.ts";
import { sampleToken, type Sample, type SamplingSettings } from "../../shared/model/sampling.ts";

/** A prompt that was read: its decoder, and the logits [V] after its last token. */
export interface Prefill {
  decoder: Decoder;
  logits: Float32Array;
}

export interface Limits {
  maxTokens: number;
  /** Positions that the model has. */
  context: number;
  /** True for a token that ends the text. */
  isEnd: (id: number) => boolean;
}

/**
 * The tokens of one continuation; returns why it ended. The caller may stop between two tokens by leaving its loop. Equal
 * weights, prompts, settings and seeds give equal tokens.
 */
export function* sampleTokens(
  { decoder: prompted, logits: first }: Prefill,
  settings: SamplingSettings,
  seed: number,
  { maxTokens, context, isEnd }: Limits,
): Generator<Sample, "stop" | "length"> {
  const random = createRandom(seed);
  const decoder = prompted.fork();
  let logits = first;
  try {
    for (let count = 1; ; count++) {
      const sample = sampleToken(logits, settings, random);
      if (isEnd(sample.id)) return "stop";
      yield sample;
      if (count >= maxTokens || decoder.length >= context) return "length";
      logits = decoder.step(sample.id);
    }
  } finally {
    decoder.dispose();
  }
}
