/** Compares the outputs of two runtimes for the same tokens. */
import { logTotal } from "../../../../shared/model/sampling.ts";

/** The largest difference between logits at equal positions. A NaN counts as infinite. */
export function largestDifference(ours: readonly Float32Array[], theirs: readonly Float32Array[]): number {
  if (ours.length !== theirs.length || ours.length === 0)
    throw new Error(`logits: expected ${ours.length} positions, got ${theirs.length}`);
  let largest = 0;
  for (const [position, row] of ours.entries()) {
    const other = theirs[position]!;
    if (row.length !== other.length) throw new Error(`logits: expected ${row.length} at position ${position}, got ${other.length}`);
    for (let id = 0; id < row.length; id++) {
      const difference = Math.abs(row[id]! - other[id]!);
      if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    }
  }
  return largest;
}

/** Splits logits [T, V] into rows [V]. */
export function rowsOf(logits: Float32Array, vocabSize: number): Float32Array[] {
  return Array.from({ length: logits.length / vocabSize }, (_, row) => logits.subarray(row * vocabSize, (row + 1) * vocabSize));
}

export function mostProbable(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}

/** The loss of an id under logits, in nats. */
export function lossOf(logits: Float32Array, id: number): number {
  return logTotal(logits) - logits[id]!;
}

/** The mean loss of each next token in windows of tokens, and the most probable token at each position. */
export async function judge(
  windows: readonly (readonly number[])[],
  logitsOf: (ids: readonly number[]) => Promise<readonly Float32Array[]>,
) {
  let loss = 0;
  const best: number[] = [];
  for (const window of windows) {
    const rows = await logitsOf(window.slice(0, -1));
    for (const [at, row] of rows.entries()) {
      loss += lossOf(row, window[at + 1]!);
      best.push(mostProbable(row));
    }
  }
  return { loss: loss / best.length, best };
}
