import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { SPECIAL_TOKENS } from "../../../shared/tokenizer/special-tokens.ts";
import { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";
import { trainedVocabulary } from "./texts.ts";

const vocabulary = trainedVocabulary(300);
const tokenizer = new Tokenizer(vocabulary);
const textToken = (content: string, id: number, isNormalized = false) => ({ content, id, isText: true, isNormalized });

describe("our own vocabulary", () => {
  test("has sixteen special tokens with fixed ids, then the bytes, then the merges", () => {
    for (const { added, ids } of [LAYOUT.vocabulary([]), vocabulary]) {
      expect(added.map(({ content }) => content).slice(0, 3)).toEqual(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
      expect(added.map(({ id }) => id)).toEqual(Array.from({ length: 16 }, (_, id) => id));
      expect(ids).toEqual(Array.from(ids, (_, token) => 16 + token));
    }
    expect(tokenizer.endOfText).toBe(0);
    expect(tokenizer.vocabSize).toBe(16 + 256 + 300);
  });

  test("also has its special tokens in model.vocab, because otherwise the Rust library renumbers them", () => {
    const { model, added_tokens: added } = tokenizerToJson(vocabulary);
    for (const { content, id } of added) expect(model.vocab[content]).toBe(id);
    expect(Object.keys(model.vocab)).toHaveLength(tokenizer.vocabSize);
  });
});

describe("encoding and decoding", () => {
  test("round-trips every text, even after the tokenizer's file was written and read", () => {
    const again = loadTokenizer(JSON.parse(JSON.stringify(tokenizerToJson(vocabulary))));
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
        expect(again.encode(text)).toEqual(tokenizer.encode(text));
      }),
      // U+FEFF, which a decoder may drop as a byte-order mark. Random texts rarely contain it.
      { seed: 7, numRuns: 100, examples: [["\ufeff"], ["\ufefflow"], ["low\ufeff"]] },
    );
  });

  test("decodes every byte string from the ids of its bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(tokenizer.decodeBytes(Array.from(bytes, (byte) => vocabulary.ids[byte]!))).toEqual(bytes);
      }),
      { seed: 7 },
    );
  });

  test("reads a lone surrogate as U+FFFD", () => {
    expect(tokenizer.decode(tokenizer.encode("low\ud83d"))).toBe("low\ufffd");
  });

  test("makes no control token from text, and no text from a control token", () => {
    const controls = SPECIAL_TOKENS.filter(({ isText }) => !isText).map(({ content }) => content);
    const text = controls.join(" ");
    expect(tokenizer.encode(text).filter((id) => id < SPECIAL_TOKENS.length)).toEqual([]);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.decode(controls.map((content) => tokenizer.idOf(content)))).toBe("");
  });

  test("finds added tokens that are text before cutting words, and keeps them when decoding", () => {
    const text = "so<think>it seems</think>\n\n<tool_call>";
    const ids = tokenizer.encode(text);
    expect(ids.filter((id) => id < SPECIAL_TOKENS.length)).toEqual([7, 8, 3]);
    expect(tokenizer.decode(ids)).toBe(text);
    // "
    // " stays one word, although punctuation before it would have joined it.
    expect(ids.slice(ids.indexOf(8) + 1, -1)).toEqual(tokenizer.encode("\n\n"));
  });

  test("finds the leftmost added token, and the longest of those that begin there", () => {
    const empty = LAYOUT.vocabulary([]);
    const added = [...empty.added, textToken("ab", 272), textToken("abc", 273), textToken("bcd", 274), textToken("(.*", 275)];
    const { encode, decode } = bound(new Tokenizer({ ...empty, added }));
    expect(encode("abcd")).toEqual([273, ...encode("d")]);
    expect(encode("abbcd(.*")).toEqual([272, 274, 275]);
    expect(decode([272, 274, 275])).toBe("abbcd(.*");
  });

  test("normalizes text to NFC if the file says so, but not the added tokens that are found before", () => {
    const empty = LAYOUT.vocabulary([]);
    const added = [...empty.added, textToken("e\u0301!", 272), textToken("\u00e9?", 273, true)];
    const { encode } = bound(new Tokenizer({ ...empty, normalizer: "NFC", added }));
    expect(encode("e\u0301")).toEqual(encode("\u00e9"));
    expect(encode("e\u0301!")).toEqual([272]);
    expect(encode("e\u0301?")).toEqual([273]);
  });

  test("an id without a token has no text, because a model may have more rows than tokens", () => {
    expect(tokenizer.decode([...tokenizer.encode("a"), tokenizer.vocabSize, ...tokenizer.encode("b")])).toBe("ab");
  });
});

function bound(of: Tokenizer) {
  return { encode: (text: string) => of.encode(text), decode: (ids: number[]) => of.decode(ids) };
}
