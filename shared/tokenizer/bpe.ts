/**
 * Byte-level BPE: training and merging. Words are sequences of token ids; the first 256 ids are the bytes themselves.
 *
 * Training keeps a count per pair and an index from pair to the words that hold it, so a merge touches only those words.
 * Equal counts are decided by the greater pair of byte strings, which makes the result unique.
 */
import { MinHeap } from "./min-heap.ts";

/** GPT-2's split pattern (Radford et al., 2019). */
const SPLIT = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Splits text into words, which merges never cross. Their concatenation is the text. */
export function splitWords(text: string): string[] {
  return text.match(SPLIT) ?? [];
}

export type Merge = readonly [left: number, right: number];

const PAIR = 65_536;
/** Stands where a token was merged into its left neighbour. A pair with it has a negative key, so it has no rank. */
const GONE = -1;
/** Training makes no longer token: rows of dashes would fill the vocabulary. Reading accepts 1024. */
const MAX_TOKEN_BYTES = 256;

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
  const known = new Set(bytes.map(String));
  const counts = new Map<number, number>();
  const holders = new Map<number, Set<number>>();
  const changed = new Set<number>();
  const add = (pair: number, word: number, amount: number) => {
    counts.set(pair, (counts.get(pair) ?? 0) + amount);
    changed.add(pair);
    if (amount > 0) {
      const held = holders.get(pair);
      if (held === undefined) holders.set(pair, new Set([word]));
      else held.add(word);
    }
  };
  const pairsOf = (word: number, sign: number) => {
    const ids = words[word]!;
    const count = state.words[word]![1] * sign;
    for (let index = 0; index + 1 < ids.length; index++) add(ids[index]! * PAIR + ids[index + 1]!, word, count);
  };
  for (let word = 0; word < words.length; word++) pairsOf(word, 1);
  const heap = new PairHeap(bytes);
  for (const [pair, count] of counts) heap.push(pair, count);
  changed.clear();

  let found = 0;
  while (found < limit) {
    if (state.merges.length >= target) return true;
    const best = heap.pop(counts);
    // A pair that occurs once saves nothing.
    if (best === undefined || counts.get(best)! < 2) return true;
    const [left, right] = [Math.floor(best / PAIR), best % PAIR];
    const merged = bytes.length;
    const joined = Uint8Array.of(...bytes[left]!, ...bytes[right]!);
    // Another way to the same bytes would give one string two ids, which tokenizer.json cannot say; such a pair stays apart.
    if (joined.length > MAX_TOKEN_BYTES || known.has(String(joined))) {
      counts.delete(best);
      continue;
    }
    found++;
    known.add(String(joined));
    bytes.push(joined);
    state.merges.push([left, right]);
    for (const word of holders.get(best) ?? []) {
      pairsOf(word, -1);
      words[word] = mergeWord(words[word]!, left, right, merged);
      pairsOf(word, 1);
    }
    counts.delete(best);
    holders.delete(best);
    for (const pair of changed) {
      const count = counts.get(pair) ?? 0;
      if (count > 0) heap.push(pair, count);
      else counts.delete(pair);
    }
    changed.clear();
  }
  return state.merges.length >= target;
}

function isGreater(pair: number, than: number, bytes: readonly Uint8Array[]): boolean {
  const first = compareBytes(bytes[Math.floor(pair / PAIR)]!, bytes[Math.floor(than / PAIR)]!);
  return first !== 0 ? first > 0 : compareBytes(bytes[pair % PAIR]!, bytes[than % PAIR]!) > 0;
}

/** Pairs by count, then by byte strings, greatest first. Entries whose count has changed since are dropped when they surface. */
class PairHeap {
  readonly #bytes: readonly Uint8Array[];
  readonly #pairs: number[] = [];
  readonly #counts: number[] = [];

  constructor(bytes: readonly Uint8Array[]) {
    this.#bytes = bytes;
  }

  push(pair: number, count: number): void {
    let index = this.#pairs.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isAbove(pair, count, parent)) break;
      this.#pairs[index] = this.#pairs[parent]!;
      this.#counts[index] = this.#counts[parent]!;
      index = parent;
    }
    this.#pairs[index] = pair;
    this.#counts[index] = count;
  }

  /** The greatest pair whose entry is current, removed; undefined when there is none. */
  pop(current: ReadonlyMap<number, number>): number | undefined {
    while (this.#pairs.length > 0) {
      const [pair, count] = [this.#pairs[0]!, this.#counts[0]!];
      const [lastPair, lastCount] = [this.#pairs.pop()!, this.#counts.pop()!];
      if (this.#pairs.length > 0) this.#sink(lastPair, lastCount);
      if (current.get(pair) === count) return pair;
    }
    return undefined;
  }

  #sink(pair: number, count: number): void {
    const size = this.#pairs.length;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isAbove(this.#pairs[child + 1]!, this.#counts[child + 1]!, child)) child++;
      if (this.#isAbove(pair, count, child)) break;
      this.#pairs[index] = this.#pairs[child]!;
      this.#counts[index] = this.#counts[child]!;
      index = child;
    }
    this.#pairs[index] = pair;
    this.#counts[index] = count;
  }

  #isAbove(pair: number, count: number, slot: number): boolean {
    const other = this.#counts[slot]!;
    return count === other ? isGreater(pair, this.#pairs[slot]!, this.#bytes) : count > other;
  }
}

/** Pair -> rank, which is also the order in which merges apply. */
export function rankMerges(merges: readonly Merge[]): Map<number, number> {
  return new Map(merges.map(([left, right], rank) => [left * PAIR + right, rank]));
}

/**
 * Merges a word's ids: the lowest rank first, the leftmost among equals. Merge number r makes token 256 + r, which only
 * later merges name, so no new pair comes before those that wait. Words may be as long as a page: the parts are a linked
 * list, the pairs a heap, the time O(n log n).
 */
export function applyMerges(ids: readonly number[], ranks: ReadonlyMap<number, number>): number[] {
  const size = ids.length;
  // A part is named by the place where it begins.
  const tokens = ids.slice();
  const next: number[] = [];
  const previous: number[] = [];
  for (let place = 0; place < size; place++) {
    next.push(place + 1);
    previous.push(place - 1);
  }
  const rankAt = (place: number) => {
    const right = next[place]!;
    return right < size ? ranks.get(tokens[place]! * PAIR + tokens[right]!) : undefined;
  };
  // Rank and place as one number, which orders by both and stays exact: there are at most 65,536 ranks.
  const pairs = new MinHeap();
  const addPair = (place: number) => {
    const rank = rankAt(place);
    if (rank !== undefined) pairs.push(rank * size + place);
  };
  for (let place = 0; place < size; place++) addPair(place);

  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const left = pair % size;
    const rank = (pair - left) / size;
    // One of the two was merged meanwhile.
    if (rankAt(left) !== rank) continue;
    const right = next[left]!;
    const after = next[right]!;
    tokens[left] = 256 + rank;
    tokens[right] = GONE;
    next[left] = after;
    if (after < size) previous[after] = left;
    if (left > 0) addPair(previous[left]!);
    addPair(left);
  }
  return tokens.filter((token) => token !== GONE);
}
