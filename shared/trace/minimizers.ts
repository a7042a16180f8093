/**
 * Fingerprints of token sequences by winnowing (Schleimer, Wilkerson, Aiken: "Winnowing", SIGMOD 2003). Every run of WINDOW
 * consecutive groups of GROUP tokens keeps the group with the smallest hash. Two texts that share GROUP + WINDOW - 1 tokens keep
 * the same group there, although only about two of WINDOW + 1 groups are kept.
 */

/** Tokens of a fingerprint. */
export const GROUP = 4;
const WINDOW = 5;
/** Every common passage of at least so many tokens is found. */
export const FOUND_TOKENS = GROUP + WINDOW - 1;

export interface Minimizer {
  /** The index of the group's first token. */
  at: number;
  /** A number below 2^32. */
  fingerprint: number;
}

/** A hash of the GROUP tokens from `at`. */
function fingerprintAt(tokens: ArrayLike<number>, at: number): number {
  let hash = 0x9e3779b9;
  for (let index = at; index < at + GROUP; index++) {
    hash = Math.imul(hash ^ tokens[index]!, 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The kept groups in order. Of equal hashes in a window, the last one is kept. */
export function* minimizersOf(tokens: ArrayLike<number>): Generator<Minimizer, void> {
  const groups = tokens.length - GROUP + 1;
  const hashes = Float64Array.from({ length: Math.max(0, groups) }, (_, at) => fingerprintAt(tokens, at));
  let kept = -1;
  for (let from = 0; from + WINDOW <= groups; from++) {
    let best = from;
    for (let at = from + 1; at < from + WINDOW; at++) if (hashes[at]! <= hashes[best]!) best = at;
    if (best === kept) continue;
    kept = best;
    yield { at: best, fingerprint: hashes[best]! };
  }
}
