/**
 * Changes logits before sampling: penalties for tokens that have occurred, and biases for chosen tokens. A pure function;
 * neutral settings change nothing.
 */

export interface PenaltySettings {
  /** Subtracted once from the logit of each token that occurs in the generated text; 0 is neutral. */
  presencePenalty: number;
  /** Subtracted from a token's logit for each occurrence in the generated text; 0 is neutral. */
  frequencyPenalty: number;
  /**
   * For tokens in the prompt or the generated text: divides positive logits by this value and multiplies negative logits by it; 1 is
   * neutral.
   * arXiv:1909.05858, section 4.1
   */
  repetitionPenalty: number;
  /** Added to the logits of these token ids. Unknown ids are ignored. */
  logitBias: Readonly<Record<string, number>>;
}

export const NO_PENALTIES: PenaltySettings = { presencePenalty: 0, frequencyPenalty: 0, repetitionPenalty: 1, logitBias: {} };

/** The tokens that have occurred: a set for the prompt, counts for the generated text. */
export interface TokenCounts {
  prompt: ReadonlySet<number>;
  generated: ReadonlyMap<number, number>;
}

/** logits [V] -> changed logits [V]. Returns the same array when the settings are neutral. */
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
