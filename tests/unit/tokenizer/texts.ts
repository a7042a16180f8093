/** Texts on which tokenizers often differ, and vocabularies to encode them. Every run has the same texts. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { ROOT } from "../../../scripts/local/workers.ts";
import { trainMerges, type BpeState } from "../../../shared/tokenizer/bpe.ts";
import { LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { splitWords } from "../../../shared/tokenizer/pre-tokenizer.ts";
import type { Vocabulary } from "../../../shared/tokenizer/tokenizer.ts";

export const DATA = join(ROOT, "..", "shared", "data");

/** Words that the rules cut differently. Some programs treat U+FEFF, U+180E and U+001C as white space, but Unicode does not. */
const SNIPPETS = [
  ..."'|'s|'S|'ll|'lL|'LL|'re|'Ve|'d|'x|n't|don't|O'Neill|’s|I'M".split("|"),
  ..." |  |\t|\n|\r\n|\r|\n\n|\v|\f|\u0085|\u00a0|\u2003|\u2028|\u3000|\u200b|\ufeff|\u180e|\u001c|\0".split("|"),
  ..."the| The|ing|ß|é|e\u0301|ﬁ|ŉ|Ǆ|ª|º|日本語|한국어|عربى|हिन्दी|ไทย|𝒳|𠀀".split("|"),
  ..."0|42|3.14|1e9|½|²|Ⅷ|१२|٣|１|𝟙".split("|"),
  ...'!|...|--|==>|/* */|#|_|__init__|$x|@|\\|"|<|</|<think>|<tool_call>|think>|€|¿|„'.split("|"),
  ..."😀|👩🏽‍💻|🇩🇪|❤️|🏴󠁧󠁢󠁥󠁮󠁧󠁿|\ud83d|\udc00|\uffff|\u{10ffff}|\u0300|\u200d".split("|"),
];

function realTexts(): string[] {
  const files = ["README.md", "shared/tensor/README.md", "shared/tokenizer/bpe.ts", "shared/tensor/kernels/gemm/matmul.ts", "package.json"];
  const data = ["bpe/german.txt", "bpe/tinystories_sample.txt", "bpe/corpus.en", "tinyshakespeare.txt", "wikitext2-valid.txt"];
  return [...files.map((file) => join(ROOT, file)), ...data.map((file) => join(DATA, file))]
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, "utf8").replaceAll("<|endoftext|>", "").slice(0, 60_000));
}

const sample = (arbitrary: fc.Arbitrary<string>, numRuns: number) => fc.sample(arbitrary, { seed: 20, numRuns });

/** At least 4,000 texts: snippets in random order, random characters, controls, long runs, pieces of real text and code. */
export function difficultTexts(): string[] {
  const snippets = fc.array(fc.constantFrom(...SNIPPETS), { minLength: 1, maxLength: 24 }).map((parts) => parts.join(""));
  const characters = fc.string({ unit: "binary", minLength: 1, maxLength: 40 });
  const lowCharacters = fc.array(fc.nat({ max: 0x2ff }), { minLength: 1, maxLength: 40 }).map((points) => String.fromCodePoint(...points));
  const runs = fc
    .tuple(fc.constantFrom(...SNIPPETS), fc.integer({ min: 2, max: 120 }), snippets)
    .map(([unit, times, end]) => unit.repeat(times) + end);
  const real = realTexts().flatMap((text) => Array.from({ length: 120 }, (_, index) => text.slice(index * 400, index * 400 + 397)));
  return [
    ...SNIPPETS,
    ...sample(snippets, 1800),
    ...sample(characters, 600),
    ...sample(lowCharacters, 600),
    ...sample(runs, 400),
    ...real.filter((text) => text !== ""),
  ];
}

/** A vocabulary with the current layout, trained on texts of this repository. */
export function trainedVocabulary(merges: number): Vocabulary {
  const counts = new Map<string, number>();
  for (const text of realTexts()) for (const word of splitWords(text, "qwen2")) counts.set(word, (counts.get(word) ?? 0) + 1);
  const state: BpeState = { words: [...counts], merges: [] };
  trainMerges(state, merges, Number.POSITIVE_INFINITY);
  return LAYOUT.vocabulary(state.merges);
}

/** GPT-2's own vocabulary as a tokenizer.json; null if ../shared/data is absent. */
export function gpt2Json() {
  if (!existsSync(DATA)) return null;
  const merges = readFileSync(join(DATA, "bpe", "gpt2_merges.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#version"));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  return {
    version: "1.0",
    added_tokens: [
      { id: 50_256, content: "<|endoftext|>", special: true, single_word: false, lstrip: false, rstrip: false, normalized: true },
    ],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: { ...byteLevel, trim_offsets: false },
    decoder: { ...byteLevel, add_prefix_space: true },
    model: { type: "BPE", vocab: JSON.parse(readFileSync(join(DATA, "bpe", "gpt2_vocab.json"), "utf8")) as Record<string, number>, merges },
  };
}
