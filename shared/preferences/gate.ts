/** Decides whether a trained model may replace the active one. */

/** The probability of as many wins by chance must be below this: one wrong promotion in twenty at most. */
const LEVEL = 0.05;
/** How much worse the loss on other held-out data may be. */
const MAX_LOSS_RATIO = 1.01;
/** Share of the held-out lessons that the active model answers word for word, and the candidate must still answer so. */
const MIN_CANARIES_KEPT = 0.9;

/** What was measured on data that the candidate did not learn. */
export interface Measured {
  /** Pairs of held-out preferences, and those in which the candidate prefers the better answer more than the active model does. */
  pairs: number;
  wins: number;
  /** Losses on held-out examples of the active model's own training; null if there are none. */
  heldOut: { baseline: number; candidate: number } | null;
  /** Held-out lessons that the active model answers right, and of those the ones that the candidate answers right; null without lessons. */
  canaries: { right: number; kept: number } | null;
}

export interface Verdict {
  passes: boolean;
  /** The probability of at least as many wins if both models were equally good (one-sided sign test). */
  chance: number;
  /** Why the candidate does not pass. */
  reasons: string[];
}

/** The probability of at least `wins` heads in `throws` throws of a fair coin. */
export function chanceOf(wins: number, throws: number): number {
  // Sums in logarithms, because 2^-throws underflows.
  let log = -throws * Math.LN2;
  let total = 0;
  for (let heads = 0; heads <= throws; heads++) {
    if (heads >= wins) total += Math.exp(log);
    log += Math.log(throws - heads) - Math.log(heads + 1);
  }
  return Math.min(1, total);
}

export function judge({ pairs, wins, heldOut, canaries }: Measured): Verdict {
  const chance = chanceOf(wins, pairs);
  const reasons: string[] = [];
  if (chance >= LEVEL)
    reasons.push(
      `preferences: expected more wins than chance gives (probability below ${LEVEL}), got ${wins} of ${pairs} (probability ${chance.toPrecision(2)})`,
    );
  if (heldOut !== null && heldOut.candidate > heldOut.baseline * MAX_LOSS_RATIO)
    reasons.push(
      `held-out loss: expected at most ${(heldOut.baseline * MAX_LOSS_RATIO).toFixed(4)} (1 % above the active model's), got ${heldOut.candidate.toFixed(4)}`,
    );
  if (canaries !== null && canaries.kept < canaries.right * MIN_CANARIES_KEPT)
    reasons.push(
      `canaries: expected at least ${Math.ceil(canaries.right * MIN_CANARIES_KEPT)} of ${canaries.right} answers unchanged, got ${canaries.kept}`,
    );
  return { passes: reasons.length === 0, chance, reasons };
}
