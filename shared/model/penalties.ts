/**
 * What a request changes about the model's own preferences before a token is sampled: penalties for tokens that were there
 * already, and biases. Pure, and without effect at the neutral settings.
 */

export interface PenaltySettings {
  /** Subtracted once from the logit of each token that was generated before; 0 is neutral. */
  presencePenalty: number;
  /** Subtracted for each time that a token was generated before; 0 is neutral. */
  frequencyPenalty: number;
  /**
   * Positive logits of tokens in the prompt or the text are divided by it, negative ones multiplied; 1 is neutral.
   * arXiv:1909.05858, section 4.1
   */
  repetitionPenalty: number;
  /** Added to the logits of tokens, by id. Ids that the model does not have are ignored. */
  logitBias: Readonly<Record<string, number>>;
}

export const NO_PENALTIES: PenaltySettings = { presencePenalty: 0, frequencyPenalty: 0, repetitionPenalty: 1, logitBias: {} };

/** How often each token was there so far. */
export interface TokenCounts {
  prompt: ReadonlySet<number>;
  generated: ReadonlyMap<number, number>;
}

/** logits [V] -> logits [V] after penalties and biases; the same array when nothing changes. */
export function penalize(logits: Float32Array, settings: PenaltySettings, { prompt, generated }: TokenCounts): Float32Array {
  const { presencePenalty, frequencyPenalty, repetitionPenalty, logitBias } = settings;
  const biases = Object.entries(logitBias);
  if (presencePenalty === 0 && frequencyPenalty === 0 && repetitionPenalty === 1 && biases.length === 0) return logits;
  const changed = Float32Array.from(logits);
  if (repetitionPenalty !== 1) {
    for (const id of new Set([...prompt, ...generated.keys()])) {
      const logit = logits[id]!;
      changed[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    }
  }
  for (const [id, count] of generated) changed[id]! -= presencePenalty + frequencyPenalty * count;
  for (const [id, bias] of biases) if (Number(id) < changed.length) changed[Number(id)]! += bias;
  return changed;
}
