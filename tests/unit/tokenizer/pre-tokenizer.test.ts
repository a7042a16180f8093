import { describe, expect, test } from "vitest";
import { splitWords } from "../../../shared/tokenizer/pre-tokenizer.ts";
import { difficultTexts } from "./texts.ts";

/**
 * The published patterns of the two rules, in JavaScript's syntax. They spell out two differences between JavaScript and the Rust
 * library: the meaning of `\s` (White_Space), and how case is ignored (as in Oniguruma).
 */
const EXPRESSIONS = {
  gpt2: /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
  qwen2:
    /'(?:[sdmtSDMT\u017f]|[lL]{2}|[vVrR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
} as const;

describe.each(["gpt2", "qwen2"] as const)("the rule of %s", (rule) => {
  test("cuts as its regular expression does", () => {
    for (const text of difficultTexts()) expect(splitWords(text, rule)).toEqual(text.match(EXPRESSIONS[rule]));
  });

  test("knows the kind of every character", () => {
    const wrong: string[] = [];
    for (let point = 0; point <= 0x10ffff; point++) {
      // There are no letters or numbers above U+3FFFF, so only every 64th character is checked there.
      if (point > 0x3ffff && point % 64 !== 0) continue;
      const character = String.fromCodePoint(point);
      // In this frame, a letter, a number, white space and a line break are each cut in another way.
      const text = `x${character}x ${character}${character} 1`;
      if (splitWords(text, rule).join("\0") !== text.match(EXPRESSIONS[rule])!.join("\0")) wrong.push(point.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  test.each(["a", "1", " ", "\n", "-", "𠀀", "😀", " \n", "'"])("cuts two megabytes of %j", (unit) => {
    const text = unit.repeat(2_000_000 / unit.length);
    expect(splitWords(text, rule).reduce((length, word) => length + word.length, 0)).toBe(text.length);
  });
});

test("Qwen2's rule ignores the case of contractions, counts digits one by one, and lets punctuation keep its line breaks", () => {
  expect(splitWords("I'LL don't 2026!\n\n  x", "qwen2")).toEqual(["I", "'LL", " don", "'t", " ", "2", "0", "2", "6", "!\n\n", " ", " x"]);
  expect(splitWords("I'LL don't 2026!\n\n  x", "gpt2")).toEqual(["I", "'", "LL", " don", "'t", " 2026", "!", "\n\n ", " x"]);
});

test("white space is Unicode's: U+0085 is, U+FEFF and U+180E are not", () => {
  expect(splitWords("1\u0085\u00851", "gpt2")).toEqual(["1", "\u0085", "\u0085", "1"]);
  expect(splitWords("1\ufeff\ufeff1", "gpt2")).toEqual(["1", "\ufeff\ufeff", "1"]);
  expect(splitWords("1\u180e\u180e1", "qwen2")).toEqual(["1", "\u180e\u180e", "1"]);
});

test("if case is ignored, the long s ends a contraction, as in Oniguruma", () => {
  // Output of the Rust library, tokenizers 0.23.2.
  expect(splitWords("a'\u017foft", "qwen2")).toEqual(["a", "'\u017f", "oft"]);
  expect(splitWords("\u0130'\u017f\u017f 'LL'D", "qwen2")).toEqual(["\u0130", "'\u017f", "\u017f", " '", "LL", "'D"]);
});
