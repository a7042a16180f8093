/** The losses of pairs against values worked by hand, and the gradients of both heads against definitions and finite differences. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, test } from "vitest";
import { presetOf, type ModelConfig } from "../../../../shared/config.ts";
import { recordNumbers } from "../../../../shared/lessons/records.ts";
import { lossAndGradients, lossSum } from "../../../../shared/model/backward/loss.ts";
import type { Loss } from "../../../../shared/model/backward/pass.ts";
import { createRandom, normal } from "../../../../shared/model/random.ts";
import { weightShapes, type Weights } from "../../../../shared/model/weights.ts";
import { pairNumbers, setReferences } from "../../../../shared/preferences/records.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import { dpo, dpoLoss, ipo, ipoLoss, kto, ktoLoss } from "../../../../shared/training/objectives/dpo.ts";
import { conversationHead, conversationBatch } from "../../../../shared/training/objectives/sft.ts";
import { pairBatch } from "../../../../shared/training/objectives/pairs.ts";
import { logProbabilities, type PairLoss } from "../../../../shared/training/objectives/preference-head.ts";
import { reward, scoredBatch, scoresOf } from "../../../../shared/training/objectives/reward.ts";

const SHAPE = { width: 8, mlpWidth: 12, layers: 2, heads: 2, kvHeads: 1, headWidth: 4, context: 24, normEpsilon: 1e-2 };
const MODEL: ModelConfig = { ...presetOf("tiny").model, ...SHAPE, vocabSize: 19 };
const SCORED: ModelConfig = { ...MODEL, isScored: true };
const SIZE = recordNumbers(MODEL.context);

/** A conversation of `length` tokens. The last `learned` tokens are an answer. */
function conversation(length: number, learned: number): Uint16Array {
  const numbers = new Uint16Array(SIZE);
  for (let index = 0; index < length; index++) {
    numbers[2 * index] = (index * 7 + length) % 19;
    numbers[2 * index + 1] = index >= length - learned ? 1 : 0;
  }
  return numbers;
}

function pair(better: Uint16Array, worse: Uint16Array, references: [number, number]): Uint16Array {
  const record = new Uint16Array(pairNumbers(MODEL.context));
  record.set(better);
  record.set(worse, SIZE);
  setReferences(record, MODEL.context, references);
  return record;
}
const CONVERSATIONS = [
  conversation(9, 2),
  conversation(14, 5),
  conversation(20, 1),
  conversation(25, 12),
  conversation(7, 3),
  conversation(8, 2),
];
const RECORDS = [
  pair(CONVERSATIONS[0]!, CONVERSATIONS[1]!, [-6, -14.5]),
  pair(CONVERSATIONS[2]!, CONVERSATIONS[3]!, [-2, -37]),
  pair(CONVERSATIONS[4]!, CONVERSATIONS[5]!, [-9.25, -5]),
];

/**
 * Pairs whose answers are all less probable under the model than under the reference. KTO's comparison has no gradient, but here it
 * stays 0, so the slope of the loss is its gradient.
 */
const UNLIKELY = [
  pair(CONVERSATIONS[0]!, CONVERSATIONS[1]!, [-1, -2]),
  pair(CONVERSATIONS[2]!, CONVERSATIONS[3]!, [-0.5, -20]),
  pair(CONVERSATIONS[4]!, CONVERSATIONS[5]!, [-3, -1]),
];

/** Weights at which no parameter's gradient is 0. */
function someWeights(model: ModelConfig): Weights {
  const random = createRandom(3);
  return Object.fromEntries(
    weightShapes(model).map(([name, shape]) => {
      const center = name.includes("norm") ? 1 : 0;
      return [
        name,
        tf.tensor(
          Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => center + 0.4 * normal(random)),
          shape,
        ),
      ];
    }),
  );
}

beforeAll(startBackend);

