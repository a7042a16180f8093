/**
 * Finds the longest passages of a text that stand word for word in a corpus. Fingerprints give places where a passage may be;
 * the tokens of each place are then read and compared, so nothing is reported that is not there. Tokens at the ends of a passage
 * depend on what is around it, so the ends are compared byte by byte.
 */
import { FOUND_TOKENS, GROUP, minimizersOf } from "./minimizers.ts";

/** Places per fingerprint. A phrase with more places is also part of longer passages with fewer. */
const MAX_PLACES = 200;
/** Places whose tokens are read: one read of the bucket each. */
const MAX_READS = 24;
/** Tokens that are read on both sides of a place beyond its fingerprints. */
const MARGIN = 48;

export interface Corpus {
  /** For each shard, the token indexes of each fingerprint. */
  places(fingerprints: readonly number[], most: number): Promise<{ shard: number; indexes: number[][] }[]>;
  /** The tokens from `start` to before `end`, cut at the ends of the shard. */
  tokens(shard: number, start: number, end: number): Promise<{ first: number; ids: ArrayLike<number> }>;
  /** The bytes of tokens. */
  bytesOf(ids: Iterable<number>): Uint8Array;
  endOfText: number;
}

export interface Passage {
  /** Bytes of the text, `end` excluded. */
  start: number;
  end: number;
  tokens: number;
  shard: number;
  /** The index of the passage's first whole token in the shard. */
  at: number;
}

/** Fingerprints of the text and of one shard whose indexes have one difference. */
interface Diagonal {
  shard: number;
  /** The token index in the shard minus the token index in the text. */
  shift: number;
  /** Token indexes in the text. */
  hits: number[];
}

/** Passages of at least FOUND_TOKENS tokens, longest first; several places of one passage follow each other. */
export async function findPassages(corpus: Corpus, ids: readonly number[]): Promise<Passage[]> {
  const minimizers = [...minimizersOf(ids)];
  const found = await corpus.places(
    minimizers.map(({ fingerprint }) => fingerprint),
    MAX_PLACES,
  );
  const diagonals = new Map<string, Diagonal>();
  for (const { shard, indexes } of found) {
    for (const [number, places] of indexes.entries()) {
      const { at } = minimizers[number]!;
      for (const place of places) {
        const key = `${shard} ${place - at}`;
        const diagonal = diagonals.get(key) ?? { shard, shift: place - at, hits: [] };
        diagonal.hits.push(at);
        diagonals.set(key, diagonal);
      }
    }
  }
  const likely = likeliest([...diagonals.values()]);
  const textBytes = ids.map((id) => corpus.bytesOf([id]));
  let length = 0;
  const ends = textBytes.map((bytes) => (length += bytes.length));
  const text = corpus.bytesOf(ids);
  const passages = await Promise.all(likely.map((diagonal) => compare(corpus, diagonal, { ids, ends, text })));
  return passages.flat().toSorted((a, b) => b.end - b.start - (a.end - a.start) || a.start - b.start || a.shard - b.shard || a.at - b.at);
}

/** The diagonals to read: first those that explain most fingerprints of the text which no other explains, then further ones. */
function likeliest(diagonals: readonly Diagonal[]): Diagonal[] {
  const sorted = diagonals.toSorted((a, b) => b.hits.length - a.hits.length || a.shard - b.shard || a.shift - b.shift);
  const explained = new Set<number>();
  const chosen = new Set<Diagonal>();
  for (const diagonal of sorted) {
    if (chosen.size >= MAX_READS / 2) break;
    const fresh = diagonal.hits.filter((at) => !explained.has(at));
    if (fresh.length === 0) continue;
    for (const at of fresh) explained.add(at);
    chosen.add(diagonal);
  }
  for (const diagonal of sorted) if (chosen.size < MAX_READS) chosen.add(diagonal);
  return [...chosen];
}

interface Text {
  ids: readonly number[];
  /** For each token, the number of bytes up to its end. */
  ends: readonly number[];
  text: Uint8Array;
}

/** The passages of a diagonal. */
async function compare(corpus: Corpus, { shard, shift, hits }: Diagonal, text: Text): Promise<Passage[]> {
  const { first, ids } = await corpus.tokens(
    shard,
    Math.max(0, shift + Math.min(...hits) - MARGIN),
    shift + Math.max(...hits) + GROUP + MARGIN,
  );
  const isEqual = (at: number) => {
    const place = at + shift - first;
    return at >= 0 && at < text.ids.length && place >= 0 && place < ids.length && ids[place] === text.ids[at];
  };
  const passages: Passage[] = [];
  let done = -1;
  for (const hit of hits) {
    if (hit < done || !isEqual(hit)) continue;
    let [from, to] = [hit, hit];
    while (isEqual(from - 1)) from--;
    while (isEqual(to)) to++;
    done = to;
    if (to - from < FOUND_TOKENS) continue;
    const place = from + shift - first;
    const before = corpus.bytesOf(sinceEnd(Array.from(ids).slice(0, place), corpus.endOfText));
    const after = corpus.bytesOf(untilEnd(Array.from(ids).slice(place + to - from), corpus.endOfText));
    let [start, end] = [text.ends[from - 1] ?? 0, text.ends[to - 1]!];
    for (let back = before.length - 1; start > 0 && back >= 0 && before[back] === text.text[start - 1]; back--) start--;
    for (let next = 0; end < text.text.length && next < after.length && after[next] === text.text[end]; next++) end++;
    passages.push({ start, end, tokens: to - from, shard, at: from + shift });
  }
  return passages;
}

/** The tokens after the last end of a text. */
const sinceEnd = (ids: readonly number[], endOfText: number) => ids.slice(ids.lastIndexOf(endOfText) + 1);
/** The tokens before the first end of a text. */
const untilEnd = (ids: readonly number[], endOfText: number) => (ids.includes(endOfText) ? ids.slice(0, ids.indexOf(endOfText)) : ids);
