/**
 * Byte-level BPE: training and merging. Words are sequences of token ids; the first 256 ids are the bytes themselves.
 *
 * Training keeps a count per pair and an index from pair to the words that hold it, so a merge touches only those words.
 * Equal counts are decided by the greater pair of byte strings, which makes the result unique.
 */

/** GPT-2's split pattern (Radford et al., 2019). */
const SPLIT = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Splits text into words, which merges never cross. Their concatenation is the text. */
export function splitWords(text: string): string[] {
  return text.match(SPLIT) ?? [];
}

export type Merge = readonly [left: number, right: number];

const PAIR = 65_536;

/** Everything needed to go on training: word counts and the merges found so far. */
export interface BpeState {
  /** [word, count] */
  words: [string, number][];
  merges: Merge[];
}

/** Byte strings of all tokens, as arrays that compare element by element. */
export function tokenBytes(merges: readonly Merge[]): Uint8Array[] {
  const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  for (const [left, right] of merges) bytes.push(Uint8Array.of(...bytes[left]!, ...bytes[right]!));
  return bytes;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return a[index]! - b[index]!;
  return a.length - b.length;
}

/** Replaces every (left, right) in a word by `merged`. */
export function mergeWord(word: readonly number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let index = 0; index < word.length; index++) {
    if (word[index] === left && word[index + 1] === right) {
      result.push(merged);
      index++;
    } else result.push(word[index]!);
  }
  return result;
}

/** Continues until there are `target` merges, `limit` new ones were found, or no pair occurs twice; returns whether training is over. */
export function trainMerges(state: BpeState, target: number, limit: number): boolean {
  const encoder = new TextEncoder();
  const ranks = rankMerges(state.merges);
  const words = state.words.map(([text]) => applyMerges([...encoder.encode(text)], ranks));
  const bytes = tokenBytes(state.merges);
  const counts = new Map<number, number>();
  const holders = new Map<number, Set<number>>();
  const add = (pair: number, word: number, amount: number) => {
    counts.set(pair, (counts.get(pair) ?? 0) + amount);
    if (amount > 0) {
      const known = holders.get(pair);
      if (known === undefined) holders.set(pair, new Set([word]));
      else known.add(word);
    }
  };
  const pairsOf = (word: number, sign: number) => {
    const ids = words[word]!;
    const count = state.words[word]![1] * sign;
    for (let index = 0; index + 1 < ids.length; index++) add(ids[index]! * PAIR + ids[index + 1]!, word, count);
  };
  for (let word = 0; word < words.length; word++) pairsOf(word, 1);

  for (let found = 0; found < limit; found++) {
    if (state.merges.length >= target) return true;
    let best = -1;
    let bestCount = 0;
    for (const [pair, count] of counts) {
      if (count < bestCount || count <= 0) continue;
      if (count > bestCount || isGreater(pair, best, bytes)) {
        best = pair;
        bestCount = count;
      }
    }
    // A pair that occurs once saves nothing.
    if (bestCount < 2) return true;
    const [left, right] = [Math.floor(best / PAIR), best % PAIR];
    const merged = bytes.length;
    bytes.push(Uint8Array.of(...bytes[left]!, ...bytes[right]!));
    state.merges.push([left, right]);
    for (const word of holders.get(best) ?? []) {
      pairsOf(word, -1);
      words[word] = mergeWord(words[word]!, left, right, merged);
      pairsOf(word, 1);
    }
    counts.delete(best);
    holders.delete(best);
  }
  return state.merges.length >= target;
}

function isGreater(pair: number, than: number, bytes: readonly Uint8Array[]): boolean {
  const first = compareBytes(bytes[Math.floor(pair / PAIR)]!, bytes[Math.floor(than / PAIR)]!);
  return first !== 0 ? first > 0 : compareBytes(bytes[pair % PAIR]!, bytes[than % PAIR]!) > 0;
}

/** Pair -> rank, which is also the order in which merges apply. */
export function rankMerges(merges: readonly Merge[]): Map<number, number> {
  return new Map(merges.map(([left, right], rank) => [left * PAIR + right, rank]));
}

/** Merges a word's ids, lowest rank first. Merge number r makes token 256 + r. */
export function applyMerges(ids: number[], ranks: ReadonlyMap<number, number>): number[] {
  let word = ids;
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    for (let index = 0; index + 1 < word.length; index++) best = Math.min(best, ranks.get(word[index]! * PAIR + word[index + 1]!) ?? best);
    if (best === Number.POSITIVE_INFINITY) return word;
    const at = word.findIndex((id, index) => index + 1 < word.length && ranks.get(id * PAIR + word[index + 1]!) === best);
    word = mergeWord(word, word[at]!, word[at + 1]!, 256 + best);
  }
}
