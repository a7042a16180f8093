/**
 * Choosing the next token from logits: temperature, top-k, top-p (arXiv:1904.09751), min-p (arXiv:2407.01082). Pure: equal logits, settings and
 * random stream give the same token on every machine. Ties are broken by the lower id.
 */

export interface SamplingSettings {
  /** 0 takes the most probable token. */
  temperature: number;
  /** Keep this many of the most probable tokens; 0 keeps all. */
  topK: number;
  /** Keep the fewest most probable tokens whose probabilities reach this sum; 1 keeps all. */
  topP: number;
  /** Keep tokens at least this many times as probable as the most probable token; 0 or nothing keeps all. */
  minP?: number;
}

export interface Sample {
  id: number;
  /** Natural logarithm of the model's own probability of the token: at temperature 1, before any cut. */
  logProbability: number;
}

/**
 * logits [V] -> one token. `random` gives numbers in [0, 1). The probability is reported by `own`, the logits before penalties.
 * Throws when a setting is out of range or a logit is not finite.
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

  // The peak is subtracted before dividing, so a tiny temperature cannot overflow: the best token's weight is always 1.
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - peak) / temperature));
  let ids: ArrayLike<number> = Uint32Array.from(weights.keys());
  if (topK > 0 || topP < 1) {
    const sorted = Uint32Array.from(weights.keys()).toSorted((a, b) => logits[b]! - logits[a]! || a - b);
    ids = nucleus(topK > 0 ? sorted.subarray(0, topK) : sorted, weights, topP);
  }
  // The best token's weight is 1, so a weight is its share of the best one.
  if (minP > 0) ids = Uint32Array.from(ids).filter((id) => weights[id]! >= minP);
  let kept = 0;
  for (let index = 0; index < ids.length; index++) kept += weights[ids[index]!]!;
  let left = random() * kept;
  for (let index = 0; index < ids.length; index++) {
    left -= weights[ids[index]!]!;
    if (left < 0) return sample(ids[index]!);
  }
  // Rounding can leave a remainder of one part in 10^16.
  return sample(best);
}

/** The `count` most probable tokens with the logarithms of their probabilities, most probable first. */
export function mostProbableTokens(logits: Float32Array, count: number): Sample[] {
  const total = logTotal(logits);
  const sorted = Uint32Array.from(logits.keys()).toSorted((a, b) => logits[b]! - logits[a]! || a - b);
  return Array.from(sorted.subarray(0, count), (id) => ({ id, logProbability: logits[id]! - total }));
}

/** The logarithm of the sum of exponentials. */
function logTotal(logits: Float32Array): number {
  const peak = logits.reduce((most, logit) => Math.max(most, logit));
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - peak);
  return peak + Math.log(total);
}

/** The shortest prefix of ids (most probable first) whose weights reach the share `topP` of all of them. */
function nucleus(ids: Uint32Array, weights: Float64Array, topP: number): Uint32Array {
  let total = 0;
  for (const id of ids) total += weights[id]!;
  let sum = 0;
  for (const [index, id] of ids.entries()) {
    sum += weights[id]!;
    if (sum >= topP * total) return ids.subarray(0, index + 1);
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
