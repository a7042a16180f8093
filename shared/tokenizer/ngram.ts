/**
 * N-gram baselines that a model has to beat. Losses are in nats per token over all validation tokens except the first.
 *
 * The trigram model mixes trigram, bigram, unigram and uniform estimates (interpolation of Jelinek and Mercer, 1980). The mixing
 * weights depend on how often the context was seen. EM fits the weights on the last tenth of the training tokens. Then these
 * tokens are added to the counts.
 */

type ReadShard = () => Promise<Uint16Array>;

/** Maximum number of training tokens for the trigram model. Its tables then stay below about 100 MB. */
const MAX_TRIGRAM_TOKENS = 2_000_000;
const MAX_HELD_BACK_TOKENS = 100_000;
const EM_ITERATIONS = 12;
const ORDERS = 4;
const BUCKETS = 16;

/** Returns the loss of a unigram model with add-one smoothing; 0 without validation tokens. Holds one token file in memory at a time. */
export async function unigramLoss(vocabSize: number, train: readonly ReadShard[], val: readonly ReadShard[]): Promise<number> {
  const counts = new Float64Array(vocabSize).fill(1);
  let total = vocabSize;
  for (const read of train) {
    const tokens = await read();
    for (const token of tokens) counts[token]! += 1;
    total += tokens.length;
  }
  let sum = 0;
  let scored = -1;
  for (const read of val) {
    for (const token of await read()) {
      if (scored >= 0) sum -= Math.log(counts[token]! / total);
      scored++;
    }
  }
  return scored > 0 ? sum / scored : 0;
}

/** Returns the loss of the interpolated trigram model; 0 without validation tokens. Uses at most MAX_TRIGRAM_TOKENS training tokens. */
export async function trigramLoss(vocabSize: number, train: readonly ReadShard[], val: readonly ReadShard[]): Promise<number> {
  const tokens = await firstTokens(train, MAX_TRIGRAM_TOKENS);
  const heldBack = Math.min(MAX_HELD_BACK_TOKENS, Math.floor(tokens.length / 10));
  const model = new TrigramModel(vocabSize);
  model.count(tokens, 0, tokens.length - heldBack);
  model.fit(tokens.subarray(tokens.length - heldBack));
  model.count(tokens, tokens.length - heldBack, tokens.length);
  let sum = 0;
  let scored = 0;
  let [a, b] = [-1, -1];
  for (const read of val) {
    for (const c of await read()) {
      if (b >= 0) {
        sum -= Math.log(model.probability(a, b, c));
        scored++;
      }
      [a, b] = [b, c];
    }
  }
  return scored > 0 ? sum / scored : 0;
}

async function firstTokens(shards: readonly ReadShard[], limit: number): Promise<Uint16Array> {
  const parts: Uint16Array[] = [];
  let length = 0;
  for (const read of shards) {
    if (length >= limit) break;
    const part = (await read()).subarray(0, limit - length);
    parts.push(part);
    length += part.length;
  }
  const tokens = new Uint16Array(length);
  let offset = 0;
  for (const part of parts) {
    tokens.set(part, offset);
    offset += part.length;
  }
  return tokens;
}

class TrigramModel {
  readonly #vocabSize: number;
  readonly #unigrams: Float64Array;
  readonly #bigrams = new CountTable();
  readonly #trigrams = new CountTable();
  /** [bucket, order]: weights of uniform, unigram, bigram, trigram. */
  readonly #weights = new Float64Array(BUCKETS * ORDERS).fill(1 / ORDERS);
  readonly #parts = new Float64Array(ORDERS);
  #total = 0;

  constructor(vocabSize: number) {
    this.#vocabSize = vocabSize;
    this.#unigrams = new Float64Array(vocabSize);
  }

