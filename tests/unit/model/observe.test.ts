/** Observed attention and predictions equal those of the model's own forward pass. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import type { ModelConfig } from "../../../shared/config.ts";
import { eachLogits, observe } from "../../../shared/model/observe.ts";
import { block, embeddedRows, forward } from "../../../shared/model/transformer.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";

beforeAll(startBackend);

const CONFIG: ModelConfig = {
  vocabSize: 40,
  width: 16,
  mlpWidth: 24,
  layers: 3,
  heads: 4,
  kvHeads: 2,
  headWidth: 8,
  context: 32,
  ropeTheta: 100,
  normEpsilon: 1e-6,
  tiedEmbeddings: false,
};
const IDS = Array.from({ length: 20 }, (_, index) => (index * 7) % 40);

test("weights times values are the output of the attention kernel", () => {
  const weights = initWeights(CONFIG, 3);
  const positions = [0, 7, 19];
  const { attention, hidden, layers } = observe(weights, CONFIG, IDS, positions);
  tf.tidy(() => {
    const x = embeddedRows(weights, tf.tensor1d(IDS, "int32"));
    const { cache } = block(weights, CONFIG, 0, x, 1, null);
    const values = cache.values.dataSync();
    // Without its MLP, the block returns x plus the projected attention.
    const prefix = "model.layers.0";
    const silent = { ...weights, [`${prefix}.mlp.down_proj.weight`]: tf.zerosLike(weights[`${prefix}.mlp.down_proj.weight`]!) };
    const attended = block(silent, CONFIG, 0, x, 1, null).x;
    for (const [index, position] of positions.entries()) {
      const mixed = attention[index]![0]!.flatMap((keys, head) =>
        Array.from({ length: CONFIG.headWidth }, (_, i) =>
          keys.reduce((sum, weight, key) => {
            const at = (key * CONFIG.kvHeads + Math.floor(head / 2)) * CONFIG.headWidth + i;
            return sum + weight * values[at]!;
          }, 0),
        ),
      );
      const projected = tf.matMul(tf.tensor2d([mixed]), weights[`${prefix}.self_attn.o_proj.weight`] as tf.Tensor2D, false, true);
      const expected = tf.add(tf.slice2d(x, [position, 0], [1, -1]), projected).dataSync();
      const actual = tf.slice2d(attended, [position, 0], [1, -1]).dataSync();
      expect(Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-5);
    }
  });
  for (const heads of attention.flat(2)) expect(heads.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 9);
  expect(attention.map((each) => each[2]![3]!.length)).toEqual([1, 8, 20]);
  tf.dispose([hidden, layers, weights]);
});

test("the logits are those of the forward pass, and the last layer's prediction is the model's", () => {
  const weights = initWeights(CONFIG, 4);
  const { hidden, layers } = observe(weights, CONFIG, IDS, [5]);
  const expected = tf.tidy(() => forward(weights, CONFIG, tf.tensor1d(IDS, "int32"), 1).dataSync<"float32">());
  const rowOf = (row: number) => expected.subarray(row * CONFIG.vocabSize, (row + 1) * CONFIG.vocabSize);
  const close = (actual: Float32Array, row: number) =>
    expect(Math.max(...actual.map((value, id) => Math.abs(value - rowOf(row)[id]!)))).toBeLessThan(1e-5);
  let rows = 0;
  eachLogits(weights, CONFIG, hidden, (row, logits) => {
    close(logits, row);
    rows++;
  });
  expect(rows).toBe(IDS.length);
  const after: Float32Array[] = [];
  eachLogits(weights, CONFIG, layers, (_, logits) => after.push(logits.slice()));
  expect(after).toHaveLength(CONFIG.layers);
  close(after.at(-1)!, 5);
  tf.dispose([hidden, layers, weights]);
});

test("leaves no tensor behind and refuses positions outside the sequence", () => {
  const weights = initWeights(CONFIG, 5);
  const before = tf.memory().numTensors;
  tf.dispose(Object.values(observe(weights, CONFIG, IDS, [0])).filter((value) => value instanceof tf.Tensor));
  expect(tf.memory().numTensors).toBe(before);
  for (const positions of [[20], [-1], []]) expect(() => observe(weights, CONFIG, IDS, positions)).toThrow(/expected positions of 0\.\.19/);
  tf.dispose(weights);
});
