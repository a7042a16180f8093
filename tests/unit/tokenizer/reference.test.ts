/** Hugging Face's JavaScript library reads the same files independently. Its ids and its texts must equal ours. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { PATTERNS } from "../../../shared/tokenizer/pre-tokenizer.ts";
import { difficultTexts, gpt2Json, trainedVocabulary } from "./texts.ts";

const texts = difficultTexts();

/** The texts whose ids or whose decoded text differ from the reference. */
function differences(json: object, referenceJson = json): string[] {
  const tokenizer = loadTokenizer(json);
  const reference = new Reference(referenceJson, {});
  return texts.filter((text) => {
    const ids = tokenizer.encode(text);
    const expected = reference.encode(text).ids;
    if (ids.length !== expected.length || ids.some((id, index) => id !== expected[index])) return true;
    return tokenizer.decode(ids) !== reference.decode(expected, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  });
}

describe("against @huggingface/tokenizers", () => {
  test("covers at least 4,000 texts", () => {
    expect(texts.length).toBeGreaterThanOrEqual(4000);
  });

  test("our own vocabulary has the same ids and texts", () => {
    expect(differences(tokenizerToJson(trainedVocabulary(1500)))).toEqual([]);
  });

  test("so does a vocabulary with NFC and with text tokens that are found after NFC, as in Qwen", () => {
    const vocabulary = trainedVocabulary(500);
    const added = vocabulary.added.map((token) => ({ ...token, isNormalized: token.content.startsWith("<think") }));
    expect(differences(tokenizerToJson({ ...vocabulary, normalizer: "NFC", added }))).toEqual([]);
  });

  test("so does a vocabulary of the former layout", () => {
    const path = join(import.meta.dirname, "stored", "tokenizer-1.json");
    expect(differences(JSON.parse(readFileSync(path, "utf8")) as object)).toEqual([]);
  });

  const gpt2 = gpt2Json();
  test.skipIf(gpt2 === null)("so does GPT-2's own vocabulary (skipped where ../shared/data is absent)", () => {
    // For a Split, the library cuts as the Rust library does. For ByteLevel, it uses its own rule with JavaScript's white
    // space.
    const byteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
    const split = { type: "Split", pattern: { Regex: PATTERNS.gpt2 }, behavior: "Isolated", invert: false };
    expect(differences(gpt2!, { ...gpt2, pre_tokenizer: { type: "Sequence", pretokenizers: [split, byteLevel] } })).toEqual([]);
  });
});
