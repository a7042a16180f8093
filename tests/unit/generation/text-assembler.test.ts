/** Text from tokens: for any cuts of the bytes into tokens, the deltas add up to the text of all bytes. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TextAssembler } from "../../../shared/generation/text-assembler.ts";

const encoder = new TextEncoder();

/** All deltas of a text whose bytes come in pieces of the given sizes. */
function deltasOf(bytes: Uint8Array, sizes: readonly number[], stop: readonly string[], trim: boolean): string[] {
  const assembler = new TextAssembler(stop, trim);
  const deltas: string[] = [];
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const size = sizes[piece % sizes.length]!;
    const { delta, isStopped } = assembler.push(bytes.slice(at, at + size));
    deltas.push(delta);
    if (isStopped) return deltas;
    at += size;
  }
  return [...deltas, assembler.end()];
}

const SIZES = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
/** Few different letters, so stop strings occur and overlap. */
const TEXT = fc.string({ unit: fc.constantFrom("a", "b", " ", "\n", "é", "😀"), maxLength: 40 });
const STOP = fc.array(fc.string({ unit: fc.constantFrom("a", "b", " ", "😀"), minLength: 1, maxLength: 4 }), { maxLength: 3 });

test("a text without stop strings comes back complete, in whole characters", () => {
  fc.assert(
    fc.property(TEXT, SIZES, (text, sizes) => {
      const deltas = deltasOf(encoder.encode(text), sizes, [], false);
      expect(deltas.join("")).toBe(text);
      for (const delta of deltas) expect(delta.isWellFormed()).toBe(true);
    }),
  );
});

test("the text ends before the first stop string, for any cuts into tokens", () => {
  fc.assert(
    fc.property(TEXT, SIZES, STOP, fc.boolean(), (text, sizes, stop, trim) => {
      // The reference: the shortest beginning of the text that contains a stop string, without the stop string.
      let expected = text;
      for (let length = 1; length <= text.length; length++) {
        const found = stop.map((word) => text.slice(0, length).indexOf(word)).filter((at) => at >= 0);
        if (found.length === 0) continue;
        expected = text.slice(0, Math.min(...found));
        break;
      }
      const got = deltasOf(
        encoder.encode(text),
        sizes.map(() => 1),
        stop,
        trim,
      ).join("");
      expect(got).toBe(trim ? expected.trim() : expected);
      const cutElsewhere = deltasOf(encoder.encode(text), sizes, stop, trim).join("");
      for (const word of stop) expect(cutElsewhere).not.toContain(word);
      expect((trim ? text.trimStart() : text).startsWith(cutElsewhere)).toBe(true);
    }),
  );
});

test("with trim no delta ends in white space that may end the text", () => {
  fc.assert(
    fc.property(TEXT, SIZES, (text, sizes) => {
      const deltas = deltasOf(encoder.encode(text), sizes, [], true);
      for (const delta of deltas) expect(delta).toBe(delta.trimEnd());
      expect(deltas.join("")).toBe(text.trim());
    }),
  );
});

test("text that can no longer become a stop string is sent at once", () => {
  const assembler = new TextAssembler(["stop"], false);
  const deltas = [..."a stork stop"].map((letter) => assembler.push(encoder.encode(letter)).delta);
  expect(deltas).toEqual(["a", " ", "", "", "", "stor", "k", " ", "", "", "", ""]);
});

test("bytes that are not UTF-8 become U+FFFD, and an incomplete last character is left out", () => {
  const assembler = new TextAssembler([], false);
  expect(assembler.push(Uint8Array.of(0xff, 0x61)).delta).toBe("\ufffda");
  expect(assembler.push(Uint8Array.of(0xf0, 0x9f)).delta).toBe("");
  expect(assembler.end()).toBe("");
});