describe("the loss of a pair, worked by hand for log-ratios of 3 and -2 nats, with beta 0.1", () => {
  // The margin is 0.1 (3 + 2) = 0.5. log(1 + e^-0.5) = 0.4740769842; 1 / (1 + e^0.5) = 0.3775406688.
  test("DPO: -log sigmoid(0.5), with slopes of 0.1 sigmoid(-0.5)", () => {
    const { loss, better, worse } = dpoLoss.of(3, -2);
    expect(loss).toBeCloseTo(0.4740769842, 9);
    expect(better).toBeCloseTo(-0.03775406688, 9);
    expect(worse).toBeCloseTo(0.03775406688, 9);
    expect(dpoLoss.of(0, 0).loss).toBeCloseTo(Math.LN2, 12);
    expect(dpoLoss.of(-9000, 9000).loss).toBeCloseTo(1800, 9);
  });

  // 1 / (2 0.1) = 5, so a difference of 5 has no loss. A difference of 7 has (7 - 5)^2 = 4 with slopes of 2 (7 - 5).
  test("IPO: the square of the distance to a difference of 5", () => {
    expect(ipoLoss.of(3, -2)).toEqual({ loss: 0, better: 0, worse: -0 });
    expect(ipoLoss.of(4, -3)).toEqual({ loss: 4, better: 4, worse: -4 });
    expect(ipoLoss.of(0, 0).loss).toBe(25);
  });

  // The worse answer has a log-ratio below 0, so the better one is compared with 0: sigmoid(0.3) = 0.5744425168.
  // The worse one is compared with 3: sigmoid(0.1 (3 + 2)) = 0.6224593312. The loss is 1 - (0.5744425168 + 0.6224593312) / 2.
  test("KTO: 1 minus the mean of both values", () => {
    const { loss, better, worse } = ktoLoss.of(3, -2);
    expect(loss).toBeCloseTo(0.401549076, 9);
    expect(better).toBeCloseTo(-0.05 * 0.5744425168 * (1 - 0.5744425168), 9);
    expect(worse).toBeCloseTo(0.05 * 0.6224593312 * (1 - 0.6224593312), 9);
    expect(ktoLoss.of(0, 0).loss).toBe(0.5);
  });

  const ANYWHERE = [
    [3, -2],
    [-4, 1],
    [0.5, 12],
  ] as const;
  // KTO's comparison has no gradient, so the points are those where it stays 0.
  const BELOW = [
    [-3, -2],
    [-0.5, -12],
  ] as const;
  test.each([
    ["DPO", dpoLoss, ANYWHERE],
    ["IPO", ipoLoss, ANYWHERE],
    ["KTO", ktoLoss, BELOW],
  ] satisfies [string, PairLoss, readonly (readonly [number, number])[]][])(
    "%s: the slopes agree with finite differences of the loss",
    (_, { of }, points) => {
      for (const [better, worse] of points) {
        const [step, slopes] = [1e-4, of(better, worse)];
        expect((of(better + step, worse).loss - of(better - step, worse).loss) / (2 * step)).toBeCloseTo(slopes.better, 6);
        expect((of(better, worse + step).loss - of(better, worse - step).loss) / (2 * step)).toBeCloseTo(slopes.worse, 6);
      }
    },
  );

  // Bradley and Terry: the log-odds are the difference of the scores. Here the scores are 1.2 and -0.3: log(1 + e^-1.5) = 0.2014132779.
  test("reward: -log sigmoid of the difference of the scores", () => {
    const weights = someWeights(SCORED);
    const batch = reward.examples.batch(RECORDS, SCORED);
    const scores = scoresOf(weights, SCORED, batch);
    const wanted = [0, 1, 2].map((at) => Math.log1p(Math.exp(scores[2 * at + 1]! - scores[2 * at]!)));
    const { lossSum: sum, targets } = lossSum(weights, SCORED, batch, reward.lossHead);
    expect(targets).toBe(3);
    expect(sum).toBeCloseTo(wanted[0]! + wanted[1]! + wanted[2]!, 4);
    tf.dispose(weights);
  });
});

