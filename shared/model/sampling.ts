/**
 * Samples the next token from logits: temperature, top-k, top-p (arXiv:1904.09751), min-p (arXiv:2407.01082). The same logits,
 * settings and random numbers give the same token on every machine. Between equal logits the lower id wins.
 */
import { largest } from "./largest.ts";

export interface SamplingSettings {
  /** 0: always the most probable token. */
  temperature: number;
  /** Keep only this number of most probable tokens; 0: keep all. */
  topK: number;
  /** Keep the fewest most probable tokens whose probabilities sum to at least this value; 1: keep all. */
  topP: number;
  /** Keep tokens with at least this fraction of the highest probability; 0 or undefined: keep all. */
  minP?: number;
}

export interface Sample {
  id: number;
  /** Natural logarithm of the token's probability at temperature 1, before top-k, top-p and min-p. */
  logProbability: number;
}

/**
 * logits [V] -> a token. `random` returns numbers in [0, 1). `own` are the logits before penalties, which give the reported
 * probability. Throws on a setting out of range or a logit that is not finite.
 */
export function sampleToken(logits: Float32Array, settings: SamplingSettings, random: () => number, own = logits): Sample {
  const { temperature, topK, topP, minP = 0 } = settings;
  if (!(temperature >= 0 && Number.isFinite(temperature))) throw new Error(`sampling: expected temperature >= 0, got ${temperature}`);
  if (!(Number.isInteger(topK) && topK >= 0)) throw new Error(`sampling: expected topK an integer >= 0, got ${topK}`);
  if (!(topP > 0 && topP <= 1)) throw new Error(`sampling: expected topP in (0, 1], got ${topP}`);
  if (!(minP >= 0 && minP <= 1)) throw new Error(`sampling: expected minP in [0, 1], got ${minP}`);
  const best = mostProbable(logits);
  const peak = logits[best]!;
  const sample = (id: number): Sample => ({ id, logProbability: own[id]! - logTotal(own) });
  if (temperature === 0 || topK === 1) return sample(best);

  // Subtracting the peak prevents overflow at tiny temperatures. The best token's weight is then always 1.
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - peak) / temperature));
  let ids: ArrayLike<number> = Uint32Array.from(weights.keys());
  if (topK > 0 || topP < 1) ids = nucleus(largest(logits, topK > 0 ? topK : logits.length), weights, topP);
  // The best token's weight is 1, so a token's weight is the fraction that min-p compares.
  if (minP > 0) ids = Array.from(ids).filter((id) => weights[id]! >= minP);
  let kept = 0;
  for (let index = 0; index < ids.length; index++) kept += weights[ids[index]!]!;
  let left = random() * kept;
  for (let index = 0; index < ids.length; index++) {
    left -= weights[ids[index]!]!;
    if (left < 0) return sample(ids[index]!);
  }
  // Rounding errors (about 1e-16) can leave a remainder after the last token.
  return sample(best);
}

/** Returns the `count` most probable tokens with their log probabilities, most probable first. */
export function mostProbableTokens(logits: Float32Array, count: number): Sample[] {
  const total = logTotal(logits);
  return largest(logits, count).map((id) => ({ id, logProbability: logits[id]! - total }));
}

/**
 * The logarithm of the sum of exponentials, without overflow. A token's logit minus this number is the natural logarithm of its
 * probability.
 */
export function logTotal(logits: Float32Array): number {
  const peak = logits.reduce((most, logit) => Math.max(most, logit));
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - peak);
  return peak + Math.log(total);
}

/** The shortest prefix of ids (most probable first) whose weight is at least the fraction `topP` of the total weight. */
function nucleus(ids: readonly number[], weights: Float64Array, topP: number): readonly number[] {
  let total = 0;
  for (const id of ids) total += weights[id]!;
  let sum = 0;
  for (const [index, id] of ids.entries()) {
    sum += weights[id]!;
    if (sum >= topP * total) return ids.slice(0, index + 1);
  }
  return ids;
}

function mostProbable(logits: Float32Array): number {
  if (logits.length === 0) throw new Error("sampling: expected at least one logit, got none");
  let best = 0;
  for (const [id, logit] of logits.entries()) {
    if (!Number.isFinite(logit)) throw new Error(`sampling: expected finite logits, got ${logit} for token ${id}`);
    if (logit > logits[best]!) best = id;
  }
  return best;
}
