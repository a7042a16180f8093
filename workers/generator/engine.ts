/** Ids in, ids out: one token after the other from a prompt that was read. Knows neither text nor protocols. */
import type { Decoder } from "../../shared/model/decoder.ts";
import { createRandom } from "../../shared/model/random.ts";
import { sampleToken, type Sample, type SamplingSettings } from "../../shared/model/sampling.ts";

export interface Limits {
  maxTokens: number;
  /** Positions that the model has. */
  context: number;
  /** True for a token that ends the text. */
  isEnd: (id: number) => boolean;
}

/**
 * The tokens of one continuation after the prompt's `logits` [V]; returns why it ended. The caller may stop between two tokens
 * by leaving its loop. Equal weights, prompts, settings and seeds give equal tokens.
 */
export function* sampleTokens(
  decoder: Decoder,
  logits: Float32Array,
  settings: SamplingSettings,
  seed: number,
  { maxTokens, context, isEnd }: Limits,
): Generator<Sample, "stop" | "length"> {
  const random = createRandom(seed);
  let next = logits;
  for (let count = 1; ; count++) {
    const sample = sampleToken(next, settings, random);
    if (isEnd(sample.id)) return "stop";
    yield sample;
    if (count >= maxTokens || decoder.length >= context) return "length";
    next = decoder.step(sample.id);
  }
}
