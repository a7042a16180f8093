import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { datasetSchema } from "../../../../shared/artifacts.ts";
import { presetOf, type ModelConfig } from "../../../../shared/config.ts";
import { checkKind, type Objective } from "../../../../shared/training/objectives/objective.ts";
import { pretrain } from "../../../../shared/training/objectives/pretrain.ts";

const { examples } = pretrain;
const modelOf = (context: number): ModelConfig => ({ ...presetOf("tiny").model, vocabSize: 300, context });

const weightOf = (tokens: number, slice: number, slices: number, context = 4) =>
  examples.validationWeight(tokens, { slice, slices }, modelOf(context))!;

describe("pretraining", () => {
  test("counts only training windows whose last label exists", () => {
    expect([0, 1, 4, 5, 8, 9].map((tokens) => examples.trainingCount(tokens, modelOf(4)))).toEqual([0, 0, 0, 1, 1, 2]);
  });

  test("counts a short validation window, but no window without a target", () => {
    expect([0, 1, 2, 5, 6].map((tokens) => examples.validationCount(tokens, modelOf(4)))).toEqual([0, 0, 1, 1, 2]);
  });

  test("labels each token with the next one and leaves the end of a short window without labels", () => {
    const batch = examples.batch([Uint16Array.of(7, 8, 9, 10), Uint16Array.of(4, 5)], modelOf(3));
    expect(batch).toEqual({
      inputs: Int32Array.of(7, 8, 9, 4, 5, 0),
      labels: Int32Array.of(8, 9, 10, 5, -1, -1),
      sequences: 2,
    });
  });

  test("makes every token of a stream but the first a label exactly once", () => {
    const model = modelOf(4);
    const stream = Uint16Array.from({ length: 15 }, (_, index) => index);
    const records = Array.from({ length: examples.validationCount(stream.length, model) }, (_, example) => {
      const start = examples.recordStart(example, model);
      return stream.subarray(start, start + examples.recordLength(model));
    });
    expect([...examples.batch(records, model).labels].filter((label) => label >= 0)).toEqual([...stream.subarray(1)]);
  });

  test("makes every validation token but the first a target of one slice", () => {
    // 10 targets in windows of 4: 4, 4 and 2. Of two slices, the first has the first and the third window.
    expect([0, 1].map((slice) => weightOf(11, slice, 2))).toEqual([6, 4]);
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 2, max: 70 }), fc.integer({ min: 1, max: 20 }), (tokens, context, slices) => {
        const all = Array.from({ length: slices }, (_, slice) => weightOf(tokens, slice, slices, context));
        expect(all.reduce((sum, targets) => sum + targets, 0)).toBe(Math.max(0, tokens - 1));
      }),
    );
  });
});

const hash = "0".repeat(64);
const STORED = { format: 1, tokenizer: hash, vocabSize: 300, train: [], val: [], trainTokens: 9, valTokens: 5 };

describe("datasets", () => {
  const dataset = datasetSchema.parse({ ...STORED, valBytes: 8, documents: 1, unigramLoss: 3 });

  test("that were stored without a kind are for pretraining", () => {
    expect(dataset.kind).toBe("pretrain");
    expect(() => checkKind(pretrain, dataset, modelOf(4))).not.toThrow();
  });

  test("of another kind are refused by name", () => {
    const other = { ...pretrain, name: "sft", datasetKind: "sft" } as unknown as Objective;
    expect(() => checkKind(other, dataset, modelOf(4))).toThrow("dataset: expected kind sft for objective sft, got kind pretrain");
  });

  test("give bits per byte from the mean loss of all targets, and the baselines", () => {
    // 4 targets of 2 ln 2 nats each are 8 bits, for 8 bytes.
    expect(pretrain.metrics(2 * Math.LN2, dataset)).toEqual({ bitsPerByte: 1, unigramLoss: 3, trigramLoss: null });
    expect(pretrain.metrics(null, dataset).bitsPerByte).toBeNull();
  });
});
