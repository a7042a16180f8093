import { describe, expect, test } from "vitest";
import { bytesOfType, fromType, NUMBER_TYPES, toInt8Rows, toType, type NumberType } from "../../../shared/interchange/number-types.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";

const bytesOf = (halves: number[]) => new Uint8Array(Uint16Array.from(halves).buffer);
const halvesOf = (bytes: Uint8Array) => [...new Uint16Array(bytes.slice().buffer)];
const random = (length: number) => {
  const next = createRandom(7);
  return Float32Array.from({ length }, () => normal(next));
};

describe.each([
  ["F16", 0x7bff],
  ["BF16", 0x7f7f],
] as const)("%s", (type, largest) => {
  const all = Array.from({ length: largest + 1 }, (_, bits) => bits);
  const values = fromType(type, bytesOf(all));

  test("comes back bit for bit, for every finite number and its negative", () => {
    expect(halvesOf(toType(type, values))).toEqual(all);
    expect(
      halvesOf(
        toType(
          type,
          values.map((value) => -value),
        ),
      ),
    ).toEqual(all.map((bits) => bits | 0x8000));
  });

  test("is monotonic in its bits", () => {
    expect(values.findIndex((value, bits) => bits > 0 && value <= values[bits - 1]!)).toBe(-1);
  });

  test("rounds to the nearest number, and from the middle to the even number", () => {
    const wanted: number[] = [];
    const given: number[] = [];
    // Checks the numbers between neighbours: one pair in ten, and all pairs around the border of subnormal numbers.
    for (let bits = 0; bits + 1 < values.length; bits += bits > 0x380 && bits < 0x480 ? 1 : 10) {
      const [low, high] = [values[bits]!, values[bits + 1]!];
      const middle = low / 2 + high / 2;
      if (Math.fround(middle) !== middle) continue;
      const gap = (high - low) / 4;
      given.push(middle, middle - gap, middle + gap);
      wanted.push(bits % 2 === 0 ? bits : bits + 1, bits, bits + 1);
    }
    const representable = given.map((value) => Math.fround(value) === value);
    const rounded = halvesOf(toType(type, Float32Array.from(given)));
    expect(rounded.filter((_, at) => representable[at])).toEqual(wanted.filter((_, at) => representable[at]));
    expect(representable.filter(Boolean).length).toBeGreaterThan(3000);
  });
});

test("a number outside float16 is refused instead of becoming infinite", () => {
  expect(halvesOf(toType("F16", Float32Array.of(65_519)))).toEqual([0x7bff]);
  expect(() => toType("F16", Float32Array.of(65_520))).toThrow("F16: expected numbers up to 65504, got 65520");
});

test.each([
  ["Q8_0", 0.5],
  ["Q4_0", 1],
] as const)("%s has an error of at most %s steps of its block", (type, steps) => {
  const values = random(64 * 32);
  const back = fromType(type, toType(type, values));
  const levels = type === "Q8_0" ? 127 : 8;
  for (let first = 0; first < values.length; first += 32) {
    const block = values.subarray(first, first + 32);
    const step = Math.max(...block.map(Math.abs)) / levels;
    // The scale is stored as a float16, so it has its own rounding error.
    for (let at = 0; at < 32; at++) expect(Math.abs(block[at]! - back[first + at]!)).toBeLessThan(step * steps + levels * step * 2 ** -10);
  }
});

test.each(["Q8_0", "Q4_0"] as const)("%s keeps zeros, and a second conversion changes nothing", (type) => {
  expect([...fromType(type, toType(type, new Float32Array(32)))].every((value) => value === 0)).toBe(true);
  const once = fromType(type, toType(type, random(320)));
  expect(Math.max(...fromType(type, toType(type, once)).map((value, at) => Math.abs(value - once[at]!)))).toBeLessThan(0.01);
});

test("blocks of Q4_0 hold the first half in the low bits, as ggml reads them", () => {
  // The largest value is -8, so the scale is 1 and each value is its digit minus 8.
  const values = Float32Array.from({ length: 32 }, (_, at) => (at === 0 ? -8 : at % 8));
  const bytes = toType("Q4_0", values);
  expect([...bytes.subarray(0, 4)]).toEqual([0x00, 0x3c, 0 | (8 << 4), 9 | (9 << 4)]);
  expect([...fromType("Q4_0", bytes)]).toEqual([...values]);
});

test("values that do not fill whole blocks are refused", () => {
  expect(() => bytesOfType("Q8_0", 33)).toThrow("Q8_0: expected a multiple of 32 values, got 33");
  for (const type of Object.keys(NUMBER_TYPES) as NumberType[])
    expect(() => fromType(type, new Uint8Array(35))).toThrow(`${type}: expected a multiple`);
});

test("int8 rows keep zeros, round halves away from zero and never use -128", () => {
  const [scales, digits] = [new Float32Array(4), new Int8Array(12)];
  // The scale of the second row is 2, so 3 is one and a half. The third row's scale is the smallest float32, which is inexact.
  toInt8Rows(Float32Array.of(0, -0, 0, -254, 3, -3, -(2 ** -142), 0, 2 ** -149, 1, 0, -1), scales, digits);
  expect([...scales]).toEqual([0, 2, 2 ** -149, Math.fround(1 / 127)]);
  expect([...digits]).toEqual([0, 0, 0, -127, 2, -2, -127, 0, 1, 127, 0, -127]);
});
