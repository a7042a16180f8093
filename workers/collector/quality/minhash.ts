/**
 * MinHash sketches of texts (Broder 1997) with FineWeb's settings: shingles of 5 words, 112 hashes in 14 bands of 8. Two texts share
 * a band with probability 1 - (1 - s^8)^14, where s is the similarity of their sets of shingles: 0.92 at 0.8, 0.05 at 0.5.
 */

const SHINGLE_WORDS = 5;
const HASHES = 112;
const BANDS = 14;
const ROWS = HASHES / BANDS;
const [FACTORS, SHIFTS] = createSeeds();

/** One 32-bit minimum for each hash. */
export type Sketch = Uint32Array<ArrayBuffer>;

/** A factor and a shift for each hash. */
function createSeeds(): [Uint32Array, Uint32Array] {
  let state = 0x9e3779b9;
  // xorshift32 (Marsaglia 2003). The seeds are part of the stored format: a change makes old sketches useless.
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const [factors, shifts] = [new Uint32Array(HASHES), new Uint32Array(HASHES)];
  for (let index = 0; index < HASHES; index++) {
    factors[index] = next() | 1;
    shifts[index] = next();
  }
  return [factors, shifts];
}

/** 32-bit FNV-1a of a word's UTF-16 code units, finished by the mixer of MurmurHash3. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at++) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  return mix(hash);
}

function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The hashes of a text's shingles, each once. Case and punctuation do not count. A text of fewer words is one shingle. */
export function shinglesOf(text: string): Set<number> {
  const words = Array.from(text.toLowerCase().matchAll(/[\p{L}\p{N}]+/gu), ([word]) => hashOf(word));
  const shingles = new Set<number>();
  const last = Math.max(0, words.length - SHINGLE_WORDS);
  for (let start = 0; start <= last; start++) {
    let hash = 0;
    for (const word of words.slice(start, start + SHINGLE_WORDS)) hash = mix(Math.imul(hash, 31) ^ word);
    shingles.add(hash);
  }
  return shingles;
}

export function sketchOf(text: string): Sketch {
  const sketch = new Uint32Array(HASHES).fill(0xffffffff);
  for (const shingle of shinglesOf(text)) {
    for (let index = 0; index < HASHES; index++) {
      let hash = Math.imul(shingle ^ SHIFTS[index]!, FACTORS[index]!);
      hash = (hash ^ (hash >>> 15)) >>> 0;
      if (hash < sketch[index]!) sketch[index] = hash;
    }
  }
  return sketch;
}

/** The estimated similarity of two texts: the share of equal minima. */
export function similarityOf(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let index = 0; index < HASHES; index++) if (a[index] === b[index]) equal++;
  return equal / HASHES;
}

/** One key for each band: a 52-bit hash of the band's number and minima, exact as a number. */
export function bandsOf(sketch: Sketch): number[] {
  return Array.from({ length: BANDS }, (_, band) => {
    let [high, low] = [mix(band + 1), mix(band + 0x1000)];
    for (const minimum of sketch.subarray(band * ROWS, (band + 1) * ROWS)) {
      high = mix(Math.imul(high, 31) ^ minimum);
      low = mix(Math.imul(low, 37) ^ minimum);
    }
    return (high & 0xfffff) * 2 ** 32 + low;
  });
}
