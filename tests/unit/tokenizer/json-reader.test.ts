import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadTokenizer, parseTokenizer } from "../../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { DATA, gpt2Json } from "./texts.ts";

/** A file with the merges "ab" and "abc" over the 256 bytes. */
const valid = () =>
  tokenizerToJson(
    LAYOUT.vocabulary([
      [97, 98],
      [256, 99],
    ]),
  );
type File = ReturnType<typeof valid>;

const byteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
const split = (regex: string, more: object = {}) => ({
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false, ...more }, byteLevel],
});
const added = (file: File, change: object) => ({
  ...file,
  added_tokens: [{ ...file.added_tokens[0], ...change }, ...file.added_tokens.slice(1)],
});
const model = (file: File, change: object) => ({ ...file, model: { ...file.model, ...change } });
const adding = { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<|endoftext|>" } }, { Sequence: { id: "A" } }] };

/** Changes to a file, each with a part of the error that it must cause. */
const REFUSALS: [string, (file: File) => unknown, string][] = [
  ["a file that is not an object", () => [], "tokenizer.json"],
  ["a model that is not BPE", (file) => model(file, { type: "WordPiece" }), "model.type"],
  ["no pre-tokenizer", (file) => ({ ...file, pre_tokenizer: null }), "pre_tokenizer"],
  ["an unknown pre-tokenizer", (file) => ({ ...file, pre_tokenizer: { type: "Metaspace" } }), "pre_tokenizer"],
  [
    "an unknown pattern",
    (file) => ({ ...file, pre_tokenizer: split("\\w+") }),
    'pre_tokenizer: expected a Split by the pattern of gpt2 or qwen2, got "\\\\w+"',
  ],
  ["a Split that removes its matches", (file) => ({ ...file, pre_tokenizer: split("\\w+", { behavior: "Removed" }) }), "pre_tokenizer"],
  [
    "add_prefix_space",
    (file) => ({ ...file, pre_tokenizer: { ...byteLevel, use_regex: true, add_prefix_space: true } }),
    "add_prefix_space",
  ],
  ["ByteLevel without any rule", (file) => ({ ...file, pre_tokenizer: byteLevel }), "pre_tokenizer"],
  [
    "a normalizer other than NFC",
    (file) => ({ ...file, normalizer: { type: "NFKC" } }),
    'normalizer: expected null or NFC, got {"type": "NFKC"}',
  ],
  ["a sequence of normalizers", (file) => ({ ...file, normalizer: { type: "Sequence", normalizers: [] } }), "normalizer"],
  ["a post-processor that adds tokens", (file) => ({ ...file, post_processor: adding }), "post_processor"],
  ["one inside a sequence", (file) => ({ ...file, post_processor: { type: "Sequence", processors: [adding] } }), "post_processor"],
  ["a decoder other than ByteLevel", (file) => ({ ...file, decoder: { type: "Metaspace" } }), "decoder"],
  ["ignore_merges", (file) => model(file, { ignore_merges: true }), "model.ignore_merges"],
  ["dropout", (file) => model(file, { dropout: 0.1 }), "model.dropout"],
  ["a subword prefix", (file) => model(file, { continuing_subword_prefix: "##" }), "model.continuing_subword_prefix"],
  ["a word suffix", (file) => model(file, { end_of_word_suffix: "</w>" }), "model.end_of_word_suffix"],
  [
    "a token that no merge makes",
    (file) => model(file, { vocab: { ...file.model.vocab, zzz: 999 } }),
    'model.vocab: expected tokens that are bytes, merged or added, got "zzz"',
  ],
  ["a merge of unknown tokens", (file) => model(file, { merges: [["zz", "y"]] }), "model.merges"],
  ["a merge of three tokens", (file) => model(file, { merges: ["a b c"] }), "model.merges"],
  ["a merge that is a number", (file) => model(file, { merges: [7] }), "model.merges"],
  [
    "two merges that make one token",
    (file) =>
      model(file, {
        merges: [
          ["a", "b"],
          ["a", "b"],
        ],
      }),
    "only one merge per token",
  ],
  [
    "a merge without an id",
    (file) => model(file, { merges: [...file.model.merges, ["x", "y"]] }),
    'an id for every byte and every merge, got "xy"',
  ],
  ["a byte without an id", (file) => model(file, { vocab: { ab: 1 } }), "an id for every byte and every merge"],
  ["two tokens with one id", (file) => model(file, { vocab: { ...file.model.vocab, ab: 20 } }), "a different id for every token"],
  ["an id above 65,535", (file) => model(file, { vocab: { ...file.model.vocab, ab: 65_536 } }), "ids from 0 to 65535"],
  ["a vocabulary that is a list", (file) => model(file, { vocab: [] }), "model.vocab"],
  ["an added token with another id in model.vocab", (file) => added(file, { id: 5000 }), "the ids in model.vocab"],
  ["an added token twice", (file) => ({ ...file, added_tokens: [...file.added_tokens, file.added_tokens[0]] }), "each token once"],
  [
    "an added token that is a merge as well",
    (file) => ({ ...file, added_tokens: [...file.added_tokens, { ...file.added_tokens[0], id: file.model.vocab["ab"], content: "ab" }] }),
    "a different id for every token",
  ],
  ["lstrip", (file) => added(file, { lstrip: true }), "lstrip"],
  ["rstrip", (file) => added(file, { rstrip: true }), "rstrip"],
  ["single_word", (file) => added(file, { single_word: true }), "single_word"],
  ["an added token with a lone surrogate", (file) => added(file, { content: "\ud800" }), "lone surrogates"],
  ["no end-of-text token", (file) => ({ ...file, added_tokens: file.added_tokens.slice(1) }), "model.vocab"],
  ["an end-of-text token that is text", (file) => added(file, { special: false }), "the special token <|endoftext|>"],
  [
    "a normalized token that NFC would change",
    (file) => ({
      ...added(file, {}),
      normalizer: { type: "NFC" },
      added_tokens: [
        ...file.added_tokens,
        { id: 400, content: "e\u0301", single_word: false, lstrip: false, rstrip: false, special: false, normalized: true },
      ],
    }),
    "content in NFC",
  ],
];

describe("refuses by name", () => {
  test.each(REFUSALS)("%s", (_, change, message) => {
    expect(() => loadTokenizer(valid())).not.toThrow();
    expect(() => loadTokenizer(change(valid()))).toThrow(message);
  });

  test("merges that would fill the memory", () => {
    const doubling = Array.from({ length: 12 }, (_, index) => ["a".repeat(2 ** index), "a".repeat(2 ** index)]);
    expect(() => loadTokenizer(model(valid(), { merges: doubling }))).toThrow("at most 1024 bytes");
    // Every token is short enough, but a thousand letters before each of 8,000 pairs are too many in total.
    const letters = Array.from({ length: 999 }, (_, index) => ["a".repeat(index + 1), "a"]);
    const characters = Object.keys(valid().model.vocab).filter((token) => token.length === 1 && token !== "a");
    const pairs = characters.slice(0, 90).flatMap((left) => characters.slice(0, 90).map((right) => [left, right]));
    const long = pairs.map(([left, right]) => ["a".repeat(1000), left! + right!]);
    expect(() => loadTokenizer(model(valid(), { merges: [...letters, ...pairs, ...long] }))).toThrow("at most 4000000 bytes in all");
  });

  test("a file that is too long or not JSON", () => {
    expect(() => parseTokenizer(new Uint8Array(16_000_001))).toThrow("at most 16000000 bytes");
    expect(() => parseTokenizer(new TextEncoder().encode("{"))).toThrow("tokenizer.json: expected JSON");
  });

  test("a value nested a hundred thousand times", () => {
    const text = JSON.stringify({ ...valid(), normalizer: 7 }).replace(
      '"normalizer":7',
      `"normalizer":${"[".repeat(100_000)}${"]".repeat(100_000)}`,
    );
    expect(() => parseTokenizer(new TextEncoder().encode(text))).toThrow("tokenizer.json: normalizer");
  });
});

describe("reads", () => {
  test.skipIf(gpt2Json() === null)("GPT-2's own vocabulary with its ids (skipped where ../shared/data is absent)", () => {
    const tokenizer = loadTokenizer(gpt2Json());
    expect(tokenizer.vocabulary.preTokenizer).toBe("gpt2");
    expect(tokenizer.vocabSize).toBe(50_257);
    // GPT-2's published ids for these texts.
    expect(tokenizer.encode("Hello world")).toEqual([15_496, 995]);
    expect(tokenizer.encode("The quick brown fox jumps over the lazy dog")).toEqual([
      464, 2068, 7586, 21_831, 18_045, 625, 262, 16_931, 3290,
    ]);
    const german = readFileSync(join(DATA, "bpe", "german.txt"), "utf8");
    expect(tokenizer.decode(tokenizer.encode(german))).toBe(german);
  });

  test("post-processors that add no tokens, and merges written as strings", () => {
    const file = valid();
    const harmless = [
      { type: "ByteLevel", trim_offsets: false },
      { type: "TemplateProcessing", single: [{ Sequence: { id: "A", type_id: 0 } }] },
    ];
    for (const processor of [...harmless, { type: "Sequence", processors: harmless }]) {
      const read = loadTokenizer({ ...model(file, { merges: ["a b", "ab c"] }), post_processor: processor });
      expect(read.vocabulary).toEqual(loadTokenizer(file).vocabulary);
    }
  });

  test("gaps between ids, and encodes no text to them", () => {
    const file = valid();
    const read = loadTokenizer(model(file, { vocab: { ...file.model.vocab, abc: 1000 } }));
    expect(read.encode("abc")).toEqual([1000]);
    expect(read.vocabSize).toBe(1001);
    expect(read.decode([999, 1000])).toBe("abc");
  });
});

const stored = <T>(name: string) => JSON.parse(readFileSync(join(import.meta.dirname, "stored", name), "utf8")) as T;

describe("a tokenizer.json of an earlier version", () => {
  test("gives the same ids as in that version, and keeps its own rule for words", () => {
    const tokenizer = loadTokenizer(stored("tokenizer-1.json"));
    expect(tokenizer.vocabulary.preTokenizer).toBe("gpt2");
    for (const { text, ids } of stored<{ text: string; ids: number[] }[]>("encoded-1.json")) {
      expect(tokenizer.encode(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });

  test("is written exactly as it was read", () => {
    expect(tokenizerToJson(loadTokenizer(stored("tokenizer-1.json")).vocabulary)).toEqual(stored("tokenizer-1.json"));
  });
});
