import { describe, expect, test } from "vitest";
import { PRESETS } from "../../../../shared/config.ts";
import { compress, expand } from "../../../../shared/model/formats/compression.ts";
import { partition, PART_BYTES, splitByPart } from "../../../../shared/model/formats/partition.ts";
import { createRandom, normal } from "../../../../shared/model/random.ts";
import { decodeMixed, decodeSafetensors, encodeSafetensors, type NamedArray } from "../../../../shared/model/formats/safetensors.ts";
import { weightShapes } from "../../../../shared/model/weights.ts";

const random = createRandom(3);
const array = (name: string, shape: number[]): NamedArray => ({
  name,
  shape,
  data: Float32Array.from({ length: shape.reduce((product, axis) => product * axis, 1) }, () => normal(random)),
});

describe("compression", () => {
  test("rounds numbers to bf16 and int8 as computed by hand", () => {
    // 1 + 2^-8 is in the middle between two bfloat16 numbers and rounds to the even one. 1 + 2^-7 is a bfloat16 number.
    const update = [{ name: "a", shape: [3], data: Float32Array.from([1 + 2 ** -8, 1 + 2 ** -7, -3]) }];
    expect([...expand(compress(update, {}, "bf16").arrays)[0]!.data]).toEqual([1, 1 + 2 ** -7, -3]);
    // The scale is 254 / 127 = 2. 7 / 2 rounds to 4.
    const rows = [{ name: "b", shape: [2, 2], data: Float32Array.from([254, 7, 0, 0]) }];
    expect([...expand(compress(rows, {}, "int8").arrays)[0]!.data]).toEqual([254, 8, 0, 0]);
  });

  test.each(["bf16", "int8"] as const)("%s loses no part of an update: sent values and rounding errors add up to the updates", (kind) => {
    const update = [array("a", [7, 13]), array("b", [31])];
    const sent = update.map(({ data }) => new Float64Array(data.length));
    let residuals: Record<string, Float32Array> = {};
    for (let round = 0; round < 20; round++) {
      const { arrays, residuals: left } = compress(update, residuals, kind);
      const bytes = encodeSafetensors(arrays);
      for (const [index, { data }] of expand(decodeMixed(bytes)).entries()) data.forEach((value, at) => (sent[index]![at]! += value));
      residuals = Object.fromEntries(left.map(({ name, data }) => [name.split("/")[0]!, data]));
    }
    for (const [index, { name, data }] of update.entries()) {
      for (const [at, value] of data.entries()) expect(sent[index]![at]! + residuals[name]![at]!).toBeCloseTo(20 * value, 3);
    }
  });

  test("refuses int8 values without their scales, and float32 readers refuse the other types", () => {
    const { arrays } = compress([array("a", [4, 4])], {}, "int8");
    expect(() => expand(arrays.slice(0, 1))).toThrow("a: expected 4 float32 row scales, got none");
    expect(() => decodeSafetensors(encodeSafetensors(arrays))).toThrow("a: expected dtype F32, got I8");
  });
});

describe("partition", () => {
  test.each(Object.keys(PRESETS))("of preset %s holds every parameter once, in order, in small parts", (name) => {
    const { model, vocabSize } = PRESETS[name]!;
    const config = { ...model, vocabSize };
    const parts = partition(config);
    expect(parts.flat()).toEqual(weightShapes(config));
    for (const part of parts) {
      const bytes = part.reduce((sum, [, shape]) => sum + shape.reduce((product, axis) => product * axis, 4), 0);
      expect(part.length === 1 || bytes <= PART_BYTES).toBe(true);
    }
  });

  test("puts a parameter's states into its part, and a value without a parameter into every part", () => {
    const { model } = PRESETS["base"]!;
    const config = { ...model, vocabSize: 4096 };
    const split = splitByPart(config, { step: 0, "model.embed_tokens.weight/m": 1, "lm_head.weight/v": 2 });
    expect(split.every((part) => part["step"] === 0)).toBe(true);
    expect(split.filter((part) => "model.embed_tokens.weight/m" in part)).toHaveLength(1);
    expect(split.at(-1)).toHaveProperty(["lm_head.weight/v"], 2);
  });
});
