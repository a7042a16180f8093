import * as tf from "@tensorflow/tfjs-core";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { datasetSchema } from "../../../../shared/artifacts.ts";
import { presetOf, type ModelConfig } from "../../../../shared/config.ts";
import { recordNumbers } from "../../../../shared/lessons/records.ts";
import { lossAndGradients, lossSum } from "../../../../shared/model/backward/loss.ts";
import { createRandom } from "../../../../shared/model/random.ts";
import { initWeights, type Weights } from "../../../../shared/model/weights.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import { checkKind } from "../../../../shared/training/objectives/objective.ts";
import { conversationHead, sft } from "../../../../shared/training/objectives/sft.ts";

const { examples } = sft;
const MODEL: ModelConfig = {
  ...presetOf("tiny").model,
  vocabSize: 19,
  width: 8,
  mlpWidth: 12,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  headWidth: 4,
  context: 24,
  normEpsilon: 1e-2,
};

/** A record of `length` tokens. The last `learned` tokens are an answer. */
function record(length: number, learned: number): Uint16Array {
  const numbers = new Uint16Array(recordNumbers(MODEL.context));
  for (let index = 0; index < length; index++) {
    numbers[2 * index] = (index * 7 + length) % 19;
    numbers[2 * index + 1] = index >= length - learned ? 1 : 0;
  }
  return numbers;
}
const RECORDS = [record(9, 2), record(14, 5), record(20, 1), record(25, 12)];

beforeAll(startBackend);

describe("fine-tuning", () => {
  test("labels only the tokens that the assistant wrote, and is as long as the longest conversation", () => {
    const { inputs, labels, sequences } = examples.batch([record(4, 2), record(9, 1)], MODEL);
    expect(sequences).toBe(2);
    expect([...inputs.subarray(0, 8)]).toEqual([4, 11, 18, 6, 0, 0, 0, 0]);
    expect([...labels.subarray(0, 8)]).toEqual([-1, 18, 6, -1, -1, -1, -1, -1]);
    // Nine tokens are eight inputs. The last input predicts the ninth token.
    expect([...labels.subarray(8)]).toEqual([-1, -1, -1, -1, -1, -1, -1, (8 * 7 + 9) % 19]);
  });

  test("never makes a batch longer than the model's context", () => {
    expect(examples.batch([record(25, 3)], MODEL).inputs).toHaveLength(24);
  });

  test("counts whole records, and every validation record in one slice", () => {
    const size = recordNumbers(MODEL.context);
    expect([0, size - 1, size, 3 * size].map((stream) => examples.trainingCount(stream, MODEL))).toEqual([0, 0, 1, 3]);
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 1, max: 9 }), (count, slices) => {
        const weights = Array.from({ length: slices }, (_, slice) => examples.validationWeight(count * size, { slice, slices }, MODEL)!);
        const numbers = Array.from({ length: count }, (_, index) => index);
        expect(weights).toEqual(weights.map((_, slice) => numbers.filter((each) => each % slices === slice).length));
      }),
    );
  });

  test("has a loss of minus the log-probability of an answer, for any padding", () => {
    const weights = initWeights(MODEL, 5);
    const lossOf = (records: Uint16Array[]) => lossSum(weights, MODEL, examples.batch(records, MODEL), conversationHead);
    const alone = RECORDS.map((each) => lossOf([each]).lossSum);
    const together = lossOf(RECORDS);
    expect(together.targets).toBe(4);
    expect(together.lossSum).toBeCloseTo(
      alone.reduce((sum, loss) => sum + loss, 0),
      3,
    );
    const dirty = RECORDS[0]!.slice();
    for (let index = 2 * 9; index < dirty.length; index += 2) dirty[index] = 3;
    expect(lossOf([dirty, RECORDS[3]!]).lossSum).toBe(lossOf([RECORDS[0]!, RECORDS[3]!]).lossSum);
    tf.dispose(weights);
  });

  test("gives a batch the mean gradient of its parts, for any lengths of their answers", () => {
    const weights = initWeights(MODEL, 5);
    const gradientsOf = (records: Uint16Array[]) =>
      lossAndGradients(weights, MODEL, examples.batch(records, MODEL), conversationHead).gradients;
    const [whole, first, second] = [gradientsOf(RECORDS), gradientsOf(RECORDS.slice(0, 2)), gradientsOf(RECORDS.slice(2))];
    for (const name of Object.keys(weights)) {
      const [a, b] = [first[name]!.dataSync(), second[name]!.dataSync()];
      for (const [index, value] of whole[name]!.dataSync().entries()) expect(value).toBeCloseTo((a[index]! + b[index]!) / 2, 4);
    }
    tf.dispose([weights, whole, first, second]);
  });

  test("has gradients that agree with finite differences", () => {
    const weights = initWeights(MODEL, 7);
    // The initial weights plus noise. At these weights the loss is not almost linear, so the finite differences test more.
    const random = createRandom(3);
    const loud: Weights = Object.fromEntries(
      Object.entries(weights).map(([name, tensor]) => [
        name,
        tf.add(
          tensor,
          tf.tensor(
            Float32Array.from({ length: tensor.size }, () => 0.4 * (random() - 0.5)),
            tensor.shape,
          ),
        ),
      ]),
    );
    const batch = examples.batch(RECORDS, MODEL);
    const { loss, gradients } = lossAndGradients(loud, MODEL, batch, conversationHead);
    expect(loss).toBeCloseTo(lossSum(loud, MODEL, batch, conversationHead).lossSum / 4, 3);
    const lossWith = (name: string, index: number, by: number): number => {
      const values = Float32Array.from(loud[name]!.dataSync());
      values[index]! += by;
      const moved = { ...loud, [name]: tf.tensor(values, loud[name]!.shape) };
      const { lossSum: sum, targets } = lossSum(moved, MODEL, batch, conversationHead);
      moved[name]!.dispose();
      return sum / targets;
    };
    const step = 1e-2;
    for (const [name, gradient] of Object.entries(gradients)) {
      for (const index of [0, Math.floor(gradient.size / 2), gradient.size - 1]) {
        const slope = (lossWith(name, index, step) - lossWith(name, index, -step)) / (2 * step);
        // In float32, a loss near 20 is exact to 2e-6. So a slope, measured over a step of 2e-2, is exact to 1e-3. The curvature
        // of the loss adds a further error.
        expect(Math.abs(slope - gradient.dataSync()[index]!), `${name}[${index}]`).toBeLessThan(5e-3 + 0.02 * Math.abs(slope));
      }
    }
    tf.dispose([weights, loud, gradients]);
  });
});

describe("datasets of lessons", () => {
  const hash = "0".repeat(64);
  const stored = { format: 1, kind: "sft", tokenizer: hash, vocabSize: 19, train: [], val: [], trainTokens: 0, valTokens: 0, valBytes: 0 };
  const dataset = datasetSchema.parse({ ...stored, documents: 2, context: 24, lessons: hash });

  test("have no baselines", () => {
    expect(sft.metrics(2, dataset)).toEqual({ unigramLoss: null, trigramLoss: null, bitsPerByte: null });
  });

  test("for another context are refused by name", () => {
    expect(() => checkKind(sft, dataset, MODEL)).not.toThrow();
    expect(() => checkKind(sft, dataset, { ...MODEL, context: 32 })).toThrow(
      "dataset: expected records for the 32 positions of the model, got records for 24",
    );
  });
});
