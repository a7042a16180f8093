/**
 * Byte-level BPE: training and merging. A word is a sequence of tokens. Tokens 0 to 255 are bytes, and merge number r makes
 * token 256 + r. Token ids in a tokenizer.json may differ from these numbers (layout.ts).
 *
 * Training keeps the count of each pair and an index from each pair to the words that contain it. A merge therefore visits only
 * these words. Between pairs of equal count, the pair with the greater byte strings wins, so the result is unique.
 */
import { MinHeap } from "./min-heap.ts";

export type Merge = readonly [left: number, right: number];

const PAIR = 65_536;
/** Marks a token that was merged into its left neighbour. A pair with this value has a negative key and therefore no rank. */
const CONSUMED = -1;
/**
 * The longest token that training makes. Without this limit, long rows of dashes would fill the vocabulary. The reader accepts
 * longer tokens.
 */
const MAX_TOKEN_BYTES = 256;

/** The state of a training run: word counts and the merges found so far. */
export interface BpeState {
  /** [word, count] */
  words: [string, number][];
  merges: Merge[];
}

/** The byte string of every token, in token order. */
export function tokenBytes(merges: readonly Merge[]): Uint8Array[] {
  const bytes: Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  for (const [left, right] of merges) bytes.push(joinBytes(bytes[left]!, bytes[right]!));
  return bytes;
}

function joinBytes(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
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

/**
 * Adds merges to `state` until it has `target` merges, until it has `limit` new merges, or until no pair occurs twice. Returns
 * true when training is complete.
 */
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
    // Merging a pair that occurs once would not shorten the text.
    if (best === undefined || counts.get(best)! < 2) return true;
    const [left, right] = [Math.floor(best / PAIR), best % PAIR];
    const merged = bytes.length;
    const joined = joinBytes(bytes[left]!, bytes[right]!);
    // Skips a pair whose bytes another token already has: two ids for one string cannot be expressed in a tokenizer.json.
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

/**
 * A heap of pairs, greatest count first, then greatest byte strings. An entry with an outdated count is dropped when it reaches
 * the top.
 */
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

  /** Removes and returns the greatest pair whose count is current. Returns undefined if there is none. */
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

/** Maps each pair to its rank. Merges apply in the order of their ranks. */
export function rankMerges(merges: readonly Merge[]): Map<number, number> {
  return new Map(merges.map(([left, right], rank) => [left * PAIR + right, rank]));
}

/**
 * Applies merges to a word: lowest rank first, leftmost pair first within a rank. A merge makes only pairs of higher rank. A
 * word may be as long as a page, so the tokens are a linked list and the pairs a heap: O(n log n) time.
 */
export function applyMerges(word: readonly number[], ranks: ReadonlyMap<number, number>): number[] {
  const size = word.length;
  // A token is identified by the position of its first byte.
  const tokens = word.slice();
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
  // Rank and position in one number, so the heap sorts by rank, then by position. Ranks are below 65,536, so the number is
  // exact.
  const pairs = new MinHeap();
  const addPair = (place: number) => {
    const rank = rankAt(place);
    if (rank !== undefined) pairs.push(rank * size + place);
  };
  for (let place = 0; place < size; place++) addPair(place);

  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const left = pair % size;
    const rank = (pair - left) / size;
    // Outdated: a token of this pair has already been merged.
    if (rankAt(left) !== rank) continue;
    const right = next[left]!;
    const after = next[right]!;
    tokens[left] = 256 + rank;
    tokens[right] = CONSUMED;
    next[left] = after;
    if (after < size) previous[after] = left;
    if (left > 0) addPair(previous[left]!);
    addPair(left);
  }
  return tokens.filter((token) => token !== CONSUMED);
}
