/** Samples one token after the other: token ids in, token ids out. It knows neither text nor protocols. */
import type { Decoder } from "../model/decoder.ts";
import { createRandom } from "../model/random.ts";
import { penalize, type PenaltySettings } from "../model/penalties.ts";
import { mostProbableTokens, sampleToken, type Sample, type SamplingSettings } from "../model/sampling.ts";

export interface Token extends Sample {
  alternatives: Sample[];
}

/** The start of a continuation: a prompt that the model has read. */
export interface Start {
  /** The decoder after the prompt. */
  decoder: Decoder;
  /** The logits after the prompt's last token, [V]. */
  logits: Float32Array;
  prompt: ReadonlySet<number>;
}

export interface Limits {
  maxTokens: number;
  /** The number of positions that the model has. */
  context: number;
  /** How many of the most probable tokens are reported with each sampled token. */
  alternatives: number;
  /** True if the token ends the text. */
  isEnd: (id: number) => boolean;
  /** The format that the text must have. */
  constraint?: TokenConstraint | undefined;
}

/** Says which tokens may follow; constraint/constraint.ts makes it. */
export interface TokenConstraint {
  /** True if the text may end here. */
  readonly isComplete: boolean;
  /** True if the text must end here. */
  readonly isOver: boolean;
  /** logits [V] -> a copy [V] in which forbidden tokens have no chance. `left` is the number of tokens that may still come. */
  restrict(logits: Float32Array, left: number, isEnd: (id: number) => boolean): Float32Array;
  accept(id: number): void;
}

/**
 * Yields the tokens of one continuation and returns why it ended. To stop early, the caller leaves its loop. Equal weights,
 * prompts, settings and seeds give equal tokens.
 */
export function* sampleTokens(
  { decoder, logits, prompt }: Start,
  settings: SamplingSettings & PenaltySettings,
  seed: number,
  { maxTokens, context, alternatives, isEnd, constraint }: Limits,
): Generator<Token, "stop" | "length"> {
  const random = createRandom(seed);
  const generated = new Map<number, number>();
  let next = logits;
  for (let count = 1; ; count++) {
    if (constraint?.isOver) return "stop";
    const changed = penalize(next, settings, { prompt, generated });
    const allowed = constraint?.restrict(changed, maxTokens - count + 1, isEnd) ?? changed;
    const sample = sampleToken(allowed, settings, random, next);
    if (isEnd(sample.id)) return "stop";
    constraint?.accept(sample.id);
    generated.set(sample.id, (generated.get(sample.id) ?? 0) + 1);
    yield { ...sample, alternatives: alternatives === 0 ? [] : mostProbableTokens(next, alternatives) };
    if (count >= maxTokens || decoder.length >= context) return constraint?.isComplete ? "stop" : "length";
    next = decoder.step(sample.id);
  }
}
