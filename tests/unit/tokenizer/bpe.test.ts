import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../../scripts/local/workers.ts";
import { applyMerges, mergeWord, rankMerges, tokenBytes, trainMerges, type BpeState, type Merge } from "../../../shared/tokenizer/bpe.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { splitWords } from "../../../shared/tokenizer/pre-tokenizer.ts";

const DATA = join(ROOT, "..", "shared", "data", "bpe");

function countWords(text: string): [string, number][] {
  const counts = new Map<string, number>();
  for (const word of splitWords(text, "gpt2")) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts];
}

function train(text: string, merges: number, perStep = Number.POSITIVE_INFINITY): BpeState {
  const state: BpeState = { words: countWords(text), merges: [] };
  while (!trainMerges(state, merges, perStep));
  return state;
}

const PAIR = 65_536;

/** The definition of `applyMerges`: merge the leftmost pair of the lowest rank until no pair has a rank. */
function applyMergesSimply(ids: number[], ranks: ReadonlyMap<number, number>): number[] {
  let word = ids;
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    for (let index = 0; index + 1 < word.length; index++) best = Math.min(best, ranks.get(word[index]! * PAIR + word[index + 1]!) ?? best);
    if (best === Number.POSITIVE_INFINITY) return word;
    const at = word.findIndex((id, index) => index + 1 < word.length && ranks.get(id * PAIR + word[index + 1]!) === best);
    word = mergeWord(word, word[at]!, word[at + 1]!, 256 + best);
  }
}

const SAMPLE = "low low low low low lower lower widest widest widest newest newest newest newest newest newest";

describe("byte-level BPE", () => {
  test.skipIf(!existsSync(DATA))("finds the reference merges of corpus.en (skipped where ../shared/data is absent)", () => {
    const text = readFileSync(join(DATA, "corpus.en"), "utf8").split("<|endoftext|>").join("\n");
    const reference = readFileSync(join(DATA, "train-bpe-reference-merges.txt"), "utf8").trimEnd().split("\n");
    const state = train(text, 500 - 256 - 1);
    const { model } = tokenizerToJson(LAYOUT.vocabulary(state.merges));
    expect(model.merges.map((merge) => merge.join(" "))).toEqual(reference);
  });

  test("breaks ties by the greater pair of byte strings", () => {
    // From a course's example, computed by hand: "st" and "es" both occur nine times, and "st" wins.
    const bytes = tokenBytes(train(SAMPLE, 2).merges);
    expect(new TextDecoder().decode(bytes[256])).toBe("st");
    expect(new TextDecoder().decode(bytes[257])).toBe("est");
  });

  test("finds the same merges in one call and in many", () => {
    expect(train(SAMPLE, 12, 1).merges).toEqual(train(SAMPLE, 12).merges);
  });

  test("keeps every byte string, text or not", () => {
    const { merges } = train(SAMPLE, 12);
    const byteStrings = tokenBytes(merges).map((token) => Array.from(token));
    const ranks = rankMerges(merges);
    // Pieces of the sample between random bytes, so merges touch bytes that are not UTF-8.
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.constantFrom("west", "new", " low").map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const bytes = Uint8Array.from(pieces.flatMap((part) => [...part]));
        expect(Uint8Array.from(applyMerges([...bytes], ranks).flatMap((token) => byteStrings[token]!))).toEqual(bytes);
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  test("merges any word as the definition does, with any merges", () => {
    // Only three letters, so pairs overlap ("aaa") and merged tokens are merged again.
    const letter = fc.integer({ min: 97, max: 99 });
    const choices = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 30 });
    fc.assert(
      fc.property(choices, fc.array(letter, { maxLength: 200 }), (chosen, word) => {
        const known = [97, 98, 99];
        const merges = chosen.map(([left, right], rank): Merge => {
          const merge = [known[left % known.length]!, known[right % known.length]!] as const;
          known.push(256 + rank);
          return merge;
        });
        const ranks = rankMerges(merges);
        expect(applyMerges(word, ranks)).toEqual(applyMergesSimply([...word], ranks));
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  test("looks up a constant number of pairs per letter of a very long word", () => {
    const letters = Array.from({ length: 26 }, (_, index) => 97 + index);
    const merges = letters.flatMap((left) => letters.map((right): Merge => [left, right]));
    const word = Array.from({ length: 20 }, () => merges.flat()).flat();
    const ranks = rankMerges(merges);
    let looks = 0;
    const watched = new Map(ranks);
    watched.get = (pair) => {
      looks++;
      return ranks.get(pair);
    };
    const merged = applyMerges(word, watched);
    expect(merged.length).toBeLessThan(word.length);
    // A pair is looked up when it is made and when it is popped. There are fewer than n merges, and each makes two new pairs.
    expect(looks).toBeLessThan(6 * word.length);
    expect(merged).toEqual(applyMergesSimply(word, ranks));
  });
});
