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

export interface Sampler {
  /** Samples the token after logits [V]. Null: the text ends here. */
  sample(logits: Float32Array): Token | null;
  /** Why the text ends after the last sampled token, at `length` positions before it; null if it goes on. */
  endAt(length: number): "stop" | "length" | null;
}

/** The sampler of one continuation. Equal logits, prompts, settings and seeds give equal tokens. */
export function createSampler(
  prompt: ReadonlySet<number>,
  settings: SamplingSettings & PenaltySettings,
  seed: number,
  { maxTokens, context, alternatives, isEnd, constraint }: Limits,
): Sampler {
  const random = createRandom(seed);
  const generated = new Map<number, number>();
  let left = maxTokens;
  return {
    sample(logits) {
      if (constraint?.isOver) return null;
      const changed = penalize(logits, settings, { prompt, generated });
      const allowed = constraint?.restrict(changed, left, isEnd) ?? changed;
      const sample = sampleToken(allowed, settings, random, logits);
      if (isEnd(sample.id)) return null;
      constraint?.accept(sample.id);
      generated.set(sample.id, (generated.get(sample.id) ?? 0) + 1);
      left--;
      return { ...sample, alternatives: alternatives === 0 ? [] : mostProbableTokens(logits, alternatives) };
    },
    endAt: (length) => (left > 0 && length < context ? null : constraint?.isComplete ? "stop" : "length"),
  };
}

/** Yields the tokens of one continuation and returns why it ended. To stop early, the caller leaves its loop. */
export function* sampleTokens(
  { decoder, logits, prompt }: Start,
  settings: SamplingSettings & PenaltySettings,
  seed: number,
  limits: Limits,
): Generator<Token, "stop" | "length"> {
  const sampler = createSampler(prompt, settings, seed, limits);
  let next = logits;
  for (;;) {
    const token = sampler.sample(next);
    if (token === null) return "stop";
    yield token;
    const end = sampler.endAt(decoder.length);
    if (end !== null) return end;
    next = decoder.step(token.id);
  }
}
