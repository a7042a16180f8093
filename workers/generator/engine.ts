/** Ids in, ids out: one token after the other from a prompt that was read. Knows neither text nor protocols. */
import type { Decoder } from "../../shared/model/decoder.ts";
import { createRandom } from "../../shared/model/random.ts";
import { penalize, type PenaltySettings } from "../../shared/model/penalties.ts";
import { mostProbableTokens, sampleToken, type Sample, type SamplingSettings } from "../../shared/model/sampling.ts";

export interface Token extends Sample {
  alternatives: Sample[];
}

/** Where a continuation begins. */
export interface Start {
  /** At the end of the prompt. */
  decoder: Decoder;
  /** After the prompt's last token, [V]. */
  logits: Float32Array;
  prompt: ReadonlySet<number>;
}

export interface Limits {
  maxTokens: number;
  /** Positions that the model has. */
  context: number;
  /** The most probable tokens that are named beside each sampled token. */
  alternatives: number;
  /** True for a token that ends the text. */
  isEnd: (id: number) => boolean;
}

/**
 * The tokens of one continuation; returns why it ended. The caller may stop between two tokens
 * by leaving its loop. Equal weights, prompts, settings and seeds give equal tokens.
 */
export function* sampleTokens(
  { decoder, logits, prompt }: Start,
  settings: SamplingSettings & PenaltySettings,
  seed: number,
  { maxTokens, context, alternatives, isEnd }: Limits,
): Generator<Token, "stop" | "length"> {
  const random = createRandom(seed);
  const generated = new Map<number, number>();
  let next = logits;
  for (let count = 1; ; count++) {
    const sample = sampleToken(penalize(next, settings, { prompt, generated }), settings, random, next);
    if (isEnd(sample.id)) return "stop";
    generated.set(sample.id, (generated.get(sample.id) ?? 0) + 1);
    yield { ...sample, alternatives: alternatives === 0 ? [] : mostProbableTokens(next, alternatives) };
    if (count >= maxTokens || decoder.length >= context) return "length";
    next = decoder.step(sample.id);
  }
}