  /** Adds the tokens [from, to) to the counts, each with the two tokens before it. */
  count(tokens: Uint16Array, from: number, to: number): void {
    const size = this.#vocabSize;
    for (let index = from; index < to; index++) {
      const c = tokens[index]!;
      this.#unigrams[c]! += 1;
      this.#total++;
      if (index < 1) continue;
      const pair = tokens[index - 1]! * size + c;
      this.#bigrams.add(pair);
      if (index >= 2) this.#trigrams.add(tokens[index - 2]! * size * size + pair);
    }
  }

  /** Fits the weights by EM. Every bucket starts with equal weights and one pseudo-count per order. */
  fit(tokens: Uint16Array): void {
    for (let iteration = 0; iteration < EM_ITERATIONS; iteration++) {
      const sums = new Float64Array(BUCKETS * ORDERS).fill(1);
      for (let index = 2; index < tokens.length; index++) {
        const bucket = this.#estimate(tokens[index - 2]!, tokens[index - 1]!, tokens[index]!);
        const mixed = this.#mix(bucket);
        for (let order = 0; order < ORDERS; order++) {
          const slot = bucket * ORDERS + order;
          sums[slot]! += (this.#weights[slot]! * this.#parts[order]!) / mixed;
        }
      }
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        let total = 0;
        for (let order = 0; order < ORDERS; order++) total += sums[bucket * ORDERS + order]!;
        for (let order = 0; order < ORDERS; order++) this.#weights[bucket * ORDERS + order] = sums[bucket * ORDERS + order]! / total;
      }
    }
  }

  /** p(c | a, b); `a` is -1 at the start of the stream. */
  probability(a: number, b: number, c: number): number {
    return this.#mix(this.#estimate(a, b, c));
  }

  /**
   * Writes the four estimates to #parts and returns the bucket of the weights. For an unseen context, the next lower order's
   * estimate is used.
   */
  #estimate(a: number, b: number, c: number): number {
    const size = this.#vocabSize;
    const context = a < 0 ? 0 : this.#bigrams.get(a * size + b);
    const before = this.#unigrams[b]!;
    const uniform = 1 / size;
    const unigram = this.#total > 0 ? this.#unigrams[c]! / this.#total : uniform;
    const bigram = before > 0 ? this.#bigrams.get(b * size + c) / before : unigram;
    this.#parts[0] = uniform;
    this.#parts[1] = unigram;
    this.#parts[2] = bigram;
    this.#parts[3] = context > 0 ? this.#trigrams.get(a * size * size + b * size + c) / context : bigram;
    return Math.min(BUCKETS - 1, 32 - Math.clz32(context));
  }

  #mix(bucket: number): number {
    let sum = 0;
    for (let order = 0; order < ORDERS; order++) sum += this.#weights[bucket * ORDERS + order]! * this.#parts[order]!;
    return sum;
  }
}

/** A hash table of counts with open addressing and 12 bytes per slot. Keys are integers below 2 ** 48. */
class CountTable {
  #keys = new Float64Array(1 << 14).fill(-1);
  #counts = new Uint32Array(1 << 14);
  #used = 0;

  add(key: number): void {
    if (this.#used * 10 > this.#keys.length * 7) this.#grow();
    const slot = this.#slot(key);
    if (this.#keys[slot] === -1) {
      this.#keys[slot] = key;
      this.#used++;
    }
    this.#counts[slot]! += 1;
  }

  get(key: number): number {
    return this.#counts[this.#slot(key)]!;
  }

  #slot(key: number): number {
    const mask = this.#keys.length - 1;
    let hash = Math.imul(key % 0x1_0000_0000, 0x9e37_79b1) ^ Math.imul(Math.floor(key / 0x1_0000_0000) + 1, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (this.#keys[slot] !== -1 && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [keys, counts] = [this.#keys, this.#counts];
    this.#keys = new Float64Array(keys.length * 2).fill(-1);
    this.#counts = new Uint32Array(keys.length * 2);
    for (let index = 0; index < keys.length; index++) {
      if (keys[index] === -1) continue;
      const slot = this.#slot(keys[index]!);
      this.#keys[slot] = keys[index]!;
      this.#counts[slot] = counts[index]!;
    }
  }
}