describe("log-probabilities of answers", () => {
  test("of the unlikely pairs are all below the reference", () => {
    const weights = someWeights(MODEL);
    const batch = pairBatch(UNLIKELY, MODEL.context);
    const ratios = logProbabilities(weights, MODEL, batch).map((value, at) => value - batch.references![at]!);
    expect(Math.max(...ratios)).toBeLessThan(-0.1);
    tf.dispose(weights);
  });

  test("are minus the losses of the conversations in fine-tuning, for any padding", () => {
    const weights = someWeights(MODEL);
    const { context } = MODEL;
    const alone = CONVERSATIONS.map((each) => -lossSum(weights, MODEL, conversationBatch([each], context), conversationHead).lossSum);
    const before = tf.memory().numTensors;
    const together = logProbabilities(weights, MODEL, pairBatch(RECORDS, context));
    expect(tf.memory().numTensors).toBe(before);
    for (const [index, value] of together.entries()) expect(value).toBeCloseTo(alone[index]!, 3);
    tf.dispose(weights);
  });
});

const HEADS: readonly [name: string, head: Loss, model: ModelConfig, batch: ReturnType<typeof pairBatch>][] = [
  ["dpo", dpo.lossHead, MODEL, pairBatch(RECORDS, MODEL.context)],
  ["ipo", ipo.lossHead, MODEL, pairBatch(RECORDS, MODEL.context)],
  ["kto", kto.lossHead, MODEL, pairBatch(RECORDS, MODEL.context)],
  ["reward", reward.lossHead, SCORED, scoredBatch(CONVERSATIONS, MODEL.context)],
];

describe.each(HEADS)("the head of %s", (name, head, model, batch) => {
  function values(passes?: Parameters<typeof lossAndGradients>[4]): Record<string, number[]> {
    const weights = someWeights(model);
    const before = tf.memory().numTensors;
    const { loss, gradients } = lossAndGradients(weights, model, batch, head, passes);
    const { lossSum: sum, targets } = lossSum(weights, model, batch, head);
    expect(targets).toBe(3);
    const found = Object.entries(gradients).map(([key, tensor]) => [key, [...tensor.dataSync()]] as const);
    tf.dispose(gradients);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(weights);
    return { ...Object.fromEntries(found), loss: [loss], lossSum: [sum / targets] };
  }

  test("has the gradients of its definition, in one pass, in several passes, and with recomputed activations", async () => {
    await tf.setBackend("cpu");
    const expected = values();
    await tf.setBackend("wasm");
    for (const passes of [
      undefined,
      { sequences: 2, recompute: false },
      { sequences: 6, recompute: true },
      { sequences: 4, recompute: true },
    ]) {
      const got = values(passes);
      expect(Object.keys(got)).toEqual(Object.keys(expected));
      for (const [key, wanted] of Object.entries(expected)) {
        const scale = Math.max(...wanted.map(Math.abs));
        const worst = Math.max(...wanted.map((value, at) => Math.abs(value - got[key]![at]!)));
        expect({ key, isClose: scale > 0 && worst < 2e-4 * scale }).toEqual({ key, isClose: true });
      }
    }
  });

  test("has gradients that agree with finite differences", () => {
    const weights = someWeights(model);
    const smooth = name === "kto" ? pairBatch(UNLIKELY, model.context) : batch;
    const { gradients } = lossAndGradients(weights, model, smooth, head);
    const lossWith = (key: string, index: number, by: number): number => {
      const moved = Float32Array.from(weights[key]!.dataSync());
      moved[index]! += by;
      const tensor = tf.tensor(moved, weights[key]!.shape);
      const { lossSum: sum, targets } = lossSum({ ...weights, [key]: tensor }, model, smooth, head);
      tensor.dispose();
      return sum / targets;
    };
    const step = 2e-3;
    for (const [key, gradient] of Object.entries(gradients)) {
      const all = Float32Array.from(gradient.dataSync());
      const largest = all.reduce((most, value, at) => (Math.abs(value) > Math.abs(all[most]!) ? at : most), 0);
      const slope = (lossWith(key, largest, step) - lossWith(key, largest, -step)) / (2 * step);
      const isClose = Math.abs(slope - all[largest]!) < 2e-3 + 0.02 * Math.abs(slope);
      expect({ key, isClose }).toEqual({ key, isClose: true });
    }
    tf.dispose([weights, gradients]);
  });
});
