import { describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../../../shared/model/formats/safetensors.ts";

const TENSORS = [
  { name: "a", shape: [2, 3], data: Float32Array.from([1, 2, 3, 4, 5, 6]) },
  { name: "constructor", shape: [], data: Float32Array.from([7]) },
  { name: "empty", shape: [0, 4], data: new Float32Array(0) },
];

/** A file with a header text and `dataBytes` bytes of data. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (begin: number, end: number, shape = [(end - begin) / 4]) => ({ dtype: "F32", shape, data_offsets: [begin, end] });

describe("safetensors", () => {
  test("writes equal bytes every time, and reads the tensors back at any alignment", () => {
    const bytes = encodeSafetensors(TENSORS);
    expect(encodeSafetensors(TENSORS)).toEqual(bytes);
    expect(decodeSafetensors(bytes)).toEqual(TENSORS);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(decodeSafetensors(shifted.subarray(1))).toEqual(TENSORS);
  });

  test("reads a file with metadata and with tensors in another order than the header", () => {
    const tensors = decodeSafetensors(fileOf({ __metadata__: { format: "pt" }, b: entry(4, 8), a: entry(0, 4) }, 8));
    expect(tensors.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  const hostile: [string, Uint8Array, string][] = [
    ["fewer bytes than a length", new Uint8Array(7), "at least 8 bytes"],
    ["a header longer than the file", new Uint8Array([255, 255, 255, 255, 255, 255, 255, 255]), "expected a header of at most"],
    ["a header that is not JSON", fileOf("{", 0), "UTF-8 JSON"],
    ["a header that is a list", fileOf([], 0), "JSON object"],
    ["overlapping tensors", fileOf({ a: entry(0, 8), b: entry(4, 12) }, 12), "hole or overlap"],
    ["a hole", fileOf({ a: entry(0, 4), b: entry(8, 12) }, 12), "hole or overlap"],
    ["equal names", fileOf(`{"a":${JSON.stringify(entry(0, 4))},"a":${JSON.stringify(entry(4, 8))}}`, 8), "hole or overlap"],
    ["data beyond the file", fileOf({ a: entry(0, 400) }, 4), "expected data to end by"],
    ["trailing bytes", fileOf({ a: entry(0, 4) }, 5), "trailing bytes"],
    ["a shape that overflows", fileOf({ a: entry(0, 4, [2 ** 50, 2 ** 50]) }, 4), "expected"],
    ["a shape that disagrees with its bytes", fileOf({ a: entry(0, 4, [2]) }, 4), "expected 8 bytes"],
    ["a negative offset", fileOf({ a: entry(-4, 0, [1]) }, 0), "a:"],
    ["another dtype", fileOf({ a: { ...entry(0, 4), dtype: "F16" } }, 4), "a:"],
  ];
  for (const [what, bytes, message] of hostile) {
    test(`refuses ${what}`, () => {
      expect(() => decodeSafetensors(bytes)).toThrow(message);
    });
  }

  test("refuses to write a shape that disagrees with its data, or a name twice", () => {
    expect(() => encodeSafetensors([{ name: "a", shape: [3], data: new Float32Array(2) }])).toThrow("expected 3 values");
    expect(() => encodeSafetensors([TENSORS[0]!, TENSORS[0]!])).toThrow("twice");
  });
});
